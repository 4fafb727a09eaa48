//! Changing the `CredentialStore` entry and nothing else.

use std::fmt;
use std::ops::Range;
use std::path::Path;

use jsonc_parser::ast::{Object, ObjectProp, StringLit, Value};
use jsonc_parser::common::Ranged;

use super::Cloud;
use super::meaning::{STORE_KEY, quoted};
use super::syntax::{Repaired, Syntax, not_an_object};
use crate::Diagnosis;
use crate::diagnosis::{Place, Severity};

/// A `CredentialStore` entry to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreEntry {
    /// `"Type": "File"`.
    File,
    /// `"Type": "EncryptedFile"`, its key where it is looked for.
    EncryptedFile,
    /// `"Type": "AzureKeyVault"` with its keys, as texts to be written.
    AzureKeyVault {
        /// `TenantId`.
        tenant_id: String,
        /// `ClientId`.
        client_id: String,
        /// `VaultName`.
        vault_name: String,
        /// `CertificateFile`, relative to the folder of the settings or absolute.
        certificate_file: String,
        /// Written as `Cloud`, or as `AuthorityHost` and `VaultDnsSuffix`; not at all for the default.
        cloud: Cloud,
        /// `CaFile`.
        ca_file: Option<String>,
    },
}

/// Keys and values in the order in which they are written.
type Members = Vec<(&'static str, String)>;

impl StoreEntry {
    fn members(&self) -> Members {
        match self {
            StoreEntry::File => vec![("Type", "File".to_owned())],
            StoreEntry::EncryptedFile => vec![("Type", "EncryptedFile".to_owned())],
            StoreEntry::AzureKeyVault { tenant_id, client_id, vault_name, certificate_file, cloud, ca_file } => {
                let mut members = vec![
                    ("Type", "AzureKeyVault".to_owned()),
                    ("TenantId", tenant_id.clone()),
                    ("ClientId", client_id.clone()),
                    ("VaultName", vault_name.clone()),
                    ("CertificateFile", certificate_file.clone()),
                ];
                match cloud {
                    Cloud::AzurePublic => {}
                    Cloud::AzureUSGovernment => members.push(("Cloud", "AzureUSGovernment".to_owned())),
                    Cloud::AzureChina => members.push(("Cloud", "AzureChina".to_owned())),
                    Cloud::Custom { authority_host, vault_dns_suffix } => {
                        members.push(("AuthorityHost", authority_host.clone()));
                        members.push(("VaultDnsSuffix", vault_dns_suffix.clone()));
                    }
                }
                members.extend(ca_file.clone().map(|file| ("CaFile", file)));
                members
            }
        }
    }
}

/// One line of the difference, without the indentation that all its lines share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DiffLine {
    /// The same before and after.
    Same(String),
    /// Only before.
    Removed(String),
    /// Only after.
    Added(String),
}

impl fmt::Display for DiffLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DiffLine::Same(text) => write!(f, "  {text}"),
            DiffLine::Removed(text) => write!(f, "- {text}"),
            DiffLine::Added(text) => write!(f, "+ {text}"),
        }
    }
}

/// Settings with another `CredentialStore` entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edited {
    /// The whole new text.
    pub text: String,
    /// The entry before and after, empty when nothing changes.
    pub diff: Vec<DiffLine>,
}

