//! Sign-in sessions at the edge: refreshes, sign-ins and sign-outs, with their files in the AWS tools' caches.
//!
//! What was found in a file, and what an answer means for it, is decided by [`crate::core::session`].

mod cache;
mod dpop;
mod exchange;
mod left_over_index;
mod oidc;
mod portal;
mod recovery;
mod redirect;
mod sign_in;
mod signin;
mod vanity;

use std::path::PathBuf;
use std::time::Duration;

use chrono::TimeDelta;
use tokio::sync::{mpsc, oneshot};

pub use self::cache::text_of as cache_text;
use self::cache::{Cache, Lock};
use self::exchange::Replaced;
pub use self::recovery::recover;
use super::clock;
use super::sdk::Sdk;
use crate::core::aws_error::{self, Fault, Operation, Remedy};
use crate::core::clock::Sample;
use crate::core::keeper::{
    MintOrder, Outcome, Prompt, RefreshOrder, RolesOrder, SessionEnd, SignInOrder, SignOutEnd, SignOutOrder, Ticket,
};
use crate::core::location::CachePaths;
use crate::core::plan::{Service, Source};
use crate::core::secret::Secret;
use crate::core::session::{
    After, Before, CacheFile, CacheProblem, CachedToken, Found, Refused, Save, Session, TokenAnswer, after_refresh,
    after_refusal, as_known, before_refresh, before_save, is_whole, set_aside,
};
use crate::core::time::{WallTime, span_from_seconds};

/// A refused refresh token is looked for in the file again at once, and after these: the program that used it writes the next one.
const LOOK_AGAIN: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(3)];
/// How long another evercred's refresh of the same session is waited for. Afterwards the token that is cached is used while it
/// is valid, and the lock is tried again with the next attempt.
const LONGEST_LOCKED: Duration = Duration::from_secs(5);
/// Others may write in the moment of writing, but not for ever.
const MOST_TRIES: usize = 8;

/// Carries out what the keeper orders for sessions.
#[derive(Clone)]
pub struct Sessions {
    pub(super) sdk: Sdk,
    cache: Cache,
}

impl Sessions {
    pub(super) fn new(sdk: Sdk, paths: CachePaths) -> Self {
        Self { sdk, cache: Cache::new(paths) }
    }

    /// Where a session's file is.
    pub fn path(&self, file: &CacheFile) -> PathBuf {
        self.cache.path(file)
    }

    /// What is in a session's file now. Nothing is changed.
    pub async fn read(&self, file: &CacheFile) -> Found {
        self.cache.read(file).await
    }

    /// The contents of the sessions' files, after recovery of what a stopped evercred left beside them.
    pub async fn read_all(&self, sessions: Vec<Session>) -> Vec<(CacheFile, Found)> {
        let files = sessions.iter().map(Session::cache_file).collect();
        let mut contents = Vec::with_capacity(sessions.len());
        for (session, (file, found)) in sessions.iter().zip(self.cache.read_all(files).await) {
            let found = match found {
                Some(found) => found,
                None => self.recover_and_read(session).await,
            };
            contents.push((file, found));
        }
        contents
    }

    async fn recover_and_read(&self, session: &Session) -> Found {
        let file = session.cache_file();
        // The holder of the lock handles the left-overs.
        if let Lock::Held(_lock) = self.cache.lock(&file, Duration::ZERO).await {
            self.cache.recover(session).await;
        }
        self.cache.read(&file).await
    }

    /// Why each of some cache files can't be replaced, as far as their metadata shows.
    pub async fn problems(&self, files: Vec<CacheFile>) -> Vec<(CacheFile, Option<Box<CacheProblem>>)> {
        self.cache.problems(files).await
    }

    /// Gets the credentials of a role for the token of who is signed in.
    pub(super) async fn role_credentials(&self, order: &MintOrder) -> (Outcome, Vec<Sample>) {
        let (Source::Sso(role), Some(token)) = (&order.step.source, &order.token) else {
            let operation = Operation::fetch(&order.step.profile);
            let why = "there is no token to ask with";
            let fault = aws_error::fault(&operation, None, Some("UnauthorizedException"), Some(why));
            return (Outcome::Failed(fault), Vec::new());
        };
        portal::role_credentials(&self.sdk, role, &order.endpoint, &order.step.profile, token).await
    }

