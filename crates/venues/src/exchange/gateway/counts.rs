//! What is done about orders, where the venue counts it per instrument.

use bellwether_sdk::Ts;

use super::Gateway;
use super::held::Cancelling;
use super::requests::Job;
use crate::exchange::Act;

impl Gateway {
    /// Counts an act where the venue does: for each order that it concerns. A change has to wait while the count is
    /// full, and for how long, milliseconds; a new order waited already, and a cancel never does.
    pub(super) fn count_act(&mut self, job: &Job, act: &Act) -> Result<(), u64> {
        if self.facts.act_count.is_none() {
            return Ok(());
        }
        let now = self.now;
        let ids = match job {
            Job::Place(id) | Job::Cancel(id) | Job::Amend(id, _) => vec![*id],
            Job::CancelAll(_) => self.live.iter().copied().collect(),
            _ => Vec::new(),
        };
        for id in ids {
            let Some(held) = self.orders.get_mut(&id) else { continue };
            let instrument = held.order().instrument;
            if matches!(job, Job::CancelAll(of) if *of != instrument || held.cancelling != Cancelling::Sent) {
                continue;
            }
            let age = now.nanos().saturating_sub(held.touched.max(held.sent).nanos()).max(0) / 1_000_000;
            let cost = self.venue.cost(act, age.unsigned_abs());
            if matches!(job, Job::Amend(..)) {
                self.limits.may_act(instrument, cost, now).map_err(|later| wait_until(later, now))?;
                held.touched = now;
            }
            self.limits.acted(instrument, cost, now);
        }
        Ok(())
    }
}

/// Milliseconds until just after a time.
pub(super) fn wait_until(later: Ts, now: Ts) -> u64 {
    u64::try_from(later.nanos().saturating_sub(now.nanos()) / 1_000_000 + 1).unwrap_or(1)
}
