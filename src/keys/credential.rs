//! A key in memory.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k256::ecdsa::SigningKey;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use ring::{hmac, rand};

use super::{KeyError, Scheme, Signer};

/// A key in memory: its public id and what signs. `Debug` shows the end of the public id and nothing of the secret.
pub struct Credential {
    key_id: String,
    passphrase: String,
    secret: Secret,
}

enum Secret {
    Hmac(Scheme, hmac::Key),
    Ed25519(Ed25519KeyPair),
    Rsa(Box<RsaKeyPair>),
    Es256(Box<EcdsaKeyPair>, SystemRandom),
    Secp256k1(Box<SigningKey>),
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
        let base64 = |text: &str| STANDARD.decode(text.trim()).map_err(|_| form("it is not base64"));
        let secret = match scheme {
            Scheme::HmacSha256 => Secret::Hmac(scheme, hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes())),
            Scheme::HmacSha512 => Secret::Hmac(scheme, hmac::Key::new(hmac::HMAC_SHA512, &base64(secret)?)),
            Scheme::Ed25519 => Secret::Ed25519(if secret.contains("PRIVATE KEY") {
                Ed25519KeyPair::from_pkcs8_maybe_unchecked(&pem(secret).ok_or_else(|| form("it is not PEM"))?)
                    .map_err(|_| form("it is not PKCS#8 of Ed25519"))?
            } else {
                let bytes = base64(secret)?;
                let seed = bytes.get(..32).filter(|_| bytes.len() == 32 || bytes.len() == 64);
                Ed25519KeyPair::from_seed_unchecked(seed.ok_or_else(|| form("it is not 32 or 64 bytes"))?)
                    .map_err(|_| form("it is not a seed"))?
            }),
            Scheme::RsaSha256 => {
                let der = pem(secret).ok_or_else(|| form("it is not PEM"))?;
                let pair =
                    RsaKeyPair::from_pkcs8(&der).map_err(|_| form("it is not PKCS#8 of RSA, 2048 bits or more"))?;
                Secret::Rsa(Box::new(pair))
            }
            Scheme::Es256 => {
                let der = pem(secret).ok_or_else(|| form("it is not PEM"))?;
                let der = if secret.contains("EC PRIVATE KEY") {
                    sec1_to_pkcs8(&der).ok_or_else(|| form("it is not SEC1 of P-256"))?
                } else {
                    der
                };
                let random = SystemRandom::new();
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der, &random)
                    .map_err(|_| form("it is not a key of P-256"))?;
                Secret::Es256(Box::new(pair), random)
            }
            Scheme::Secp256k1 => {
                let bytes = hex(secret.trim().trim_start_matches("0x")).ok_or_else(|| form("it is not hex"))?;
                let key = SigningKey::from_slice(&bytes).map_err(|_| form("it is not 32 bytes of a key"))?;
                Secret::Secp256k1(Box::new(key))
            }
        };
        Ok(Self { key_id: key_id.into(), passphrase: String::new(), secret })
    }

    /// The same with a passphrase that goes to the venue beside the signature.
    #[must_use]
    pub fn with_passphrase(self, passphrase: impl Into<String>) -> Self {
        Self { passphrase: passphrase.into(), ..self }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tail: String = self.key_id.chars().rev().take(4).collect();
        let tail: String = tail.chars().rev().collect();
        write!(f, "Credential({}, …{tail})", self.scheme().name())
    }
}

impl Signer for Credential {
    fn key_id(&self) -> &str {
        &self.key_id
    }

    fn passphrase(&self) -> &str {
        &self.passphrase
    }

    fn scheme(&self) -> Scheme {
        match &self.secret {
            Secret::Hmac(scheme, _) => *scheme,
            Secret::Ed25519(_) => Scheme::Ed25519,
            Secret::Rsa(_) => Scheme::RsaSha256,
            Secret::Es256(..) => Scheme::Es256,
            Secret::Secp256k1(_) => Scheme::Secp256k1,
        }
    }

    fn sign(&self, payload: &[u8]) -> Result<Vec<u8>, KeyError> {
        let failed = || KeyError::Sign(self.scheme().name());
        Ok(match &self.secret {
            Secret::Hmac(_, key) => hmac::sign(key, payload).as_ref().to_vec(),
            Secret::Ed25519(pair) => pair.sign(payload).as_ref().to_vec(),
            Secret::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                let random: &dyn rand::SecureRandom = &SystemRandom::new();
                pair.sign(&RSA_PKCS1_SHA256, random, payload, &mut signature).map_err(|_| failed())?;
                signature
            }
            Secret::Es256(pair, random) => pair.sign(random, payload).map_err(|_| failed())?.as_ref().to_vec(),
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
fn pem(text: &str) -> Option<Vec<u8>> {
    let text = text.replace("\\n", "\n");
    let (_, rest) = text.split_once("-----BEGIN ")?;
    let (_, rest) = rest.split_once("-----")?;
    let (body, _) = rest.split_once("-----END ")?;
    let body: String = body.chars().filter(|c| !c.is_whitespace()).collect();
    STANDARD.decode(body).ok()
}

/// Wraps a SEC1 key of P-256 (RFC 5915) into PKCS#8 (RFC 5958), which is what the library reads.
fn sec1_to_pkcs8(sec1: &[u8]) -> Option<Vec<u8>> {
    // SEQUENCE { 0, SEQUENCE { id-ecPublicKey, prime256v1 }, OCTET STRING sec1 }
    const HEAD: [u8; 24] = [
        0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
        0x48, 0xce, 0x3d, 0x03, 0x01, 0x07,
    ];
    let key = u8::try_from(sec1.len()).ok().filter(|n| *n < 0x80)?;
    let whole = u8::try_from(HEAD.len()).ok()?.checked_add(2)?.checked_add(key)?;
    let mut der = vec![0x30, 0x81, whole];
    der.extend_from_slice(&HEAD);
    der.extend_from_slice(&[0x04, key]);
    der.extend_from_slice(sec1);
    Some(der)
}

fn hex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).ok()).collect()
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
