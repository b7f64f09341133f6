//! What only a person can give: the code of an MFA device, or a sign-in, once for everything behind it.

use std::collections::BTreeSet;

use chrono::TimeDelta;

use super::api::{Action, Answer, CallerId, ErrorStatus, Refusal, RefusalKind, Wants};
use super::callers::{Waiting, no_plan};
use super::chain::Overview;
use super::node::{Forced, Lack};
use super::session_api::SignOutEnd;
use super::session_ends::TOLD_BEFORE;
use super::{Keeper, Restored, Route};
use crate::core::aws_error::{self, ErrorClass, Operation};
use crate::core::fix::evercred;
use crate::core::nearest::did_you_mean;
use crate::core::plan::{Endpoint, NodeKey};
use crate::core::secret::Secret;
use crate::core::time::{AwsTime, Now};

/// Devices show another code every half minute.
const NEXT_CODE: TimeDelta = TimeDelta::seconds(15);

/// What `login` means for a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// The code of a profile's MFA device.
    Code {
        /// The profile.
        profile: String,
        /// The device.
        device: String,
    },
    /// A sign-in to the session behind a node.
    SignIn(NodeKey),
}

/// A login that needs no action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedIn {
    /// The session's name, or the profile.
    pub name: String,
    /// When the user must sign in again, where that is known.
    pub ends_at: Option<AwsTime>,
    /// When the token, or the credentials of the MFA code, expire.
    pub expires_at: Option<AwsTime>,
}

impl Keeper {
    /// What a person must do for a profile or a session; without a name, for the only session that there is, or for the
    /// profile `default`.
    ///
    /// # Errors
    /// Nothing can be done for it, and why.
    pub fn login_for(&self, name: Option<&str>) -> Result<Login, Refusal> {
        let Some(name) = name else {
            let sessions = self.sessions();
            return match sessions.as_slice() {
                [(_, key)] => Ok(Login::SignIn((*key).clone())),
                _ => self.login_for(Some("default")).map_err(|refusal| match sessions.len() {
                    0 => refusal,
                    _ => {
                        let names: Vec<&str> = sessions.iter().map(|(label, _)| *label).collect();
                        let message = format!("there are several sessions; name one: {}", names.join(", "));
                        Refusal::new(RefusalKind::Failed, message, None)
                    }
                }),
            };
        };
        let session = || self.sessions().into_iter().find(|(label, _)| *label == name).map(|(_, key)| key.clone());
        match self.profiles.get(name) {
            Some(Ok(route)) => {
                for link in route.plan.steps.links() {
                    let source = &link.step().source;
                    if let Some(device) = source.device() {
                        return Ok(Login::Code { profile: name.to_owned(), device: device.to_owned() });
                    }
                    if source.session().is_some() {
                        return Ok(Login::SignIn(link.key().clone()));
                    }
                }
                match session() {
                    Some(key) => Ok(Login::SignIn(key)),
                    None => {
                        let message = format!("profile \"{name}\" needs no code of an MFA device, and no sign-in");
                        Err(Refusal::new(RefusalKind::Failed, message, None).see(evercred("plan", name)))
                    }
                }
            }
            Some(Err(error)) => match session() {
                Some(key) => Ok(Login::SignIn(key)),
                None => Err(no_plan(name, error)),
            },
            None => match (session(), self.missing.incomplete_session(name)) {
                (Some(key), _) => Ok(Login::SignIn(key)),
                (None, Some(error)) => Err(no_plan(name, error)),
                (None, None) => {
                    let sessions = self.sessions();
                    let names =
                        self.profiles.keys().map(String::as_str).chain(sessions.iter().map(|(label, _)| *label));
                    let hint = did_you_mean(name, names);
                    let message = format!("no profile and no SSO session is called \"{name}\" in the AWS files{hint}");
                    Err(self.not_found(name, &message))
                }
            },
        }
    }

    /// How long a login needs no action; `None` if a sign-in or a code is needed now or soon.
    pub fn lasting_sign_in(&self, login: &Login, now: Now) -> Option<SignedIn> {
        let key = match login {
            Login::SignIn(key) => key,
            Login::Code { profile, .. } => {
                let route = self.profiles.get(profile)?.as_ref().ok()?;
                route.with_device()?.key()
            }
        };
        let node = self.nodes.get(key)?;
        let ends_at = self.session_end(key, now);
        let ends_soon = ends_at.is_some_and(|at| self.time.clock().until(at, now) <= TOLD_BEFORE);
        if !node.can_sign(self.time.clock(), now) || node.failures.needs_login() || ends_soon {
            return None;
        }
        // A sign-in writes a cache file that every tool can read.
        if node.session.as_ref().is_some_and(|state| state.is_unusable()) {
            return None;
        }
        if matches!(login, Login::Code { .. }) && node.warning(self.time.clock(), now).is_some() {
            return None;
        }
        let expires_at = node.held.as_ref()?.end.map(|end| end.expires_at);
        Some(SignedIn { name: self.login_name(login), ends_at, expires_at })
    }

    /// What people call it.
    pub fn login_name(&self, login: &Login) -> String {
        match login {
            Login::Code { profile, .. } => profile.clone(),
            Login::SignIn(key) => self.session_name(key).unwrap_or_default(),
        }
    }

    /// Every session once, by its name.
    fn sessions(&self) -> Vec<(&str, &NodeKey)> {
        let mut all: Vec<(&str, &NodeKey)> =
            self.nodes.iter().filter_map(|(key, node)| Some((node.session.as_ref()?.session.label(), key))).collect();
        all.sort_unstable();
        all.dedup_by_key(|(label, _)| *label);
        all
    }

