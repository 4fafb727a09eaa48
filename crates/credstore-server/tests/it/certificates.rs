//! Certificates on the wire, as contract section 8 and the texts of section 5 write them.

use credstore_protocol::encoding::base64_any;
use serde_json::{Value, json};

use crate::world::{NOW, VAULT, World, ask};

/// The policy of the contract's bundle, with an EC key, which is made at once.
fn policy(issuer: &str) -> Value {
    json!({"key_props": {"exportable": true, "kty": "EC", "crv": "P-256", "reuse_key": false},
        "secret_props": {"contentType": "application/x-pem-file"},
        "x509_props": {"subject": "CN=app", "sans": {"dns_names": ["app.example"]}, "ekus": ["1.3.6.1.5.5.7.3.1"],
            "key_usage": ["digitalSignature"], "validity_months": 12},
        "lifetime_actions": [{"trigger": {"lifetime_percentage": 80}, "action": {"action_type": "AutoRenew"}}],
        "issuer": {"name": issuer, "cert_transparency": false, "cty": null}})
}

/// A creation with this policy.
pub(crate) fn create(issuer: &str) -> Value {
    json!({"policy": policy(issuer), "attributes": {"enabled": true}, "tags": {"a": "b"}})
}

#[tokio::test]
async fn a_creation_is_accepted_and_completed_as_the_contract_shows_it() {
    let world = World::with_vault().await;
    let vault = world.vault().await;
    let accepted = vault.post("/certificates/app/create", &create("Self")).await;
    assert_eq!((accepted.status.as_u16(), accepted.header("retry-after")), (202, "10"));
    let operation = accepted.json();
    let id = operation["request_id"].as_str().unwrap();
    let location = format!("https://{VAULT}/certificates/app/pending?api-version=7.4&request_id={id}");
    assert_eq!(accepted.header("location"), location);
    let csr = operation["csr"].as_str().unwrap();
    let details = "Pending certificate created. Certificate request is in progress. This may take some time based on \
                   the issuer provider. Please check again later.";
    assert_eq!(
        operation,
        json!({"id": format!("https://{VAULT}/certificates/app/pending"),
            "issuer": {"name": "Self", "cert_transparency": false}, "csr": csr, "cancellation_requested": false,
            "status": "inProgress", "status_details": details, "request_id": id})
    );
    assert_eq!(base64_any(csr).unwrap()[0], 0x30, "DER");
    let completed = vault.get("/certificates/app/pending").await.expect(200);
    assert_eq!(
        completed,
        json!({"id": format!("https://{VAULT}/certificates/app/pending"),
            "issuer": {"name": "Self", "cert_transparency": false}, "csr": csr, "cancellation_requested": false,
            "status": "completed", "target": format!("https://{VAULT}/certificates/app"), "request_id": id})
    );
}

