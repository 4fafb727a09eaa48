//! A Rust file as the rules need it: with comments and literals blanked out, its test code marked, its functions measured.
//!
//! This is a scanner, not a parser: it knows comments, literals and braces. That is enough for sizes and forbidden words,
//! and needs no dependency.

/// One function with a body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) name: String,
    /// 1 is the first line.
    pub(crate) line: usize,
    /// From `fn` to the closing brace, both included.
    pub(crate) lines: usize,
}

/// A file's text, seen three ways.
pub(crate) struct RustSource {
    /// The text with every comment and the inside of every literal replaced by blanks; line ends are kept.
    pub(crate) code: String,
    /// For each line: is it test code?
    in_test: Vec<bool>,
}

impl RustSource {
    /// Reads a file's text. `all_test` says that the file is test code by its place.
    pub(crate) fn new(text: &str, all_test: bool) -> Self {
        let code = blanked(text);
        let mut in_test = vec![all_test; code.lines().count()];
        for (begin, end) in test_items(&code) {
            in_test[begin..=end].fill(true);
        }
        Self { code, in_test }
    }

    /// Number of lines with code outside tests: no blank lines, no lines of comment only.
    pub(crate) fn production_lines(&self) -> usize {
        self.production().filter(|(_, line)| !line.trim().is_empty()).count()
    }

    /// Number of lines with code in tests.
    pub(crate) fn test_lines(&self) -> usize {
        self.code.lines().zip(&self.in_test).filter(|(line, test)| **test && !line.trim().is_empty()).count()
    }

    /// The lines outside tests, each with its number.
    pub(crate) fn production(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code.lines().enumerate().filter(|(at, _)| !self.in_test[*at]).map(|(at, line)| (at + 1, line))
    }

