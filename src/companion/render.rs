//! Documents as people read them. Pure: text in, text out.

use std::collections::{BTreeMap, BTreeSet};

use unicode_width::UnicodeWidthStr;

use crate::core::aws_error::NOT_SUPPORTED;
use crate::core::fix::evercred;
use crate::core::keeper::State;
use crate::core::printable::line;
use crate::core::redact::without_whole_secrets;
use crate::core::session::described;
use crate::wire::{ClockStatus, ErrorEntry, ProblemEntry, ProfileEntry, SessionEntry, StatusDocument};

/// The tables of `status`. Of profiles that the user named, each error is shown, and what the user has to do first.
pub(super) fn status(document: &StatusDocument, is_named: bool, colour: bool) -> String {
    let mut rows = vec![["PROFILE", "KIND", "STATE", "VALID FOR", "RENEWS", "NOTE"].map(str::to_owned).to_vec()];
    // What is in use first, then the rest, each by name.
    let (auto_renewed, others): (Vec<_>, Vec<_>) = document.profiles.iter().partition(|profile| profile.auto_renew);
    let mut unusable = Counted::default();
    let listed_rows = others.into_iter().filter(|profile| match &profile.last_error {
        Some(error) if profile.state == State::Failed && !is_named => unusable.lists(&error.code),
        _ => true,
    });
    rows.extend(auto_renewed.into_iter().chain(listed_rows).map(row));
    let mut text =
        table(&rows, |row, cell| (colour && row > 0 && cell == 2).then(|| shade(&rows[row][cell])).flatten());
    if !document.sso_sessions.is_empty() {
        let mut rows = vec![["SESSION", "STATE", "TOKEN", "ENDS", "PROFILES", "NOTE"].map(str::to_owned).to_vec()];
        rows.extend(document.sso_sessions.iter().map(|session| session_row(session, document.now.as_deref())));
        text.push('\n');
        text.push_str(&table(&rows, |row, cell| {
            (colour && row > 0 && cell == 1).then(|| shade(&rows[row][cell])).flatten()
        }));
    }
    text.push_str(&format!("\n{}\n", clock(&document.clock)));
    for shown in shown_problems(document, is_named) {
        text.push_str(&format!("{}\n", shown.text));
        for (kind, pointer) in [("fix", shown.fix.as_deref()), ("see", shown.see)] {
            if let Some(pointer) = pointer {
                text.push_str(&format!("    {kind}: {pointer}\n"));
            }
        }
    }
    for (code, more) in unusable.left_out().into_iter().filter(|(code, _)| QUIET.contains(code)) {
        text.push_str(&format!("{more} more profiles with {}\n    see: evercred status --json\n", line(code)));
    }
    text
}

/// A problem below the tables.
pub(super) struct ShownProblem {
    text: String,
    fix: Option<String>,
    see: Option<&'static str>,
}

/// Where all entries are, if a screen has only the first ones.
const ALL: Option<&str> = Some("evercred status --json");

