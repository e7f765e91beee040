//! Keys: others hold a [`Signer`], never the secret.
//!
//! A signer is for one key of one account. What is signed is decided elsewhere; the secret is never shown, not in
//! `Debug`, not in errors. Signatures come from `ring` and `k256`.

mod credential;
mod env;
mod token;

pub use credential::Credential;
pub use env::from_env;
pub use token::{Token, token};

/// How a key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// HMAC with SHA-256 (Binance, Bybit, OKX).
    HmacSha256,
    /// HMAC with SHA-512 (Kraken).
    HmacSha512,
    /// Ed25519 (Binance, Coinbase).
    Ed25519,
    /// RSASSA-PKCS1-v1_5 with SHA-256 (Binance, Bybit).
    RsaSha256,
    /// ECDSA on P-256 with SHA-256, `r‖s` (Coinbase).
    Es256,
    /// Recoverable ECDSA on secp256k1 over a given 32-byte hash, `r‖s‖v` with v 27 or 28 (Hyperliquid).
    Secp256k1,
}

impl Scheme {
    /// Its name in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::HmacSha256 => "HMAC-SHA256",
            Self::HmacSha512 => "HMAC-SHA512",
            Self::Ed25519 => "Ed25519",
            Self::RsaSha256 => "RSA-SHA256",
            Self::Es256 => "ES256",
            Self::Secp256k1 => "secp256k1",
        }
    }
}

/// A key does not serve.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The text of a secret is not of its kind. The text is not shown.
    #[error("the secret is no {scheme} key: {why}")]
    Form {
        /// The kind expected.
        scheme: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A venue takes another kind of key.
    #[error("{venue} takes keys of kind {wants}, this one is {found}")]
    Scheme {
        /// The venue.
        venue: &'static str,
        /// What it takes.
        wants: &'static str,
        /// What this one is.
        found: &'static str,
    },
    /// A variable of the environment is not set.
    #[error("no key: {name} is not set; set it, or {name}_FILE to the path of a file that holds it")]
    Absent {
        /// The variable.
        name: String,
    },
    /// A variable of the environment cannot be used. Its value is not shown.
    #[error("{name}: {why}")]
    Variable {
        /// The variable.
        name: String,
        /// What is wrong and what to do.
        why: String,
    },
    /// The library refused to sign.
    #[error("signing with {0} failed")]
    Sign(&'static str),
}

/// Signs for one key.
pub trait Signer: Send + Sync {
    /// The public id of the key, as it stands in requests (API key; key name; address of the agent wallet).
    fn key_id(&self) -> &str;

    /// How it signs.
    fn scheme(&self) -> Scheme;

    /// The passphrase that some venues want beside the signature (OKX); empty for none. It goes to the venue only.
    fn passphrase(&self) -> &str {
        ""
    }

    /// The raw signature of a payload.
    ///
    /// # Errors
    /// [`KeyError::Sign`].
    fn sign(&self, payload: &[u8]) -> Result<Vec<u8>, KeyError>;
}
