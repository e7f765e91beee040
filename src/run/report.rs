//! What a session reports: the watcher's lines, sorted into notices for the post.

use bellwether_sdk::Ts;

use super::session::Status;
use super::{RunError, Watcher};
use crate::config::{Level, Settings, state_dir};
use crate::data::news::SignalForm;
use crate::engine::Engine;
use crate::sinks::{About, Notice, Post, PostError, Tap, topic_of};
use crate::sources::{Sender, Tokens};

/// A watcher that also reports.
pub(super) struct Reporter<'a> {
    inner: &'a mut dyn Watcher,
    post: Option<Post>,
    mode: &'static str,
    standing: String,
}

impl<'a> Reporter<'a> {
    /// A reporter of a session; without sinks it only watches. Questions of chats go to `ask`.
    pub(super) fn open(
        settings: &Settings,
        tokens: Tokens<'_>,
        ask: &Sender,
        mode: &'static str,
        about: About<'_>,
        inner: &'a mut dyn Watcher,
    ) -> Result<Self, RunError> {
        let post = match settings.sink.is_empty() {
            true => None,
            false => {
                let state = state_dir(settings).map_err(|e| RunError::Settings(e.to_string()))?;
                Post::start(settings, &state, tokens, Some(ask), about).map_err(|e| match e {
                    PostError::Runtime(_) | PostError::Spool { .. } => RunError::Tape(e.to_string()),
                    _ => RunError::Settings(e.to_string()),
                })?
            }
        };
        Ok(Self { inner, post, mode, standing: String::new() })
    }

    /// Who is told of the market.
    pub(super) fn taps(&self) -> Vec<Tap> {
        self.post.as_ref().map(Post::taps).unwrap_or_default()
    }

    /// What became of messages, for the metrics.
    pub(super) fn metrics(&self) -> Vec<(String, Vec<(&'static str, u64)>)> {
        self.post.as_ref().map(Post::metrics).unwrap_or_default()
    }

    /// Whether anybody is told.
    pub(super) fn is_open(&self) -> bool {
        self.post.is_some()
    }

    pub(super) fn began(&self, at: Ts, again: bool) {
        let what = if again { "goes on after it had ended" } else { "began" };
        let level = if again { Level::Warning } else { Level::Info };
        self.send(Notice::new(at, level, "start", format!("{} session {what}", self.mode)));
    }

    /// The last report; waits a few seconds for what can be delivered. Gives what became of the messages.
    pub(super) fn ended(&mut self, at: Ts, why: Option<&RunError>) -> Vec<String> {
        let (level, text) = match why {
            Some(error) => (Level::Error, format!("{} session ended: {error}", self.mode)),
            None => (Level::Info, format!("{} session ended; {}", self.mode, self.standing)),
        };
        self.send(Notice::new(at, level, "stop", text));
        let Some(post) = &mut self.post else { return Vec::new() };
        post.close();
        post.words()
    }

    /// Signals that strategies emitted.
    pub(super) fn signals(&mut self, engine: &mut Engine, session: u64) {
        for (_, signal) in engine.take_signals() {
            let Some(view) = engine.view().instruments.get(signal.instrument.index()) else { continue };
            let id = format!("{session:016x}-{}", signal.id);
            let mut form = SignalForm::of(&signal, &view.instrument, id);
            // Whoever made it knew it at once.
            form.received = form.received.or_else(|| form.made.clone());
            let text = format!("{} {:?} by {}: {}", form.instrument, signal.direction, form.source, form.reason);
            let mut notice = Notice::new(engine.now(), Level::Info, "signal", text);
            notice.fields.insert("instrument".to_owned(), form.instrument.clone());
            notice.fields.insert("direction".to_owned(), format!("{:?}", form.direction).to_ascii_lowercase());
            notice.signal = serde_json::to_value(&form).ok();
            self.inner.signal(&form);
            self.send(notice);
        }
    }

    fn send(&self, mut notice: Notice) {
        if let Some(post) = &self.post {
            if !self.standing.is_empty() {
                notice.fields.insert("standing".to_owned(), self.standing.clone());
            }
            post.send(notice);
        }
    }
}

impl Watcher for Reporter<'_> {
    fn status(&mut self, status: &Status) {
        let profit = status.equity - status.start_equity;
        self.standing = format!("equity {:.2} ({profit:+.2}) {}", status.equity, status.currency);
        self.inner.status(status);
    }

    fn heard(&mut self, engine: &Engine) {
        self.inner.heard(engine);
    }

    fn effect(&mut self, at: Ts, line: &str) {
        if let Some((level, topic)) = topic_of(line) {
            self.send(Notice::new(at, level, topic, line));
        }
        self.inner.effect(at, line);
    }
}
