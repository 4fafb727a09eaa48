//! What every kind of object has on the wire: update, delete, lists, backups and the deleted ones.

use credstore_protocol::key_vault::{BackupBlob, LAST_READ_HEADER, PAGE_MAX, Page};
use credstore_protocol::{ObjectName, ObjectVersion};
use credstore_vault::access::ObjectOperation;
use credstore_vault::objects::{Change, ObjectType};
use credstore_vault::{DeletedRecord, ObjectRecord, PageToken};
use http::StatusCode;
use http::request::Parts;
use hyper::body::{Body, Bytes};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::ids::Ids;
use super::problem::Problem;
use super::{Answer, Call, asked, read_json};
use crate::app::Incoming;
use crate::limits::RESTORE_BODY_MAX;
use crate::outcome::{empty_answer, json_answer};
use crate::routes::Captures;

/// The messages of one kind of object.
pub(super) trait Messages: ObjectType<Content: Send, Update: Send> + Send + Sync {
    /// Body of an update.
    type Change: DeserializeOwned + Into<Change<Self>> + Send + 'static;
    /// Answer of update, recover and restore.
    type Bundle: Serialize;
    /// One of a list.
    type Item: Serialize;
    /// Answer about a deleted object.
    type Deleted: Serialize;
    /// One of a list of deleted objects.
    type DeletedItem: Serialize;

    fn bundle(ids: &Ids, record: ObjectRecord<Self>) -> Self::Bundle;
    /// No version in the identifier.
    fn item(ids: &Ids, record: ObjectRecord<Self>) -> Self::Item;
    fn version_item(ids: &Ids, record: ObjectRecord<Self>) -> Self::Item;
    fn deleted(ids: &Ids, record: DeletedRecord<Self>) -> Self::Deleted;
    fn deleted_item(ids: &Ids, record: DeletedRecord<Self>) -> Self::DeletedItem;

    /// Whether a list has it only when it is asked for what is pending.
    fn is_pending(_record: &ObjectRecord<Self>) -> bool {
        false
    }
}

