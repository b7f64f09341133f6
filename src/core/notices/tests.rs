//! What is shown when, as a story each, and over random days.

use proptest::prelude::*;

use super::*;
use crate::core::keeper::{CLOCK_SKEWED, MFA_REQUIRED};
use crate::core::settings::{QuietHours, Settings};

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

/// A desk: the machine since its boot, and the clock on the wall of the person.
struct Desk {
    notices: Notices,
    boot: i64,
    /// Milliseconds since midnight, where the person is.
    local: i64,
    shown: Vec<Message>,
}

fn notify(text: &str) -> Notify {
    Settings::parse(&format!("[notify]\n{text}")).unwrap_or_else(|error| panic!("{}", error.render("f"))).notify
}

fn notice(id: &'static str, subject: &str, worse: u32, is_over: bool) -> Notice {
    let message = format!("{id} of {subject} ({worse})");
    Notice { id, subject: subject.to_owned(), worse, is_over, message, fix: Some("evercred login".to_owned()) }
}

fn time_of_day(millis: i64) -> NaiveTime {
    let midnight = NaiveTime::from_hms_opt(0, 0, 0).unwrap();
    midnight.overflowing_add_signed(TimeDelta::milliseconds(millis)).0
}

impl Desk {
    /// At a full hour.
    fn at(settings: &str, hour: i64) -> Self {
        Self { notices: Notices::new(notify(settings)), boot: HOUR, local: hour * HOUR, shown: Vec::new() }
    }

    fn now(&self) -> (BootTime, NaiveTime) {
        (BootTime::from_millis(self.boot), time_of_day(self.local))
    }

    fn collect(&mut self) {
        let (now, local) = self.now();
        let Notify { desktop, quiet } = &self.notices.settings;
        let may_show = *desktop && quiet.is_none_or(|quiet| quiet.left(local).is_none());
        while let Some(message) = self.notices.poll_message() {
            assert!(may_show, "shown at {local}, desktop {}: {message:?}", self.notices.settings.desktop);
            self.shown.push(message);
        }
        assert!(self.notices.next_timeout().is_none_or(|at| at > now), "a timeout that is never done");
    }

    fn tell(&mut self, notice: Notice) {
        let (now, local) = self.now();
        self.notices.handle(notice, now, local);
        self.collect();
    }

    fn login_needed(&mut self, subject: &str) {
        self.tell(notice("sso-login-needed", subject, 0, false));
    }

    fn over(&mut self, subject: &str) {
        self.tell(notice("sso-login-needed", subject, 0, true));
    }

    fn set(&mut self, settings: &str) {
        let (now, local) = self.now();
        self.notices.set(notify(settings), now, local);
        self.collect();
    }

    /// From wake-up to wake-up; how many there were.
    fn pass(&mut self, millis: i64) -> usize {
        let end = self.boot + millis;
        let mut wakeups = 0;
        while let Some(at) = self.notices.next_timeout().map(BootTime::as_millis).filter(|at| *at <= end) {
            self.local += at - self.boot;
            self.boot = at;
            self.wake();
            wakeups += 1;
        }
        self.local += end - self.boot;
        self.boot = end;
        wakeups
    }

    fn wake(&mut self) {
        let (now, local) = self.now();
        self.notices.handle_timeout(now, local);
        self.collect();
    }
}

#[test]
fn what_comes_in_a_burst_is_one_message_and_what_comes_later_another() {
    let mut desk = Desk::at("quiet = \"\"", 12);
    for name in ["a", "b", "c"] {
        desk.login_needed(name);
        desk.pass(500);
    }
    assert!(desk.shown.is_empty());
    desk.pass(SECOND);
    assert_eq!(desk.shown.len(), 1);
    for name in ["a", "b", "c"] {
        assert!(desk.shown[0].body.contains(&format!("of {name} ")), "{:?}", desk.shown);
    }
    desk.login_needed("d");
    desk.pass(HOUR);
    assert_eq!(desk.shown.len(), 2);
    assert_eq!(desk.notices.next_timeout(), None, "and no wake-up");
}

#[test]
fn one_cause_is_shown_again_only_when_it_was_over_or_got_worse() {
    let mut desk = Desk::at("quiet = \"\"", 12);
    for _ in 0..5 {
        desk.login_needed("corp");
        desk.pass(MINUTE);
    }
    assert_eq!(desk.shown.len(), 1);
    desk.login_needed("other");
    desk.pass(MINUTE);
    assert_eq!(desk.shown.len(), 2, "another subject is another cause");
    desk.over("corp");
    desk.pass(MINUTE);
    assert_eq!(desk.shown.len(), 2, "what is over is not shown");
    desk.login_needed("corp");
    desk.pass(MINUTE);
    assert_eq!(desk.shown.len(), 3);
    for (worse, shown) in [(1, 4), (1, 4), (2, 5), (1, 5), (2, 5)] {
        desk.tell(notice(CLOCK_SKEWED, "", worse, false));
        desk.pass(MINUTE);
        assert_eq!(desk.shown.len(), shown, "{worse}");
    }
}

