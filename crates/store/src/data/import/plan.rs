//! Which column of a foreign file means what: from its header, from `--columns`, or from a preset of a known format.

use std::cmp::Ordering;
use std::path::Path;

use bellwether_sdk::{InstrumentKind, Interval, Symbol};

use super::ImportSpec;
use crate::data::error::DataError;
use crate::data::time::TimeUnit;
use crate::market::Kind;

/// What a column means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    Ts,
    /// The time of day, where the date stands in a column of its own.
    Clock,
    TsVenue,
    /// The last unit of time of a Binance kline.
    CloseTime,
    Open,
    High,
    Low,
    Close,
    Volume,
    QuoteVolume,
    Trades,
    TakerBase,
    TakerQuote,
    Price,
    Qty,
    SignedQty,
    Side,
    BuyerIsMaker,
    Id,
    Bid,
    BidQty,
    Ask,
    AskQty,
    UpdateId,
    BidClose,
    AskClose,
    Symbol,
    Rate,
    Mark,
    Seq,
    Snapshot,
    FirstId,
    LastId,
    PrevId,
    TradeKind,
}

impl Role {
    /// What it is, for people.
    fn words(self) -> String {
        match self {
            Self::Ts | Self::Clock => "time".to_owned(),
            Self::TsVenue => "venue's time".to_owned(),
            other => format!("{other:?}").to_lowercase(),
        }
    }
}

const ROLES: usize = Role::TradeKind as usize + 1;

/// How the columns of a file become rows of one kind.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) kind: Kind,
    /// Names for messages; numbers where the file has no header.
    pub(super) names: Vec<String>,
    index: [Option<usize>; ROLES],
    pub(super) ts_unit: Option<TimeUnit>,
    pub(super) venue_unit: Option<TimeUnit>,
    /// The kind of numbers that ids are, where a venue has several.
    pub(super) id_space: &'static str,
    /// Integer times may only be in these units.
    pub(super) units_allowed: &'static [TimeUnit],
    /// Columns of a recognised header that nothing is made of.
    pub(super) unused: Vec<String>,
}

/// A role, the unit that its name states, and how strongly the name means it.
type Meaning = (Role, Option<TimeUnit>, u8);

fn time_meaning(name: &str) -> Option<Meaning> {
    let (stem, unit) = match name.rsplit_once('_') {
        Some((stem, unit)) => match unit.parse() {
            Ok(unit) => (stem, Some(unit)),
            Err(_) => (name, None),
        },
        None => (name, None),
    };
    let (role, rank) = match stem {
        "ts_recv" | "ts_received" | "local_timestamp" | "recv_time" => (Role::Ts, 5),
        "ts_exact" => (Role::Ts, 4),
        "ts" | "timestamp" | "time" | "date" | "datetime" | "ts_open" | "open_time" | "transact_time" | "calc_time" => {
            (Role::Ts, 3)
        }
        "ts_venue" => (Role::TsVenue, 3),
        "ts_tx" | "transaction_time" => (Role::TsVenue, 2),
        "ts_event" | "event_time" => (Role::TsVenue, 1),
        _ => return None,
    };
    Some((role, unit, rank))
}

fn meaning(name: &str) -> Option<Meaning> {
    let role = match name {
        "open" | "o" => Role::Open,
        "high" | "h" => Role::High,
        "low" | "l" => Role::Low,
        "close" | "c" => Role::Close,
        "volume" | "vol" | "v" => Role::Volume,
        "quote_volume" | "quote_asset_volume" => Role::QuoteVolume,
        "trades" | "count" | "number_of_trades" => Role::Trades,
        "taker_buy_base" | "taker_buy_volume" | "taker_buy_base_asset_volume" => Role::TakerBase,
        "taker_buy_quote" | "taker_buy_quote_volume" | "taker_buy_quote_asset_volume" => Role::TakerQuote,
        "price" => Role::Price,
        "qty" | "quantity" | "size" | "amount" => Role::Qty,
        "side" | "taker_side" | "aggressor" => Role::Side,
        "buyer_is_maker" | "is_buyer_maker" | "isbuyermaker" => Role::BuyerIsMaker,
        "trade_id" | "id" | "agg_trade_id" => Role::Id,
        "id_text" => return Some((Role::Id, None, 2)),
        "bid" | "bid_px" | "bid_price" | "best_bid_price" | "best_bid" => Role::Bid,
        "bid_qty" | "bid_size" | "bid_sz" | "bid_amount" | "best_bid_qty" => Role::BidQty,
        "ask" | "ask_px" | "ask_price" | "best_ask_price" | "best_ask" => Role::Ask,
        "ask_qty" | "ask_size" | "ask_sz" | "ask_amount" | "best_ask_qty" => Role::AskQty,
        "update_id" => Role::UpdateId,
        "bid_close" => Role::BidClose,
        "ask_close" => Role::AskClose,
        "symbol" | "ticker" | "instrument" => Role::Symbol,
        "funding_rate" | "rate" | "last_funding_rate" => Role::Rate,
        "mark_price" | "mark" => Role::Mark,
        "seq" | "msg" => Role::Seq,
        "is_snapshot" | "snapshot" => Role::Snapshot,
        "first_id" | "first_update_id" => Role::FirstId,
        "final_id" | "last_id" | "last_update_id" | "final_update_id" => Role::LastId,
        "prev_final_id" | "prev_id" | "prev_last_id" => Role::PrevId,
        "kind" => Role::TradeKind,
        _ if name.starts_with("signed_qty") => Role::SignedQty,
        _ => return time_meaning(name),
    };
    Some((role, None, 3))
}