    /// Lists accounts and roles.
    pub async fn list_roles(&self, order: RolesOrder) -> (Outcome, Vec<Sample>) {
        portal::list_roles(&self.sdk, &order.session, &order.token).await
    }

    /// Refreshes a session's token in its file.
    pub async fn refresh(&self, order: RefreshOrder) -> (Outcome, Vec<Sample>) {
        let mut samples = Vec::new();
        let outcome = match self.refreshed(&order, &mut samples).await {
            Ok(end) => Outcome::Session(end),
            Err(fault) => Outcome::Failed(fault),
        };
        (outcome, samples)
    }

    async fn refreshed(&self, order: &RefreshOrder, samples: &mut Vec<Sample>) -> Result<SessionEnd, Fault> {
        let RefreshOrder { session, known, superseded, save, aws_minus_boot, is_needed, .. } = order;
        let file = session.cache_file();
        let operation = Operation::new("refreshing").object(session.described());
        // Held until this function ends, so that no two evercreds refresh the same session at once.
        let lock = self.cache.lock(&file, LONGEST_LOCKED).await;
        if let Lock::Busy(holder) = &lock {
            let (who, path) = (holder.described(), self.cache.path(&file));
            let why =
                format!("{who} holds the lock {}.evercred-lock, and has not finished its refresh", path.display());
            let fault = aws_error::fault(&operation, None, Some("CacheFailed"), Some(&why));
            return Err(Fault { remedy: holder.fix().map(Remedy::Fix), ..fault });
        }
        if matches!(lock, Lock::Held(_)) {
            self.cache.recover(session).await;
        }
        if *save {
            return Ok(self.save(session, known, superseded.as_ref()).await);
        }
        let look = Look { cache: &self.cache, session, known, superseded: superseded.as_ref() };
        match before_refresh(session, known, &look.settled().await) {
            Before::Call => {}
            Before::Adopt(token) => return Ok(SessionEnd::Found(token)),
            Before::SignedOut => return Ok(SessionEnd::SignedOut),
            Before::Unusable(why) => return Err(unusable(&operation, &why)),
        }
        // A refresh token is spent only where the next one can be written. A full disk may have room again: there the token is
        // refreshed once the cached one can't be used any more, and kept until it can be written.
        if let Err(problem) = self.cache.try_out(&file).await
            && !(problem.is_full && *is_needed)
        {
            return Ok(SessionEnd::Unwritable(problem));
        }
        let called = match known {
            CachedToken::Sso(token) => oidc::refresh(&self.sdk, session, token, &operation, samples).await,
            CachedToken::Login(token) => {
                signin::refresh(&self.sdk, session, token, *aws_minus_boot, &operation, samples).await
            }
        };
        match called {
            Ok(answer) => self.take_answer(&look, &answer).await.map_err(|why| unusable(&operation, &why)),
            Err(fault) if is_refusal(&fault) => look.doubt(fault).await,
            Err(fault) => Err(fault),
        }
    }

    /// Writes a refreshed token, unless the user has signed out or another program has written a token that is as good.
    async fn take_answer(&self, look: &Look<'_>, answer: &TokenAnswer) -> Result<SessionEnd, String> {
        let (session, sent) = (look.session, look.known);
        let file = session.cache_file();
        let expires = expiry(answer);
        let mut found = self.settled(session).await;
        let mut newest = sent.clone();
        for _ in 0..MOST_TRIES {
            let counted = look.counted(found.clone());
            let (text, token, set_aside) = match after_refresh(session, sent, answer, expires, &counted) {
                After::Write { text, token, set_aside } => (text, token, set_aside),
                After::Keep(theirs) => return Ok(SessionEnd::Found(theirs)),
                After::SignedOut => return Ok(SessionEnd::SignedOut),
                After::Unusable(why) => return Err(why),
            };
            newest = token;
            match self.cache.replace(&file, &text, &found, set_aside).await {
                Replaced::Done => return Ok(SessionEnd::Renewed { token: newest, unsaved: None }),
                Replaced::Gone => return Ok(SessionEnd::SignedOut),
                Replaced::Failed(why) => return Ok(SessionEnd::Renewed { token: newest, unsaved: Some(why) }),
                // Another program wrote at the same moment: its text decides.
                Replaced::Changed(theirs) => found = theirs,
            }
        }
        let why = "others write it again and again".to_owned();
        Ok(SessionEnd::Renewed { token: newest, unsaved: Some(why) })
    }