    /// The functions with a body outside tests.
    pub(crate) fn functions(&self) -> Vec<Function> {
        let mut found = Vec::new();
        for (at, _) in self.code.match_indices("fn ") {
            if !starts_word(&self.code, at) {
                continue;
            }
            let line = line_of(&self.code, at);
            let name: String = self.code[at + 3..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if name.is_empty() || self.in_test[line] {
                continue;
            }
            if let Some(open) = body_of(&self.code, at) {
                let end = line_of(&self.code, closing(&self.code, open));
                found.push(Function { name, line: line + 1, lines: end - line + 1 });
            }
        }
        found
    }
}

/// Is the byte at `at` the first of a word?
pub(crate) fn starts_word(text: &str, at: usize) -> bool {
    !text[..at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_')
}

fn line_of(text: &str, at: usize) -> usize {
    text[..at].bytes().filter(|byte| *byte == b'\n').count()
}

/// Where the body of the item at `at` opens; `None` when a semicolon ends it first.
fn body_of(code: &str, at: usize) -> Option<usize> {
    let mut depth = 0;
    for (offset, byte) in code[at..].bytes().enumerate() {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth -= 1,
            b'{' if depth == 0 => return Some(at + offset),
            b';' if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

/// Where the brace at `open` closes; the end of the text when it does not.
fn closing(code: &str, open: usize) -> usize {
    let mut depth = 0;
    for (offset, byte) in code[open..].bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => {
                depth -= 1;
                if depth == 0 {
                    return open + offset;
                }
            }
            _ => {}
        }
    }
    code.len().saturating_sub(1)
}

/// First and last line of every item under `#[cfg(test)]`.
fn test_items(code: &str) -> Vec<(usize, usize)> {
    let mut items = Vec::new();
    for (at, mark) in code.match_indices("#[cfg(test)]") {
        let after = at + mark.len();
        let end = match body_of(code, after) {
            Some(open) => closing(code, open),
            None => after + code[after..].find(';').unwrap_or(0),
        };
        items.push((line_of(code, at), line_of(code, end)));
    }
    items
}

/// The text without comments and without the inside of literals.
fn blanked(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let end = at + token_length(text, at);
        if end - at > 1 {
            out.extend(bytes[at..end].iter().map(|byte| if *byte == b'\n' { b'\n' } else { b' ' }));
        } else {
            out.push(if bytes[at].is_ascii() { bytes[at] } else { b' ' });
        }
        at = end;
    }
    String::from_utf8(out).unwrap_or_default()
}

/// Bytes of the comment or literal that begins at `at`; 1 when none does.
fn token_length(text: &str, at: usize) -> usize {
    let rest = &text.as_bytes()[at..];
    match rest[0] {
        b'/' if rest.starts_with(b"//") => rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len()),
        b'/' if rest.starts_with(b"/*") => block_comment(rest),
        b'"' => quoted(rest),
        b'r' | b'b' | b'c' if text.is_char_boundary(at) && starts_word(text, at) => raw_string(rest).unwrap_or(1),
        b'\'' => character(rest).unwrap_or(1),
        _ => 1,
    }
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

fn quoted(rest: &[u8]) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// `r"…"`, `r#"…"#`, `br"…"`, `b"…"`, `c"…"`; `None` when it is only a name that begins so.
fn raw_string(rest: &[u8]) -> Option<usize> {
    let prefix = rest.iter().take_while(|byte| matches!(byte, b'r' | b'b' | b'c')).count();
    if prefix > 2 {
        return None;
    }
    let raw = rest[..prefix].contains(&b'r');
    let hashes = rest[prefix..].iter().take_while(|byte| **byte == b'#').count();
    if rest.get(prefix + hashes) != Some(&b'"') || (hashes > 0 && !raw) {
        return None;
    }
    if !raw {
        return Some(prefix + quoted(&rest[prefix..]));
    }
    let closing: Vec<u8> = std::iter::once(b'"').chain(std::iter::repeat_n(b'#', hashes)).collect();
    let body = prefix + hashes + 1;
    let end = rest[body..].windows(closing.len()).position(|window| window == closing);
    Some(end.map_or(rest.len(), |end| body + end + closing.len()))
}

/// A character literal; `None` for a lifetime.
fn character(rest: &[u8]) -> Option<usize> {
    if rest.get(1) == Some(&b'\\') {
        return rest.iter().skip(3).position(|byte| *byte == b'\'').map(|end| end + 4);
    }
    let text = std::str::from_utf8(&rest[1..rest.len().min(6)])
        .or_else(|error| std::str::from_utf8(&rest[1..1 + error.valid_up_to()]));
    let length = text.ok()?.chars().next()?.len_utf8();
    (rest.get(1 + length) == Some(&b'\'')).then_some(length + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blank_and_lines_stay() {
        let cases = [
            ("a // b\nc", "a     \nc"),
            ("a /* b /* c */ d */ e", "a                   e"),
            (r#"x("a\"b")"#, "x(      )"),
            ("x(r#\"a\"b\"#)", "x(        )"),
            ("'a' 'b: '\\'' '\\u{1}'", "    'b:             "),
            ("for r in b {}", "for r in b {}"),
            ("'ä' x", "     x"),
        ];
        for (text, expected) in cases {
            assert_eq!(blanked(text), expected, "{text}");
        }
    }

    #[test]
    fn test_items_do_not_count_as_production() {
        let text = "fn a() {\n}\n\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\n#[cfg(test)]\nuse x::{y};\nfn c() {}\n";
        let source = RustSource::new(text, false);
        assert_eq!(source.production_lines(), 3);
        assert_eq!(source.test_lines(), 6);
        let names: Vec<_> = source.functions().into_iter().map(|function| function.name).collect();
        assert_eq!(names, ["a", "c"]);
    }

    #[test]
    fn a_function_is_measured_from_its_name_to_its_brace() {
        let text =
            "trait T {\n    fn open(&self);\n}\n\nfn long(\n    a: [u8; 2],\n) -> u8 {\n    if a { 1 } else { 2 }\n}\n";
        let functions = RustSource::new(text, false).functions();
        assert_eq!(functions, [Function { name: "long".into(), line: 5, lines: 5 }]);
    }
}
