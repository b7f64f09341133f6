//! Watches the clock: looks at AWS's time when nothing was heard for a while, and tells a person once when this machine's
//! clock gets worse, and once when it is right again.

use std::cmp::Reverse;
use std::collections::{HashSet, VecDeque};

use chrono::TimeDelta;

use super::Keeper;
use super::api::{Action, LogLevel, Notice, Outcome, Warning};
use super::timers::Timer;
use crate::core::aws_error::is_unreached;
use crate::core::cause::Cause;
use crate::core::clock::{Crossing, Grade, LIMITS, Sample, Trust};
use crate::core::plan::Endpoint;
use crate::core::time::{BootTime, Now};
use crate::core::url_host::{Host, target};

/// A look is made when nothing was heard for this long.
const USUALLY: TimeDelta = TimeDelta::hours(1);
/// The same while something is wrong with the clock.
const CLOSELY: TimeDelta = TimeDelta::minutes(15);
/// After a look that brought nothing, and after more of them; then as usual. A laptop that wakes has a network soon.
const RETRIES: [TimeDelta; 4] = [TimeDelta::minutes(1), TimeDelta::minutes(5), CLOSELY, TimeDelta::minutes(30)];
/// The same within two minutes of a change of the network, a resume and the like: name look-up and routes come some seconds
/// after the network itself.
const SETTLING: [TimeDelta; 5] = [
    TimeDelta::seconds(1),
    TimeDelta::seconds(2),
    TimeDelta::seconds(4),
    TimeDelta::seconds(8),
    TimeDelta::seconds(15),
];
const SETTLED: TimeDelta = TimeDelta::minutes(2);
/// So many looks in half an hour and no more: a clock that is set all the time is no reason for as many requests.
const AT_ONCE: usize = 30;
const PER: TimeDelta = TimeDelta::minutes(30);
/// So many looks in a minute follow each other at once; each one more is put off by this and as much again.
const CLOSE: usize = 3;
const APART: TimeDelta = TimeDelta::seconds(2);
/// What was foretold is foretold again after this.
const FORGOTTEN: TimeDelta = TimeDelta::hours(24);
/// So many endpoints are remembered that are not believed.
const MOST_DISBELIEVED: usize = 16;
/// An endpoint that ranks higher than what was heard is looked at before it is called, and not again within this.
const HIGHER_AGAIN: TimeDelta = TimeDelta::minutes(5);
/// The problem's id.
pub const CLOCK_SKEWED: &str = Cause::ClockSkewed.name();

/// What is remembered of looks and of what was told.
#[derive(Default)]
pub(super) struct ClockWatch {
    /// Where to look when nothing else says where. Without it nothing is looked at that no call needs.
    pub(super) home: Option<Endpoint>,
    /// Who was believed last.
    heard_from: Option<Endpoint>,
    /// What was last heard from whom, and not believed as it contradicts a better source.
    disbelieved: Vec<(Endpoint, Sample)>,
    /// The endpoint that was last looked at because it ranks higher than what was heard, and when.
    higher: Option<(Endpoint, BootTime)>,
    /// The last looks, oldest first.
    looks: VecDeque<BootTime>,
    /// Looks in a row that brought nothing.
    failed: usize,
    /// How many of them were made while things settled.
    settling: usize,
    /// Why the last one did.
    why: Option<String>,
    /// Whether there was no answer to it at all.
    unreached: bool,
    /// When something changed that they, and other failures, may have come from.
    pub(super) changed_at: Option<BootTime>,
    told: Option<Grade>,
    /// How often it has got worse since it was right.
    worse: u32,
    /// The error whose crossing was foretold, and when.
    foretold: Option<(TimeDelta, BootTime)>,
}

impl ClockWatch {
    /// An endpoint's answer was believed.
    pub(super) fn believed(&mut self, endpoint: &Endpoint) {
        self.contradicts_no_more(endpoint);
        self.heard_from = Some(endpoint.clone());
    }

    /// An endpoint's answer contradicts nothing.
    pub(super) fn contradicts_no_more(&mut self, endpoint: &Endpoint) {
        self.disbelieved.retain(|(other, _)| other != endpoint);
    }

    /// A look is made.
    pub(super) fn looked(&mut self, now: Now) {
        if self.looks.len() == AT_ONCE {
            self.looks.pop_front();
        }
        self.looks.push_back(now.boot);
    }

    /// There is a new doubt: whatever failed before, the next look is soon.
    pub(super) fn doubted(&mut self, now: Now) {
        (self.failed, self.settling) = (0, 0);
        self.changed_at = Some(now.boot);
    }

