//! The open sockets of a driver.

use std::task::Poll;

use super::Of;
use crate::exchange::machine::Link;
use crate::exchange::transport::{Frame, Socket};

/// Open sockets. Those of gateways are looked at first; among feeds the turn goes round.
#[derive(Default)]
pub(super) struct Sockets {
    open: Vec<(Of, Link, Box<dyn Socket>)>,
    turn: usize,
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
            let order = (0..first_feed).chain((0..feeds).map(|k| first_feed + (self.turn + k) % feeds));
            for i in order {
                let (of, link, socket) = &mut self.open[i];
                if let Poll::Ready(frame) = socket.poll_recv(context) {
                    if matches!(of, Of::Feed(_)) {
                        self.turn = (i - first_feed + 1) % feeds;
                    }
                    return Poll::Ready((*of, *link, frame));
                }
            }
            Poll::Pending
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
