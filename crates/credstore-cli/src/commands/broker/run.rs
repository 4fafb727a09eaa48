//! `credstore broker run`: reads settings and rights, takes the socket, and answers until it is told to stop.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use clap::{Args, ValueEnum};
use credstore::azure::TransportOptions;
use credstore::cache::{CachePolicy, CachingResolver};
use credstore::codes::{broker as codes, server as server_codes, usage};
use credstore::diagnosis::Diagnosis;
use credstore::settings;
use credstore_protocol::{Identifier, SteadyClock};
use credstore_server::broker::{
    Accounts, AuditLog, AuditTo, Broker, BrokerLimits, Configuration, Configured, Rights, Serving, serve_broker,
};
use rustix::fs::{Mode, OFlags};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use zeroize::Zeroizing;

use super::notify;
use crate::commands::serve;
use crate::credential_file::FileKeys;
use crate::credentials::{Lasting, lasting, transport_base};
use crate::errors::CliError;
use crate::files::{self, Existing};
use crate::logs;
use crate::output::Output;
use crate::socket;
use crate::world::World;

/// Name of the file of rights that is used without being named, beside the settings.
const RIGHTS_FILE: &str = "broker.json";

/// Answer other processes of this machine until Ctrl+C, SIGTERM or broker stop; SIGHUP reads settings and rights anew
#[derive(Args, Debug)]
#[command(before_help = "Example\n  credstore broker run --rights broker.json --audit /var/log/credstore/broker.log")]
pub(super) struct Run {
    /// Who may read what [default broker.json beside the settings; without it only this user and root]
    #[arg(long, value_name = "FILE")]
    rights: Option<PathBuf>,
    /// File that gets a line for each read [default standard error]
    #[arg(long, value_name = "FILE")]
    audit: Option<PathBuf>,
    /// Group that may reach the socket, by name or number
    #[arg(long, value_name = "GROUP")]
    group: Option<String>,
    /// What to do with the identifiers of Server Settings before anybody asks for them
    #[arg(long, value_enum, value_name = "HOW", default_value_t)]
    prefetch: Prefetch,
    /// File that appears when requests are answered, with the socket's path in it
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
}

/// What a broker does with the identifiers that its settings refer to, when it reads them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Prefetch {
    /// Resolve them aside; what has no value is told in the log.
    #[default]
    Lenient,
    /// Resolve them first; settings of which one has no value are not taken.
    Strict,
    /// Nothing.
    Off,
}

impl Run {
    /// Everything that can be wrong is found before the socket is taken.
    pub(super) async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        logs::start(world, out.style.json, tracing::Level::INFO);
        let place = socket::place(world)?;
        let group = self.group.as_deref().map(group).transpose()?;
        let stop = serve::Stop::new()?;
        let mut hangup = signal(SignalKind::hangup()).map_err(|error| failed(&error))?;
        let files = Files::of(&self, world);
        let serving = files.read_anew(None).await?;
        let rules = serving.rights.rules();
        let (listener, held) = socket::take(&place, group)?;
        let broker = Broker::new(serving, Box::new(files), world.clock.clone(), socket::own_uid());
        self.announce(&place, rules, out)?;
        notify::tell(world, notify::READY);
        let reloading = async {
            while hangup.recv().await.is_some() {
                match broker.reload().await {
                    Ok(()) => tracing::info!("settings and rights were read anew"),
                    Err(error) => tracing::error!(%error, "settings and rights stay as they were"),
                }
            }
            std::future::pending::<()>().await;
        };
        let served = tokio::select! {
            served = serve_broker(broker.clone(), listener, BrokerLimits::default(), stop.wait()) => served,
            () = reloading => Ok(()),
        };
        notify::tell(world, notify::STOPPING);
        drop(held);
        if let Some(file) = &self.ready_file {
            let _ = std::fs::remove_file(file);
        }
        served.map_err(|error| failed(&error).into())
    }

    fn announce(&self, place: &Path, rules: Option<usize>, out: &mut Output) -> Result<(), CliError> {
        let socket = place.display().to_string();
        let object = json!({ "socket": socket, "pid": std::process::id(), "rules": rules });
        out.result(object, || {
            let rights = match rules {
                None => "this user and root, every identifier".to_owned(),
                Some(1) => "1 rule".to_owned(),
                Some(count) => format!("{count} rules"),
            };
            format!("Answering on {socket}\n  Rights  {rights}\nCtrl+C stops it.\n")
        })?;
        out.flush()?;
        match &self.ready_file {
            None => Ok(()),
            Some(file) => files::write(file, format!("{socket}\n").as_bytes(), 0o644, Existing::Replace),
        }
    }
}

fn failed(error: &std::io::Error) -> Diagnosis {
    Diagnosis::error(&server_codes::SERVER_FAILED, "the broker cannot go on").cause(error.to_string())
}

/// Users and groups as the two files of the machine name them.
fn accounts() -> Accounts {
    let read = |file: &str| String::from_utf8_lossy(&std::fs::read(file).unwrap_or_default()).into_owned();
    Accounts::parse(&read("/etc/passwd"), &read("/etc/group"))
}

fn group(text: &str) -> Result<u32, CliError> {
    text.parse().ok().or_else(|| accounts().group(text)).ok_or_else(|| {
        Diagnosis::error(&usage::COMMAND_LINE, format!("there is no group {}", crate::output::plain(text)))
            .fix("a name of /etc/group, or a number")
            .into()
    })
}

