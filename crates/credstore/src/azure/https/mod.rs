//! HTTPS for the clients of this crate: verified TLS, bounded time and size, proxies, no redirects.
//!
//! Which certificates are trusted is in [`trust`], what went wrong in `failure`; `unix` is the way to a broker. There is no switch that turns
//! verification off: whoever has a private authority names its file. No retries here: see [`super::retry`].

mod failure;
mod names;
pub mod trust;
mod unix;

use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Uri};
use hyper_util::client::proxy::matcher::Matcher;
use zeroize::Zeroizing;

use crate::diagnosis::Diagnosis;
use crate::transport::{Answer, AnswerMax, Body, Transport, TransportError};

pub use trust::{CaFileError, Trust};
pub(crate) use unix::UnixTransport;

/// Time to connect, TLS included. Source: requirement of the product; a packet that is lost twice arrives in 3 s.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Time for a whole request. Source: requirement of the product; Azure's own clients wait 60 s.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Largest answer in bytes, unless the request allows more. A page of 25 secrets with 15 tags of 1,024 characters each has 384 KB.
pub const ANSWER_MAX: usize = 1024 * 1024;
/// First size of the buffer for an answer of unknown length, in bytes. Ours.
const ANSWER_START: usize = 16 * 1024;
/// Hosts that no proxy is asked for, whatever the settings say: this machine itself (RFC 6761 section 6.3).
const NEVER_PROXIED: &str = "localhost,127.0.0.0/8,::1";

/// How to reach other machines. `Default` is: the system's authorities, no proxy, the limits above.
#[derive(Clone, Debug)]
pub struct TransportOptions {
    /// Which authorities may vouch for a server.
    pub trust: Trust,
    /// The value of `HTTPS_PROXY`, with credentials if it has them.
    pub https_proxy: Option<String>,
    /// The value of `NO_PROXY`.
    pub no_proxy: Option<String>,
    /// Time to connect, TLS included.
    pub connect_timeout: Duration,
    /// Time for a whole request.
    pub request_timeout: Duration,
    /// Largest answer in bytes, unless the request itself allows more with [`AnswerMax`].
    pub answer_max: usize,
}

impl Default for TransportOptions {
    fn default() -> Self {
        Self {
            trust: Trust::default(),
            https_proxy: None,
            no_proxy: None,
            connect_timeout: CONNECT_TIMEOUT,
            request_timeout: REQUEST_TIMEOUT,
            answer_max: ANSWER_MAX,
        }
    }
}

/// Why there is no transport with these options.
#[derive(Debug, thiserror::Error)]
pub enum InvalidOptions {
    /// The file of an authority is not usable.
    #[error(transparent)]
    CaFile(#[from] CaFileError),
    /// The proxy is not a URL. Its text is not repeated: it may hold a password.
    #[error("HTTPS_PROXY is not a URL")]
    Proxy,
}

impl From<InvalidOptions> for Diagnosis {
    fn from(error: InvalidOptions) -> Self {
        match error {
            InvalidOptions::CaFile(error) => error.into(),
            InvalidOptions::Proxy => {
                Diagnosis::error(&crate::codes::vault::ADDRESS_INVALID, "HTTPS_PROXY is not a URL")
                    .fix("write scheme, host and port: http://proxy.example:3128")
            }
        }
    }
}

/// The proxy and who goes through it.
struct ProxyRule {
    url: url::Url,
    matcher: Matcher,
    /// The exempt at one port only.
    at_ports: Vec<(u16, Matcher)>,
}

impl ProxyRule {
    fn new(options: &TransportOptions) -> Result<Option<Self>, InvalidOptions> {
        let Some(text) = options.https_proxy.as_deref().map(str::trim).filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        // curl and others take a bare host:port as http.
        let text = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let url = url::Url::parse(&text).map_err(|_| InvalidOptions::Proxy)?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(InvalidOptions::Proxy);
        }
        let matcher_without = |exempt: String| Matcher::builder().https(url.as_str()).no(exempt).build();
        let list = options.no_proxy.as_deref().unwrap_or_default();
        let matcher = matcher_without(format!("{list},{NEVER_PROXIED}"));
        let at_ports = list.split(',').filter_map(with_port);
        let at_ports = at_ports.map(|(host, port)| (port, matcher_without(host.to_owned()))).collect();
        Ok(Some(Self { url, matcher, at_ports }))
    }

    fn url_for(&self, uri: &Uri) -> Option<&url::Url> {
        let port = uri.port_u16().unwrap_or(443);
        let mut at_port = self.at_ports.iter().filter(|(exempt, _)| *exempt == port);
        let is_exempt = at_port.any(|(_, matcher)| matcher.intercept(uri).is_none());
        self.matcher.intercept(uri).filter(|_| !is_exempt).map(|_| &self.url)
    }

