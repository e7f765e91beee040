//! A key in HashiCorp Vault or OpenBao, engine KV version 2: `vault:MOUNT/PATH`.
//!
//! Options behind a `?`: `addr` (else `VAULT_ADDR`), `namespace`, `auth` = `token` (`VAULT_TOKEN` or `VAULT_TOKEN_FILE`),
//! `approle` (`role_id`, and the secret id in `VAULT_SECRET_ID` or `VAULT_SECRET_ID_FILE`) or `kubernetes` (`role`, and the
//! service account's token). The secret's fields are those of a key file. A new version is a new key.

use std::path::Path;
use std::time::Duration;

use secrecy::SecretString;
use vaultrs::client::{VaultClient, VaultClientSettingsBuilder};
use vaultrs::error::ClientError;
use vaultrs::{auth, kv2};
use zeroize::Zeroizing;

use super::file::{self, Hidden};
use super::{Reference, Source, Stage};
use crate::keys::material::clean;
use crate::keys::waiting::Waiting;
use crate::keys::{KeyError, Material};

/// What may stand behind the `?`.
const OPTIONS: [&str; 6] = ["addr", "namespace", "auth", "role_id", "role", "login_mount"];
/// Where a pod finds the token of its service account.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";
const WITHIN: Duration = Duration::from_secs(10);

/// `vault:MOUNT/PATH`.
pub(super) struct VaultSource {
    reference: Reference,
    mount: String,
    path: String,
    /// Logged in.
    client: Option<VaultClient>,
    runtime: Waiting,
}

impl VaultSource {
    pub(super) fn new(reference: &Reference) -> Result<Self, KeyError> {
        reference.options(&OPTIONS)?;
        let (mount, path) = reference
            .place
            .split_once('/')
            .filter(|(m, p)| !m.is_empty() && !p.is_empty())
            .ok_or_else(|| KeyError::Reference(format!("{reference}: write vault:MOUNT/PATH")))?;
        let runtime = Waiting::new(&reference.to_string())?;
        Ok(Self { mount: mount.to_owned(), path: path.to_owned(), reference: reference.clone(), client: None, runtime })
    }

    fn option(&self, name: &str) -> Option<&str> {
        self.reference.options.get(name).map(String::as_str)
    }

    fn wrong(&self, why: impl Into<String>) -> KeyError {
        KeyError::source(self.reference.to_string(), why)
    }

    /// A secret of ours for logging in: a variable, or the file that `…_FILE` names.
    fn secret(&self, name: &str) -> Result<Zeroizing<String>, KeyError> {
        if let Ok(value) = std::env::var(name) {
            return Ok(Zeroizing::new(clean(&value).to_owned()));
        }
        match std::env::var(format!("{name}_FILE")) {
            Ok(path) => {
                let text = file::read(Path::new(&path), Hidden::FromOthers)?;
                Ok(Zeroizing::new(clean(&text).to_owned()))
            }
            Err(_) => Err(self.wrong(format!("neither {name} nor {name}_FILE is set"))),
        }
    }

    fn connect(&self, token: &str) -> Result<VaultClient, KeyError> {
        let addr = self.option("addr").map(str::to_owned).or_else(|| std::env::var("VAULT_ADDR").ok());
        let addr = addr.ok_or_else(|| self.wrong("no address: set VAULT_ADDR, or write ?addr=https://…"))?;
        if !addr.starts_with("http://") && !addr.starts_with("https://") {
            return Err(self.wrong(format!("the address {addr:?} is no URL; write https://…")));
        }
        let mut builder = VaultClientSettingsBuilder::default();
        builder.address(addr).token(token).timeout(Some(WITHIN)).ca_certs(Vec::new()).identity(None).verify(true);
        if let Some(namespace) = self.option("namespace") {
            builder.set_namespace(namespace.to_owned());
        }
        let settings = builder.build().map_err(|e| self.wrong(e.to_string()))?;
        // The transport does so too; whoever comes first has done it for both.
        let _ = rustls::crypto::ring::default_provider().install_default();
        VaultClient::new(settings).map_err(|e| self.wrong(said(&e)))
    }

