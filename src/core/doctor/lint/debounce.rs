//! Which remarks a person is told of, beyond the status: those that came in by a change of a file while somebody watches it.
//!
//! A state machine in the keeper's manner: remarks go in with the time, notices come out, `next_timeout` says when to look again.
//! A file is one cause, however many mistakes are in it; it is told again only where another mistake came in, and a mistake
//! that stays is told once however often the file is saved.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use chrono::TimeDelta;

use super::Lint;
use crate::core::doctor::Cause;
use crate::core::keeper::Notice;
use crate::core::profile::SourceFile;
use crate::core::time::BootTime;

/// A file of the person has keys in it that can't be right.
pub const CREDENTIALS_MALFORMED: &str = "credentials-malformed";

/// A mistake stands so long before it is told: `aws configure set` writes one value in each run, and a run takes a second or two.
const STANDS: TimeDelta = TimeDelta::seconds(5);

/// A mistake is the same one when its line moves, and when it is another of its kind.
type Key = (SourceFile, Cause, String);

/// What is wrong with the files, and what was told of it. See the module.
#[derive(Default)]
pub struct FileLints {
    remarks: Vec<Lint>,
    /// New ones, and when they came.
    waiting: BTreeMap<Key, BootTime>,
    told: BTreeSet<Key>,
    /// How often a file's cause has got worse since it began.
    worse: BTreeMap<SourceFile, u32>,
    notices: VecDeque<Notice>,
}

impl FileLints {
    /// These are the remarks on the files as they are now. `by_change`: a file was changed, so what is new is told; what was
    /// there from the start, or comes of a setting, is not.
    pub fn set(&mut self, remarks: Vec<Lint>, by_change: bool, now: BootTime) {
        let before: BTreeSet<Key> = self.remarks.iter().map(key).collect();
        let present: BTreeSet<Key> = remarks.iter().map(key).collect();
        self.remarks = remarks;
        self.waiting.retain(|key, _| present.contains(key));
        if by_change {
            for key in present.difference(&before) {
                self.waiting.insert(key.clone(), now);
            }
        }
        let mended: BTreeSet<SourceFile> = self.told.difference(&present).map(|(file, ..)| *file).collect();
        self.told.retain(|key| present.contains(key));
        for file in mended {
            self.tell(file);
        }
    }

    /// All that is wrong with the files as they are now.
    pub fn remarks(&self) -> &[Lint] {
        &self.remarks
    }

    /// The time that `next_timeout` named has come. Calling it too early, or again, does nothing.
    pub fn handle_timeout(&mut self, now: BootTime) {
        let due: Vec<Key> = self.due().filter(|(_, at)| *at <= now).map(|(key, _)| key.clone()).collect();
        let files: BTreeSet<SourceFile> = due.iter().map(|(file, ..)| *file).collect();
        for file in &files {
            let is_told = self.told.iter().any(|(of, ..)| of == file);
            self.worse.entry(*file).and_modify(|worse| *worse += u32::from(is_told)).or_default();
        }
        for key in due {
            self.waiting.remove(&key);
            self.told.insert(key);
        }
        for file in files {
            self.tell(file);
        }
    }

    /// When to call `handle_timeout` next.
    pub fn next_timeout(&self) -> Option<BootTime> {
        self.due().map(|(_, at)| at).min()
    }

    /// The next thing to tell.
    pub fn poll_notice(&mut self) -> Option<Notice> {
        self.notices.pop_front()
    }

    fn due(&self) -> impl Iterator<Item = (&Key, BootTime)> {
        self.waiting.iter().map(|(key, came)| (key, *came + STANDS))
    }

    /// How it is with one file by now: what was told and still stands, or that none of it does.
    fn tell(&mut self, file: SourceFile) {
        let is_told = |remark: &&Lint| remark.origin.file == file && self.told.contains(&key(remark));
        let standing: Vec<&Lint> = self.remarks.iter().filter(is_told).collect();
        let (id, subject) = (CREDENTIALS_MALFORMED, called(file).to_owned());
        let notice = match standing.split_first() {
            None => {
                self.worse.remove(&file);
                let message = format!("the mistakes in {subject} are mended");
                Notice { id, subject, worse: 0, is_over: true, message, fix: None }
            }
            Some((first, others)) => {
                let message = format!("{} (line {} of {subject})", first.message, first.origin.line);
                let (message, fix) = match others.len() {
                    0 => (message, first.fix.clone()),
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

fn key(remark: &Lint) -> Key {
    (remark.origin.file, remark.id, remark.profile.clone())
}

fn called(file: SourceFile) -> &'static str {
    match file {
        SourceFile::Config => "the AWS config file",
        SourceFile::Credentials => "the AWS credentials file",
        SourceFile::Settings => "the settings file",
    }
}
