//! Certificates against the real `openssl`: what one of them makes, the other reads and checks.

use credstore_protocol::Timestamp;
use credstore_protocol::encoding::{base64_any, base64_standard, hex_upper};
use credstore_protocol::key_vault::certificates::{CertificateForm, CertificatePolicy, ImportCertificate};
use credstore_protocol::key_vault::keys::Curve;
use credstore_vault::certificates::{
    CHAIN_BYTES_MAX, CHAIN_MAX, CertificateError, Chain, IMPORT_MAX, Imported, IssuingAuthority, Policy, import,
    request_of, secret_value, self_signed,
};
use credstore_vault::keys::{KeyMaterial, KeyShape, RsaSize};
use serde_json::{Value, json};

use crate::openssl::Bench;

/// 2027-01-15 08:00:00 UTC.
const NOW: Timestamp = Timestamp(1_800_000_000);

fn policy(wire: Value) -> Result<Policy, CertificateError> {
    Policy::checked(&serde_json::from_value::<CertificatePolicy>(wire).unwrap())
}

fn of_subject(subject: &str) -> Policy {
    policy(json!({"x509_props": {"subject": subject}})).unwrap()
}

fn p256() -> KeyMaterial {
    KeyMaterial::generate(KeyShape::Ec(Curve::P256)).unwrap()
}

impl Bench {
    fn write_der_certificate(&self, der: &[u8]) {
        self.write("certificate.der", der);
        self.openssl("x509 -inform der -in certificate.der -out certificate.pem");
    }

    /// A CA that `openssl` makes: `ca.pem` and `ca.key`.
    fn authority(&self) {
        self.openssl("req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj /CN=ca -days 30");
    }

    /// The certificate in `file`, DER.
    fn der(&self, file: &str) -> Vec<u8> {
        self.openssl(&format!("x509 -in {file} -outform der -out some.der"));
        self.read("some.der")
    }
}

#[test]
fn a_policy_that_says_little_gets_the_defaults_of_key_vault() {
    // Contract section 8.
    let complete = of_subject("CN=app").to_wire();
    let expected = json!({"key_props": {"exportable": true, "kty": "RSA", "key_size": 2048, "reuse_key": false},
        "secret_props": {"contentType": "application/x-pkcs12"},
        "x509_props": {"subject": "CN=app", "ekus": ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"],
            "key_usage": ["digitalSignature", "keyEncipherment"], "validity_months": 12, "basic_constraints": {"ca": false}},
        "lifetime_actions": [{"trigger": {"lifetime_percentage": 80}, "action": {"action_type": "EmailContacts"}}],
        "issuer": {"name": "Unknown"}});
    assert_eq!(serde_json::to_value(complete).unwrap(), expected);
    let by_itself = policy(json!({"x509_props": {"subject": "CN=app"}, "issuer": {"name": "Self"}})).unwrap();
    assert_eq!(by_itself.actions[0].action.action_type.as_str(), "AutoRenew");
}

#[test]
fn a_complete_policy_stays_as_it_was_sent() {
    let sent = json!({"key_props": {"exportable": false, "kty": "EC", "key_size": 384, "reuse_key": true, "crv": "P-384"},
        "secret_props": {"contentType": "application/x-pem-file"},
        "x509_props": {"subject": "CN=app, O=\"a, b\"", "sans": {"emails": ["a@b.example"], "dns_names": ["app.example"],
            "upns": ["u@d"], "uris": ["https://app.example"], "ipAddresses": ["::1"]}, "ekus": [], "key_usage": ["cRLSign"],
            "validity_months": 24, "basic_constraints": {"ca": false}},
        "lifetime_actions": [{"trigger": {"days_before_expiry": 30}, "action": {"action_type": "EmailContacts"}}],
        "issuer": {"name": "Unknown", "cty": "x", "cert_transparency": true}});
    let checked = policy(sent.clone()).unwrap();
    assert_eq!(serde_json::to_value(checked.to_wire()).unwrap(), sent);
    let change = json!({"x509_props": {"subject": "CN=other"}});
    let changed = Policy::changed(checked.to_wire(), &serde_json::from_value(change).unwrap()).unwrap();
    assert_eq!((changed.subject.as_str(), changed.months, changed.shape), ("CN=other", 12, checked.shape));
    assert_eq!(changed.actions, checked.actions);
}

