//! `adopt`: a running session takes what others left at the venue into its books.

use std::time::{Duration, Instant};

use bellwether::run::{self, AdoptAsked, AdoptWhat, Asked};
use bellwether_sdk::Symbol;
use clap::Args;
use serde_json::json;

use crate::args::Global;
use crate::failure::{Code, Failure};
use crate::{out, record};

/// `adopt`
#[derive(Debug, Args)]
#[command(after_help = "\
Open orders that are not the session's are told when they are seen. One that is taken over is followed as the session's
own: shown, cancelled by `stop --now` and at the end, its fills booked. What had filled of it before stands aside.
A position in a contract is booked as if it had been opened now at the venue's entry price; a spot account has none.

Examples:
  bellwether adopt binance-main --order 4711 --reason 'placed by hand'
  bellwether adopt binance-main --all-orders --strategy ema_cross --reason 'of the bot before'
  bellwether adopt bybit-main --position bybit:BTC/USDT:USDT --reason 'of the bot before'")]
pub(crate) struct AdoptArgs {
    /// The session, as `bellwether stop` names it: venue and account.
    session: String,
    #[command(flatten)]
    what: WhatArgs,
    /// The strategy that it belongs to from now on, by its id; without it to none.
    #[arg(long, value_name = "ID")]
    strategy: Option<String>,
    /// Why, for the tape.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Who, for the tape.
    #[arg(long, value_name = "NAME", env = "USER", default_value = "unknown")]
    operator: String,
    /// Wait at most so many seconds for what comes of it.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    wait: u64,
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct WhatArgs {
    /// An open order of others, by the venue's id.
    #[arg(long, value_name = "VENUE-ID")]
    order: Option<String>,
    /// All open orders of others that the session has seen.
    #[arg(long)]
    all_orders: bool,
    /// The account's position in a contract.
    #[arg(long, value_name = "SYMBOL")]
    position: Option<Symbol>,
}

/// Runs the command.
pub(crate) fn run(global: &Global, args: &AdoptArgs) -> Result<(), Failure> {
    let state = record::running(global, &args.session)?;
    let number = record::question_number();
    let what = match (&args.what.order, &args.what.position) {
        (Some(id), _) => AdoptWhat::Order(id.clone()),
        (None, Some(symbol)) => AdoptWhat::Position(symbol.clone()),
        (None, None) => AdoptWhat::Orders,
    };
    let asked = AdoptAsked {
        what,
        strategy: args.strategy.clone(),
        operator: args.operator.clone(),
        reason: args.reason.clone(),
        number,
    };
    run::ask(&state, &args.session, &Asked::Adopt(Box::new(asked)))?;
    let began = Instant::now();
    loop {
        match run::reply(&state, &args.session).filter(|reply| reply.number == number) {
            Some(reply) if reply.step == "adopted" && args.json => {
                return out::json(&json!({"schema_version": 1, "session": args.session, "text": reply.text}));
            }
            Some(reply) if reply.step == "adopted" => return out::answer(&format!("{}\n", reply.text)),
            Some(reply) => return Err(Failure::new(Code::Refused, reply.text)),
            None if began.elapsed() >= Duration::from_secs(args.wait) => {
                let text = format!("after {} seconds {} has not answered", args.wait, args.session);
                return Err(Failure::new(Code::Failed, text)
                    .help("it may still do it; look at what it says, or at `bellwether tape show`"));
            }
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}
