//! Sizes of files and functions, and the ratios of ARCHITECTURE.md, "Sizes".

use std::fmt;

use super::{File, Finding};

/// Lines of code in one file of the product.
const FILE_LINES: usize = 800;
/// The middle file of the product.
const FILE_LINES_MEDIAN: usize = 200;
/// Lines of one function, from `fn` to its closing brace.
const FUNCTION_LINES: usize = 70;
/// The middle function of the product.
const FUNCTION_LINES_MEDIAN: usize = 10;
/// `unwrap` and `expect` in the product, for each 1,000 lines of code.
const PANICS_PER_1000: f64 = 1.0;
/// Lines of tests for each line of the product.
const TESTS_PER_LINE: std::ops::RangeInclusive<f64> = 0.8..=1.5;
/// Letters of an `expect` that names an invariant.
const INVARIANT_LETTERS: usize = 12;

/// What was counted.
#[derive(Default)]
pub(crate) struct Figures {
    production: usize,
    tests: usize,
    panics: usize,
    file_median: usize,
    function_median: usize,
    files: usize,
    functions: usize,
}

impl Figures {
    /// Counts the product, and its tests in whatever language; `xtask` is neither.
    pub(crate) fn of(files: &[File]) -> Self {
        let tests = files.iter().filter(|file| file.path.starts_with("testing/")).map(written_tests).sum();
        let mut counted = Self { tests, ..Self::default() };
        let (mut file_sizes, mut function_sizes) = (Vec::new(), Vec::new());
        for file in files.iter().filter(|file| file.is_rust() && file.path.starts_with("crates/")) {
            let source = file.rust();
            counted.tests += source.test_lines();
            if file.is_product() {
                counted.production += source.production_lines();
                counted.panics += panics(file).len();
                file_sizes.push(source.production_lines());
                function_sizes.extend(source.functions().into_iter().map(|function| function.lines));
            }
        }
        (counted.files, counted.functions) = (file_sizes.len(), function_sizes.len());
        (counted.file_median, counted.function_median) = (median(file_sizes), median(function_sizes));
        counted
    }

    fn tests_per_line(&self) -> f64 {
        self.tests as f64 / self.production.max(1) as f64
    }

    fn panics_per_1000(&self) -> f64 {
        1000.0 * self.panics as f64 / self.production.max(1) as f64
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} lines in {} files (median {}), {} functions (median {}); {:.2} test lines a line; {:.2} unwrap or expect \
             per 1,000 lines",
            self.production,
            self.files,
            self.file_median,
            self.functions,
            self.function_median,
            self.tests_per_line(),
            self.panics_per_1000(),
        )
    }
}

/// Lines of a file below `testing/`: clients in Python, JavaScript and Rust, vectors and sessions. Lock files and
/// settings of package tools are not tests.
fn written_tests(file: &File) -> usize {
    let comment = match file.path.rsplit_once('.').map(|(_, ending)| ending) {
        Some("py") => "#",
        Some("mjs" | "rs") => "//",
        Some("txt" | "trycmd") if !file.path.ends_with("requirements.txt") => return lines_with(&file.text, None),
        _ => return 0,
    };
    lines_with(&file.text, Some(comment))
}

/// Lines that are neither blank nor, where there is such a thing, a comment.
fn lines_with(text: &str, comment: Option<&str>) -> usize {
    let lines = text.lines().map(str::trim_start).filter(|line| !line.is_empty());
    lines.filter(|line| comment.is_none_or(|comment| !line.starts_with(comment))).count()
}

/// Findings about sizes.
pub(crate) fn check(files: &[File], figures: &Figures) -> Vec<Finding> {
    let mut findings = totals(figures);
    for file in files.iter().filter(|file| file.is_product()) {
        let source = file.rust();
        let lines = source.production_lines();
        if lines > FILE_LINES {
            findings.push(Finding::new(&file.path, format!("{lines} lines of code; at most {FILE_LINES}")));
        }
        for function in source.functions().into_iter().filter(|function| function.lines > FUNCTION_LINES) {
            let what = format!("fn {} has {} lines; at most {FUNCTION_LINES}", function.name, function.lines);
            findings.push(Finding::new(format!("{}:{}", file.path, function.line), what));
        }
        findings.extend(panics(file).into_iter().filter(|(_, named)| !named).map(|(line, _)| {
            Finding::new(format!("{}:{line}", file.path), "an unwrap or expect names the invariant that it relies on")
        }));
    }
    findings
}

