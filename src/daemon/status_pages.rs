//! The status document in pages, as a message of the control socket has a limit. The lists are bounded by their size in JSON,
//! so that long texts do not break the limit either.

use serde::Serialize;

use crate::wire::{ErrorEntry, LONGEST, MfaEntry, Position, ProblemEntry, ProfileEntry, SessionEntry, StatusDocument};

/// The size of a page, in bytes of JSON. A page has at least one entry of a list, of whatever size.
const PAGE_SIZE: usize = LONGEST / 2;
const ENVIRONMENT_SIZE: usize = PAGE_SIZE / 8;
/// The longest text of an entry, in bytes.
const MAX_TEXT: usize = 4096;

/// A page: a document with as many entries of its lists as fit, from a position on. A list gives its entries only if the
/// page has room for them.
pub(super) struct Page {
    document: StatusDocument,
    after: Option<Position>,
    room: usize,
    is_empty: bool,
}

impl Page {
    /// A page of a document without lists.
    pub(super) fn new(mut document: StatusDocument, after: Option<Position>) -> Self {
        let mut room = ENVIRONMENT_SIZE;
        document.daemon.environment.retain(|name, value| {
            let left = room.checked_sub(size(&(name, value)));
            room = left.unwrap_or(0);
            left.is_some()
        });
        let room = PAGE_SIZE.saturating_sub(size(&document));
        Self { document, after, room, is_empty: true }
    }

    /// Adds profiles. `entries` gives those after a name.
    pub(super) fn add_profiles<I: Iterator<Item = ProfileEntry>>(&mut self, entries: impl FnOnce(Option<&str>) -> I) {
        let after = match self.after.clone() {
            None => None,
            Some(Position::Profiles(name)) => Some(name),
            Some(_) => return,
        };
        for mut profile in entries(after.as_deref()) {
            shorten_profile(&mut profile);
            // The name of the last page's last profile may have been shortened.
            if after.as_ref().is_some_and(|after| profile.name <= *after) {
                continue;
            }
            if !self.takes(&profile) {
                self.document.next = self.document.profiles.last().map(|last| Position::Profiles(last.name.clone()));
                return;
            }
            self.document.profiles.push(profile);
        }
    }

    /// Adds sign-in sessions. `entries` gives those from an index.
    pub(super) fn add_sso_sessions<I: Iterator<Item = SessionEntry>>(&mut self, entries: impl FnOnce(usize) -> I) {
        let shorten = |session: &mut SessionEntry| {
            shorten(&mut session.name);
            session.login_name.as_mut().map(shorten);
            session.last_error.as_mut().map(shorten_error);
        };
        let added = self.fitting(Position::SsoSessions, entries, shorten);
        self.document.sso_sessions = added;
    }

    /// Adds sessions with MFA. `entries` gives those from an index.
    pub(super) fn add_mfa_sessions<I: Iterator<Item = MfaEntry>>(&mut self, entries: impl FnOnce(usize) -> I) {
        let shorten = |session: &mut MfaEntry| {
            shorten(&mut session.device);
            shorten(&mut session.profile);
        };
        let added = self.fitting(Position::MfaSessions, entries, shorten);
        self.document.mfa_sessions = added;
    }

    /// Adds problems. `entries` gives those from an index.
    pub(super) fn add_problems<I: Iterator<Item = ProblemEntry>>(&mut self, entries: impl FnOnce(usize) -> I) {
        let shorten = |problem: &mut ProblemEntry| {
            shorten(&mut problem.message);
            problem.file.as_mut().map(shorten);
            problem.fix.as_mut().map(shorten);
        };
        let added = self.fitting(Position::Problems, entries, shorten);
        self.document.problems = added;
    }

    pub(super) fn finish(self) -> StatusDocument {
        self.document
    }

    /// The entries of a list that fit into this page.
    fn fitting<T: Serialize, I: Iterator<Item = T>>(
        &mut self,
        position: fn(usize) -> Position,
        entries: impl FnOnce(usize) -> I,
        shorten: impl Fn(&mut T),
    ) -> Vec<T> {
        let from = match &self.after {
            _ if self.document.next.is_some() => return Vec::new(),
            Some(Position::SsoSessions(from) | Position::MfaSessions(from) | Position::Problems(from))
                if self.after == Some(position(*from)) =>
            {
                *from
            }
            Some(after) if *after > position(0) => return Vec::new(),
            _ => 0,
        };
        let mut fitting = Vec::new();
        for mut entry in entries(from) {
            shorten(&mut entry);
            if !self.takes(&entry) {
                self.document.next = Some(position(from + fitting.len()));
                break;
            }
            fitting.push(entry);
        }
        fitting
    }

