//! `strategy swap` and `strategy set`: change a strategy of a session that runs.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bellwether::host::{Registry, is_file};
use bellwether::run::{self, Asked, ChangeAsked, Reply};
use clap::Args;
use serde_json::json;

use crate::args::Global;
use crate::failure::{Code, Failure};
use crate::{out, record, strategies};

/// `strategy swap`
#[derive(Debug, Args)]
pub(super) struct SwapArgs {
    /// The session, as `bellwether stop` names it: `paper-…`, or venue and account.
    session: String,
    /// The file of the new version, or the name of another strategy.
    file: String,
    /// Do not give it the state of the one before: warm it up by what the session heard.
    #[arg(long, conflicts_with = "with_state")]
    without_state: bool,
    /// Give it that state although it has another name.
    #[arg(long)]
    with_state: bool,
    /// Change a parameter too.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    params: Vec<String>,
    #[command(flatten)]
    how: HowArgs,
}

/// `strategy set`
#[derive(Debug, Args)]
pub(super) struct SetArgs {
    /// The session, as `bellwether stop` names it: `paper-…`, or venue and account.
    session: String,
    /// Parameters: `fast=10 slow=30`.
    #[arg(required = true, value_name = "NAME=VALUE")]
    params: Vec<String>,
    #[command(flatten)]
    how: HowArgs,
}

#[derive(Debug, Args)]
struct HowArgs {
    /// Which strategy of the session, by its id, where there are several.
    #[arg(long, value_name = "ID")]
    strategy: Option<String>,
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

/// Runs `strategy swap`.
pub(super) fn swap(global: &Global, args: &SwapArgs, registry: &Registry) -> Result<(), Failure> {
    let file = if is_file(&args.file) { run::file_for_session(&args.file)? } else { args.file.clone() };
    // What cannot be loaded here is not asked of the session, and what it compiles is compiled for both.
    let entry = strategies::entry(registry, &file)?;
    let asked = ChangeAsked {
        file: Some(file),
        sha256: Some(entry.sha256).filter(|sha256| !sha256.is_empty()),
        params: params(&args.params)?,
        without_state: args.without_state,
        with_state: args.with_state,
        ..ChangeAsked::default()
    };
    ask(global, &args.session, asked, &args.how)
}

/// Runs `strategy set`.
pub(super) fn set(global: &Global, args: &SetArgs) -> Result<(), Failure> {
    ask(global, &args.session, ChangeAsked { params: params(&args.params)?, ..ChangeAsked::default() }, &args.how)
}

fn params(given: &[String]) -> Result<BTreeMap<String, String>, Failure> {
    let pair = |text: &String| match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_owned(), value.trim().to_owned())),
        _ => Err(Failure::new(Code::Usage, format!("{text:?} is no parameter; write NAME=VALUE"))),
    };
    given.iter().map(pair).collect()
}

/// Asks a session for a change, and tells what came of it.
fn ask(global: &Global, session: &str, asked: ChangeAsked, how: &HowArgs) -> Result<(), Failure> {
    let state = record::running(global, session)?;
    let number = record::question_number();
    let asked = ChangeAsked { number, strategy: how.strategy.clone(), operator: how.operator.clone(), ..asked };
    run::ask(&state, session, &Asked::Change(Box::new(asked)))?;
    let answer = |what: &str, Reply { step, text, .. }: Reply| match how.json {
        true => out::json(&json!({"schema_version": 1, "session": session, "step": step, "text": text})),
        false => out::answer(&format!("{what}: {text}\n")),
    };
    let began = Instant::now();
    let mut put_in = false;
    loop {
        let last = run::reply(&state, session);
        if put_in && last.as_ref().is_some_and(|reply| reply.number != number) {
            return Err(Failure::new(
                Code::Failed,
                "it was put in its place, and another change came after it".to_owned(),
            )
            .help("`bellwether tape show` tells whether it was kept until then"));
        }
        let said = last.filter(|reply| reply.number == number);
        put_in |= said.as_ref().is_some_and(|reply| reply.step == "in");
        let over = began.elapsed() >= Duration::from_secs(how.wait);
        match said {
            Some(reply) if reply.step == "kept" => return answer("done", reply),
            Some(reply) if reply.step == "refused" || reply.step == "taken back" => {
                let text = format!("{}: {}; the one before goes on", reply.step, reply.text);
                return Err(Failure::new(Code::Refused, text));
            }
            Some(reply) if over => return answer("in its place, and waits for its first event", reply),
            None if over => {
                return Err(Failure::new(
                    Code::Failed,
                    format!("after {} seconds {session} has not answered", how.wait),
                )
                .help("it may still do it; look at what it says, or at `bellwether tape show`"));
            }
            _ => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}
