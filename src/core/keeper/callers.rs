//! Who waits for credentials, and what they are told.

use chrono::TimeDelta;

use super::api::{Action, Answer, CallerId, ErrorStatus, Refusal, RefusalKind, Wants};
use super::chain::{CallCounts, Overview, Overviews};
use super::node::{Forced, has_expiry, static_credentials, unsupported};
use super::status::expired_keys_message;
use super::timers::Timer;
use super::{Keeper, Route};
use crate::core::aws_error::{ErrorClass, PROCESS_FAILED};
use crate::core::credential::Credentials;
use crate::core::fix::evercred;
use crate::core::glob::{self, Selection};
use crate::core::plan::{NodeKey, PlanError, PlanErrorCode, Source};
use crate::core::time::{BootTime, Now};

/// Nobody waits longer: SDKs give up on their helper at about this time.
const LONGEST_WAIT: TimeDelta = TimeDelta::seconds(30);
/// A caller whose renewal has failed this often while it waited is told so: the next try may be long off.
const FAILURES_WHILE_WAITING: u64 = 2;

/// A caller that waits.
pub(super) struct Waiting {
    pub(super) profile: String,
    pub(super) wants: Wants,
    /// Whose renewal is waited for, where it is not that of the chain's last credential.
    pub(super) target: Option<NodeKey>,
    /// Keys without an end are got again; the old ones are as good as any where that fails.
    pub(super) again: bool,
    pub(super) asked_at: BootTime,
    /// The last node's count of mints when it asked: a renewal is over when it has moved.
    pub(super) mints: u64,
    /// The chain's calls before it asked.
    pub(super) before: CallCounts,
}

impl Keeper {
    /// Takes in a request. The answer comes with the pass that follows, or later.
    pub(super) fn asked(&mut self, caller: CallerId, profile: String, wants: Wants, now: Now) {
        let before = CallCounts::default();
        let mut waiting = Waiting { profile, wants, target: None, again: false, asked_at: now.boot, mints: 0, before };
        if let Some(Ok(route)) = self.profiles.get(&waiting.profile) {
            waiting.before = self.chains().call_counts(route);
            let keys = route.plan.keys();
            let last = keys.last().and_then(|key| self.nodes.get_mut(key));
            let served = last.as_ref().is_some_and(|node| node.servable(self.time.clock(), now).is_some());
            if let Some(node) = last {
                waiting.mints = node.mints;
                waiting.again = node.is_endless_and_old(self.time.clock(), now);
                let can_be_renewed = node.session.is_none() || node.can_refresh(self.time.clock(), now);
                if (wants == Wants::Renewal || waiting.again) && node.held.is_some() && can_be_renewed {
                    node.forced = Some(Forced::Asked);
                }
            }
            for key in &keys {
                if let Some(node) = self.nodes.get(key)
                    && let Some(state) = &node.session
                    && node.lacks(self.time.clock(), now).is_some()
                {
                    // Somebody may have signed in, and the news been lost: the next one who asks knows.
                    self.actions.push_back(Action::LookAtSession(state.session.cache_file()));
                }
                let Some(node) = self.nodes.get_mut(key) else { continue };
                for streak in node.failures.streaks() {
                    match wants {
                        Wants::Renewal => streak.forced(now.boot),
                        Wants::Credentials if !served || waiting.again => streak.asked(now.boot),
                        Wants::Credentials => {}
                    }
                }
            }
            let name = waiting.profile.clone();
            self.note_use(&name, now);
            self.asked_now = Some(name);
        }
        self.waiting.insert(caller, waiting);
    }