/// The problems that `status` shows; its exit code is 1 if there is one. Of profiles that the user named it shows each error,
/// and what the user has to do first.
pub(super) fn shown_problems(document: &StatusDocument, is_named: bool) -> Vec<ShownProblem> {
    let mut shown_problems = Vec::new();
    let mut add = |text: String, fix: Option<String>| shown_problems.push(ShownProblem { text, fix, see: None });
    let (problems, left_out) = listed(&document.problems);
    for problem in problems {
        let place = match (&problem.file, problem.line) {
            (Some(file), Some(line)) => format!("{file}:{line}: "),
            (Some(file), None) => format!("{file}: "),
            _ => String::new(),
        };
        add(format!("problem: {}{}", line(&place), shown(&problem.message)), problem.fix.as_deref().map(line));
    }
    if left_out > 0 {
        shown_problems.push(ShownProblem { text: format!("{left_out} more problems"), fix: None, see: ALL });
    }
    let mut errors = Counted::default();
    let mut sign_ins = BTreeSet::new();
    let in_use = document.sso_sessions.iter().filter(|session| session.profiles > 0 && !is_named);
    for session in in_use.filter(|session| session.state == State::NeedsLogin) {
        let (message, fix) = sign_in(session);
        if errors.lists("sessions that need a sign-in") {
            let count = session.profiles;
            let text = format!("{} ({count} {})", shown(&message), if count == 1 { "profile" } else { "profiles" });
            shown_problems.push(ShownProblem { text, fix: Some(shown(&fix)), see: None });
        }
        sign_ins.insert(fix);
    }
    for profile in &document.profiles {
        let error = if is_named { profile.last_error.as_ref() } else { shown_error(profile) };
        let (message, fix) = match error {
            // The line of the session says it, once for all profiles.
            Some(error) if error.fix.as_ref().is_some_and(|fix| sign_ins.contains(fix)) => continue,
            Some(error) if errors.lists(&error.code) => (message_of(profile, error), error.fix.clone()),
            None if is_named && profile.state == State::NeedsLogin => first_use(profile, document),
            _ => continue,
        };
        let text = format!("{}: {}", name(profile), shown(&message));
        shown_problems.push(ShownProblem { text, fix: fix.as_deref().map(shown), see: None });
    }
    for (code, more) in errors.left_out() {
        let kind = if code.contains(' ') { "" } else { "profiles with " };
        shown_problems.push(ShownProblem { text: format!("{more} more {kind}{}", line(code)), fix: None, see: ALL });
    }
    shown_problems
}

/// The error of a profile, after the remaining lifetime of its valid credentials: programs still get them.
fn message_of(profile: &ProfileEntry, error: &ErrorEntry) -> String {
    match profile.remaining_seconds.filter(|_| profile.valid == Some(true)) {
        Some(left) if profile.state == State::NeedsLogin => {
            format!("valid for {}; sign in or enter a code before the next renewal: {}", span(left), error.message)
        }
        Some(left) => format!("valid for {}; the last renewal failed: {}", span(left), error.message),
        None => error.message.clone(),
    }
}

/// Why a session needs a sign-in, and the command.
fn sign_in(session: &SessionEntry) -> (String, String) {
    let login = || evercred("login", session.login_name.as_ref().unwrap_or(&session.name));
    match &session.last_error {
        Some(error) => (error.message.clone(), error.fix.clone().unwrap_or_else(login)),
        None => (format!("you are not signed in to {}", described(&session.name)), login()),
    }
}

/// What the user has to do before the first use of a profile, and its command.
fn first_use(profile: &ProfileEntry, document: &StatusDocument) -> (String, Option<String>) {
    let session = profile.sso_session.as_ref();
    match session.and_then(|session| document.sso_sessions.iter().find(|entry| entry.name == *session)) {
        Some(session) => {
            let (what, fix) = sign_in(session);
            (what, Some(fix))
        }
        None => {
            let what = match profile.kind.as_str() {
                "sso" | "login" => "you are not signed in",
                _ => "it needs a code from its MFA device, or a sign-in",
            };
            (what.to_owned(), Some(evercred("login", &profile.name)))
        }
    }
}

/// The name of a profile, where a secret may be by mistake.
fn name(profile: &ProfileEntry) -> String {
    shown(&profile.name)
}

fn shown(text: &str) -> String {
    line(&without_whole_secrets(text))
}

/// The number of entries of one kind that are listed.
const LISTED: usize = 20;

/// Counts the entries of each kind, so that the first ones are listed.
#[derive(Default)]
struct Counted<'a>(BTreeMap<&'a str, usize>);

impl<'a> Counted<'a> {
    /// Counts one entry of a kind; whether it is listed.
    fn lists(&mut self, kind: &'a str) -> bool {
        let count = self.0.entry(kind).or_default();
        *count += 1;
        *count <= LISTED
    }

    /// How many of each kind are not listed.
    fn left_out(&self) -> Vec<(&'a str, usize)> {
        let more = self.0.iter().map(|(kind, count)| (*kind, count.saturating_sub(LISTED)));
        more.filter(|(_, more)| *more > 0).collect()
    }
}