/// The files that a broker reads when it starts and when it is told to.
struct Files {
    settings: PathBuf,
    rights: Option<PathBuf>,
    audit: Option<PathBuf>,
    prefetch: Prefetch,
    base: TransportOptions,
    keys: FileKeys,
    clock: Arc<dyn SteadyClock>,
    /// The settings that are served: while they stay, what is kept stays.
    served: Mutex<Zeroizing<String>>,
}

impl Files {
    fn of(run: &Run, world: &World) -> Self {
        Self {
            settings: world.settings(),
            rights: run.rights.clone(),
            audit: run.audit.clone(),
            prefetch: run.prefetch,
            base: transport_base(world),
            keys: FileKeys::of(world),
            clock: world.clock.clone(),
            served: Mutex::default(),
        }
    }

    /// All of it, or what is wrong first. What is kept goes on when the settings are the same.
    async fn read_anew(&self, current: Option<&Serving>) -> Result<Serving, Box<Diagnosis>> {
        let text = settings::read(&self.settings)?;
        let (parsed, _) = settings::parse(&text, &self.settings).usable()?;
        let rights = self.rights()?;
        let audit = self.audit()?;
        let Lasting { store, certificate } = lasting(&parsed, self.base.clone(), &self.keys)?;
        let (resolver, certificate) = match current {
            Some(current) if **self.served() == **text => (current.resolver.clone(), current.certificate.clone()),
            Some(_) | None => (CachingResolver::new(store, self.clock.clone(), CachePolicy::default()), certificate),
        };
        self.fetched_ahead(&resolver, parsed.references.into_iter().map(|reference| reference.identifier)).await?;
        *self.served() = Zeroizing::new(text.to_string());
        Ok(Serving { resolver, rights, audit, certificate })
    }

    fn served(&self) -> MutexGuard<'_, Zeroizing<String>> {
        self.served.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn fetched_ahead(
        &self,
        resolver: &CachingResolver,
        identifiers: impl Iterator<Item = Identifier>,
    ) -> Result<(), Box<Diagnosis>> {
        let identifiers: Vec<_> = identifiers.collect();
        match self.prefetch {
            Prefetch::Off => Ok(()),
            Prefetch::Lenient => {
                let resolver = resolver.clone();
                tokio::spawn(async move {
                    for (identifier, error) in resolver.prefetch(identifiers).await {
                        tracing::warn!(%identifier, %error, "the settings refer to an identifier without a value");
                    }
                });
                Ok(())
            }
            Prefetch::Strict => {
                let mut failed = resolver.prefetch(identifiers).await.into_iter();
                let Some((_, error)) = failed.next() else { return Ok(()) };
                let first = Diagnosis::from(error);
                Err(Box::new(match failed.len() {
                    0 => first,
                    more => first.note(format!("{more} more that the settings refer to have no value either")),
                }))
            }
        }
    }

    fn rights(&self) -> Result<Rights, Box<Diagnosis>> {
        let file = match &self.rights {
            Some(named) => named.clone(),
            None => match files::folder_of(&self.settings).join(RIGHTS_FILE) {
                beside if beside.symlink_metadata().is_ok() => beside,
                _ => return Ok(Rights::of_owner(socket::own_uid())),
            },
        };
        let wrong = |cause: String| {
            let message = format!("{} cannot be used", file.display());
            Box::new(
                Diagnosis::error(&codes::RIGHTS_INVALID, message).cause(cause).fix("the form is in docs/broker.md"),
            )
        };
        let (text, metadata) =
            files::read_with_metadata(&file).map_err(|error| wrong(told(error).cause.unwrap_or_default()))?;
        if ![socket::own_uid(), 0].contains(&metadata.uid()) {
            return Err(wrong("it belongs to another user".to_owned()));
        }
        if metadata.mode() & 0o022 != 0 {
            return Err(wrong(format!("others can change it (mode {:04o})", metadata.mode() & 0o7777)));
        }
        let text = std::str::from_utf8(&text).map_err(|_| wrong("it is not UTF-8 text".to_owned()))?;
        Rights::parse(text, &accounts()).map_err(|error| wrong(error.to_string()))
    }

    /// Opened anew each time, so that a reload follows a log that was moved away.
    fn audit(&self) -> Result<Arc<dyn AuditLog>, Box<Diagnosis>> {
        let Some(file) = &self.audit else { return Ok(Arc::new(AuditTo::new(std::io::stderr()))) };
        let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::APPEND | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = rustix::fs::open(file, flags, Mode::RUSR | Mode::WUSR)
            .map_err(|error| Box::new(told(files::unwritable(file, &error.to_string()))))?;
        Ok(Arc::new(AuditTo::new(File::from(opened))))
    }
}

/// The diagnosis of an error of a file, which always has one.
fn told(error: CliError) -> Diagnosis {
    match error {
        CliError::Diagnosed { diagnosis, .. } => *diagnosis,
        CliError::Printed(_) | CliError::ReaderGone => Diagnosis::error(&codes::RIGHTS_INVALID, "it cannot be read"),
    }
}

impl Configuration for Files {
    fn read<'a>(&'a self, current: &'a Serving) -> Configured<'a> {
        Box::pin(self.read_anew(Some(current)))
    }
}
