//! `credstore quickstart`: a throwaway vault, the five steps, one resolved connection string.
//!
//! Everything is inside one folder that this command makes and removes; [`Throwaway`] is that folder. The steps are
//! those of `setup embedded`, with names and a value made up here. Nothing of the caller's environment is used.

mod throwaway;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use credstore::codes::{server as codes, usage};
use credstore::connection_string::{self, Style};
use credstore::diagnosis::Diagnosis;
use credstore::resolver::Resolved;
use credstore_protocol::{Identifier, Secret};
use credstore_server::{Listen, Site, Tls};
use serde_json::json;
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::cli::Globals;
use crate::commands::serve::{Server, Stop, free_port};
use crate::commands::setup::{DEFAULT_APP, Run};
use crate::credentials::Credentials;
use crate::errors::CliError;
use crate::names;
use crate::output::Output;
use crate::setup::{CERTIFICATE_FILE, Job, Row, Standing, Step, Value, entry, report};
use crate::site::{self, Absent};
use crate::time_up;
use crate::world::{Environment, Terminals, World};

use throwaway::Throwaway;

/// Folder when nobody chose one.
const FOLDER: &str = "credstore-demo";
/// The vault, the secret and the settings of the demonstration. Source: command line specification, sample 1.
const VAULT: &str = "demo-kv";
const SECRET: &str = "PasswordIdentifier";
const SETTINGS: &str = "server-settings.json";
const CONNECTION_STRING: &str = "DSN=Demo; User=me; mv-credential-Pass=PasswordIdentifier;";
/// Data folder, inside the folder.
const DATA: &str = "data";
/// Days that the certificate is valid. Source: the set-up guide.
const DAYS: u32 = 365;

/// Try it: a throwaway vault, the five steps, one resolved connection string
#[derive(clap::Args, Debug)]
#[command(before_help = "Example\n  credstore quickstart")]
pub(crate) struct Quickstart {
    /// Use this folder, which must not exist, and keep it
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Do not listen; end after the resolved string
    #[arg(long)]
    no_serve: bool,
    /// Port to listen on [default 8443, or a free one when that is taken]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..), conflicts_with = "no_serve")]
    port: Option<u16>,
}

impl Quickstart {
    /// Makes the folder, does the steps in it, and removes it, whatever happens in between.
    pub(crate) async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let stopped = stop(world.time_limit()?)?;
        let listen = if self.no_serve { None } else { Some(self.listen(out)?) };
        let folder = Throwaway::make(self.keep.as_deref().unwrap_or(Path::new(FOLDER)))?;
        let own = own_world(world, folder.path());
        let demo = Demo { folder: &folder, kept: self.keep.is_some(), world: &own, stopped };
        say(format!("A throwaway vault in {}. Nothing leaves this machine.\n", folder.shown()), out)?;
        let done = match listen {
            None => demo.alone(out).await,
            Some(listen) => demo.served(listen, out).await,
        };
        // What a failed run has made is of no use to anybody.
        if demo.kept && done.is_ok() { folder.keep() } else { folder.remove().and(done) }
    }

    /// The port to listen on, taken at once: the names contain it.
    fn listen(&self, out: &mut Output) -> Result<(Listen, u16), CliError> {
        let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let wanted = at(self.port.unwrap_or(site::DEFAULT_PORT));
        match TcpListener::bind(wanted) {
            Ok(listener) => Ok((Listen::On(listener), wanted.port())),
            Err(error) if self.port.is_none() && error.kind() == std::io::ErrorKind::AddrInUse => {
                let free = free_port(at(0))?;
                out.note(format!("port {} is taken; {} is used", wanted.port(), free.1));
                Ok(free)
            }
            Err(error) => {
                let code =
                    if error.kind() == std::io::ErrorKind::AddrInUse { &codes::PORT_TAKEN } else { &codes::LISTEN };
                Err(Diagnosis::error(code, format!("cannot listen on {wanted}"))
                    .cause(error.to_string())
                    .fix("choose another with --port N, or leave it out for a free one")
                    .into())
            }
        }
    }
}

/// A line that is seen at once.
fn say(text: impl AsRef<str>, out: &mut Output) -> Result<(), CliError> {
    out.line(text);
    if out.for_people() { out.flush() } else { Ok(()) }
}

