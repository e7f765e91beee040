//! What `explain` states, held against an independent recomputation from exported data.

use std::fs;

use serde_json::Value;

use crate::desk::Desk;

/// A price of an export, with the moment it was known, nanoseconds.
struct Known {
    at: i64,
    text: String,
    price: f64,
}

/// Rows of an export: the columns of time and price, and how long after its stamp it was known.
fn exported(desk: &Desk, flags: &str, (stamp, column): (&str, &str), later: i64) -> Vec<Known> {
    let file = desk.path("export.csv");
    desk.done(&format!("data export {flags} --out {}", file.display()));
    let text = fs::read_to_string(&file).expect("read");
    fs::remove_file(&file).expect("removed");
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().expect("a head").split(',').collect();
    let place = |name: &str| names.iter().position(|n| *n == name).unwrap_or_else(|| panic!("{name} in {names:?}"));
    let (ts, price) = (place(stamp), place(column));
    let of = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        Known {
            at: cells[ts].parse::<i64>().expect("a time") + later,
            text: cells[price].to_owned(),
            price: cells[price].parse().expect("a price"),
        }
    };
    lines.map(of).collect()
}

/// An exponential average from the first price on, after each price.
fn average(prices: &[Known], span: f64) -> Vec<f64> {
    let k = 2.0 / (span + 1.0);
    let mut now = prices[0].price;
    let mut step = |p: &Known| {
        now = k * p.price + (1.0 - k) * now;
        now
    };
    prices.iter().map(&mut step).collect()
}

fn number(value: &Value) -> f64 {
    value.as_str().expect("a number as text").parse().expect("a number")
}

fn time(row: &Value, key: &str) -> Option<i64> {
    row[key].as_str().map(|t| t.parse().expect("a time"))
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0)
}

/// What the run's own rows say of a moment: position and open orders.
fn books_at(run: &Value, at: i64) -> (f64, u64) {
    let rows = |name: &str| run[name].as_array().expect("rows").clone();
    let signed = |f: &Value| number(&f["qty"]) * if f["side"] == "buy" { 1.0 } else { -1.0 };
    let position = rows("fills").iter().filter(|f| time(f, "ts").is_some_and(|t| t <= at)).map(signed).sum();
    let open = |o: &&Value| time(o, "created_ts").is_some_and(|t| t <= at) && time(o, "done_ts").is_none_or(|t| t > at);
    (position, rows("orders").iter().filter(open).count() as u64)
}

/// Holds every stated value of a moment against the prices known then and the run's rows.
fn holds(moment: &Value, run: &Value, prices: &[Known], fast: &[f64], slow: &[f64]) {
    holds_of(moment, run, prices, (prices, fast, slow));
}

/// The same of averages of other prices than the last: those of bars that are built from trades.
fn holds_of(moment: &Value, run: &Value, prices: &[Known], (seen, fast, slow): (&[Known], &[f64], &[f64])) {
    let asked: i64 = time(moment, "asked_ts").expect("the moment");
    let before = |rows: &[Known]| rows.partition_point(|p| p.at <= asked).checked_sub(1).expect("a price");
    let (price, last) = (before(prices), before(seen));
    let view = &moment["strategies"][0];
    let stated = |name: &str| {
        let values = view["values"].as_array().expect("values");
        values.iter().find(|v| v["name"] == name).and_then(|v| v["value"].as_f64()).expect(name)
    };
    let at = format!("at {asked}: {moment}");
    assert_eq!(time(moment, "event_ts"), Some(prices[price].at), "{at}");
    assert!(near(stated("fast"), fast[last]), "fast {} {at}", fast[last]);
    assert!(near(stated("slow"), slow[last]), "slow {} {at}", slow[last]);
    let condition = &view["conditions"][0];
    let gap = fast[last] - slow[last];
    assert_eq!((&condition["name"], condition["trigger"].as_f64()), (&"fast - slow".into(), Some(0.0)), "{at}");
    // A difference of two averages keeps their absolute error, not their relative one.
    assert!((condition["value"].as_f64().expect("a value") - gap).abs() < 1e-9 * slow[last], "gap {gap} {at}");
    assert!((condition["distance"].as_f64().expect("a distance") + gap).abs() < 1e-9 * slow[last], "{at}");
    assert!(near(number(&view["last"]), prices[price].price), "last {} {at}", prices[price].text);
    let (position, open) = books_at(run, asked);
    assert!((number(&view["position"]) - position).abs() < 1e-9, "position {position} {at}");
    assert_eq!(view["orders_open"].as_u64(), Some(open), "{at}");
}

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % n as u64).expect("small")
    }
}

