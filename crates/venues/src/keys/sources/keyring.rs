//! A key in the keyring of the system: Keychain, Credential Manager, Secret Service. `keyring:SERVICE/USER`; what is kept
//! there is the JSON of a key file.

use keyring::v1::Entry;
use secrecy::ExposeSecret;
use zeroize::Zeroizing;

use super::{Marker, Source, Stage};
use crate::keys::{KeyError, Material};

/// `keyring:SERVICE/USER`.
pub(super) struct KeyringSource {
    place: String,
    marker: Marker,
}

impl KeyringSource {
    pub(super) fn new(place: &str) -> Result<Self, KeyError> {
        Ok(Self { place: place.to_owned(), marker: Marker::new()? })
    }
}

fn entry(place: &str) -> Result<Entry, KeyError> {
    let wrong = |why: String| KeyError::source(format!("keyring:{place}"), why);
    let (service, user) = place.split_once('/').ok_or_else(|| wrong("write keyring:SERVICE/USER".to_owned()))?;
    Entry::new(service, user).map_err(|e| wrong(format!("{e}; on Linux a session with a Secret Service is needed")))
}

/// The text that is kept at a place.
pub(super) fn read(place: &str) -> Result<Zeroizing<String>, KeyError> {
    let text = entry(place)?.get_password();
    text.map(Zeroizing::new).map_err(|e| KeyError::source(format!("keyring:{place}"), e.to_string()))
}

impl Source for KeyringSource {
    fn place(&self) -> String {
        format!("keyring:{}", self.place)
    }

    fn is_remote(&self) -> bool {
        true
    }

    fn mark(&mut self) -> Result<String, KeyError> {
        // Keyrings have no versions, and keys of one account may share their public id (Hyperliquid's do).
        Ok(self.marker.mark(&read(&self.place)?))
    }

    fn fetch(&mut self, _stage: Stage) -> Result<Material, KeyError> {
        let text = read(&self.place)?;
        Material::parse(&text).map_err(|why| KeyError::source(self.place(), why))
    }

    fn store(&mut self, material: &Material) -> Result<(), KeyError> {
        let text = material.to_json();
        let stored = entry(&self.place)?.set_password(text.expose_secret());
        stored.map_err(|e| KeyError::source(self.place(), e.to_string()))
    }
}