/// A world in which only the folder exists: no settings, variables or questions of the caller.
fn own_world(world: &World, folder: &Path) -> World {
    let globals = Globals {
        settings: Some(folder.join(SETTINGS)),
        data_dir: Some(folder.join(DATA)),
        no_input: true,
        ..Globals::default()
    };
    World {
        environment: Environment::default(),
        terminals: Terminals::default(),
        globals,
        clock: world.clock.clone(),
        before: world.before.clone(),
    }
}

/// Why it ends before its time.
#[derive(Clone, Copy, Debug)]
enum Ending {
    /// Ctrl+C, SIGTERM, or the terminal is gone.
    Told,
    /// `--timeout`.
    TimeUp(Duration),
}

/// Something with Ctrl+C, SIGTERM, SIGHUP, or when the time is up. A second signal ends the process at once.
fn stop(limit: Option<Duration>) -> Result<watch::Receiver<Option<Ending>>, CliError> {
    let signals = Stop::with_hangup()?;
    let (send, stopped) = watch::channel(None);
    tokio::spawn(async move {
        let told = signals.wait();
        let ending = match limit {
            Some(limit) => tokio::time::timeout(limit, told).await.map_or(Ending::TimeUp(limit), |()| Ending::Told),
            None => {
                told.await;
                Ending::Told
            }
        };
        // Nobody listens any more only when the command has ended.
        let _ = send.send(Some(ending));
    });
    Ok(stopped)
}

struct Demo<'a> {
    folder: &'a Throwaway,
    kept: bool,
    world: &'a World,
    stopped: watch::Receiver<Option<Ending>>,
}

