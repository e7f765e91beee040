//! From settings to keys: which an account has, where they come from, what the venue says of them, and the [`Signing`] that
//! a session gets of them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use bellwether_sdk::Ts;

use super::paper::wall_now;
use super::{RunError, market};
use crate::config::{KeyScope, KeySettings, OnRevoke, Settings};
use crate::exchange::probe::{Counter, Probed};
use crate::exchange::transport::Transport;
use crate::exchange::{Product, Urls, Venue, venues};
use crate::keys::{
    Credential, Key, KeyError, Material, Office, Reference, Remark, Scope, Source, Stage, Verdict, fingerprint_of,
    judge,
};

/// A key as the settings have it.
#[derive(Debug, Clone)]
pub struct KeyEntry {
    /// Whose: `binance/main`.
    pub account: String,
    /// The venue's name in the settings.
    pub venue: String,
    /// What it is for.
    pub scope: Scope,
    /// What it is called.
    pub label: String,
    /// Where it comes from.
    pub reference: Reference,
    /// Its public id, where the source gives the secret alone.
    pub id: Option<String>,
    /// It is used although the venue does not tell what it may do.
    pub accept_unknown: bool,
    /// What becomes of orders when it is revoked.
    pub on_revoke: OnRevoke,
    /// Days after which it is to be rotated.
    pub rotate_days: Option<u32>,
}

/// The keys that the settings have for an account of a venue (its name in the settings), best first: those that trade
/// before those that read. A venue's contracts (`…_linear`) share the venue's keys unless they have their own. Where the
/// settings have none, the environment is looked into.
///
/// # Errors
/// [`KeyError::Reference`].
pub fn entries(keys: &[KeySettings], venue: &str, account: &str) -> Result<Vec<KeyEntry>, KeyError> {
    let of = |venue: &str| {
        let name = format!("{venue}/{account}");
        let mut own: Vec<&KeySettings> = keys.iter().filter(|k| k.account == name).collect();
        own.sort_by_key(|k| k.scope == KeyScope::Read);
        own
    };
    let base = venue.strip_suffix("_linear").unwrap_or(venue);
    let own = of(venue);
    let found = if own.is_empty() { of(base) } else { own };
    if found.is_empty() {
        return Ok(vec![KeyEntry {
            account: format!("{base}/{account}"),
            venue: venue.to_owned(),
            scope: Scope::Trade,
            label: "env".to_owned(),
            reference: "env:".parse()?,
            id: None,
            accept_unknown: false,
            on_revoke: OnRevoke::Cancel,
            rotate_days: None,
        }]);
    }
    let entry = |k: &KeySettings| {
        Ok(KeyEntry {
            account: k.account.clone(),
            venue: k.account.split_once('/').map_or(venue, |(v, _)| v).to_owned(),
            scope: if k.scope == KeyScope::Read { Scope::Read } else { Scope::Trade },
            label: k.label.clone(),
            reference: k.source.parse()?,
            id: k.id.clone(),
            accept_unknown: k.accept_unknown_scopes,
            on_revoke: k.on_revoke,
            rotate_days: k.rotate_days,
        })
    };
    found.into_iter().map(entry).collect()
}

/// All keys of the settings, and those of the environment for the session's account where they have none.
///
/// # Errors
/// [`KeyError::Reference`].
pub fn all_entries(settings: &Settings) -> Result<Vec<KeyEntry>, KeyError> {
    let mut accounts: Vec<(&str, &str)> = settings.key.iter().filter_map(|k| k.account.split_once('/')).collect();
    accounts.sort_unstable();
    accounts.dedup();
    let lists = accounts.iter().map(|(venue, account)| entries(&settings.key, venue, account));
    let mut all = lists.collect::<Result<Vec<_>, _>>()?.concat();
    let account = settings.session.account.as_str();
    let names: BTreeSet<&str> = venues().into_iter().map(|(name, _)| name).collect();
    for venue in names.into_iter().filter(|venue| !accounts.contains(&(*venue, account))) {
        let of_environment = entries(&[], venue, account)?;
        all.extend(of_environment.into_iter().filter(|e| !matches!(load(e), Err(KeyError::Absent { .. }))));
    }
    Ok(all)
}

