//! A circuit's whole state as bytes, and back: what a session goes on from without hearing its tape again.
//!
//! The bytes are each part's fields in a fixed order, in `postcard`'s compact encoding (floats bit for bit), so that equal
//! states are equal bytes. They hold no settings: a circuit is built from those first. No archive format: they are for the
//! very program that wrote them.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::circuit::{Circuit, Door};
use super::core::Engine;
use super::pair::Pair;
use super::swap::{Newcomer, Swap};
use crate::orders::Order;
use crate::risk::Approved;

/// A state cannot be written or taken up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// Something is half done: after the next input it may be otherwise.
    #[error("something is on its way between engine and exchange; try again after the next input")]
    Unsettled,
    /// A strategy does not save its state.
    #[error("strategy {0} saves no state")]
    Unsaved(String),
    /// A strategy failed as it was looked at or saved.
    #[error("strategy {strategy} cannot be saved: {why}")]
    Broken {
        /// Its id.
        strategy: String,
        /// What became of it.
        why: String,
    },
    /// A strategy does not take up what it saved.
    #[error("strategy {strategy} does not take up its state: {why}")]
    Strategy {
        /// Its id.
        strategy: String,
        /// What it says.
        why: String,
    },
    /// The bytes are of another program, or no state.
    #[error("the state does not read: {0}")]
    Form(String),
}

/// Makes again what took a strategy's place, or says why it cannot.
pub type Maker<'a> = &'a mut dyn FnMut(&Swap, &Engine) -> Result<Newcomer, String>;

/// Adds a value.
pub(super) fn put<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) -> Result<(), StateError> {
    *out = postcard::to_extend(value, std::mem::take(out)).map_err(|e| StateError::Form(e.to_string()))?;
    Ok(())
}

/// Takes a value off the beginning.
pub(super) fn get<T: DeserializeOwned>(from: &mut &[u8]) -> Result<T, StateError> {
    let (value, rest) = postcard::take_from_bytes(from).map_err(|e| StateError::Form(e.to_string()))?;
    *from = rest;
    Ok(value)
}

/// Writes and reads fields in one order.
macro_rules! carried {
    ($($field:ident),+ $(,)?) => {
        fn put_fields(&self, out: &mut Vec<u8>) -> Result<(), StateError> {
            $(put(out, &self.$field)?;)+
            Ok(())
        }

        fn get_fields(&mut self, from: &mut &[u8]) -> Result<(), StateError> {
            $(self.$field = get(from)?;)+
            Ok(())
        }
    };
}
pub(super) use carried;

impl Circuit {
    carried!(started, halts, swaps);

    /// Its state, with the orders that were sent to venues: those come back approved by [`take_up`](Self::take_up), and by
    /// nothing else. What waits in [`outgoing`](Self::outgoing) and in the journal is not part of it.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn state(&self, sent: impl ExactSizeIterator<Item = Approved<Order>>) -> Result<Vec<u8>, StateError> {
        let mut out = Vec::new();
        self.put_fields(&mut out)?;
        self.engine().put_state(&mut out)?;
        if let Door::Sim(Pair { sim, .. }) = &self.door {
            put(&mut out, &sim.state().ok_or(StateError::Unsettled)?)?;
        }
        put(&mut out, &sent.len())?;
        for order in sent {
            put(&mut out, order.get())?;
        }
        Ok(out)
    }

    /// Takes up a state that a circuit of equal settings had, with strategies that took others' places from `make`; gives the
    /// orders that had been sent. After an error the circuit is good for nothing.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn take_up(&mut self, mut state: &[u8], make: Maker<'_>) -> Result<Vec<Approved<Order>>, StateError> {
        let from = &mut state;
        self.get_fields(from)?;
        self.engine_mut().get_state(from, make)?;
        if let Door::Sim(Pair { sim, .. }) = &mut self.door {
            sim.take_up(get(from)?);
        }
        let count: usize = get(from)?;
        let sent = (0..count).map(|_| get(from).map(Approved::before)).collect::<Result<_, _>>()?;
        if from.is_empty() { Ok(sent) } else { Err(StateError::Form(format!("{} bytes are left over", from.len()))) }
    }
}
