//! Connection strings: find the references in them and put the passwords there.
//!
//! `DSN=P2P; User=pm_reader; mv-credential-Pass=SqlServerP2P;` becomes `…; Pass=…;`. Everything else stays byte for
//! byte. The grammar is in [`parse`], quoting of values in `quote`, mistakes in `error`. Passwords in plain text
//! may stand in a connection string, so its text is wiped when dropped and never printed by `Debug`.
//!
//! Source: product behaviour sections 3.2 and 6; ODBC `SQLDriverConnect`, "Connection String" (braces).

mod error;
mod parse;
mod quote;

use std::fmt;
use std::ops::Range;

use credstore_protocol::{Identifier, Secret};
use zeroize::Zeroizing;

use crate::Diagnosis;
use crate::codes::identifiers;
use crate::diagnosis::Place;
use crate::reference::{Form, Reference};

pub use error::{ConnectionStringError, ExpandError, Mistake};
pub use quote::Style;

/// The prefix that makes a keyword a reference. Compared without regard to capitals.
pub const PREFIX: &str = "mv-credential-";

/// The keyword that disables a connection string when its value is `False`.
pub const ENABLE_KEYWORD: &str = "mv-enable";

/// Longest connection string, in bytes. Ours: ODBC takes 32,767 characters; passwords put in may take more room than
/// that (25,600 bytes each, doubled by quoting), and what we write must be readable by ourselves.
pub const LENGTH_MAX: usize = 256 * 1024;

/// What stands for a value that must not be seen; always as long.
pub const MASK: &str = "********";

/// A connection string whose grammar is right and whose references are unambiguous.
pub struct ConnectionString {
    /// Without the quotes around it.
    text: Zeroizing<String>,
    /// Where `text` begins in what was given.
    offset: usize,
    /// Line and column of every reference in what was given, in the order of `pairs`.
    places: Vec<Place>,
    pairs: Vec<ParsedPair>,
}

/// One pair; ranges are in the text without the outer quotes.
struct ParsedPair {
    keyword: Range<usize>,
    /// Braces included.
    value: Range<usize>,
    braced: bool,
    /// For a reference: what to resolve, and where the keyword of the driver begins.
    reference: Option<(Identifier, usize)>,
}

/// Reads a connection string. Blanks around it and single quotes around the whole are accepted.
///
/// # Errors
/// The first mistake, with its position; see [`Mistake`].
pub fn parse(text: &str) -> Result<ConnectionString, ConnectionStringError> {
    parse::parse(text)
}

/// One `keyword=value` of a connection string.
#[derive(Clone, Copy)]
pub struct Pair<'a> {
    string: &'a ConnectionString,
    pair: &'a ParsedPair,
}

impl<'a> Pair<'a> {
    /// The keyword as it was written, prefix included.
    pub fn keyword(&self) -> &'a str {
        &self.string.text[self.pair.keyword.clone()]
    }

    /// The value without braces. It may be a password.
    pub fn value(&self) -> Zeroizing<String> {
        let written = &self.string.text[self.pair.value.clone()];
        Zeroizing::new(if self.pair.braced { quote::without_braces(written) } else { written.to_owned() })
    }

    /// The identifier, when this is a reference.
    pub fn identifier(&self) -> Option<&'a Identifier> {
        self.pair.reference.as_ref().map(|(identifier, _)| identifier)
    }

    /// Whether the value is a password in plain text, going by the keyword.
    pub fn is_plain_text_password(&self) -> bool {
        self.pair.reference.is_none() && !self.pair.value.is_empty() && is_password_keyword(self.keyword())
    }

    fn must_be_masked(&self) -> bool {
        let written = &self.string.text[self.pair.value.clone()];
        let holds_user_info = written.split_once("://").is_some_and(|(_, rest)| rest.contains('@'));
        self.pair.reference.is_none() && (holds_user_info || may_be_password_keyword(self.keyword()))
    }
}

impl fmt::Debug for Pair<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.must_be_masked() {
            true => write!(f, "{}={MASK}", self.keyword()),
            false => write!(f, "{}={}", self.keyword(), &self.string.text[self.pair.value.clone()]),
        }
    }
}