#[tokio::test]
async fn a_certificate_is_answered_as_the_contract_shows_it() {
    let world = World::with_vault().await;
    let vault = world.vault().await;
    vault.post("/certificates/app/create", &create("Self")).await.expect(202);
    let bundle = vault.get("/certificates/app/").await.expect(200);
    let version = bundle["id"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let (x5t, cer) = (&bundle["x5t"], &bundle["cer"]);
    assert_eq!(x5t.as_str().unwrap().len(), 27, "20 bytes of base64url");
    let (nbf, exp) = (NOW.0 - 600, NOW.0 + 365 * 86_400);
    let attributes = json!({"enabled": true, "nbf": nbf, "exp": exp, "created": NOW.0, "updated": NOW.0,
        "recoveryLevel": "Recoverable+Purgeable", "recoverableDays": 90});
    let mut kept = policy("Self");
    kept["id"] = json!(format!("https://{VAULT}/certificates/app/policy"));
    kept["key_props"]["key_size"] = json!(256);
    kept["x509_props"]["basic_constraints"] = json!({"ca": false});
    kept["issuer"].as_object_mut().unwrap().remove("cty");
    kept["attributes"] = json!({"enabled": true, "created": NOW.0, "updated": NOW.0});
    let expected = json!({"id": format!("https://{VAULT}/certificates/app/{version}"),
        "kid": format!("https://{VAULT}/keys/app/{version}"), "sid": format!("https://{VAULT}/secrets/app/{version}"),
        "x5t": x5t, "cer": cer, "contentType": "application/x-pem-file", "attributes": attributes, "tags": {"a": "b"},
        "policy": kept, "pending": {"id": format!("https://{VAULT}/certificates/app/pending")}});
    assert_eq!(bundle, expected);
    for path in ["/certificates/app", &format!("/certificates/app/{version}"), "/CERTIFICATES/App"] {
        assert_eq!(vault.get(path).await.expect(200), bundle, "{path}");
    }
    assert_eq!(vault.get("/certificates/app/policy").await.expect(200), bundle["policy"]);
    let listed = json!({"enabled": true, "nbf": nbf, "exp": exp, "created": NOW.0, "updated": NOW.0});
    let item = |id: String| json!({"id": id, "x5t": x5t, "attributes": listed, "tags": {"a": "b"}});
    let unversioned = item(format!("https://{VAULT}/certificates/app"));
    assert_eq!(vault.get("/certificates").await.expect(200)["value"], json!([unversioned]));
    let versions = vault.get("/certificates/app/versions").await.expect(200);
    assert_eq!(versions["value"], json!([item(format!("https://{VAULT}/certificates/app/{version}"))]));

    let secret = vault.get(&format!("/secrets/app/{version}")).await.expect(200);
    assert_eq!((&secret["managed"], &secret["contentType"]), (&json!(true), &json!("application/x-pem-file")));
    assert_eq!(secret["kid"], bundle["kid"]);
    let pem = secret["value"].as_str().unwrap();
    assert!(pem.starts_with("-----BEGIN PRIVATE KEY-----\n") && pem.ends_with("-----END CERTIFICATE-----\n"));
    let key = vault.get("/keys/app").await.expect(200);
    assert_eq!((&key["managed"], &key["attributes"]["exp"]), (&json!(true), &json!(exp)));
    for list in ["/keys", "/secrets", "/keys/app/versions", "/secrets/app/versions"] {
        assert_eq!(vault.get(list).await.expect(200)["value"][0]["managed"], true, "{list}");
    }

    let deleted = vault.delete("/certificates/app").await.expect(200);
    let recovery = json!({"recoveryId": format!("https://{VAULT}/deletedcertificates/app"), "deletedDate": NOW.0,
        "scheduledPurgeDate": NOW.0 + 7_776_000});
    let with = |mut body: Value| {
        body.as_object_mut().unwrap().extend(recovery.as_object().unwrap().clone());
        body
    };
    assert_eq!(deleted, with(bundle.clone()));
    assert_eq!(vault.get("/deletedcertificates/app").await.expect(200), deleted);
    assert_eq!(vault.get("/deletedcertificates").await.expect(200)["value"], json!([with(unversioned)]));
    assert_eq!(vault.get("/secrets/app").await.error().1, "SecretNotFound");
    assert_eq!(vault.post("/deletedcertificates/app/recover", &Value::Null).await.expect(200), bundle);
    assert_eq!(vault.get("/secrets/app").await.expect(200), secret);
    vault.delete("/certificates/app").await.expect(200);
    vault.delete("/deletedcertificates/app").await.expect(204);
    vault.get("/deletedcertificates/app").await.expect(404);
}

#[tokio::test]
async fn what_is_pending_is_listed_only_when_asked_for() {
    let world = World::with_vault().await;
    let vault = world.vault().await;
    let operation = vault.post("/certificates/app/create", &create("Unknown")).await.expect(202);
    let details = "Pending certificate created. Please Perform Merge to complete the request.";
    assert_eq!(operation["status_details"], details);
    let bundle = vault.get("/certificates/app").await.expect(200);
    assert_eq!(
        (&bundle["attributes"]["enabled"], &bundle["x5t"], &bundle["cer"]),
        (&json!(false), &Value::Null, &Value::Null)
    );
    let listed = |answer: Value| answer["value"].as_array().unwrap().len();
    assert_eq!(listed(vault.get("/certificates").await.expect(200)), 0);
    assert_eq!(listed(vault.get("/certificates?includePending=false").await.expect(200)), 0);
    assert_eq!(listed(vault.get("/certificates?includePending=true").await.expect(200)), 1);
    // Pages after the first go on with what is pending.
    vault.post("/certificates/other/create", &create("Unknown")).await.expect(202);
    let first = vault.get("/certificates?includePending=true&maxresults=1").await.expect(200);
    let next = first["nextLink"].as_str().unwrap();
    assert!(next.ends_with("&maxresults=1&includePending=true"), "{next}");
    let second = vault.get(next.split_once(":8443").unwrap().1).await.expect(200);
    assert_ne!(first["value"][0]["id"], second["value"][0]["id"]);
    assert_eq!(listed(second), 1);
    vault.delete("/certificates/app").await.expect(200);
    assert_eq!(listed(vault.get("/deletedcertificates").await.expect(200)), 0);
    assert_eq!(listed(vault.get("/deletedcertificates?includePending=True").await.expect(200)), 1);
}

#[tokio::test]
async fn refusals_have_the_texts_of_azure() {
    let world = World::with_vault().await;
    let vault = world.vault().await;
    let error =
        |status: u16, code: &str, inner: &str, text: &str| (status, code.to_owned(), inner.to_owned(), text.to_owned());
    // Contract section 5.
    let mut wrong = create("Self");
    wrong["policy"]["x509_props"]["subject"] = json!("no name");
    let name = "Property policy.x509_props has invalid value. Invalid X.500 distinguished name\r\n";
    let answer = vault.post("/certificates/app/create", &wrong).await;
    assert_eq!(answer.error(), error(400, "BadParameter", "", name));
    let missing = "Pending certificate not found: app";
    for (method, path, body) in [
        ("GET", "/certificates/app/pending", Value::Null),
        ("PATCH", "/certificates/app/pending", json!({"cancellation_requested": true})),
        ("DELETE", "/certificates/app/pending", Value::Null),
        ("POST", "/certificates/app/pending/merge", json!({"x5c": ["AA=="]})),
    ] {
        let answer = vault.send(method, path, &body).await;
        assert_eq!(answer.error(), error(404, "PendingCertificateNotFound", "", missing), "{method}");
    }
    assert_eq!(
        vault.get("/certificates/contacts").await.error(),
        error(404, "ContactsNotFound", "", "Contacts not found")
    );
    assert_eq!(
        vault.get("/certificates/issuers/none").await.error(),
        error(404, "CertificateIssuerNotFound", "", "Issuer not found")
    );
    let (status, code, _, text) = vault.get("/certificates/app").await.error();
    assert_eq!((status, code.as_str()), (404, "CertificateNotFound"));
    assert!(text.starts_with("A certificate with (name/id) app was not found in this key vault."));

    vault.post("/certificates/app/create", &create("Unknown")).await.expect(202);
    let under_way = "A new key vault certificate can not be created or imported while a pending key vault certificate's \
                     status is inProgress.";
    let answer = vault.post("/certificates/app/create", &create("Self")).await;
    assert_eq!(answer.error(), error(409, "Conflict", "", under_way));
    let disabled = "Operation get is not allowed on a disabled secret.";
    assert_eq!(vault.get("/secrets/app").await.error(), error(403, "Forbidden", "SecretDisabled", disabled));
    vault.post("/certificates/self/create", &create("Self")).await.expect(202);
    let answer = vault.send("PATCH", "/certificates/self/pending", &json!({"cancellation_requested": true})).await;
    let ended = "Pending status must be in progress to allow update.";
    assert_eq!(answer.error(), error(403, "Forbidden", "", ended));
    let managed = |operation: &str| {
        format!("Operation \"{operation}\" is not allowed as this object's lifetime is managed by Key Vault.")
    };
    for (method, path, inner, operation) in [
        ("PUT", "/secrets/self", "SecretManagedByKeyVault", "set"),
        ("DELETE", "/secrets/self", "SecretManagedByKeyVault", "delete"),
        ("DELETE", "/keys/self", "KeyManagedByKeyVault", "delete"),
    ] {
        let answer = vault.send(method, path, &json!({"value": "x"})).await;
        assert_eq!(answer.error(), error(403, "Forbidden", inner, &managed(operation)), "{method} {path}");
    }
    vault.put("/secrets/plain", &json!({"value": "x"})).await.expect(200);
    let (status, code, ..) = vault.post("/certificates/plain/create", &create("Self")).await.error();
    assert_eq!((status, code.as_str()), (409, "Conflict"));
    vault.delete("/certificates/self").await.expect(200);
    let deleted = "Certificate self is currently in a deleted but recoverable state, and its name cannot be reused; in \
                   this state, the certificate can only be recovered or purged.";
    let answer = vault.post("/certificates/self/create", &create("Self")).await;
    assert_eq!(answer.error(), error(409, "Conflict", "ObjectIsDeletedButRecoverable", deleted));
}

#[tokio::test]
async fn contacts_and_issuers_are_answered_as_the_contract_shows_them() {
    let world = World::with_vault().await;
    let vault = world.vault().await;
    let contacts = json!({"contacts": [{"email": "a@corp.example", "name": "A", "phone": "1"}]});
    let expected = json!({"id": format!("https://{VAULT}/certificates/contacts"), "contacts": contacts["contacts"]});
    assert_eq!(vault.put("/certificates/contacts", &contacts).await.expect(200), expected);
    assert_eq!(vault.get("/certificates/contacts").await.expect(200), expected);
    assert_eq!(vault.delete("/certificates/contacts").await.expect(200), expected);
    vault.get("/certificates/contacts").await.expect(404);

    let admin = json!({"first_name": "J", "last_name": "D", "email": "j@corp.example", "phone": "1"});
    let organization = json!({"id": "9", "zip": 98052, "admin_details": [admin]});
    let set = json!({"provider": "Test", "credentials": {"account_id": "user", "pwd": "planted-password"},
        "org_details": organization, "attributes": {"enabled": true}});
    let id = format!("https://{VAULT}/certificates/issuers/one");
    let bundle = json!({"id": id, "provider": "Test", "credentials": {"account_id": "user"},
        "org_details": organization, "attributes": {"enabled": true, "created": NOW.0, "updated": NOW.0}});
    assert_eq!(vault.put("/certificates/issuers/one", &set).await.expect(200), bundle);
    assert_eq!(vault.get("/certificates/issuers/one").await.expect(200), bundle);
    let list = vault.get("/certificates/issuers").await.expect(200);
    assert_eq!(list["value"], json!([{"id": id, "provider": "Test"}]));
    let update = json!({"org_details": {"zip": 1}});
    let changed = vault.send("PATCH", "/certificates/issuers/one", &update).await.expect(200);
    assert_eq!((&changed["org_details"], &changed["attributes"]["updated"]), (&json!({"zip": 1}), &json!(NOW.0 + 1)));
    assert_eq!(vault.delete("/certificates/issuers/one").await.expect(200), changed);
    vault.get("/certificates/issuers/one").await.expect(404);
}

#[tokio::test]
async fn the_certificate_of_an_authority_is_given_to_who_asks_for_it() {
    let world = World::with_vault().await;
    let vault = world.vault().await;
    vault.put("/certificates/issuers/corp-ca", &json!({"provider": "Credstore"})).await.expect(200);
    vault.put("/certificates/issuers/other", &json!({"provider": "Test"})).await.expect(200);
    let asked = async |name: &str, value| {
        let path = format!("/certificates/issuers/{name}?api-version=7.4");
        let asked = ask("GET", &vault.host, &path).token(&vault.token);
        asked.header("x-credstore-issuer-certificate", value).of(&world.app).await.expect(200)
    };
    let plain = vault.get("/certificates/issuers/corp-ca").await.expect(200);
    assert_eq!(plain.get("cer"), None, "who does not ask gets what Azure sends");
    assert_eq!(asked("corp-ca", "false").await, plain);
    assert_eq!(asked("other", "true").await.get("cer"), None);
    let mut with = asked("corp-ca", "true").await;
    let certificate = with.as_object_mut().unwrap().remove("cer").unwrap();
    assert_eq!(with, plain);
    vault.post("/certificates/app/create", &create("corp-ca")).await.expect(202);
    let chain = vault.get("/secrets/app").await.expect(200)["value"].as_str().unwrap().to_owned();
    let chain = credstore_protocol::pem::blocks(&chain).unwrap();
    assert_eq!(base64_any(certificate.as_str().unwrap()).unwrap(), *chain.last().unwrap().der);
}

#[tokio::test]
async fn a_policy_is_changed_for_the_next_version() {
    let world = World::with_vault().await;
    let vault = world.vault().await;
    vault.post("/certificates/app/create", &create("Self")).await.expect(202);
    let change = json!({"secret_props": {"contentType": "application/x-pkcs12"}});
    let policy = vault.send("PATCH", "/certificates/app/policy", &change).await.expect(200);
    assert_eq!(policy["secret_props"]["contentType"], "application/x-pkcs12");
    assert_eq!(policy["attributes"], json!({"enabled": true, "created": NOW.0, "updated": NOW.0 + 1}));
    assert_eq!(vault.get("/secrets/app").await.expect(200)["contentType"], "application/x-pem-file");
    vault.post("/certificates/app/create", &json!({})).await.expect(202);
    let secret = vault.get("/secrets/app").await.expect(200);
    assert_eq!(secret["contentType"], "application/x-pkcs12");
    assert_eq!(base64_any(secret["value"].as_str().unwrap()).unwrap()[0], 0x30, "DER");
}

#[tokio::test]
async fn a_secret_of_a_certificate_is_given_out_in_the_form_that_is_asked_for() {
    let world = World::with_vault().await;
    let vault = world.vault().await;
    vault.post("/certificates/app/create", &create("Self")).await.expect(202);
    let get = async |form: &str| {
        let query = format!("?api-version=2025-07-01{form}");
        vault.get(&format!("/secrets/app{query}")).await
    };
    let pem = get("").await.expect(200);
    assert_eq!(get("&outContentType=PEM").await.expect(200), pem);
    let pfx = get("&outContentType=PFX").await.expect(200);
    assert_eq!((&pfx["contentType"], &pfx["id"]), (&json!("application/x-pkcs12"), &pem["id"]));
    assert_eq!(base64_any(pfx["value"].as_str().unwrap()).unwrap()[0], 0x30, "DER");
    // Read back by an import, it is the same key and certificate.
    let import = json!({"value": pfx["value"], "policy": {"secret_props": {"contentType": "application/x-pem-file"}}});
    vault.post("/certificates/again/import", &import).await.expect(200);
    assert_eq!(vault.get("/secrets/again").await.expect(200)["value"], pem["value"]);
    assert_eq!(get("&outContentType=DER").await.error().1, "BadParameter");
    let plain = vault.put("/secrets/plain", &json!({"value": "x"})).await.expect(200);
    let asked = vault.get("/secrets/plain?api-version=2025-07-01&outContentType=PFX").await.expect(200);
    assert_eq!(asked["value"], plain["value"]);
}
