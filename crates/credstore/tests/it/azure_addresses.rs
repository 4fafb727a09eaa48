//! Addresses: every form in which somebody writes one, and that no form leads elsewhere or shows a password.

use credstore::azure::{Authority, InvalidAddress, ServiceAddress, VaultAddress};
use credstore::diagnosis::Diagnosis;
use proptest::prelude::*;

use crate::azure_support::{TENANT, vault_name};

#[test]
fn spellings_of_one_address_are_one_address() {
    for (written, base) in [
        ("https://login.example", "https://login.example"),
        ("HTTPS://LOGIN.EXAMPLE", "https://login.example"),
        ("https://login.example/", "https://login.example"),
        ("https://login.example:443", "https://login.example"),
        ("https://login.example:", "https://login.example"),
        ("https://login.example:0443", "https://login.example"),
        ("https://login.example:8443", "https://login.example:8443"),
        ("https://login.example:65535", "https://login.example:65535"),
        ("https://127.0.0.1:8443", "https://127.0.0.1:8443"),
        // WHATWG URL: one number is an IPv4 address.
        ("https://2130706433", "https://127.0.0.1"),
        ("https://0x7f.1", "https://127.0.0.1"),
        ("https://[::1]:8443", "https://[::1]:8443"),
        ("https://[0:0:0:0:0:0:0:1]", "https://[::1]"),
        ("https://[::FFFF:127.0.0.1]", "https://[::ffff:7f00:1]"),
        ("https://login.localhost:8443", "https://login.localhost:8443"),
        // UTS 46.
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("https://BÜCHER.example", "https://xn--bcher-kva.example"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
        ("https://login。example", "https://login.example"),
        ("https://ｌｏｇｉｎ.example", "https://login.example"),
        ("https://login%2eexample", "https://login.example"),
        ("https:login.example", "https://login.example"),
        ("https:///login.example", "https://login.example"),
        ("https://login.example/..", "https://login.example"),
        ("https://login.example/.", "https://login.example"),
        // The root is another name for DNS and TLS: it stays.
        ("https://login.example.", "https://login.example."),
    ] {
        let address = ServiceAddress::new(written).unwrap_or_else(|error| panic!("{written}: {error}"));
        assert_eq!(address.as_str(), base, "{written}");
        assert_eq!(format!("https://{}", address.host()), base, "{written}");
    }
}

#[test]
fn what_is_no_host_and_port_is_refused_with_its_reason() {
    type Reason = fn(String) -> InvalidAddress;
    let (no_url, no_https, more): (Reason, Reason, Reason) =
        (InvalidAddress::NotAUrl, InvalidAddress::NotHttps, InvalidAddress::MoreThanAHost);
    let mut wrong = Vec::new();
    for (written, reason) in [
        ("login.example:8443", no_https),
        ("//login.example", no_url),
        ("https://login.example:0x50", no_url),
        ("https://login.example:65536", no_url),
        ("https://login.example:-1", no_url),
        ("https://login.example:80:80", no_url),
        ("https://[::1", no_url),
        ("https://::1", no_url),
        ("https://[fe80::1%25eth0]", no_url),
        ("https://1.2.3.256", no_url),
        ("https://a.1.2.3", no_url),
        ("https://login_.exa<mple", no_url),
        ("https://login.exa%00mple", no_url),
        ("https://login.exa%2fmple", no_url),
        ("https://xn--", no_url),
        ("https://login.example//", more),
        (" https://login.example", more),
        ("https://login.example\n", more),
        ("https://login.exa\tmple", more),
        ("ftp://login.example", no_https),
        ("wss://login.example", no_https),
        ("https+unix://login.example", no_https),
        ("blob:https://login.example", no_https),
    ] {
        let found = ServiceAddress::new(written);
        if found != Err(reason(written.to_owned())) {
            wrong.push((written, found));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn an_address_with_a_password_is_refused_without_showing_it() {
    for written in [
        "https://user:planted@login.example",
        "https://:planted@login.example",
        "https://planted@login.example",
        "http://user:planted@login.example",
        "https://user:planted@login.example:99999",
        "user:planted@login.example",
        "https://user:planted@",
        "https://us@er:planted@login.example/path",
    ] {
        let error = ServiceAddress::new(written).unwrap_err();
        let said = format!("{error:?} {error} {:?}", Diagnosis::from(error.clone()));
        assert!(!said.contains("planted"), "{written}: {said}");
        let error = Authority::new(written, TENANT).unwrap_err();
        assert!(!format!("{error:?} {error}").contains("planted"), "{written}");
        let error = VaultAddress::new(&vault_name(), written).unwrap_err();
        assert!(!format!("{error:?} {error}").contains("planted"), "{written}");
    }
}

#[test]
fn every_refusal_of_an_address_has_a_code_and_a_fix() {
    for (error, code, exit) in [
        (ServiceAddress::new("x").unwrap_err(), "CS4030", 3),
        (ServiceAddress::new("http://x").unwrap_err(), "CS4030", 3),
        (ServiceAddress::new("https://x/y").unwrap_err(), "CS4030", 3),
        (Authority::new("https://x", "a b").unwrap_err(), "CS3111", 4),
    ] {
        let diagnosis = Diagnosis::from(error);
        assert_eq!((diagnosis.code.id, diagnosis.code.exit as u8), (code, exit));
        assert_eq!(diagnosis.fix.len(), 1);
    }
}

#[test]
fn a_suffix_is_the_end_of_the_vaults_host_whatever_it_holds() {
    for (suffix, host) in [
        ("vault.azure.net", "acme-kv.vault.azure.net"),
        ("VAULT.AZURE.CN", "acme-kv.vault.azure.cn"),
        ("vault.azure.net:443", "acme-kv.vault.azure.net"),
        ("vault.localhost:8443", "acme-kv.vault.localhost:8443"),
        ("localhost", "acme-kv.localhost"),
    ] {
        assert_eq!(VaultAddress::new(&vault_name(), suffix).unwrap().service().host(), host);
    }
    for suffix in ["127.0.0.1", "[::1]", "[::1]:8443", "a@b", ":8443", "/", "\\", "?", "#", "..", "a b", "a\tb", "%2f"]
    {
        assert!(VaultAddress::new(&vault_name(), suffix).is_err(), "{suffix}");
    }
}

proptest! {
    #[test]
    fn an_address_that_is_taken_is_one_host_and_is_taken_again(text in "(https://)?[a-zA-Z0-9.:@/\\\\?#%\\[\\] \\PC-]{0,30}") {
        if let Ok(address) = ServiceAddress::new(&text) {
            let url = url::Url::parse(address.as_str()).unwrap();
            prop_assert_eq!((url.scheme(), url.path(), url.username(), url.password()), ("https", "/", "", None));
            prop_assert!(!text.contains('@'));
            prop_assert_eq!(ServiceAddress::new(address.as_str()).unwrap(), address);
        }
    }

    #[test]
    fn a_tenant_that_is_taken_is_one_segment_of_the_path(tenant in "[a-z0-9./%?#@: \\PC-]{0,20}") {
        if let Ok(authority) = Authority::new("https://login.example", &tenant) {
            let url = url::Url::parse(&authority.token_endpoint()).unwrap();
            let segments: Vec<_> = url.path_segments().unwrap().collect();
            prop_assert_eq!(segments, [tenant.as_str(), "oauth2", "v2.0", "token"]);
        }
    }
}
