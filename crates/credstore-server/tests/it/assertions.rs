//! Client assertions as the official clients write them, and the ones that nobody may write, contract section 12.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::world::{NOW, World, claims};

const SCOPE: &str = "https://vault.localhost:8443/.default";
const TOKEN: &str = "oauth2/v2.0/token";

async fn ask_with(world: &World, assertion: &str) -> (u16, Value) {
    let escaped = assertion.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    let answer = world.ask_token(TOKEN, &World::form(&world.operator, SCOPE, &escaped)).await;
    (answer.status.as_u16(), answer.json())
}

fn sha1(world: &World) -> Vec<u8> {
    digest(&SHA1_FOR_LEGACY_USE_ONLY, &world.certificate).as_ref().to_vec()
}

#[tokio::test]
async fn every_official_clients_assertion_is_accepted() {
    let world = World::empty();
    let (short, long) = (sha1(&world), world.thumbprint());
    let good = claims(&world, &world.operator).to_string();
    let mut floats = claims(&world, &world.operator);
    #[allow(clippy::cast_precision_loss, reason = "a time of this century")]
    let now = NOW.0 as f64;
    (floats["exp"], floats["iat"]) = (json!(now + 600.25), json!(now + 0.25));
    floats.as_object_mut().unwrap().remove("nbf");
    let floats = floats.to_string();
    let chain = json!([STANDARD.encode(&world.certificate)]);
    let plain = &URL_SAFE_NO_PAD;
    for (client, assertion) in [
        (
            "azure-identity for Python, az",
            world.signed(&json!({"alg": "RS256", "typ": "JWT", "x5t": URL_SAFE.encode(&short)}), &floats, plain),
        ),
        (
            "MSAL for Python with a public certificate",
            world.signed(
                &json!({"alg": "PS256", "typ": "JWT", "x5t#S256": plain.encode(&long), "x5c": chain}),
                &good,
                plain,
            ),
        ),
        (
            "azure-identity for Python, async",
            world.signed(&json!({"alg": "PS256", "typ": "JWT", "x5t#S256": URL_SAFE.encode(&long)}), &good, &URL_SAFE),
        ),
        ("MSAL for Node", world.signed(&json!({"alg": "PS256", "x5t#S256": plain.encode(&long)}), &good, plain)),
        (
            "azure_identity for Rust",
            world.signed(&json!({"alg": "RS256", "typ": "JWT", "x5t": STANDARD.encode(&short)}), &good, plain),
        ),
        (
            "both thumbprints",
            world.signed(
                &json!({"alg": "PS256", "x5t": plain.encode(&short), "x5t#S256": plain.encode(&long)}),
                &good,
                plain,
            ),
        ),
        (
            "standard base64 everywhere",
            world.signed(&json!({"alg": "PS256", "x5t#S256": STANDARD.encode(&long)}), &good, &STANDARD_NO_PAD),
        ),
        (
            "kid alone",
            world.signed(
                &json!({"alg": "PS256", "kid": credstore_protocol::encoding::hex_upper(&short)}),
                &good,
                plain,
            ),
        ),
        (
            "explicit type",
            world.signed(
                &json!({"alg": "PS256", "typ": "client-authentication+jwt", "x5t#S256": plain.encode(&long)}),
                &good,
                plain,
            ),
        ),
    ] {
        let (status, body) = ask_with(&world, &assertion).await;
        assert_eq!(status, 200, "{client}: {body}");
        assert_eq!((&body["token_type"], body["access_token"].is_string()), (&json!("Bearer"), true), "{client}");
    }
}

