//! Identifier to secret: the one place that decides what is asked, what is kept, and what a failure means.
//!
//! Concurrent callers of one identifier cause one fetch. Nothing is kept beyond that yet: where a cache belongs
//! is between [`Resolver::resolve`] and `Resolver::fetch`. Fail closed: an identifier that cannot be resolved
//! is an error, never another text, an empty password or another store's value.

use std::sync::Arc;

use credstore_protocol::{Identifier, Secret, SecretVersion, Timestamp};

use crate::diagnosis::Diagnosis;
use crate::single_flight::SingleFlight;
use crate::store::{Fetched, Store, StoreError};

/// A resolved identifier. Several callers may hold the same secret; it is wiped when the last lets go.
#[derive(Clone, Debug)]
pub struct Resolved {
    fetched: Arc<Fetched>,
    /// When the store was asked.
    pub fetched_at: Timestamp,
}

impl Resolved {
    /// The value.
    pub fn secret(&self) -> &Secret {
        &self.fetched.secret
    }

    /// Its version, where the store has versions.
    pub fn version(&self) -> Option<&SecretVersion> {
        self.fetched.version.as_ref()
    }

    /// Its content type, where the store has one.
    pub fn content_type(&self) -> Option<&str> {
        self.fetched.content_type.as_deref()
    }

    /// When the secret expires, if its owner said so.
    pub fn expires(&self) -> Option<Timestamp> {
        self.fetched.expires
    }

    /// What the administrator must know although it was resolved.
    pub fn warnings(&self) -> &[Diagnosis] {
        &self.fetched.warnings
    }
}

/// Why an identifier was not resolved. Callers that waited for the same fetch share it.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{diagnosis}")]
pub struct ResolveError {
    /// Cause, place and fix.
    pub diagnosis: Arc<Diagnosis>,
}

impl From<ResolveError> for Diagnosis {
    fn from(error: ResolveError) -> Self {
        Arc::unwrap_or_clone(error.diagnosis)
    }
}

/// Resolves identifiers from one store.
pub struct Resolver {
    store: Arc<dyn Store>,
    flights: SingleFlight<Identifier, Result<Resolved, ResolveError>>,
}

impl Resolver {
    /// A resolver for what `store` holds.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, flights: SingleFlight::new() }
    }

    /// The store that is asked.
    pub fn store(&self) -> &dyn Store {
        self.store.as_ref()
    }

    /// The secret behind `identifier`.
    ///
    /// Callers that come while the store is being asked for the same identifier wait for that answer; when the
    /// one who asked is cancelled, one of the waiting asks instead.
    pub async fn resolve(&self, identifier: &Identifier, now: Timestamp) -> Result<Resolved, ResolveError> {
        self.flights.run(identifier, self.fetch(identifier, now)).await
    }

    async fn fetch(&self, identifier: &Identifier, now: Timestamp) -> Result<Resolved, ResolveError> {
        let fetched = self.store.fetch(identifier, now).await.and_then(|fetched| {
            // Every store refuses the empty text; this is the place that guarantees it.
            if fetched.secret.is_empty() {
                return Err(StoreError::Empty { identifier: identifier.clone(), store: self.store.describe() });
            }
            Ok(fetched)
        });
        match fetched {
            Ok(fetched) => Ok(Resolved { fetched: Arc::new(fetched), fetched_at: now }),
            Err(error) => Err(ResolveError { diagnosis: Arc::new(error.into()) }),
        }
    }
}