    /// Takes in a code. A code is good once: what was sent before is not sent again.
    pub(super) fn code_typed(&mut self, caller: CallerId, profile: String, code: Secret, now: Now) {
        let device = match self.login_for(Some(&profile)) {
            Ok(Login::Code { device, .. }) => device,
            Ok(Login::SignIn(_)) => {
                let message = format!("profile \"{profile}\" needs a sign-in, and no code");
                let refusal = Refusal::new(RefusalKind::Failed, message, Some(evercred("login", &profile)));
                return self.answer_with(caller, Answer::Refused(refusal));
            }
            Err(refusal) => return self.answer_with(caller, Answer::Refused(refusal)),
        };
        let Some(Ok(route)) = self.profiles.get(&profile) else { return };
        let Some(key) = route.with_device().map(|link| link.key().clone()) else { return };
        let before = self.chains().call_counts(route);
        let Some(node) = self.nodes.get_mut(&key) else { return };
        let waiting = Waiting {
            profile: profile.clone(),
            wants: Wants::Renewal,
            target: Some(key),
            again: false,
            asked_at: now.boot,
            mints: node.mints,
            before,
        };
        let Some(node) = waiting.target.as_ref().and_then(|key| self.nodes.get_mut(key)) else { return };
        // A code that is on its way is waited for with whoever typed it.
        if node.flight.is_none() {
            if self.used_codes.get(&device) == Some(&code) {
                let message = format!("the code of the MFA device {device} was used already: each code works once");
                let refusal = Refusal::new(RefusalKind::NeedsLogin, message, None);
                self.actions.push_back(Action::Answer { caller, answer: Answer::Refused(refusal) });
                return;
            }
            node.code = Some(code);
            if node.held.is_some() {
                node.forced = Some(Forced::Asked);
            }
            node.failures.streaks().for_each(|streak| streak.forced(now.boot));
        }
        self.note_use(&profile, now);
        self.waiting.insert(caller, waiting);
    }

    /// Takes in the code that a program printed. Where it is still the last one, the next is waited for.
    pub(super) fn code_printed(&mut self, key: &NodeKey, endpoint: &Endpoint, code: Secret, now: Now) {
        let Some(node) = self.nodes.get_mut(key) else { return };
        let Some(device) = node.step.source.device().map(str::to_owned) else { return };
        if self.used_codes.get(&device) == Some(&code) {
            let operation = Operation::new("the code").object(format!("of the MFA device {device}"));
            let mut fault = aws_error::fault(operation, None, Some(aws_error::CODE_USED), None);
            fault.retry_after = Some(NEXT_CODE);
            node.ended += 1;
            return self.blame(key, endpoint, fault, now);
        }
        node.code = Some(code);
    }

    /// Forgets what a person typed a code or signed in for, and what stands on it.
    pub(super) fn logged_out(&mut self, caller: CallerId, login: &Login, now: Now) {
        match login {
            Login::SignIn(key) => self.sign_out(caller, key, now),
            Login::Code { profile, .. } => {
                let route = self.profiles.get(profile).and_then(|route| route.as_ref().ok());
                let key = route.and_then(|route| Some(route.with_device()?.key().clone()));
                if let Some(key) = key {
                    self.forget_behind(&key);
                }
                let end = SignOutEnd::default();
                self.answer_with(caller, Answer::SignedOut { name: profile.clone(), end });
            }
        }
    }

    /// Forgets what a node holds, and everything that was got with it.
    pub(super) fn forget_behind(&mut self, key: &NodeKey) {
        let (mut forgotten, mut next) = (BTreeSet::new(), vec![key.clone()]);
        while let Some(key) = next.pop() {
            next.extend_from_slice(self.dependents.children(&key));
            forgotten.insert(key);
        }
        for key in &forgotten {
            if let Some(node) = self.nodes.get_mut(key) {
                (node.held, node.code, node.forced) = (None, None, None);
                // What is under way must not come back. A session sees to that itself: its file may be being written.
                if let Some(ticket) = node.flight.take_if(|_| node.session.is_none()) {
                    self.flights.remove(&ticket);
                }
            }
        }
        let of_forgotten = |restored: &Restored| {
            forgotten.contains(&restored.set.key)
                || restored.session.as_ref().is_some_and(|key| forgotten.contains(key))
        };
        self.restored.retain(|restored| !of_forgotten(restored));
        self.actions.push_back(Action::KeepMinted);
    }

    /// The missing input of the user, if the last credentials of the chain are due.
    pub(super) fn missing_input(
        &self,
        profile: &str,
        route: &Route,
        overview: &Overview<'_>,
        now: Now,
    ) -> Option<ErrorStatus> {
        let (lack, link) = overview.missing?;
        self.nodes.get(route.key()?)?.due(self.time.clock(), now)?;
        self.need(profile, lack, link.key(), now)
    }

    /// The requirement of a profile, from the credential that lacks it.
    pub(super) fn need(&self, profile: &str, lack: Lack<'_>, key: &NodeKey, now: Now) -> Option<ErrorStatus> {
        match lack {
            Lack::Code(device) => {
                let message = format!("profile \"{profile}\" needs a code from the MFA device {device}");
                let need = ErrorStatus::new("MfaCodeNeeded", ErrorClass::NeedsLogin, message, self.planned_at);
                Some(need.fix(evercred("login", profile)))
            }
            Lack::SignIn => {
                let need = self.session_need(key, now)?;
                if need.class != ErrorClass::NeedsLogin {
                    return Some(need);
                }
                let message = format!("profile \"{profile}\" needs a sign-in: {}", need.message);
                Some(ErrorStatus { message, ..need })
            }
        }
    }

    pub(super) fn answer_with(&mut self, caller: CallerId, answer: Answer) {
        self.actions.push_back(Action::Answer { caller, answer });
    }
}
