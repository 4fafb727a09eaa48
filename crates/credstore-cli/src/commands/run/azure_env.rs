//! The environment in which an application written for Azure finds its managed identity on this machine.
//!
//! `DefaultAzureCredential` takes `IDENTITY_ENDPOINT` and `IDENTITY_HEADER` for those of Azure App Service. Behind them
//! a second process of ours signs in as the app of Server Settings; the command gets tokens and never the certificate.
//! Variables that would lead it to another credential are taken away, and every bundle of authorities that its TLS
//! library may look at is one that also knows the vault's. Source: azure-identity for Python and JavaScript,
//! `DefaultAzureCredential`.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::net::ToSocketAddrs;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use credstore::azure::AzureError;
use credstore::codes::server as codes;
use credstore::diagnosis::Diagnosis;
use credstore_protocol::Secret;

use crate::commands::identity_endpoint::{Answering, Order};
use crate::credentials::SettingsApp;
use crate::errors::CliError;
use crate::output::Output;
use crate::site;
use crate::world::{Environment, World};

/// With one of these set, `DefaultAzureCredential` takes another credential, or asks for another identity.
const TAKEN_AWAY: [&str; 15] = [
    "AZURE_CLIENT_ID",
    "AZURE_CLIENT_SECRET",
    "AZURE_CLIENT_CERTIFICATE_PATH",
    "AZURE_CLIENT_CERTIFICATE_PASSWORD",
    "AZURE_CLIENT_SEND_CERTIFICATE_CHAIN",
    "AZURE_TENANT_ID",
    "AZURE_USERNAME",
    "AZURE_PASSWORD",
    "AZURE_FEDERATED_TOKEN_FILE",
    "AZURE_TOKEN_CREDENTIALS",
    "AZURE_POD_IDENTITY_AUTHORITY_HOST",
    "IDENTITY_SERVER_THUMBPRINT",
    "IMDS_ENDPOINT",
    "MSI_ENDPOINT",
    "MSI_SECRET",
];
/// Where Python's requests and aiohttp, OpenSSL, rustls and Node look for authorities.
const BUNDLES: [&str; 3] = ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"];
/// With one of these set, a client may ask the proxy for 127.0.0.1.
const PROXIES: [&str; 6] = ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];

/// What the command gets, and what it loses.
pub(super) struct AzureEnvironment {
    given: Vec<(&'static str, OsString)>,
    header: Secret,
    taken: Vec<&'static str>,
}

impl AzureEnvironment {
    /// Signs in once, so that a mistake is told here and not by the command, and starts the endpoint.
    pub(super) async fn made(world: &World, out: &mut Output) -> Result<Self, CliError> {
        let app = SettingsApp::open(world).await?;
        let signed_in = app.tokens.token(&app.settings.cloud.scope(), site::when(world)).await;
        signed_in.map_err(|error| Diagnosis::from(&AzureError::SignIn(error)))?;
        if app.embedded {
            warn_of_unknown_name(&app, out);
        }
        let header =
            Secret::from([uuid::Uuid::new_v4(), uuid::Uuid::new_v4()].map(|id| id.simple().to_string()).concat());
        let bundles: Vec<_> = BUNDLES.iter().filter_map(|name| world.environment.path(name)).collect();
        let order = Order {
            header: header.expose_secret().to_owned(),
            command: std::process::id(),
            bundles: app.settings.ca_file.as_ref().map(|_| bundles),
        };
        let answering = started(world, &order)?;
        let mut given: Vec<(&'static str, OsString)> = vec![
            (
                "IDENTITY_ENDPOINT",
                format!("http://127.0.0.1:{}{}", answering.port, credstore_server::identity::PATH).into(),
            ),
            ("AZURE_AUTHORITY_HOST", app.settings.cloud.authority_host().into()),
        ];
        if let Some(bundle) = answering.bundle {
            given.extend(BUNDLES.map(|name| (name, bundle.clone().into_os_string())));
        }
        given.extend(without_proxy(&world.environment));
        let taken = TAKEN_AWAY.into_iter().filter(|name| world.environment.path(name).is_some()).collect();
        Ok(Self { given, header, taken })
    }

