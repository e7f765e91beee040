//! A connection to a NATS server, made when it is first wanted. The client keeps it up by itself; what happens to it is told.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::{self, stream};
use async_nats::{ConnectErrorKind, ConnectOptions, Event};

use crate::keys::Token;

/// How long a server may take to answer.
const WITHIN: Duration = Duration::from_secs(3);

/// Messages that may wait in this process for each subscription.
const ROOM: usize = 8_192;

/// Messages of one id within so long are one message to the server.
const ONCE_WITHIN: Duration = Duration::from_secs(600);

/// How a file of credentials begins.
const CREDENTIALS: &str = "-----BEGIN NATS USER JWT";

/// Hears what happens to a connection.
pub type Told = Arc<dyn Fn(&Event) + Send + Sync>;

/// A server cannot be used as wanted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NatsError {
    /// It is not there, not in time, or does not let us in.
    #[error("{0}")]
    Away(String),
    /// The stream is not there.
    #[error("there is no stream {0:?}; its producer makes it when it first publishes, or make it by hand")]
    NoStream(String),
    /// The stream does not take what we publish.
    #[error("stream {name:?}: {why}")]
    Stream {
        /// The stream.
        name: String,
        /// What the server says.
        why: String,
    },
}

impl NatsError {
    /// A stream that does not do what it is asked.
    pub(super) fn stream(name: &str, what: &str, error: &dyn std::fmt::Display) -> Self {
        Self::Stream { name: name.to_owned(), why: format!("{what}: {error}") }
    }
}

/// A stream as it is made where it is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamSpec {
    /// Its name.
    pub name: String,
    /// The subjects that it keeps.
    pub subjects: Vec<String>,
    /// How long.
    pub age_max_s: u64,
    /// How many bytes of them.
    pub bytes_max: u64,
}

/// A server, and the connection to it once there is one.
pub struct Link {
    url: String,
    token: Option<Token>,
    told: Option<Told>,
    client: Option<async_nats::Client>,
}

impl Link {
    /// A link that is not connected yet. `told` hears what happens to the connection.
    ///
    /// # Errors
    /// What is wrong with the address.
    pub fn new(url: &str, token: Option<Token>, told: Option<Told>) -> Result<Self, String> {
        // First, so that no other complaint shows it.
        if url.contains('@') {
            return Err(
                "who we are does not stand in settings; take it out of the address and set it as a secret".into()
            );
        }
        let plain = ["nats://", "tls://"].iter().find_map(|scheme| url.strip_prefix(scheme));
        let Some(host) = plain else {
            return Err(format!("{url:?} is no address of a NATS server; write nats://HOST:PORT or tls://HOST:PORT"));
        };
        if host.is_empty() || host.contains('/') {
            return Err(format!("{url:?} is no address of a NATS server; write nats://HOST:PORT"));
        }
        Ok(Self { url: url.to_owned(), token, told, client: None })
    }

    /// The connection, made if there is none.
    ///
    /// # Errors
    /// [`NatsError::Away`].
    pub async fn client(&mut self) -> Result<async_nats::Client, NatsError> {
        if let Some(client) = &self.client {
            return Ok(client.clone());
        }
        // Another client may have done so already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut options = ConnectOptions::new()
            .name("bellwether")
            .connection_timeout(WITHIN)
            .request_timeout(Some(WITHIN))
            .subscription_capacity(ROOM);
        if let Some(token) = &self.token {
            options = signed_in(options, token.expose())?;
        }
        if let Some(told) = self.told.clone() {
            options = options.event_callback(move |event| {
                told(&event);
                std::future::ready(())
            });
        }
        let client = options.connect(&self.url).await.map_err(|e| match e.kind() {
            ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
                NatsError::Away(format!("{} does not let us in; is its secret set, and right?", self.url))
            }
            _ => NatsError::Away(format!("{} does not answer: {e}", self.url)),
        })?;
        self.client = Some(client.clone());
        Ok(client)
    }

    /// JetStream of the server.
    ///
    /// # Errors
    /// [`NatsError::Away`].
    pub async fn jetstream(&mut self) -> Result<jetstream::Context, NatsError> {
        let mut context = jetstream::new(self.client().await?);
        context.set_timeout(WITHIN);
        Ok(context)
    }

    /// A stream that is there.
    ///
    /// # Errors
    /// [`NatsError`].
    pub async fn stream(&mut self, name: &str) -> Result<stream::Stream, NatsError> {
        let context = self.jetstream().await?;
        context.get_stream(name).await.map_err(|e| match e.kind() {
            jetstream::context::GetStreamErrorKind::JetStream(error)
                if error.error_code() == jetstream::ErrorCode::STREAM_NOT_FOUND =>
            {
                NatsError::NoStream(name.to_owned())
            }
            _ => NatsError::Away(format!("asking {} for stream {name:?}: {e}", self.url)),
        })
    }

    /// Makes a stream where it is not there; one that is there stays as it is.
    ///
    /// # Errors
    /// [`NatsError`].
    pub async fn make(&mut self, spec: &StreamSpec) -> Result<(), NatsError> {
        match self.stream(&spec.name).await {
            Err(NatsError::NoStream(_)) => {}
            other => return other.map(drop),
        }
        let bytes = i64::try_from(spec.bytes_max).unwrap_or(i64::MAX);
        let age = Duration::from_secs(spec.age_max_s);
        let config = stream::Config {
            name: spec.name.clone(),
            subjects: spec.subjects.clone(),
            max_age: age,
            max_bytes: bytes,
            discard: stream::DiscardPolicy::Old,
            storage: stream::StorageType::File,
            duplicate_window: if age.is_zero() { ONCE_WITHIN } else { ONCE_WITHIN.min(age) },
            ..stream::Config::default()
        };
        let made = self.jetstream().await?.create_stream(config).await;
        made.map(drop).map_err(|e| NatsError::Stream { name: spec.name.clone(), why: format!("making it: {e}") })
    }

    /// The address, without who we are.
    pub fn url(&self) -> &str {
        &self.url
    }
}

/// The secret is the text of a file of credentials, `user:password`, or a token.
fn signed_in(options: ConnectOptions, secret: &str) -> Result<ConnectOptions, NatsError> {
    if secret.contains(CREDENTIALS) {
        return options
            .credentials(secret)
            .map_err(|_| NatsError::Away("the secret begins like a file of credentials and is none".to_owned()));
    }
    Ok(match secret.split_once(':') {
        Some((user, password)) => options.user_and_password(user.to_owned(), password.to_owned()),
        None => options.token(secret.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_holds_a_host_and_nobodys_name() {
        assert!(Link::new("nats://127.0.0.1:4222", None, None).is_ok());
        for wrong in [
            "127.0.0.1:4222",
            "http://x",
            "nats://",
            "nats://me:secret@host",
            "http://me:secret@host",
            "nats://host/bucket",
        ] {
            let why = Link::new(wrong, None, None).err().expect("refused");
            assert!(!why.contains("secret@"), "{why}");
        }
    }
}