fn at_flags(times: &[i64]) -> String {
    // Times are asked in milliseconds.
    times.iter().map(|t| format!(" --at {}", t / 1_000_000)).collect()
}

const HOUR: i64 = 3_600_000_000_000;
const BARS: &str = "--instrument binance:BTC/USDT --interval 1h";
const YEAR: &str = "--from 2022-01-01 --to 2023-01-01";

#[test]
fn a_hundred_random_bars_are_explained_as_they_are_recomputed() {
    let desk = Desk::new().at_root();
    let state = desk.path("state").display().to_string();
    let run = desk.json(&format!("backtest --strategy ema_cross {BARS} {YEAR} --json --state-dir {state}"));
    let prices = exported(&desk, &format!("{BARS} {YEAR}"), ("ts_ns", "close"), HOUR);
    let (fast, slow) = (average(&prices, 12.0), average(&prices, 26.0));
    let seed = 20_261_124;
    println!("seed {seed}");
    let mut dice = Dice(seed);
    let mut asked: Vec<i64> = Vec::new();
    while asked.len() < 100 {
        let bar = dice.below(prices.len());
        // Any time until the next bar has the same answer.
        let at = prices[bar].at + dice.below(3_600_000) as i64 * 1_000_000;
        asked.push(at.min(prices[prices.len() - 1].at));
    }
    let told = desk.json(&format!("explain last --json --state-dir {state}{}", at_flags(&asked)));
    let moments = told["moments"].as_array().expect("moments");
    assert_eq!(moments.len(), 100);
    for moment in moments {
        holds(moment, &run, &prices, &fast, &slow);
    }
    // Where the gap changes its sign there is a signal and an order, and nowhere else among these.
    for moment in moments {
        let at = time(moment, "event_ts").expect("an event");
        let bar = prices.iter().position(|p| p.at == at).expect("its bar");
        let crossed = bar > 0 && (fast[bar] - slow[bar]).signum() != (fast[bar - 1] - slow[bar - 1]).signum();
        let said = moment["said"].as_array().expect("said");
        assert_eq!(said.iter().any(|s| s["what"] == "signal"), crossed, "{moment}");
    }
}

#[test]
fn a_refusal_of_the_guard_is_told_with_its_numbers() {
    let desk = Desk::new().at_root();
    let state = desk.path("state").display().to_string();
    let flags = "--set risk.order_notional_max=500 --set strategy.notional=1000";
    let run = desk.json(&format!("backtest --strategy ema_cross {BARS} {YEAR} {flags} --json --state-dir {state}"));
    let order = &run["orders"][0];
    assert_eq!((&order["state"], &order["reason"]), (&"rejected".into(), &"order_notional_max".into()));
    let at = time(order, "created_ts").expect("a time");
    let told = desk.json(&format!("explain last --json --state-dir {state}{}", at_flags(&[at])));
    let moment = &told["moments"][0];
    let verdict = moment["verdict"].as_str().expect("a verdict");
    assert!(verdict.contains("refused by the guard: order value 1000 is over the limit 500"), "{verdict}");
    assert_eq!(moment["strategies"][0]["position"], "0");
    let text = desk.done(&format!("explain last --state-dir {state}{}", at_flags(&[at])));
    assert!(text.contains("over the limit 500") && text.contains("condition   fast - slow: now "), "{text}");
    // Without a moment: the end.
    let told = desk.json(&format!("explain last --json --state-dir {state}"));
    let end = &told["moments"][0];
    assert!(
        end["asked_ts"].is_null() && time(end, "event_ts") == time(&run["equity"][last_of(&run["equity"])], "ts"),
        "{end}"
    );
    assert!(desk.done(&format!("explain last --state-dir {state}")).starts_with("At the end\n  after       bar "));
}

fn last_of(rows: &Value) -> usize {
    rows.as_array().expect("rows").len() - 1
}

