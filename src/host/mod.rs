//! Strategies by name: the registry of native plugins, and the door by which other hosts hand theirs in.
//!
//! A name with a dot or a slash in it is a file, and files are for the [`Loader`]; everything else is looked up among the
//! plugins the program was built with.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bellwether_sdk::{OrderKinds, ParamError, ParamSpec, ParamValues, Params, Plugin, Strategy};
use sha2::{Digest, Sha256};

/// What a strategy says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Its name in flags and config.
    pub name: String,
    /// One line for lists.
    pub summary: String,
    /// Its own version; empty for natives, whose version is the program's.
    pub version: String,
    /// The version of the contract that it was made for; empty for natives, which are built with it.
    pub contract: String,
    /// The version of the sdk that it was built with; empty for natives.
    pub sdk: String,
    /// Whether it emits signals, to be sized by a sizer.
    pub directional: bool,
    /// Whether it looks at events alone and places no orders itself.
    pub signal_only: bool,
    /// Versions of equal number take each other's state; zero: none does.
    pub state_version: u32,
    /// Names of the instruments it may trade; empty: any.
    pub instruments: Vec<String>,
    /// The kinds of orders it may place.
    pub orders: OrderKinds,
    /// The largest value of one order in quote currency, as text; `None`: no limit of its own.
    pub order_notional_max: Option<bellwether_sdk::Decimal>,
}

/// Milliseconds that a host lets a strategy of a file take for one event, at the most; a session's watchdog waits longer.
pub const EVENT_MS_MAX: u64 = 5_000;

/// The folder of a state folder in which the files of strategies are kept, as `SHA256.wasm`.
pub const ARTEFACTS: &str = "artefacts";

/// Makes a strategy of parameters.
pub type Make = dyn Fn(&ParamValues) -> Result<Box<dyn Strategy>, ParamError> + Send + Sync;

/// A strategy that can be made by name.
#[derive(Clone)]
pub struct Entry {
    /// What it says of itself.
    pub manifest: Manifest,
    /// Its parameters.
    pub specs: Vec<ParamSpec>,
    /// SHA-256 of the file it came from, hex; empty for natives.
    pub sha256: String,
    /// Makes one.
    pub make: Arc<Make>,
}

impl Entry {
    /// The entry of a native plugin.
    pub fn native<P: Plugin>() -> Self {
        let may = P::capabilities();
        Self {
            manifest: Manifest {
                name: P::NAME.to_owned(),
                summary: P::SUMMARY.to_owned(),
                version: String::new(),
                contract: String::new(),
                sdk: String::new(),
                directional: P::DIRECTIONAL,
                signal_only: P::SIGNAL_ONLY,
                state_version: P::STATE_VERSION,
                instruments: may.instruments.iter().map(|i| (*i).to_owned()).collect(),
                orders: may.orders,
                order_notional_max: may.order_notional_max,
            },
            specs: P::Params::specs(),
            sha256: String::new(),
            make: Arc::new(|values| Ok(Box::new(P::new(P::Params::from_values(values)?)?))),
        }
    }

    /// Its name in flags and config.
    pub fn name(&self) -> &str {
        &self.manifest.name
    }

    /// Whether it emits signals, to be sized by a sizer.
    pub fn directional(&self) -> bool {
        self.manifest.directional
    }
}

/// A strategy of that name cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// No plugin has this name.
    #[error("unknown strategy {name:?}; there are: {}", known.join(", "))]
    Unknown {
        /// What was asked for.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// A file was named, and this program was built without a host for files.
    #[error("{file}: this program was built without WebAssembly; build it with the feature `wasm`")]
    NoLoader {
        /// The file.
        file: String,
    },
    /// The file is no strategy that can be run.
    #[error("{file}: {why}")]
    Refused {
        /// The file.
        file: String,
        /// What was found, and what to do.
        why: String,
    },
}

/// A host of strategies that come as files.
pub trait Loader: Send + Sync {
    /// The strategy of a file. With a `pin`, the one whose SHA-256 that is (hex), wherever a copy of it may be.
    ///
    /// # Errors
    /// [`HostError::Refused`].
    fn load(&self, file: &str, pin: Option<&str>) -> Result<Entry, HostError>;
}

/// All strategies a program knows, in order of registration.
#[derive(Clone, Default)]
pub struct Registry {
    entries: Vec<Entry>,
    loader: Option<Arc<dyn Loader>>,
    artefacts: Option<PathBuf>,
}

