//! The paths of the broker, as a table, and what every request must have whatever it asks.

use http::Method;
use http::header::{CONTENT_TYPE, FORWARDED, HOST, VIA};
use http::request::Parts;

use credstore_protocol::broker;

use super::refusal::Refusal;
use crate::uri::Parameters;

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Secret,
    Secrets,
    Expand,
    Health,
    Metrics,
    CacheList,
    CacheClear,
    CacheForget,
    Reload,
    Stop,
}

/// Who may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Whoever reaches the socket.
    Everybody,
    /// Whom the rights give the identifier.
    Readers,
    /// The broker's user and root.
    Owner,
}

/// One row: method, path, whether a name follows it, what it does, for whom.
pub(crate) struct Route {
    method: Method,
    path: &'static str,
    named: bool,
    pub(crate) operation: Operation,
    pub(crate) audience: Audience,
}

const fn route(method: Method, path: &'static str, named: bool, operation: Operation, audience: Audience) -> Route {
    Route { method, path, named, operation, audience }
}

pub(crate) static ROUTES: [Route; 10] = [
    route(Method::GET, broker::SECRETS_PATH, true, Operation::Secret, Audience::Readers),
    route(Method::POST, broker::SECRETS_PATH, false, Operation::Secrets, Audience::Readers),
    route(Method::POST, broker::EXPAND_PATH, false, Operation::Expand, Audience::Readers),
    route(Method::GET, broker::HEALTH_PATH, false, Operation::Health, Audience::Everybody),
    route(Method::GET, broker::METRICS_PATH, false, Operation::Metrics, Audience::Everybody),
    route(Method::GET, broker::CACHE_PATH, false, Operation::CacheList, Audience::Owner),
    route(Method::DELETE, broker::CACHE_PATH, false, Operation::CacheClear, Audience::Owner),
    route(Method::DELETE, broker::CACHE_PATH, true, Operation::CacheForget, Audience::Owner),
    route(Method::POST, broker::RELOAD_PATH, false, Operation::Reload, Audience::Owner),
    route(Method::POST, broker::STOP_PATH, false, Operation::Stop, Audience::Owner),
];

/// What was asked for, after everything that can be said of its head.
pub(crate) struct Asked {
    pub(crate) route: &'static Route,
    /// The name after the path, decoded; empty where none belongs.
    pub(crate) name: String,
    /// Whether the kept value will not do.
    pub(crate) refresh: bool,
}

/// Checks the head and finds the row.
pub(crate) fn asked(parts: &Parts) -> Result<Asked, Refusal> {
    let forwarded = |name: &http::HeaderName| {
        *name == FORWARDED || *name == VIA || name.as_str().starts_with("x-forwarded") || name == "x-real-ip"
    };
    if parts.headers.keys().any(forwarded) {
        return Err(Refusal::Forwarded);
    }
    let mut hosts = parts.headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return Err(Refusal::ForeignHost) };
    let elsewhere = parts.uri.authority().is_some_and(|authority| authority.as_str() != broker::HOST);
    if host.as_bytes() != broker::HOST.as_bytes() || elsewhere {
        return Err(Refusal::ForeignHost);
    }
    let (route, name) = found(parts)?;
    let declared = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let is_json = declared.is_some_and(|value| {
        value.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
    });
    if route.takes_json() && !is_json {
        return Err(Refusal::NotJson);
    }
    Ok(Asked { route, name, refresh: refresh(parts, route.operation)? })
}

