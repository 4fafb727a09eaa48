//! One version of a live object, and the lists of live objects.

use std::ops::Deref;

use credstore_protocol::{ObjectName, ObjectVersion};
use zeroize::Zeroizing;

use super::{Head, LIST_MAX, ObjectRecord, ObjectType, Page, PageToken, Properties, Slot, not_found};
use crate::access::{Caller, ObjectOperation, Operation};
use crate::error::VaultError;
use crate::storage::{self, Revision};
use crate::vaults::{Vault, prefixed};

/// A version with its sealed part; `H` holds the first row of its name.
pub(crate) struct Opened<H, K: ObjectType> {
    pub(crate) head: H,
    pub(crate) properties: Properties<K>,
    pub(crate) material: Zeroizing<Vec<u8>>,
}

impl<K: ObjectType> Slot<'_, K> {
    /// The properties of a version, without touching its sealed part.
    pub(crate) fn properties(
        &self,
        name: &ObjectName,
        version: Option<&ObjectVersion>,
    ) -> Result<(Head<K>, Properties<K>), VaultError> {
        let (head, _) = self.live()?.ok_or_else(|| not_found::<K>(name, version))?;
        let properties = match version.filter(|version| **version != head.current.version()) {
            Some(version) => self.older(version.as_bytes())?.ok_or_else(|| not_found::<K>(name, Some(version)))?.0,
            None => head.current.clone(),
        };
        Ok((head, properties))
    }

    /// A version with its sealed part, as of one moment. `current` opens the first row, or has it opened already;
    /// `refuse` looks at the properties before the sealed part is touched.
    pub(crate) fn version<H: Deref<Target = Head<K>>>(
        &self,
        name: &ObjectName,
        version: Option<&ObjectVersion>,
        current: impl Fn() -> Result<Option<(H, Revision)>, VaultError>,
        refuse: impl Fn(&Properties<K>) -> Result<(), VaultError>,
    ) -> Result<Opened<H, K>, VaultError> {
        let mut head = current()?;
        loop {
            let Some((found, revision)) = head else { return Err(not_found::<K>(name, version)) };
            let properties = match version {
                Some(version) if *version != found.current.version() => self.older(version.as_bytes())?.map(|it| it.0),
                Some(_) | None => Some(found.current.clone()),
            };
            if let Some(properties) = properties {
                refuse(&properties)?;
                if let Some(material) = self.material(&found, &properties.version)? {
                    return Ok(Opened { head: found, properties, material });
                }
            }
            // The version is unknown, or a write came between the reads; if nothing moved, it is the former.
            head = current()?;
            if let Some((unmoved, _)) = head.as_ref().filter(|(_, again)| *again == revision) {
                let current = unmoved.current.version();
                let wanted = version.copied().unwrap_or(current);
                if wanted != current && self.older(wanted.as_bytes())?.is_none() {
                    return Err(not_found::<K>(name, version));
                }
                return Err(self.damaged_material(wanted.as_bytes()));
            }
        }
    }
}

impl Vault {
    /// A page of live objects, each with its current version. Permission: `list` of the kind.
    ///
    /// At most `limit` items, from 1 to [`LIST_MAX`], in an order of no meaning.
    ///
    /// # Errors
    /// [`VaultError::Denied`], [`VaultError::Store`].
    pub fn list<K: ObjectType>(
        &self,
        caller: &Caller,
        after: Option<&PageToken>,
        limit: usize,
    ) -> Result<Page<ObjectRecord<K>>, VaultError> {
        let state = self.allow(caller, Operation::Object(K::KIND, ObjectOperation::List))?;
        let (rows, next) = self.page(prefixed(K::ROWS.live, self.inner.key.owner()), after, limit)?;
        let mut objects = Vec::with_capacity(rows.len());
        for (key, row) in &rows {
            let slot = Slot::<K>::of_row(&self.inner, key)?;
            objects.push(slot.current_record(slot.open_head(K::ROWS.live, row)?, state.retention)?);
        }
        Ok((objects, next))
    }

    /// A page of the versions of a live object. An unknown name has none. Permission: `list` of the kind.
    ///
    /// # Errors
    /// [`VaultError::Denied`], [`VaultError::Store`].
    pub fn versions<K: ObjectType>(
        &self,
        caller: &Caller,
        name: &ObjectName,
        after: Option<&PageToken>,
        limit: usize,
    ) -> Result<Page<ObjectRecord<K>>, VaultError> {
        let operation = Operation::Object(K::KIND, ObjectOperation::ListVersions);
        let state = self.allow_on(caller, operation, Some(name.as_str()))?;
        let slot = Slot::<K>::of(&self.inner, name);
        let Some((head, _)) = slot.live()? else { return Ok((Vec::new(), None)) };
        let limit = limit.clamp(1, LIST_MAX);
        let (rows, next_row) = self.page(slot.versions_prefix(K::ROWS.version), after, limit)?;
        let mut versions = Vec::with_capacity(rows.len() + 1);
        for (key, row) in &rows {
            versions.push(slot.open_older(&slot.version_of_row(key)?, row)?);
        }
        let seen = |version: &[u8; 16]| after.is_some_and(|after| *version <= after.0);
        // A new version that came after the first row was read has moved the current one among the others.
        versions.retain(|older| older.version != head.current.version);
        if !seen(&head.current.version) {
            versions.push(head.current.clone());
            versions.sort_by_key(|properties| properties.version);
        }
        let more = versions.len() > limit || next_row.is_some();
        versions.truncate(limit);
        let next = versions.last().filter(|_| more).map(|last| PageToken(last.version));
        let records = versions
            .into_iter()
            .map(|properties| slot.record(&head, properties, state.retention))
            .collect::<Result<_, _>>()?;
        Ok((records, next))
    }

    /// Rows under `prefix` after the token, and the token of the next page when there is one.
    pub(crate) fn page(
        &self,
        prefix: Vec<u8>,
        after: Option<&PageToken>,
        limit: usize,
    ) -> Result<(storage::Rows, Option<PageToken>), VaultError> {
        let limit = limit.clamp(1, LIST_MAX);
        let after = after.map(|token| [prefix.as_slice(), &token.0].concat());
        let mut rows = self.inner.key.storage().scan(&prefix, after.as_deref(), limit + 1)?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let last = rows.last().filter(|_| more).and_then(|(key, _)| key[prefix.len()..].try_into().ok());
        Ok((rows, last.map(PageToken)))
    }
}
