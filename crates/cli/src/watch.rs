//! A session as people see it: one living line at the foot of a terminal, plain log lines elsewhere.

use std::time::{Duration, Instant};

use bellwether::run::{Status, Watcher};
use bellwether_sdk::Ts;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often the status is told where nobody draws it anew.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// Shows a session on stderr.
pub(crate) struct Screen {
    mode: &'static str,
    feed: String,
    bar: Option<ProgressBar>,
    told: Option<Instant>,
}

impl Screen {
    /// A screen for a mode whose data comes from `feed`.
    pub(crate) fn new(mode: &'static str, feed: String) -> Self {
        let bar = crate::out::watched().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template("{wide_msg}") {
                bar.set_style(style);
            }
            bar
        });
        Self { mode, feed, bar, told: None }
    }

    /// Takes the living line away.
    pub(crate) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn line(&self, status: &Status) -> String {
        let mut parts = vec![format!("{} {}", self.mode, time(status.now))];
        for row in &status.rows {
            let last = if row.last.is_empty() { "no price yet" } else { &row.last };
            parts.push(format!("{} {last} pos {}", row.symbol, row.position));
        }
        parts.push(format!("{} open, {} fills", status.orders_open, status.fills));
        let profit = status.equity - status.start_equity;
        parts.push(format!("{profit:+.2} {}", status.currency));
        if let Some(age) = status.feed_age_ns {
            parts.push(format!("feed {}.{} s", age / 1_000_000_000, age / 100_000_000 % 10));
        }
        if !status.feed.is_empty() {
            parts.push(status.feed.clone());
        }
        for (strategy, probe) in &status.waiting {
            if let Some((name, value, trigger)) = probe.conditions.first() {
                parts.push(format!("{strategy} waits: {name} {value:.4} (acts at {trigger})"));
            }
        }
        parts.push(self.feed.clone());
        parts.join(" | ")
    }
}

impl Watcher for Screen {
    fn status(&mut self, status: &Status) {
        let line = self.line(status);
        match &self.bar {
            Some(bar) => {
                bar.set_message(line);
                bar.tick();
            }
            None if self.told.is_none_or(|t| t.elapsed() >= TELL_EVERY) => {
                self.told = Some(Instant::now());
                crate::out::tell(&line);
            }
            None => {}
        }
    }

    fn effect(&mut self, at: Ts, line: &str) {
        let line = line.rsplit_once(" at ").map_or(line, |(what, _)| what);
        let text = format!("{} {line}", time(at));
        match &self.bar {
            Some(bar) => bar.println(text),
            None => crate::out::tell(&text),
        }
    }
}

/// The time of day, UTC, to milliseconds.
pub(crate) fn time(at: Ts) -> String {
    match jiff::Timestamp::from_nanosecond(i128::from(at.nanos())) {
        Ok(stamp) if at != Ts::NONE => stamp.strftime("%F %T%.3fZ").to_string(),
        _ => "before the first event".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_how_old_the_newest_market_data_is() {
        let status = |feed_age_ns| Status {
            now: Ts::from_nanos(1_000),
            rows: Vec::new(),
            equity: 1_001.5,
            start_equity: 1_000.0,
            currency: "USDT".to_owned(),
            orders_open: 1,
            orders: 2,
            fills: 1,
            events: 9,
            waiting: Vec::new(),
            feed: "STALE for 12 s".to_owned(),
            feed_age_ns,
        };
        let screen = Screen { mode: "live", feed: "binance".to_owned(), bar: None, told: None };
        let line =
            |age| screen.line(&status(age)).split(" | ").skip(1).map(str::to_owned).collect::<Vec<_>>().join(" | ");
        assert_eq!(line(Some(12_345_678_901)), "1 open, 1 fills | +1.50 USDT | feed 12.3 s | STALE for 12 s | binance");
        assert_eq!(line(None), "1 open, 1 fills | +1.50 USDT | STALE for 12 s | binance");
    }
}