/// A name as it is looked up: what is no letter or digit counts as one `_`.
fn plain(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    let mut parts = lower.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty());
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |name, part| name + "_" + part)
}

/// `volume_btc` of BTC/USDT is its volume, `volume_usdt` that in the quote currency.
fn volume_of(name: &str, symbol: &Symbol) -> Option<Meaning> {
    let code = name.strip_prefix("volume_").or_else(|| name.strip_suffix("_volume"))?;
    // The quantity of an inverse contract is in neither.
    let role = match code {
        _ if symbol.kind() == InstrumentKind::Inverse => return None,
        _ if code.eq_ignore_ascii_case(symbol.base()) => Role::Volume,
        _ if code.eq_ignore_ascii_case(symbol.quote()) => Role::QuoteVolume,
        _ => return None,
    };
    Some((role, None, 2))
}

/// The roles of which rows of a kind are made.
fn used(kind: Kind) -> &'static [Role] {
    use Role::{
        Ask, AskClose, AskQty, Bid, BidClose, BidQty, BuyerIsMaker, Clock, Close, CloseTime, FirstId, High, Id, LastId,
        Low, Mark, Open, PrevId, Price, Qty, QuoteVolume, Rate, Seq, Side, SignedQty, Snapshot, Symbol, TakerBase,
        TakerQuote, TradeKind, Trades, Ts, TsVenue, UpdateId, Volume,
    };
    match kind {
        Kind::Trades => &[Ts, Clock, TsVenue, Symbol, Price, Qty, SignedQty, Side, BuyerIsMaker, Id, TradeKind],
        Kind::Quotes => &[Ts, Clock, TsVenue, Symbol, Bid, BidQty, Ask, AskQty, UpdateId, BidClose, AskClose],
        Kind::Bars(_) => {
            &[Ts, Clock, Symbol, CloseTime, Open, High, Low, Close, Volume, QuoteVolume, Trades, TakerBase, TakerQuote]
        }
        Kind::Depth => &[Ts, Clock, TsVenue, Symbol, Side, Price, Qty, Seq, Snapshot, FirstId, LastId, PrevId],
        Kind::Funding => &[Ts, Clock, Symbol, Rate, Mark],
    }
}

impl Plan {
    fn empty(kind: Kind, names: Vec<String>) -> Self {
        Self {
            kind,
            names,
            index: [None; ROLES],
            ts_unit: None,
            venue_unit: None,
            id_space: "",
            units_allowed: &TimeUnit::ALL,
            unused: Vec::new(),
        }
    }

    /// The column of a role.
    #[inline]
    pub(super) fn at(&self, role: Role) -> Option<usize> {
        self.index[role as usize]
    }

    pub(super) fn has(&self, role: Role) -> bool {
        self.at(role).is_some()
    }

    /// The count of columns every row must have.
    pub(super) fn width(&self) -> usize {
        self.names.len()
    }

    /// Whether bars of bid and offer are to become quotes at their closes.
    pub(super) fn quotes_from_bars(&self) -> bool {
        self.kind == Kind::Quotes && (self.has(Role::BidClose) || self.has(Role::AskClose))
    }

    fn set(&mut self, (role, unit, _): Meaning, column: usize) {
        self.index[role as usize] = Some(column);
        match role {
            Role::Ts => self.ts_unit = unit,
            Role::TsVenue => self.venue_unit = unit,
            _ => {}
        }
    }

