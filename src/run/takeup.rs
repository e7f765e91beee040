//! A session is taken up again: what its tape knows of it, and of the orders that it had sent.

use std::collections::BTreeMap;
use std::path::Path;

use bellwether_sdk::{InstrumentId, OrderId, Ts};

use super::RunError;
use super::session::{Session, Taping};
use super::tapes::{self, TapeRun};
use crate::config::Settings;
use crate::engine::Told;
use crate::exchange::gateway::{Adopted, Earlier, Paid};
use crate::host::Registry;
use crate::risk::Hold;
use crate::tape::{Mode, VenueNote};

impl TakenUp {
    /// A session that begins.
    pub(super) fn new(session: Session, number: u64) -> Self {
        Self {
            session,
            number,
            earlier: Vec::new(),
            taken: Vec::new(),
            paid: Paid::new(),
            funding_since: BTreeMap::new(),
            aside: Vec::new(),
            last: OrderId(0),
        }
    }
}

/// A session as its tape left it.
pub(super) struct TakenUp {
    pub(super) session: Session,
    /// The upper half of its client order ids.
    pub(super) number: u64,
    /// The orders that it had sent to venues.
    pub(super) earlier: Vec<Earlier>,
    /// The orders of others that it had taken over.
    pub(super) taken: Vec<Adopted>,
    /// Funding that it had booked, and since when it does, by gateway.
    pub(super) paid: Paid,
    pub(super) funding_since: BTreeMap<u64, Ts>,
    /// What it had noted of the venues' accounts.
    pub(super) aside: Vec<VenueNote>,
    /// The last number that it had given to an order.
    pub(super) last: OrderId,
}

/// Takes a session up where its tape ended.
pub(super) fn take_up(
    path: &Path,
    registry: &Registry,
    settings: &Settings,
    mode: Mode,
    taping: Taping,
) -> Result<TakenUp, RunError> {
    let (reader, TapeRun { mut session, start, cut, .. }) =
        tapes::resumable(path, registry, settings, mode, &taping.program)?;
    let sent = session.sent.as_ref();
    let aside = sent.map(|s| s.aside()).unwrap_or_default();
    let taken = sent.map(|s| s.taken(session.circuit.engine())).unwrap_or_default();
    let (paid, funding_since) = sent.map(|s| (s.paid(), s.funding_since())).unwrap_or_default();
    let earlier = sent.filter(|_| !planted!("forget_on_restart"));
    let earlier = earlier.map(|s| s.known(session.circuit.engine())).unwrap_or_default();
    let last = OrderId(session.circuit.engine().next_order().0.saturating_sub(1));
    session.resume_tape(reader, &start, cut, taping)?;
    let now = session.now;
    session.tell(Told::Resume(now))?;
    // Books are from before: they begin again with their snapshots. Before the first input there is no time to lose them at.
    let heard = now != Ts::NONE;
    if mode == Mode::Live && heard {
        // What was due while it was down is due at once, on prices of before: it opens nothing until the account has been
        // looked at.
        session.tell(Told::Hold(Hold::Account, true, now))?;
    }
    for i in (0..session.circuit.engine().view().instruments.len()).filter(|_| heard) {
        session.tell(Told::BookLost(InstrumentId(i as u16), now))?;
    }
    Ok(TakenUp { session, number: start.session, earlier, taken, paid, funding_since, aside, last })
}
