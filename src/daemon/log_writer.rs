//! Writes the log on a separate thread, so that a stderr reader that stops never blocks the daemon.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use tracing_subscriber::fmt::MakeWriter;

/// The backlog for a slow reader, in bytes; further lines are dropped.
const LONGEST_BACKLOG: usize = 256 * 1024;
/// How long the daemon waits at exit for the last lines.
const LONGEST_FLUSH: Duration = Duration::from_secs(1);
/// The thread only copies bytes and formats one event.
const STACK: usize = 128 * 1024;

/// Accepts whole lines from any thread without blocking.
#[derive(Clone)]
pub(super) struct LogWriter {
    backlog: Arc<Backlog>,
}

#[derive(Default)]
struct Backlog {
    lines: Mutex<Lines>,
    changed: Condvar,
}

#[derive(Default)]
struct Lines {
    waiting: Vec<u8>,
    /// Lines dropped since the last accepted one.
    dropped: u64,
    /// The thread is writing.
    writing: bool,
}

impl LogWriter {
    /// Starts the thread that writes to standard error. `None` if a limit of descriptors or threads prevents it.
    pub(super) fn start() -> Option<Self> {
        // A separate descriptor: a blocked write must not hold the lock of the standard library's handle.
        let stderr = io::stderr().as_fd().try_clone_to_owned().ok()?;
        Self::start_with(Stderr(File::from(stderr)))
    }

    fn start_with(mut to: impl Write + Send + 'static) -> Option<Self> {
        let this = Self { backlog: Arc::default() };
        let backlog = Arc::clone(&this.backlog);
        let thread = std::thread::Builder::new().name("log".to_owned()).stack_size(STACK);
        thread.spawn(move || backlog.write_to(&mut to)).ok()?;
        Some(this)
    }

    /// Waits until every line is written, for a second at most.
    pub(super) fn finish(&self) {
        let lines = self.backlog.lock();
        let busy = |lines: &mut Lines| lines.writing || !lines.waiting.is_empty();
        drop(self.backlog.changed.wait_timeout_while(lines, LONGEST_FLUSH, busy));
    }
}

impl Backlog {
    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_to(&self, to: &mut impl Write) {
        loop {
            let mut lines = self.lock();
            lines.writing = false;
            self.changed.notify_all();
            let idle = |lines: &mut Lines| lines.waiting.is_empty();
            let mut lines = self.changed.wait_while(lines, idle).unwrap_or_else(PoisonError::into_inner);
            lines.writing = true;
            let (text, dropped) = (std::mem::take(&mut lines.waiting), std::mem::take(&mut lines.dropped));
            drop(lines);
            // A closed reader can't be reported anywhere.
            let _ = to.write_all(&text);
            if dropped > 0 {
                tracing::warn!("dropped {dropped} log lines: the log reader is too slow");
            }
        }
    }
}

/// Standard error, which another program may have made non-blocking.
struct Stderr(File);

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.0.write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let _ = poll(&mut [PollFd::new(&self.0, PollFlags::OUT)], None);
                }
                result => return result,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The log's formatter writes each event with one call.
impl Write for LogWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut lines = self.backlog.lock();
        if lines.waiting.len() + line.len() > LONGEST_BACKLOG {
            lines.dropped += 1;
        } else {
            lines.waiting.extend_from_slice(line);
        }
        drop(lines);
        self.backlog.changed.notify_all();
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogWriter {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// A reader that blocks until it is released.
    struct Stopped {
        reached: Sender<()>,
        go_on: Receiver<()>,
        written: Sender<Vec<u8>>,
    }

    impl Write for Stopped {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.reached.send(());
            let _ = self.go_on.recv();
            self.written.send(bytes.to_vec()).unwrap();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_stopped_holds_up_nobody_and_its_backlog_is_bounded() {
        let ((go_on, goes_on), (written, reader), (reached, has_reached)) = (channel(), channel(), channel());
        let mut log = LogWriter::start_with(Stopped { reached, go_on: goes_on, written }).unwrap();
        log.write_all(b"first\n").unwrap();
        has_reached.recv().unwrap();
        let line = [b'x'; 1024];
        for _ in 0..10_000 {
            log.write_all(&line).unwrap();
        }
        assert!(log.backlog.lock().waiting.len() <= LONGEST_BACKLOG);
        assert!(log.backlog.lock().dropped >= 9_000);
        // It ends although the reader is blocked.
        log.finish();
        drop(go_on);
        log.finish();
        assert!(reader.recv().unwrap().starts_with(b"first\n"));
        assert_eq!(log.backlog.lock().dropped, 0);
        assert!(reader.try_iter().map(|bytes| bytes.len()).sum::<usize>() <= LONGEST_BACKLOG);
    }
}
