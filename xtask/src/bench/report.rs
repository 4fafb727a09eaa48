//! The table and the plot.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use super::conditions::Conditions;
use super::load::Measured;
use crate::Outcome;

/// GET of one secret at one number of connections.
pub(super) struct Reads {
    pub(super) connections: u32,
    pub(super) nginx: Vec<Measured>,
    pub(super) credstore: Vec<Measured>,
}

/// Durable creates at one number of writers.
pub(super) struct Creates {
    pub(super) writers: u32,
    /// Serial appends and syncs per second.
    pub(super) disk: Vec<f64>,
    /// Creates per second in a vault that nobody talks HTTP to.
    pub(super) within: Vec<f64>,
    pub(super) credstore: Vec<Measured>,
}

impl Reads {
    pub(super) fn at(connections: u32) -> Self {
        Self { connections, nginx: Vec::new(), credstore: Vec::new() }
    }

    /// Median over the rounds of ours against nginx in the same round.
    fn ratio(&self) -> f64 {
        median(self.credstore.iter().zip(&self.nginx).map(|(ours, theirs)| ours.rate / theirs.rate))
    }
}

impl Creates {
    pub(super) fn at(writers: u32) -> Self {
        Self { writers, disk: Vec::new(), within: Vec::new(), credstore: Vec::new() }
    }

    fn ratio(&self) -> f64 {
        median(self.credstore.iter().zip(&self.disk).map(|(ours, disk)| ours.rate / disk))
    }

    fn ratio_within(&self) -> f64 {
        median(self.within.iter().zip(&self.disk).map(|(ours, disk)| ours / disk))
    }
}

/// Everything that was measured in one run.
pub(super) struct Report {
    pub(super) conditions: Conditions,
    /// Sorted.
    pub(super) cold: Vec<Duration>,
    /// Resident memory in KiB: just started, with many secrets, and restarted with them.
    pub(super) idle: u64,
    /// How many are many.
    pub(super) secrets: u64,
    pub(super) many: u64,
    pub(super) many_reopened: u64,
    pub(super) reads: Vec<Reads>,
    pub(super) creates: Vec<Creates>,
}

impl Report {
    /// Writes `vault.md` and `vault.svg`.
    pub(super) fn write(&self, out: &Path) -> Outcome {
        std::fs::create_dir_all(out)?;
        std::fs::write(out.join("vault.md"), self.markdown())?;
        std::fs::write(out.join("vault.svg"), self.svg())?;
        Ok(())
    }

    /// The tables.
    pub(super) fn markdown(&self) -> String {
        let mut text = String::from("# The embedded vault, measured\n\n![ratios](vault.svg)\n\n");
        text.push_str("## One secret over HTTPS, keep-alive: token checked, value opened\n\n");
        text.push_str("| connections | nginx, req/s | credstore, req/s | of nginx | p50 / p99 ms, nginx | p50 / p99 ms, credstore | CPU µs a request, nginx / credstore |\n|---|---|---|---|---|---|---|\n");
        for row in &self.reads {
            let (theirs, ours) = (&row.nginx, &row.credstore);
            let _ = writeln!(
                text,
                "| {} | {:.0} | {:.0} | **{:.2}** | {:.2} / {:.2} | {:.2} / {:.2} | {:.1} / {:.1} |",
                row.connections,
                of(theirs, |m| m.rate),
                of(ours, |m| m.rate),
                row.ratio(),
                of(theirs, |m| m.p50),
                of(theirs, |m| m.p99),
                of(ours, |m| m.p50),
                of(ours, |m| m.p99),
                of(theirs, |m| m.cost),
                of(ours, |m| m.cost),
            );
        }
        text.push_str("\n## New secrets, durable before the answer\n\n");
        text.push_str("| writers | disk, serial append + sync/s | in the vault, creates/s | of the disk | over HTTPS, creates/s | of the disk | p50 / p99 ms |\n|---|---|---|---|---|---|---|\n");
        for row in &self.creates {
            let ours = &row.credstore;
            let _ = writeln!(
                text,
                "| {} | {:.0} | {:.0} | **{:.2}** | {:.0} | **{:.2}** | {:.2} / {:.2} |",
                row.writers,
                median(row.disk.iter().copied()),
                median(row.within.iter().copied()),
                row.ratio_within(),
                of(ours, |m| m.rate),
                row.ratio(),
                of(ours, |m| m.p50),
                of(ours, |m| m.p99),
            );
        }
        let milliseconds = |time: &Duration| time.as_secs_f64() * 1e3;
        let cold = median(self.cold.iter().map(milliseconds));
        let (best, worst) = (self.cold.first().map_or(0.0, milliseconds), self.cold.last().map_or(0.0, milliseconds));
        text.push_str("\n## Start and memory\n\n| what | figure |\n|---|---|\n");
        let _ =
            writeln!(text, "| from exec to the first secret, data on disk | {cold:.1} ms ({best:.1} to {worst:.1}) |");
        let _ = writeln!(text, "| resident, just started | {:.1} MiB |", mebibytes(self.idle));
        let _ = writeln!(
            text,
            "| resident, after {} secrets were stored | {:.1} MiB |",
            self.secrets,
            mebibytes(self.many)
        );
        let _ = writeln!(
            text,
            "| resident, restarted with {} secrets | {:.1} MiB |",
            self.secrets,
            mebibytes(self.many_reopened)
        );
        text.push_str(&conditions_table(&self.conditions));
        text
    }