impl KeyEntry {
    /// Its source: the one of the settings, or the one that an operator's rotation named instead of it.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn source(&self, office: &Office) -> Result<Box<dyn Source>, KeyError> {
        let orders = office.orders()?;
        let said = orders.get(&self.label).and_then(|o| o.source.as_ref());
        let reference = match said.filter(|(_, instead_of)| *instead_of == self.reference.to_string()) {
            Some((source, _)) => source.parse()?,
            None => self.reference.clone(),
        };
        let (_, account) = self.account.split_once('/').unwrap_or(("", &self.account));
        reference.open(&self.venue, account, self.id.as_deref())
    }

    /// The key that a material is.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn key(&self, material: &Material, place: &str) -> Result<Key, KeyError> {
        let credential = material.credential(&self.venue, place)?;
        Ok(Key::new(self.label.clone(), material.version.clone(), self.scope, Arc::new(credential), material.expires))
    }
}

/// Reads a key where the settings say.
///
/// # Errors
/// [`KeyError`].
pub fn load(entry: &KeyEntry) -> Result<(Material, Credential), KeyError> {
    let (_, account) = entry.account.split_once('/').unwrap_or(("", &entry.account));
    let mut source = entry.reference.open(&entry.venue, account, entry.id.as_deref())?;
    let material = source.fetch(Stage::Current)?;
    let credential = material.credential(&entry.venue, &source.place())?;
    Ok((material, credential))
}

/// Reads all keys that a session at a venue (its name in the settings) would sign with; how many there are.
///
/// # Errors
/// [`KeyError`] of the first that does not read.
pub fn try_keys(settings: &Settings, venue: &str) -> Result<usize, KeyError> {
    let entries = entries(&settings.key, venue, &settings.session.account)?;
    entries.iter().try_for_each(|entry| load(entry).map(drop))?;
    Ok(entries.len())
}

/// A key with where it came from.
pub(super) struct Loaded {
    pub(super) entry: KeyEntry,
    pub(super) source: Box<dyn Source>,
    pub(super) mark: String,
    /// When a source that is not a file is looked at again.
    pub(super) due: Ts,
    pub(super) material: Material,
    /// When the source is told that it is in force; [`Ts::MAX`] where it knows.
    pub(super) promote_due: Ts,
}

impl Loaded {
    /// Reads a key, unless it is revoked.
    pub(super) fn read(entry: KeyEntry, office: &Office) -> Result<Self, KeyError> {
        let mut source = entry.source(office)?;
        let material = source.fetch(Stage::Current)?;
        let fingerprint = fingerprint_of(&material.credential(&entry.venue, &source.place())?);
        if office.orders()?.values().any(|o| o.revoked.contains(&fingerprint)) {
            return Err(KeyError::source(
                source.place(),
                format!(
                    "the key there is revoked; put a new one there, then `bellwether keys check {}`",
                    entry.account
                ),
            ));
        }
        // No mark: the first look reads it once more, and finds a version that waits to come into force.
        Ok(Self { entry, source, mark: String::new(), due: Ts::NONE, material, promote_due: Ts::MAX })
    }

    pub(super) fn key(&self) -> Result<Key, KeyError> {
        self.entry.key(&self.material, &self.source.place())
    }
}

/// Where an account's keys are tried.
pub(super) struct Place {
    pub(super) venue: Arc<dyn Venue>,
    pub(super) urls: Urls,
    pub(super) spot_rest: String,
}

impl Place {
    /// That of a venue's name in the settings.
    pub(super) fn of(settings: &Settings, key: &str) -> Result<Self, RunError> {
        let known = venues();
        let has_spot = |name| known.contains(&(name, Product::Spot));
        let found =
            known.iter().find(|(name, of)| market::settings_key(name, *of) == key || *name == key && !has_spot(name));
        let (name, product) = found.ok_or_else(|| RunError::Settings(format!("no venue {key:?} is known")))?;
        let (venue, urls) = market::open(settings, name, *product)?;
        let spot = has_spot(name).then(|| market::open(settings, name, Product::Spot));
        let spot_rest = match spot {
            Some(Ok((_, spot))) => spot.rest,
            _ => urls.rest.clone(),
        };
        Ok(Self { venue, urls, spot_rest })
    }

