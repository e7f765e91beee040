//! A key as a source gives it: the texts, not yet what signs. Overwritten when dropped; never shown.

use std::borrow::Cow;

use bellwether_sdk::Ts;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::{Credential, KeyError, Scheme};

/// What a source holds of a key.
#[derive(Clone)]
pub struct Material {
    /// The key's public id.
    pub key_id: String,
    secret: SecretString,
    passphrase: SecretString,
    /// How it signs, where the source says it.
    pub scheme: Option<Scheme>,
    /// The source's name of this version; empty for none.
    pub version: String,
    /// When it was made, as the source says; [`Ts::NONE`] for unknown.
    pub created: Ts,
    /// When it expires, as the source says; [`Ts::NONE`] for never or unknown.
    pub expires: Ts,
}

/// The names that a key file, a secret of a vault or the output of a command may use.
#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow, alias = "key_id", alias = "api_key", alias = "apiKey", alias = "key")]
    id: Cow<'a, str>,
    #[serde(borrow, alias = "api_secret", alias = "secret_key", alias = "secretKey", alias = "private_key")]
    secret: Cow<'a, str>,
    #[serde(borrow, default)]
    passphrase: Cow<'a, str>,
    #[serde(borrow, default)]
    scheme: Option<Cow<'a, str>>,
    #[serde(default)]
    version: Option<serde_json::Value>,
    #[serde(default)]
    created: Option<String>,
    #[serde(default)]
    expires: Option<String>,
}

impl Material {
    /// From its texts. Ends of lines, spaces around and a byte order mark are no part of them.
    ///
    /// # Errors
    /// Why not, for a place to be put before it.
    pub fn new(id: &str, secret: &str, passphrase: &str) -> Result<Self, String> {
        let (id, secret) = (clean(id), clean(secret));
        if id.is_empty() || secret.is_empty() {
            return Err(format!("the {} is empty", if id.is_empty() { "id" } else { "secret" }));
        }
        Ok(Self {
            key_id: id.to_owned(),
            secret: SecretString::from(secret),
            passphrase: SecretString::from(clean(passphrase)),
            scheme: None,
            version: String::new(),
            created: Ts::NONE,
            expires: Ts::NONE,
        })
    }

    /// The secret, for what is shown to its owner as it is.
    pub(super) const fn secret(&self) -> &SecretString {
        &self.secret
    }

    /// Reads `{"id": …, "secret": …}` with, where there are any, `passphrase`, `scheme`, `version`, `created` and
    /// `expires` (times of RFC 3339).
    ///
    /// # Errors
    /// Why not, without what was read.
    pub fn parse(text: &str) -> Result<Self, String> {
        let form = r#"write {"id": "…", "secret": "…"}, and where needed "passphrase", "scheme", "version", "created", "expires""#;
        // What the parser says may quote the text: only where it stumbled is told.
        let wire: Wire<'_> = serde_json::from_str(clean(text))
            .map_err(|e| format!("line {} column {} is not as it must be; {form}", e.line(), e.column()))?;
        let mut material = Self::new(&wire.id, &wire.secret, &wire.passphrase)?;
        if let Some(word) = wire.scheme {
            material.scheme = Some(Scheme::of_word(&word).ok_or_else(|| {
                "scheme is none of hmac-sha256, hmac-sha512, ed25519, rsa-sha256, es256, secp256k1".to_owned()
            })?);
        }
        material.version = match wire.version {
            Some(serde_json::Value::String(text)) => text,
            Some(serde_json::Value::Number(number)) => number.to_string(),
            _ => String::new(),
        };
        let time = |name: &str, text: Option<String>| match text.map(|t| t.parse::<jiff::Timestamp>()) {
            None => Ok(Ts::NONE),
            Some(Ok(time)) => Ok(Ts::from_millis(time.as_millisecond())),
            Some(Err(_)) => Err(format!("{name} is no time; write 2026-12-01T00:00:00Z")),
        };
        material.created = time("created", wire.created)?;
        material.expires = time("expires", wire.expires)?;
        Ok(material)
    }

