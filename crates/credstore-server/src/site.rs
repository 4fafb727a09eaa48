//! The names under which the listener is reached, and which surface a host name means.
//!
//! Every request names one of these hosts or is refused: a page that rebinds its own name to this machine
//! reaches nothing. Source: architecture section 6, reliability goal I2.

use credstore_protocol::VaultName;
use http::header::HOST;
use http::request::Parts;
use http::{StatusCode, Version};

/// The port that HTTPS URLs leave out.
const HTTPS: u16 = 443;

/// Zone and port of the listener, from which all its names are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// For example `localhost`. Lower case, without a dot at either end.
    pub zone: String,
    /// The port that clients use. URLs leave it out when it is 443.
    pub port: u16,
}

impl Site {
    fn with_port(&self, name: &str) -> String {
        // Every answer about an object of a vault begins with such a name, and formatting it shows in the time of a get.
        match self.port {
            HTTPS => [name, ".", &self.zone].concat(),
            port => [name, ".", &self.zone, ":", &port.to_string()].concat(),
        }
    }

    /// `login.{zone}:{port}`: where tokens come from.
    pub fn authority_host(&self) -> String {
        self.with_port("login")
    }

    /// `{vault}.vault.{zone}:{port}`, in lower case.
    pub fn vault_host(&self, vault: &VaultName) -> String {
        self.with_port(&[&vault.canonical(), ".vault"].concat())
    }

    /// `https://vault.{zone}:{port}`: what tokens for the data plane are for.
    pub fn resource(&self) -> String {
        format!("https://{}", self.with_port("vault"))
    }

    /// `management.{zone}:{port}`: ARM.
    pub fn management_host(&self) -> String {
        self.with_port("management")
    }

    /// `graph.{zone}:{port}`: Graph.
    pub fn graph_host(&self) -> String {
        self.with_port("graph")
    }

    /// The DNS names that the listener's certificate is for.
    pub fn certificate_names(&self) -> Vec<String> {
        let zone = &self.zone;
        let below = ["*.vault", "vault", "login", "management", "graph"].map(|name| format!("{name}.{zone}"));
        std::iter::once(zone.clone()).chain(below).collect()
    }

    /// What `host`, as a client writes it, means here. `None`: it is none of our names.
    fn place(&self, host: &str) -> Option<Place> {
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) => (name, port.parse().ok().filter(|_| port.bytes().all(|b| b.is_ascii_digit()))?),
            None => (host, HTTPS),
        };
        if port != self.port {
            return None;
        }
        let name = strip_suffix_ignoring_case(name, &self.zone)?.strip_suffix('.')?;
        if let Some(vault) = strip_suffix_ignoring_case(name, ".vault") {
            return vault.parse().ok().map(Place::Vault);
        }
        let places = [("login", Place::Login), ("management", Place::Management), ("graph", Place::Graph)];
        places.into_iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, place)| place)
    }

    /// Which surface a request is for. It must say so once, without contradiction.
    pub(crate) fn place_of(&self, parts: &Parts) -> Result<Place, StatusCode> {
        let mut hosts = parts.headers.get_all(HOST).iter();
        let host = hosts.next().map(|value| value.to_str()).transpose().map_err(|_| StatusCode::BAD_REQUEST)?;
        let authority = parts.uri.authority().map(|authority| authority.as_str());
        let secure = parts.uri.scheme_str().is_none_or(|scheme| scheme.eq_ignore_ascii_case("https"));
        // RFC 9112 section 3.2: without a Host, or with two, an HTTP/1.1 request is refused.
        let missing = host.is_none() && (authority.is_none() || parts.version < Version::HTTP_2);
        if hosts.next().is_some() || missing || !secure {
            return Err(StatusCode::BAD_REQUEST);
        }
        let said = match (host, authority) {
            (Some(host), Some(authority)) if !host.eq_ignore_ascii_case(authority) => {
                return Err(StatusCode::BAD_REQUEST);
            }
            (Some(one), _) | (None, Some(one)) => one,
            (None, None) => return Err(StatusCode::BAD_REQUEST),
        };
        if said.contains('@') {
            return Err(StatusCode::BAD_REQUEST);
        }
        self.place(said).ok_or(StatusCode::MISDIRECTED_REQUEST)
    }
}

/// The surface that a host name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The data plane of this vault, which need not exist.
    Vault(VaultName),
    /// The directory.
    Login,
    /// ARM.
    Management,
    /// Graph.
    Graph,
}

fn strip_suffix_ignoring_case<'a>(text: &'a str, suffix: &str) -> Option<&'a str> {
    let at = text.len().checked_sub(suffix.len())?;
    let (head, tail) = text.split_at_checked(at)?;
    tail.eq_ignore_ascii_case(suffix).then_some(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(port: u16) -> Site {
        Site { zone: "localhost".to_owned(), port }
    }

    #[test]
    fn the_port_is_in_every_name_unless_it_is_443() {
        let vault: VaultName = "Acme-KV".parse().unwrap();
        assert_eq!(site(8443).vault_host(&vault), "acme-kv.vault.localhost:8443");
        assert_eq!(site(8443).resource(), "https://vault.localhost:8443");
        assert_eq!(site(443).resource(), "https://vault.localhost");
        assert_eq!(site(443).authority_host(), "login.localhost");
    }

    #[test]
    fn only_our_names_with_our_port_mean_anything() {
        let acme = Place::Vault("acme".parse().unwrap());
        for (host, place) in [
            ("acme.vault.localhost:8443", Some(acme.clone())),
            ("ACME.Vault.LocalHost:8443", Some(acme)),
            ("login.localhost:8443", Some(Place::Login)),
            ("management.localhost:8443", Some(Place::Management)),
            ("graph.localhost:8443", Some(Place::Graph)),
            ("acme.vault.localhost", None),
            ("acme.vault.localhost:443", None),
            ("acme.vault.localhost:+8443", None),
            ("acme.vault.localhost:", None),
            ("a.b.vault.localhost:8443", None),
            ("vault.localhost:8443", None),
            (".vault.localhost:8443", None),
            ("localhost:8443", None),
            ("loginlocalhost:8443", None),
            ("login.localhost.:8443", None),
            ("login.localhost.evil.example:8443", None),
            ("evil.example:8443", None),
            ("127.0.0.1:8443", None),
            ("[::1]:8443", None),
            ("", None),
        ] {
            assert_eq!(site(8443).place(host), place, "{host}");
        }
        assert_eq!(site(443).place("login.localhost"), Some(Place::Login));
        assert_eq!(site(443).place("login.localhost:443"), Some(Place::Login));
        assert_eq!(site(443).place("login.localhost:8443"), None);
    }
}
