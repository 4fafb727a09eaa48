//! Values in the syntax they enter, so that a secret can never add a keyword.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use zeroize::Zeroizing;

/// How a value is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// In braces, with `}` doubled, unless the value consists of `A-Z a-z 0-9 _ . -` only.
    ///
    /// Not only where the ODBC grammar demands it: psqlODBC percent-decodes values without braces, and `+` too.
    #[default]
    Odbc,
    /// Percent-encoded UTF-8: every byte but the unreserved characters `A-Z a-z 0-9 - . _ ~` becomes `%XX`. For
    /// drivers that take a value as a part of a URI.
    ///
    /// Source: RFC 3986 sections 2.1 and 2.3.
    Uri,
}

/// Source: RFC 3986 section 2.3, the characters that are not "unreserved".
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// `value` as it is written after the equals sign. It allocates once, so that no unwiped copy is left.
pub(super) fn quoted(style: Style, value: &str) -> Zeroizing<String> {
    match style {
        Style::Odbc if is_safe(value) => Zeroizing::new(value.to_owned()),
        Style::Odbc => {
            let doubled = value.bytes().filter(|byte| *byte == b'}').count();
            let mut out = Zeroizing::new(String::with_capacity(value.len() + doubled + 2));
            out.push('{');
            for character in value.chars() {
                out.push(character);
                if character == '}' {
                    out.push('}');
                }
            }
            out.push('}');
            out
        }
        Style::Uri => {
            let mut out = Zeroizing::new(String::with_capacity(value.len() * 3));
            out.extend(utf8_percent_encode(value, RESERVED));
            out
        }
    }
}

/// Whether a value means the same with and without braces, for every driver.
fn is_safe(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
}

/// The value of `{…}`; `written` has both braces.
pub(super) fn without_braces(written: &str) -> String {
    let inner = written.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(written);
    let mut out = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        out.push(character);
        if character == '}' {
            // The second of a doubled brace; the parser has checked that it is there.
            characters.next();
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_letters_digits_and_three_signs_stay_without_braces() {
        for (value, written) in [
            ("Tr0ub4dor_3.x-y", "Tr0ub4dor_3.x-y"),
            ("p;w}d=1", "{p;w}}d=1}"),
            ("a%3Bb+c", "{a%3Bb+c}"),
            ("{abc", "{{abc}"),
            ("}", "{}}}"),
            (" a ", "{ a }"),
            ("grün", "{grün}"),
            ("a'b\"c", "{a'b\"c}"),
        ] {
            assert_eq!(quoted(Style::Odbc, value).as_str(), written);
            assert_eq!(without_braces(&format!("{{{}}}", value.replace('}', "}}"))), value);
        }
    }

    #[test]
    fn the_uri_style_encodes_all_but_the_unreserved_characters() {
        assert_eq!(quoted(Style::Uri, "aZ0-._~").as_str(), "aZ0-._~");
        assert_eq!(quoted(Style::Uri, "p;w@d/1 %ü").as_str(), "p%3Bw%40d%2F1%20%25%C3%BC");
    }
}
