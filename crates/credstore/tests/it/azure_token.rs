//! Signing in, against a directory in memory: keeping, renewing, retrying, reloading, explaining.

use std::sync::Arc;
use std::time::Duration;

use credstore::azure::sign_in::{AADSTS, SignInError, SignInProblem};
use credstore::azure::{CertificateFile, CertificateSource, When};
use credstore::diagnosis::Diagnosis;
use credstore::protocol::Timestamp;
use credstore::protocol::encoding::base64_any;
use credstore::transport::TransportError;

use crate::azure_support::{
    CLIENT, Fake, Folder, NOW, SCOPE, TENANT, aadsts, generated, reply, token, tokens, tokens_with,
};

fn at(seconds: i64) -> When {
    When::at(Timestamp(NOW.0 + seconds))
}

fn timed_out() -> TransportError {
    TransportError::TimedOut { host: "login.microsoftonline.com".to_owned() }
}

async fn refused(fake: &Arc<Fake>) -> Diagnosis {
    let error = tokens(fake).token(SCOPE, at(0)).await.unwrap_err();
    Diagnosis::from(error.as_ref())
}

#[tokio::test]
async fn the_request_is_that_of_the_contract() {
    let fake = Fake::new(|_, _| token("t"));
    tokens(&fake).token(SCOPE, at(0)).await.unwrap();
    let seen = &fake.all()[0];
    assert_eq!((seen.method.as_str(), seen.host.as_str()), ("POST", "login.microsoftonline.com"));
    assert_eq!(seen.path, format!("/{TENANT}/oauth2/v2.0/token"));
    assert_eq!(seen.header("content-type"), "application/x-www-form-urlencoded");
    assert_eq!(seen.header("client-request-id").len(), 36);
    let fields: Vec<(String, String)> = url::form_urlencoded::parse(seen.body.as_bytes()).into_owned().collect();
    let field = |name: &str| fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str()).unwrap();
    assert_eq!(field("client_id"), CLIENT);
    assert_eq!(field("grant_type"), "client_credentials");
    assert_eq!(field("scope"), "https://vault.azure.net/.default");
    assert_eq!(field("client_assertion_type"), "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    let claims = base64_any(field("client_assertion").split('.').nth(1).unwrap()).unwrap();
    let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!(claims["aud"], format!("https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token"));
}

#[tokio::test]
async fn every_request_has_an_id_and_an_assertion_of_its_own() {
    let fake = Fake::new(|_, _| reply(503, &[], ""));
    tokio::time::pause();
    tokens(&fake).token(SCOPE, at(0)).await.unwrap_err();
    let ids: std::collections::HashSet<_> =
        fake.all().iter().map(|seen| (seen.header("client-request-id").to_owned(), seen.body.clone())).collect();
    assert_eq!((fake.all().len(), ids.len()), (3, 3));
}

#[tokio::test]
async fn a_token_is_kept_until_five_minutes_before_its_end() {
    let fake = Fake::signed_in(|_, _| reply(200, &[], ""));
    let tokens = tokens(&fake);
    let first = tokens.token(SCOPE, at(0)).await.unwrap();
    assert!(Arc::ptr_eq(&first, &tokens.token(SCOPE, at(3298)).await.unwrap()));
    assert_eq!(fake.tokens_asked(), 1);
    assert!(!Arc::ptr_eq(&first, &tokens.token(SCOPE, at(3299)).await.unwrap()));
    assert_eq!(fake.tokens_asked(), 2);
}

/// Lets the tasks in the background go as far as they can.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_token_is_renewed_in_the_background_from_four_fifths_of_its_life_on() {
    // expires_in is 3,599 s: four fifths are over after 2,879.2.
    let fake = Fake::signed_in(|_, _| reply(200, &[], ""));
    let tokens = tokens(&fake);
    let first = tokens.token(SCOPE, at(0)).await.unwrap();
    tokens.token(SCOPE, at(2_878)).await.unwrap();
    settle().await;
    assert_eq!(fake.tokens_asked(), 1);
    for _ in 0..100 {
        let token = tokens.token(SCOPE, at(2_880)).await.unwrap();
        assert!(Arc::ptr_eq(&first, &token), "nobody waits for the new one");
    }
    settle().await;
    let renewed = tokens.token(SCOPE, at(2_880)).await.unwrap();
    assert!(!Arc::ptr_eq(&first, &renewed));
    assert_eq!((fake.tokens_asked(), renewed.expires()), (2, Timestamp(NOW.0 + 2_880 + 3_599)));
}

