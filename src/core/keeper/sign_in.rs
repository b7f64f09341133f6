//! People's sign-ins: one for each session at a time, whoever asks, and their ends.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::api::{Action, Answer, CallerId, LogLevel, Outcome, Refusal, RefusalKind, Ticket};
use super::node::Forced;
use super::session_api::{Account, Flow, Prompt, RolesOrder, SessionEnd, SignInOrder};
use super::timers::Timer;
use super::{Flight, Keeper, Work};
use crate::core::aws_error::refuses_signer;
use crate::core::plan::NodeKey;
use crate::core::session::{Session, SsoSession};
use crate::core::time::{BootTime, Now};

/// A caller is told that nothing has happened yet before its own patience ends.
const LONGEST_WAIT: TimeDelta = TimeDelta::seconds(20);
/// A sign-in that nobody waits for any more is given up.
const ABANDONED: TimeDelta = TimeDelta::seconds(10);
/// Pages of AWS wait for ten minutes; nothing is expected of them after that.
const LONGEST: TimeDelta = TimeDelta::minutes(11);
/// How long the end of a sign-in is remembered for who asks a moment later.
const REMEMBERED: TimeDelta = TimeDelta::minutes(1);

/// The sign-ins.
#[derive(Default)]
pub(super) struct SignIns {
    under_way: BTreeMap<Ticket, SignIn>,
    ended: BTreeMap<Ticket, (Result<NodeKey, Refusal>, BootTime)>,
}

struct SignIn {
    key: NodeKey,
    flow: Flow,
    /// Whether it has been ordered: AWS's time is looked at first, where it is in doubt.
    ordered: bool,
    prompt: Option<Prompt>,
    /// Who waits for the prompt.
    starters: Vec<CallerId>,
    /// Who waits for the end, and since when.
    waiters: Vec<(CallerId, BootTime)>,
    began: BootTime,
    /// Since when nobody has waited.
    alone_since: BootTime,
}

impl SignIns {
    pub(super) fn caller_gone(&mut self, caller: CallerId, now: BootTime) {
        for sign_in in self.under_way.values_mut() {
            let waits = |sign_in: &SignIn| sign_in.waiters.len() + sign_in.starters.len();
            let before = waits(sign_in);
            sign_in.waiters.retain(|(other, _)| *other != caller);
            sign_in.starters.retain(|other| *other != caller);
            if waits(sign_in) < before {
                sign_in.alone_since = now;
            }
        }
    }

    fn of(&self, key: &NodeKey) -> Option<Ticket> {
        self.under_way.iter().find(|(_, sign_in)| sign_in.key == *key).map(|(ticket, _)| *ticket)
    }
}

impl Keeper {
    /// Somebody wants to sign in. Two who want the same do it together.
    pub(super) fn sign_in(&mut self, caller: CallerId, key: &NodeKey, flow: Flow, now: Now) {
        let Some(session) = self.nodes.get(key).and_then(|node| Some(node.session.as_ref()?.session.clone())) else {
            return self.answer_with(caller, refused(RefusalKind::Failed, "the session is in no AWS file any more"));
        };
        // Whoever has no browser is not helped by a page that comes back to one.
        let flow = match &session {
            Session::Sso(SsoSession { name: None, .. }) => Flow::DeviceCode,
            _ => flow,
        };
        if let Some(ticket) = self.sign_ins.of(key) {
            if let Some(sign_in) = self.sign_ins.under_way.get_mut(&ticket).filter(|sign_in| sign_in.flow == flow) {
                sign_in.alone_since = now.boot;
                match sign_in.prompt.clone() {
                    Some(prompt) => self.prompt(caller, ticket, prompt),
                    None => sign_in.starters.push(caller),
                }
                return;
            }
            self.end_sign_in(
                ticket,
                Err(refusal(RefusalKind::NeedsLogin, "another sign-in to the session was begun")),
                now,
            );
            self.actions.push_back(Action::CancelSignIn(ticket));
        }
        let ticket = self.ticket();
        self.log(LogLevel::Info, None, format!("a sign-in to {} begins", session.described()));
        self.sign_ins.under_way.insert(
            ticket,
            SignIn {
                key: key.clone(),
                flow,
                ordered: false,
                prompt: None,
                starters: vec![caller],
                waiters: Vec::new(),
                began: now.boot,
                alone_since: now.boot,
            },
        );
    }

    /// Orders the sign-ins that have not been ordered yet.
    fn order_sign_ins(&mut self, now: Now) {
        let waiting = self.sign_ins.under_way.iter().filter(|(_, sign_in)| !sign_in.ordered);
        let waiting: Vec<(Ticket, NodeKey, Flow)> =
            waiting.map(|(ticket, sign_in)| (*ticket, sign_in.key.clone(), sign_in.flow)).collect();
        for (ticket, key, flow) in waiting {
            let Some(node) = self.nodes.get(&key) else { continue };
            let (Some(state), service) = (&node.session, node.step.source.service()) else { continue };
            if state.leaving {
                // Both would write the same file.
                continue;
            }
            let session = state.session.clone();
            let endpoint = session.endpoint().clone();
            if !self.may_call(service, &endpoint, now) {
                continue;
            }
            if let Some(sign_in) = self.sign_ins.under_way.get_mut(&ticket) {
                sign_in.ordered = true;
            }
            self.flights.insert(ticket, Flight { endpoint, work: Work::SignIn });
            let aws_minus_boot = self.time.clock().aws_minus_boot(now);
            self.actions.push_back(Action::BeginSignIn(Box::new(SignInOrder {
                ticket,
                session,
                flow,
                aws_minus_boot,
            })));
        }
    }

