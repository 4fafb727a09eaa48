//! `credstore serve`: vault and directory in one process, until it is told to stop.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use credstore::azure::CertificateFile;
use credstore::azure::certificate::export_public;
use credstore::codes::server as codes;
use credstore::diagnosis::{Diagnosis, Severity};
use credstore_server::{App, Limits, Listen, ServeError, ServeOptions, Site, Tls, serve};
use credstore_vault::Installation;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use crate::commands::cert::validity;
use crate::errors::CliError;
use crate::files::{self, Existing};
use crate::logs;
use crate::output::Output;
use crate::seed::{Applied, Seed};
use crate::site::{self, Absent, Announced, Endpoint};
use crate::world::World;

/// Serve the embedded vault and its directory until Ctrl+C or SIGTERM
#[derive(clap::Args, Debug)]
#[command(before_help = "Example\n  credstore serve --listen 127.0.0.1:8443 --ready-file /run/credstore/ready")]
pub(crate) struct Serve {
    /// Address and port; port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8443")]
    listen: String,
    /// File that appears when requests are answered, with the address in it
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    /// Zone of the names: vaults are {vault}.vault.ZONE
    #[arg(long, value_name = "ZONE", default_value = site::DEFAULT_ZONE)]
    zone: String,
    /// File that says which apps, vaults and secrets are to be there; what is missing is made
    #[arg(long, value_name = "FILE")]
    seed: Option<PathBuf>,
    /// Let the operator inject faults: for a server that tests clients, never for one that people rely on
    #[arg(long)]
    allow_faults: bool,
    /// Certificate chain, PEM, instead of one from the local authority
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Private key of --tls-cert, PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
}

impl Serve {
    /// Opens the data folder, serves, and leaves no file behind that says otherwise.
    pub(crate) async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        logs::start(world, out.style.json, tracing::Level::INFO);
        let wanted = address(&self.listen).await?;
        let (listen, port) = match wanted.port() {
            0 => free_port(wanted)?,
            port => (Listen::At(wanted), port),
        };
        let site = Site { zone: self.zone.to_ascii_lowercase(), port };
        let tls = self.tls(world, out)?;
        let seed = self.seed.as_deref().map(|file| Seed::read(file, world)).transpose()?;
        let folder = world.data_folder();
        let stop = Stop::new()?;
        let installation = Arc::new(opened(world, &folder).await?);
        let seeded = match seed {
            None => None,
            Some(seed) => {
                let connection = site::in_process(installation.clone(), site.clone(), world)?;
                Some(seed.apply(&connection, world).await?)
            }
        };
        let server = Server { installation, folder, site, allow_faults: self.allow_faults };
        let mut announced = None;
        let mut failed = None;
        let ready = |address: SocketAddr| match server.announce(address, self.ready_file.as_deref(), seeded, out) {
            Ok(guard) => announced = Some(guard),
            Err(error) => failed = Some(error),
        };
        let done = server.serve(world, listen, tls, ready, stop.wait()).await;
        drop(announced);
        if let Some(file) = &self.ready_file {
            let _ = std::fs::remove_file(file);
        }
        match failed {
            Some(error) => Err(error),
            None => done,
        }
    }

    fn tls(&self, world: &World, out: &mut Output) -> Result<Tls, CliError> {
        let (Some(chain), Some(key)) = (&self.tls_cert, &self.tls_key) else { return Ok(Tls::OwnAuthority) };
        let (chain_pem, key_pem) = (files::read(chain)?, files::read(key)?);
        // A chain that is not understood here is the TLS library's to judge, in its own words.
        let dates = export_public(&chain_pem, None).map(|leaf| validity(&leaf, chain, world.now()));
        for finding in dates.unwrap_or_default() {
            let fix = "give a chain that is valid and its key, or leave --tls-cert and --tls-key out";
            match finding.severity {
                Severity::Error => return Err(Diagnosis::error(&codes::TLS_FILES, finding.message).fix(fix).into()),
                Severity::Warning => out.warn(&Diagnosis::warning(finding.code, finding.message).fix(fix)),
            }
        }
        CertificateFile::new(key, None).exposure().iter().for_each(|exposed| out.warn(exposed));
        Ok(Tls::Given { chain_pem: chain_pem.to_vec(), key_pem })
    }
}

/// An installation and where it is served.
pub(crate) struct Server {
    pub(crate) installation: Arc<Installation>,
    pub(crate) folder: PathBuf,
    pub(crate) site: Site,
    /// Whether the operator may inject faults.
    pub(crate) allow_faults: bool,
}

impl Server {
    /// Serves until `stop` completes.
    pub(crate) async fn serve(
        &self,
        world: &World,
        listen: Listen,
        tls: Tls,
        ready: impl FnOnce(SocketAddr),
        stop: impl Future<Output = ()>,
    ) -> Result<(), CliError> {
        let app = App::new(self.installation.clone(), self.site.clone(), world.clock.clone());
        if self.allow_faults {
            app.allow_faults();
        }
        let options = ServeOptions { listen, limits: Limits::default(), tls };
        serve(app, options, ready, stop).await.map_err(|error| not_served(&error).into())
    }

    /// Says in `endpoint.json` that this process answers for the folder.
    pub(crate) fn endpoint(&self, address: SocketAddr) -> Result<Announced, CliError> {
        let endpoint = Endpoint {
            pid: std::process::id(),
            listen: address.to_string(),
            zone: self.site.zone.clone(),
            port: self.site.port,
            tenant: self.installation.tenant().clone(),
            operator: self.installation.operator().client_id.clone(),
        };
        Announced::new(&self.folder, &endpoint)
    }

