//! Live sessions in contracts, over real sockets: funding as the venue books it, and positions of others. The venue is one
//! on this machine that answers as Binance's futures do, with an account that the stories change.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::routing::get;
use bellwether::config::{Feed, KeySettings, Settings, StrategySettings};
use bellwether::engine::Outcome;
use bellwether::exchange::transport::{Live, LiveSettings};
use bellwether::host::Registry;
use bellwether::keys::{Credential, Key, Scheme, Scope, Signing};
use bellwether::run::{self, AdoptAsked, AdoptWhat, Asked, RunError, SessionPlan, Signings, Surroundings};
use bellwether_sdk::{Decimal, Ts};
use serde_json::{Value, json};

use super::venue::now_ms;
use super::{BuyLater, BuyOnce, Listener, Nobody, SYMBOL, Venues, trading};

/// The account: amounts in hundred-millionths, positions in thousandths.
#[derive(Default)]
struct Account {
    balance: i64,
    position: i64,
    entry: &'static str,
    orders: Vec<Value>,
    trades: Vec<Value>,
    income: Vec<Value>,
}

type Shared = Arc<Mutex<Account>>;
type Asked1 = Query<BTreeMap<String, String>>;

fn of(shared: &Shared) -> MutexGuard<'_, Account> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn eight(amount: i64) -> String {
    let sign = if amount < 0 { "-" } else { "" };
    let whole = amount.unsigned_abs();
    format!("{sign}{}.{:08}", whole / 100_000_000, whole % 100_000_000)
}

impl Account {
    /// The wallet changes by something that is no trade.
    fn changes(&mut self, kind: &str, symbol: &str, id: u64, amount: i64) {
        self.balance += amount;
        self.income.push(json!({
            "symbol": symbol, "incomeType": kind, "income": eight(amount), "asset": "USDT", "info": kind,
            "time": now_ms(), "tranId": id, "tradeId": "",
        }));
    }

    /// A market order fills at 100, for four hundredths of a per cent.
    fn fills(&mut self, query: &BTreeMap<String, String>) -> Value {
        let qty: Decimal = query["quantity"].parse().expect("a decimal");
        let qty = qty.at_scale(3).expect("thousandths");
        assert_eq!(
            (query["side"].as_str(), query["type"].as_str()),
            ("BUY", "MARKET"),
            "what the story's strategy does"
        );
        let id = self.orders.len() + 1;
        self.position += qty;
        self.entry = "100.0";
        self.balance -= qty * 4_000;
        let commission = eight(qty * 4_000);
        self.trades.push(json!({
            "buyer": true, "commission": commission, "commissionAsset": "USDT", "id": 900 + id, "maker": false,
            "orderId": id, "price": "100.0", "qty": query["quantity"], "quoteQty": "100", "realizedPnl": "0",
            "side": "BUY", "positionSide": "BOTH", "symbol": "BTCUSDT", "time": now_ms(),
        }));
        let row = json!({
            "symbol": "BTCUSDT", "orderId": id, "clientOrderId": query["newClientOrderId"], "price": "0",
            "stopPrice": "0", "origQty": query["quantity"], "executedQty": query["quantity"], "status": "FILLED",
            "timeInForce": "GTC", "type": "MARKET", "side": "BUY", "time": now_ms(), "updateTime": now_ms(),
        });
        self.orders.push(row.clone());
        row
    }
}