#[tokio::test]
async fn a_renewal_that_fails_in_the_background_is_nobodys_error_and_is_tried_twice_a_minute() {
    let fake = Fake::new(|_, nth| if nth == 0 { token("t") } else { aadsts(401, 70001, "disabled.") });
    let tokens = tokens(&fake);
    let first = tokens.token(SCOPE, at(0)).await.unwrap();
    for second in 2_880..2_940 {
        assert!(Arc::ptr_eq(&first, &tokens.token(SCOPE, at(second)).await.unwrap()), "{second}");
        settle().await;
    }
    assert_eq!(fake.tokens_asked(), 3);
    // A clock that is set back does not put the next try off.
    tokens.token(SCOPE, at(2_885)).await.unwrap();
    settle().await;
    assert_eq!(fake.tokens_asked(), 4);
}

#[tokio::test]
async fn scopes_have_tokens_of_their_own() {
    let fake = Fake::signed_in(|_, _| reply(200, &[], ""));
    let tokens = tokens(&fake);
    let vault = tokens.token(SCOPE, at(0)).await.unwrap();
    let graph = tokens.token("https://graph.microsoft.com/.default", at(0)).await.unwrap();
    assert!(!Arc::ptr_eq(&vault, &graph));
}

#[tokio::test]
async fn a_thousand_callers_cause_one_sign_in_and_share_its_outcome() {
    for refuse in [false, true] {
        let fake = Fake::new(move |_, _| if refuse { aadsts(400, 90002, "no tenant.") } else { token("t") });
        let tokens = tokens(&fake);
        let callers: Vec<_> = (0..1000)
            .map(|_| {
                let tokens = tokens.clone();
                tokio::spawn(async move { tokens.token(SCOPE, at(0)).await.is_err() })
            })
            .collect();
        for caller in callers {
            assert_eq!(caller.await.unwrap(), refuse);
        }
        assert_eq!(fake.tokens_asked(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_valid_token_is_used_on_while_the_directory_cannot_answer() {
    let fake = Fake::new(|_, nth| if nth == 0 { token("t") } else { Err(timed_out()) });
    let tokens = tokens(&fake);
    let first = tokens.token(SCOPE, at(0)).await.unwrap();
    assert!(Arc::ptr_eq(&first, &tokens.token(SCOPE, at(3598)).await.unwrap()));
    assert!(matches!(*tokens.token(SCOPE, at(3599)).await.unwrap_err(), SignInError::Unreachable { .. }));
}

#[tokio::test]
async fn a_refusal_is_not_hidden_by_a_token_that_is_still_valid() {
    let fake = Fake::new(|_, nth| if nth == 0 { token("t") } else { aadsts(401, 70001, "disabled.") });
    let tokens = tokens(&fake);
    tokens.token(SCOPE, at(0)).await.unwrap();
    assert!(tokens.token(SCOPE, at(3400)).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_busy_directory_is_asked_three_times_with_pauses() {
    let fake = Fake::new(|_, nth| match nth {
        0 => reply(503, &[], "busy"),
        1 => Err(timed_out()),
        _ => token("t"),
    });
    let started = tokio::time::Instant::now();
    tokens(&fake).token(SCOPE, at(0)).await.unwrap();
    assert_eq!(fake.all().len(), 3);
    assert!(started.elapsed() >= Duration::from_millis(750) && started.elapsed() <= Duration::from_millis(1500));
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_never_undercut_and_the_deadline_never_passed() {
    let fake = Fake::new(|_, nth| if nth == 0 { reply(429, &[("retry-after", "20")], "") } else { token("t") });
    let started = tokio::time::Instant::now();
    tokens(&fake).token(SCOPE, at(0)).await.unwrap();
    assert!(started.elapsed() >= Duration::from_secs(20));

    let fake = Fake::new(|_, _| reply(429, &[("retry-after", "20")], ""));
    let started = tokio::time::Instant::now();
    let when = When::within(NOW, Duration::from_secs(19));
    let error = tokens(&fake).token(SCOPE, when).await.unwrap_err();
    assert_eq!(started.elapsed(), Duration::ZERO);
    let diagnosis = Diagnosis::from(error.as_ref());
    assert_eq!(diagnosis.code.id, "CS3140");
    assert!(diagnosis.cause.unwrap().contains("asks to wait 20 s"));
    assert!(diagnosis.retryable);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_change_by_waiting_is_asked_once() {
    for number in [90002, 700_016, 70001, 53003, 999_999] {
        let fake =
            Fake::new(move |seen, _| if seen.is_token() { aadsts(400, number, "no.") } else { reply(404, &[], "") });
        refused(&fake).await;
        assert_eq!(fake.tokens_asked(), 1, "{number}");
    }
    let fake = Fake::new(|_, _| Err(TransportError::Resolve { host: "login.microsoftonline.com".to_owned() }));
    assert_eq!(refused(&fake).await.code.id, "CS4010");
    assert_eq!(fake.all().len(), 1);
}

/// The rows of the documentation: numbers, our code, exit code, whether the certificate is read again.
const DOCUMENTED: &[(&[u64], &str, u8, bool)] = &[
    (&[90002], "CS3110", 4, false),
    (&[900_023], "CS3111", 4, false),
    (&[700_016], "CS3101", 4, false),
    (&[70001], "CS3112", 4, false),
    (&[700_027], "CS3102", 4, true),
    (&[7_000_274], "CS3103", 4, true),
    (&[1_000_502], "CS3104", 4, true),
    (&[700_024], "CS3105", 4, true),
    (&[7_000_214, 7_000_277], "CS3106", 4, true),
    (&[50027], "CS3120", 1, false),
    (&[700_021, 700_023], "CS3121", 4, false),
    (&[700_025], "CS3113", 4, false),
    (&[700_030], "CS3114", 4, false),
    (&[7_000_215, 7_000_222], "CS3115", 4, false),
    (&[70011], "CS3122", 4, false),
    (&[53003], "CS3130", 4, false),
    (&[90033, 90006, 90012], "CS3140", 8, false),
];

#[tokio::test(start_paused = true)]
async fn every_documented_aadsts_code_has_its_code_exit_and_reload() {
    for (numbers, code, exit, reload) in DOCUMENTED {
        for number in *numbers {
            let number = *number;
            let folder = Folder::new();
            let path = folder.path("my.pem");
            std::fs::write(&path, generated().pem.expose_secret()).unwrap();
            let fake = Fake::new(
                move |seen, _| {
                    if seen.is_token() { aadsts(401, number, "why.") } else { reply(404, &[], "") }
                },
            );
            let source = CertificateSource::File(CertificateFile::new(&path, None));
            let error = tokens_with(&fake, source).token(SCOPE, at(0)).await.unwrap_err();
            let diagnosis = Diagnosis::from(error.as_ref());
            assert_eq!((diagnosis.code.id, diagnosis.code.exit as u8), (*code, *exit), "{number}");
            let wanted = if *reload {
                2
            } else if *exit == 8 {
                3
            } else {
                1
            };
            assert_eq!(fake.tokens_asked(), wanted, "{number}");
            assert_eq!(diagnosis.retryable, *exit == 8, "{number}");
            assert!(!diagnosis.fix.is_empty() && diagnosis.cause.is_some(), "{number}");
            let upstream = diagnosis.upstream.unwrap();
            assert_eq!(upstream.code, format!("AADSTS{number}"));
            assert_eq!(upstream.trace_id.as_deref(), Some("1f0c5c3e-0000-4000-8000-000000000001"));
            assert_eq!(upstream.correlation_id.as_deref(), Some("2f0c5c3e-0000-4000-8000-000000000002"));
            assert_eq!(upstream.timestamp.as_deref(), Some("2026-11-23 10:42:07Z"));
        }
    }
}

#[test]
fn no_number_is_in_the_table_twice_and_none_is_missing() {
    let mut listed: Vec<u64> = AADSTS.iter().flat_map(|(numbers, _)| numbers.iter().copied()).collect();
    let count = listed.len();
    listed.sort_unstable();
    listed.dedup();
    assert_eq!(listed.len(), count);
    assert!(DOCUMENTED.iter().flat_map(|row| row.0).all(|number| listed.contains(number)));
}

#[tokio::test]
async fn an_unknown_code_keeps_the_directorys_words() {
    let fake = Fake::new(|_, _| aadsts(400, 999_999, "Something\r\nnew."));
    let diagnosis = refused(&fake).await;
    assert_eq!(diagnosis.code.id, "CS3199");
    assert_eq!(diagnosis.cause.unwrap(), "AADSTS999999: Something new. (AADSTS999999)");
}

#[tokio::test]
async fn a_certificate_that_was_exchanged_is_used_without_a_restart() {
    let folder = Folder::new();
    let path = folder.path("my.pem");
    let old = credstore::azure::certificate::generate("old", 2048, 1, NOW).unwrap();
    std::fs::write(&path, old.pem.expose_secret()).unwrap();
    let renewed = path.clone();
    let fake = Fake::new(move |_, nth| {
        if nth == 0 {
            std::fs::write(&renewed, generated().pem.expose_secret()).unwrap();
            return aadsts(401, 700_027, "not registered.");
        }
        token("t")
    });
    let source = CertificateSource::File(CertificateFile::new(&path, None));
    tokens_with(&fake, source).token(SCOPE, at(0)).await.unwrap();
    let thumbprint = |nth: usize| {
        let body = fake.all()[nth].body.clone();
        let assertion =
            url::form_urlencoded::parse(body.as_bytes()).find(|(name, _)| name == "client_assertion").unwrap().1;
        let header = base64_any(assertion.split('.').next().unwrap()).unwrap();
        serde_json::from_slice::<serde_json::Value>(&header).unwrap()["x5t#S256"].as_str().unwrap().to_owned()
    };
    assert_eq!(thumbprint(0), credstore::protocol::encoding::base64url(&old.public.thumbprint_sha256));
    assert_eq!(thumbprint(1), credstore::protocol::encoding::base64url(&generated().public.thumbprint_sha256));
}

#[tokio::test]
async fn an_unusable_certificate_is_found_before_anything_is_sent() {
    let fake = Fake::new(|_, _| token("t"));
    let source = CertificateSource::File(CertificateFile::new("/nowhere/my.pem", None));
    let error = tokens_with(&fake, source).token(SCOPE, at(0)).await.unwrap_err();
    assert_eq!(Diagnosis::from(error.as_ref()).code.id, "CS1201");
    assert!(fake.all().is_empty());
}

#[tokio::test]
async fn swapped_ids_are_recognised_and_offered() {
    for (number, is_tenant, swapped) in [(700_016, true, true), (90002, true, true), (700_016, false, false)] {
        let fake = Fake::new(move |seen, _| match (seen.is_token(), is_tenant) {
            (true, _) => aadsts(400, number, "not found."),
            (false, true) => reply(200, &[], "{}"),
            (false, false) => reply(400, &[], "{}"),
        });
        let diagnosis = refused(&fake).await;
        let question = &fake.asked()[0];
        assert_eq!(question.path, format!("/{CLIENT}/v2.0/.well-known/openid-configuration"));
        assert!(question.body.is_empty() && question.headers.get("authorization").is_none());
        let offered = diagnosis.fix[0] == format!(r#"write "TenantId": "{CLIENT}", "ClientId": "{TENANT}""#);
        assert_eq!(offered, swapped, "{diagnosis:?}");
    }
}

#[tokio::test]
async fn the_three_cases_of_700027_are_told_apart() {
    // Contract section 13, credential store notes section 7.3.
    for (text, code, fix) in [
        (
            "The certificate … is not registered on application. [Reason - The key was not found., Thumbprint …]",
            "CS3102",
            "export-public",
        ),
        (
            "Client assertion contains an invalid signature. [Reason - The key used is expired., Thumbprint …]",
            "CS3102",
            "check the clock",
        ),
        (
            "[Reason - The provided signature value did not match the expected signature value., …]",
            "CS3103",
            "cert verify",
        ),
    ] {
        let fake = Fake::new(move |_, _| aadsts(401, 700_027, text));
        let diagnosis = refused(&fake).await;
        assert_eq!(diagnosis.code.id, code, "{text}");
        assert!(diagnosis.fix[0].contains(fix), "{:?}", diagnosis.fix);
        // This certificate came from no file: there is nothing to read again, and so no second question.
        assert_eq!(fake.tokens_asked(), 1);
    }
}

#[tokio::test]
async fn the_thumbprint_to_upload_is_shown() {
    let fake = Fake::new(|_, _| aadsts(401, 700_027, "[Reason - The key was not found.]"));
    let diagnosis = refused(&fake).await;
    assert!(diagnosis.fix[1].contains(&generated().public.thumbprint()));
    assert_eq!(diagnosis.cause.unwrap(), "its public key is not on app registration 5d0c2a8e…b7f1 (AADSTS700027)");
}

#[tokio::test]
async fn an_expired_certificate_is_explained_with_its_dates() {
    let fake = Fake::new(|_, _| aadsts(401, 1_000_502, "outside validity."));
    let late = When::at(Timestamp(generated().public.not_after.0 + 86_400));
    let error = tokens(&fake).token(SCOPE, late).await.unwrap_err();
    let diagnosis = Diagnosis::from(error.as_ref());
    assert_eq!(diagnosis.message, "the directory refused the certificate");
    assert_eq!(
        diagnosis.cause.unwrap(),
        "it is outside its validity: 23 Nov 2026 to 23 Nov 2027, now 24 Nov 2027 (AADSTS1000502)"
    );
    // The directory's clock shows a year earlier: the clock is the first thing to look at.
    assert!(diagnosis.fix[0].starts_with("check the clock first"), "{:?}", diagnosis.fix);
}

#[tokio::test]
async fn a_wrong_clock_is_shown_beside_the_directorys() {
    let fake = Fake::new(|_, _| aadsts(401, 700_024, "time range."));
    let error = tokens(&fake).token(SCOPE, at(3600)).await.unwrap_err();
    assert_eq!(
        Diagnosis::from(error.as_ref()).cause.unwrap(),
        "this machine shows 2026-11-23T11:02:07Z, the directory 2026-11-23T10:02:07Z (AADSTS700024)"
    );
}

#[tokio::test]
async fn an_answer_that_is_no_directorys_is_not_taken_for_one() {
    for (status, body) in
        [(200, "<html>login to the proxy</html>"), (302, ""), (403, "<html>blocked</html>"), (200, "{}")]
    {
        let fake = Fake::new(move |_, _| reply(status, &[("location", "https://evil.example/")], body));
        assert_eq!(refused(&fake).await.code.id, "CS4014", "{status}");
        assert_eq!(fake.all().len(), 1);
    }
}

#[tokio::test]
async fn nothing_secret_is_in_errors_and_debug_texts() {
    let fake = Fake::new(|_, nth| if nth == 0 { token("planted-token") } else { aadsts(401, 700_027, "no.") });
    let tokens = tokens(&fake);
    let token = tokens.token(SCOPE, at(0)).await.unwrap();
    let error = tokens.token(SCOPE, at(3400)).await.unwrap_err();
    let diagnosis = Diagnosis::from(error.as_ref());
    let said = format!("{token:?} {error:?} {error} {diagnosis:?}");
    assert!(!said.contains("planted-token") && !said.contains("eyJ"), "{said}");
    assert!(
        matches!(&*error, SignInError::Refused(refusal) if refusal.problem == SignInProblem::CertificateNotRegistered)
    );
}
