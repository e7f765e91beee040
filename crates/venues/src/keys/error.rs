//! What can be wrong with a key, said without showing anything of it.

/// A key does not serve.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The text of a secret is not of its kind. The text is not shown.
    #[error("the secret is no {scheme} key: {why}")]
    Form {
        /// The kind expected.
        scheme: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A venue takes another kind of key.
    #[error("{venue} takes keys of kind {wants}, this one is {found}")]
    Scheme {
        /// The venue.
        venue: &'static str,
        /// What it takes.
        wants: &'static str,
        /// What this one is.
        found: &'static str,
    },
    /// A variable of the environment is not set.
    #[error("no key: {name} is not set; set it, or {name}_FILE to the path of a file that holds it")]
    Absent {
        /// The variable.
        name: String,
    },
    /// A variable of the environment cannot be used. Its value is not shown.
    #[error("{name}: {why}")]
    Variable {
        /// The variable.
        name: String,
        /// What is wrong and what to do.
        why: String,
    },
    /// The library refused to sign.
    #[error("signing with {0} failed")]
    Sign(&'static str),
    /// A source does not give the key. Nothing of what it holds is shown.
    #[error("{place}: {why}")]
    Source {
        /// The source, as the settings name it, or the file.
        place: String,
        /// What was found and what to do.
        why: String,
    },
    /// The text that names a source is no reference. It is not shown: it may be a secret.
    #[error("{0}")]
    Reference(String),
    /// A secret was to be asked for, and there is no terminal.
    #[error("{0}")]
    Missing(String),
    /// No key is in force: all were refused or revoked.
    #[error("no key of {0} is in force")]
    NoneInForce(String),
    /// The scope or the narrowing of a key does not let an order pass.
    #[error("the key of {account} does not sign this: {why}")]
    Narrowed {
        /// The account.
        account: String,
        /// The limit and what was asked.
        why: String,
    },
}

impl KeyError {
    /// A source does not give the key.
    pub fn source(place: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Source { place: place.into(), why: why.into() }
    }
}
