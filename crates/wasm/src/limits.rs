//! What a strategy may use, and how it is said that it used more.

use wasmtime::{Config, Engine, OptLevel, ResourceLimiter, Trap};

/// How often the clock that deadlines are counted by moves on.
pub(crate) const TICK_MS: u64 = 10;

/// Core memories, tables and instances that a component may have: those of Python and JavaScript have some dozens.
const MEMORIES_MAX: usize = 16;
const TABLES_MAX: usize = 256;
const INSTANCES_MAX: usize = 512;

/// Elements of all its tables.
const ELEMENTS_MAX: usize = 1_000_000;

/// What one strategy may use. Instructions are `wasmtime`'s units of fuel, about one per instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of memory, of all its memories together.
    pub memory_max: usize,
    /// Instructions of one event: a loop without end stops at the same place in every run.
    pub fuel_per_event: u64,
    /// Instructions to be made; a fifth of it to start, a tenth to save a state or to take one up.
    pub fuel_to_begin: u64,
    /// Milliseconds of all calls of one event by the clock on the wall, for what instructions do not count well, and of what it
    /// is told of its orders and timers at the same time; half of it to start, three quarters to start and hear of the past, a
    /// quarter to save a state or to take one up: one that takes another's place has all of it together.
    /// Only what takes so long depends on how fast the machine is. Shorter than the watchdog of a session waits
    /// (`session.hang_ms`), so that the strategy is stopped and not the session.
    pub event_ms_max: u64,
    /// Bytes of a component's file.
    pub file_max: u64,
    /// Bytes of what a strategy says in one call: names, reasons, state.
    pub words_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_max: 256 << 20,
            fuel_per_event: 200_000_000,
            fuel_to_begin: 5_000_000_000,
            event_ms_max: bellwether::host::EVENT_MS_MAX,
            file_max: 64 << 20,
            words_max: 16 << 20,
        }
    }
}

/// What the calls made for one thing may use: each so many instructions, all of them together so much time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    pub(crate) fuel: u64,
    pub(crate) ms: u64,
    /// What they are made for.
    to: &'static str,
}

impl Limits {
    /// To be asked what it is, and made.
    pub(crate) const fn to_be_made(self) -> Budget {
        Budget { fuel: self.fuel_to_begin, ms: self.event_ms_max, to: "to be made" }
    }

    /// To be told where it is and to start.
    pub(crate) const fn to_start(self) -> Budget {
        Budget { fuel: self.fuel_to_begin / 5, ms: self.event_ms_max / 2, to: "to start" }
    }

    /// To hear of the past in another's place: each event so many instructions, all of them and the start so much time.
    pub(crate) const fn to_warm_up(self) -> Budget {
        Budget { fuel: self.fuel_per_event, ms: self.event_ms_max / 4 * 3, to: "to hear of the past" }
    }

    /// To hear so many events at once.
    pub(crate) const fn to_hear(self, events: usize) -> Budget {
        let (events, to) = (events as u64, if events == 1 { "in one event" } else { "in events given at once" });
        Budget { fuel: self.fuel_per_event.saturating_mul(events), ms: self.event_ms_max.saturating_mul(events), to }
    }

    /// To tell what it decides by.
    pub(crate) const fn to_tell(self) -> Budget {
        Budget { fuel: self.fuel_per_event, ms: self.event_ms_max / 4, to: "to tell what it decides by" }
    }

    /// To save its state.
    pub(crate) const fn to_save(self) -> Budget {
        Budget { fuel: self.fuel_to_begin / 10, ms: self.event_ms_max / 4, to: "to save its state" }
    }

    /// To take up a state.
    pub(crate) const fn to_take_up(self) -> Budget {
        Budget { to: "to take up a state", ..self.to_save() }
    }
}

/// The engine that all components are compiled by.
pub(crate) fn engine() -> wasmtime::Result<Engine> {
    let mut config = Config::new();
    config
        .consume_fuel(true)
        .epoch_interruption(true)
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true)
        .cranelift_opt_level(OptLevel::Speed)
        .wasm_backtrace_max_frames(None);
    Engine::new(&config)
}

/// Bounds of an instance, the bytes of memory it has in all, and whether it asked for more than it may have.
#[derive(Debug)]
pub(crate) struct Bounds {
    memory_max: usize,
    pub(crate) memory: usize,
    elements: usize,
    pub(crate) over_memory: bool,
}

impl Bounds {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { memory_max: limits.memory_max, memory: 0, elements: 0, over_memory: false }
    }
}

impl ResourceLimiter for Bounds {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let all = self.memory.saturating_add(desired.saturating_sub(current));
        let fits = all <= self.memory_max;
        if fits {
            self.memory = all;
        }
        self.over_memory |= !fits;
        Ok(fits)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let all = self.elements.saturating_add(desired.saturating_sub(current));
        let fits = all <= ELEMENTS_MAX;
        if fits {
            self.elements = all;
        }
        Ok(fits)
    }

    fn memories(&self) -> usize {
        MEMORIES_MAX
    }

    fn tables(&self) -> usize {
        TABLES_MAX
    }

    fn instances(&self) -> usize {
        INSTANCES_MAX
    }
}

/// Why a call failed, in words that are the same in every run.
pub(crate) fn why(error: &wasmtime::Error, bounds: &Bounds, budget: Budget) -> String {
    if bounds.over_memory {
        return format!("it wanted more than {} MiB of memory", bounds.memory_max >> 20);
    }
    let Budget { fuel, ms, to } = budget;
    match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => format!("it took more than {} million instructions {to}", fuel / 1_000_000),
        Some(Trap::Interrupt) => format!("it took longer than {ms} ms {to}"),
        Some(Trap::StackOverflow) => "it called itself too deeply: the stack is used up".to_owned(),
        // A guest whose stack lies at the beginning of its memory, as Rust's does, runs out of it there.
        Some(Trap::MemoryOutOfBounds) => "it reached outside its memory, or its stack is used up".to_owned(),
        Some(Trap::UnreachableCodeReached) => "it panicked".to_owned(),
        Some(trap) => format!("it trapped: {trap}"),
        None => format!("it broke the contract: {}", error.root_cause()),
    }
}

#[cfg(test)]
mod tests {
    use wasmtime::{Instance, Module, Store};

    use super::*;

    #[test]
    fn many_memories_have_no_more_room_than_one() {
        let engine = engine().expect("an engine");
        let instantiate = |memories: usize, pages: u32| {
            // Pages of 64 KiB; the number as LEB128 of three bytes.
            let page = |shift: u32| (pages >> shift) as u8 & 0x7f;
            let mut section = vec![memories as u8];
            (0..memories).for_each(|_| section.extend([0, page(0) | 0x80, page(7) | 0x80, page(14)]));
            let mut module = b"\0asm\x01\0\0\0\x05".to_vec();
            module.extend([(section.len() as u8 & 0x7f) | 0x80, (section.len() >> 7) as u8]);
            module.extend(&section);
            let module = Module::new(&engine, module).expect("a module");
            let mut store = Store::new(&engine, Bounds::new(&Limits::default()));
            store.limiter(|bounds| bounds);
            store.set_fuel(1_000_000).expect("fuel");
            let made = Instance::new(&mut store, &module, &[]).is_ok();
            (made, store.data().memory >> 20, store.data().over_memory)
        };
        assert_eq!(instantiate(1, 4_096), (true, 256, false));
        assert_eq!(instantiate(2, 2_048), (true, 256, false));
        assert_eq!(instantiate(3, 2_048), (false, 256, true), "the third has no room left");
        assert!(!instantiate(100, 1).0, "however small, they are not that many");
    }
}
