//! How every profile stands, for `status`.

use std::collections::BTreeSet;
use std::ops::Bound;

use super::api::{ErrorStatus, MfaStatus, ProfileStatus, State, Warning};
use super::callers::cannot;
use super::chain::Overviews;
use super::node::{Node, static_credentials};
use super::{Keeper, Route};
use crate::core::aws_error::{EXPIRED_TOKEN, ErrorClass, NOT_SUPPORTED};
use crate::core::clock::Expiry;
use crate::core::glob::Selection;
use crate::core::plan::{self, NodeKey, PlanError, PlanErrorCode, Source};
use crate::core::time::{AwsTime, Now};

impl Keeper {
    /// The name of an account, if an access portal has returned it since the start.
    pub fn account_name(&self, account_id: &str) -> Option<&str> {
        self.account_names.get(account_id).map(String::as_str)
    }

    /// The status of every profile, in the order of their names.
    pub fn status(&self, now: Now) -> Vec<ProfileStatus> {
        self.status_after(None, Selection::ALL, now).collect()
    }

    /// The status of the selected profiles after a name, in the order of their names. Each is computed when it is taken: a
    /// page of a long list costs its own profiles only.
    pub fn status_after<'a>(
        &'a self,
        after: Option<&str>,
        selection: Selection<'a>,
        now: Now,
    ) -> impl Iterator<Item = ProfileStatus> + use<'a> {
        let mut known = Overviews::default();
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let profiles = self.profiles.range::<str, _>((start, Bound::Unbounded));
        profiles.filter(move |(name, _)| selection.includes(name)).map(move |(name, route)| match route {
            Ok(route) => self.profile_status(name, route, &mut known, now),
            Err(error) => self.broken_status(name, error, now),
        })
    }

    /// The routes of the selected profiles that have a plan.
    fn selected_routes<'a>(&'a self, selection: Selection<'a>) -> impl Iterator<Item = (&'a String, &'a Route)> {
        let selected = self.profiles.iter().filter(move |(name, _)| selection.includes(name));
        selected.filter_map(|(name, route)| Some((name, route.as_ref().ok()?)))
    }

    /// The credentials on which the selected profiles depend, in the order of their keys.
    pub(super) fn nodes_of<'a>(&'a self, selection: Selection<'a>) -> Vec<(&'a NodeKey, &'a Node)> {
        if selection.is_all() {
            return self.nodes.iter().collect();
        }
        let keys: BTreeSet<&NodeKey> = self
            .selected_routes(selection)
            .flat_map(|(_, route)| route.plan.steps.backwards().map(|link| link.key()))
            .collect();
        keys.into_iter().filter_map(|key| self.nodes.get_key_value(key)).collect()
    }

    /// The warnings about the credentials of selected profiles that are auto-renewed.
    pub fn profile_warnings(&self, selection: Selection<'_>, now: Now) -> Vec<Warning> {
        let mut known = Overviews::default();
        self.selected_routes(selection)
            .filter(|(name, _)| self.is_auto_renewed(name, now))
            .map(|(name, route)| self.profile_status(name, route, &mut known, now))
            .filter(|profile| profile.auto_renew)
            .filter_map(|profile| profile.warning)
            .collect()
    }

    /// The selected profiles, and those that they take their credentials from.
    pub fn with_sources<'a>(&'a self, selection: Selection<'a>) -> BTreeSet<&'a str> {
        let selected = self.profiles.keys().filter(|name| selection.includes(name));
        let steps = self.selected_routes(selection).flat_map(|(_, route)| route.plan.steps.iter());
        selected.chain(steps.map(|step| &step.profile)).map(String::as_str).collect()
    }

    /// The sessions with MFA that are valid now and used by the selected profiles, by device.
    pub fn mfa_status(&self, selection: Selection<'_>, now: Now) -> Vec<MfaStatus> {
        let mut sessions: Vec<MfaStatus> = self
            .nodes_of(selection)
            .into_iter()
            .filter_map(|(key, node)| {
                let Source::SessionToken(session) = &node.step.source else { return None };
                let held = node.held.as_ref().filter(|held| held.judge(self.time.clock(), now) != Expiry::Expired)?;
                Some(MfaStatus {
                    device: session.mfa_serial.clone()?,
                    profile: node.step.profile.clone(),
                    expires_at: held.end.map(|end| end.expires_at),
                    profiles: self.count_behind(key),
                })
            })
            .collect();
        sessions.sort_by(|a, b| (&a.device, &a.profile).cmp(&(&b.device, &b.profile)));
        sessions
    }

    /// How it all stands, in a line.
    pub fn summary(&self, now: Now) -> String {
        let mut known = Overviews::default();
        let auto_renewed = self.profiles.iter().filter(|(name, _)| self.is_auto_renewed(name, now));
        let status = auto_renewed.map(|(name, route)| match route {
            Ok(route) => self.profile_status(name, route, &mut known, now),
            Err(error) => self.broken_status(name, error, now),
        });
        let states: Vec<State> = status.filter(|profile| profile.auto_renew).map(|profile| profile.state).collect();
        let counted = |(state, said): &(State, &str)| {
            let count = states.iter().filter(|at| *at == state).count();
            (count > 0).then(|| format!("{count} {said}"))
        };
        match states.len() {
            0 => "no profile is in use".to_owned(),
            1 => format!(
                "renews 1 profile automatically: {}",
                SAID.iter().filter_map(counted).collect::<Vec<_>>().join(", ")
            ),
            n => format!(
                "renews {n} profiles automatically: {}",
                SAID.iter().filter_map(counted).collect::<Vec<_>>().join(", ")
            ),
        }
    }

    fn profile_status<'a>(
        &'a self,
        name: &str,
        route: &'a Route,
        known: &mut Overviews<'a>,
        now: Now,
    ) -> ProfileStatus {
        let overview = self.chains().overview(route, known, now);
        let last = route.key().and_then(|key| self.nodes.get(key));
        let only_keys = route.only_keys();
        let held = last.and_then(|node| node.held.as_ref());
        let end = held.and_then(|held| held.end);
        let expires_at = match only_keys {
            Some(keys) => static_credentials(keys).expires_at,
            None => end.map(|end| end.expires_at),
        };
        let auto_renew = only_keys.is_none() && self.is_auto_renewed(name, now);
        let mut last_error = overview.failure.map(|failure| {
            let mut error = failure.error.clone();
            error.next_try = failure.streak.next_try();
            error
        });
        let mut state = if overview.is_in_flight {
            State::Renewing
        } else if let Some(error) = &last_error {
            match error.class {
                ErrorClass::Retryable => State::Retrying,
                ErrorClass::NeedsLogin => State::NeedsLogin,
                ErrorClass::Permanent => State::Failed,
            }
        } else if held.is_some_and(|held| held.judge(self.time.clock(), now) != Expiry::Expired) {
            State::Fresh
        } else if only_keys.is_some() {
            State::Static
        } else {
            State::Ready
        };
        let expired_keys = self.expired_keys(route, now);
        let expired = expired_keys.is_some();
        if let Some((profile, at)) = expired_keys {
            last_error = Some(expired_source(profile, at));
            state = if held.is_some() || only_keys.is_some() { state } else { State::Failed };
        }
        let needs_login = self.missing_input(name, route, &overview, now);
        let mut usable = !expired
            && (only_keys.is_some()
                || last.is_some_and(|node| node.servable(self.time.clock(), now).is_some())
                || (needs_login.is_none() && last_error.is_none()));
        if let Some(need) = needs_login.filter(|_| auto_renew || state == State::Ready) {
            state = if need.class == ErrorClass::NeedsLogin { State::NeedsLogin } else { State::Retrying };
            // No program has requested the others yet.
            last_error = last_error.or(Some(need).filter(|_| auto_renew));
        }
        if let Some(source) = route.unsupported() {
            (state, usable) = (State::Failed, false);
            let message = cannot(name, source);
            last_error = Some(ErrorStatus::new(NOT_SUPPORTED, ErrorClass::Permanent, message, self.planned_at));
        }
        ProfileStatus {
            name: name.to_owned(),
            kind: plan::kind(&route.plan),
            auto_renew: auto_renew && last_error.as_ref().is_none_or(|error| error.code != NOT_SUPPORTED),
            state,
            usable,
            account_id: last.and_then(account),
            role: route.plan.steps.last().and_then(|step| role(&step.source)),
            region: route.plan.region.clone(),
            sso_session: route.plan.steps.first().and_then(|step| match &step.source {
                Source::SsoToken(session) => session.name.clone(),
                _ => None,
            }),
            valid: match (held, expires_at) {
                (Some(held), _) => is_valid(held.judge(self.time.clock(), now)),
                (None, Some(at)) => is_valid(self.time.clock().judge(at, now)),
                // An auto-renewed profile should have cached credentials.
                (None, None) => auto_renew.then_some(false),
            },
            expires_at,
            remaining: expires_at.map(|at| self.time.clock().until(at, now).max(chrono::TimeDelta::zero())),
            renew_at: end.filter(|_| auto_renew).map(|end| end.renew_at),
            last_renewal: last.and_then(|node| node.last_renewal.as_deref().cloned()),
            last_error,
            warning: overview.warned.and_then(|node| node.warning(self.time.clock(), now)),
        }
    }

    fn broken_status(&self, name: &str, error: &PlanError, now: Now) -> ProfileStatus {
        // A profile that only holds settings for others is nothing to worry about.
        let empty = error.code == PlanErrorCode::NoCredentials;
        ProfileStatus {
            name: name.to_owned(),
            kind: error.kind.unwrap_or("static"),
            auto_renew: !empty && self.is_auto_renewed(name, now),
            state: State::Failed,
            usable: false,
            account_id: None,
            role: None,
            region: None,
            sso_session: None,
            valid: None,
            expires_at: None,
            remaining: None,
            renew_at: None,
            last_renewal: None,
            warning: None,
            last_error: Some(ErrorStatus {
                fix: error.fix.clone(),
                ..ErrorStatus::new(code_of(error), ErrorClass::Permanent, error.message.clone(), self.planned_at)
            }),
        }
    }
}