impl Registry {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with one more strategy; a later one of the same name replaces the earlier.
    #[must_use]
    pub fn with<P: Plugin>(self) -> Self {
        self.with_entry(Entry::native::<P>())
    }

    /// The same with an entry made elsewhere, under the name in its manifest; it replaces an earlier one of that name.
    #[must_use]
    pub fn with_entry(mut self, entry: Entry) -> Self {
        self.entries.retain(|e| e.name() != entry.name());
        self.entries.push(entry);
        self
    }

    /// The same with a host for files.
    #[must_use]
    pub fn with_loader(mut self, loader: Arc<dyn Loader>) -> Self {
        self.loader = Some(loader);
        self
    }

    /// The same with a folder in which the files of strategies are kept by their content: what sessions ran is there when the
    /// file itself has changed or is gone.
    #[must_use]
    pub fn with_artefacts(mut self, dir: PathBuf) -> Self {
        self.artefacts = Some(dir);
        self
    }

    /// The same with the folder of the state folder in which a tape lies.
    #[must_use]
    pub fn beside(self, tape: &Path) -> Self {
        match tape.parent().and_then(Path::parent) {
            Some(state) => self.with_artefacts(state.join(ARTEFACTS)),
            None => self,
        }
    }

    /// All native entries.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The strategy of a name or file.
    ///
    /// # Errors
    /// [`HostError`].
    pub fn get(&self, name: &str) -> Result<Entry, HostError> {
        self.get_pinned(name, None)
    }

    /// The same; a file only with the content whose SHA-256 is `pin`, from where it is kept by its content if the file has
    /// another.
    ///
    /// # Errors
    /// [`HostError`].
    pub fn get_pinned(&self, name: &str, pin: Option<&str>) -> Result<Entry, HostError> {
        if let Some(entry) = self.entries.iter().find(|e| e.name() == name) {
            return Ok(entry.clone());
        }
        if is_file(name) {
            return match &self.loader {
                Some(loader) => loader.load(name, pin).or_else(|error| {
                    let kept = pin.and_then(|pin| self.artefact(pin)).filter(|kept| kept.is_file());
                    kept.map_or(Err(error), |kept| loader.load(&kept.to_string_lossy(), pin))
                }),
                None => Err(HostError::NoLoader { file: name.to_owned() }),
            };
        }
        let known = self.entries.iter().map(|e| e.name().to_owned()).collect();
        Err(HostError::Unknown { name: name.to_owned(), known })
    }

    /// Keeps the file of a strategy by its content. Natives, and registries without such a folder, keep nothing.
    ///
    /// # Errors
    /// [`HostError::Refused`] when it cannot be copied, or has another content.
    pub fn keep(&self, file: &str, sha256: &str) -> Result<(), HostError> {
        let (Some(kept), Some(loader)) = (self.artefact(sha256), &self.loader) else { return Ok(()) };
        // One that a loss of power left empty is kept anew.
        let hex = |bytes: Vec<u8>| Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect::<String>();
        if fs::read(&kept).is_ok_and(|bytes| hex(bytes).eq_ignore_ascii_case(sha256)) {
            return Ok(());
        }
        let new = kept.with_extension(format!("{}.new", std::process::id()));
        let failed = |e: std::io::Error| {
            let why = format!("keeping it as {}: {e}", kept.display());
            HostError::Refused { file: file.to_owned(), why }
        };
        crate::config::create_private(kept.parent().unwrap_or(Path::new("."))).map_err(failed)?;
        fs::copy(file, &new).map_err(failed)?;
        fs::File::open(&new).and_then(|f| f.sync_all()).map_err(failed)?;
        // The file may have changed since it was looked at.
        let done =
            loader.load(&new.to_string_lossy(), Some(sha256)).and_then(|_| fs::rename(&new, &kept).map_err(failed));
        if done.is_err() {
            let _ = fs::remove_file(&new);
        }
        done
    }

    /// Where the file of this content is kept. What is no SHA-256 in hex has no place: it could name another folder.
    fn artefact(&self, sha256: &str) -> Option<PathBuf> {
        let is_hash = sha256.len() == 64 && sha256.bytes().all(|b| b.is_ascii_hexdigit());
        let dir = self.artefacts.as_ref().filter(|_| is_hash)?;
        Some(dir.join(format!("{}.wasm", sha256.to_ascii_lowercase())))
    }
}

/// Whether a name means a file: it has a dot or a slash, which names of plugins have not.
pub fn is_file(name: &str) -> bool {
    name.contains(['.', '/', '\\'])
}