#[test]
fn values_at_the_limits_are_taken_and_those_beyond_are_refused_with_the_place() {
    let with = |place: &str, value: Value| {
        let mut wire = json!({"x509_props": {"subject": "CN=app"}});
        let (object, member) = place.split_once('.').unwrap();
        wire[object][member] = value;
        policy(wire).map(|_| ()).map_err(|error| error.to_string())
    };
    let names = |count: usize| json!({"dns_names": vec!["a.example"; count]});
    let ekus = |count: usize| json!(vec!["1.2.3"; count]);
    let long = |length: usize| json!({"upns": ["a".repeat(length)]});
    for (place, good, bad) in [
        ("x509_props.validity_months", json!(1), json!(0)),
        ("x509_props.validity_months", json!(1200), json!(1201)),
        ("x509_props.validity_months", json!(12), json!(-1)),
        ("x509_props.sans", names(100), names(101)),
        ("x509_props.sans", long(512), long(513)),
        ("x509_props.sans", json!({"ipAddresses": ["10.0.0.1"]}), json!({"ipAddresses": ["10.0.0"]})),
        ("x509_props.sans", json!({"dns_names": ["a"]}), json!({"dns_names": ["\u{e4}"]})),
        ("x509_props.sans", json!({"dns_names": []}), json!({"dns_names": [""]})),
        ("x509_props.ekus", ekus(100), ekus(101)),
        ("x509_props.ekus", json!([]), json!(["serverAuth"])),
        ("x509_props.subject", json!("CN=a;O=b"), json!("app")),
        ("key_props.key_size", json!(4096), json!(1024)),
        ("key_props.kty", json!("EC"), json!("RSA-HSM")),
        ("key_props.kty", json!("RSA"), json!("oct")),
        ("secret_props.contentType", json!("application/x-pem-file"), json!("text/plain")),
    ] {
        assert_eq!(with(place, good), Ok(()), "{place}");
        let property = place.split('.').next().unwrap();
        let text = with(place, bad.clone()).unwrap_err();
        let expected = format!("Property policy.{property} has invalid value. ");
        assert!(text.starts_with(&expected) && text.ends_with("\r\n"), "{place} {bad}: {text}");
    }
    for (crv, good) in [("P-256", true), ("P-384", true), ("P-521", true), ("P-256K", false)] {
        let wire = json!({"x509_props": {"subject": "CN=a"}, "key_props": {"kty": "EC", "crv": crv}});
        assert_eq!(policy(wire).is_ok(), good, "{crv}");
    }
    let nameless = policy(json!({"x509_props": {"sans": {"dns_names": ["a.example"]}}}));
    assert!(nameless.is_ok() && policy(json!({})).is_err());
}

#[test]
fn a_policy_has_at_most_one_action_with_exactly_one_measure() {
    let action = |trigger: Value| json!({"trigger": trigger, "action": {"action_type": "AutoRenew"}});
    let with = |actions: Vec<Value>, months: i64| {
        policy(json!({"x509_props": {"subject": "CN=a", "validity_months": months}, "lifetime_actions": actions}))
    };
    for (trigger, good) in [
        (json!({"lifetime_percentage": 1}), true),
        (json!({"lifetime_percentage": 99}), true),
        (json!({"lifetime_percentage": 0}), false),
        (json!({"lifetime_percentage": 100}), false),
        // Specification: "If validity_in_months is 36, then value should be between 1 and 972 (36 * 27)".
        (json!({"days_before_expiry": 972}), true),
        (json!({"days_before_expiry": 973}), false),
        (json!({"days_before_expiry": 0}), false),
        (json!({}), false),
        (json!({"days_before_expiry": 1, "lifetime_percentage": 1}), false),
    ] {
        assert_eq!(with(vec![action(trigger.clone())], 36).is_ok(), good, "{trigger}");
    }
    let one = action(json!({"lifetime_percentage": 80}));
    assert_eq!(with(vec![one.clone(), one], 12), Err(CertificateError::Actions));
    assert!(with(vec![], 12).unwrap().actions.is_empty());
}

