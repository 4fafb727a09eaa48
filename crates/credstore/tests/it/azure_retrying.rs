//! When a request is sent again, after which pause, and when it is not: on paused time, against a cloud in memory.

use std::sync::Arc;
use std::time::Duration;

use credstore::azure::{AzureError, KeyVaultClient, Secrets, VaultAddress, When};
use credstore::diagnosis::Diagnosis;
use credstore::protocol::Secret;
use credstore::protocol::key_vault::SecretProperties;
use credstore::transport::{Answer, Body, Transport, TransportError};
use tokio::time::Instant;

use crate::azure_support::{Fake, NOW, Reply, SCOPE, arm, bundle, name, reply, token, tokens, vault, vault_name};

/// The first answer to Get, then a good one: how long it took, and how often was asked.
async fn waited(
    status: u16,
    headers: &'static [(&'static str, &'static str)],
    patience: u64,
) -> (Duration, usize, bool) {
    let fake = Fake::signed_in(move |_, nth| if nth == 0 { reply(status, headers, "") } else { bundle("x") });
    let started = Instant::now();
    let when = When::within(NOW, Duration::from_secs(patience));
    let outcome = vault(&fake).secret(&name(), None, when).await;
    (started.elapsed(), fake.asked().len(), outcome.is_ok())
}

