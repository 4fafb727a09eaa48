//! Lists: how they go on, where they end, what they refuse, and how large an answer each question allows.

use credstore::azure::key_vault::BACKUP_ANSWER_MAX;
use credstore::azure::{AzureError, Secrets, graph::ApplicationFilter};
use credstore::diagnosis::Diagnosis;
use credstore::protocol::key_vault::{CONTENT_TYPE_MAX, SECRET_VALUE_MAX, TAG_TEXT_MAX, TAGS_MAX};

use crate::azure_support::{Fake, Reply, TENANT, arm, graph, name, now, reply, vault};

fn page(member: &str, next: &str) -> Reply {
    let item = serde_json::json!({"id": "https://acme-kv.vault.azure.net/secrets/a"});
    reply(200, &[], &serde_json::json!({"value": [item], member: next}).to_string())
}

const NEXT: &str = "https://acme-kv.vault.azure.net:443/secrets?api-version=2025-07-01&$skiptoken=again";

#[tokio::test]
async fn a_list_that_never_ends_is_given_up_after_ten_thousand_pages() {
    let fake = Fake::signed_in(|_, _| page("nextLink", NEXT));
    let error = vault(&fake).objects::<Secrets>(now()).await.unwrap_err();
    assert_eq!(fake.asked().len(), 10_000);
    let diagnosis = Diagnosis::from(error);
    assert_eq!((diagnosis.code.id, diagnosis.cause.as_deref()), ("CS4014", Some("the list does not end")));
}

#[tokio::test]
async fn a_list_of_ten_thousand_pages_is_whole() {
    let fake = Fake::signed_in(|_, nth| page("nextLink", if nth == 9_999 { "" } else { NEXT }));
    assert_eq!(vault(&fake).objects::<Secrets>(now()).await.unwrap().len(), 10_000);
}

#[tokio::test]
async fn a_page_that_is_not_one_is_refused_and_what_was_read_is_not_taken_for_the_list() {
    for body in [
        "",
        "[]",
        r#"{"value":{}}"#,
        r#"{"value":[{"id":1}]}"#,
        r#"{"value":[],"nextLink":7}"#,
        r#"{"value":[],"nextLink":["https://evil.example"]}"#,
        "<html>sign in</html>",
        "{\"value\":[]",
        "\u{0}",
    ] {
        let fake = Fake::signed_in(move |_, nth| if nth == 0 { page("nextLink", NEXT) } else { reply(200, &[], body) });
        let error = vault(&fake).objects::<Secrets>(now()).await.unwrap_err();
        assert!(matches!(error, AzureError::Unusable { .. }), "{body}: {error:?}");
        assert_eq!(fake.asked().len(), 2, "{body}");
    }
}

/// Where a hostile page could send the next request, which carries the access token.
const ELSEWHERE: &[&str] = &[
    "https://evil.example/secrets",
    "http://acme-kv.vault.azure.net/secrets",
    "HTTP://acme-kv.vault.azure.net/secrets",
    "https://acme-kv.vault.azure.net:444/secrets",
    "https://acme-kv.vault.azure.net.evil.example/",
    "https://acme-kv.vault.azure.net@evil.example/",
    "https://evil.example\\@acme-kv.vault.azure.net/",
    "https://acme-kv.vault.azure.net%2eevil.example/",
    "https://acme-kv.vault.azure.net\u{3002}evil.example/",
    "https://u:p@acme-kv.vault.azure.net/secrets",
    "//evil.example/secrets",
    "\\\\evil.example\\secrets",
    "/secrets?$skiptoken=relative",
    "secrets",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "data:text/plain,x",
    "https://",
    "https:///secrets",
    "https://[::1]/secrets",
    "https://127.0.0.1/secrets",
    " ",
];

