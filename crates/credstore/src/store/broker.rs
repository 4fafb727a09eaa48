//! A broker of this machine as a credential store, and the rest of what a broker can be asked.
//!
//! A program that goes through a broker needs no settings, no certificate and no way to the vault: it names the socket.
//! The broker keeps values and tells how old they are. Keep nothing beside it: a [`Resolver`](crate::resolver::Resolver) and
//! not a `CachingResolver`, which would count from its own question.

use std::path::{Path, PathBuf};
use std::time::Duration;

use credstore_protocol::broker::{
    self, CacheAnswer, ErrorAnswer, ExpandAnswer, ExpandQuestion, Freshness, HealthAnswer, Problem, SecretAnswer,
};
use credstore_protocol::{Identifier, Timestamp};
use http::header::{CONTENT_TYPE, HOST};
use http::{Method, Request, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use zeroize::Zeroizing;

use super::{Fetched, Fetching, Store, StoreError};
use crate::azure::https::UnixTransport;
use crate::cache::FETCH_MAX;
use crate::codes::{self, broker as own};
use crate::diagnosis::Diagnosis;
use crate::transport::{Body, Transport, TransportError};

/// How long an answer may take. The broker itself gives up a little earlier and says why.
const ANSWER_TIME: Duration = Duration::from_secs(FETCH_MAX.as_secs() + 10);
/// What an identifier's bytes are in a path. Source: RFC 3986 section 2.3, unreserved characters.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A broker, asked over its socket. An error is what the broker says, or CS5001 when there is none.
pub struct BrokerClient {
    socket: PathBuf,
    transport: UnixTransport,
}

impl BrokerClient {
    /// The broker that listens at `socket`. Nothing is opened yet, and whose socket it is is not looked at.
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        let socket = socket.into();
        Self { transport: UnixTransport::new(socket.clone(), ANSWER_TIME), socket }
    }

    /// Where it listens.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// One secret. With `refresh` the broker asks its store anew: for whose login was refused with the kept value.
    ///
    /// # Errors
    /// What the broker says: CS5004 without the right, CS2004 for an identifier that is not there, and what its store says.
    pub async fn secret(&self, identifier: &Identifier, refresh: bool) -> Result<SecretAnswer, Box<Diagnosis>> {
        let query = if refresh { "?refresh=true" } else { "" };
        self.ask(Method::GET, &format!("{}/{}{query}", broker::SECRETS_PATH, encoded(identifier)), Body::default())
            .await
    }

    /// A connection string with its values.
    ///
    /// # Errors
    /// As [`Self::secret`], and what is wrong with the string.
    pub async fn expand(&self, question: &ExpandQuestion) -> Result<ExpandAnswer, Box<Diagnosis>> {
        self.ask(Method::POST, broker::EXPAND_PATH, json(question)).await
    }

    /// How it is.
    ///
    /// # Errors
    /// CS5001, CS5008.
    pub async fn health(&self) -> Result<HealthAnswer, Box<Diagnosis>> {
        self.ask(Method::GET, broker::HEALTH_PATH, Body::default()).await
    }

    /// What it keeps.
    ///
    /// # Errors
    /// CS5009 for everybody but its own user and root.
    pub async fn kept(&self) -> Result<CacheAnswer, Box<Diagnosis>> {
        self.ask(Method::GET, broker::CACHE_PATH, Body::default()).await
    }

    /// Wipes what it keeps, all or of one identifier.
    ///
    /// # Errors
    /// As [`Self::kept`].
    pub async fn clear(&self, identifier: Option<&Identifier>) -> Result<(), Box<Diagnosis>> {
        let path = match identifier {
            Some(identifier) => format!("{}/{}", broker::CACHE_PATH, encoded(identifier)),
            None => broker::CACHE_PATH.to_owned(),
        };
        self.ask::<IgnoredAny>(Method::DELETE, &path, Body::default()).await.map(drop)
    }

    /// Has it read settings and rights anew.
    ///
    /// # Errors
    /// As [`Self::kept`], and what is wrong with them: the broker goes on with the old ones.
    pub async fn reload(&self) -> Result<(), Box<Diagnosis>> {
        self.ask::<IgnoredAny>(Method::POST, broker::RELOAD_PATH, Body::default()).await.map(drop)
    }

    /// Tells it to end.
    ///
    /// # Errors
    /// As [`Self::kept`].
    pub async fn stop(&self) -> Result<(), Box<Diagnosis>> {
        self.ask::<IgnoredAny>(Method::POST, broker::STOP_PATH, Body::default()).await.map(drop)
    }

    async fn ask<T: DeserializeOwned>(&self, method: Method, path: &str, body: Body) -> Result<T, Box<Diagnosis>> {
        let request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", broker::HOST))
            .header(HOST, broker::HOST)
            .header(CONTENT_TYPE, "application/json")
            .body(body)
            .map_err(|error| self.not_understood(error.to_string()))?;
        let answer = self.transport.send(request).await.map_err(|error| self.away(&error))?;
        if answer.status() == StatusCode::OK {
            // The library's own words may quote the answer, which may hold a value.
            return serde_json::from_slice(answer.body())
                .map_err(|_| self.not_understood("it is not of the form of this version".to_owned()));
        }
        let status = answer.status();
        match serde_json::from_slice::<ErrorAnswer>(answer.body()) {
            Ok(told) => Err(Box::new(self.told(told.error))),
            Err(_) => Err(self.not_understood(format!("status {} without a code", status.as_u16()))),
        }
    }

    fn not_understood(&self, cause: String) -> Box<Diagnosis> {
        let message = format!("what answers at {} is not understood", self.socket.display());
        Box::new(Diagnosis::error(&own::BROKER_ANSWER, message).cause(cause).fix("credstore broker status"))
    }

    fn away(&self, error: &TransportError) -> Box<Diagnosis> {
        let socket = self.socket.display();
        match error {
            TransportError::BadAnswer { reason, .. } => self.not_understood(reason.clone()),
            TransportError::TimedOut { .. } => {
                let message = format!("the broker at {socket} does not answer");
                let cause = format!("no answer in {} s", ANSWER_TIME.as_secs());
                Box::new(Diagnosis::error(&own::BROKER_AWAY, message).cause(cause).retryable())
            }
            TransportError::Connect { reason, .. }
            | TransportError::Tls { reason, .. }
            | TransportError::Resolve { host: reason } => Box::new(
                Diagnosis::error(&own::BROKER_AWAY, format!("no broker answers at {socket}"))
                    .cause(reason.clone())
                    .fix("credstore broker run   starts one; --no-broker asks the credential store itself")
                    .retryable(),
            ),
        }
    }

    /// The broker's words under its code, or under ours when this version does not know that.
    fn told(&self, problem: Problem) -> Diagnosis {
        let Problem { code, message, cause, fix, retryable, retry_after_seconds } = problem;
        let (known, message) = match codes::by_id(&code) {
            Some(known) => (known, message),
            None => (&own::BROKER_ANSWER, format!("{code}: {message}")),
        };
        let note = Some(format!("through the broker at {}", self.socket.display()));
        let retry_after = retry_after_seconds.map(Duration::from_secs);
        Diagnosis { cause, fix, note, retryable, retry_after, ..Diagnosis::error(known, message) }
    }
}

