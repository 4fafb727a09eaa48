//! How the steps are shown: rows for people, objects for scripts.
//!
//! Source: command line specification, section 5, samples 1 and 2.

use std::time::Duration;

use credstore::settings::DiffLine;
use serde_json::{Value, json};

use super::{Row, Standing};

/// Column in which the state of a row begins, from 0.
pub(crate) const STATE_COLUMN: usize = 49;

/// `  1  Key Vault        demo-kv                    created`.
pub(crate) fn line(row: &Row) -> String {
    let text = format!("  {}  {:<15}  {:<25}  {}", row.step.number(), row.what, row.name, row.state);
    text.trim_end().to_owned()
}

/// The row without its state, for a step that is being done.
pub(crate) fn begun(row: &Row) -> String {
    line(&Row { state: String::new(), ..row.clone() })
}

/// The difference, indented under its row.
pub(crate) fn diff(lines: &[DiffLine]) -> String {
    lines.iter().map(|line| format!("   {}\n", crate::output::plain(&line.to_string()))).collect()
}

/// The row as an object.
pub(crate) fn object(row: &Row) -> Value {
    json!({
        "step": row.step.number(),
        "what": row.what,
        "name": row.name,
        "state": row.state,
        "done": row.is_done(),
        "changed": row.standing == Standing::Made,
    })
}

/// `21 ms`; whole milliseconds, at least one.
pub(crate) fn milliseconds(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX).max(1)
}

/// The first line: which steps are done, and where it goes on.
pub(crate) fn heading(rows: &[Row]) -> String {
    let done = rows.iter().take_while(|row| row.is_done()).count();
    let what = "Credential store on this machine";
    match done {
        0 => format!("{what}: five steps"),
        1 => format!("{what}: step 1 is done, continuing with 2"),
        5.. => format!("{what}: all five steps are done"),
        _ => format!("{what}: steps 1 to {done} are done, continuing with {}", done + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setup::Step;

    fn row(step: Step, what: &'static str, name: &str, standing: Standing, state: &str) -> Row {
        Row::new(step, what, name, standing, state)
    }

    #[test]
    fn rows_look_as_in_the_specification() {
        // Command line specification, sample 1 and 2.
        let made = row(Step::Vault, "Key Vault", "demo-kv", Standing::Made, "created");
        assert_eq!(line(&made), "  1  Key Vault        demo-kv                    created");
        let settings = row(Step::Settings, "Server Settings", "server-settings.json", Standing::Open, "x");
        assert_eq!(line(&settings), "  5  Server Settings  server-settings.json       x");
        assert_eq!(begun(&settings), "  5  Server Settings  server-settings.json");
        assert_eq!(line(&made).find("created"), Some(STATE_COLUMN));
    }

    #[test]
    fn the_heading_says_where_it_goes_on() {
        let mut rows: Vec<Row> = Step::ALL.iter().map(|&step| row(step, "", "", Standing::Open, "")).collect();
        let expected = [
            "five steps",
            "step 1 is done, continuing with 2",
            "steps 1 to 2 are done, continuing with 3",
            "steps 1 to 3 are done, continuing with 4",
            "steps 1 to 4 are done, continuing with 5",
            "all five steps are done",
        ];
        for (done, words) in expected.into_iter().enumerate() {
            if done > 0 {
                rows[done - 1].standing = Standing::Done;
            }
            assert_eq!(heading(&rows), format!("Credential store on this machine: {words}"));
        }
    }

    #[test]
    fn the_difference_stands_under_its_row() {
        let lines = [
            DiffLine::Same("\"CredentialStore\": {".to_owned()),
            DiffLine::Removed("  \"Type\": \"File\"".to_owned()),
            DiffLine::Added("  \"Type\": \"AzureKeyVault\",".to_owned()),
            DiffLine::Same("}".to_owned()),
        ];
        // Command line specification, sample 2.
        let expected =
            "     \"CredentialStore\": {\n   -   \"Type\": \"File\"\n   +   \"Type\": \"AzureKeyVault\",\n     }\n";
        assert_eq!(diff(&lines), expected);
    }
}
