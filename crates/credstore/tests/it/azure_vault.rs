//! Asking the vault, ARM and Graph, against a cloud in memory.

use std::time::Duration;

use credstore::azure::arm::{AccessPolicyChange, new_vault};
use credstore::azure::vault_answers::{ANSWERS, VaultAnswer};
use credstore::azure::{AzureError, KeyCrypt, Secrets, VaultAddress, When};
use credstore::diagnosis::Diagnosis;
use credstore::protocol::Secret;
use credstore::protocol::arm::{AccessPolicyEntry, Permissions};
use credstore::protocol::key_vault::SecretProperties;
use credstore::protocol::key_vault::keys::{EncryptionAlgorithm, SignRequest, SignatureAlgorithm};
use credstore::transport::TransportError;

use serde_json::json;

use crate::azure_support::{
    CHALLENGE, CLIENT, Fake, NOW, Reply, TENANT, arm, bundle, client_id, generated, graph, name, now, reply,
    unauthorized, vault, vault_error, vault_name,
};

/// What the user reads when the vault gives this answer to Get.
async fn read(answer: impl Fn() -> Reply + Send + Sync + 'static) -> Diagnosis {
    let fake = Fake::signed_in(move |_, _| answer());
    Diagnosis::from(vault(&fake).secret(&name(), None, now()).await.unwrap_err())
}

#[tokio::test]
async fn a_secret_is_asked_for_as_the_contract_says() {
    let fake = Fake::signed_in(|_, _| bundle("s3cret"));
    let got = vault(&fake).secret(&name(), None, now()).await.unwrap();
    assert_eq!(got.value.unwrap().expose_secret(), "s3cret");
    let seen = &fake.asked()[0];
    assert_eq!((seen.method.as_str(), seen.host.as_str()), ("GET", "acme-kv.vault.azure.net"));
    assert_eq!(seen.path, "/secrets/Db/?api-version=2025-07-01");
    assert_eq!(seen.header("authorization"), "Bearer t1");
    assert_eq!(seen.header("x-ms-client-request-id").len(), 36);
    assert!(seen.headers["authorization"].is_sensitive());
}

#[tokio::test]
async fn every_operation_has_the_method_and_path_of_the_contract() {
    let fake = Fake::signed_in(|_, _| reply(500, &[], ""));
    let vault = vault(&fake);
    let version = "4387e9f3d6e14c459867679a90fd0f79".parse().unwrap();
    let (name, when) = (name(), When::within(NOW, Duration::ZERO));
    // With no time left each is sent once; what comes back does not matter here.
    let when = When { deadline: when.deadline + Duration::from_millis(100), ..when };
    let value = Secret::from("s3cret".to_owned());
    let blob = credstore::protocol::key_vault::BackupBlob { value: "blob".to_owned() };
    let _ = vault.set_secret(&name, &value, &SecretProperties::default(), when).await;
    let _ = vault.update_secret(&name, Some(&version), &SecretProperties::default(), when).await;
    let _ = vault.delete_object::<Secrets>(&name, when).await;
    let _ = vault.recover_object::<Secrets>(&name, when).await;
    let _ = vault.purge_object::<Secrets>(&name, when).await;
    let _ = vault.backup_object::<Secrets>(&name, when).await;
    let _ = vault.restore_object::<Secrets>(&blob, when).await;
    let _ = vault.deleted_object::<Secrets>(&name, when).await;
    let sent: Vec<String> = fake
        .asked()
        .iter()
        .map(|seen| format!("{} {} {}", seen.method, seen.path.trim_end_matches("?api-version=2025-07-01"), seen.body))
        .collect();
    assert_eq!(
        sent,
        [
            r#"PUT /secrets/Db {"value":"s3cret"}"#,
            "PATCH /secrets/Db/4387e9f3d6e14c459867679a90fd0f79 {}",
            "DELETE /secrets/Db ",
            "POST /deletedsecrets/Db/recover ",
            "DELETE /deletedsecrets/Db ",
            "POST /secrets/Db/backup ",
            r#"POST /secrets/restore {"value":"blob"}"#,
            "GET /deletedsecrets/Db ",
        ]
    );
}