#[test]
fn openssl_takes_a_self_signed_certificate_of_every_kind_of_key() {
    let shapes = [
        KeyShape::Rsa(RsaSize::Bits2048),
        KeyShape::Ec(Curve::P256),
        KeyShape::Ec(Curve::P384),
        KeyShape::Ec(Curve::P521),
    ];
    for shape in shapes {
        let bench = Bench::new();
        let key = KeyMaterial::generate(shape).unwrap();
        let chain = self_signed(&of_subject("CN=app"), &key, NOW).unwrap();
        assert!(chain.is_of(&key).unwrap() && !chain.is_of(&p256()).unwrap());
        bench.write_der_certificate(chain.leaf());
        let verified = format!("verify -check_ss_sig -attime {} -CAfile certificate.pem certificate.pem", NOW.0);
        assert!(bench.openssl(&verified).contains("OK"), "{shape:?}");
        let fingerprint = bench.openssl("x509 -in certificate.pem -noout -fingerprint -sha1");
        let thumbprint = hex_upper(&base64_any(&chain.x5t()).unwrap());
        assert!(fingerprint.replace(':', "").contains(&thumbprint), "{fingerprint}");
        assert_eq!(base64_any(&chain.cer()).unwrap(), chain.leaf());
    }
}

#[test]
fn a_self_signed_certificate_says_what_its_policy_says() {
    let bench = Bench::new();
    let policy = policy(json!({"x509_props": {"subject": "CN=app, O=\"Acme, \"\"Inc\"\"\", C=DE", "sans": {
            "emails": ["a@b.example"], "dns_names": ["app.example", "*.app.example"], "upns": ["u@d.example"],
            "uris": ["https://app.example/x"], "ipAddresses": ["10.0.0.1"]},
        "ekus": ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.3"], "key_usage": ["digitalSignature", "nonRepudiation", "keyAgreement",
            "encipherOnly"], "validity_months": 13}}))
    .unwrap();
    let chain = self_signed(&policy, &p256(), NOW).unwrap();
    bench.write_der_certificate(chain.leaf());
    let text = bench.openssl("x509 -in certificate.pem -noout -text -nameopt RFC2253");
    // Contract section 8: from ten minutes before, for so many months; version 3, CA:FALSE, key usage critical, both
    // key identifiers the same.
    for expected in [
        "Version: 3 (0x2)",
        r#"Subject: CN=app,O=Acme\, \"Inc\",C=DE"#,
        "Not Before: Jan 15 07:50:00 2027 GMT",
        "Not After : Feb 15 08:00:00 2028 GMT",
        "email:a@b.example",
        "DNS:app.example, DNS:*.app.example",
        "URI:https://app.example/x",
        "UPN::u@d.example",
        "IP Address:10.0.0.1",
        "Key Usage: critical\n                Digital Signature, Non Repudiation, Key Agreement, Encipher Only",
        "TLS Web Server Authentication, Code Signing",
        "CA:FALSE",
    ] {
        assert!(text.contains(expected), "{expected} in {text}");
    }
    let identifiers =
        text.lines().skip_while(|line| !line.contains("Key Identifier")).filter(|line| line.matches(':').count() > 15);
    let identifiers: Vec<_> = identifiers.map(|line| line.trim().trim_start_matches("keyid:")).take(2).collect();
    assert_eq!(identifiers[0], identifiers[1]);
    let serial = bench.openssl("x509 -in certificate.pem -noout -serial");
    assert_eq!(serial.trim().trim_start_matches("serial=").len(), 32, "{serial}");
    assert_eq!(chain.validity().unwrap(), (Timestamp(NOW.0 - 600), Timestamp(1_834_214_400)));
}

