//! Connection strings as an attacker, a spreadsheet or an old driver writes them, and that no secret adds a keyword.

use credstore::Diagnosis;
use credstore::connection_string::{self, Style};
use credstore::protocol::Secret;

const REFERENCE: &str = "DSN=P2P;mv-credential-Pass=X;Database=d";

fn expanded(text: &str, password: &str) -> String {
    let secret = Secret::from(password.to_owned());
    connection_string::parse(text).unwrap().expand(|_| Some(&secret)).unwrap().as_str().to_owned()
}

/// Keyword and value of every pair, as the ODBC driver manager reads them: its own grammar, not ours.
///
/// Source: ODBC `SQLDriverConnect`, "Comments": a value in braces ends at the first single `}`; of a keyword given
/// twice the first counts; keywords are compared without case.
fn driver_manager(text: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    let mut rest = text;
    while let Some((keyword, after)) = rest.split_once('=') {
        let keyword = keyword.trim_start_matches([';', ' ', '\n', '\t', '\r']).trim().to_lowercase();
        let start = after.trim_start();
        let (value, left) = if let Some(inner) = start.strip_prefix('{') {
            let mut value = String::new();
            let mut characters = inner.char_indices().peekable();
            let mut end = inner.len();
            while let Some((at, character)) = characters.next() {
                if character == '}' {
                    if characters.peek().is_some_and(|(_, next)| *next == '}') {
                        characters.next();
                    } else {
                        end = at + 1;
                        break;
                    }
                }
                value.push(character);
            }
            (value, inner[end..].split_once(';').map_or("", |(_, left)| left))
        } else {
            let (value, left) = after.split_once(';').unwrap_or((after, ""));
            (value.trim().to_owned(), left)
        };
        if !found.iter().any(|(known, _)| *known == keyword) {
            found.push((keyword, value));
        }
        rest = left;
    }
    found
}

#[test]
fn no_secret_adds_a_keyword_for_the_driver_manager() {
    for password in [
        "x;DSN=evil",
        "x};DSN=evil;{",
        "{x};DSN=evil",
        "}};DSN=evil;",
        "}",
        "{",
        "{}",
        "}{",
        "}}",
        "}}}",
        "{}}",
        ";",
        "=",
        ";;",
        "= ;",
        " leading",
        "trailing ",
        "\tx\t",
        "x\r\nDSN=evil",
        "x\nUID=sa;",
        "'",
        "\"",
        "\"x;y\"",
        "'x;y'",
        "%3BDSN%3Devil",
        "x+y",
        "mv-credential-Pass=Y",
        "mv-enable=False",
        "[]{}(),;?*=!@",
        "grün;ß",
        "日本語",
        "e\u{301}",
        "\u{feff}x",
        "\u{202e}txt",
        "a\u{2028}b",
        "ｘ；ＤＳＮ＝evil",
        "👍;",
        "\u{1}\u{7f}",
    ] {
        for text in
            [REFERENCE, "mv-credential-Pass=X", "a={b;c};mv-credential-Pass={X};", "a=1;;mv-credential-Pass=X;;"]
        {
            let expanded = expanded(text, password);
            let read = driver_manager(&expanded);
            let value = read.iter().find(|(keyword, _)| keyword == "pass").map(|(_, value)| value.as_str());
            assert_eq!(value, Some(password), "{expanded}");
            assert_eq!(read.len(), driver_manager(text).len(), "{expanded}");
            assert!(read.iter().all(|(_, value)| !value.contains("evil") || value == password), "{expanded}");
        }
    }
}

#[test]
fn a_secret_in_the_style_of_addresses_holds_nothing_that_an_address_reads() {
    for password in ["a@b", "a:b/c?d#e", "%41", "x&y=z", "a b", "ü", ";DSN=evil", "[::1]", "\\", "'"] {
        let secret = Secret::from(password.to_owned());
        let string = connection_string::parse("host=h;mv-credential-Password=X").unwrap();
        let expanded = string.expand_with(Style::Uri, |_| Some(&secret)).unwrap();
        let written = expanded.strip_prefix("host=h;Password=").unwrap();
        assert!(written.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte)), "{written}");
        let url = url::Url::parse(&format!("db://u:{written}@h/")).unwrap();
        let read = percent_encoding::percent_decode_str(url.password().unwrap()).decode_utf8().unwrap();
        assert_eq!(read, password);
    }
}

