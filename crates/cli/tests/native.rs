//! Native strategies that flood or hang, each in a process of its own: the command with them in it, which is this program
//! once more. A component's misdeeds are in `it/plugins.rs`.

#[expect(dead_code, reason = "the stories of `it` want more of the desk than these")]
#[path = "it/desk.rs"]
mod desk;

use std::path::PathBuf;
use std::process::ExitCode;

use bellwether::host::Registry;
use bellwether_sdk::{
    Bar, Choice, Context, Intent, OrderState, OrderUpdate, ParamError, Params, Plugin, Price, Qty, Side, Strategy,
};
use serde_json::Value;
use strategy_ema_cross::EmaCross;

use desk::Desk;

/// Set where this program is to be the command.
const IS_COMMAND: &str = "NATIVE_STORIES_COMMAND";

/// Set where it may have so many bytes of memory and no more.
#[cfg(unix)]
const MEMORY: &str = "NATIVE_STORIES_MEMORY";

/// What it does from bar 50 on.
#[derive(Debug, Clone, Copy, PartialEq, Choice)]
enum How {
    Well,
    /// A million orders in one event.
    AtOnce,
    /// Some orders at every event, without end.
    OnAndOn,
    /// An order at every answer to the one before, which it cancels.
    Answers,
    /// Orders in a loop that does not end.
    Endless,
}

#[derive(Debug, Clone, Params)]
struct FloodParams {
    /// What it does.
    #[param(default = How::Well)]
    how: How,
}

/// Has an order resting far from the market, and floods.
struct Floods {
    how: How,
    bars: u64,
}

impl Floods {
    fn order(&self, ctx: &Context<'_>) -> Intent {
        let lot = ctx.instrument(ctx.instruments()[0]).lot.mantissa();
        Intent::limit(ctx.instruments()[0], Side::Buy, Qty::from_mantissa(lot), Price::from_mantissa(1))
    }

    fn flood(&self, ctx: &mut Context<'_>) {
        let count = match self.how {
            How::Well => 0,
            How::AtOnce => 1_000_000,
            How::OnAndOn => 500,
            How::Answers => 1,
            How::Endless => u64::MAX,
        };
        let order = self.order(ctx);
        for _ in 0..count {
            ctx.place(order.clone());
        }
    }
}

impl Strategy for Floods {
    fn on_bar(&mut self, ctx: &mut Context<'_>, _: &Bar) {
        self.bars += 1;
        if self.bars == 1 {
            ctx.place(self.order(ctx).tag("rests"));
        }
        if self.bars == 50 || self.bars > 50 && self.how == How::OnAndOn {
            self.flood(ctx);
        }
    }

    fn on_order(&mut self, ctx: &mut Context<'_>, update: &OrderUpdate) {
        if self.how == How::Answers && self.bars >= 50 && update.state == OrderState::Acknowledged {
            ctx.cancel(update.order);
            self.flood(ctx);
        }
    }
}

impl Plugin for Floods {
    type Params = FloodParams;
    const NAME: &'static str = "floods";
    const SUMMARY: &'static str = "floods as told";
    const DIRECTIONAL: bool = false;

    fn new(params: FloodParams) -> Result<Self, ParamError> {
        Ok(Self { how: params.how, bars: 0 })
    }
}

fn desk() -> Desk {
    let program = std::env::current_exe().expect("this program");
    Desk::of(program).env(IS_COMMAND, "1").with_bars()
}

/// Writes settings with a good strategy beside one that floods.
fn beside(desk: &Desk, how: &str, on_halt: &str) {
    let settings = format!(
        "version = 1\n[session]\non_stop = \"keep\"\nhang_ms = 20000\n\
         [[strategy]]\nid = \"good\"\nplugin = \"ema_cross\"\nparams = {{ fast = 5, slow = 20, mode = \"long-only\", qty = 1 }}\n\
         [[strategy]]\nid = \"bad\"\nplugin = \"floods\"\non_halt = {on_halt:?}\nparams = {{ how = {how:?} }}\n"
    );
    std::fs::write(desk.path("settings.toml"), settings).expect("written");
}

const PAPER: &str = "paper --config settings.toml --data data --instrument test:AAA/USD --interval 1h --pace 0 --json \
                     --no-save --state-dir state";

