//! What an ended call means.

use chrono::TimeDelta;

use super::api::{Action, LogLevel, Outcome, RenewalStatus, Ticket};
use super::backoff::Changed;
use super::held::{End, Held};
use super::node::Forced;
use super::schedule::Jitter;
use super::{Keeper, Minting, Work};
use crate::core::aws_error::{
    self, ErrorClass, Fault, INVALID_RESPONSE, OfSigner, Operation, Remedy, of_signer, refuses_signer,
};
use crate::core::clock::{Sample, Trust};
use crate::core::credential::{Credentials, Grant};
use crate::core::fix::evercred;
use crate::core::plan::{Endpoint, NodeKey, Source};
use crate::core::time::{AwsTime, BootTime, Now};

/// No session of AWS lives longer: GetSessionToken's 36 hours, and an hour for what the clocks don't agree on.
const LONGEST_LIFE: TimeDelta = TimeDelta::hours(37);

/// The age up to which a new code is no remedy: no role refuses an MFA session for its age so soon.
const RECENT_CODE: TimeDelta = TimeDelta::minutes(15);
/// No endpoint is left alone for longer because it asked for it.
const LONGEST_PAUSE: TimeDelta = TimeDelta::minutes(5);

/// A program that gives the same set again is asked again after this.
const SAME_AGAIN: TimeDelta = TimeDelta::minutes(1);

impl Keeper {
    /// Takes in an outcome: first what its answers said about the time, then what it brought.
    pub(super) fn ended(&mut self, ticket: Ticket, outcome: Outcome, samples: &[Sample], now: Now) {
        let Some(flight) = self.flights.remove(&ticket) else { return };
        self.observe(samples, &flight.endpoint, &outcome, now);
        self.correct_memory(now);
        self.read_stamps_again(now);
        match flight.work {
            Work::Probe => self.time.probe_ended(match &outcome {
                Outcome::Failed(fault) => Some(fault),
                _ => None,
            }),
            Work::Mint(mint) => {
                // The server's own time of the answer.
                let last = samples.iter().rfind(|sample| sample.trust > Trust::Unauthenticated);
                let server_time = last.map(|sample| sample.date);
                self.mint_ended(&mint, &flight.endpoint, ticket, outcome, server_time, now);
            }
            Work::SignIn => self.sign_in_ended(ticket, outcome, now),
            Work::SignOut { caller, key } => self.signed_out(caller, &key, outcome),
            Work::Roles { caller, key, session } => self.roles_listed(caller, &key, session, outcome),
        }
    }

    /// What was remembered by a guess of the time is set right once it is known: a wrong guess must keep nothing for as
    /// long as it was wrong, and end nothing either.
    fn correct_memory(&mut self, now: Now) {
        if !self.time.is_trusted() {
            return;
        }
        let (best, latest) = (self.time.clock().best(now), self.time.clock().aws_now(now).latest);
        let guessed = std::mem::take(&mut self.guessed);
        for (profile, asked) in &mut self.memory.last_asked {
            if *asked > latest || guessed.contains(profile) {
                *asked = best;
                self.actions.push_back(Action::Remember);
            }
        }
    }

    fn mint_ended(
        &mut self,
        mint: &Minting,
        endpoint: &Endpoint,
        ticket: Ticket,
        outcome: Outcome,
        server_time: Option<AwsTime>,
        now: Now,
    ) {
        let Minting { key, started, reason, parent_mints } = mint;
        let best = self.time.clock().best(now);
        let Some(node) = self.nodes.get_mut(key).filter(|node| node.flight == Some(ticket)) else { return };
        node.flight = None;
        if let Outcome::Code(code) = outcome {
            return self.code_printed(key, endpoint, code, now);
        }
        node.ended += 1;
        if let Some(state) = node.session.as_ref().filter(|_| node.mints != *parent_mints) {
            // Somebody has signed out, signed in or refreshed meanwhile: what came is of a token that counts no more, and the
            // file tells what counts.
            self.actions.push_back(Action::LookAtSession(state.session.cache_file()));
            return;
        }
        let result = match outcome {
            Outcome::Minted(credentials) => self.accept(key, credentials, server_time, now),
            Outcome::Federated { credentials, token_expires_at } => {
                node.token_expires_at = token_expires_at;
                self.accept(key, credentials, server_time, now).map(|()| self.warn_of_token(key, now))
            }
            Outcome::Identified { account_id, .. } => {
                self.identified(key, Some(account_id));
                Ok(())
            }
            Outcome::Session(end) => self.refreshed(key, end, now),
            Outcome::Probed | Outcome::Code(_) | Outcome::Roles(_) | Outcome::SignedOut(_) => Err(unexpected()),
            Outcome::Failed(fault) => Err(fault),
        };
        let renewal =
            RenewalStatus { at: best, ok: result.is_ok(), took: now.boot - *started, reason: (*reason).to_owned() };
        if let Some(node) = self.nodes.get_mut(key) {
            node.last_renewal = Some(Box::new(renewal));
        }
        if let Err(fault) = result {
            self.failed(mint, endpoint, fault, now);
        }
    }

