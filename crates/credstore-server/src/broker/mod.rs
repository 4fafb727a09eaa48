//! The broker: values by identifier for other processes of this machine, over a Unix socket.
//!
//! A [`Broker`] answers requests; [`serve_broker`] puts the socket around it. Who asks is a [`Consumer`], as the kernel says it;
//! what they may read is in [`Rights`]; every read leaves a line in an [`AuditLog`]. Values come from a
//! [`CachingResolver`], which decides what is kept and for how long. Where settings, rights and socket come from is the
//! caller's. Nothing here writes to a store. docs/broker.md tells it to people.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use credstore::azure::TokenSource;
use credstore::cache::{CacheCounts, CachingResolver};
use credstore::diagnosis::Diagnosis;
use credstore::resolver::Resolved;
use credstore_protocol::broker::{CacheNumbers, HealthAnswer};
use credstore_protocol::{Identifier, SteadyClock, Timestamp};
use tokio::sync::watch;

mod answers;
mod audit;
mod consumer;
pub mod limits;
mod metrics;
mod refusal;
mod rights;
mod routes;
mod socket;

pub use audit::{AuditLog, AuditTo};
pub use consumer::Consumer;
pub use limits::BrokerLimits;
pub use rights::{Accounts, Rights, RightsError};
pub use socket::serve_broker;

use audit::Read;
use metrics::Reads;
use refusal::Refusal;

/// What a broker works with until it is told to read its configuration anew.
pub struct Serving {
    /// Where values come from.
    pub resolver: CachingResolver,
    /// Who may have them.
    pub rights: Rights,
    /// Where reads are written down.
    pub audit: Arc<dyn AuditLog>,
    /// Who signs in with a certificate, when the store needs that. The end of the certificate is told, nothing else.
    pub certificate: Option<Arc<TokenSource>>,
}

/// What [`Configuration::read`] gives.
pub type Configured<'a> = Pin<Box<dyn Future<Output = Result<Serving, Box<Diagnosis>>> + Send + 'a>>;

/// Where a broker's configuration is.
pub trait Configuration: Send + Sync {
    /// Reads all of it anew. `current` is what is served now, so that what did not change can be kept.
    fn read<'a>(&'a self, current: &'a Serving) -> Configured<'a>;
}

/// A broker. Clones are the same one.
#[derive(Clone)]
pub struct Broker(Arc<House>);

struct House {
    serving: RwLock<Arc<Serving>>,
    configuration: Box<dyn Configuration>,
    /// One reload at a time.
    reloading: tokio::sync::Mutex<()>,
    clock: Arc<dyn SteadyClock>,
    began: (Timestamp, Duration),
    /// The user that the broker runs as.
    owner: u32,
    reads: Reads,
    stop: watch::Sender<bool>,
}

impl Broker {
    /// A broker of the user `owner` that works with `serving`, and reads `configuration` when it is told to.
    pub fn new(
        serving: Serving,
        configuration: Box<dyn Configuration>,
        clock: Arc<dyn SteadyClock>,
        owner: u32,
    ) -> Self {
        let began = (clock.now(), clock.elapsed());
        Self(Arc::new(House {
            serving: RwLock::new(Arc::new(serving)),
            configuration,
            reloading: tokio::sync::Mutex::default(),
            clock,
            began,
            owner,
            reads: Reads::default(),
            stop: watch::Sender::new(false),
        }))
    }

    /// Reads the configuration anew; requests that come later find the new one.
    ///
    /// # Errors
    /// What is wrong with it. The old one goes on.
    pub async fn reload(&self) -> Result<(), Box<Diagnosis>> {
        let _turn = self.0.reloading.lock().await;
        let read = self.0.configuration.read(&self.serving()).await?;
        *self.0.serving.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(read);
        Ok(())
    }

    /// Completes when a request asked the broker to stop.
    pub async fn told_to_stop(&self) {
        // The sender is ours, so this ends only when it says so.
        let _ = self.0.stop.subscribe().wait_for(|stop| *stop).await;
    }

    fn serving(&self) -> Arc<Serving> {
        self.0.serving.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn is_owner(&self, consumer: &Consumer) -> bool {
        consumer.uid == self.0.owner || consumer.uid == 0
    }

    /// How it is.
    pub fn health(&self) -> HealthAnswer {
        let (now, serving) = (self.0.clock.now(), self.serving());
        let certificate = serving.certificate.as_ref().and_then(|tokens| tokens.signing_certificate());
        let end = certificate.map(|certificate| certificate.not_after);
        HealthAnswer {
            status: "serving".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            started_at: self.0.began.0,
            up_seconds: self.0.clock.elapsed().saturating_sub(self.0.began.1).as_secs(),
            certificate_expires: end,
            certificate_days_left: end.map(|end| end.seconds_since(now).div_euclid(86_400)),
            cache: numbers(serving.resolver.counts()),
        }
    }

    /// One read: rights, store, audit, in this order. Without rights the store is not asked.
    async fn read(&self, consumer: &Consumer, identifier: &Identifier, refresh: bool) -> Result<Resolved, Refusal> {
        let serving = self.serving();
        if !serving.rights.allow(consumer, identifier) {
            self.audited(&serving, consumer, identifier, Read::NotAllowed)?;
            return Err(Refusal::NotAllowed(identifier.clone()));
        }
        let resolved = match refresh {
            true => serving.resolver.refresh(identifier).await,
            false => serving.resolver.resolve(identifier).await,
        };
        let read = match &resolved {
            Ok(resolved) => Read::Allowed {
                version: resolved.version(),
                cached: resolved.cached,
                fresh: resolved.freshness.is_fresh(),
            },
            Err(error) => Read::Failed(error.diagnosis.code.id),
        };
        self.audited(&serving, consumer, identifier, read)?;
        resolved.map_err(|error| Refusal::from(Diagnosis::from(error)))
    }

    fn audited(
        &self,
        serving: &Serving,
        consumer: &Consumer,
        identifier: &Identifier,
        read: Read<'_>,
    ) -> Result<(), Refusal> {
        let line = audit::line(consumer, identifier.as_str(), read, self.0.clock.now());
        let reads = &self.0.reads;
        if let Err(error) = serving.audit.write(&line) {
            reads.not_audited.fetch_add(1, Ordering::Relaxed);
            tracing::error!(%error, "an audit line cannot be written; the read is refused");
            return Err(Refusal::NotAudited);
        }
        let counter = match read {
            Read::Allowed { .. } => &reads.allowed,
            Read::NotAllowed => &reads.not_allowed,
            Read::Failed(_) => &reads.failed,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

fn numbers(counts: CacheCounts) -> CacheNumbers {
    let CacheCounts { hits, stale, joined, fetches, failures, refused, over_budget, evicted, entries, bytes } = counts;
    // A machine with more than 64 bits of memory is not in sight.
    let (entries, bytes) = (entries as u64, bytes as u64);
    CacheNumbers { hits, stale, joined, fetches, failures, refused, over_budget, evicted, entries, bytes }
}