    /// `host:port` of the proxy, without its credentials.
    fn shown(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        self.url.port_or_known_default().map_or(host.to_owned(), |port| format!("{host}:{port}"))
    }
}

/// Host and port of an entry of NO_PROXY that has one: `host:8443`. An address of version 6 stands in brackets then.
fn with_port(entry: &str) -> Option<(&str, u16)> {
    let (host, port) = entry.trim().rsplit_once(':')?;
    let host = match host.strip_prefix('[') {
        Some(address) => address.strip_suffix(']')?,
        None if host.contains(':') => return None,
        None => host,
    };
    Some((host, port.parse().ok()?))
}

/// [`Transport`] over HTTPS. Making one is cheap: the system's authorities are read at the first request.
pub struct HttpsTransport {
    options: TransportOptions,
    /// Certificates of the file in `options.trust`, read when the transport was made.
    own_authorities: Vec<trust::Authority>,
    proxy: Option<std::sync::Arc<ProxyRule>>,
    client: OnceLock<Result<reqwest::Client, String>>,
}

impl HttpsTransport {
    /// A transport with these options.
    ///
    /// # Errors
    /// When the file of an authority cannot be used, or the proxy is not a URL.
    pub fn new(options: TransportOptions) -> Result<Self, InvalidOptions> {
        let own_authorities = options.trust.read_own()?;
        let proxy = ProxyRule::new(&options)?.map(std::sync::Arc::new);
        Ok(Self { options, own_authorities, proxy, client: OnceLock::new() })
    }

    fn client(&self) -> &Result<reqwest::Client, String> {
        self.client.get_or_init(|| self.build())
    }

    fn build(&self) -> Result<reqwest::Client, String> {
        let tls = trust::client_config(&self.options.trust, &self.own_authorities)?;
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .https_only(true)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .dns_resolver(std::sync::Arc::new(names::Names))
            .connect_timeout(self.options.connect_timeout)
            .timeout(self.options.request_timeout);
        if let Some(rule) = self.proxy.clone() {
            builder = builder.proxy(reqwest::Proxy::custom(move |url| {
                let uri: Uri = url.as_str().parse().ok()?;
                rule.url_for(&uri).cloned()
            }));
        }
        builder.build().map_err(|error| failure::innermost(&error))
    }

    async fn exchange(&self, request: Request<Body>) -> Result<Response<Body>, TransportError> {
        let (parts, body) = request.into_parts();
        let host = parts.uri.authority().map_or_else(String::new, |authority| authority.as_str().to_owned());
        if parts.uri.scheme_str() != Some("https") || host.contains('@') {
            let reason = "only https to a plain host is spoken".to_owned();
            return Err(TransportError::Connect { host, proxy: None, reason });
        }
        let client = match self.client() {
            Ok(client) => client,
            Err(reason) => return Err(TransportError::Tls { host, reason: reason.clone() }),
        };
        let proxy = self.proxy.as_ref().filter(|rule| rule.url_for(&parts.uri).is_some()).map(|rule| rule.shown());
        let classify = |error: reqwest::Error| failure::classify(&error, &host, proxy.clone());
        let allowed = parts.extensions.get::<AnswerMax>().map_or(0, |allowed| allowed.0);
        let limit = self.options.answer_max.max(allowed);
        let url = parts.uri.to_string();
        let request = client
            .request(parts.method, url)
            .headers(parts.headers)
            // The buffer itself travels, so it is wiped when the last part of the connection lets go of it.
            .body(Bytes::from_owner(body));
        let answer = request.send().await.map_err(classify)?;
        read(answer, limit, &host, classify).await
    }
}

async fn read(
    mut answer: reqwest::Response,
    limit: usize,
    host: &str,
    classify: impl Fn(reqwest::Error) -> TransportError,
) -> Result<Response<Body>, TransportError> {
    let too_large =
        || TransportError::BadAnswer { host: host.to_owned(), reason: format!("it is larger than {limit} bytes") };
    let announced = answer.content_length().map(|length| usize::try_from(length).unwrap_or(usize::MAX));
    if announced.is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    // A length is only announced: what goes beyond the usual is set aside as it comes.
    let start = announced.map_or(ANSWER_START, |length| length.min(ANSWER_MAX));
    let mut body = Zeroizing::new(Vec::with_capacity(start));
    while let Some(part) = answer.chunk().await.map_err(&classify)? {
        if body.len() + part.len() > limit {
            return Err(too_large());
        }
        append(&mut body, &part);
    }
    let mut response = Response::new(body);
    *response.status_mut() = answer.status();
    *response.headers_mut() = answer.headers().clone();
    Ok(response)
}

