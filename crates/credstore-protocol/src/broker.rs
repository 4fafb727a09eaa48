//! What a broker and its consumers say: the messages of `/v1`.
//!
//! JSON over HTTP/1.1 over a Unix socket. Who may ask for what is the broker's; docs/broker.md tells it to people. A value
//! leaves in [`SecretAnswer`] and [`ExpandAnswer`] and in nothing else. Members may be added within `/v1`: whoever reads an
//! answer skips those that it does not know, and the broker refuses a question with a member that it does not know.

use serde::{Deserialize, Serialize, Serializer};

use crate::{Secret, Timestamp};

/// The only `Host` that a broker answers to. Source: ours; a page in a browser cannot name it for another machine.
pub const HOST: &str = "localhost";
/// Where one secret is: `GET /v1/secrets/{identifier}`, the identifier percent-encoded.
pub const SECRETS_PATH: &str = "/v1/secrets";
/// Where a connection string is resolved: `POST`.
pub const EXPAND_PATH: &str = "/v1/expand";
/// Where the broker tells how it is: `GET`.
pub const HEALTH_PATH: &str = "/v1/health";
/// The same in the text form of Prometheus: `GET`.
pub const METRICS_PATH: &str = "/v1/metrics";
/// What is kept: `GET` lists it, `DELETE` wipes it, whole or by identifier. For the broker's own user and root.
pub const CACHE_PATH: &str = "/v1/cache";
/// Reads settings and rights anew: `POST`. For the broker's own user and root.
pub const RELOAD_PATH: &str = "/v1/reload";
/// Ends the broker when its requests are answered: `POST`. For the broker's own user and root.
pub const STOP_PATH: &str = "/v1/stop";
/// Most identifiers of one [`SecretsQuestion`]. Ours: twice what one Server Settings file was seen to name.
pub const IDENTIFIERS_MAX: usize = 100;
/// Longest connection string of one [`ExpandQuestion`] in bytes. Source: ODBC takes 32,767 characters.
pub const CONNECTION_STRING_MAX: usize = 32 * 1024;

fn exposed<S: Serializer>(value: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(value.expose_secret())
}

/// Whether a value is as new as its settings ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Freshness {
    /// The store was asked within the time that the value counts as fresh.
    Fresh,
    /// It was not. The value may have been changed since.
    Stale,
}

/// Why a value is stale.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stale {
    /// `aged`, when nothing speaks against the refresh that is under way; otherwise the code of what does: `CS4005`.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
}

/// [`Stale::reason`] of a value that is being refreshed.
pub const AGED: &str = "aged";

/// One secret.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretAnswer {
    /// What was asked for, as it was written.
    pub identifier: String,
    /// The value. Never empty.
    #[serde(serialize_with = "exposed")]
    pub value: Secret,
    /// Its version, where the store has versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Its content type, where the store has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// When it expires, if its owner said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// When the store was asked for it.
    pub fetched_at: Timestamp,
    /// How many whole seconds ago that was, by a clock that nobody sets.
    pub age_seconds: u64,
    /// Whether it can be relied on.
    pub freshness: Freshness,
    /// Why it is stale; nothing when it is fresh.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale: Option<Stale>,
    /// Whether it was there already and nobody waited for the store.
    pub cached: bool,
}

/// `POST /v1/secrets`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretsQuestion {
    /// At most [`IDENTIFIERS_MAX`].
    pub identifiers: Vec<String>,
}

/// The secrets that are there, and why the others are not. Every identifier is in one of the two, in the order asked.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct SecretsAnswer {
    /// Those that were resolved.
    pub secrets: Vec<SecretAnswer>,
    /// Those that were not.
    pub errors: Vec<IdentifierError>,
}

/// Why one of many is missing.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentifierError {
    /// What was asked for, as it was written.
    pub identifier: String,
    /// Why.
    pub error: Problem,
}

/// How values are quoted in a connection string.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum QuotingStyle {
    /// Braces, closing brace doubled.
    #[default]
    Odbc,
    /// Percent-encoded.
    Uri,
}

/// `POST /v1/expand`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExpandQuestion {
    /// A connection string with `mv-credential-` references. It may hold passwords in plain text, so it is a secret.
    #[serde(serialize_with = "exposed")]
    pub connection_string: Secret,
    /// The syntax that the values enter.
    #[serde(default)]
    pub style: QuotingStyle,
}

/// The connection string with its values.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExpandAnswer {
    /// For the driver.
    #[serde(serialize_with = "exposed")]
    pub connection_string: Secret,
    /// [`Freshness::Stale`] when one of the values is.
    pub freshness: Freshness,
}

/// An error, as every answer that is none of the above has it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorAnswer {
    /// What is so.
    pub error: Problem,
}

/// What is so, why, and what mends it. `code` never changes its meaning; the texts may.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// `CSnnnn`; `credstore explain` tells more.
    pub code: String,
    /// What is so. No value is in it.
    pub message: String,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// What to do, one way an item.
    #[serde(default)]
    pub fix: Vec<String>,
    /// Whether trying again later may help.
    #[serde(default)]
    pub retryable: bool,
    /// How long the vault asks to wait before that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<u64>,
}

