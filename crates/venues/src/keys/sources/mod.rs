//! Where keys come from: one small trait, and a reference in the settings that says which of them and where.
//!
//! A reference names a place, never a secret: `env:`, `file:PATH`, `dir:PATH`, `exec:COMMAND`, `age:PATH`,
//! `keyring:SERVICE/USER`, `vault:MOUNT/PATH`, `aws:SECRET`. The last three are features of the build. Sources read when they are asked to, on a
//! thread that may wait; nobody who trades waits for one.

#[cfg(feature = "age")]
mod age;
#[cfg(feature = "aws")]
mod aws;
mod dir;
mod env;
mod exec;
mod file;
#[cfg(feature = "keyring")]
mod keyring;
#[cfg(feature = "vault")]
mod vault;

use std::collections::BTreeMap;
use std::fmt;

use ring::rand::{SecureRandom, SystemRandom};
use sha2::{Digest, Sha256};

use super::{KeyError, Material};
pub(super) use env::secret;

/// The kinds of sources there are: the word before the colon.
pub const SOURCES: [&str; 8] = ["env", "file", "dir", "exec", "age", "keyring", "vault", "aws"];

/// Which version of a key is asked for, where a source has several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The one in force.
    Current,
    /// One that waits to come into force; the one in force where there is none.
    Pending,
}

/// Why a key is to become another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// It is as old as the settings let it become.
    Age,
    /// It ends soon, or has.
    Expiry,
}

impl Due {
    /// Its word, for commands.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Age => "age",
            Self::Expiry => "expiry",
        }
    }
}

/// A place that holds a key.
pub trait Source: Send {
    /// Where it is, for people.
    fn place(&self) -> String;

    /// Whether looking there costs more than a look at a file: a request, or a command.
    fn is_remote(&self) -> bool {
        false
    }

    /// Something that is another text when the key is another. Not the key: it may be shown.
    ///
    /// # Errors
    /// [`KeyError`].
    fn mark(&mut self) -> Result<String, KeyError>;

    /// The key.
    ///
    /// # Errors
    /// [`KeyError`], without anything of the key in it.
    fn fetch(&mut self, stage: Stage) -> Result<Material, KeyError>;

    /// Asks the place for another key than the one in force, which is due; the one in force where there is none. A place
    /// that cannot make keys gives what it has.
    ///
    /// # Errors
    /// [`KeyError`].
    fn renew(&mut self, _due: Due) -> Result<Material, KeyError> {
        self.fetch(Stage::Pending)
    }

    /// Tells the place that a pending version came into force, where it keeps account of that.
    ///
    /// # Errors
    /// [`KeyError`].
    fn promote(&mut self, _version: &str) -> Result<(), KeyError> {
        Ok(())
    }

    /// Puts a key there, where that can be done.
    ///
    /// # Errors
    /// [`KeyError`].
    fn store(&mut self, _material: &Material) -> Result<(), KeyError> {
        Err(KeyError::source(self.place(), "keys are not put there by this program; put it there yourself"))
    }
}

/// Makes marks of secrets, which say nothing to who does not know its salt.
struct Marker([u8; 32]);

impl Marker {
    fn new() -> Result<Self, KeyError> {
        let mut salt = [0; 32];
        let filled = SystemRandom::new().fill(&mut salt);
        filled.map_err(|_| KeyError::source("marking a source", "the system gives no random bytes"))?;
        Ok(Self(salt))
    }

    fn mark(&self, secret: &str) -> String {
        crate::orders::hex(&Sha256::new().chain_update(self.0).chain_update(secret).finalize())
    }
}

/// A source as the settings name it: `kind:place`, with options behind a `?` as in `vault:secret/bots?auth=approle`.
#[derive(Clone, PartialEq, Eq)]
pub struct Reference {
    kind: &'static str,
    place: String,
    options: BTreeMap<String, String>,
}

impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for Reference {
    /// Without the options.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind, self.place)
    }
}