#[test]
fn what_is_written_oddly_is_read_as_the_driver_manager_reads_it_or_refused() {
    for (text, expected) in [
        // The first of a keyword given twice counts for the driver; the text stays as it was.
        ("A=1;A=2;mv-credential-Pass=X", Ok("A=1;A=2;Pass=p")),
        ("DSN=a;dsn=b;mv-credential-Pass=X", Ok("DSN=a;dsn=b;Pass=p")),
        ("DRIVER={SQL Server};DSN=a;mv-credential-Pass=X", Ok("DRIVER={SQL Server};DSN=a;Pass=p")),
        ("A=b{c;mv-credential-Pass=X", Ok("A=b{c;Pass=p")),
        ("A=b}c;mv-credential-Pass=X", Ok("A=b}c;Pass=p")),
        ("A=b{c;d}e=f;mv-credential-Pass=X", Ok("A=b{c;d}e=f;Pass=p")),
        ("A={};mv-credential-Pass=X", Ok("A={};Pass=p")),
        ("A={;mv-credential-Pass=X;};B=c", Ok("A={;mv-credential-Pass=X;};B=c")),
        ("A={=}; mv-credential-Pass = X ;B=c", Ok("A={=}; Pass = p ;B=c")),
        ("mv-credential-Pass=\tX\r\n;B=c", Ok("Pass=\tp\r\n;B=c")),
        (" 'DSN=a;mv-credential-Pass=X' ", Ok("DSN=a;Pass=p")),
        ("A=it's;mv-credential-Pass=X", Ok("A=it's;Pass=p")),
        ("A==b;mv-credential-Pass=X", Ok("A==b;Pass=p")),
        ("A=b=c;mv-credential-Pass=X", Ok("A=b=c;Pass=p")),
        ("Ünïcode=x;mv-credential-Pass=X", Ok("Ünïcode=x;Pass=p")),
        ("A=\u{a0};mv-credential-Pass=X", Ok("A=\u{a0};Pass=p")),
        ("mv-credential-Pass Word=X", Ok("Pass Word=p")),
        // Another store of the same password under another name of the driver's is the driver's business.
        ("PWD=a;mv-credential-Password=X", Ok("PWD=a;Password=p")),
        ("A={b;mv-credential-Pass=X", Err("CS2015")),
        ("A={b}};mv-credential-Pass=X", Err("CS2015")),
        ("A={b}c;mv-credential-Pass=X", Err("CS2016")),
        ("A={b} c;mv-credential-Pass=X", Err("CS2016")),
        ("A;mv-credential-Pass=X", Err("CS2017")),
        ("=b;mv-credential-Pass=X", Err("CS2018")),
        ("mv-credential-Pass=X;mv-credential-PASS=Y", Err("CS2012")),
        ("mv-credential-Pass=X;pass=y", Err("CS2011")),
        ("pAsS={y};MV-CREDENTIAL-PASS=X", Err("CS2011")),
        ("mv-credential-Pass=", Err("CS2019")),
        ("mv-credential-Pass={}", Err("CS2019")),
        ("mv-credential-Pass= ;", Err("CS2019")),
        ("mv-credential-=X", Err("CS2020")),
        ("mv\u{2010}credential\u{2010}Pass=X", Err("CS2013")),
        ("mv-credential-Pass=“X”", Err("CS2014")),
        ("“DSN=a”", Err("CS2014")),
        ("'DSN=a", Err("CS2021")),
        ("A\"=b", Err("CS2021")),
        ("mv-credential-Pass=a\u{7}b", Err("CS2003")),
        ("mv-credential-Pass=X\0", Err("CS2024")),
    ] {
        match (connection_string::parse(text), expected) {
            (Ok(_), Ok(expected)) => assert_eq!(expanded(text, "p"), expected, "{text}"),
            (Err(error), Err(code)) => {
                let diagnosis = Diagnosis::from(error);
                assert_eq!((diagnosis.code.id, diagnosis.code.exit as u8), (code, 3), "{text}");
                assert_eq!(diagnosis.fix.len(), 1, "{text}");
                let place = diagnosis.place.unwrap();
                assert!(place.line == Some(1) && place.column.is_some() && place.span.is_some(), "{text}");
            }
            (found, expected) => panic!("{text}: {:?}, not {expected:?}", found.map(|string| string.masked())),
        }
    }
}
