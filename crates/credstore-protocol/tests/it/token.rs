//! The token endpoint and its metadata.

use credstore_protocol::token::{
    AccessTokenClaims, AssertionClaims, JsonWebKey, JsonWebKeySet, JwtHeader, OpenIdConfiguration, TokenErrorBody,
    TokenResponse,
};
use serde_json::{Value, json};

#[test]
fn the_answer_of_the_token_endpoint_is_read_with_and_without_what_entra_adds() {
    // Contract section 11; the second form is the least that RFC 6749 section 5.1 asks for, with expires_in.
    for text in [
        r#"{"token_type":"Bearer","expires_in":3599,"ext_expires_in":3599,"access_token":"e.y.J"}"#,
        r#"{"access_token":"e.y.J","token_type":"Bearer","expires_in":3599,"refresh_in":1800,"client_info":"x"}"#,
    ] {
        let answer: TokenResponse = serde_json::from_str(text).unwrap();
        assert_eq!((answer.expires_in, answer.access_token.as_str()), (3599, "e.y.J"), "{text}");
        assert!(!format!("{answer:?}").contains("e.y.J"), "a token is not for logs");
    }
}

#[test]
fn an_answer_without_a_token_is_none() {
    for text in [r#"{"token_type":"Bearer","expires_in":3599}"#, "{}", "null", r#"{"expires_in":"soon"}"#] {
        assert!(serde_json::from_str::<TokenResponse>(text).is_err(), "{text}");
    }
}

#[test]
fn an_error_of_the_token_endpoint_is_read_whole_and_in_its_shortest_form() {
    // Contract section 13.
    let whole = json!({"error": "invalid_client",
        "error_description": "AADSTS700027: … Trace ID: a Correlation ID: b Timestamp: 2026-01-02 03:04:05Z",
        "error_codes": [700_027], "timestamp": "2026-01-02 03:04:05Z", "trace_id": "a", "correlation_id": "b",
        "error_uri": "https://login.microsoftonline.com/error?code=700027"});
    let error: TokenErrorBody = serde_json::from_value(whole.clone()).unwrap();
    assert_eq!(error.error_codes, [700_027]);
    assert_eq!(serde_json::to_value(&error).unwrap(), whole);
    let short: TokenErrorBody = serde_json::from_str(r#"{"error":"invalid_request"}"#).unwrap();
    assert_eq!((short.error.as_str(), short.error_codes.len()), ("invalid_request", 0));
}

#[test]
fn the_times_of_an_assertion_may_have_fractions() {
    // MSAL for Python sends floats and no nbf (contract section 12).
    let python = r#"{"aud":"https://a/t/oauth2/v2.0/token","iss":"c","sub":"c","exp":1700000600.25,"iat":1700000000.25,"jti":"j"}"#;
    let claims: AssertionClaims = serde_json::from_str(python).unwrap();
    assert_eq!(claims.exp.as_f64(), Some(1_700_000_600.25));
    assert!(claims.nbf.is_none());
    let ours = AssertionClaims { exp: 1_700_000_600.into(), nbf: Some(1_700_000_000.into()), iat: None, ..claims };
    let written = serde_json::to_value(&ours).unwrap();
    assert_eq!((&written["exp"], &written["nbf"]), (&json!(1_700_000_600), &json!(1_700_000_000)));
    assert_eq!(written.get("iat"), None);
}

#[test]
fn a_header_names_its_thumbprint_as_the_rfc_does() {
    // RFC 7515 sections 4.1.7 and 4.1.8.
    let header = JwtHeader { alg: "PS256".to_owned(), x5t_s256: Some("AbC".to_owned()), ..JwtHeader::default() };
    assert_eq!(serde_json::to_value(&header).unwrap(), json!({"alg": "PS256", "x5t#S256": "AbC"}));
    let old: JwtHeader =
        serde_json::from_str(r#"{"alg":"RS256","typ":"JWT","x5t":"a+/b=","x5c":["ignored"]}"#).unwrap();
    assert_eq!((old.x5t.as_deref(), old.x5t_s256), (Some("a+/b="), None));
}

#[test]
fn the_claims_of_an_access_token_keep_entras_names() {
    let text = r#"{"aud":"https://vault.azure.net","iss":"https://sts.windows.net/t/","iat":1,"nbf":1,"exp":3600,
        "appid":"a","appidacr":"2","idp":"https://sts.windows.net/t/","oid":"o","sub":"o","tid":"t","uti":"u","ver":"1.0"}"#;
    let claims: AccessTokenClaims = serde_json::from_str(text).unwrap();
    let written = serde_json::to_value(&claims).unwrap();
    assert_eq!(written, serde_json::from_str::<Value>(text).unwrap());
    let without_tenant = text.replace(r#""tid":"t","#, "");
    assert!(serde_json::from_str::<AccessTokenClaims>(&without_tenant).is_err());
}

#[test]
fn metadata_has_the_members_that_msal_reads() {
    let one = |text: &str| vec![text.to_owned()];
    let metadata = OpenIdConfiguration {
        token_endpoint: "https://a/t/oauth2/v2.0/token".to_owned(),
        token_endpoint_auth_methods_supported: one("private_key_jwt"),
        jwks_uri: "https://a/t/discovery/v2.0/keys".to_owned(),
        issuer: "https://a/t/v2.0".to_owned(),
        authorization_endpoint: "https://a/t/oauth2/v2.0/authorize".to_owned(),
        device_authorization_endpoint: "https://a/t/oauth2/v2.0/devicecode".to_owned(),
        response_types_supported: one("code"),
        subject_types_supported: one("pairwise"),
        id_token_signing_alg_values_supported: one("RS256"),
    };
    let written = serde_json::to_value(&metadata).unwrap();
    for member in ["token_endpoint", "authorization_endpoint", "issuer", "jwks_uri", "device_authorization_endpoint"] {
        assert!(written[member].is_string(), "{member}");
    }
}

#[test]
fn a_public_key_has_the_members_of_rfc_7517() {
    let key = |n: &str| JsonWebKey {
        kty: "RSA".to_owned(),
        use_: "sig".to_owned(),
        kid: "k".to_owned(),
        alg: "RS256".to_owned(),
        n: n.to_owned(),
        e: "AQAB".to_owned(),
    };
    let written = serde_json::to_value(JsonWebKeySet { keys: vec![key("AA")] }).unwrap();
    assert_eq!(
        written,
        json!({"keys": [{"kty": "RSA", "use": "sig", "kid": "k", "alg": "RS256", "n": "AA", "e": "AQAB"}]})
    );
}
