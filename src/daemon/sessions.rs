//! The work of sign-in sessions: what is under way, and what comes of it as events for the keeper.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, JoinError, JoinSet};

use crate::adapters::sessions::Sessions;
use crate::adapters::watch::FileContent;
use crate::core::keeper::{Event, Prompt, RefreshOrder, RolesOrder, SignInOrder, SignOutOrder, Ticket};
use crate::core::secret::Secret;
use crate::core::session::{CacheFile, Found, Session};

/// Prompts that wait for the loop; there is one for each sign-in.
const QUEUE: usize = 8;

/// The number from which cache files count as many.
const MANY: usize = 64;

/// Whether it is the result of reading a cache file.
pub(super) fn is_look(event: &Event) -> bool {
    matches!(event, Event::SessionFile { .. } | Event::CacheChecked { .. })
}

/// What is under way for sessions.
pub(super) struct SessionWork {
    /// Each ends with an event.
    work: JoinSet<Event>,
    begun: mpsc::Sender<(Ticket, Prompt)>,
    prompts: mpsc::Receiver<(Ticket, Prompt)>,
    sign_ins: BTreeMap<Ticket, SignInTask>,
    /// The cache files that are watched.
    files: BTreeMap<PathBuf, CacheFile>,
    /// How many cache files are being read or checked.
    looks: usize,
}

/// A sign-in that is under way.
struct SignInTask {
    task: AbortHandle,
    /// Receives the code that the user pastes, once.
    pasted: Option<oneshot::Sender<Secret>>,
}

impl Default for SessionWork {
    fn default() -> Self {
        let (begun, prompts) = mpsc::channel(QUEUE);
        Self { work: JoinSet::new(), begun, prompts, sign_ins: BTreeMap::new(), files: BTreeMap::new(), looks: 0 }
    }
}

impl SessionWork {
    /// The next thing that has happened; `None` where nothing is under way.
    pub(super) async fn next(&mut self) -> Option<Event> {
        loop {
            let ended = tokio::select! {
                // In this order: a sign-in begins before it ends.
                biased;
                Some((ticket, prompt)) = self.prompts.recv() => return Some(Event::SignInBegun { ticket, prompt }),
                Some(ended) = self.work.join_next() => ended,
                else => return None,
            };
            if let Some(event) = self.ended(ended) {
                return Some(event);
            }
        }
    }

    /// The next pending event.
    pub(super) fn next_ready(&mut self) -> Option<Event> {
        loop {
            // In this order: a sign-in begins before it ends.
            if let Ok((ticket, prompt)) = self.prompts.try_recv() {
                return Some(Event::SignInBegun { ticket, prompt });
            }
            let ended = self.work.try_join_next()?;
            if let Some(event) = self.ended(ended) {
                return Some(event);
            }
        }
    }

    /// What has ended of what was under way; `None` once nothing is.
    pub(super) async fn finished(&mut self) -> Option<Event> {
        loop {
            let ended = self.work.join_next().await?;
            if let Some(event) = self.ended(ended) {
                return Some(event);
            }
        }
    }

    fn ended(&mut self, ended: Result<Event, JoinError>) -> Option<Event> {
        match ended {
            Ok(event) => {
                match &event {
                    Event::Ended { ticket, .. } => drop(self.sign_ins.remove(ticket)),
                    event if is_look(event) => self.looks = self.looks.saturating_sub(1),
                    _ => {}
                }
                return Some(event);
            }
            Err(error) if error.is_cancelled() => {}
            // In release a panic aborts; in tests it shows here.
            Err(error) => tracing::error!("work on a session ended without an outcome: {error}"),
        }
        None
    }

    /// Whether so many cache files are being read that the first results can wait for more.
    pub(super) fn is_reading_many(&self) -> bool {
        self.looks >= MANY
    }

    /// Nobody will answer a page after the end.
    pub(super) fn stop_sign_ins(&mut self) {
        for sign_in in std::mem::take(&mut self.sign_ins).into_values() {
            sign_in.task.abort();
        }
    }

