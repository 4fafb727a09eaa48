//! Why no answer came, read from the errors of the HTTP and TLS libraries.

use std::error::Error;
use std::io;

use super::names::NoAddress;
use super::trust::Untrusted;
use crate::transport::TransportError;

/// The decision behind `error`. `host` is the host and port that was asked.
pub(super) fn classify(error: &reqwest::Error, host: &str, proxy: Option<String>) -> TransportError {
    if let Some(missing) = find::<NoAddress>(error) {
        return TransportError::Resolve { host: missing.name.clone() };
    }
    if let Some(tls) = find::<rustls::Error>(error) {
        return TransportError::Tls { host: host.to_owned(), reason: tls_reason(tls) };
    }
    if error.is_timeout() {
        return TransportError::TimedOut { host: host.to_owned() };
    }
    if error.is_connect() {
        return TransportError::Connect { host: host.to_owned(), proxy, reason: innermost(error) };
    }
    TransportError::BadAnswer { host: host.to_owned(), reason: innermost(error) }
}

fn tls_reason(error: &rustls::Error) -> String {
    if let rustls::Error::InvalidCertificate(rustls::CertificateError::Other(other)) = error
        && let Some(untrusted) = other.0.downcast_ref::<Untrusted>()
    {
        return untrusted.to_string();
    }
    error.to_string()
}

/// The error of type `E` in the chain. An `io::Error` hides its content from `source`, so it is opened.
fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        let inside = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if let Some(found) = inside.and_then(|inside| find::<E>(inside)) {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// What the last error of the chain says: the operating system's words rather than the library's.
pub(super) fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_inside_an_io_error_is_found() {
        let inside = NoAddress { name: "kv.example".to_owned() };
        let outside = io::Error::other(io::Error::other(inside));
        assert_eq!(find::<NoAddress>(&outside).unwrap().name, "kv.example");
        assert!(find::<Untrusted>(&outside).is_none());
    }
}
