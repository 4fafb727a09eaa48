//! A text with repairs made in memory, which knows where everything stood before.

use std::ops::Range;
use std::path::{Path, PathBuf};

use jsonc_parser::ast::Value;
use jsonc_parser::errors::ParseError;
use jsonc_parser::{CollectOptions, ParseOptions, ParseResult, parse_to_ast};
use zeroize::Zeroizing;

use crate::diagnosis::Place;
use crate::position::Positions;

/// Every leniency of jsonc-parser, which is lenient by default, is off.
const STRICT: ParseOptions = ParseOptions {
    allow_comments: false,
    allow_loose_object_property_names: false,
    allow_trailing_commas: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// A text with repairs. Ranges that are given to it are ranges of the repaired text.
pub(crate) struct Repaired<'a> {
    original: &'a str,
    positions: Positions<'a>,
    file: PathBuf,
    /// Replacements in the original, in its order, not overlapping.
    edits: Vec<(Range<usize>, String)>,
    /// The original with the edits. It may hold passwords.
    text: Zeroizing<String>,
}

impl<'a> Repaired<'a> {
    /// A text without repairs.
    pub(crate) fn of(original: &'a str, file: &Path) -> Self {
        let text = Zeroizing::new(original.to_owned());
        Self { original, positions: Positions::of(original), file: file.to_owned(), edits: Vec::new(), text }
    }

    /// The repaired text.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Makes repairs, each a range of the text as it is now, in its order and not overlapping. False when one of
    /// them falls into an earlier repair, and so has no range of its own in the original: it is not made.
    pub(crate) fn apply(&mut self, repairs: Vec<(Range<usize>, String)>) -> bool {
        for (range, text) in repairs.into_iter().rev() {
            let span = self.original_span(range);
            if !self.is_free(&span) {
                return false;
            }
            let at = self.edits.partition_point(|(edit, _)| (edit.start, edit.end) <= (span.start, span.end));
            self.edits.insert(at, (span, text));
        }
        let mut text = Zeroizing::new(String::with_capacity(self.original.len() + 2 * self.edits.len()));
        let mut copied = 0;
        for (span, replacement) in &self.edits {
            text.push_str(self.original.get(copied..span.start).unwrap_or_default());
            text.push_str(replacement);
            copied = copied.max(span.end);
        }
        text.push_str(&self.original[copied..]);
        self.text = text;
        true
    }

    /// Whether a range of the original is whole characters that no repair has touched.
    fn is_free(&self, span: &Range<usize>) -> bool {
        let whole = self.original.is_char_boundary(span.start) && self.original.is_char_boundary(span.end);
        whole && self.edits.iter().all(|(edit, _)| span.end <= edit.start || edit.end <= span.start)
    }

    /// The range of the original that became `range`. An empty range stays at the end of what stands before it.
    pub(crate) fn original_span(&self, range: Range<usize>) -> Range<usize> {
        let end = self.original_offset(range.end, false);
        if range.is_empty() {
            return end..end;
        }
        let start = self.original_offset(range.start, true);
        start..end.max(start)
    }

    /// Where an offset of the repaired text stood. At the seam of an edit: after it when `after`, else before it.
    fn original_offset(&self, at: usize, after: bool) -> usize {
        let mut original = 0;
        let mut repaired = 0;
        for (span, text) in &self.edits {
            let begins = repaired + (span.start - original);
            let ends = begins + text.len();
            let before_edit = if after { at < begins } else { at <= begins };
            if before_edit {
                break;
            }
            if at < ends || (at == ends && !after && !text.is_empty()) {
                return if after { span.start } else { span.end };
            }
            (original, repaired) = (span.end, ends);
        }
        (original + (at - repaired)).min(self.original.len())
    }

    /// The place of a range, in the original text.
    pub(crate) fn place(&self, range: Range<usize>, pointer: Option<String>) -> Place {
        let span = self.original_span(range);
        let (line, column) = self.positions.at(span.start);
        Place {
            file: Some(self.file.clone()),
            line: Some(line),
            column: Some(column),
            pointer,
            words: None,
            span: Some(span),
        }
    }

    /// Lets jsonc-parser read the repaired text.
    pub(super) fn attempt(&self) -> Result<ParseResult<'_>, ParseError> {
        parse_to_ast(&self.text, &CollectOptions::default(), &STRICT)
    }

    /// The root value, once the text is valid. `None` for an empty text.
    pub(crate) fn parse(&self) -> Option<Value<'_>> {
        self.attempt().ok().and_then(|result| result.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repaired_range_is_found_again_in_the_original() {
        let mut repaired = Repaired::of("abc //x\ndef", Path::new("f"));
        assert!(repaired.apply(vec![(3..7, String::new())]));
        assert_eq!(repaired.text(), "abc\ndef");
        assert_eq!(repaired.original_span(3..3), 3..3, "an insertion goes right after abc, before the comment");
        assert_eq!(repaired.original_span(4..7), 8..11);
        assert!(repaired.apply(vec![(3..3, ",".to_owned())]));
        assert_eq!(repaired.text(), "abc,\ndef");
        assert_eq!(repaired.original_span(5..8), 8..11);
        assert_eq!(repaired.original_span(0..3), 0..3);
    }

    #[test]
    fn a_replaced_text_stands_where_it_stood() {
        let mut repaired = Repaired::of("{'a': <b>}", Path::new("f"));
        assert!(repaired.apply(vec![(1..4, "\"a\"".to_owned()), (6..9, "\"<b>\"".to_owned())]));
        assert_eq!(repaired.text(), "{\"a\": \"<b>\"}");
        assert_eq!(repaired.original_span(1..4), 1..4);
        assert_eq!(repaired.original_span(6..11), 6..9);
        assert_eq!(repaired.original_span(11..12), 9..10);
        assert!(repaired.apply(vec![(11..11, ",".to_owned())]));
        assert_eq!(repaired.text(), "{\"a\": \"<b>\",}");
    }
}
