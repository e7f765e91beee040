//! One-line set-up: a catalog of rising hourly bars, stored signals, a run of the strategy that follows them.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use bellwether::config::{Settings, StrategySettings};
use bellwether::data::news::{self, Line};
use bellwether::data::{self, Catalog, Format, ImportSpec};
use bellwether::host::Registry;
use bellwether::keys::{KeyError, Token};
use bellwether::run::{self, RunError, RunReport, SessionPlan, Status, Watcher};
use bellwether_sdk::Ts;
use strategy_follow::Follow;

const START_MS: i64 = 1_704_067_200_000; // 2024-01-01
const HOUR_MS: i64 = 3_600_000;

/// An hour of 2024-01-01.
pub fn at_hour(hour: u32) -> String {
    format!("2024-01-{:02}T{:02}:00:00Z", 1 + hour / 24, hour % 24)
}

/// The same as engine time.
pub fn ts(hour: i64) -> Ts {
    Ts::from_millis(START_MS + hour * HOUR_MS)
}

/// A signal of one unit, made and known at an hour.
pub fn signal(id: &str, direction: &str, hour: u32) -> String {
    let at = at_hour(hour);
    format!(
        r#"{{"id":"{id}","instrument":"test:AAA/USD","direction":"{direction}","qty":"1","tags":["t"],"made":"{at}","received":"{at}"}}"#
    )
}

pub struct Desk {
    pub folder: tempfile::TempDir,
}

impl Desk {
    /// 48 hourly bars; the open of hour `h` is 100 + `h`.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let bar = |i: i64| {
            let (ts, price) = (START_MS + i * HOUR_MS, 100 + i);
            format!("{ts},{price}.00,{}.00,{price}.00,{}.00,5\n", price + 1, price + 1)
        };
        let bars: String = (0..48).map(bar).collect();
        let file = folder.path().join("bars.csv");
        std::fs::write(&file, format!("ts_ms,open,high,low,close,volume\n{bars}")).expect("file");
        let mut catalog = Catalog::open_or_create(&folder.path().join("catalog")).expect("catalog");
        let spec = ImportSpec::new(Format::Csv, "test:AAA/USD".parse().expect("symbol"));
        data::import(&mut catalog, &spec, &[file], &mut |_| {}, &AtomicBool::new(false)).expect("import");
        Self { folder }
    }

    pub fn catalog(&self) -> PathBuf {
        self.folder.path().join("catalog")
    }

    pub fn store(&self, name: &str, lines: &[String]) {
        let lines: Vec<Line> = lines.iter().map(|l| Line::parse(l).expect("a line")).collect();
        news::import(&self.catalog(), name, lines).expect("stored");
    }

    pub fn append(&self, name: &str, line: &str) {
        news::append(&self.catalog(), name, &[Line::parse(line).expect("a line")]).expect("stored");
    }

    pub fn registry(&self) -> Registry {
        Registry::new().with::<Follow>()
    }

    pub fn settings(&self) -> Settings {
        let mut settings = Settings::default();
        settings.data.dir = self.catalog();
        settings.signals.replay = vec!["provider".to_owned()];
        settings.session.pace = 0;
        settings.strategy = vec![StrategySettings { plugin: "follow".to_owned(), ..Default::default() }];
        settings
    }

    pub fn backtest(&self, change: impl FnOnce(&mut Settings)) -> Result<RunReport, RunError> {
        let mut settings = self.settings();
        change(&mut settings);
        run::backtest(&settings, &self.registry(), &AtomicBool::new(false))
    }

    pub fn paper(&self, tape: Option<&Path>, change: impl FnOnce(&mut Settings)) -> Result<RunReport, RunError> {
        let mut settings = self.settings();
        change(&mut settings);
        let plan = plan(tape, &settings);
        run::paper(&settings, &self.registry(), plan, &mut Blind, &AtomicBool::new(false))
    }
}

/// A session's plan with a tape.
pub fn plan(tape: Option<&Path>, settings: &Settings) -> SessionPlan<'static> {
    SessionPlan {
        state: None,
        tape: tape.map(Path::to_owned),
        watch: false,
        resume: None,
        ends_after: None,
        program: ("test", "none"),
        settings_json: serde_json::to_string(settings).expect("settings"),
        session: 1,
        tokens: &token,
    }
}

/// Every token is the word `open sesame`.
pub fn token(_: &str, _: &str) -> Result<Token, KeyError> {
    Ok(Token::new("open sesame"))
}

/// Nobody watches.
pub struct Blind;

impl Watcher for Blind {
    fn status(&mut self, _: &Status) {}
    fn effect(&mut self, _: Ts, _: &str) {}
}

/// How many signals were dropped for a reason.
pub fn dropped(outcome: &bellwether::engine::Outcome, reason: &str) -> u64 {
    outcome.signals_dropped.iter().filter(|(name, _)| name == reason).map(|(_, count)| count).sum()
}
