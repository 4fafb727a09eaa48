//! `Microsoft.Resources/resourceGroups`: the groups that vaults are made in.
//!
//! Source: learn.microsoft.com "Resource Groups" (REST, 2024-11-01); contract section 15. Azure deletes a group in
//! the background; here it is done when it is answered.

use std::collections::BTreeMap;

use credstore_protocol::arm::ResourceList;
use credstore_vault::vaults::ResourceGroup;
use http::StatusCode;
use hyper::body::{Body, Bytes};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Call};
use crate::app::Incoming;
use crate::outcome::{empty_answer, json_answer};

/// Body of PUT. Members that only answers have are read and dropped: clients echo them.
#[derive(Deserialize)]
struct Request {
    location: String,
    #[serde(default)]
    tags: Option<BTreeMap<String, String>>,
}

impl Call<'_> {
    fn group_shown(&self, group: &ResourceGroup) -> Value {
        let subscription = &self.app.names().tenant;
        json!({
            "id": format!("/subscriptions/{subscription}/resourceGroups/{}", group.name),
            "name": group.name,
            "type": "Microsoft.Resources/resourceGroups",
            "location": group.location,
            "tags": group.tags,
            "properties": {"provisioningState": "Succeeded"},
        })
    }

    pub(super) fn list_groups(&self) -> Answer {
        let groups = self.vaults().groups(&self.caller)?;
        let value = groups.iter().map(|group| self.group_shown(group)).collect();
        Ok(json_answer(StatusCode::OK, &ResourceList::<Value> { value, next_link: None }))
    }

    pub(super) fn get_group(&self) -> Answer {
        let group = self.vaults().group(&self.caller, self.path.text("g"))?;
        Ok(json_answer(StatusCode::OK, &self.group_shown(&group)))
    }

    /// `HEAD`: whether it is there.
    pub(super) fn check_group(&self) -> Answer {
        self.vaults().group(&self.caller, self.path.text("g"))?;
        Ok(empty_answer(StatusCode::NO_CONTENT))
    }

    pub(super) async fn put_group<B: Body<Data = Bytes>>(&self, body: Incoming<B>) -> Answer {
        let Request { location, tags } = self.read(body).await?;
        let name = self.path.text("g").to_owned();
        let (group, is_new) =
            self.write(move |vaults, caller, now| vaults.put_group(caller, &name, &location, tags, now)).await?;
        let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
        Ok(json_answer(status, &self.group_shown(&group)))
    }

    pub(super) async fn delete_group(&self) -> Answer {
        let name = self.path.text("g").to_owned();
        self.write(move |vaults, caller, now| vaults.delete_group(caller, &name, now)).await?;
        Ok(empty_answer(StatusCode::OK))
    }
}
