//! Figures in the text form of Prometheus. They hold no secret, no identifier and no consumer.
//!
//! Source: Prometheus, "Exposition formats", text format 0.0.4; names end in `_total`, `_seconds` and `_bytes` as its naming
//! page asks.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use credstore_protocol::broker::{CacheNumbers, HealthAnswer};

/// The content type of the form.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What the broker itself counted.
#[derive(Debug, Default)]
pub(crate) struct Reads {
    /// Values that went out.
    pub(crate) allowed: AtomicU64,
    /// Reads that the rights refused.
    pub(crate) not_allowed: AtomicU64,
    /// Reads for which the store had nothing.
    pub(crate) failed: AtomicU64,
    /// Reads that were refused because their audit line was not written.
    pub(crate) not_audited: AtomicU64,
    /// Connections that found no place.
    pub(crate) turned_away: AtomicU64,
}

/// Everything there is to tell.
pub(crate) fn text(health: &HealthAnswer, reads: &Reads) -> String {
    let mut text = String::with_capacity(4 * 1024);
    let CacheNumbers { hits, stale, joined, fetches, failures, refused, over_budget, evicted, entries, bytes } =
        health.cache;
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    for (name, about, value) in [
        ("reads_allowed", "Values that went out.", count(&reads.allowed)),
        ("reads_not_allowed", "Reads that the rights refused.", count(&reads.not_allowed)),
        ("reads_failed", "Reads for which the store had no value.", count(&reads.failed)),
        ("reads_not_audited", "Reads refused because their audit line was not written.", count(&reads.not_audited)),
        ("connections_turned_away", "Connections that found no place.", count(&reads.turned_away)),
        ("cache_hits", "Answers from memory that were fresh.", hits),
        ("cache_stale", "Answers from memory that were stale and said so.", stale),
        ("cache_joined", "Questions that waited for the fetch of another.", joined),
        ("cache_refused", "Questions answered by the memory of a failure.", refused),
        ("cache_evicted", "Values let go to make room.", evicted),
        ("store_fetches", "Questions put to the store.", fetches),
        ("store_failures", "Questions to the store that brought no secret.", failures),
        ("store_over_budget", "Questions not put to the store because its budget was used up.", over_budget),
    ] {
        metric(&mut text, &format!("{name}_total"), "counter", about, &value.to_string());
    }
    metric(&mut text, "cache_entries", "gauge", "Identifiers that are remembered.", &entries.to_string());
    metric(&mut text, "cache_bytes", "gauge", "Bytes of the kept secrets, bookkeeping included.", &bytes.to_string());
    metric(&mut text, "start_time_seconds", "gauge", "When the broker began.", &health.started_at.0.to_string());
    if let (Some(end), Some(days)) = (health.certificate_expires, health.certificate_days_left) {
        metric(&mut text, "certificate_expires_seconds", "gauge", "When the certificate ends.", &end.0.to_string());
        metric(&mut text, "certificate_days_left", "gauge", "Whole days until then.", &days.to_string());
    }
    text
}

fn metric(text: &mut String, name: &str, kind: &str, about: &str, value: &str) {
    // Writing to a text cannot go wrong.
    let _ = write!(
        text,
        "# HELP credstore_broker_{name} {about}\n# TYPE credstore_broker_{name} {kind}\ncredstore_broker_{name} {value}\n"
    );
}

#[cfg(test)]
mod tests {
    use credstore_protocol::Timestamp;

    use super::*;

    fn health(certificate: Option<i64>) -> HealthAnswer {
        HealthAnswer {
            status: "serving".to_owned(),
            version: "1".to_owned(),
            pid: 1,
            started_at: Timestamp(1_800_000_000),
            up_seconds: 5,
            certificate_expires: certificate.map(|days| Timestamp(1_800_000_000 + days * 86_400)),
            certificate_days_left: certificate,
            cache: CacheNumbers { hits: 12, entries: 3, ..CacheNumbers::default() },
        }
    }

    #[test]
    fn every_figure_has_its_help_its_type_and_one_value() {
        let reads = Reads::default();
        reads.allowed.store(7, Ordering::Relaxed);
        let text = text(&health(Some(-2)), &reads);
        for line in [
            "# TYPE credstore_broker_reads_allowed_total counter\ncredstore_broker_reads_allowed_total 7\n",
            "credstore_broker_cache_hits_total 12\n",
            "# TYPE credstore_broker_cache_entries gauge\ncredstore_broker_cache_entries 3\n",
            "credstore_broker_certificate_days_left -2\n",
        ] {
            assert!(text.contains(line), "{line}{text}");
        }
        let samples: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(text.lines().count(), samples.len() * 3);
        let names: std::collections::BTreeSet<_> = samples.iter().map(|line| line.split(' ').next()).collect();
        assert_eq!(names.len(), samples.len(), "each once");
    }

    #[test]
    fn without_a_certificate_nothing_is_said_of_one() {
        assert!(!text(&health(None), &Reads::default()).contains("certificate"));
    }
}
