//! How a token in a shared file is refreshed while others may read, refresh, replace or delete it.
//!
//! The caller holds a lock that other evercreds respect and the AWS tools don't know, so the file is looked at
//! before the call, after it, and once more in the moment of writing. What was found decides, here.

use chrono::TimeDelta;

use super::{CachedToken, Session, Unusable};
use crate::core::credential::Grant;
use crate::core::secret::Secret;
use crate::core::time::WallTime;

/// What ends so little before our own is of the same moment: a sign-in, perhaps, whose session will outlive the one that was
/// refreshed.
pub(super) const AS_GOOD: TimeDelta = TimeDelta::minutes(1);

/// What a refresh or a sign-in brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenAnswer {
    /// The access token, or the credentials.
    pub grant: Grant,
    /// For how long they are good.
    pub expires_in: TimeDelta,
    /// What gets the next ones; `None`: the same as before.
    pub refresh_token: Option<Secret>,
    /// Who signed in, where it was said.
    pub id_token: Option<Secret>,
}

/// What was found at a cache file's path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// No file: the user has signed out, or never signed in.
    Missing,
    /// It can't be read: the end of a sentence that begins with the file.
    Unreadable(String),
    /// A file with this text.
    Text(Secret),
}

/// What to do before the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Before {
    /// Another program has refreshed it, or the user has signed in: no call.
    Adopt(CachedToken),
    /// The user has signed out: no call.
    SignedOut,
    /// The file is not this session's: no call.
    Unusable(String),
    /// Make the call.
    Call,
}

/// What to do with the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum After {
    /// Put this text in the file's place.
    Write {
        /// The text.
        text: Secret,
        /// The token in it.
        token: CachedToken,
        /// What is there can't be read and is kept beside it.
        set_aside: bool,
    },
    /// Another program has written a token that is as good: it stays.
    Keep(CachedToken),
    /// The user has signed out meanwhile: nothing is written.
    SignedOut,
    /// Another session's file is there now: nothing is written.
    Unusable(String),
}

/// What a refused refresh token means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Another program has used it and written the next one.
    Adopt(CachedToken),
    /// The user has signed out.
    SignedOut,
    /// The file still shows what was refused.
    Believed,
}

/// Looks at the file, under the lock. `known` is the token that is to be refreshed.
pub fn before_refresh(session: &Session, known: &CachedToken, found: &Found) -> Before {
    match token_of(session, found) {
        Err(Gone) => Before::SignedOut,
        Ok(Ok(token)) if token.is_same(known) => Before::Call,
        Ok(Ok(token)) => Before::Adopt(token),
        Ok(Err(Unusable { why, foreign: true })) => Before::Unusable(why),
        // Half a file: what is held is the last good one.
        Ok(Err(_)) => Before::Call,
    }
}

/// Looks at the file again, with the answer in hand. `expires` is when the answer's token expires by this machine's clock.
pub fn after_refresh(
    session: &Session,
    sent: &CachedToken,
    answer: &TokenAnswer,
    expires: WallTime,
    found: &Found,
) -> After {
    let old = match found {
        Found::Text(text) => Some(text.expose()),
        Found::Missing | Found::Unreadable(_) => None,
    };
    let write = |set_aside| match sent.renewed(old, session, answer, expires) {
        Some((text, token)) => After::Write { text: Secret::new(text), token, set_aside },
        None => After::Unusable("holds a token of another kind".to_owned()),
    };
    match token_of(session, found) {
        Err(Gone) => After::SignedOut,
        Ok(Ok(theirs)) if theirs.is_same(sent) || theirs.expires() + AS_GOOD < expires => write(false),
        Ok(Ok(theirs)) => After::Keep(theirs),
        Ok(Err(Unusable { why, foreign: true })) => After::Unusable(why),
        Ok(Err(_)) => write(true),
    }
}

/// Looks at the file again after the refresh token was refused.
pub fn after_refusal(session: &Session, sent: &CachedToken, found: &Found) -> Refused {
    match token_of(session, found) {
        Err(Gone) => Refused::SignedOut,
        Ok(Ok(theirs)) if !theirs.is_same(sent) => Refused::Adopt(theirs),
        _ => Refused::Believed,
    }
}

/// What to do with a token that could not be written when it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Save {
    /// Put this text in the file's place.
    Write {
        /// The text.
        text: Secret,
        /// What is there can't be read and is kept beside it.
        set_aside: bool,
    },
    /// Make the file: there was none when the token came either.
    Create(Secret),
    /// It is in the file.
    Done,
    /// Another program has written another one since.
    Adopt(CachedToken),
    /// The user has signed out.
    SignedOut,
}