#[tokio::test]
async fn the_same_assertion_is_good_again_until_it_ends_and_the_clocks_may_differ_by_five_minutes() {
    let world = World::empty();
    let assertion = world.assertion(&claims(&world, &world.operator));
    for _ in 0..3 {
        assert_eq!(ask_with(&world, &assertion).await.0, 200, "MSAL for Python sends the same jti for nine minutes");
    }
    let now = NOW.0;
    for (nbf, exp, status) in [
        (now + 299, now + 900, 200),
        (now + 301, now + 900, 401),
        (now - 900, now - 299, 200),
        (now - 900, now - 301, 401),
        (now, now + 86_400 * 365, 200),
    ] {
        let mut claims = claims(&world, &world.operator);
        (claims["nbf"], claims["iat"], claims["exp"]) = (json!(nbf), json!(nbf), json!(exp));
        let (found, body) = ask_with(&world, &world.assertion(&claims)).await;
        assert_eq!(found, status, "{nbf} {exp} {body}");
    }
}

#[tokio::test]
async fn what_no_client_writes_is_refused_with_its_code() {
    let world = World::empty();
    let strange = World::empty();
    let plain = &URL_SAFE_NO_PAD;
    let good = claims(&world, &world.operator);
    let long = plain.encode(world.thumbprint());
    let header = |change: Value| {
        let mut header = json!({"alg": "PS256", "typ": "JWT", "x5t#S256": long});
        for (name, value) in change.as_object().unwrap() {
            header[name] = value.clone();
        }
        header
    };
    let with_header = |change: Value| world.signed(&header(change), &good.to_string(), plain);
    let with_claims = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        world.assertion(&claims)
    };
    let own = world.assertion(&good);
    let (signed, _) = own.rsplit_once('.').unwrap();
    let twice = good.to_string().replacen('{', "{\"exp\":9999999999,", 1);
    for (what, assertion, status, code) in [
        ("alg none", with_header(json!({"alg": "none"})), 400, 50027),
        ("HMAC", with_header(json!({"alg": "HS256"})), 400, 50027),
        ("a longer hash", with_header(json!({"alg": "PS512"})), 400, 50027),
        ("no algorithm", with_header(json!({"alg": null})), 400, 50027),
        ("a critical extension", with_header(json!({"crit": ["exp"]})), 400, 50027),
        ("another type", with_header(json!({"typ": "at+jwt"})), 400, 50027),
        ("a thumbprint of the wrong length", with_header(json!({"x5t#S256": "AAAA"})), 400, 50027),
        (
            "PSS said to be PKCS 1",
            with_header(json!({"alg": "PS256"})).replace(
                &plain.encode(header(json!({})).to_string()),
                &plain.encode(header(json!({"alg": "RS256"})).to_string()),
            ),
            401,
            700_027,
        ),
        (
            "a certificate nobody registered",
            with_header(json!({"x5t#S256": plain.encode(strange.thumbprint())})),
            401,
            700_027,
        ),
        ("no certificate", world.signed(&json!({"alg": "PS256"}), &good.to_string(), plain), 401, 700_027),
        ("somebody else's key", strange.signed(&header(json!({})), &good.to_string(), plain), 401, 700_027),
        ("no signature", format!("{signed}."), 400, 50027),
        ("a signature of zeros", format!("{signed}.{}", plain.encode([0; 256])), 401, 700_027),
        ("five segments", format!("{own}.AAAA.AAAA"), 400, 50027),
        ("a claim twice", world.signed(&header(json!({})), &twice, plain), 400, 50027),
        ("claims that are a list", world.signed(&header(json!({})), "[]", plain), 400, 50027),
        ("no end", with_claims("exp", Value::Null), 400, 50027),
        ("an end that is text", with_claims("exp", json!("9999999999")), 400, 50027),
        ("another subject", with_claims("sub", json!("5d0c2a8e-91f3-4f0e-8a27-6c3f1d90b7f1")), 401, 700_021),
        ("another issuer", with_claims("iss", json!("https://elsewhere")), 401, 700_021),
        ("another authority", with_claims("aud", json!("https://login.elsewhere/t/oauth2/v2.0/token")), 401, 700_023),
        ("no audience", with_claims("aud", Value::Null), 400, 50027),
    ] {
        let (found, body) = ask_with(&world, &assertion).await;
        assert_eq!((found, &body["error_codes"]), (status, &json!([code])), "{what}: {body}");
        assert!(body.get("access_token").is_none());
    }
}
