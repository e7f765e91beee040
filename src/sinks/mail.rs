//! Mail by SMTP.

use async_trait::async_trait;
use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::transport::smtp::authentication::Credentials;
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};

use super::{Message, Place, Undelivered};
use crate::keys::Token;

/// A server, a sender, a receiver.
pub(super) struct Mail {
    server: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    to: Mailbox,
}

impl Mail {
    /// `url` is `smtps://user@host`, `smtp://user@host:587?tls=required`, or `smtp://127.0.0.1:25` without encryption; the
    /// password is the token.
    pub(super) fn new(url: &str, from: &str, to: &str, token: Option<&Token>) -> Result<Self, String> {
        let address = |name: &str, text: &str| {
            text.parse::<Mailbox>().map_err(|e| format!("{name} = {text:?} is no mail address: {e}"))
        };
        let mut server =
            AsyncSmtpTransport::<Tokio1Executor>::from_url(url).map_err(|e| format!("to = {url:?}: {e}"))?;
        let user = url.split_once("://").and_then(|(_, rest)| rest.split_once('@')).map(|(user, _)| user.to_owned());
        if let (Some(user), Some(token)) = (user, token) {
            server = server.credentials(Credentials::new(user, token.expose().to_owned()));
        }
        let server = server.timeout(Some(std::time::Duration::from_secs(20))).build();
        Ok(Self { server, from: address("from", from)?, to: address("chat", to)? })
    }
}

#[async_trait]
impl Place for Mail {
    async fn deliver(&mut self, message: &Message) -> Result<(), Undelivered> {
        let never = |e: lettre::error::Error| Undelivered::Never { why: e.to_string() };
        let subject: String = message.text.lines().next().unwrap_or_default().chars().take(120).collect();
        let mail = lettre::Message::builder()
            .from(self.from.clone())
            .to(self.to.clone())
            .subject(format!("[bellwether] {subject}"))
            .message_id(Some(format!("<{}@bellwether>", message.id)))
            .header(ContentType::TEXT_PLAIN)
            .body(message.text.clone())
            .map_err(never)?;
        self.server.send(mail).await.map(drop).map_err(|e| match e.is_permanent() {
            true => Undelivered::Never { why: e.to_string() },
            false => Undelivered::later(e.to_string()),
        })
    }
}