fn found(parts: &Parts) -> Result<(&'static Route, String), Refusal> {
    let path = parts.uri.path();
    let name_in = |route: &Route| {
        let rest = path.strip_prefix(route.path)?;
        let raw = if route.named { rest.strip_prefix('/').filter(|raw| !raw.is_empty())? } else { rest };
        let fits = if route.named { !raw.contains('/') } else { raw.is_empty() };
        fits.then_some(raw)
    };
    let here: Vec<(&'static Route, &str)> =
        ROUTES.iter().filter_map(|route| name_in(route).map(|raw| (route, raw))).collect();
    if here.is_empty() {
        return Err(Refusal::NoSuchPath);
    }
    let Some((route, raw)) = here.iter().find(|(route, _)| route.method == parts.method) else {
        return Err(Refusal::Method(here.iter().map(|(route, _)| route.method_name()).collect()));
    };
    let name = percent_encoding::percent_decode_str(raw).decode_utf8();
    let name = name.map_err(|_| Refusal::Malformed("the identifier in the path is not UTF-8".to_owned()))?;
    Ok((route, name.into_owned()))
}

/// The one parameter there is: `refresh=true`, for a reader whose login was refused.
fn refresh(parts: &Parts, operation: Operation) -> Result<bool, Refusal> {
    let Some(query) = parts.uri.query() else { return Ok(false) };
    let wrong = || Refusal::Malformed("the query is not refresh=true on one secret".to_owned());
    let parameters = Parameters::parse(query).map_err(|_| wrong())?;
    match (operation, parameters.only("refresh")) {
        (Operation::Secret, Some("true")) => Ok(true),
        _ => Err(wrong()),
    }
}

impl Route {
    fn takes_json(&self) -> bool {
        matches!(self.operation, Operation::Secrets | Operation::Expand)
    }

    fn method_name(&self) -> &'static str {
        match self.method {
            Method::GET => "GET",
            Method::DELETE => "DELETE",
            _ => "POST",
        }
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn head(method: &str, uri: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    const HERE: (&str, &str) = ("host", "localhost");
    const JSON: (&str, &str) = ("content-type", "application/json; charset=utf-8");

    fn status(parts: &Parts) -> u16 {
        asked(parts).map_or_else(|refusal| refusal.answer().status().as_u16(), |_| 200)
    }

    #[test]
    fn every_row_of_the_table_is_found_by_its_method_and_path() {
        for route in &ROUTES {
            let path = if route.named { format!("{}/Db", route.path) } else { route.path.to_owned() };
            let asked = asked(&head(route.method.as_str(), &path, &[HERE, JSON])).ok().unwrap();
            assert_eq!((asked.route.operation, asked.refresh), (route.operation, false), "{path}");
            assert_eq!(asked.name, if route.named { "Db" } else { "" });
        }
    }

    #[test]
    fn only_health_and_metrics_are_for_everybody_and_only_reads_for_readers() {
        let of = |audience| {
            let rows = ROUTES.iter().filter(|route| route.audience == audience);
            rows.map(|route| route.operation).collect::<Vec<_>>()
        };
        assert_eq!(of(Audience::Everybody), [Operation::Health, Operation::Metrics]);
        assert_eq!(of(Audience::Readers), [Operation::Secret, Operation::Secrets, Operation::Expand]);
    }

    #[test]
    fn an_identifier_is_decoded_once_and_stays_one_segment() {
        for (path, expected) in
            [("a%2Fb", Some("a/b")), ("%2541", Some("%41")), ("a/b", None), ("", None), ("%ff", None)]
        {
            let asked = asked(&head("GET", &format!("/v1/secrets/{path}"), &[HERE]));
            assert_eq!(asked.ok().map(|asked| asked.name).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn what_no_row_takes_is_refused() {
        for (method, uri, headers, expected) in [
            ("GET", "/", &[HERE][..], 404),
            ("GET", "/v2/secrets/Db", &[HERE], 404),
            ("GET", "/v1/secrets", &[HERE], 405),
            ("POST", "/v1/secrets/Db", &[HERE, JSON], 405),
            ("HEAD", "/v1/health", &[HERE], 405),
            ("POST", "/v1/secrets", &[HERE], 415),
            ("POST", "/v1/secrets", &[HERE, ("content-type", "text/plain")], 415),
            ("GET", "/v1/secrets/Db?refresh=true", &[HERE], 200),
            ("GET", "/v1/secrets/Db?refresh=false", &[HERE], 400),
            ("GET", "/v1/secrets/Db?refresh=true&refresh=true", &[HERE], 400),
            ("GET", "/v1/secrets/Db?refresh=true&version=1", &[HERE], 400),
            ("GET", "/v1/secrets/Db?", &[HERE], 400),
            ("GET", "/v1/health?refresh=true", &[HERE], 400),
        ] {
            assert_eq!(status(&head(method, uri, headers)), expected, "{method} {uri}");
        }
    }

    #[test]
    fn a_foreign_host_and_a_forwarded_request_are_refused() {
        for (headers, expected) in [
            (&[HERE][..], 200),
            (&[], 421),
            (&[("host", "vault.evil.example")], 421),
            (&[("host", "localhost:80")], 421),
            (&[("host", "127.0.0.1")], 421),
            (&[HERE, HERE], 421),
            (&[HERE, ("x-forwarded-for", "10.0.0.1")], 400),
            (&[HERE, ("x-forwarded-host", "localhost")], 400),
            (&[HERE, ("forwarded", "for=10.0.0.1")], 400),
            (&[HERE, ("via", "1.1 proxy")], 400),
            (&[HERE, ("x-real-ip", "10.0.0.1")], 400),
        ] {
            assert_eq!(status(&head("GET", "/v1/health", headers)), expected, "{headers:?}");
        }
        assert_eq!(status(&head("GET", "http://evil.example/v1/health", &[HERE])), 421);
    }
}
