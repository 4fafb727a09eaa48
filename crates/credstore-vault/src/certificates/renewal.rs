//! New versions of certificates when their policy says so.
//!
//! `AutoRenew` acts when the vault can sign itself; `EmailContacts` is kept and given back, and nobody is written to, since
//! the vault sends no mail. Source: contract section 8; Key Vault, "Renew your certificates".

use credstore_protocol::key_vault::certificates::{
    CertificateAction, CertificatePolicy, ISSUER_UNKNOWN, LifetimeAction, OperationStatus,
};
use credstore_protocol::{ObjectName, Timestamp};

use super::Policy;
use super::stored::{CertificateStanding, Certificates};
use super::versions::{Draft, Made};
use crate::error::VaultError;
use crate::objects::{Head, ObjectType, Slot};
use crate::random;
use crate::storage::rows_in_steps;
use crate::vaults::{Vault, prefixed};

/// Seconds of a day.
const DAY: i64 = 86_400;

/// When the policy renews a certificate that is valid from `nbf` until `exp`; never, when it does not.
fn due_at(policy: &CertificatePolicy, nbf: Timestamp, exp: Timestamp) -> Option<Timestamp> {
    let renews = |action: &&LifetimeAction| action.action.action_type == CertificateAction::AutoRenew;
    let trigger = policy.lifetime_actions.as_deref()?.iter().find(renews)?.trigger;
    match (trigger.lifetime_percentage, trigger.days_before_expiry) {
        (Some(percentage), _) => {
            let life = exp.0.saturating_sub(nbf.0).max(0);
            Some(Timestamp(nbf.0.saturating_add(life / 100 * percentage + life % 100 * percentage / 100)))
        }
        (None, Some(days)) => Some(Timestamp(exp.0.saturating_sub(days.saturating_mul(DAY)))),
        (None, None) => None,
    }
}

fn is_due(head: &Head<Certificates>, now: Timestamp) -> bool {
    let CertificateStanding { policy, pending } = &head.standing;
    let (Some(policy), Some(nbf), Some(exp)) = (policy, head.current.nbf, head.current.exp) else { return false };
    let under_way = pending.as_ref().is_some_and(|pending| pending.status == OperationStatus::InProgress);
    let issuer = policy.issuer.as_ref().and_then(|issuer| issuer.name.as_deref());
    let can_sign = issuer.is_some_and(|issuer| issuer != ISSUER_UNKNOWN);
    head.current.enabled && can_sign && !under_way && due_at(policy, nbf, exp).is_some_and(|due| now >= due)
}

impl Vault {
    /// Renews every certificate whose policy says so. One that somebody writes to at the same moment waits for the next time.
    pub(crate) fn renew_due_certificates(&self, now: Timestamp) -> Result<usize, VaultError> {
        let prefix = prefixed(Certificates::ROWS.live, self.inner.key.owner());
        let mut renewed = 0;
        for found in rows_in_steps(self.inner.key.storage(), prefix) {
            let (key, row) = found?;
            let head = Slot::<Certificates>::of_row(&self.inner, &key)?.open_head(Certificates::ROWS.live, &row)?;
            if !is_due(&head, now) {
                continue;
            }
            match self.renew_due_certificate(&head, now) {
                Ok(done) => renewed += usize::from(done),
                Err(error) => tracing::error!(%error, certificate = head.name, "a certificate was not renewed"),
            }
        }
        Ok(renewed)
    }

    fn renew_due_certificate(&self, head: &Head<Certificates>, now: Timestamp) -> Result<bool, VaultError> {
        let unnamed = || Slot::<Certificates>::of_tag(&self.inner, [0; 16]).damaged("the name");
        let name: ObjectName = head.name.parse().map_err(|_| unnamed())?;
        let slot = Slot::<Certificates>::of(&self.inner, &name);
        let policy = Policy::checked(&head.standing.policy.clone().unwrap_or_default())?;
        let key = self.key_for(&slot, Some(head), &policy)?;
        let chain = self.signed(&policy, &key, now)?;
        let draft = Draft {
            version: random::bytes(),
            key: &key,
            chain: chain.as_ref(),
            form: policy.form,
            exportable: policy.exportable,
            enabled: true,
            tags: head.current.tags.clone(),
        };
        let made = Made::of(&slot, draft)?;
        let Some(live) = slot.live()?.filter(|(head, _)| is_due(head, now)) else { return Ok(false) };
        let standing = CertificateStanding { pending: None, ..live.0.standing.clone() };
        let (batch, _) = self.certificate_batch((&slot, &name), Some(live), &made, standing, now)?;
        slot.commit(batch)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn policy(trigger: serde_json::Value, action: &str) -> CertificatePolicy {
        let actions = json!([{"trigger": trigger, "action": {"action_type": action}}]);
        serde_json::from_value(json!({"lifetime_actions": actions})).unwrap()
    }

    #[test]
    fn a_certificate_is_due_at_a_part_of_its_life_or_days_before_its_end() {
        let due = |trigger, action| due_at(&policy(trigger, action), Timestamp(1_000), Timestamp(1_000 + 100 * DAY));
        let renew = "AutoRenew";
        assert_eq!(due(json!({"lifetime_percentage": 80}), renew), Some(Timestamp(1_000 + 80 * DAY)));
        assert_eq!(due(json!({"lifetime_percentage": 1}), renew), Some(Timestamp(1_000 + DAY)));
        assert_eq!(due(json!({"days_before_expiry": 30}), renew), Some(Timestamp(1_000 + 70 * DAY)));
        assert_eq!(due(json!({"lifetime_percentage": 80}), "EmailContacts"), None);
        assert_eq!(due(json!({}), renew), None);
        assert_eq!(due_at(&CertificatePolicy::default(), Timestamp(0), Timestamp(1)), None);
        // Parts of a life that is not a multiple of 100 seconds are cut, not rounded up.
        let short = policy(json!({"lifetime_percentage": 99}), renew);
        assert_eq!(due_at(&short, Timestamp(0), Timestamp(199)), Some(Timestamp(197)));
    }
}
