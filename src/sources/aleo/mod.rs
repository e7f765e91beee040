//! Aleo: what its chain tells as features, and campaigns whose conditions are looked up on it. Read-only, no key.

mod campaign;
mod chain;
mod links;

pub use campaign::{Attested, Campaign, CampaignError, Chain, Check, Checklist, Explorer, Mark, Row, Step};
pub use chain::{Block, Use, block, credits, features};
pub use links::{Official, Unofficial};