/// Puts `entry` in the place of `CredentialStore`, or adds it after the last key. Indentation, kind of newline, order
/// and everything else stay byte for byte. When the same keys are there already, only values change. An empty text
/// becomes a new file.
///
/// # Errors
/// The first syntax error of `text`, without a file in its place: a broken file is mended first, not written over.
pub fn set_store_entry(text: &str, entry: &StoreEntry) -> Result<Edited, Box<Diagnosis>> {
    let members = entry.members();
    if text.trim_start_matches('\u{FEFF}').trim().is_empty() {
        let layout = Layout { newline: "\n", indent: INDENT.to_owned(), unit: INDENT.to_owned(), one_line: false };
        let written = layout.property(&members);
        let text = format!("{{\n{INDENT}{written}\n}}\n");
        return Ok(Edited { text, diff: diff("", &written, INDENT) });
    }
    let repaired = sound(text)?;
    let Some(Value::Object(root)) = repaired.parse() else { return Err(no_object()) };
    let span = |node: &dyn Ranged| repaired.original_span(node.range().start..node.range().end);
    match root.properties.iter().find(|property| property.name.as_str() == STORE_KEY) {
        Some(property) => {
            let at = span(property);
            let layout = Layout::at(text, at.start);
            let edits = changed_values(&property.value, &members)
                .map(|changes| changes.into_iter().map(|(literal, text)| (span(literal), text)).collect())
                .unwrap_or_else(|| vec![(span(&property.value), layout.object(&members))]);
            let before = &text[at.clone()];
            let after = with_edits(before, at.start, &edits);
            let diff = if before == after { Vec::new() } else { diff(before, &after, &layout.indent) };
            Ok(Edited { text: with_edits(text, 0, &edits), diff })
        }
        None => {
            let last = root.properties.last().map(|last| span(last));
            Ok(inserted(text, span(&root), last, &members))
        }
    }
}

/// Writes another value for one key of `CredentialStore` that is there and a text; everything else stays byte for byte.
/// Nothing changes when the key is not there.
///
/// # Errors
/// As [`set_store_entry`].
pub fn set_store_text(text: &str, key: &str, value: &str) -> Result<Edited, Box<Diagnosis>> {
    let repaired = sound(text)?;
    let Some(Value::Object(root)) = repaired.parse() else { return Err(no_object()) };
    let span = |node: &dyn Ranged| repaired.original_span(node.range().start..node.range().end);
    let Some((entry, literal)) = text_of(&root, key) else {
        return Ok(Edited { text: text.to_owned(), diff: Vec::new() });
    };
    let edits = [(span(literal), quoted(value))];
    let at = span(entry);
    let before = &text[at.clone()];
    let after = with_edits(before, at.start, &edits);
    let diff = if before == after { Vec::new() } else { diff(before, &after, &Layout::at(text, at.start).indent) };
    Ok(Edited { text: with_edits(text, 0, &edits), diff })
}

/// What a key of `CredentialStore` says; `None` when it is not there or no text.
///
/// # Errors
/// As [`set_store_entry`].
pub fn store_text(text: &str, key: &str) -> Result<Option<String>, Box<Diagnosis>> {
    let repaired = sound(text)?;
    let Some(Value::Object(root)) = repaired.parse() else { return Err(no_object()) };
    Ok(text_of(&root, key).map(|(_, literal)| literal.value.to_string()))
}

/// The entry, and the text that its key has.
fn text_of<'v>(root: &'v Object<'v>, key: &str) -> Option<(&'v ObjectProp<'v>, &'v StringLit<'v>)> {
    let named =
        |object: &'v Object<'v>, name: &str| object.properties.iter().find(|property| property.name.as_str() == name);
    let entry = named(root, STORE_KEY)?;
    let Value::Object(object) = &entry.value else { return None };
    let Value::StringLit(literal) = &named(object, key)?.value else { return None };
    Some((entry, literal))
}

fn no_object() -> Box<Diagnosis> {
    Box::new(not_an_object(Place::default()))
}

/// The text when it is JSON without an error; its first error otherwise, without a file in its place.
fn sound(text: &str) -> Result<Repaired<'_>, Box<Diagnosis>> {
    let syntax = Syntax::read(text, Path::new(""));
    if let Some(mut error) = syntax.findings.into_iter().find(|finding| finding.severity == Severity::Error) {
        if let Some(place) = &mut error.place {
            place.file = None;
        }
        return Err(Box::new(error));
    }
    syntax.repaired.ok_or_else(no_object)
}

