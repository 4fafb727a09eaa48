//! `credstore expand`: a connection string with its references resolved.

use std::collections::BTreeMap;
use std::io::Read;

use credstore::codes::usage;
use credstore::connection_string::{self, Style};
use credstore::diagnosis::Diagnosis;
use credstore::resolver::Resolved;
use credstore_protocol::Identifier;
use zeroize::Zeroizing;

use crate::credentials::Credentials;
use crate::errors::CliError;
use crate::output::Output;
use crate::world::World;

/// Longest connection string that is read from standard input, in bytes; the grammar has its own, lower limit.
const STDIN_MAX: u64 = 1 << 20;

/// Resolve a connection string; passwords are masked unless --reveal
#[derive(clap::Args, Debug)]
#[command(before_help = "Example\n  credstore expand 'DSN=P2P;User=pm_reader;mv-credential-Pass=SqlServerP2P;'")]
pub(crate) struct Expand {
    /// The connection string; - or nothing reads it from standard input
    string: Option<String>,
    /// Print the passwords too
    #[arg(long)]
    reveal: bool,
    /// How values are quoted
    #[arg(long, value_enum, default_value_t = KeywordStyle::Odbc, value_name = "STYLE")]
    keyword_style: KeywordStyle,
}

/// The syntax that a value enters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum KeywordStyle {
    /// Braces, closing brace doubled.
    Odbc,
    /// Percent-encoded.
    Uri,
}

impl Expand {
    /// Parses first: what is wrong with the string is said before anybody is asked for a password.
    pub(crate) async fn run(self, world: &World, out: &mut Output) -> Result<(), CliError> {
        let text = self.text(world)?;
        let parsed = connection_string::parse(&text).map_err(|error| {
            let found = Diagnosis::from(error);
            // The string is in front of whoever typed it: line 1 of the command line says nothing.
            let in_file = found.place.as_ref().is_some_and(|place| place.file.is_some());
            Diagnosis { place: found.place.clone().filter(|_| in_file), ..found }
        })?;
        for warning in parsed.plain_text_passwords() {
            out.warn(&warning);
        }
        let mut values: BTreeMap<Identifier, Resolved> = BTreeMap::new();
        let references = parsed.references();
        if !references.is_empty() {
            let credentials = Credentials::for_use(world).await?;
            for reference in references {
                if !values.contains_key(&reference.identifier) {
                    let asked = "asked for in the connection string";
                    let resolved = credentials.resolve(&reference.identifier, asked, world, out).await?;
                    values.insert(reference.identifier.clone(), resolved);
                }
            }
        }
        let style = match self.keyword_style {
            KeywordStyle::Odbc => Style::Odbc,
            KeywordStyle::Uri => Style::Uri,
        };
        // Made in any case: a value that does not fit the syntax is an error whether it is shown or not.
        let expanded = parsed
            .expand_with(style, |identifier| values.get(identifier).map(Resolved::secret))
            .map_err(Diagnosis::from)?;
        let shown = if self.reveal { expanded } else { Zeroizing::new(parsed.masked()) };
        out.secret_result("connectionString", "expanded", &shown)?;
        if out.for_people() && (out.terminal || !self.reveal) {
            out.secret(b"\n");
        }
        Ok(())
    }

    fn text(&self, world: &World) -> Result<Zeroizing<String>, CliError> {
        match self.string.as_deref() {
            Some(text) if text != "-" => Ok(Zeroizing::new(text.to_owned())),
            None if world.terminals.stdin => {
                Err(Diagnosis::error(&usage::INPUT_NEEDED, "a connection string is needed")
                    .fix("credstore expand 'DSN=…', or pipe it in: credstore expand - < conn.txt")
                    .into())
            }
            Some(_) | None => {
                let mut text = Zeroizing::new(String::with_capacity(64 * 1024));
                let read = std::io::stdin().lock().take(STDIN_MAX).read_to_string(&mut text);
                read.map_err(|error| {
                    Diagnosis::error(&usage::VALUE_NOT_TEXT, "standard input is not UTF-8 text")
                        .cause(error.to_string())
                })?;
                let line = text.strip_suffix('\n').map(|text| text.strip_suffix('\r').unwrap_or(text));
                Ok(Zeroizing::new(line.unwrap_or(&text).to_owned()))
            }
        }
    }
}
