//! The work of sign-in sessions: what is under way, and what comes of it as events for the keeper.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, JoinError, JoinSet};

use crate::adapters::sessions::{Sessions, cache_text};
use crate::adapters::watch::FileContent;
use crate::core::keeper::{Event, Prompt, RefreshOrder, RolesOrder, SignInOrder, SignOutOrder, Ticket};
use crate::core::secret::Secret;
use crate::core::session::{CacheFile, CacheProblem, Found, Session};

/// Prompts that wait for the loop; there is one for each sign-in.
const QUEUE: usize = 8;

/// The most jobs for the cache files of one request. A file system that does not answer delays only the files of its job.
const READ_JOBS: usize = 16;

/// What is under way for sessions.
pub(super) struct SessionWork {
    /// Each ends with its events.
    work: JoinSet<Vec<Event>>,
    begun: mpsc::Sender<(Ticket, Prompt)>,
    prompts: mpsc::Receiver<(Ticket, Prompt)>,
    sign_ins: BTreeMap<Ticket, SignInTask>,
    /// The cache files that are watched.
    files: HashMap<PathBuf, CacheFile>,
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
        Self { work: JoinSet::new(), begun, prompts, sign_ins: BTreeMap::new(), files: HashMap::new() }
    }
}

impl SessionWork {
    /// Waits for events, and returns all pending ones. `None` if no work is under way.
    pub(super) async fn next(&mut self) -> Option<Vec<Event>> {
        let mut events = tokio::select! {
            // In this order: a sign-in begins before it ends.
            biased;
            Some((ticket, prompt)) = self.prompts.recv() => vec![Event::SignInBegun { ticket, prompt }],
            Some(ended) = self.work.join_next() => self.ended(ended),
            else => return None,
        };
        loop {
            if let Ok((ticket, prompt)) = self.prompts.try_recv() {
                events.push(Event::SignInBegun { ticket, prompt });
            } else if let Some(ended) = self.work.try_join_next() {
                events.extend(self.ended(ended));
            } else {
                return Some(events);
            }
        }
    }

    /// The events of the next finished work. `None` if no work is under way.
    pub(super) async fn finished(&mut self) -> Option<Vec<Event>> {
        let ended = self.work.join_next().await?;
        Some(self.ended(ended))
    }

    fn ended(&mut self, ended: Result<Vec<Event>, JoinError>) -> Vec<Event> {
        match ended {
            Ok(events) => {
                for event in &events {
                    if let Event::Ended { ticket, .. } = event {
                        self.sign_ins.remove(ticket);
                    }
                }
                return events;
            }
            Err(error) if error.is_cancelled() => {}
            // In release a panic aborts; in tests it shows here.
            Err(error) => tracing::error!("work on a session ended without an outcome: {error}"),
        }
        Vec::new()
    }

    /// Nobody will answer a page after the end.
    pub(super) fn stop_sign_ins(&mut self) {
        for sign_in in std::mem::take(&mut self.sign_ins).into_values() {
            sign_in.task.abort();
        }
    }

    /// Reads the cache files of these sessions, and checks whether they can be replaced.
    pub(super) fn read_files(&mut self, sessions: &Sessions, of: &[Session]) {
        for part in of.chunks(of.len().div_ceil(READ_JOBS).max(1)) {
            let (sessions, part) = (sessions.clone(), part.to_vec());
            self.work.spawn(async move {
                let contents = sessions.read_all(part).await;
                let problems = sessions.problems(contents.iter().map(|(file, _)| file.clone()).collect()).await;
                let contents = contents.into_iter().map(|(file, found)| Event::SessionFile { file, found });
                cache_checks(problems).chain(contents).collect()
            });
        }
    }

    /// Checks whether these cache files can be replaced.
    pub(super) fn check_files(&mut self, sessions: &Sessions, files: &[CacheFile]) {
        for part in files.chunks(files.len().div_ceil(READ_JOBS).max(1)) {
            let (sessions, part) = (sessions.clone(), part.to_vec());
            self.work.spawn(async move { cache_checks(sessions.problems(part).await).collect() });
        }
    }

    pub(super) fn refresh(&mut self, sessions: &Sessions, order: RefreshOrder) {
        let (sessions, ticket) = (sessions.clone(), order.ticket);
        self.work.spawn(async move {
            let (outcome, samples) = sessions.refresh(order).await;
            vec![Event::Ended { ticket, outcome, samples }]
        });
    }

    pub(super) fn sign_in(&mut self, sessions: &Sessions, order: SignInOrder) {
        let (sessions, ticket, begun) = (sessions.clone(), order.ticket, self.begun.clone());
        let (sender, pasted) = oneshot::channel();
        let task = self.work.spawn(async move {
            let (outcome, samples) = sessions.sign_in(order, begun, pasted).await;
            vec![Event::Ended { ticket, outcome, samples }]
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
            vec![Event::Ended { ticket, outcome, samples }]
        });
    }

    pub(super) fn list_roles(&mut self, sessions: &Sessions, order: RolesOrder) {
        let (sessions, ticket) = (sessions.clone(), order.ticket);
        self.work.spawn(async move {
            let (outcome, samples) = sessions.list_roles(order).await;
            vec![Event::Ended { ticket, outcome, samples }]
        });
    }

    /// The cache files that are to be watched; true where they are others than before.
    pub(super) fn watch(&mut self, sessions: &Sessions, files: BTreeSet<CacheFile>) -> bool {
        let files: HashMap<PathBuf, CacheFile> = files.into_iter().map(|file| (sessions.path(&file), file)).collect();
        let changed = files != self.files;
        self.files = files;
        changed
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        self.files.keys()
    }

    /// The cache file at a path, with its content; `None` if no session has it.
    pub(super) fn file_changed(&self, path: &Path, content: &FileContent) -> Option<(CacheFile, Found)> {
        let file = self.files.get(path)?.clone();
        let found = match content {
            FileContent::Missing => Found::Missing,
            FileContent::Text(bytes) => cache_text(bytes),
            FileContent::Unreadable(why) => Found::Unreadable(why.clone()),
        };
        Some((file, found))
    }
}

fn cache_checks(problems: Vec<(CacheFile, Option<Box<CacheProblem>>)>) -> impl Iterator<Item = Event> {
    problems.into_iter().map(|(file, problem)| Event::CacheChecked { file, problem })
}
