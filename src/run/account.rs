//! A live session's account: what it begins with is asked of the venue, and what it becomes is held against the venue's.

use std::collections::BTreeMap;
use std::time::Duration;

use bellwether_sdk::{Decimal, Money, Ts};

use super::RunError;
use super::keeper::Signings;
use super::market::{self, Place};
use super::money::parse_cash;
use super::pilot::Pilot;
use super::reconcile::{self, Books, Look, wide};
use super::supply::Offers;
use crate::config::{Foreign, Settings};
use crate::engine::Told;
use crate::exchange::drive::Desk;
use crate::exchange::gateway::GatewayEvent;
use crate::exchange::machine::ClockOffset;
use crate::exchange::transport::Transport;
use crate::exchange::{Ask, Balance, PaidRow, Position, Reply, Stamp};
use crate::keys::{Signing, Use};
use crate::orders::Answer;
use crate::risk::Hold;
use crate::tape::VenueNote;

/// The account is looked at so often, milliseconds; after every reconnect too.
pub(super) const LOOK_EVERY_MS: u64 = 60_000;
/// What an account holds is asked for so often before a session gives its start up.
const ASK_TRIES: u32 = 4;
/// Something differs that may be on its way: it is looked at again after so long.
const LOOK_AGAIN_MS: u64 = 1_000;
/// It does differ: it is looked at again after so long.
const LOOK_DIFFERENT_MS: u64 = 10_000;

/// The machine's clock, or a simulated one.
pub(super) type WallTime<'a> = &'a dyn Fn() -> Ts;

/// What a venue's account holds: balances and positions.
pub(super) type Holdings = (Vec<Balance>, Vec<Position>);

/// The settings with the cash that the venues have instead of what was written: it is what our books begin with. And
/// what each place holds.
///
/// # Errors
/// [`RunError::Venue`] when a venue does not say; [`RunError::Refused`] when there is none.
pub(super) async fn with_cash_of_venues(
    settings: &Settings,
    places: &[Place],
    offers: &Offers,
    keys: &Signings,
    transport: &dyn Transport,
    clock: WallTime<'_>,
) -> Result<(Settings, Vec<Holdings>), RunError> {
    let instruments: Vec<_> = offers.rows.iter().map(|o| o.instrument.clone()).collect();
    let (_, code) = parse_cash(&settings.account.cash, &instruments)?;
    let (mut texts, mut all) = (Vec::new(), Vec::new());
    for place in places {
        let signing = signing_of(place, keys)?;
        let mut tries = 0;
        let holdings = loop {
            match holdings(place, &signing, transport, clock).await {
                Err(RunError::Venue(_)) if tries < ASK_TRIES => {
                    tries += 1;
                    tokio::time::sleep(Duration::from_millis(200 << tries)).await;
                }
                found => break found?,
            }
        };
        texts.extend(holdings.0.iter().filter(|b| b.currency == code && b.total.is_positive()).map(|b| b.total));
        all.push(holdings);
    }
    let scale = texts.iter().map(|d: &Decimal| d.scale()).max().unwrap_or(0);
    let total = texts.iter().try_fold(0i64, |sum, d| sum.checked_add(d.at_scale(scale).ok()?));
    let total = total.map(|mantissa| Decimal::new(mantissa, scale)).filter(|d| d.is_positive());
    let Some(total) = total else {
        return Err(RunError::Refused(format!(
            "the account {} holds no {code}, in which this session counts; fund it, or name another currency in \
             account.cash",
            settings.session.account
        )));
    };
    let mut settings = settings.clone();
    settings.account.cash = format!("{}{code}", total.normalized());
    Ok((settings, all))
}

/// Settings on a tape, with the cash that was found.
pub(super) fn stored_with_cash(json: &str, cash: &str) -> String {
    let Ok(mut value) = serde_json::from_str::<serde_json::Value>(json) else { return json.to_owned() };
    if let Some(account) = value.get_mut("account").and_then(|a| a.as_object_mut()) {
        account.insert("cash".to_owned(), cash.into());
    }
    value.to_string()
}

