//! Stories about the command itself: it is run as a person or a script runs it.

mod desk;
mod help;
mod pipes;
mod settings;
mod strategies;
