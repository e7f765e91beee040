//! Keys from the environment, one set of variables per account of a venue. Reads; never writes, prints or keeps.
//!
//! `BELLWETHER_KEY_<VENUE>_<ACCOUNT>_ID`, `_SECRET`, and where needed `_PASSPHRASE` and `_SCHEME`; each may instead be
//! given as `…_FILE`, the path of a file that holds it.

use std::path::Path;

use super::{Credential, KeyError, Scheme};

/// What the names of all variables begin with.
const PREFIX: &str = "BELLWETHER_KEY";

/// Secrets are texts of some hundred bytes; a file far beyond that is not one.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// The key of an account of a venue (`binance`, `binance_linear`, `kraken`, …) from the environment. A venue's
/// contracts (`…_linear`) use the key of the venue where they have none of their own.
///
/// # Errors
/// [`KeyError::Absent`] and [`KeyError::Variable`], which name the variable and the remedy and never a value;
/// [`KeyError::Form`].
pub fn from_env(venue: &str, account: &str) -> Result<Credential, KeyError> {
    read(venue, account, &|name| std::env::var_os(name).map(std::ffi::OsString::into_string))
}

/// The secret of something that has no public id, by its kind and name.
pub(super) fn secret(kind: &str, name: &str) -> Result<String, KeyError> {
    let variable = format!("{}_SECRET", prefix(kind, name));
    let found = value(&variable, &|name| std::env::var_os(name).map(std::ffi::OsString::into_string))?;
    found.ok_or(KeyError::Absent { name: variable })
}

/// A variable's text; `Err` when it is not UTF-8.
type Lookup<'a> = &'a dyn Fn(&str) -> Option<Result<String, std::ffi::OsString>>;

fn read(venue: &str, account: &str, lookup: Lookup<'_>) -> Result<Credential, KeyError> {
    let own = prefix(venue, account);
    let shared = venue.strip_suffix("_linear").map(|name| prefix(name, account));
    let has = |prefix: &String| ["_ID", "_ID_FILE"].iter().any(|part| lookup(&format!("{prefix}{part}")).is_some());
    let chosen = shared.filter(|shared| !has(&own) && has(shared)).unwrap_or(own);
    let name = |part: &str| format!("{chosen}_{part}");
    let must = |part: &str| value(&name(part), lookup)?.ok_or_else(|| KeyError::Absent { name: name(part) });

    let id = must("ID")?;
    let secret = must("SECRET")?;
    let passphrase = value(&name("PASSPHRASE"), lookup)?.unwrap_or_default();
    let scheme = match value(&name("SCHEME"), lookup)? {
        Some(text) => scheme_of(&text).ok_or_else(|| KeyError::Variable {
            name: name("SCHEME"),
            why: "it is none of hmac-sha256, hmac-sha512, ed25519, rsa-sha256, es256, secp256k1".to_owned(),
        })?,
        // An HMAC takes any text for a secret: a PEM would sign, and every signature would be refused.
        None if is_hmac(usual(venue)) && secret.contains("PRIVATE KEY") => {
            return Err(KeyError::Variable {
                name: name("SECRET"),
                why: format!("it is a PEM and no shared secret; set {} to ed25519 or rsa-sha256", name("SCHEME")),
            });
        }
        None => usual(venue),
    };
    Ok(Credential::new(id, scheme, &secret)?.with_passphrase(passphrase))
}

const fn is_hmac(scheme: Scheme) -> bool {
    matches!(scheme, Scheme::HmacSha256 | Scheme::HmacSha512)
}

fn prefix(venue: &str, account: &str) -> String {
    let word = |text: &str| -> String {
        text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect()
    };
    format!("{PREFIX}_{}_{}", word(venue), word(account))
}

/// The value of a variable, or of the file that `…_FILE` names; `None` for neither.
fn value(name: &str, lookup: Lookup<'_>) -> Result<Option<String>, KeyError> {
    let file_name = format!("{name}_FILE");
    let of = |name: &str| match lookup(name) {
        None => Ok(None),
        Some(Ok(text)) if text.trim().is_empty() => {
            Err(KeyError::Variable { name: name.to_owned(), why: "it is set but empty; set it or unset it".to_owned() })
        }
        Some(Ok(text)) => Ok(Some(text)),
        Some(Err(_)) => Err(KeyError::Variable { name: name.to_owned(), why: "it is not UTF-8".to_owned() }),
    };
    match (of(name)?, of(&file_name)?) {
        (Some(_), Some(_)) => {
            Err(KeyError::Variable { name: file_name, why: format!("{name} is set too; unset one of them") })
        }
        (Some(text), None) => Ok(Some(text.trim().to_owned())),
        (None, Some(path)) => read_file(&file_name, Path::new(&path)).map(Some),
        (None, None) => Ok(None),
    }
}

fn read_file(name: &str, path: &Path) -> Result<String, KeyError> {
    let wrong = |why: String| KeyError::Variable { name: name.to_owned(), why };
    let failed = |e: std::io::Error| wrong(format!("reading {}: {e}", path.display()));
    let meta = std::fs::metadata(path).map_err(failed)?;
    if !meta.is_file() || meta.len() > FILE_BYTES_MAX {
        return Err(wrong(format!("{} is no file of at most {FILE_BYTES_MAX} bytes", path.display())));
    }
    let text = std::fs::read_to_string(path).map_err(failed)?;
    match text.trim() {
        "" => Err(wrong(format!("{} is empty", path.display()))),
        text => Ok(text.to_owned()),
    }
}

