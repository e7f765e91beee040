//! The folder of an account's keys: what processes that share a key tell each other. By default it is in the state folder.
//!
//! ```text
//! keys/binance-main/orders.json     what operators said, by label: which source is used, which keys are used no more
//! keys/binance-main/leases/1234.json  a process that uses the keys: which is in force there, when it was seen last
//! keys/binance-main/rotation.lock   held by who rotates
//! ```
//!
//! Nothing here is a secret. Files are changed by a rename, so that a crash leaves the one before or the one after. For processes
//! on several machines the same documents may be in a bucket of NATS.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

#[cfg(feature = "nats")]
use super::bucket::Bucket;
use super::{KeyError, Signer};

/// A lease that was not renewed for so long, milliseconds, is of a process that is gone.
pub const LEASE_MS: i64 = 5_000;

/// What operators said of the keys of one label.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Order {
    /// Rises with every order of the account.
    pub number: u64,
    /// Where the key comes from instead of where the settings say, and what they said then: when they say something else
    /// by now, they count.
    pub source: Option<(String, String)>,
    /// The fingerprint of the key that is to be in force, as who rotates saw it.
    pub key: String,
    /// Fingerprints of keys that are used no more.
    pub revoked: Vec<String>,
    /// Fingerprints of keys that did not work and are left aside until somebody rotates to them again.
    pub aside: Vec<String>,
    /// Who said it.
    pub by: String,
    /// Why.
    pub why: String,
}

/// All orders of an account, by label.
pub type Orders = BTreeMap<String, Order>;

/// A process that uses an account's keys.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Lease {
    /// Its number.
    pub pid: u32,
    /// The key in force there, in words; empty for none.
    pub key: String,
    /// Its fingerprint.
    pub fingerprint: String,
    /// Spare keys, in words.
    pub spare: Vec<String>,
    /// Their fingerprints.
    pub holds: Vec<String>,
    /// The number of the last order that it carried out.
    pub order: u64,
    /// Why the last order or change of the source did not come about; empty when it did.
    pub failed: String,
    /// When it was seen, milliseconds since 1970.
    pub seen_ms: i64,
    /// When the key in force was used last, milliseconds since 1970; 0 for not yet.
    pub used_ms: i64,
    /// How often it was used, by purpose.
    pub uses: BTreeMap<String, u64>,
    /// When a key other than the one in force was used last, milliseconds since 1970; 0 for never.
    pub old_used_ms: i64,
}

/// What stands for a key between processes: the start of the SHA-256 of its public id.
pub fn fingerprint(key_id: &str) -> String {
    crate::orders::hex(&Sha256::digest(key_id)).chars().take(16).collect()
}

/// The same for a key at hand, with its public key where the id does not stand for it.
pub fn fingerprint_of(signer: &dyn Signer) -> String {
    let hash = Sha256::new().chain_update(signer.key_id()).chain_update(signer.public_key()).finalize();
    crate::orders::hex(&hash).chars().take(16).collect()
}

/// Where the documents of an account are.
#[derive(Debug, Clone)]
pub struct Office {
    board: Board,
    account: String,
}

#[derive(Debug, Clone)]
enum Board {
    Folder(PathBuf),
    #[cfg(feature = "nats")]
    Bucket(std::sync::Arc<Bucket>),
}

/// The right to rotate the keys of an account, until dropped.
#[derive(Debug)]
pub enum RotationLock {
    /// Of a folder.
    File(File),
    /// Of a bucket.
    #[cfg(feature = "nats")]
    Held(Office, String),
}

/// A rotation that was held for so long, milliseconds, in a bucket is of a process that is gone.
#[cfg(feature = "nats")]
const HOLD_MS: i64 = 600_000;

/// Who rotates, in a bucket; nobody when it is empty.
#[cfg(feature = "nats")]
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Hold {
    by: String,
    until_ms: i64,
}

#[cfg(feature = "nats")]
impl Drop for RotationLock {
    fn drop(&mut self) {
        if let Self::Held(office, by) = self
            && let Board::Bucket(bucket) = &office.board
        {
            let end = |hold: &mut Hold| {
                if hold.by == *by {
                    *hold = Hold::default();
                }
            };
            // What cannot be given back runs out.
            let _ = bucket.change(&office.name("rotation"), end);
        }
    }
}

impl Office {
    /// The folder of an account (`binance/main`) in the folder of all accounts, made if it is not there.
    ///
    /// # Errors
    /// [`KeyError::Source`].
    pub fn open(offices: &Path, account: &str) -> Result<Self, KeyError> {
        let dir = offices.join(account.replace('/', "-"));
        let leases = dir.join("leases");
        std::fs::create_dir_all(&leases)
            .map_err(|e| KeyError::source(format!("making {}", leases.display()), e.to_string()))?;
        Ok(Self { board: Board::Folder(dir), account: account.to_owned() })
    }