    fn accept(
        &mut self,
        key: &NodeKey,
        credentials: Credentials,
        server_time: Option<AwsTime>,
        now: Now,
    ) -> Result<(), Fault> {
        let minted_at = self.time.clock().best(now);
        let Some(node) = self.nodes.get(key) else { return Ok(()) };
        let (profile, source) = (node.step.profile.clone(), node.step.source.clone());
        let by_aws = source.service().is_some();
        let known = self.time.is_trusted();
        let possible = credentials.expires_at.is_some_and(|at| !known || at - minted_at <= LONGEST_LIFE);
        if !possible && by_aws {
            return Err(invalid(
                "AWS's answer has no expiry that a session can have: the credentials in it were not taken",
            ));
        }
        let is_old_one = node.held.as_deref().and_then(Held::keys) == Some(&credentials);
        let (expires_at, is_temporary) = (credentials.expires_at, credentials.session_token.is_some());
        let mut held = self.hold(Grant::Keys(credentials), expires_at, minted_at, Some(now.boot));
        // By the server's own time they have expired, with any estimate of AWS time. Unusable credentials are no success,
        // or they would be fetched in an endless loop. While AWS time is unknown, the local clock decides: the SDKs
        // refuse the credentials by it too.
        let local_time = (by_aws && !self.time.clock().is_known()).then_some(minted_at);
        let is_over_there =
            expires_at.zip(server_time.or(local_time)).is_some_and(|(expires_at, time)| expires_at <= time);
        if is_over_there || !held.is_servable(self.time.clock(), now) {
            let code = source.bad_answer_code();
            let why = "the returned credentials had already expired, so evercred does not use them";
            let mut fault = aws_error::fault(Operation::fetch(profile), None, Some(code), Some(why));
            // Either the answer's times or the estimate are wrong: AWS time is probed, and the retry follows at once.
            fault.skewed = by_aws;
            return Err(fault);
        }
        if let (Some(end), true) = (&mut held.end, is_old_one) {
            // The program keeps its set until the end: asking it twice as often each time would help nobody.
            end.renew_at = end.renew_at.max(minted_at + SAME_AGAIN);
        }
        let until = held.end.map_or_else(|| "without an end".to_owned(), |end| format!("until {}", end.expires_at));
        let message = format!("credentials of profile \"{profile}\" renewed, {until}");
        let Some(node) = self.nodes.get_mut(key) else { return Ok(()) };
        node.held = Some(held);
        node.failures.clear();
        node.pace.succeeded(now.boot);
        node.forced = None;
        node.retried_parent = false;
        node.mints += 1;
        if node.step.source.device().is_some() {
            // What was refused with the session before may be allowed with this one.
            self.for_children(key, |child| child.failures.streaks().for_each(|streak| streak.forced(now.boot)));
        }
        self.log(LogLevel::Info, Some(&profile), message);
        self.actions.push_back(Action::KeepMinted);
        if matches!(source, Source::Process { .. }) {
            self.learn_process_kind(key, is_temporary);
        }
        Ok(())
    }

    fn warn_of_token(&mut self, key: &NodeKey, now: Now) {
        let Some(node) = self.nodes.get(key) else { return };
        if let Some(warning) = node.warning(self.time.clock(), now) {
            let profile = node.step.profile.clone();
            self.log(LogLevel::Warn, Some(&profile), warning.message);
        }
    }

    /// What came, with its schedule.
    pub(super) fn hold(
        &mut self,
        grant: Grant,
        expires_at: Option<AwsTime>,
        minted_at: AwsTime,
        came_at: Option<BootTime>,
    ) -> Box<Held> {
        let end = expires_at.map(|expires_at| End { expires_at, renew_at: expires_at });
        let mut held = Held { grant, minted_at, came_at, jitter: Jitter::draw(&mut self.rng), end };
        held.reschedule(&self.settings);
        Box::new(held)
    }

    fn identified(&mut self, key: &NodeKey, account_id: Option<String>) {
        let Some(node) = self.nodes.get_mut(key) else { return };
        node.identified = true;
        node.failures.clear();
        let profile = node.step.profile.clone();
        node.account_id.clone_from(&account_id);
        let account =
            account_id.map_or_else(|| "an account that AWS did not name".to_owned(), |id| format!("account {id}"));
        self.log(LogLevel::Info, Some(&profile), format!("AWS accepts the key of profile \"{profile}\": {account}"));
    }

