//! Rows of one record each: a JSON document under the hidden name of what it is about.
//!
//! The record is bound to the key of its row, so that two rows cannot change places.

use credstore_protocol::encoding::hex_lower;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{DataKey, Place};
use crate::error::StoreFailure;
use crate::storage::Row;

/// What the key of a row is about; a row without a key is of no kind.
fn place(key: &[u8]) -> Place<'_> {
    match key.split_first() {
        Some((kind, name)) => Place::named(*kind, name),
        None => Place::named(0, &[]),
    }
}

impl DataKey {
    /// The key of the row of `kind` that is about this name.
    pub(crate) fn row_key(&self, kind: u8, canonical: &str) -> Vec<u8> {
        let mut key = vec![kind];
        key.extend_from_slice(&self.tag(canonical));
        key
    }

    /// `record` for the row with this key; `what` it is, for the operator.
    pub(crate) fn sealed_record(
        &self,
        key: &[u8],
        what: &str,
        record: &impl Serialize,
    ) -> Result<Vec<u8>, StoreFailure> {
        let plain = serde_json::to_vec(record).map_err(|_| damaged(what, key))?;
        Ok(self.seal(place(key), &plain)?)
    }

    /// What [`sealed_record`](Self::sealed_record) made.
    pub(crate) fn opened_record<T: DeserializeOwned>(
        &self,
        key: &[u8],
        what: &str,
        row: &Row,
    ) -> Result<T, StoreFailure> {
        let plain = self.open(place(key), &row.value).map_err(|_| damaged(what, key))?;
        serde_json::from_slice(&plain).map_err(|_| damaged(what, key))
    }

    /// Every record of one kind.
    pub(crate) fn every_record<T: DeserializeOwned>(&self, kind: u8, what: &str) -> Result<Vec<T>, StoreFailure> {
        let rows = self.storage().scan(&[kind], None, usize::MAX)?;
        rows.iter().map(|(key, row)| self.opened_record(key, what, row)).collect()
    }
}

fn damaged(what: &str, key: &[u8]) -> StoreFailure {
    StoreFailure::damaged(format!("{what}, in the row of {}", hex_lower(key.get(1..).unwrap_or_default())))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::seal::{Keyring, RootKey};
    use crate::storage::{Batch, MemoryStorage};

    #[test]
    fn a_record_opens_in_its_own_row_only_and_a_failure_names_the_row() {
        let keyring = Arc::new(Keyring::new(&RootKey::random(), [1; 16], Arc::new(MemoryStorage::new())));
        let (system, batch) = keyring.new_data_key([0; 16]);
        system.storage().commit(batch).unwrap();
        let (here, there) = (system.row_key(200, "here"), system.row_key(200, "there"));
        let mut batch = Batch::default();
        for key in [&here, &there] {
            batch.put(key.clone(), system.sealed_record(&here, "a number", &7_u8).unwrap());
        }
        system.storage().commit(batch).unwrap();
        let row = |key: &[u8]| system.storage().get(key).unwrap().unwrap();
        assert_eq!(system.opened_record(&here, "a number", &row(&here)), Ok(7_u8));
        let failure = StoreFailure::Damaged { what: format!("a number, in the row of {}", hex_lower(&there[1..])) };
        assert_eq!(system.opened_record::<u8>(&there, "a number", &row(&there)), Err(failure.clone()));
        assert_eq!(system.every_record::<u8>(200, "a number"), Err(failure));
    }
}
