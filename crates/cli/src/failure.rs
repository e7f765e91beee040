//! How a command ends when it does not end well: an exit code, a message, and what to do about it.

use std::process::ExitCode;

use bellwether::config::ConfigError;
use bellwether::data::DataError;
use bellwether::report::ReportError;
use bellwether::run::RunError;

/// The exit codes; scripts rely on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
#[non_exhaustive]
pub enum Code {
    /// Done.
    Done = 0,
    /// Something went wrong that is not the fault of what was asked for.
    Failed = 1,
    /// The command line does not read.
    Usage = 2,
    /// Bad configuration or data.
    Bad = 3,
    /// Refused: by a guard, or because it would overwrite.
    Refused = 4,
    /// Compared, and different: `verify`, `compare`, `data check`.
    Different = 5,
    /// The venue does not answer.
    Venue = 6,
    /// Stopped by the person.
    Interrupted = 130,
}

/// Why a command ended without being done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    code: Code,
    message: String,
    help: Option<String>,
}

impl Failure {
    /// A failure with its message: what was tried and what was found.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), help: None }
    }

    /// The same with what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// An end that needs no words: the reader closed the pipe, or the answer itself says that things differ.
    pub(crate) fn silent(code: Code) -> Self {
        Self::new(code, "")
    }

    /// A bad setting or bad data.
    pub(crate) fn bad(message: impl Into<String>) -> Self {
        Self::new(Code::Bad, message)
    }

    /// The same with words before the message, such as a place.
    pub(crate) fn prefixed(mut self, prefix: &str) -> Self {
        self.message.insert_str(0, prefix);
        self
    }

    /// The exit code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// Says it on stderr.
    pub(crate) fn tell(&self) -> ExitCode {
        if !self.message.is_empty() {
            crate::out::tell(&format!("error: {}", self.message));
        }
        if let Some(help) = &self.help {
            crate::out::tell(&format!("help: {help}"));
        }
        ExitCode::from(self.code as u8)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        let text = error.to_string();
        match error {
            ConfigError::StateDir { .. } | ConfigError::NoHome => {
                Self::new(Code::Failed, text).help("choose a folder you may write with --state-dir DIR")
            }
            ConfigError::Unreadable { .. } => {
                Self::bad(text).help("name the settings file with --config FILE; without one the defaults stand")
            }
            ConfigError::Syntax { .. } => Self::bad(text).help("correct the file; config/default.toml shows the form"),
            _ => Self::bad(text)
                .help("`bellwether config show` prints all settings, `bellwether schema config` their form"),
        }
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        let text = error.to_string();
        match error {
            RunError::Settings(_) | RunError::File(_) => Self::bad(text),
            RunError::Data(_) => Self::bad(text).help("`bellwether data list` shows what is stored"),
            RunError::Venue(_) => Self::new(Code::Venue, text)
                .help("check the network and the address (`[venue.NAME] rest_url`); `bellwether paper` works without"),
            RunError::Refused(_) => Self::new(Code::Refused, text),
            RunError::Secret(_) => Self::new(Code::Usage, text),
            RunError::Key(_) => Self::new(Code::Refused, text)
                .help("`bellwether keys check` tries all keys; docs/keys.md says how to make one that fits"),
            RunError::Interrupted => Self::new(Code::Interrupted, "interrupted; nothing was stored"),
            _ => Self::new(Code::Failed, text),
        }
    }
}

impl From<ReportError> for Failure {
    fn from(error: ReportError) -> Self {
        let text = error.to_string();
        match error {
            ReportError::NoRun { .. } | ReportError::Ambiguous { .. } | ReportError::BadId { .. } => {
                Self::bad(text).help("`bellwether runs list` shows the stored runs; `last` is the newest")
            }
            ReportError::Damaged { .. } | ReportError::SchemaVersion { .. } | ReportError::BadValue { .. } => {
                Self::bad(text)
            }
            ReportError::Exists { .. } => Self::new(Code::Refused, text),
            ReportError::Io { .. } => Self::new(Code::Failed, text)
                .help("choose a folder that may be written and has room with --state-dir DIR"),
            _ => Self::new(Code::Failed, text),
        }
    }
}

impl From<DataError> for Failure {
    fn from(error: DataError) -> Self {
        let text = error.to_string();
        match error {
            DataError::Interrupted => Self::new(Code::Interrupted, text),
            DataError::Io { ref source, .. } if source.kind() == std::io::ErrorKind::NotFound => Self::bad(text),
            DataError::Io { .. } => Self::new(Code::Failed, text).help("the store is as it was"),
            DataError::Strict { .. } | DataError::Locked { .. } => Self::new(Code::Refused, text),
            DataError::NoSeries { .. } | DataError::NoData { .. } => {
                Self::bad(text).help("`bellwether data list` shows what is stored")
            }
            _ => Self::bad(text),
        }
    }
}
