//! When a session lets go: what does not leave any more, and what stays at the venue.

use bellwether_sdk::Ts;

use super::requests::Job;
use super::{Action, Gateway, OrderStatus};
use crate::exchange::VenueError;

impl Gateway {
    /// Orders and changes of orders that have not been handed to their connection yet do not leave: their record could not
    /// be written. Cancels and questions do.
    pub fn forget_unsent(&mut self) {
        let (asked, said, mut unsent) = (&mut self.asked, &mut self.said, Vec::new());
        self.out.retain(|action| {
            let flight = match action {
                Action::Say { act: Some(number), .. } => said.remove(number),
                Action::Http { tag, .. } if asked.get(tag).is_some_and(|f| f.job.makes_risk()) => asked.remove(tag),
                _ => None,
            };
            let stays = flight.is_none();
            unsent.extend(flight.map(|f| f.job));
            stays
        });
        self.turn.retain(|(flight, _)| {
            let stays = !flight.job.makes_risk();
            unsent.extend((!stays).then(|| flight.job.clone()));
            stays
        });
        for job in unsent {
            if let Job::Place(id) = job {
                self.end(id, OrderStatus::Rejected, "not_sent");
            }
        }
    }

    /// Orders are to stay when this process ends: the venue's dead man's switch is taken back.
    pub fn let_orders_stay(&mut self, now: Ts) {
        self.at(now);
        if self.switch_due != Ts::MAX {
            self.switch_due = Ts::MAX;
            self.later(0, Job::Switch(0), 0);
            self.pump();
        }
    }

    /// What came of telling the dead man's switch; a failure is told once, and it is told again at its time.
    pub(super) fn on_switch(&mut self, outcome: Result<(), VenueError>) {
        if let Err(error) = &outcome
            && !self.switch_failed
        {
            self.note(format!("the venue's dead man's switch was not set: {error}"));
        }
        self.switch_failed = outcome.is_err();
    }
}