/// How keys of a venue usually sign.
fn usual(venue: &str) -> Scheme {
    match venue.strip_suffix("_linear").unwrap_or(venue) {
        "kraken" => Scheme::HmacSha512,
        "coinbase" => Scheme::Es256,
        "hyperliquid" => Scheme::Secp256k1,
        _ => Scheme::HmacSha256,
    }
}

fn scheme_of(text: &str) -> Option<Scheme> {
    Some(match text.trim().to_ascii_lowercase().as_str() {
        "hmac-sha256" => Scheme::HmacSha256,
        "hmac-sha512" => Scheme::HmacSha512,
        "ed25519" => Scheme::Ed25519,
        "rsa-sha256" => Scheme::RsaSha256,
        "es256" => Scheme::Es256,
        "secp256k1" => Scheme::Secp256k1,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::keys::Signer;

    fn with(venue: &str, account: &str, set: &[(&str, &str)]) -> Result<Credential, KeyError> {
        let set: BTreeMap<String, String> = set.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        read(venue, account, &|name| set.get(name).cloned().map(Ok))
    }

    #[test]
    fn a_key_is_found_by_venue_and_account_and_signs_as_the_venue_wants() {
        let key = with(
            "binance",
            "main",
            &[
                ("BELLWETHER_KEY_BINANCE_MAIN_ID", "id-1"),
                ("BELLWETHER_KEY_BINANCE_MAIN_SECRET", "secret-1\n"),
                ("BELLWETHER_KEY_BINANCE_MAIN_PASSPHRASE", "phrase"),
            ],
        );
        let key = key.expect("a key");
        assert_eq!((key.key_id(), key.passphrase(), key.scheme()), ("id-1", "phrase", Scheme::HmacSha256));
        let plain = Credential::new("id-1", Scheme::HmacSha256, "secret-1").expect("a key");
        assert_eq!(key.sign(b"x"), plain.sign(b"x"), "the line's end is no part of the secret");

        let kraken = [("BELLWETHER_KEY_KRAKEN_MY_DESK_ID", "k"), ("BELLWETHER_KEY_KRAKEN_MY_DESK_SECRET", "c2VjcmV0")];
        assert_eq!(with("kraken", "my-desk", &kraken).expect("a key").scheme(), Scheme::HmacSha512);
    }

    #[test]
    fn contracts_use_the_venues_key_unless_they_have_their_own() {
        let venue = [("BELLWETHER_KEY_BINANCE_MAIN_ID", "spot"), ("BELLWETHER_KEY_BINANCE_MAIN_SECRET", "s")];
        assert_eq!(with("binance_linear", "main", &venue).expect("a key").key_id(), "spot");
        let own =
            [("BELLWETHER_KEY_BINANCE_LINEAR_MAIN_ID", "own"), ("BELLWETHER_KEY_BINANCE_LINEAR_MAIN_SECRET", "s")];
        assert_eq!(with("binance_linear", "main", &[venue, own].concat()).expect("a key").key_id(), "own");
    }

    #[test]
    fn what_is_missing_or_wrong_is_named_without_a_value() {
        let id = ("BELLWETHER_KEY_BINANCE_MAIN_ID", "id-1");
        let secret = ("BELLWETHER_KEY_BINANCE_MAIN_SECRET", "hunter2");
        let pem = ("BELLWETHER_KEY_BINANCE_MAIN_SECRET", "-----BEGIN PRIVATE KEY-----hunter2");
        let scheme = ("BELLWETHER_KEY_BINANCE_MAIN_SCHEME", "hunter2");
        let file = ("BELLWETHER_KEY_BINANCE_MAIN_SECRET_FILE", "/nowhere/at-all");
        let empty = ("BELLWETHER_KEY_BINANCE_MAIN_SECRET", " ");
        for (set, named) in [
            (vec![secret], "BELLWETHER_KEY_BINANCE_MAIN_ID"),
            (vec![id], "BELLWETHER_KEY_BINANCE_MAIN_SECRET"),
            (vec![id, secret, scheme], "BELLWETHER_KEY_BINANCE_MAIN_SCHEME"),
            (vec![id, secret, file], "BELLWETHER_KEY_BINANCE_MAIN_SECRET_FILE"),
            (vec![id, file], "BELLWETHER_KEY_BINANCE_MAIN_SECRET_FILE"),
            (vec![id, empty], "BELLWETHER_KEY_BINANCE_MAIN_SECRET"),
            (vec![id, pem], "BELLWETHER_KEY_BINANCE_MAIN_SCHEME"),
        ] {
            let error = with("binance", "main", &set).expect_err("refused").to_string();
            assert!(error.contains(named), "{named}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_value_may_stand_in_a_file() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("secret");
        std::fs::write(&path, "secret-1\n").expect("written");
        let key = with(
            "okx",
            "main",
            &[
                ("BELLWETHER_KEY_OKX_MAIN_ID", "id"),
                ("BELLWETHER_KEY_OKX_MAIN_SECRET_FILE", path.to_str().expect("UTF-8")),
            ],
        );
        let plain = Credential::new("id", Scheme::HmacSha256, "secret-1").expect("a key");
        assert_eq!(key.expect("a key").sign(b"x"), plain.sign(b"x"));
    }
}