fn totals(figures: &Figures) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut at_most = |what: &str, found: f64, limit: f64| {
        if found > limit {
            findings.push(Finding::new("crates", format!("{what}: {found:.2}; at most {limit}")));
        }
    };
    at_most("median lines of a file", figures.file_median as f64, FILE_LINES_MEDIAN as f64);
    at_most("median lines of a function", figures.function_median as f64, FUNCTION_LINES_MEDIAN as f64);
    at_most("unwrap or expect per 1,000 lines", figures.panics_per_1000(), PANICS_PER_1000);
    at_most("test lines a line", figures.tests_per_line(), *TESTS_PER_LINE.end());
    if figures.tests_per_line() < *TESTS_PER_LINE.start() {
        let what = format!("test lines a line: {:.2}; at least {}", figures.tests_per_line(), TESTS_PER_LINE.start());
        findings.push(Finding::new("crates", what));
    }
    findings
}

/// Lines with `unwrap` or `expect` outside tests; does the text name an invariant?
fn panics(file: &File) -> Vec<(usize, bool)> {
    let source = file.rust();
    let text: Vec<_> = file.text.lines().collect();
    let mut found = Vec::new();
    for (number, line) in source.production() {
        for _ in line.matches(".unwrap()") {
            found.push((number, false));
        }
        for (at, call) in line.match_indices(".expect(") {
            // Code and text have the same bytes up to here on this line; the argument may stand on the next one.
            let rest = text[number - 1].get(at + call.len()..).unwrap_or_default().trim_start();
            let argument =
                if rest.is_empty() { text.get(number).copied().unwrap_or_default().trim_start() } else { rest };
            // Another method of that name takes something else than a message.
            if let Some(said) = argument.strip_prefix('"') {
                let invariant = said.split('"').next().unwrap_or_default();
                found.push((number, invariant.chars().count() >= INVARIANT_LETTERS));
            }
        }
    }
    found
}

fn median(mut sizes: Vec<usize>) -> usize {
    sizes.sort_unstable();
    sizes.get(sizes.len() / 2).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::super::tests::file;
    use super::*;

    fn found(path: &str, text: &str) -> Vec<Finding> {
        check(&[file(path, text)], &Figures { tests: 1, production: 1, ..Figures::default() })
    }

    #[test]
    fn a_file_may_have_800_lines_of_code_and_not_one_more() {
        let path = "crates/credstore/src/a.rs";
        assert_eq!(found(path, &"const A: u8 = 1;\n// why\n\n".repeat(800)), []);
        assert_eq!(found(path, &"const A: u8 = 1;\n".repeat(801)).len(), 1);
        assert_eq!(found("crates/credstore/tests/it/a.rs", &"const A: u8 = 1;\n".repeat(801)), []);
    }

    #[test]
    fn a_function_may_have_70_lines_and_not_one_more() {
        let of = |lines: usize| format!("fn a() {{\n{}}}\n", "    b();\n".repeat(lines - 2));
        assert_eq!(found("crates/credstore/src/a.rs", &of(70)), []);
        assert_eq!(found("crates/credstore/src/a.rs", &of(71)).len(), 1);
    }

    #[test]
    fn an_unwrap_is_found_and_so_is_an_expect_without_an_invariant() {
        let path = "crates/credstore/src/a.rs";
        assert_eq!(found(path, "fn a() { b().unwrap() }").len(), 1);
        assert_eq!(found(path, "fn a() { b().expect(\"b\") }").len(), 1);
        assert_eq!(found(path, "fn a() { b().expect(\"the lock is never poisoned\") }"), []);
        assert_eq!(found(path, "fn a() {\n b().expect(\n  \"b\",\n )\n}").len(), 1);
        assert_eq!(found(path, "fn a() { batch.expect(row, revision) }"), []);
        assert_eq!(found(path, "#[cfg(test)]\nmod tests { fn a() { b().unwrap() } }"), []);
    }

    #[test]
    fn tests_in_other_languages_and_vectors_count_and_lock_files_do_not() {
        let counted = |path: &str, text: &str| Figures::of(&[file(path, text)]).tests;
        assert_eq!(counted("testing/sdk/python/test_a.py", "# why\nassert a\n\n"), 1);
        assert_eq!(counted("testing/sdk/js/a.test.mjs", "// why\nok(a);\n"), 1);
        assert_eq!(counted("testing/vectors/settings/a.txt", "expect: ok\n\n# text\n"), 2);
        assert_eq!(counted("testing/sdk/python/requirements.txt", "azure-identity==1\n"), 0);
        assert_eq!(counted("testing/sdk/js/package-lock.json", "{}\n"), 0);
    }

    #[test]
    fn totals_out_of_bounds_are_found() {
        let fine = || Figures { production: 1000, tests: 1000, ..Figures::default() };
        assert_eq!(totals(&fine()), []);
        assert_eq!(totals(&Figures { tests: 799, ..fine() }).len(), 1);
        assert_eq!(totals(&Figures { tests: 1501, ..fine() }).len(), 1);
        assert_eq!(totals(&Figures { panics: 2, ..fine() }).len(), 1);
        assert_eq!(totals(&Figures { file_median: 201, ..fine() }).len(), 1);
        assert_eq!(totals(&Figures { function_median: 11, ..fine() }).len(), 1);
    }
}
