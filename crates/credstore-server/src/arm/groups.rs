//! `Microsoft.Resources/resourceGroups`: the groups that vaults are made in.
//!
//! Source: learn.microsoft.com "Resource Groups" (REST, 2024-11-01); contract section 15. Azure deletes a group in
//! the background; here it is done when it is answered.

use std::collections::BTreeMap;

use credstore_protocol::Timestamp;
use credstore_protocol::arm::ResourceList;
use credstore_vault::vaults::ResourceGroup;
use credstore_vault::{Caller, Installation};
use http::StatusCode;
use http::request::Parts;
use hyper::body::{Body, Bytes};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Answer;
use super::problem::Problem;
use crate::app::{App, Incoming};
use crate::json;
use crate::limits::MANAGEMENT_BODY_MAX;
use crate::outcome::{empty_answer, json_answer};
use crate::routes::Captures;

/// Body of PUT. Members that only answers have are read and dropped: clients echo them.
#[derive(Deserialize)]
struct Request {
    location: String,
    #[serde(default)]
    tags: Option<BTreeMap<String, String>>,
}

/// A request about resource groups, from the operator.
pub(super) struct GroupCall<'a> {
    app: &'a App,
    caller: Caller,
    path: &'a Captures<'a>,
    parts: &'a Parts,
    now: Timestamp,
}

impl<'a> GroupCall<'a> {
    pub(super) fn new(app: &'a App, caller: Caller, path: &'a Captures<'a>, parts: &'a Parts) -> Self {
        Self { app, caller, path, parts, now: app.now() }
    }

    fn shown(&self, group: &ResourceGroup) -> Value {
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

    pub(super) fn list(&self) -> Answer {
        let groups = self.app.installation().vaults().groups(&self.caller)?;
        let value = groups.iter().map(|group| self.shown(group)).collect();
        Ok(json_answer(StatusCode::OK, &ResourceList::<Value> { value, next_link: None }))
    }

    pub(super) fn get(&self) -> Answer {
        let group = self.app.installation().vaults().group(&self.caller, self.path.text("g"))?;
        Ok(json_answer(StatusCode::OK, &self.shown(&group)))
    }

    /// `HEAD`: whether it is there.
    pub(super) fn check(&self) -> Answer {
        self.app.installation().vaults().group(&self.caller, self.path.text("g"))?;
        Ok(empty_answer(StatusCode::NO_CONTENT))
    }

    pub(super) async fn put<B: Body<Data = Bytes>>(&self, body: Incoming<B>) -> Answer {
        let content = body.read(&self.parts.headers, MANAGEMENT_BODY_MAX).await.map_err(Problem::Body)?;
        let Request { location, tags } = json::read(&content).map_err(|bad| Problem::BadRequest(bad.0))?;
        let (caller, now, name) = (self.caller.clone(), self.now, self.path.text("g").to_owned());
        let work =
            move |installation: &Installation| installation.vaults().put_group(&caller, &name, &location, tags, now);
        let (group, is_new) = self.app.aside(work).await.map_err(|_| Problem::Internal)??;
        let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
        Ok(json_answer(status, &self.shown(&group)))
    }

    pub(super) async fn delete(&self) -> Answer {
        let (caller, now, name) = (self.caller.clone(), self.now, self.path.text("g").to_owned());
        let work = move |installation: &Installation| installation.vaults().delete_group(&caller, &name, now);
        self.app.aside(work).await.map_err(|_| Problem::Internal)??;
        Ok(empty_answer(StatusCode::OK))
    }
}
