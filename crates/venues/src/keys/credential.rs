//! A key in memory.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::pkcs8::DecodePrivateKey as _;
use hmac::{Hmac, KeyInit, Mac};
use p256::ecdsa::signature::Signer as _;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Sha256, Sha512};
use zeroize::Zeroizing;

use super::{KeyError, Scheme, Signer};

/// A key in memory: its public id and what signs. `Debug` shows the end of the public id and nothing of the secret. All
/// secrets but RSA's, whose library does not, are overwritten when it is dropped.
pub struct Credential {
    key_id: String,
    passphrase: SecretString,
    secret: Secret,
}

enum Secret {
    Hmac256(Box<Hmac<Sha256>>),
    Hmac512(Box<Hmac<Sha512>>),
    Ed25519(Box<ed25519_dalek::SigningKey>),
    Rsa(Box<RsaKeyPair>),
    Es256(Box<p256::ecdsa::SigningKey>),
    Secp256k1(Box<k256::ecdsa::SigningKey>),
}

impl Credential {
    /// A key of a scheme. The secret's text: for HMAC-SHA256 the text itself, for HMAC-SHA512 base64 (Kraken), for
    /// Ed25519 PKCS#8 PEM, or base64 of a seed of 32 bytes or of seed and public key, for RSA PKCS#8 PEM, for ES256 PEM
    /// (PKCS#8 or SEC1; a literal `\n` counts as a line's end), for secp256k1 64 hex digits.
    ///
    /// # Errors
    /// [`KeyError::Form`] without the text.
    pub fn new(key_id: impl Into<String>, scheme: Scheme, secret: &str) -> Result<Self, KeyError> {
        let form = |why| KeyError::Form { scheme: scheme.name(), why };
        let base64 =
            |text: &str| STANDARD.decode(text.trim()).map(Zeroizing::new).map_err(|_| form("it is not base64"));
        let der = || pem(secret).ok_or_else(|| form("it is not PEM"));
        let empty = |_| form("it is empty");
        let secret = match scheme {
            Scheme::HmacSha256 => Secret::Hmac256(Box::new(Hmac::new_from_slice(secret.as_bytes()).map_err(empty)?)),
            Scheme::HmacSha512 => Secret::Hmac512(Box::new(Hmac::new_from_slice(&base64(secret)?).map_err(empty)?)),
            Scheme::Ed25519 if secret.contains("PRIVATE KEY") => {
                let pair = ed25519_dalek::SigningKey::from_pkcs8_der(&der()?);
                Secret::Ed25519(Box::new(pair.map_err(|_| form("it is not PKCS#8 of Ed25519"))?))
            }
            Scheme::Ed25519 => {
                let bytes = base64(secret)?;
                let seed = bytes.get(..32).filter(|_| bytes.len() == 32 || bytes.len() == 64);
                let seed = seed.and_then(|s| <&[u8; 32]>::try_from(s).ok());
                let seed = seed.ok_or_else(|| form("it is not 32 or 64 bytes"))?;
                Secret::Ed25519(Box::new(ed25519_dalek::SigningKey::from_bytes(seed)))
            }
            Scheme::RsaSha256 => {
                let pair =
                    RsaKeyPair::from_pkcs8(&der()?).map_err(|_| form("it is not PKCS#8 of RSA, 2048 bits or more"))?;
                Secret::Rsa(Box::new(pair))
            }
            Scheme::Es256 => {
                let key = match secret.contains("EC PRIVATE KEY") {
                    true => p256::SecretKey::from_sec1_der(&der()?).ok(),
                    false => p256::SecretKey::from_pkcs8_der(&der()?).ok(),
                };
                Secret::Es256(Box::new(key.ok_or_else(|| form("it is not a key of P-256"))?.into()))
            }
            Scheme::Secp256k1 => {
                let bytes = hex(secret.trim().trim_start_matches("0x")).ok_or_else(|| form("it is not hex"))?;
                let key = k256::ecdsa::SigningKey::from_slice(&bytes);
                Secret::Secp256k1(Box::new(key.map_err(|_| form("it is not 32 bytes of a key"))?))
            }
        };
        Ok(Self { key_id: key_id.into(), passphrase: SecretString::default(), secret })
    }

    /// The same with a passphrase that goes to the venue beside the signature.
    #[must_use]
    pub fn with_passphrase(self, passphrase: &str) -> Self {
        Self { passphrase: SecretString::from(passphrase), ..self }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credential({}, …{})", self.scheme().name(), super::material::tail(&self.key_id))
    }
}