#[test]
fn a_signal_that_made_no_order_is_told_with_its_reason() {
    let desk = Desk::new().at_root();
    let state = desk.path("state").display().to_string();
    // From where the price falls first: a wish to be flat comes before there is anything to sell.
    let prices = exported(&desk, &format!("{BARS} {YEAR}"), ("ts_ns", "close"), HOUR);
    let falls = prices.windows(2).position(|p| p[1].price < p[0].price).expect("a fall");
    let from = (prices[falls].at - HOUR) / 1_000_000_000;
    let line =
        format!("backtest --strategy ema_cross {BARS} --from {from} --to 2023-01-01 --set strategy.mode=long-only");
    let run = desk.json(&format!("{line} --json --state-dir {state}"));
    assert_eq!(run["signals"]["dropped"][0]["reason"], "already_flat", "{}", run["signals"]);
    let told = desk.json(&format!("explain last --json --state-dir {state}{}", at_flags(&[prices[falls + 1].at])));
    let moment = &told["moments"][0];
    let verdict = moment["verdict"].as_str().expect("a verdict");
    assert!(verdict.starts_with("it asked, and ") && verdict.contains("already_flat"), "{verdict}");
    assert!(moment["said"].as_array().is_some_and(|said| said.iter().any(|s| s["what"] == "signal")), "{moment}");
}

#[test]
fn a_paper_session_is_explained_from_its_tape() {
    let desk = Desk::new().at_root();
    let state = desk.path("state").display().to_string();
    let flags = "--strategy ema_cross --instrument binance:BTC/USDT --kind trades --set strategy.notional=1000";
    let run = desk.json(&format!("paper --json --pace 0 --set session.on_stop=keep {flags} --state-dir {state}"));
    let prices = exported(&desk, "--instrument binance:BTC/USDT --kind trades", ("ts_recv_ns", "price"), 0);
    let (fast, slow) = (average(&prices, 12.0), average(&prices, 26.0));
    let mut dice = Dice(7);
    // A moment is a millisecond: the last trade before it closes counts, and what it caused.
    let asked: Vec<i64> =
        (0..50).map(|_| prices[dice.below(prices.len())].at / 1_000_000 * 1_000_000 + 1_000_000).collect();
    let tape = run["run"]["tape"].as_str().expect("a tape");
    let told = desk.json(&format!("explain {tape} --json{}", at_flags(&asked)));
    let moments = told["moments"].as_array().expect("moments");
    assert_eq!(moments.len(), asked.len());
    for moment in moments {
        holds(moment, &run, &prices, &fast, &slow);
    }
}

const TRADES: &str = "--instrument binance:BTC/USDT --kind trades";

/// Bars of a second from trades: each is known when its second is over.
fn seconds(trades: &[Known]) -> Vec<Known> {
    const SECOND: i64 = 1_000_000_000;
    let over = |t: &Known| (t.at / SECOND + 1) * SECOND;
    let ends = trades.iter().enumerate().filter(|(i, t)| trades.get(i + 1).is_none_or(|next| over(next) != over(t)));
    let bar = |(_, t): (usize, &Known)| Known { at: over(t), text: t.text.clone(), price: t.price };
    // What the last trade began is over when nothing is heard any more.
    let mut bars: Vec<Known> = ends.map(bar).collect();
    bars.pop();
    bars
}

/// Explains moments of a session on bars of a second, at their ends and between them.
fn explains_built_bars(desk: &Desk, run: &Value, of: &str) {
    let prices = exported(desk, TRADES, ("ts_recv_ns", "price"), 0);
    let bars = seconds(&prices);
    let (fast, slow) = (average(&bars, 12.0), average(&bars, 26.0));
    let mut dice = Dice(20_261_129);
    let mut asked: Vec<i64> = Vec::new();
    while asked.len() < 100 {
        let bar = dice.below(bars.len() - 1);
        let later = if asked.len().is_multiple_of(2) { 0 } else { dice.below(1_000) as i64 * 1_000_000 };
        asked.push(bars[bar].at + later);
    }
    let told = desk.json(&format!("explain {of} --json{}", at_flags(&asked)));
    let moments = told["moments"].as_array().expect("moments");
    assert_eq!(moments.len(), 100);
    let mut signals = 0;
    for moment in moments {
        holds_of(moment, run, &prices, (&bars, &fast, &slow));
        let at = time(moment, "asked_ts").expect("the moment");
        let Some(bar) = bars.iter().position(|b| b.at == at) else { continue };
        let crossed = bar > 0 && (fast[bar] - slow[bar]).signum() != (fast[bar - 1] - slow[bar - 1]).signum();
        let said = moment["said"].as_array().expect("said");
        let signal = said.iter().any(|s| s["what"] == "signal" && time(s, "ts") == Some(at));
        assert_eq!(signal, crossed, "{moment}");
        signals += u32::from(signal);
    }
    assert!(signals > 0, "no bar among these had a signal");
}

