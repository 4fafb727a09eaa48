//! Results: table, JSON, JSON Lines, TSV or nothing, and `--query`.
//!
//! A result is kept until the command has succeeded: on failure standard output stays empty. Values of secrets
//! pass through [`Output::secret`] only, into memory that is wiped.

use std::io::{self, Write};

use credstore::codes::usage;
use credstore::diagnosis::Diagnosis;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::errors::{CliError, Style};

/// How results are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// Aligned columns, for people.
    #[default]
    Table,
    /// One JSON value.
    Json,
    /// One JSON value a line.
    Jsonl,
    /// Values separated by tabs; a single value bare.
    Tsv,
    /// Nothing.
    None,
}

/// Where results and messages go.
pub(crate) struct Output {
    kept: Zeroizing<Vec<u8>>,
    stdout: Box<dyn Write>,
    stderr: Box<dyn Write>,
    pub(crate) format: Format,
    query: Option<jmespath::Expression<'static>>,
    pub(crate) terminal: bool,
    quiet: bool,
    pub(crate) style: Style,
}

impl Output {
    /// An output with these streams. `terminal` is whether a person reads standard output.
    pub(crate) fn new(stdout: Box<dyn Write>, stderr: Box<dyn Write>, terminal: bool, style: Style) -> Self {
        let kept = Zeroizing::new(Vec::new());
        Self { kept, stdout, stderr, format: Format::Table, query: None, terminal, quiet: false, style }
    }

    /// Sets format, query and silence as the flags say.
    pub(crate) fn configure(&mut self, format: Format, query: Option<&str>, quiet: bool) -> Result<(), CliError> {
        self.format = format;
        self.quiet = quiet;
        self.query = query.map(jmespath::compile).transpose().map_err(|error| {
            let reason = error.to_string();
            Diagnosis::error(&usage::QUERY, "the query is not JMESPath")
                .cause(reason.lines().next().unwrap_or_default())
                .fix("credstore help   shows examples; quote the expression for the shell")
        })?;
        Ok(())
    }

    /// Whether the result is for people: no query, format table.
    pub(crate) fn for_people(&self) -> bool {
        self.format == Format::Table && self.query.is_none()
    }

    /// A result: `human` for people, otherwise `value`. A value of a secret must not be in it.
    pub(crate) fn result(&mut self, value: Value, human: impl FnOnce() -> String) -> Result<(), CliError> {
        if self.for_people() {
            self.kept.extend_from_slice(human().as_bytes());
            return Ok(());
        }
        let value = match &self.query {
            None => value,
            Some(query) => apply(query, &value)?,
        };
        self.kept.extend_from_slice(written(&value, self.format).as_bytes());
        Ok(())
    }

    /// A line for people on standard output; nothing in the other formats.
    pub(crate) fn line(&mut self, text: impl AsRef<str>) {
        if self.for_people() && !self.quiet {
            self.kept.extend_from_slice(text.as_ref().as_bytes());
            self.kept.push(b'\n');
        }
    }

    /// A remark on standard error, unless silence was asked for.
    pub(crate) fn note(&mut self, text: impl AsRef<str>) {
        if !self.quiet {
            // Messages are a courtesy: a closed standard error does not stop the work.
            let _ = writeln!(self.stderr, "{}", text.as_ref());
        }
    }

    /// A warning on standard error, in the form of errors.
    pub(crate) fn warn(&mut self, warning: &Diagnosis) {
        let text = match self.style.json {
            true => format!("{}\n", serde_json::json!({ "warning": crate::errors::object(warning, 0) })),
            false => crate::errors::human(warning, self.style.colour),
        };
        if !self.quiet {
            let _ = self.stderr.write_all(text.as_bytes());
        }
    }

