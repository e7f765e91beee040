//! Order life: every order of a session, its state, and what filled.
//!
//! Records are small (an order, its fill and its trade take under 300 bytes together): words are interned.



mod record;



pub use record::{FillRecord, OrderRecord, OrderType, TifType, WordId, Words};
