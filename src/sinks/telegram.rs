//! Commands by Telegram: a few words, from chats that are allowed, answered in the same chat. What lets orders flow or
//! ends the session wants a one-time code besides.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::http::unix_s;
use super::totp::is_code;
use crate::exchange::machine::{Backoff, BackoffSettings};
use crate::exchange::transport::Transport;
use crate::exchange::{Method, Request};
use crate::keys::Token;
use crate::sources::{Mail, Question, Sender};

/// How long Telegram holds a poll open, seconds: less than a request may take.
const POLL_S: u64 = 5;

/// Commands older than this are not obeyed: they were meant for another moment.
const AGE_MAX_S: u64 = 60;

/// Wrong codes in a row after which none is looked at for a while: nobody guesses one.
const WRONG_MAX: u32 = 5;

/// How long none is looked at, seconds.
const CLOSED_S: u64 = 300;

/// How long a session may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

const HELP: &str = "/status /why /positions /orders /profit /pause, and with a one-time code: /resume CODE /stop CODE";

/// The commands, whether they want a code, and what they ask.
const COMMANDS: [(&str, bool, Question); 8] = [
    ("/status", false, Question::Status),
    ("/why", false, Question::Why),
    ("/positions", false, Question::Positions),
    ("/orders", false, Question::Orders),
    ("/profit", false, Question::Profit),
    ("/pause", false, Question::Pause),
    ("/resume", true, Question::Resume),
    ("/stop", true, Question::Stop),
];

/// A bot that listens.
pub struct Chats {
    /// Where the Bot API is.
    pub url: String,
    /// The bot's token.
    pub token: Token,
    /// Chats that are obeyed.
    pub allow: Vec<i64>,
    /// The secret of one-time codes; without one, what wants a code is refused.
    pub codes: Option<Vec<u8>>,
    /// The way to it.
    pub transport: Arc<dyn Transport>,
    /// Where questions go.
    pub ask: Sender,
}

/// What is read out of the chats.
#[derive(Debug, Default)]
pub struct Chat {
    next_update: i64,
    /// The steps of codes that were used: each serves once.
    used: Vec<u64>,
    /// Wrong codes in a row, and until when none is looked at.
    wrong: u32,
    closed_until_s: u64,
    /// Messages from chats that are not allowed.
    strangers: u64,
}

/// What an update leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Wish {
    /// The session is asked.
    Ask(Question),
    /// The answer is known.
    Say(String),
}

impl Chat {
    /// Reads an update at a Unix time; gives the chat and what is to be done there. Strangers get no answer: silence tells
    /// them nothing.
    fn read(&mut self, update: &Value, of: &Chats, now_s: u64) -> Option<(i64, Wish)> {
        self.next_update = self.next_update.max(update["update_id"].as_i64()?.saturating_add(1));
        let message = &update["message"];
        let (chat, text) = (message["chat"]["id"].as_i64()?, message["text"].as_str()?);
        if !of.allow.contains(&chat) {
            self.strangers += 1;
            if self.strangers == 1 {
                of.ask.send(Mail::Note(format!("telegram: chat {chat} is not allowed and is not answered")));
            }
            return None;
        }
        if message["date"].as_u64().is_none_or(|at| at.saturating_add(AGE_MAX_S) < now_s) {
            return Some((chat, Wish::Say("that command is too old; send it again".to_owned())));
        }
        let mut words = text.split_whitespace();
        let command = words.next()?.split('@').next()?.to_ascii_lowercase();
        let code = words.next().unwrap_or_default();
        let known = COMMANDS.iter().find(|(name, ..)| *name == command);
        let Some((name, wants_code, question)) = known else {
            return Some((chat, Wish::Say(HELP.to_owned())));
        };
        if *wants_code && let Err(why) = self.use_code(of, code, now_s) {
            return Some((chat, Wish::Say(format!("{name} is refused: {why}"))));
        }
        Some((chat, Wish::Ask(*question)))
    }

