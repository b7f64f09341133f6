//! What the keeper knows of one sign-in session: its token, and the state of its cache file.

use chrono::TimeDelta;

use crate::core::clock::{Clock, Expiry};
use crate::core::session::{CacheProblem, CachedToken, Session};
use crate::core::time::{AwsTime, BootTime, Now};

/// What is known of the cache file behind a session.
#[derive(Debug)]
pub(super) struct SessionState {
    pub(super) session: Session,
    pub(super) view: View,
    /// The token as it was last seen, or got: with what refreshes it.
    pub(super) token: Option<CachedToken>,
    /// The one before: a file that shows it was read before the newer one was written, or could not be written yet.
    pub(super) superseded: Option<CachedToken>,
    /// Why the newest token is not in the file, and when that is tried again.
    pub(super) unsaved: Option<(String, BootTime)>,
    /// Why its file can't be replaced.
    pub(super) unwritable: Option<Unwritable>,
    /// When it was last seen to be alive, by the best guess.
    pub(super) alive_at: Option<AwsTime>,
    /// The end that the person was told of.
    pub(super) told_of_end: Option<AwsTime>,
    /// The person was told that a sign-in is needed.
    pub(super) told_of_need: bool,
    /// Its token's end was read while AWS's time was not known.
    pub(super) guessed: bool,
    /// How far this machine's clock was off when the token was taken: so far is the end that its file names.
    pub(super) clock_was_off: TimeDelta,
    /// The token in the cache file, after the user has signed out of its session.
    pub(super) signed_out: Option<CachedToken>,
    /// A sign-out is under way: what the file shows meanwhile does not count.
    pub(super) leaving: bool,
}

/// A file that can't be replaced.
#[derive(Debug)]
pub(super) struct Unwritable {
    pub(super) problem: CacheProblem,
    /// When to look again.
    pub(super) look_at: BootTime,
    /// Nothing speaks against another attempt.
    pub(super) may_try: bool,
}

/// What the file was when it was last looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum View {
    /// Not looked at yet.
    Unread,
    /// Nobody is signed in.
    Absent,
    /// It can't be used: the end of a sentence that begins with the file.
    Unusable(String),
    /// A token of this session.
    Present,
}

impl SessionState {
    pub(super) fn new(session: Session) -> Self {
        Self {
            session,
            view: View::Unread,
            token: None,
            superseded: None,
            unsaved: None,
            unwritable: None,
            alive_at: None,
            told_of_end: None,
            told_of_need: false,
            guessed: false,
            clock_was_off: TimeDelta::zero(),
            signed_out: None,
            leaving: false,
        }
    }

    /// Whether its token was never in the file, where nothing was when it came.
    pub(super) fn is_only_here(&self) -> bool {
        self.unsaved.is_some() && self.superseded.is_none()
    }

    /// Why a sign-in's token is in no file.
    pub(super) fn never_written(&self) -> Option<&str> {
        self.unsaved.as_ref().filter(|_| self.is_only_here()).map(|(why, _)| why.as_str())
    }

    /// Why its newest token is in no file.
    pub(super) fn unsaved(&self) -> Option<&str> {
        self.unsaved.as_ref().map(|(why, _)| why.as_str())
    }

    /// Why its file can't be replaced.
    pub(super) fn unwritable(&self) -> Option<&CacheProblem> {
        self.unwritable.as_ref().map(|unwritable| &unwritable.problem)
    }

    /// Why its refresh token is not spent now. A full disk may have room again: with `is_needed` the next token is kept until it
    /// can be written.
    pub(super) fn spares(&self, is_needed: bool) -> bool {
        let spares = |unwritable: &Unwritable| !(unwritable.may_try || (unwritable.problem.is_full && is_needed));
        self.unwritable.as_ref().is_some_and(spares)
    }

    /// Whether no better token will come by itself: nothing refreshes it, or its successor could not be written.
    pub(super) fn cannot_renew(&self) -> bool {
        self.spares(true) || self.token.as_ref().is_some_and(|token| token.refresh_token().is_none())
    }

    /// Whether somebody has signed out.
    pub(super) fn is_absent(&self) -> bool {
        self.view == View::Absent
    }

    pub(super) fn is_unread(&self) -> bool {
        self.view == View::Unread
    }

    /// Whether its cache file can't be read, or belongs to another session.
    pub(super) fn is_unusable(&self) -> bool {
        matches!(self.view, View::Unusable(_))
    }

    /// Whether there is something to refresh the token with.
    pub(super) fn can_refresh(&self, clock: &Clock, now: Now) -> bool {
        self.token.as_ref().is_some_and(|token| token.refresh_token().is_some())
            && !matches!(self.view, View::Absent | View::Unread)
            && !self.registration_is_over(clock, now)
            // A refresh goes by the file, and one that is not there is a sign-out.
            && !self.is_only_here()
    }

    pub(super) fn registration_is_over(&self, clock: &Clock, now: Now) -> bool {
        self.registration_expires().is_some_and(|at| clock.judge(at, now) == Expiry::Expired)
    }

    /// A registration lives for months: what this machine's clock is off does not matter.
    pub(super) fn registration_expires(&self) -> Option<AwsTime> {
        match &self.token {
            Some(CachedToken::Sso(token)) => {
                Some(AwsTime::from_millis(token.refresh.as_ref()?.registration_expires?.as_millis()))
            }
            _ => None,
        }
    }
}