/// How the broker is. It holds no secret and no identifier.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HealthAnswer {
    /// `serving`.
    pub status: String,
    /// Version of the program.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// When it began.
    pub started_at: Timestamp,
    /// Whole seconds since then.
    pub up_seconds: u64,
    /// When the certificate of the sign-in ends; nothing when the store needs none or it cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_expires: Option<Timestamp>,
    /// Whole days until then; negative afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_days_left: Option<i64>,
    /// What the cache did so far.
    pub cache: CacheNumbers,
}

/// What the cache did so far, and what it holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CacheNumbers {
    /// Answers from memory that were fresh.
    pub hits: u64,
    /// Answers from memory that were stale and said so.
    pub stale: u64,
    /// Questions that waited for the fetch of another.
    pub joined: u64,
    /// Questions put to the store.
    pub fetches: u64,
    /// Of those, how many brought no secret.
    pub failures: u64,
    /// Questions answered by the memory of a failure.
    pub refused: u64,
    /// Fetches that did not go out because the vault's budget was used up.
    pub over_budget: u64,
    /// What was let go to make room.
    pub evicted: u64,
    /// Identifiers that are remembered.
    pub entries: u64,
    /// Bytes of the kept secrets, bookkeeping included.
    pub bytes: u64,
}

/// `GET /v1/cache`: identifiers and versions, never values.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheAnswer {
    /// By identifier.
    pub entries: Vec<CacheEntry>,
}

/// One value that is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CacheEntry {
    /// Under which it is kept.
    pub identifier: String,
    /// Its version, where the store has versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// When the store was asked for it.
    pub fetched_at: Timestamp,
    /// How many whole seconds ago that was.
    pub age_seconds: u64,
    /// Whether it would be served as fresh now.
    pub freshness: Freshness,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn answer() -> SecretAnswer {
        SecretAnswer {
            identifier: "SmtpRelay".to_owned(),
            value: Secret::from("planted".to_owned()),
            version: Some("0123456789abcdef0123456789abcdef".to_owned()),
            content_type: None,
            expires: None,
            fetched_at: Timestamp(1_800_000_000),
            age_seconds: 301,
            freshness: Freshness::Stale,
            stale: Some(Stale { reason: AGED.to_owned(), since: Timestamp(1_800_000_300) }),
            cached: true,
        }
    }

    #[test]
    fn a_secret_is_written_as_the_document_shows_it_and_read_back() {
        let written = serde_json::to_value(answer()).unwrap();
        let expected = json!({
            "identifier": "SmtpRelay", "value": "planted", "version": "0123456789abcdef0123456789abcdef",
            "fetchedAt": 1_800_000_000, "ageSeconds": 301, "freshness": "stale",
            "stale": {"reason": "aged", "since": 1_800_000_300}, "cached": true
        });
        assert_eq!(written, expected);
        let read: SecretAnswer = serde_json::from_value(expected).unwrap();
        assert!(read.value.matches(&answer().value) && read.stale == answer().stale);
    }

    #[test]
    fn no_message_prints_the_value_in_it() {
        let planted = || Secret::from("planted".to_owned());
        let question = ExpandQuestion { connection_string: planted(), style: QuotingStyle::Uri };
        let expanded = ExpandAnswer { connection_string: planted(), freshness: Freshness::Fresh };
        let many = SecretsAnswer { secrets: vec![answer()], errors: Vec::new() };
        for printed in [format!("{:?}", answer()), format!("{question:?}{expanded:?}"), format!("{many:?}")] {
            assert!(printed.contains("[secret]") && !printed.contains("planted"), "{printed}");
        }
    }

    #[test]
    fn a_question_with_an_unknown_member_is_refused_and_an_answer_with_one_is_read() {
        assert!(serde_json::from_str::<SecretsQuestion>(r#"{"identifiers":["A"],"versions":[]}"#).is_err());
        assert!(serde_json::from_str::<ExpandQuestion>(r#"{"connectionString":"A=b","raw":true}"#).is_err());
        let short: ExpandQuestion = serde_json::from_str(r#"{"connectionString":"A=b"}"#).unwrap();
        assert_eq!(short.style, QuotingStyle::Odbc);
        let mut later = serde_json::to_value(answer()).unwrap();
        later["addedLater"] = Value::Bool(true);
        assert!(serde_json::from_value::<SecretAnswer>(later).is_ok());
    }

    #[test]
    fn a_problem_needs_its_code_and_message_only() {
        let problem: Problem = serde_json::from_str(r#"{"code":"CS5004","message":"m"}"#).unwrap();
        assert_eq!(problem, Problem { code: "CS5004".to_owned(), message: "m".to_owned(), ..Problem::default() });
        let text = serde_json::to_string(&ErrorAnswer { error: problem }).unwrap();
        assert_eq!(text, r#"{"error":{"code":"CS5004","message":"m","fix":[],"retryable":false}}"#);
    }
}