fn encoded(identifier: &Identifier) -> String {
    utf8_percent_encode(identifier.as_str(), SEGMENT).to_string()
}

/// Our own messages have string keys and finite numbers: writing them cannot go wrong.
fn json(question: &impl Serialize) -> Body {
    Zeroizing::new(serde_json::to_vec(question).unwrap_or_default())
}

/// A broker as the credential store of a program.
pub struct BrokerStore {
    client: BrokerClient,
}

impl BrokerStore {
    /// The broker that listens at `socket`.
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self { client: BrokerClient::new(socket) }
    }

    /// What else it can be asked.
    pub fn client(&self) -> &BrokerClient {
        &self.client
    }

    async fn get(&self, identifier: &Identifier) -> Result<Fetched, StoreError> {
        let answer = self.client.secret(identifier, false).await.map_err(StoreError::Diagnosed)?;
        let warnings = stale(&answer).into_iter().collect();
        let SecretAnswer { value, version, content_type, expires, .. } = answer;
        if value.is_empty() {
            return Err(StoreError::Empty { identifier: identifier.clone(), store: self.describe() });
        }
        let version = version.and_then(|version| version.parse().ok());
        Ok(Fetched { version, content_type, expires, warnings, ..Fetched::bare(value) })
    }
}

/// What is worth a word: a value that could not be refreshed. One that is being refreshed is not.
fn stale(answer: &SecretAnswer) -> Option<Diagnosis> {
    let stale = answer.stale.as_ref().filter(|stale| stale.reason != broker::AGED)?;
    let message = format!("the broker's value of {} is stale", answer.identifier);
    (answer.freshness == Freshness::Stale).then(|| {
        Diagnosis::warning(&own::BROKER_STALE, message)
            .cause(format!("{} s old; it could not be refreshed ({})", answer.age_seconds, stale.reason))
            .fix(format!("credstore explain {}", stale.reason))
    })
}

impl Store for BrokerStore {
    fn fetch<'a>(&'a self, identifier: &'a Identifier, _: Timestamp) -> Fetching<'a> {
        Box::pin(self.get(identifier))
    }

    fn describe(&self) -> String {
        format!("the broker at {}", self.client.socket.display())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixListener;

    use super::*;

    /// A socket that gives one answer, byte by byte as written, and the request it got.
    struct Scripted {
        folder: PathBuf,
        asked: Option<std::thread::JoinHandle<String>>,
    }

    impl Scripted {
        fn answering(status: u16, body: &str) -> Self {
            let answer =
                format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
            let folder = std::env::temp_dir().join(format!("credstore-broker-client-{}", uuid::Uuid::new_v4()));
            std::fs::create_dir(&folder).unwrap();
            let listener = UnixListener::bind(folder.join("s")).unwrap();
            let asked = std::thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                let mut head = vec![0; 4096];
                let length = stream.read(&mut head).unwrap();
                stream.write_all(answer.as_bytes()).unwrap();
                String::from_utf8(head[..length].to_vec()).unwrap()
            });
            Self { folder, asked: Some(asked) }
        }