impl ConnectionString {
    /// Every pair in order, references and others.
    pub fn pairs(&self) -> impl ExactSizeIterator<Item = Pair<'_>> {
        self.pairs.iter().map(|pair| Pair { string: self, pair })
    }

    /// Whether it is to be used: false only with `mv-enable=False`. The default is true.
    pub fn enabled(&self) -> bool {
        !self
            .pairs()
            .filter(|pair| pair.keyword().eq_ignore_ascii_case(ENABLE_KEYWORD))
            .any(|pair| pair.value().eq_ignore_ascii_case("false"))
    }

    /// The references to resolve, in order; none when the string is not [`enabled`](Self::enabled). Places are in the
    /// text that was given to [`parse`].
    pub fn references(&self) -> Vec<Reference> {
        if self.enabled() { self.written_references() } else { Vec::new() }
    }

    /// Every reference, also in a string that is not enabled.
    pub fn written_references(&self) -> Vec<Reference> {
        let written = self.pairs.iter().filter_map(|pair| Some((pair, pair.reference.as_ref()?)));
        written
            .zip(&self.places)
            .map(|((pair, (identifier, keyword_at)), place)| Reference {
                identifier: identifier.clone(),
                place: place.clone(),
                form: Form::ConnectionString { keyword: self.text[*keyword_at..pair.keyword.end].to_owned() },
                whole: pair.keyword.start + self.offset..pair.value.end + self.offset,
            })
            .collect()
    }

    /// The connection string for the driver, with the quoting of [`Style::Odbc`].
    ///
    /// # Errors
    /// As [`expand_with`](Self::expand_with).
    pub fn expand<'s>(
        &self,
        lookup: impl FnMut(&Identifier) -> Option<&'s Secret>,
    ) -> Result<Zeroizing<String>, ExpandError> {
        self.expand_with(Style::Odbc, lookup)
    }

    /// The connection string for the driver: every reference becomes `<Keyword>=<quoted value>`, all else stays byte
    /// for byte. A string that is not [`enabled`](Self::enabled) is given as it is, and `lookup` is not called.
    ///
    /// # Errors
    /// [`ExpandError::NotResolved`] when `lookup` has no secret, [`ExpandError::Empty`] and [`ExpandError::Nul`] when
    /// the secret is not usable. Nothing half-made is returned.
    pub fn expand_with<'s>(
        &self,
        style: Style,
        mut lookup: impl FnMut(&Identifier) -> Option<&'s Secret>,
    ) -> Result<Zeroizing<String>, ExpandError> {
        if !self.enabled() {
            return Ok(self.text.clone());
        }
        let mut values = Vec::new();
        for pair in &self.pairs {
            if let Some((identifier, _)) = &pair.reference {
                let secret = lookup(identifier).ok_or_else(|| ExpandError::NotResolved(identifier.clone()))?;
                if secret.is_empty() {
                    return Err(ExpandError::Empty(identifier.clone()));
                }
                if secret.expose_secret().contains('\0') {
                    return Err(ExpandError::Nul(identifier.clone()));
                }
                values.push(quote::quoted(style, secret.expose_secret()));
            }
        }
        // One allocation of the final size: growing would leave copies of passwords behind unwiped.
        let room = self.text.len() + values.iter().map(|value| value.len()).sum::<usize>();
        let mut values = values.iter();
        Ok(self.rewritten(room, |pair| match pair.reference {
            Some(_) => values.next().map(|value| value.as_str()),
            None => None,
        }))
    }

    /// What people may see: [`MASK`] for every reference and for every plain password, whatever its length.
    pub fn masked(&self) -> String {
        let resolved = self.enabled();
        let room = self.text.len() + self.pairs.len() * MASK.len();
        let masked = self.rewritten(room, |pair| {
            let view = Pair { string: self, pair };
            let hidden = if pair.reference.is_some() { resolved } else { view.must_be_masked() };
            hidden.then_some(MASK)
        });
        masked.as_str().to_owned()
    }

    /// A warning for every password in plain text, without the password.
    pub fn plain_text_passwords(&self) -> Vec<Diagnosis> {
        self.pairs()
            .filter(Pair::is_plain_text_password)
            .map(|pair| {
                let keyword = pair.keyword();
                Diagnosis::warning(
                    &identifiers::PLAIN_TEXT_KEYWORD,
                    format!("the connection string holds the password in plain text ({keyword})"),
                )
                .fix(format!("put it into the credential store and write {PREFIX}{keyword}=Identifier"))
            })
            .collect()
    }

    /// The text with the values that `replace` gives; a replaced reference loses its prefix.
    fn rewritten<'v>(&self, room: usize, mut replace: impl FnMut(&ParsedPair) -> Option<&'v str>) -> Zeroizing<String> {
        let mut out = Zeroizing::new(String::with_capacity(room));
        let mut copied = 0;
        for pair in &self.pairs {
            let Some(value) = replace(pair) else { continue };
            let keyword_at = pair.reference.as_ref().map_or(pair.keyword.start, |(_, keyword_at)| *keyword_at);
            out.push_str(&self.text[copied..pair.keyword.start]);
            out.push_str(&self.text[keyword_at..pair.value.start]);
            out.push_str(value);
            copied = pair.value.end;
        }
        out.push_str(&self.text[copied..]);
        out
    }
}

impl fmt::Debug for ConnectionString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ConnectionString").field(&self.masked()).finish()
    }
}

/// A keyword in the form in which it is compared with the lists below.
fn plain(keyword: &str) -> String {
    keyword.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Whether drivers take the value of `keyword` as a password.
pub(crate) fn is_password_keyword(keyword: &str) -> bool {
    const KEYWORDS: [&str; 14] = [
        "pass",
        "password",
        "passwd",
        "passphrase",
        "pwd",
        "secret",
        "clientsecret",
        "token",
        "accesstoken",
        "apikey",
        "accesskey",
        "accountkey",
        "sharedaccesskey",
        "proxypassword",
    ];
    KEYWORDS.contains(&plain(keyword).as_str())
}

/// Whether a value had better not be shown; wider than [`is_password_keyword`], since hiding too much costs little.
fn may_be_password_keyword(keyword: &str) -> bool {
    const PARTS: [&str; 6] = ["pass", "pwd", "secret", "token", "key", "credential"];
    let keyword = plain(keyword);
    PARTS.iter().any(|part| keyword.contains(part))
}