/// The text with the entry as a new last key of the root object.
fn inserted(text: &str, root: Range<usize>, last: Option<Range<usize>>, members: &Members) -> Edited {
    let Some(last) = last else {
        let layout = Layout { one_line: false, ..Layout::at(text, root.start) };
        let inner = Layout { indent: format!("{}{}", layout.indent, layout.unit), ..layout.clone() };
        let written = inner.property(members);
        let newline = layout.newline;
        let object = format!("{{{newline}{}{written}{newline}{}}}", inner.indent, layout.indent);
        let diff = diff("", &written, &inner.indent);
        return Edited { text: with_edits(text, 0, &[(root, object)]), diff };
    };
    let layout = Layout::at(text, last.start);
    let written = layout.property(members);
    let separator = if layout.one_line { ", ".to_owned() } else { format!(",{}{}", layout.newline, layout.indent) };
    let text = with_edits(text, 0, &[(last.end..last.end, format!("{separator}{written}"))]);
    Edited { text, diff: diff("", &written, &layout.indent) }
}

/// The literals to change when the entry has exactly these keys already; `None` when it has not.
fn changed_values<'v>(value: &'v Value<'v>, members: &Members) -> Option<Vec<(&'v StringLit<'v>, String)>> {
    let Value::Object(object) = value else { return None };
    if object.properties.len() != members.len() {
        return None;
    }
    let mut changes = Vec::new();
    for property in &object.properties {
        let (_, wanted) = members.iter().find(|(key, _)| *key == property.name.as_str())?;
        let Value::StringLit(literal) = &property.value else { return None };
        if literal.value != wanted.as_str() {
            changes.push((literal, quoted(wanted)));
        }
    }
    Some(changes)
}

/// `text`, which begins at `offset` of the whole, with these edits; they are in order and do not overlap.
fn with_edits(text: &str, offset: usize, edits: &[(Range<usize>, String)]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    for (span, replacement) in edits {
        out.push_str(&text[copied..span.start - offset]);
        out.push_str(replacement);
        copied = span.end - offset;
    }
    out.push_str(&text[copied..]);
    out
}

/// One step of indentation where the text shows none.
const INDENT: &str = "  ";

/// How the file is laid out around the entry.
#[derive(Clone)]
struct Layout {
    newline: &'static str,
    /// What stands before the entry's key on its line.
    indent: String,
    /// One step of indentation.
    unit: String,
    /// The key is not the first on its line, so the entry stays on that line.
    one_line: bool,
}

impl Layout {
    /// The layout where the key (or, in an empty object, the brace) at `at` stands.
    fn at(text: &str, at: usize) -> Self {
        let line_start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let before = text[line_start..at].trim_start_matches('\u{FEFF}');
        let first = before.chars().all(|c| c == ' ' || c == '\t');
        let indent = if first { before.to_owned() } else { String::new() };
        let unit = if indent.is_empty() { INDENT.to_owned() } else { indent.clone() };
        let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
        Self { newline, indent, unit, one_line: !first }
    }

    fn property(&self, members: &Members) -> String {
        format!("{}: {}", quoted(STORE_KEY), self.object(members))
    }

    fn object(&self, members: &Members) -> String {
        let written: Vec<_> =
            members.iter().map(|(key, value)| format!("{}: {}", quoted(key), quoted(value))).collect();
        if self.one_line {
            return format!("{{{}}}", written.join(", "));
        }
        let Self { newline, indent, unit, .. } = self;
        let lines = written.join(&format!(",{newline}{indent}{unit}"));
        format!("{{{newline}{indent}{unit}{lines}{newline}{indent}}}")
    }
}

/// The lines of the entry before and after: what is the same at its beginning and end, and what changes between.
fn diff(before: &str, after: &str, indent: &str) -> Vec<DiffLine> {
    let lines = |text: &str| -> Vec<String> {
        text.lines().map(|line| line.strip_prefix(indent).unwrap_or(line).to_owned()).collect()
    };
    let (before, after) = (lines(before), lines(after));
    let head = before.iter().zip(&after).take_while(|(one, other)| one == other).count();
    let rest = (before.len() - head).min(after.len() - head);
    let tail = before.iter().rev().zip(after.iter().rev()).take(rest).take_while(|(one, other)| one == other).count();
    let same = |line: &String| DiffLine::Same(line.clone());
    before[..head]
        .iter()
        .map(same)
        .chain(before[head..before.len() - tail].iter().cloned().map(DiffLine::Removed))
        .chain(after[head..after.len() - tail].iter().cloned().map(DiffLine::Added))
        .chain(after[after.len() - tail..].iter().map(same))
        .collect()
}