/// The problems that are shown, and how many are left out: the first ones of each kind.
fn listed(problems: &[ProblemEntry]) -> (Vec<&ProblemEntry>, usize) {
    let mut counted = Counted::default();
    let listed: Vec<&ProblemEntry> = problems.iter().filter(|problem| counted.lists(&problem.id)).collect();
    let left_out = problems.len() - listed.len();
    (listed, left_out)
}

/// Errors of profiles that no program can use through the daemon; the table only notes them.
pub(super) const QUIET: [&str; 2] = [NOT_SUPPORTED, "no-credentials"];

/// The error that is shown below the table. While cached credentials are valid and evercred retries, there is nothing to do
/// for the user: the table has a note. Expired keys in a file are another tool's, and possibly no longer in use.
fn shown_error(profile: &ProfileEntry) -> Option<&ErrorEntry> {
    let is_retried = matches!(profile.state, State::Retrying | State::Renewing) && profile.valid == Some(true);
    let is_quiet = |code: &str| profile.state == State::Static || QUIET.contains(&code);
    profile.last_error.as_ref().filter(|error| !is_retried && !is_quiet(&error.code))
}

/// A frame of a display that is drawn anew: from the top left corner, each line's old rest away, and what was below too.
/// Nothing flickers.
pub(super) fn frame(text: &str) -> String {
    format!("\u{1b}[H{}\u{1b}[J", text.replace('\n', "\u{1b}[K\n"))
}

/// Seconds as people say them: the two largest units.
pub(super) fn span(seconds: i64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds % 86_400 / 3_600, seconds % 3_600 / 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, minutes) => format!("{minutes}m {}s", seconds % 60),
        (0, hours, minutes) => format!("{hours}h {minutes}m"),
        (days, hours, _) => format!("{days}d {hours}h"),
    }
}

/// Columns that line up, by the width of each cell on a terminal; the last one is not padded. `shade` may give a cell an escape sequence.
pub(super) fn table(rows: &[Vec<String>], shade: impl Fn(usize, usize) -> Option<&'static str>) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.width()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or_default()).collect();
    let mut text = String::new();
    for (at, row) in rows.iter().enumerate() {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let padding = " ".repeat(widths[column] - cell.width() + 2);
            match shade(at, column) {
                Some(escape) => line.push_str(&format!("{escape}{cell}\u{1b}[0m{padding}")),
                None => line.push_str(&format!("{cell}{padding}")),
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn row(profile: &ProfileEntry) -> Vec<String> {
    let dash = || "-".to_owned();
    let remaining = match (profile.valid, profile.remaining_seconds) {
        (Some(false), Some(_)) => "expired".to_owned(),
        (_, Some(seconds)) => span(seconds),
        (_, None) => dash(),
    };
    // Both times are AWS's, so their difference needs no clock.
    let renews = match (&profile.renew_at, &profile.expires_at, profile.remaining_seconds) {
        (Some(renew), Some(expires), Some(remaining)) => {
            seconds_between(renew, expires).map_or_else(dash, |rest| match remaining - rest {
                due if due <= 0 => "now".to_owned(),
                later => format!("in {}", span(later)),
            })
        }
        _ => dash(),
    };
    let note = match (&profile.last_error, &profile.last_renewal) {
        (Some(error), _) => error.code.clone(),
        (None, Some(renewal)) => renewal.reason.clone(),
        (None, None) => String::new(),
    };
    vec![name(profile), line(&profile.kind), profile_state(profile).to_owned(), remaining, renews, line(&note)]
}

fn session_row(session: &SessionEntry, now: Option<&str>) -> Vec<String> {
    let dash = || "-".to_owned();
    let left = |at: &Option<String>| seconds_between(now?, at.as_deref()?);
    let token =
        left(&session.expires_at).map_or_else(dash, |left| if left > 0 { span(left) } else { "expired".to_owned() });
    let ends = left(&session.ends_at)
        .map_or_else(dash, |left| if left > 0 { format!("in {}", span(left)) } else { "now".to_owned() });
    let note = session.last_error.as_ref().map(|error| error.code.clone()).unwrap_or_default();
    vec![line(&session.name), state(session.state).to_owned(), token, ends, session.profiles.to_string(), line(&note)]
}

/// From one RFC 3339 time to another.
pub(super) fn seconds_between(from: &str, to: &str) -> Option<i64> {
    let read = |text: &str| chrono::DateTime::parse_from_rfc3339(text).ok();
    Some((read(to)? - read(from)?).num_seconds())
}

fn state(state: State) -> &'static str {
    match state {
        State::Fresh => "fresh",
        State::Renewing => "renewing",
        State::Retrying => "retrying",
        State::NeedsLogin => "needs-login",
        State::Failed => "failed",
        State::Ready => "ready",
        State::Static => "static",
    }
}

/// The state of a profile. Valid credentials whose renewal failed are not a failed profile.
fn profile_state(profile: &ProfileEntry) -> &'static str {
    if profile.state == State::Failed && profile.valid == Some(true) { RENEWAL_FAILED } else { state(profile.state) }
}

const RENEWAL_FAILED: &str = "renewal failed";

fn shade(state: &str) -> Option<&'static str> {
    match state {
        "fresh" => Some("\u{1b}[32m"),
        "renewing" | "retrying" | RENEWAL_FAILED => Some("\u{1b}[33m"),
        "needs-login" | "failed" => Some("\u{1b}[31m"),
        _ => None,
    }
}

