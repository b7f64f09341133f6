//! Decides which findings become notices: those that a change of a file brings while the daemon runs.
//!
//! A state machine like the keeper: findings and the time go in, notices come out, and `next_timeout` is the time of the next call.
//! A file has one notice, however many mistakes it has. Another mistake raises it again; saving the file with the same
//! mistake does not.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use chrono::TimeDelta;

use super::Lint;
use crate::core::doctor::Cause;
use crate::core::keeper::Notice;
use crate::core::profile::SourceFile;
use crate::core::time::BootTime;

/// The notice about a file with malformed keys.
pub const CREDENTIALS_MALFORMED: &str = "credentials-malformed";

/// The age at which a mistake is reported: `aws configure set` writes one value in each run, and a run takes a second or two.
const MIN_AGE: TimeDelta = TimeDelta::seconds(5);

/// A mistake is the same one when its line moves, and when it is another of its kind.
type Key = (SourceFile, Cause, String);

/// The mistakes in the files, and the notices about them. See the module.
#[derive(Default)]
pub struct FileLints {
    lints: Vec<Lint>,
    /// New ones, and when they came.
    waiting: BTreeMap<Key, BootTime>,
    reported: BTreeSet<Key>,
    /// How often a file's cause has got worse since it began.
    worse: BTreeMap<SourceFile, u32>,
    notices: VecDeque<Notice>,
}

impl FileLints {
    /// The current findings about the files. `by_change`: a file was changed, so new findings are reported; those from the start
    /// or from a setting are not.
    pub fn set(&mut self, lints: Vec<Lint>, by_change: bool, now: BootTime) {
        let before: BTreeSet<Key> = self.lints.iter().map(key).collect();
        let present: BTreeSet<Key> = lints.iter().map(key).collect();
        self.lints = lints;
        self.waiting.retain(|key, _| present.contains(key));
        if by_change {
            // The notice is about keys.
            for key in present.difference(&before).filter(|(_, id, _)| *id != Cause::RegionInvalid) {
                self.waiting.insert(key.clone(), now);
            }
        }
        let corrected: BTreeSet<SourceFile> = self.reported.difference(&present).map(|(file, ..)| *file).collect();
        self.reported.retain(|key| present.contains(key));
        for file in corrected {
            self.report(file);
        }
    }

    /// All current findings.
    pub fn lints(&self) -> &[Lint] {
        &self.lints
    }

    /// The time that `next_timeout` named has come. Calling it too early, or again, does nothing.
    pub fn handle_timeout(&mut self, now: BootTime) {
        let due: Vec<Key> = self.due().filter(|(_, at)| *at <= now).map(|(key, _)| key.clone()).collect();
        let files: BTreeSet<SourceFile> = due.iter().map(|(file, ..)| *file).collect();
        for file in &files {
            let is_reported = self.reported.iter().any(|(of, ..)| of == file);
            self.worse.entry(*file).and_modify(|worse| *worse += u32::from(is_reported)).or_default();
        }
        for key in due {
            self.waiting.remove(&key);
            self.reported.insert(key);
        }
        for file in files {
            self.report(file);
        }
    }

    /// When to call `handle_timeout` next.
    pub fn next_timeout(&self) -> Option<BootTime> {
        self.due().map(|(_, at)| at).min()
    }

    /// The next notice.
    pub fn poll_notice(&mut self) -> Option<Notice> {
        self.notices.pop_front()
    }

    fn due(&self) -> impl Iterator<Item = (&Key, BootTime)> {
        self.waiting.iter().map(|(key, since)| (key, *since + MIN_AGE))
    }

    /// Raises the notice about a file again, or clears it if all reported mistakes are corrected.
    fn report(&mut self, file: SourceFile) {
        let is_reported = |lint: &&Lint| lint.origin.file == file && self.reported.contains(&key(lint));
        let remaining: Vec<&Lint> = self.lints.iter().filter(is_reported).collect();
        let (id, subject) = (CREDENTIALS_MALFORMED, file.label().to_owned());
        let notice = match remaining.split_first() {
            None => {
                self.worse.remove(&file);
                let message = format!("the mistakes in {subject} are corrected");
                Notice { id, subject, worse: 0, is_over: true, message, fix: None }
            }
            Some((first, others)) => {
                let message = format!("{} (line {} of {subject})", first.message, first.origin.line);
                let (message, fix) = match others.len() {
                    0 => (message, Some(first.fix.text().to_owned())),
                    more => {
                        let mistakes = if more == 1 { "mistake" } else { "mistakes" };
                        (format!("{message}, and {more} more {mistakes} there"), Some("evercred status".to_owned()))
                    }
                };
                let worse = self.worse.get(&file).copied().unwrap_or_default();
                Notice { id, subject, worse, is_over: false, message, fix }
            }
        };
        self.notices.push_back(notice);
    }
}

fn key(lint: &Lint) -> Key {
    (lint.origin.file, lint.id, lint.profile.clone())
}
