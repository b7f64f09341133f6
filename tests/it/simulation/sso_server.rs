//! A fake IAM Identity Center: sessions that end, and refresh tokens that rotate in every way that servers know.

use std::collections::BTreeMap;

pub(crate) const ACCESS_LIFE: i64 = 3_600_000;
/// How long a replaced token is still taken, in the mode with a grace.
pub(crate) const GRACE: i64 = 30_000;

/// What becomes of a refresh token that was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rotation {
    /// It stays.
    Keep,
    /// There is another, and the old one is refused.
    Strict,
    /// There is another, and the old one is taken for a while.
    Grace,
    /// There is another, and whoever shows the old one ends the session.
    Family,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    Well,
    Unreachable,
    Throttling,
    Failing,
    /// What is asked is done, and half of the answers are lost on the way.
    LosesAnswers,
}

struct Session {
    ends: i64,
    revoked: bool,
}

struct RefreshToken {
    session: usize,
    replaced_at: Option<i64>,
}

/// What a sign-in or a refresh gives.
#[derive(Clone, Debug)]
pub(crate) struct Tokens {
    pub(crate) access: String,
    /// `None`: the one that was shown stays.
    pub(crate) refresh: Option<String>,
}

pub(crate) struct Server {
    pub(crate) rotation: Rotation,
    pub(crate) health: Health,
    sessions: Vec<Session>,
    refresh: BTreeMap<String, RefreshToken>,
    access: BTreeMap<String, (usize, i64)>,
    count: u64,
}

impl Server {
    pub(crate) fn new(rotation: Rotation) -> Self {
        let (refresh, access) = (BTreeMap::new(), BTreeMap::new());
        Self { rotation, health: Health::Well, sessions: Vec::new(), refresh, access, count: 0 }
    }

    fn tokens(&mut self, session: usize, now: i64, rotated: bool) -> Tokens {
        self.count += 1;
        let (access, refresh) = (format!("a{}", self.count), format!("r{}", self.count));
        self.access.insert(access.clone(), (session, now + ACCESS_LIFE));
        if rotated {
            self.refresh.insert(refresh.clone(), RefreshToken { session, replaced_at: None });
        }
        Tokens { access, refresh: rotated.then_some(refresh) }
    }

    /// A person has signed in.
    pub(crate) fn sign_in(&mut self, now: i64, length: i64) -> Tokens {
        self.sessions.push(Session { ends: now + length, revoked: false });
        self.tokens(self.sessions.len() - 1, now, true)
    }

    /// `None`: `invalid_grant`.
    pub(crate) fn refresh(&mut self, shown: &str, now: i64) -> Option<Tokens> {
        let token = self.refresh.get(shown)?;
        let session = token.session;
        if !self.is_on(session, now) {
            return None;
        }
        if !self.is_live(shown, now) {
            if self.rotation == Rotation::Family {
                self.sessions[session].revoked = true;
            }
            return None;
        }
        let rotates = self.rotation != Rotation::Keep;
        if rotates {
            self.refresh.get_mut(shown)?.replaced_at.get_or_insert(now);
        }
        Some(self.tokens(session, now, rotates))
    }

    fn is_on(&self, session: usize, now: i64) -> bool {
        !self.sessions[session].revoked && now < self.sessions[session].ends
    }

    /// Whether a refresh token would be taken.
    pub(crate) fn is_live(&self, refresh: &str, now: i64) -> bool {
        let Some(token) = self.refresh.get(refresh) else { return false };
        let is_current = match (token.replaced_at, self.rotation) {
            (None, _) => true,
            (Some(at), Rotation::Grace) => now <= at + GRACE,
            (Some(_), _) => false,
        };
        is_current && self.is_on(token.session, now)
    }

    /// When the session behind a refresh token ends.
    pub(crate) fn end_of(&self, refresh: &str) -> i64 {
        self.refresh.get(refresh).map_or(0, |token| self.sessions[token.session].ends)
    }

    pub(crate) fn session_of(&self, refresh: &str) -> Option<usize> {
        Some(self.refresh.get(refresh)?.session)
    }

    /// Whether the portal takes an access token: it lives on to its own end, unless somebody ended the session.
    pub(crate) fn takes(&self, access: &str, now: i64) -> bool {
        self.access.get(access).is_some_and(|(session, end)| now < *end && !self.sessions[*session].revoked)
    }

    pub(crate) fn revoke(&mut self, refresh: &str) {
        if let Some(token) = self.refresh.get(refresh) {
            self.sessions[token.session].revoked = true;
        }
    }
}
