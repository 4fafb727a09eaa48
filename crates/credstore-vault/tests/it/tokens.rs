//! Client assertions as real clients send them, and hostile ones; access tokens and forged ones.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding};
use aws_lc_rs::{digest, hmac};
use credstore_protocol::encoding::{base64_any, base64_standard, base64url, hex_upper};
use credstore_protocol::{ClientId, ObjectId, Timestamp};
use credstore_vault::directory::{IssuedToken, NewKeyCredential, SignIn, VerifiedToken};
use credstore_vault::{SignInError, TokenRejected};
use serde_json::{Value, json};

use crate::world::{NOW, World, later, operator};

const AUDIENCE: &str = "https://login.localhost:8443/tenant/oauth2/v2.0/token";
const RESOURCE: &str = "https://vault.localhost:8443";
const ISSUER: &str = "https://login.localhost:8443/tenant/";

/// An application that can sign in, and its private key.
pub(crate) struct Client {
    pub(crate) application: ObjectId,
    app_id: ClientId,
    principal: ObjectId,
    pub(crate) certificate_der: Vec<u8>,
    key: KeyPair,
}

impl Client {
    pub(crate) fn new(world: &World, start: Timestamp, end: Timestamp) -> Self {
        let key = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der = key.as_der().unwrap().as_ref().to_vec();
        let date = |at: Timestamp| time::OffsetDateTime::from_unix_timestamp(at.0).unwrap();
        let mut params = rcgen::CertificateParams::default();
        (params.not_before, params.not_after) = (date(start), date(end));
        let signer = rcgen::KeyPair::try_from(der.as_slice()).unwrap();
        let certificate_der = params.self_signed(&signer).unwrap().der().to_vec();
        let (directory, operator) = (world.installation.directory(), world.operator());
        let credential = NewKeyCredential { certificate_der: certificate_der.clone(), ..NewKeyCredential::default() };
        let application = directory.create_application(&operator, "client", vec![credential], NOW).unwrap();
        let principal = directory.create_service_principal(&operator, &application.app_id, NOW).unwrap();
        let (application, app_id) = (application.id, application.app_id);
        Self { application, app_id, principal: principal.id, certificate_der, key }
    }

    fn sha1(&self) -> Vec<u8> {
        digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &self.certificate_der).as_ref().to_vec()
    }

    fn sha256(&self) -> Vec<u8> {
        digest::digest(&digest::SHA256, &self.certificate_der).as_ref().to_vec()
    }

    fn signature(&self, how: &'static dyn RsaEncoding, message: &str) -> Vec<u8> {
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key.sign(how, &SystemRandom::new(), message.as_bytes(), &mut signature).unwrap();
        signature
    }

    fn header(&self) -> Value {
        json!({"alg": "PS256", "typ": "JWT", "x5t#S256": base64url(&self.sha256())})
    }

    fn claims(&self) -> Value {
        json!({"aud": AUDIENCE, "iss": self.app_id.as_str(), "sub": self.app_id.as_str(), "jti": "1",
            "nbf": NOW.0, "iat": NOW.0, "exp": NOW.0 + 600})
    }

    /// Signs texts as they are; RS256 when the header says so, else PS256.
    fn signed(&self, header: &str, claims: &str) -> String {
        let message = format!("{}.{}", base64url(header.as_bytes()), base64url(claims.as_bytes()));
        let how: &'static dyn RsaEncoding = if header.contains("RS256") { &RSA_PKCS1_SHA256 } else { &RSA_PSS_SHA256 };
        format!("{message}.{}", base64url(&self.signature(how, &message)))
    }

    fn assertion(&self, header: &Value, claims: &Value) -> String {
        self.signed(&header.to_string(), &claims.to_string())
    }
}

fn sign_in_as(world: &World, client_id: &str, assertion: &str, now: Timestamp) -> Result<IssuedToken, SignInError> {
    let audiences = [AUDIENCE.to_owned()];
    let request = SignIn { client_id, assertion, audiences: &audiences, resource: RESOURCE, issuer: ISSUER };
    world.installation.directory().sign_in(&request, now)
}

fn sign_in(world: &World, client: &Client, assertion: &str) -> Result<String, SignInError> {
    sign_in_as(world, client.app_id.as_str(), assertion, NOW).map(|issued| issued.token.to_string())
}