    /// Writes a token that could not be written when it came.
    async fn save(&self, session: &Session, token: &CachedToken, superseded: Option<&CachedToken>) -> SessionEnd {
        let file = session.cache_file();
        let unsaved = |why| SessionEnd::Renewed { token: token.clone(), unsaved: why };
        let mut found = self.settled(session).await;
        for _ in 0..MOST_TRIES {
            let (text, set_aside) = match before_save(session, token, superseded, &found) {
                Save::Write { text, set_aside } => (text, set_aside),
                Save::Create(text) => return unsaved(self.cache.write(&file, &text, |_| false).await.err()),
                Save::Done => return unsaved(None),
                Save::Adopt(theirs) => return SessionEnd::Found(theirs),
                Save::SignedOut => return SessionEnd::SignedOut,
            };
            match self.cache.replace(&file, &text, &found, set_aside).await {
                Replaced::Done => return unsaved(None),
                Replaced::Gone => return SessionEnd::SignedOut,
                Replaced::Failed(why) => return unsaved(Some(why)),
                Replaced::Changed(theirs) => found = theirs,
            }
        }
        unsaved(Some("others write it again and again".to_owned()))
    }

    async fn settled(&self, session: &Session) -> Found {
        self.cache.read_settled(&session.cache_file(), |text| is_whole(session, text)).await
    }

    /// Signs a user in. Says what has to be done as soon as that is known, and ends when it is done. `pasted` brings the code
    /// that the user has pasted, where the prompt asks for one.
    pub async fn sign_in(
        &self,
        order: SignInOrder,
        begun: mpsc::Sender<(Ticket, Prompt)>,
        pasted: oneshot::Receiver<Secret>,
    ) -> (Outcome, Vec<Sample>) {
        let mut samples = Vec::new();
        let outcome = match sign_in::run(self, &order, &begun, pasted, &mut samples).await {
            Ok(end) => Outcome::Session(end),
            Err(fault) => Outcome::Failed(fault),
        };
        (outcome, samples)
    }

