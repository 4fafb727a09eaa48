//! The grammar of connection strings: one pass, no recursion, every position kept.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use credstore_protocol::Identifier;
use zeroize::Zeroizing;

use super::error::{ConnectionStringError, Mistake};
use super::{ConnectionString, LENGTH_MAX, PREFIX, ParsedPair, quote};
use crate::diagnosis::Place;
use crate::nearest::nearest;
use crate::position::{Cursor, line_and_column};

/// A mistake at a byte range of the text that is being looked at.
type Found = (Mistake, Range<usize>);

pub(super) fn parse(text: &str) -> Result<ConnectionString, ConnectionStringError> {
    let at = |(mistake, span): Found| {
        let (line, column) = line_and_column(text, span.start);
        ConnectionStringError { mistake, span, line, column }
    };
    if text.len() > LENGTH_MAX {
        return Err(at((Mistake::TooLong, 0..0)));
    }
    if let Some(nul) = text.find('\0') {
        return Err(at((Mistake::Nul, nul..nul + 1)));
    }
    let body = body(text).map_err(at)?;
    let offset = body.start;
    let inner = &text[body];
    let shifted = |(mistake, span): Found| at((mistake, span.start + offset..span.end + offset));
    let pairs = pairs(inner).map_err(shifted)?;
    refuse_twice(inner, &pairs).map_err(shifted)?;
    let mut cursor = Cursor::of(text);
    let places = pairs
        .iter()
        .filter(|pair| pair.reference.is_some())
        .map(|pair| {
            let span = pair.value.start + offset..pair.value.end + offset;
            let (line, column) = cursor.advance(span.start);
            Place { line: Some(line), column: Some(column), span: Some(span), ..Place::default() }
        })
        .collect();
    Ok(ConnectionString { text: Zeroizing::new(inner.to_owned()), offset, places, pairs })
}

/// What ODBC and people take as a blank around keywords and values.
fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

fn is_typographic(c: char) -> bool {
    matches!(c, '\u{2018}'..='\u{201F}' | '\u{00AB}' | '\u{00BB}' | '\u{2039}' | '\u{203A}' | '\u{00B4}' | '`')
}

/// The range without the quotes around the whole. Blanks inside the quotes stay; without quotes, all stays.
fn body(text: &str) -> Result<Range<usize>, Found> {
    let trimmed = text.trim_matches(is_blank);
    let start = text.len() - text.trim_start_matches(is_blank).len();
    let end = start + trimmed.len();
    let (first, last) = (trimmed.chars().next(), trimmed.chars().next_back());
    if let Some(c) = first.filter(|c| is_typographic(*c)) {
        return Err((Mistake::TypographicQuote(c), start..start + c.len_utf8()));
    }
    match (first, last) {
        (Some('\''), Some(c)) if is_typographic(c) => Err((Mistake::TypographicQuote(c), end - c.len_utf8()..end)),
        (Some('\''), Some('\'')) if trimmed.len() >= 2 => Ok(start + 1..end - 1),
        (Some('\''), _) => Err((Mistake::QuoteOutOfPlace, start..start + 1)),
        _ => Ok(0..text.len()),
    }
}

/// Narrows a range of `text` by the blanks at its ends.
fn trimmed(text: &str, range: Range<usize>) -> Range<usize> {
    let part = &text[range.clone()];
    let start = range.end - part.trim_start_matches(is_blank).len();
    start..(range.start + part.trim_end_matches(is_blank).len()).max(start)
}

fn pairs(text: &str) -> Result<Vec<ParsedPair>, Found> {
    let mut pairs = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let stop = text[at..].find(['=', ';']).map_or(text.len(), |found| at + found);
        let keyword = trimmed(text, at..stop);
        if text[stop..].starts_with('=') {
            if keyword.is_empty() {
                return Err((Mistake::KeywordEmpty, stop..stop + 1));
            }
            refuse_quotes(text, keyword.clone())?;
            let (value, braced, next) = value(text, stop + 1)?;
            let reference = reference(text, &keyword, &value, braced)?;
            pairs.push(ParsedPair { keyword, value, braced, reference });
            at = next;
        } else if keyword.is_empty() {
            at = stop + 1;
        } else {
            return Err((Mistake::EqualsMissing, keyword));
        }
    }
    Ok(pairs)
}

/// The value that begins after `=`: its range with braces, whether it has braces, and where the next pair begins.
fn value(text: &str, from: usize) -> Result<(Range<usize>, bool, usize), Found> {
    let start = from + (text[from..].len() - text[from..].trim_start_matches(is_blank).len());
    if !text[start..].starts_with('{') {
        let stop = text[from..].find(';').map_or(text.len(), |found| from + found);
        return Ok((trimmed(text, from..stop), false, stop + 1));
    }
    let end = closing_brace(text, start).ok_or((Mistake::BraceNotClosed, start..start + 1))?;
    let stop = text[end..].find(';').map_or(text.len(), |found| end + found);
    let rest = trimmed(text, end..stop);
    if !rest.is_empty() {
        return Err((Mistake::TextAfterBrace, rest));
    }
    Ok((start..end, true, stop + 1))
}