#[test]
fn what_is_over_before_it_was_shown_is_not_shown() {
    let mut desk = Desk::at("quiet = \"\"", 12);
    desk.login_needed("corp");
    desk.login_needed("other");
    desk.over("corp");
    desk.pass(MINUTE);
    assert_eq!(desk.shown.len(), 1);
    assert!(!desk.shown[0].body.contains("corp"), "{:?}", desk.shown);
    desk.login_needed("corp");
    desk.over("corp");
    assert_eq!(desk.pass(MINUTE), 0, "nothing waits");
}

#[test]
fn the_night_is_quiet_and_the_morning_has_one_message_of_what_is_not_over() {
    let mut desk = Desk::at("quiet = \"22:00-07:00\"", 21);
    desk.pass(HOUR);
    desk.login_needed("corp");
    desk.pass(3 * HOUR);
    desk.tell(notice(CLOCK_SKEWED, "", 1, false));
    desk.tell(notice(MFA_REQUIRED, "device", 0, false));
    desk.pass(2 * HOUR);
    desk.over("corp");
    desk.tell(notice(CLOCK_SKEWED, "", 2, false));
    desk.pass(4 * HOUR - 1);
    assert!(desk.shown.is_empty(), "{:?}", desk.shown);
    desk.pass(1);
    assert_eq!(desk.shown.len(), 1, "at seven");
    let body = &desk.shown[0].body;
    assert!(body.contains("device") && body.contains("clock-skewed of (2)"), "{body}");
    assert!(!body.contains("corp") && !body.contains("(1)"), "{body}");
    desk.pass(14 * HOUR);
    assert_eq!(desk.shown.len(), 1);
}

#[test]
fn a_burst_that_runs_into_the_quiet_hours_waits_for_their_end() {
    let mut desk = Desk::at("quiet = \"22:00-07:00\"", 21);
    desk.pass(HOUR - SECOND);
    desk.login_needed("corp");
    desk.pass(8 * HOUR);
    assert!(desk.shown.is_empty());
    desk.pass(HOUR + SECOND);
    assert_eq!(desk.shown.len(), 1);
}

#[test]
fn quiet_hours_end_by_the_clock_on_the_wall_also_where_that_leaps() {
    for (leap, message_after) in [(HOUR, 8 * HOUR), (-HOUR, 10 * HOUR)] {
        // Summer time begins or ends in the night.
        let mut desk = Desk::at("quiet = \"22:00-07:00\"", 22);
        desk.login_needed("corp");
        desk.pass(5 * HOUR);
        desk.local += leap;
        let left = message_after - 5 * HOUR;
        desk.pass(left - SECOND);
        assert!(desk.shown.is_empty(), "{leap}");
        desk.pass(15 * MINUTE);
        assert_eq!(desk.shown.len(), 1, "{leap}");
    }
    // A person sets the clock to noon: it is noticed with the next look, and with the event of the set clock at once.
    let mut desk = Desk::at("quiet = \"22:00-07:00\"", 23);
    desk.login_needed("corp");
    desk.local = 12 * HOUR;
    desk.wake();
    assert!(desk.shown.is_empty(), "the burst is not over");
    desk.pass(2 * SECOND);
    assert_eq!(desk.shown.len(), 1);
}

#[test]
fn a_night_in_which_something_waits_costs_few_wake_ups_and_any_other_none() {
    let mut desk = Desk::at("quiet = \"22:00-07:00\"", 22);
    assert_eq!(desk.pass(9 * HOUR), 0);
    let mut desk = Desk::at("quiet = \"22:00-07:00\"", 22);
    desk.login_needed("corp");
    let wakeups = desk.pass(10 * HOUR);
    assert!((1..=37).contains(&wakeups), "{wakeups}");
}

#[test]
fn a_desktop_that_is_turned_off_gets_nothing_and_one_that_is_turned_on_what_is_not_over() {
    let mut desk = Desk::at("desktop = false\nquiet = \"\"", 12);
    desk.login_needed("corp");
    desk.login_needed("other");
    assert_eq!(desk.pass(HOUR), 0);
    assert!(desk.shown.is_empty());
    desk.over("other");
    desk.set("quiet = \"\"");
    assert_eq!(desk.shown.len(), 1);
    assert!(desk.shown[0].body.contains("corp") && !desk.shown[0].body.contains("other"), "{:?}", desk.shown);
    // In the middle of a burst.
    desk.login_needed("third");
    desk.set("desktop = false");
    desk.pass(HOUR);
    assert_eq!(desk.shown.len(), 1);
}

