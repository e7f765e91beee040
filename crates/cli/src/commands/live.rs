//! `live`: strategies on a venue's feed, with real orders.

use bellwether::config::{Feed, Foreign, Settings};
use bellwether::host::Registry;
use bellwether::run;
use clap::Args;

use super::paper::{SessionArgs, finish, session_plan};
use crate::args::{Global, RunArgs};
use crate::failure::{Code, Failure};
use crate::plan::plan;
use crate::{interrupt, out, record, watch};

/// `live`
#[derive(Debug, Args)]
#[command(after_help = "\
Real orders need an explicit yes, limits (position, order, orders per minute, loss per day), and a key:
BELLWETHER_KEY_<VENUE>_<ACCOUNT>_ID and …_SECRET (or …_SECRET_FILE) in the environment.

Examples:
  bellwether live --config config/live.toml --testnet
  bellwether live --config config/live.toml --i-understand-this-trades-real-money")]
pub(crate) struct LiveArgs {
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    session: SessionArgs,
    /// The account: the part behind the slash of binance/main.
    #[arg(long, value_name = "NAME")]
    venue_account: Option<String>,
    /// What is done about what is not ours in the account: session.foreign.
    #[arg(long, value_name = "hold|leave|adopt", value_parser = foreign)]
    foreign: Option<Foreign>,
    /// With --foreign adopt: the strategy that others' open orders belong to; none, unless named.
    #[arg(long, value_name = "ID")]
    adopt_for: Option<String>,
    /// Trade on the venues' test networks.
    #[arg(long)]
    testnet: bool,
    /// Trade with keys although their venue does not tell what they may do.
    #[arg(long)]
    accept_unknown_scopes: bool,
    /// Yes, this may trade real money.
    #[arg(long)]
    i_understand_this_trades_real_money: bool,
}

/// Runs the command.
pub(crate) fn run(global: &Global, args: &LiveArgs, registry: &Registry) -> Result<(), Failure> {
    let mut plan = plan(global, &args.run, registry, args.session.of())?;
    if !plan.axes.is_empty() {
        return Err(Failure::new(Code::Usage, "a range or list makes a grid, and a live session is one run"));
    }
    let settings = &mut plan.settings;
    settings.session.feed = Feed::Venue;
    if let Some(account) = &args.venue_account {
        settings.session.account.clone_from(account);
    }
    settings.session.foreign = args.foreign.unwrap_or(settings.session.foreign);
    settings.session.adopt_for = args.adopt_for.clone().or(settings.session.adopt_for.take());
    if args.testnet {
        let symbols = run::symbols(settings)?;
        for key in symbols.iter().filter_map(|s| run::venue_key(s).ok()) {
            settings.venue.entry(key).or_default().testnet = true;
        }
    }
    let yes = args.i_understand_this_trades_real_money || settings.session.real_money || run::plays(settings)?;
    if !yes {
        return Err(Failure::new(Code::Refused, "live mode places real orders at a venue").help(
            "say so with --i-understand-this-trades-real-money (or session.real_money = true), or use --testnet, \
             or `bellwether paper --feed venue`",
        ));
    }
    limits(settings)?;
    for (name, sha256) in &plan.unpinned {
        out::tell(&format!(
            "the file of the strategy {name} is not pinned: write sha256 = \"{sha256}\" under its [[strategy]], and no other \
             content will ever trade"
        ));
    }
    let account = settings.session.account.clone();
    let symbols = run::symbols(settings)?;
    let venues: Vec<String> = symbols.iter().map(run::venue_key).collect::<Result<_, _>>()?;
    let state_dir = bellwether::config::state_dir(settings)?;
    let ring = run::Ring::open(settings, &venues, &state_dir, args.accept_unknown_scopes)?;
    bellwether::keys::no_core_dumps().map_err(|e| Failure::new(Code::Failed, e.to_string()))?;
    let mut watcher = watch::Screen::new("live", format!("account {account}"));
    let session = session_plan(global, &args.session, settings)?;
    let report = run::session(settings, registry, session.as_plan(), Some(ring), &mut watcher, interrupt::listen()?)?;
    watcher.end();
    let store = record::store(global)?;
    finish(global, &args.session, settings, registry, &store, &report)
}

fn foreign(text: &str) -> Result<Foreign, String> {
    match text {
        "hold" => Ok(Foreign::Hold),
        "leave" => Ok(Foreign::Leave),
        "adopt" => Ok(Foreign::Adopt),
        _ => Err("there are hold, leave and adopt".to_owned()),
    }
}

/// Limits that a live session must have.
fn limits(settings: &Settings) -> Result<(), Failure> {
    let risk = &settings.risk;
    let missing: Vec<&str> = [
        ("risk.position_notional_max", risk.position_notional_max.is_some()),
        ("risk.order_notional_max", risk.order_notional_max.is_some()),
        ("risk.orders_per_minute_max", risk.orders_per_minute_max.is_some()),
        ("risk.daily_loss_max", risk.daily_loss_max.is_some()),
    ]
    .into_iter()
    .filter(|(_, set)| !set)
    .map(|(name, _)| name)
    .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Failure::new(
        Code::Refused,
        format!("live mode does not start without limits; not set: {}", missing.join(", ")),
    )
    .help("set them in the file, or with --set risk.position_notional_max=1000 and so on"))
}
