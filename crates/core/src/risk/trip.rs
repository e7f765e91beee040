//! What the guard remembers: what tripped it, what holds it, who was warned of what.
//!
//! A *trip* stays until a person re-arms the guard. A *hold* lasts as long as what causes it, and whoever knows the
//! cause says when it is over.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use bellwether_sdk::{InstrumentId, Money, Ts};
use serde::{Deserialize, Serialize};

use super::{Level, Limit, Limits, Policy, amount_at};

/// A warning comes when a limit is so full, in basis points, ...
const WARN_BPS: u64 = 8_000;

/// ... and another one only after it was emptier than this.
const CALM_BPS: u64 = 7_000;

/// Why the guard tripped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cause {
    /// A limit.
    Limit(Level),
    /// Somebody pulled the kill switch.
    Kill,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Limit(level) => level.fmt(f),
            Self::Kill => f.write_str("the kill switch was pulled"),
        }
    }
}

/// Why trading is paused by something that the engine does not see itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Hold {
    /// The account at the venue is not understood: see the reconciliation.
    Account,
    /// The venue's clock and ours are too far apart.
    ClockSkew,
    /// The tape cannot be written.
    Tape,
}

impl Hold {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Account, Self::ClockSkew, Self::Tape];

    /// Its name in reports and on the tape.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Account => "account_not_understood",
            Self::ClockSkew => "clock_skew",
            Self::Tape => "tape",
        }
    }

    /// What it means.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Account => "the account at the venue is not the one in the books",
            Self::ClockSkew => "the venue's clock and ours are too far apart",
            Self::Tape => "the tape cannot be written",
        }
    }
}

/// Something that the guard did by itself or was told, for the tape and for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum GuardAct {
    /// A limit is at 80 per cent.
    Warned(Level),
    /// It tripped; this is done about it.
    Tripped(Cause, Policy),
    /// A person armed it again.
    Armed,
    /// Entries are held.
    Held(Hold),
    /// They are no longer.
    Released(Hold),
}

/// The state of a guard.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Memory {
    pub(super) tripped: Option<(Cause, Policy)>,
    pub(super) holds: BTreeSet<Hold>,
    /// By instrument: until when nothing is opened.
    cooling: BTreeMap<InstrumentId, Ts>,
    warned: BTreeSet<(Limit, Option<InstrumentId>)>,
    /// Equity that a UTC day's loss is counted from, once a person has re-armed in that day: the day and the equity.
    day_from: Option<(i64, Money)>,
    /// What earlier sessions made on the account in a day: the day and their sum. Armed again, it counts no more.
    earlier: Option<(i64, Money)>,
    peak: Option<Money>,
    losses: u32,
    acts: Vec<GuardAct>,
}

impl Memory {
    pub(super) fn trip(&mut self, cause: Cause, policy: Policy) {
        match &mut self.tripped {
            // What tripped first stays the cause; a person may ask for more than was done.
            Some((_, done)) if *done >= policy => return,
            Some((_, done)) => *done = policy,
            None => self.tripped = Some((cause, policy)),
        }
        self.acts.push(GuardAct::Tripped(cause, policy));
    }

    /// What tripped is measured anew from here; else it would trip again at once.
    pub(super) fn arm(&mut self, account: &Account) {
        self.tripped = None;
        self.day_from = Some((account.day, account.equity));
        self.earlier = None;
        self.peak = Some(account.equity);
        self.losses = 0;
        self.warned.clear();
        self.acts.push(GuardAct::Armed);
    }

    pub(super) fn hold(&mut self, hold: Hold, on: bool) {
        let changed = if on { self.holds.insert(hold) } else { self.holds.remove(&hold) };
        if changed {
            self.acts.push(if on { GuardAct::Held(hold) } else { GuardAct::Released(hold) });
        }
    }

    pub(super) fn count_earlier(&mut self, account: &Account, made: Money) {
        self.earlier = Some((account.day, made));
    }

