//! Callers that come in crowds and go away while they wait: one question, and nobody left without an answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use credstore::azure::{TokenSource, When};
use credstore::diagnosis::Diagnosis;
use credstore::protocol::{Identifier, Secret, Timestamp};
use credstore::resolver::Resolver;
use credstore::store::{Fetched, Fetching, Store, StoreError};
use credstore::transport::{Answer, Body, Transport};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::azure_support::{
    CHALLENGE, Fake, NOW, SCOPE, aadsts, bundle, certificate, client_id, token, tokens, unauthorized, vault,
};

/// How often something was asked, and when it may answer.
#[derive(Default)]
struct Gate {
    asked: AtomicUsize,
    answered: AtomicUsize,
    started: Notify,
    go: Notify,
}

impl Gate {
    async fn pass(&self) {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.started.notify_one();
        self.go.notified().await;
        self.answered.fetch_add(1, Ordering::SeqCst);
    }

    fn counts(&self) -> (usize, usize) {
        (self.asked.load(Ordering::SeqCst), self.answered.load(Ordering::SeqCst))
    }
}

/// A store, and a directory, behind the gate.
struct Gated(Arc<Gate>);

impl Store for Gated {
    fn fetch<'a>(&'a self, identifier: &'a Identifier, _: Timestamp) -> Fetching<'a> {
        Box::pin(async move {
            self.0.pass().await;
            match identifier.as_str() {
                "Absent" => Err(StoreError::not_among(identifier, self.describe(), std::iter::empty())),
                _ => Ok(Fetched::bare(Secret::from("s3cret".to_owned()))),
            }
        })
    }

    fn describe(&self) -> String {
        "a gate".to_owned()
    }
}

impl Transport for Gated {
    fn send(&self, _: http::Request<Body>) -> Answer<'_> {
        Box::pin(async move {
            self.0.pass().await;
            token("t")
        })
    }
}

fn gated_resolver() -> (Arc<Gate>, Arc<Resolver>) {
    let gate = Arc::new(Gate::default());
    (gate.clone(), Arc::new(Resolver::new(Arc::new(Gated(gate)))))
}

fn gated_tokens() -> (Arc<Gate>, Arc<TokenSource>) {
    let gate = Arc::new(Gate::default());
    let authority = credstore::azure::Authority::new("https://login.example", "contoso.example").unwrap();
    let certificate = credstore::azure::CertificateSource::Held(certificate());
    let source = TokenSource::new(Arc::new(Gated(gate.clone())), authority, client_id(), certificate);
    (gate, Arc::new(source))
}

/// Whether it worked.
type Caller = JoinHandle<bool>;

fn resolving(resolver: &Arc<Resolver>, identifier: &'static str) -> Caller {
    let resolver = resolver.clone();
    tokio::spawn(async move { resolver.resolve(&identifier.parse().unwrap(), NOW).await.is_ok() })
}

fn signing_in(source: &Arc<TokenSource>) -> Caller {
    let source = source.clone();
    tokio::spawn(async move { source.token(SCOPE, When::at(NOW)).await.is_ok() })
}

/// A thousand wait; whoever asks goes away, fifty times; then the gate opens.
async fn storm(gate: &Gate, mut call: impl FnMut() -> Caller) {
    let mut callers: Vec<Caller> = (0..1000).map(|_| call()).collect();
    for cancelled in 1..=50 {
        gate.started.notified().await;
        assert_eq!(gate.counts(), (cancelled, 0));
        // Callers take their turns in the order in which they came.
        callers.remove(0).abort();
    }
    gate.started.notified().await;
    gate.go.notify_one();
    for caller in callers {
        assert!(caller.await.unwrap());
    }
    assert_eq!(gate.counts(), (51, 1));
}

#[tokio::test]
async fn a_store_answers_once_for_a_crowd_whose_first_fifty_go_away() {
    let (gate, resolver) = gated_resolver();
    storm(&gate, || resolving(&resolver, "A")).await;
}

#[tokio::test]
async fn a_directory_answers_once_for_a_crowd_whose_first_fifty_go_away() {
    let (gate, source) = gated_tokens();
    storm(&gate, || signing_in(&source)).await;
    // The token is kept: nobody asks any more.
    assert!(signing_in(&source).await.unwrap());
    assert_eq!(gate.counts(), (51, 1));
}

