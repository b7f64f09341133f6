//! The notices that were raised and are not cleared.
//!
//! A condition of one credential raises one notice, however many profiles depend on it, and again only after it was cleared. What
//! raises it is in [`notices`](super::notices) and [`session_ends`](super::session_ends). It is cleared as soon as
//! [`Keeper::still_holds`](super::Keeper) says no: that is a weaker question, so that a retry which fails again raises nothing new.
//!
//! A notice has a subject, which users see in its place: the name of a session, a device, a profile. Two credentials may have the same
//! one. Then users see one problem, and it is cleared with the last of them.

use std::collections::BTreeMap;

use super::api::Notice;
use crate::core::cause::Cause;
use crate::core::plan::NodeKey;

/// The user has to sign in, and profiles in use wait for it.
pub const SSO_LOGIN_NEEDED: &str = Cause::SsoLoginNeeded.name();
/// The user will have to sign in soon.
pub const SSO_SESSION_ENDS: &str = "sso-session-ends";
/// The user has to enter an MFA code, and profiles in use need it.
pub const MFA_REQUIRED: &str = Cause::MfaRequired.name();
/// Cached credentials will expire, and their renewal fails.
pub const CREDENTIALS_LOST: &str = "credentials-lost";

/// What a notice can be about. In the order in which they are cleared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Condition {
    /// [`CREDENTIALS_LOST`].
    CredentialsLost,
    /// [`MFA_REQUIRED`].
    MfaRequired,
    /// [`SSO_LOGIN_NEEDED`].
    LoginNeeded,
    /// [`SSO_SESSION_ENDS`].
    SessionEnds,
}

impl Condition {
    const fn id(self) -> &'static str {
        match self {
            Self::CredentialsLost => CREDENTIALS_LOST,
            Self::MfaRequired => MFA_REQUIRED,
            Self::LoginNeeded => SSO_LOGIN_NEEDED,
            Self::SessionEnds => SSO_SESSION_ENDS,
        }
    }

    fn cleared_message(self, subject: &str) -> String {
        match self {
            Self::CredentialsLost => format!("evercred can renew profile \"{subject}\" again"),
            Self::MfaRequired => format!("the MFA session of {subject} is valid again"),
            Self::LoginNeeded => format!("you are signed in to {subject} again"),
            Self::SessionEnds => format!("the session {subject} has been extended"),
        }
    }
}

/// The raised notices. See the module.
#[derive(Debug, Default)]
pub(super) struct NoticeLedger(BTreeMap<(Condition, NodeKey), String>);

impl NoticeLedger {
    /// The notice about a condition, unless it was raised and not cleared.
    pub(super) fn raise(
        &mut self,
        condition: Condition,
        key: &NodeKey,
        subject: String,
        message: String,
        fix: Option<String>,
    ) -> Option<Notice> {
        let before = self.0.insert((condition, key.clone()), subject.clone());
        let notice = Notice { id: condition.id(), subject, worse: 0, is_over: false, message, fix };
        before.is_none().then_some(notice)
    }

    pub(super) fn is_raised(&self, condition: Condition, key: &NodeKey) -> bool {
        self.0.contains_key(&(condition, key.clone()))
    }

    /// All raised notices: their condition, their credential and their subject.
    pub(super) fn raised(&self) -> impl Iterator<Item = (Condition, &NodeKey, &str)> {
        self.0.iter().map(|((condition, key), subject)| (*condition, key, subject.as_str()))
    }

    /// Clears a notice. Returns what to tell the user; `None` if another credential still has the same problem.
    pub(super) fn clear(&mut self, condition: Condition, key: &NodeKey) -> Option<Notice> {
        let subject = self.0.remove(&(condition, key.clone()))?;
        if self.raised().any(|(other, _, of)| other == condition && of == subject) {
            return None;
        }
        let message = condition.cleared_message(&subject);
        Some(Notice { id: condition.id(), subject, worse: 0, is_over: true, message, fix: None })
    }

    /// Makes a notice one about another credential: the user has nothing new to do.
    pub(super) fn carry_over(&mut self, condition: Condition, old: &NodeKey, new: NodeKey) {
        if let Some(subject) = self.0.remove(&(condition, old.clone())) {
            self.0.insert((condition, new), subject);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::plan::{Source, Step};

    fn key(profile: &str) -> NodeKey {
        let source = Source::Process { command: profile.into() };
        Step { profile: profile.into(), source }.key()
    }

    fn raise(ledger: &mut NoticeLedger, key: &NodeKey) -> bool {
        ledger.raise(Condition::MfaRequired, key, "the device".into(), "a code".into(), None).is_some()
    }

    #[test]
    fn a_condition_raises_one_notice_until_it_is_cleared() {
        let (mut ledger, dev) = (NoticeLedger::default(), key("dev"));
        assert!(raise(&mut ledger, &dev) && !raise(&mut ledger, &dev));
        assert!(ledger.clear(Condition::MfaRequired, &dev).is_some_and(|notice| notice.is_over));
        assert_eq!(ledger.clear(Condition::MfaRequired, &dev), None);
        assert!(raise(&mut ledger, &dev));
    }

    #[test]
    fn two_credentials_with_one_subject_are_cleared_with_the_last_one() {
        let (mut ledger, dev, test) = (NoticeLedger::default(), key("dev"), key("test"));
        assert!(raise(&mut ledger, &dev) && raise(&mut ledger, &test));
        assert_eq!(ledger.clear(Condition::MfaRequired, &dev), None);
        assert!(ledger.clear(Condition::MfaRequired, &test).is_some());
    }

    #[test]
    fn a_notice_that_is_carried_over_is_not_raised_again() {
        let (mut ledger, old, new) = (NoticeLedger::default(), key("old"), key("new"));
        raise(&mut ledger, &old);
        ledger.carry_over(Condition::MfaRequired, &old, new.clone());
        assert!(!raise(&mut ledger, &new));
        assert!(!ledger.is_raised(Condition::MfaRequired, &old));
    }
}
