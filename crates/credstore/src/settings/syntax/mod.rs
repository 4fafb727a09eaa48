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
                for property in &object.properties {
                    open.push((&property.value, joined(&pointer, property.name.as_str())));
                }
            }
            Value::Array(array) => {
                for (position, element) in array.elements.iter().enumerate() {
                    open.push((element, format!("{pointer}[{position}]")));
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

/// A path in the document: members joined by dots.
pub(crate) fn joined(pointer: &str, key: &str) -> String {
    if pointer.is_empty() { key.to_owned() } else { format!("{pointer}.{key}") }
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
}