#[test]
fn openssl_takes_a_request_and_its_certificate_is_merged() {
    for shape in [KeyShape::Rsa(RsaSize::Bits2048), KeyShape::Ec(Curve::P384)] {
        let bench = Bench::new();
        let key = KeyMaterial::generate(shape).unwrap();
        let policy = policy(json!({"x509_props": {"subject": "CN=app", "sans": {"dns_names": ["app.example"]}},
            "issuer": {"name": "Unknown"}}));
        bench.write("request.der", &request_of(&policy.unwrap(), &key).unwrap());
        let text = bench.openssl("req -inform der -in request.der -verify -noout -text");
        for expected in
            ["CN = app", "DNS:app.example", "TLS Web Server Authentication", "Digital Signature", "CA:FALSE"]
        {
            assert!(text.contains(expected), "{expected} in {text}");
        }
        bench.authority();
        bench.openssl("req -inform der -in request.der -out request.pem");
        bench.openssl("x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 10 -out leaf.pem");
        let (leaf, ca) = (bench.der("leaf.pem"), bench.der("ca.pem"));
        let x5c = [base64_standard(&leaf), base64_standard(&ca)];
        let merged = Chain::merge(&key, &x5c).unwrap();
        assert_eq!(merged.certificates(), [leaf.clone(), ca.clone()]);
        // Contract section 19, item 19.
        let twice = x5c.clone().map(|text| base64_standard(text.as_bytes()));
        assert_eq!(Chain::merge(&key, &twice), Ok(merged));
        let [leaf, ca] = x5c;
        assert_eq!(Chain::merge(&key, &[ca.clone(), leaf.clone()]), Err(CertificateError::OtherKey));
        assert_eq!(Chain::merge(&p256(), std::slice::from_ref(&leaf)), Err(CertificateError::OtherKey));
        assert_eq!(Chain::merge(&key, &[]), Err(CertificateError::Count(0)));
        assert_eq!(Chain::merge(&key, &[leaf.clone(), "AAAA".to_owned()]), Err(CertificateError::Unreadable));
        let mut cut = leaf.clone();
        cut.truncate(400);
        assert_eq!(Chain::merge(&key, &[cut]), Err(CertificateError::Unreadable));
        let most = |count: usize| {
            let above = std::iter::repeat_n(ca.clone(), count - 1);
            Chain::merge(&key, &std::iter::once(leaf.clone()).chain(above).collect::<Vec<_>>())
        };
        assert!(most(CHAIN_MAX).is_ok());
        assert_eq!(most(CHAIN_MAX + 1), Err(CertificateError::Count(CHAIN_MAX + 1)));
    }
}

#[test]
fn the_certificates_of_a_chain_are_measured_together_before_they_are_read() {
    let of = |bytes: usize| Chain::of(vec![vec![0x30; bytes - 100], vec![0x30; 100]]);
    assert_eq!(of(CHAIN_BYTES_MAX), Err(CertificateError::Unreadable));
    assert_eq!(of(CHAIN_BYTES_MAX + 1), Err(CertificateError::TooLarge { most: CHAIN_BYTES_MAX }));
}

#[test]
fn a_certificate_never_ends_after_the_last_year_there_is() {
    let late = Timestamp(253_402_300_799 - 86_400);
    assert_eq!(self_signed(&of_subject("CN=a"), &p256(), late), Err(CertificateError::Date));
    assert_eq!(self_signed(&of_subject("CN=a"), &p256(), Timestamp(i64::MAX)), Err(CertificateError::Date));
}