        fn store(&self) -> BrokerStore {
            BrokerStore::new(self.folder.join("s"))
        }

        fn asked(&mut self) -> String {
            self.asked.take().unwrap().join().unwrap()
        }
    }

    impl Drop for Scripted {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }

    async fn fetched(scripted: &Scripted, identifier: &str) -> Result<Fetched, Diagnosis> {
        let store = scripted.store();
        store.fetch(&identifier.parse().unwrap(), Timestamp(0)).await.map_err(Diagnosis::from)
    }

    const FRESH: &str = r#"{"identifier":"a/b","value":"planted","version":"abababababababababababababababab",
        "contentType":"text/plain","expires":1900000000,"fetchedAt":1800000000,"ageSeconds":3,"freshness":"fresh",
        "cached":true,"later":1}"#;

    #[tokio::test]
    async fn a_value_comes_with_what_the_store_behind_the_broker_says_of_it() {
        let mut scripted = Scripted::answering(200, FRESH);
        let found = fetched(&scripted, "a/b c").await.unwrap();
        assert_eq!(found.secret.expose_secret(), "planted");
        assert_eq!(found.version.unwrap().to_string(), "ab".repeat(16));
        assert_eq!(
            (found.content_type.as_deref(), found.expires),
            (Some("text/plain"), Some(Timestamp(1_900_000_000)))
        );
        assert!(found.warnings.is_empty());
        let asked = scripted.asked().to_ascii_lowercase();
        assert!(asked.starts_with("get /v1/secrets/a%2fb%20c http/1.1\r\n"), "{asked}");
        assert_eq!(asked.matches("host: localhost\r\n").count(), 1, "{asked}");
    }

    #[tokio::test]
    async fn a_value_that_could_not_be_refreshed_is_worth_a_warning_and_one_under_refresh_is_not() {
        for (reason, warned) in [("aged", None), ("CS4005", Some("CS5010"))] {
            let stale = format!(r#""stale","stale":{{"reason":"{reason}","since":1800000300}}"#);
            let scripted = Scripted::answering(200, &FRESH.replace(r#""fresh""#, &stale));
            let found = fetched(&scripted, "Db").await.unwrap();
            assert_eq!(found.warnings.first().map(|warning| warning.code.id), warned, "{reason}");
        }
    }

    #[tokio::test]
    async fn the_brokers_error_keeps_its_code_and_its_time_to_wait() {
        let body = r#"{"error":{"code":"CS4005","message":"m","cause":"c","fix":["f"],"retryable":true,"retryAfterSeconds":7}}"#;
        let told = fetched(&Scripted::answering(503, body), "Db").await.unwrap_err();
        assert_eq!((told.code.id, told.message.as_str(), told.cause.as_deref()), ("CS4005", "m", Some("c")));
        assert_eq!((told.retryable, told.retry_after), (true, Some(Duration::from_secs(7))));
    }

    #[tokio::test]
    async fn what_is_not_the_answer_of_a_broker_is_an_error_without_its_content() {
        let unknown = r#"{"error":{"code":"CS5999","message":"planted by a later version"}}"#;
        for (status, body) in [
            (200, "planted"),
            (200, r#"{"value":"planted"}"#),
            (
                200,
                r#"{"identifier":"Db","value":["planted"],"fetchedAt":1,"ageSeconds":1,"freshness":"fresh","cached":true}"#,
            ),
            (500, "planted"),
            (302, ""),
        ] {
            let told = fetched(&Scripted::answering(status, body), "Db").await.unwrap_err();
            assert_eq!(told.code.id, "CS5008", "{status} {body}");
            assert!(!format!("{told:?}").contains("planted"), "{told:?}");
        }
        let told = fetched(&Scripted::answering(500, unknown), "Db").await.unwrap_err();
        assert_eq!((told.code.id, told.message.as_str()), ("CS5008", "CS5999: planted by a later version"));
        let empty = FRESH.replace("planted", "");
        assert_eq!(fetched(&Scripted::answering(200, &empty), "Db").await.unwrap_err().code.id, "CS2005");
    }

    #[tokio::test]
    async fn where_nobody_listens_there_is_no_broker_and_nothing_else_is_asked() {
        let store = BrokerStore::new("/nowhere/broker.sock");
        let told = Diagnosis::from(store.fetch(&"Db".parse().unwrap(), Timestamp(0)).await.unwrap_err());
        assert_eq!((told.code.id, told.code.exit as u8, told.retryable), ("CS5001", 8, true));
        assert_eq!(told.message, "no broker answers at /nowhere/broker.sock");
    }
}
