//! Keys from the environment, one set of variables per account of a venue.
//!
//! `BELLWETHER_KEY_<VENUE>_<ACCOUNT>_ID`, `_SECRET`, and where needed `_PASSPHRASE` and `_SCHEME`; each may instead be
//! given as `…_FILE`, the path of a file that holds it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::file::{self, Hidden};
use super::{Source, Stage};
use crate::keys::{KeyError, Material, Scheme};

/// What the names of all variables begin with.
const PREFIX: &str = "BELLWETHER_KEY";

/// `env:`, or `env:PREFIX` where the names begin otherwise. Variables cannot change while a process runs, files that
/// `…_FILE` names can.
pub(super) struct EnvSource {
    venue: String,
    account: String,
    prefix: String,
}

impl EnvSource {
    pub(super) fn new(venue: &str, account: &str, prefix: &str) -> Self {
        Self { venue: venue.to_owned(), account: account.to_owned(), prefix: prefix.to_owned() }
    }

    fn prefix(&self, lookup: Lookup<'_>) -> String {
        match self.prefix.as_str() {
            "" => chosen(&self.venue, &self.account, lookup),
            own => own.to_owned(),
        }
    }
}

fn environment(name: &str) -> Option<Result<String, OsString>> {
    std::env::var_os(name).map(OsString::into_string)
}

impl Source for EnvSource {
    fn place(&self) -> String {
        format!("env:{}", self.prefix(&environment))
    }

    fn mark(&mut self) -> Result<String, KeyError> {
        let prefix = self.prefix(&environment);
        let files = ["ID", "SECRET", "PASSPHRASE", "SCHEME"].map(|part| format!("{prefix}_{part}_FILE"));
        let paths = files.iter().filter_map(std::env::var_os).map(PathBuf::from);
        let marks: Result<Vec<String>, KeyError> = paths.map(|path| file::mark(&path)).collect();
        Ok(marks?.join(" "))
    }

    fn fetch(&mut self, _stage: Stage) -> Result<Material, KeyError> {
        read(&self.prefix(&environment), &environment)
    }
}

/// The secret of something that has no public id, by its kind and name.
pub(in crate::keys) fn secret(kind: &str, name: &str) -> Result<Zeroizing<String>, KeyError> {
    let variable = format!("{}_SECRET", prefix(kind, name));
    value(&variable, &environment)?.ok_or(KeyError::Absent { name: variable })
}

/// A variable's text; `Err` when it is not UTF-8.
type Lookup<'a> = &'a dyn Fn(&str) -> Option<Result<String, std::ffi::OsString>>;

/// The variables of an account. A venue's contracts (`…_linear`) use the key of the venue where they have none of their
/// own.
fn chosen(venue: &str, account: &str, lookup: Lookup<'_>) -> String {
    let own = prefix(venue, account);
    let shared = venue.strip_suffix("_linear").map(|name| prefix(name, account));
    let has = |prefix: &String| ["_ID", "_ID_FILE"].iter().any(|part| lookup(&format!("{prefix}{part}")).is_some());
    shared.filter(|shared| !has(&own) && has(shared)).unwrap_or(own)
}

fn read(prefix: &str, lookup: Lookup<'_>) -> Result<Material, KeyError> {
    let name = |part: &str| format!("{prefix}_{part}");
    let must = |part: &str| value(&name(part), lookup)?.ok_or_else(|| KeyError::Absent { name: name(part) });
    let (id, secret) = (must("ID")?, must("SECRET")?);
    let passphrase = value(&name("PASSPHRASE"), lookup)?;
    let wrong = |why: String| KeyError::Variable { name: name("SECRET"), why };
    let passphrase = passphrase.as_ref().map_or("", |p| p.as_str());
    let mut material = Material::new(&id, &secret, passphrase).map_err(wrong)?;
    if let Some(text) = value(&name("SCHEME"), lookup)? {
        material.scheme = Some(Scheme::of_word(&text).ok_or_else(|| KeyError::Variable {
            name: name("SCHEME"),
            why: "it is none of hmac-sha256, hmac-sha512, ed25519, rsa-sha256, es256, secp256k1".to_owned(),
        })?);
    }
    Ok(material)
}

fn prefix(venue: &str, account: &str) -> String {
    let word = |text: &str| -> String {
        text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect()
    };
    format!("{PREFIX}_{}_{}", word(venue), word(account))
}

/// The value of a variable, or of the file that `…_FILE` names; `None` for neither.
fn value(name: &str, lookup: Lookup<'_>) -> Result<Option<Zeroizing<String>>, KeyError> {
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
        (Some(text), None) => Ok(Some(Zeroizing::new(text))),
        (None, Some(path)) => {
            let read = file::read(Path::new(&path), Hidden::FromOthers);
            read.map(Some).map_err(|e| KeyError::Variable { name: file_name, why: e.to_string() })
        }
        (None, None) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::keys::{Credential, Signer};

    fn with(venue: &str, account: &str, set: &[(&str, &str)]) -> Result<Credential, KeyError> {
        let set: BTreeMap<String, String> = set.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let lookup = |name: &str| set.get(name).cloned().map(Ok);
        let prefix = chosen(venue, account, &lookup);
        read(&prefix, &lookup)?.credential(venue, &prefix)
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
            (vec![id, pem], "BELLWETHER_KEY_BINANCE_MAIN"),
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
        file::write(&path, b"secret-1\n").expect("written");
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
