//! `credstore setup`: the five steps, on this machine.
//!
//! Arguments, order and questions are here; what each step does is in [`crate::setup`].

use clap::{Args, Subcommand};
use credstore::codes::settings::CERTIFICATE_EXPIRY;
use credstore::codes::{Exit, usage};
use credstore::diagnosis::Diagnosis;
use credstore_protocol::{ClientId, SecretName};
use serde_json::{Value as Json, json};

use crate::commands::file::set_up::SetupFile;
use crate::confirm;
use crate::draft::Draft;
use crate::errors::{self, CliError};
use crate::names;
use crate::output::Output;
use crate::secret_input::SecretSource;
use crate::setup::access::needs_value;
use crate::setup::entry;
use crate::setup::folder::Turn;
use crate::setup::state::{State, Target};
use crate::setup::{CERTIFICATE_FILE, Ground, Job, Row, Standing, Step, Value, certificate, report};
use crate::site::{self, Absent, Connection};
use crate::world::World;

/// Name of the app registration when nobody chose one. Source: the set-up guide.
pub(crate) const DEFAULT_APP: &str = "process-mining";

/// What mends a certificate that ends soon.
const RENEW: &str = "credstore cert renew";

/// The five steps, from nothing to a password behind an identifier
#[derive(Args, Debug)]
#[command(
    arg_required_else_help = true,
    subcommand_required = true,
    before_help = "Example\n  credstore setup embedded --vault-name acme-pm-kv --secret SmtpRelay"
)]
pub(crate) struct Setup {
    #[command(subcommand)]
    command: SetupCommand,
}

#[derive(Subcommand, Debug)]
enum SetupCommand {
    Embedded(Embedded),
    File(SetupFile),
    Status(Status),
}

impl Setup {
    /// Runs the verb.
    pub(crate) async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        match self.command {
            SetupCommand::Embedded(command) => command.run(world, out).await,
            SetupCommand::File(command) => command.run(world, out).await,
            SetupCommand::Status(command) => command.run(world, out).await,
        }
    }
}

/// Vault, certificate, app, secret and Server Settings on this machine; what is done already is left alone
#[derive(Args, Debug)]
#[command(
    before_help = "Example\n  credstore setup embedded --vault-name acme-pm-kv --secret SmtpRelay --settings server-settings.json"
)]
struct Embedded {
    #[command(flatten)]
    names: Names,
    /// Days that a new certificate is valid
    #[arg(long, default_value_t = 365)]
    days: u32,
    /// Name in a new certificate
    #[arg(long, default_value = "CN=credstore")]
    subject: String,
    /// Say what would be done, and do nothing (also --dry-run)
    #[arg(long, visible_alias = "dry-run")]
    plan: bool,
    /// Begin with step N
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=5), conflicts_with = "only")]
    from: Option<u8>,
    /// Do step N and no other
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=5))]
    only: Option<u8>,
    /// Go on with the names of the last run, as by itself when setup-state.json is beside the settings
    #[arg(long, conflicts_with = "restart")]
    resume: bool,
    /// Ignore setup-state.json
    #[arg(long)]
    restart: bool,
    /// Print the CredentialStore entry instead of writing Server Settings
    #[arg(long)]
    print_entry: bool,
    #[command(flatten)]
    source: SecretSource,
}

/// The names that are set up.
#[derive(Args, Debug)]
struct Names {
    /// Name of the vault
    #[arg(long, value_name = "VAULT")]
    vault_name: Option<String>,
    /// Name of the app registration [default process-mining]
    #[arg(long, value_name = "NAME")]
    app_name: Option<String>,
    /// Name of the first secret: the identifier
    #[arg(long, value_name = "NAME")]
    secret: Option<String>,
}

impl Names {
    /// Flags, then what is remembered, then defaults.
    fn job(&self, world: &World, state: Option<&State>, days: u32, subject: &str) -> Result<Job, CliError> {
        let remembered = |part: fn(&State) -> Option<&String>| state.and_then(part).cloned();
        let vault = self.vault_name.clone().or_else(|| remembered(|state| Some(&state.vault_name)));
        let app = self.app_name.clone().or_else(|| remembered(|state| Some(&state.app_name)));
        let secret = self.secret.clone().or_else(|| remembered(|state| state.secret.as_ref()));
        let settings = world.settings_to_write();
        Ok(Job {
            certificate: entry::certificate_file(&settings),
            vault: vault.as_deref().map(names::vault).transpose()?,
            app: app.unwrap_or_else(|| DEFAULT_APP.to_owned()),
            client: state.and_then(|state| state.client_id.clone()),
            secret: secret.as_deref().map(names::secret).transpose()?,
            settings,
            days,
            subject: subject.to_owned(),
        })
    }
}