    fn failed(&mut self, mint: &Minting, endpoint: &Endpoint, fault: Fault, now: Now) {
        let key = &mint.key;
        if fault.skewed {
            self.time.doubt();
        }
        let Some(node) = self.nodes.get_mut(key) else { return };
        if let (Some(pause), Some(service)) = (fault.retry_after, node.step.source.service())
            && fault.class == ErrorClass::Retryable
        {
            self.limits.close(service, endpoint, now.boot + pause.min(LONGEST_PAUSE));
        }
        if node.session.is_some() {
            if fault.class == ErrorClass::NeedsLogin {
                self.learn_length(key, now);
            }
            return self.blame(key, endpoint, fault, now);
        }
        if node.step.source.device().is_some() {
            // Another try needs another code; until then what is held goes on.
            node.forced = None;
        }
        if let Source::Static(_) = node.step.source {
            if fault.class == ErrorClass::Permanent && !refuses_signer(&fault) {
                // An emulator without GetCallerIdentity, an endpoint policy: the key itself was not refused.
                return self.identified(key, None);
            }
            return self.blame(key, endpoint, fault, now);
        }
        let retried = node.retried_parent;
        let parent_key = node.parent.clone().filter(|_| refuses_signer(&fault));
        let Some(parent_key) = parent_key else { return self.blame(key, endpoint, fault, now) };
        let Some(parent) = self.nodes.get_mut(&parent_key) else { return self.blame(key, endpoint, fault, now) };
        if let Source::Static(_) = parent.step.source {
            // The key is at fault, and so every role behind it: one failure, shown at all of them.
            parent.identified = false;
            return self.blame(&parent_key, endpoint, fault, now);
        }
        if parent.mints != mint.parent_mints {
            // It was renewed meanwhile, for another child perhaps: tried again with the new set.
            return;
        }
        if retried {
            return self.blame(key, endpoint, fault, now);
        }
        parent.forced = Some(Forced::Refused);
        if let Some(node) = self.nodes.get_mut(key) {
            node.retried_parent = true;
        }
    }

    /// The age of the MFA session that signs for a node, and the profile to sign in for.
    fn session_behind(&self, key: &NodeKey, now: Now) -> Option<(TimeDelta, String)> {
        let node = self.nodes.get(key)?;
        let parent = self.nodes.get(node.parent.as_ref()?)?;
        parent.step.source.device()?;
        Some((self.time.clock().best(now) - parent.held.as_ref()?.minted_at, node.step.profile.clone()))
    }

    /// Notes a failure of one node.
    pub(super) fn blame(&mut self, key: &NodeKey, endpoint: &Endpoint, mut fault: Fault, now: Now) {
        if of_signer(&fault.code) == OfSigner::Denied
            && let Some((age, profile)) = self.session_behind(key, now)
            && age >= RECENT_CODE
        {
            fault.words.push_str(&format!(
                " (its MFA session is {} min old, and the role may require a newer one: aws:MultiFactorAuthAge)",
                age.num_minutes()
            ));
            fault.remedy = Some(Remedy::Fix(format!("{} --force", evercred("login", &profile))));
        }
        let at = self.time.clock().best(now);
        let Some(node) = self.nodes.get_mut(key) else { return };
        node.failed += 1;
        let first = node.failures.is_empty();
        // What may pass, and is missed by nobody yet, is no alarm: a network that is away.
        let is_good = node.held.as_ref().is_some_and(|held| held.is_servable(self.time.clock(), now));
        let is_missed = fault.class != ErrorClass::Retryable || !is_good;
        let changed = Changed { plan_at: node.changed_at, disturbed_at: self.time.disturbed_at() };
        node.pace.failed(now.boot);
        let failure = node.failures.note(fault, endpoint, changed, now.boot, at, &mut self.rng);
        let next = failure.streak.next_try().map_or_else(
            || "no automatic retry".to_owned(),
            |at| format!("retry in {} s", (at - now.boot).num_seconds()),
        );
        let (profile, message) = (node.step.profile.clone(), format!("{} ({next})", failure.error.message));
        let level = match first {
            true if is_missed => LogLevel::Warn,
            true => LogLevel::Info,
            false => LogLevel::Debug,
        };
        self.log(level, Some(&profile), message);
    }
}

fn unexpected() -> Fault {
    invalid("the answer is not of the kind that was asked for")
}

fn invalid(why: &str) -> Fault {
    aws_error::fault("the renewal", None, Some(INVALID_RESPONSE), Some(why))
}
