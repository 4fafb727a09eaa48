//! A planted value in every place where a secret can be, and every way in which an error is shown.

use credstore::azure::{AzureError, HttpsTransport, TransportOptions};
use credstore::diagnosis::Diagnosis;
use credstore::protocol::Secret;
use credstore::protocol::key_vault::SecretProperties;
use credstore::resolver::Resolver;
use credstore::store::file::FileStore;
use credstore::{connection_string, settings};

use crate::azure_support::{
    Fake, Folder, NOW, SCOPE, aadsts, bundle, generated, name, now, reply, token, tokens, unauthorized, vault,
};

const PLANTED: &str = "pl4nted";

fn assert_hidden(said: &str, what: &str) {
    assert!(!said.contains(PLANTED), "{what}: {said}");
}

/// Everything that a person, a log or a debugger may get to see of an error.
fn all_said(error: AzureError) -> String {
    let debug = format!("{error:?} {error}");
    let diagnosis = Diagnosis::from(error);
    format!("{debug} {diagnosis:?} {diagnosis}")
}

/// Answers of a vault that hold the value and cannot be used.
const BROKEN: &[&str] = &[
    r#"{"value":"pl4nted""#,
    r#"{"value":"pl4nted"}x"#,
    r#"{"value":"pl4nted","id":1}"#,
    r#"{"value":"pl4nted","attributes":"pl4nted"}"#,
    r#"{"value":"pl4nted","attributes":{"exp":"pl4nted"}}"#,
    r#"{"value":"pl4nted","tags":["pl4nted"]}"#,
    r#"{"value":["pl4nted"]}"#,
    r#"{"value":{"pl4nted":1}}"#,
    r#"{"value":"pl4nted","value":"pl4nted"}"#,
    r#"["pl4nted"]"#,
    r#""pl4nted""#,
    "pl4nted",
    "<html>pl4nted</html>",
    "{\"value\":\"pl4nted\u{0}\"}",
    "{\"pl4nted\":",
];

#[tokio::test]
async fn a_malformed_answer_with_the_value_is_reported_without_it() {
    for body in BROKEN {
        let fake = Fake::signed_in(move |_, _| reply(200, &[], body));
        let vault = vault(&fake);
        let error = vault.secret(&name(), None, now()).await.unwrap_err();
        assert!(matches!(error, AzureError::Unusable { .. }), "{body}: {error:?}");
        assert_hidden(&all_said(error), body);
        let value = Secret::from(PLANTED.to_owned());
        let error = vault.set_secret(&name(), &value, &SecretProperties::default(), now()).await.unwrap_err();
        assert_hidden(&all_said(error), body);
    }
}

#[tokio::test]
async fn a_malformed_answer_of_the_directory_with_the_token_is_reported_without_it() {
    for body in BROKEN.iter().map(|body| body.replace("\"value\"", "\"access_token\"")) {
        let shown = body.clone();
        let fake = Fake::new(move |_, _| reply(200, &[], &body));
        let error = tokens(&fake).token(SCOPE, now()).await.unwrap_err();
        let diagnosis = Diagnosis::from(error.as_ref());
        assert_eq!(diagnosis.code.id, "CS4014", "{shown}");
        assert_hidden(&format!("{error:?} {error} {diagnosis:?} {diagnosis}"), &shown);
    }
}

#[tokio::test]
async fn neither_token_nor_assertion_nor_key_is_in_any_refusal() {
    let fake = Fake::new(|seen, _| match seen.is_token() {
        true => token(PLANTED),
        false => unauthorized("Bearer authorization=\"https://login.example/t\", resource=\"https://evil.example\""),
    });
    assert_hidden(&all_said(vault(&fake).secret(&name(), None, now()).await.unwrap_err()), "token");
    let assertion = fake.all()[0].body.split("client_assertion=").nth(1).unwrap().to_owned();
    for number in [90002, 700_016, 700_027, 7_000_274, 700_024, 50027, 999_999] {
        let fake = Fake::new(move |_, _| aadsts(401, number, "no."));
        let error = tokens(&fake).token(SCOPE, now()).await.unwrap_err();
        let said = format!("{error:?} {error} {:?}", Diagnosis::from(error.as_ref()));
        assert!(!said.contains(&assertion) && !said.contains("eyJ"), "{number}: {said}");
        let key_line = generated().pem.expose_secret().lines().nth(4).unwrap();
        assert!(!said.contains(key_line) && !said.contains("PRIVATE KEY"), "{number}");
    }
}