impl Embedded {
    async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        self.source.refuse_argument("credstore setup embedded")?;
        let job = self.job(world)?;
        entry::check_text(&job.settings)?;
        if self.plan {
            return plan(world, &job, out).await;
        }
        let _turn = Turn::take(&job.folder(), &job.written())?;
        let connection = site::connect(world, Absent::Create).await?;
        let mut run = Run { world, job, connection: Some(connection), rows: Vec::new() };
        run.remember()?;
        let before = run.ground().look_at_all().await?;
        let mut value = self.value(&run, out).await?;
        if !self.print_entry {
            run.say(self.heading(&before), out)?;
        }
        let steps: Vec<Step> = Step::ALL.into_iter().filter(|step| self.takes(*step)).collect();
        for step in steps.iter().copied().filter(|step| *step != Step::Settings) {
            run.step(step, &mut value, self.print_entry, out).await?;
        }
        if self.print_entry {
            return print_entry(&run, out).await;
        }
        let test = match steps.contains(&Step::Settings) {
            true => Some(run.settings(out).await?),
            false => None,
        };
        finish(&run, test, out)
    }

    fn job(&self, world: &World) -> Result<Job, CliError> {
        let folder = crate::files::folder_of(&world.settings_to_write());
        let state = if self.restart { None } else { State::read(&folder)? };
        if self.resume && state.is_none() {
            return Err(Diagnosis::error(&usage::INPUT_NEEDED, "there is nothing to resume")
                .cause(format!("{} has no setup-state.json", folder.display()))
                .fix("credstore setup embedded --vault-name NAME --secret NAME")
                .into());
        }
        let job = self.names.job(world, state.as_ref(), self.days, &self.subject)?;
        match job.vault {
            Some(_) => Ok(job),
            None => Err(Diagnosis::error(&usage::INPUT_NEEDED, "a name for the vault is needed")
                .fix("--vault-name acme-pm-kv")
                .into()),
        }
    }

    fn takes(&self, step: Step) -> bool {
        match (self.from, self.only) {
            (_, Some(only)) => Step::numbered(only) == Some(step),
            (Some(from), None) => step.number() >= from,
            (None, None) => true,
        }
    }

    fn heading(&self, before: &[Row]) -> String {
        match (self.from, self.only) {
            (_, Some(only)) => format!("Credential store on this machine: step {only} only"),
            (Some(from), None) => format!("Credential store on this machine: from step {from}"),
            (None, None) => report::heading(before),
        }
    }

    /// The secret's value when it comes from elsewhere than a prompt: read before anything is changed, so that a
    /// missing one stops the run at once.
    async fn value(&self, run: &Run<'_>, out: &mut Output) -> Result<Value<'_>, CliError> {
        let ask = Value::Ask(&self.source);
        if !self.takes(Step::Access) || !needs_value(&run.ground()).await? {
            return Ok(ask);
        }
        match run.world.may_ask() && !self.source.stdin && self.source.file.is_none() {
            true => Ok(ask),
            false => self.source.read(run.world, out).map(Value::Given).map_err(|error| {
                let name = run.job.secret.as_ref().map_or_else(String::new, ToString::to_string);
                error.map(|diagnosis| {
                    diagnosis.note(format!("it is the value of {name}, which is not in the vault yet"))
                })
            }),
        }
    }
}

/// One run of the steps.
pub(crate) struct Run<'a> {
    pub(crate) world: &'a World,
    pub(crate) job: Job,
    /// Ended before the settings are tested, because the test opens the vault by itself.
    pub(crate) connection: Option<Connection>,
    pub(crate) rows: Vec<Row>,
}

/// How the settings were tested.
pub(crate) struct Tested {
    pub(crate) secret: SecretName,
    pub(crate) milliseconds: u64,
}