#[test]
fn quiet_hours_by_day_and_over_midnight_are_what_lies_between() {
    let quiet = |text: &str| notify(&format!("quiet = \"{text}\"")).quiet.unwrap();
    let left =
        |quiet: QuietHours, minutes: i64| quiet.left(time_of_day(minutes * MINUTE)).map(|left| left.num_minutes());
    let (night, noon) = (quiet("22:00-07:00"), quiet("12:00-13:30"));
    for (minutes, at_night, at_noon) in [
        (0, Some(420), None),
        (419, Some(1), None),
        (420, None, None),
        (719, None, None),
        (720, None, Some(90)),
        (809, None, Some(1)),
        (810, None, None),
        (1_319, None, None),
        (1_320, Some(540), None),
        (1_439, Some(421), None),
    ] {
        assert_eq!((left(night, minutes), left(noon, minutes)), (at_night, at_noon), "{minutes}");
    }
}

#[derive(Clone, Debug)]
enum Step {
    Tell {
        subject: usize,
        worse: u32,
    },
    Over {
        subject: usize,
    },
    Pass {
        millis: i64,
    },
    /// A clock is set, a zone changes.
    Leap {
        millis: i64,
    },
    Set {
        desktop: bool,
        quiet: usize,
    },
}

const QUIET: [&str; 4] = ["", "22:00-07:00", "09:00-17:00", "00:00-23:59"];
const SUBJECTS: [&str; 4] = ["a", "b", "c", "d"];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..SUBJECTS.len(), 0..3u32).prop_map(|(subject, worse)| Step::Tell { subject, worse }),
        2 => (0..SUBJECTS.len()).prop_map(|subject| Step::Over { subject }),
        3 => (0..4 * HOUR).prop_map(|millis| Step::Pass { millis }),
        2 => (0..3 * SECOND).prop_map(|millis| Step::Pass { millis }),
        1 => (-26 * HOUR..26 * HOUR).prop_map(|millis| Step::Leap { millis }),
        1 => (any::<bool>(), 0..QUIET.len()).prop_map(|(desktop, quiet)| Step::Set { desktop, quiet }),
    ];
    proptest::collection::vec(step, 1..60)
}

/// What is not over: how bad it is, and how bad it was when it was shown.
type Truth = BTreeMap<usize, (u32, Option<u32>)>;

/// Holds what was shown since the last look against the truth.
fn check(desk: &mut Desk, truth: &mut Truth) {
    for message in std::mem::take(&mut desk.shown) {
        let mut listed = 0;
        for (at, subject) in SUBJECTS.iter().enumerate() {
            let mentions = message.body.matches(&format!("of {subject} ")).count();
            assert!(mentions <= 1, "{message:?}");
            if mentions == 0 {
                continue;
            }
            listed += 1;
            let (worse, shown) = truth.get_mut(&at).unwrap_or_else(|| panic!("it is over: {message:?}"));
            assert!(message.body.contains(&format!("of {subject} ({worse})")), "not as it is: {message:?}");
            assert!(shown.is_none_or(|shown| shown < *worse), "shown twice: {message:?}");
            *shown = Some(*worse);
        }
        assert!(listed > 0, "{message:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn over_random_days_nothing_is_shown_twice_or_in_quiet_hours_and_nothing_is_lost(steps in steps()) {
        let mut desk = Desk::at("", 12);
        let mut truth = Truth::new();
        for step in steps {
            match step {
                Step::Tell { subject, worse } => {
                    let known = truth.get(&subject).copied();
                    if known.is_none_or(|(known, _)| worse > known) {
                        let shown = known.and_then(|(_, shown)| shown);
                        truth.insert(subject, (worse, shown));
                    }
                    desk.tell(notice("sso-login-needed", SUBJECTS[subject], worse, false));
                }
                Step::Over { subject } => {
                    truth.remove(&subject);
                    desk.over(SUBJECTS[subject]);
                }
                Step::Pass { millis } => {
                    desk.pass(millis);
                }
                Step::Leap { millis } => {
                    desk.local += millis;
                    desk.wake();
                }
                Step::Set { desktop, quiet } => {
                    desk.set(&format!("desktop = {desktop}\nquiet = \"{}\"", QUIET[quiet]));
                }
            }
            check(&mut desk, &mut truth);
        }
        desk.set("quiet = \"\"");
        desk.pass(3 * SECOND);
        check(&mut desk, &mut truth);
        for (subject, (worse, shown)) in truth {
            prop_assert_eq!(shown, Some(worse), "{} was never shown", SUBJECTS[subject]);
        }
    }
}
