//! A pulse in the text form of Prometheus.

use std::fmt::Write;
use std::time::Duration;

use super::Pulse;

/// The whole page.
pub(super) fn page(pulse: &Pulse, age: Duration) -> String {
    let mut text = String::new();
    let mut one = |name: &str, help: &str, value: f64| {
        head(&mut text, name, help, "gauge");
        line(&mut text, name, &[], value);
    };
    one("pulse_age_seconds", "seconds since the session last said how it stands", age.as_secs_f64());
    one("loop_lag_seconds", "longest that the loop was late since the last pulse", pulse.loop_lag_us as f64 / 1e6);
    one("feed_stale_topics", "topics that are stale", pulse.stale_topics as f64);
    one("queued_orders", "orders that wait for the tape's disk", pulse.queued_orders as f64);
    one("tape_backlog_bytes", "bytes of the tape that wait for the disk", pulse.tape_backlog_bytes as f64);
    one("guard_tripped", "whether the guard has tripped", f64::from(u8::from(pulse.tripped.is_some())));
    one("ready", "whether the session trades as it should", f64::from(u8::from(pulse.ready)));
    if let Some(ms) = pulse.feed_age_ms {
        one("feed_age_seconds", "seconds since the feed last said something", ms as f64 / 1e3);
    }
    for (name, help, value) in [
        ("orders_total", "orders made", pulse.orders as f64),
        ("fills_total", "fills booked", pulse.fills as f64),
        ("events_total", "market events heard", pulse.events as f64),
        ("impossible_answers_total", "answers that were impossible", pulse.impossible_answers as f64),
    ] {
        head(&mut text, name, help, "counter");
        line(&mut text, name, &[], value);
    }
    head(&mut text, "equity", "equity in the reporting currency", "gauge");
    line(&mut text, "equity", &[("currency", &pulse.currency)], pulse.equity);
    head(&mut text, "open_orders", "open orders by state", "gauge");
    for (state, count) in &pulse.open_orders {
        line(&mut text, "open_orders", &[("state", state)], *count as f64);
    }
    head(&mut text, "position", "position, base units", "gauge");
    for (symbol, qty) in &pulse.positions {
        line(&mut text, "position", &[("symbol", symbol)], *qty);
    }
    head(&mut text, "guard_level", "how full a limit is, as a share of it", "gauge");
    for (limit, share) in &pulse.guard {
        line(&mut text, "guard_level", &[("limit", limit)], *share);
    }
    head(&mut text, "hold", "what holds entries", "gauge");
    for hold in &pulse.holds {
        line(&mut text, "hold", &[("cause", hold)], 1.0);
    }
    head(&mut text, "key_uses_total", "requests signed with a key by this session, by purpose", "counter");
    for key in &pulse.keys {
        for (what, count) in &key.uses {
            line(
                &mut text,
                "key_uses_total",
                &[("account", &key.account), ("key", &key.key), ("use", what)],
                *count as f64,
            );
        }
    }
    for (name, label, help, rows) in [
        ("source_total", "source", "what a source of signals counted", &pulse.sources),
        ("sink_total", "sink", "what became of a sink's messages; bytes_waiting is of now", &pulse.sinks),
    ] {
        head(&mut text, name, help, "counter");
        for (of, counts) in rows {
            for (what, count) in counts {
                line(&mut text, name, &[(label, of), ("what", what)], *count as f64);
            }
        }
    }
    text
}

fn head(text: &mut String, name: &str, help: &str, kind: &str) {
    // Writing into a String cannot fail.
    let _ = writeln!(text, "# HELP bellwether_{name} {help}\n# TYPE bellwether_{name} {kind}");
}

fn line(text: &mut String, name: &str, labels: &[(&str, &str)], value: f64) {
    let escaped = |v: &str| v.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let labels: Vec<String> = labels.iter().map(|(k, v)| format!("{k}=\"{}\"", escaped(v))).collect();
    let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
    let _ = writeln!(text, "bellwether_{name}{labels} {value}");
}