#[tokio::test(start_paused = true)]
async fn every_form_of_the_hint_is_kept_and_never_undercut() {
    let seconds = Duration::from_secs;
    // NOW is 2026-11-23T10:02:07Z. The third date form of RFC 9110 is not sent by Azure, and is no hint.
    for (status, headers, least, most) in [
        (429, &[("retry-after", "7")] as &[_], seconds(7), seconds(7)),
        (429, &[("retry-after", " 7 ")], seconds(7), seconds(7)),
        (429, &[("retry-after-ms", "2500")], Duration::from_millis(2500), Duration::from_millis(2500)),
        (429, &[("x-ms-retry-after-ms", "2500")], Duration::from_millis(2500), Duration::from_millis(2500)),
        (
            429,
            &[("retry-after-ms", "2500"), ("retry-after", "50")],
            Duration::from_millis(2500),
            Duration::from_millis(2500),
        ),
        (429, &[("retry-after", "Mon, 23 Nov 2026 10:02:17 GMT")], seconds(10), seconds(10)),
        (503, &[("retry-after", "11")], seconds(11), seconds(11)),
        // Past, zero and unreadable hints leave our own pause: half to the whole of it, by chance.
        (429, &[("retry-after", "0")], Duration::from_millis(500), seconds(1)),
        (429, &[("retry-after", "Mon, 23 Nov 2026 09:00:00 GMT")], Duration::from_millis(500), seconds(1)),
        (429, &[("retry-after", "Thu, 01 Jan 1970 00:00:00 GMT")], Duration::from_millis(500), seconds(1)),
        (429, &[("retry-after", "-5")], Duration::from_millis(500), seconds(1)),
        (429, &[("retry-after", "soon")], Duration::from_millis(500), seconds(1)),
        (429, &[("retry-after", "1e3")], Duration::from_millis(500), seconds(1)),
        (429, &[("retry-after", "")], Duration::from_millis(500), seconds(1)),
        (429, &[], Duration::from_millis(500), seconds(1)),
        (503, &[], Duration::from_millis(250), Duration::from_millis(500)),
        (408, &[], Duration::from_millis(250), Duration::from_millis(500)),
    ] {
        let (elapsed, asked, ok) = waited(status, headers, 60).await;
        assert!(ok && asked == 2, "{status} {headers:?}");
        // The runtime's clock ticks in milliseconds.
        assert!(elapsed >= least && elapsed <= most + Duration::from_millis(2), "{status} {headers:?}: {elapsed:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hint_beyond_the_deadline_ends_it_at_once() {
    for (headers, patience) in [
        (&[("retry-after", "60")] as &'static [(&str, &str)], 60),
        (&[("retry-after", "61")], 60),
        (&[("retry-after", "86400")], 60),
        (&[("retry-after", "18446744073709551615")], 60),
        (&[("retry-after-ms", "18446744073709551615")], 60),
        (&[("retry-after", "Fri, 31 Dec 9999 23:59:59 GMT")], 60),
        (&[("retry-after", "5")], 5),
    ] {
        let (elapsed, asked, ok) = waited(429, headers, patience).await;
        assert!(!ok && asked == 1, "{headers:?}");
        assert_eq!(elapsed, Duration::ZERO, "{headers:?}");
    }
    let (_, asked, ok) = waited(429, &[("retry-after", "59")], 60).await;
    assert!(ok && asked == 2);
    // One that no number can hold is no hint.
    let (_, asked, ok) = waited(429, &[("retry-after", "18446744073709551616")], 60).await;
    assert!(ok && asked == 2);
}

#[tokio::test(start_paused = true)]
async fn each_status_is_tried_as_often_as_it_deserves() {
    for (status, read, write) in [
        (400, 1, 1),
        (403, 1, 1),
        (404, 1, 1),
        (408, 3, 1),
        (409, 1, 1),
        (429, 3, 3),
        (500, 3, 1),
        (501, 1, 1),
        (502, 3, 1),
        (503, 3, 1),
        (504, 3, 1),
        (505, 1, 1),
        (599, 3, 1),
    ] {
        let fake = Fake::signed_in(move |_, _| reply(status, &[], ""));
        let vault = vault(&fake);
        let when = || When::at(NOW);
        vault.secret(&name(), None, when()).await.unwrap_err();
        assert_eq!(fake.asked().len(), read, "read {status}");
        let value = Secret::from("s3cret".to_owned());
        vault.set_secret(&name(), &value, &SecretProperties::default(), when()).await.unwrap_err();
        assert_eq!(fake.asked().len(), read + write, "write {status}");
        vault.delete_object::<Secrets>(&name(), when()).await.unwrap_err();
        assert_eq!(fake.asked().len(), read + 2 * write, "delete {status}");
        vault.backup_object::<Secrets>(&name(), when()).await.unwrap_err();
        assert_eq!(fake.asked().len(), read + 3 * write, "backup {status}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_vault_that_never_answers_is_given_up_at_the_deadline_and_not_later() {
    for patience in [1, 19, 60] {
        let started = Instant::now();
        let when = When::within(NOW, Duration::from_secs(patience));
        let error = silent_vault().secret(&name(), None, when).await.unwrap_err();
        assert_eq!(started.elapsed(), Duration::from_secs(patience));
        assert!(matches!(error, AzureError::Unreachable { source: TransportError::TimedOut { .. }, .. }), "{error:?}");
        let diagnosis = Diagnosis::from(error);
        assert_eq!((diagnosis.code.id, diagnosis.retryable), ("CS4013", true));
    }
}

/// A vault that takes every request and says nothing; signing in works.
fn silent_vault() -> KeyVaultClient {
    let address = VaultAddress::new(&vault_name(), "vault.azure.net").unwrap();
    KeyVaultClient::new(Arc::new(Nobody), tokens(&Fake::new(|_, _| token("t"))), address, SCOPE)
}

struct Nobody;

impl Transport for Nobody {
    fn send(&self, _: http::Request<Body>) -> Answer<'_> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test(start_paused = true)]
async fn sign_in_and_question_share_one_deadline() {
    let busy = || -> Reply { reply(503, &[("retry-after", "20")], "") };
    let fake = Fake::new(move |seen, nth| match (seen.is_token(), nth) {
        (true, 0) => busy(),
        (true, _) => token("t"),
        (false, _) => busy(),
    });
    let started = Instant::now();
    let when = When::within(NOW, Duration::from_secs(50));
    vault(&fake).secret(&name(), None, when).await.unwrap_err();
    // 20 s for the sign-in, 20 s for the vault; a third wait would end after the deadline.
    assert_eq!((fake.tokens_asked(), fake.asked().len()), (2, 2));
    assert!(started.elapsed() >= Duration::from_secs(40) && started.elapsed() < Duration::from_secs(41));
}

#[tokio::test(start_paused = true)]
async fn a_vault_that_is_never_finished_is_given_as_it_is_at_the_deadline() {
    let fake = Fake::signed_in(|_, _| {
        reply(200, &[], r#"{"location":"l","properties":{"tenantId":"t","provisioningState":"RegisteringDns"}}"#)
    });
    let started = Instant::now();
    let when = When::within(NOW, Duration::from_secs(10));
    let made = arm(&fake).put_vault(&vault_name(), Default::default(), when).await.unwrap();
    assert_eq!(made.properties.provisioning_state.as_deref(), Some("RegisteringDns"));
    assert!(started.elapsed() <= Duration::from_secs(10), "{:?}", started.elapsed());
    assert_eq!(fake.asked().len(), 5, "one PUT and a look every two seconds");
}

#[tokio::test(start_paused = true)]
async fn what_a_second_try_cannot_change_is_not_tried_again() {
    let host = || "acme-kv.vault.azure.net".to_owned();
    type Failing = fn(String) -> TransportError;
    let cases: [(&str, Failing, usize, bool); 5] = [
        ("resolve", |host| TransportError::Resolve { host }, 1, false),
        ("tls", |host| TransportError::Tls { host, reason: "r".to_owned() }, 1, false),
        ("connect", |host| TransportError::Connect { host, proxy: None, reason: "r".to_owned() }, 3, true),
        ("timed out", |host| TransportError::TimedOut { host }, 3, true),
        ("bad answer", |host| TransportError::BadAnswer { host, reason: "r".to_owned() }, 3, true),
    ];
    for (what, failing, times, retryable) in cases {
        let fake = Fake::signed_in(move |_, _| Err(failing(host())));
        let error = vault(&fake).secret(&name(), None, When::at(NOW)).await.unwrap_err();
        assert_eq!(fake.asked().len(), times, "{what}");
        assert_eq!(Diagnosis::from(error).retryable, retryable, "{what}");
    }
}