impl std::str::FromStr for Reference {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let kind =
            text.split_once(':').and_then(|(word, rest)| Some((SOURCES.into_iter().find(|k| *k == word)?, rest)));
        let Some((kind, rest)) = kind else {
            return Err(KeyError::Reference(format!(
                "source does not name a place (if it is a secret: secrets do not stand in settings; put it into a file \
                 that only you may read, and write file:PATH); it must begin with one of {}",
                SOURCES.map(|k| format!("{k}:")).join(", ")
            )));
        };
        // A command may contain anything.
        let (place, options) = match rest.split_once('?').filter(|_| kind != "exec") {
            Some((place, options)) => (place, options),
            None => (rest, ""),
        };
        let options = options.split('&').filter(|o| !o.is_empty()).map(|option| {
            let (name, value) = option.split_once('=').ok_or_else(|| {
                KeyError::Reference(format!("{kind}:{place}: options are written ?name=value&name=value"))
            })?;
            Ok((name.to_owned(), value.to_owned()))
        });
        let reference = Self { kind, place: place.to_owned(), options: options.collect::<Result<_, KeyError>>()? };
        if reference.place.is_empty() && kind != "env" {
            return Err(KeyError::Reference(format!("source {kind}: names no place; write {kind}:PLACE")));
        }
        Ok(reference)
    }
}

impl Reference {
    /// The kind: one of [`SOURCES`].
    pub const fn kind(&self) -> &'static str {
        self.kind
    }

    /// Takes the options that its kind knows out of it.
    ///
    /// # Errors
    /// [`KeyError::Reference`] for one that it does not know.
    fn options(&self, known: &[&str]) -> Result<&BTreeMap<String, String>, KeyError> {
        match self.options.keys().find(|name| !known.contains(&name.as_str())) {
            None => Ok(&self.options),
            Some(name) => {
                let there = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                Err(KeyError::Reference(format!("{self}: there is no option {name:?}; there are: {there}")))
            }
        }
    }

    /// The source, for an account of a venue (its name in the settings); the key's public id for sources that may give the
    /// secret alone. Nothing is read yet.
    ///
    /// # Errors
    /// [`KeyError`] for options that it does not have.
    pub fn open(&self, venue: &str, account: &str, id: Option<&str>) -> Result<Box<dyn Source>, KeyError> {
        Ok(match self.kind {
            "exec" => Box::new(exec::ExecSource::new(&self.place, id)?),
            #[cfg(feature = "age")]
            "age" => {
                let options = self.options(&["passphrase", "identity"])?;
                Box::new(age::AgeSource::new(&self.place, options.get("passphrase"), options.get("identity")))
            }
            #[cfg(feature = "keyring")]
            "keyring" => {
                self.options(&[])?;
                Box::new(keyring::KeyringSource::new(&self.place)?)
            }
            #[cfg(feature = "vault")]
            "vault" => Box::new(vault::VaultSource::new(self)?),
            #[cfg(feature = "aws")]
            "aws" => Box::new(aws::AwsSource::new(self)?),
            "file" => {
                self.options(&[])?;
                Box::new(file::FileSource::new(&self.place))
            }
            "dir" => {
                self.options(&[])?;
                Box::new(dir::DirSource::new(&self.place))
            }
            "env" => {
                self.options(&[])?;
                Box::new(env::EnvSource::new(venue, account, &self.place))
            }
            kind => {
                let why = format!("this program was built without it; build with --features {kind}, or use exec:");
                return Err(KeyError::source(self.to_string(), why));
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_in_place_of_a_reference_is_refused_and_not_shown() {
        for text in ["hunter2", "secret:hunter2", "-----BEGIN PRIVATE KEY-----hunter2", ""] {
            let why = text.parse::<Reference>().expect_err("refused").to_string();
            assert!(why.contains("file:PATH") && !why.contains("hunter2"), "{why}");
        }
        assert!("file:".parse::<Reference>().is_err());
        let odd: Reference = "file:/k?color=red".parse().expect("a reference");
        let why = odd.open("binance", "main", None).err().expect("refused").to_string();
        assert!(why.contains("no option \"color\""), "{why}");
    }
}