#[tokio::test]
async fn no_next_page_of_any_list_is_asked_for_at_another_address() {
    for link in ELSEWHERE {
        let fake = Fake::signed_in(move |_, _| page("nextLink", link));
        let vault = vault(&fake);
        assert!(vault.objects::<Secrets>(now()).await.is_err(), "{link}");
        assert!(vault.object_versions::<Secrets>(&name(), now()).await.is_err(), "{link}");
        assert_eq!(fake.asked().len(), 2, "{link}");

        let fake = Fake::signed_in(move |_, _| {
            reply(200, &[], &serde_json::json!({"value": [], "nextLink": link, "@odata.nextLink": link}).to_string())
        });
        assert!(arm(&fake).vaults(now()).await.is_err(), "{link}");
        assert!(graph(&fake).applications(&ApplicationFilter::All, now()).await.is_err(), "{link}");
        assert!(vault.deleted_objects::<Secrets>(now()).await.is_err(), "{link}");
        let hosts: Vec<_> = fake.asked().into_iter().map(|seen| seen.host).collect();
        assert_eq!(hosts, ["management.azure.com", "graph.microsoft.com"], "{link}");
    }
}

#[tokio::test]
async fn every_list_follows_its_own_link_on_its_own_host_with_its_token() {
    let fake = Fake::signed_in(|seen, _| {
        let next = match seen.path.contains("skip") {
            true => serde_json::Value::Null,
            false => format!("https://{}{}&skip=1", seen.host, seen.path).into(),
        };
        reply(200, &[], &serde_json::json!({"value": [], "nextLink": next, "@odata.nextLink": next}).to_string())
    });
    vault(&fake).deleted_objects::<Secrets>(now()).await.unwrap();
    arm(&fake).deleted_vaults(now()).await.unwrap();
    graph(&fake).applications(&ApplicationFilter::Named("x".to_owned()), now()).await.unwrap();
    let lines: Vec<_> = fake.asked().iter().map(|seen| seen.line()).collect();
    let arm_path =
        format!("GET /subscriptions/{TENANT}/providers/Microsoft.KeyVault/deletedVaults?api-version=2024-11-01");
    let graph_path = "GET /v1.0/applications?$filter=displayName%20eq%20%27x%27";
    assert_eq!(
        lines,
        [
            "GET /deletedsecrets?api-version=2025-07-01",
            "GET /deletedsecrets?api-version=2025-07-01&skip=1",
            &arm_path,
            &format!("{arm_path}&skip=1"),
            graph_path,
            &format!("{graph_path}&skip=1"),
        ]
    );
    for pair in fake.asked().chunks(2) {
        assert_eq!(pair[0].header("authorization"), pair[1].header("authorization"));
        assert_ne!(pair[0].header("x-ms-client-request-id"), pair[1].header("x-ms-client-request-id"));
    }
}

#[tokio::test]
async fn only_a_backup_and_management_are_allowed_larger_answers() {
    let fake = Fake::signed_in(|_, _| reply(200, &[], r#"{"value":"blob","location":"l","properties":{}}"#));
    let vault = vault(&fake);
    let backup = vault.backup_object::<Secrets>(&name(), now()).await.unwrap();
    let _ = vault.restore_object::<Secrets>(&backup, now()).await;
    let _ = vault.secret(&name(), None, now()).await;
    let _ = vault.objects::<Secrets>(now()).await;
    let _ = arm(&fake).vaults(now()).await;
    let _ = graph(&fake).applications(&ApplicationFilter::All, now()).await;
    let allowed: Vec<_> = fake.asked().iter().map(|seen| seen.answer_max).collect();
    let management = Some(16 * 1024 * 1024);
    assert_eq!(allowed, [Some(BACKUP_ANSWER_MAX), None, None, None, management, management]);
    assert!(fake.all().iter().filter(|seen| seen.is_token()).all(|seen| seen.answer_max.is_none()));
}

#[test]
fn the_answer_to_a_backup_has_room_for_every_version_at_its_largest() {
    // Base64 makes four bytes of three; 500 versions is Key Vault's limit.
    let version = SECRET_VALUE_MAX + (CONTENT_TYPE_MAX + TAGS_MAX * 2 * TAG_TEXT_MAX) * 4;
    // A hostile server may make us hold this much, and not more.
    assert!((500 * version / 3 * 4..100_000_000).contains(&BACKUP_ANSWER_MAX));
}