    pub(super) fn counter<'a>(&'a self, transport: &'a dyn Transport) -> Counter<'a> {
        Counter {
            venue: &*self.venue,
            urls: &self.urls,
            spot_rest: &self.spot_rest,
            transport,
            now: &wall_now,
            nonce: AtomicU64::new(0),
        }
    }
}

/// What came of trying a key.
#[derive(Debug, Clone)]
pub struct Tried {
    /// What the venue said.
    pub probed: Probed,
    /// Whether the key may be used.
    pub verdict: Verdict,
}

/// Tries a key and judges it: permissions, a signed read, a trial order.
pub(super) async fn tried(entry: &KeyEntry, key: &Key, accept_unknown: bool, counter: &Counter<'_>) -> Tried {
    let probed = counter.probe(key, entry.scope == Scope::Trade).await;
    let said = probed.permissions.as_ref().map_err(ToString::to_string);
    let verdict = match probed.failed() {
        // Permissions that cannot be read may be accepted; a signature that is not taken never.
        Some(error) => Verdict::Refused(format!("the venue does not take it: {error}")),
        None => {
            let now = (counter.now)();
            let accept = accept_unknown || entry.accept_unknown;
            match (judge(entry.scope, said.as_ref().map_err(String::as_str).copied(), now, accept), key.expires()) {
                (Verdict::Fit(_), expires) if expires != Ts::NONE && expires <= now => {
                    Verdict::Refused("it has expired, as its source says; make a new one at the venue".to_owned())
                }
                (Verdict::Fit(mut remarks), expires) => {
                    remarks.extend(crate::keys::expiry(expires, now).filter(|r| !remarks.contains(r)));
                    Verdict::Fit(remarks)
                }
                (refused, _) => refused,
            }
        }
    };
    Tried { probed, verdict }
}

/// What the remarks on a key are, in one line; empty for none.
pub(super) fn words(remarks: &[Remark]) -> String {
    remarks.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// The folder of the offices of all accounts.
pub(super) fn offices(settings: &Settings, state_dir: &Path) -> PathBuf {
    settings.keys.office.as_ref().map_or_else(|| state_dir.join("keys"), PathBuf::from)
}

/// The office of an account.
pub(super) fn office(settings: &Settings, state_dir: &Path, account: &str) -> Result<Office, RunError> {
    Ok(match settings.keys.office.as_deref().filter(|at| at.contains("://")) {
        Some(address) => Office::at(address, account)?,
        None => Office::open(&offices(settings, state_dir), account)?,
    })
}

impl From<KeyError> for RunError {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Missing(_) => Self::Secret(error.to_string()),
            _ => Self::Settings(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(account: &str, label: &str, scope: KeyScope) -> KeySettings {
        let source = format!("file:/{label}");
        KeySettings { account: account.to_owned(), label: label.to_owned(), scope, source, ..KeySettings::default() }
    }

    #[test]
    fn an_account_has_the_keys_of_the_settings_best_first_or_those_of_the_environment() {
        let keys = [
            key("binance/main", "r", KeyScope::Read),
            key("binance/main", "a", KeyScope::Trade),
            key("binance_linear/main", "l", KeyScope::Trade),
        ];
        let labels = |venue: &str, account: &str| -> Vec<String> {
            let found = entries(&keys, venue, account).expect("entries");
            found.into_iter().map(|e| format!("{} {}", e.account, e.label)).collect()
        };
        assert_eq!(labels("binance", "main"), ["binance/main a", "binance/main r"]);
        assert_eq!(labels("binance_linear", "main"), ["binance_linear/main l"]);
        assert_eq!(labels("binance_linear", "second"), ["binance/second env"]);
    }
}