    /// Bytes of a secret, or text that holds one.
    pub(crate) fn secret(&mut self, bytes: &[u8]) {
        // Growing the kept vector would leave an unwiped copy behind; a new one does not.
        let mut larger = Zeroizing::new(Vec::with_capacity(self.kept.len() + bytes.len() + 1));
        larger.extend_from_slice(&self.kept);
        larger.extend_from_slice(bytes);
        self.kept = larger;
    }

    /// The one value of a command that may print one: bare for people and in TSV, else as member `key` beside `name`.
    pub(crate) fn secret_result(&mut self, key: &str, name: &str, value: &str) -> Result<(), CliError> {
        match (self.format, &self.query) {
            (Format::None, _) => {}
            (Format::Table | Format::Tsv, None) => self.secret(value.as_bytes()),
            (Format::Json | Format::Jsonl, None) => {
                let quoted = |text: &str| serde_json::to_string(text).map(Zeroizing::new).unwrap_or_default();
                let name = quoted(name);
                self.secret(format!("{{\"name\":{},", name.as_str()).as_bytes());
                self.secret(Zeroizing::new(format!("\"{key}\":{}}}\n", quoted(value).as_str())).as_bytes());
            }
            (format, Some(query)) => {
                let object = serde_json::json!({ "name": name, key: value });
                let text = Zeroizing::new(written(&apply(query, &object)?, format));
                self.secret(text.as_bytes());
            }
        }
        Ok(())
    }

    /// Writes what was kept. Called when the command has succeeded, and by commands that go on for long.
    pub(crate) fn flush(&mut self) -> Result<(), CliError> {
        let done = self.stdout.write_all(&self.kept).and_then(|()| self.stdout.flush());
        self.kept = Zeroizing::new(Vec::new());
        done.map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => CliError::ReaderGone,
            _ => {
                Diagnosis::error(&usage::OUTPUT_CLOSED, "the output cannot be written").cause(error.to_string()).into()
            }
        })
    }

    /// Standard error, for the one place that prints errors.
    pub(crate) fn stderr(&mut self) -> &mut dyn Write {
        &mut *self.stderr
    }
}

fn apply(query: &jmespath::Expression<'static>, value: &Value) -> Result<Value, CliError> {
    let refused = |error: &dyn std::fmt::Display| {
        let reason = error.to_string();
        CliError::from(
            Diagnosis::error(&usage::QUERY, "the query does not fit the result")
                .cause(reason.lines().next().unwrap_or_default().to_owned()),
        )
    };
    let found = query.search(value).map_err(|error| refused(&error))?;
    serde_json::to_value(&*found).map_err(|error| refused(&error)).map(integral)
}

/// JMESPath counts in floating point; whole numbers are written as such.
fn integral(value: Value) -> Value {
    match value {
        Value::Number(number) => match number.as_f64() {
            Some(float) if !number.is_i64() && !number.is_u64() && float.fract() == 0.0 && float.abs() < 9e15 =>
            {
                #[allow(clippy::cast_possible_truncation, reason = "checked to be whole and in range")]
                Value::from(float as i64)
            }
            _ => Value::Number(number),
        },
        Value::Array(items) => items.into_iter().map(integral).collect(),
        Value::Object(members) => members.into_iter().map(|(key, value)| (key, integral(value))).collect(),
        other => other,
    }
}

fn written(value: &Value, format: Format) -> String {
    match format {
        Format::None => String::new(),
        Format::Json => format!("{value:#}\n"),
        Format::Jsonl => rows(value).iter().map(|row| format!("{row}\n")).collect(),
        Format::Tsv => rows(value).iter().map(|row| format!("{}\n", cells(row).join("\t"))).collect(),
        Format::Table => generic_table(value),
    }
}

fn rows(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        other => vec![other],
    }
}

fn cells(row: &Value) -> Vec<String> {
    match row {
        Value::Object(members) => members.values().map(cell).collect(),
        Value::Array(items) => items.iter().map(cell).collect(),
        // A single value is printed as it is: it may be meant for a variable.
        Value::String(text) => vec![text.clone()],
        other => vec![cell(other)],
    }
}

