//! What keeps this machine's time: looked at when somebody wants to know, as it can change at any time and takes a moment.

use chrono::TimeDelta;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::clock_document;
use crate::adapters::timekeeping;
use crate::core::keeper::{Keeper, Notice};
use crate::core::time::{BootTime, Now};
use crate::core::timekeeping::{Fix, TimeKeeping};
use crate::platform::environment::Environment;
use crate::wire;

/// Who wants to know.
pub(super) enum For {
    /// A caller that asked for the clock document.
    Caller(oneshot::Sender<wire::Answer>),
    /// Whoever asks for the status next.
    Status,
    /// A person that is to be told how to mend the clock.
    Person(Notice),
}

/// What was found last, and the looks that are under way.
#[derive(Default)]
pub(super) struct ClockFacts {
    last: Option<(TimeKeeping, BootTime)>,
    looks: JoinSet<(TimeKeeping, For)>,
}

impl ClockFacts {
    /// Begins to look.
    pub(super) fn look(&mut self, environment: &Environment, wanted_for: For) {
        let environment = environment.clone();
        self.looks.spawn_blocking(move || (timekeeping::look(&environment), wanted_for));
    }

    /// The end of a look; `None` while none is under way.
    pub(super) async fn found(&mut self) -> Option<Result<(TimeKeeping, For), tokio::task::JoinError>> {
        self.looks.join_next().await
    }

    /// Answers who wanted to know; gives what a person is to be told, with the way to mend it.
    pub(super) fn take(
        &mut self,
        facts: TimeKeeping,
        wanted_for: For,
        keeper: &Keeper,
        warn: TimeDelta,
        now: Now,
    ) -> Option<Notice> {
        let mut notice = None;
        match wanted_for {
            For::Caller(reply) => {
                let document = clock_document::document(keeper, &facts, warn, now);
                let _ = reply.send(wire::answer_ok(&document));
            }
            For::Status => {}
            // It may have been mended while this machine was looked at.
            For::Person(told) if keeper.clock_warning(now).is_some() => {
                let fix = clock_document::fixes(&facts, keeper, now).into_iter().next().map(in_a_line);
                notice = Some(Notice { fix, ..told });
            }
            For::Person(_) => {}
        }
        self.last = Some((facts, now.boot));
        notice
    }

    /// The first thing to do about the clock, by what was found last. What is older than a minute is looked at again, for
    /// whoever asks next: a person may be at work on it.
    pub(super) fn first_fix(&mut self, environment: &Environment, keeper: &Keeper, now: Now) -> Option<String> {
        let is_old = self.last.as_ref().is_none_or(|(_, at)| now.boot - *at > TimeDelta::minutes(1));
        if is_old && self.looks.is_empty() && keeper.clock_warning(now).is_some() {
            self.look(environment, For::Status);
        }
        let fix = clock_document::fixes(&self.last.as_ref()?.0, keeper, now).into_iter().next()?;
        Some(in_a_line(fix))
    }
}

fn in_a_line(Fix { text, command, .. }: Fix) -> String {
    command.unwrap_or(text)
}
