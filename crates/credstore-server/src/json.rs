//! JSON in and out: strict when read, wiped when written.
//!
//! Source of the strictness: reliability goal I3 and RFC 8259 sections 4 and 8.2 (names should be unique; a lone
//! surrogate is no text). A member doubled inside a map is invisible to serde, so a first pass looks at the shape only.

use std::collections::HashSet;
use std::fmt;
use std::io;

use serde::de::{DeserializeOwned, DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserializer, Serialize};
use zeroize::Zeroizing;

use crate::limits::JSON_DEPTH_MAX;

/// Why a body is not what the operation takes. The text never holds any of the body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadJson(pub(crate) String);

/// Reads one JSON object.
pub(crate) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, BadJson> {
    if body.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return Err(BadJson("The request body must be a JSON object.".to_owned()));
    }
    let mut shape = serde_json::Deserializer::from_slice(body);
    Shape { levels: JSON_DEPTH_MAX }
        .deserialize(&mut shape)
        .and_then(|()| shape.end())
        .map_err(|error| describe(&error))?;
    serde_json::from_slice(body).map_err(|error| describe(&error))
}

/// serde's own text may quote the body, and the body may hold a value: only the texts that name a member of our
/// own types, or a place, are passed on.
fn describe(error: &serde_json::Error) -> BadJson {
    let text = error.to_string();
    let named = ["missing field `", "duplicate member", "too deep"].iter().find(|known| text.starts_with(**known));
    let (line, column) = (error.line(), error.column());
    BadJson(match named {
        Some(&"missing field `") => {
            let member = text.split('`').nth(1).unwrap_or_default();
            format!("The request body has no member '{member}'.")
        }
        Some(&"duplicate member") => format!("The request body has a member twice at line {line}, column {column}."),
        Some(_) => format!("The request body is nested deeper than {JSON_DEPTH_MAX} levels."),
        None if error.is_data() => {
            format!("The request body has a member of the wrong type at line {line}, column {column}.")
        }
        None => format!("The request body is not valid JSON at line {line}, column {column}."),
    })
}

/// Walks a document and keeps nothing of it.
#[derive(Clone, Copy)]
struct Shape {
    levels: usize,
}

impl Shape {
    fn below<E: serde::de::Error>(self) -> Result<Self, E> {
        self.levels.checked_sub(1).map(|levels| Self { levels }).ok_or_else(|| E::custom("too deep"))
    }
}

impl<'de> DeserializeSeed<'de> for Shape {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Shape {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let below = self.below()?;
        while items.next_element_seed(below)?.is_some() {}
        Ok(())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let below = self.below()?;
        let mut seen = HashSet::new();
        while let Some(name) = members.next_key::<String>()? {
            if !seen.insert(name) {
                return Err(A::Error::custom("duplicate member"));
            }
            members.next_value_seed(below)?;
        }
        Ok(())
    }
}

/// Writes `value` into a buffer that is wiped when dropped, and whose outgrown predecessors are wiped too.
pub(crate) fn write<T: Serialize>(value: &T) -> Zeroizing<Vec<u8>> {
    let mut out = WipedBuffer(Zeroizing::new(Vec::with_capacity(ANSWER)));
    match serde_json::to_writer(&mut out, value) {
        Ok(()) => out.0,
        // Our own types have string keys and finite numbers, so this is an answer without a body, not a panic.
        Err(_) => Zeroizing::default(),
    }
}

/// What an answer is set aside at first. Most are shorter, and every byte of it is wiped in the end.
const ANSWER: usize = 512;

struct WipedBuffer(Zeroizing<Vec<u8>>);

impl io::Write for WipedBuffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        append(&mut self.0, bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Appends without leaving a copy behind: growing a `Vec` in place would free the old bytes unwiped.
pub(crate) fn append(buffer: &mut Zeroizing<Vec<u8>>, bytes: &[u8]) {
    let needed = buffer.len() + bytes.len();
    if needed > buffer.capacity() {
        let mut larger = Zeroizing::new(Vec::with_capacity(needed.max(2 * buffer.capacity())));
        larger.extend_from_slice(buffer);
        *buffer = larger;
    }
    buffer.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use credstore_protocol::key_vault::SetSecret;
    use serde_json::Value;

    use super::*;

    fn nested(levels: usize) -> String {
        format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels))
    }

    #[test]
    fn json_is_at_most_sixteen_levels_deep() {
        assert!(read::<Value>(nested(JSON_DEPTH_MAX).as_bytes()).is_ok());
        let error = read::<Value>(nested(JSON_DEPTH_MAX + 1).as_bytes()).unwrap_err();
        assert_eq!(error.0, "The request body is nested deeper than 16 levels.");
    }

    #[test]
    fn hostile_bodies_are_refused_without_an_echo() {
        // Reliability goal I3 and RFC 8259.
        for body in [
            "",
            " ",
            "null",
            "[]",
            "\"planted\"",
            "1",
            "{",
            "{}x",
            "{} {}",
            r#"{"value":"planted""#,
            r#"{"value":"planted","value":"planted"}"#,
            r#"{"value":"planted","tags":{"a":"1","a":"2"}}"#,
            r#"{"value":"planted","tags":{"a":"1","\u0061":"2"}}"#,
            r#"{"value":"\ud800"}"#,
            r#"{"value":"\udc00\ud800"}"#,
            r#"{"value":{"planted":1}}"#,
            r#"{"value":["planted"]}"#,
            r#"{"value":123456}"#,
            r#"{"value":null}"#,
            r#"{"value":"planted","attributes":"planted"}"#,
            r#"{"value":"planted","attributes":{"exp":"planted"}}"#,
            r#"{"value":"planted","attributes":{"exp":1e400}}"#,
            r#"{"value":"planted","attributes":{"exp":99999999999999999999}}"#,
            r#"{"value":"planted",}"#,
            r#"{'value':'planted'}"#,
            "{\"value\":\"planted\n\"}",
            "\u{feff}{\"value\":\"planted\"}",
            r#"{"value":NaN}"#,
            "{/**/\"value\":\"planted\"}",
        ] {
            let error = read::<SetSecret>(body.as_bytes()).unwrap_err();
            assert!(!error.0.contains("planted"), "{body}: {}", error.0);
        }
        assert!(read::<SetSecret>(b"{\"value\":\"\xff\"}").is_err());
    }

    #[test]
    fn a_long_array_and_a_long_name_are_walked_without_harm() {
        let body = format!("{{\"value\":\"a\",\"x\":[{}0],\"{}\":1}}", "0,".repeat(30_000), "n".repeat(60_000));
        assert!(read::<SetSecret>(body.as_bytes()).is_ok());
    }

    #[test]
    fn a_missing_member_is_named() {
        assert_eq!(read::<SetSecret>(b"{}").unwrap_err().0, "The request body has no member 'value'.");
    }

    #[test]
    fn appending_keeps_what_was_there() {
        let mut buffer = Zeroizing::new(Vec::new());
        for _ in 0..100 {
            append(&mut buffer, b"0123456789");
        }
        assert_eq!(buffer.len(), 1000);
        assert!(buffer.chunks(10).all(|chunk| chunk == b"0123456789"));
    }
}
