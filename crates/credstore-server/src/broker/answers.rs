//! From a request to its answer, without a socket.

use std::time::Duration;

use credstore::connection_string::{self, Style};
use credstore::diagnosis::Diagnosis;
use credstore::resolver::{Freshness, Resolved, StaleReason};
use credstore_protocol::broker::{
    AGED, CacheAnswer, CacheEntry, ExpandAnswer, ExpandQuestion, Freshness as Told, IDENTIFIERS_MAX, IdentifierError,
    QuotingStyle, SecretAnswer, SecretsAnswer, SecretsQuestion, Stale,
};
use credstore_protocol::{Identifier, Secret};
use http::{HeaderValue, Request, Response, StatusCode};
use hyper::body::{Body, Bytes};
use serde::Serialize;
use serde_json::json;
use tokio::task::JoinSet;
use zeroize::Zeroizing;

use super::limits::BODY_MAX;
use super::refusal::{self, Refusal};
use super::routes::{self, Audience, Operation};
use super::{Broker, Consumer, metrics};
use crate::body::{self, Content};
use crate::json;
use crate::outcome::{json_answer, unstored};

impl Broker {
    /// Answers one request of `consumer`. A body has `body_time` to arrive.
    pub(crate) async fn answer<B>(
        &self,
        consumer: &Consumer,
        request: Request<B>,
        body_time: Duration,
    ) -> Response<Content>
    where
        B: Body<Data = Bytes>,
    {
        let (parts, body) = request.into_parts();
        let answered = async {
            let asked = routes::asked(&parts)?;
            match asked.route.audience {
                Audience::Owner if !self.is_owner(consumer) => return Err(Refusal::OwnerOnly),
                Audience::Owner | Audience::Readers | Audience::Everybody => {}
            }
            let content = async { body::read(&parts.headers, body, BODY_MAX, body_time).await.map_err(Refusal::Body) };
            match asked.route.operation {
                Operation::Secret => self.secret(consumer, &asked.name, asked.refresh).await,
                Operation::Secrets => self.secrets(consumer, &content.await?).await,
                Operation::Expand => self.expand(consumer, &content.await?).await,
                Operation::Health => Ok(found(&self.health())),
                Operation::Metrics => Ok(self.metrics()),
                Operation::CacheList => Ok(found(&self.kept())),
                Operation::CacheClear => {
                    self.serving().resolver.clear();
                    Ok(found(&json!({ "cleared": "all" })))
                }
                Operation::CacheForget => {
                    let identifier = identifier(&asked.name)?;
                    self.serving().resolver.forget(&identifier);
                    Ok(found(&json!({ "cleared": identifier.as_str() })))
                }
                Operation::Reload => {
                    self.reload().await.map_err(Refusal::Diagnosed)?;
                    Ok(found(&json!({ "reloaded": true })))
                }
                Operation::Stop => {
                    self.0.stop.send_replace(true);
                    Ok(found(&json!({ "stopping": true })))
                }
            }
        };
        answered.await.unwrap_or_else(Refusal::answer)
    }

    async fn secret(&self, consumer: &Consumer, name: &str, refresh: bool) -> Result<Response<Content>, Refusal> {
        let identifier = identifier(name)?;
        let resolved = self.read(consumer, &identifier, refresh).await?;
        Ok(found(&told(&identifier, &resolved)))
    }

    /// All at once, so that the slowest and not their sum is waited for.
    async fn secrets(&self, consumer: &Consumer, content: &[u8]) -> Result<Response<Content>, Refusal> {
        let question: SecretsQuestion = json::read(content).map_err(|bad| Refusal::Malformed(bad.0))?;
        if question.identifiers.len() > IDENTIFIERS_MAX {
            return Err(Refusal::Malformed(format!("more than {IDENTIFIERS_MAX} identifiers in one question")));
        }
        let mut answer = SecretsAnswer::default();
        for (name, read) in self.read_all(consumer, question.identifiers).await {
            match read {
                Ok((identifier, resolved)) => answer.secrets.push(told(&identifier, &resolved)),
                Err(refused) => {
                    let error = refusal::problem(&refused.diagnosis());
                    answer.errors.push(IdentifierError { identifier: name, error });
                }
            }
        }
        Ok(found(&answer))
    }