fn trades_of_the_good(document: &Value) -> Vec<String> {
    let trades = document["trades"].as_array().expect("trades").iter().filter(|t| t["strategy"] == "good");
    trades.map(|t| format!("{} {} {}", t["entry_ts"], t["entry_price"], t["exit_price"])).collect()
}

fn a_native_strategy_that_floods_is_stopped_alone_and_its_orders_go_or_stay_as_its_policy_says() {
    let desk = desk();
    beside(&desk, "well", "cancel");
    let expected = trades_of_the_good(&desk.json(PAPER));
    assert!(expected.len() > 5, "{expected:?}");
    let both: &[&str] = &["cancel", "keep"];
    for (how, why, policies) in [
        ("at-once", "more than 10000 actions in one event", both),
        ("on-and-on", "more than 10000 of its orders are open", &both[..1]),
        ("answers", "more than 10000 orders at one time", both),
    ] {
        for on_halt in policies {
            beside(&desk, how, on_halt);
            let answer = desk.run(PAPER);
            assert!(answer.code == 1 && answer.stderr.contains("strategy bad was stopped"), "{how}: {}", answer.stderr);
            let document: Value = serde_json::from_str(&answer.stdout).expect("a document");
            assert_eq!(trades_of_the_good(&document), expected, "{how}");
            let effects = desk.done("tape show --effects last --state-dir state");
            assert!(effects.contains(&format!("halt bad: {why}")), "{how}");
            assert!(effects.lines().any(|l| l.contains(" order 1 ") && l.contains(" limit 0.01 ")), "it rests: {how}");
            let cancelled = effects.lines().any(|l| l.ends_with(" cancel 1"));
            assert_eq!(cancelled, *on_halt == "cancel", "{how}, {on_halt}");
            assert_eq!(desk.json("replay last --json --state-dir state")["equal"], true, "{how}");
        }
        let backtest = PAPER.replace("paper", "backtest").replace(" --pace 0", "");
        let answer = desk.run(&backtest);
        assert!(answer.code == 1 && answer.stderr.contains(why), "{how}: {}", answer.stderr);
    }
}

fn orders_in_a_loop_without_end_take_no_memory_until_the_watchdog_ends_the_session() {
    let desk = desk();
    #[cfg(unix)]
    let desk = desk.env(MEMORY, "2000000000");
    beside(&desk, "endless", "cancel");
    let answer = desk.run(&format!("{PAPER} --set session.hang_ms=3000"));
    assert_eq!(answer.code, 1, "{}", answer.stderr);
    assert!(answer.stderr.contains("the session has not moved for"), "{}", answer.stderr);
    let tapes = std::fs::read_dir(desk.path("state/tapes")).expect("tapes").filter_map(|e| Some(e.ok()?.path()));
    let acted: Vec<PathBuf> = tapes.filter(|p| p.extension().is_some_and(|e| e == "watchdog")).collect();
    assert_eq!(acted.len(), 1, "it wrote down what it did");
}

fn main() -> ExitCode {
    if std::env::var_os(IS_COMMAND).is_some() {
        #[cfg(unix)]
        if let Some(bytes) = std::env::var(MEMORY).ok().and_then(|text| text.parse().ok()) {
            use rustix::process::{Resource, Rlimit, setrlimit};
            let limit = Rlimit { current: Some(bytes), maximum: Some(bytes) };
            setrlimit(Resource::As, limit).expect("a limit");
        }
        return bellwether_cli::main(&Registry::new().with::<EmaCross>().with::<Floods>());
    }
    let stories: [(&str, fn()); 2] = [
        (
            "a_native_strategy_that_floods_is_stopped_alone_and_its_orders_go_or_stay_as_its_policy_says",
            a_native_strategy_that_floods_is_stopped_alone_and_its_orders_go_or_stay_as_its_policy_says,
        ),
        (
            "orders_in_a_loop_without_end_take_no_memory_until_the_watchdog_ends_the_session",
            orders_in_a_loop_without_end_take_no_memory_until_the_watchdog_ends_the_session,
        ),
    ];
    let filter = std::env::args().skip(1).find(|arg| !arg.starts_with('-')).unwrap_or_default();
    for (name, story) in stories.into_iter().filter(|(name, _)| name.contains(&filter)) {
        story();
        println!("story {name} ... ok");
    }
    ExitCode::SUCCESS
}
