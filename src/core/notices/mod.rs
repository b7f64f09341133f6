//! What reaches a person through the desktop: what, when, and in which words.
//!
//! A state machine in the keeper's manner: notices go in with the time, messages come out, `next_timeout` says when to look
//! again. A cause is shown once for as long as it lasts, and again only where it got worse. What comes together is one
//! message; in quiet hours, and while the desktop is turned off, what is not over waits.

mod message;

use std::collections::{BTreeMap, VecDeque};

use chrono::{NaiveTime, TimeDelta};

pub use message::Message;

use crate::core::keeper::Notice;
use crate::core::settings::Notify;
use crate::core::time::BootTime;

/// Causes come in bursts: a laptop wakes up, a file is saved.
const BURST: TimeDelta = TimeDelta::seconds(2);
/// The end of quiet hours is looked for at least so often: a clock may be set, a zone may change.
const LOOK_AGAIN: TimeDelta = TimeDelta::minutes(15);

/// What is to be shown, and what was. See the module.
pub struct Notices {
    settings: Notify,
    /// What is not over, by its id and subject.
    causes: BTreeMap<(&'static str, String), Cause>,
    /// When the message is due that gathers what is waiting.
    due: Option<BootTime>,
    arrivals: u64,
    messages: VecDeque<Message>,
    wake: Option<BootTime>,
}

/// Something that is not over.
struct Cause {
    worse: u32,
    /// What is to be shown of it; nothing where that was done.
    waiting: Option<Waiting>,
}

/// Something that was not shown yet.
struct Waiting {
    order: u64,
    message: String,
    fix: Option<String>,
}

impl Notices {
    /// Nothing to show yet.
    pub fn new(settings: Notify) -> Self {
        Self { settings, causes: BTreeMap::new(), due: None, arrivals: 0, messages: VecDeque::new(), wake: None }
    }

    /// The keeper has something to tell. `local` is the time of the day where the person is.
    pub fn handle(&mut self, notice: Notice, now: BootTime, local: NaiveTime) {
        let Notice { id, subject, worse, is_over, message, fix } = notice;
        let cause = (id, subject);
        if is_over {
            self.causes.remove(&cause);
        } else {
            self.take(cause, worse, message, fix, now);
        }
        self.pump(now, local);
    }

    /// The settings are these from now on.
    pub fn set(&mut self, settings: Notify, now: BootTime, local: NaiveTime) {
        self.settings = settings;
        self.pump(now, local);
    }

    /// The time that `next_timeout` named has come, or a clock was set. Calling it too early, or again, does nothing.
    pub fn handle_timeout(&mut self, now: BootTime, local: NaiveTime) {
        self.pump(now, local);
    }

    /// When to call `handle_timeout` next.
    pub fn next_timeout(&self) -> Option<BootTime> {
        self.wake
    }

    /// The next message to show.
    pub fn poll_message(&mut self) -> Option<Message> {
        self.messages.pop_front()
    }

    fn take(&mut self, cause: (&'static str, String), worse: u32, message: String, fix: Option<String>, now: BootTime) {
        let known = self.causes.get_mut(&cause);
        if known.as_ref().is_some_and(|known| worse < known.worse + u32::from(known.waiting.is_none())) {
            return;
        }
        // What waits already keeps its place, and is shown as it is by now.
        let order = known.and_then(|known| Some(known.waiting.as_ref()?.order)).unwrap_or(self.arrivals);
        self.arrivals += 1;
        self.causes.insert(cause, Cause { worse, waiting: Some(Waiting { order, message, fix }) });
        self.due.get_or_insert(now + BURST);
    }

    fn pump(&mut self, now: BootTime, local: NaiveTime) {
        self.wake = None;
        if self.causes.values().all(|cause| cause.waiting.is_none()) {
            self.due = None;
            return;
        }
        if !self.settings.desktop {
            return;
        }
        if let Some(left) = self.settings.quiet.and_then(|quiet| quiet.left(local)) {
            self.wake = Some(now + left.min(LOOK_AGAIN));
            return;
        }
        if let Some(due) = self.due.filter(|due| *due > now) {
            self.wake = Some(due);
            return;
        }
        self.due = None;
        let mut waiting: Vec<(&'static str, Waiting)> =
            self.causes.iter_mut().filter_map(|((id, _), cause)| Some((*id, cause.waiting.take()?))).collect();
        waiting.sort_by_key(|(_, waiting)| waiting.order);
        let told: Vec<message::Told<'_>> = waiting
            .iter()
            .map(|(id, Waiting { message, fix, .. })| message::Told { id, message, fix: fix.as_deref() })
            .collect();
        self.messages.extend(Message::of(&told));
    }
}

#[cfg(test)]
mod tests;