/// The request of an import, as the wire has it.
fn request(wire: Value) -> ImportCertificate {
    serde_json::from_value(wire).unwrap()
}

fn import_of(value: &str) -> Result<Imported, CertificateError> {
    import(&request(json!({"value": value})))
}

impl Bench {
    /// `key.pem`, a certificate of it in `leaf.pem`, and two above that: `middle.pem` and `ca.pem`.
    fn issued(&self, new_key: &str) {
        self.authority();
        self.write("ca.cnf", b"basicConstraints=CA:TRUE\n");
        self.write("leaf.cnf", b"subjectAltName=DNS:app.example,IP:10.0.0.1,email:a@b.example\nkeyUsage=digitalSignature\nextendedKeyUsage=serverAuth,1.2.3.4\n");
        self.openssl("req -newkey rsa:2048 -nodes -keyout middle.key -out middle.csr -subj /CN=middle");
        self.openssl(
            "x509 -req -in middle.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile ca.cnf -out middle.pem",
        );
        self.openssl(&format!("req {new_key} -nodes -keyout key.pem -out leaf.csr -subj /O=Acme/CN=app"));
        let leaf =
            "x509 -req -in leaf.csr -CA middle.pem -CAkey middle.key -CAcreateserial -extfile leaf.cnf -days 365";
        self.openssl(&format!("{leaf} -out leaf.pem"));
        self.joined("above.pem", &["ca.pem", "middle.pem"]);
    }

    fn joined(&self, into: &str, files: &[&str]) -> String {
        let bytes: Vec<u8> = files.iter().flat_map(|file| self.read(file)).collect();
        self.write(into, &bytes);
        String::from_utf8(bytes).unwrap()
    }

    /// The certificates that every import of [`issued`](Self::issued) has, in their order.
    fn expected(&self) -> [Vec<u8>; 3] {
        ["leaf.pem", "middle.pem", "ca.pem"].map(|file| self.der(file))
    }

    fn pfx(&self, options: &str) -> String {
        self.openssl(&format!(
            "pkcs12 -export -inkey key.pem -in leaf.pem -certfile above.pem -out file.pfx {options}"
        ));
        base64_standard(&self.read("file.pfx"))
    }
}

const NEW_RSA: &str = "-newkey rsa:2048";
const NEW_EC: &str = "-newkey ec -pkeyopt ec_paramgen_curve:P-384";

#[test]
fn every_pfx_that_openssl_writes_is_imported() {
    for new_key in [NEW_RSA, NEW_EC] {
        let bench = Bench::new();
        bench.issued(new_key);
        for (options, password) in [
            ("-passout pass:", None),
            ("-passout pass:", Some("")),
            ("-passout pass:planted", Some("planted")),
            ("-passout pass:planted -keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-3DES -macalg sha1", Some("planted")),
            ("-passout pass: -nomac", None),
            ("-passout pass: -certpbe NONE", None),
        ] {
            let file = bench.pfx(options);
            let imported = import(&request(json!({"value": file, "pwd": password}))).unwrap();
            assert_eq!(imported.chain.certificates(), bench.expected(), "{options}");
            assert!(imported.chain.is_of(&imported.key).unwrap());
            assert_eq!(imported.policy.form.as_str(), "application/x-pkcs12");
        }
        let file = bench.pfx("-passout pass:planted");
        for password in [None, Some("other"), Some("")] {
            let refused = import(&request(json!({"value": file, "pwd": password}))).unwrap_err();
            assert_eq!(refused, CertificateError::Pfx, "{password:?}");
        }
    }
}

