//! How the first row of an object is laid out: the record, and after it the sealed part of the current version when it is
//! short. A create then writes one page of the storage where it would write two, and a get reads one row.
//!
//! Each part is sealed by itself and bound to its own place, wherever it lies: the sealed part moves to a row of its own,
//! as it is, when another version comes. Nothing is sealed or opened here.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// Longest sealed part that lies in the first row. Ours: with a record of usual size the row stays under the 1,002 bytes
/// that SQLite keeps in a leaf of 4,096; a longer one would go on in a page of its own anyway.
pub(crate) const INLINE_MAX: usize = 512;
/// First byte of a row with both parts. A row that is a record alone begins with the format of sealed records, 1.
const BOTH: u8 = 2;

/// The sealed part of the current version in a row that is kept anyway.
#[derive(Clone)]
pub(crate) struct Inline {
    row: Arc<[u8]>,
    from: usize,
}

impl Inline {
    /// `sealed`, when it is short enough to lie in the first row; else it is given back.
    pub(crate) fn of(sealed: Vec<u8>) -> Result<Self, Vec<u8>> {
        if sealed.len() <= INLINE_MAX { Ok(Self { row: sealed.into(), from: 0 }) } else { Err(sealed) }
    }
}

impl Deref for Inline {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.row.get(self.from..).unwrap_or_default()
    }
}

impl PartialEq for Inline {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl fmt::Debug for Inline {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} sealed bytes", self.len())
    }
}

/// The bytes of a first row.
pub(super) fn joined(record: Vec<u8>, inline: Option<&Inline>) -> Vec<u8> {
    let Some(inline) = inline else { return record };
    let length = u32::try_from(record.len()).unwrap_or(u32::MAX).to_be_bytes();
    [&[BOTH], &length[..], &record, inline].concat()
}

/// The record of a first row and the sealed part, if it is there. `None`: the row is too short for what it says.
pub(super) fn parted(row: &Arc<[u8]>) -> Option<(&[u8], Option<Inline>)> {
    let Some((&BOTH, rest)) = row.split_first() else { return Some((row, None)) };
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (record, inline) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    Some((record, Some(Inline { row: Arc::clone(row), from: row.len() - inline.len() })))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inline(bytes: &[u8]) -> Inline {
        Inline::of(bytes.to_vec()).unwrap()
    }

    #[test]
    fn a_row_gives_back_the_parts_that_it_was_made_of() {
        for record in [&[1_u8, 1, 7][..], &[1; 2000]] {
            let row: Arc<[u8]> = joined(record.to_vec(), None).into();
            assert_eq!(parted(&row), Some((record, None)));
            for sealed in [&[][..], &[2], &[9; INLINE_MAX]] {
                let row: Arc<[u8]> = joined(record.to_vec(), Some(&inline(sealed))).into();
                assert_eq!(parted(&row), Some((record, Some(inline(sealed)))));
            }
        }
    }

    #[test]
    fn a_sealed_part_lies_in_the_first_row_up_to_its_limit() {
        assert!(Inline::of(vec![0; INLINE_MAX]).is_ok());
        assert_eq!(Inline::of(vec![0; INLINE_MAX + 1]), Err(vec![0; INLINE_MAX + 1]));
    }

    #[test]
    fn a_row_that_is_cut_has_no_parts_and_none_is_made_up() {
        let whole = joined(vec![1; 40], Some(&inline(&[5; 30])));
        for cut in 1..45 {
            let row: Arc<[u8]> = whole[..cut].into();
            assert_eq!(parted(&row), None, "{cut}");
        }
        let row: Arc<[u8]> = whole[..45].into();
        assert_eq!(parted(&row).unwrap().1.as_deref(), Some(&[][..]), "the seal finds what is missing after that");
    }

    #[test]
    fn what_is_sealed_is_not_printed() {
        assert_eq!(format!("{:?}", inline(b"abc")), "3 sealed bytes");
    }
}
