//! Where requests may go: the directory, one vault, ARM and Graph, as checked addresses.
//!
//! They are made from settings and constants only, never from an answer. So a token or an assertion cannot
//! be sent anywhere that the settings do not name.

use credstore_protocol::VaultName;
use url::Url;

use crate::codes;
use crate::diagnosis::Diagnosis;

/// Longest domain name. Source: RFC 1035 section 2.3.4.
const DOMAIN_MAX: usize = 253;

/// Why a text is not an address we send to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAddress {
    /// Not a URL with a host.
    #[error("{0} is not an address")]
    NotAUrl(String),
    /// Another scheme than https.
    #[error("{0} is not https")]
    NotHttps(String),
    /// It has a user name, a path, a query or a fragment.
    #[error("{0} has more than a host and a port")]
    MoreThanAHost(String),
    /// The tenant is neither a GUID nor a domain name.
    #[error("{0} is neither a GUID nor a domain")]
    Tenant(String),
}

impl From<InvalidAddress> for Diagnosis {
    fn from(error: InvalidAddress) -> Self {
        let code = match &error {
            InvalidAddress::NotAUrl(_) | InvalidAddress::NotHttps(_) | InvalidAddress::MoreThanAHost(_) => {
                &codes::vault::ADDRESS_INVALID
            }
            InvalidAddress::Tenant(_) => &codes::directory::TENANT_MALFORMED,
        };
        let fix = match &error {
            InvalidAddress::NotAUrl(_) | InvalidAddress::NotHttps(_) | InvalidAddress::MoreThanAHost(_) => {
                "write https, the host and, if it is not 443, the port: https://login.microsoftonline.com"
            }
            InvalidAddress::Tenant(_) => "paste the Directory (tenant) ID, not the name",
        };
        Diagnosis::error(code, error.to_string()).fix(fix)
    }
}

/// `https://host[:port]`, without a slash at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceAddress {
    base: String,
    authority: String,
}

impl ServiceAddress {
    /// Checks and normalises an address: host in lower case, port only when it is not 443.
    pub fn new(text: &str) -> Result<Self, InvalidAddress> {
        let url = Url::parse(text).map_err(|_| InvalidAddress::NotAUrl(without_credentials(text)))?;
        if url.scheme() != "https" {
            return Err(InvalidAddress::NotHttps(without_credentials(text)));
        }
        // A URL parser drops empty credentials and turns backslashes into slashes; we accept neither spelling.
        let plain = url.username().is_empty()
            && url.password().is_none()
            && url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && !text.contains(['@', '\\', '?', '#'])
            && !text.contains(char::is_whitespace);
        if !plain {
            return Err(InvalidAddress::MoreThanAHost(without_credentials(text)));
        }
        let host = url.host_str().ok_or_else(|| InvalidAddress::NotAUrl(without_credentials(text)))?;
        let authority = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        Ok(Self { base: format!("https://{authority}"), authority })
    }

    /// `https://host[:port]`.
    pub fn as_str(&self) -> &str {
        &self.base
    }

    /// `host` or `host:port`.
    pub fn host(&self) -> &str {
        &self.authority
    }

    /// The part of `link` after our host, when `link` is on the same scheme, host and port.
    pub(crate) fn path_of(&self, link: &str) -> Option<String> {
        let own = Url::parse(&self.base).ok()?;
        let link = Url::parse(link).ok()?;
        let same = link.origin() == own.origin() && link.username().is_empty() && link.password().is_none();
        same.then(|| match link.query() {
            Some(query) => format!("{}?{query}", link.path()),
            None => link.path().to_owned(),
        })
    }
}

/// An address for a message: what stands before an `@` may be a password and is left out.
fn without_credentials(text: &str) -> String {
    let Some((before, after)) = text.rsplit_once('@') else { return text.to_owned() };
    match before.split_once("://") {
        Some((scheme, _)) => format!("{scheme}://…@{after}"),
        None => format!("…@{after}"),
    }
}

/// The directory that signs us in, with the tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    host: ServiceAddress,
    tenant: String,
}

impl Authority {
    /// `host` is for example `https://login.microsoftonline.com`; `tenant` a GUID or a domain.
    pub fn new(host: &str, tenant: &str) -> Result<Self, InvalidAddress> {
        let host = ServiceAddress::new(host.strip_suffix('/').unwrap_or(host))?;
        let harmless = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
        let well_formed = !tenant.is_empty()
            && tenant.len() <= DOMAIN_MAX
            && tenant.bytes().all(harmless)
            && tenant.starts_with(|c: char| c.is_ascii_alphanumeric())
            && !tenant.contains("..");
        if !well_formed {
            return Err(InvalidAddress::Tenant(tenant.to_owned()));
        }
        Ok(Self { host, tenant: tenant.to_owned() })
    }

    /// Where tokens are asked for; also the audience of assertions.
    pub fn token_endpoint(&self) -> String {
        format!("{}/{}/oauth2/v2.0/token", self.host.as_str(), self.tenant)
    }