#[test]
fn a_pem_is_imported_in_any_order_and_tells_its_policy() {
    for new_key in [NEW_RSA, NEW_EC] {
        let bench = Bench::new();
        bench.issued(new_key);
        for files in [
            ["key.pem", "leaf.pem", "middle.pem", "ca.pem"],
            ["ca.pem", "leaf.pem", "key.pem", "middle.pem"],
            ["middle.pem", "ca.pem", "leaf.pem", "key.pem"],
        ] {
            let text = bench.joined("all.pem", &files);
            let encoded = base64_standard(text.as_bytes());
            for value in [text.clone(), text.replace('\n', "\r\n"), encoded] {
                assert_eq!(import_of(&value).unwrap().chain.certificates(), bench.expected(), "{files:?}");
            }
            let kept = import(&request(json!({"value": text, "preserveCertOrder": true}))).unwrap();
            assert_eq!(kept.chain.leaf(), bench.expected()[0]);
        }
        let policy = import_of(&bench.joined("all.pem", &["key.pem", "leaf.pem"])).unwrap().policy.to_wire();
        let policy = serde_json::to_value(policy).unwrap();
        let key = if new_key == NEW_RSA {
            json!({"exportable": true, "kty": "RSA", "key_size": 2048, "reuse_key": false})
        } else {
            json!({"exportable": true, "kty": "EC", "key_size": 384, "reuse_key": false, "crv": "P-384"})
        };
        assert_eq!(policy["key_props"], key);
        assert_eq!(policy["secret_props"], json!({"contentType": "application/x-pem-file"}));
        let x509 = json!({"subject": "CN=app, O=Acme", "sans": {"dns_names": ["app.example"], "emails": ["a@b.example"],
            "ipAddresses": ["10.0.0.1"]}, "ekus": ["1.3.6.1.5.5.7.3.1", "1.2.3.4"], "key_usage": ["digitalSignature"],
            "validity_months": 12, "basic_constraints": {"ca": false}});
        assert_eq!(policy["x509_props"], x509);
        assert_eq!(policy["issuer"], json!({"name": "Unknown"}));
    }
}

#[test]
fn what_a_policy_puts_into_a_certificate_an_import_finds_there() {
    let made = policy(json!({"x509_props": {"subject": "CN=\u{e4}, O=\"a, \"\"b\"\"\", S=x, DC=d, OID.1.2.3=y", "sans": {
            "emails": ["a@b.example"], "dns_names": ["a.example"], "upns": ["u@d.example"], "uris": ["https://a.example"],
            "ipAddresses": ["10.0.0.1", "::1"]},
        "ekus": ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.9", "1.2.3"], "validity_months": 12,
        "key_usage": ["digitalSignature", "nonRepudiation", "keyEncipherment", "dataEncipherment", "keyAgreement",
            "keyCertSign", "cRLSign", "encipherOnly", "decipherOnly"]},
        "key_props": {"kty": "EC", "crv": "P-256"}, "issuer": {"name": "Self"}}))
    .unwrap();
    let key = p256();
    let chain = self_signed(&made, &key, NOW).unwrap();
    let value = secret_value(made.form, Some(&key), &chain).unwrap();
    let policy = made.to_wire();
    let wire = json!({"value": value.expose_secret(), "policy": {"issuer": policy.issuer,
        "lifetime_actions": policy.lifetime_actions}});
    assert_eq!(import(&request(wire)).unwrap().policy, made);
}

