//! `credstore list`: the identifiers, never the values.

use std::collections::BTreeSet;

use credstore_protocol::Timestamp;
use credstore_protocol::key_vault::SecretItem;
use serde_json::{Value, json};

use credstore::codes::usage;
use credstore::diagnosis::Diagnosis;

use crate::credentials::{Credentials, is_denied, name_of};
use crate::errors::CliError;
use crate::output::{Output, Table};
use crate::socket;
use crate::time_text::{expiry, parse_span, rfc3339, since};
use crate::world::World;

/// List the identifiers with state and expiry, never a value
#[derive(clap::Args, Debug)]
#[command(before_help = "Example\n  credstore list --expiring 30d")]
pub(crate) struct List {
    /// Only those in this state
    #[arg(long, value_enum, value_name = "STATUS")]
    status: Option<Status>,
    /// Only those that expire within SPAN, for example 30d
    #[arg(long, value_name = "SPAN")]
    expiring: Option<String>,
    /// Only those whose tag `owner` is this
    #[arg(long, value_name = "OWNER")]
    owner: Option<String>,
}

/// Whether a value may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Status {
    /// Now.
    Ready,
    /// Its owner switched it off.
    Disabled,
    /// Its time is over.
    Expired,
    /// Its time has not come.
    NotYetActive,
}

impl Status {
    fn of(item: &SecretItem, now: Timestamp) -> Self {
        let attributes = &item.attributes;
        match (attributes.enabled, attributes.nbf, attributes.exp) {
            (Some(false), _, _) => Self::Disabled,
            (_, _, Some(exp)) if exp <= now => Self::Expired,
            (_, Some(nbf), _) if now < nbf => Self::NotYetActive,
            _ => Self::Ready,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Disabled => "disabled",
            Self::Expired => "expired",
            Self::NotYetActive => "not yet active",
        }
    }

    fn key(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Disabled => "disabled",
            Self::Expired => "expired",
            Self::NotYetActive => "notYetActive",
        }
    }
}

/// One row.
struct Row {
    name: String,
    status: Option<Status>,
    expires: Option<Timestamp>,
    last_used: Option<Timestamp>,
    description: String,
    owner: String,
}

impl Row {
    fn of(item: &SecretItem, now: Timestamp) -> Self {
        let tag = |name: &str| {
            let found = item.tags.iter().flatten().find(|(tag, _)| tag.eq_ignore_ascii_case(name));
            found.map(|(_, text)| text.clone()).unwrap_or_default()
        };
        Self {
            name: name_of(item).to_owned(),
            status: Some(Status::of(item, now)),
            expires: item.attributes.exp,
            last_used: item.attributes.last_read,
            description: tag("description"),
            owner: tag("owner"),
        }
    }

    /// An identifier of which only the name is known.
    fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            status: None,
            expires: None,
            last_used: None,
            description: String::new(),
            owner: String::new(),
        }
    }

    fn object(&self) -> Value {
        json!({
            "identifier": self.name,
            "status": self.status.map(Status::key),
            "expires": self.expires.map(rfc3339),
            "lastUsed": self.last_used.map(rfc3339),
            "description": (!self.description.is_empty()).then_some(&self.description),
            "owner": (!self.owner.is_empty()).then_some(&self.owner),
        })
    }

    fn cells(&self, now: Timestamp, terminal: bool) -> Vec<String> {
        let expires = match (self.status, self.expires) {
            (None, _) => "-".to_owned(),
            (_, None) => "never".to_owned(),
            (_, Some(at)) if terminal => expiry(at, now),
            (_, Some(at)) => rfc3339(at),
        };
        let last_used = match self.last_used {
            None => "-".to_owned(),
            Some(at) if terminal => since(at, now),
            Some(at) => rfc3339(at),
        };
        let status = self.status.map_or("-", Status::words).to_owned();
        vec![self.name.clone(), status, expires, last_used, self.description.clone()]
    }
}

