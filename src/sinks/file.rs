//! A file that grows by one line of JSON per message.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::templates::{level, time};
use super::{Message, Place, Undelivered};

/// How much of a file's end is searched for a message that an earlier process may have written.
const END: u64 = 1 << 18;

/// Lines at the end of a file.
pub(super) struct Lines {
    path: PathBuf,
    /// Whether the file's end was looked at: the first message of a process may be there already.
    looked: bool,
}

impl Lines {
    pub(super) const fn at(path: PathBuf) -> Self {
        Self { path, looked: false }
    }

    fn write(&mut self, message: &Message) -> io::Result<()> {
        let mut file = OpenOptions::new().create(true).read(true).append(true).open(&self.path)?;
        let mut line = as_json(message);
        line.push('\n');
        if !self.looked {
            let end = end(&mut file)?;
            let whole = &end[..end.rfind('\n').map_or(0, |at| at + 1)];
            if whole.contains(&format!("\"id\":\"{}\"", message.id)) {
                self.looked = true;
                return Ok(());
            }
            // What a crash or a full disk cut off is a line of its own.
            if !end.is_empty() && !end.ends_with('\n') {
                line.insert(0, '\n');
            }
        }
        // After a failure some of the line may be there.
        self.looked = false;
        file.write_all(line.as_bytes())?;
        self.looked = true;
        Ok(())
    }
}

fn end(file: &mut File) -> io::Result<String> {
    let size = file.metadata()?.len();
    file.seek(SeekFrom::Start(size.saturating_sub(END)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[async_trait]
impl Place for Lines {
    async fn deliver(&mut self, message: &Message) -> Result<(), Undelivered> {
        self.write(message).map_err(|e| Undelivered::later(format!("writing {}: {e}", self.path.display())))
    }
}

/// A message as programs read it, version 1.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct MessageForm {
    /// Version of this form; 1.
    schema_version: u32,
    /// The same when a message comes again, and of no other.
    id: String,
    /// Its number at this place, from 1.
    number: u64,
    /// Engine time for people, UTC, in whole seconds.
    time: String,
    /// Engine time, nanoseconds since 1970.
    time_ns: String,
    /// `info`, `warning` or `error`.
    level: &'static str,
    /// What it is about; `bellwether notify topics` lists them.
    topic: String,
    /// In words.
    text: String,
    /// More about it by name.
    fields: BTreeMap<String, String>,
    /// Of a signal: its documented form.
    signal: Option<Value>,
}

/// The JSON Schema of a message.
pub fn message_schema() -> Value {
    schemars::schema_for!(MessageForm).to_value()
}

/// A message as programs read it; of a signal, its documented form stands under `signal`.
pub(super) fn as_json(message: &Message) -> String {
    let notice = &message.notice;
    let form = MessageForm {
        schema_version: 1,
        id: message.id.clone(),
        number: message.number,
        time: time(notice.at),
        time_ns: notice.at.nanos().to_string(),
        level: level(notice.level),
        topic: notice.topic.clone(),
        text: message.text.clone(),
        fields: notice.fields.clone(),
        signal: notice.signal.clone(),
    };
    // A form is plain data, so writing it cannot fail.
    serde_json::to_string(&form).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use bellwether_sdk::Ts;

    use super::super::Notice;
    use super::*;
    use crate::config::Level;

    #[test]
    fn a_message_of_a_process_that_died_stands_there_once_and_whole() {
        let dir = tempfile::tempdir().expect("folder");
        let path = dir.path().join("all.jsonl");
        let message = |number: u64| Message {
            number,
            id: format!("all-0a-{number}"),
            text: format!("text {number}"),
            notice: Notice::new(Ts::from_millis(1), Level::Info, "fill", "text"),
        };
        let ids = || {
            let text = std::fs::read_to_string(&path).expect("lines");
            let id = |line: &str| serde_json::from_str::<Value>(line).ok().map(|v| v["id"].as_str().map(str::to_owned));
            text.lines().map(|line| id(line).flatten().unwrap_or_else(|| "torn".to_owned())).collect::<Vec<_>>()
        };
        let mut lines = Lines::at(path.clone());
        [1, 2].iter().for_each(|n| lines.write(&message(*n)).expect("written"));
        // The process dies before it could mark the second one.
        let mut lines = Lines::at(path.clone());
        [2, 3].iter().for_each(|n| lines.write(&message(*n)).expect("written"));
        assert_eq!(ids(), ["all-0a-1", "all-0a-2", "all-0a-3"]);
        // One dies in the middle of a line: its message comes whole after it.
        let text = std::fs::read_to_string(&path).expect("lines");
        std::fs::write(&path, &text[..text.len() - 20]).expect("cut");
        let mut lines = Lines::at(path.clone());
        [3, 4].iter().for_each(|n| lines.write(&message(*n)).expect("written"));
        assert_eq!(ids(), ["all-0a-1", "all-0a-2", "torn", "all-0a-3", "all-0a-4"]);
    }
}