    /// What earlier sessions made in this day.
    pub(super) fn earlier(&self, account: &Account) -> Money {
        self.earlier.filter(|(day, _)| *day == account.day).map_or(Money::ZERO, |e| e.1)
    }

    /// What this session made in this day, or since it was armed in it.
    pub(super) fn made(&self, account: &Account) -> Money {
        let from = self.day_from.filter(|(day, _)| *day == account.day).map_or(account.day_start, |d| d.1);
        Money::from_mantissa(account.equity.mantissa().saturating_sub(from.mantissa()))
    }

    pub(super) fn take_acts(&mut self) -> Vec<GuardAct> {
        std::mem::take(&mut self.acts)
    }

    pub(super) const fn has_acts(&self) -> bool {
        !self.acts.is_empty()
    }

    pub(super) fn cooling_left(&self, instrument: InstrumentId, now: Ts) -> Option<i64> {
        self.cooling.get(&instrument).map(|until| until.nanos().saturating_sub(now.nanos())).filter(|left| *left > 0)
    }

    pub(super) fn cool(&mut self, instrument: InstrumentId, until: Ts) {
        self.cooling.insert(instrument, until);
    }

    /// A trade was closed with this profit after fees.
    pub(super) fn count_trade(&mut self, pnl: Money) {
        self.losses = if pnl < Money::ZERO { self.losses.saturating_add(1) } else { 0 };
    }

    /// The levels of the limits that trip.
    pub(super) fn trip_levels(&self, limits: &Limits, account: &Account) -> impl Iterator<Item = Level> + use<> {
        let scale = account.scale;
        let level = |limit, used: i128, max: u128, scale| Level {
            limit,
            instrument: None,
            used: Money::from_mantissa(used.max(0)),
            max: Money::from_mantissa(i128::try_from(max).unwrap_or(i128::MAX)),
            scale,
        };
        let equity = account.equity.mantissa();
        let lost = self.made(account).mantissa().saturating_add(self.earlier(account).mantissa()).saturating_neg();
        let daily = limits.daily_loss_max.map(|max| level(Limit::DailyLoss, lost, amount_at(max, scale), scale));
        let peak = self.peak.unwrap_or(account.equity).mantissa().max(equity);
        // Per cent with two digits, rounded down.
        let fallen = if peak > 0 { (peak - equity).saturating_mul(10_000) / peak } else { 0 };
        let drawdown = limits.drawdown_pct_max.map(|max| level(Limit::Drawdown, fallen, amount_at(max, 2), 2));
        let losses = limits.losses_in_row_max.map(|max| Level::count(Limit::LossesInRow, None, self.losses, max));
        [daily, drawdown, losses].into_iter().flatten()
    }

    /// Looks at the limits that trip.
    pub(super) fn watch(&mut self, limits: &Limits, account: &Account) {
        self.peak = Some(self.peak.map_or(account.equity, |p| p.max(account.equity)));
        let levels: Vec<Level> = self.trip_levels(limits, account).collect();
        for level in levels {
            // A loss that reaches its limit trips: there is no order that could be kept below it.
            if level.used >= level.max && level.used > Money::ZERO {
                if self.tripped.is_none() {
                    self.trip(Cause::Limit(level), limits.on_trip);
                }
            } else {
                self.warn(level);
            }
        }
    }

    /// Warns of a limit that is nearly full, once until it is emptier.
    pub(super) fn warn(&mut self, level: Level) {
        let (key, filled) = ((level.limit, level.instrument), level.filled_bps());
        if filled >= WARN_BPS {
            if self.warned.insert(key) {
                self.acts.push(GuardAct::Warned(level));
            }
        } else if filled < CALM_BPS {
            self.warned.remove(&key);
        }
    }
}

/// How the account stands, in reporting currency.
#[derive(Debug, Clone, Copy, Default)]
pub struct Account {
    /// Equity, open positions at their marks.
    pub equity: Money,
    /// Equity at the start of the UTC day.
    pub day_start: Money,
    /// The UTC day, counted from 1970.
    pub day: i64,
    /// Digits of both.
    pub scale: u8,
}
