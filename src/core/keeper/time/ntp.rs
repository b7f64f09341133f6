//! When to ask the NTP servers of the settings: hourly, and less often if a server asks for that.

use chrono::TimeDelta;

use crate::core::ntp::{NtpAnswer, NtpProblem};
use crate::core::settings::NtpServer;
use crate::core::time::{AwsTime, BootTime};

/// The interval of the questions to one server. Its answer helps for as long as this machine's clocks keep time.
const QUERY_INTERVAL: TimeDelta = TimeDelta::hours(1);
/// The first wait for a server that can't be reached; it doubles up to [`QUERY_INTERVAL`].
const RETRY_INTERVAL: TimeDelta = TimeDelta::minutes(1);
/// The wait for a server that gave no time, or requested it (RFC 5905 section 7.4 has a client slow down).
const REFUSED_INTERVAL: TimeDelta = TimeDelta::hours(4);

/// One question to an NTP server.
#[derive(Debug)]
pub struct NtpOrder {
    /// The server.
    pub server: NtpServer,
    /// The approximate time: the timestamps of NTP begin anew every 136 years.
    pub about: AwsTime,
}

/// The last answer of a server.
#[derive(Clone, Debug)]
pub struct NtpHeard {
    /// When the answer came, or the question failed (boot-time clock).
    pub at: BootTime,
    /// The answer, or why there is none.
    pub said: Result<NtpAnswer, NtpProblem>,
}

/// The servers of the settings.
#[derive(Debug, Default)]
pub(super) struct NtpServers(Vec<Server>);

#[derive(Debug)]
struct Server {
    server: NtpServer,
    /// A question is under way.
    is_asked: bool,
    /// The time of the next question; `None`: the server must not be asked again.
    next: Option<BootTime>,
    heard: Option<NtpHeard>,
    /// The number of unanswered questions in a row.
    unanswered: u32,
}

impl NtpServers {
    /// Takes the servers from the settings. Whether one was removed.
    pub(super) fn follow(&mut self, servers: &[NtpServer], now: BootTime) -> bool {
        let before = self.0.len();
        self.0.retain(|known| servers.contains(&known.server));
        let is_removed = self.0.len() != before;
        for server in servers {
            if self.0.iter().all(|known| known.server != *server) {
                let server = server.clone();
                self.0.push(Server { server, is_asked: false, next: Some(now), heard: None, unanswered: 0 });
            }
        }
        is_removed
    }

    /// The questions that are due. Their servers are not asked again before [`NtpServers::answered`].
    pub(super) fn due(&mut self, about: AwsTime, now: BootTime) -> Vec<NtpOrder> {
        let due = self.0.iter_mut().filter(|known| !known.is_asked && known.next.is_some_and(|next| next <= now));
        due.map(|known| {
            known.is_asked = true;
            NtpOrder { server: known.server.clone(), about }
        })
        .collect()
    }

    /// The time of the next question.
    pub(super) fn next_query(&self) -> Option<BootTime> {
        self.0.iter().filter(|known| !known.is_asked).filter_map(|known| known.next).min()
    }

    /// After a change, earlier answers may be wrong, and servers may be in reach: all are asked again, except those that refused,
    /// and not sooner than `age` after their last answer.
    pub(super) fn ask_again(&mut self, age: TimeDelta, now: BootTime) {
        for known in self.0.iter_mut().filter(|known| !known.is_asked) {
            if let Some(heard) = known.heard.as_ref().filter(|heard| is_willing(&heard.said)) {
                let again = (heard.at + age).max(now);
                known.next = known.next.map(|next| next.min(again));
                known.unanswered = 0;
            }
        }
    }

    /// A server answered, or did not. Returns what to log; `None` if it is not in the settings any more.
    pub(super) fn answered(
        &mut self,
        server: &NtpServer,
        result: Result<NtpAnswer, NtpProblem>,
        jumped_at: Option<BootTime>,
        now: BootTime,
    ) -> Option<String> {
        let known = self.0.iter_mut().find(|known| known.server == *server)?;
        known.is_asked = false;
        known.next = match &result {
            // It was asked before a clock jumped, so its answer is about the time before.
            Ok(answer) if jumped_at.is_some_and(|jumped_at| answer.sent < jumped_at) => Some(now),
            Ok(_) => Some(now + QUERY_INTERVAL),
            Err(NtpProblem::NoAnswer(_) | NtpProblem::NoSuchHost(_)) => {
                let wait = RETRY_INTERVAL * (1 << known.unanswered.min(6));
                known.unanswered += 1;
                Some(now + wait.min(QUERY_INTERVAL))
            }
            Err(NtpProblem::KissOfDeath { never_again: true, .. }) => None,
            Err(_) => Some(now + REFUSED_INTERVAL),
        };
        if result.is_ok() {
            known.unanswered = 0;
        }
        let message = match &result {
            Ok(_) => format!("NTP server {server} answered"),
            Err(problem) => format!("NTP server {server} {problem}"),
        };
        known.heard = Some(NtpHeard { at: now, said: result });
        Some(message)
    }

    /// The last answers.
    pub(super) fn answers(&self) -> impl Iterator<Item = &NtpAnswer> {
        self.0.iter().filter_map(|known| known.heard.as_ref()?.said.as_ref().ok())
    }

    /// The last answer of each server, or why there is none; `None` before the first one.
    pub(super) fn heard(&self) -> impl Iterator<Item = (&NtpServer, Option<&NtpHeard>)> {
        self.0.iter().map(|known| (&known.server, known.heard.as_ref()))
    }
}

/// Whether a server gave the time, or may give it as soon as it can be reached.
fn is_willing(said: &Result<NtpAnswer, NtpProblem>) -> bool {
    matches!(said, Ok(_) | Err(NtpProblem::NoAnswer(_) | NtpProblem::NoSuchHost(_)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::settings::Settings;

    const fn at(minutes: i64) -> BootTime {
        BootTime::from_millis(minutes * 60_000)
    }

    /// One server that was asked at minute 0.
    fn asked() -> (NtpServers, NtpServer) {
        let settings = Settings::parse("[clock]\nntp = [\"ntp.example\"]").unwrap().keeper().ntp;
        let mut servers = NtpServers::default();
        servers.follow(&settings, at(0));
        assert_eq!(servers.due(AwsTime::from_millis(0), at(0)).len(), 1);
        assert_eq!(servers.next_query(), None, "its answer is waited for");
        (servers, settings[0].clone())
    }

    #[test]
    fn a_server_out_of_reach_is_asked_after_a_minute_and_then_less_often() {
        let (mut servers, server) = asked();
        for next in [1, 2, 4] {
            servers.answered(&server, Err(NtpProblem::NoAnswer("no route".into())), None, at(0));
            assert_eq!(servers.next_query(), Some(at(next)));
            servers.due(AwsTime::from_millis(0), at(next));
        }
    }

    #[test]
    fn a_change_asks_servers_out_of_reach_again_and_those_that_refused_not() {
        let (mut servers, server) = asked();
        servers.answered(&server, Err(NtpProblem::NoAnswer("no route".into())), None, at(0));
        servers.ask_again(TimeDelta::zero(), at(0));
        assert_eq!(servers.next_query(), Some(at(0)));
        servers.answered(&server, Err(NtpProblem::Unsynchronised), None, at(0));
        servers.ask_again(TimeDelta::zero(), at(1));
        assert_eq!(servers.next_query(), Some(at(240)));
        assert!(servers.follow(&[], at(2)), "it was removed from the settings");
    }
}
