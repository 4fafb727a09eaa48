//! Names and paths: one name in any case, segments in any shape, and hostile ones refused everywhere, contract
//! section 4 and reliability goals I2 and I4.

use credstore_server::limits::{HEADER_BYTES_MAX, HEADERS_MAX, PARAMETERS_MAX, TARGET_MAX};
use serde_json::json;

use crate::world::{VAULT, World, ask};

#[tokio::test]
async fn a_name_is_one_name_in_any_case_and_keeps_the_case_of_its_creation() {
    let world = World::with_vault().await;
    let vault = world.vault().await;
    vault.set("Db-Main", "1").await;
    vault.set("DB-MAIN", "2").await;
    let id = "https://acme.vault.localhost:8443/secrets/Db-Main";
    assert_eq!(vault.ids("/secrets").await, [id]);
    assert_eq!(vault.ids("/SECRETS/db-main/VERSIONS").await.len(), 2);
    for (method, path) in [
        ("GET", "/secrets/db-main"),
        ("PATCH", "/Secrets/dB-mAiN/"),
        ("POST", "/secrets/DB-main/BackUp"),
        ("DELETE", "/secrets/DB-MAIN"),
        ("GET", "/deletedSecrets/db-MAIN"),
        ("POST", "/DeletedSecrets/db-main/Recover"),
        ("DELETE", "//secrets//db-main//"),
        ("DELETE", "/deletedsecrets/DB-MAIN/"),
    ] {
        let answer = vault.send(method, path, &json!({})).await;
        if path == "/deletedsecrets/DB-MAIN/" {
            answer.expect(204);
        } else if path.ends_with("BackUp") {
            answer.expect(200);
        } else {
            let found = answer.expect(200);
            assert!(found["id"].as_str().unwrap().starts_with(id), "{method} {path} {found}");
        }
    }
}

#[tokio::test]
async fn the_host_of_a_vault_is_one_host_in_any_case() {
    let world = World::with_vault().await;
    let vault = world.vault().await;
    vault.set("db", "v").await;
    let request = ask("GET", "ACME.Vault.LOCALHOST:8443", "/secrets/db?api-version=7.4").token(&vault.token);
    let read = request.of(&world.app).await.expect(200);
    assert!(read["id"].as_str().unwrap().starts_with("https://acme.vault.localhost:8443/"), "ids are in lower case");
}

