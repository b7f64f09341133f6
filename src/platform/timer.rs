//! The daemon's one timer: wakes its loop at the time that was asked for, through suspend, and when the wall clock was set.

use std::io;
use std::time::Duration;

/// Why the loop is woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// The time that was asked for has come, or may have: looking at the clocks tells.
    Due,
    /// The wall clock was set, or the machine was suspended.
    WallClockSet,
}

/// The timer.
pub struct Timer(system::Timer);

impl Timer {
    /// Starts the timer, with nothing asked for. Has to be called inside a tokio runtime.
    ///
    /// # Errors
    /// The system has no timer or thread left.
    pub fn start() -> io::Result<Self> {
        system::Timer::start().map(Self)
    }

    /// Asks to be woken when `from_now` has passed, suspend included; `None` takes the wish back. Only the last wish counts.
    ///
    /// Relative to now and not a point on the boot-time clock: where a preloaded library shows this process other clocks
    /// than the kernel's, the two have no point in common, but a difference holds in both.
    pub fn arm(&mut self, from_now: Option<Duration>) {
        self.0.arm(from_now);
    }

    /// Waits for the next reason to wake. May be dropped and called again: no wake is lost. A wake more than was asked
    /// for is possible and has to be harmless.
    pub async fn wake(&mut self) -> Wake {
        self.0.wake().await
    }
}

#[cfg(target_os = "linux")]
mod system {
    //! A plain thread waits on kernel timers, in one `poll` without a time-out: an idle daemon is woken by nothing. A
    //! thread, because tokio's `AsyncFd` is deprecated and what replaces it is unsafe.

    use std::io;
    use std::os::fd::OwnedFd;
    use std::sync::Arc;
    use std::time::Duration;

    use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
    use rustix::io::Errno;
    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
    };
    use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

    use super::Wake;

    pub(super) struct Timer {
        timers: Arc<Timers>,
        wakes: UnboundedReceiver<Wake>,
    }

    struct Timers {
        /// On the boot-time clock, which counts suspend.
        due: OwnedFd,
        /// On the wall clock, far in the future: it is there to be cancelled by whoever sets that clock.
        step: OwnedFd,
        stop: OwnedFd,
    }

    impl Timer {
        pub(super) fn start() -> io::Result<Self> {
            let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
            let timers = Arc::new(Timers {
                due: timerfd_create(TimerfdClockId::Boottime, flags)?,
                step: timerfd_create(TimerfdClockId::Realtime, flags)?,
                stop: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            });
            await_step(&timers.step)?;
            let (sender, wakes) = unbounded_channel();
            let theirs = Arc::clone(&timers);
            std::thread::Builder::new().name("timer".to_owned()).spawn(move || watch(&theirs, &sender))?;
            Ok(Self { timers, wakes })
        }

        pub(super) fn arm(&mut self, from_now: Option<Duration>) {
            // Zero would disarm. A century is as good as never, and fits every kernel's arithmetic.
            const SHORTEST: Duration = Duration::from_nanos(1);
            const LONGEST: Duration = Duration::from_secs(100 * 365 * 86_400);
            let delay = from_now.map_or(Duration::ZERO, |delay| delay.clamp(SHORTEST, LONGEST));
            let value = Timespec { tv_sec: delay.as_secs().cast_signed(), tv_nsec: delay.subsec_nanos().into() };
            // The thread's poll sees the new time without being told. The arguments are valid and so is the descriptor:
            // the kernel has no reason to refuse.
            let _ = timerfd_settime(&self.timers.due, TimerfdTimerFlags::empty(), &once(value));
        }

        pub(super) async fn wake(&mut self) -> Wake {
            match self.wakes.recv().await {
                Some(wake) => wake,
                // The thread ends only after this timer was dropped.
                None => std::future::pending().await,
            }
        }
    }

    impl Drop for Timer {
        fn drop(&mut self) {
            let _ = rustix::io::write(&self.timers.stop, &1_u64.to_ne_bytes());
        }
    }

    fn watch(timers: &Timers, wakes: &UnboundedSender<Wake>) {
        loop {
            let mut fds = [&timers.due, &timers.step, &timers.stop].map(|fd| PollFd::new(fd, PollFlags::IN));
            match poll(&mut fds, None) {
                Ok(_) => {}
                Err(Errno::INTR) => continue,
                Err(error) => {
                    tracing::error!("waiting for the timers failed, renewals now depend on other events: {error}");
                    return;
                }
            }
            let [due, step, stop] = fds.map(|fd| !fd.revents().is_empty());
            if stop {
                return;
            }
            let mut expirations = [0; 8];
            // Armed anew since it fired, the timer has nothing to read: then there is nothing to tell.
            if due && rustix::io::read(&timers.due, &mut expirations).is_ok() && wakes.send(Wake::Due).is_err() {
                return;
            }
            let stepped = step && rustix::io::read(&timers.step, &mut expirations) != Err(Errno::AGAIN);
            if stepped && (await_step(&timers.step).is_err() || wakes.send(Wake::WallClockSet).is_err()) {
                return;
            }
        }
    }

    /// The kernel cancels the timer when the wall clock is set and after each resume; `read` then says ECANCELED.
    fn await_step(timer: &OwnedFd) -> io::Result<()> {
        // In the year 2200.
        let never = Timespec { tv_sec: 7_258_118_400, tv_nsec: 0 };
        let flags = TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET;
        timerfd_settime(timer, flags, &once(never))?;
        Ok(())
    }

    fn once(it_value: Timespec) -> Itimerspec {
        Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value }
    }
}