#[test]
fn bars_that_are_built_from_trades_are_explained_as_they_are_recomputed() {
    let desk = Desk::new().at_root();
    let state = desk.path("state").display().to_string();
    let flags = "--interval 1s --set strategy.notional=1000";
    let run = desk.json(&format!("backtest --strategy ema_cross {TRADES} {flags} --json --state-dir {state}"));
    explains_built_bars(&desk, &run, &format!("last --state-dir {state}"));
    let run = desk.json(&format!(
        "paper --json --pace 0 --set session.on_stop=keep --strategy ema_cross {TRADES} {flags} --state-dir {state}"
    ));
    explains_built_bars(&desk, &run, run["run"]["tape"].as_str().expect("a tape"));
}

#[test]
fn what_is_said_of_one_time_is_told_of_every_instrument_and_of_the_strategy_asked_for() {
    let two = "version = 1\n[[strategy]]\nid = \"quick\"\nplugin = \"ema_cross\"\nparams = { fast = 3, slow = 8, notional = 100 }\n\
               [[strategy]]\nid = \"slow\"\nplugin = \"ema_cross\"\nparams = { fast = 12, slow = 26, notional = 100 }\n";
    let desk = Desk::new().at_root().file("two.toml", two);
    let (state, two) = (desk.path("state").display().to_string(), desk.path("two.toml").display().to_string());
    let both = "--instrument binance:BTC/USDT --instrument binance:ETH/USDT --interval 5m";
    let run = desk.json(&format!("--config {two} backtest {both} --json --state-dir {state}"));
    let orders = run["orders"].as_array().expect("orders");
    let asked: Vec<i64> = orders.iter().take(60).map(|o| time(o, "created_ts").expect("a time")).collect();
    assert!(orders.iter().take(60).any(|o| o["instrument"] == "binance:ETH/USDT"));
    let same = |said: &Value, order: &Value| {
        said["what"] == "order"
            && said["text"].as_str().is_some_and(|t| t.starts_with(&format!("order {} ", order["id"])))
            && (&said["strategy"], &said["instrument"]) == (&order["strategy"], &order["instrument"])
    };
    let told = desk.json(&format!("explain last --json --state-dir {state}{}", at_flags(&asked)));
    for (moment, order) in told["moments"].as_array().expect("moments").iter().zip(orders) {
        let said = moment["said"].as_array().expect("said");
        assert!(said.iter().any(|s| same(s, order)), "order {} is not told: {moment}", order["id"]);
    }
    let told = desk.json(&format!("explain last --strategy slow --json --state-dir {state}{}", at_flags(&asked)));
    for (moment, order) in told["moments"].as_array().expect("moments").iter().zip(orders) {
        let said = moment["said"].as_array().expect("said");
        assert_eq!(said.iter().any(|s| same(s, order)), order["strategy"] == "slow", "{moment}");
        let words = said.iter().chain([&moment["before"], &moment["after"]]).filter(|s| !s.is_null());
        words.for_each(|s| assert_eq!(s["strategy"], "slow", "{moment}"));
        assert!(!moment["verdict"].as_str().expect("a verdict").contains("quick"), "{moment}");
    }
}

#[test]
fn what_a_damaged_tape_does_not_tell_is_not_explained() {
    let desk = Desk::new().at_root();
    let state = desk.path("state").display().to_string();
    let run = desk.json(&format!("paper --json --pace 0 --strategy ema_cross {TRADES} --state-dir {state}"));
    let prices = exported(&desk, TRADES, ("ts_recv_ns", "price"), 0);
    let mut bytes = fs::read(run["run"]["tape"].as_str().expect("a tape")).expect("read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let damaged = desk.path("damaged.tape");
    fs::write(&damaged, bytes).expect("written");
    let ask = |at: &str| format!("explain {} --json{at}", damaged.display());
    let early = desk.json(&ask(&at_flags(&[prices[50].at])));
    assert!(early["moments"][0]["event_ts"].is_string(), "{early}");
    let answer = desk.run(&ask(""));
    assert!(answer.code != 0 && answer.stderr.contains("damaged.tape"), "{}", answer.stderr);
    desk.fails(&ask(&at_flags(&[prices[prices.len() - 1].at])), 3, "record");
}
