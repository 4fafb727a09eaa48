//! The line of a settings file with the mistake, for the message: gutter, caret, and no password.
//!
//! A settings file may hold passwords in clear. Only keys, and the values of keys that never are secret, are shown;
//! every other value is eight stars.

use std::fs;

use credstore::diagnosis::Place;

/// Keys whose values are names, not secrets. Source: the settings reference, `CredentialStore`.
const SHOWN_KEYS: [&str; 12] = [
    "Type",
    "TenantId",
    "ClientId",
    "VaultName",
    "CertificateFile",
    "AuthorityHost",
    "VaultDnsSuffix",
    "CaFile",
    "Cloud",
    "Path",
    "File",
    "credential",
];
/// What stands for a value.
const MASK: &str = "********";
/// Largest settings file from which a line is shown, in bytes.
const FILE_MAX: u64 = 4 << 20;

/// The lines around a mistake.
pub(crate) struct Excerpt {
    file: String,
    line: u32,
    column: u32,
    before: Option<String>,
    shown: String,
    caret: usize,
}

/// Reads the place's file again and cuts out its line. `None` when the place is no position in a file.
pub(crate) fn of_place(place: &Place) -> Option<Excerpt> {
    let (file, line, span) = (place.file.as_ref()?, place.line?, place.span.as_ref()?);
    if fs::metadata(file).ok()?.len() > FILE_MAX {
        return None;
    }
    of_text(&fs::read_to_string(file).ok()?, &file.display().to_string(), line, place.column?, span.start)
}

/// As [`of_place`], for a text that is at hand.
pub(crate) fn of_place_in(place: &Place, text: &str) -> Option<Excerpt> {
    let file = place.file.as_ref().map(|file| file.display().to_string()).unwrap_or_default();
    of_text(text, &file, place.line?, place.column?, place.span.as_ref()?.start)
}

/// The lines around byte `at` of `text`, which is on `line`.
pub(crate) fn of_text(text: &str, file: &str, line: u32, column: u32, at: usize) -> Option<Excerpt> {
    let start_of_line = |before: &str| before.rfind('\n').map_or(0, |newline| newline + 1);
    let line_text = |start: usize| text[start..].lines().next().unwrap_or_default();
    let start = start_of_line(text.get(..at)?);
    let (shown, caret) = shown_line(line_text(start), at - start);
    let before = start.checked_sub(1).map(|newline| shown_line(line_text(start_of_line(&text[..newline])), 0).0);
    Some(Excerpt { file: file.to_owned(), line, column, before, shown, caret })
}

impl Excerpt {
    /// The lines of the message: place, line before, line, caret with `label`.
    pub(crate) fn lines(&self, label: &str) -> Vec<String> {
        let width = self.line.to_string().len();
        let gutter = " ".repeat(width);
        let mut lines = vec![format!(" {gutter}{}:{}:{}", self.file, self.line, self.column)];
        if let Some(before) = &self.before {
            lines.push(format!(" {:>width$} | {before}", self.line - 1));
        }
        lines.push(format!(" {:>width$} | {}", self.line, self.shown));
        lines.push(format!(" {gutter} | {}^ {label}", " ".repeat(self.caret)).trim_end().to_owned());
        lines
    }
}

/// The line with its values masked, and the caret's column (from 0, in characters) in what is shown.
fn shown_line(line: &str, at: usize) -> (String, usize) {
    let mut shown = String::new();
    let mut caret = None;
    let mut key: Option<&str> = None;
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let offset = line.len() - rest.len();
        if at <= offset && caret.is_none() {
            caret = Some(shown.chars().count());
        }
        let length = token_length(rest, first);
        let (token, after) = rest.split_at(length);
        let is_key = first == '"' && after.trim_start().starts_with(':');
        let public = first != '"' && (is_punctuation(first) || matches!(token, "true" | "false" | "null"));
        if is_key {
            key = Some(token.trim_matches('"'));
        }
        if is_key || public || key.is_some_and(|key| SHOWN_KEYS.contains(&key)) {
            shown.extend(token.chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }));
        } else if first == '"' {
            shown.push_str(&format!("\"{MASK}\""));
        } else {
            shown.push_str(MASK);
        }
        if matches!(first, ',' | '{' | '}') {
            key = None;
        }
        rest = after;
    }
    let end = shown.chars().count();
    (shown, caret.unwrap_or(end))
}

fn is_punctuation(c: char) -> bool {
    c.is_whitespace() || "{}[]:,".contains(c)
}

/// Length of the token at the start of `rest`: a string with its quotes, one punctuation mark, or a bare word.
fn token_length(rest: &str, first: char) -> usize {
    if is_punctuation(first) {
        return first.len_utf8();
    }
    if first != '"' {
        return rest.find(is_punctuation).unwrap_or(rest.len());
    }
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_missing_comma_is_shown_as_in_the_specification() {
        let text = "{\n    \"ClientId\": \"5d0c2a8e-91f3-4f0e-8a27-6c3f1d90b7f1\",\n    \"VaultName\": \"acme-pm-kv\"\n    \"x\": 1}";
        let at = text.find("kv\"").unwrap() + 3;
        let lines = of_text(text, "server-settings.json", 3, 30, at).unwrap().lines("add , here");
        assert_eq!(
            lines,
            [
                "  server-settings.json:3:30",
                " 2 |     \"ClientId\": \"5d0c2a8e-91f3-4f0e-8a27-6c3f1d90b7f1\",",
                " 3 |     \"VaultName\": \"acme-pm-kv\"",
                "   |                              ^ add , here"
            ]
        );
    }

    #[test]
    fn a_password_in_clear_is_not_shown_and_neither_is_its_length() {
        for line in [
            r#"  "password": "hunter2" "user": "x""#,
            r#"  "password": hunter2,"#,
            r#"  "password": "hunter2"#,
            r#"  "password": 'hunter2' "#,
            r#"  "hunter2","#,
            r#"  "Type": "File", "password": "hunter2""#,
            r#"  "Type": "File"} hunter2"#,
        ] {
            let (shown, _) = shown_line(line, 0);
            assert!(!shown.contains("hunter2"), "{line} became {shown}");
            assert!(shown.contains(MASK), "{shown}");
        }
    }

    #[test]
    fn the_caret_moves_with_what_is_masked() {
        let (shown, caret) = shown_line(r#""p": "abc" "#, 10);
        assert_eq!((shown.as_str(), caret), (r#""p": "********" "#, 15));
    }
}
