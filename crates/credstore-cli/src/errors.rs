//! How a command fails: exit code, and the message on standard error, for people and for scripts.
//!
//! The only place that prints an error. What is so, why, where and what mends it comes as a [`Diagnosis`]
//! from whoever decided; nothing is decided here. Never a value, a part of one, or its length.

use std::io::{self, Write};

use credstore::azure::AzureError;
use credstore::codes::Code;
use credstore::diagnosis::{Diagnosis, Place, Severity, Upstream};
use serde_json::{Value, json};

use crate::excerpt;

/// Most lines of one message. Source: command line specification, "Errors".
const LINES_MAX: usize = 8;

/// Why a command ends without success.
#[derive(Debug)]
pub(crate) enum CliError {
    /// An error to print; the exit code is its code's own, or the one given here.
    Diagnosed {
        /// What is wrong.
        diagnosis: Box<Diagnosis>,
        /// Instead of the code's own exit code, for `run`.
        exit: Option<u8>,
    },
    /// Everything was printed already; only the exit code is left.
    Printed(u8),
    /// The reader of standard output went away and needs no message.
    ReaderGone,
}

impl CliError {
    /// The exit code of the process.
    pub(crate) fn exit(&self) -> u8 {
        match self {
            Self::Diagnosed { exit: Some(exit), .. } | Self::Printed(exit) => *exit,
            Self::Diagnosed { diagnosis, exit: None } => diagnosis.code.exit as u8,
            Self::ReaderGone => 0,
        }
    }

    /// The same error with another exit code.
    pub(crate) fn exiting(self, exit: u8) -> Self {
        match self {
            Self::Diagnosed { diagnosis, .. } => Self::Diagnosed { diagnosis, exit: Some(exit) },
            Self::Printed(_) => Self::Printed(exit),
            Self::ReaderGone => Self::ReaderGone,
        }
    }

    /// The same error with its diagnosis changed.
    pub(crate) fn map(self, change: impl FnOnce(Diagnosis) -> Diagnosis) -> Self {
        match self {
            Self::Diagnosed { diagnosis, exit } => Self::Diagnosed { diagnosis: Box::new(change(*diagnosis)), exit },
            other => other,
        }
    }

    /// The code of the diagnosis, when there is one.
    pub(crate) fn code(&self) -> Option<&'static Code> {
        match self {
            Self::Diagnosed { diagnosis, .. } => Some(diagnosis.code),
            Self::Printed(_) | Self::ReaderGone => None,
        }
    }
}

impl From<Diagnosis> for CliError {
    fn from(diagnosis: Diagnosis) -> Self {
        Self::Diagnosed { diagnosis: Box::new(diagnosis), exit: None }
    }
}

impl From<AzureError> for CliError {
    fn from(error: AzureError) -> Self {
        Diagnosis::from(&error).into()
    }
}

impl From<Box<Diagnosis>> for CliError {
    fn from(diagnosis: Box<Diagnosis>) -> Self {
        Self::Diagnosed { diagnosis, exit: None }
    }
}

/// How messages look.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Style {
    /// One JSON object a message.
    pub(crate) json: bool,
    /// Colour, besides the words and never instead of them.
    pub(crate) colour: bool,
}

/// Prints the message of an error.
pub(crate) fn print(error: &CliError, style: Style, stderr: &mut dyn Write) -> io::Result<()> {
    match error {
        CliError::Printed(_) | CliError::ReaderGone => Ok(()),
        CliError::Diagnosed { diagnosis, .. } => {
            let text = match style.json {
                true => format!("{}\n", json!({ "error": object(diagnosis, error.exit()) })),
                false => human(diagnosis, style.colour),
            };
            stderr.write_all(text.as_bytes())
        }
    }
}

/// The message as people see it, at most [`LINES_MAX`] lines and a final newline.
pub(crate) fn human(diagnosis: &Diagnosis, colour: bool) -> String {
    let mut lines = vec![title(diagnosis, colour)];
    let shown = diagnosis.place.as_ref().filter(|_| is_about_text(diagnosis)).and_then(excerpt::of_place);
    if let Some(shown) = shown {
        return with_excerpt(lines, diagnosis, &shown);
    }
    lines.extend(diagnosis.cause.iter().map(|cause| format!("  cause  {cause}")));
    let place = diagnosis.place.as_ref().map(place_text).filter(|text| !text.is_empty());
    lines.extend(place.iter().map(|place| format!("  where  {place}")));
    let note = diagnosis.note.iter().map(|note| format!("  note   {note}"));
    // An upstream answer and a place have more to say than the message; a plain usage error has not.
    let explained = place.is_some() || diagnosis.upstream.is_some();
    let more = explained.then(|| more_text(diagnosis)).into_iter();
    let tail: Vec<String> = note.chain(more).collect();
    push_fixes(&mut lines, &fixes(diagnosis));
    lines.truncate(LINES_MAX.saturating_sub(tail.len()));
    lines.extend(tail);
    finish(lines)
}