    /// Gives it to the command.
    pub(super) fn apply(self, command: &mut Command, out: &mut Output) {
        for name in TAKEN_AWAY {
            command.env_remove(name);
        }
        if !self.taken.is_empty() {
            out.note(format!("not passed on, because they choose another identity: {}", self.taken.join(", ")));
        }
        command.envs(self.given).env("IDENTITY_HEADER", self.header.expose_secret());
    }
}

/// `NO_PROXY` with this machine in it, when there is a proxy at all.
fn without_proxy(environment: &Environment) -> Vec<(&'static str, OsString)> {
    if !PROXIES.iter().any(|name| environment.text(name).is_some()) {
        return Vec::new();
    }
    let before = ["no_proxy", "NO_PROXY"].iter().find_map(|name| environment.text(name));
    let here = "127.0.0.1,localhost,.localhost";
    let value = before.map_or_else(|| here.to_owned(), |before| format!("{before},{here}"));
    vec![("no_proxy", value.clone().into()), ("NO_PROXY", value.into())]
}

/// Our own client knows the names of an embedded vault; the command has the system's resolver.
fn warn_of_unknown_name(app: &SettingsApp, out: &mut Output) {
    let host = format!("{}.{}", app.settings.vault_name, app.settings.cloud.vault_dns_suffix());
    let (name, port) = host.rsplit_once(':').unwrap_or((&host, "443"));
    if (name, port.parse().unwrap_or(443)).to_socket_addrs().is_err() {
        out.note(format!(
            "this system does not know the name {name}: credstore directory hosts prints what is missing"
        ));
    }
}

/// Starts the endpoint in a process of its own, which ends with this one or the command that takes its place.
fn started(world: &World, order: &Order) -> Result<Answering, CliError> {
    let refused = |cause: String| -> CliError {
        Diagnosis::error(&codes::IDENTITY_NOT_STARTED, "the endpoint of the managed identity did not start")
            .cause(cause)
            .into()
    };
    let program = std::env::current_exe().map_err(|error| refused(error.to_string()))?;
    let mut endpoint = Command::new(program);
    endpoint.arg("identity-endpoint").arg("--settings").arg(world.settings());
    if let Some(folder) = &world.globals.data_dir {
        endpoint.arg("--data-dir").arg(folder);
    }
    // A group of its own: Ctrl+C is for the command.
    endpoint.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0);
    let mut endpoint = endpoint.spawn().map_err(|error| refused(error.to_string()))?;
    let (Some(mut orders), Some(answers)) = (endpoint.stdin.take(), endpoint.stdout.take()) else {
        return Err(refused("it has no standard streams".to_owned()));
    };
    let order = zeroize::Zeroizing::new(serde_json::to_vec(order).map_err(|error| refused(error.to_string()))?);
    orders.write_all(&order).map_err(|error| refused(error.to_string()))?;
    drop(orders);
    let mut line = String::new();
    BufReader::new(answers).read_line(&mut line).map_err(|error| refused(error.to_string()))?;
    serde_json::from_str(&line).map_err(|_| refused("it ended without an answer".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        Environment::new(variables.iter().map(|(name, value)| ((*name).into(), (*value).into())))
    }

    #[test]
    fn a_proxy_is_not_asked_for_this_machine() {
        assert!(without_proxy(&environment(&[("NO_PROXY", "a")])).is_empty(), "there is no proxy");
        let given = without_proxy(&environment(&[("HTTP_PROXY", "http://p:1"), ("NO_PROXY", "a,b")]));
        let value = OsString::from("a,b,127.0.0.1,localhost,.localhost");
        assert_eq!(given, [("no_proxy", value.clone()), ("NO_PROXY", value)]);
        let given = without_proxy(&environment(&[("https_proxy", "http://p:1")]));
        assert_eq!(given[0].1, OsString::from("127.0.0.1,localhost,.localhost"));
    }
}