    /// The bucket of NATS at an address (`nats://HOST:PORT/BUCKET`).
    ///
    /// # Errors
    /// [`KeyError::Source`] when it does not answer, or this program was built without it.
    #[cfg(feature = "nats")]
    pub fn at(address: &str, account: &str) -> Result<Self, KeyError> {
        let bucket = std::sync::Arc::new(Bucket::open(address)?);
        Ok(Self { board: Board::Bucket(bucket), account: account.to_owned() })
    }

    /// The same.
    ///
    /// # Errors
    /// Always.
    #[cfg(not(feature = "nats"))]
    pub fn at(_address: &str, _account: &str) -> Result<Self, KeyError> {
        let why = "this program was built without NATS; build with --features nats, or name a folder";
        Err(KeyError::source("keys.office", why))
    }

    /// Whether orders here may name a source. Those that come over a network may not.
    pub fn brings_keys(&self) -> bool {
        matches!(self.board, Board::Folder(_))
    }

    /// A document's name in a bucket.
    #[cfg(feature = "nats")]
    fn name(&self, document: &str) -> String {
        format!("{}.{document}", self.account.replace('/', "-"))
    }

    /// Whose keys.
    pub fn account(&self) -> &str {
        &self.account
    }

    fn read<T: DeserializeOwned + Default>(dir: &Path, name: &str) -> Result<T, KeyError> {
        let path = dir.join(name);
        match std::fs::read_to_string(&path) {
            Ok(text) => serde_json::from_str(&text).map_err(|e| {
                KeyError::source(format!("reading {}", path.display()), format!("{e}; delete it if it is damaged"))
            }),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(T::default()),
            Err(e) => Err(KeyError::source(format!("reading {}", path.display()), e.to_string())),
        }
    }

    fn write(dir: &Path, name: &str, value: &impl Serialize) -> Result<(), KeyError> {
        let path = dir.join(name);
        let failed = |e: std::io::Error| KeyError::source(format!("writing {}", path.display()), e.to_string());
        let folder = path.parent().unwrap_or(dir);
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
        let text = serde_json::to_string_pretty(value).map_err(|e| failed(e.into()))?;
        file.write_all(text.as_bytes()).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
        file.persist(&path).map_err(|e| failed(e.error))?;
        Ok(())
    }

    /// What operators said.
    ///
    /// # Errors
    /// [`KeyError::Source`] when it cannot be read.
    pub fn orders(&self) -> Result<Orders, KeyError> {
        match &self.board {
            Board::Folder(dir) => Self::read(dir, "orders.json"),
            #[cfg(feature = "nats")]
            Board::Bucket(bucket) => {
                let mut orders: Orders = bucket.read(&self.name("orders"))?;
                orders.values_mut().for_each(|order| order.source = None);
                Ok(orders)
            }
        }
    }

    /// Says something about a label: the one moment at which a rotation or revocation becomes so.
    ///
    /// # Errors
    /// [`KeyError::Source`].
    pub fn order(&self, label: &str, change: impl Fn(&mut Order)) -> Result<u64, KeyError> {
        let say = |orders: &mut Orders| {
            let number = orders.values().map(|o| o.number).max().unwrap_or(0) + 1;
            let order = orders.entry(label.to_owned()).or_default();
            change(order);
            order.number = number;
            number
        };
        match &self.board {
            Board::Folder(dir) => {
                let mut orders = self.orders()?;
                let number = say(&mut orders);
                Self::write(dir, "orders.json", &orders)?;
                Ok(number)
            }
            #[cfg(feature = "nats")]
            Board::Bucket(bucket) => bucket.change(&self.name("orders"), say),
        }
    }

    /// Tells that this process uses the keys.
    ///
    /// # Errors
    /// [`KeyError::Source`].
    pub fn renew(&self, name: &str, lease: &Lease) -> Result<(), KeyError> {
        match &self.board {
            Board::Folder(dir) => Self::write(dir, &format!("leases/{name}.json"), lease),
            #[cfg(feature = "nats")]
            Board::Bucket(bucket) => bucket.change(&self.name("leases"), |leases: &mut BTreeMap<String, Lease>| {
                leases.retain(|_, other| lease.seen_ms - other.seen_ms <= LEASE_MS);
                leases.insert(name.to_owned(), lease.clone());
            }),
        }
    }

    /// Tells that it does no more.
    pub fn leave(&self, name: &str) {
        // One that cannot be removed runs out by itself.
        match &self.board {
            Board::Folder(dir) => drop(std::fs::remove_file(dir.join(format!("leases/{name}.json")))),
            #[cfg(feature = "nats")]
            Board::Bucket(bucket) => {
                let gone = |leases: &mut BTreeMap<String, Lease>| leases.remove(name).is_some();
                drop(bucket.change(&self.name("leases"), gone));
            }
        }
    }

