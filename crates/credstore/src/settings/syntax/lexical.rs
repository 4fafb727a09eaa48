//! Characters and texts: quotes of the wrong kind, comments, odd blanks, texts without an end, placeholders.

use std::ops::Range;

use zeroize::Zeroizing;

use super::{FINDINGS_MAX, Repaired};
use crate::Diagnosis;
use crate::codes::Code;
use crate::codes::settings as codes;
use crate::diagnosis::Edit;

/// Repairs what it can and reports everything. False when something could not be repaired.
pub(super) fn repair(repaired: &mut Repaired<'_>, findings: &mut Vec<Diagnosis>) -> bool {
    let text = Zeroizing::new(repaired.text().to_owned());
    let mut pass = Pass { text: &text, place: repaired, findings, repairs: Vec::new(), whole: true };
    let mut at = 0;
    while at < text.len() && pass.whole && pass.findings.len() < FINDINGS_MAX {
        at = pass.step(at);
    }
    let (repairs, whole) = (pass.repairs, pass.whole);
    repaired.apply(repairs) && whole && findings.len() < FINDINGS_MAX
}

struct Pass<'t, 'r> {
    text: &'t str,
    place: &'r Repaired<'r>,
    findings: &'r mut Vec<Diagnosis>,
    repairs: Vec<(Range<usize>, String)>,
    whole: bool,
}

fn is_typographic_double(c: char) -> bool {
    matches!(c, '\u{201C}'..='\u{201F}' | '\u{00AB}' | '\u{00BB}' | '\u{2033}' | '\u{FF02}')
}

fn is_typographic(c: char) -> bool {
    is_typographic_double(c) || matches!(c, '\u{2018}'..='\u{201B}' | '\u{2032}' | '\u{00B4}' | '`')
}

/// Characters that look like a blank or like nothing, and are no blanks for JSON.
fn is_odd_blank(c: char) -> bool {
    let json = matches!(c, ' ' | '\t' | '\r' | '\n');
    !json && (c.is_whitespace() || matches!(c, '\u{200B}'..='\u{200F}' | '\u{2060}' | '\u{FEFF}' | '\u{180E}'))
}

impl Pass<'_, '_> {
    /// Looks at what begins at `at` outside of any text, and gives where to go on.
    fn step(&mut self, at: usize) -> usize {
        let rest = &self.text[at..];
        let Some(first) = rest.chars().next() else { return self.text.len() };
        match first {
            '"' => self.string(at),
            '\'' => self.single_quoted(at),
            '<' => self.placeholder(at),
            '#' => self.comment(at, line_end(rest)),
            '/' if rest.starts_with("//") => self.comment(at, line_end(rest)),
            '/' if rest.starts_with("/*") => self.block_comment(at),
            '\u{FEFF}' if at == 0 => {
                let warning = Diagnosis::warning(&codes::BYTE_ORDER_MARK, "the file begins with a byte order mark")
                    .cause("other programs may refuse the file because of it")
                    .fix("save it as UTF-8 without BOM");
                self.certain(warning, 0..first.len_utf8(), String::new(), "remove the byte order mark");
                first.len_utf8()
            }
            c if is_odd_blank(c) => {
                let error = Diagnosis::error(&codes::ODD_BLANK, format!("a blank is U+{:04X}", u32::from(c)))
                    .cause("JSON allows space, tab and newline only; it was probably pasted from a web page");
                self.certain(error, at..at + c.len_utf8(), " ".to_owned(), "write a space here");
                at + c.len_utf8()
            }
            c if is_typographic(c) => self.typographic(at, c),
            c if c.is_control() && !matches!(c, '\t' | '\n' | '\r') => self.fatal(
                &codes::UNEXPECTED,
                "there is a control character",
                "remove it; perhaps this is not a text file",
                at..at + c.len_utf8(),
            ),
            c => at + c.len_utf8(),
        }
    }

    /// Reports a mistake whose repair is certain, and makes it in memory.
    fn certain(&mut self, finding: Diagnosis, span: Range<usize>, text: String, label: &str) {
        let place = self.place.place(span.clone(), None);
        let edit = Edit { span: span.clone(), text: text.clone(), label: label.to_owned() };
        self.findings.push(finding.at(place).edit(edit));
        self.repairs.push((span, text));
    }

    /// Reports a mistake that ends the looking.
    fn fatal(&mut self, code: &'static Code, message: &str, fix: &str, span: Range<usize>) -> usize {
        let place = self.place.place(span, None);
        self.findings.push(Diagnosis::error(code, message).fix(fix).at(place));
        self.whole = false;
        self.text.len()
    }

    /// A text in double quotes, which ends on its line.
    fn string(&mut self, open: usize) -> usize {
        let mut characters = self.text[open + 1..].char_indices();
        while let Some((offset, c)) = characters.next() {
            let at = open + 1 + offset;
            match c {
                '"' => return at + 1,
                '\n' | '\r' => break,
                '\\' => match self.text[at + 1..].chars().next() {
                    None | Some('\n' | '\r') => break,
                    Some(_) => {
                        characters.next();
                    }
                },
                c if c < ' ' => {
                    let escape = if c == '\t' { "\\t".to_owned() } else { format!("\\u{:04x}", u32::from(c)) };
                    let error = Diagnosis::error(&codes::CONTROL_CHARACTER, "a text holds a raw control character");
                    self.certain(error, at..at + 1, escape.clone(), &format!("write {escape} here"));
                }
                _ => {}
            }
        }
        self.not_closed(open)
    }

