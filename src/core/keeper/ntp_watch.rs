//! Asks the NTP servers that the settings name: seldom, and never against their will.

use chrono::TimeDelta;

use super::Keeper;
use super::api::{Action, LogLevel, NtpOrder};
use crate::core::ntp::{NtpAnswer, NtpProblem};
use crate::core::settings::NtpServer;
use crate::core::time::{BootTime, Now};

/// How often a server is asked: what it says helps for as long as this machine's clocks keep time.
const EVERY: TimeDelta = TimeDelta::hours(1);
/// How long one is left alone that asked for it, or gave no time (RFC 5905 section 7.4 has a client slow down).
const LEFT_ALONE: TimeDelta = TimeDelta::hours(4);

/// What is known of one server.
pub(super) struct NtpWatch {
    server: NtpServer,
    asked: bool,
    /// Not before this; `None` where it does not want to be asked again.
    next: Option<BootTime>,
    heard: Option<NtpHeard>,
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
        self.ntp.retain(|watch| self.settings.ntp.contains(&watch.server));
        for server in &self.settings.ntp {
            if self.ntp.iter().all(|watch| watch.server != *server) {
                self.ntp.push(NtpWatch { server: server.clone(), asked: false, next: Some(now.boot), heard: None });
            }
        }
        let about = self.clock.best(now);
        let mut wake: Option<BootTime> = None;
        for watch in self.ntp.iter_mut().filter(|watch| !watch.asked) {
            let Some(next) = watch.next else { continue };
            if next <= now.boot {
                watch.asked = true;
                self.actions.push_back(Action::AskNtp(NtpOrder { server: watch.server.clone(), about }));
            } else {
                wake = Some(wake.map_or(next, |earlier| earlier.min(next)));
            }
        }
        if let Some(at) = wake {
            self.wake_at(at);
        }
    }

    /// A clock jumped, or the network is another: what was said before may not hold, and who was out of reach may not be. Who
    /// was heard less than `age` ago is not asked.
    pub(super) fn ask_ntp_again(&mut self, age: TimeDelta, now: Now) {
        for watch in &mut self.ntp {
            let is_old = |heard: &NtpHeard| now.boot - heard.at >= age && is_willing(&heard.said);
            let is_willing = watch.heard.as_ref().is_none_or(is_old);
            if is_willing && !watch.asked {
                watch.next = Some(now.boot);
            }
        }
    }

    /// A server answered, or did not.
    pub(super) fn ntp_answered(&mut self, server: &NtpServer, result: Result<NtpAnswer, NtpProblem>, now: Now) {
        let Some(watch) = self.ntp.iter_mut().find(|watch| watch.server == *server) else { return };
        watch.asked = false;
        watch.next = match &result {
            Err(NtpProblem::KissOfDeath { never_again: true, .. }) => None,
            said if is_willing(said) => Some(now.boot + EVERY),
            _ => Some(now.boot + LEFT_ALONE),
        };
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