/// Looks at the file, under the lock, for a token that is not in it yet. `superseded` is the one that was there when it came.
pub fn before_save(session: &Session, token: &CachedToken, superseded: Option<&CachedToken>, found: &Found) -> Save {
    let write = |old: Option<&str>, set_aside| Save::Write { text: Secret::new(token.text(old, session)), set_aside };
    match (token_of(session, found), found) {
        (Err(Gone), _) if superseded.is_none() => Save::Create(Secret::new(token.text(None, session))),
        (Err(Gone), _) => Save::SignedOut,
        (Ok(Ok(theirs)), _) if theirs.is_same(token) => Save::Done,
        (Ok(Ok(theirs)), Found::Text(text)) if superseded.is_some_and(|old| old.is_same(&theirs)) => {
            write(Some(text.expose()), false)
        }
        (Ok(Ok(theirs)), _) => Save::Adopt(theirs),
        (Ok(Err(_)), _) => write(None, true),
    }
}

/// Whether a file shows a token that has expired while the one that is known has not: an older one, of a restored or late
/// copy. A new sign-in never looks so. `now` is this machine's clock.
pub fn is_older(theirs: &CachedToken, known: &CachedToken, now: WallTime) -> bool {
    theirs.expires() <= now && known.expires() > now
}

/// What a file counts as that still shows the token before `known`, because the newer one could not be written, or shows an
/// older one: as if `known` stood there. Every other file is as it is. `now` is this machine's clock.
pub fn as_known(
    session: &Session,
    known: &CachedToken,
    superseded: Option<&CachedToken>,
    now: WallTime,
    found: Found,
) -> Found {
    let (Ok(Ok(theirs)), Found::Text(text)) = (token_of(session, &found), &found) else { return found };
    let is_before = superseded.is_some_and(|old| old.is_same(&theirs)) || is_older(&theirs, known, now);
    if is_before { Found::Text(Secret::new(known.text(Some(text.expose()), session))) } else { found }
}

/// Whether a text is a whole file, of this session or of another: not what a program is just writing.
pub fn is_whole(session: &Session, text: &str) -> bool {
    match session.read(text) {
        Ok(_) => true,
        Err(unusable) => unusable.foreign,
    }
}

struct Gone;