/// The states as the line says them, the good ones first.
const SAID: &[(State, &str)] = &[
    (State::Fresh, "fresh"),
    (State::Ready, "not requested yet"),
    (State::Renewing, "being renewed"),
    (State::Retrying, "retrying"),
    (State::NeedsLogin, "waiting for a sign-in"),
    (State::Failed, "failed"),
];

/// The account of a chain's last credentials.
fn account(last: &Node) -> Option<String> {
    let answered = last.held.as_ref().and_then(|held| held.keys()?.account_id.clone()).or(last.account_id.clone());
    answered.or_else(|| match &last.step.source {
        Source::AssumeRole(role) => account_of_arn(&role.role_arn),
        Source::WebIdentity(role) => account_of_arn(&role.role_arn),
        Source::Sso(role) => Some(role.account_id.clone()),
        Source::SessionToken(session) => account_of_arn(session.mfa_serial.as_deref()?),
        _ => None,
    })
}

/// `arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE`.
fn account_of_arn(arn: &str) -> Option<String> {
    let account = arn.strip_prefix("arn:")?.split(':').nth(3)?;
    (account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit())).then(|| account.to_owned())
}

/// The name of a role, without its path.
fn role(source: &Source) -> Option<String> {
    let arn = match source {
        Source::AssumeRole(role) => &role.role_arn,
        Source::WebIdentity(role) => &role.role_arn,
        Source::Sso(role) => return Some(role.role_name.clone()),
        _ => return None,
    };
    let (_, path) = arn.split_once(":role/")?;
    path.rsplit('/').next().filter(|name| !name.is_empty()).map(str::to_owned)
}

fn is_valid(expiry: Expiry) -> Option<bool> {
    match expiry {
        Expiry::Valid => Some(true),
        Expiry::Expired => Some(false),
        Expiry::Unknown => None,
    }
}

fn expired_source(profile: &str, at: AwsTime) -> ErrorStatus {
    ErrorStatus::new(EXPIRED_TOKEN, ErrorClass::Permanent, expired_keys_message(profile, at), at)
}

/// That temporary keys in the AWS files have expired. Only the tool that wrote them can renew them.
pub(super) fn expired_keys_message(profile: &str, at: AwsTime) -> String {
    format!("the temporary keys of profile \"{profile}\" expired at {at}: run the tool that wrote them again")
}

/// The code of a plan's error, as in the JSON documents.
fn code_of(error: &PlanError) -> String {
    let code = serde_json::to_value(error.code).ok();
    code.and_then(|code| Some(code.as_str()?.to_owned())).unwrap_or_default()
}