    /// Takes the space for an entry, if there is enough, or if it is the first one.
    fn takes(&mut self, entry: &impl Serialize) -> bool {
        let left = self.room.checked_sub(size(entry));
        let is_taken = self.is_empty || left.is_some();
        self.is_empty = false;
        self.room = left.unwrap_or(0);
        is_taken
    }
}

fn shorten_profile(profile: &mut ProfileEntry) {
    // Without a mark at its end: the names stay in order.
    let end = profile.name.floor_char_boundary(MAX_TEXT);
    profile.name.truncate(end);
    let ProfileEntry { account_id, account_name, role, region, sso_session, .. } = profile;
    for text in [account_id, account_name, role, region, sso_session].into_iter().flatten() {
        shorten(text);
    }
    if let Some(renewal) = &mut profile.last_renewal {
        shorten(&mut renewal.reason);
    }
    profile.last_error.as_mut().map(shorten_error);
}

fn shorten_error(error: &mut ErrorEntry) {
    shorten(&mut error.code);
    shorten(&mut error.message);
    error.operation.as_mut().map(shorten);
    error.detail.as_mut().map(shorten);
    error.fix.as_mut().map(shorten);
}

fn shorten(text: &mut String) {
    if text.len() > MAX_TEXT {
        text.truncate(text.floor_char_boundary(MAX_TEXT));
        text.push('…');
    }
}

