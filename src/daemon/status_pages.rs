//! The status document in pages, as a message of the control socket has a limit. The lists are bounded by their size in JSON,
//! so that long texts do not break the limit either.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::wire::{ErrorEntry, LONGEST, ProblemEntry, ProfileEntry, StatusDocument};

/// The size of a page, in bytes of JSON. A page has at least one profile, whatever else it carries.
const PAGE_SIZE: usize = LONGEST / 2;
/// The first page carries these lists too. They must leave room for one entry of the greatest size.
const PROBLEMS_SIZE: usize = PAGE_SIZE / 2;
const SESSIONS_SIZE: usize = PAGE_SIZE / 4;
const MFA_SESSIONS_SIZE: usize = PAGE_SIZE / 8;
const ENVIRONMENT_SIZE: usize = PAGE_SIZE / 8;
/// The longest text of an entry, in bytes.
const MAX_TEXT: usize = 4096;

/// A page: a document without profiles, and as many of the profiles after a name as fit. It takes no more profiles than it
/// needs.
pub(super) fn page(
    mut document: StatusDocument,
    profiles: impl Iterator<Item = ProfileEntry>,
    after: Option<&str>,
) -> StatusDocument {
    bound_lists(&mut document);
    let mut room = PAGE_SIZE.saturating_sub(size(&document));
    for mut profile in profiles {
        shorten_profile(&mut profile);
        // The name of the last page's last profile may have been shortened.
        if after.is_some_and(|after| profile.name.as_str() <= after) {
            continue;
        }
        let size = size(&profile);
        if let Some(last) = document.profiles.last().filter(|_| size > room) {
            document.next = Some(last.name.clone());
            break;
        }
        room = room.saturating_sub(size);
        document.profiles.push(profile);
    }
    document
}

fn bound_lists(document: &mut StatusDocument) {
    for problem in &mut document.problems {
        shorten(&mut problem.message);
        problem.file.as_mut().map(shorten);
        problem.fix.as_mut().map(shorten);
    }
    for session in &mut document.sso_sessions {
        shorten(&mut session.name);
        session.last_error.as_mut().map(shorten_error);
    }
    let mut room = ENVIRONMENT_SIZE;
    document.daemon.environment.retain(|name, value| takes(&mut room, &(name, value)));
    let mut room = SESSIONS_SIZE;
    let sessions = document.sso_sessions.len();
    document.sso_sessions.retain(|session| takes(&mut room, session));
    let left_out = sessions - document.sso_sessions.len();
    let mut room = MFA_SESSIONS_SIZE;
    let mfa_sessions = document.mfa_sessions.len();
    document.mfa_sessions.retain(|session| takes(&mut room, session));
    let mfa_left_out = mfa_sessions - document.mfa_sessions.len();
    keep_problems(&mut document.problems);
    if left_out > 0 {
        let message = format!("{left_out} more SSO sessions are not listed here");
        document.problems.push(count("sessions-not-listed", message, None));
    }
    if mfa_left_out > 0 {
        let message = format!("{mfa_left_out} more MFA sessions are not listed here");
        document.problems.push(count("sessions-not-listed", message, None));
    }
}

/// Keeps as many problems as fit: some of each id, even if another id has many.
fn keep_problems(problems: &mut Vec<ProblemEntry>) {
    let mut of_id: BTreeMap<&str, usize> = BTreeMap::new();
    let mut ranked: Vec<(usize, usize)> = Vec::new();
    for (index, problem) in problems.iter().enumerate() {
        let rank = of_id.entry(&problem.id).or_default();
        ranked.push((*rank, index));
        *rank += 1;
    }
    ranked.sort_unstable();
    let mut room = PROBLEMS_SIZE;
    let mut kept: Vec<usize> =
        ranked.into_iter().map(|(_, index)| index).filter(|index| takes(&mut room, &problems[*index])).collect();
    kept.sort_unstable();
    let left_out = problems.len() - kept.len();
    let mut index = 0;
    problems.retain(|_| {
        index += 1;
        kept.binary_search(&(index - 1)).is_ok()
    });
    if left_out > 0 {
        let message = format!("{left_out} more problems are not listed here");
        problems.push(count("problems-not-listed", message, Some("correct the problems that are listed")));
    }
}

fn count(id: &str, message: String, fix: Option<&str>) -> ProblemEntry {
    ProblemEntry { id: id.to_owned(), message, file: None, line: None, fix: fix.map(str::to_owned) }
}

