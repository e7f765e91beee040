//! The open sockets of a driver.

use std::task::{Context, Poll};

use super::Of;
use crate::exchange::machine::Link;
use crate::exchange::transport::{Frame, Socket};

/// After so many frames of gateways in a row feeds are looked at first, once.
const GATEWAY_FRAMES: u32 = 16;

/// Open sockets. Those of gateways are looked at first; among those of gateways, and among those of feeds, the turn goes
/// round: one that always has something to say keeps no other waiting.
#[derive(Default)]
pub(super) struct Sockets {
    open: Vec<(Of, Link, Box<dyn Socket>)>,
    gateway_turn: usize,
    feed_turn: usize,
    gateway_frames: u32,
}

impl Sockets {
    pub(super) fn insert(&mut self, of: Of, link: Link, socket: Box<dyn Socket>) {
        self.open.push((of, link, socket));
        self.open.sort_by_key(|(of, link, _)| (*of, *link));
    }

    pub(super) fn remove(&mut self, of: Of, link: Link) -> Option<Box<dyn Socket>> {
        let at = self.open.iter().position(|(o, l, _)| *o == of && *l == link)?;
        Some(self.open.remove(at).2)
    }

    pub(super) fn get(&mut self, of: Of, link: Link) -> Option<&mut Box<dyn Socket>> {
        self.open.iter_mut().find(|(o, l, _)| *o == of && *l == link).map(|(_, _, socket)| socket)
    }

    /// Waits for the next frame of any. May be dropped without loss.
    pub(super) async fn next(&mut self) -> (Of, Link, Frame) {
        std::future::poll_fn(|context| {
            let first_feed = self.open.partition_point(|(of, ..)| matches!(of, Of::Gateway(_)));
            let feeds = self.open.len() - first_feed;
            let gateways = (0..first_feed).map(|k| (self.gateway_turn + k) % first_feed);
            let of_feeds = (0..feeds).map(|k| first_feed + (self.feed_turn + k) % feeds);
            let ready = if self.gateway_frames < GATEWAY_FRAMES {
                poll_in(&mut self.open, gateways.chain(of_feeds), context)
            } else {
                self.gateway_frames = 0;
                poll_in(&mut self.open, of_feeds.chain(gateways), context)
            };
            let Some((i, frame)) = ready else { return Poll::Pending };
            if i < first_feed {
                self.gateway_turn = i + 1;
                self.gateway_frames += 1;
            } else {
                self.feed_turn = i - first_feed + 1;
                self.gateway_frames = 0;
            }
            Poll::Ready((self.open[i].0, self.open[i].1, frame))
        })
        .await
    }

    pub(super) async fn close_all(&mut self) {
        for (_, _, socket) in &mut self.open {
            socket.close().await;
        }
        self.open.clear();
    }
}

/// The first socket that has a frame, in an order.
fn poll_in(
    open: &mut [(Of, Link, Box<dyn Socket>)],
    order: impl Iterator<Item = usize>,
    context: &mut Context<'_>,
) -> Option<(usize, Frame)> {
    order.into_iter().find_map(|i| match open[i].2.poll_recv(context) {
        Poll::Ready(frame) => Some((i, frame)),
        Poll::Pending => None,
    })
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::*;
    use crate::exchange::transport::TransportError;

    struct Chatty;

    #[async_trait]
    impl Socket for Chatty {
        async fn send(&mut self, _: &str) -> Result<(), TransportError> {
            Ok(())
        }

        fn poll_recv(&mut self, _: &mut Context<'_>) -> Poll<Frame> {
            Poll::Ready(Frame::Text("again".into()))
        }

        async fn close(&mut self) {}
    }

    #[test]
    fn sockets_that_never_fall_silent_all_have_their_turn() {
        let mut sockets = Sockets::default();
        let all = [Of::Gateway(0), Of::Gateway(0), Of::Gateway(1), Of::Feed(0), Of::Feed(0), Of::Feed(1)];
        for (n, of) in all.into_iter().enumerate() {
            sockets.insert(of, Link(n as u32), Box::new(Chatty));
        }
        let mut heard = [0u32; 6];
        for _ in 0..1_700 {
            let next = std::pin::pin!(sockets.next());
            let Poll::Ready((_, link, _)) = next.poll(&mut Context::from_waker(std::task::Waker::noop())) else {
                panic!("all of them have something to say");
            };
            heard[link.0 as usize] += 1;
        }
        let (gateways, feeds) = heard.split_at(3);
        assert!(gateways.iter().all(|n| (530..=536).contains(n)), "{heard:?}");
        assert!(feeds.iter().all(|n| (32..=35).contains(n)), "{heard:?}");
    }
}
