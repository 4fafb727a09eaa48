//! Values taken out of a stream of bytes: plain, and in the spellings that programs give them.
//!
//! What goes in may be split anywhere; what comes out is the same. Bytes that may be the beginning of a value are held
//! until it is known, which is with the next byte that decides or at the end, never after a time: half a value would be
//! shown otherwise. Nothing here reads, writes or waits.

use credstore_protocol::Secret;
use credstore_protocol::encoding::{base64_standard, base64url, hex_lower, hex_upper};
use zeroize::Zeroizing;

/// What stands in the place of a value.
pub const MASK: &str = "********";
/// Shortest value that is masked, in characters. Source: command line specification, section 4.6: longer than 3; a shorter
/// one would take its letters out of every text.
pub const MASKED_MIN: usize = 4;
/// Shortest line of a value with several that is masked by itself, in bytes. Ours.
const LINE_MIN: usize = 8;
/// Shortest spelling that is looked for, in bytes. Ours: as short as the shortest value.
const SPELLING_MIN: usize = 4;

/// Whether a value is long enough to be masked.
pub fn is_masked(value: &Secret) -> bool {
    value.expose_secret().chars().count() >= MASKED_MIN
}

/// The spellings of some values, to be taken out of any number of streams. Wiped when dropped.
pub struct Spellings {
    /// By their first byte, longest first.
    by_first: Vec<Vec<Zeroizing<Vec<u8>>>>,
}

impl Spellings {
    /// Those of every value that is long enough.
    pub fn of<'a>(values: impl IntoIterator<Item = &'a Secret>) -> Self {
        let mut by_first: Vec<Vec<Zeroizing<Vec<u8>>>> = vec![Vec::new(); 256];
        for value in values.into_iter().filter(|value| is_masked(value)) {
            for spelling in spellings(value.expose_secret()) {
                let Some(first) = spelling.first() else { continue };
                let others = &mut by_first[usize::from(*first)];
                if spelling.len() >= SPELLING_MIN && !others.iter().any(|other| **other == *spelling) {
                    others.push(spelling);
                }
            }
        }
        by_first.iter_mut().for_each(|spellings| spellings.sort_by_key(|spelling| std::cmp::Reverse(spelling.len())));
        Self { by_first }
    }

    /// Whether there is nothing to look for.
    pub fn is_empty(&self) -> bool {
        self.by_first.iter().all(Vec::is_empty)
    }
}

fn spellings(value: &str) -> Vec<Zeroizing<Vec<u8>>> {
    let mut all: Vec<Zeroizing<Vec<u8>>> = Vec::new();
    let mut add = |text: String| all.push(Zeroizing::new(text.into_bytes()));
    add(value.to_owned());
    if value.contains('\n') {
        value.lines().filter(|line| line.len() >= LINE_MIN).for_each(|line| add(line.to_owned()));
        add(value.replace("\r\n", "\n"));
        add(value.replace("\r\n", "\n").replace('\n', "\r\n"));
    }
    add(hex_lower(value.as_bytes()));
    add(hex_upper(value.as_bytes()));
    for slash in ["/", "\\/"] {
        add(json(value, slash, None));
        add(json(value, slash, Some(|unit| format!("\\u{unit:04x}"))));
        add(json(value, slash, Some(|unit| format!("\\u{unit:04X}"))));
    }
    for kept in ["-_.~", "-_.~/", "-_.!~*'()"] {
        let upper = percent(value, kept, |byte| format!("%{byte:02X}"));
        add(upper.replace("%20", "+"));
        add(upper);
        let lower = percent(value, kept, |byte| format!("%{byte:02x}"));
        add(lower.replace("%20", "+"));
        add(lower);
    }
    for encode in [base64_standard as fn(&[u8]) -> String, base64url] {
        add(encode(value.as_bytes()));
        for before in 0..3 {
            add(inner_base64(value.as_bytes(), before, encode));
        }
    }
    all
}