    /// Ends a sign-in that makes no sense any more.
    pub(super) fn give_up_sign_in(&mut self, key: &NodeKey, now: Now) {
        if let Some(ticket) = self.sign_ins.of(key) {
            let why = "the session was signed out of, or is in the AWS files no more";
            self.end_sign_in(ticket, Err(refusal(RefusalKind::Failed, why)), now);
            self.actions.push_back(Action::CancelSignIn(ticket));
        }
    }

    /// The files have changed: nobody is asked to sign in to what is no more.
    pub(super) fn end_sign_ins_of_sessions_that_are_gone(&mut self, now: Now) {
        let keys = self.sign_ins.under_way.values().map(|sign_in| sign_in.key.clone());
        let gone: Vec<NodeKey> = keys.filter(|key| !self.nodes.contains_key(key)).collect();
        for key in gone {
            self.give_up_sign_in(&key, now);
        }
    }

    /// The page is there.
    pub(super) fn sign_in_begun(&mut self, ticket: Ticket, prompt: Prompt, now: Now) {
        let Some(sign_in) = self.sign_ins.under_way.get_mut(&ticket) else { return };
        if sign_in.prompt.replace(prompt.clone()).is_none() {
            sign_in.alone_since = now.boot;
        }
        for caller in std::mem::take(&mut sign_in.starters) {
            self.prompt(caller, ticket, prompt.clone());
        }
    }

    fn prompt(&mut self, caller: CallerId, sign_in: Ticket, prompt: Prompt) {
        let key = self.sign_ins.under_way.get(&sign_in).map(|sign_in| sign_in.key.clone());
        let session = key.and_then(|key| self.shown_session_name(&key)).unwrap_or_default();
        self.answer_with(caller, Answer::SignIn { sign_in, session, prompt });
    }

    /// Somebody waits for the end.
    pub(super) fn await_sign_in(&mut self, caller: CallerId, ticket: Ticket, now: Now) {
        if let Some(sign_in) = self.sign_ins.under_way.get_mut(&ticket) {
            sign_in.waiters.push((caller, now.boot));
            return;
        }
        let answer = match self.sign_ins.ended.get(&ticket) {
            Some((Ok(key), _)) => self.signed_in(&key.clone(), now),
            Some((Err(refusal), _)) => Answer::Refused(refusal.clone()),
            None => refused(RefusalKind::Failed, "that sign-in is not known here: the daemon was restarted, perhaps"),
        };
        self.answer_with(caller, answer);
    }

    /// A sign-in has ended.
    pub(super) fn sign_in_ended(&mut self, ticket: Ticket, outcome: Outcome, now: Now) {
        let Some(key) = self.sign_ins.under_way.get(&ticket).map(|sign_in| sign_in.key.clone()) else { return };
        let result = match outcome {
            Outcome::Session(SessionEnd::Renewed { token, unsaved }) => {
                self.note_sign_in(&key, now);
                self.take_sign_in(&key, token, unsaved, now);
                Ok(key)
            }
            Outcome::Failed(fault) => {
                self.log(LogLevel::Info, None, format!("a sign-in failed: {fault}"));
                Err(Refusal::of_fault(fault))
            }
            _ => Err(refusal(RefusalKind::Failed, "the answer is not of the kind that was asked for")),
        };
        self.end_sign_in(ticket, result, now);
    }

    fn end_sign_in(&mut self, ticket: Ticket, result: Result<NodeKey, Refusal>, now: Now) {
        let Some(sign_in) = self.sign_ins.under_way.remove(&ticket) else { return };
        self.flights.remove(&ticket);
        let callers = sign_in.waiters.into_iter().map(|(caller, _)| caller).chain(sign_in.starters);
        for caller in callers {
            let answer = match &result {
                Ok(key) => self.signed_in(key, now),
                Err(refusal) => Answer::Refused(refusal.clone()),
            };
            self.answer_with(caller, answer);
        }
        self.sign_ins.ended.insert(ticket, (result, now.boot));
    }

    fn signed_in(&self, key: &NodeKey, now: Now) -> Answer {
        let session = self.shown_session_name(key).unwrap_or_default();
        let ends_at = self.session_end(key, now);
        let state = self.nodes.get(key).and_then(|node| node.session.as_ref());
        let unsaved = state.and_then(|state| state.unsaved()).map(str::to_owned);
        let fix = state.and_then(|state| state.unwritable()).and_then(|problem| problem.fix.clone());
        Answer::SignedIn { session, ends_at, profiles: self.count_behind(key), unsaved, fix }
    }

