//! From a file to an entry of the registry: read, checked, compiled, asked what it is.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use bellwether::host::{Entry, HostError, Loader, Make, Manifest};
use bellwether_sdk::{Decimal, OrderKinds, ParamSpec, ParamValues, Strategy, num::SCALE_MAX};
use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::{Component, Linker};

use crate::bindings::{StrategyPre, wit};
use crate::cache::Cache;
use crate::check::{PLUGIN, before_compiling, contract_of};
use crate::guest::{Instance, WasmStrategy};
use crate::limits::{Bounds, Limits, TICK_MS, engine};
use crate::names::{Names, plain};

/// Entries kept for the next time they are asked for.
const KEPT_MAX: usize = 16;

/// A component, ready to be instantiated.
pub(crate) struct Loaded {
    pub(crate) name: String,
    pub(crate) signal_only: bool,
    pub(crate) pre: StrategyPre<Bounds>,
    pub(crate) limits: Limits,
    pub(crate) names: Arc<Names>,
    /// It runs as long as somebody has a strategy.
    pub(crate) clock: Arc<Clock>,
}

/// The host of strategies that are WebAssembly components.
pub struct WasmHost {
    engine: Engine,
    limits: Limits,
    cache: Option<Cache>,
    names: Names,
    kept: Mutex<Vec<Entry>>,
    clock: Arc<Clock>,
}

/// The clock of deadlines: moves the engine's epochs on, on a thread of its own, until it is dropped.
#[derive(Default)]
pub(crate) struct Clock(AtomicU64);

impl Clock {
    fn start(engine: &Engine) -> Arc<Self> {
        let clock = Arc::new(Self::default());
        let (alive, engine): (Weak<Self>, _) = (Arc::downgrade(&clock), engine.weak());
        std::thread::spawn(move || {
            loop {
                std::thread::sleep(Duration::from_millis(TICK_MS));
                let (Some(clock), Some(engine)) = (alive.upgrade(), engine.upgrade()) else { return };
                clock.0.fetch_add(1, Ordering::Relaxed);
                engine.increment_epoch();
            }
        });
        clock
    }

