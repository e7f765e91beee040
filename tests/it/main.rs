//! Stories that cross doors: one binary, a module per story.

mod conservation;
mod desk;
mod fills;
mod l2;
mod orders;
mod rooms;
mod sandbox;
mod stored;