/// The inside of a JSON text (RFC 8259, section 7), with this spelling of a slash, and with everything that is not ASCII as
/// `unit` writes its UTF-16 code units.
fn json(value: &str, slash: &str, unit: Option<fn(u16) -> String>) -> String {
    let mut text = String::new();
    for character in value.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '/' => text.push_str(slash),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            control if control < ' ' => text.push_str(&format!("\\u{:04x}", u32::from(control))),
            other => match unit.filter(|_| !other.is_ascii()) {
                Some(unit) => other.encode_utf16(&mut [0; 2]).iter().for_each(|one| text.push_str(&unit(*one))),
                None => text.push(other),
            },
        }
    }
    text
}

/// Percent-encoding (RFC 3986, section 2.1) of all but letters, digits and `kept`.
fn percent(value: &str, kept: &str, encoded: fn(u8) -> String) -> String {
    let one = |byte: u8| {
        let stays = byte.is_ascii_alphanumeric() || kept.as_bytes().contains(&byte);
        if stays { char::from(byte).to_string() } else { encoded(byte) }
    };
    value.bytes().map(one).collect()
}

/// The characters that base64 has for the value alone when `before` bytes of a group stand before it: those that depend on a
/// neighbour too are left out.
fn inner_base64(value: &[u8], before: usize, encode: fn(&[u8]) -> String) -> String {
    let whole = Zeroizing::new([&[0; 3][..before], value].concat());
    let encoded = encode(&whole);
    let (first, last) = ((before * 8).div_ceil(6), whole.len() * 8 / 6);
    encoded.get(first..last).unwrap_or_default().to_owned()
}

/// One stream. Wiped when dropped.
pub struct Masker<'s> {
    spellings: &'s Spellings,
    held: Zeroizing<Vec<u8>>,
}

/// What stands at a place of the stream.
enum Found {
    /// A spelling of this length.
    Spelling(usize),
    /// Perhaps one, which the next bytes decide.
    Perhaps,
    Nothing,
}

impl<'s> Masker<'s> {
    /// A stream that begins.
    pub fn new(spellings: &'s Spellings) -> Self {
        Self { spellings, held: Zeroizing::default() }
    }

    /// Takes the next bytes in, and puts what is decided behind `out`.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        self.held.extend_from_slice(bytes);
        let done = self.go_on(false, out);
        self.held.drain(..done);
    }

    /// Puts what is held behind `out`: nothing more comes.
    pub fn finish(mut self, out: &mut Vec<u8>) {
        self.go_on(true, out);
    }

    /// How many of the held bytes are decided, which are behind `out` then.
    fn go_on(&mut self, is_end: bool, out: &mut Vec<u8>) -> usize {
        let mut at = 0;
        while at < self.held.len() {
            match self.found(&self.held[at..]) {
                Found::Spelling(length) => {
                    out.extend_from_slice(MASK.as_bytes());
                    at += length;
                }
                Found::Perhaps if !is_end => break,
                // At the end what might have become a longer spelling may be a shorter one.
                Found::Perhaps => match self.whole(&self.held[at..]) {
                    Some(length) => {
                        out.extend_from_slice(MASK.as_bytes());
                        at += length;
                    }
                    None => {
                        out.push(self.held[at]);
                        at += 1;
                    }
                },
                Found::Nothing => {
                    out.push(self.held[at]);
                    at += 1;
                }
            }
        }
        at
    }

    /// The longest spelling here, unless one that is longer still may follow.
    fn found(&self, rest: &[u8]) -> Found {
        for spelling in self.candidates(rest) {
            if rest.starts_with(spelling) {
                return Found::Spelling(spelling.len());
            }
            if spelling.starts_with(rest) {
                return Found::Perhaps;
            }
        }
        Found::Nothing
    }

    fn whole(&self, rest: &[u8]) -> Option<usize> {
        self.candidates(rest).iter().find(|spelling| rest.starts_with(spelling)).map(|spelling| spelling.len())
    }

    fn candidates(&self, rest: &[u8]) -> &'s [Zeroizing<Vec<u8>>] {
        rest.first().map_or(&[], |first| &self.spellings.by_first[usize::from(*first)])
    }
}

impl std::fmt::Debug for Spellings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Spellings")
    }
}

impl std::fmt::Debug for Masker<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Masker")
    }
}
