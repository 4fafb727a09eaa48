//! The managed-identity endpoint of one app: tokens over plain HTTP on loopback, for whoever knows its header.
//!
//! It speaks what Azure App Service offers to the applications that run in it, version 2019-08-01, so that
//! `DefaultAzureCredential` finds it by `IDENTITY_ENDPOINT` and `IDENTITY_HEADER`. Who the app is and how it signs in is
//! the caller's ([`Identity`]); nothing of the embedded vault is known here. The header keeps other users of the machine
//! and requests that somebody else provoked out. Source: Microsoft Learn, "How to use managed identities for App Service
//! and Azure Functions", REST protocol; azure-identity for Python, `_credentials/app_service.py`.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use credstore_protocol::{Secret, Timestamp};
use http::request::Parts;
use http::{Request, Response, StatusCode};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::app::sendable;
use crate::body::Content;
use crate::limits::{ACCEPT_PAUSE, HEADERS_MAX};
use crate::outcome::{allow, empty_answer, json_answer, unstored};
use crate::uri::Parameters;

/// The path of the endpoint. Source: App Service, `IDENTITY_ENDPOINT`.
pub const PATH: &str = "/msi/token";
/// The version that every SDK sends. Source: Microsoft Learn, App Service REST protocol.
pub const API_VERSION: &str = "2019-08-01";
/// The header that the application copies from `IDENTITY_HEADER`.
const SECRET_HEADER: &str = "x-identity-header";
/// Parameters that choose an identity by what only another one has: the app here is known by its `client_id` alone.
const OTHERS: [&str; 3] = ["principal_id", "object_id", "mi_res_id"];
/// Connections at once. Ours: one application and its threads; each asks once in an hour.
const CONNECTIONS_MAX: usize = 64;
/// Time for a head, and for a connection that is kept open in vain.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// Longest resource. Ours: longer than any address that a directory knows.
const RESOURCE_MAX: usize = 512;

/// An app that signs in when it is asked to.
pub trait Identity: Send + Sync + 'static {
    /// Its application id.
    fn client_id(&self) -> &str;

    /// A token for a resource, kept or new.
    fn token<'a>(
        &'a self,
        resource: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<IdentityToken, IdentityRefusal>> + Send + 'a>>;
}

/// A token for the application.
#[derive(Debug)]
pub struct IdentityToken {
    /// The access token.
    pub value: Secret,
    /// When it ends.
    pub expires: Timestamp,
}

/// Why there is no token. The text is for whoever runs the application; it holds no secret.
#[derive(Debug)]
pub enum IdentityRefusal {
    /// The directory refuses: asking again does not help.
    Refused(String),
    /// The directory cannot be reached: clients ask again.
    Unreachable(String),
}

/// Answers on `listener`, which the caller has bound to loopback, until `end` completes.
///
/// # Errors
/// When the listener cannot be used.
pub async fn serve_identity(
    listener: std::net::TcpListener,
    identity: Arc<dyn Identity>,
    header: Secret,
    end: impl Future<Output = ()>,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let endpoint = Arc::new(Endpoint { identity, header });
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut end = pin!(end);
    loop {
        let stream = tokio::select! {
            () = &mut end => return Ok(()),
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(_) => {
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            },
        };
        // One connection too many is closed; the application's client opens another.
        if let Ok(place) = Arc::clone(&places).try_acquire_owned() {
            let endpoint = Arc::clone(&endpoint);
            tokio::spawn(async move {
                connection(endpoint, stream).await;
                drop(place);
            });
        }
    }
}

struct Endpoint {
    identity: Arc<dyn Identity>,
    header: Secret,
}

