//! The exchange door: the machines in a simulated storm, the driver on a real socket, and the conformance suite, all
//! with a venue of our own making.

mod changeover;
mod conformance;
mod cut;
mod driver;
mod feed;
mod foreign;
mod gateway;
mod halt;
mod limits;
mod outage;
mod own;
mod server;
mod shop;
mod storm;
mod toy;
pub mod world;
