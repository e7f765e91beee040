//! One-line set-up: a clean folder and home, the binary, what it answered.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The repository's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository")
}

/// A clean folder to run the command in.
pub struct Desk {
    folder: tempfile::TempDir,
    program: PathBuf,
    cwd: Option<PathBuf>,
    env: Vec<(String, String)>,
}

/// What the command answered.
#[derive(Debug)]
pub struct Answer {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Desk {
    pub fn new() -> Self {
        Self::of(env!("CARGO_BIN_EXE_bellwether").into())
    }

    /// The same with another program in the command's place.
    pub fn of(program: PathBuf) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self { folder, program, cwd: None, env: Vec::new() }
    }

    /// The same, but the command runs in the repository's root, beside the shipped data and settings.
    pub fn at_root(mut self) -> Self {
        self.cwd = Some(root());
        self
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn file(self, name: &str, text: &str) -> Self {
        std::fs::write(self.path(name), text).expect("written");
        self
    }

    /// The same with a catalog `data` of 960 hourly bars of `test:AAA/USD` from 2024-01-01: waves that an average follows.
    pub fn with_bars(self) -> Self {
        let desk = self.file("bars.csv", &bars(960));
        desk.done("data import --format csv --instrument test:AAA/USD --interval 1h --data data bars.csv");
        desk
    }

    pub fn command(&self, line: &str) -> Command {
        let mut command = Command::new(&self.program);
        for name in std::env::vars_os().map(|(name, _)| name) {
            if name.to_string_lossy().starts_with("BELLWETHER") {
                command.env_remove(name);
            }
        }
        command.current_dir(self.cwd.as_deref().unwrap_or(self.folder.path()));
        command.env("HOME", self.path("home")).env_remove("XDG_STATE_HOME").env_remove("RUST_LOG");
        command.envs(self.env.iter().map(|(k, v)| (k, v)));
        command.args(line.split_whitespace());
        command
    }

    /// Runs `bellwether LINE`, the line split at blanks.
    pub fn run(&self, line: &str) -> Answer {
        let output = self.command(line).output().expect("the command runs");
        let answer = Answer {
            code: output.status.code().expect("an exit code, not a signal"),
            stdout: String::from_utf8(output.stdout).expect("text"),
            stderr: String::from_utf8(output.stderr).expect("text"),
        };
        // Ours, as the standard library tells it; of a component it is said that "it panicked".
        assert!(!answer.stderr.contains("panicked at"), "{line}: {answer:?}");
        answer
    }

    /// Runs a line that must succeed and gives its stdout.
    #[track_caller]
    pub fn done(&self, line: &str) -> String {
        let answer = self.run(line);
        assert_eq!(answer.code, 0, "{line}: {answer:?}");
        answer.stdout
    }

    /// The same, its stdout read as JSON.
    #[track_caller]
    pub fn json(&self, line: &str) -> serde_json::Value {
        serde_json::from_str(&self.done(line)).expect("JSON and nothing else on stdout")
    }

    /// Runs a line that must fail with a code and a message on stderr, nothing on stdout.
    #[track_caller]
    pub fn fails(&self, line: &str, code: i32, message: &str) {
        let answer = self.run(line);
        assert_eq!(answer.code, code, "{line}: {answer:?}");
        assert!(answer.stderr.contains(message), "{line}: {answer:?}");
        assert_eq!(answer.stdout, "", "{line}");
    }
}

/// Hourly bars as CSV, a triangle wave of 80 hours between 100 and 120.
pub fn bars(count: u64) -> String {
    let mut text = String::from("ts_ms,open,high,low,close,volume\n");
    let price = |hour: u64| 10_000 + 50 * (hour % 80).min(80 - hour % 80);
    for hour in 0..count {
        let (open, close) = (price(hour), price(hour + 1));
        let show = |cents: u64| format!("{}.{:02}", cents / 100, cents % 100);
        let (high, low) = (open.max(close) + 5, open.min(close) - 5);
        let ts = 1_704_067_200_000 + hour * 3_600_000;
        text.push_str(&format!("{ts},{},{},{},{},10\n", show(open), show(high), show(low), show(close)));
    }
    text
}

/// The flags of a run on that catalog.
pub const RUN: &str =
    "--data data --instrument test:AAA/USD --interval 1h --set strategy.fast=5 --set strategy.slow=20";
