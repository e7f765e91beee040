//! A file that grows by one line of JSON per message.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::templates::{level, time};
use super::{Message, Place, Undelivered};

/// Lines at the end of a file.
pub(super) struct Lines(pub(super) PathBuf);

#[async_trait]
impl Place for Lines {
    async fn deliver(&mut self, message: &Message) -> Result<(), Undelivered> {
        let failed = |e: std::io::Error| Undelivered::later(format!("writing {}: {e}", self.0.display()));
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(&self.0).map_err(failed)?;
        file.write_all(format!("{}\n", as_json(message)).as_bytes()).map_err(failed)
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
