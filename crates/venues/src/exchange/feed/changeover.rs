//! Replacing a connection that the venue will cut, without a gap: the new one is opened and proven before the old one
//! goes.
//!
//! Both carry the same topics for a while. Trades are told by whichever is first, once; everything else by the old one
//! until the new one has shown all that the old one shows, and each of its books is valid and not behind.

use bellwether_sdk::Ts;

use super::lane::{Conn, Place};
use super::{Action, Feed, FeedSink, nanos};

impl Feed {
    /// Opens the successor of a connection when it is time.
    pub(super) fn begin_changeover_if_due(&mut self, lane: usize) {
        let lane_ref = &self.lanes[lane];
        if lane_ref.next.is_none() && self.now >= lane_ref.changeover_at(&self.facts, &self.settings) {
            self.connect(lane, Place::Next);
        }
    }

    /// Lets the successor lead when it is proven; gives it up when it cannot be.
    pub(super) fn change_over_if_proven(&mut self, i: usize, sink: &mut dyn FeedSink) {
        let within = nanos(self.settings.changeover_within_ms);
        let lane = &mut self.lanes[i];
        let (Some(old), Some(new)) = (&lane.current, &mut lane.next) else { return };
        if new.subscribed == Ts::NONE {
            if !new.line.is_subscribed() {
                return;
            }
            new.subscribed = self.now;
        }
        let late = self.now >= new.subscribed.plus(within);
        let valid = new.keepers.iter().flatten().all(|k| k.book().is_valid());
        if late && !valid {
            self.kill(i, Place::Next, "its books did not become valid", sink);
        } else if valid && (late || shows_as_much(new, old)) {
            let gone = std::mem::replace(&mut lane.current, lane.next.take());
            if let Some(gone) = gone {
                self.out.push_back(Action::Close { link: gone.line.link() });
            }
            self.tell_books(i, sink);
        }
    }
}

/// Whether a new connection shows what the old one shows: each topic that the old one was heard of since the new one
/// subscribed, and each book at least as far.
fn shows_as_much(new: &Conn, old: &Conn) -> bool {
    let mut heard_any = false;
    for i in 0..new.heard.len() {
        if let (Some(n), Some(o)) = (&new.keepers[i], &old.keepers[i])
            && o.book().is_valid()
            && n.book().last_id() < o.book().last_id()
        {
            return false;
        }
        heard_any |= new.heard[i] != Ts::NONE;
        if old.heard[i] > new.subscribed && new.heard[i] == Ts::NONE {
            return false;
        }
    }
    heard_any
}
