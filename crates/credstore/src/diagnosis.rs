//! What is wrong, why, where, and what mends it: one form for every error and finding.
//!
//! The error enums of the doors decide; this is what people and scripts get to see. It never holds a value,
//! a part of a value, or its length.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use crate::codes::Code;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Works, but look at it.
    Warning,
    /// Does not work.
    Error,
}

/// Where the mistake is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The file, as the user named it.
    pub file: Option<PathBuf>,
    /// Line, from 1.
    pub line: Option<u32>,
    /// Column in characters, from 1.
    pub column: Option<u32>,
    /// Path in the document, for example `CredentialStore.CertificateFile`.
    pub pointer: Option<String>,
    /// In words, when it is not in a file: `asked for on the command line`.
    pub words: Option<String>,
    /// Byte range in the file's text, for showing the line.
    pub span: Option<Range<usize>>,
}

/// What another system said. Always kept, so that its operator can be asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Upstream {
    /// `directory` or `vault`.
    pub system: &'static str,
    /// `AADSTS700027`, `Forbidden/ForbiddenByPolicy`.
    pub code: String,
    /// Trace id (directory) or `x-ms-request-id` (vault).
    pub trace_id: Option<String>,
    /// What we sent as `client-request-id` or `x-ms-client-request-id`.
    pub correlation_id: Option<String>,
    /// When, in its words.
    pub timestamp: Option<String>,
}

/// A change of the file's text that mends the mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// Bytes to replace; empty for an insertion.
    pub span: Range<usize>,
    /// What to put there.
    pub text: String,
    /// What to do, for the caret line: `add , here`.
    pub label: String,
}

/// One mistake or warning.
#[derive(Clone, Debug)]
pub struct Diagnosis {
    /// Its number.
    pub code: &'static Code,
    /// How bad it is.
    pub severity: Severity,
    /// What is so.
    pub message: String,
    /// Why.
    pub cause: Option<String>,
    /// Where.
    pub place: Option<Place>,
    /// What to do, one way a line.
    pub fix: Vec<String>,
    /// A further remark, printed last.
    pub note: Option<String>,
    /// What the other side said.
    pub upstream: Option<Upstream>,
    /// Whether trying again later may help.
    pub retryable: bool,
    /// How long the other side asks to wait before that.
    pub retry_after: Option<Duration>,
    /// The edit that `check --fix` makes.
    pub edit: Option<Edit>,
}

impl Diagnosis {
    /// An error with this message.
    pub fn error(code: &'static Code, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: message.into(),
            cause: None,
            place: None,
            fix: Vec::new(),
            note: None,
            upstream: None,
            retryable: false,
            retry_after: None,
            edit: None,
        }
    }

    /// A warning with this message.
    pub fn warning(code: &'static Code, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, message) }
    }

    /// With its cause.
    pub fn cause(mut self, cause: impl Into<String>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// With one more way to mend it.
    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix.push(fix.into());
        self
    }

    /// With its place.
    pub fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// With a place in words, for example `asked for on the command line`.
    pub fn at_words(self, words: impl Into<String>) -> Self {
        self.at(Place { words: Some(words.into()), ..Place::default() })
    }

    /// With a further remark.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    /// With what the other side said.
    pub fn upstream(mut self, upstream: Upstream) -> Self {
        self.upstream = Some(upstream);
        self
    }

    /// With the edit that mends it.
    pub fn edit(mut self, edit: Edit) -> Self {
        self.edit = Some(edit);
        self
    }

    /// Marked as worth another try later.
    pub fn retryable(mut self) -> Self {
        self.retryable = true;
        self
    }
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.id, self.message)?;
        match &self.cause {
            Some(cause) => write!(f, " ({cause})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Diagnosis {}