    fn use_code(&mut self, of: &Chats, code: &str, now_s: u64) -> Result<(), &'static str> {
        let Some(secret) = &of.codes else { return Err("no secret for one-time codes is set up; see docs/notify.md") };
        if now_s < self.closed_until_s {
            return Err("there were too many wrong codes; wait five minutes");
        }
        match is_code(secret, code, now_s) {
            Some(step) if !self.used.contains(&step) => {
                self.wrong = 0;
                self.used.push(step);
                let old = self.used.len().saturating_sub(8);
                self.used.drain(..old);
                Ok(())
            }
            Some(_) => Err("this code was used already; wait for the next one"),
            None => {
                // A word without digits is a mistake, not a guess.
                self.wrong += u32::from(code.len() == 6);
                if self.wrong >= WRONG_MAX {
                    (self.wrong, self.closed_until_s) = (0, now_s.saturating_add(CLOSED_S));
                    of.ask.send(Mail::Note(format!(
                        "telegram: {WRONG_MAX} wrong codes; none is looked at for {CLOSED_S} s"
                    )));
                }
                Err("add the six digits that your app shows now")
            }
        }
    }
}

impl Chats {
    /// Listens for ever.
    pub(super) async fn run(self) {
        let mut chat = Chat::default();
        let mut backoff = Backoff::new(BackoffSettings { first_ms: 1_000, max_ms: 60_000 }, 7);
        loop {
            let body = json!({"offset": chat.next_update, "timeout": POLL_S, "allowed_updates": ["message"]});
            match self.call("getUpdates", &body).await {
                Some(answer) => {
                    backoff.reset();
                    for update in answer["result"].as_array().into_iter().flatten() {
                        if let Some((id, wish)) = chat.read(update, &self, unix_s()) {
                            self.answer(id, wish).await;
                        }
                    }
                }
                None => tokio::time::sleep(Duration::from_millis(backoff.next_ms())).await,
            }
        }
    }

    async fn answer(&self, chat: i64, wish: Wish) {
        let text = match wish {
            Wish::Say(text) => text,
            Wish::Ask(question) => {
                let (reply, answer) = tokio::sync::oneshot::channel();
                self.ask.send(Mail::Ask(question, reply));
                match tokio::time::timeout(ANSWER_WITHIN, answer).await {
                    Ok(Ok(text)) => text,
                    _ => "the session does not answer".to_owned(),
                }
            }
        };
        let text: String = text.chars().take(3_500).collect();
        // A lost answer is asked for again by the person.
        let _ = self.call("sendMessage", &json!({"chat_id": chat, "text": text})).await;
    }

    async fn call(&self, method: &str, body: &Value) -> Option<Value> {
        let path = format!("/bot{}/{method}", self.token.expose());
        let request = Request::new(Method::Post, path, "", 0).body("application/json", body.to_string());
        let answer = self.transport.http(&self.url, &request).await.ok()?;
        answer.is_ok().then(|| serde_json::from_str(&answer.body).ok())?
    }
}

#[cfg(test)]
mod tests {
    use super::super::totp::code_at;
    use super::*;
    use crate::exchange::transport::{Live, LiveSettings};
    use crate::sources::mailbox;

    const SECRET: &[u8] = b"12345678901234567890";

    fn chats(codes: bool) -> Chats {
        Chats {
            url: String::new(),
            token: Token::new("t"),
            allow: vec![7],
            codes: codes.then(|| SECRET.to_vec()),
            transport: Arc::new(Live::new(LiveSettings::default()).expect("a transport")),
            ask: mailbox().0,
        }
    }

    fn read(chat: &mut Chat, of: &Chats, from: i64, text: &str, date: u64, now_s: u64) -> Option<Wish> {
        let update = json!({"update_id": 5, "message": {"chat": {"id": from}, "text": text, "date": date}});
        chat.read(&update, of, now_s).map(|(_, wish)| wish)
    }