impl Call<'_> {
    /// Everything that all kinds have, except get: each kind has its own.
    pub(super) async fn on_object<K: Messages, B>(
        &self,
        operation: ObjectOperation,
        path: &Captures<'_>,
        parts: &Parts,
        body: Incoming<B>,
    ) -> Answer
    where
        B: Body<Data = Bytes>,
    {
        let name = || object_name(path);
        match operation {
            ObjectOperation::Get => Err(Problem::internal()),
            ObjectOperation::Update => {
                let name = name()?;
                let version = read_version::<K>(&name, path.get("version"))?;
                self.update::<K>(name, version, asked(parts, body).await?).await
            }
            ObjectOperation::Delete => self.delete::<K>(name()?).await,
            ObjectOperation::List => {
                self.list::<K>(parts.headers.get(LAST_READ_HEADER).is_some_and(|value| value == "true"))
            }
            ObjectOperation::ListVersions => self.versions::<K>(&name()?),
            ObjectOperation::Backup => self.backup::<K>(name()?).await,
            ObjectOperation::Restore => {
                let _turn = self.app.restores().acquire().await.map_err(|_| Problem::internal())?;
                self.restore::<K>(read_json(parts, body, RESTORE_BODY_MAX).await?).await
            }
            ObjectOperation::ListDeleted => self.list_deleted::<K>(),
            ObjectOperation::GetDeleted => self.get_deleted::<K>(&name()?),
            ObjectOperation::Recover => self.recover::<K>(name()?).await,
            ObjectOperation::Purge => self.purge::<K>(name()?).await,
        }
    }

    async fn update<K: Messages>(&self, name: ObjectName, version: Option<ObjectVersion>, to: K::Change) -> Answer {
        let record =
            self.write(move |vault, caller, now| vault.update::<K>(caller, &name, version.as_ref(), to, now)).await?;
        Ok(json_answer(StatusCode::OK, &K::bundle(self.ids, record)))
    }

    async fn delete<K: Messages>(&self, name: ObjectName) -> Answer {
        let record = self.write(move |vault, caller, now| vault.delete::<K>(caller, &name, now)).await?;
        Ok(json_answer(StatusCode::OK, &K::deleted(self.ids, record)))
    }

    fn list<K: Messages>(&self, with_last_read: bool) -> Answer {
        let (after, limit) = self.page()?;
        let (records, next) = self.vault.list::<K>(&self.caller, after.as_ref(), limit).map_err(self.explain())?;
        let item = |record: ObjectRecord<K>| {
            let last_read = record.last_read.filter(|_| with_last_read);
            K::item(self.ids, ObjectRecord { last_read, ..record })
        };
        let value = records.into_iter().filter(|record| self.shows(record)).map(item).collect();
        Ok(json_answer(StatusCode::OK, &Page { value, next_link: self.next(K::KIND.as_str(), next, limit) }))
    }

    fn versions<K: Messages>(&self, name: &ObjectName) -> Answer {
        let (after, limit) = self.page()?;
        let page = self.vault.versions::<K>(&self.caller, name, after.as_ref(), limit).map_err(self.explain())?;
        let value = page.0.into_iter().map(|record| K::version_item(self.ids, record)).collect();
        let next_link = self.next(&format!("{}/{name}/versions", K::KIND.as_str()), page.1, limit);
        Ok(json_answer(StatusCode::OK, &Page { value, next_link }))
    }

    async fn backup<K: Messages>(&self, name: ObjectName) -> Answer {
        let value = self.write(move |vault, caller, _| vault.backup::<K>(caller, &name)).await?;
        Ok(json_answer(StatusCode::OK, &BackupBlob { value }))
    }

    async fn restore<K: Messages>(&self, blob: BackupBlob) -> Answer {
        let record = self.write(move |vault, caller, now| vault.restore::<K>(caller, &blob.value, now)).await?;
        Ok(json_answer(StatusCode::OK, &K::bundle(self.ids, record)))
    }

    fn list_deleted<K: Messages>(&self) -> Answer {
        let (after, limit) = self.page()?;
        let page = self.vault.list_deleted::<K>(&self.caller, after.as_ref(), limit, self.now);
        let (records, next) = page.map_err(self.explain())?;
        let shown = records.into_iter().filter(|record| self.shows(&record.object));
        let value = shown.map(|record| K::deleted_item(self.ids, record)).collect();
        let next_link = self.next(&format!("deleted{}", K::KIND.as_str()), next, limit);
        Ok(json_answer(StatusCode::OK, &Page { value, next_link }))
    }

    fn get_deleted<K: Messages>(&self, name: &ObjectName) -> Answer {
        let record = self.vault.deleted::<K>(&self.caller, name, self.now).map_err(self.explain())?;
        Ok(json_answer(StatusCode::OK, &K::deleted(self.ids, record)))
    }

    async fn recover<K: Messages>(&self, name: ObjectName) -> Answer {
        let record = self.write(move |vault, caller, now| vault.recover::<K>(caller, &name, now)).await?;
        Ok(json_answer(StatusCode::OK, &K::bundle(self.ids, record)))
    }

    async fn purge<K: Messages>(&self, name: ObjectName) -> Answer {
        self.write(move |vault, caller, now| vault.purge::<K>(caller, &name, now)).await?;
        Ok(empty_answer(StatusCode::NO_CONTENT))
    }

    /// Whether a list has this object.
    fn shows<K: Messages>(&self, record: &ObjectRecord<K>) -> bool {
        !K::is_pending(record) || self.with_pending()
    }

    /// Source: contract section 8, `includePending`.
    fn with_pending(&self) -> bool {
        self.query.get("includePending").is_some_and(|text| text.eq_ignore_ascii_case("true"))
    }

    /// `$skiptoken` and `maxresults`.
    pub(super) fn page(&self) -> Result<(Option<PageToken>, usize), Problem> {
        let limit = match self.query.given("maxresults") {
            None => PAGE_MAX,
            Some(text) => text.parse().ok().filter(|limit| (1..=PAGE_MAX).contains(limit)).ok_or_else(|| {
                Problem::bad_parameter(format!("The value of maxresults must be between 1 and {PAGE_MAX}."))
            })?,
        };
        let after = self
            .query
            .given("$skiptoken")
            .map(|token| token.parse().map_err(|_| Problem::bad_parameter("The value of $skiptoken is not valid.")));
        Ok((after.transpose()?, limit))
    }

    /// Azure names the port in a nextLink even when it is 443. Source: contract section 4.
    pub(super) fn next(&self, path: &str, token: Option<PageToken>, limit: usize) -> Option<String> {
        let token = token?;
        let (host, port) = (self.ids.host_name(), self.app.site().port);
        let version = self.query.get("api-version").unwrap_or_default();
        // The rest of a list with what is pending has it too.
        let pending = if self.with_pending() { "&includePending=true" } else { "" };
        let query = format!("api-version={version}&$skiptoken={token}&maxresults={limit}{pending}");
        Some(format!("https://{host}:{port}/{path}?{query}"))
    }
}

/// The name in the path.
pub(super) fn object_name(path: &Captures<'_>) -> Result<ObjectName, Problem> {
    path.text("name").parse().map_err(|_| Problem::invalid_name(path.text("name")))
}

/// A version that is not one cannot exist: that is an answer about the object, not about the request.
pub(super) fn read_version<K: ObjectType>(
    name: &ObjectName,
    text: Option<&str>,
) -> Result<Option<ObjectVersion>, Problem> {
    let version = text.map(|text| text.parse().map_err(|_| Problem::no_such_version(K::KIND, name, text)));
    version.transpose()
}
