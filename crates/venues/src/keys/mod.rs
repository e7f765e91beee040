//! Keys: others hold a [`Signing`], which gives them the key in force; never the secret.
//!
//! A [`Signer`] is one key of one account, a [`Signing`] whichever key of a scope is in force: one is taken for one
//! request, so that its id, passphrase and signature are of the same key also while keys are changed. Where keys come
//! from is a [`Reference`] in the settings, read by a [`Source`]. What is signed is decided elsewhere; a secret is never
//! shown, not in `Debug`, not in errors, and is overwritten when it is dropped.

mod audit;
#[cfg(feature = "nats")]
mod bucket;
mod credential;
mod error;
mod harden;
mod material;
mod narrow;
mod office;
mod permissions;
mod signing;
mod sources;
mod token;
#[cfg(any(feature = "aws", feature = "nats", feature = "vault"))]
mod waiting;

pub use audit::{Audit, Chain, Entry};
pub use credential::Credential;
pub use error::KeyError;
pub use harden::no_core_dumps;
pub use material::{Material, tail};
pub use narrow::{Asked, Narrow};
pub use office::{LEASE_MS, Lease, Office, Order, Orders, RotationLock, fingerprint, fingerprint_of};
pub use permissions::{Permissions, Remark, Scope, Verdict, expiry, judge};
pub use signing::{Key, KeyNews, Signing, Use};
pub use sources::{Due, Reference, SOURCES, Source, Stage};
pub use token::{Token, token, token_from};

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
    /// The scheme of a word in settings and key files: `hmac-sha256`, `hmac-sha512`, `ed25519`, `rsa-sha256`, `es256`,
    /// `secp256k1`.
    pub fn of_word(text: &str) -> Option<Self> {
        Some(match text.trim().to_ascii_lowercase().as_str() {
            "hmac-sha256" => Self::HmacSha256,
            "hmac-sha512" => Self::HmacSha512,
            "ed25519" => Self::Ed25519,
            "rsa-sha256" => Self::RsaSha256,
            "es256" => Self::Es256,
            "secp256k1" => Self::Secp256k1,
            _ => return None,
        })
    }

    /// How keys of a venue (its name in the settings) usually sign.
    pub fn usual(venue: &str) -> Self {
        match venue.strip_suffix("_linear").unwrap_or(venue) {
            "kraken" => Self::HmacSha512,
            "coinbase" => Self::Es256,
            "hyperliquid" => Self::Secp256k1,
            _ => Self::HmacSha256,
        }
    }

    const fn is_hmac(self) -> bool {
        matches!(self, Self::HmacSha256 | Self::HmacSha512)
    }

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

    /// The public key, where the id does not stand for it: a secp256k1 key's id is an account's, the key an agent's. Else
    /// empty.
    fn public_key(&self) -> Vec<u8> {
        Vec::new()
    }

    /// The raw signature of a payload.
    ///
    /// # Errors
    /// [`KeyError::Sign`].
    fn sign(&self, payload: &[u8]) -> Result<Vec<u8>, KeyError>;
}
