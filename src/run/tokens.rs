//! The tokens of sources and sinks: keys of the settings like any others, else of the environment.

use super::RunError;
use super::keyring::KeyEntry;
use crate::config::{KeyScope, KeySettings};
use crate::keys::{KeyError, Reference, Token, token, token_from};

/// What a token can be for. None of them is a venue.
pub const TOKEN_KINDS: [&str; 8] = ["tokenmetrics", "nats", "webhook", "telegram", "discord", "slack", "mail", "totp"];

/// Finds the token of a kind and name: in the `[[key]]` whose account is `KIND/NAME`, the first that reads, else in the
/// environment.
pub fn tokens(keys: &[KeySettings]) -> impl Fn(&str, &str) -> Result<Token, KeyError> + use<> {
    let keys = keys.to_vec();
    move |kind, name| {
        let account = format!("{kind}/{name}");
        let mut failed = None;
        for key in keys.iter().filter(|k| k.account == account) {
            if key.scope != KeyScope::Read {
                let why = format!("{account}: a token places no orders; write scope = \"read\" into its [[key]]");
                return Err(KeyError::Reference(why));
            }
            let reference: Reference = key.source.parse()?;
            match token_from(&reference, kind, name, key.id.as_deref().unwrap_or(&key.label)) {
                Ok(found) => return Ok(found),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or_else(|| token(kind, name), Err)
    }
}

/// Whether an entry is a token's, and if so whether it reads.
///
/// # Errors
/// [`RunError`] for a kind that is neither a venue nor a token.
pub(super) fn try_token(entry: &KeyEntry, keys: &[KeySettings]) -> Option<Result<(), RunError>> {
    let (kind, name) = entry.account.split_once('/').filter(|(kind, _)| TOKEN_KINDS.contains(kind))?;
    Some(tokens(keys)(kind, name).map(drop).map_err(RunError::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_of_the_settings_comes_before_the_environment_and_only_reads() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("tm.json");
        std::fs::write(&path, r#"{"id":"plan","secret":"open sesame"}"#).expect("written");
        #[cfg(unix)]
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("mine");
        let key = |scope| KeySettings {
            account: "tokenmetrics/tm".to_owned(),
            scope,
            label: "main".to_owned(),
            source: format!("file:{}", path.display()),
            ..KeySettings::default()
        };
        assert!(tokens(&[key(KeyScope::Read)])("tokenmetrics", "tm").is_ok_and(|t| t.is("open sesame")));
        let said = tokens(&[key(KeyScope::Trade)])("tokenmetrics", "tm").expect_err("refused").to_string();
        assert!(said.contains("scope = \"read\"") && !said.contains("sesame"), "{said}");
        let gone = KeySettings { source: "file:/nowhere/at-all".to_owned(), ..key(KeyScope::Read) };
        assert!(tokens(std::slice::from_ref(&gone))("tokenmetrics", "tm").is_err());
        assert!(tokens(&[gone, key(KeyScope::Read)])("tokenmetrics", "tm").is_ok(), "the second stands in");
        assert!(matches!(tokens(&[])("tokenmetrics", "none"), Err(KeyError::Absent { .. })));
    }
}