    fn log_in(&self) -> Result<VaultClient, KeyError> {
        let way = self.option("auth").unwrap_or("token");
        let token = match way {
            "token" => self.secret("VAULT_TOKEN")?,
            "approle" | "kubernetes" => {
                let client = self.connect("")?;
                let mount = self.option("login_mount").unwrap_or(way);
                let info = if way == "approle" {
                    let role = self.option("role_id").ok_or_else(|| self.wrong("auth=approle needs ?role_id="))?;
                    let secret = self.secret("VAULT_SECRET_ID")?;
                    self.runtime.block_on(auth::approle::login(&client, mount, role, &secret))
                } else {
                    let role = self.option("role").ok_or_else(|| self.wrong("auth=kubernetes needs ?role="))?;
                    let path = std::env::var("VAULT_JWT_FILE").unwrap_or_else(|_| SERVICE_ACCOUNT.to_owned());
                    // The cluster mounts it readable for all of the pod.
                    let jwt = std::fs::read_to_string(&path).map(Zeroizing::new);
                    let jwt = jwt.map_err(|e| self.wrong(format!("reading {path}: {e}")))?;
                    self.runtime.block_on(auth::kubernetes::login(&client, mount, role, clean(&jwt)))
                };
                Zeroizing::new(info.map_err(|e| self.wrong(format!("logging in by {way}: {}", said(&e))))?.client_token)
            }
            other => return Err(self.wrong(format!("auth={other} is none of token, approle, kubernetes"))),
        };
        self.connect(&token)
    }

    /// Asks, and logs in anew where the token has run out.
    fn ask<T>(
        &mut self,
        what: impl AsyncFn(&VaultClient, &str, &str) -> Result<T, ClientError>,
    ) -> Result<T, KeyError> {
        let fresh = self.client.is_none();
        let client = match self.client.take() {
            Some(client) => client,
            None => self.log_in()?,
        };
        match self.runtime.block_on(what(&client, &self.mount, &self.path)) {
            Ok(found) => {
                self.client = Some(client);
                Ok(found)
            }
            Err(ClientError::APIError { code: 403, .. }) if !fresh => {
                let client = self.log_in()?;
                let found = self.runtime.block_on(what(&client, &self.mount, &self.path));
                self.client = Some(client);
                found.map_err(|e| self.wrong(said(&e)))
            }
            Err(error) => Err(self.wrong(said(&error))),
        }
    }

    fn version(&mut self) -> Result<u64, KeyError> {
        let told = self.ask(async |client, mount, path| kv2::read_metadata(client, mount, path).await)?;
        let newest = told.versions.get(&told.current_version.to_string());
        match newest.is_some_and(|v| v.destroyed || !v.deletion_time.is_empty()) {
            true => {
                Err(self.wrong(format!("its newest version, {}, is deleted; write a new one", told.current_version)))
            }
            false => Ok(told.current_version),
        }
    }
}

/// What went wrong, in words that hold nothing of a secret.
fn said(error: &ClientError) -> String {
    match error {
        ClientError::APIError { code: 403, .. } => "permission denied; check the token's policy".to_owned(),
        ClientError::APIError { code: 404, .. } => {
            "there is no such secret, or its newest version is deleted".to_owned()
        }
        ClientError::APIError { code: 503, .. } => "the server is sealed; unseal it".to_owned(),
        ClientError::APIError { code, .. } => format!("the server answered {code}"),
        ClientError::RestClientError { .. } => "the server does not answer as a vault does, or not at all".to_owned(),
        other => other.to_string(),
    }
}

impl Source for VaultSource {
    fn place(&self) -> String {
        self.reference.to_string()
    }

    fn is_remote(&self) -> bool {
        true
    }

    fn mark(&mut self) -> Result<String, KeyError> {
        self.version().map(|v| v.to_string())
    }

    fn fetch(&mut self, _stage: Stage) -> Result<Material, KeyError> {
        let version = self.version()?;
        let text: SecretText = self.ask(async |client, mount, path| {
            let value: serde_json::Value = kv2::read_version(client, mount, path, version).await?;
            Ok(SecretText(SecretString::from(value.to_string())))
        })?;
        let mut material = Material::parse(secrecy::ExposeSecret::expose_secret(&text.0)).map_err(|e| self.wrong(e))?;
        if material.version.is_empty() {
            material.version = version.to_string();
        }
        Ok(material)
    }
}

struct SecretText(SecretString);