    /// A look has ended; `heard_at` is when AWS was heard last.
    pub(super) fn look_ended(&mut self, heard_at: Option<BootTime>, outcome: Outcome) {
        self.unreached = matches!(&outcome, Outcome::Failed(fault) if is_unreached(fault));
        self.why = match outcome {
            Outcome::Failed(fault) => Some(fault.to_string()),
            _ => None,
        };
        if heard_at >= self.looks.back().copied() {
            (self.failed, self.settling) = (0, 0);
            return;
        }
        self.failed = self.failed.saturating_add(1);
        if self.settles() {
            self.settling = self.failed;
        }
    }

    /// Whether the last look since the last doubt had no answer.
    pub(super) fn reached_nobody(&self) -> bool {
        self.failed > 0 && self.unreached
    }

    /// When to look if nothing is heard until then.
    fn due(&self, heard_at: Option<BootTime>, closely: bool) -> Option<BootTime> {
        let usually = if closely { CLOSELY } else { USUALLY };
        let last = self.looks.back().copied();
        let retry = |at: usize| match self.settles() {
            true => SETTLING[at.min(SETTLING.len() - 1)],
            // The eager ones don't count: minutes come after seconds, not an hour.
            false => RETRIES.get(at.saturating_sub(self.settling)).copied().unwrap_or(USUALLY),
        };
        let wait = self.failed.checked_sub(1).map_or(usually, retry);
        Some(heard_at.max(last)? + wait)
    }

    /// Whether the last look was made while things settled after a change.
    fn settles(&self) -> bool {
        self.changed_at.zip(self.looks.back()).is_some_and(|(changed, last)| *last - changed < SETTLED)
    }

    /// Not before this, whoever waits for it: doubts come in bursts, and each asks for a look.
    pub(super) fn not_sooner(&self, now: BootTime) -> Option<BootTime> {
        let last = *self.looks.back()?;
        let recent = self.looks.iter().rev().take_while(|at| now - **at < TimeDelta::minutes(1)).count();
        let more = i32::try_from(recent.saturating_sub(CLOSE)).unwrap_or(i32::MAX);
        Some(last + APART * more).filter(|at| *at > now)
    }

    /// Not before this, whatever is in doubt.
    fn not_before(&self) -> Option<BootTime> {
        self.looks.front().filter(|_| self.looks.len() == AT_ONCE).map(|first| *first + PER)
    }
}

impl Keeper {
    /// Where to ask for the time instead of `endpoint`: the one that was believed last, as long as any profile means it.
    pub(super) fn most_trusted<'a>(&'a self, endpoint: &'a Endpoint) -> &'a Endpoint {
        let is_in_use = |heard_from: &&Endpoint| self.places().contains(heard_from);
        self.clock_watch.heard_from.as_ref().filter(is_in_use).unwrap_or(endpoint)
    }

    /// Whether an endpoint ranks higher than what was heard.
    fn ranks_higher(&self, endpoint: &Endpoint) -> bool {
        self.clock.rank().is_some_and(|rank| rank_of(endpoint) > rank)
    }

    /// The endpoints that rank higher than what was heard.
    fn higher_places(&self) -> usize {
        if self.clock.rank() == Some(Trust::Authenticated) {
            return 0;
        }
        self.places().into_iter().filter(|place| self.ranks_higher(place)).count()
    }

    /// Whether a call waits for a look at its endpoint, as that ranks higher than what was heard: what an emulator says of the
    /// time is not what AWS is signed by.
    pub(super) fn looks_higher_first(&mut self, endpoint: &Endpoint, now: Now) -> bool {
        if !self.settings.probe || !self.ranks_higher(endpoint) {
            return false;
        }
        if self.time_check.in_flight.is_some() {
            return true;
        }
        let was_looked_at = |(place, at): &(Endpoint, BootTime)| place == endpoint && now.boot - *at < HIGHER_AGAIN;
        if self.clock_watch.higher.as_ref().is_some_and(was_looked_at) {
            return false;
        }
        if !self.must_wait_to_look(now) {
            self.clock_watch.higher = Some((endpoint.clone(), now.boot));
            self.probe(endpoint.clone(), now);
        }
        true
    }

    /// An answer was not believed. It is said once for each endpoint.
    pub(super) fn disbelieve(&mut self, endpoint: &Endpoint, sample: Sample) {
        let disbelieved = &mut self.clock_watch.disbelieved;
        if let Some((_, earlier)) = disbelieved.iter_mut().find(|(other, _)| other == endpoint) {
            *earlier = sample;
            return;
        }
        if disbelieved.len() == MOST_DISBELIEVED {
            disbelieved.remove(0);
        }
        disbelieved.push((endpoint.clone(), sample));
        let message = format!(
            "the time of {} is not believed: it contradicts what was heard from a source that ranks higher, or came first",
            endpoint.url.as_deref().unwrap_or("AWS")
        );
        self.log(LogLevel::Info, None, message);
    }