/// Who signs at a place.
pub(super) fn signing_of(place: &Place, keys: &Signings) -> Result<Signing, RunError> {
    let facts = place.venue.facts();
    let key = market::settings_key(facts.venue, facts.product);
    keys.at(&key).ok_or_else(|| RunError::Settings(format!("no key of {key} is loaded")))
}

async fn holdings(
    place: &Place,
    signing: &Signing,
    transport: &dyn Transport,
    clock: WallTime<'_>,
) -> Result<Holdings, RunError> {
    let name = place.venue.facts().venue;
    let failed = |what: String| RunError::Venue(format!("{name}: asking what the account holds: {what}"));
    let mut offset = ClockOffset::default();
    let asked = clock();
    if let Reply::Time(venue) = ask(place, &Ask::Time, None, transport).await.map_err(failed)? {
        offset.measure(asked, clock(), venue);
    }
    let Reply::Balances(balances) =
        ask(place, &Ask::Balances, Some((signing, &offset, clock())), transport).await.map_err(failed)?
    else {
        return Err(failed("the answer is of another kind".to_owned()));
    };
    // Where there are no contracts there are no positions.
    if place.venue.ask(&Ask::Positions, &place.listings).is_err() {
        return Ok((balances, Vec::new()));
    }
    match ask(place, &Ask::Positions, Some((signing, &offset, clock())), transport).await.map_err(failed)? {
        Reply::Positions(positions) => Ok((balances, positions)),
        _ => Err(failed("the answer is of another kind".to_owned())),
    }
}

/// One question, signed where a signer is given.
async fn ask(
    place: &Place,
    ask: &Ask,
    signed: Option<(&Signing, &ClockOffset, Ts)>,
    transport: &dyn Transport,
) -> Result<Reply, String> {
    let mut request = place.venue.ask(ask, &place.listings).map_err(|e| e.to_string())?;
    if let Some((signing, offset, ours)) = signed {
        let now = offset.venue_time(ours);
        let nonce = u64::try_from(now.nanos() / 1_000_000).unwrap_or(0);
        let key = signing.key(Use::Account, ours).map_err(|e| e.to_string())?;
        place.venue.sign(&mut request, &*key, Stamp { now, nonce }).map_err(|e| e.to_string())?;
    }
    let answer = transport.http(&place.urls.rest, &request).await.map_err(|e| e.to_string())?;
    place.venue.reply(ask, &answer, &place.listings).map_err(|e| e.to_string())
}

/// The venue's accounts, by the number of their gateways.
#[derive(Default)]
pub(super) struct Accounts {
    pub(super) books: BTreeMap<usize, Books>,
    /// Gateways whose account is understood.
    understood: BTreeMap<usize, bool>,
    /// When each account was last as our books said: older fills are booked.
    equal: BTreeMap<usize, Ts>,
    foreign: Foreign,
    skew_ns_max: Option<i64>,
}

impl Accounts {
    pub(super) fn new(settings: &Settings) -> Self {
        let skew = settings.risk.clock_skew_ms_max.map(|ms| i64::from(ms) * 1_000_000);
        Self { foreign: settings.session.foreign, skew_ns_max: skew, ..Self::default() }
    }

    /// Adds a gateway's account, with what an earlier process had noted of it.
    pub(super) fn add(&mut self, gateway: usize, place: &Place, whole: bool, earlier: &[VenueNote]) {
        let instruments = place.listings.iter().map(|l| l.id).collect();
        let mut books = Books::new(instruments, whole, place.venue.facts().balance_is_wallet);
        for note in earlier {
            if let VenueNote::Aside(number, what, amount) = note
                && usize::try_from(*number) == Ok(gateway)
            {
                books.recall_aside(what, amount);
            }
        }
        self.books.insert(gateway, books);
        self.understood.insert(gateway, false);
    }

    fn is_understood(&self) -> bool {
        self.understood.values().all(|u| *u)
    }
}