#[test]
fn what_does_not_belong_together_or_is_no_pkcs8_is_refused() {
    let bench = Bench::new();
    bench.issued(NEW_RSA);
    bench.openssl("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out other.pem");
    bench.openssl("rsa -in key.pem -traditional -out old.pem");
    bench.openssl("pkey -in key.pem -aes256 -passout pass:planted -out sealed.pem");
    bench.openssl("genpkey -algorithm ed25519 -out ed.pem");
    bench.openssl("req -x509 -key ed.pem -subj /CN=ed -out ed-leaf.pem");
    for (files, expected) in [
        (&["other.pem", "leaf.pem"][..], CertificateError::OtherKey),
        (&["key.pem", "middle.pem"], CertificateError::OtherKey),
        (&["ed.pem", "ed-leaf.pem"], CertificateError::KeyKind),
        (&["old.pem", "leaf.pem"], CertificateError::PemForm),
        (&["sealed.pem", "leaf.pem"], CertificateError::PemForm),
        (&["key.pem", "key.pem", "leaf.pem"], CertificateError::PemForm),
        (&["leaf.pem"], CertificateError::PemForm),
        (&["key.pem"], CertificateError::Count(0)),
    ] {
        assert_eq!(import_of(&bench.joined("all.pem", files)).unwrap_err(), expected, "{files:?}");
    }
    let whole = bench.joined("all.pem", &["key.pem", "leaf.pem"]);
    assert_eq!(import_of(&whole[..whole.len() - 30]).unwrap_err(), CertificateError::Pem);
    for value in ["", "not base64!", "AAAA", "MIIB"] {
        assert_eq!(import_of(value).unwrap_err(), CertificateError::Pfx, "{value}");
    }
    let padded = |length: usize| format!("{whole}{}", " ".repeat(length - whole.len()));
    assert!(import_of(&padded(IMPORT_MAX)).is_ok());
    assert_eq!(import_of(&padded(IMPORT_MAX + 1)).unwrap_err(), CertificateError::TooLarge { most: IMPORT_MAX });
}

#[test]
fn a_pfx_that_asks_for_more_than_a_million_iterations_is_refused() {
    let bench = Bench::new();
    bench.issued(NEW_EC);
    let file = bench.pfx("-passout pass: -nomac -iter 1000001");
    assert_eq!(import_of(&file).unwrap_err(), CertificateError::Pfx);
}

#[test]
fn openssl_reads_what_the_secret_of_a_certificate_holds() {
    for new_key in [NEW_RSA, NEW_EC] {
        let bench = Bench::new();
        bench.issued(new_key);
        let imported = import_of(&bench.joined("all.pem", &["key.pem", "leaf.pem", "middle.pem", "ca.pem"])).unwrap();
        let public = bench.openssl("pkey -in key.pem -pubout");
        let pem = secret_value(CertificateForm::Pem, Some(&imported.key), &imported.chain).unwrap();
        // Contract section 8: the key first, lines ended by LF, one at the end.
        assert!(pem.expose_secret().starts_with("-----BEGIN PRIVATE KEY-----\n"));
        assert!(pem.expose_secret().ends_with("-----END CERTIFICATE-----\n"));
        bench.write("out.pem", pem.expose_secret().as_bytes());
        let pfx = secret_value(CertificateForm::Pkcs12, Some(&imported.key), &imported.chain).unwrap();
        bench.write("out.pfx", &base64_any(pfx.expose_secret()).unwrap());
        bench.openssl("pkcs12 -in out.pfx -passin pass: -nodes -out opened.pem");
        for file in ["out.pem", "opened.pem"] {
            assert_eq!(bench.openssl(&format!("pkey -in {file} -pubout")), public);
            assert_eq!(bench.der(file), bench.expected()[0]);
            let text = String::from_utf8(bench.read(file)).unwrap();
            assert_eq!(text.matches("BEGIN CERTIFICATE").count(), 3);
            assert_eq!(import_of(&text).unwrap().chain, imported.chain);
        }
        assert_eq!(import_of(pfx.expose_secret()).unwrap().chain, imported.chain);
        for form in CertificateForm::ALL {
            let public_only = secret_value(*form, None, &imported.chain).unwrap();
            let text = match form {
                CertificateForm::Pem => public_only.expose_secret().to_owned(),
                CertificateForm::Pkcs12 => {
                    bench.write("out.pfx", &base64_any(public_only.expose_secret()).unwrap());
                    bench.openssl("pkcs12 -in out.pfx -passin pass: -nodes")
                }
            };
            assert!(!text.contains("PRIVATE KEY"), "{form}");
            assert_eq!(text.matches("BEGIN CERTIFICATE").count(), 3, "{form}");
        }
    }
}

