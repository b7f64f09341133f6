//! Asks the NTP servers that the settings name: seldom, and never against their will.

use chrono::TimeDelta;

use super::Keeper;
use super::api::{Action, LogLevel};
use super::timers::Timer;
use crate::core::ntp::{NtpAnswer, NtpProblem};
use crate::core::settings::NtpServer;
use crate::core::time::{AwsTime, BootTime, Now};

/// How often a server is asked: what it says helps for as long as this machine's clocks keep time.
const EVERY: TimeDelta = TimeDelta::hours(1);
/// A server that can't be reached is asked again after this, and ever more seldom.
const SOON: TimeDelta = TimeDelta::minutes(1);
/// How long one is left alone that asked for it, or gave no time (RFC 5905 section 7.4 has a client slow down).
const LEFT_ALONE: TimeDelta = TimeDelta::hours(4);

/// One question to an NTP server.
#[derive(Debug)]
pub struct NtpOrder {
    /// Whom.
    pub server: NtpServer,
    /// The time as far as it is known: NTP counts anew every 136 years.
    pub about: AwsTime,
}

/// What is known of one server.
pub(super) struct NtpWatch {
    server: NtpServer,
    asked: bool,
    /// Not before this; `None` where it does not want to be asked again.
    next: Option<BootTime>,
    heard: Option<NtpHeard>,
    /// Questions in a row that had no answer.
    unanswered: u32,
}

/// What a server said last.
#[derive(Clone, Debug)]
pub struct NtpHeard {
    /// When its answer came, or none did (boot-time clock).
    pub at: BootTime,
    /// The answer, or why there is none.
    pub said: Result<NtpAnswer, NtpProblem>,
}

impl Keeper {
    /// Asks whom it is time to ask.
    pub(super) fn ask_ntp(&mut self, now: Now) {
        if self.clock_watch.home.is_none() {
            return;
        }
        let before = self.ntp.len();
        self.ntp.retain(|watch| self.settings.ntp.contains(&watch.server));
        if self.ntp.len() != before {
            // What somebody said who is not asked any more counts no more.
            self.narrow_by_ntp(now);
        }
        for server in &self.settings.ntp {
            if self.ntp.iter().all(|watch| watch.server != *server) {
                self.ntp.push(NtpWatch {
                    server: server.clone(),
                    asked: false,
                    next: Some(now.boot),
                    heard: None,
                    unanswered: 0,
                });
            }
        }
        // A wall clock alone would be no help: it may be in another era.
        let about = if self.clock.is_known() { self.clock.best(now) } else { AwsTime::from_millis(0) };
        for watch in self.ntp.iter_mut().filter(|watch| !watch.asked) {
            let Some(next) = watch.next else { continue };
            if next <= now.boot {
                watch.asked = true;
                self.actions.push_back(Action::AskNtp(NtpOrder { server: watch.server.clone(), about }));
            } else {
                self.timers.set(Timer::NtpQuery, next);
            }
        }
    }

    /// A clock jumped, or a certificate is not valid by it: what was said before may not hold, and who was out of reach may
    /// not be. Who was heard less than `age` ago is not asked before that.
    pub(super) fn ask_ntp_again(&mut self, age: TimeDelta, now: Now) {
        for watch in self.ntp.iter_mut().filter(|watch| !watch.asked) {
            if let Some(heard) = watch.heard.as_ref().filter(|heard| is_willing(&heard.said)) {
                let again = (heard.at + age).max(now.boot);
                watch.next = watch.next.map(|next| next.min(again));
                watch.unanswered = 0;
            }
        }
    }

    /// A server answered, or did not.
    pub(super) fn ntp_answered(&mut self, server: &NtpServer, result: Result<NtpAnswer, NtpProblem>, now: Now) {
        let Some(watch) = self.ntp.iter_mut().find(|watch| watch.server == *server) else { return };
        watch.asked = false;
        watch.next = match &result {
            // Asked before a jump, it says nothing of now.
            Ok(answer) if self.clock.jumped_at().is_some_and(|jumped_at| answer.sent < jumped_at) => Some(now.boot),
            Ok(_) => Some(now.boot + EVERY),
            Err(NtpProblem::NoAnswer(_) | NtpProblem::NoSuchHost(_)) => {
                let wait = SOON * (1 << watch.unanswered.min(6));
                watch.unanswered += 1;
                Some(now.boot + wait.min(EVERY))
            }
            Err(NtpProblem::KissOfDeath { never_again: true, .. }) => None,
            Err(_) => Some(now.boot + LEFT_ALONE),
        };
        if result.is_ok() {
            watch.unanswered = 0;
        }
        let message = match &result {
            Ok(_) => format!("NTP server {server} has said the time"),
            Err(problem) => format!("NTP server {server} {problem}"),
        };
        watch.heard = Some(NtpHeard { at: now.boot, said: result });
        self.log(LogLevel::Debug, None, message);
        self.narrow_by_ntp(now);
    }

    /// What the servers said is judged again by what AWS says now.
    pub(super) fn narrow_by_ntp(&mut self, now: Now) {
        let answers = self.ntp.iter().filter_map(|watch| watch.heard.as_ref()?.said.as_ref().ok());
        self.clock.take_ntp(answers, now);
    }

    /// What each NTP server said last; `None` where none has answered yet.
    pub fn ntp_heard(&self) -> impl Iterator<Item = (&NtpServer, Option<&NtpHeard>)> {
        self.ntp.iter().map(|watch| (&watch.server, watch.heard.as_ref()))
    }
}

/// Whether a server gave the time, or may give it as soon as it is reached.
fn is_willing(said: &Result<NtpAnswer, NtpProblem>) -> bool {
    matches!(said, Ok(_) | Err(NtpProblem::NoAnswer(_) | NtpProblem::NoSuchHost(_)))
}
