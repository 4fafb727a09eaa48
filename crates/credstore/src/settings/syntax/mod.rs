//! JSON syntax: every mistake with its place, its name and, where it is certain, its repair.
//!
//! Three passes. [`lexical`] looks at characters and texts (quotes, comments, blanks); [`grammar`] lets jsonc-parser,
//! with every leniency off, say what is wrong with the rest, one mistake after the other; then keys given twice are
//! looked for. Certain repairs are made in memory, in [`Repaired`], so that later mistakes are found in the same run;
//! positions are always those of the text that was given. Messages never show text of the file but keys: anything
//! else may be a password, and the file store's file comes through here too.

mod grammar;
mod lexical;
mod repaired;

use std::collections::HashMap;
use std::path::Path;

use jsonc_parser::ast::{Object, Value};
use jsonc_parser::common::Ranged;

use crate::Diagnosis;
use crate::codes::settings as codes;
use crate::diagnosis::Place;

pub(crate) use repaired::Repaired;

/// Most mistakes that are looked for in one text. Ours: more are noise.
const FINDINGS_MAX: usize = 100;

/// What is wrong with a text as JSON, and the text as it was probably meant.
pub(crate) struct Syntax<'a> {
    /// Every mistake found.
    pub(crate) findings: Vec<Diagnosis>,
    /// The repaired text, which is valid JSON. `None` when a mistake could not be repaired.
    pub(crate) repaired: Option<Repaired<'a>>,
}

impl<'a> Syntax<'a> {
    /// Looks for every mistake in `text`. `file` is for the places only.
    pub(crate) fn read(text: &'a str, file: &Path) -> Self {
        let mut repaired = Repaired::of(text, file);
        let mut findings = Vec::new();
        let whole = lexical::repair(&mut repaired, &mut findings) && grammar::repair(&mut repaired, &mut findings);
        if whole {
            refuse_duplicate_keys(&repaired, &mut findings);
        }
        Self { findings, repaired: whole.then_some(repaired) }
    }
}

/// The error for a text whose root is not an object.
pub(crate) fn not_an_object(place: Place) -> Diagnosis {
    Diagnosis::error(&codes::NOT_AN_OBJECT, "the file does not hold one JSON object")
        .cause("settings begin with { and end with }")
        .fix("put the settings into braces, or name the right file")
        .at(place)
}

/// The text with every edit of `findings` made. Edits that overlap an earlier one are left out: check again after it.
pub fn fix_all(text: &str, findings: &[Diagnosis]) -> String {
    let mut edits: Vec<_> = findings.iter().filter_map(|finding| finding.edit.as_ref()).collect();
    // Stable: two insertions at the same place stay in the order of their findings.
    edits.sort_by_key(|edit| (edit.span.start, edit.span.end));
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    for edit in edits {
        let fits = text.get(copied..edit.span.start).zip(text.get(edit.span.clone()));
        if let Some((before, _)) = fits {
            out.push_str(before);
            out.push_str(&edit.text);
            copied = edit.span.end;
        }
    }
    out.push_str(&text[copied..]);
    out
}

/// Finds keys that an object has twice, at any depth.
fn refuse_duplicate_keys(repaired: &Repaired<'_>, findings: &mut Vec<Diagnosis>) {
    let Some(root) = repaired.parse() else { return };
    let mut open = vec![(&root, String::new())];
    while let Some((value, pointer)) = open.pop() {
        match value {
            Value::Object(object) => {
                duplicate_keys(repaired, object, &pointer, findings);
                for property in object.properties.iter().filter(|property| is_container(&property.value)) {
                    open.push((&property.value, joined(&pointer, property.name.as_str())));
                }
            }
            Value::Array(array) => {
                for (position, element) in
                    array.elements.iter().enumerate().filter(|(_, element)| is_container(element))
                {
                    open.push((element, indexed(&pointer, position)));
                }
            }
            Value::StringLit(_) | Value::NumberLit(_) | Value::BooleanLit(_) | Value::NullKeyword(_) => {}
        }
    }
}

fn duplicate_keys(repaired: &Repaired<'_>, object: &Object<'_>, pointer: &str, findings: &mut Vec<Diagnosis>) {
    let mut seen = HashMap::new();
    for property in &object.properties {
        let range = property.name.range();
        let span = range.start..range.end;
        let key = property.name.as_str();
        match seen.get(key) {
            Some(first) if findings.len() < FINDINGS_MAX => {
                let first = repaired.place(std::ops::Range::clone(first), None);
                let line = first.line.map_or_else(String::new, |line| format!(" on line {line}"));
                findings.push(
                    Diagnosis::error(&codes::DUPLICATE_KEY, format!("the key {key} is given twice"))
                        .cause(format!("the first one is{line}; programs differ in which of the two they take"))
                        .fix("keep one of the two")
                        .at(repaired.place(span, Some(joined(pointer, key)))),
                );
            }
            Some(_) => {}
            None => {
                seen.insert(key, span);
            }
        }
    }
}

/// Longest path that is kept, in bytes. Ours: a file of deep nesting and long keys must not cost a multiple of its size.
const POINTER_MAX: usize = 256;

/// A path in the document: members joined by dots. Too long a path ends with `…`.
pub(crate) fn joined(pointer: &str, key: &str) -> String {
    if pointer.is_empty() && key.len() <= POINTER_MAX {
        return key.to_owned();
    }
    if pointer.len() + key.len() < POINTER_MAX {
        return format!("{pointer}.{key}");
    }
    format!("{}…", pointer.trim_end_matches('…'))
}

/// The path of an element of the list at `pointer`.
pub(crate) fn indexed(pointer: &str, position: usize) -> String {
    if pointer.len() < POINTER_MAX { format!("{pointer}[{position}]") } else { pointer.to_owned() }
}

fn is_container(value: &Value<'_>) -> bool {
    matches!(value, Value::Object(_) | Value::Array(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::Edit;

    fn finding(span: std::ops::Range<usize>, text: &str) -> Diagnosis {
        let edit = Edit { span, text: text.to_owned(), label: String::new() };
        Diagnosis::error(&codes::COMMA_MISSING, "").edit(edit)
    }

    #[test]
    fn edits_are_made_in_the_order_of_the_text_and_never_overlap() {
        let findings = [finding(3..3, ","), finding(0..1, "x"), finding(0..2, "never"), finding(9..9, "outside")];
        assert_eq!(fix_all("abc", &findings), "xbc,");
    }

    #[test]
    fn a_path_is_never_longer_than_its_limit() {
        let mut pointer = String::new();
        for _ in 0..1_000 {
            pointer = indexed(&joined(&pointer, "abcdefghij"), 7);
            assert!(pointer.len() <= POINTER_MAX + 8, "{}", pointer.len());
        }
        assert_eq!(joined("", &"k".repeat(POINTER_MAX)).len(), POINTER_MAX);
        assert_eq!(joined("", &"k".repeat(POINTER_MAX + 1)), "…");
    }
}
