//! Identifier to secret: the one place that decides what is asked, what is kept, and what a failure means.
//!
//! Concurrent callers of one identifier cause one fetch. Nothing is kept beyond that: [`cache`](crate::cache) is the
//! resolver that keeps. Fail closed: an identifier that cannot be resolved is an error, never another text, an empty
//! password or another store's value.

use std::sync::Arc;
use std::time::Duration;

use credstore_protocol::{Identifier, Secret, SecretVersion, Timestamp};

use crate::diagnosis::Diagnosis;
use crate::single_flight::SingleFlight;
use crate::store::{Fetched, Store, StoreError};

/// A resolved identifier. Several callers may hold the same secret; it is wiped when the last lets go.
#[derive(Clone, Debug)]
pub struct Resolved {
    fetched: Arc<Fetched>,
    /// When the store was asked, as the wall clock showed it then.
    pub fetched_at: Timestamp,
    /// How long ago that was. It is measured, not reckoned from the wall clock.
    pub age: Duration,
    /// Whether it can be relied on.
    pub freshness: Freshness,
    /// Whether it was there already and nobody had to wait for the store.
    pub cached: bool,
}

/// Whether a value is as new as was asked for.
#[derive(Clone, Debug)]
pub enum Freshness {
    /// The store was asked just now, or within the time that its value counts as fresh.
    Fresh,
    /// The store has not confirmed it for longer than that. It may have been changed since.
    Stale {
        /// Why.
        reason: StaleReason,
        /// Since when, as the wall clock showed it then.
        since: Timestamp,
    },
}

/// Why a value is stale.
#[derive(Clone, Debug)]
pub enum StaleReason {
    /// Its time is over and nothing speaks against refreshing it, which this question has begun.
    Aged,
    /// It could not be refreshed.
    NotRefreshed(Arc<Diagnosis>),
}

impl Freshness {
    /// Whether it is [`Freshness::Fresh`].
    pub fn is_fresh(&self) -> bool {
        matches!(self, Self::Fresh)
    }
}

impl Resolved {
    pub(crate) fn new(
        fetched: Arc<Fetched>,
        fetched_at: Timestamp,
        age: Duration,
        freshness: Freshness,
        cached: bool,
    ) -> Self {
        Self { fetched, fetched_at, age, freshness, cached }
    }

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
        let asked = async {
            let fetched = self.fetch(identifier, now).await?;
            Ok(Resolved::new(fetched, now, Duration::ZERO, Freshness::Fresh, false))
        };
        self.flights.run(identifier, asked).await
    }

    /// One question to the store.
    pub(crate) async fn fetch(&self, identifier: &Identifier, now: Timestamp) -> Result<Arc<Fetched>, ResolveError> {
        let fetched = self.store.fetch(identifier, now).await.and_then(|fetched| {
            // Every store refuses the empty text; this is the place that guarantees it.
            if fetched.secret.is_empty() {
                return Err(StoreError::Empty { identifier: identifier.clone(), store: self.store.describe() });
            }
            Ok(fetched)
        });
        fetched.map(Arc::new).map_err(|error| ResolveError { diagnosis: Arc::new(error.into()) })
    }
}
