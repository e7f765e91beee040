//! When the venue refuses the key and no other signs: what does not leave any more, what is tried all the same, and how
//! that ends.

use bellwether_sdk::{OrderId, Ts};

use super::held::{Cancelling, Held, State};
use super::requests::Job;
use super::wires::Era;
use super::{Gateway, GatewayEvent, nanos};
use crate::exchange::{Fault, SocketUse, VenueError};
use crate::keys::Signing;

/// What was refused with the key is tried again after so long, milliseconds, and then after twice as long each time, up
/// to 64 times as long.
const REFUSED_MS: u64 = 5_000;

/// How long to wait after so many refusals before, milliseconds.
pub(super) const fn refused_ms(tries: u32) -> u64 {
    REFUSED_MS << if tries < 6 { tries } else { 6 }
}

impl Job {
    /// Whether it goes out in spite of a halt: the connections of the key that is to come end it, and orders must not
    /// stay because a login was refused.
    pub(super) fn goes_in_a_halt(&self) -> bool {
        *self == Self::Ticket(Era::Next) || matches!(self, Self::Cancel(_) | Self::CancelAll(_) | Self::CancelStray(..))
    }
}

impl Gateway {
    /// Why nothing but cancels is sent any more, if so.
    pub fn halted(&self) -> Option<&str> {
        self.halted.as_deref()
    }

    /// Goes on after a halt, with keys that may be others.
    pub fn resume(&mut self, signing: impl Into<Signing>, now: Ts) {
        self.at(now);
        self.signing = signing.into();
        self.keys_seen = self.signing.changes();
        self.wires.key = self.signing.in_force();
        self.go_on();
        self.on_time(now);
    }

    /// Sends again.
    pub(super) fn go_on(&mut self) {
        (self.halted, self.refused) = (None, None);
        self.wires.begin(self.now);
        self.reconcile();
    }

    /// The key was refused.
    pub(super) fn halt(&mut self, why: String) {
        if self.halted.is_none() {
            self.halted = Some(why.clone());
            self.events.push_back(GatewayEvent::Halt(why));
            self.cancel_wanted();
        }
    }

    /// Orders whose end is wanted and that were to be asked about first are cancelled without that: nothing is asked in a
    /// halt.
    fn cancel_wanted(&mut self) {
        let is_wanted =
            |h: &Held| h.cancelling == Cancelling::Wanted && matches!(h.state, State::Unknown | State::Open);
        let live = self.live.iter().copied();
        let wanted: Vec<OrderId> = live.filter(|id| self.orders.get(id).is_some_and(is_wanted)).collect();
        wanted.into_iter().for_each(|id| self.later(0, Job::Cancel(id), 0));
    }

    /// The venue refused the key, and no other signs; the answer to a question will end that, which is asked again as
    /// after so many refusals. It may be the venue's mistake, or pass: where it takes the key again for a question or a
    /// login, so do we. (A key that may read is not taken for one that may trade.)
    pub(super) fn was_refused(&mut self, job: &Job, tries: u32) {
        if self.refused.is_none() {
            self.refused = Some((job.clone(), tries, self.now.plus(nanos(refused_ms(tries)))));
        }
    }

    /// Asks again what was refused, when that is due.
    pub(super) fn ask_refused(&mut self) {
        let Some((job, tries, due)) = self.refused.clone() else { return };
        if due > self.now {
            return;
        }
        // What it was about may have ended.
        let job = if self.ask(&job).is_some() { job } else { Job::Balances };
        self.refused = Some((job.clone(), tries + 1, self.now.plus(nanos(refused_ms(tries + 1)))));
        self.send(job, 0);
    }

    pub(super) fn login_refused(&mut self, at: (Era, SocketUse), error: &VenueError) {
        let which = at.1;
        if error.fault == Fault::ClockSkew {
            self.clock.doubt();
            self.later(0, Job::Time, 0);
        }
        let words = format!("login refused: {error}");
        if error.fault == Fault::Authentication {
            match at.0 {
                Era::Next => return self.next_failed(&words),
                Era::Old => {}
                Era::Now => {
                    let key = self.wires.key.clone();
                    let another = key.is_some_and(|key| self.key_refused(&key, &words));
                    if !another && self.halted.is_none() {
                        self.halt(format!("the venue refused the login of the {which:?} connection: {error}"));
                        // A login is no question: where the balances are told, connections are tried again.
                        self.was_refused(&Job::Balances, self.logins_refused);
                        self.logins_refused += 1;
                    }
                }
            }
        }
        self.kill_wire(at, &words);
    }
}
