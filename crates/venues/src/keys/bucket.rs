//! An office in a key-value bucket of NATS JetStream, for processes on several machines: `nats://HOST:PORT/BUCKET`.
//!
//! Who may write there can stop a key. Nobody can bring one: an order that comes from there names no source, or it could name
//! a command. The machines' clocks must agree within a second or two, as venues want them to anyway.

use std::time::Duration;

use async_nats::ConnectOptions;
use async_nats::jetstream::{self, kv, stream};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::KeyError;
use super::waiting::Waiting;

/// How long a server may take to answer.
const WITHIN: Duration = Duration::from_secs(3);
/// So often a change is tried again when somebody else was quicker.
const TRIES: u32 = 20;
/// The bucket where the address names none.
const USUAL: &str = "bellwether-keys";

/// The bucket. Documents in it are JSON.
pub(super) struct Bucket {
    address: String,
    store: kv::Store,
    runtime: Waiting,
}

impl std::fmt::Debug for Bucket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bucket({})", self.address)
    }
}

impl Bucket {
    /// Connects, and makes the bucket if it is not there. Who we are is in `NATS_CREDS`, the path of a file of credentials, or
    /// `NATS_TOKEN`.
    pub(super) fn open(address: &str) -> Result<Self, KeyError> {
        if address.contains('@') {
            let why = "keys.office: who we are does not stand in settings; set NATS_CREDS or NATS_TOKEN";
            return Err(KeyError::Reference(why.to_owned()));
        }
        let wrong = |why: String| KeyError::source(address, why);
        let (scheme, place) = address.split_once("://").unwrap_or(("nats", address));
        let (host, bucket) = place.split_once('/').unwrap_or((place, ""));
        let bucket = if bucket.is_empty() { USUAL } else { bucket };
        // Another client may have done so already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = Waiting::new(address)?;
        let connect = async {
            let mut options = ConnectOptions::new().name("bellwether").connection_timeout(WITHIN);
            if let Some(path) = std::env::var_os("NATS_CREDS") {
                options =
                    options.credentials_file(path).await.map_err(|e| wrong(format!("reading NATS_CREDS: {e}")))?;
            } else if let Ok(token) = std::env::var("NATS_TOKEN").map(SecretString::from) {
                options = options.token(token.expose_secret().to_owned());
            }
            let client = options.connect(format!("{scheme}://{host}")).await.map_err(|e| wrong(e.to_string()))?;
            let mut context = jetstream::new(client);
            context.set_timeout(WITHIN);
            // Of a server before 2.10 the client makes no bucket, but the stream that it is.
            let made = stream::Config {
                name: format!("KV_{bucket}"),
                subjects: vec![format!("$KV.{bucket}.>")],
                max_messages_per_subject: 1,
                discard: stream::DiscardPolicy::New,
                allow_rollup: true,
                deny_delete: true,
                allow_direct: true,
                ..stream::Config::default()
            };
            if context.get_stream(&made.name).await.is_err() {
                context.create_stream(made).await.map_err(|e| wrong(format!("making the bucket: {e}")))?;
            }
            context.get_key_value(bucket).await.map_err(|e| wrong(format!("opening the bucket: {e}")))
        };
        let store = runtime.block_on(connect)?;
        Ok(Self { address: address.to_owned(), store, runtime })
    }

    fn wrong(&self, what: &str, name: &str, why: impl std::fmt::Display) -> KeyError {
        KeyError::source(format!("{what} {name} in {}", self.address), why.to_string())
    }

    /// A document and its revision, which is 0 for none.
    fn find<T: DeserializeOwned + Default>(&self, name: &str) -> Result<(T, u64), KeyError> {
        let asked = self.runtime.block_on(async { tokio::time::timeout(WITHIN, self.store.entry(name)).await });
        let asked = asked.map_err(|_| self.wrong("reading", name, "the server does not answer"))?;
        match asked.map_err(|e| self.wrong("reading", name, e))? {
            Some(entry) if entry.operation == kv::Operation::Put => {
                let value = serde_json::from_slice(&entry.value);
                Ok((value.map_err(|e| self.wrong("reading", name, e))?, entry.revision))
            }
            Some(gone) => Ok((T::default(), gone.revision)),
            None => Ok((T::default(), 0)),
        }
    }

    /// A document, empty where there is none.
    pub(super) fn read<T: DeserializeOwned + Default>(&self, name: &str) -> Result<T, KeyError> {
        Ok(self.find(name)?.0)
    }

    /// Changes a document; nothing that somebody else writes meanwhile is lost.
    pub(super) fn change<T, R>(&self, name: &str, mut change: impl FnMut(&mut T) -> R) -> Result<R, KeyError>
    where
        T: DeserializeOwned + Default + Serialize,
    {
        for _ in 0..TRIES {
            let (mut value, revision) = self.find::<T>(name)?;
            let told = change(&mut value);
            let text = serde_json::to_vec(&value).map_err(|e| self.wrong("writing", name, e))?;
            let done = async { tokio::time::timeout(WITHIN, self.store.update(name, text.into(), revision)).await };
            match self.runtime.block_on(done) {
                Ok(Ok(_)) => return Ok(told),
                Ok(Err(e)) if e.kind() == kv::UpdateErrorKind::WrongLastRevision => {}
                Ok(Err(e)) => return Err(self.wrong("writing", name, e)),
                Err(_) => return Err(self.wrong("writing", name, "the server does not answer")),
            }
        }
        Err(self.wrong("writing", name, "others write all the time"))
    }
}