fn verify(world: &World, token: &str, now: Timestamp) -> Result<VerifiedToken, TokenRejected> {
    world.installation.directory().verify_token(token, &[RESOURCE], ISSUER, now)
}

fn world_and_client() -> (World, Client) {
    let world = World::new();
    let client = Client::new(&world, later(-1000), later(10_000));
    (world, client)
}

fn with(mut object: Value, name: &str, value: Value) -> Value {
    object[name] = value;
    object
}

fn without(mut object: Value, name: &str) -> Value {
    object.as_object_mut().unwrap().remove(name);
    object
}

#[test]
fn assertions_as_the_official_clients_write_them_are_accepted() {
    let (world, client) = world_and_client();
    let (sha1, sha256) = (client.sha1(), client.sha256());
    let padded = |text: &str| base64_standard(&base64_any(text).unwrap()).replace('+', "-").replace('/', "_");
    // MSAL for Python: RS256, x5t padded, times with fractions, no nbf. Contract section 12.
    let floats = json!({"aud": AUDIENCE, "iss": client.app_id.as_str(), "sub": client.app_id.as_str(), "jti": "1",
        "exp": NOW.0 as f64 + 599.25, "iat": NOW.0 as f64 + 0.75});
    let python = client.assertion(&json!({"alg": "RS256", "typ": "JWT", "x5t": padded(&base64url(&sha1))}), &floats);
    // azure-identity's async client: all three segments padded, the padding signed.
    let message =
        [client.header(), client.claims()].map(|part| padded(&base64url(part.to_string().as_bytes()))).join(".");
    let signature = padded(&base64url(&client.signature(&RSA_PSS_SHA256, &message)));
    let python_async = format!("{message}.{signature}");
    // azure_identity for Rust: x5t in standard base64, x5c that nobody looks at.
    let rust = json!({"alg": "RS256", "typ": "JWT", "x5t": base64_standard(&sha1), "x5c": ["AAAA"]});
    let accepted = [
        ("Python", python),
        ("Python async", python_async),
        ("Rust", client.assertion(&rust, &client.claims())),
        ("JavaScript", client.assertion(&client.header(), &client.claims())),
        ("kid of SHA-1", client.assertion(&json!({"alg": "PS256", "kid": hex_upper(&sha1)}), &client.claims())),
        ("kid of SHA-256", client.assertion(&json!({"alg": "RS256", "kid": hex_upper(&sha256)}), &client.claims())),
    ];
    for (who, assertion) in accepted {
        for round in 0..2 {
            let token = sign_in(&world, &client, &assertion);
            assert!(token.is_ok(), "{who}, round {round}: {token:?}");
        }
    }
}

#[test]
fn a_token_has_the_claims_of_the_contract_and_is_verified() {
    let (world, client) = world_and_client();
    let issued = sign_in_as(&world, client.app_id.as_str(), &client.assertion(&client.header(), &client.claims()), NOW);
    let issued = issued.unwrap();
    assert_eq!(issued.expires_in, 3599);
    let part = |at: usize| -> Value {
        serde_json::from_slice(&base64_any(issued.token.split('.').nth(at).unwrap()).unwrap()).unwrap()
    };
    let keys = world.installation.directory().key_set();
    assert_eq!(part(0), json!({"alg": "RS256", "typ": "JWT", "kid": keys.keys[0].kid}));
    let claims = part(1);
    let (oid, tenant) = (client.principal.as_str(), world.installation.tenant().as_str());
    let expected = json!({"aud": RESOURCE, "iss": ISSUER, "idp": ISSUER, "iat": NOW.0, "nbf": NOW.0, "exp": NOW.0 + 3599,
        "appid": client.app_id.as_str(), "appidacr": "2", "oid": oid, "sub": oid, "tid": tenant, "ver": "1.0"});
    assert_eq!(without(claims, "uti"), expected);
    let verified = verify(&world, &issued.token, later(3598)).unwrap();
    assert_eq!(verified.caller.object_id, client.principal);
    assert_eq!((verified.caller.app_id, verified.expires_at), (client.app_id, later(3599)));
    assert_eq!(verify(&world, &issued.token, later(3599)), Err(TokenRejected::Expired));
    assert_eq!(verify(&world, &issued.token, later(-30)).map(|_| ()), Ok(()));
    assert_eq!(verify(&world, &issued.token, later(-31)), Err(TokenRejected::NotYetValid));
}