    fn announce(
        &self,
        address: SocketAddr,
        ready: Option<&Path>,
        seeded: Option<Applied>,
        out: &mut Output,
    ) -> Result<Announced, CliError> {
        let announced = self.endpoint(address)?;
        let suffix = self.site.resource().trim_start_matches("https://").to_owned();
        let (authority, tenant) = (self.site.authority_host(), self.installation.tenant());
        let mut object = json!({
            "listen": address.to_string(),
            "pid": std::process::id(),
            "dataDir": self.folder.display().to_string(),
            "tenantId": tenant.as_str(),
            "authority": format!("https://{authority}/{tenant}"),
            "vaultDnsSuffix": suffix,
            "caFile": self.folder.join(site::CA_FILE).display().to_string(),
        });
        if let Some(Applied { made, kept }) = seeded {
            object["seed"] = json!({ "made": made, "alreadyThere": kept });
        }
        if self.allow_faults {
            object["faults"] = json!(true);
        }
        out.result(object, || {
            let mut text = format!("Serving {} on {address}\n", self.folder.display());
            text.push_str(&format!("  Vaults     https://{{vault}}.{suffix}\n"));
            text.push_str(&format!("  Authority  https://{authority}/{tenant}\n"));
            text.push_str(&format!("  TLS        {}\n", self.folder.join(site::CA_FILE).display()));
            if let Some(Applied { made, kept }) = seeded {
                text.push_str(&format!("  Seed       {made} made, {kept} already there\n"));
            }
            if self.allow_faults {
                text.push_str("  Faults     the operator may inject them\n");
            }
            text.push_str("Ctrl+C stops it.\n");
            text
        })?;
        out.flush()?;
        if let Some(file) = ready {
            files::write(file, format!("{address}\n").as_bytes(), 0o644, Existing::Replace)?;
        }
        Ok(announced)
    }
}

/// Opens the folder for serving; another command that holds it for a moment is waited for.
async fn opened(world: &World, folder: &Path) -> Result<Installation, CliError> {
    site::open_patiently(world, folder, Absent::Create).await
}

/// SIGTERM and Ctrl+C, listened to from the start: a stop during the opening is not lost.
pub(crate) struct Stop {
    /// The end of the terminal, for who must not outlive it.
    hangup: Option<tokio::signal::unix::Signal>,
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Stop {
    /// Begins to listen.
    pub(crate) fn new() -> Result<Self, CliError> {
        let (terminate, interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
        Ok(Self { hangup: None, terminate, interrupt })
    }

    /// The same with SIGHUP. A server leaves that alone: under `nohup` it is to go on.
    pub(crate) fn with_hangup() -> Result<Self, CliError> {
        Ok(Self { hangup: Some(listen(SignalKind::hangup())?), ..Self::new()? })
    }

    /// Waits for one of them. From then on a second one ends the process at once, without cleaning up.
    pub(crate) async fn wait(mut self) {
        self.next().await;
        tokio::spawn(async move {
            self.next().await;
            std::process::exit(130);
        });
    }

    async fn next(&mut self) {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = hangup => {}
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

fn listen(kind: SignalKind) -> Result<tokio::signal::unix::Signal, CliError> {
    signal(kind).map_err(|error| {
        Diagnosis::error(&codes::SERVER_FAILED, "signals cannot be received").cause(error.to_string()).into()
    })
}

async fn address(text: &str) -> Result<SocketAddr, CliError> {
    let wrong = |cause: String| {
        Diagnosis::error(&codes::LISTEN, format!("cannot listen on {}", crate::output::plain(text)))
            .cause(cause)
            .fix("--listen HOST:PORT, for example 127.0.0.1:8443")
    };
    let found = tokio::net::lookup_host(text).await.map_err(|error| wrong(error.to_string()))?;
    Ok(found.into_iter().next().ok_or_else(|| wrong("the name has no address".to_owned()))?)
}

/// A port that the system chooses, taken at once: the names that are served contain it, so it must be known before.
pub(crate) fn free_port(wanted: SocketAddr) -> Result<(Listen, u16), CliError> {
    let bound = TcpListener::bind(wanted).and_then(|listener| listener.local_addr().map(|at| (listener, at.port())));
    bound.map(|(listener, port)| (Listen::On(listener), port)).map_err(|error| {
        Diagnosis::error(&codes::LISTEN, format!("cannot listen on {wanted}")).cause(error.to_string()).into()
    })
}

fn not_served(error: &ServeError) -> Diagnosis {
    match error {
        ServeError::Bind { address, source } if source.kind() == std::io::ErrorKind::AddrInUse => {
            Diagnosis::error(&codes::PORT_TAKEN, format!("{address} is taken"))
                .cause("another program listens there")
                .fix("choose another port with --listen, or stop that program")
        }
        ServeError::Bind { source, .. } | ServeError::Listener(source) => {
            Diagnosis::error(&codes::LISTEN, error.to_string()).cause(source.to_string())
        }
        ServeError::Certificate { .. } => Diagnosis::error(&codes::TLS_FILES, error.to_string())
            .fix("leave --tls-cert and --tls-key out, or give a chain and the key that belongs to it"),
        ServeError::Authority(source) => {
            Diagnosis::error(&codes::SERVER_FAILED, error.to_string()).cause(source.to_string())
        }
    }
}
