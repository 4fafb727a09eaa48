//! What can be wrong with a connection string, and how it is told. Never a value, nor text that may be part of one.

use std::ops::Range;

use credstore_protocol::{Identifier, InvalidName};

use super::PREFIX;
use crate::Diagnosis;
use crate::codes::{Code, identifiers};
use crate::diagnosis::{Edit, Place};

/// One mistake in a connection string, with its position.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{mistake} (line {line}, column {column})")]
pub struct ConnectionStringError {
    /// What is wrong.
    pub mistake: Mistake,
    /// Byte range in the text that was given.
    pub span: Range<usize>,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

/// What is wrong with a connection string.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Mistake {
    /// Longer than [`LENGTH_MAX`](super::LENGTH_MAX).
    #[error("the connection string is too long")]
    TooLong,
    /// A NUL character.
    #[error("the connection string holds a NUL character")]
    Nul,
    /// A curly quote around the string, in a keyword or around an identifier.
    #[error("the quote {0} is a typographic one")]
    TypographicQuote(char),
    /// A straight quote on one end only, or in a keyword.
    #[error("a quote is out of place")]
    QuoteOutOfPlace,
    /// `{` without its `}`.
    #[error("a brace is not closed")]
    BraceNotClosed,
    /// Text between `}` and `;`.
    #[error("text follows after a closing brace")]
    TextAfterBrace,
    /// Text without `=`. It may be the rest of a password, so it is not shown.
    #[error("an equals sign is missing")]
    EqualsMissing,
    /// `=` with nothing before it.
    #[error("a keyword is missing before =")]
    KeywordEmpty,
    /// `mv-credential-` with no keyword after it.
    #[error("the keyword after {PREFIX} is missing")]
    PrefixWithoutKeyword,
    /// Almost the prefix of a reference.
    #[error("{written} is not a reference")]
    PrefixMisspelt {
        /// The keyword as it was written.
        written: String,
        /// What was probably meant.
        meant: String,
    },
    /// `mv-credential-Pass=` with no identifier.
    #[error("the identifier of {keyword} is missing")]
    IdentifierEmpty {
        /// The keyword without the prefix.
        keyword: String,
    },
    /// Not an identifier at all.
    #[error("the value of {PREFIX}{keyword} is not an identifier")]
    IdentifierInvalid {
        /// The keyword without the prefix.
        keyword: String,
        /// Why not.
        reason: InvalidName,
    },
    /// The same keyword as a reference and in plain text.
    #[error("the keyword {keyword} is given twice")]
    KeywordTwice {
        /// The keyword in plain text, as it was written.
        keyword: String,
        /// The whole keyword of the reference, as it was written.
        reference: String,
    },
    /// The same reference twice.
    #[error("the reference {reference} is given twice")]
    ReferenceTwice {
        /// The whole keyword of the second one.
        reference: String,
    },
}

