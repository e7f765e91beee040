//! Places that are reached by a request: webhooks of our own kind, Telegram, Discord, Slack.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use serde_json::{Value, json};

use super::file::as_json;
use super::{Message, Place, Undelivered};
use crate::exchange::transport::Transport;
use crate::exchange::{Method, Request, Response};
use crate::keys::Token;
use crate::orders::hex;

/// Longest text that Discord takes, characters.
const DISCORD_MAX: usize = 2_000;

/// Whose form the request has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Form {
    /// Ours: the message as JSON, signed, with an idempotency key.
    Webhook,
    /// A bot's `sendMessage` to a chat.
    Telegram {
        /// The chat.
        chat: String,
    },
    /// A webhook of a Discord channel.
    Discord,
    /// An incoming webhook of Slack.
    Slack,
}

/// A place behind an address.
pub(super) struct Http {
    pub(super) form: Form,
    /// Scheme, host and path; of Discord and Slack the token is the path.
    pub(super) to: String,
    pub(super) token: Token,
    pub(super) transport: Arc<dyn Transport>,
}

#[async_trait]
impl Place for Http {
    async fn deliver(&mut self, message: &Message) -> Result<(), Undelivered> {
        let (base, request) = self.request(message, unix_s());
        let sent = self.transport.http(&base, &request).await;
        // An error may quote the address, and the address holds the token.
        let hide = |text: String| without_address(&text).replace(self.token.expose(), "…");
        let answer = sent.map_err(|e| Undelivered::later(hide(e.to_string())))?;
        judge(&answer).map_err(|e| match e {
            Undelivered::Later { why, wait } => Undelivered::Later { why: hide(why), wait },
            Undelivered::Never { why } => Undelivered::Never { why: hide(why) },
        })
    }
}

impl Http {
    fn request(&self, message: &Message, unix_s: u64) -> (String, Request) {
        let token = self.token.expose();
        let text = &message.text;
        let (address, body) = match &self.form {
            Form::Webhook => (self.to.clone(), as_json(message)),
            Form::Telegram { chat } => {
                // Plain text: nothing in it can become a link, a mention or a format.
                let body = json!({"chat_id": chat, "text": text, "link_preview_options": {"is_disabled": true}});
                (format!("{}/bot{token}/sendMessage", self.to), body.to_string())
            }
            Form::Discord => {
                let text: String = text.chars().take(DISCORD_MAX).collect();
                let body = json!({"content": text, "allowed_mentions": {"parse": []}, "nonce": message.id});
                (format!("{}{token}", self.to), body.to_string())
            }
            Form::Slack => (format!("{}{token}", self.to), json!({"text": escaped(text)}).to_string()),
        };
        let (base, path) = split(&address);
        let mut request = Request::new(Method::Post, path, "", 0).body("application/json", body.clone());
        if self.form == Form::Webhook {
            let signature = hex(&self.token.sign(format!("{unix_s}.{body}").as_bytes()));
            request.headers.push(("x-bellwether-signature".to_owned(), format!("t={unix_s},v1={signature}")));
            request.headers.push(("idempotency-key".to_owned(), message.id.clone()));
        }
        (base, request)
    }
}

/// What an answer means.
fn judge(answer: &Response) -> Result<(), Undelivered> {
    if answer.is_ok() {
        return Ok(());
    }
    let said: String = answer.body.chars().filter(|c| !c.is_control()).take(200).collect();
    let why = format!("status {}: {said}", answer.status);
    Err(match answer.status {
        // What is wrong with the message itself does not change by waiting.
        400 | 413 | 415 | 422 => Undelivered::Never { why },
        _ => Undelivered::Later { why, wait: wait_of(answer) },
    })
}

/// How long the place asks us to wait: a header, Telegram's `parameters.retry_after`, Discord's `retry_after`.
fn wait_of(answer: &Response) -> Option<Duration> {
    let body: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    let asked = body["parameters"]["retry_after"].as_f64().or_else(|| body["retry_after"].as_f64());
    let header = answer.retry_after_ms().map(|ms| ms as f64 / 1000.0);
    let seconds = header.or(asked).filter(|s| s.is_finite() && *s >= 0.0)?;
    Some(Duration::from_secs_f64(seconds.min(3_600.0)))
}

/// A message of the transport without the address that it quotes.
fn without_address(text: &str) -> String {
    match text.split_once(" for url (").and_then(|(before, rest)| Some((before, rest.split_once(')')?.1))) {
        Some((before, after)) => format!("{before}{after}"),
        None => text.to_owned(),
    }
}

/// Slack's three characters.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Scheme and host, and the rest.
fn split(address: &str) -> (String, String) {
    let host_at = address.find("://").map_or(0, |at| at + 3);
    let path_at = address[host_at..].find('/').map_or(address.len(), |at| host_at + at);
    let path = &address[path_at..];
    (address[..path_at].to_owned(), if path.is_empty() { "/".to_owned() } else { path.to_owned() })
}

/// Seconds since 1970 by the machine's clock.
pub(super) fn unix_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, header: Option<&str>, body: &str) -> Response {
        let headers = header.map(|v| ("retry-after".to_owned(), v.to_owned())).into_iter().collect();
        Response { status, headers, body: body.to_owned() }
    }

    #[test]
    fn answers_say_whether_and_when_to_try_again() {
        assert_eq!(judge(&answer(204, None, "")), Ok(()));
        assert!(matches!(judge(&answer(400, None, "bad")), Err(Undelivered::Never { .. })));
        let wait = |a: Response| match judge(&a) {
            Err(Undelivered::Later { wait, .. }) => wait.map(|w| w.as_millis()),
            other => panic!("{other:?}"),
        };
        assert_eq!(wait(answer(429, Some("7"), "")), Some(7_000));
        assert_eq!(wait(answer(429, None, r#"{"parameters":{"retry_after":30}}"#)), Some(30_000));
        assert_eq!(wait(answer(429, None, r#"{"retry_after":0.5}"#)), Some(500));
        assert_eq!((wait(answer(500, None, "")), wait(answer(401, None, ""))), (None, None));
    }

    #[test]
    fn an_address_is_split_at_its_path() {
        assert_eq!(split("http://127.0.0.1:1/a/b"), ("http://127.0.0.1:1".to_owned(), "/a/b".to_owned()));
        assert_eq!(split("https://h"), ("https://h".to_owned(), "/".to_owned()));
    }
}