    /// Its ticks so far.
    #[inline]
    pub(crate) fn ticks(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl WasmHost {
    /// A host with these limits. What it compiled is kept in `cache`, a folder that nobody else may write to; without one
    /// everything is compiled every time.
    ///
    /// # Errors
    /// When this machine cannot run WebAssembly.
    pub fn new(limits: Limits, cache: Option<PathBuf>) -> Result<Self, HostError> {
        let engine =
            engine().map_err(|e| HostError::Refused { file: "WebAssembly".to_owned(), why: format!("{e:#}") })?;
        let clock = Clock::start(&engine);
        let cache = cache.map(|dir| Cache::new(dir, &engine));
        Ok(Self { engine, limits, cache, names: Names::default(), kept: Mutex::default(), clock })
    }

    fn read(&self, file: &Path) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        let max = self.limits.file_max;
        let read = File::open(file).and_then(|f| f.take(max + 1).read_to_end(&mut bytes));
        read.map_err(|e| format!("it cannot be read: {e}"))?;
        if bytes.len() as u64 > max {
            return Err(format!("it is larger than {} MiB", max >> 20));
        }
        Ok(bytes)
    }

    fn component(&self, bytes: &[u8], sha256: &str) -> Result<Component, String> {
        match bytes {
            [0, b'a', b's', b'm', 0x0d, 0, 1, 0, ..] => {}
            [0, b'a', b's', b'm', 1, 0, 0, 0, ..] => {
                return Err(
                    "it is a core module, not a component; `bellwether strategy build` makes components".to_owned()
                );
            }
            _ => return Err("it is no WebAssembly component".to_owned()),
        }
        if let Some(cached) = self.cache.as_ref().and_then(|cache| cache.get(&self.engine, sha256)) {
            return Ok(cached);
        }
        before_compiling(bytes)?;
        let compiled = Component::new(&self.engine, bytes)
            .map_err(|e| format!("it is damaged or no component this program can run: {e:#}"))?;
        if let Some(cache) = &self.cache {
            cache.put(sha256, &compiled);
        }
        Ok(compiled)
    }

    fn entry(&self, bytes: &[u8], sha256: String) -> Result<Entry, String> {
        let component = self.component(bytes, &sha256)?;
        let contract = check_world(&self.engine, &component)?;
        let linker: Linker<Bounds> = Linker::new(&self.engine);
        let linked = linker.instantiate_pre(&component).and_then(StrategyPre::new);
        let pre = linked.map_err(|e| format!("it does not fit the contract {PLUGIN}@1: {e:#}"))?;
        let (limits, names) = (self.limits, Arc::new(self.names.another()));
        let clock = Arc::clone(&self.clock);
        let mut loaded =
            Loaded { name: "it".to_owned(), signal_only: false, pre, limits, names: Arc::clone(&names), clock };
        let mut instance = Instance::new(&loaded)?;
        let told = instance.call(|guest, store| guest.call_describe(store))?;
        let specs = told.params.iter().map(|p| spec(p, &names)).collect::<Option<Vec<_>>>();
        let specs = specs.ok_or("it has too many or too long names of parameters")?;
        let manifest = Manifest { contract, ..manifest(told)? };
        loaded.name.clone_from(&manifest.name);
        loaded.signal_only = manifest.signal_only;
        let loaded = Arc::new(loaded);
        let make: Arc<Make> = Arc::new(move |values: &ParamValues| {
            let made: Box<dyn Strategy> = Box::new(WasmStrategy::new(&loaded, values)?);
            Ok(made)
        });
        Ok(Entry { manifest, specs, sha256, make })
    }
}

fn spec(spec: &wit::ParamSpec, names: &Names) -> Option<ParamSpec> {
    let choices = spec.choices.iter().map(|c| names.keep(c)).collect::<Option<Vec<_>>>()?;
    Some(ParamSpec {
        name: names.keep(&spec.name)?,
        help: names.keep(&spec.help)?,
        kind: names.keep(&spec.kind)?,
        default: spec.default.as_deref().map(plain),
        range: spec.range.as_ref().map(|(low, high)| (plain(low), plain(high))),
        choices: choices.leak(),
    })
}

impl Loader for WasmHost {
    fn load(&self, file: &str, pin: Option<&str>) -> Result<Entry, HostError> {
        let refused = |why| HostError::Refused { file: file.to_owned(), why };
        let bytes = self.read(Path::new(file)).map_err(refused)?;
        let sha256 = hex(&Sha256::digest(&bytes));
        if let Some(pin) = pin.filter(|pin| !pin.eq_ignore_ascii_case(&sha256)) {
            return Err(refused(format!(
                "its content has changed: the settings pin sha256 {pin}, the file has {sha256}; check it and set that"
            )));
        }
        let mut kept = self.kept.lock().unwrap_or_else(|broken| broken.into_inner());
        if let Some(entry) = kept.iter().find(|e| e.sha256 == sha256) {
            return Ok(entry.clone());
        }
        let entry = self.entry(&bytes, sha256).map_err(refused)?;
        kept.truncate(KEPT_MAX - 1);
        kept.insert(0, entry.clone());
        Ok(entry)
    }
}

/// The version of the contract that a component was made for.
fn check_world(engine: &Engine, component: &Component) -> Result<String, String> {
    let ty = component.component_type();
    let imports: Vec<&str> = ty.imports(engine).map(|(name, _)| name).collect();
    let exports: Vec<&str> = ty.exports(engine).map(|(name, _)| name).collect();
    contract_of(&imports, &exports)
}

fn manifest(told: wit::Manifest) -> Result<Manifest, String> {
    let lower = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_';
    if told.name.is_empty() || told.name.len() > 64 || !told.name.bytes().all(lower) {
        return Err(format!("it calls itself {:?}; a name is up to 64 of a-z, 0-9 and _", plain(&told.name)));
    }
    let may = told.capabilities;
    let wit::OrderKinds { market, limit, stop_market, stop_limit, trailing_stop } = may.orders;
    let order_notional_max = match may.order_notional_max {
        Some(d) if d.scale > SCALE_MAX => return Err(format!("its limit has {} decimal places", d.scale)),
        limit => limit.map(|d| Decimal::new(d.mantissa, d.scale)),
    };
    Ok(Manifest {
        name: told.name,
        summary: plain(&told.summary),
        version: plain(&told.version),
        contract: String::new(),
        sdk: plain(&told.sdk),
        directional: told.directional,
        signal_only: told.signal_only,
        state_version: told.state_version,
        instruments: may.instruments.iter().map(|name| plain(name)).collect(),
        orders: OrderKinds { market, limit, stop_market, stop_limit, trailing_stop },
        order_notional_max,
    })
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