impl Run<'_> {
    /// What the steps work on.
    pub(crate) fn ground(&self) -> Ground<'_> {
        Ground { world: self.world, job: &self.job, connection: self.connection.as_ref() }
    }

    /// A line that is seen at once.
    fn say(&self, text: impl AsRef<str>, out: &mut Output) -> Result<(), CliError> {
        out.line(text);
        // In the other formats the one result is written at the end.
        if out.for_people() { out.flush() } else { Ok(()) }
    }

    /// Writes what is known to `setup-state.json`.
    pub(crate) fn remember(&self) -> Result<(), CliError> {
        let Some(vault) = &self.job.vault else { return Ok(()) };
        let state = State {
            target: Target::Embedded,
            vault_name: vault.to_string(),
            app_name: self.job.app.clone(),
            secret: self.job.secret.as_ref().map(ToString::to_string),
            tenant_id: self.connection.as_ref().map(|connection| connection.tenant.clone()),
            client_id: self.job.client.clone(),
        };
        state.write(&self.job.folder())
    }

    /// Does one of the steps 1 to 4 and shows it.
    pub(crate) async fn step(
        &mut self,
        step: Step,
        value: &mut Value<'_>,
        silent: bool,
        out: &mut Output,
    ) -> Result<(), CliError> {
        if self.rows.is_empty() && !silent {
            self.say("", out)?;
        }
        let row = self.ground().ensure(step, value, out).await?;
        if step == Step::App {
            self.job.client = self.ground().client_id().await?;
            self.remember()?;
        }
        if !silent {
            self.say(report::line(&row), out)?;
        }
        self.rows.push(row);
        Ok(())
    }

    /// Step 5: shows the difference, asks, saves, tests, and puts back what was there when the test does not pass.
    async fn settings(&mut self, out: &mut Output) -> Result<Tested, CliError> {
        if self.rows.is_empty() {
            self.say("", out)?;
        }
        let (row, secret) = (self.ground().look(Step::Settings).await?, self.secret().await?);
        if row.is_done() {
            self.say(report::line(&row), out)?;
            self.rows.push(row);
            let tested = self.test(secret, out).await?;
            self.say(format!("     tested: {} resolved in {} ms", tested.secret, tested.milliseconds), out)?;
            return Ok(tested);
        }
        let draft = entry::must_draft(&self.ground()).await?;
        self.say(format!("{}\n\n{}", report::begun(&row), report::diff(draft.diff()).trim_end()), out)?;
        self.ask(&draft).map_err(|error| {
            error.map(|diagnosis| diagnosis.note("Server Settings are as they were; the steps before stay done"))
        })?;
        let tested = self.save(draft, secret, out).await?;
        self.say(format!("     saved, tested: {} resolved in {} ms", tested.secret, tested.milliseconds), out)?;
        self.rows.push(Row { standing: Standing::Made, state: "CredentialStore added".to_owned(), ..row });
        Ok(tested)
    }

    /// A secret to test the settings with.
    async fn secret(&self) -> Result<SecretName, CliError> {
        match self.ground().test_secret().await? {
            Some(secret) => Ok(secret),
            None => Err(Diagnosis::error(&usage::INPUT_NEEDED, "there is no secret to test the settings with")
                .fix("credstore setup embedded --secret NAME")
                .into()),
        }
    }

    /// Asks y/N. In a script a new entry needs no answer; one that replaces another needs `--yes`.
    fn ask(&self, draft: &Draft) -> Result<(), CliError> {
        let kept = "Save this? The old version is kept beside it.";
        match (draft.replaces(), self.world.may_ask()) {
            (false, false) => Ok(()),
            (false, true) => confirm::yes(self.world, "     Save this?"),
            (true, false) => confirm::yes(self.world, kept),
            (true, true) => confirm::yes(self.world, &format!("     {kept}")),
        }
    }

    /// Saves the draft and tests it.
    pub(crate) async fn save(
        &mut self,
        draft: Draft,
        secret: SecretName,
        out: &mut Output,
    ) -> Result<Tested, CliError> {
        let saved = draft.save()?;
        match self.test(secret, out).await {
            Ok(tested) => Ok(tested),
            Err(error) => Err(saved.put_back(error)),
        }
    }

    async fn test(&mut self, secret: SecretName, out: &mut Output) -> Result<Tested, CliError> {
        // A data folder that we hold ourselves is opened again by the test.
        self.connection = None;
        let span = entry::test(self.world, &self.job.settings, &secret, out).await?;
        Ok(Tested { secret, milliseconds: report::milliseconds(span) })
    }
}

