//! `signals aleo`: campaigns whose steps are looked up on the chain. Read-only, no key.

use std::path::PathBuf;

use bellwether::config::{AleoSource, SourceSettings};
use bellwether::sources::Api;
use bellwether::sources::aleo::{Campaign, Checklist, Explorer, Mark, Row};
use bellwether_sdk::Ts;
use clap::{Args, Subcommand};
use comfy_table::{Table, presets};

use crate::args::Global;
use crate::failure::{Code, Failure};
use crate::{out, plan};

/// `signals aleo`
#[derive(Debug, Args)]
pub(crate) struct AleoArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// A campaign's checklist: which address has fulfilled what, what is missing, and what cannot be seen.
    #[command(after_help = "\
The file is explained in docs/signals.md. Nothing is signed and no private key is read.

Examples:
  bellwether signals aleo campaign config/signals/campaign.toml
  bellwether signals aleo campaign quest.toml --json")]
    Campaign(CampaignArgs),
}

#[derive(Debug, Args)]
struct CampaignArgs {
    /// The campaign.
    file: PathBuf,
    /// Which `[source.NAME]` of kind aleo names the explorer; the usual one where the settings have none.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(global: &Global, args: &AleoArgs) -> Result<(), Failure> {
    let Command::Campaign(args) = &args.command;
    let place = explorer(global, args.source.as_deref())?;
    let shown = args.file.display();
    let text = std::fs::read_to_string(&args.file).map_err(|e| Failure::bad(format!("reading {shown}: {e}")))?;
    let campaign: Campaign =
        toml_edit::de::from_str(&text).map_err(|e| Failure::bad(format!("{shown}: {}", e.to_string().trim())))?;
    let failed = |e: String| Failure::new(Code::Failed, e);
    let api = Api::open(&place.url, None, place.per_second_max.saturating_mul(60)).map_err(failed)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| failed(e.to_string()))?;
    let now = Ts::from_millis(jiff::Timestamp::now().as_millisecond());
    let chain = Explorer { api: &api, network: &place.network };
    let list = runtime.block_on(campaign.look(&chain, now)).map_err(|e| Failure::bad(format!("{shown}: {e}")))?;
    if args.json { out::json(&list) } else { out::answer(&words(&list)) }
}

/// The explorer of the settings.
fn explorer(global: &Global, wanted: Option<&str>) -> Result<AleoSource, Failure> {
    let settings = plan::settings(global)?.settings;
    let mut all = settings.source.iter().filter_map(|(name, source)| match source {
        SourceSettings::Aleo(of) if wanted.is_none_or(|w| w == name) => Some(of.clone()),
        _ => None,
    });
    match (all.next(), wanted) {
        (Some(found), _) => Ok(found),
        (None, None) => Ok(AleoSource::default()),
        (None, Some(name)) => Err(Failure::bad(format!("the settings have no [source.{name}] of kind aleo"))),
    }
}

/// The checklist as a table, what is to be done after it.
fn words(list: &Checklist) -> String {
    // A campaign's file may come from strangers.
    let plain = |text: &str| text.chars().filter(|c| !c.is_control()).collect::<String>();
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["step", "address", "", "until", "seen"]);
    for row in &list.rows {
        let until = row.deadline.as_deref().unwrap_or("-");
        table.add_row([&row.step, &row.address, row.mark.name(), until, &row.seen].map(plain));
    }
    let mut text = format!("{}\n\n{table}\n", plain(&list.name));
    if let Some(link) = &list.link {
        text.push_str(&format!("\n{link}\n"));
    }
    let left: Vec<&Row> = list.rows.iter().filter(|r| r.mark == Mark::Missing).collect();
    for row in left {
        let link = row.link.as_ref().map_or_else(String::new, |l| format!(" ({l})"));
        text.push_str(&format!("\nmissing for {}: {}{link}", plain(&row.address), plain(&row.title)));
    }
    for refused in &list.refused {
        text.push_str(&format!("\n! {}", plain(refused)));
    }
    text
}