impl Signer for Credential {
    fn key_id(&self) -> &str {
        &self.key_id
    }

    fn passphrase(&self) -> &str {
        self.passphrase.expose_secret()
    }

    fn scheme(&self) -> Scheme {
        match &self.secret {
            Secret::Hmac256(_) => Scheme::HmacSha256,
            Secret::Hmac512(_) => Scheme::HmacSha512,
            Secret::Ed25519(_) => Scheme::Ed25519,
            Secret::Rsa(_) => Scheme::RsaSha256,
            Secret::Es256(_) => Scheme::Es256,
            Secret::Secp256k1(_) => Scheme::Secp256k1,
        }
    }

    fn public_key(&self) -> Vec<u8> {
        match &self.secret {
            Secret::Secp256k1(key) => key.verifying_key().to_sec1_bytes().to_vec(),
            _ => Vec::new(),
        }
    }

    fn sign(&self, payload: &[u8]) -> Result<Vec<u8>, KeyError> {
        let failed = || KeyError::Sign(self.scheme().name());
        Ok(match &self.secret {
            // The keyed state is copied: working it out anew would double the time.
            Secret::Hmac256(key) => key.as_ref().clone().chain_update(payload).finalize().into_bytes().to_vec(),
            Secret::Hmac512(key) => key.as_ref().clone().chain_update(payload).finalize().into_bytes().to_vec(),
            Secret::Ed25519(key) => key.sign(payload).to_bytes().to_vec(),
            Secret::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), payload, &mut signature).map_err(|_| failed())?;
                signature
            }
            Secret::Es256(key) => {
                let signature: p256::ecdsa::Signature = key.sign(payload);
                signature.to_bytes().to_vec()
            }
            Secret::Secp256k1(key) => {
                let (signature, recovery) = key.sign_prehash_recoverable(payload);
                let mut bytes = signature.to_bytes().to_vec();
                bytes.push(27 + u8::from(recovery.is_y_odd()));
                bytes
            }
        })
    }
}

/// The bytes between a PEM's first pair of lines.
fn pem(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let text = Zeroizing::new(text.replace("\\n", "\n"));
    let (_, rest) = text.split_once("-----BEGIN ")?;
    let (_, rest) = rest.split_once("-----")?;
    let (body, _) = rest.split_once("-----END ")?;
    let body: Zeroizing<String> = Zeroizing::new(body.chars().filter(|c| !c.is_whitespace()).collect());
    STANDARD.decode(body.as_bytes()).ok().map(Zeroizing::new)
}

fn hex(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    let bytes: Option<Vec<u8>> =
        (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).ok()).collect();
    bytes.map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The seed of RFC 8032, test 1, as PKCS#8.
    const ED25519: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----";

    #[test]
    fn an_empty_message_signs_as_in_rfc_8032() {
        let key = Credential::new("k", Scheme::Ed25519, ED25519).expect("a key");
        let signature = crate::orders::hex(&key.sign(b"").expect("signed"));
        assert_eq!(
            signature,
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        );
    }

    #[test]
    fn a_key_shows_nothing_of_its_secret() {
        let key = Credential::new("public-id-1234", Scheme::HmacSha256, "hunter2").expect("a key");
        assert_eq!(format!("{key:?}"), "Credential(HMAC-SHA256, …1234)");
        let error = Credential::new("k", Scheme::Es256, "hunter2").expect_err("no PEM").to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn a_sec1_key_is_read_and_its_signature_verifies() {
        let pem = "-----BEGIN EC PRIVATE KEY-----\\nMHcCAQEEIKwf3Uox30cRWzRBOPoPOH5p0Gpb0Dt8zUKXUEM5fMkGoAoGCCqGSM49AwEHoUQDQgAEbAtpLlSZYVOwYICz+uEyxcS29vRIujiES/gQ1DC7FV4zK4JuYE9vqDyGZQYjdXHLM7I6f/QnnOITL+dXYWBHRA==\\n-----END EC PRIVATE KEY-----";
        let key = Credential::new("k", Scheme::Es256, pem).expect("a key");
        let signature = key.sign(b"message").expect("signed");
        let public = hex("046c0b692e54996153b06080b3fae132c5c4b6f6f448ba38844bf810d430bb155e332b826e604f6fa83c866506237571cb33b23a7ff4279ce2132fe75761604744").expect("hex");
        let public = ring::signature::UnparsedPublicKey::new(&ring::signature::ECDSA_P256_SHA256_FIXED, public);
        assert!(public.verify(b"message", &signature).is_ok());
        assert!(public.verify(b"another", &signature).is_err());
    }
}