#[test]
fn the_operators_file_signs_in() {
    let world = World::new();
    let pem = world.installation.operator_pem().unwrap();
    let signer =
        rcgen::KeyPair::from_pem(pem.expose_secret().split_inclusive("-----END PRIVATE KEY-----").next().unwrap());
    let signer = signer.unwrap();
    let (_, certificate) = x509_parser::pem::parse_x509_pem(
        pem.expose_secret().split_once("-----END PRIVATE KEY-----").unwrap().1.trim_start().as_bytes(),
    )
    .unwrap();
    let caller = operator(&world.installation);
    let client = Client {
        application: caller.object_id.clone(),
        app_id: caller.app_id.clone(),
        principal: caller.object_id.clone(),
        certificate_der: certificate.contents,
        key: KeyPair::from_pkcs8(signer.serialized_der()).unwrap(),
    };
    let token = sign_in(&world, &client, &client.assertion(&client.header(), &client.claims())).unwrap();
    assert_eq!(verify(&world, &token, NOW).unwrap().caller, caller);
}

#[test]
fn hostile_assertions_are_refused_each_for_its_reason() {
    let (world, client) = world_and_client();
    let stranger = Client::new(&world, later(-1000), later(10_000));
    let (header, claims) = (client.header(), client.claims());
    let sha1 = base64url(&client.sha1());
    let sign = |header: &Value, claims: &Value| client.assertion(header, claims);
    let claim = |name: &str, value: Value| sign(&header, &with(claims.clone(), name, value));
    let head = |name: &str, value: Value| sign(&with(header.clone(), name, value), &claims);
    let good = sign(&header, &claims);
    let (message, signature) = good.rsplit_once('.').unwrap();
    let hs256 = {
        let header = with(header.clone(), "alg", json!("HS256"));
        let message = [header, claims.clone()].map(|part| base64url(part.to_string().as_bytes())).join(".");
        let key = hmac::Key::new(hmac::HMAC_SHA256, &client.certificate_der);
        format!("{message}.{}", base64url(hmac::sign(&key, message.as_bytes()).as_ref()))
    };
    let other = sign(&header, &with(claims.clone(), "jti", json!("2")));
    let other_signature = other.rsplit_once('.').unwrap().1;
    let text = |claims: &str| client.signed(&header.to_string(), claims);
    let twice = claims.to_string().replacen('{', r#"{"iss":"x","#, 1);
    let mut flipped = base64_any(signature).unwrap();
    flipped[100] ^= 1;
    let cases: Vec<(&str, String, &str)> = vec![
        ("nothing", String::new(), "Malformed"),
        ("two segments", message.to_owned(), "Malformed"),
        ("four segments", format!("{good}.AAAA"), "Malformed"),
        ("empty signature", format!("{message}."), "Malformed"),
        ("JSON serialization", r#"{"payload":"e30","signatures":[]}"#.to_owned(), "Malformed"),
        ("alg none", head("alg", json!("none")), "Malformed"),
        ("alg None", head("alg", json!("None")), "Malformed"),
        ("alg HS256 keyed with the certificate", hs256, "Malformed"),
        ("alg RS384", head("alg", json!("RS384")), "Malformed"),
        ("alg ES256", head("alg", json!("ES256")), "Malformed"),
        ("alg a number", head("alg", json!(256)), "Malformed"),
        ("alg absent", sign(&without(header.clone(), "alg"), &claims), "Malformed"),
        (
            "PS256 signature said to be RS256",
            {
                let header = with(header.clone(), "alg", json!("RS256")).to_string();
                let message = format!("{}.{}", base64url(header.as_bytes()), base64url(claims.to_string().as_bytes()));
                format!("{message}.{}", base64url(&client.signature(&RSA_PSS_SHA256, &message)))
            },
            "InvalidSignature",
        ),
        ("crit", head("crit", json!(["exp"])), "Malformed"),
        ("crit null", head("crit", Value::Null), "Malformed"),
        ("typ of an access token", head("typ", json!("at+jwt")), "Malformed"),
        ("no name of a certificate", sign(&without(header.clone(), "x5t#S256"), &claims), "NoThumbprint"),
        ("kid that is no thumbprint", sign(&json!({"alg": "PS256", "kid": "../../key"}), &claims), "NoThumbprint"),
        ("x5t of the wrong length", head("x5t", json!("AAAA")), "Malformed"),
        ("x5t#S256 a list", head("x5t#S256", json!([1])), "Malformed"),
        ("x5t#S256 of nobody", head("x5t#S256", json!(base64url(&[7; 32]))), "CertificateNotRegistered"),
        ("x5t and x5t#S256 of two", head("x5t", json!(base64url(&stranger.sha1()))), "CertificateNotRegistered"),
        (
            "certificate of another application",
            stranger.assertion(&stranger.header(), &claims),
            "CertificateNotRegistered",
        ),
        ("key of another, certificate of this one", stranger.assertion(&header, &claims), "InvalidSignature"),
        (
            "key in the header",
            {
                let jwk = json!({"kty": "RSA", "n": "AQAB", "e": "AQAB"});
                stranger.assertion(&with(header.clone(), "jwk", jwk), &claims)
            },
            "InvalidSignature",
        ),
        (
            "chain in the header",
            {
                let x5c = json!([base64_standard(&stranger.certificate_der)]);
                stranger.assertion(&with(header.clone(), "x5c", x5c), &claims)
            },
            "InvalidSignature",
        ),
        (
            "address of keys in the header",
            stranger.assertion(&with(header.clone(), "jku", json!("https://evil.test")), &claims),
            "InvalidSignature",
        ),
        ("changed signature", format!("{message}.{}", base64url(&flipped)), "InvalidSignature"),
        ("short signature", format!("{message}.{}", base64url(&flipped[..255])), "InvalidSignature"),
        ("signature of another assertion", format!("{message}.{other_signature}"), "InvalidSignature"),
        ("iss of another", claim("iss", json!(stranger.app_id.as_str())), "SubjectMismatch"),
        ("sub of another", claim("sub", json!(stranger.app_id.as_str())), "SubjectMismatch"),
        ("no iss", sign(&header, &without(claims.clone(), "iss")), "SubjectMismatch"),
        ("no sub", sign(&header, &without(claims.clone(), "sub")), "SubjectMismatch"),
        ("iss a list", claim("iss", json!([client.app_id.as_str()])), "Malformed"),
        (
            "aud of another server",
            claim("aud", json!("https://login.microsoftonline.com/t/oauth2/v2.0/token")),
            "AudienceWrong",
        ),
        ("aud of a prefix", claim("aud", json!(&AUDIENCE[..AUDIENCE.len() - 1])), "AudienceWrong"),
        ("aud a list", claim("aud", json!([AUDIENCE])), "Malformed"),
        ("aud absent", sign(&header, &without(claims.clone(), "aud")), "Malformed"),
        ("exp absent", sign(&header, &without(claims.clone(), "exp")), "Malformed"),
        ("exp a text", claim("exp", json!("2000000000")), "Malformed"),
        ("exp null", claim("exp", Value::Null), "Malformed"),
        ("expired by the whole skew", claim("exp", json!(NOW.0 - 300)), "OutsideTimeRange"),
        ("expired with a fraction", claim("exp", json!(NOW.0 as f64 - 300.5)), "OutsideTimeRange"),
        ("exp before 1970", claim("exp", json!(-1)), "OutsideTimeRange"),
        ("nbf in the future", claim("nbf", json!(NOW.0 + 300)), "OutsideTimeRange"),
        (
            "iat in the future, no nbf",
            sign(&header, &with(without(claims.clone(), "nbf"), "iat", json!(NOW.0 + 300))),
            "OutsideTimeRange",
        ),
        ("nbf without end", claim("nbf", json!(1e300)), "OutsideTimeRange"),
        (
            "exp too large for a number",
            text(&claims.to_string().replace(&(NOW.0 + 600).to_string(), "1e999")),
            "Malformed",
        ),
        ("a claim twice", text(&twice), "Malformed"),
        ("claims that are a list", text("[]"), "Malformed"),
        ("text after the claims", text(&format!("{claims} x")), "Malformed"),
        (
            "claims in UTF-16",
            format!("{}.{}.AAAA", base64url(header.to_string().as_bytes()), base64url(&[0xff, 0xfe, 0x7b, 0])),
            "Malformed",
        ),
        ("larger than 16 KiB", claim("jti", json!("x".repeat(16 * 1024))), "Malformed"),
        ("nested a thousand deep", text(&format!(r#"{{"a":{}{}}}"#, "[".repeat(1000), "]".repeat(1000))), "Malformed"),
        ("x5t of SHA-1 instead of SHA-256", sign(&json!({"alg": "PS256", "x5t#S256": sha1}), &claims), "Malformed"),
    ];
    assert!(cases.len() >= 40, "only {} cases", cases.len());
    for (what, assertion, variant) in cases {
        let refused = sign_in(&world, &client, &assertion).expect_err(what);
        let found = format!("{refused:?}");
        assert!(found.starts_with(variant), "{what}: {found}");
    }
    assert!(sign_in(&world, &client, &good).is_ok());
}

#[test]
fn times_are_taken_to_the_end_of_their_skew() {
    let (world, client) = world_and_client();
    let claim = |name: &str, value: i64| client.assertion(&client.header(), &with(client.claims(), name, json!(value)));
    for good in [claim("exp", NOW.0 - 299), claim("nbf", NOW.0 + 299), claim("exp", i64::MAX)] {
        assert!(sign_in(&world, &client, &good).is_ok());
    }
}

#[test]
fn an_unknown_client_is_unknown_whatever_it_sends() {
    let (world, client) = world_and_client();
    let good = client.assertion(&client.header(), &client.claims());
    for id in ["", "00000000-0000-4000-8000-000000000003", "not a guid", &"x".repeat(1000)] {
        let refused = sign_in_as(&world, id, &good, NOW).map(|_| ());
        assert_eq!(refused, Err(SignInError::ClientUnknown { client_id: id.chars().take(64).collect() }));
    }
    let upper = client.app_id.as_str().to_uppercase();
    assert!(sign_in_as(&world, &upper, &good, NOW).is_ok(), "a client id has no case");
}

#[test]
fn a_key_signs_from_its_start_to_its_end() {
    let (world, client) = world_and_client();
    let at = |now: Timestamp| {
        let claims = with(client.claims(), "nbf", json!(now.0));
        let claims = with(claims, "exp", json!(now.0 + 60));
        sign_in_as(&world, client.app_id.as_str(), &client.assertion(&client.header(), &claims), now).map(|_| ())
    };
    assert_eq!((at(later(-1000)), at(later(10_000))), (Ok(()), Ok(())));
    let thumbprint = hex_upper(&client.sha1());
    let expired = Err(SignInError::KeyExpired { thumbprint, start: later(-1000), end: later(10_000) });
    assert_eq!((at(later(-1001)), at(later(10_001))), (expired.clone(), expired));
}

#[test]
fn a_deleted_application_loses_its_tokens_at_once() {
    let (world, client) = world_and_client();
    let assertion = client.assertion(&client.header(), &client.claims());
    let token = sign_in(&world, &client, &assertion).unwrap();
    let caller = verify(&world, &token, NOW).unwrap().caller;
    let directory = world.installation.directory();
    assert!(directory.is_active(&caller));
    directory.delete_application(&world.operator(), &client.application, NOW).unwrap();
    assert_eq!(verify(&world, &token, NOW), Err(TokenRejected::PrincipalGone));
    assert!(!directory.is_active(&caller));
    assert!(matches!(sign_in(&world, &client, &assertion), Err(SignInError::ClientUnknown { .. })));
}

#[test]
fn forged_and_foreign_tokens_are_rejected_each_for_its_reason() {
    let (world, client) = world_and_client();
    let token = sign_in(&world, &client, &client.assertion(&client.header(), &client.claims())).unwrap();
    let parts: Vec<&str> = token.split('.').collect();
    let object = |part: &str| -> Value { serde_json::from_slice(&base64_any(part).unwrap()).unwrap() };
    let (header, claims) = (object(parts[0]), object(parts[1]));
    let forged = |header: &Value, claims: &Value| client.assertion(header, claims);
    let kid = header["kid"].as_str().unwrap();
    let written = |header: &Value| base64url(header.to_string().as_bytes());
    let elsewhere = World::new();
    let foreign_client = Client::new(&elsewhere, later(-10), later(10_000));
    let assertion = foreign_client.assertion(&foreign_client.header(), &foreign_client.claims());
    let foreign = sign_in(&elsewhere, &foreign_client, &assertion).unwrap();
    let directory = world.installation.directory();
    let verified = |token: &str| directory.verify_token(token, &[RESOURCE], ISSUER, NOW).map(|_| ());
    let cases: Vec<(&str, String, &str)> = vec![
        ("empty", String::new(), "Malformed"),
        ("signed by a client", forged(&header, &claims), "Signature"),
        ("an assertion", client.assertion(&client.header(), &client.claims()), "Malformed"),
        (
            "an assertion that says RS256",
            forged(&json!({"alg": "RS256", "typ": "JWT", "x5t": "AA"}), &claims),
            "UnknownKey",
        ),
        (
            "alg none",
            format!("{}.{}.AAAA", written(&with(header.clone(), "alg", json!("none"))), parts[1]),
            "Malformed",
        ),
        ("alg PS256", forged(&with(header.clone(), "alg", json!("PS256")), &claims), "Malformed"),
        ("alg HS256", forged(&with(header.clone(), "alg", json!("HS256")), &claims), "Malformed"),
        ("another kid", forged(&with(header.clone(), "kid", json!("x")), &claims), "UnknownKey"),
        ("no kid", forged(&without(header.clone(), "kid"), &claims), "UnknownKey"),
        ("typ of something else", forged(&with(header.clone(), "typ", json!("dpop+jwt")), &claims), "Malformed"),
        ("crit", forged(&with(header.clone(), "crit", json!(["b64"])), &claims), "Malformed"),
        (
            "changed claims",
            format!("{}.{}.{}", parts[0], written(&with(claims.clone(), "oid", json!("x"))), parts[2]),
            "Signature",
        ),
        ("no signature", format!("{}.{}.", parts[0], parts[1]), "Malformed"),
        ("signature twice", format!("{token}.{}", parts[2]), "Malformed"),
        ("padded", format!("{}.{}.{}==", parts[0], parts[1], parts[2]), "Malformed"),
        ("with a blank", format!("{token} "), "Malformed"),
        ("of another installation", foreign, "UnknownKey"),
        (
            "member twice",
            client.signed(&format!(r#"{{"alg":"RS256","alg":"RS256","typ":"JWT","kid":"{kid}"}}"#), "{}"),
            "Malformed",
        ),
        ("larger than 16 KiB", "x".repeat(16 * 1024 + 1), "Malformed"),
    ];
    for (what, token, variant) in cases {
        let found = format!("{:?}", verified(&token).expect_err(what));
        assert!(found.starts_with(variant), "{what}: {found}");
    }
    let asked = |audience: &str, issuer: &str| directory.verify_token(&token, &[audience], issuer, NOW).map(|_| ());
    let audience = Err(TokenRejected::Audience { found: RESOURCE.to_owned() });
    assert_eq!(asked("https://management.localhost:8443", ISSUER), audience);
    assert_eq!(asked("https://vault.localhost", ISSUER), audience, "the port counts");
    assert_eq!(asked(&RESOURCE.to_uppercase(), ISSUER), audience);
    assert_eq!(asked("https://vault.localhost:8443/", ISSUER), Ok(()), "a slash at the end does not count");
    let issuer = Err(TokenRejected::Issuer { found: ISSUER.to_owned() });
    assert_eq!(asked(RESOURCE, "https://login.localhost:8443/other/"), issuer);
    assert_eq!(verified(&token), Ok(()));
}

#[test]
fn no_error_and_no_debug_text_holds_a_token_or_an_assertion() {
    let (world, client) = world_and_client();
    let assertion = client.assertion(&client.header(), &client.claims());
    let issued = sign_in_as(&world, client.app_id.as_str(), &assertion, NOW).unwrap();
    assert!(!format!("{issued:?}").contains(&issued.token[..40]));
    let (message, _) = assertion.rsplit_once('.').unwrap();
    let refused = sign_in(&world, &client, &format!("{message}.AAAA")).expect_err("a refusal");
    assert!(!format!("{refused} {refused:?}").contains(message.split('.').next().unwrap()));
}