async fn connection(endpoint: Arc<Endpoint>, stream: TcpStream) {
    let answer = service_fn(move |request: Request<hyper::body::Incoming>| {
        let endpoint = Arc::clone(&endpoint);
        async move {
            let (parts, _) = request.into_parts();
            Ok::<_, Infallible>(sendable(endpoint.answer(&parts).await))
        }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME).max_headers(HEADERS_MAX);
    // What ends a connection is the peer's business.
    let _ = http.serve_connection(TokioIo::new(stream), answer).await;
}

impl Endpoint {
    async fn answer(&self, parts: &Parts) -> Response<Content> {
        if parts.uri.path() != PATH {
            return empty_answer(StatusCode::NOT_FOUND);
        }
        if parts.method != http::Method::GET {
            let mut response = empty_answer(StatusCode::METHOD_NOT_ALLOWED);
            response.headers_mut().extend([allow(&["GET"])]);
            return response;
        }
        if !self.is_known(parts) {
            return problem(StatusCode::UNAUTHORIZED, "X-IDENTITY-HEADER is not the value of IDENTITY_HEADER.");
        }
        let resource = match self.resource(parts) {
            Ok(resource) => resource,
            Err(text) => return problem(StatusCode::BAD_REQUEST, text),
        };
        match self.identity.token(&resource).await {
            Ok(token) => unstored(json_answer(
                StatusCode::OK,
                &json!({
                    "access_token": token.value.expose_secret(),
                    "expires_on": token.expires.0.to_string(),
                    "resource": resource,
                    "token_type": "Bearer",
                    "client_id": self.identity.client_id(),
                }),
            )),
            Err(IdentityRefusal::Refused(text)) => problem(StatusCode::BAD_REQUEST, &text),
            Err(IdentityRefusal::Unreachable(text)) => problem(StatusCode::SERVICE_UNAVAILABLE, &text),
        }
    }

    /// Whether the request carries the header once, with the right value.
    fn is_known(&self, parts: &Parts) -> bool {
        let mut values = parts.headers.get_all(SECRET_HEADER).iter();
        let (Some(value), None) = (values.next(), values.next()) else { return false };
        value.to_str().is_ok_and(|value| Secret::from(value.to_owned()).matches(&self.header))
    }

    fn resource(&self, parts: &Parts) -> Result<String, &'static str> {
        let query = Parameters::parse(parts.uri.query().unwrap_or_default()).map_err(|_| "The query is not valid.")?;
        if query.given("api-version") != Some(API_VERSION) {
            return Err("api-version must be 2019-08-01.");
        }
        let other_client =
            query.given("client_id").is_some_and(|id| !id.eq_ignore_ascii_case(self.identity.client_id()));
        if other_client || OTHERS.iter().any(|name| query.given(name).is_some()) {
            return Err(
                "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId.",
            );
        }
        match query.given("resource") {
            None => Err("The parameter resource is missing."),
            Some(text) if text.len() > RESOURCE_MAX || !text.bytes().all(|byte| byte.is_ascii_graphic()) => {
                Err("The parameter resource is not an address.")
            }
            Some(text) => Ok(text.to_owned()),
        }
    }
}