    /// The same, written as [`parse`](Self::parse) reads it.
    pub fn to_json(&self) -> SecretString {
        let mut object = serde_json::Map::new();
        object.insert("id".into(), self.key_id.clone().into());
        object.insert("secret".into(), self.secret.expose_secret().into());
        if !self.passphrase.expose_secret().is_empty() {
            object.insert("passphrase".into(), self.passphrase.expose_secret().into());
        }
        if let Some(scheme) = self.scheme {
            object.insert("scheme".into(), scheme.name().to_ascii_lowercase().into());
        }
        SecretString::from(serde_json::Value::Object(object).to_string())
    }

    /// What signs, for a venue (its name in the settings).
    ///
    /// # Errors
    /// [`KeyError::Form`]; [`KeyError::Source`] for a PEM where a shared secret is usual and no scheme is told.
    pub fn credential(&self, venue: &str, place: &str) -> Result<Credential, KeyError> {
        let secret = self.secret.expose_secret();
        let usual = Scheme::usual(venue);
        // An HMAC takes any text for a secret: a PEM would sign, and every signature would be refused.
        if self.scheme.is_none() && usual.is_hmac() && secret.contains("PRIVATE KEY") {
            let why = "the secret is a PEM and no shared secret; set the scheme to ed25519 or rsa-sha256";
            return Err(KeyError::source(place, why));
        }
        let credential = Credential::new(self.key_id.clone(), self.scheme.unwrap_or(usual), secret)?;
        Ok(credential.with_passphrase(self.passphrase.expose_secret()))
    }

    /// Whether it is the same key, to the last letter of the secret.
    pub fn is_same(&self, other: &Self) -> bool {
        self.key_id == other.key_id
            && self.secret.expose_secret() == other.secret.expose_secret()
            && self.passphrase.expose_secret() == other.passphrase.expose_secret()
    }
}

impl std::fmt::Debug for Material {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Material(…{})", tail(&self.key_id))
    }
}

/// The last four characters of a public id: all that is shown of it. Of a short one, nothing.
pub fn tail(key_id: &str) -> String {
    let count = key_id.chars().count();
    key_id.chars().skip(count.saturating_sub(4).max(count.min(4))).collect()
}

/// Without a byte order mark and without spaces and ends of lines around.
pub(super) fn clean(text: &str) -> &str {
    text.trim_start_matches('\u{feff}').trim()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Signer;

    #[test]
    fn a_byte_order_mark_and_ends_of_lines_are_no_part_of_a_key() {
        let plain = Material::new("id", "hunter2", "").expect("a key");
        let odd = Material::parse("\u{feff}{\"api_key\": \"id\\n\", \"api_secret\": \"\u{feff}hunter2\\r\\n\"}\n");
        assert!(plain.is_same(&odd.expect("a key")));
    }

    #[test]
    fn what_is_wrong_is_said_without_the_secret() {
        for text in [
            "{\"id\": \"a\", \"secret\": \"hunter2\"",
            "{\"id\": \"a\", \"secret\": \"hunter2\", \"scheme\": \"hunter2\"}",
            "{\"id\": \"a\", \"secret\": \"hunter2\", \"expires\": \"hunter2\"}",
            "hunter2",
            "{\"id\": \"\", \"secret\": \"hunter2\"}",
        ] {
            let why = Material::parse(text).expect_err("refused");
            assert!(!why.contains("hunter2"), "{why}");
        }
        let pem = Material::new("id", "-----BEGIN PRIVATE KEY-----hunter2", "").expect("texts");
        let why = pem.credential("binance", "file:k").expect_err("no scheme").to_string();
        assert!(why.contains("ed25519") && !why.contains("hunter2"), "{why}");
        assert_eq!(format!("{pem:?}"), "Material(…)");
    }

    #[test]
    fn a_key_is_read_as_it_was_written() {
        let text =
            r#"{"id": "k", "secret": "s\n1", "passphrase": "p", "version": 3, "expires": "2026-12-01T00:00:00Z"}"#;
        let material = Material::parse(text).expect("a key");
        assert_eq!((material.version.as_str(), material.expires.nanos() / 1_000_000), ("3", 1_796_083_200_000));
        let again = Material::parse(material.to_json().expose_secret()).expect("a key");
        assert!(material.is_same(&again));
        assert_eq!(material.credential("okx", "x").expect("a key").passphrase(), "p");
    }
}
