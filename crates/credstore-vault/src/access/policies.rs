//! Access policies: what one principal may do, by kind of object, and the check over a list of them.
//!
//! Source: contract section 10.

use credstore_protocol::{ClientId, ObjectId, TenantId};
use serde::{Deserialize, Serialize};

use super::{Caller, Operation, PermissionSet};

/// One principal's permissions on a vault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessPolicy {
    /// Tenant of the principal.
    pub tenant: TenantId,
    /// Object id of the service principal; neither the application's nor the client id.
    pub object_id: ObjectId,
    /// When given, the policy holds only for a token of this application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application_id: Option<ClientId>,
    /// What it may do.
    pub permissions: PermissionSet,
}

impl AccessPolicy {
    fn speaks_of(&self, caller: &Caller) -> bool {
        self.object_id == caller.object_id
            && self.tenant == caller.tenant
            && self.application_id.as_ref().is_none_or(|application| *application == caller.app_id)
    }
}

/// Whether `caller` may do `operation` under `policies`. Nothing is allowed that no policy grants.
pub fn allows(policies: &[AccessPolicy], caller: &Caller, operation: Operation) -> bool {
    policies.iter().any(|policy| policy.permissions.allows(operation.permission()) && policy.speaks_of(caller))
}

#[cfg(test)]
mod tests {
    use std::fmt;
    use std::str::FromStr;

    use super::*;
    use crate::access::{ObjectKind, ObjectOperation};

    fn id<T: FromStr<Err: fmt::Debug>>(last: u8) -> T {
        format!("00000000-0000-4000-8000-0000000000{last:02x}").parse().unwrap()
    }

    #[test]
    fn a_policy_speaks_of_one_object_in_one_tenant() {
        let caller = Caller { tenant: id(1), object_id: id(2), app_id: id(3) };
        let policy =
            AccessPolicy { tenant: id(1), object_id: id(2), application_id: None, permissions: PermissionSet::all() };
        let allowed = |policy: AccessPolicy| {
            allows(&[policy], &caller, Operation::Object(ObjectKind::Secrets, ObjectOperation::Get))
        };
        assert!(allowed(policy.clone()));
        assert!(!allowed(AccessPolicy { tenant: id(9), ..policy.clone() }));
        assert!(!allowed(AccessPolicy { object_id: id(9), ..policy.clone() }));
        assert!(!allowed(AccessPolicy { application_id: Some(id(9)), ..policy.clone() }));
        assert!(allowed(AccessPolicy { application_id: Some(id(3)), ..policy }));
        assert!(!allows(&[], &caller, Operation::Object(ObjectKind::Secrets, ObjectOperation::Get)));
    }
}
