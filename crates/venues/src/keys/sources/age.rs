//! A key in a file that is encrypted with age: by a passphrase, or for an identity.
//!
//! `age:PATH` asks for the passphrase at the terminal; `?passphrase=` says where else it is: `fd:N` (an open file
//! descriptor), `file:PATH`, `env:NAME`, `keyring:SERVICE/USER`. `?identity=PATH` names a file with an identity instead.

use std::io::{IsTerminal, Read};
use std::path::PathBuf;

use age::secrecy::SecretString as Passphrase;
use secrecy::ExposeSecret;
use zeroize::Zeroizing;

use super::file::{self, Hidden};
use super::{Source, Stage};
use crate::keys::material::clean;
use crate::keys::{KeyError, Material};

/// `age:PATH`.
pub(super) struct AgeSource {
    path: PathBuf,
    passphrase: String,
    identity: Option<PathBuf>,
    /// Asked for once.
    known: Option<Passphrase>,
}

impl AgeSource {
    pub(super) fn new(path: &str, passphrase: Option<&String>, identity: Option<&String>) -> Self {
        Self {
            path: PathBuf::from(path),
            passphrase: passphrase.map_or("terminal", String::as_str).to_owned(),
            identity: identity.map(PathBuf::from),
            known: None,
        }
    }

    fn wrong(&self, why: impl Into<String>) -> KeyError {
        KeyError::source(format!("reading {}", self.path.display()), why)
    }

    fn passphrase(&mut self) -> Result<Passphrase, KeyError> {
        if let Some(known) = &self.known {
            return Ok(known.clone());
        }
        let text = match self.passphrase.split_once(':') {
            Some(("fd", number)) if number.bytes().all(|b| b.is_ascii_digit()) => {
                let mut text = Zeroizing::new(String::new());
                let file = std::fs::File::open(format!("/dev/fd/{number}"));
                let read = file.and_then(|f| f.take(4_096).read_to_string(&mut text));
                read.map_err(|e| self.wrong(format!("the passphrase at file descriptor {number}: {e}")))?;
                text
            }
            Some(("file", path)) => file::read(path.as_ref(), Hidden::FromGroup)?,
            Some(("env", name)) => {
                let value = std::env::var(name);
                Zeroizing::new(value.map_err(|_| self.wrong(format!("the passphrase: {name} is not set")))?)
            }
            #[cfg(feature = "keyring")]
            Some(("keyring", place)) => super::keyring::read(place)?,
            _ if self.passphrase == "terminal" && std::io::stdin().is_terminal() => {
                let asked = rpassword::prompt_password(format!("passphrase of {} (not shown): ", self.path.display()));
                Zeroizing::new(asked.map_err(|e| self.wrong(format!("reading the terminal: {e}")))?)
            }
            _ if self.passphrase == "terminal" => {
                return Err(KeyError::Missing(format!(
                    "{}: its passphrase is asked for at a terminal, and there is none; write \
                     ?passphrase=fd:N, file:PATH or env:NAME behind the source",
                    self.path.display()
                )));
            }
            _ => {
                return Err(
                    self.wrong("?passphrase= is none of terminal, fd:N, file:PATH, env:NAME, keyring:SERVICE/USER")
                );
            }
        };
        let passphrase = Passphrase::from(clean(&text));
        self.known = Some(passphrase.clone());
        Ok(passphrase)
    }

    fn identity(&self, path: &std::path::Path) -> Result<age::x25519::Identity, KeyError> {
        let text = file::read(path, Hidden::FromGroup)?;
        let line = text.lines().map(str::trim).find(|l| !l.is_empty() && !l.starts_with('#')).unwrap_or_default();
        line.parse().map_err(|_| KeyError::source(format!("reading {}", path.display()), "it holds no identity of age"))
    }
}

impl Source for AgeSource {
    fn place(&self) -> String {
        format!("age:{}", self.path.display())
    }

    fn mark(&mut self) -> Result<String, KeyError> {
        file::mark(&self.path)
    }