    /// Where the directory describes itself, for the tenant given. Answers 200 when there is such a tenant.
    pub(crate) fn metadata_of(&self, tenant: &str) -> String {
        format!("{}/{tenant}/v2.0/.well-known/openid-configuration", self.host.as_str())
    }

    /// The tenant as it was written.
    pub fn tenant(&self) -> &str {
        &self.tenant
    }

    /// `host` or `host:port`.
    pub fn host(&self) -> &str {
        self.host.host()
    }
}

/// The address of one vault: `https://{name}.{suffix}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VaultAddress {
    name: VaultName,
    service: ServiceAddress,
}

impl VaultAddress {
    /// `suffix` is for example `vault.azure.net` or `vault.localhost:8443`.
    pub fn new(name: &VaultName, suffix: &str) -> Result<Self, InvalidAddress> {
        // The suffix must be an address by itself, or it could end the host and begin something else.
        ServiceAddress::new(&format!("https://{suffix}"))?;
        if suffix.starts_with('.') {
            return Err(InvalidAddress::NotAUrl(suffix.to_owned()));
        }
        let service = ServiceAddress::new(&format!("https://{name}.{suffix}"))?;
        Ok(Self { name: name.clone(), service })
    }

    /// The name of the vault.
    pub fn name(&self) -> &VaultName {
        &self.name
    }

    /// The address to send to.
    pub fn service(&self) -> &ServiceAddress {
        &self.service
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_https_with_a_host_and_perhaps_a_port() {
        assert_eq!(
            ServiceAddress::new("https://Management.Azure.com").unwrap().as_str(),
            "https://management.azure.com"
        );
        assert_eq!(ServiceAddress::new("https://graph.localhost:8443").unwrap().host(), "graph.localhost:8443");
        assert_eq!(ServiceAddress::new("https://h:443").unwrap().as_str(), "https://h");
    }

    #[test]
    fn an_address_that_could_lead_elsewhere_is_refused() {
        for text in [
            "http://login.microsoftonline.com",
            "https://login.microsoftonline.com@evil.example",
            "https://user:pass@login.microsoftonline.com",
            "https://@login.microsoftonline.com",
            "https://login.microsoftonline.com/evil",
            "https://login.microsoftonline.com\\@evil.example",
            "https://login.microsoftonline.com?x",
            "https://login.microsoftonline.com#x",
            "https://login.microsoft online.com",
            "https://",
            "login.microsoftonline.com",
            "file:///etc/passwd",
            "",
        ] {
            assert!(ServiceAddress::new(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_token_endpoint_is_below_the_tenant() {
        // Contract section 11.
        let authority = Authority::new("https://login.microsoftonline.com/", "contoso.onmicrosoft.com").unwrap();
        assert_eq!(
            authority.token_endpoint(),
            "https://login.microsoftonline.com/contoso.onmicrosoft.com/oauth2/v2.0/token"
        );
    }

    #[test]
    fn a_tenant_that_would_change_the_path_is_refused() {
        for tenant in ["", "a/b", "..", "a..b", "../common", "a?b", "a#b", "a%2fb", "a b", ".a", "ä", &"a".repeat(254)]
        {
            assert!(Authority::new("https://login.example", tenant).is_err(), "{tenant}");
        }
        assert!(Authority::new("https://login.example", &"a".repeat(253)).is_ok());
    }

    #[test]
    fn a_vault_is_a_subdomain_of_its_suffix() {
        let name: VaultName = "Acme-PM-kv".parse().unwrap();
        let address = VaultAddress::new(&name, "vault.localhost:8443").unwrap();
        assert_eq!(address.service().as_str(), "https://acme-pm-kv.vault.localhost:8443");
        for suffix in [
            "",
            ".vault.azure.net",
            "vault.azure.net/x",
            "vault.azure.net@evil",
            "vault.azure.net:x",
            "a b",
            "x?y",
            "x#y",
        ] {
            assert!(VaultAddress::new(&name, suffix).is_err(), "{suffix}");
        }
    }

    #[test]
    fn a_link_is_followed_on_the_same_scheme_host_and_port_only() {
        let own = ServiceAddress::new("https://kv.vault.azure.net").unwrap();
        // Azure writes its own port into nextLink (contract section 4).
        assert_eq!(own.path_of("https://kv.vault.azure.net:443/secrets?a=b"), Some("/secrets?a=b".to_owned()));
        for link in [
            "https://kv.vault.azure.net.evil.example/secrets",
            "https://evilkv.vault.azure.net/secrets",
            "http://kv.vault.azure.net/secrets",
            "https://kv.vault.azure.net:8443/secrets",
            "https://kv.vault.azure.net@evil.example/secrets",
            "https://user@kv.vault.azure.net/secrets",
            "/secrets",
        ] {
            assert_eq!(own.path_of(link), None, "{link}");
        }
    }
}
