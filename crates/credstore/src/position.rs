//! Line and column of a byte offset, as editors count them.

/// Line and column of byte `at` in `text`, both from 1. A column is a character; a byte order mark in front of the
/// text is none. Lines end with LF or CR LF.
pub(crate) fn line_and_column(text: &str, at: usize) -> (u32, u32) {
    let at = (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let before = &text[..at];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = 1 + before.bytes().filter(|byte| *byte == b'\n').count();
    let column = 1 + before[line_start..].chars().filter(|c| *c != '\u{FEFF}').count();
    (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
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
}