    /// Answers everybody who can be answered now.
    pub(super) fn answer_callers(&mut self, now: Now) {
        let answers: Vec<(CallerId, Answer)> =
            self.waiting.iter().filter_map(|(caller, waiting)| Some((*caller, self.answer(waiting, now)?))).collect();
        for (caller, answer) in answers {
            let waiting = self.waiting.remove(&caller);
            // The login has failed. No later call sends its code, and the cached session stays in use.
            if let (Answer::Refused(_), Some(key)) = (&answer, waiting.and_then(|waiting| waiting.target))
                && let Some(node) = self.nodes.get_mut(&key)
            {
                node.code = None;
                node.forced = node.forced.take().filter(|forced| *forced != Forced::Asked);
            }
            self.actions.push_back(Action::Answer { caller, answer });
        }
        if let Some(deadline) = self.waiting.values().map(|waiting| waiting.asked_at + LONGEST_WAIT).min() {
            self.timers.set(Timer::CallerDeadline, deadline);
        }
    }

    fn answer(&self, waiting: &Waiting, now: Now) -> Option<Answer> {
        let name = &waiting.profile;
        let refuse = |kind, message, fix| Some(Answer::Refused(Refusal::new(kind, message, fix)));
        let route = match self.profiles.get(name) {
            Some(Ok(route)) => route,
            Some(Err(error)) => {
                return Some(Answer::Refused(no_plan(name, error)));
            }
            None => return Some(Answer::Refused(self.unknown_profile(name))),
        };
        if let Some(source) = route.unsupported() {
            return refuse(RefusalKind::Failed, cannot(name, source), None);
        }
        let expired = self.expired_keys(route, now).map(|(profile, at)| expired_keys_message(profile, at));
        if let Some(keys) = route.only_keys() {
            return match expired {
                _ if has_expiry(keys) && self.time.needs_probe() && now.boot - waiting.asked_at < LONGEST_WAIT => None,
                Some(message) => refuse(RefusalKind::Failed, message, None),
                None if waiting.wants == Wants::Renewal => {
                    let message = format!("profile \"{name}\" has nothing to renew: its keys are in a file");
                    refuse(RefusalKind::Failed, message, None)
                }
                None => {
                    let account_id = route.key().and_then(|key| self.nodes.get(key)?.account_id.clone());
                    Some(Answer::Credentials(Credentials { account_id, ..static_credentials(keys) }))
                }
            };
        }
        let Some(last) = waiting.target.as_ref().or(route.key()).and_then(|key| self.nodes.get(key)) else {
            let message =
                format!("the settings of profile \"{name}\" changed meanwhile: what was asked for is no more");
            return refuse(RefusalKind::Failed, message, None);
        };
        // Another plan's node counts anew.
        let renewed = last.mints != waiting.mints;
        let servable = last.servable(self.time.clock(), now);
        let waited = now.boot - waiting.asked_at;
        let overview = self.chains().overview(route, &mut Overviews::default(), now);
        let error = self.stuck(route, &overview, waiting, now);
        let as_it_is = match (waiting.wants, waiting.again) {
            (Wants::Renewal, _) => false,
            (Wants::Credentials, true) => error.is_some() || waited >= LONGEST_WAIT,
            (Wants::Credentials, false) => true,
        };
        if (as_it_is || renewed)
            && let Some(credentials) = servable
        {
            return Some(Answer::Credentials(credentials.clone()));
        }
        if let Some(message) = expired {
            return refuse(RefusalKind::Failed, message, None);
        }
        let missing = self.missing_input(name, route, &overview, now);
        if let Some(need) = missing.filter(|_| error.is_none() && waiting.target.is_none()) {
            return Some(Answer::Refused(Refusal::of_error(need)));
        }
        if let Some(error) = error {
            // The user may have to act first, for example unlock a vault: the command runs the program at once.
            let fix = match error.code.as_str() {
                PROCESS_FAILED if waiting.wants == Wants::Credentials => Some(evercred("renew", name)),
                _ => error.fix.clone(),
            };
            return Some(Answer::Refused(Refusal { fix, ..Refusal::of_error(error.clone()) }));
        }
        if waited < LONGEST_WAIT {
            return None;
        }
        let mut message = format!("the renewal of profile \"{name}\" has not ended within {} s", waited.num_seconds());
        let fix = overview.failure.and_then(|failure| failure.error.fix.clone());
        if let Some(failure) = overview.failure {
            message = format!("{message}; the attempt before: {}", failure.error.message);
        }
        refuse(RefusalKind::Failed, message, fix)
    }