/// Where the value in braces ends, the closing brace included. A doubled brace is part of the value.
fn closing_brace(text: &str, open: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = open + 1;
    while at < bytes.len() {
        if bytes[at] == b'}' {
            if bytes.get(at + 1) != Some(&b'}') {
                return Some(at + 1);
            }
            at += 1;
        }
        at += 1;
    }
    None
}

fn refuse_quotes(text: &str, keyword: Range<usize>) -> Result<(), Found> {
    let found = text[keyword.clone()].char_indices().find(|(_, c)| is_typographic(*c) || matches!(c, '\'' | '"'));
    match found {
        Some((at, c)) => {
            let start = keyword.start + at;
            let mistake = if is_typographic(c) { Mistake::TypographicQuote(c) } else { Mistake::QuoteOutOfPlace };
            Err((mistake, start..start + c.len_utf8()))
        }
        None => Ok(()),
    }
}

/// Whether the pair is a reference; if so, its identifier and where the driver's keyword begins.
fn reference(
    text: &str,
    keyword: &Range<usize>,
    value: &Range<usize>,
    braced: bool,
) -> Result<Option<(Identifier, usize)>, Found> {
    let written = &text[keyword.clone()];
    let has_prefix = |text: &str| text.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX));
    if !has_prefix(written) {
        return match misspelt(written) {
            Some(meant) => Err((Mistake::PrefixMisspelt { written: written.to_owned(), meant }, keyword.clone())),
            None => Ok(None),
        };
    }
    let keyword_at = keyword.start + PREFIX.len();
    let driver_keyword = text[keyword_at..keyword.end].to_owned();
    if driver_keyword.trim_start_matches(is_blank).is_empty() {
        return Err((Mistake::PrefixWithoutKeyword, keyword.clone()));
    }
    if driver_keyword.starts_with(is_blank) {
        let meant = format!("{PREFIX}{}", driver_keyword.trim_start_matches(is_blank));
        return Err((Mistake::PrefixMisspelt { written: written.to_owned(), meant }, keyword.clone()));
    }
    // The prefix twice, or once more and misspelt: what the driver got would be a reference again.
    let again = has_prefix(&driver_keyword).then(|| driver_keyword.clone()).or_else(|| misspelt(&driver_keyword));
    if let Some(meant) = again {
        return Err((Mistake::PrefixMisspelt { written: written.to_owned(), meant }, keyword.clone()));
    }
    let inner = &text[value.clone()];
    let inner = if braced { quote::without_braces(inner) } else { inner.to_owned() };
    if inner.is_empty() {
        return Err((Mistake::IdentifierEmpty { keyword: driver_keyword }, value.clone()));
    }
    for (at, c) in [inner.char_indices().next(), inner.char_indices().next_back()].into_iter().flatten() {
        if is_typographic(c) {
            let start = value.start + usize::from(braced) + at;
            let start = if text.is_char_boundary(start) { start } else { value.start };
            return Err((Mistake::TypographicQuote(c), start..value.end));
        }
    }
    match inner.parse() {
        Ok(identifier) => Ok(Some((identifier, keyword_at))),
        Err(reason) => Err((Mistake::IdentifierInvalid { keyword: driver_keyword, reason }, value.clone())),
    }
}

/// What a keyword that looks like a reference but is none was probably meant to be.
fn misspelt(written: &str) -> Option<String> {
    const NAME: &str = "mvcredential";
    let letters = |text: &str| -> String { text.chars().filter(char::is_ascii_alphanumeric).collect() };
    let (head, tail) = written.rsplit_once(['-', '_', '.', ' ']).unwrap_or((written, ""));
    let head = letters(head).to_ascii_lowercase();
    if nearest(&head, [NAME, "credential"]).is_some() && !tail.is_empty() {
        return Some(format!("{PREFIX}{tail}"));
    }
    let whole = letters(written);
    let lower = whole.to_ascii_lowercase();
    let after = lower.find(NAME).map(|at| at + NAME.len())?;
    let tail = &whole[after..];
    let tail = tail.strip_prefix('s').filter(|rest| !rest.starts_with(|c: char| c.is_lowercase())).unwrap_or(tail);
    Some(format!("{PREFIX}{}", if tail.is_empty() { "Pass" } else { tail }))
}

/// Refuses the same keyword as a reference and in plain text, or as two references.
fn refuse_twice(text: &str, pairs: &[ParsedPair]) -> Result<(), Found> {
    let lower = |range: Range<usize>| text[range].to_ascii_lowercase();
    let mut plain = HashMap::new();
    for pair in pairs.iter().filter(|pair| pair.reference.is_none()) {
        plain.entry(lower(pair.keyword.clone())).or_insert_with(|| pair.keyword.clone());
    }
    let mut seen = HashSet::new();
    for pair in pairs {
        let Some(keyword_at) = pair.reference.as_ref().map(|(_, at)| *at) else { continue };
        let reference = || text[pair.keyword.clone()].to_owned();
        let keyword = lower(keyword_at..pair.keyword.end);
        if let Some(range) = plain.get(&keyword) {
            let mistake = Mistake::KeywordTwice { keyword: text[range.clone()].to_owned(), reference: reference() };
            return Err((mistake, range.clone()));
        }
        if !seen.insert(keyword) {
            return Err((Mistake::ReferenceTwice { reference: reference() }, pair.keyword.clone()));
        }
    }
    Ok(())
}