    /// A text whose closing quote is not on its line: perhaps that is there, but typographic.
    fn not_closed(&mut self, open: usize) -> usize {
        let end = open + line_end(&self.text[open..]);
        match self.closing(open + 1, end, is_typographic_double) {
            Some((at, c)) => {
                self.typographic_finding(at..at + c.len_utf8(), "\"".to_owned(), c);
                at + c.len_utf8()
            }
            None => self.fatal(
                &codes::STRING_NOT_CLOSED,
                "a text has no closing quote",
                "add \" at the end of the text; a quote inside it is written \\\"",
                open..open + 1,
            ),
        }
    }

    /// The first character of `text[from..end]` that `is_close` and after which a text may end.
    fn closing(&self, from: usize, end: usize, is_close: impl Fn(char) -> bool) -> Option<(usize, char)> {
        self.text[from..end].char_indices().map(|(offset, c)| (from + offset, c)).find(|(at, c)| {
            let after = || self.text[at + c.len_utf8()..end].trim_start();
            let may_end = |after: &str| after.is_empty() || after.starts_with([':', ',', '}', ']', '/']);
            is_close(*c) && may_end(after())
        })
    }

    fn typographic(&mut self, open: usize, quote: char) -> usize {
        let end = open + line_end(&self.text[open..]);
        let from = open + quote.len_utf8();
        match self.closing(from, end, |c| is_typographic(c) || c == '"') {
            Some((at, c)) => {
                let close = at + c.len_utf8();
                let straight = quoted(&self.text[from..at], '"');
                self.typographic_finding(open..close, straight, quote);
                close
            }
            None => self.fatal(
                &codes::TYPOGRAPHIC_QUOTES,
                "there is a typographic quote",
                "write straight quotes: \"",
                open..from,
            ),
        }
    }

    fn typographic_finding(&mut self, span: Range<usize>, text: String, quote: char) {
        let error = Diagnosis::error(&codes::TYPOGRAPHIC_QUOTES, format!("the quote {quote} is a typographic one"))
            .cause("it was probably pasted from a document or a web page");
        self.certain(error, span, text, "write straight quotes here");
    }

    fn single_quoted(&mut self, open: usize) -> usize {
        let end = open + line_end(&self.text[open..]);
        let mut escaped = false;
        let close = self.text[open + 1..end].char_indices().find(|(_, c)| {
            let found = *c == '\'' && !escaped;
            escaped = *c == '\\' && !escaped;
            found
        });
        match close {
            Some((offset, _)) => {
                let close = open + 1 + offset;
                let straight = quoted(&self.text[open + 1..close], '\'');
                let error = Diagnosis::error(&codes::SINGLE_QUOTES, "a text is in single quotes")
                    .cause("JSON knows double quotes only");
                self.certain(error, open..close + 1, straight, "write double quotes here");
                close + 1
            }
            None => self.fatal(
                &codes::SINGLE_QUOTES,
                "there is a single quote",
                "write texts in double quotes: \"",
                open..open + 1,
            ),
        }
    }

    fn comment(&mut self, at: usize, length: usize) -> usize {
        // The blanks in front go with it, so that no line is left with blanks at its end.
        let start = self.text[..at].trim_end_matches([' ', '\t']).len();
        let start = self.repairs.last().map_or(start, |(span, _)| start.max(span.end));
        let error = Diagnosis::error(&codes::COMMENT, "there is a comment")
            .cause("JSON has no comments; other programs refuse the file");
        let place = self.place.place(at..at + length, None);
        let edit = Edit { span: start..at + length, text: String::new(), label: "remove the comment".to_owned() };
        self.findings.push(error.at(place).edit(edit));
        self.repairs.push((start..at + length, String::new()));
        at + length
    }

    fn block_comment(&mut self, at: usize) -> usize {
        match self.text[at + 2..].find("*/") {
            Some(end) => self.comment(at, end + 4),
            None => self.fatal(&codes::COMMENT, "a comment has no end", "remove it", at..at + 2),
        }
    }

    /// `<Client ID>` without quotes, as the documentation prints it: read on as if it had quotes.
    fn placeholder(&mut self, at: usize) -> usize {
        let line = &self.text[at..at + line_end(&self.text[at..])];
        let end = line.find('>').filter(|end| !line[..*end].contains(['"', '\\', '\t']));
        let Some(end) = end else { return at + 1 };
        let span = at..at + end + 1;
        let error = Diagnosis::error(&codes::PLACEHOLDER_WITHOUT_QUOTES, "a placeholder is not filled in")
            .fix("write the real value there, in double quotes");
        self.findings.push(error.at(self.place.place(span.clone(), None)));
        self.repairs.push((span.clone(), format!("\"{}\"", &self.text[span.clone()])));
        span.end
    }
}

/// Bytes until the end of the line.
fn line_end(text: &str) -> usize {
    text.find(['\n', '\r']).unwrap_or(text.len())
}

/// `inner` in double quotes. It was in quotes `was`, which may be escaped in it.
fn quoted(inner: &str, was: char) -> String {
    let mut out = String::with_capacity(inner.len() + 2);
    out.push('"');
    let mut characters = inner.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '\\' if characters.peek() == Some(&was) && was == '\'' => {}
            '\\' => {
                out.push(c);
                out.extend(characters.next());
            }
            '"' => out.push_str("\\\""),
            '\t' => out.push_str("\\t"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
