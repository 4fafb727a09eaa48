//! Masking: the same however the stream is split, and no spelling of a value comes through.

use credstore::masking::{MASK, Masker, Spellings, is_masked};
use credstore_protocol::Secret;
use proptest::prelude::*;

fn spellings(values: &[&str]) -> Spellings {
    let values: Vec<Secret> = values.iter().map(|value| Secret::from((*value).to_owned())).collect();
    Spellings::of(&values)
}

fn masked_in(spellings: &Spellings, parts: &[&[u8]]) -> Vec<u8> {
    let (mut masker, mut out) = (Masker::new(spellings), Vec::new());
    parts.iter().for_each(|part| masker.push(part, &mut out));
    masker.finish(&mut out);
    out
}

fn masked(values: &[&str], text: &str) -> String {
    String::from_utf8(masked_in(&spellings(values), &[text.as_bytes()])).unwrap()
}

/// Spellings as Python's json, urllib and base64, JavaScript's encodeURIComponent, and xxd write them.
#[test]
fn every_spelling_of_a_value_is_taken_out() {
    let value = "pä/ss \"w\\ö'rd🔑\n=";
    for spelling in [
        value,
        "p\\u00e4/ss \\\"w\\\\\\u00f6'rd\\ud83d\\udd11\\n=",
        "p\\u00E4/ss \\\"w\\\\\\u00F6'rd\\uD83D\\uDD11\\n=",
        "pä\\/ss \\\"w\\\\ö'rd🔑\\n=",
        "p%C3%A4%2Fss%20%22w%5C%C3%B6%27rd%F0%9F%94%91%0A%3D",
        "p%c3%a4%2fss%20%22w%5c%c3%b6%27rd%f0%9f%94%91%0a%3d",
        "p%C3%A4/ss%20%22w%5C%C3%B6%27rd%F0%9F%94%91%0A%3D",
        "p%C3%A4%2Fss+%22w%5C%C3%B6%27rd%F0%9F%94%91%0A%3D",
        "p%C3%A4%2Fss%20%22w%5C%C3%B6'rd%F0%9F%94%91%0A%3D",
        "cMOkL3NzICJ3XMO2J3Jk8J+UkQo9",
        "cMOkL3NzICJ3XMO2J3Jk8J-UkQo9",
        "70c3a42f73732022775cc3b6277264f09f94910a3d",
        "70C3A42F73732022775CC3B6277264F09F94910A3D",
    ] {
        assert_eq!(masked(&[value], &format!("<{spelling}>")), format!("<{MASK}>"), "{spelling}");
    }
    // In the middle of something longer: "x" + value and "xy" + value, with "z" behind.
    for (encoded, before, after) in [("eHDDpC9zcyAidw==", "eH", "=="), ("eHlww6Qvc3MgInc=", "eHl", "=")] {
        let out = masked(&["pä/ss \"w"], encoded);
        assert!(out.starts_with(before) && out.contains(MASK) && out.ends_with(after), "{out}");
    }
}

#[test]
fn the_longest_value_wins_and_what_is_no_value_stays() {
    assert_eq!(masked(&["secret", "secret-2"], "secret-2 secret-3 secret"), format!("{MASK} {MASK}-3 {MASK}"));
    assert_eq!(masked(&["aaab"], "aaaab aaa"), format!("a{MASK} aaa"));
    assert_eq!(masked(&["abcd"], "abc"), "abc");
    assert_eq!(masked(&["abcd", "abcdefgh"], "abcdefg"), format!("{MASK}efg"), "the longer one did not come");
    assert_eq!(masked(&[], "abcd"), "abcd");
    assert_eq!(masked(&["abc"], "abcabc"), "abcabc", "too short");
    assert!(!is_masked(&Secret::from("äöü".to_owned())) && is_masked(&Secret::from("äöüß".to_owned())));
    let lines = "first line of it\nsecond line\nend";
    assert_eq!(masked(&[lines], "> second line\n> end"), format!("> {MASK}\n> end"));
    assert_eq!(masked(&[lines], &lines.replace('\n', "\r\n")), MASK);
}

#[test]
fn nothing_is_held_that_cannot_become_a_value() {
    let spellings = spellings(&["hunter2hunter2"]);
    let mut masker = Masker::new(&spellings);
    let mut out = Vec::new();
    masker.push(b"Password: ", &mut out);
    assert_eq!(out, b"Password: ");
    masker.push(b"hun", &mut out);
    assert_eq!(out, b"Password: ");
    masker.push(b"gry", &mut out);
    assert_eq!(out, b"Password: hungry");
}

proptest! {
    /// The alphabet is small, so that values overlap with one another and with the text.
    #[test]
    fn a_split_changes_nothing_and_no_value_comes_through(
        values in prop::collection::vec("[ab/\"]{4,9}", 1..4),
        pieces in prop::collection::vec(("[ab/\" ]{0,12}", 0usize..4), 0..12),
        cuts in prop::collection::vec(0usize..200, 0..12),
    ) {
        let secrets: Vec<Secret> = values.iter().cloned().map(Secret::from).collect();
        let spellings = Spellings::of(&secrets);
        let text: String = pieces.iter().map(|(noise, at)| format!("{noise}{}", values.get(*at).map_or("", |v| v))).collect();
        let whole = masked_in(&spellings, &[text.as_bytes()]);
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        let parts: Vec<&[u8]> = cuts.windows(2).map(|cut| &text.as_bytes()[cut[0]..cut[1]]).collect();
        prop_assert_eq!(&masked_in(&spellings, &parts), &whole);
        let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
        prop_assert_eq!(&masked_in(&spellings, &bytes), &whole);
        // Between two masks nothing is left that is a value.
        for part in String::from_utf8(whole).unwrap().split(MASK) {
            for value in &values {
                prop_assert!(!part.contains(value.as_str()), "{value} in {part}");
            }
        }
    }
}
