//! Changing one entry of a credential file's text and nothing else: order, layout and every other value stay.

use std::ops::Range;
use std::path::Path;

use credstore_protocol::{Identifier, Secret};
use jsonc_parser::ast::{Object, Value};
use jsonc_parser::common::Ranged;
use zeroize::Zeroizing;

use crate::Diagnosis;
use crate::diagnosis::Severity;
use crate::settings::syntax::{Repaired, Syntax};
use crate::store::file::{text_findings, wrong_shape};

/// Longest spelling of a character in a JSON text, in bytes: `\u001f`.
const ESCAPED_MAX: usize = 6;

/// What a change did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The entry was not there.
    Added,
    /// The entry was there with another value.
    Replaced,
    /// Nothing: the same value was there, or there was nothing to remove.
    None,
}

/// The text with this password behind the identifier.
///
/// # Errors
/// The first error of the text, which is mended first. Nothing of a value is in it.
pub fn set_password(
    text: &str,
    path: &Path,
    identifier: &Identifier,
    password: &Secret,
) -> Result<(Zeroizing<String>, Change), Box<Diagnosis>> {
    let key = quoted(identifier.as_str());
    let value = quoted(password.expose_secret());
    let repaired = sound(text, path)?;
    let root = root(&repaired, path)?;
    let span = |node: &dyn Ranged| repaired.original_span(node.range().start..node.range().end);
    if let Some(property) = root.properties.iter().find(|property| property.name.as_str() == identifier.as_str()) {
        let is_same = matches!(&property.value, Value::StringLit(known) if known.value == password.expose_secret());
        let change = if is_same { Change::None } else { Change::Replaced };
        return Ok((replaced(text, span(&property.value), &[&value]), change));
    }
    let inside = span(&root);
    Ok(match root.properties.last() {
        // On the line of its own that the last one has, or behind it.
        Some(last) => {
            let last = span(last);
            let line = text[..last.start].rfind('\n').map(|newline| &text[newline..last.start]);
            let before = line.filter(|line| line.trim().is_empty()).unwrap_or(" ");
            (replaced(text, last.end..last.end, &[",", before, &key, ": ", &value]), Change::Added)
        }
        None => (replaced(text, inside, &["{\n  ", &key, ": ", &value, "\n}"]), Change::Added),
    })
}

/// The text without this identifier.
///
/// # Errors
/// As [`set_password`].
pub fn remove_password(
    text: &str,
    path: &Path,
    identifier: &Identifier,
) -> Result<(Zeroizing<String>, Change), Box<Diagnosis>> {
    let repaired = sound(text, path)?;
    let root = root(&repaired, path)?;
    let spans: Vec<Range<usize>> = root
        .properties
        .iter()
        .map(|property| repaired.original_span(property.range().start..property.range().end))
        .collect();
    let at = root.properties.iter().position(|property| property.name.as_str() == identifier.as_str());
    let Some((at, span)) = at.and_then(|at| Some((at, spans.get(at)?.clone()))) else {
        return Ok((Zeroizing::new(text.to_owned()), Change::None));
    };
    // With the comma before it, or, of the first one, the one behind it.
    let gone = match (at.checked_sub(1).and_then(|before| spans.get(before)), spans.get(at + 1)) {
        (Some(before), _) => before.end..span.end,
        (None, Some(next)) => span.start..next.start,
        (None, None) => span,
    };
    Ok((replaced(text, gone, &[]), Change::Replaced))
}

fn sound<'t>(text: &'t str, path: &Path) -> Result<Repaired<'t>, Box<Diagnosis>> {
    match text_findings(text, path).into_iter().find(|finding| finding.severity == Severity::Error) {
        Some(error) => Err(Box::new(error)),
        None => Syntax::read(text, path).repaired.ok_or_else(|| no_object(path)),
    }
}

fn no_object(path: &Path) -> Box<Diagnosis> {
    Box::new(wrong_shape("the file is not one object", crate::diagnosis::Place::default(), path))
}

fn root<'v>(repaired: &'v Repaired<'_>, path: &Path) -> Result<Object<'v>, Box<Diagnosis>> {
    match repaired.parse() {
        Some(Value::Object(root)) => Ok(root),
        _ => Err(no_object(path)),
    }
}

