//! Names to addresses: `localhost` and everything below it is this machine, the rest is the system's business.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// A name without an address.
#[derive(Debug, thiserror::Error)]
#[error("the name {name} does not resolve")]
pub(super) struct NoAddress {
    pub(super) name: String,
}

/// Resolves names. `localhost` and `*.localhost` never leave the machine (RFC 6761 section 6.3): many
/// systems resolve the first and not the second.
pub(super) struct Names;

/// Whether the name is `localhost` or below it. A dot at the end is the root and changes nothing.
pub(super) fn is_this_machine(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

async fn look_up(name: String) -> Result<Addrs, Box<dyn std::error::Error + Send + Sync>> {
    if is_this_machine(&name) {
        let addresses = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        return Ok(Box::new(addresses.into_iter().map(|address| SocketAddr::new(address, 0))));
    }
    let found: Vec<SocketAddr> = match tokio::net::lookup_host((name.as_str(), 0)).await {
        Ok(found) => found.collect(),
        Err(_) => Vec::new(),
    };
    if found.is_empty() { Err(Box::new(NoAddress { name })) } else { Ok(Box::new(found.into_iter())) }
}

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(look_up(name.as_str().to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_localhost_and_names_below_it_are_this_machine() {
        for name in ["localhost", "LocalHost.", "kv.vault.localhost", "login.localhost."] {
            assert!(is_this_machine(name), "{name}");
        }
        for name in ["localhost.example", "evillocalhost", "local", "127.0.0.1", ""] {
            assert!(!is_this_machine(name), "{name}");
        }
    }

    #[tokio::test]
    async fn this_machine_has_both_loopback_addresses() {
        let addresses: Vec<_> = look_up("kv.vault.localhost".to_owned()).await.unwrap().map(|a| a.ip()).collect();
        assert_eq!(addresses, [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)]);
    }
}