/// A finding of `check` about `text`: its line with the mistake where that helps, cause and fix.
pub(crate) fn finding(diagnosis: &Diagnosis, text: &str, colour: bool) -> String {
    let mut lines = vec![title(diagnosis, colour)];
    let place = diagnosis.place.as_ref().filter(|_| is_about_text(diagnosis));
    if let Some(shown) = place.and_then(|place| excerpt::of_place_in(place, text)) {
        return with_excerpt(lines, diagnosis, &shown);
    }
    lines.extend(diagnosis.cause.iter().map(|cause| format!("  cause  {cause}")));
    push_fixes(&mut lines, &fixes(diagnosis));
    finish(lines)
}

/// Whether the mistake is in the text of the settings itself: CS10xx syntax, CS11xx meaning, CS2xxx identifiers.
fn is_about_text(diagnosis: &Diagnosis) -> bool {
    ["CS10", "CS11", "CS2"].iter().any(|family| diagnosis.code.id.starts_with(family))
}

fn with_excerpt(mut lines: Vec<String>, diagnosis: &Diagnosis, shown: &excerpt::Excerpt) -> String {
    let label = diagnosis.edit.as_ref().map(|edit| edit.label.as_str()).unwrap_or_default();
    lines.extend(shown.lines(label));
    lines.extend(diagnosis.cause.iter().map(|cause| format!("  cause  {cause}")));
    push_fixes(&mut lines, &fixes(diagnosis));
    lines.truncate(LINES_MAX);
    finish(lines)
}

fn finish(lines: Vec<String>) -> String {
    let mut text = lines.iter().map(|line| harmless(line)).collect::<Vec<_>>().join("\n");
    text.push('\n');
    text
}

/// Control characters from elsewhere (names, answers of servers) do not reach the terminal. Our own colour does.
fn harmless(line: &str) -> String {
    let own = |at: usize| {
        line[at..].starts_with("\x1b[1;31m")
            || line[at..].starts_with("\x1b[0m")
            || line[at..].starts_with("\x1b[1;33m")
    };
    line.char_indices()
        .map(|(at, c)| match c {
            '\x1b' if at < 16 && own(at) => c,
            c if c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') => '\u{fffd}',
            c => c,
        })
        .collect()
}

fn title(diagnosis: &Diagnosis, colour: bool) -> String {
    let (word, code) = match diagnosis.severity {
        Severity::Error => ("error", "\x1b[1;31m"),
        Severity::Warning => ("warning", "\x1b[1;33m"),
    };
    match colour {
        true => format!("{code}{word}\x1b[0m[{}]: {}", diagnosis.code.id, diagnosis.message),
        false => format!("{word}[{}]: {}", diagnosis.code.id, diagnosis.message),
    }
}

/// The ways to mend it; first the repair that `check --fix` makes by itself.
fn fixes(diagnosis: &Diagnosis) -> Vec<String> {
    let file = diagnosis.place.as_ref().and_then(|place| place.file.as_ref());
    let repair = match (&diagnosis.edit, file) {
        (Some(edit), Some(file)) if file.as_os_str() != "-" => {
            let one = edit.text.chars().count() + edit.span.len() == 1;
            let what = if one { "changes this one character" } else { "changes only this" };
            Some(format!("credstore check --fix {}   ({what})", file.display()))
        }
        _ => None,
    };
    repair.into_iter().chain(diagnosis.fix.iter().cloned()).collect()
}

fn push_fixes(lines: &mut Vec<String>, fixes: &[String]) {
    for (number, fix) in fixes.iter().enumerate() {
        lines.push(format!("  {}    {fix}", if number == 0 { "fix" } else { "   " }));
    }
}

fn more_text(diagnosis: &Diagnosis) -> String {
    let mut line = format!("  more   credstore explain {}", diagnosis.code.id);
    if let Some(upstream) = &diagnosis.upstream {
        if let Some(trace) = &upstream.trace_id {
            line.push_str(&format!("     trace {trace}"));
        }
        if let Some(timestamp) = &upstream.timestamp {
            line.push_str(&format!("  {timestamp}"));
        }
    }
    line
}