/// Appends without leaving an unwiped copy behind, as growing the vector in place would.
fn append(body: &mut Body, part: &[u8]) {
    let length = body.len() + part.len();
    if length > body.capacity() {
        let mut larger = Zeroizing::new(Vec::with_capacity(length.max(body.capacity() * 2)));
        larger.extend_from_slice(body);
        *body = larger;
    }
    body.extend_from_slice(part);
}

impl Transport for HttpsTransport {
    fn send(&self, request: Request<Body>) -> Answer<'_> {
        Box::pin(self.exchange(request))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(proxy: &str, no_proxy: Option<&str>) -> ProxyRule {
        let options = TransportOptions {
            https_proxy: Some(proxy.to_owned()),
            no_proxy: no_proxy.map(str::to_owned),
            ..TransportOptions::default()
        };
        ProxyRule::new(&options).unwrap().unwrap()
    }

    #[test]
    fn a_proxy_is_asked_for_all_but_this_machine_and_the_exempt() {
        let rule = rule("http://user:word@proxy.example:3128", Some("internal.example, 10.0.0.0/8"));
        let proxied = |url: &str| rule.url_for(&url.parse().unwrap()).is_some();
        assert!(proxied("https://kv.vault.azure.net/secrets"));
        assert!(proxied("https://11.0.0.1/"));
        for url in [
            "https://localhost:8443/",
            "https://kv.vault.localhost:8443/",
            "https://127.0.0.1:8443/",
            "https://127.9.9.9/",
            "https://[::1]:8443/",
            "https://internal.example/",
            "https://a.internal.example/",
            "https://10.1.2.3/",
        ] {
            assert!(!proxied(url), "{url}");
        }
        assert_eq!(rule.shown(), "proxy.example:3128");
    }

    /// As curl reads NO_PROXY: names with what is below them, with or without a dot before, addresses, networks.
    #[test]
    fn the_exempt_are_written_in_many_ways() {
        for (exempt, host, proxied) in [
            ("vault.example", "vault.example", false),
            ("vault.example", "kv.vault.example", false),
            ("vault.example", "myvault.example", true),
            ("vault.example", "vault.example.evil", true),
            (".vault.example", "kv.vault.example", false),
            ("VAULT.Example", "kv.vault.example", false),
            (" a.example ,, vault.example,", "kv.vault.example", false),
            ("10.1.2.3", "10.1.2.3", false),
            ("10.1.2.3", "10.1.2.30", true),
            ("10.1.0.0/16", "10.1.255.255", false),
            ("10.1.0.0/16", "10.2.0.0", true),
            ("fd00::/8", "[fd12::1]", false),
            ("fd00::/8", "[fe00::1]", true),
            ("fd00::1", "[fd00::1]", false),
            ("vault.example:8443", "kv.vault.example:8443", false),
            ("vault.example:8443", "kv.vault.example", true),
            ("vault.example:443", "kv.vault.example", false),
            ("10.1.2.3:8443", "10.1.2.3:8443", false),
            ("10.1.2.3:8443", "10.1.2.3:8444", true),
            ("[fd00::1]:8443", "[fd00::1]:8443", false),
            ("[fd00::1]:8443", "[fd00::1]:8444", true),
            ("*", "kv.vault.example", false),
            ("", "kv.vault.example", true),
        ] {
            let uri = format!("https://{host}/").parse().unwrap();
            assert_eq!(rule("http://p.example", Some(exempt)).url_for(&uri).is_some(), proxied, "{exempt:?} {host}");
        }
    }

    #[test]
    fn a_star_exempts_everybody_and_a_bare_host_is_an_http_proxy() {
        let rule = rule("proxy.example:3128", Some("*"));
        assert!(rule.url_for(&"https://kv.vault.azure.net/".parse().unwrap()).is_none());
        assert_eq!(rule.url.scheme(), "http");
    }

    #[test]
    fn a_proxy_that_is_no_url_is_refused_without_repeating_it() {
        for text in ["http://", "socks5://user:planted@h:1", "ht tp://user:planted@h"] {
            let options = TransportOptions { https_proxy: Some(text.to_owned()), ..TransportOptions::default() };
            let error = HttpsTransport::new(options).err().unwrap();
            assert!(!format!("{error:?} {error}").contains("planted"), "{error:?}");
        }
        let options = TransportOptions { https_proxy: Some(" ".to_owned()), ..TransportOptions::default() };
        assert!(HttpsTransport::new(options).is_ok());
    }

    #[test]
    fn a_growing_body_keeps_its_bytes() {
        let mut body = Zeroizing::new(Vec::with_capacity(2));
        for part in [&b"ab"[..], b"c", b"", b"defgh"] {
            append(&mut body, part);
        }
        assert_eq!(body.as_slice(), b"abcdefgh");
    }
}