    /// The processes that use the keys at a time, milliseconds since 1970.
    ///
    /// # Errors
    /// [`KeyError::Source`] when that cannot be told.
    pub fn leases(&self, now_ms: i64) -> Result<Vec<Lease>, KeyError> {
        let mut leases = match &self.board {
            Board::Folder(dir) => Self::leases_in(dir),
            #[cfg(feature = "nats")]
            Board::Bucket(bucket) => {
                let leases: BTreeMap<String, Lease> = bucket.read(&self.name("leases"))?;
                leases.into_values().collect()
            }
        };
        leases.retain(|l| now_ms - l.seen_ms <= LEASE_MS);
        Ok(leases)
    }

    fn leases_in(dir: &Path) -> Vec<Lease> {
        let entries = std::fs::read_dir(dir.join("leases")).into_iter().flatten().flatten();
        let mut names: Vec<_> = entries.map(|e| e.file_name()).collect();
        names.sort();
        let read = |name: std::ffi::OsString| {
            let name = name.into_string().ok().filter(|n| n.ends_with(".json"))?;
            // One that is being removed or is damaged is of nobody.
            Self::read::<Lease>(dir, &format!("leases/{name}")).ok()
        };
        names.into_iter().filter_map(read).collect()
    }

    /// The right to rotate.
    ///
    /// # Errors
    /// [`KeyError::Source`] when somebody else is at it.
    pub fn lock(&self) -> Result<RotationLock, KeyError> {
        match &self.board {
            Board::Folder(dir) => self.lock_file(&dir.join("rotation.lock")),
            #[cfg(feature = "nats")]
            Board::Bucket(bucket) => self.hold(bucket),
        }
    }

    fn taken(&self) -> KeyError {
        let why = "a rotation is under way already; wait for its end (`bellwether keys status`)";
        KeyError::source(format!("rotating the keys of {}", self.account), why)
    }

    fn lock_file(&self, path: &Path) -> Result<RotationLock, KeyError> {
        let failed = |e: std::io::Error| KeyError::source(format!("locking {}", path.display()), e.to_string());
        let file = File::options().create(true).truncate(false).write(true).open(path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(RotationLock::File(file)),
            Err(TryLockError::WouldBlock) => Err(self.taken()),
            Err(TryLockError::Error(e)) => Err(failed(e)),
        }
    }

    #[cfg(feature = "nats")]
    fn hold(&self, bucket: &Bucket) -> Result<RotationLock, KeyError> {
        let now = jiff::Timestamp::now();
        let (by, now_ms) = (format!("{}-{}", std::process::id(), now.as_nanosecond()), now.as_millisecond());
        let take = |hold: &mut Hold| {
            let free = hold.by.is_empty() || hold.until_ms < now_ms;
            if free {
                *hold = Hold { by: by.clone(), until_ms: now_ms + HOLD_MS };
            }
            free
        };
        match bucket.change(&self.name("rotation"), take)? {
            true => Ok(RotationLock::Held(self.clone(), by)),
            false => Err(self.taken()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_numbered_and_kept_by_label() {
        let dir = tempfile::tempdir().expect("a folder");
        let office = Office::open(dir.path(), "binance/main").expect("open");
        assert_eq!(office.order("a", |o| o.key = "f1".to_owned()).expect("said"), 1);
        assert_eq!(office.order("b", |o| o.revoked.push("f2".to_owned())).expect("said"), 2);
        let orders = Office::open(dir.path(), "binance/main").expect("open").orders().expect("read");
        assert_eq!((orders["a"].key.as_str(), orders["b"].revoked.as_slice()), ("f1", &["f2".to_owned()][..]));
    }

    #[test]
    fn two_agents_of_one_account_are_two_keys() {
        let agent = |secret: &str| crate::keys::Credential::new("0xaccount", crate::keys::Scheme::Secp256k1, secret);
        let (one, two) = (agent(&"01".repeat(32)).expect("a key"), agent(&"02".repeat(32)).expect("a key"));
        assert_ne!(fingerprint_of(&one), fingerprint_of(&two));
        let plain = crate::keys::Credential::new("id", crate::keys::Scheme::HmacSha256, "s").expect("a key");
        assert_eq!(fingerprint_of(&plain), fingerprint("id"));
    }

    #[test]
    fn a_lease_that_is_not_renewed_runs_out() {
        let dir = tempfile::tempdir().expect("a folder");
        let office = Office::open(dir.path(), "binance/main").expect("open");
        office.renew("7", &Lease { pid: 7, seen_ms: 100_000, ..Lease::default() }).expect("told");
        let count = |now_ms| office.leases(now_ms).expect("told").len();
        assert_eq!((count(101_000), count(101_000 + LEASE_MS)), (1, 0));
        office.leave("7");
        assert_eq!(count(100_000), 0);
    }

    #[test]
    fn two_rotations_at_once_are_one_too_many() {
        let dir = tempfile::tempdir().expect("a folder");
        let office = Office::open(dir.path(), "binance/main").expect("open");
        let first = office.lock().expect("the right");
        assert!(office.lock().expect_err("taken").to_string().contains("under way"));
        drop(first);
        assert!(office.lock().is_ok());
    }
}
