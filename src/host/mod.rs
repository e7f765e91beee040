//! Strategies by name: the registry of native plugins, and how one is made from its settings.
//!
//! Native strategies only for now; a WebAssembly host will stand beside it behind the same [`Registry`].

use bellwether_sdk::{ParamError, ParamSpec, ParamValues, Params, Plugin, Strategy};

/// A strategy that can be made by name.
#[derive(Clone, Copy)]
pub struct Entry {
    /// Its name in flags and config.
    pub name: &'static str,
    /// One line for lists.
    pub summary: &'static str,
    /// Whether it emits signals, to be sized by a sizer.
    pub directional: bool,
    /// Its parameters.
    pub specs: fn() -> Vec<ParamSpec>,
    /// Makes one.
    pub make: fn(&ParamValues) -> Result<Box<dyn Strategy>, ParamError>,
}

/// All strategies a program knows, in order of registration.
#[derive(Clone, Default)]
pub struct Registry {
    entries: Vec<Entry>,
}

impl Registry {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with one more strategy; a later one of the same name replaces the earlier.
    #[must_use]
    pub fn with<P: Plugin>(mut self) -> Self {
        self.entries.retain(|e| e.name != P::NAME);
        self.entries.push(Entry {
            name: P::NAME,
            summary: P::SUMMARY,
            directional: P::DIRECTIONAL,
            specs: P::Params::specs,
            make: |values| Ok(Box::new(P::new(P::Params::from_values(values)?)?)),
        });
        self
    }

    /// All entries.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entry of a name.
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|e| e.name == name)
    }
}
