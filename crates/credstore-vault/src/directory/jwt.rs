//! JSON Web Tokens as bytes: split, decode, parse. What they say is judged elsewhere.
//!
//! Source: RFC 7515 section 3, RFC 8725; reliability document section 2 ("Token rules we adopt"). Sizes are
//! checked before anything is decoded. A member that occurs twice refuses the token: two readers might take
//! different ones.

use std::fmt;

use credstore_protocol::encoding::{base64_any, base64url};
use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Largest token or assertion in bytes. Source: reliability document section 2.
pub const TOKEN_MAX: usize = 16 * 1024;
/// Deepest nesting. Source: reliability document, goal I3.
const DEPTH_MAX: usize = 16;

/// A token that is well-formed. Nothing about it has been verified.
pub(super) struct Unverified<'a> {
    pub(super) header: Map<String, Value>,
    pub(super) claims: Map<String, Value>,
    /// What the signature is over, as it was sent.
    pub(super) signed: &'a [u8],
    pub(super) signature: Vec<u8>,
}

/// How strictly base64 is read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Base64 {
    /// base64url without padding and nothing else, as our own tokens are written.
    Exact,
    /// Either alphabet, padded or not, as the official clients write their assertions (contract section 12).
    Tolerant,
}

/// Takes a compact JWT apart. The error says what is wrong, for the operator.
pub(super) fn parse(token: &str, base64: Base64) -> Result<Unverified<'_>, &'static str> {
    if token.len() > TOKEN_MAX {
        return Err("larger than 16 KiB");
    }
    let (signed, signature) = token.rsplit_once('.').ok_or("not three segments")?;
    let (header, claims) = signed.split_once('.').ok_or("not three segments")?;
    if claims.contains('.') {
        return Err("not three segments");
    }
    let decode = |segment: &str| {
        let decoded = base64_any(segment).ok_or("not base64url")?;
        let exact = base64 == Base64::Tolerant || base64url(&decoded) == segment;
        if exact && !decoded.is_empty() { Ok(decoded) } else { Err("not base64url") }
    };
    let header = object(&decode(header)?)?;
    if header.contains_key("crit") {
        return Err("critical header parameters are not understood");
    }
    Ok(Unverified {
        header,
        claims: object(&decode(claims)?)?,
        signed: signed.as_bytes(),
        signature: decode(signature)?,
    })
}

/// A string member; `Ok(None)` when it is absent.
pub(super) fn text<'a>(object: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, &'static str> {
    match object.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err("a member has the wrong type"),
    }
}

/// A number member; `Ok(None)` when it is absent.
pub(super) fn number<'a>(object: &'a Map<String, Value>, name: &str) -> Result<Option<&'a Number>, &'static str> {
    match object.get(name) {
        None => Ok(None),
        Some(Value::Number(number)) => Ok(Some(number)),
        Some(_) => Err("a member has the wrong type"),
    }
}

fn object(bytes: &[u8]) -> Result<Map<String, Value>, &'static str> {
    let text = std::str::from_utf8(bytes).map_err(|_| "not UTF-8")?;
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Strict { depth: 0 }.deserialize(&mut reader).map_err(|_| "not JSON with distinct members")?;
    reader.end().map_err(|_| "text after the JSON")?;
    match value {
        Value::Object(object) => Ok(object),
        _ => Err("not a JSON object"),
    }
}

/// Reads any JSON value and refuses members that occur twice, and deep nesting.
struct Strict {
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let depth = self.deeper()?;
        let mut values = Vec::new();
        while let Some(value) = items.next_element_seed(Strict { depth })? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let depth = self.deeper()?;
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(Strict { depth })?;
            if object.insert(name, value).is_some() {
                return Err(serde::de::Error::custom("a member occurs twice"));
            }
        }
        Ok(Value::Object(object))
    }
}

impl Strict {
    fn deeper<E: serde::de::Error>(&self) -> Result<usize, E> {
        if self.depth < DEPTH_MAX { Ok(self.depth + 1) } else { Err(E::custom("nested too deeply")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(header: &str, claims: &str) -> String {
        [header, claims, "signature"].map(|part| base64url(part.as_bytes())).join(".")
    }

    fn refused(token: &str, base64: Base64) -> &'static str {
        parse(token, base64).map(|_| ()).expect_err("a refusal")
    }

    #[test]
    fn a_token_is_three_segments_of_base64url_with_two_objects() {
        let good = token(r#"{"alg":"RS256"}"#, r#"{"exp":1.5}"#);
        let parsed = parse(&good, Base64::Exact).map_err(|reason| reason.to_owned()).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(text(&parsed.header, "alg"), Ok(Some("RS256")));
        assert_eq!(number(&parsed.claims, "exp").unwrap().unwrap().as_f64(), Some(1.5));
        assert_eq!(parsed.signature, b"signature");
        assert_eq!(parsed.signed, good.rsplit_once('.').unwrap().0.as_bytes());
    }

    #[test]
    fn everything_else_is_refused() {
        let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(16), "]".repeat(16));
        let cases = [
            (String::new(), "not three segments"),
            ("a.b".to_owned(), "not three segments"),
            ("a.b.c.d".to_owned(), "not three segments"),
            ("a.b.c.d.e".to_owned(), "not three segments"),
            ("..".to_owned(), "not base64url"),
            ("e30.e30.".to_owned(), "not base64url"),
            ("!!.e30.e30".to_owned(), "not base64url"),
            (token("[]", "{}"), "not a JSON object"),
            (token("{}", "null"), "not a JSON object"),
            (token("{} {}", "{}"), "text after the JSON"),
            (token(r#"{"alg":"RS256","alg":"none"}"#, "{}"), "not JSON with distinct members"),
            (token("{}", r#"{"a":{"b":1,"b":2}}"#), "not JSON with distinct members"),
            (token("{}", &deep), "not JSON with distinct members"),
            (token(r#"{"crit":[]}"#, "{}"), "critical header parameters are not understood"),
            (format!("{}.e30.e30", base64url(&[0xff, 0xfe])), "not UTF-8"),
            ("x".repeat(TOKEN_MAX + 1), "larger than 16 KiB"),
        ];
        for (token, reason) in cases {
            assert_eq!(refused(&token, Base64::Tolerant), reason, "{token}");
            assert_eq!(refused(&token, Base64::Exact), reason, "{token}");
        }
    }

    #[test]
    fn padding_is_for_assertions_only() {
        let padded = "e30=.e30=.c2ln";
        assert!(parse(padded, Base64::Tolerant).is_ok());
        assert_eq!(refused(padded, Base64::Exact), "not base64url");
    }

    #[test]
    fn a_member_of_the_wrong_type_is_no_absent_member() {
        let parsed = parse("e30.eyJhIjoxfQ.c2ln", Base64::Exact).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(text(&parsed.claims, "a"), Err("a member has the wrong type"));
        assert_eq!(text(&parsed.claims, "b"), Ok(None));
        assert!(number(&parsed.header, "a").is_ok_and(|it| it.is_none()));
    }
}