impl Demo<'_> {
    /// Without a listener: the routes answer in this process.
    async fn alone(&self, out: &mut Output) -> Result<(), CliError> {
        self.shown(None, out).await?;
        let folder = self.folder.shown();
        match self.kept {
            true => say(format!("\n{}\n\n{folder} is kept.", self.next()), out),
            false => say(format!("\n{folder} is removed again (keep it with --keep)."), out),
        }
    }

    /// With a listener, until Ctrl+C.
    async fn served(&self, (listen, port): (Listen, u16), out: &mut Output) -> Result<(), CliError> {
        let data = self.world.data_folder();
        let installation = site::open(self.world, &data, Absent::Create).await.map_err(|error| site::opened(&error))?;
        let site = Site { zone: site::DEFAULT_ZONE.to_owned(), port };
        let server = Server { installation: Arc::new(installation), folder: data, site, allow_faults: false };
        let (ready, is_ready) = oneshot::channel();
        let (ended, end) = oneshot::channel::<()>();
        let told = |address| {
            // The receiver is gone only when this run was cancelled already.
            let _ = ready.send(server.endpoint(address));
        };
        let wait = async {
            // A sender that is gone means the same as a message: the demonstration has ended.
            let _ = end.await;
        };
        let serving = server.serve(self.world, listen, Tls::OwnAuthority, told, wait);
        let showing = async {
            let _ended = ended;
            let Ok(announced) = is_ready.await else { return Ok(()) };
            let _announced = announced?;
            self.until_stopped(port, out).await
        };
        let (served, shown) = tokio::join!(serving, showing);
        served.and(shown)
    }

    async fn until_stopped(&self, port: u16, out: &mut Output) -> Result<(), CliError> {
        self.shown(Some(port), out).await?;
        let folder = self.folder.shown();
        let end = match self.kept {
            true => format!("Running. Ctrl+C stops it; {folder} is kept."),
            false => format!("Running. Ctrl+C stops it and removes {folder} (keep it with --keep)."),
        };
        say(format!("\n{}\n\n{end}", self.next()), out)?;
        // An error would mean that signals are not received any more: then there is nothing to wait for.
        let _ = self.stopped.clone().wait_for(Option::is_some).await;
        match *self.stopped.borrow() {
            Some(Ending::TimeUp(limit)) => Err(time_up(limit)),
            Some(Ending::Told) | None => Ok(()),
        }
    }

    /// Stops between two steps. In the middle of one, work on other threads could make files again that were removed.
    fn go_on(&self) -> Result<(), CliError> {
        match *self.stopped.borrow() {
            Some(Ending::Told) => Err(Diagnosis::error(&usage::DECLINED, "cancelled").into()),
            Some(Ending::TimeUp(limit)) => Err(time_up(limit)),
            None => Ok(()),
        }
    }

    fn next(&self) -> String {
        format!("Next\n  cd {} && credstore get {SECRET}", self.folder.as_argument())
    }

    /// The five steps and the connection string.
    async fn shown(&self, port: Option<u16>, out: &mut Output) -> Result<(), CliError> {
        let job = Job {
            vault: Some(names::vault(VAULT)?),
            app: DEFAULT_APP.to_owned(),
            client: None,
            secret: Some(names::secret(SECRET)?),
            settings: self.world.settings(),
            certificate: CERTIFICATE_FILE.to_owned(),
            days: DAYS,
            subject: format!("CN={DEFAULT_APP}"),
        };
        let connection = site::connect(self.world, Absent::Create).await?;
        let mut run = Run { world: self.world, job, connection: Some(connection), rows: Vec::new() };
        let mut value = Value::Given(made_up());
        for step in Step::ALL.into_iter().filter(|step| *step != Step::Settings) {
            self.go_on()?;
            run.step(step, &mut value, true, out).await?;
            if let Some(row) = run.rows.last() {
                say(report::line(row), out)?;
            }
        }
        self.go_on()?;
        let draft = entry::must_draft(&run.ground()).await?;
        let row = run.ground().look(Step::Settings).await?;
        run.save(draft, names::secret(SECRET)?, out).await?;
        let row = Row { standing: Standing::Made, state: "CredentialStore added".to_owned(), ..row };
        say(report::line(&row), out)?;
        run.rows.push(row);
        let (masked, milliseconds) = self.resolved(out).await?;
        let width = report::STATE_COLUMN - 2;
        say(format!("\n  {CONNECTION_STRING}\n  {masked:<width$}resolved in {milliseconds} ms"), out)?;
        self.result(&run, &masked, milliseconds, port, out)
    }

    /// Resolves the connection string as `credstore expand` does. Gives it masked, and the time.
    async fn resolved(&self, out: &mut Output) -> Result<(String, u64), CliError> {
        let started = Instant::now();
        let parsed = connection_string::parse(CONNECTION_STRING).map_err(Diagnosis::from)?;
        let credentials = Credentials::open(self.world).await?;
        let mut values: BTreeMap<Identifier, Resolved> = BTreeMap::new();
        for reference in parsed.references() {
            let asked = "asked for in the connection string";
            let resolved = credentials.resolve(&reference.identifier, asked, self.world, out).await?;
            values.insert(reference.identifier, resolved);
        }
        let lookup = |identifier: &Identifier| values.get(identifier).map(Resolved::secret);
        parsed.expand_with(Style::Odbc, lookup).map_err(Diagnosis::from)?;
        Ok((parsed.masked(), report::milliseconds(started.elapsed())))
    }

    /// The one result in the formats that are not for people.
    fn result(
        &self,
        run: &Run<'_>,
        masked: &str,
        milliseconds: u64,
        port: Option<u16>,
        out: &mut Output,
    ) -> Result<(), CliError> {
        if out.for_people() {
            return Ok(());
        }
        let object = json!({
            "folder": self.folder.path().display().to_string(),
            "kept": self.kept,
            "port": port,
            "steps": run.rows.iter().map(report::object).collect::<Vec<_>>(),
            "connectionString": CONNECTION_STRING,
            "masked": masked,
            "milliseconds": milliseconds,
        });
        out.result(object, String::new)?;
        out.flush()
    }
}

/// A password nobody has to know: 244 random bits.
fn made_up() -> Secret {
    // The room first: a string that grows leaves copies behind.
    let mut value = Zeroizing::new(String::with_capacity(2 * uuid::fmt::Simple::LENGTH));
    let mut text = Zeroizing::new([0; uuid::fmt::Simple::LENGTH]);
    for _ in 0..2 {
        value.push_str(uuid::Uuid::new_v4().simple().encode_lower(&mut text[..]));
    }
    Secret::from(value)
}