    /// Orders what is new, answers who has waited long, gives up what nobody waits for, forgets what nobody asks about.
    pub(super) fn tend_sign_ins(&mut self, now: Now) {
        self.order_sign_ins(now);
        let (mut tired, mut over) = (Vec::new(), Vec::new());
        for (ticket, sign_in) in &mut self.sign_ins.under_way {
            sign_in.waiters.retain(|(caller, since)| {
                let is_tired = now.boot - *since >= LONGEST_WAIT;
                if is_tired {
                    tired.push((*caller, sign_in.prompt.as_ref().and_then(|prompt| prompt.warning.clone())));
                    sign_in.alone_since = now.boot;
                } else {
                    self.timers.set(Timer::SignInPending, *since + LONGEST_WAIT);
                }
                !is_tired
            });
            let is_alone = sign_in.waiters.is_empty() && sign_in.starters.is_empty();
            let longest = sign_in.began + LONGEST;
            let end = if is_alone { longest.min(sign_in.alone_since + ABANDONED) } else { longest };
            if end <= now.boot {
                over.push((*ticket, longest > now.boot));
            } else {
                self.timers.set(Timer::SignInAbandoned, end);
            }
        }
        self.sign_ins.ended.retain(|_, (_, at)| now.boot - *at < REMEMBERED);
        for (caller, warning) in tired {
            self.answer_with(caller, Answer::NotYet { warning });
        }
        for (ticket, is_alone) in over {
            let why = if is_alone {
                "the command that waited for the sign-in has ended"
            } else {
                "the sign-in was not completed in time"
            };
            self.log(LogLevel::Info, None, format!("a sign-in was given up: {why}"));
            self.end_sign_in(ticket, Err(refusal(RefusalKind::NeedsLogin, why)), now);
            self.actions.push_back(Action::CancelSignIn(ticket));
        }
    }

    /// Somebody wants to know the roles.
    pub(super) fn list_roles(&mut self, caller: CallerId, name: &str, now: Now) {
        let key = match self.login_for(Some(name)) {
            Ok(super::Login::SignIn(key)) => key,
            Ok(super::Login::Code { .. }) => {
                let why = format!("\"{name}\" is no SSO session");
                return self.answer_with(caller, refused(RefusalKind::Failed, &why));
            }
            Err(refusal) => return self.answer_with(caller, Answer::Refused(refusal)),
        };
        let Some(node) = self.nodes.get(&key) else { return };
        let Some(Session::Sso(session)) = node.session.as_ref().map(|state| state.session.clone()) else {
            return self.answer_with(caller, refused(RefusalKind::Failed, &format!("\"{name}\" is no SSO session")));
        };
        let token =
            node.held.as_ref().filter(|held| held.can_sign(self.time.clock(), now)).and_then(|held| held.token());
        let Some(token) = token.cloned() else {
            let need = self.session_need(&key, now).filter(|_| node.lacks(self.time.clock(), now).is_some());
            let answer = need.map_or_else(
                || refused(RefusalKind::Failed, "the session has no token yet: try again"),
                |need| Answer::Refused(Refusal { kind: RefusalKind::NeedsLogin, ..Refusal::of_error(need) }),
            );
            return self.answer_with(caller, answer);
        };
        let ticket = self.ticket();
        let endpoint = session.portal.clone();
        let boxed = Box::new(session.clone());
        self.flights.insert(ticket, Flight { endpoint, work: Work::Roles { caller, key, session: boxed } });
        self.actions.push_back(Action::ListRoles(Box::new(RolesOrder { ticket, session, token })));
    }

    pub(super) fn roles_listed(&mut self, caller: CallerId, key: &NodeKey, session: Box<SsoSession>, outcome: Outcome) {
        if let (Outcome::Failed(fault), Some(node)) = (&outcome, self.nodes.get_mut(key))
            && refuses_signer(fault)
            && node.held.is_some()
        {
            // The token was taken away: the next one may be as good as new.
            node.forced = Some(Forced::Refused);
            let why = "the session's token was refused, and is refreshed: try again";
            return self.answer_with(caller, refused(RefusalKind::Failed, why));
        }
        if let Outcome::Roles(accounts) = &outcome {
            let named = accounts.iter().filter(|account| !account.name.is_empty());
            self.account_names.extend(named.map(|account| (account.id.clone(), account.name.clone())));
        }
        let answer = match outcome {
            Outcome::Roles(accounts) => Answer::Roles { session, accounts: sorted(accounts) },
            Outcome::Failed(fault) => Answer::Refused(Refusal::of_fault(fault)),
            _ => refused(RefusalKind::Failed, "the answer is not of the kind that was asked for"),
        };
        self.answer_with(caller, answer);
    }
}

fn sorted(mut accounts: Vec<Account>) -> Vec<Account> {
    accounts.iter_mut().for_each(|account| account.roles.sort());
    accounts.sort_by(|a, b| a.id.cmp(&b.id));
    accounts
}

fn refusal(kind: RefusalKind, why: &str) -> Refusal {
    Refusal::new(kind, why, None)
}

fn refused(kind: RefusalKind, why: &str) -> Answer {
    Answer::Refused(refusal(kind, why))
}
