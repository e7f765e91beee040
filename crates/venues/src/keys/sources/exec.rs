//! A key from a command: `gcloud secrets versions access …`, `az keyvault secret show …`, `op read …` and the rest.
//!
//! The command prints JSON as a key file has it, with `version` and `expires` where it knows them; or the secret alone,
//! and the settings name the `id`. It is run by `sh -c`, without our variables and without an input.
//!
//! When its key is due it is run with `BELLWETHER_NEW_KEY`, and may make another key. What it prints then it must print
//! from then on without the variable too, or the one before comes back.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use super::{Due, Marker, Source, Stage};
use crate::keys::{KeyError, Material};

/// A command must have printed its key by then.
const WITHIN: Duration = Duration::from_secs(30);
/// What tells a command that a new key is wanted, and why: a word of [`Due`].
const WANTED: &str = "BELLWETHER_NEW_KEY";
/// Keys are texts of some hundred bytes.
const BYTES_MAX: u64 = 64 * 1024;

/// `exec:COMMAND`.
pub(super) struct ExecSource {
    command: String,
    id: Option<String>,
    marker: Marker,
    within: Duration,
}

impl ExecSource {
    pub(super) fn new(command: &str, id: Option<&str>) -> Result<Self, KeyError> {
        let marker = Marker::new()?;
        Ok(Self { command: command.to_owned(), id: id.map(str::to_owned), marker, within: WITHIN })
    }

    fn run(&self, wanted: Option<Due>) -> Result<Zeroizing<String>, KeyError> {
        let wrong = |why: String| KeyError::source(self.place(), why);
        let mut command = Command::new("sh");
        command.args(["-c", &self.command]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        for (name, _) in std::env::vars_os().filter(|(n, _)| n.to_string_lossy().starts_with("BELLWETHER")) {
            command.env_remove(name);
        }
        if let Some(due) = wanted {
            command.env(WANTED, due.name());
        }
        let mut child = command.spawn().map_err(|e| wrong(format!("starting the command: {e}")))?;
        let out = child.stdout.take().ok_or_else(|| wrong("the command has no output".to_owned()))?;
        let reader = std::thread::spawn(move || {
            let mut bytes = Zeroizing::new(Vec::new());
            out.take(BYTES_MAX).read_to_end(&mut bytes).map(|_| bytes)
        });
        let began = Instant::now();
        let status = loop {
            match child.try_wait().map_err(|e| wrong(format!("waiting for the command: {e}")))? {
                Some(status) => break status,
                None if began.elapsed() > self.within => {
                    // It may end by itself between the two.
                    let _ = child.kill();
                    let _ = child.wait();
                    return Err(wrong(format!("the command took more than {} s and was ended", self.within.as_secs())));
                }
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        };
        if !status.success() {
            return Err(wrong(format!("the command ended with {status}; run it by hand to see why")));
        }
        let bytes = reader.join().map_err(|_| wrong("reading its output failed".to_owned()))?;
        let bytes = bytes.map_err(|e| wrong(format!("reading its output: {e}")))?;
        let text = std::str::from_utf8(&bytes).map_err(|_| wrong("its output is not UTF-8".to_owned()))?;
        Ok(Zeroizing::new(text.to_owned()))
    }
}

impl Source for ExecSource {
    fn place(&self) -> String {
        // Its arguments may say more than they should.
        format!("exec:{}", self.command.split_whitespace().next().unwrap_or_default())
    }

    fn is_remote(&self) -> bool {
        true
    }

    fn mark(&mut self) -> Result<String, KeyError> {
        Ok(self.marker.mark(&self.run(None)?))
    }

    fn fetch(&mut self, _stage: Stage) -> Result<Material, KeyError> {
        self.read(None)
    }

    fn renew(&mut self, due: Due) -> Result<Material, KeyError> {
        self.read(Some(due))
    }
}

impl ExecSource {
    fn read(&self, wanted: Option<Due>) -> Result<Material, KeyError> {
        let text = self.run(wanted)?;
        let text = crate::keys::material::clean(&text);
        let read = match (&self.id, text.starts_with('{')) {
            (_, true) => Material::parse(text),
            (Some(id), false) => Material::new(id, text, ""),
            (None, false) => {
                Err("the command prints the secret alone; name its public id with id = \"…\" in the settings"
                    .to_owned())
            }
        };
        read.map_err(|why| KeyError::source(self.place(), why))
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn fetched(command: &str, id: Option<&str>) -> Result<Material, String> {
        let mut source =
            ExecSource { within: Duration::from_secs(2), ..ExecSource::new(command, id).expect("a source") };
        source.fetch(Stage::Current).map_err(|e| e.to_string())
    }

    #[test]
    fn a_command_prints_a_key_as_json_or_the_secret_alone() {
        let json = fetched(r#"printf '{"id": "k", "secret": "hunter2", "version": 7}'"#, None).expect("a key");
        let bare = fetched("echo hunter2", Some("k")).expect("a key");
        assert!(json.is_same(&bare) && json.version == "7");
    }

    #[test]
    fn a_command_that_fails_hangs_or_prints_something_else_is_told_without_its_output() {
        for (command, said) in [
            ("echo hunter2; exit 3", "exit status: 3"),
            ("echo hunter2", "id ="),
            ("echo '{hunter2'", "line 1"),
            ("sleep 60", "more than 2 s"),
            ("/nowhere/at-all", "exit status: 127"),
        ] {
            let why = fetched(command, None).expect_err("refused");
            assert!(why.contains(said) && !why.contains("hunter2"), "{command}: {why}");
        }
    }

    #[test]
    fn a_command_is_told_that_a_new_key_is_wanted_and_why() {
        let mut source = ExecSource::new("echo key-${BELLWETHER_NEW_KEY:-as-before}", Some("k")).expect("a source");
        let same =
            |material: &Material, secret: &str| material.is_same(&Material::new("k", secret, "").expect("a key"));
        assert!(same(&source.fetch(Stage::Pending).expect("a key"), "key-as-before"));
        assert!(same(&source.renew(Due::Age).expect("a key"), "key-age"));
        assert!(same(&source.renew(Due::Expiry).expect("a key"), "key-expiry"));
    }

    #[test]
    fn the_mark_changes_with_the_output_only() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("out");
        std::fs::write(&path, "one").expect("written");
        let mut source = ExecSource::new(&format!("cat {}", path.display()), Some("k")).expect("a source");
        let first = source.mark().expect("a mark");
        assert_eq!(source.mark().expect("a mark"), first);
        std::fs::write(&path, "two").expect("written");
        assert_ne!(source.mark().expect("a mark"), first);
    }
}