/// The place in words: `server-settings.json line 15, CredentialStore.CertificateFile`.
pub(crate) fn place_text(place: &Place) -> String {
    if let Some(words) = &place.words {
        return words.clone();
    }
    let mut text = place.file.as_ref().map(|file| file.display().to_string()).unwrap_or_default();
    if let Some(line) = place.line {
        text.push_str(&format!("{}line {line}", if text.is_empty() { "" } else { " " }));
    }
    // With a path in the document the column says nothing more, and with a span the line itself is shown.
    if let (Some(column), None, None) = (place.column, &place.pointer, &place.span) {
        text.push_str(&format!(" column {column}"));
    }
    if let Some(pointer) = &place.pointer {
        text.push_str(&format!("{}{pointer}", if text.is_empty() { "" } else { ", " }));
    }
    text
}

/// The message as scripts see it.
pub(crate) fn object(diagnosis: &Diagnosis, exit: u8) -> Value {
    json!({
        "code": diagnosis.code.id,
        "exit": exit,
        "severity": match diagnosis.severity { Severity::Error => "error", Severity::Warning => "warning" },
        "message": diagnosis.message,
        "cause": diagnosis.cause,
        "fix": fixes(diagnosis),
        "where": diagnosis.place.as_ref().map(place_object),
        "note": diagnosis.note,
        "upstream": diagnosis.upstream.as_ref().map(upstream_object),
        "retryable": diagnosis.retryable,
    })
}

fn place_object(place: &Place) -> Value {
    json!({
        "file": place.file.as_ref().map(|file| file.display().to_string()),
        "line": place.line,
        "column": place.column,
        "pointer": place.pointer,
        "words": place.words,
    })
}

fn upstream_object(upstream: &Upstream) -> Value {
    json!({
        "system": upstream.system,
        "code": upstream.code,
        "traceId": upstream.trace_id,
        "correlationId": upstream.correlation_id,
        "timestamp": upstream.timestamp,
    })
}

#[cfg(test)]
mod tests {
    use credstore::codes::{internal, usage};

    use super::*;

    #[test]
    fn the_human_form_is_message_cause_where_fix_more() {
        let upstream = Upstream {
            system: "directory",
            code: "AADSTS700027".to_owned(),
            trace_id: Some("1f0c5c3e".to_owned()),
            correlation_id: None,
            timestamp: Some("2026-11-23T10:42:07Z".to_owned()),
        };
        let place = Place {
            file: Some("server-settings.json".into()),
            line: Some(15),
            pointer: Some("CredentialStore.CertificateFile".to_owned()),
            ..Place::default()
        };
        let diagnosis = Diagnosis::error(&internal::BUG, "the directory refused the certificate")
            .cause("its public key is not on the app (AADSTS700027)")
            .at(place)
            .fix("upload azure-cert.cer")
            .upstream(upstream);
        // Command line specification, section 4.5.
        let expected = "error[CS9001]: the directory refused the certificate\n\
             \x20 cause  its public key is not on the app (AADSTS700027)\n\
             \x20 where  server-settings.json line 15, CredentialStore.CertificateFile\n\
             \x20 fix    upload azure-cert.cer\n\
             \x20 more   credstore explain CS9001     trace 1f0c5c3e  2026-11-23T10:42:07Z\n";
        assert_eq!(human(&diagnosis, false), expected);
    }

    #[test]
    fn a_message_has_at_most_eight_lines_and_keeps_its_last() {
        let mut diagnosis = Diagnosis::error(&internal::BUG, "m").cause("c").at_words("w").note("n");
        for number in 0..20 {
            diagnosis = diagnosis.fix(format!("way {number}"));
        }
        let text = human(&diagnosis, false);
        assert_eq!(text.lines().count(), LINES_MAX);
        assert!(text.ends_with("  more   credstore explain CS9001\n"), "{text}");
    }

    #[test]
    fn control_characters_of_others_do_not_reach_the_terminal() {
        let text = human(&Diagnosis::error(&internal::BUG, "a\x1b[2Jb\r\u{202e}c"), true);
        assert!(text.starts_with("\x1b[1;31merror\x1b[0m[CS9001]"), "{text:?}");
        assert!(!text.contains("\x1b[2J") && !text.contains('\r') && !text.contains('\u{202e}'), "{text:?}");
    }

    #[test]
    fn the_json_form_has_every_key_of_the_specification() {
        let error = CliError::from(Diagnosis::error(&usage::NAME, "m")).exiting(125);
        let mut printed = Vec::new();
        print(&error, Style { json: true, colour: false }, &mut printed).unwrap();
        let value: Value = serde_json::from_slice(&printed).unwrap();
        for key in ["code", "exit", "message", "cause", "fix", "where", "upstream", "retryable"] {
            assert!(value["error"].get(key).is_some(), "{key}");
        }
        assert_eq!(value["error"]["exit"], 125);
    }
}