fn token_of(session: &Session, found: &Found) -> Result<Result<CachedToken, Unusable>, Gone> {
    match found {
        Found::Missing => Err(Gone),
        Found::Unreadable(why) => Ok(Err(Unusable { why: why.clone(), foreign: false })),
        Found::Text(text) => Ok(session.read(text.expose())),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sso_token::tests::session as sso;
    use super::*;

    fn session() -> Session {
        Session::Sso(sso())
    }

    fn text(access: &str, refresh: &str, expires: &str) -> Found {
        Found::Text(Secret::new(format!(
            "{{\"accessToken\":\"{access}\",\"expiresAt\":\"{expires}\",\"refreshToken\":\"{refresh}\",\"clientId\":\"c\",\"clientSecret\":\"s\"}}"
        )))
    }

    fn token(found: &Found) -> CachedToken {
        let Found::Text(text) = found else { panic!("no text") };
        session().read(text.expose()).unwrap()
    }

    const NOON: &str = "2026-11-24T12:00:00Z";
    const ONE: &str = "2026-11-24T13:00:00Z";

    fn answer() -> (TokenAnswer, WallTime) {
        let answer = TokenAnswer {
            grant: Grant::Token(Secret::new("a2")),
            expires_in: TimeDelta::hours(1),
            refresh_token: Some(Secret::new("r2")),
            id_token: None,
        };
        (answer, super::super::sso_token::wall_time(ONE).unwrap())
    }

    #[test]
    fn a_file_that_somebody_else_has_refreshed_needs_no_call() {
        let (old, new) = (text("a1", "r1", NOON), text("a9", "r9", ONE));
        assert_eq!(before_refresh(&session(), &token(&old), &old), Before::Call);
        assert_eq!(before_refresh(&session(), &token(&old), &new), Before::Adopt(token(&new)));
        assert_eq!(before_refresh(&session(), &token(&old), &Found::Missing), Before::SignedOut);
        assert_eq!(before_refresh(&session(), &token(&old), &Found::Text(Secret::new("{"))), Before::Call);
    }

    #[test]
    fn a_deleted_file_is_not_written_again() {
        let (answer, expires) = answer();
        let sent = token(&text("a1", "r1", NOON));
        assert_eq!(after_refresh(&session(), &sent, &answer, expires, &Found::Missing), After::SignedOut);
    }

    #[test]
    fn the_later_of_two_answers_stays() {
        let (answer, expires) = answer();
        let old = text("a1", "r1", NOON);
        let sent = token(&old);
        let after = |found: &Found| after_refresh(&session(), &sent, &answer, expires, found);
        assert!(matches!(after(&old), After::Write { set_aside: false, .. }));
        assert!(matches!(after(&text("a9", "r9", NOON)), After::Write { .. }));
        for as_good in ["2026-11-24T13:00:05Z", "2026-11-24T12:59:30Z"] {
            let theirs = text("a9", "r9", as_good);
            assert_eq!(after(&theirs), After::Keep(token(&theirs)), "a sign-in, perhaps");
        }
        assert!(matches!(after(&Found::Text(Secret::new("{\"acc"))), After::Write { set_aside: true, .. }));
    }

    #[test]
    fn another_sessions_file_is_left_alone() {
        let foreign = Found::Text(Secret::new(
            "{\"startUrl\":\"https://other.awsapps.com/start\",\"accessToken\":\"a\",\"expiresAt\":\"2026-11-24T12:00:00Z\"}",
        ));
        let sent = token(&text("a1", "r1", NOON));
        let (answer, expires) = answer();
        assert!(matches!(before_refresh(&session(), &sent, &foreign), Before::Unusable(_)));
        assert!(matches!(after_refresh(&session(), &sent, &answer, expires, &foreign), After::Unusable(_)));
        assert_eq!(after_refusal(&session(), &sent, &foreign), Refused::Believed);
    }

    #[test]
    fn a_file_that_lags_behind_counts_as_if_it_did_not() {
        let (old, known) = (text("a1", "r1", ONE), token(&text("a2", "r2", NOON)));
        let (superseded, theirs) = (token(&old), text("a9", "r9", NOON));
        let early = WallTime::from_millis(0);
        let seen = |found: &Found| as_known(&session(), &known, Some(&superseded), early, found.clone());
        assert_eq!(before_refresh(&session(), &known, &seen(&old)), Before::Call);
        assert_eq!(after_refusal(&session(), &known, &seen(&old)), Refused::Believed);
        let (answer, expires) = answer();
        assert!(matches!(after_refresh(&session(), &known, &answer, expires, &seen(&old)), After::Write { .. }));
        assert_eq!(seen(&theirs), theirs);
        assert_eq!(seen(&Found::Missing), Found::Missing);
    }

    #[test]
    fn an_older_copy_of_the_file_does_not_take_the_place_of_a_good_token() {
        let (copy, known) = (text("a0", "r0", NOON), token(&text("a2", "r2", ONE)));
        let between = super::super::sso_token::wall_time("2026-11-24T12:30:00Z").unwrap();
        let seen = as_known(&session(), &known, None, between, copy.clone());
        assert_eq!(before_refresh(&session(), &known, &seen), Before::Call);
        // An unexpired token may be the result of a sign-in a moment ago.
        let early = super::super::sso_token::wall_time("2026-11-24T11:30:00Z").unwrap();
        assert_eq!(as_known(&session(), &known, None, early, copy.clone()), copy);
    }

    #[test]
    fn a_token_that_is_in_no_file_yet_is_written_where_nobody_has_written_another() {
        let (old, new, theirs) = (text("a1", "r1", NOON), token(&text("a2", "r2", ONE)), text("a9", "r9", ONE));
        let before = token(&old);
        let save = |superseded, found: &Found| before_save(&session(), &new, superseded, found);
        assert!(matches!(save(Some(&before), &old), Save::Write { set_aside: false, .. }));
        assert!(matches!(save(None, &Found::Missing), Save::Create(_)));
        assert_eq!(save(Some(&before), &Found::Missing), Save::SignedOut);
        assert_eq!(save(Some(&before), &theirs), Save::Adopt(token(&theirs)));
        assert_eq!(save(Some(&before), &text("a2", "r2", ONE)), Save::Done);
        assert!(matches!(save(None, &Found::Text(Secret::new("{"))), Save::Write { set_aside: true, .. }));
    }

    #[test]
    fn a_refusal_is_believed_only_of_what_the_file_still_shows() {
        let (old, new) = (text("a1", "r1", NOON), text("a9", "r9", ONE));
        assert_eq!(after_refusal(&session(), &token(&old), &old), Refused::Believed);
        assert_eq!(after_refusal(&session(), &token(&old), &new), Refused::Adopt(token(&new)));
        assert_eq!(after_refusal(&session(), &token(&old), &Found::Missing), Refused::SignedOut);
    }
}
