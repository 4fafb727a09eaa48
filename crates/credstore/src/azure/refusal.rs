//! What a refusal says, and how much of it may be shown.
//!
//! Code, inner code and text of an error come from whoever answered, perhaps a proxy. The code is always kept. The
//! text is repeated where it can be nothing but a vault's own short sentence, and never where it repeats the value
//! that was sent. What the answer means is decided elsewhere.

use credstore_protocol::Secret;
use credstore_protocol::key_vault::ErrorBody;

use super::error::Service;

/// Most characters of a text that is shown. Ours; the vault's longest text that tells more than our own has 223.
const WORDS_MAX: usize = 300;

/// Longest code. Ours; the longest that is known has 29 characters.
const CODE_MAX: usize = 64;

/// So many characters of a value, one after another, tell of it. A shorter text is compared as a whole. Ours.
const TELLING: usize = 6;

/// Codes of a vault whose text is its own. Source: contract section 5, and the codes of the embedded vault.
const VAULT_CODES: &[&str] = &[
    "BadParameter",
    "Malformed backup blob",
    "Unauthorized",
    "Forbidden",
    "NotFound",
    "SecretNotFound",
    "KeyNotFound",
    "CertificateNotFound",
    "PendingCertificateNotFound",
    "CertificateIssuerNotFound",
    "ContactsNotFound",
    "VaultNotFound",
    "MethodNotAllowed",
    "RequestTimeout",
    "RequestEntityTooLarge",
    "Conflict",
    "Throttled",
    "InternalServerError",
    "ServiceUnavailable",
];

/// A refusal as it was read.
pub(super) struct Refusal {
    /// `error.code`; empty when it is none.
    pub(super) code: String,
    /// `error.innererror.code`; empty when there is none.
    pub(super) inner: String,
    /// `error.message` as it came, to decide by. It is not shown.
    pub(super) text: String,
    /// What is shown of it.
    pub(super) words: String,
}

impl Refusal {
    /// Reads the body of an answer of `service`. `sent` is the value that the request carried.
    pub(super) fn read(body: &[u8], service: Service, sent: Option<&Secret>) -> Self {
        let Ok(ErrorBody { error }) = serde_json::from_slice(body) else {
            let words = "the answer says no more".to_owned();
            return Self { code: String::new(), inner: String::new(), text: String::new(), words };
        };
        let code = code(&error.code, sent);
        let inner = error.innererror.map_or_else(String::new, |inner| self::code(&inner.code, sent));
        let known = match service {
            Service::Vault => VAULT_CODES.iter().any(|known| known.eq_ignore_ascii_case(&code)),
            // They have hundreds of codes, and no request to them carries a value.
            Service::ResourceManager | Service::Graph => true,
        };
        let words = match error.message.trim() {
            "" => "the answer says no more".to_owned(),
            words if known && is_short_line(words) && !tells(words, sent) => words.to_owned(),
            _ => "its words are not shown".to_owned(),
        };
        Self { code, inner, text: error.message, words }
    }
}

/// `text` if it has the form of a code, else nothing: then the status stands for it.
fn code(text: &str, sent: Option<&Secret>) -> String {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b" _-.".contains(&b);
    let is_code = text.len() <= CODE_MAX && text.bytes().all(fits) && !tells(text, sent);
    if is_code { text.to_owned() } else { String::new() }
}

fn is_short_line(text: &str) -> bool {
    let turns_around =
        |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().nth(WORDS_MAX).is_none()
        && !text.chars().any(|c| c.is_control() || turns_around(c) || matches!(c, '\u{2028}' | '\u{2029}'))
}

/// Whether `text` repeats the value that was sent, or a piece of it.
fn tells(text: &str, sent: Option<&Secret>) -> bool {
    let Some(value) = sent.map(Secret::expose_secret).filter(|value| !value.is_empty() && !text.is_empty()) else {
        return false;
    };
    let starts: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    let pieces = starts.len().saturating_sub(TELLING).max(1);
    let is_piece = |from: usize| {
        let until = starts.get(from + TELLING).copied().unwrap_or(text.len());
        value.contains(&text[starts[from]..until])
    };
    text.contains(value) || (0..pieces).any(is_piece)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(code: &str, message: &str, sent: Option<&str>) -> Refusal {
        let body = serde_json::json!({"error": {"code": code, "message": message}}).to_string();
        let sent = sent.map(|value| Secret::from(value.to_owned()));
        Refusal::read(body.as_bytes(), Service::Vault, sent.as_ref())
    }

    const HIDDEN: &str = "its words are not shown";

    #[test]
    fn a_short_sentence_of_a_known_code_is_repeated() {
        // Contract section 5; the first one ends with CR LF.
        for text in ["Property policy.x509_props has invalid value. Invalid X.500 distinguished name", "x"] {
            assert_eq!(read("BadParameter", &format!("{text}\r\n"), None).words, text);
            assert_eq!(read("badparameter", text, Some("s3cret-value")).words, text);
        }
        assert_eq!(read("BadParameter", &"x".repeat(WORDS_MAX), None).words.len(), WORDS_MAX);
    }

    #[test]
    fn a_text_that_could_be_anything_is_not() {
        for (code, text) in [
            ("Unheard", "of".to_owned()),
            ("", "of".to_owned()),
            ("BadParameter", "x".repeat(WORDS_MAX + 1)),
            ("BadParameter", "two\r\nlines".to_owned()),
            ("BadParameter", "\u{1b}[2J".to_owned()),
            ("BadParameter", "a\u{202e}b".to_owned()),
            ("BadParameter", "a\u{2028}b".to_owned()),
        ] {
            assert_eq!(read(code, &text, None).words, HIDDEN, "{code} {text:?}");
        }
        assert_eq!(read("BadParameter", " \r\n", None).words, "the answer says no more");
        for body in ["", "<html>", "[]", r#"{"error":"no"}"#] {
            let refusal = Refusal::read(body.as_bytes(), Service::Vault, None);
            assert_eq!((refusal.code.as_str(), refusal.words.as_str()), ("", "the answer says no more"), "{body}");
        }
    }

    #[test]
    fn the_value_that_was_sent_is_not_repeated_whole_or_in_part() {
        for (value, text) in [
            ("s3cret", "invalid value s3cret"),
            ("s3cr;et&pass", "invalid: t&pass"),
            ("pässwörter", "invalid: sswört"),
            ("ab", "drab"),
            ("a long value", "a lo"),
        ] {
            assert_eq!(read("BadParameter", text, Some(value)).words, HIDDEN, "{value} {text}");
        }
        for (value, text) in [("s3cret-value", "xs3cre"), ("s3cret", "a short name"), ("", "a name")] {
            assert_eq!(read("BadParameter", text, Some(value)).words, text, "{value}");
        }
    }

    #[test]
    fn a_code_has_the_form_of_one() {
        let longest = "x".repeat(CODE_MAX);
        for good in ["Malformed backup blob", "Request_BadRequest", longest.as_str()] {
            assert_eq!(read(good, "m", None).code, good);
        }
        for bad in ["a\nb", "a;b", "ä", &"x".repeat(CODE_MAX + 1)] {
            assert_eq!(read(bad, "m", None).code, "", "{bad:?}");
        }
        assert_eq!(read("s3cret-value", "m", Some("s3cret-value")).code, "");
    }
}
