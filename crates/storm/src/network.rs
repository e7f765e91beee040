//! The network between a process and the venue: the transport that a session is given.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use async_trait::async_trait;
use bellwether::exchange::transport::{Frame, Socket, Transport, TransportError};
use bellwether::exchange::{Request, Response};
use tokio::time::Sleep;

use crate::sim::Sim;

/// The network of one life.
pub struct Network {
    /// Whose.
    pub sim: Arc<Sim>,
    /// Which life; the dead are heard by nobody.
    pub life: u64,
}

/// What was asked for, once it is there; the dead wait for ever.
async fn answered<T>(told: Option<tokio::sync::oneshot::Receiver<T>>) -> T {
    if let Some(told) = told
        && let Ok(answer) = told.await
    {
        return answer;
    }
    std::future::pending().await
}

#[async_trait]
impl Transport for Network {
    async fn http(&self, _base: &str, request: &Request) -> Result<Response, TransportError> {
        let told = self.sim.world().requests(self.life, request);
        answered(told).await
    }

    async fn connect(&self, url: &str) -> Result<Box<dyn Socket>, TransportError> {
        let told = self.sim.world().connects(self.life, url);
        let id = answered(told).await?;
        let sleep = Box::pin(tokio::time::sleep(std::time::Duration::ZERO));
        Ok(Box::new(Line { sim: Arc::clone(&self.sim), id, life: self.life, sleep }))
    }
}

/// A connection.
struct Line {
    sim: Arc<Sim>,
    id: u64,
    life: u64,
    sleep: Pin<Box<Sleep>>,
}

#[async_trait]
impl Socket for Line {
    async fn send(&mut self, text: &str) -> Result<(), TransportError> {
        self.sim.world().says(self.life, self.id, text);
        Ok(())
    }

    fn poll_recv(&mut self, context: &mut Context<'_>) -> Poll<Frame> {
        loop {
            let due = match self.sim.world().receives(self.id, context.waker()) {
                Ok(frame) => return Poll::Ready(frame),
                Err(None) => return Poll::Pending,
                Err(Some(due)) => due,
            };
            let at = self.sim.instant(due);
            self.sleep.as_mut().reset(at);
            if self.sleep.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
        }
    }

    async fn close(&mut self) {
        self.sim.world().hangs_up(self.id);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.sim.world().hangs_up(self.id);
    }
}
