//! What a failure of the store means to whom: the operator reads why in the log, the peer learns whether to try later.
//!
//! Status, code and text of an answer are in the table of each surface.

use credstore_vault::StoreFailure;

/// What the peer may learn of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ToPeer {
    /// 503: no writes are taken, reads go on.
    NoWrites,
    /// 500: what is stored cannot be read.
    Broken,
}

/// Logs why, and says what the peer may learn.
pub(crate) fn report(failure: &StoreFailure) -> ToPeer {
    match failure {
        StoreFailure::ReadOnly(reason) => {
            tracing::error!(%reason, "the store is read-only");
            ToPeer::NoWrites
        }
        StoreFailure::Storage(error) => {
            tracing::error!(%error, "the store refused");
            ToPeer::NoWrites
        }
        StoreFailure::KeyUsedUp => {
            tracing::error!("the data key is used up");
            ToPeer::NoWrites
        }
        StoreFailure::Damaged { what } => {
            tracing::error!(%what, help = "restore the data folder from a backup", "damaged record");
            ToPeer::Broken
        }
        StoreFailure::DamagedValue { what } => {
            let help = "set it again with `credstore vault secret set`, or restore the data folder from a backup";
            tracing::error!(%what, help, "damaged record");
            ToPeer::Broken
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{StoreFailure, ToPeer, report};
    use credstore_vault::StorageError;

    #[test]
    fn only_a_damaged_record_is_not_worth_another_try() {
        for failure in [
            StoreFailure::ReadOnly("fsync".to_owned()),
            StoreFailure::Storage(StorageError::Full),
            StoreFailure::Storage(StorageError::Io("disk".to_owned())),
            StoreFailure::KeyUsedUp,
        ] {
            assert_eq!(report(&failure), ToPeer::NoWrites, "{failure}");
        }
        let what = || "a secret".to_owned();
        for failure in [StoreFailure::Damaged { what: what() }, StoreFailure::DamagedValue { what: what() }] {
            assert_eq!(report(&failure), ToPeer::Broken, "{failure}");
        }
    }

    #[test]
    fn an_error_of_the_storage_keeps_its_meaning() {
        for (error, failure) in [
            (StorageError::ReadOnly("fsync".to_owned()), StoreFailure::ReadOnly("fsync".to_owned())),
            (StorageError::Damaged("a page".to_owned()), StoreFailure::Damaged { what: "a page".to_owned() }),
            (StorageError::Full, StoreFailure::Storage(StorageError::Full)),
        ] {
            assert_eq!(StoreFailure::from(error), failure);
        }
    }
}
