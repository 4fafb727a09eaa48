//! One line for every read: who asked, for what, and what became of it. Never a value.
//!
//! A line is JSON and is written before the answer; an answer whose line cannot be written is not given.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use credstore_protocol::{SecretVersion, Timestamp};
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::consumer::Consumer;

/// Where audit lines go.
pub trait AuditLog: Send + Sync {
    /// Writes one whole line, its end included.
    ///
    /// # Errors
    /// When it is not certain that all of it was taken.
    fn write(&self, line: &[u8]) -> io::Result<()>;
}

/// Audit lines to anything that takes bytes: standard error, a file opened for appending.
pub struct AuditTo<W>(Mutex<W>);

impl<W: Write + Send> AuditTo<W> {
    /// To `sink`, a line at a time.
    pub fn new(sink: W) -> Self {
        Self(Mutex::new(sink))
    }
}

impl<W: Write + Send> AuditLog for AuditTo<W> {
    fn write(&self, line: &[u8]) -> io::Result<()> {
        let mut sink = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sink.write_all(line)?;
        sink.flush()
    }
}

/// What became of one read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Read<'a> {
    /// The value goes out.
    Allowed { version: Option<&'a SecretVersion>, cached: bool, fresh: bool },
    /// The rights give it to somebody else.
    NotAllowed,
    /// The store has none; this is the code.
    Failed(&'static str),
}

#[derive(Serialize)]
struct Line<'a> {
    time: String,
    event: &'static str,
    uid: u32,
    gid: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    executable: Option<String>,
    identifier: &'a str,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    freshness: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
}

/// The line of one read, its end included.
pub(crate) fn line(consumer: &Consumer, identifier: &str, read: Read<'_>, now: Timestamp) -> Vec<u8> {
    let moment = OffsetDateTime::from_unix_timestamp(now.0).ok().and_then(|moment| moment.format(&Rfc3339).ok());
    let mut line = Line {
        time: moment.unwrap_or_else(|| now.0.to_string()),
        event: "read",
        uid: consumer.uid,
        gid: consumer.gid,
        pid: consumer.pid,
        executable: consumer.executable.as_ref().map(|path| path.display().to_string()),
        identifier,
        outcome: "notAllowed",
        version: None,
        from: None,
        freshness: None,
        code: None,
    };
    match read {
        Read::Allowed { version, cached, fresh } => {
            line.outcome = "allowed";
            line.version = version.map(ToString::to_string);
            line.from = Some(if cached { "cache" } else { "store" });
            line.freshness = Some(if fresh { "fresh" } else { "stale" });
        }
        Read::NotAllowed => {}
        Read::Failed(code) => (line.outcome, line.code) = ("failed", Some(code)),
    }
    // Its keys are texts and its numbers finite: writing it cannot go wrong.
    let mut bytes = serde_json::to_vec(&line).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn written(identifier: &str, read: Read<'_>) -> Value {
        let consumer =
            Consumer { uid: 33, gid: 34, groups: vec![4], pid: Some(7), executable: Some("/usr/bin/job".into()) };
        let line = line(&consumer, identifier, read, Timestamp(1_800_000_000));
        assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1, "one read, one line");
        assert_eq!(line.last(), Some(&b'\n'));
        serde_json::from_slice(&line).unwrap()
    }

    #[test]
    fn a_line_says_who_read_what_and_what_became_of_it() {
        let version = SecretVersion::from_bytes([0xab; 16]);
        // date -u -d @1800000000
        let who = json!({
            "time": "2027-01-15T08:00:00Z", "event": "read", "uid": 33, "gid": 34, "pid": 7, "executable": "/usr/bin/job",
            "identifier": "Db"
        });
        let with = |more: Value| {
            let mut line = who.clone();
            line.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            line
        };
        let allowed = Read::Allowed { version: Some(&version), cached: true, fresh: false };
        let expected = json!({
            "outcome": "allowed", "version": "abababababababababababababababab", "from": "cache", "freshness": "stale"
        });
        assert_eq!(written("Db", allowed), with(expected));
        let fetched = Read::Allowed { version: None, cached: false, fresh: true };
        assert_eq!(written("Db", fetched), with(json!({"outcome": "allowed", "from": "store", "freshness": "fresh"})));
        assert_eq!(written("Db", Read::NotAllowed), with(json!({"outcome": "notAllowed"})));
        assert_eq!(written("Db", Read::Failed("CS2004")), with(json!({"outcome": "failed", "code": "CS2004"})));
    }

    #[test]
    fn an_identifier_cannot_make_a_line_of_its_own() {
        let hostile = "a\u{2028}\"}\\n{\"event\":\"read\"";
        assert_eq!(written(hostile, Read::NotAllowed)["identifier"], hostile);
    }

    #[test]
    fn a_sink_that_takes_only_a_part_is_an_error() {
        let mut room = [0; 8];
        let log = AuditTo::new(&mut room[..]);
        assert!(log.write(b"12345678").is_ok());
        assert!(log.write(b"9").is_err());
    }
}