#[tokio::test]
async fn waiting_callers_that_go_away_disturb_nobody() {
    let (gate, resolver) = gated_resolver();
    let callers: Vec<Caller> = (0..1000).map(|_| resolving(&resolver, "A")).collect();
    gate.started.notified().await;
    for caller in callers.iter().skip(1).step_by(2) {
        caller.abort();
    }
    gate.go.notify_one();
    let mut answered = 0;
    for caller in callers {
        answered += usize::from(caller.await.unwrap_or(false));
    }
    assert_eq!((answered, gate.counts()), (500, (1, 1)));
}

#[tokio::test]
async fn a_crowd_that_goes_away_whole_leaves_a_store_that_answers() {
    let (gate, resolver) = gated_resolver();
    let callers: Vec<Caller> = (0..1000).map(|_| resolving(&resolver, "A")).collect();
    gate.started.notified().await;
    callers.iter().rev().for_each(JoinHandle::abort);
    for caller in callers {
        assert!(caller.await.unwrap_err().is_cancelled());
    }
    gate.go.notify_one();
    assert!(resolving(&resolver, "A").await.unwrap());
    assert_eq!(gate.counts().1, 1);
}

#[tokio::test]
async fn an_error_is_shared_and_not_kept() {
    let (gate, resolver) = gated_resolver();
    for round in 1..=2 {
        let callers: Vec<Caller> = (0..100).map(|_| resolving(&resolver, "Absent")).collect();
        gate.started.notified().await;
        gate.go.notify_one();
        for caller in callers {
            assert!(!caller.await.unwrap());
        }
        assert_eq!(gate.counts(), (round, round));
    }
}

#[tokio::test]
async fn one_identifier_that_hangs_holds_up_no_other() {
    let (gate, resolver) = gated_resolver();
    let hanging = resolving(&resolver, "A");
    gate.started.notified().await;
    let other = resolving(&resolver, "B");
    gate.started.notified().await;
    assert_eq!(gate.counts(), (2, 0));
    gate.go.notify_one();
    gate.go.notify_one();
    tokio::task::yield_now().await;
    gate.go.notify_one();
    assert!(hanging.await.unwrap() && other.await.unwrap());
}

#[tokio::test]
async fn scopes_are_asked_for_side_by_side() {
    let fake = Fake::new(|_, _| token("t"));
    let source = tokens(&fake);
    let callers: Vec<_> = (0..300)
        .map(|number| {
            let source = source.clone();
            let scope = format!("https://service{}.example/.default", number % 3);
            tokio::spawn(async move { source.token(&scope, When::at(NOW)).await.is_ok() })
        })
        .collect();
    for caller in callers {
        assert!(caller.await.unwrap());
    }
    assert_eq!(fake.tokens_asked(), 3);
}

#[tokio::test]
async fn a_refused_token_is_renewed_once_for_a_whole_crowd() {
    let fake = Fake::signed_in(|seen, _| match seen.header("authorization") {
        "Bearer t1" if seen.path.contains("/first/") => bundle("s3cret"),
        "Bearer t1" => unauthorized(CHALLENGE),
        _ => bundle("s3cret"),
    });
    let vault = Arc::new(vault(&fake));
    vault.secret(&"first".parse().unwrap(), None, When::at(NOW)).await.unwrap();
    let callers: Vec<_> = (0..100)
        .map(|number| {
            let vault = vault.clone();
            let name = format!("other{number}").parse().unwrap();
            tokio::spawn(async move { vault.secret(&name, None, When::at(NOW)).await.is_ok() })
        })
        .collect();
    for caller in callers {
        assert!(caller.await.unwrap());
    }
    assert_eq!(fake.tokens_asked(), 2);
}

#[tokio::test]
async fn a_crowd_of_refusals_is_one_question_and_each_gets_the_cause() {
    let fake = Fake::new(|_, _| aadsts(400, 700_030, "subject."));
    let source = tokens(&fake);
    let callers: Vec<_> = (0..100)
        .map(|_| {
            let source = source.clone();
            tokio::spawn(async move { source.token(SCOPE, When::at(NOW)).await.unwrap_err() })
        })
        .collect();
    for caller in callers {
        assert_eq!(Diagnosis::from(caller.await.unwrap().as_ref()).code.id, "CS3114");
    }
    assert_eq!(fake.tokens_asked(), 1);
}