#[test]
fn what_was_changed_on_its_way_is_refused_or_read_but_never_breaks() {
    let bench = Bench::new();
    bench.issued(NEW_EC);
    bench.pfx("-passout pass: -iter 1 -nomac -certpbe NONE -keypbe NONE");
    let file = bench.read("file.pfx");
    let (mut read, mut refused) = (0, 0);
    for at in 0..file.len() {
        let mut changed = file.clone();
        changed[at] ^= [0x01, 0x80, 0xff][at % 3];
        match import_of(&base64_standard(&changed)) {
            Ok(_) => read += 1,
            Err(_) => refused += 1,
        }
        assert!(import_of(&base64_standard(&file[..at])).is_err(), "cut at {at}");
    }
    assert!(read > 0 && refused > 0, "{read} read, {refused} refused");
}

#[test]
fn openssl_trusts_what_an_authority_of_a_vault_issues() {
    let made = IssuingAuthority::create("vault app", NOW).unwrap();
    let kept = KeyMaterial::open(made.key().shape(), &made.key().pkcs8().unwrap()).unwrap();
    let authority = IssuingAuthority::open(kept, made.certificate().clone()).unwrap();
    for shape in [KeyShape::Rsa(RsaSize::Bits2048), KeyShape::Ec(Curve::P521)] {
        let bench = Bench::new();
        let key = KeyMaterial::generate(shape).unwrap();
        let policy =
            policy(json!({"x509_props": {"subject": "CN=app", "sans": {"dns_names": ["app.example"]}}})).unwrap();
        let chain = authority.issue(&policy, &key, NOW).unwrap();
        assert_eq!(chain.certificates()[1..], *made.certificate().certificates());
        assert!(chain.is_of(&key).unwrap());
        bench.write_der_certificate(&chain.certificates()[1]);
        bench.openssl("x509 -in certificate.pem -out authority.pem");
        bench.write_der_certificate(chain.leaf());
        let verified = format!("verify -x509_strict -purpose sslserver -verify_hostname app.example -attime {}", NOW.0);
        assert!(bench.openssl(&format!("{verified} -CAfile authority.pem certificate.pem")).contains("OK"));
        let text = bench.openssl("x509 -in authority.pem -noout -text");
        for expected in ["Subject: CN = vault app", "CA:TRUE, pathlen:0", "Certificate Sign, CRL Sign"] {
            assert!(text.contains(expected), "{expected} in {text}");
        }
    }
    assert_eq!(IssuingAuthority::open(p256(), made.certificate().clone()).map(|_| ()), Err(CertificateError::OtherKey));
}

#[test]
fn the_name_of_an_authority_has_sixty_four_characters_at_most() {
    for (asked, kept) in [(64, 64), (65, 64)] {
        let bench = Bench::new();
        let authority = IssuingAuthority::create(&"a".repeat(asked), NOW).unwrap();
        bench.write_der_certificate(authority.certificate().leaf());
        let subject = bench.openssl("x509 -in certificate.pem -noout -subject -nameopt RFC2253");
        assert_eq!(subject.trim(), format!("subject=CN={}", "a".repeat(kept)));
    }
}

#[test]
fn what_an_authority_issues_never_outlives_it() {
    let authority = IssuingAuthority::create("a", NOW).unwrap();
    let (from, until) = authority.certificate().validity().unwrap();
    // Ten years of 365 days from now, and ten minutes before it.
    assert_eq!((from, until), (Timestamp(NOW.0 - 600), Timestamp(NOW.0 + 315_360_000)));
    let at =
        |now: i64| authority.issue(&of_subject("CN=a"), &p256(), Timestamp(now)).map(|chain| chain.validity().unwrap());
    assert_eq!(at(from.0), Ok((from, Timestamp(1_831_535_400))));
    assert_eq!(at(until.0 - 1).unwrap().1, until);
    assert_eq!(at(from.0 - 1), Err(CertificateError::Date));
    assert_eq!(at(until.0), Err(CertificateError::Date));
}