    /// Each name with what became of it, in their order.
    async fn read_all(&self, consumer: &Consumer, names: Vec<String>) -> Vec<(String, Outcome)> {
        let mut reads = JoinSet::new();
        let mut outcomes: Vec<(String, Outcome)> = Vec::with_capacity(names.len());
        for (at, name) in names.into_iter().enumerate() {
            let (broker, consumer, asked) = (self.clone(), consumer.clone(), name.clone());
            outcomes.push((name, Err(Refusal::Late)));
            reads.spawn(async move {
                let read = async {
                    let identifier = identifier(&asked)?;
                    broker.read(&consumer, &identifier, false).await.map(|resolved| (identifier, resolved))
                };
                (at, read.await)
            });
        }
        while let Some(done) = reads.join_next().await {
            // A read that panicked keeps the answer that there is none.
            if let Ok((at, outcome)) = done
                && let Some((_, slot)) = outcomes.get_mut(at)
            {
                *slot = outcome;
            }
        }
        outcomes
    }

    async fn expand(&self, consumer: &Consumer, content: &[u8]) -> Result<Response<Content>, Refusal> {
        let question: ExpandQuestion = json::read(content).map_err(|bad| Refusal::Malformed(bad.0))?;
        let text = question.connection_string.expose_secret();
        if text.len() > credstore_protocol::broker::CONNECTION_STRING_MAX {
            return Err(Refusal::Malformed("the connection string is longer than the broker takes".to_owned()));
        }
        let parsed = connection_string::parse(text).map_err(Diagnosis::from)?;
        let references = parsed.references();
        if references.len() > IDENTIFIERS_MAX {
            return Err(Refusal::Malformed(format!("more than {IDENTIFIERS_MAX} references in one connection string")));
        }
        let names = references.iter().map(|reference| reference.identifier.as_str().to_owned()).collect();
        let mut values: Vec<(Identifier, Resolved)> = Vec::new();
        for (_, read) in self.read_all(consumer, names).await {
            values.push(read?);
        }
        let style = match question.style {
            QuotingStyle::Odbc => Style::Odbc,
            QuotingStyle::Uri => Style::Uri,
        };
        let of =
            |wanted: &Identifier| values.iter().find(|(known, _)| known == wanted).map(|(_, found)| found.secret());
        let expanded: Zeroizing<String> = parsed.expand_with(style, of).map_err(Diagnosis::from)?;
        let all_fresh = values.iter().all(|(_, resolved)| resolved.freshness.is_fresh());
        let freshness = if all_fresh { Told::Fresh } else { Told::Stale };
        Ok(found(&ExpandAnswer { connection_string: Secret::from(expanded), freshness }))
    }

    fn metrics(&self) -> Response<Content> {
        let text = metrics::text(&self.health(), &self.0.reads);
        let mut response = unstored(Response::new(Zeroizing::new(text.into_bytes())));
        response.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static(metrics::CONTENT_TYPE));
        response
    }

    fn kept(&self) -> CacheAnswer {
        let entries = self.serving().resolver.kept().into_iter().map(|kept| CacheEntry {
            identifier: kept.identifier.as_str().to_owned(),
            version: kept.version.map(|version| version.to_string()),
            fetched_at: kept.fetched_at,
            age_seconds: kept.age.as_secs(),
            freshness: if kept.is_fresh { Told::Fresh } else { Told::Stale },
        });
        CacheAnswer { entries: entries.collect() }
    }
}

type Outcome = Result<(Identifier, Resolved), Refusal>;

fn identifier(name: &str) -> Result<Identifier, Refusal> {
    name.parse()
        .map_err(|_| Refusal::Malformed("an identifier is empty, too long or has a control character".to_owned()))
}

fn told(identifier: &Identifier, resolved: &Resolved) -> SecretAnswer {
    let stale = match &resolved.freshness {
        Freshness::Fresh => None,
        Freshness::Stale { reason: StaleReason::Aged, since } => Some(Stale { reason: AGED.to_owned(), since: *since }),
        Freshness::Stale { reason: StaleReason::NotRefreshed(why), since } => {
            Some(Stale { reason: why.code.id.to_owned(), since: *since })
        }
    };
    SecretAnswer {
        identifier: identifier.as_str().to_owned(),
        value: Secret::from(resolved.secret().expose_secret().to_owned()),
        version: resolved.version().map(ToString::to_string),
        content_type: resolved.content_type().map(str::to_owned),
        expires: resolved.expires(),
        fetched_at: resolved.fetched_at,
        age_seconds: resolved.age.as_secs(),
        freshness: if stale.is_none() { Told::Fresh } else { Told::Stale },
        stale,
        cached: resolved.cached,
    }
}

fn found<T: Serialize>(answer: &T) -> Response<Content> {
    unstored(json_answer(StatusCode::OK, answer))
}
