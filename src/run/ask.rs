//! Questions that people ask a running session, and what they are answered.

use std::fmt::Write as _;

use bellwether_sdk::Ts;

use super::session::status;
use crate::engine::Engine;
use crate::signal::{Body, News};
use crate::sources::Question;

/// The answer to a question about how things stand; `None` for what is to be done first.
pub(super) fn answer(question: Question, engine: &Engine) -> String {
    let status = status(engine, engine.reporting(), engine.start_equity());
    let mut text = String::new();
    // Writing to a string cannot fail.
    let mut line = |words: String| {
        let _ = writeln!(text, "{words}");
    };
    match question {
        Question::Status => {
            line(format!("{} orders open, {} fills, {} events", status.orders_open, status.fills, status.events));
            line(format!("equity {:.2} {}", status.equity, status.currency));
            if engine.is_paused() {
                line("paused: no position is opened or enlarged".to_owned());
            }
        }
        Question::Why => {
            for (strategy, probe) in &status.waiting {
                for (name, value, trigger) in &probe.conditions {
                    line(format!("{strategy} waits: {name} {value:.4} (acts at {trigger})"));
                }
            }
        }
        Question::Positions => {
            status.rows.iter().for_each(|r| line(format!("{} {} at {}", r.symbol, r.position, r.last)))
        }
        Question::Orders => {
            for order in engine.open_orders() {
                let view = engine.view().instruments.get(order.instrument.index());
                let symbol = view.map_or("?", |v| v.instrument.symbol.as_str());
                let left = view.map_or_else(String::new, |v| order.qty_left.to_text(v.instrument.qty_scale));
                let side = if order.side.sign() > 0 { "buy" } else { "sell" };
                line(format!("{} {side} {left} {symbol}", order.id.0));
            }
        }
        Question::Profit => {
            let profit = status.equity - status.start_equity;
            line(format!("{profit:+.2} {} since the start", status.currency));
        }
        Question::Pause => line("paused: no position is opened or enlarged; /resume goes on".to_owned()),
        Question::Resume => line("resumed".to_owned()),
        Question::Stop => line("the session ends".to_owned()),
    }
    if text.is_empty() { "nothing".to_owned() } else { text }
}

/// What a question wants told to the engine first.
pub(super) fn news_of(question: Question, at: Ts) -> Option<News> {
    let pause = match question {
        Question::Pause => true,
        Question::Resume => false,
        _ => return None,
    };
    Some(News { at, source: "chat".to_owned(), message: format!("{}-{pause}", at.nanos()), body: Body::Pause(pause) })
}