async fn print_entry(run: &Run<'_>, out: &mut Output) -> Result<(), CliError> {
    let text = entry::alone(&run.ground()).await?;
    // What we wrote ourselves is JSON.
    let value: Json = serde_json::from_str(&text).unwrap_or_default();
    out.result(value, || text)
}

fn finish(run: &Run<'_>, tested: Option<Tested>, out: &mut Output) -> Result<(), CliError> {
    let warnings = certificate::warnings(&run.job.certificate(), run.world.now());
    if out.for_people() {
        let ends_soon = |warning: &&Diagnosis| warning.code.id == CERTIFICATE_EXPIRY.id;
        out.line(match warnings.iter().find(ends_soon) {
            None => "\nDone.".to_owned(),
            Some(soon) => format!("\nDone. warning[{}]: {} ({RENEW})", soon.code.id, soon.message),
        });
        warnings.iter().filter(|warning| !ends_soon(warning)).for_each(|warning| out.warn(warning));
        return Ok(());
    }
    let object = json!({
        "steps": run.rows.iter().map(report::object).collect::<Vec<_>>(),
        "vaultName": run.job.vault.as_ref().map(ToString::to_string),
        "appName": run.job.app,
        "clientId": run.job.client.as_ref().map(ClientId::as_str),
        "settings": run.job.settings.display().to_string(),
        "tested": tested.map(|tested| json!({
            "identifier": tested.secret.as_str(),
            "milliseconds": tested.milliseconds,
        })),
        "warnings": warnings.iter().map(|warning| errors::object(warning, 0)).collect::<Vec<_>>(),
    });
    out.result(object, String::new)
}

/// The embedded vault as far as it is there, for whoever changes nothing.
async fn as_it_is(world: &World) -> Result<Option<Connection>, CliError> {
    match site::connect(world, Absent::Refuse).await {
        Ok(connection) => Ok(Some(connection)),
        Err(error) if error.code().map(|code| code.id) == Some(credstore::codes::server::FOLDER_MISSING.id) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn plan(world: &World, job: &Job, out: &mut Output) -> Result<(), CliError> {
    let connection = as_it_is(world).await?;
    let ground = Ground { world, job, connection: connection.as_ref() };
    let rows = ground.look_at_all().await?;
    let draft = entry::draft(&ground).await?;
    let object = json!({ "dryRun": true, "steps": rows.iter().map(report::object).collect::<Vec<_>>() });
    out.result(object, || {
        let mut text = format!("{}\n\n", report::heading(&rows));
        for row in &rows {
            text.push_str(&format!("{}\n", report::line(&planned(row))));
        }
        if let Some(draft) = draft.filter(|draft| !draft.diff().is_empty()) {
            text.push_str(&format!("\n{}", report::diff(draft.diff())));
        }
        text.push_str("\nNothing was changed.\n");
        text
    })
}

/// The row with what would be done.
fn planned(row: &Row) -> Row {
    let state = match row.standing {
        Standing::Done | Standing::Made => row.state.clone(),
        Standing::Open => format!("to be done: {}", row.state),
    };
    Row { state, ..row.clone() }
}

/// Show where the five steps stand; exit code 10 when something is left to do
#[derive(Args, Debug)]
#[command(before_help = "Example\n  credstore setup status --settings server-settings.json")]
struct Status {
    #[command(flatten)]
    names: Names,
}

impl Status {
    async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let state = State::read(&crate::files::folder_of(&world.settings_to_write()))?;
        let job = self.names.job(world, state.as_ref(), 1, CERTIFICATE_FILE)?;
        let connection = as_it_is(world).await?;
        let rows = Ground { world, job: &job, connection: connection.as_ref() }.look_at_all().await?;
        let complete = rows.iter().all(Row::is_done);
        let object = json!({ "complete": complete, "steps": rows.iter().map(report::object).collect::<Vec<_>>() });
        out.result(object, || rows.iter().map(|row| format!("{}\n", report::line(row))).collect())?;
        out.flush()?;
        certificate::warnings(&job.certificate(), world.now()).iter().for_each(|warning| out.warn(warning));
        if complete {
            return Ok(());
        }
        out.note(match job.vault {
            Some(_) => "next: credstore setup embedded --resume",
            None => "next: credstore setup embedded --vault-name NAME --secret NAME",
        });
        Err(CliError::Printed(Exit::Findings as u8))
    }
}
