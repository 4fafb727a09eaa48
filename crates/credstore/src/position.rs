//! Line and column of a byte offset, as editors count them.

/// Line and column of byte `at` in `text`, both from 1. A column is a character; a byte order mark in front of the
/// text is none. Lines end with LF or CR LF.
pub(crate) fn line_and_column(text: &str, at: usize) -> (u32, u32) {
    let before = &text[..text.floor_char_boundary(at)];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = 1 + before.bytes().filter(|byte| *byte == b'\n').count();
    let column = 1 + before[line_start..].chars().filter(|c| *c != '\u{FEFF}').count();
    (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
}

/// Line and column of any place, without going through the whole text for each.
pub(crate) struct Positions<'a> {
    text: &'a str,
    /// Byte, line and column of a place every [`BETWEEN_MARKS`] bytes or so.
    marks: Vec<(usize, u32, u32)>,
}

/// Ours: a step of this length is no work, and a mark each is no memory.
const BETWEEN_MARKS: usize = 1024;

impl<'a> Positions<'a> {
    /// Goes through `text` once.
    pub(crate) fn of(text: &'a str) -> Self {
        let mut cursor = Cursor::of(text);
        let mut marks = vec![(0, 1, 1)];
        while cursor.at + BETWEEN_MARKS < text.len() {
            let (line, column) = cursor.advance(text.ceil_char_boundary(cursor.at + BETWEEN_MARKS));
            marks.push((cursor.at, line, column));
        }
        Self { text, marks }
    }

    /// As [`line_and_column`].
    pub(crate) fn at(&self, at: usize) -> (u32, u32) {
        let at = self.text.floor_char_boundary(at);
        let mark = self.marks.partition_point(|(mark, ..)| *mark <= at).saturating_sub(1);
        let (from, line, column) = self.marks[mark];
        Cursor { text: self.text, at: from, line, column }.advance(at)
    }
}

/// Line and column of many places in one pass over the text.
pub(crate) struct Cursor<'a> {
    text: &'a str,
    at: usize,
    line: u32,
    column: u32,
}

impl<'a> Cursor<'a> {
    /// A cursor at the beginning of `text`.
    pub(crate) fn of(text: &'a str) -> Self {
        Self { text, at: 0, line: 1, column: 1 }
    }

    /// Line and column of byte `to`, which is a boundary of characters and not before the one asked for last.
    pub(crate) fn advance(&mut self, to: usize) -> (u32, u32) {
        for c in self.text.get(self.at..to).unwrap_or_default().chars() {
            match c {
                '\n' => (self.line, self.column) = (self.line.saturating_add(1), 1),
                '\u{FEFF}' => {}
                _ => self.column = self.column.saturating_add(1),
            }
        }
        self.at = self.at.max(to);
        (self.line, self.column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_characters_and_both_line_ends_count_once() {
        assert_eq!(line_and_column("", 0), (1, 1));
        assert_eq!(line_and_column("ab\ncd", 4), (2, 2));
        assert_eq!(line_and_column("ab\r\ncd", 5), (2, 2));
        assert_eq!(line_and_column("grün x", "grün ".len()), (1, 6));
        assert_eq!(line_and_column("\u{FEFF}{", 3), (1, 1));
        assert_eq!(line_and_column("ab", 99), (1, 3));
    }

    #[test]
    fn positions_are_those_of_a_whole_pass_at_every_byte_and_past_the_end() {
        let lines = "\u{FEFF}gr\u{fc}n \u{1F511}\r\n".repeat(2 * BETWEEN_MARKS / 15);
        let long = "\u{fc}".repeat(BETWEEN_MARKS);
        for text in ["", "x", lines.as_str(), long.as_str(), &format!("{long}\n{lines}")] {
            let positions = Positions::of(text);
            for at in 0..text.len() + 2 {
                assert_eq!(positions.at(at), line_and_column(text, at), "byte {at} of {}", text.len());
            }
        }
    }

    #[test]
    fn a_cursor_gives_the_same_positions() {
        let text = "\u{FEFF}gr\u{fc}n\r\n x\n\nend";
        let mut cursor = Cursor::of(text);
        for (at, _) in text.char_indices() {
            assert_eq!(cursor.advance(at), line_and_column(text, at), "{at}");
        }
    }
}