    /// Two groups of bars: reads against nginx, creates against the disk. The line is the rival.
    fn svg(&self) -> String {
        let reads = self.reads.iter().map(|row| (format!("{} conn", row.connections), row.ratio()));
        let creates = self.creates.iter().map(|row| (format!("{} writers", row.writers), row.ratio()));
        let mut text = String::from(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 640 280\" font-family=\"sans-serif\" font-size=\"13\" role=\"img\">\n\
             <title>credstore against nginx and against the disk; higher is better</title>\n\
             <rect width=\"640\" height=\"280\" fill=\"#ffffff\"/>\n",
        );
        bars(&mut text, 20.0, "GET a secret, of nginx", reads.collect());
        bars(&mut text, 340.0, "durable creates, of serial syncs", creates.collect());
        text.push_str("</svg>\n");
        text
    }
}

fn bars(text: &mut String, left: f64, title: &str, rows: Vec<(String, f64)>) {
    let (bottom, height) = (230.0, 170.0);
    let top = rows.iter().map(|(_, ratio)| *ratio).fold(1.25, f64::max);
    let _ = writeln!(text, "<text x=\"{left}\" y=\"30\" font-weight=\"bold\" fill=\"#1b1f24\">{title}</text>");
    for (at, (label, ratio)) in rows.iter().enumerate() {
        let x = left + 90.0 * at as f64;
        let tall = height * ratio / top;
        let _ = writeln!(
            text,
            "<rect x=\"{x}\" y=\"{:.1}\" width=\"60\" height=\"{tall:.1}\" fill=\"#0f6cbd\"/>\n\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#1b1f24\">{ratio:.2}</text>\n\
             <text x=\"{:.1}\" y=\"250\" text-anchor=\"middle\" fill=\"#1b1f24\">{label}</text>",
            bottom - tall,
            x + 30.0,
            bottom - tall - 6.0,
            x + 30.0,
        );
    }
    let line = bottom - height / top;
    let _ = writeln!(
        text,
        "<line x1=\"{left}\" x2=\"{}\" y1=\"{line:.1}\" y2=\"{line:.1}\" stroke=\"#b10e1c\" stroke-dasharray=\"5 4\"/>",
        left + 260.0
    );
}

/// The end of every report.
pub(super) fn conditions_table(conditions: &Conditions) -> String {
    let mut text = String::from("\n## Conditions\n\n| what | |\n|---|---|\n");
    for (what, value) in conditions {
        let _ = writeln!(text, "| {what} | {value} |");
    }
    text
}

pub(super) fn of(rounds: &[Measured], figure: impl Fn(&Measured) -> f64) -> f64 {
    median(rounds.iter().map(figure))
}

pub(super) fn mebibytes(kibibytes: u64) -> f64 {
    kibibytes as f64 / 1024.0
}

pub(super) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => values[odd / 2],
        even => f64::midpoint(values[even / 2 - 1], values[even / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_between_the_two_middles() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), 2.5);
        assert!(median(std::iter::empty()).is_nan());
    }
}
