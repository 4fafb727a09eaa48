//! The fault plan, read and replaced by the operator of a server that was started with faults.

use http::{Response, StatusCode};
use hyper::body::{Body, Bytes};

use super::problem::UriProblem;
use super::{Answer, Call, Problem};
use crate::app::Incoming;
use crate::body::Content;
use crate::faults::{FaultPlan, Faults};
use crate::outcome::{empty_answer, json_answer};

impl Call<'_> {
    /// A server without faults has no such path.
    fn faults(&self) -> Result<&Faults, Problem> {
        let faults = self.app.faults();
        if faults.are_allowed() { Ok(faults) } else { Err(UriProblem::NoRoute.into()) }
    }

    pub(super) fn get_faults(&self) -> Answer {
        Ok(plan(self.faults()?))
    }

    pub(super) async fn put_faults<B: Body<Data = Bytes>>(&self, body: Incoming<B>) -> Answer {
        let faults = self.faults()?;
        let wanted: FaultPlan = self.read(body).await?;
        faults.replace(wanted).map_err(|bad| Problem::BadRequest(bad.to_string()))?;
        tracing::warn!("the operator replaced the fault plan");
        Ok(plan(faults))
    }

    pub(super) fn delete_faults(&self) -> Answer {
        let faults = self.faults()?;
        faults.replace(FaultPlan::default()).map_err(|bad| Problem::BadRequest(bad.to_string()))?;
        Ok(empty_answer(StatusCode::NO_CONTENT))
    }
}

fn plan(faults: &Faults) -> Response<Content> {
    json_answer(StatusCode::OK, &faults.plan())
}