    /// Whether the last reading of the files makes evercred refuse a request for a profile: it has no plan, its keys
    /// have expired, or AWS refuses it permanently.
    pub fn would_be_refused(&self, profile: &str, now: Now) -> bool {
        let Some(Ok(route)) = self.profiles.get(profile) else { return true };
        self.expired_keys(route, now).is_some()
            || route.plan.steps.backwards().any(|link| {
                let failure = self.nodes.get(link.key()).and_then(|node| node.failures.at(route.endpoint(link)));
                failure.is_some_and(|failure| failure.error.class == ErrorClass::Permanent)
            })
    }

    /// The refusal of a selection that has a name, or a glob, that fits no profile.
    pub fn refusal_of(&self, selection: Selection<'_>) -> Option<Refusal> {
        let name = selection.unmatched(self.profiles.keys())?;
        Some(if glob::is_glob(name) {
            self.not_found(name, &format!("no profile in the AWS files matches \"{name}\""))
        } else {
            self.unknown_profile(name)
        })
    }

    fn unknown_profile(&self, name: &str) -> Refusal {
        no_plan(name, &self.missing.of_profile(name, self.profiles.keys().map(String::as_str)))
    }

    /// The refusal of an unknown name: it may be in a file that can't be read, or in a section that is ignored.
    pub(super) fn not_found(&self, name: &str, message: &str) -> Refusal {
        match self.missing.reason(name, message) {
            Some(error) => no_plan(name, &error),
            None => Refusal::new(RefusalKind::MissingProfile, message, None).see("evercred profiles"),
        }
    }

    /// The error for which a caller stops waiting: the chain has failed, and no call that may help is coming soon.
    fn stuck<'a>(
        &self,
        route: &Route,
        overview: &Overview<'a>,
        waiting: &Waiting,
        now: Now,
    ) -> Option<&'a ErrorStatus> {
        let failure = overview.failure.filter(|_| !overview.is_in_flight)?;
        // The failed step need not be the next one, which may only wait for a probe or for the rate limit.
        if self.has_next_call(&waiting.profile, waiting.target.as_ref(), now) {
            return None;
        }
        let streak = &failure.streak;
        if streak.allows(now.boot) {
            return None;
        }
        let calls = self.chains().call_counts(route);
        let soon = streak.next_try().is_some_and(|at| at < waiting.asked_at + LONGEST_WAIT);
        if waiting.wants == Wants::Renewal && calls.ended == waiting.before.ended && soon {
            // Its own attempt is still to come.
            return None;
        }
        let patient = waiting.wants == Wants::Credentials
            && streak.class() == ErrorClass::Retryable
            && soon
            && (streak.is_skewed()
                || streak.was_told_when()
                || calls.failed.saturating_sub(waiting.before.failed) < FAILURES_WHILE_WAITING);
        if patient { None } else { Some(&failure.error) }
    }
}

/// The refusal of a profile without a plan.
pub(super) fn no_plan(name: &str, error: &PlanError) -> Refusal {
    let kind = match error.code {
        PlanErrorCode::MissingProfile => RefusalKind::MissingProfile,
        PlanErrorCode::UnreadableFile => RefusalKind::UnreadableFile,
        _ => RefusalKind::Failed,
    };
    let more = match error.code {
        PlanErrorCode::MissingProfile => "evercred profiles".to_owned(),
        _ => evercred("plan", name),
    };
    Refusal::new(kind, error.message.as_str(), error.fix.clone()).see(more)
}

/// Why a daemon can't use a source, and what to do.
pub(super) fn cannot(profile: &str, source: &Source) -> String {
    let what = unsupported(source).unwrap_or_default();
    format!(
        "profile \"{profile}\" takes its keys from the environment ({what}), and the daemon can't read the environment of the calling \
         program; name a source_profile instead, or use the profile without evercred"
    )
}
