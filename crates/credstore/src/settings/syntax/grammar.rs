//! Commas, colons, braces, words and numbers: what jsonc-parser says, translated into a place and a repair.

use std::ops::Range;

use jsonc_parser::ParseStringErrorKind;
use jsonc_parser::errors::{ParseError, ParseErrorKind};

use super::{FINDINGS_MAX, Repaired};
use crate::Diagnosis;
use crate::codes::settings as codes;
use crate::diagnosis::Edit;

/// What to do about one mistake.
struct Found {
    finding: Diagnosis,
    /// What to show.
    span: Range<usize>,
    /// How to go on.
    repair: Repair,
}

enum Repair {
    /// Certain: `check --fix` makes it.
    Certain(Range<usize>, String, String),
    /// Good enough to look for further mistakes.
    Assumed(Range<usize>, String),
    /// None: the looking ends.
    None,
}

/// Repairs what it can and reports everything. False when something could not be repaired.
pub(super) fn repair(repaired: &mut Repaired<'_>, findings: &mut Vec<Diagnosis>) -> bool {
    while findings.len() < FINDINGS_MAX {
        let found = match repaired.attempt() {
            Ok(result) => match result.value {
                Some(_) => return true,
                None => empty(),
            },
            Err(error) => Text(repaired.text()).found(&error),
        };
        let Found { finding, span, repair } = found;
        let finding = finding.at(repaired.place(span, None));
        let (finding, repair) = match repair {
            Repair::Certain(span, text, label) => {
                let edit = Edit { span: repaired.original_span(span.clone()), text: text.clone(), label };
                (finding.edit(edit), Some((span, text)))
            }
            Repair::Assumed(span, text) => (finding, Some((span, text))),
            Repair::None => (finding, None),
        };
        findings.push(finding);
        if !repair.is_some_and(|repair| repaired.apply(vec![repair])) {
            return false;
        }
    }
    false
}

fn empty() -> Found {
    let finding = Diagnosis::error(&codes::NOT_AN_OBJECT, "the file is empty")
        .fix("begin with {} or let credstore setup write the entry");
    Found { finding, span: 0..0, repair: Repair::None }
}

fn unexpected(message: &str, span: Range<usize>) -> Found {
    let finding =
        Diagnosis::error(&codes::UNEXPECTED, message).fix("compare with the lines around it, or write it anew");
    Found { finding, span, repair: Repair::None }
}

/// The text that is being read. Texts in it are closed: the lexical pass came before.
struct Text<'a>(&'a str);