    /// Ends a session: removes its file, and then tells AWS, if that can be done.
    pub async fn sign_out(&self, order: SignOutOrder) -> (Outcome, Vec<Sample>) {
        let SignOutOrder { session, token, .. } = order;
        let file = session.cache_file();
        let operation = Operation::new("signing out").object(format!("of {}", session.described()));
        let lock = self.cache.lock(&file, LONGEST_LOCKED).await;
        if matches!(lock, Lock::Held(_)) {
            self.cache.recover(&session).await;
        }
        // A refresh that was under way may have written another one.
        let (newest, stays) = match self.settled(&session).await {
            Found::Text(text) => match session.read(text.expose()) {
                Ok(token) => (Some(token), None),
                Err(unusable) if unusable.foreign => (None, Some(Ok(()))),
                Err(_) if text.expose().trim().is_empty() => (None, None),
                Err(unusable) => (None, Some(Err(format!("it {}", unusable.why)))),
            },
            Found::Missing => (None, None),
            Found::Unreadable(why) => (None, Some(Err(why))),
        };
        let is_no_token = matches!(stays, Some(Err(_)));
        let removed = match stays {
            None => self.cache.remove(&file).await,
            // It may be anything: its removal is the user's decision.
            Some(Err(why)) => Err(format!("its cache file is no token that can be read, and stays: {why}")),
            Some(Ok(())) => Ok(()),
        };
        let fix = match &removed {
            Ok(()) => None,
            Err(_) => match self.cache.problem(&file).await {
                Some(problem) => problem.fix,
                None => is_no_token.then(|| set_aside(&self.path(&file).display().to_string())),
            },
        };
        drop(lock);
        let mut samples = Vec::new();
        let left = newest.clone().or_else(|| token.clone()).filter(|_| removed.is_err());
        // A file that could not be replaced shows an older token.
        let token = newest.into_iter().chain(token).max_by_key(CachedToken::expires);
        let told = match (&session, &token) {
            (Session::Sso(session), Some(CachedToken::Sso(token))) => {
                portal::log_out(&self.sdk, session, &token.access_token, &mut samples).await
            }
            _ => Ok(()),
        };
        let not_told = told.err().map(|fault| fault.to_string());
        if let Some(why) = &not_told {
            tracing::warn!("{operation}: {why}");
        }
        if let Err(why) = &removed
            && token.is_none()
        {
            let fault = aws_error::fault(&operation, None, Some("CacheFailed"), Some(why));
            let remedy = fix.map(Remedy::Fix).or(fault.remedy);
            return (Outcome::Failed(Fault { remedy, ..fault }), samples);
        }
        // AWS has no call that ends a session of `aws login`.
        let works_on = not_told.is_some() || matches!(session, Session::Login(_));
        let works_until = token.filter(|_| works_on).map(|token| token.expires());
        let works_until = works_until.filter(|at| *at > clock::read().wall);
        (Outcome::SignedOut(SignOutEnd { not_told, not_removed: removed.err(), fix, left, works_until }), samples)
    }
}

/// A session's file, as it counts for the token that is to be refreshed.
struct Look<'a> {
    cache: &'a Cache,
    session: &'a Session,
    known: &'a CachedToken,
    superseded: Option<&'a CachedToken>,
}

impl Look<'_> {
    async fn settled(&self) -> Found {
        self.counted(self.cache.read_settled(&self.session.cache_file(), |text| is_whole(self.session, text)).await)
    }

    /// What was found, as it counts: a file that lags behind shows what is known.
    fn counted(&self, found: Found) -> Found {
        as_known(self.session, self.known, self.superseded, clock::read().wall, found)
    }

    /// A refresh token was refused: another program may have used it, and may be about to write its successor.
    async fn doubt(&self, fault: Fault) -> Result<SessionEnd, Fault> {
        let mut pauses = LOOK_AGAIN.iter();
        loop {
            match after_refusal(self.session, self.known, &self.settled().await) {
                Refused::Adopt(token) => return Ok(SessionEnd::Found(token)),
                Refused::SignedOut => return Ok(SessionEnd::SignedOut),
                Refused::Believed => {}
            }
            let Some(pause) = pauses.next() else { return Err(fault) };
            #[expect(
                clippy::disallowed_methods,
                reason = "nothing tells when a program that holds no lock will have written: its file is looked at when it should"
            )]
            tokio::time::sleep(*pause).await;
        }
    }
}

/// When what an answer brought expires, by this machine's clock however wrong that is: so does every AWS tool stamp it, and
/// compare it.
fn expiry(answer: &TokenAnswer) -> WallTime {
    clock::read().wall + answer.expires_in
}

fn is_refusal(fault: &Fault) -> bool {
    matches!(fault.code.as_str(), "InvalidGrantException" | "TOKEN_EXPIRED" | "INVALID_REQUEST")
}

fn unusable(operation: &Operation, why: &str) -> Fault {
    aws_error::fault(operation, None, Some("SsoCacheUnusable"), Some(&format!("its file in the cache {why}")))
}

/// Seconds as a service says them; nonsense counts as nothing.
fn seconds(seconds: i32) -> TimeDelta {
    span_from_seconds(seconds.max(0).into())
}

/// The service that a session's tokens come from.
fn service_of(session: &Session) -> Service {
    match session {
        Session::Sso(_) => Service::Oidc,
        Session::Login(_) => Service::Signin,
    }
}
