//! Secrets that are shown to their owner as they are: API keys in headers, tokens of bots, shared words of webhooks.

use std::fmt;

use ring::hmac;
use zeroize::Zeroizing;

use secrecy::ExposeSecret;

use super::KeyError;
use super::sources::{Reference, Stage};

/// A secret text. It shows in nothing but the request that it is for.
#[derive(Clone)]
pub struct Token(Zeroizing<String>);

impl Token {
    /// A token of a text at hand.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text, to be put into a request and nowhere else.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether a word is this one; takes equally long whatever the word.
    pub fn is(&self, word: &str) -> bool {
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"compare");
        hmac::verify(&key, word.as_bytes(), hmac::sign(&key, self.0.as_bytes()).as_ref()).is_ok()
    }

    /// HMAC-SHA256 of a message under it.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, self.0.as_bytes()), message).as_ref().to_vec()
    }

    /// Whether a signature of a message is by it; takes equally long whatever the signature.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, self.0.as_bytes()), message, signature).is_ok()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// The token of a source or sink from the environment: `BELLWETHER_KEY_<KIND>_<NAME>_SECRET`, or `…_SECRET_FILE`.
///
/// # Errors
/// [`KeyError::Absent`] and [`KeyError::Variable`], which never show a value.
pub fn token(kind: &str, name: &str) -> Result<Token, KeyError> {
    super::sources::secret(kind, name).map(Token)
}

/// The token of a source or sink out of a source of keys: its secret. `id` stands for the public id, which tokens have none
/// of, where a source gives the secret alone.
///
/// # Errors
/// [`KeyError`], which never shows a value.
pub fn token_from(reference: &Reference, kind: &str, name: &str, id: &str) -> Result<Token, KeyError> {
    if reference.kind() == "env" {
        return token(kind, name);
    }
    let material = reference.open(kind, name, Some(id))?.fetch(Stage::Current)?;
    Ok(Token::new(material.secret().expose_secret()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_knows_itself_and_its_signatures_and_shows_nothing() {
        let token = Token::new("hunter2");
        assert!(token.is("hunter2") && !token.is("hunter3") && !token.is(""));
        let signature = token.sign(b"m");
        assert!(token.verify(b"m", &signature) && !token.verify(b"n", &signature) && !token.verify(b"m", b""));
        assert_eq!(format!("{token:?}"), "Token(…)");
    }
}
