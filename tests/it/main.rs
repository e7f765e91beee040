//! Stories that cross doors: one binary, a module per story.

mod conservation;
mod desk;
mod fills;
mod orders;
mod rooms;
mod stored;