    #[test]
    fn only_allowed_chats_are_answered_and_only_known_words_obeyed() {
        let (mut chat, of) = (Chat::default(), chats(true));
        assert_eq!(read(&mut chat, &of, 8, "/status", 100, 100), None);
        assert_eq!(read(&mut chat, &of, 7, "/status@my_bot", 100, 100), Some(Wish::Ask(Question::Status)));
        assert_eq!(read(&mut chat, &of, 7, "/STATUS; /stop", 100, 100), Some(Wish::Say(HELP.to_owned())));
        assert_eq!(read(&mut chat, &of, 7, "please /stop", 100, 100), Some(Wish::Say(HELP.to_owned())));
        let old = read(&mut chat, &of, 7, "/pause", 100, 161);
        assert_eq!(old, Some(Wish::Say("that command is too old; send it again".to_owned())));
        assert_eq!(chat.next_update, 6);
    }

    #[test]
    fn texts_that_are_meant_to_trick_lead_to_no_command() {
        let (mut chat, of) = (Chat::default(), chats(true));
        let code = format!("{:06}", code_at(SECRET, 1_000));
        let tricks = [
            format!("/stop\u{200b} {code}"),
            format!("\u{202e}pots/ {code}"),
            format!("／stop {code}"),
            format!("/st\u{43e}p {code}"),
            format!("/status/stop {code}"),
            format!("Ignore what was said before and /stop {code}"),
            format!("{{\"text\": \"/stop {code}\"}}"),
            "/".to_owned(),
            "/stop".repeat(50_000),
        ];
        for trick in tricks {
            let wish = read(&mut chat, &of, 7, &trick, 1_000, 1_000);
            assert_eq!(wish, Some(Wish::Say(HELP.to_owned())), "{:?}", trick.chars().take(40).collect::<String>());
        }
        assert_eq!(read(&mut chat, &of, 7, " \n\t", 1_000, 1_000), None);
        // What is no message of ours at all.
        for update in
            [json!(null), json!([]), json!({"update_id": "9"}), json!({"update_id": 9, "message": {"chat": 7}})]
        {
            assert_eq!(chat.read(&update, &of, 1_000), None, "{update}");
        }
    }

    #[test]
    fn codes_cannot_be_guessed_and_a_new_code_does_not_open_at_once() {
        let (mut chat, of) = (Chat::default(), chats(true));
        let good = |at: u64| format!("/stop {:06}", code_at(SECRET, at));
        let wrong = format!("/stop {:06}", (code_at(SECRET, 1_000) + 500_000) % 1_000_000);
        (0..WRONG_MAX).for_each(|_| drop(read(&mut chat, &of, 7, &wrong, 1_000, 1_000)));
        let refused = |w: Option<Wish>| matches!(w, Some(Wish::Say(text)) if text.contains("too many wrong codes"));
        assert!(refused(read(&mut chat, &of, 7, &good(1_000), 1_000, 1_000)));
        let later = 1_000 + CLOSED_S;
        assert_eq!(read(&mut chat, &of, 7, &good(later), later, later), Some(Wish::Ask(Question::Stop)));
    }

    #[test]
    fn what_moves_money_wants_a_code_that_serves_once() {
        let (mut chat, of) = (Chat::default(), chats(true));
        let stop = format!("/stop {:06}", code_at(SECRET, 1_000));
        let refused = |w: Option<Wish>| matches!(w, Some(Wish::Say(text)) if text.starts_with("/stop is refused"));
        assert!(refused(read(&mut chat, &of, 7, "/stop", 1_000, 1_000)));
        assert!(refused(read(&mut chat, &of, 7, "/stop 000000", 1_000, 1_000)));
        assert_eq!(read(&mut chat, &of, 7, &stop, 1_000, 1_000), Some(Wish::Ask(Question::Stop)));
        assert!(refused(read(&mut chat, &of, 7, &stop, 1_000, 1_000)));
        assert!(refused(read(&mut Chat::default(), &chats(false), 7, &stop, 1_000, 1_000)));
    }
}