#[tokio::test]
async fn what_is_fetched_prints_as_nothing() {
    let fake = Fake::signed_in(|_, _| bundle(PLANTED));
    let vault = vault(&fake);
    let bundle = vault.secret(&name(), None, now()).await.unwrap();
    assert_hidden(&format!("{bundle:?}"), "bundle");
    let folder = Folder::new();
    let path = folder.path("credential_store.json");
    std::fs::write(&path, format!(r#"{{"A": "{PLANTED}", "B": "{PLANTED}\n"}}"#)).unwrap();
    let store = FileStore::new(&path);
    let resolver = Resolver::new(std::sync::Arc::new(FileStore::new(&path)));
    for identifier in ["A", "B"] {
        let resolved = resolver.resolve(&identifier.parse().unwrap(), NOW).await.unwrap();
        assert_eq!(resolved.secret().expose_secret().trim_end(), PLANTED);
        assert_hidden(&format!("{resolved:?}"), identifier);
    }
    assert_hidden(&format!("{store:?}"), "store");
    let error = resolver.resolve(&"C".parse().unwrap(), NOW).await.unwrap_err();
    assert_hidden(&format!("{error:?} {:?}", error.diagnosis), "unknown");
}

#[test]
fn a_broken_credential_file_is_reported_without_its_values() {
    let good = format!(r#"{{"First": "{PLANTED}", "Second": "{PLANTED}"}}"#);
    let folder = Folder::new();
    let path = folder.path("credential_store.json");
    // Cut at every byte, and every byte made into something else.
    for at in 0..good.len() {
        let replaced = |with: &str| format!("{}{with}{}", &good[..at], &good[at + 1..]);
        for text in [good[..at].to_owned(), replaced("\""), replaced("\\"), replaced("\n"), replaced("{")] {
            std::fs::write(&path, &text).unwrap();
            let keys_hold_it = text.contains(&format!("{{{PLANTED}")) || settings_keys(&text);
            for finding in credstore::store::file::check(&path) {
                assert!(keys_hold_it || !format!("{finding:?}").contains(PLANTED), "{text}: {finding:?}");
            }
        }
    }
}

/// Whether the damage turned a value into a key: keys are identifiers, and are shown.
fn settings_keys(text: &str) -> bool {
    text.match_indices(PLANTED)
        .any(|(at, _)| text[at + PLANTED.len()..].trim_start_matches('"').trim_start().starts_with(':'))
}

#[test]
fn passwords_in_settings_and_connection_strings_are_in_no_finding() {
    for text in [
        r#"{"MailSettings": {"password": "pl4nted"}}"#,
        r#"{"MailSettings": {"password": "pl4nted" "x": 1}}"#,
        r#"{"MailSettings": {"password": "pl4nted}}"#,
        r#"{"AutomationHubAppToken": "pl4nted",}"#,
        r#"{"ExternalAuthenticationProviders": {"ldap": {"bindCredentials": "pl4nted"}}}"#,
        r#"{"CredentialStore": {"Type": "AzureKeyVault", "AuthorityHost": "https://u:pl4nted@login.example", "VaultDnsSuffix": "v.example"}}"#,
        r#"{"CredentialStore": {"Type": "AzureKeyVault", "VaultDnsSuffix": "u:pl4nted@v.example", "AuthorityHost": "https://l"}}"#,
    ] {
        let parsed = settings::parse(text, std::path::Path::new("server-settings.json"));
        assert!(!parsed.findings.is_empty(), "{text}");
        for finding in parsed.findings {
            let said = format!("{} {:?} {:?} {:?}", finding.message, finding.cause, finding.fix, finding.note);
            assert_hidden(&said, text);
        }
    }
    for text in [
        "Pass=pl4nted;mv-credential-Pass=X",
        "Pass=a;pl4nted",
        "Pass={pl4nted",
        "Pass={a}pl4nted;b=c",
        "Pass=x;pl4nted;mv-credential-Pwd=X",
        "'Pass=pl4nted",
        "Pass=pl4nted\0",
        "Pass=pl4nted;A\"=b",
        "Pass=pl4nted;mv-credential-=X",
        "Pass=pl4nted;mv-credential-Pwd=",
        "Pass=pl4nted;=b",
    ] {
        let error = connection_string::parse(text).unwrap_err();
        let said = format!("{error:?} {error} {:?}", Diagnosis::from(error.clone()));
        assert_hidden(&said, text);
    }
}

#[test]
fn a_proxy_with_a_password_is_in_no_error_about_options() {
    for proxy in ["socks5://u:pl4nted@h", "http://u:pl4nted@", "http://u:pl4nted@h:99999", "u:pl4nted@[h"] {
        let options = TransportOptions { https_proxy: Some(proxy.to_owned()), ..TransportOptions::default() };
        let error = HttpsTransport::new(options).err().unwrap_or_else(|| panic!("{proxy}"));
        let said = format!("{error:?} {error}");
        assert_hidden(&format!("{said} {:?}", Diagnosis::from(error)), proxy);
    }
}