fn clock(clock: &ClockStatus) -> String {
    match (clock.offset_seconds, clock.uncertainty_seconds) {
        (Some(offset), Some(uncertainty)) => {
            let side = if offset < 0.0 { "behind" } else { "ahead of" };
            format!("clock: {}: {:.1} s {side} AWS's time, give or take {uncertainty:.1} s", clock.state, offset.abs())
        }
        _ => "clock: AWS's time is not known yet".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{DaemonStatus, ErrorEntry, ProblemEntry};

    fn document() -> StatusDocument {
        let profile = ProfileEntry {
            name: "app".into(),
            kind: "assume-role".into(),
            auto_renew: true,
            state: State::Retrying,
            usable: true,
            account_id: None,
            account_name: None,
            role: None,
            region: None,
            sso_session: None,
            valid: Some(true),
            expires_at: Some("2026-11-24T13:00:00Z".into()),
            remaining_seconds: Some(3_000),
            renew_at: Some("2026-11-24T12:40:00Z".into()),
            last_renewal: None,
            last_error: Some(ErrorEntry {
                operation: None,
                detail: None,
                at: "2026-11-24T12:00:00Z".into(),
                code: "Timeout".into(),
                class: crate::core::aws_error::ErrorClass::Retryable,
                message: "no answer came".into(),
                fix: Some("look at the network".into()),
            }),
            deliveries: vec!["credential-process".into()],
        };
        StatusDocument {
            schema: "evercred.status/1".into(),
            now: Some("2026-11-24T12:10:00Z".into()),
            daemon: DaemonStatus {
                version: "0".into(),
                pid: 1,
                started_at: "2026-11-24T12:00:00Z".into(),
                program: None,
                environment: Default::default(),
            },
            clock: ClockStatus {
                state: "ok".into(),
                offset_seconds: Some(-0.5),
                uncertainty_seconds: Some(1.0),
                source: None,
                measured_at: None,
                crosses_limit_in_seconds: None,
            },
            profiles: vec![
                ProfileEntry { name: "idle".into(), auto_renew: false, last_error: None, ..profile.clone() },
                profile,
            ],
            sso_sessions: vec![SessionEntry {
                name: "corp".into(),
                login_name: None,
                kind: "sso".into(),
                state: State::Fresh,
                expires_at: Some("2026-11-24T13:00:00Z".into()),
                ends_at: None,
                profiles: 12,
                last_error: None,
            }],
            mfa_sessions: Vec::new(),
            problems: vec![ProblemEntry {
                id: "x".into(),
                message: "broken".into(),
                file: Some("/c".into()),
                line: Some(3),
                fix: None,
            }],
            next: None,
        }
    }

    #[test]
    fn the_table_lines_up_and_auto_renewed_profiles_come_first() {
        let text = status(&document(), false, false);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].starts_with("app      assume-role  retrying  50m 0s     in 30m 0s  Timeout"), "{text}");
        assert!(lines[2].starts_with("idle"));
        assert!(text.contains("corp     fresh  50m 0s  -     12"), "{text}");
        assert!(text.contains("clock: ok: 0.5 s behind AWS's time"));
        assert!(text.contains("problem: /c:3: broken") && !text.contains("fix: "), "evercred retries: {text}");
        let named = status(&document(), true, false);
        let line = "app: valid for 50m 0s; the last renewal failed: no answer came\n    fix: look at the network\n";
        assert!(named.contains(line), "{named}");
        assert!(!text.contains('\u{1b}'));
        assert!(status(&document(), false, true).contains("\u{1b}[33mretrying\u{1b}[0m"));
    }

    #[test]
    fn what_files_and_servers_say_does_nothing_to_the_terminal() {
        let mut document = document();
        document.profiles[1].name = "a\u{1b}[2Jb\nc".into();
        document.problems[0].message = "\u{9b}31m \r\u{7}".into();
        if let Some(error) = &mut document.profiles[1].last_error {
            error.message = "\u{1b}]0;title\u{7}".into();
        }
        let text = status(&document, false, false);
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
        assert!(text.contains("a\\u{1b}[2Jb c  assume-role"), "{text}");
    }

    #[test]
    fn many_problems_of_one_kind_are_counted_and_hide_no_other() {
        let mut document = document();
        let problem = document.problems.remove(0);
        document.problems = vec![problem.clone(); 1_000];
        document.problems.push(ProblemEntry { id: "y".into(), message: "another".into(), ..problem });
        let text = status(&document, false, false);
        assert_eq!(text.matches("problem: /c:3: broken").count(), LISTED);
        assert!(text.contains("problem: /c:3: another") && text.contains("\n980 more problems"), "{text}");
    }

    #[test]
    fn many_profiles_with_one_error_are_counted() {
        let mut document = document();
        let mut broken = document.profiles.remove(0);
        broken.state = State::Failed;
        let error = |code: &str| ErrorEntry {
            operation: None,
            detail: None,
            at: "2026-11-24T12:00:00Z".into(),
            code: code.into(),
            class: crate::core::aws_error::ErrorClass::Permanent,
            message: "the source profiles form a loop".into(),
            fix: Some("evercred plan p".into()),
        };
        for code in ["profile-loop", "no-credentials"] {
            let profile = ProfileEntry { last_error: Some(error(code)), ..broken.clone() };
            document.profiles = vec![profile; 4_000];
            let text = status(&document, false, false);
            assert!(text.lines().count() < 80, "{code}: {}", text.lines().count());
            assert_eq!(text.matches("3980 more profiles").count(), 1, "{text}");
        }
    }

    #[test]
    fn a_named_profile_shows_what_it_needs_first() {
        let mut document = document();
        document.profiles.truncate(1);
        document.profiles[0].state = State::NeedsLogin;
        document.profiles[0].sso_session = Some("corp".into());
        assert!(!status(&document, false, false).contains("fix: evercred login"));
        assert!(status(&document, true, false).contains("    fix: evercred login corp\n"));
        document.profiles[0].sso_session = None;
        assert!(status(&document, true, false).contains("    fix: evercred login idle\n"));
    }

    #[test]
    fn columns_line_up_by_the_width_on_a_terminal() {
        let rows = [vec!["日本".to_owned(), "x".to_owned()], vec!["cafe\u{301}".to_owned(), "y".to_owned()]];
        assert_eq!(table(&rows, |_, _| None), "日本  x\ncafe\u{301}  y\n");
    }

    #[test]
    fn spans_are_said_in_two_units() {
        for (seconds, text) in [(5, "5s"), (65, "1m 5s"), (3_700, "1h 1m"), (90_000, "1d 1h")] {
            assert_eq!(span(seconds), text);
        }
    }
}
