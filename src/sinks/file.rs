//! A file that grows by one line of JSON per message.

use std::io::Write;
use std::path::PathBuf;

use async_trait::async_trait;
use serde_json::{Value, json};

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

/// A message as programs read it; of a signal, its documented form stands under `signal`.
pub(super) fn as_json(message: &Message) -> Value {
    let notice = &message.notice;
    json!({
        "schema_version": 1,
        "id": message.id,
        "number": message.number,
        "time": time(notice.at),
        "time_ns": notice.at.nanos().to_string(),
        "level": level(notice.level),
        "topic": notice.topic,
        "text": message.text,
        "fields": notice.fields,
        "signal": notice.signal,
    })
}