/// Takes the space for an entry, if there is enough. The first entry that does not fit ends the list.
fn takes(room: &mut usize, entry: &impl Serialize) -> bool {
    let left = room.checked_sub(size(entry));
    *room = left.unwrap_or(0);
    left.is_some()
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
    use super::*;
    use crate::core::aws_error::ErrorClass;
    use crate::core::keeper::State;
    use crate::wire::{ClockStatus, DaemonStatus, MfaEntry, SessionEntry, answer_ok};

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

    fn page_after(document: &StatusDocument, after: Option<&str>) -> StatusDocument {
        let mut document = document.clone();
        let profiles = std::mem::take(&mut document.profiles);
        page(document, profiles.into_iter(), after)
    }

    /// The names on each page.
    fn pages(document: &StatusDocument) -> Vec<Vec<String>> {
        let (mut pages, mut after) = (Vec::new(), None);
        loop {
            let page = page_after(document, after.as_deref());
            assert!(bytes(&page) <= LONGEST, "{}", bytes(&page));
            pages.push(page.profiles.into_iter().map(|profile| profile.name).collect());
            match page.next {
                None => return pages,
                next => after = next,
            }
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
            let names: Vec<String> = document.profiles.iter().map(|profile| profile.name.clone()).collect();
            let pages = pages(&document);
            assert_eq!(pages.concat(), names);
            assert!(pages.iter().all(|page| !page.is_empty()) || count == 0);
            assert_eq!(pages.len() > 1, count > 1);
        }
    }

    #[test]
    fn a_profile_that_comes_or_goes_between_two_pages_costs_no_other() {
        let mut document = document(10_000, "denied");
        let next = page_after(&document, None).next.unwrap();
        document.profiles.retain(|profile| profile.name != next);
        document.profiles.insert(0, profile("a-new-one".into(), None));
        let names: Vec<String> = page_after(&document, Some(&next)).profiles.into_iter().map(|it| it.name).collect();
        let wanted: Vec<String> = document.profiles.into_iter().map(|it| it.name).filter(|name| *name > next).collect();
        assert_eq!(names, wanted[..names.len()]);
        assert!(!names.is_empty());
    }

    #[test]
    fn the_longest_texts_everywhere_fit_into_a_message() {
        let text = "\u{1}".repeat(100_000);
        let mut document = document(3, &text);
        document.profiles = (0..3).map(|at| profile(format!("{at}{text}"), Some(error(&text)))).collect();
        document.daemon.environment = (0..50).map(|at| (format!("V{at}"), text.clone())).collect();
        document.sso_sessions = (0..500)
            .map(|_| SessionEntry {
                name: text.clone(),
                login_name: None,
                kind: "sso".into(),
                state: State::NeedsLogin,
                expires_at: None,
                ends_at: None,
                profiles: 1,
                last_error: Some(error(&text)),
            })
            .collect();
        let device = "d".repeat(1000);
        document.mfa_sessions = vec![MfaEntry { device, profile: "p".into(), expires_at: None, profiles: 1 }; 500];
        let problem = ProblemEntry { file: Some(text.clone()), ..count("x", text.clone(), Some(&text)) };
        document.problems = vec![problem; 500];
        assert_eq!(pages(&document).concat().len(), 3);
        let first = page_after(&document, None);
        assert!(!first.sso_sessions.is_empty() && !first.mfa_sessions.is_empty());
        let ids: Vec<&str> = first.problems.iter().rev().take(3).map(|problem| problem.id.as_str()).collect();
        assert_eq!(ids, ["sessions-not-listed", "sessions-not-listed", "problems-not-listed"]);
    }

    #[test]
    fn many_problems_of_one_kind_hide_no_other() {
        let mut document = document(1, "");
        document.problems = vec![count("aws-file-warning", "m".repeat(100), None); 10_000];
        document.problems.push(count("clock-skew", "m".into(), None));
        let problems = page_after(&document, None).problems;
        let ids: Vec<&str> = problems.iter().rev().take(3).map(|problem| problem.id.as_str()).collect();
        assert_eq!(ids, ["problems-not-listed", "clock-skew", "aws-file-warning"]);
        assert!(problems.last().unwrap().message.starts_with(&(10_002 - problems.len()).to_string()));
    }
}
