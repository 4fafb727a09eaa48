//! HTTP over a Unix socket: the way to a broker of this machine. No TLS: the socket's permissions are its lock.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use rustls::{ClientConfig, RootCertStore};

use super::{ANSWER_MAX, failure, read};
use crate::transport::{Answer, Body, Transport, TransportError};

/// Sends requests to whoever listens on a socket, with no redirects and no proxy.
pub(crate) struct UnixTransport {
    socket: PathBuf,
    timeout: Duration,
    client: OnceLock<Result<reqwest::Client, String>>,
}

impl UnixTransport {
    /// To the socket; nothing is opened yet. Each request has `timeout`.
    pub(crate) fn new(socket: PathBuf, timeout: Duration) -> Self {
        Self { socket, timeout, client: OnceLock::new() }
    }

    fn build(&self) -> Result<reqwest::Client, String> {
        // The library wants to know how TLS would be spoken, which it never is here: nobody is trusted.
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|error| error.to_string())?
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .timeout(self.timeout)
            .unix_socket(self.socket.as_path())
            .build()
            .map_err(|error| failure::innermost(&error))
    }

    async fn exchange(&self, request: Request<Body>) -> Result<Response<Body>, TransportError> {
        let host = self.socket.display().to_string();
        let client = match self.client.get_or_init(|| self.build()) {
            Ok(client) => client,
            Err(reason) => return Err(TransportError::Tls { host, reason: reason.clone() }),
        };
        let (parts, body) = request.into_parts();
        let request =
            client.request(parts.method, parts.uri.to_string()).headers(parts.headers).body(Bytes::from_owner(body));
        let classify = |error: reqwest::Error| failure::classify(&error, &host, None);
        let answer = request.send().await.map_err(classify)?;
        read(answer, ANSWER_MAX, &host, classify).await
    }
}

impl Transport for UnixTransport {
    fn send(&self, request: Request<Body>) -> Answer<'_> {
        Box::pin(self.exchange(request))
    }
}