impl Pilot<'_, '_> {
    /// What the accounts hold when a session begins stands aside; one that goes on waits until the venue has been
    /// looked at.
    pub(super) fn begin_accounts(&mut self, held: Vec<Holdings>, now: Ts) -> Result<(), RunError> {
        for (number, (balances, positions)) in held.into_iter().enumerate() {
            let Some(books) = self.accounts.books.get_mut(&number) else { continue };
            self.foreigners.see_positions(number, &positions);
            books.on_balances(balances);
            books.on_positions(positions);
            let noted = books.look(self.session.circuit.engine()).map(|(_, noted)| noted).unwrap_or_default();
            for (what, amount) in noted {
                self.session.note(VenueNote::Aside(number as u64, what, amount))?;
            }
            self.tell_aside(number);
            self.accounts.understood.insert(number, true);
        }
        let is_held = self.session.circuit.engine().guard().holds().any(|h| h == Hold::Account);
        if self.accounts.is_understood() || is_held {
            return Ok(());
        }
        self.session.tell(Told::Hold(Hold::Account, true, now.max(self.session.now)))
    }

    /// A gateway told of its account.
    pub(super) fn on_account(&mut self, number: usize, event: GatewayEvent, now: Ts, desk: &mut Desk<'_>) {
        match event {
            GatewayEvent::Balances(rows) => {
                if let Some(books) = self.accounts.books.get_mut(&number) {
                    books.on_balances(rows);
                }
            }
            GatewayEvent::Positions(rows) => {
                self.foreigners.see_positions(number, &rows);
                if let Some(books) = self.accounts.books.get_mut(&number) {
                    books.on_positions(rows);
                }
            }
            GatewayEvent::FeePaid(instrument, fee, code, booked) => {
                let engine = self.session.circuit.engine();
                let settle = engine.view().instruments[instrument.index()].instrument.symbol.settle().to_owned();
                let booked = (booked.mantissa(), engine.money_scale(instrument));
                let books = self.accounts.books.get_mut(&number);
                let noted = books.map(|b| b.fee(&code, fee, &settle, booked)).unwrap_or_default();
                for (what, amount) in noted {
                    self.write(VenueNote::Aside(number as u64, what, amount), desk);
                }
                return;
            }
            GatewayEvent::Paid(row) => return self.on_paid(number, row, now, desk),
            GatewayEvent::Clock(offset, _) => {
                self.note_clock(offset);
                if let Some(max) = self.accounts.skew_ns_max {
                    self.hold(Hold::ClockSkew, offset.saturating_abs() > max, now, desk);
                }
                return;
            }
            _ => return,
        }
        self.look_at(number, now, desk);
    }

    /// The venue has booked funding. It is ours unless a position of others stands aside, or it is in another currency than
    /// our books: then it stands aside too.
    fn on_paid(&mut self, number: usize, row: PaidRow, now: Ts, desk: &mut Desk<'_>) {
        let engine = self.session.circuit.engine();
        let Some(view) = engine.view().instruments.get(row.instrument.index()) else { return };
        let (symbol, scale) = (view.instrument.symbol.clone(), engine.money_scale(row.instrument));
        let books = self.accounts.books.get(&number);
        let aside = books.and_then(|b| b.aside_of(&view.instrument)).unwrap_or_default();
        let is_ours = aside.is_zero() && row.currency.eq_ignore_ascii_case(symbol.settle());
        self.write(VenueNote::Paid(row.instrument, row.id.clone(), row.ts_venue, is_ours), desk);
        let (booked, rest) =
            if is_ours { reconcile::at_scale(row.amount, scale) } else { (Money::ZERO, wide(row.amount)) };
        if is_ours {
            self.tell(Told::Answer(Answer::Funding(row.instrument, booked), now.max(self.session.now)), desk);
        } else {
            self.note(format!("funding of {} {} for {symbol} is not ours: it stands aside", row.amount, row.currency));
        }
        // Digits that our books do not have.
        let noted = self.accounts.books.get_mut(&number).and_then(|b| b.shift(&row.currency, rest));
        if let Some((what, amount)) = noted {
            self.write(VenueNote::Aside(number as u64, what, amount), desk);
        }
    }

