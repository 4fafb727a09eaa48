//! From valid JSON to [`ServerSettings`]: the store entry and the references, each checked where it stands.

use std::ops::Range;
use std::path::Path;

use jsonc_parser::ast::{Object, ObjectProp, Value};
use jsonc_parser::common::Ranged;

use super::syntax::{Repaired, not_an_object};
use super::{ServerSettings, references, store_entry};
use crate::Diagnosis;
use crate::codes::Code;
use crate::codes::settings as codes;
use crate::diagnosis::{Edit, Place, Severity};
use crate::nearest::nearest;

/// The key of the store entry. Exact, as every key of Server Settings.
pub(super) const STORE_KEY: &str = "CredentialStore";

/// Collects findings; knows where things stand in the text that was given.
pub(super) struct Checker<'c, 'a> {
    pub(super) repaired: &'c Repaired<'a>,
    pub(super) findings: &'c mut Vec<Diagnosis>,
}

impl Checker<'_, '_> {
    pub(super) fn place(&self, node: &impl Ranged, pointer: &str) -> Place {
        self.repaired.place(span_of(node), Some(pointer.to_owned()))
    }

    /// Reports `finding` at `node`.
    pub(super) fn report(&mut self, finding: Diagnosis, node: &impl Ranged, pointer: &str) {
        let place = self.place(node, pointer);
        self.findings.push(finding.at(place));
    }

    /// Reports `finding` at `node`, with the certain repair of writing `text` in its place.
    pub(super) fn report_certain(&mut self, finding: Diagnosis, node: &impl Ranged, pointer: &str, text: &str) {
        let span = self.repaired.original_span(span_of(node));
        let edit = Edit { span, text: quoted(text), label: format!("write {} here", quoted(text)) };
        self.report(finding.edit(edit), node, pointer);
    }

    pub(super) fn error(&mut self, code: &'static Code, message: String, fix: &str, node: &impl Ranged, pointer: &str) {
        self.report(Diagnosis::error(code, message).fix(fix), node, pointer);
    }

    /// How many errors there are by now.
    pub(super) fn errors(&self) -> usize {
        self.findings.iter().filter(|finding| finding.severity == Severity::Error).count()
    }

    /// Whether `text` is `<…>`, left from the documentation. Reported here, unless the missing quotes already were.
    pub(super) fn is_placeholder(&mut self, text: &str, node: &impl Ranged, pointer: &str) -> bool {
        let trimmed = text.trim();
        if !(trimmed.starts_with('<') && trimmed.ends_with('>')) {
            return false;
        }
        let place = self.place(node, pointer);
        let reported = self.findings.iter_mut().find(|finding| {
            let span = finding.place.as_ref().and_then(|place| place.span.as_ref());
            finding.code.id == codes::PLACEHOLDER_WITHOUT_QUOTES.id && span == place.span.as_ref()
        });
        let message = format!("{pointer} still holds the placeholder of the documentation");
        match reported {
            Some(finding) => {
                finding.place = Some(place);
                finding.message = message;
            }
            None => {
                let error = Diagnosis::error(&codes::PLACEHOLDER, message).fix("write the real value there");
                self.findings.push(error.at(place));
            }
        }
        true
    }
}

pub(super) fn span_of(node: &impl Ranged) -> Range<usize> {
    let range = node.range();
    range.start..range.end
}

/// `text` as a JSON text.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Reads the settings. `None` when the root is not an object.
pub(super) fn read(repaired: &Repaired<'_>, file: &Path, findings: &mut Vec<Diagnosis>) -> Option<ServerSettings> {
    let root = repaired.parse();
    let Some(Value::Object(root)) = root else {
        findings.push(not_an_object(repaired.place(0..1, None)));
        return None;
    };
    let mut checker = Checker { repaired, findings };
    let entry = root.properties.iter().find(|property| property.name.as_str() == STORE_KEY);
    let misspelt = entry.is_none() && report_misspelt_key(&mut checker, &root);
    let (store, rules) = match entry {
        Some(property) => store_entry::read(&mut checker, property, file),
        None => (None, None),
    };
    let references = references::read(&mut checker, &root, rules);
    if entry.is_none() && !misspelt && !references.is_empty() {
        report_no_store(&mut checker, &references);
    }
    Some(ServerSettings { file: file.to_owned(), store, references })
}

fn report_no_store(checker: &mut Checker<'_, '_>, references: &[crate::reference::Reference]) {
    let count = match references.len() {
        1 => "1 reference".to_owned(),
        count => format!("{count} references"),
    };
    let error = Diagnosis::error(&codes::STORE_NOT_CONFIGURED, "no credential store is configured")
        .cause(format!("the settings hold {count}, but no {STORE_KEY}"))
        .fix("credstore setup embedded, or credstore setup azure");
    let place = references.first().map(|reference| reference.place.clone()).unwrap_or_default();
    checker.findings.push(error.at(place));
}

/// Reports a key that is probably meant to be [`STORE_KEY`].
fn report_misspelt_key(checker: &mut Checker<'_, '_>, root: &Object<'_>) -> bool {
    let is_near = |property: &&ObjectProp<'_>| nearest(property.name.as_str(), [STORE_KEY]).is_some();
    let Some(property) = root.properties.iter().find(is_near) else { return false };
    let key = property.name.as_str();
    let error = Diagnosis::error(&codes::STORE_KEY_MISSPELT, format!("the key {key} is not {STORE_KEY}"))
        .cause("the key is read with these capitals only")
        .fix(format!("write \"{STORE_KEY}\""));
    if key.eq_ignore_ascii_case(STORE_KEY) {
        checker.report_certain(error, &property.name, key, STORE_KEY);
    } else {
        checker.report(error, &property.name, key);
    }
    true
}