/// An error as App Service writes it.
fn problem(status: StatusCode, message: &str) -> Response<Content> {
    unstored(json_answer(status, &json!({ "statusCode": status.as_u16(), "message": message })))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed;

    impl Identity for Fixed {
        fn client_id(&self) -> &'static str {
            "9c1f2a7e-0000-4000-8000-000000000001"
        }

        fn token<'a>(
            &'a self,
            resource: &'a str,
        ) -> Pin<Box<dyn Future<Output = Result<IdentityToken, IdentityRefusal>> + Send + 'a>> {
            Box::pin(async move {
                match resource {
                    "https://away" => Err(IdentityRefusal::Unreachable("nobody answers".to_owned())),
                    "https://unknown" => Err(IdentityRefusal::Refused("AADSTS500011".to_owned())),
                    _ => Ok(IdentityToken {
                        value: Secret::from(format!("for {resource}")),
                        expires: Timestamp(1_800_003_600),
                    }),
                }
            })
        }
    }

    async fn asked(method: &str, uri: &str, headers: &[&str]) -> (u16, serde_json::Value) {
        let endpoint = Endpoint { identity: Arc::new(Fixed), header: Secret::from("header secret".to_owned()) };
        let mut request = Request::builder().method(method).uri(uri);
        for value in headers {
            request = request.header("X-IDENTITY-HEADER", *value);
        }
        let answer = endpoint.answer(&request.body(()).unwrap().into_parts().0).await;
        let status = answer.status().as_u16();
        assert!(answer.headers().get("cache-control").is_some(), "{uri}");
        (status, serde_json::from_slice(answer.body()).unwrap_or_default())
    }

    const GOOD: &str = "/msi/token?api-version=2019-08-01&resource=https%3A%2F%2Fvault.localhost%3A8443";

    #[tokio::test]
    async fn who_has_the_header_gets_a_token_as_app_service_gives_it() {
        let (status, token) = asked("GET", GOOD, &["header secret"]).await;
        let expected = json!({
            "access_token": "for https://vault.localhost:8443", "expires_on": "1800003600", "token_type": "Bearer",
            "resource": "https://vault.localhost:8443", "client_id": "9c1f2a7e-0000-4000-8000-000000000001"
        });
        assert_eq!((status, token), (200, expected));
        let chosen = format!("{GOOD}&client_id=9C1F2A7E-0000-4000-8000-000000000001");
        assert_eq!(asked("GET", &chosen, &["header secret"]).await.0, 200);
    }

    #[tokio::test]
    async fn everything_else_is_refused_and_told() {
        let (unknown, away) = ("https%3A%2F%2Funknown", "https%3A%2F%2Faway");
        let with = |query: &str| format!("/msi/token?{query}");
        let secret = &["header secret"][..];
        for (method, uri, headers, status, told) in [
            ("GET", GOOD.to_owned(), &[][..], 401, "X-IDENTITY-HEADER"),
            ("GET", GOOD.to_owned(), &["header secreT"], 401, "X-IDENTITY-HEADER"),
            ("GET", GOOD.to_owned(), &["header secret", "header secret"], 401, "X-IDENTITY-HEADER"),
            ("POST", GOOD.to_owned(), secret, 405, ""),
            ("GET", "/other".to_owned(), secret, 404, ""),
            ("GET", with("resource=https://a"), secret, 400, "api-version"),
            ("GET", with("api-version=2017-09-01&resource=https://a"), secret, 400, "api-version"),
            ("GET", with("api-version=2019-08-01"), secret, 400, "resource is missing"),
            ("GET", with("api-version=2019-08-01&resource=a%20b"), secret, 400, "not an address"),
            (
                "GET",
                with(&format!("api-version=2019-08-01&resource={}", "a".repeat(513))),
                secret,
                400,
                "not an address",
            ),
            ("GET", format!("{GOOD}&resource=b"), secret, 400, "query"),
            ("GET", format!("{GOOD}&client_id=another"), secret, 400, "No User Assigned"),
            ("GET", format!("{GOOD}&mi_res_id=%2Fsubscriptions"), secret, 400, "No User Assigned"),
            ("GET", format!("{GOOD}&object_id=9c1f2a7e"), secret, 400, "No User Assigned"),
            ("GET", with(&format!("api-version=2019-08-01&resource={unknown}")), secret, 400, "AADSTS500011"),
            ("GET", with(&format!("api-version=2019-08-01&resource={away}")), secret, 503, "nobody answers"),
        ] {
            let (found, body) = asked(method, &uri, headers).await;
            assert_eq!(found, status, "{method} {uri} {body}");
            let message = body["message"].as_str().unwrap_or_default();
            assert!(message.contains(told), "{uri}: {message}");
            assert!(body.is_null() || body["statusCode"] == status, "{uri}: {body}");
        }
        let longest = with(&format!("api-version=2019-08-01&resource={}", "a".repeat(512)));
        assert_eq!(asked("GET", &longest, secret).await.0, 200);
    }

    #[tokio::test]
    async fn over_a_socket_it_answers_until_its_end() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let header = Secret::from("header secret".to_owned());
        let served = tokio::spawn(serve_identity(listener, Arc::new(Fixed), header, async { stopped.await.unwrap() }));
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!(
            "GET {GOOD} HTTP/1.1\r\nHost: {address}\r\nX-IDENTITY-HEADER: header secret\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(
            answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("\"expires_on\":\"1800003600\""),
            "{answer}"
        );
        stop.send(()).unwrap();
        served.await.unwrap().unwrap();
        assert!(TcpStream::connect(address).await.is_err());
    }
}