#[tokio::test]
async fn empty_segments_vanish_wherever_clients_put_them() {
    let world = World::with_vault().await;
    let vault = world.vault().await;
    let set = vault.set("db", "v").await;
    let version = set["id"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    for path in ["/secrets/db", "/secrets/db/", "//secrets/db", "///secrets///db///", "/secrets//db//"] {
        assert_eq!(vault.get(path).await.expect(200), set, "{path}");
    }
    for path in [format!("/secrets/db/{version}/"), format!("//secrets//db//{version}")] {
        assert_eq!(vault.get(&path).await.expect(200), set, "{path}");
    }
    for path in ["/secrets/", "//secrets", "/secrets/db/versions/", "//secrets/db//versions"] {
        assert_eq!(vault.ids(path).await.len(), 1, "{path}");
    }
}

/// 55 names that are no names, each as it can stand in a path.
fn hostile() -> Vec<String> {
    let mut names: Vec<String> = [
        ".",
        "..",
        "...",
        "%2e",
        "%2e%2e",
        "%2E%2E%2F",
        "..%2f..%2fetc%2fpasswd",
        "..%5c..%5cwindows",
        "%252e%252e",
        "%252e%252e%252f",
        "a%2fb",
        "a%5cb",
        "%2fetc%2fpasswd",
        "%2f",
        "%5c%5chost%5cshare",
        "C:",
        "c:%5cboot.ini",
        "~",
        "~root",
        "%00",
        "a%00",
        "a%00.txt",
        "%0a",
        "a%0d%0aX-Injected:%201",
        "%09",
        "%7f",
        "%1b%5b31m",
        "a%20b",
        "%20",
        "a_b",
        "a.b",
        "a,b",
        "a;b",
        "a:b",
        "a*b",
        "a'b",
        "a%22b",
        "a%3cscript%3e",
        "a%7cb",
        "a&b",
        "a=b",
        "$a",
        "${jndi:ldap:%2f%2fx}",
        "{{7*7}}",
        "%25s%25n",
        "'%20OR%201=1--",
        "%E2%80%AE",
        "%EF%BC%8E%EF%BC%8E",
        "%C3%A9",
        "%F0%9F%98%80",
        "%E2%80%8Bdb",
        "d%CC%81b",
        "-%2e-",
    ]
    .map(str::to_owned)
    .to_vec();
    names.push("n".repeat(128));
    names.push("%41".repeat(128));
    names
}

#[tokio::test]
async fn fifty_five_hostile_names_are_refused_by_every_operation() {
    let world = World::with_vault().await;
    let vault = world.vault().await;
    vault.set("db", "v").await;
    let names = hostile();
    assert_eq!(names.len(), 55);
    for name in names {
        // What the http crate itself takes for no URI never reaches the server.
        let reaches = |path: &str| path.parse::<http::Uri>().is_ok();
        if !reaches(&format!("/secrets/{name}")) {
            continue;
        }
        for (method, path) in [
            ("GET", format!("/secrets/{name}")),
            ("PUT", format!("/secrets/{name}")),
            ("PATCH", format!("/secrets/{name}")),
            ("DELETE", format!("/secrets/{name}")),
            ("GET", format!("/secrets/{name}/versions")),
            ("POST", format!("/secrets/{name}/backup")),
            ("GET", format!("/deletedsecrets/{name}")),
            ("DELETE", format!("/deletedsecrets/{name}")),
            ("POST", format!("/deletedsecrets/{name}/recover")),
        ] {
            let answer = vault.send(method, &path, &json!({"value": "planted"})).await;
            let error = answer.error();
            assert_eq!((error.0, error.1.as_str()), (400, "BadParameter"), "{method} {path}");
            assert!(error.3.starts_with("The request URI contains an invalid name: "), "{path}: {}", error.3);
            assert!(answer.text.len() < 600 && answer.header("x-injected").is_empty(), "{path}");
        }
        let version = vault.get(&format!("/secrets/db/{name}")).await.error();
        assert_eq!((version.0, version.1.as_str()), (404, "SecretNotFound"), "as a version: {name}");
    }
    assert_eq!(vault.ids("/secrets").await.len(), 1, "nothing was stored under any of them");
    assert_eq!(vault.ids("/deletedsecrets").await.len(), 0);
}

#[tokio::test]
async fn names_that_are_also_words_of_paths_are_names() {
    // Contract section 4: only `restore` of POST is reserved among secrets.
    let world = World::with_vault().await;
    let vault = world.vault().await;
    for name in ["restore", "versions", "backup", "secrets", "deletedsecrets", "null", "0", "-", "--", "CON", "nul"] {
        vault.set(name, name).await;
        assert_eq!(vault.get(&format!("/secrets/{name}/")).await.expect(200)["value"], name);
    }
    let longest = "n".repeat(127);
    vault.set(&longest, "v").await;
    vault.get(&format!("/secrets/{longest}")).await.expect(200);
    vault.get("/secrets/%64%62-x").await.error();
    vault.set("db-x", "v").await;
    assert_eq!(vault.get("/secrets/%64%62%2Dx").await.expect(200)["value"], "v", "a name may be percent-encoded");
}

#[tokio::test]
async fn the_head_of_a_request_is_taken_at_its_limits_and_refused_past_them() {
    let world = World::with_vault().await;
    let token = world.operator_token("vault").await;
    let own = ["host", "authorization"];
    let used = VAULT.len() + token.len() + "Bearer ".len() + own.map(str::len).iter().sum::<usize>();
    let names: Vec<String> = (0..HEADERS_MAX).map(|n| format!("x-{n:03}")).collect();
    for (lines, status) in [(HEADERS_MAX - own.len(), 200), (HEADERS_MAX - own.len() + 1, 431)] {
        let request = ask("GET", VAULT, "/secrets?api-version=7.4").token(&token);
        let request = names[..lines].iter().fold(request, |request, name| request.header(name, ""));
        assert_eq!(request.of(&world.app).await.status, status, "{lines} more lines");
    }
    for (bytes, status) in [(HEADER_BYTES_MAX, 200), (HEADER_BYTES_MAX + 1, 431)] {
        let value = "v".repeat(bytes - used - "x".len());
        let request = ask("GET", VAULT, "/secrets?api-version=7.4").token(&token).header("x", &value);
        assert_eq!(request.of(&world.app).await.status, status, "{bytes} bytes");
    }
    for (length, status) in [(TARGET_MAX, 200), (TARGET_MAX + 1, 414)] {
        let path = "/secrets?api-version=7.4&x=";
        let path = format!("{path}{}", "y".repeat(length - path.len()));
        assert_eq!(ask("GET", VAULT, &path).token(&token).of(&world.app).await.status, status, "{length}");
    }
    for (count, status) in [(PARAMETERS_MAX - 1, 200), (PARAMETERS_MAX, 400)] {
        let more: String = (0..count).map(|n| format!("&p{n}=1")).collect();
        let path = format!("/secrets?api-version=7.4{more}");
        assert_eq!(ask("GET", VAULT, &path).token(&token).of(&world.app).await.status, status, "{count} more");
    }
}