    /// From a header whose names are recognised.
    pub(super) fn from_header(path: &Path, names: Vec<String>, spec: &ImportSpec) -> Result<Self, DataError> {
        let mut plan = Self::empty(Kind::Trades, names);
        let mut ranks = [0u8; ROLES];
        let mut rivals = Vec::new();
        let known: Vec<String> = plan.names.iter().map(|n| plain(n)).collect();
        let apart = ["date", "time"].iter().all(|part| known.iter().any(|name| name == part));
        for (column, name) in known.iter().enumerate() {
            let meaning = match name.as_str() {
                "time" if apart => Some((Role::Clock, None, 3)),
                _ => meaning(name).or_else(|| volume_of(name, &spec.instrument)),
            };
            let Some((role, unit, rank)) = meaning else { continue };
            match rank.cmp(&ranks[role as usize]) {
                Ordering::Greater => {
                    ranks[role as usize] = rank;
                    plan.set((role, unit, rank), column);
                }
                Ordering::Equal => rivals.push((role, rank, column)),
                Ordering::Less => {}
            }
        }
        // A better column for the time needs no time of day beside it.
        if plan.at(Role::Ts).is_some_and(|c| known[c] != "date") {
            plan.index[Role::Clock as usize] = None;
        }
        plan.choose_kind(path, spec.told())?;
        let rival =
            rivals.iter().find(|(role, rank, _)| used(plan.kind).contains(role) && *rank == ranks[*role as usize]);
        if let Some((role, _, second)) = rival {
            return Err(plan.two(path, *role, *second));
        }
        let taken: Vec<usize> = used(plan.kind).iter().filter_map(|role| plan.at(*role)).collect();
        plan.unused = (0..plan.names.len()).filter(|c| !taken.contains(c)).map(|c| plan.name_or_number(c)).collect();
        Ok(plan)
    }

    fn name_or_number(&self, column: usize) -> String {
        self.names.get(column).filter(|n| !n.is_empty()).cloned().unwrap_or_else(|| (column + 1).to_string())
    }

    /// Two columns mean the same.
    fn two(&self, path: &Path, role: Role, second: usize) -> DataError {
        let first = self.at(role).or(self.at(Role::Ts)).unwrap_or(second);
        let names = [first, second].map(|c| self.name_or_number(c));
        DataError::Columns {
            path: path.to_owned(),
            found: format!("its columns {:?} and {:?} may both be the {}", names[0], names[1], role.words()),
            remedy: "leave one out, or name all columns to take with --columns ROLE=NAME,…".to_owned(),
        }
    }

    /// From a mapping such as `ts=date,close=AAPL`; the right side is a header name or a column number from 1.
    pub(super) fn from_mapping(
        path: &Path,
        names: Vec<String>,
        mapping: &str,
        kind: Option<Kind>,
    ) -> Result<Self, DataError> {
        let mut plan = Self::empty(Kind::Trades, names);
        for part in mapping.split(',').filter(|p| !p.trim().is_empty()) {
            let wrong = |what: String| {
                let remedy = format!(
                    "write --columns ROLE=NAME,…, as in {} (a NAME may be a column number from 1)",
                    plan.example()
                );
                DataError::spec(format!("reading --columns {mapping:?}: {what}"), remedy)
            };
            let (role, name) = part.split_once('=').ok_or_else(|| wrong(format!("{part:?} has no '='")))?;
            let meaning =
                meaning(role.trim()).ok_or_else(|| wrong(format!("{role:?} is not a role a column can have")))?;
            let name = name.trim();
            let by_number = || name.parse::<usize>().ok().filter(|n| (1..=plan.names.len()).contains(n)).map(|n| n - 1);
            let column =
                plan.names.iter().position(|n| n == name).or_else(by_number).ok_or_else(|| DataError::Columns {
                    path: path.to_owned(),
                    found: format!("it has no column {name:?}; its columns are {}", listed(&plan.names)),
                    remedy: "correct --columns".to_owned(),
                })?;
            plan.set(meaning, column);
        }
        plan.choose_kind(path, kind)?;
        Ok(plan)
    }

    /// A known order of columns, each named by what it means (`-` for none).
    pub(super) fn preset(kind: Kind, names: Vec<String>, roles: &[Option<Role>], id_space: &'static str) -> Self {
        let mut plan = Self::empty(kind, names);
        for (column, role) in roles.iter().enumerate() {
            if let Some(role) = role {
                plan.index[*role as usize] = Some(column);
            }
        }
        plan.id_space = id_space;
        plan
    }