#[cfg(not(target_os = "linux"))]
use sleeping as system;

#[cfg(any(test, not(target_os = "linux")))]
mod sleeping {
    //! Without kernel timers that count suspend and tell of a step (macOS): sleep half a minute at most, so that the loop
    //! looks at the clocks soon after a resume or a step.

    use std::io;
    use std::time::Duration;

    use tokio::time::Instant;

    use super::Wake;

    pub(super) struct Timer {
        due: Option<Instant>,
        longest_sleep: Duration,
    }

    impl Timer {
        #[cfg_attr(target_os = "linux", expect(dead_code, reason = "compiled there for its tests"))]
        pub(super) fn start() -> io::Result<Self> {
            Ok(Self::looking_every(Duration::from_secs(30)))
        }

        pub(super) fn looking_every(longest_sleep: Duration) -> Self {
            Self { due: None, longest_sleep }
        }

        pub(super) fn arm(&mut self, from_now: Option<Duration>) {
            self.due = from_now.and_then(|delay| Instant::now().checked_add(delay));
        }

        pub(super) async fn wake(&mut self) -> Wake {
            let look = Instant::now() + self.longest_sleep;
            let until = self.due.map_or(look, |due| due.min(look));
            tokio::time::sleep_until(until).await;
            self.due = self.due.filter(|due| *due > until);
            Wake::Due
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(20);
    const LATE: Duration = Duration::from_secs(600);
    const PATIENCE: Duration = Duration::from_secs(20);

    async fn wake(timer: &mut Timer) -> Option<Wake> {
        tokio::time::timeout(PATIENCE, timer.wake()).await.ok()
    }

    #[tokio::test]
    async fn the_loop_is_woken_when_it_asked_to_be() {
        let mut timer = Timer::start().unwrap();
        timer.arm(Some(SOON));
        assert_eq!(wake(&mut timer).await, Some(Wake::Due));
        timer.arm(Some(Duration::ZERO));
        assert_eq!(wake(&mut timer).await, Some(Wake::Due));
    }

    #[tokio::test]
    async fn an_earlier_time_replaces_a_later_one() {
        let mut timer = Timer::start().unwrap();
        timer.arm(Some(LATE));
        timer.arm(Some(SOON));
        assert_eq!(wake(&mut timer).await, Some(Wake::Due));
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_wish_that_was_taken_back_wakes_nobody() {
        let mut timer = Timer::start().unwrap();
        timer.arm(Some(SOON));
        timer.arm(None);
        assert!(tokio::time::timeout(SOON * 5, timer.wake()).await.is_err());
    }

    #[tokio::test]
    async fn without_kernel_timers_the_loop_looks_every_so_often() {
        let mut timer = sleeping::Timer::looking_every(SOON);
        let begin = tokio::time::Instant::now();
        timer.arm(Some(SOON * 2 + SOON / 2));
        for slept in [SOON, SOON * 2, SOON * 5 / 2, SOON * 7 / 2] {
            assert_eq!(timer.wake().await, Wake::Due);
            assert!(begin.elapsed() >= slept);
        }
    }
}