impl Text<'_> {
    fn found(&self, error: &ParseError) -> Found {
        use ParseErrorKind as Kind;
        let range = error.range();
        let span = range.start..range.end;
        match error.kind() {
            Kind::ExpectedComma => self.comma_missing(span.start),
            Kind::TrailingCommasNotAllowed => Found {
                finding: Diagnosis::error(&codes::COMMA_TRAILING, "there is a comma after the last value"),
                repair: Repair::Certain(span.clone(), String::new(), "remove this comma".to_owned()),
                span,
            },
            Kind::ExpectedColonAfterObjectKey => self.colon_missing(span.start),
            Kind::ExpectedStringObjectProperty => self.key_without_quotes(span),
            Kind::UnexpectedWord => self.word(span),
            Kind::UnterminatedArray | Kind::UnterminatedObject | Kind::ExpectedObjectValue => self.not_closed(),
            Kind::UnexpectedCloseBrace
            | Kind::UnexpectedCloseBracket
            | Kind::UnexpectedComma
            | Kind::UnexpectedTokenInObject => self.out_of_place(span),
            Kind::UnexpectedColon => unexpected("a colon is out of place", span),
            Kind::UnexpectedToken => self.token(span),
            Kind::MultipleRootJsonValues => self.after_end(span),
            Kind::NestingDepthExceeded => {
                let finding = Diagnosis::error(&codes::TOO_DEEP, "the file is nested too deeply")
                    .fix("check whether this is the settings file");
                Found { finding, span: span.start..span.start, repair: Repair::None }
            }
            Kind::String(kind) => self.escape(kind, span.start),
            Kind::BareDecimalPointNumbersNotAllowed
            | Kind::ExpectedDigit
            | Kind::ExpectedDigitFollowingNegativeSign
            | Kind::ExpectedPlusMinusOrDigitInNumberLiteral
            | Kind::HexadecimalNumbersNotAllowed
            | Kind::NonFiniteNumbersNotAllowed
            | Kind::UnaryPlusNumbersNotAllowed => bad_number(span),
            // The lexical pass has taken care of these.
            Kind::CommentsNotAllowed | Kind::SingleQuotedStringsNotAllowed | Kind::UnterminatedCommentBlock => {
                unexpected("this is not JSON", span)
            }
            Kind::Custom(_) => unexpected("this is not JSON", span),
        }
    }

    /// More text after a whole value: too early an end, or an entry without the braces around all.
    fn after_end(&self, span: Range<usize>) -> Found {
        if self.0.trim_start().starts_with('"') && self.0[span.clone()].starts_with(':') {
            let finding = Diagnosis::error(&codes::NOT_AN_OBJECT, "the braces around the settings are missing")
                .fix("write { before the first key and } after the last value");
            return Found { finding, span: 0..1, repair: Repair::None };
        }
        Found {
            finding: Diagnosis::error(&codes::TEXT_AFTER_END, "something follows after the end of the object")
                .fix("remove it, or the closing brace that stands too early"),
            span,
            repair: Repair::None,
        }
    }

    /// Where what stands before `at` ends, blanks left out.
    fn end_before(&self, at: usize) -> usize {
        self.0[..at].trim_end().len()
    }

    fn next(&self, at: usize) -> &str {
        self.0[at..].trim_start()
    }

    fn comma_missing(&self, at: usize) -> Found {
        let next = self.next(at);
        let previous_digit = self.0[..at].ends_with(|c: char| c.is_ascii_digit());
        if previous_digit && self.0[at..].starts_with(|c: char| c.is_ascii_alphanumeric()) {
            return bad_number(at..at + 1);
        }
        let key_length = key_length(next);
        let is_key = key_length.is_some_and(|length| next[length..].trim_start().starts_with(':'));
        let in_array = self.open_brackets(at).last().is_some_and(|(_, bracket)| *bracket == b'[');
        let next_line = self.0[at..at + (self.0[at..].len() - next.len())].contains('\n');
        let certain = is_key || (in_array && next_line);
        if !certain {
            let span = self.0.len() - next.len()..self.0.len() - next.len() + 1;
            let finding = Diagnosis::error(&codes::UNEXPECTED, "something follows directly after a value")
                .cause("either a comma is missing, or a quote inside the text is not written \\\"")
                .fix("write the comma, or a backslash before the quote");
            return Found { finding, span, repair: Repair::None };
        }
        Found {
            finding: Diagnosis::error(&codes::COMMA_MISSING, "a comma is missing"),
            span: at..at,
            repair: Repair::Certain(at..at, ",".to_owned(), "add , here".to_owned()),
        }
    }

    fn colon_missing(&self, at: usize) -> Found {
        let end = self.end_before(at);
        let finding = Diagnosis::error(&codes::COLON_MISSING, "a colon is missing");
        let value_follows = self.next(end).starts_with(|c: char| c.is_alphanumeric() || "\"{[-".contains(c));
        // A text is followed by a text also where a quote inside a text is not escaped, but then a key was expected.
        let repair = match value_follows {
            true => Repair::Certain(end..end, ":".to_owned(), "add : here".to_owned()),
            false => Repair::None,
        };
        Found { finding, span: end..end, repair }
    }

    fn key_without_quotes(&self, span: Range<usize>) -> Found {
        let finding = Diagnosis::error(&codes::WORD_WITHOUT_QUOTES, "a key has no quotes");
        let repair = match self.next(span.end).starts_with(':') {
            true => {
                let quoted = format!("\"{}\"", &self.0[span.clone()]);
                Repair::Certain(span.clone(), quoted, "put it in double quotes".to_owned())
            }
            false => Repair::None,
        };
        Found { finding, span, repair }
    }

    fn word(&self, span: Range<usize>) -> Found {
        let word = &self.0[span.clone()];
        let finding = Diagnosis::error(&codes::WORD_WITHOUT_QUOTES, "a word has no quotes")
            .fix("put texts in double quotes; without stand only numbers, true, false and null");
        let meant = match word.to_ascii_lowercase().as_str() {
            "true" => Some("true"),
            "false" => Some("false"),
            "null" | "none" | "nil" | "undefined" => Some("null"),
            _ => None,
        };
        let repair = match meant {
            Some(meant) => Repair::Certain(span.clone(), meant.to_owned(), format!("write {meant} here")),
            None => Repair::Assumed(span.clone(), format!("\"{word}\"")),
        };
        Found { finding, span, repair }
    }

    /// The text ends too early.
    fn not_closed(&self) -> Found {
        let open = self.open_brackets(self.0.len());
        let Some((at, bracket)) = open.last().copied() else {
            return unexpected("the file ends too early", self.0.len()..self.0.len());
        };
        let (message, fix) = match bracket {
            b'{' => ("a brace is not closed", "add } where the object ends"),
            _ => ("a bracket is not closed", "add ] where the list ends"),
        };
        let finding = Diagnosis::error(&codes::NOT_CLOSED, message)
            .cause(format!("the file ends with {} left open", counted(open.len())))
            .fix(fix);
        let end = self.end_before(self.0.len());
        let complete = !self.0[..end].ends_with([',', ':']);
        let closers: String = open.iter().rev().map(|(_, open)| if *open == b'{' { '}' } else { ']' }).collect();
        let repair = if complete { Repair::Assumed(end..end, closers) } else { Repair::None };
        Found { finding, span: at..at + 1, repair }
    }

    /// A token of JSON in the wrong place.
    fn out_of_place(&self, span: Range<usize>) -> Found {
        let before = self.0[..span.start].trim_end();
        match &self.0[span.clone()] {
            "," if before.ends_with([',', '{', '[']) => Found {
                finding: Diagnosis::error(&codes::UNEXPECTED, "there is a comma too many"),
                repair: Repair::Certain(span.clone(), String::new(), "remove this comma".to_owned()),
                span,
            },
            _ if before.ends_with(':') => {
                let finding =
                    Diagnosis::error(&codes::UNEXPECTED, "a value is missing").fix("write it after the colon");
                Found { finding, span, repair: Repair::None }
            }
            "}" => unexpected("a closing brace is out of place", span),
            "]" => unexpected("a closing bracket is out of place", span),
            "{" | "[" => unexpected("a key is missing before this object or list", span),
            _ => unexpected("this is out of place", span),
        }
    }

    /// A character that no token of JSON begins with.
    fn token(&self, span: Range<usize>) -> Found {
        let before = self.0[..span.start].trim_end();
        let rest = &self.0[span.start..];
        let replaced = |code, message, with: &str| Found {
            finding: Diagnosis::error(code, message),
            span: span.start..span.start + 1,
            repair: Repair::Certain(span.start..span.start + 1, with.to_owned(), format!("write {with} here")),
        };
        if rest.starts_with('=') && before.ends_with('"') {
            return replaced(&codes::COLON_MISSING, "an equals sign stands in the place of a colon", ":");
        }
        if rest.starts_with(';') && before.ends_with(['"', '}', ']']) {
            return replaced(&codes::COMMA_MISSING, "a semicolon stands in the place of a comma", ",");
        }
        // jsonc-parser takes a word for one only when a blank or a colon follows.
        let is_word = self.0[span.clone()].chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-');
        if is_word && self.0[span.end..].starts_with([',', '}', ']']) {
            return self.word(span);
        }
        unexpected("this is not JSON", span)
    }

    fn escape(&self, kind: &ParseStringErrorKind, at: usize) -> Found {
        use ParseStringErrorKind as Kind;
        let finding = Diagnosis::error(&codes::BAD_ESCAPE, "a backslash is not followed by a valid escape")
            .fix("write \\\\ for a backslash, \\u and four hexadecimal digits for a character");
        let (finding, repair) = match kind {
            Kind::InvalidEscape | Kind::ExpectedFourHexDigits => (
                finding.cause("a backslash that is part of the text is written twice"),
                Repair::Certain(at..at + 1, "\\\\".to_owned(), "write \\\\ here".to_owned()),
            ),
            Kind::InvalidEscapeInDoubleQuoteString => (
                finding.cause("a single quote needs no backslash"),
                Repair::Certain(at..at + 1, String::new(), "remove this backslash".to_owned()),
            ),
            Kind::InvalidUnicodeEscapeSequence(_) => {
                (finding.cause("it is half of a pair of surrogates, which is no character"), Repair::None)
            }
            Kind::InvalidEscapeInSingleQuoteString | Kind::ExpectedTwoHexDigits | Kind::UnterminatedStringLiteral => {
                (finding, Repair::None)
            }
        };
        Found { finding, span: at..at + 1, repair }
    }

    /// The braces and brackets that are open at `at`, the outermost first.
    fn open_brackets(&self, at: usize) -> Vec<(usize, u8)> {
        let mut open = Vec::new();
        let mut in_text = false;
        let mut escaped = false;
        for (position, byte) in self.0.as_bytes()[..at].iter().copied().enumerate() {
            match byte {
                _ if escaped => escaped = false,
                b'\\' if in_text => escaped = true,
                b'"' => in_text = !in_text,
                b'{' | b'[' if !in_text => open.push((position, byte)),
                b'}' | b']' if !in_text => {
                    open.pop();
                }
                _ => {}
            }
        }
        open
    }
}

fn counted(open: usize) -> String {
    if open == 1 { "one brace or bracket".to_owned() } else { format!("{open} braces and brackets") }
}

fn bad_number(span: Range<usize>) -> Found {
    let finding = Diagnosis::error(&codes::BAD_NUMBER, "a number is not written as JSON wants it")
        .cause("numbers are decimal, without a leading zero or plus")
        .fix("write it as 25, -1, 0.5 or 1e3, or put it in double quotes");
    Found { finding, span, repair: Repair::None }
}

/// How long the key is that `text` begins with, quoted or not; `None` when it begins with something else.
fn key_length(text: &str) -> Option<usize> {
    let Some(rest) = text.strip_prefix('"') else {
        let length = text.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-')).unwrap_or(text.len());
        return (length > 0).then_some(length);
    };
    let mut escaped = false;
    let end = rest.bytes().position(|byte| {
        let found = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        found
    })?;
    Some(end + 2)
}