    /// What was last heard from endpoints that are not believed.
    pub fn disbelieved(&self) -> impl Iterator<Item = (&Endpoint, Sample)> {
        self.clock_watch.disbelieved.iter().map(|(endpoint, sample)| (endpoint, *sample))
    }

    /// Sees to it that AWS's time stays known, and tells of the clock.
    pub(super) fn watch_clock(&mut self, now: Now) {
        let grade = self.clock.settle(now, self.settings.warn);
        let is_looking = self.time_check.in_flight.is_some();
        // While a doubt is being looked into, what is known may be of another time. An emulator alone raises no alarm before AWS
        // was asked.
        let higher = self.higher_places();
        let is_in_doubt = self.clock.is_suspect() && (is_looking || self.must_look());
        let may_ask = self.settings.probe && self.clock_watch.home.is_some();
        let is_asked = may_ask && self.clock_watch.failed < higher;
        if !is_in_doubt && !is_asked {
            self.tell_of_clock(grade, now);
        }
        if !self.settings.probe || is_looking {
            return;
        }
        let Some(endpoint) = self.where_to_look(higher > 0) else { return };
        let closely = grade > Grade::Ok || self.clock.is_restless();
        let heard_at = self.clock.heard_at().filter(|_| higher == 0);
        let due = self.clock_watch.due(heard_at, closely).filter(|_| !self.must_look());
        let due = due.max(self.clock_watch.not_sooner(now.boot)).max(self.clock_watch.not_before());
        match due.filter(|due| *due > now.boot) {
            Some(due) => self.timers.set(Timer::TimeProbe, due),
            None => self.probe(endpoint, now),
        }
    }

    /// Until when nothing is called but what somebody waits for. While things settle after a change the look at AWS's time,
    /// which goes ahead of all calls, tells for all of them whether there is a network: as long as it reaches nobody they
    /// would fail as well, one by one.
    pub(super) fn waits_for_network_until(&self, now: Now) -> Option<BootTime> {
        let watch = &self.clock_watch;
        let until = watch.changed_at.map(|at| at + SETTLED).filter(|until| *until > now.boot)?;
        let may_look = self.settings.probe && watch.home.is_some() && watch.not_before() <= Some(now.boot);
        (may_look && self.clock.is_suspect() && watch.reached_nobody()).then_some(until)
    }

    /// Looks at AWS's time, unless a look was made since then: where it answers, there is a network.
    pub(super) fn look_once_since(&mut self, since: BootTime, now: Now) {
        let looked = self.clock_watch.looks.back().is_some_and(|last| *last >= since);
        if looked || !self.settings.probe || self.clock_watch.not_before().is_some_and(|at| at > now.boot) {
            return;
        }
        if let Some(endpoint) =
            self.where_to_look(self.higher_places() > 0).filter(|_| self.time_check.in_flight.is_none())
        {
            self.probe(endpoint, now);
        }
    }

    /// The STS endpoint in use: the one that was believed last, as long as a profile still means it, then those of the
    /// profiles, used ones first, and the one for no profile at all; where one of them ranks higher than what was heard, the
    /// highest. After a look that failed it is the next one's turn.
    fn where_to_look(&self, is_outranked: bool) -> Option<Endpoint> {
        self.clock_watch.home.as_ref()?;
        let mut places = self.places();
        if is_outranked {
            places.sort_by_key(|place| Reverse(rank_of(place)));
        } else if let Some(at) = places.iter().position(|place| self.clock_watch.heard_from.as_ref() == Some(*place)) {
            places.swap(0, at);
        }
        places.get(self.clock_watch.failed % places.len()).map(|endpoint| (*endpoint).clone())
    }

    /// Where AWS's time can be asked for: the endpoints of the profiles, used ones first, and the one for no profile at all.
    fn places(&self) -> Vec<&Endpoint> {
        let of = |name: &String| Some(&*self.profiles.get(name)?.as_ref().ok()?.plan.endpoint);
        let (mut places, mut seen): (Vec<&Endpoint>, HashSet<&Endpoint>) = (Vec::new(), HashSet::new());
        let used = self.memory.last_asked.keys().filter_map(of).chain(&self.clock_watch.home);
        for endpoint in used.chain(self.dependents.endpoints()) {
            if seen.insert(endpoint) {
                places.push(endpoint);
            }
        }
        places
    }