/// What is asked about the account.
fn account(shared: Shared) -> Router {
    let balance = |State(a): State<Shared>| async move {
        let balance = eight(of(&a).balance);
        json!([{ "accountAlias": "SgsR", "asset": "USDT", "balance": balance, "crossWalletBalance": balance,
                 "crossUnPnl": "0.00000000", "availableBalance": balance, "maxWithdrawAmount": balance,
                 "marginAvailable": true, "updateTime": now_ms() }])
        .to_string()
    };
    let position = |State(a): State<Shared>| async move {
        let a = of(&a);
        let amount = format!("{}.{:03}", a.position / 1_000, a.position % 1_000);
        json!([{ "symbol": "BTCUSDT", "positionSide": "BOTH", "positionAmt": amount, "entryPrice": a.entry,
                 "breakEvenPrice": a.entry, "markPrice": "100.0", "unRealizedProfit": "0.00000000",
                 "liquidationPrice": "0", "isolatedMargin": "0", "notional": "0", "marginAsset": "USDT",
                 "updateTime": now_ms() }])
        .to_string()
    };
    let income = |State(a): State<Shared>, Query(q): Asked1| async move {
        let time = |key: &str| q[key].parse::<u64>().expect("milliseconds");
        let (from, to) = (time("startTime"), time("endTime"));
        let rows: Vec<Value> = of(&a)
            .income
            .iter()
            .filter(|r| r["incomeType"] == q["incomeType"].as_str())
            .filter(|r| (from..=to).contains(&r["time"].as_u64().expect("a time")))
            .cloned()
            .collect();
        Value::from(rows).to_string()
    };
    let order = |State(a): State<Shared>, Query(q): Asked1| async move {
        let a = of(&a);
        let is_it = |o: &&Value| {
            q.get("origClientOrderId").is_some_and(|id| o["clientOrderId"] == id.as_str())
                || q.get("orderId").is_some_and(|id| o["orderId"].as_u64() == id.parse().ok())
        };
        match a.orders.iter().find(is_it) {
            Some(order) => (StatusCode::OK, order.to_string()),
            None => (StatusCode::BAD_REQUEST, r#"{"code":-2013,"msg":"Order does not exist."}"#.to_owned()),
        }
    };
    let place = |State(a): State<Shared>, Query(q): Asked1| async move { of(&a).fills(&q).to_string() };
    let trades = |State(a): State<Shared>| async move { Value::from(of(&a).trades.clone()).to_string() };
    let nothing = || async { "[]" };
    let ticket = || async { r#"{"listenKey":"pqia91ma19a5s61cv6a81va65sdf19v8a65a1a5s61cv6a81va65sdf19v8a65a1"}"# };
    let kept = || async { "{}" };
    let private = |upgrade: axum::extract::ws::WebSocketUpgrade| async {
        // It says nothing: what happens is asked for.
        upgrade.on_upgrade(|mut socket| async move { while let Some(Ok(_)) = socket.recv().await {} })
    };
    Router::new()
        .route("/fapi/v3/balance", get(balance))
        .route("/fapi/v3/positionRisk", get(position))
        .route("/fapi/v1/income", get(income))
        .route("/fapi/v1/order", get(order).post(place))
        .route("/fapi/v1/userTrades", get(trades))
        .route("/fapi/v1/openOrders", get(nothing))
        .route("/fapi/v1/openAlgoOrders", get(nothing))
        .route("/fapi/v1/listenKey", axum::routing::post(ticket).put(kept))
        .route("/private/ws/{ticket}", get(private))
        .with_state(shared)
}

/// A venue with an account, and where its session keeps things.
struct Desk {
    account: Shared,
    at: SocketAddr,
    dir: tempfile::TempDir,
}

impl Desk {
    fn new(account_begins: Account) -> Self {
        let shared = Arc::new(Mutex::new(account_begins));
        let venues = Venues { first: trading("100.0", 600_000), second: trading("100.0", 0) };
        let at = venues.open_with(account(Arc::clone(&shared)).merge(super::halted()));
        let desk = Self { account: shared, at, dir: tempfile::tempdir().expect("a folder") };
        let key = desk.dir.path().join("key.json");
        std::fs::write(&key, json!({"id": "bot", "secret": "s3cret"}).to_string()).expect("written");
        #[cfg(unix)]
        std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("a mode");
        desk
    }

    fn tape(&self) -> PathBuf {
        self.dir.path().join("t.tape")
    }

    fn registry() -> Registry {
        Registry::new().with::<BuyOnce>().with::<BuyLater>().with::<Listener>()
    }

    fn settings(&self, plugin: &str) -> Settings {
        let mut settings = Settings::default();
        settings.session.feed = Feed::Venue;
        settings.session.on_stop = bellwether::config::OnStop::Keep;
        settings.backtest.instruments = vec![SYMBOL.parse().expect("a symbol")];
        settings.backtest.kinds = vec!["trades".to_owned()];
        settings.account.cash = "1USDT".to_owned();
        settings.account.kind = Some(bellwether_sdk::AccountKind::Margin);
        settings.strategy = vec![StrategySettings { plugin: plugin.to_owned(), ..StrategySettings::default() }];
        settings.key.push(KeySettings {
            account: "binance/main".to_owned(),
            label: "one".to_owned(),
            source: format!("file:{}", self.dir.path().join("key.json").display()),
            ..KeySettings::default()
        });
        let venue = settings.venue.entry("binance_linear".to_owned()).or_default();
        venue.rest_url = Some(format!("http://{}", self.at));
        venue.market_url = Some(format!("ws://{}", self.at));
        venue.account_url = Some(format!("ws://{}", self.at));
        // Orders go by REST.
        venue.trade_url = Some(String::new());
        settings
    }

    /// A session of so many seconds, which goes on with the tape where there is one.
    fn session(&self, plugin: &str, seconds: u64) -> Outcome {
        self.session_on(self.tape(), 1, seconds, &self.settings(plugin))
    }

    /// The same of settings; it may not begin.
    fn session_of(&self, settings: &Settings, seconds: u64) -> Result<Outcome, RunError> {
        self.session_from(self.tape(), 1, seconds, settings)
    }

    /// The same of a number and settings, on a tape.
    fn session_on(&self, tape: PathBuf, number: u64, seconds: u64, settings: &Settings) -> Outcome {
        self.session_from(tape, number, seconds, settings).expect("a session")
    }

    fn session_from(&self, tape: PathBuf, number: u64, seconds: u64, settings: &Settings) -> Result<Outcome, RunError> {
        let resumes = tape.exists();
        let plan = SessionPlan {
            state: Some(self.dir.path().join("state")),
            tape: (!resumes).then(|| tape.clone()),
            watch: false,
            resume: resumes.then(|| tape.clone()),
            ends_after: Some(Duration::from_secs(seconds)),
            program: ("test", ""),
            settings_json: serde_json::to_string(settings).expect("settings"),
            session: number,
            tokens: &crate::signals::desk::token,
        };
        let secret = Arc::new(Credential::new("bot", Scheme::HmacSha256, "s3cret").expect("a key"));
        let key = Key::new("one", "", Scope::Trade, secret, Ts::NONE);
        let signing = Signing::new("binance/main", key, Vec::new());
        let signings = Signings::fixed([("binance_linear".to_owned(), signing)].into());
        let transport = Arc::new(Live::new(LiveSettings::default()).expect("a transport"));
        let around = Surroundings::of_this_machine(transport);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let stop = AtomicBool::new(false);
        let registry = Self::registry();
        let mut watcher = Nobody;
        let run = run::session_in(settings, &registry, plan, Some(signings), &mut watcher, &stop, around);
        runtime.block_on(run).map(|report| report.outcome)
    }

    fn account(&self) -> MutexGuard<'_, Account> {
        of(&self.account)
    }

    fn is_equal_on_replay(&self) -> bool {
        let replay = run::replay(&self.tape(), &Self::registry()).expect("a replay");
        replay.divergence.is_none() && replay.damaged.is_none()
    }
}

fn lines_of(tape: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    run::show(tape, |_, line| {
        lines.push(line.to_owned());
        true
    })
    .expect("a tape");
    lines
}

/// Funding of the outcome, as text.
fn funding(outcome: &Outcome) -> String {
    outcome.funding.to_text(outcome.reporting.scale)
}

fn begun() -> Account {
    Account { balance: 1_000 * 100_000_000, entry: "0.0", ..Account::default() }
}

fn noted(outcome: &Outcome, text: &str) -> bool {
    outcome.notes.iter().any(|n| n.contains(text))
}

#[test]
fn funding_is_booked_as_the_venue_paid_it_once_and_cash_of_contracts_is_compared() {
    let desk = Desk::new(begun());
    // Of before the session: its balance has it already.
    desk.account().changes("FUNDING_FEE", "BTCUSDT", 1, -7);
    let outcome = desk.session("buy_once", 5);
    assert_eq!((outcome.fills.len(), funding(&outcome).as_str()), (1, "0"), "{:?}", outcome.notes);
    desk.account().changes("FUNDING_FEE", "BTCUSDT", 2, -1_234_567);
    desk.account().changes("FUNDING_FEE", "BTCUSDT", 3, 34_567);
    // Of a contract that the session does not trade.
    desk.account().changes("FUNDING_FEE", "ETHUSDT", 4, 0);
    let outcome = desk.session("buy_once", 4);
    assert_eq!(funding(&outcome), "-0.012", "{:?}", outcome.notes);
    assert!(!noted(&outcome, "reconciliation"), "cash is equal with it: {:?}", outcome.notes);
    let outcome = desk.session("buy_once", 4);
    assert_eq!(funding(&outcome), "-0.012", "it was booked again: {:?}", outcome.notes);
    assert!(!noted(&outcome, "reconciliation"), "{:?}", outcome.notes);
    let lines = lines_of(&desk.tape());
    assert_eq!(lines.iter().filter(|l| l.starts_with("effect funding 0 ")).count(), 2, "{lines:?}");
    assert!(desk.is_equal_on_replay());
    let statement = run::statement(&desk.tape(), &Desk::registry()).expect("a statement");
    let paid: Vec<_> =
        statement.payments.iter().map(|p| (p.id.as_str(), p.ours.as_deref(), p.venue.as_deref())).collect();
    assert_eq!(paid, [("2", Some("-0.01234567"), Some("-0.01234567")), ("3", Some("0.00034567"), Some("0.00034567"))]);
    assert!(statement.is_equal(), "{}", run::statement_text(&statement));
    // What the venue has and the tape does not is told.
    desk.account().changes("FUNDING_FEE", "BTCUSDT", 5, -1);
    let statement = run::statement(&desk.tape(), &Desk::registry()).expect("a statement");
    assert_eq!(statement.different(), (0, 1, 0), "{}", run::statement_text(&statement));
    // Of half a tape there is no statement.
    let mut bytes = std::fs::read(desk.tape()).expect("read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(desk.tape(), bytes).expect("written");
    let refused = run::statement(&desk.tape(), &Desk::registry()).map(|_| ()).expect_err("it is damaged");
    assert!(refused.to_string().contains("damaged"), "{refused}");
}

#[test]
fn a_session_on_an_instrument_that_the_venue_halted_does_not_begin() {
    let desk = Desk::new(begun());
    let mut settings = desk.settings("listener");
    settings.venue.entry("binance_linear".to_owned()).or_default().rest_url =
        Some(format!("http://{}/halted", desk.at));
    let refused = desk.session_of(&settings, 1).map(|_| ()).expect_err("it takes no orders");
    assert!(refused.to_string().contains(super::HALTED), "{refused}");
    assert!(!desk.tape().exists(), "nothing began");
}

#[test]
fn a_guard_that_trips_at_the_end_keeps_the_next_session_out() {
    let desk = Desk::new(begun());
    let state = desk.dir.path().join("state");
    let asks = {
        let state = state.clone();
        std::thread::spawn(move || {
            let began = Instant::now();
            while run::running(&state).expect("a look").is_empty() && began.elapsed() < Duration::from_secs(10) {
                std::thread::sleep(Duration::from_millis(20));
            }
            std::thread::sleep(Duration::from_millis(1_500));
            let kill = Asked::Kill { flatten: false, operator: "ann".to_owned(), reason: "drill".to_owned() };
            run::ask(&state, "binance-main", &kill).expect("asked");
        })
    };
    // The kill ends it at once: it has nothing open.
    desk.session("listener", 10);
    asks.join().expect("asked");
    assert_eq!(run::tripped(&state).len(), 1, "the session after it would begin");
}

#[test]
fn what_an_account_lost_today_is_lost_for_its_next_session_too() {
    let desk = Desk::new(begun());
    desk.session("buy_once", 5);
    assert!(!lines_of(&desk.tape()).iter().any(|l| l.starts_with("Earlier")), "nothing was before it");
    // Four hundredths of fees.
    let mut settings = desk.settings("listener");
    settings.risk.daily_loss_max = Some("0.03".parse().expect("a number"));
    let tape = desk.dir.path().join("second.tape");
    let outcome = desk.session_on(tape.clone(), 2, 3, &settings);
    assert!(noted(&outcome, "earlier sessions of the day made -0.04 USDT on the account"), "{:?}", outcome.notes);
    let state = desk.dir.path().join("state");
    assert_eq!(run::tripped(&state).len(), 1, "{:?}", outcome.notes);
    let lines = lines_of(&tape);
    assert_eq!(lines.iter().filter(|l| l.starts_with("Earlier(\"-4")).count(), 1, "{lines:?}");
    assert_eq!(run::replay(&tape, &Desk::registry()).expect("a replay").divergence, None);
    // Whoever arms begins anew.
    run::clear(&state, Some("binance-main")).expect("cleared");
    let outcome = desk.session_on(desk.dir.path().join("third.tape"), 3, 3, &settings);
    assert!(!noted(&outcome, "earlier sessions"), "{:?}", outcome.notes);
    assert_eq!(run::tripped(&state), Vec::new());
}

#[test]
fn money_that_nobody_explains_in_a_contract_account_is_a_difference_of_cash() {
    let desk = Desk::new(begun());
    desk.session("buy_once", 5);
    desk.account().balance += 12_300_000_000;
    let outcome = desk.session("buy_once", 6);
    let told = "USDT: the venue has 1122.96, our books say 999.96";
    assert!(noted(&outcome, told), "{:?}", outcome.notes);
}

#[test]
fn a_position_of_others_stands_aside_with_its_funding_until_a_person_takes_it_over() {
    let desk = Desk::new(Account { position: 2_000, entry: "95.565", ..begun() });
    let outcome = desk.session("listener", 3);
    assert!(noted(&outcome, "2 binance:BTC/USDT:USDT beside this session: left alone"), "{:?}", outcome.notes);
    desk.account().changes("FUNDING_FEE", "BTCUSDT", 7, -500);
    let outcome = desk.session("listener", 3);
    assert_eq!(funding(&outcome), "0");
    assert!(noted(&outcome, "is not ours: it stands aside"), "{:?}", outcome.notes);
    assert!(!noted(&outcome, "reconciliation"), "{:?}", outcome.notes);
    let (state, symbol) = (desk.dir.path().join("state"), SYMBOL.parse().expect("a symbol"));
    let asks = std::thread::spawn(move || {
        let asked = AdoptAsked {
            what: AdoptWhat::Position(symbol),
            strategy: None,
            operator: "ann".to_owned(),
            reason: "mine".to_owned(),
            number: 42,
        };
        let began = Instant::now();
        while run::running(&state).expect("a look").is_empty() {
            assert!(began.elapsed() < Duration::from_secs(10), "it does not begin");
            std::thread::sleep(Duration::from_millis(20));
        }
        // The account is looked at meanwhile.
        std::thread::sleep(Duration::from_millis(2_000));
        run::ask(&state, "binance-main", &Asked::Adopt(Box::new(asked))).expect("asked");
        let asked = Instant::now();
        loop {
            match run::reply(&state, "binance-main") {
                Some(reply) => break reply,
                None => assert!(asked.elapsed() < Duration::from_millis(1_500), "no answer"),
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    let outcome = desk.session("listener", 8);
    let reply = asks.join().expect("asked");
    assert_eq!((reply.number, reply.step.as_str()), (42, "adopted"), "{}", reply.text);
    assert!(reply.text.contains("at 95.565 is of no strategy"), "{}", reply.text);
    assert_eq!(outcome.open_lots.len(), 1);
    assert_eq!(outcome.open_lots[0].qty.to_text(outcome.instruments[0].qty_scale), "2");
    // From now on its funding is ours, and both sides are equal.
    desk.account().changes("FUNDING_FEE", "BTCUSDT", 8, -600);
    let outcome = desk.session("listener", 4);
    assert_eq!(funding(&outcome), "-0.000006", "{:?}", outcome.notes);
    assert!(!noted(&outcome, "reconciliation"), "{:?}", outcome.notes);
    assert!(desk.is_equal_on_replay());
    let statement = run::statement(&desk.tape(), &Desk::registry()).expect("a statement");
    let state: Vec<_> = statement.payments.iter().map(|p| (p.id.as_str(), p.aside)).collect();
    assert_eq!((state, statement.is_equal()), (vec![("7", true), ("8", false)], true));
}

#[test]
fn what_was_due_while_a_session_was_down_opens_nothing_before_the_account_was_looked_at() {
    let desk = Desk::new(begun());
    desk.session("buy_later", 2);
    std::thread::sleep(Duration::from_millis(3_000));
    let outcome = desk.session("buy_later", 3);
    let states: Vec<_> = outcome.orders.iter().map(|o| (o.id.0, o.state.name())).collect();
    assert_eq!(states, [(1, "rejected")], "{:?}", lines_of(&desk.tape()));
    let refusals: Vec<_> = outcome.refusals.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(refusals, ["account_not_understood"]);
    assert!(desk.account().orders.is_empty(), "the venue has it");
    assert!(desk.is_equal_on_replay());
}
