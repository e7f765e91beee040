//! What `wasmtime` makes of the world.

#![allow(missing_docs, clippy::all)]

wasmtime::component::bindgen!({ path: "../guest/wit", world: "strategy" });

pub(crate) use exports::bellwether::strategy::plugin as wit;
