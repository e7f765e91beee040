//! `[[key]]`: which keys there are, whose, what for, and where each comes from. Never the keys themselves.

use bellwether_sdk::{Decimal, Symbol};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::settings::{NumberForm, decimal_option};

/// What a key may be used for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum KeyScope {
    /// Reading the account.
    Read,
    /// Reading the account, placing and cancelling orders.
    #[default]
    Trade,
}

/// What becomes of open orders when a key is revoked in an emergency.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnRevoke {
    /// They are cancelled: with the key that takes over, or as the last thing that the revoked one does.
    #[default]
    Cancel,
    /// They stay.
    Keep,
}

/// How keys are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct KeysSettings {
    /// A command that is run every hour with the head of the audit in the variable HEAD, to note it elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head_command: Option<String>,
    /// Where processes that share keys tell each other which they sign with: a folder, or a bucket of NATS as
    /// `nats://HOST:PORT/BUCKET`; `keys` in the state folder by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub office: Option<String>,
    /// Seconds after a change in which the key before still stands in; then it is let go.
    pub overlap_s: u32,
    /// Hours after which venues are asked again what keys may do; 0 for never.
    pub recheck_hours: u32,
    /// Seconds between looks at sources that are asked over the network or by a command. Files are looked at all the time.
    pub poll_s: u32,
    /// Hours before its end from which on a key is due: its source is asked for another one.
    pub renew_before_hours: u32,
    /// Seconds between asking the source of a key that is due.
    pub renew_every_s: u32,
}

impl Default for KeysSettings {
    fn default() -> Self {
        Self {
            head_command: None,
            office: None,
            overlap_s: 30,
            recheck_hours: 6,
            poll_s: 30,
            renew_before_hours: 168,
            renew_every_s: 3_600,
        }
    }
}

/// One key of an account. Several of one account stand in for each other, in order of the file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeySettings {
    /// Whose: `venue/account`, as in `binance/main`.
    pub account: String,
    /// What it may be used for.
    #[serde(default)]
    pub scope: KeyScope,
    /// What it is called in messages and in the audit.
    #[serde(default = "main")]
    pub label: String,
    /// Where it comes from: `env:`, `file:PATH`, `dir:PATH`, `age:PATH`, `exec:COMMAND`, `keyring:SERVICE/USER`,
    /// `vault:MOUNT/PATH` or `aws:SECRET`; docs/keys.md.
    pub source: String,
    /// Its public id, where the source gives the secret alone (`exec:`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// It is used although the venue does not tell what it may do.
    #[serde(default)]
    pub accept_unknown_scopes: bool,
    /// What becomes of open orders when it is revoked.
    #[serde(default)]
    pub on_revoke: OnRevoke,
    /// Days after which it is due: its source is asked for another one, and it is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotate_days: Option<u32>,
    /// Limits within which it signs orders; none unless set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub narrow: Vec<NarrowSettings>,
}

/// Limits of a key for one strategy, or for all.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NarrowSettings {
    /// The strategy's id; all strategies when empty.
    pub strategy: String,
    /// The only instruments; all when empty.
    #[schemars(with = "Vec<String>")]
    pub instruments: Vec<Symbol>,
    /// It signs no new orders, only cancels.
    pub cancel_only: bool,
    /// Largest value of one order, in settlement currency.
    #[schemars(with = "Option<NumberForm>")]
    #[serde(deserialize_with = "decimal_option", skip_serializing_if = "Option::is_none")]
    pub order_notional_max: Option<Decimal>,
    /// Largest value of the orders of one UTC day together.
    #[schemars(with = "Option<NumberForm>")]
    #[serde(deserialize_with = "decimal_option", skip_serializing_if = "Option::is_none")]
    pub day_notional_max: Option<Decimal>,
}

fn main() -> String {
    "main".to_owned()
}

/// What is wrong with a key's settings: the name of the field, and why. A source that names no place is not shown: it may
/// be a secret.
pub(super) fn wrong(keys: &[KeySettings]) -> Option<(usize, &'static str, String)> {
    for (index, key) in keys.iter().enumerate() {
        let named = key.account.split_once('/').is_some_and(|(v, a)| is_word(v) && is_word(a));
        if !named {
            return Some((index, "account", "is none; write VENUE/ACCOUNT, as in binance/main".to_owned()));
        }
        if !is_word(&key.label) {
            return Some((index, "label", "write letters, digits, _ and -".to_owned()));
        }
        let kind = key.source.split_once(':').map_or("", |(kind, _)| kind);
        if kind.is_empty() || kind.len() > 8 || !kind.bytes().all(|b| b.is_ascii_lowercase()) {
            let why = "names no source (and is not shown, in case it is a secret); put the key into a file that only \
                       you may read (chmod 600) and write file:PATH, or env:";
            return Some((index, "source", why.to_owned()));
        }
        if keys[..index].iter().any(|k| (&k.account, &k.label) == (&key.account, &key.label)) {
            let why = format!("{} has two keys that are called {:?}; give each its own label", key.account, key.label);
            return Some((index, "label", why));
        }
    }
    None
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_' || c == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(account: &str, label: &str, source: &str) -> KeySettings {
        KeySettings {
            account: account.to_owned(),
            label: label.to_owned(),
            source: source.to_owned(),
            ..KeySettings::default()
        }
    }

    #[test]
    fn keys_are_named_by_account_and_label_and_a_secret_is_not_shown() {
        let found = |keys: &[KeySettings]| wrong(keys).map(|(i, field, _)| (i, field));
        assert_eq!(found(&[key("binance/main", "a", "env:"), key("binance/main", "b", "file:/k")]), None);
        assert_eq!(found(&[key("binance", "a", "env:")]), Some((0, "account")));
        assert_eq!(found(&[key("binance/main", "a b", "env:")]), Some((0, "label")));
        assert_eq!(found(&[key("a/b", "a", "env:"), key("a/b", "a", "env:")]), Some((1, "label")));
        let (_, field, why) = wrong(&[key("a/b", "a", "hunter2SECRET")]).expect("refused");
        assert!(field == "source" && why.contains("file:PATH") && !why.contains("hunter2"), "{why}");
    }
}