/// In JSON, with the comma behind it.
fn size(entry: &impl Serialize) -> usize {
    serde_json::to_vec(entry).map_or(0, |text| text.len() + 1)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::core::aws_error::ErrorClass;
    use crate::core::keeper::State;
    use crate::wire::{ClockStatus, DaemonStatus, answer_ok};

    fn error(text: &str) -> ErrorEntry {
        let text = text.to_owned();
        let (at, class) = ("2026-11-24T12:00:00Z".to_owned(), ErrorClass::Permanent);
        ErrorEntry {
            at,
            operation: None,
            detail: Some(text.clone()),
            code: text.clone(),
            class,
            message: text.clone(),
            fix: Some(text),
        }
    }

    fn profile(name: String, last_error: Option<ErrorEntry>) -> ProfileEntry {
        ProfileEntry {
            name,
            kind: "sso".into(),
            auto_renew: true,
            state: State::Failed,
            usable: false,
            account_id: Some("111122223333".into()),
            account_name: None,
            role: Some("Dev".into()),
            region: None,
            sso_session: None,
            valid: Some(false),
            expires_at: None,
            remaining_seconds: None,
            renew_at: None,
            last_renewal: None,
            last_error,
            deliveries: vec!["credential-process".into()],
        }
    }

    /// A document with `count` profiles, each with an error with `text` in every field.
    fn document(count: usize, text: &str) -> StatusDocument {
        StatusDocument {
            schema: "evercred.status/1".into(),
            now: None,
            daemon: DaemonStatus {
                version: "1".into(),
                pid: 1,
                started_at: "2026-11-24T12:00:00Z".into(),
                program: None,
                environment: BTreeMap::new(),
            },
            clock: ClockStatus {
                state: "ok".into(),
                offset_seconds: None,
                uncertainty_seconds: None,
                source: None,
                measured_at: None,
                crosses_limit_in_seconds: None,
            },
            profiles: (0..count).map(|at| profile(format!("p{at:05}"), Some(error(text)))).collect(),
            sso_sessions: Vec::new(),
            mfa_sessions: Vec::new(),
            problems: Vec::new(),
            next: None,
        }
    }

    fn bytes(page: &StatusDocument) -> usize {
        answer_ok(&serde_json::to_value(page).unwrap()).len()
    }

    fn page_after(document: &StatusDocument, after: Option<Position>) -> StatusDocument {
        let mut base = document.clone();
        base.profiles.clear();
        base.sso_sessions.clear();
        base.mfa_sessions.clear();
        base.problems.clear();
        let mut page = Page::new(base, after);
        page.add_profiles(|after| {
            let after = after.map(str::to_owned);
            let profiles = document.profiles.iter().cloned();
            profiles.filter(move |profile| after.as_ref().is_none_or(|after| profile.name > *after))
        });
        page.add_sso_sessions(|from| document.sso_sessions.iter().skip(from).cloned());
        page.add_mfa_sessions(|from| document.mfa_sessions.iter().skip(from).cloned());
        page.add_problems(|from| document.problems.iter().skip(from).cloned());
        page.finish()
    }

    /// All pages. Each fits into a message, has entries, and goes on after the one before.
    fn pages(document: &StatusDocument) -> Vec<StatusDocument> {
        let (mut pages, mut after) = (Vec::new(), None);
        loop {
            let page = page_after(document, after.clone());
            assert!(bytes(&page) <= LONGEST, "{}", bytes(&page));
            let next = page.next.clone();
            pages.push(page);
            let Some(next) = next else { return pages };
            assert!(after.is_none_or(|after| next > after), "{next:?}");
            after = Some(next);
        }
    }

    fn names(pages: &[StatusDocument]) -> Vec<String> {
        pages.iter().flat_map(|page| &page.profiles).map(|profile| profile.name.clone()).collect()
    }

    fn problem(id: &str, message: &str) -> ProblemEntry {
        ProblemEntry { id: id.to_owned(), message: message.to_owned(), file: None, line: None, fix: None }
    }

    fn session(name: String, last_error: Option<ErrorEntry>) -> SessionEntry {
        SessionEntry {
            name,
            login_name: None,
            kind: "sso".into(),
            state: State::NeedsLogin,
            expires_at: None,
            ends_at: None,
            profiles: 1,
            last_error,
        }
    }

    #[test]
    fn a_short_status_is_one_page_as_it_is() {
        let document = document(1000, "denied");
        assert_eq!(page_after(&document, None), document);
    }

    #[test]
    fn the_pages_have_every_profile_once_and_in_order() {
        for (count, text) in [(0, ""), (1, ""), (10_000, "denied"), (300, "\u{1}".repeat(10_000).as_str())] {
            let document = document(count, text);
            let pages = pages(&document);
            assert_eq!(names(&pages), names(&[document]));
            assert!(pages.iter().all(|page| !page.profiles.is_empty()) || count == 0);
            assert_eq!(pages.len() > 1, count > 1);
        }
    }

    #[test]
    fn the_pages_have_every_session_and_problem_once_and_in_order() {
        for (profiles, sessions, mfa_sessions, problems) in
            [(0, 10_000, 10_000, 10_000), (3, 0, 9_000, 1), (5_000, 1, 0, 20_000), (1, 20_000, 0, 0)]
        {
            let mut document = document(profiles, "denied");
            document.sso_sessions = (0..sessions).map(|at| session(format!("s{at}"), Some(error("expired")))).collect();
            let device = |at: usize| format!("d{at}");
            document.mfa_sessions = (0..mfa_sessions)
                .map(|at| MfaEntry { device: device(at), profile: "p".into(), expires_at: None, profiles: 1 })
                .collect();
            document.problems = (0..problems).map(|at| problem("x", &format!("problem {at}"))).collect();
            let pages = pages(&document);
            assert!(pages.len() > 1);
            let mut joined = document_of(pages);
            joined.next = None;
            assert!(joined == document, "{profiles} {sessions} {mfa_sessions} {problems}");
        }
    }

    fn document_of(pages: Vec<StatusDocument>) -> StatusDocument {
        let mut pages = pages.into_iter();
        let mut document = pages.next().unwrap();
        for page in pages {
            document.profiles.extend(page.profiles);
            document.sso_sessions.extend(page.sso_sessions);
            document.mfa_sessions.extend(page.mfa_sessions);
            document.problems.extend(page.problems);
        }
        document
    }

    #[test]
    fn a_profile_that_comes_or_goes_between_two_pages_costs_no_other() {
        let mut document = document(10_000, "denied");
        let Some(Position::Profiles(next)) = page_after(&document, None).next else { panic!("one page") };
        document.profiles.retain(|profile| profile.name != next);
        document.profiles.insert(0, profile("a-new-one".into(), None));
        let found = names(&[page_after(&document, Some(Position::Profiles(next.clone())))]);
        let wanted: Vec<String> = document.profiles.into_iter().map(|it| it.name).filter(|name| *name > next).collect();
        assert_eq!(found, wanted[..found.len()]);
        assert!(!found.is_empty());
    }

    #[test]
    fn the_longest_texts_everywhere_fit_into_a_message() {
        let text = "\u{1}".repeat(100_000);
        let mut document = document(3, &text);
        document.profiles = (0..3).map(|at| profile(format!("{at}{text}"), Some(error(&text)))).collect();
        document.daemon.environment = (0..50).map(|at| (format!("V{at}"), text.clone())).collect();
        document.sso_sessions = vec![session(text.clone(), Some(error(&text))); 50];
        let device = "d".repeat(1000);
        document.mfa_sessions = vec![MfaEntry { device, profile: text.clone(), expires_at: None, profiles: 1 }; 50];
        document.problems = vec![ProblemEntry { file: Some(text.clone()), ..problem("x", &text) }; 50];
        let joined = document_of(pages(&document));
        assert_eq!((joined.profiles.len(), joined.sso_sessions.len()), (3, 50));
        assert_eq!((joined.mfa_sessions.len(), joined.problems.len()), (50, 50));
    }
}