    /// Once when it gets worse, once when it is mended, once before a limit is passed.
    fn tell_of_clock(&mut self, grade: Grade, now: Now) {
        if grade == Grade::Unknown {
            return;
        }
        let told = self.clock_watch.told.replace(grade).unwrap_or(Grade::Ok);
        if grade > told {
            self.clock_watch.worse += 1;
            let message = self.clock_message(grade, now);
            return self.tell_how_the_clock_is(false, message);
        }
        if grade == Grade::Ok && told > Grade::Ok {
            self.clock_watch.foretold = None;
            return self.tell_how_the_clock_is(true, "this machine's clock is right again".to_owned());
        }
        match self.clock.crossings(now).first() {
            Some(crossing)
                if self
                    .clock_watch
                    .foretold
                    .is_none_or(|(error, at)| error != crossing.error || now.boot - at > FORGOTTEN) =>
            {
                // What is foretold again a day later is the same thing.
                let earlier = self.clock_watch.foretold.replace((crossing.error, now.boot));
                self.clock_watch.worse += u32::from(earlier.is_none_or(|(error, _)| error != crossing.error));
                self.tell_how_the_clock_is(false, foretell(crossing));
            }
            None if grade == Grade::Ok
                && self.clock_watch.foretold.take_if(|(_, at)| now.boot - *at > FORGOTTEN).is_some() =>
            {
                let message = "what was foretold of this machine's clock has not come: it is right".to_owned();
                self.tell_how_the_clock_is(true, message);
            }
            _ => {}
        }
    }

    fn tell_how_the_clock_is(&mut self, is_over: bool, message: String) {
        let subject = String::new();
        let notice = Notice { id: CLOCK_SKEWED, subject, worse: self.clock_watch.worse, is_over, message, fix: None };
        if is_over {
            self.clock_watch.worse = 0;
        }
        self.actions.push_back(Action::Notice(notice));
    }

    /// Why the last look at AWS's time brought nothing.
    pub fn why_no_look(&self) -> Option<&str> {
        self.clock_watch.why.as_deref()
    }

    /// What a person should know of the clock now.
    pub fn clock_warning(&self, now: Now) -> Option<Warning> {
        let grade = self.clock.grade(now, self.settings.warn);
        let message = match self.clock.crossings(now).first() {
            _ if grade > Grade::Ok => self.clock_message(grade, now),
            Some(crossing) => foretell(crossing),
            None => return None,
        };
        Some(Warning { id: CLOCK_SKEWED, message, fix: Some("evercred clock".to_owned()), file: None })
    }

    /// The clock skew and its consequence, as a sentence.
    fn clock_message(&self, grade: Grade, now: Now) -> String {
        let (error, uncertainty) = self.clock.wall_error(now);
        let refusing = match grade {
            Grade::Critical => format!("{} refuses requests signed with this clock", LIMITS[1].who),
            Grade::Warning => format!("{} refuse requests signed with this clock", LIMITS[0].who),
            Grade::Unknown | Grade::Ok | Grade::Notice => {
                format!(
                    "at {} min, the first AWS services refuse requests signed with this clock",
                    LIMITS[0].size.num_minutes()
                )
            }
        };
        let whose = if self.clock.is_known_by_ntp() {
            "the time of the NTP servers (AWS has not answered yet)"
        } else {
            "AWS's time"
        };
        format!("this machine's clock is {} {whose} (give or take {}): {refusing}", how_far(error), spoken(uncertainty))
    }
}

/// The rank that an endpoint's answers have.
fn rank_of(endpoint: &Endpoint) -> Trust {
    let url = endpoint.url.as_deref().map(target);
    let is_aws = url.is_none_or(|url| url.owner() == Host::Aws);
    Trust::of(url.is_some(), url.is_none_or(|url| url.scheme == "https"), is_aws)
}

/// The next limit that the drift reaches, and when, as a sentence.
pub fn foretell(crossing: &Crossing) -> String {
    let refusing = LIMITS.iter().find(|limit| limit.size == crossing.error.abs()).map_or("AWS", |limit| limit.who);
    format!(
        "in about {} this clock will be {} AWS time, and {refusing} will refuse requests signed with it",
        spoken(crossing.after),
        how_far(crossing.error)
    )
}

fn how_far(error: TimeDelta) -> String {
    format!("{} {}", spoken(error.abs()), if error < TimeDelta::zero() { "behind" } else { "ahead of" })
}

/// A length of time as a person says it, rounded.
fn spoken(length: TimeDelta) -> String {
    let tenths = (length.num_milliseconds() + 50) / 100;
    let seconds = (tenths + 5) / 10;
    match seconds {
        0..100 => format!("{}.{} s", tenths / 10, tenths % 10),
        100..6_000 => format!("{} min {} s", seconds / 60, seconds % 60).replace(" 0 s", ""),
        6_000..172_800 => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60).replace(" 0 min", ""),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_said_as_people_say_them() {
        for (millis, said) in [
            (1_449, "1.4 s"),
            (59_960, "60.0 s"),
            (240_000, "4 min"),
            (959_600, "16 min"),
            (961_000, "16 min 1 s"),
            (3_599_997, "60 min"),
            (7_200_400, "2 h"),
            (39_600_000 + 300_000, "11 h 5 min"),
            (300 * 86_400_000, "300 days"),
        ] {
            assert_eq!(spoken(TimeDelta::milliseconds(millis)), said);
        }
    }
}