    /// Reads a session's cache file, and checks whether it can be replaced.
    pub(super) fn look(&mut self, sessions: &Sessions, session: Session) {
        self.check(sessions, session.cache_file());
        self.looks += 1;
        let sessions = sessions.clone();
        self.work.spawn(async move {
            let found = sessions.look(&session).await;
            Event::SessionFile { file: session.cache_file(), found }
        });
    }

    /// Checks whether a cache file can be replaced.
    pub(super) fn check(&mut self, sessions: &Sessions, file: CacheFile) {
        self.looks += 1;
        let sessions = sessions.clone();
        self.work.spawn(async move {
            let problem = sessions.problem(&file).await.map(Box::new);
            Event::CacheChecked { file, problem }
        });
    }

    pub(super) fn refresh(&mut self, sessions: &Sessions, order: RefreshOrder) {
        let (sessions, ticket) = (sessions.clone(), order.ticket);
        self.work.spawn(async move {
            let (outcome, samples) = sessions.refresh(order).await;
            Event::Ended { ticket, outcome, samples }
        });
    }

    pub(super) fn sign_in(&mut self, sessions: &Sessions, order: SignInOrder) {
        let (sessions, ticket, begun) = (sessions.clone(), order.ticket, self.begun.clone());
        let (sender, pasted) = oneshot::channel();
        let task = self.work.spawn(async move {
            let (outcome, samples) = sessions.sign_in(order, begun, pasted).await;
            Event::Ended { ticket, outcome, samples }
        });
        self.sign_ins.insert(ticket, SignInTask { task, pasted: Some(sender) });
    }

    /// Passes a pasted code to its sign-in. The end of the sign-in is the result.
    pub(super) fn paste(&mut self, ticket: Ticket, code: Secret) {
        if let Some(pasted) = self.sign_ins.get_mut(&ticket).and_then(|sign_in| sign_in.pasted.take()) {
            // A sign-in that has just ended needs no code.
            let _ = pasted.send(code);
        }
    }

    /// Nobody waits for a sign-in any more: its listener is closed, its questions are no longer asked.
    pub(super) fn cancel(&mut self, ticket: Ticket) {
        if let Some(sign_in) = self.sign_ins.remove(&ticket) {
            sign_in.task.abort();
        }
    }

    pub(super) fn sign_out(&mut self, sessions: &Sessions, order: SignOutOrder) {
        let (sessions, ticket) = (sessions.clone(), order.ticket);
        self.work.spawn(async move {
            let (outcome, samples) = sessions.sign_out(order).await;
            Event::Ended { ticket, outcome, samples }
        });
    }

    pub(super) fn list_roles(&mut self, sessions: &Sessions, order: RolesOrder) {
        let (sessions, ticket) = (sessions.clone(), order.ticket);
        self.work.spawn(async move {
            let (outcome, samples) = sessions.list_roles(order).await;
            Event::Ended { ticket, outcome, samples }
        });
    }

    /// The cache files that are to be watched; true where they are others than before.
    pub(super) fn watch(&mut self, sessions: &Sessions, files: BTreeSet<CacheFile>) -> bool {
        let files: BTreeMap<PathBuf, CacheFile> = files.into_iter().map(|file| (sessions.path(&file), file)).collect();
        let changed = files != self.files;
        self.files = files;
        changed
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        self.files.keys()
    }

    /// What a change of a file means, where it is a cache file.
    pub(super) fn file_changed(&self, path: &Path, content: &FileContent) -> Option<Event> {
        let file = self.files.get(path)?.clone();
        let found = match content {
            FileContent::Missing => Found::Missing,
            FileContent::Text(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => Found::Text(Secret::new(text)),
                Err(_) => Found::Unreadable("it is not text".to_owned()),
            },
            FileContent::Unreadable(why) => Found::Unreadable(why.clone()),
        };
        Some(Event::SessionFile { file, found })
    }
}
