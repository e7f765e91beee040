//! A strategy that misbehaves in every way there is, as its parameter says. For tests of the host. Built with
//! `HOSTILE_SIGNAL_ONLY` in the environment it says that it looks at events alone.

use bellwether_sdk::{
    Bar, Capabilities, Choice, Context, InstrumentId, Intent, OrderKinds, OrderUpdate, ParamError, Params, Plugin, Price,
    Probe, Qty, Side, Signal, Size, Strategy,
};

#[derive(Debug, Clone, Copy, PartialEq, Choice)]
pub enum How {
    Well,
    LoopInNew,
    LoopInStart,
    LoopInTick,
    LoopInRestore,
    LoopInSave,
    LoopInObserve,
    Work,
    Look,
    Feature,
    Panic,
    Recursion,
    Memory,
    Flood,
    Timers,
    NanStrength,
    HugeQty,
    NegativeQty,
    HugePrice,
    NegativePrice,
    ForeignInstrument,
    LongText,
    NanSize,
    Peek,
    Halt,
}

#[derive(Params)]
pub struct HostileParams {
    /// What it does.
    #[param(default = How::Well)]
    pub how: How,
    /// At which bar.
    #[param(default = 50)]
    pub at: u64,
    /// Rounds of a loop in every bar, in thousands.
    #[param(default = 0)]
    pub work: u64,
}

pub struct Hostile {
    how: How,
    at: u64,
    work: u64,
    bars: u64,
    hoard: Vec<Vec<u8>>,
}

fn forever() {
    rounds(u64::MAX);
}

fn rounds(count: u64) {
    let mut n = 0_u64;
    while n < count {
        n = std::hint::black_box(n.wrapping_add(1));
    }
}

fn deeper(n: u64) -> u64 {
    let room = std::hint::black_box([n; 64]);
    deeper(n + 1) + room[(n % 64) as usize]
}

impl Hostile {
    fn misbehave(&mut self, ctx: &mut Context<'_>, bar: &Bar) {
        let id = bar.instrument;
        let order =
            |qty: i64, price: i64| Intent::limit(id, Side::Buy, Qty::from_mantissa(qty), Price::from_mantissa(price));
        match self.how {
            How::LoopInTick => forever(),
            How::Panic => panic!("on purpose"),
            How::Recursion => {
                std::hint::black_box(deeper(0));
            }
            How::Memory => loop {
                // Not written to: that would run out of instructions first.
                self.hoard.push(std::hint::black_box(Vec::with_capacity(1 << 20)));
            },
            How::Flood => (0..1_000_000).for_each(|_| {
                ctx.place(order(1, 1));
            }),
            How::Timers => ctx.timer(ctx.now(), 0),
            How::NanStrength => ctx.signal(Signal { strength: f64::NAN, ..Signal::long(id) }),
            How::HugeQty => {
                ctx.place(order(i64::MAX, bar.close.mantissa()));
                ctx.place(Intent { size: Size::Qty(Qty::from_mantissa(i64::MAX)), ..order(1, i64::MAX) });
            }
            How::NegativeQty => {
                ctx.place(order(-5, bar.close.mantissa()));
                ctx.place(order(i64::MIN, bar.close.mantissa()));
            }
            How::HugePrice => {
                ctx.place(order(1, i64::MAX));
            }
            How::NegativePrice => {
                ctx.place(order(1, i64::MIN));
                ctx.signal(Signal::long(id).stop(Price::from_mantissa(i64::MIN)).target(Price::from_mantissa(-1)));
            }
            How::ForeignInstrument => ctx.cancel_all(InstrumentId(9)),
            How::LongText => ctx.signal(Signal::long(id).reason("x".repeat(1 << 20))),
            How::NanSize => ctx.signal(Signal::long(id).size(bellwether_sdk::SizeHint::EquityPct(f64::INFINITY))),
            How::Halt => ctx.halt("enough"),
            How::Peek => peek(),
            How::Work => rounds(self.work * 1000),
            How::Look => {
                ctx.position(id);
            }
            How::Feature => ctx.halt(format!("fear is {:?}", ctx.feature("fear").map(|f| (f.value, f.ts.nanos())))),
            How::Well
            | How::LoopInNew
            | How::LoopInStart
            | How::LoopInRestore
            | How::LoopInSave
            | How::LoopInObserve => {}
        }
    }
}

/// Looks for a key by every means that the standard library has (`env::vars` is not among them: it panics here); panics
/// with what it finds.
fn peek() {
    let found = std::env::var("BELLWETHER_KEYS__BINANCE__MAIN__SECRET").ok();
    let found = found.or_else(|| std::fs::read_to_string("/etc/hostname").ok());
    let found = found.or_else(|| std::env::current_dir().ok().map(|d| d.display().to_string()));
    let found = found.or_else(|| std::net::TcpStream::connect("127.0.0.1:80").ok().map(|_| "a socket".to_owned()));
    assert_eq!(found, None);
}

impl Strategy for Hostile {
    fn on_start(&mut self, _: &mut Context<'_>) {
        if self.how == How::LoopInStart {
            forever();
        }
    }

    fn on_bar(&mut self, ctx: &mut Context<'_>, bar: &Bar) {
        self.bars += 1;
        if self.bars == 1 && self.how != How::Peek && !Self::SIGNAL_ONLY {
            ctx.place(Intent::limit(bar.instrument, Side::Buy, Qty::from_mantissa(1), Price::from_mantissa(1)));
        }
        if self.bars == self.at || self.bars > self.at && self.how == How::Work {
            self.misbehave(ctx, bar);
        }
    }

    fn on_order(&mut self, _: &mut Context<'_>, _: &OrderUpdate) {
        if self.how == How::Work {
            rounds(self.work * 1000);
        }
    }

    fn on_timer(&mut self, ctx: &mut Context<'_>, _: u64) {
        ctx.timer(ctx.now(), 0);
    }

    fn observe(&self, probe: &mut Probe) {
        if self.how == How::LoopInObserve && self.bars >= self.at {
            forever();
        }
        probe.value("bars", Some(self.bars as f64));
    }

    fn save(&self) -> Vec<u8> {
        if self.how == How::LoopInSave {
            forever();
        }
        self.bars.to_le_bytes().to_vec()
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), String> {
        if self.how == How::LoopInRestore {
            forever();
        }
        self.bars = u64::from_le_bytes(state.try_into().map_err(|_| "not eight bytes".to_owned())?);
        Ok(())
    }
}

impl Plugin for Hostile {
    type Params = HostileParams;
    const NAME: &'static str = "hostile";
    const SUMMARY: &'static str = "misbehaves as told";
    const DIRECTIONAL: bool = true;
    const SIGNAL_ONLY: bool = option_env!("HOSTILE_SIGNAL_ONLY").is_some();
    const STATE_VERSION: u32 = 1;

    fn capabilities() -> Capabilities {
        Capabilities { orders: OrderKinds::ALL, ..Capabilities::default() }
    }

    fn new(params: HostileParams) -> Result<Self, ParamError> {
        if params.how == How::LoopInNew {
            forever();
        }
        Ok(Self { how: params.how, at: params.at, work: params.work, bars: 0, hoard: Vec::new() })
    }
}