    /// Decides what the rows are, unless told, and that nothing needed is missing.
    fn choose_kind(&mut self, path: &Path, told: Option<Kind>) -> Result<(), DataError> {
        self.kind = match told {
            Some(kind) => kind,
            None => self
                .guess_kind()
                .ok_or_else(|| self.unknown(path, "they do not tell what kind of data it is".to_owned()))?,
        };
        // A file stamped by the venue alone: that is its time.
        if !self.has(Role::Ts) && self.has(Role::TsVenue) {
            self.index[Role::Ts as usize] = self.index[Role::TsVenue as usize].take();
            self.ts_unit = self.venue_unit.take();
        }
        self.demand(path)
    }

    fn guess_kind(&self) -> Option<Kind> {
        let has = |role| self.has(role);
        if has(Role::Rate) {
            return Some(Kind::Funding);
        }
        let messages = has(Role::FirstId) || has(Role::LastId) || has(Role::Snapshot);
        if has(Role::Side) && has(Role::Price) && messages && !has(Role::Id) {
            return Some(Kind::Depth);
        }
        if has(Role::Close) {
            return Some(Kind::Bars(Interval::MINUTE));
        }
        if has(Role::Bid) || has(Role::Ask) || has(Role::BidClose) || has(Role::AskClose) {
            return Some(Kind::Quotes);
        }
        (has(Role::Price) && (has(Role::Qty) || has(Role::SignedQty))).then_some(Kind::Trades)
    }

    fn demand(&self, path: &Path) -> Result<(), DataError> {
        let (bid, ask) =
            (self.has(Role::Bid) || self.has(Role::BidClose), self.has(Role::Ask) || self.has(Role::AskClose));
        let needed: &[(&str, bool)] = match self.kind {
            Kind::Trades => {
                &[("price", self.has(Role::Price)), ("qty", self.has(Role::Qty) || self.has(Role::SignedQty))]
            }
            Kind::Quotes => &[("bid or ask", bid || ask)],
            Kind::Bars(_) => &[("close", self.has(Role::Close))],
            Kind::Depth => {
                &[("side", self.has(Role::Side)), ("price", self.has(Role::Price)), ("qty", self.has(Role::Qty))]
            }
            Kind::Funding => &[("funding_rate", self.has(Role::Rate))],
        };
        let ts = [("ts", self.has(Role::Ts))];
        let all = ts.iter().chain(needed);
        let missing: Vec<&str> = all.filter(|(_, there)| !there).map(|(name, _)| *name).collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(self.unknown(path, format!("for {} there is no column for {}", self.kind, missing.join(", "))))
    }

    fn unknown(&self, path: &Path, what: String) -> DataError {
        DataError::Columns {
            path: path.to_owned(),
            found: format!("in line 1, its columns are {}; {what}", listed(&self.names)),
            remedy: format!("say what they are, as in --columns {}, or --kind", self.example()),
        }
    }

    /// A mapping of two columns of this file, by their names where these can be written so, else by number.
    fn example(&self) -> String {
        let time = self.at(Role::Ts).or(self.at(Role::TsVenue)).unwrap_or(0);
        let value = (0..self.names.len()).rev().find(|c| *c != time).unwrap_or(1);
        let told = |column: usize| {
            let name = self.names.get(column).filter(|n| !n.is_empty() && n.len() < 40);
            let plain = name.filter(|n| !n.contains([',', '=']) && !n.contains(char::is_control));
            plain.cloned().unwrap_or_else(|| (column + 1).to_string())
        };
        format!("ts={},close={}", told(time), told(value))
    }
}

/// Whether a mapping names columns by number only, all of them within the width of the file.
pub(super) fn by_number(mapping: &str, width: usize) -> bool {
    let parts = || mapping.split(',').filter(|p| !p.trim().is_empty());
    let number = |part: &str| part.split_once('=').and_then(|(_, name)| name.trim().parse::<usize>().ok());
    parts().next().is_some() && parts().all(|p| number(p).is_some_and(|n| (1..=width).contains(&n)))
}

/// Names of columns for people, shortened: the first line of a file that is something else may be anything.
pub(super) fn listed(names: &[String]) -> String {
    const SHOWN: usize = 200;
    let all = names.join(", ");
    let plain = |c: char| if c.is_control() { '?' } else { c };
    match all.char_indices().nth(SHOWN) {
        None => all.chars().map(plain).collect(),
        Some(_) => format!("{} … ({} in all)", all.chars().take(SHOWN).map(plain).collect::<String>(), names.len()),
    }
}