/// A JSON text. All the room is taken at once: a buffer that grows would leave a copy behind.
fn quoted(text: &str) -> Zeroizing<String> {
    let mut quoted = Zeroizing::new(String::with_capacity(ESCAPED_MAX * text.len() + 2));
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            control if u32::from(control) < 0x20 || control == '\u{7f}' => {
                let digit = |shift: u32| char::from_digit((u32::from(control) >> shift) & 0xf, 16).unwrap_or('0');
                quoted.push_str("\\u00");
                quoted.extend([digit(4), digit(0)]);
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

fn replaced(text: &str, span: Range<usize>, parts: &[&str]) -> Zeroizing<String> {
    let length = text.len() + parts.iter().map(|part| part.len()).sum::<usize>();
    let mut new = Zeroizing::new(String::with_capacity(length));
    new.push_str(&text[..span.start]);
    parts.iter().for_each(|part| new.push_str(part));
    new.push_str(&text[span.end..]);
    new
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str, key: &str, value: &str) -> (String, Change) {
        let password = Secret::from(value.to_owned());
        let (text, change) =
            set_password(text, Path::new("credential_store.json"), &key.parse().unwrap(), &password).unwrap();
        (text.to_string(), change)
    }

    fn remove(text: &str, key: &str) -> (String, Change) {
        let (text, change) = remove_password(text, Path::new("credential_store.json"), &key.parse().unwrap()).unwrap();
        (text.to_string(), change)
    }

    #[test]
    fn one_entry_changes_in_every_layout() {
        for (text, key, value, expected) in [
            ("{}", "A", "1", "{\n  \"A\": \"1\"\n}"),
            ("{ }\n", "A", "\"\\\n\u{1}", "{\n  \"A\": \"\\\"\\\\\\n\\u0001\"\n}\n"),
            ("{\"B\": \"2\"}", "A", "1", "{\"B\": \"2\", \"A\": \"1\"}"),
            ("{\r\n\t\"B\" :\"2\"\r\n}\r\n", "A", "1", "{\r\n\t\"B\" :\"2\",\n\t\"A\": \"1\"\r\n}\r\n"),
            ("{\"B\" : \"\\u0032\" , \"C\":\"3\"}", "B", "4", "{\"B\" : \"4\" , \"C\":\"3\"}"),
        ] {
            assert_eq!(set(text, key, value).0, expected);
            assert_eq!(serde_json::from_str::<serde_json::Value>(expected).unwrap()[key], value);
        }
        assert_eq!(set("{\"B\": \"\\u0032\"}", "B", "2").1, Change::None);
        assert_eq!(set("{}", "B", "2").1, Change::Added);
        assert_eq!(set("{\"B\": \"1\"}", "B", "2").1, Change::Replaced);
    }

    #[test]
    fn an_entry_goes_with_one_comma() {
        let text = "{\n  \"A\": \"1\",\n  \"B\": \"2\",\n  \"C\": \"3\"\n}";
        for (key, expected) in [
            ("A", "{\n  \"B\": \"2\",\n  \"C\": \"3\"\n}"),
            ("B", "{\n  \"A\": \"1\",\n  \"C\": \"3\"\n}"),
            ("C", "{\n  \"A\": \"1\",\n  \"B\": \"2\"\n}"),
            ("D", text),
        ] {
            assert_eq!(remove(text, key).0, expected);
        }
        assert_eq!(remove("{\"A\": \"1\"}", "A"), ("{}".to_owned(), Change::Replaced));
        assert_eq!(remove("{\"A\": \"1\"}", "a").1, Change::None);
    }

    #[test]
    fn a_text_with_a_mistake_is_not_changed_and_shows_nothing() {
        let identifier = "A".parse().unwrap();
        for text in ["", "[]", "{\"B\": \"planted\" \"C\": 1}", "{\"B\": {\"planted\": 1}}"] {
            let error = remove_password(text, Path::new("credential_store.json"), &identifier).unwrap_err();
            assert!(!format!("{error:?}").contains("planted"), "{error:?}");
        }
    }
}
