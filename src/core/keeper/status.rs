//! How every profile stands, for `status`.

use super::api::{ErrorStatus, ProfileStatus, State};
use super::callers::cannot;
use super::node::{Node, static_credentials, unsupported};
use super::{Keeper, Route};
use crate::core::aws_error::ErrorClass;
use crate::core::clock::Expiry;
use crate::core::fix::evercred;
use crate::core::plan::{self, PlanError, PlanErrorCode};
use crate::core::time::{AwsTime, Now};

impl Keeper {
    /// How every profile stands, in the order of their names.
    pub fn status(&self, now: Now) -> Vec<ProfileStatus> {
        self.profiles
            .iter()
            .map(|(name, route)| match route {
                Ok(route) => self.profile_status(name, route, now),
                Err(error) => self.broken_status(name, error, now),
            })
            .collect()
    }

    /// How it all stands, in a line.
    pub fn summary(&self, now: Now) -> String {
        let states: Vec<State> =
            self.status(now).iter().filter(|profile| profile.auto_renew).map(|profile| profile.state).collect();
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

    fn profile_status(&self, name: &str, route: &Route, now: Now) -> ProfileStatus {
        let nodes: Vec<&Node> = route.keys.iter().filter_map(|key| self.nodes.get(key)).collect();
        let last = nodes.last().copied();
        let only_keys = route.only_keys();
        let held = last.and_then(|node| node.held.as_ref());
        let end = held.and_then(|held| held.end);
        let expires_at = match only_keys {
            Some(keys) => static_credentials(keys).expires_at,
            None => end.map(|end| end.expires_at),
        };
        let auto_renew = only_keys.is_none() && self.is_auto_renewed(name, now);
        let failure = nodes.iter().enumerate().find_map(|(at, node)| node.failures.at(route.endpoint(at)));
        let mut last_error = failure.map(|failure| {
            let mut error = failure.error.clone();
            error.next_try = failure.streak.next_try();
            error
        });
        let mut state = if nodes.iter().any(|node| node.flight.is_some()) {
            State::Renewing
        } else if let Some(error) = &last_error {
            match error.class {
                ErrorClass::Retryable => State::Retrying,
                ErrorClass::NeedsLogin => State::NeedsLogin,
                ErrorClass::Permanent => State::Failed,
            }
        } else if held.is_some() {
            State::Fresh
        } else if only_keys.is_some() {
            State::Static
        } else {
            State::Ready
        };
        if let Some((profile, at)) = self.expired_keys(route, now)
            && only_keys.is_none()
        {
            last_error = Some(expired_source(profile, at));
            state = if held.is_some() { state } else { State::Failed };
        }
        if let Some(need) = self.needs_person(name, route, now).filter(|_| auto_renew) {
            state = State::NeedsLogin;
            last_error = last_error.or(Some(need));
        }
        if let Some(source) =
            route.plan.steps.iter().map(|step| &step.source).find(|source| unsupported(source).is_some())
        {
            state = State::Failed;
            let (message, fix) = cannot(name, source);
            last_error = Some(permanent(NOT_SUPPORTED, message, fix, self.planned_at));
        }
        ProfileStatus {
            name: name.to_owned(),
            kind: plan::kind(&route.plan),
            auto_renew: auto_renew && last_error.as_ref().is_none_or(|error| error.code != NOT_SUPPORTED),
            state,
            valid: match (held, expires_at) {
                (Some(held), _) => is_valid(held.judge(&self.clock, now)),
                (None, Some(at)) => is_valid(self.clock.judge(at, now)),
                // An auto-renewed profile should have cached credentials.
                (None, None) => auto_renew.then_some(false),
            },
            expires_at,
            remaining: expires_at.map(|at| self.clock.until(at, now).max(chrono::TimeDelta::zero())),
            renew_at: end.filter(|_| auto_renew).map(|end| end.renew_at),
            last_renewal: last.and_then(|node| node.last_renewal.clone()),
            last_error,
            warning: nodes.iter().find_map(|node| node.warning(&self.clock, now)),
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
            valid: None,
            expires_at: None,
            remaining: None,
            renew_at: None,
            last_renewal: None,
            warning: None,
            last_error: (!empty).then(|| ErrorStatus {
                at: self.planned_at,
                code: serde_json::to_value(error.code)
                    .ok()
                    .and_then(|code| Some(code.as_str()?.to_owned()))
                    .unwrap_or_default(),
                class: ErrorClass::Permanent,
                message: error.message.clone(),
                fix: Some(evercred("plan", name)),
                next_try: None,
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

fn is_valid(expiry: Expiry) -> Option<bool> {
    match expiry {
        Expiry::Valid => Some(true),
        Expiry::Expired => Some(false),
        Expiry::Unknown => None,
    }
}

const NOT_SUPPORTED: &str = "NotSupported";

fn expired_source(profile: &str, at: AwsTime) -> ErrorStatus {
    let message = format!("the temporary keys of profile \"{profile}\" in the AWS files expired at {at}");
    permanent("ExpiredToken", message, "run the tool again that wrote them".to_owned(), at)
}

fn permanent(code: &str, message: String, fix: String, at: AwsTime) -> ErrorStatus {
    let class = ErrorClass::Permanent;
    ErrorStatus { at, code: code.to_owned(), class, message, fix: Some(fix), next_try: None }
}
