//! `explain`: why a run traded at a moment, or why it did not.

use bellwether::config::{Settings, parse_time};
use bellwether::engine::What;
use bellwether::host::Registry;
use bellwether::run::{self, Moment, Question, View, Word};
use bellwether_sdk::Ts;
use clap::Args;
use serde_json::{Value, json};

use crate::args::Global;
use crate::failure::{Code, Failure};
use crate::watch::time;
use crate::{interrupt, out, record};

/// `explain`
#[derive(Debug, Args)]
#[command(after_help = "\
The run is made again up to the moment; what is told is what stood after the last market event at or before it. Without a
moment, after the last event of all.

Examples:
  bellwether explain last
  bellwether explain last --at 2023-03-24T12:00:00Z
  bellwether explain session.tape --at 2025-03-25T23:07:10Z --json")]
pub(crate) struct ExplainArgs {
    /// The run (an id, a beginning of one, `last`, a file of `--json`) or a tape (a file that ends in .tape).
    run: String,
    /// The moment, UTC: 2024-01-01T12:00:00Z or milliseconds since 1970; may be given several times [default: the end].
    #[arg(long, value_name = "TIME")]
    at: Vec<String>,
    /// Only this strategy.
    #[arg(long, value_name = "ID")]
    strategy: Option<String>,
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(global: &Global, args: &ExplainArgs, registry: &Registry) -> Result<(), Failure> {
    let read = |text: &String| parse_time(text).map_err(|why| Failure::new(Code::Usage, format!("--at {text}: {why}")));
    let mut asked = args.at.iter().map(read).collect::<Result<Vec<Ts>, Failure>>()?;
    if asked.is_empty() {
        asked.push(Ts::MAX);
    }
    let moments = moments(global, args, registry, &Question { at: &asked, strategy: args.strategy.as_deref() })?;
    if let Some(id) = args.strategy.as_ref().filter(|_| moments.iter().all(|m| m.views.is_empty())) {
        return Err(Failure::bad(format!("the run has no strategy {id:?}")));
    }
    if args.json {
        return out::json(&json!({"schema_version": 1, "moments": moments.iter().map(value).collect::<Vec<_>>()}));
    }
    out::answer(&moments.iter().map(text).collect::<Vec<_>>().join("\n"))
}

fn moments(
    global: &Global,
    args: &ExplainArgs,
    registry: &Registry,
    question: &Question<'_>,
) -> Result<Vec<Moment>, Failure> {
    if args.run.ends_with(".tape") {
        return Ok(run::explain_tape(&record::find_tape(global, &args.run)?, registry, question)?);
    }
    let stored = record::find(global, &args.run)?;
    if let Some(tape) = &stored.run.tape {
        return Ok(run::explain_tape(std::path::Path::new(tape), registry, question)?);
    }
    let settings: Settings = record::settings_of(&stored)?;
    Ok(run::explain_run(&settings, registry, question, interrupt::listen()?)?)
}

fn text(moment: &Moment) -> String {
    let asked = if moment.asked == Ts::MAX { "the end".to_owned() } else { time(moment.asked) };
    let mut text = format!("At {asked}\n  after       {} ({})\n", moment.event, time(moment.at));
    for view in &moment.views {
        text.push_str(&format!("  {} on {}\n", view.strategy, view.instrument));
        text.push_str(&format!(
            "    account     position {}, last {}, {} orders open\n",
            view.position,
            if view.last.is_empty() { "–" } else { &view.last },
            view.orders_open
        ));
        for (name, value) in &view.probe.values {
            text.push_str(&format!("    sees        {name} = {value}\n"));
        }
        for (name, value, trigger) in &view.probe.conditions {
            let distance = trigger - value;
            text.push_str(&format!("    condition   {name}: now {value}, acts at {trigger}, distance {distance}\n"));
        }
        if view.probe.conditions.is_empty() {
            text.push_str("    condition   declares none, or is still warming up\n");
        }
    }
    text.push_str(&format!("  verdict     {}\n", verdict(moment)));
    for said in &moment.said {
        let whose = whose(said);
        text.push_str(&format!("  {:<11} {} ({whose})\n", said.what.name(), said.text));
    }
    let other = |label: &str, said: &Option<Word>| {
        said.as_ref()
            .map(|s| format!("  {label:<11} {} {} ({}, {})\n", s.what.name(), s.text, whose(s), time(s.at)))
            .unwrap_or_default()
    };
    text.push_str(&other("before", &moment.before));
    text.push_str(&other("after it", &moment.after));
    text
}

fn whose(said: &Word) -> String {
    format!("{} on {}", said.strategy, said.instrument)
}

/// One sentence: what happened, or why nothing did.
fn verdict(moment: &Moment) -> String {
    let last = |what: What| moment.said.iter().rfind(|s| s.what == what);
    if let Some(refused) = last(What::Refused) {
        return refused.text.clone();
    }
    if let Some(order) = last(What::Order) {
        return format!("it traded: {}", order.text);
    }
    if let Some(dropped) = last(What::Dropped) {
        return format!("it asked, and {}", dropped.text);
    }
    if last(What::Signal).is_some() {
        return "it gave a signal".to_owned();
    }
    let nearest = moment.views.iter().flat_map(|v| v.probe.conditions.iter().map(move |c| (v, c)));
    let waits: Vec<String> = nearest.map(|(v, c)| wait(v, c)).collect();
    if waits.is_empty() { "it did not ask for anything".to_owned() } else { format!("no signal: {}", waits.join("; ")) }
}

fn wait(view: &View, (name, value, trigger): &(&'static str, f64, f64)) -> String {
    format!("{} waits for {name} to reach {trigger}, it is {value}", view.strategy)
}

fn value(moment: &Moment) -> Value {
    let number = |v: f64| serde_json::Number::from_f64(v).map_or(Value::Null, Value::Number);
    let said = |s: &Word| {
        json!({
            "ts": s.at.nanos().to_string(),
            "strategy": s.strategy,
            "instrument": s.instrument,
            "what": s.what.name(),
            "text": s.text,
        })
    };
    json!({
        "asked_ts": if moment.asked == Ts::MAX { Value::Null } else { json!(moment.asked.nanos().to_string()) },
        "event_ts": if moment.at == Ts::NONE { Value::Null } else { json!(moment.at.nanos().to_string()) },
        "event_time": time(moment.at),
        "event": moment.event,
        "verdict": verdict(moment),
        "strategies": moment.views.iter().map(|v| json!({
            "strategy": v.strategy,
            "instrument": v.instrument,
            "last": v.last,
            "position": v.position,
            "orders_open": v.orders_open,
            "values": v.probe.values.iter().map(|(n, x)| json!({"name": n, "value": number(*x)})).collect::<Vec<_>>(),
            "conditions": v.probe.conditions.iter().map(|(n, x, t)| json!({
                "name": n, "value": number(*x), "trigger": number(*t), "distance": number(t - x),
            })).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
        "said": moment.said.iter().map(said).collect::<Vec<_>>(),
        "before": moment.before.as_ref().map(said),
        "after": moment.after.as_ref().map(said),
    })
}
