//! Where passwords are fetched from: the trait that every credential store implements, and its errors.
//!
//! A store looks up one identifier and gives one secret. It keeps nothing for later use beyond what it needs to
//! answer (a parsed file, an access token): keeping secrets is decided by the `resolver`, and only there.

use std::future::Future;
use std::pin::Pin;

use credstore_protocol::{Identifier, Secret, SecretVersion, Timestamp};

use crate::Diagnosis;
use crate::codes::identifiers;
use crate::nearest::nearest;

pub mod azure_key_vault;
pub mod broker;
pub mod file;
pub mod file_edit;
pub mod unsealing;

/// What [`Store::fetch`] gives.
pub type Fetching<'a> = Pin<Box<dyn Future<Output = Result<Fetched, StoreError>> + Send + 'a>>;

/// A credential store. *Get* is all it can do: no list, no write, no probe.
pub trait Store: Send + Sync {
    /// Fetches the current secret of `identifier`. Local checks come before anything is sent. No retries beyond
    /// those that the store's own protocol asks for.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the store answered and has no such secret; [`StoreError::Empty`] when its value
    /// is the empty text; [`StoreError::Diagnosed`] for everything else.
    fn fetch<'a>(&'a self, identifier: &'a Identifier, now: Timestamp) -> Fetching<'a>;

    /// What it is, for messages: `vault acme-pm-kv`, `credential_store.json`.
    fn describe(&self) -> String;
}

/// One secret as the store gave it.
#[derive(Debug)]
pub struct Fetched {
    /// The value, unchanged. Never empty.
    pub secret: Secret,
    /// Its version, where the store has versions.
    pub version: Option<SecretVersion>,
    /// Its content type, where the store has one.
    pub content_type: Option<String>,
    /// When it expires. A vault gives it nevertheless.
    pub expires: Option<Timestamp>,
    /// From when on it should be used. A vault gives it nevertheless.
    pub not_before: Option<Timestamp>,
    /// What the administrator must know although the fetch worked.
    pub warnings: Vec<Diagnosis>,
}

impl Fetched {
    /// A secret of a store that knows nothing but values.
    pub fn bare(secret: Secret) -> Self {
        Self { secret, version: None, content_type: None, expires: None, not_before: None, warnings: Vec::new() }
    }
}

/// Why a store gave no secret. A variant is a decision: what is not there may be asked for again soon, what is empty
/// is somebody's mistake, and a diagnosis says itself whether another try may help.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The store answered and has no such secret.
    #[error("there is no identifier {identifier}")]
    NotFound {
        /// What was asked for.
        identifier: Identifier,
        /// The store, as [`Store::describe`] calls it.
        store: String,
        /// How many identifiers it has, where it can tell.
        looked_at: Option<usize>,
        /// The identifier that was probably meant, where the store can tell.
        nearest: Option<String>,
    },
    /// The secret is there and its value is the empty text.
    #[error("the password of {identifier} is empty")]
    Empty {
        /// What was asked for.
        identifier: Identifier,
        /// The store, as [`Store::describe`] calls it.
        store: String,
    },
    /// Anything else, with cause and fix. Whether it may pass by itself is in [`Diagnosis::retryable`].
    #[error("{0}")]
    Diagnosed(Box<Diagnosis>),
}

impl StoreError {
    /// [`StoreError::NotFound`] of a store that knows all its identifiers.
    pub fn not_among<'a>(
        identifier: &Identifier,
        store: String,
        known: impl ExactSizeIterator<Item = &'a str>,
    ) -> StoreError {
        let looked_at = Some(known.len());
        let nearest = nearest(identifier.as_str(), known).map(str::to_owned);
        StoreError::NotFound { identifier: identifier.clone(), store, looked_at, nearest }
    }
}

impl From<Diagnosis> for StoreError {
    fn from(diagnosis: Diagnosis) -> Self {
        StoreError::Diagnosed(Box::new(diagnosis))
    }
}

impl From<StoreError> for Diagnosis {
    fn from(error: StoreError) -> Self {
        let message = error.to_string();
        match error {
            StoreError::NotFound { store, looked_at, nearest, .. } => {
                let counted = match looked_at {
                    Some(1) => " (1 identifier looked at)".to_owned(),
                    Some(count) => format!(" ({count} identifiers looked at)"),
                    None => String::new(),
                };
                let list = "list all: credstore list";
                Diagnosis::error(&identifiers::IDENTIFIER_UNKNOWN, message)
                    .cause(format!("not in {store}{counted}"))
                    .fix(match nearest {
                        Some(name) => format!("did you mean {name}?   {list}"),
                        None => list.to_owned(),
                    })
            }
            StoreError::Empty { store, .. } => Diagnosis::error(&identifiers::PASSWORD_EMPTY, message)
                .cause(format!("its value in {store} is the empty text"))
                .fix("store the password under this identifier again"),
            StoreError::Diagnosed(diagnosis) => *diagnosis,
        }
    }
}

/// The warning for a value that ends with a newline, which is used as it is.
pub fn ends_with_newline(identifier: &Identifier, secret: &Secret) -> Option<Diagnosis> {
    secret.expose_secret().ends_with(['\n', '\r']).then(|| {
        Diagnosis::warning(
            &identifiers::PASSWORD_ENDS_WITH_NEWLINE,
            format!("the password of {identifier} ends with a newline"),
        )
        .cause("it is used as it is; the newline was probably not meant")
        .fix("store the password again without the newline")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn not_found(known: &[&str]) -> Diagnosis {
        let identifier = "SapHanaExtrct".parse().unwrap();
        StoreError::not_among(&identifier, "vault acme-pm-kv".to_owned(), known.iter().copied()).into()
    }

    #[test]
    fn an_unknown_identifier_is_reported_with_the_nearest_one() {
        let diagnosis = not_found(&["SmtpRelay", "SapHanaExtract"]);
        assert_eq!(diagnosis.code.id, "CS2004");
        assert_eq!(diagnosis.message, "there is no identifier SapHanaExtrct");
        assert_eq!(diagnosis.cause.unwrap(), "not in vault acme-pm-kv (2 identifiers looked at)");
        assert_eq!(diagnosis.fix, ["did you mean SapHanaExtract?   list all: credstore list"]);
    }

    #[test]
    fn a_far_name_is_not_suggested_and_one_is_singular() {
        let diagnosis = not_found(&["SmtpRelay"]);
        assert_eq!(diagnosis.cause.unwrap(), "not in vault acme-pm-kv (1 identifier looked at)");
        assert_eq!(diagnosis.fix, ["list all: credstore list"]);
    }

    #[test]
    fn a_final_newline_is_worth_a_warning_that_does_not_show_the_value() {
        let identifier = "A".parse().unwrap();
        assert!(ends_with_newline(&identifier, &Secret::from("planted".to_owned())).is_none());
        let warning = ends_with_newline(&identifier, &Secret::from("planted\n".to_owned())).unwrap();
        assert!(!format!("{warning:?}").contains("planted"));
    }
}