impl List {
    /// Lists the vault; with Get but not List permission, the identifiers that the settings name.
    pub(crate) async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let now = world.now();
        let span = self.expiring.as_deref().map(|text| parse_span(text).ok_or_else(|| no_span(text))).transpose()?;
        socket::refuse_named(world, "lists")?;
        let credentials = Credentials::open(world).await?;
        let mut rows: Vec<Row> = match credentials.listed(world).await {
            Some(Ok(items)) => items.iter().map(|item| Row::of(item, now)).collect(),
            Some(Err(error)) if is_denied(&error) => {
                out.note("only the identifiers in the Server Settings are shown: the app has Get and not List");
                from_settings(&credentials)
            }
            Some(Err(error)) => return Err(Diagnosis::from(&error).into()),
            None => credentials.names_in_file()?.iter().map(|name| Row::named(name)).collect(),
        };
        rows.retain(|row| {
            self.status.is_none_or(|status| row.status == Some(status))
                && self.owner.as_ref().is_none_or(|owner| row.owner.eq_ignore_ascii_case(owner))
                && span.is_none_or(|span| row.expires.is_some_and(|at| at <= now + span))
        });
        rows.sort_by_key(|row| row.name.to_lowercase());
        let terminal = out.terminal;
        out.result(rows.iter().map(Row::object).collect(), || {
            let table = table(&rows, now, terminal);
            // The count below goes to the same terminal, and to nobody's pipe.
            format!("{table}{}", if terminal { "\n" } else { "" })
        })?;
        if out.for_people() {
            let count = if rows.len() == 1 { "1 identifier".to_owned() } else { format!("{} identifiers", rows.len()) };
            out.flush()?;
            out.note(format!("{count} in {}", credentials.store_name.trim_start_matches("vault ")));
        }
        Ok(())
    }
}

fn table(rows: &[Row], now: Timestamp, terminal: bool) -> Table {
    // Widths of the specification's sample, so that short lists look like long ones.
    let headings = ["IDENTIFIER", "STATUS", "EXPIRES", "LAST USED", "DESCRIPTION"];
    let mut table = Table::new(&headings).least(&[0, 9, 12, 10, 0]);
    rows.iter().for_each(|row| table.row(row.cells(now, terminal)));
    table
}

fn from_settings(credentials: &Credentials) -> Vec<Row> {
    let names: BTreeSet<&str> = credentials.references().iter().map(|found| found.identifier.as_str()).collect();
    names.into_iter().map(Row::named).collect()
}

fn no_span(text: &str) -> CliError {
    Diagnosis::error(&usage::COMMAND_LINE, format!("{} is no span of time", crate::output::plain(text)))
        .fix("a number and a unit: 30d, 12h")
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60;
    const HOUR: i64 = 3_600;
    const DAY: i64 = 86_400;

    #[test]
    fn the_table_for_people_is_the_one_of_the_specification() {
        let now = Timestamp(1_795_430_527); // 2026-11-23T10:42:07Z
        let day = |text: &str| crate::time_text::parse(text);
        let from_now = |seconds: i64| Some(Timestamp(now.0 + seconds));
        use Status::{Disabled, Expired, Ready};
        let rows = [
            ("LdapBindAccount", Ready, None, 6 * MINUTE, "Directory lookups"),
            ("OracleErpReadOnly", Ready, from_now(9 * DAY), 14 * MINUTE, "ERP, read only"),
            ("SapHanaExtract", Ready, day("2027-06-01"), 3 * MINUTE, "SAP HANA extraction user"),
            ("SharePointDrop", Disabled, None, 31 * DAY, "File drop for uploads"),
            ("SmtpRelay", Ready, None, HOUR, "Outgoing mail"),
            ("SnowflakeLoader", Ready, day("2027-05-22"), 12 * MINUTE, "Data lake loader"),
            ("SqlServerO2C", Expired, from_now(-3 * DAY), 9 * HOUR, "Order to cash staging"),
            ("SqlServerP2P", Ready, day("2027-04-14"), 0, "Purchase to pay staging"),
        ]
        .map(|(name, status, expires, ago, description)| Row {
            status: Some(status),
            expires,
            last_used: from_now(-ago),
            description: description.to_owned(),
            ..Row::named(name)
        });
        // Sample 5.
        let expected = "\
IDENTIFIER         STATUS     EXPIRES       LAST USED   DESCRIPTION
LdapBindAccount    ready      never         6 min ago   Directory lookups
OracleErpReadOnly  ready      in 9 days     14 min ago  ERP, read only
SapHanaExtract     ready      1 Jun 2027    3 min ago   SAP HANA extraction user
SharePointDrop     disabled   never         31 days     File drop for uploads
SmtpRelay          ready      never         1 h ago     Outgoing mail
SnowflakeLoader    ready      22 May 2027   12 min ago  Data lake loader
SqlServerO2C       expired    3 days ago    9 h ago     Order to cash staging
SqlServerP2P       ready      14 Apr 2027   just now    Purchase to pay staging
";
        assert_eq!(table(&rows, now, true).to_string(), expected);
    }
}
