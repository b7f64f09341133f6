//! What people are told: in the log at once, and on the desktop when and as the core says.

use chrono::{DateTime, NaiveTime};
use tokio::task::JoinSet;

use crate::adapters::desktop;
use crate::core::keeper::{CLOCK_SKEWED, Notice};
use crate::core::notices::Notices;
use crate::core::settings::Notify;
use crate::core::time::{BootTime, Now};
use crate::platform::environment::Environment;
use crate::platform::zone;

/// What is to be shown, and what is being shown.
pub(super) struct PersonNotices {
    notices: Notices,
    /// One for each message on its way to the desktop: nothing waits for them.
    shows: JoinSet<()>,
}

impl PersonNotices {
    pub(super) fn new(settings: &Notify) -> Self {
        Self { notices: Notices::new(settings.clone()), shows: JoinSet::new() }
    }

    /// The settings are these from now on.
    pub(super) fn set(&mut self, settings: &Notify, now: Now) {
        self.notices.set(settings.clone(), now.boot, time_of_day(now));
    }

    /// The keeper has something to tell.
    pub(super) fn tell(&mut self, notice: Notice, now: Now) {
        let Notice { id, message, .. } = &notice;
        let fix = notice.fix.as_ref().map_or_else(String::new, |fix| format!("; fix: {fix}"));
        if notice.is_over {
            tracing::info!(id, "{message}");
        } else {
            tracing::warn!(id, "{message}{fix}");
        }
        self.notices.handle(notice, now.boot, time_of_day(now));
    }

    /// Shows what is due; gives when to be called again. More often does nothing.
    pub(super) fn show(&mut self, environment: &Environment, now: Now) -> Option<BootTime> {
        if self.notices.next_timeout().is_some() {
            self.notices.handle_timeout(now.boot, time_of_day(now));
        }
        while let Some(message) = self.notices.poll_message() {
            self.shows.spawn(desktop::show(message, environment.clone()));
        }
        while self.shows.try_join_next().is_some() {}
        self.notices.next_timeout()
    }
}

/// Whether what to do about it is found out by a look at this machine: how its clock is mended.
pub(super) fn depends_on_the_machine(notice: &Notice) -> bool {
    notice.id == CLOCK_SKEWED && !notice.is_over
}

/// The time of the day where the person is.
fn time_of_day(now: Now) -> NaiveTime {
    let utc = DateTime::from_timestamp_millis(now.wall.as_millis()).unwrap_or_default();
    utc.time().overflowing_add_signed(zone::local_offset()).0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::keeper::CREDENTIALS_LOST;

    fn notice(id: &'static str, is_over: bool) -> Notice {
        Notice { id, subject: String::new(), worse: 0, is_over, message: "m".to_owned(), fix: None }
    }

    #[test]
    fn only_the_clocks_notice_is_given_the_clocks_fix() {
        assert!(depends_on_the_machine(&notice(CLOCK_SKEWED, false)));
        assert!(!depends_on_the_machine(&notice(CLOCK_SKEWED, true)), "nothing is to be done");
        assert!(!depends_on_the_machine(&notice(CREDENTIALS_LOST, false)), "not for want of a fix of its own");
    }
}