/// One value on one line: separators inside it are escaped.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => {
            text.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n").replace('\r', "\\r")
        }
        other => other.to_string(),
    }
}

fn generic_table(value: &Value) -> String {
    match value {
        Value::Array(items) if items.iter().all(Value::is_object) && !items.is_empty() => {
            let keys: Vec<&String> = items[0].as_object().map(|first| first.keys().collect()).unwrap_or_default();
            let mut table = Table::new(&keys.iter().map(|key| key.as_str()).collect::<Vec<_>>());
            for item in items {
                table.row(keys.iter().map(|key| cell(&item[key.as_str()])).collect());
            }
            table.to_string()
        }
        Value::Array(items) => items.iter().map(|item| cells(item).join("  ") + "\n").collect(),
        Value::Object(members) => pairs(members.iter().map(|(key, value)| (key.as_str(), cell(value)))),
        other => cells(other).concat() + "\n",
    }
}

/// Name and value a line, values aligned.
pub(crate) fn pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let pairs: Vec<(&str, String)> = pairs.into_iter().collect();
    let width = pairs.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
    pairs.iter().map(|(name, value)| format!("{name:width$}  {}", plain(value)).trim_end().to_owned() + "\n").collect()
}

/// Text from elsewhere without what could steer a terminal.
pub(crate) fn plain(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            c if c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// Columns of text, each as wide as its widest cell.
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
    least: Vec<usize>,
}

impl Table {
    /// A table with these headings.
    pub(crate) fn new(headings: &[&str]) -> Self {
        Self { rows: vec![headings.iter().map(|&text| text.to_owned()).collect()], least: vec![0; headings.len()] }
    }

    /// Least widths of the columns, so that lists of different lengths look alike.
    pub(crate) fn least(mut self, widths: &[usize]) -> Self {
        self.least = widths.to_vec();
        self
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells.iter().map(|cell| plain(cell)).collect());
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut widths = self.least.clone();
        for row in &self.rows {
            widths.resize(widths.len().max(row.len()), 0);
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        for row in &self.rows {
            let line: String = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}  ")).collect();
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn queried(value: &Value, query: &str, format: Format) -> String {
        written(&apply(&jmespath::compile(query).unwrap(), value).unwrap(), format)
    }

    #[test]
    fn a_single_value_is_bare_in_tsv() {
        assert_eq!(queried(&json!({"appId": "x y"}), "appId", Format::Tsv), "x y\n");
        assert_eq!(queried(&json!({"n": 3}), "n", Format::Tsv), "3\n");
        assert_eq!(queried(&json!({}), "n", Format::Tsv), "\n");
    }

    #[test]
    fn rows_of_tsv_are_lines_and_separators_inside_are_escaped() {
        let value = json!([{"a": "1\t2", "b": null}, {"a": "x\ny", "b": true}]);
        assert_eq!(written(&value, Format::Tsv), "1\\t2\t\nx\\ny\ttrue\n");
    }

    #[test]
    fn json_lines_have_one_item_a_line() {
        assert_eq!(written(&json!([{"a": 1}, {"a": 2}]), Format::Jsonl), "{\"a\":1}\n{\"a\":2}\n");
    }

    #[test]
    fn whole_numbers_stay_whole_through_a_query() {
        assert_eq!(queried(&json!([{"n": 7}, {"n": 8}]), "[].n", Format::Json), "[\n  7,\n  8\n]\n");
        assert_eq!(queried(&json!([1, 2]), "length(@)", Format::Tsv), "2\n");
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_lines_have_no_blanks_at_the_end() {
        let mut table = Table::new(&["A", "LONG", "C"]).least(&[3, 0, 0]);
        table.row(vec!["x".to_owned(), "y".to_owned(), String::new()]);
        assert_eq!(table.to_string(), "A    LONG  C\nx    y\n");
    }
}