impl Mistake {
    fn code(&self) -> &'static Code {
        match self {
            Mistake::TooLong => &identifiers::CONNECTION_STRING_TOO_LONG,
            Mistake::Nul => &identifiers::NUL_CHARACTER,
            Mistake::TypographicQuote(_) => &identifiers::TYPOGRAPHIC_QUOTE,
            Mistake::QuoteOutOfPlace => &identifiers::QUOTE_OUT_OF_PLACE,
            Mistake::BraceNotClosed => &identifiers::BRACE_NOT_CLOSED,
            Mistake::TextAfterBrace => &identifiers::TEXT_AFTER_BRACE,
            Mistake::EqualsMissing => &identifiers::EQUALS_MISSING,
            Mistake::KeywordEmpty => &identifiers::KEYWORD_EMPTY,
            Mistake::PrefixWithoutKeyword => &identifiers::PREFIX_WITHOUT_KEYWORD,
            Mistake::PrefixMisspelt { .. } => &identifiers::PREFIX_MISSPELT,
            Mistake::IdentifierEmpty { .. } => &identifiers::IDENTIFIER_EMPTY,
            Mistake::IdentifierInvalid { .. } => &identifiers::IDENTIFIER_INVALID,
            Mistake::KeywordTwice { .. } => &identifiers::KEYWORD_TWICE,
            Mistake::ReferenceTwice { .. } => &identifiers::REFERENCE_TWICE,
        }
    }

    fn cause(&self) -> Option<String> {
        Some(match self {
            Mistake::TooLong => "it has more than 256 KiB".to_owned(),
            Mistake::Nul => "drivers cut a connection string off there".to_owned(),
            Mistake::TypographicQuote(_) => "it was probably pasted from a document or a web page".to_owned(),
            Mistake::QuoteOutOfPlace => "quotes stand around the whole string, at both ends, or not at all".to_owned(),
            Mistake::BraceNotClosed => "a value that begins with { ends at the next single }".to_owned(),
            Mistake::TextAfterBrace => "after } comes ; or the end; a } inside the value is written twice".to_owned(),
            Mistake::EqualsMissing => "it consists of keyword=value, separated by semicolons".to_owned(),
            Mistake::KeywordEmpty | Mistake::PrefixWithoutKeyword | Mistake::IdentifierEmpty { .. } => return None,
            Mistake::PrefixMisspelt { .. } => "the driver would get the identifier instead of the password".to_owned(),
            Mistake::IdentifierInvalid { reason, .. } => reason.to_string(),
            Mistake::KeywordTwice { keyword, reference } => format!("once as {keyword} and once as {reference}"),
            Mistake::ReferenceTwice { .. } => "keywords are compared without regard to capitals".to_owned(),
        })
    }

    fn fix(&self) -> String {
        match self {
            Mistake::TooLong => "check whether this is a connection string".to_owned(),
            Mistake::Nul => "remove it".to_owned(),
            Mistake::TypographicQuote(_) => "remove the quotes, or write straight ones: '".to_owned(),
            Mistake::QuoteOutOfPlace => "remove the quote, or add the other one".to_owned(),
            Mistake::BraceNotClosed => "add } at the end of the value".to_owned(),
            Mistake::TextAfterBrace => "write }} for a brace that is part of the value".to_owned(),
            Mistake::EqualsMissing => "add the equals sign, or put a value that holds ; into braces".to_owned(),
            Mistake::KeywordEmpty => "write the keyword before =".to_owned(),
            Mistake::PrefixWithoutKeyword => {
                format!("write the keyword that the driver expects, for example {PREFIX}Pass")
            }
            Mistake::PrefixMisspelt { meant, .. } => format!("write {meant}"),
            Mistake::IdentifierEmpty { keyword } => format!("write {PREFIX}{keyword}=Identifier"),
            Mistake::IdentifierInvalid { keyword, .. } => {
                format!("write the identifier that the administrator gave: {PREFIX}{keyword}=Identifier")
            }
            Mistake::KeywordTwice { keyword, .. } => {
                format!("remove {keyword}=…; it also puts a password into your shell history")
            }
            Mistake::ReferenceTwice { .. } => "keep one of the two".to_owned(),
        }
    }
}

impl From<ConnectionStringError> for Diagnosis {
    fn from(error: ConnectionStringError) -> Self {
        let ConnectionStringError { mistake, span, line, column } = error;
        let place = Place { line: Some(line), column: Some(column), span: Some(span.clone()), ..Place::default() };
        let mut diagnosis = Diagnosis::error(mistake.code(), mistake.to_string()).fix(mistake.fix()).at(place);
        diagnosis.cause = mistake.cause();
        match mistake {
            Mistake::PrefixMisspelt { meant, .. } => {
                let label = format!("write {meant}");
                diagnosis.edit(Edit { span, text: meant, label })
            }
            _ => diagnosis,
        }
    }
}

/// Why a connection string could not be made, though it is well written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpandError {
    /// There is no secret for this identifier.
    #[error("{0} was not resolved")]
    NotResolved(Identifier),
    /// The secret is the empty text.
    #[error("the password of {0} is empty")]
    Empty(Identifier),
    /// The secret holds a NUL character, at which drivers cut the string off.
    #[error("the password of {0} holds a NUL character")]
    Nul(Identifier),
}

impl From<ExpandError> for Diagnosis {
    fn from(error: ExpandError) -> Self {
        let message = error.to_string();
        match error {
            ExpandError::NotResolved(_) => {
                Diagnosis::error(&identifiers::IDENTIFIER_UNKNOWN, message).fix("list all: credstore list")
            }
            ExpandError::Empty(_) => Diagnosis::error(&identifiers::PASSWORD_EMPTY, message)
                .fix("store the password under this identifier again"),
            ExpandError::Nul(_) => Diagnosis::error(&identifiers::PASSWORD_WITH_NUL, message)
                .cause("drivers cut a connection string off there")
                .fix("choose a password without it"),
        }
    }
}