    fn look_at(&mut self, number: usize, now: Ts, desk: &mut Desk<'_>) {
        let settled = desk.gateway(number).is_some_and(|g| g.is_settled());
        let Some(books) = self.accounts.books.get_mut(&number) else { return };
        let Some((look, noted)) = books.look(self.session.circuit.engine()) else { return };
        self.note_aside(number, noted, desk);
        let mut again = None;
        match look {
            Look::Equal => {
                self.accounts.equal.insert(number, now);
                // What was not understood is so only when nothing is under way; a busy session always has something.
                let is_clear = settled || self.accounts.understood.get(&number) == Some(&true);
                self.accounts.understood.insert(number, is_clear);
                again = (!is_clear).then_some(LOOK_AGAIN_MS);
            }
            Look::Unsure => again = Some(LOOK_AGAIN_MS),
            Look::Different(differences) => {
                for difference in &differences {
                    self.note(format!("reconciliation: {difference}; cause: a transfer, or a trade that is not ours"));
                }
                if self.accounts.foreign == Foreign::Leave {
                    self.leave_aside(number, desk);
                } else {
                    self.note(
                        "reconciliation: entries wait; `bellwether arm --reason …` leaves what differs alone"
                            .to_owned(),
                    );
                    // What was missed may be a fill of an order that has ended: it is asked for, and again, since what the
                    // venue says of its past may come late too.
                    let was = self.accounts.understood.insert(number, false);
                    again = Some(if was == Some(false) { LOOK_DIFFERENT_MS } else { LOOK_AGAIN_MS });
                }
            }
        }
        if let (Some(wait_ms), Some(gateway)) = (again, desk.gateway(number)) {
            gateway.look_at_account(wait_ms, self.accounts.equal.get(&number).copied(), now);
        }
        self.hold(Hold::Account, !self.accounts.is_understood(), now, desk);
    }

    /// What differs is left alone from now on, at every venue.
    pub(super) fn leave_differences(&mut self, now: Ts, desk: &mut Desk<'_>) {
        let numbers: Vec<usize> = self.accounts.books.keys().copied().collect();
        for number in numbers {
            if self.accounts.understood.get(&number) == Some(&false) {
                self.leave_aside(number, desk);
                if let Some(gateway) = desk.gateway(number) {
                    gateway.look_at_account(0, None, now);
                }
            }
        }
    }

    fn leave_aside(&mut self, number: usize, desk: &mut Desk<'_>) {
        let Some(books) = self.accounts.books.get_mut(&number) else { return };
        let (left, noted) = books.leave();
        for (what, amount) in left {
            self.write(VenueNote::Left(number as u64, what, amount), desk);
        }
        self.note_aside(number, noted, desk);
    }

    pub(super) fn note_aside(&mut self, number: usize, noted: Vec<(String, String)>, desk: &mut Desk<'_>) {
        if noted.is_empty() {
            return;
        }
        for (what, amount) in noted {
            self.write(VenueNote::Aside(number as u64, what, amount), desk);
        }
        self.tell_aside(number);
    }

    fn tell_aside(&mut self, number: usize) {
        let Some(books) = self.accounts.books.get(&number) else { return };
        let aside: Vec<String> = books.aside().map(|(what, amount)| format!("{amount} {what}")).collect();
        if !aside.is_empty() {
            self.note(format!("the account holds {} beside this session: left alone", aside.join(", ")));
        }
    }

    fn hold(&mut self, hold: Hold, on: bool, now: Ts, desk: &mut Desk<'_>) {
        if self.session.circuit.engine().guard().holds().any(|h| h == hold) != on {
            self.tell(Told::Hold(hold, on, now.max(self.session.now)), desk);
        }
    }
}
