//! `strategy check`: what can be known of a strategy before it trades.

use bellwether::host::Registry;
use bellwether::run::{self, CheckReport, Verdict};
use clap::Args;
use comfy_table::{Table, presets};
use serde_json::{Value, json};

use crate::args::{Global, RunArgs};
use crate::failure::{Code, Failure};
use crate::plan::{Of, plan};
use crate::{interrupt, out, shipped};

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// Its name, or the file of a component.
    #[arg(conflicts_with = "strategy")]
    name: String,
    /// The same strategy in another form, which has to decide alike: a name or file [default: of a component the native
    /// one of its name, if this program has it].
    #[arg(long, value_name = "NAME")]
    against: Option<String>,
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    run: RunArgs,
}

pub(super) fn run(global: &Global, args: &CheckArgs, registry: &Registry) -> Result<(), Failure> {
    let named = RunArgs { strategy: Some(args.name.clone()), ..args.run.clone() };
    let mut plan = plan(global, &named, registry, Of::Backtest)?;
    shipped::stand_in(global, &mut plan.settings.data.dir)?;
    if !plan.axes.is_empty() {
        return Err(Failure::new(Code::Usage, "a check is of one set of parameters; give single values"));
    }
    let report = run::check(&plan.settings, registry, args.against.as_deref(), interrupt::listen()?)?;
    if args.json {
        out::json(&document(&report))?
    } else {
        out::answer(&text(&report))?
    }
    if report.is_bad() { Err(Failure::silent(Code::Different)) } else { Ok(()) }
}

fn document(report: &CheckReport) -> Value {
    let findings = report.findings.iter();
    let findings: Vec<Value> =
        findings.map(|f| json!({"check": f.check, "verdict": f.verdict.name(), "found": f.found})).collect();
    json!({
        "schema_version": 1,
        "strategy": report.strategy,
        "sha256": if report.sha256.is_empty() { Value::Null } else { json!(report.sha256) },
        "events": report.events,
        "decisions": report.decisions,
        "order_hash": report.order_hash,
        "ok": !report.is_bad(),
        "findings": findings,
    })
}

fn text(report: &CheckReport) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    for finding in &report.findings {
        table.add_row([finding.verdict.name(), finding.check, &finding.found]);
    }
    let count = |verdict| report.findings.iter().filter(|f| f.verdict == verdict).count();
    let (bad, warnings) = (count(Verdict::Bad), count(Verdict::Warning));
    let end = match (bad, warnings) {
        (0, 0) => "all held".to_owned(),
        (0, n) => format!("nothing failed; {n} to look at"),
        (bad, _) => format!("{bad} failed: do not let it trade"),
    };
    format!("{}, {} events\n\n{}\n\n{end}", report.strategy, report.events, table.trim_fmt())
}
