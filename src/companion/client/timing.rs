//! The times of an exchange with the daemon: its deadline, and the pauses in which a daemon may restart.

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::platform::clock;

/// How long a restart goes unnoticed: 2 s, in pauses that grow.
pub(super) struct Patience {
    left: Duration,
    next: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { left: Duration::from_secs(2), next: Duration::from_millis(10) }
    }
}

impl Patience {
    pub(super) fn none() -> Self {
        Self { left: Duration::ZERO, ..Self::default() }
    }

    pub(super) fn is_untouched(&self) -> bool {
        self.left == Self::default().left
    }

    pub(super) fn is_over(&self) -> bool {
        self.left.is_zero()
    }

    /// Waits a little; `false` where it is over.
    pub(super) fn pause(&mut self) -> bool {
        let pause = self.next.min(self.left);
        #[expect(clippy::disallowed_methods, reason = "nothing announces that a daemon has begun to listen")]
        std::thread::sleep(pause);
        self.left -= pause;
        self.next = (self.next * 2).min(Duration::from_millis(100));
        !pause.is_zero()
    }
}

/// The deadline, on the monotonic clock, which stops while the machine sleeps.
#[derive(Clone, Copy)]
pub(super) struct Deadline(Duration);

impl Deadline {
    pub(super) fn after(time: Duration) -> Self {
        Self(clock::awake() + time)
    }

    /// The remaining time, never zero.
    pub(super) fn left(self) -> io::Result<Duration> {
        let left = self.0.saturating_sub(clock::awake());
        if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
    }
}

/// A stream with one deadline for all reads and writes, so that a daemon that sends single bytes can't delay the tool longer
/// than a silent one.
pub(super) struct Timed<'a> {
    pub(super) stream: &'a UnixStream,
    pub(super) deadline: Deadline,
}

impl Read for Timed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(self.deadline.left()?))?;
        self.stream.read(buffer)
    }
}

impl Write for Timed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(self.deadline.left()?))?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
