//! A key in AWS Secrets Manager: `aws:SECRET`, by name or ARN.
//!
//! Options behind a `?`: `region`, `endpoint`. Who we are is found as all of AWS's programs find it: variables, profiles,
//! the role of the machine or the pod. `AWSCURRENT` is the key in force; a version under `AWSPENDING` is one that waits to
//! come into force, and becomes `AWSCURRENT` when it signs and the overlap is over. One that was in force before waits no more,
//! whatever stage somebody left on it.

use aws_config::BehaviorVersion;
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::config::Region;
use aws_sdk_secretsmanager::error::DisplayErrorContext;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::{Builder, tls::Provider};
use zeroize::Zeroizing;

use super::{Reference, Source, Stage};
use crate::keys::waiting::Waiting;
use crate::keys::{KeyError, Material};

const CURRENT: &str = "AWSCURRENT";
const PENDING: &str = "AWSPENDING";
const PREVIOUS: &str = "AWSPREVIOUS";

/// `aws:SECRET`.
pub(super) struct AwsSource {
    reference: Reference,
    client: Client,
    runtime: Waiting,
}

/// The versions of a secret that have a stage.
#[derive(Default)]
struct Versions {
    current: Option<String>,
    pending: Option<String>,
}

impl Versions {
    /// The one that waits, unless it is the one in force.
    fn next(&self) -> Option<&str> {
        self.pending.as_deref().filter(|p| self.current.as_deref() != Some(p))
    }
}

impl AwsSource {
    pub(super) fn new(reference: &Reference) -> Result<Self, KeyError> {
        let options = reference.options(&["region", "endpoint"])?;
        let runtime = Waiting::new(&reference.to_string())?;
        let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
        let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http);
        if let Some(region) = options.get("region") {
            loader = loader.region(Region::new(region.clone()));
        }
        if let Some(endpoint) = options.get("endpoint") {
            loader = loader.endpoint_url(endpoint);
        }
        let config = runtime.block_on(loader.load());
        Ok(Self { reference: reference.clone(), client: Client::new(&config), runtime })
    }

    fn wrong(&self, why: impl Into<String>) -> KeyError {
        KeyError::source(self.reference.to_string(), why)
    }

    fn versions(&self) -> Result<Versions, KeyError> {
        let asked = self.client.describe_secret().secret_id(&self.reference.place).send();
        let told = self.runtime.block_on(asked).map_err(|e| self.wrong(DisplayErrorContext(e).to_string()))?;
        let mut versions = Versions::default();
        for (id, stages) in told.version_ids_to_stages().into_iter().flatten() {
            if stages.iter().any(|s| s == CURRENT) {
                versions.current = Some(id.clone());
            }
            if stages.iter().any(|s| s == PENDING) && !stages.iter().any(|s| s == PREVIOUS) {
                versions.pending = Some(id.clone());
            }
        }
        Ok(versions)
    }
}

impl Source for AwsSource {
    fn place(&self) -> String {
        self.reference.to_string()
    }

    fn is_remote(&self) -> bool {
        true
    }

    fn mark(&mut self) -> Result<String, KeyError> {
        let versions = self.versions()?;
        let word = |v: Option<&str>| v.unwrap_or("none").to_owned();
        Ok(format!("{} {}", word(versions.current.as_deref()), word(versions.next())))
    }

    fn fetch(&mut self, stage: Stage) -> Result<Material, KeyError> {
        let versions = self.versions()?;
        let next = versions.next().filter(|_| stage == Stage::Pending);
        let request = self.client.get_secret_value().secret_id(&self.reference.place);
        // Always a stage or a version: not all servers take the current one by themselves.
        let request = match next {
            Some(id) => request.version_id(id),
            None => request.version_stage(CURRENT),
        };
        let told = self.runtime.block_on(request.send()).map_err(|e| self.wrong(DisplayErrorContext(e).to_string()))?;
        let version = told.version_id().unwrap_or_default().to_owned();
        let text = Zeroizing::new(told.secret_string.ok_or_else(|| self.wrong("it holds bytes and no text"))?);
        let mut material = Material::parse(&text).map_err(|why| self.wrong(why))?;
        material.version = version;
        Ok(material)
    }

    fn promote(&mut self, version: &str) -> Result<(), KeyError> {
        let versions = self.versions()?;
        if versions.next() != Some(version) {
            return Ok(());
        }
        let stage =
            |name| self.client.update_secret_version_stage().secret_id(&self.reference.place).version_stage(name);
        let current = stage(CURRENT).move_to_version_id(version).set_remove_from_version_id(versions.current.clone());
        let done = self.runtime.block_on(current.send());
        done.map_err(|e| self.wrong(format!("making {version} current: {}", DisplayErrorContext(e))))?;
        // Else it would wait once more when it is two versions old.
        let waits_no_more = self.runtime.block_on(stage(PENDING).remove_from_version_id(version).send());
        waits_no_more
            .map(drop)
            .map_err(|e| self.wrong(format!("taking {PENDING} from {version}: {}", DisplayErrorContext(e))))
    }
}
