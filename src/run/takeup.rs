//! A session is taken up again: what its tape knows of it, and of the orders that it had sent.

use std::collections::BTreeMap;
use std::path::Path;

use bellwether_sdk::{InstrumentId, OrderId, OrderState, Qty, Ts};

use super::RunError;
use super::session::Session;
use super::tapes::{self, Ears};
use crate::config::Settings;
use crate::engine::{Command, Told};
use crate::exchange::OrderStatus;
use crate::exchange::gateway::Earlier;
use crate::host::Registry;
use crate::orders::Answer;
use crate::tape::{Mode, OnDisk, TapeReader, VenueNote};

/// A session as its tape left it.
pub(super) struct TakenUp {
    pub(super) session: Session,
    /// The upper half of its client order ids.
    pub(super) number: u64,
    /// The orders that it had sent to venues.
    pub(super) earlier: Vec<Earlier>,
    /// What it had noted of the venues' accounts.
    pub(super) aside: Vec<VenueNote>,
}

/// Hears what a live session had sent, which is not sent again, and what the venue called it.
#[derive(Default)]
struct Sent {
    orders: BTreeMap<OrderId, Earlier>,
    /// The id of a fill whose answer has not been heard: a crash may have come between.
    coming: Option<(OrderId, String)>,
    /// What was noted of the venues' accounts.
    aside: Vec<VenueNote>,
}

impl Ears for Sent {
    fn before(&mut self, told: &Told<'_>, _: &mut Session) {
        let Told::Answer(Answer::Fill { order, .. }, _) = told else { return };
        if let Some((_, trade)) = self.coming.take().filter(|(id, _)| id == order)
            && let Some(earlier) = self.orders.get_mut(order)
        {
            earlier.seen.push(trade);
        }
    }

    fn after(&mut self, session: &mut Session) {
        for command in session.circuit.outgoing() {
            match command {
                Command::Submit(order) => {
                    let reference = session.circuit.engine().view().instruments[order.get().instrument.index()].last;
                    let earlier = Earlier {
                        order,
                        reference,
                        sent: session.now,
                        attempts: 1,
                        accepted: false,
                        cancelled: false,
                        ended: None,
                        filled: Qty::ZERO,
                        seen: Vec::new(),
                    };
                    self.orders.insert(order.get().id, earlier);
                }
                Command::Cancel(id, _) => {
                    if let Some(earlier) = self.orders.get_mut(&id) {
                        earlier.cancelled = true;
                    }
                }
            }
        }
    }

    fn noted(&mut self, note: VenueNote) {
        match note {
            VenueNote::Attempt(id, attempt) => {
                if let Some(earlier) = self.orders.get_mut(&id) {
                    earlier.attempts = attempt;
                }
            }
            VenueNote::Fill(id, trade) => self.coming = Some((id, trade)),
            aside @ VenueNote::Aside(..) => self.aside.push(aside),
        }
    }
}

impl Sent {
    /// With what became of them.
    fn known(self, session: &Session) -> Vec<Earlier> {
        let orders = session.circuit.engine().orders();
        let of = |(id, mut earlier): (OrderId, Earlier)| {
            if planted!("forget_fill_ids") {
                earlier.seen.clear();
            }
            let record = orders.get(id).ok()?;
            earlier.filled = record.filled;
            earlier.accepted = !matches!(record.state, OrderState::Sent | OrderState::Unknown);
            earlier.ended = match record.state {
                OrderState::Filled => Some(OrderStatus::Filled),
                OrderState::Cancelled => Some(OrderStatus::Cancelled),
                OrderState::Rejected => Some(OrderStatus::Rejected),
                OrderState::Expired => Some(OrderStatus::Expired),
                _ => None,
            };
            Some(earlier)
        };
        self.orders.into_iter().filter_map(of).collect()
    }
}

/// Takes a session up where its tape ended.
pub(super) fn take_up(
    path: &Path,
    registry: &Registry,
    settings: &Settings,
    mode: Mode,
    disk: OnDisk<'_>,
) -> Result<TakenUp, RunError> {
    let mut reader = TapeReader::open(path)?;
    let mut sent = Sent::default();
    let tapes::TapeRun { mut session, start, cut, .. } =
        tapes::resumable(&mut reader, registry, settings, mode, &mut sent)?;
    let aside = std::mem::take(&mut sent.aside);
    let earlier = if planted!("forget_on_restart") { Vec::new() } else { sent.known(&session) };
    session.resume_tape(reader, settings.session.durability, cut, disk)?;
    let now = session.now;
    session.tell(Told::Resume(now))?;
    // Books are from before: they begin again with their snapshots. Before the first input there is no time to lose them at.
    let heard = now != Ts::NONE;
    for i in (0..session.circuit.engine().view().instruments.len()).filter(|_| heard) {
        session.tell(Told::BookLost(InstrumentId(i as u16), now))?;
    }
    Ok(TakenUp { session, number: start.session, earlier, aside })
}
