//! A runtime of one's own, for who may wait for an answer over the network.

use tokio::runtime::{Builder, Runtime};

use super::KeyError;

/// Waits for answers. May be dropped where nobody may wait: a session that does not begin drops its sources so.
pub(super) struct Waiting(Option<Runtime>);

impl Waiting {
    /// One for a place, which is named when the system does not give it.
    pub(super) fn new(place: &str) -> Result<Self, KeyError> {
        let runtime = Builder::new_current_thread().enable_all().build();
        runtime.map(|r| Self(Some(r))).map_err(|e| KeyError::source(place, e.to_string()))
    }

    /// Waits for an answer.
    pub(super) fn block_on<F: Future>(&self, answer: F) -> F::Output {
        self.0.as_ref().expect("it is there until it is dropped").block_on(answer)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        // A runtime that is dropped waits for its threads, and panics where that is not allowed.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_may_be_dropped_where_nobody_may_wait() {
        let (inner, outer) = (Waiting::new("here").expect("one"), Waiting::new("there").expect("another"));
        assert_eq!(inner.block_on(async { 7 }), 7);
        outer.block_on(async { drop(inner) });
    }
}