    fn fetch(&mut self, _stage: Stage) -> Result<Material, KeyError> {
        let bytes = std::fs::read(&self.path).map_err(|e| self.wrong(e.to_string()))?;
        let opened = match self.identity.clone() {
            Some(path) => age::decrypt(&self.identity(&path)?, &bytes),
            None => age::decrypt(&age::scrypt::Identity::new(self.passphrase()?), &bytes),
        };
        let plain = match opened {
            Ok(plain) => Zeroizing::new(plain),
            Err(error) => {
                self.known = None;
                let why = match error {
                    age::DecryptError::DecryptionFailed
                    | age::DecryptError::KeyDecryptionFailed
                    | age::DecryptError::NoMatchingKeys => {
                        "the passphrase or identity is wrong, or the file is damaged"
                    }
                    age::DecryptError::InvalidMac | age::DecryptError::InvalidHeader => {
                        "the file was changed or damaged"
                    }
                    age::DecryptError::Io(_) => "the file was cut short or damaged",
                    age::DecryptError::ExcessiveWork { .. } => {
                        "its passphrase takes longer to try than this machine may"
                    }
                    _ => "it is no file of age",
                };
                return Err(self.wrong(why));
            }
        };
        let text = std::str::from_utf8(&plain).map_err(|_| self.wrong("what it holds is not UTF-8"))?;
        Material::parse(text).map_err(|why| self.wrong(why))
    }

    fn store(&mut self, material: &Material) -> Result<(), KeyError> {
        let text = material.to_json();
        let plain = text.expose_secret().as_bytes();
        let bytes = match self.identity.clone() {
            Some(path) => age::encrypt(&self.identity(&path)?.to_public(), plain),
            None => age::encrypt(&age::scrypt::Recipient::new(self.passphrase()?), plain),
        };
        let bytes =
            bytes.map_err(|e| KeyError::source(format!("encrypting {}", self.path.display()), e.to_string()))?;
        file::write(&self.path, &bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A source with a weak passphrase, so that the tests do not work for a second each.
    fn stored(dir: &std::path::Path) -> AgeSource {
        let path = dir.join("key.age");
        let mut recipient = age::scrypt::Recipient::new(Passphrase::from("open sesame"));
        recipient.set_work_factor(2);
        let key = Material::new("id", "hunter2", "").expect("a key").to_json();
        let bytes = age::encrypt(&recipient, key.expose_secret().as_bytes()).expect("encrypted");
        file::write(&path, &bytes).expect("written");
        with(&path, dir, "open sesame")
    }

    fn with(path: &std::path::Path, dir: &std::path::Path, passphrase: &str) -> AgeSource {
        let phrase = dir.join("passphrase");
        file::write(&phrase, passphrase.as_bytes()).expect("written");
        AgeSource::new(path.to_str().expect("UTF-8"), Some(&format!("file:{}", phrase.display())), None)
    }

    #[test]
    fn a_key_is_read_with_its_passphrase_and_refused_with_another() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut source = stored(dir.path());
        let key = Material::new("id", "hunter2", "").expect("a key");
        assert!(source.fetch(Stage::Current).expect("a key").is_same(&key));
        let why = with(&source.path, dir.path(), "wrong").fetch(Stage::Current).expect_err("refused").to_string();
        assert!(why.contains("passphrase or identity is wrong"), "{why}");
    }

    #[test]
    fn a_truncated_or_changed_file_is_refused() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut source = stored(dir.path());
        let whole = std::fs::read(&source.path).expect("read");
        for cut in [0, 10, whole.len() / 2, whole.len() - 1] {
            file::write(&source.path, &whole[..cut]).expect("written");
            assert!(source.fetch(Stage::Current).is_err(), "cut at {cut}");
        }
        for at in [30, whole.len() / 2, whole.len() - 1] {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            file::write(&source.path, &changed).expect("written");
            assert!(source.fetch(Stage::Current).is_err(), "changed at {at}");
        }
        file::write(&source.path, &whole).expect("written");
        assert!(source.fetch(Stage::Current).is_ok());
    }

    #[test]
    fn a_key_is_stored_for_an_identity_and_read_with_it() {
        let dir = tempfile::tempdir().expect("a folder");
        let identity = dir.path().join("identity");
        let secret = age::x25519::Identity::generate().to_string();
        file::write(&identity, format!("# made for a test\n{}\n", secret.expose_secret()).as_bytes()).expect("written");
        let path = dir.path().join("key.age").display().to_string();
        let mut source = AgeSource::new(&path, None, Some(&identity.display().to_string()));
        let key = Material::new("id", "hunter2", "p").expect("a key");
        source.store(&key).expect("stored");
        assert!(source.fetch(Stage::Current).expect("a key").is_same(&key));
        let bytes = std::fs::read(&path).expect("read");
        assert!(!String::from_utf8_lossy(&bytes).contains("hunter2"));
    }
}