#[tokio::test]
async fn a_list_goes_on_after_an_empty_page_and_ends_without_a_link() {
    let fake = Fake::signed_in(|_, nth| {
        let base = "https://acme-kv.vault.azure.net:443/secrets?api-version=2025-07-01&$skiptoken=";
        let page = |items: &str, next: &str| reply(200, &[], &format!(r#"{{"value":[{items}],"nextLink":{next}}}"#));
        match nth {
            0 => page(r#"{"id":"https://acme-kv.vault.azure.net/secrets/a"}"#, &format!("\"{base}1\"")),
            1 => page("", &format!("\"{base}2\"")),
            _ => page(r#"{"id":"https://acme-kv.vault.azure.net/secrets/b"}"#, "null"),
        }
    });
    let found = vault(&fake).objects::<Secrets>(now()).await.unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!(fake.asked()[1].path, "/secrets?api-version=2025-07-01&$skiptoken=1");
}

#[tokio::test]
async fn no_token_follows_a_link_or_a_redirect_to_another_host() {
    for link in [
        "https://acme-kv.vault.azure.net.evil.example/secrets",
        "https://evil.example/secrets",
        "http://acme-kv.vault.azure.net/secrets",
        "https://acme-kv.vault.azure.net:8443/secrets",
        "https://acme-kv.vault.azure.net@evil.example/secrets",
        "//evil.example/secrets",
    ] {
        let fake = Fake::signed_in(move |_, _| reply(200, &[], &format!(r#"{{"value":[],"nextLink":"{link}"}}"#)));
        assert!(matches!(vault(&fake).objects::<Secrets>(now()).await, Err(AzureError::Unusable { .. })), "{link}");
        assert_eq!(fake.asked().len(), 1, "{link}");
    }
    for status in [301, 302, 303, 307, 308] {
        let fake = Fake::signed_in(move |_, _| reply(status, &[("location", "https://evil.example/")], ""));
        let error = vault(&fake).secret(&name(), None, now()).await.unwrap_err();
        assert!(matches!(error, AzureError::Unusable { .. }), "{status}");
        assert!(fake.all().iter().all(|seen| !seen.host.contains("evil")));
        assert_eq!(fake.asked().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn a_challenge_for_somebody_else_ends_it_and_nothing_more_is_sent() {
    // Reliability goal N3.
    for resource in [
        "https://vault.azure.net.evil.example",
        "https://evilvault.azure.net",
        "https://evil.example",
        "http://vault.azure.net",
        "https://vault.azure.net:444",
        "https://vault.azure.net@evil.example",
        "https://user@vault.azure.net",
        "https://management.azure.com",
        "https://kv.vault.azure.net",
        "vault.azure.net",
    ] {
        let challenge = format!(r#"Bearer authorization="https://evil.example/{TENANT}", resource="{resource}""#);
        let fake = Fake::signed_in(move |_, _| unauthorized(&challenge));
        let vault = vault(&fake);
        let error = vault.secret(&name(), None, now()).await.unwrap_err();
        assert!(matches!(error, AzureError::ForeignChallenge { .. }), "{resource}: {error:?}");
        assert_eq!((fake.tokens_asked(), fake.asked().len()), (1, 1), "{resource}");
        assert_eq!(Diagnosis::from(error).code.id, "CS4015");
    }
}

#[tokio::test]
async fn the_authority_of_a_challenge_is_never_asked() {
    let challenge = r#"Bearer authorization="https://evil.example/t", resource="https://vault.azure.net", error="insufficient_claims", claims="e30=""#;
    let fake = Fake::signed_in(move |_, _| unauthorized(challenge));
    vault(&fake).secret(&name(), None, now()).await.unwrap_err();
    assert!(fake.all().iter().all(|seen| !seen.host.contains("evil")), "{:?}", fake.all());
}

#[tokio::test]
async fn a_kept_token_that_is_refused_is_renewed_once() {
    let fake = Fake::signed_in(|seen, _| match seen.header("authorization") {
        "Bearer t1" if seen.path.contains("/Db/") => bundle("s3cret"),
        "Bearer t2" => bundle("s3cret"),
        _ => unauthorized(CHALLENGE),
    });
    let vault = vault(&fake);
    vault.secret(&name(), None, now()).await.unwrap();
    vault.secret(&"Other".parse().unwrap(), None, now()).await.unwrap();
    assert_eq!(fake.tokens_asked(), 2);
}

#[tokio::test]
async fn a_new_token_that_is_refused_is_an_error_at_once() {
    let fake = Fake::signed_in(|_, _| unauthorized(CHALLENGE));
    let error = vault(&fake).secret(&name(), None, now()).await.unwrap_err();
    assert_eq!((fake.tokens_asked(), fake.asked().len()), (1, 1));
    assert_eq!(Diagnosis::from(error).code.id, "CS4001");
}

#[tokio::test]
async fn demanded_claims_are_sent_with_the_next_sign_in() {
    let fake = Fake::signed_in(|seen, _| match seen.header("authorization") {
        "Bearer t1" => {
            // {"access_token":{"nbf":{"essential":true}}}
            let claims = "eyJhY2Nlc3NfdG9rZW4iOnsibmJmIjp7ImVzc2VudGlhbCI6dHJ1ZX19fQ==";
            unauthorized(&format!(r#"{CHALLENGE}, error="insufficient_claims", claims="{claims}""#))
        }
        _ => bundle("s3cret"),
    });
    vault(&fake).secret(&name(), None, now()).await.unwrap();
    let second = fake.all().iter().filter(|seen| seen.is_token()).nth(1).unwrap().body.clone();
    let claims =
        url::form_urlencoded::parse(second.as_bytes()).find(|(name, _)| name == "claims").unwrap().1.into_owned();
    assert_eq!(claims, r#"{"access_token":{"nbf":{"essential":true}}}"#);
}

#[tokio::test]
async fn a_vault_of_another_tenant_is_named() {
    let diagnosis = read(|| unauthorized(&CHALLENGE.replace(TENANT, "11111111-2222-3333-4444-555555555555"))).await;
    assert_eq!(diagnosis.code.id, "CS4002");
    assert!(diagnosis.cause.unwrap().contains("accepts tokens of tenant 11111111-2222-3333-4444-555555555555"));
    assert!(diagnosis.fix[0].contains(r#""TenantId": "11111111-2222-3333-4444-555555555555""#));
}

#[tokio::test(start_paused = true)]
async fn a_read_is_tried_three_times() {
    let fake = Fake::signed_in(|_, nth| match nth {
        0 => reply(503, &[], ""),
        1 => Err(TransportError::TimedOut { host: "acme-kv.vault.azure.net".to_owned() }),
        _ => bundle("s3cret"),
    });
    vault(&fake).secret(&name(), None, now()).await.unwrap();
    let ids: std::collections::HashSet<_> =
        fake.asked().iter().map(|seen| seen.header("x-ms-client-request-id").to_owned()).collect();
    assert_eq!(ids.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_write_is_repeated_only_when_it_certainly_was_not_carried_out() {
    let value = Secret::from("s3cret".to_owned());
    let host = || "acme-kv.vault.azure.net".to_owned();
    let refused = move || TransportError::Connect { host: host(), proxy: None, reason: "refused".to_owned() };
    type Answering = Box<dyn Fn() -> Reply + Send + Sync>;
    let cases: [(&str, Answering, usize); 4] = [
        ("429", Box::new(|| reply(429, &[], "")), 3),
        ("refused", Box::new(move || Err(refused())), 3),
        ("500", Box::new(|| reply(500, &[], "")), 1),
        ("timed out", Box::new(move || Err(TransportError::TimedOut { host: host() })), 1),
    ];
    for (what, answering, times) in cases {
        let fake = Fake::signed_in(move |_, _| answering());
        vault(&fake).set_secret(&name(), &value, &SecretProperties::default(), now()).await.unwrap_err();
        assert_eq!(fake.asked().len(), times, "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn throttling_is_waited_out_as_the_vault_asks() {
    let fake = Fake::signed_in(|_, nth| if nth == 0 { reply(429, &[("retry-after", "9")], "") } else { bundle("x") });
    let started = tokio::time::Instant::now();
    vault(&fake).secret(&name(), None, now()).await.unwrap();
    assert!(started.elapsed() >= Duration::from_secs(9));

    let diagnosis = read(|| reply(429, &[("retry-after", "120")], "")).await;
    assert_eq!((diagnosis.code.id, diagnosis.retryable), ("CS4008", true));
    assert!(diagnosis.cause.unwrap().contains("asks to wait 120 s"));
}

const POLICY_TEXT: &str = "The user, group or application 'appid=5d0c;oid=1;numgroups=0;iss=https://sts.windows.net/t/' does not have secrets get permission on key vault 'acme-kv;location=westeurope'.";
const FIREWALL_TEXT: &str = "Client address is not authorized and caller is not a trusted service.\r\nClient address: 203.0.113.7\r\nCaller: appid=1;oid=2;iss=https://sts.windows.net/t/\r\nVault: acme-kv;location=westeurope";

#[tokio::test(start_paused = true)]
async fn every_documented_vault_answer_has_its_code_exit_and_fix() {
    for (status, code, inner, text, ours, exit, fix) in [
        (403, "Forbidden", Some("ForbiddenByPolicy"), POLICY_TEXT, "CS4003", 5, "Secret permissions: Get"),
        (403, "Forbidden", Some("AccessDenied"), POLICY_TEXT, "CS4003", 5, CLIENT),
        (
            403,
            "Forbidden",
            Some("ForbiddenByPolicy"),
            "requires the caller to use on-behalf-of (OBO) flow",
            "CS4003",
            5,
            "without authorized application",
        ),
        (403, "Forbidden", Some("ForbiddenByRbac"), "Caller is not authorized", "CS4004", 5, "Key Vault Secrets User"),
        (403, "Forbidden", Some("ForbiddenByFirewall"), FIREWALL_TEXT, "CS4005", 5, "allow the address"),
        (403, "Forbidden", Some("ForbiddenByConnection"), "private link", "CS4020", 5, "private endpoint"),
        (
            403,
            "Forbidden",
            Some("SecretDisabled"),
            "Operation get is not allowed on a disabled secret.",
            "CS4006",
            7,
            "enable it",
        ),
        (404, "SecretNotFound", None, "A secret with (name/id) Db was not found", "CS2004", 6, "credstore list"),
        (409, "Conflict", Some("ObjectIsDeletedButRecoverable"), "deleted but recoverable", "CS4007", 9, "recover"),
        (409, "Conflict", Some("ObjectIsBeingDeleted"), "being deleted", "CS4022", 9, "few seconds"),
        (409, "Conflict", Some("ObjectIsBeingRecovered"), "being recovered", "CS4022", 9, "few seconds"),
        (409, "Conflict", None, "conflict restoring", "CS4023", 9, "purge"),
        (400, "BadParameter", None, "The request URI contains an invalid name", "CS4021", 2, "cause"),
        (400, "Malformed backup blob", None, "corrupt version", "CS4025", 12, "again"),
        (403, "Forbidden", Some("SecretManagedByKeyVault"), "lifetime is managed", "CS4024", 7, "certificate"),
        (403, "Forbidden", Some("Unheard"), "of", "CS4026", 5, "owner"),
        (404, "VaultNotFound", None, "no vault", "CS4028", 6, "VaultName"),
        (404, "CertificateIssuerNotFound", None, "Issuer not found", "CS4027", 6, "certificate issuer list"),
        (429, "Throttled", None, "too many", "CS4008", 8, "less often"),
        (503, "ServiceUnavailable", None, "down", "CS4019", 8, "later"),
    ] {
        let diagnosis = read(move || vault_error(status, code, inner, text)).await;
        let what = format!("{status} {code} {inner:?}");
        assert_eq!((diagnosis.code.id, diagnosis.code.exit as u8), (ours, exit), "{what}");
        assert!(diagnosis.fix.join("\n").contains(fix), "{what}: {:?}", diagnosis.fix);
        let upstream = diagnosis.upstream.unwrap();
        assert_eq!(upstream.code, inner.map_or(code.to_owned(), |inner| format!("{code}/{inner}")));
        assert_eq!(upstream.trace_id.as_deref(), Some("9f0c5c3e"));
        assert_eq!(upstream.correlation_id.unwrap().len(), 36);
    }
}

const PLANTED: &str = "pl4nted;V@lue=\u{e9}\u{1b}[31m";

/// Every text that a person or a log could get from `error`.
fn told(error: AzureError) -> String {
    let debug = format!("{error} {error:?}");
    let diagnosis = Diagnosis::from(error);
    format!("{debug} {diagnosis:?}")
}

#[tokio::test(start_paused = true)]
async fn a_vault_that_repeats_the_value_does_not_bring_it_into_an_error() {
    let value = Secret::from(PLANTED.to_owned());
    for (status, code) in [
        (400, "BadParameter"),
        (401, "Unauthorized"),
        (403, "Forbidden"),
        (404, "NotFound"),
        (409, "Conflict"),
        (429, "Throttled"),
        (500, "InternalServerError"),
        (503, "Unheard"),
        (400, PLANTED),
    ] {
        for text in [PLANTED.to_owned(), format!("AKV10022 {PLANTED}"), "the value pl4nted is too short".to_owned()] {
            for inner in [None, Some(PLANTED), Some("pl4nted")] {
                let text = text.clone();
                let fake = Fake::signed_in(move |_, _| vault_error(status, code, inner, &text));
                let done = vault(&fake).set_secret(&name(), &value, &SecretProperties::default(), now()).await;
                let told = told(done.unwrap_err());
                assert!(!told.contains("pl4nt") && !told.contains("V@lue"), "{status} {code} {inner:?}: {told}");
            }
        }
    }
}

#[tokio::test]
async fn the_text_of_a_refusal_is_shown_when_it_is_a_short_line_and_its_code_and_trace_always() {
    let cause = |text: &'static str| async move {
        let diagnosis = read(move || vault_error(400, "BadParameter", None, text)).await;
        assert_eq!(diagnosis.upstream.unwrap().trace_id.as_deref(), Some("9f0c5c3e"));
        diagnosis.cause.unwrap()
    };
    assert_eq!(cause("The name is too long.\r\n").await, "The name is too long. (BadParameter)");
    assert_eq!(cause("one\r\ntwo").await, "its words are not shown (BadParameter)");
    assert_eq!(cause("\u{1b}[2J").await, "its words are not shown (BadParameter)");
    let strange = read(|| vault_error(400, "Strange", None, "A sentence.")).await;
    assert_eq!(strange.cause.unwrap(), "its words are not shown (Strange)");
    let page = read(|| reply(403, &[], "<html>blocked: a page</html>")).await;
    assert_eq!(page.cause.unwrap(), "the answer says no more (HTTP 403)");
    let address = FIREWALL_TEXT.replace("203.0.113.7", "pl4nted");
    let firewall = read(move || vault_error(403, "Forbidden", Some("ForbiddenByFirewall"), &address)).await;
    assert!(!firewall.cause.unwrap().contains("pl4nted"));
}

#[tokio::test]
async fn the_address_that_the_firewall_saw_is_shown() {
    let diagnosis = read(|| vault_error(403, "Forbidden", Some("ForbiddenByFirewall"), FIREWALL_TEXT)).await;
    assert_eq!(diagnosis.cause.unwrap(), "the vault saw the address 203.0.113.7 (Forbidden/ForbiddenByFirewall)");
}

#[tokio::test]
async fn a_missing_name_and_an_untrusted_certificate_are_asked_once() {
    let fake = Fake::signed_in(|_, _| Err(TransportError::Resolve { host: "acme-kv.vault.azure.net".to_owned() }));
    let diagnosis = Diagnosis::from(vault(&fake).secret(&name(), None, now()).await.unwrap_err());
    assert_eq!((diagnosis.code.id, diagnosis.code.exit as u8), ("CS4010", 8));
    assert_eq!(diagnosis.message, "the name acme-kv.vault.azure.net does not resolve");
    assert_eq!(fake.asked().len(), 1);

    let reason = "its issuer is not trusted here; issuer seen: CN=Inspecting Proxy".to_owned();
    let fake = Fake::signed_in(move |_, _| Err(TransportError::Tls { host: "h".to_owned(), reason: reason.clone() }));
    let diagnosis = Diagnosis::from(vault(&fake).secret(&name(), None, now()).await.unwrap_err());
    assert_eq!(diagnosis.code.id, "CS4011");
    assert!(diagnosis.cause.unwrap().contains("Inspecting Proxy"));
    assert_eq!(fake.asked().len(), 1);
}

#[test]
fn no_row_of_the_answers_is_hidden_by_one_before_it() {
    for (at, row) in ANSWERS.iter().enumerate() {
        let hidden = ANSWERS[..at].iter().any(|earlier| {
            earlier.status == row.status
                && (earlier.code.is_none() || earlier.code == row.code)
                && (earlier.inner.is_none() || earlier.inner == row.inner)
                && (earlier.text.is_none() || earlier.text == row.text)
        });
        assert!(!hidden, "{row:?}");
    }
    assert!(ANSWERS.iter().any(|row| row.answer == VaultAnswer::DeniedByPolicy));
}

#[tokio::test(start_paused = true)]
async fn a_vault_is_made_with_access_policies_and_waited_for() {
    let fake = Fake::signed_in(|_, nth| {
        let state = if nth < 2 { "RegisteringDns" } else { "Succeeded" };
        let body = serde_json::json!({"location": "westeurope", "properties": {"tenantId": TENANT,
            "vaultUri": "https://acme-kv.vault.azure.net/", "provisioningState": state}});
        reply(200, &[], &body.to_string())
    });
    let resource = new_vault("westeurope", TENANT, Vec::new(), Default::default());
    let made = arm(&fake).put_vault(&vault_name(), resource, now()).await.unwrap();
    assert_eq!(made.properties.provisioning_state.as_deref(), Some("Succeeded"));
    let asked = fake.asked();
    let path = format!(
        "/subscriptions/{TENANT}/resourceGroups/credstore/providers/Microsoft.KeyVault/vaults/acme-kv?api-version=2024-11-01"
    );
    assert_eq!((asked[0].method.as_str(), asked[0].path.as_str()), ("PUT", path.as_str()));
    assert_eq!((asked[1].method.as_str(), asked.len()), ("GET", 3));
    let body: serde_json::Value = serde_json::from_str(&asked[0].body).unwrap();
    assert_eq!(body["properties"]["enableRbacAuthorization"], false);
    assert_eq!(body["properties"]["networkAcls"]["defaultAction"], "Allow");
    assert_eq!(body["properties"]["sku"]["name"], "standard");
    let scope = &fake.all()[0].body;
    assert!(scope.contains("scope=https%3A%2F%2Fmanagement%2Eazure%2Ecom%2F%2Edefault"), "{scope}");
}

#[tokio::test]
async fn an_access_policy_is_added_for_the_service_principal_and_refused_on_a_vault_with_roles() {
    let entry = AccessPolicyEntry {
        tenant_id: TENANT.to_owned(),
        object_id: "77777777-2222-3333-4444-555555555555".to_owned(),
        application_id: None,
        permissions: Permissions { secrets: vec!["get".to_owned()], ..Permissions::default() },
    };
    for roles in [false, true] {
        let fake = Fake::signed_in(move |seen, _| match seen.method.as_str() {
            "GET" => {
                let body = serde_json::json!({"location": "l", "properties": {"tenantId": TENANT,
                    "enableRbacAuthorization": roles}});
                reply(200, &[], &body.to_string())
            }
            _ => reply(200, &[], &seen.body),
        });
        let changed =
            arm(&fake).change_access_policy(&vault_name(), AccessPolicyChange::Add, entry.clone(), now()).await;
        if roles {
            assert_eq!(Diagnosis::from(changed.unwrap_err()).code.id, "CS4108");
            assert_eq!(fake.asked().len(), 1);
        } else {
            assert_eq!(changed.unwrap().access_policies[0].permissions.secrets, ["get"]);
            assert!(fake.asked()[1].path.contains("/vaults/acme-kv/accessPolicies/add?"));
        }
    }
}

#[tokio::test]
async fn the_answers_of_arm_are_explained() {
    for (status, code, ours, exit) in [
        (404, "ResourceNotFound", "CS4101", 6),
        (409, "VaultAlreadyExists", "CS4102", 9),
        (409, "ConflictError", "CS4103", 9),
        (403, "AuthorizationFailed", "CS4104", 5),
        (400, "VaultNameNotValid", "CS4105", 2),
        (404, "ResourceGroupNotFound", "CS4106", 6),
    ] {
        let fake = Fake::signed_in(move |_, _| vault_error(status, code, None, "why"));
        let error = arm(&fake).vault(&vault_name(), now()).await.unwrap_err();
        assert_eq!(error.is_not_found(), status == 404, "without its group there is no vault either");
        let diagnosis = Diagnosis::from(error);
        assert_eq!((diagnosis.code.id, diagnosis.code.exit as u8), (ours, exit), "{code}");
        assert_eq!(diagnosis.cause.unwrap(), format!("why ({code})"));
    }
}

#[tokio::test]
async fn a_public_key_is_added_beside_the_others_and_only_once() {
    let existing = serde_json::json!({"keyId": "k1", "customKeyIdentifier": "AA", "key": "AAAA"});
    let fake = Fake::signed_in(move |seen, _| match seen.method.as_str() {
        "GET" => reply(200, &[], &serde_json::json!({ "keyCredentials": [existing] }).to_string()),
        _ => reply(204, &[], ""),
    });
    let graph = graph(&fake);
    let id = "99999999-2222-3333-4444-555555555555".parse().unwrap();
    let added = graph.add_key(&id, &generated().public, Some("2026"), now()).await.unwrap();
    assert_eq!(added.custom_key_identifier, Some(generated().public.thumbprint()));
    let asked = fake.asked();
    assert_eq!(asked[0].path, format!("/v1.0/applications/{id}?$select=keyCredentials"));
    assert_eq!(asked[1].method, "PATCH");
    let body: serde_json::Value = serde_json::from_str(&asked[1].body).unwrap();
    let keys = body["keyCredentials"].as_array().unwrap();
    assert_eq!((keys.len(), &keys[0]["keyId"]), (2, &serde_json::json!("k1")));
    assert_eq!(keys[1]["type"], "AsymmetricX509Cert");
    assert_eq!(keys[1]["usage"], "Verify");
    assert_eq!(keys[1]["endDateTime"], "2027-11-23T10:02:07Z");
    assert!(!graph.delete_key(&id, "unknown", now()).await.unwrap());
    assert!(graph.delete_key(&id, "K1", now()).await.unwrap());

    let same = generated().public.thumbprint().to_ascii_lowercase();
    let fake = Fake::signed_in(move |_, _| {
        reply(200, &[], &serde_json::json!({ "keyCredentials": [{"customKeyIdentifier": same}] }).to_string())
    });
    self::graph(&fake).add_key(&id, &generated().public, None, now()).await.unwrap();
    assert_eq!(fake.asked().len(), 1);
}

#[tokio::test]
async fn a_service_principal_is_found_by_its_client_id() {
    let fake = Fake::signed_in(|_, nth| {
        let principal =
            serde_json::json!({"id": "77777777-2222-3333-4444-555555555555", "appId": CLIENT, "displayName": "x"});
        let value = if nth == 0 { serde_json::json!([principal]) } else { serde_json::json!([]) };
        reply(200, &[], &serde_json::json!({"@odata.context": "c", "value": value}).to_string())
    });
    let graph = graph(&fake);
    assert!(graph.service_principal(&client_id(), now()).await.unwrap().is_some());
    assert!(graph.service_principal(&client_id(), now()).await.unwrap().is_none());
    let path = format!("/v1.0/servicePrincipals?$filter=servicePrincipalNames%2Fany%28c%3Ac%20eq%20%27{CLIENT}%27%29");
    assert_eq!(fake.asked()[0].path, path);
}

#[test]
fn a_vault_of_another_suffix_is_another_address() {
    let address = VaultAddress::new(&vault_name(), "vault.azure.cn").unwrap();
    assert_eq!(address.service().as_str(), "https://acme-kv.vault.azure.cn");
}

#[tokio::test]
async fn an_answer_without_the_bytes_of_a_key_is_none() {
    let version = "0123456789abcdef0123456789abcdef";
    let kid = format!("https://acme-kv.vault.azure.net/keys/Db/{version}");
    let value = Secret::from("AAAA".to_owned());
    for answered in [json!({"kid": kid}), json!({"kid": kid, "value": null}), json!({"kid": kid, "value": "no base64"})]
    {
        let body = answered.to_string();
        let fake = Fake::signed_in(move |_, _| reply(200, &[], &body));
        let vault = vault(&fake);
        let sign = SignRequest { alg: SignatureAlgorithm::Rs256, value: "AAAA".to_owned() };
        assert!(
            matches!(vault.sign(&name(), None, &sign, now()).await, Err(AzureError::Unusable { .. })),
            "{answered}"
        );
        let decrypt = (KeyCrypt::Decrypt, EncryptionAlgorithm::RsaOaep, &value);
        assert!(
            matches!(vault.crypt(&name(), None, decrypt, now()).await, Err(AzureError::Unusable { .. })),
            "{answered}"
        );
    }
    // Nothing can have been encrypted, and nothing is no signature.
    let body = json!({"kid": kid, "value": ""}).to_string();
    let fake = Fake::signed_in(move |_, _| reply(200, &[], &body));
    let sign = SignRequest { alg: SignatureAlgorithm::Rs256, value: "AAAA".to_owned() };
    assert!(vault(&fake).sign(&name(), None, &sign, now()).await.is_err());
    let decrypted =
        vault(&fake).crypt(&name(), None, (KeyCrypt::Decrypt, EncryptionAlgorithm::RsaOaep, &value), now()).await;
    assert!(decrypted.is_ok_and(|it| it.bytes.is_empty() && it.kid == kid));
}
