//! The system's clocks, raw.
//!
//! Through libc and not through rustix: rustix's Linux backend makes the system call itself, past `LD_PRELOAD`, and a
//! program that sees the true time where its neighbours see a faked one can't be tested from outside.

use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Time since boot, suspend included.
pub fn boot() -> Duration {
    read(BOOT)
}

/// The wall clock: milliseconds since the Unix epoch; a clock set before it gives a negative number.
pub fn wall_millis() -> i64 {
    #[expect(clippy::disallowed_methods, reason = "the one place where the wall clock is read")]
    let now = SystemTime::now();
    let millis = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    match now.duration_since(UNIX_EPOCH) {
        Ok(since) => millis(since),
        Err(before) => -millis(before.duration()),
    }
}

/// Time since boot without suspend.
pub fn awake() -> Duration {
    read(AWAKE)
}

#[cfg(target_os = "linux")]
const BOOT: libc::clockid_t = libc::CLOCK_BOOTTIME;
#[cfg(target_os = "linux")]
const AWAKE: libc::clockid_t = libc::CLOCK_MONOTONIC;

/// macOS's monotonic clock counts suspend, unlike Linux's.
#[cfg(not(target_os = "linux"))]
const BOOT: libc::clockid_t = libc::CLOCK_MONOTONIC;
#[cfg(not(target_os = "linux"))]
const AWAKE: libc::clockid_t = libc::CLOCK_UPTIME_RAW;

#[expect(unsafe_code, reason = "libc's clock_gettime, which LD_PRELOAD can stand in for, takes a pointer")]
fn read(clock: libc::clockid_t) -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a timespec that outlives the call.
    let failed = unsafe { libc::clock_gettime(clock, &raw mut time) } != 0;
    // Both clocks are there on every kernel that this program starts on (Linux 2.6.39, macOS 10.12).
    assert!(!failed, "clock_gettime does not know clock {clock}");
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// What this boot is called; another boot has another name. `None` where the system has none.
#[cfg(target_os = "linux")]
pub fn boot_id() -> Option<String> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(text.trim().to_owned()).filter(|id| !id.is_empty())
}

/// What this boot is called; another boot has another name. `None` where the system has none.
#[cfg(not(target_os = "linux"))]
#[expect(unsafe_code, reason = "sysctlbyname takes pointers")]
pub fn boot_id() -> Option<String> {
    let mut buffer = [0_u8; 64];
    let mut length = buffer.len();
    // SAFETY: the name is a C string, `length` is the size of `buffer`, and nothing is set.
    let failed = unsafe {
        libc::sysctlbyname(
            c"kern.bootsessionuuid".as_ptr(),
            buffer.as_mut_ptr().cast(),
            &raw mut length,
            std::ptr::null_mut(),
            0,
        )
    } != 0;
    let text = std::ffi::CStr::from_bytes_until_nul(buffer.get(..length).filter(|_| !failed)?).ok()?;
    Some(text.to_str().ok()?.to_owned()).filter(|id| !id.is_empty())
}

/// What the kernel says of its own wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelSays {
    /// Whether somebody keeps it right. The kernel says no by itself (`STA_UNSYNC`) when nobody has disciplined the
    /// clock for so long that the possible error passes 16 s.
    pub synchronised: bool,
    /// How far it may be off.
    pub max_error: Duration,
    /// The time since the Unix epoch that the kernel had when it was asked; zero before the epoch.
    pub time: Duration,
}

/// Asks the kernel: an unprivileged, read-only `adjtimex`.
///
/// # Errors
/// As the end of a sentence. `PermissionDenied` where a container's filter of system calls forbids even the question.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "adjtimex takes a pointer, and timex can only be made by zeroing")]
pub fn kernel_says() -> io::Result<KernelSays> {
    // SAFETY: timex is a plain C struct of numbers, for which all zeroes is a value; with `modes` 0 the call only
    // reads.
    let (state, time) = unsafe {
        let mut time: libc::timex = std::mem::zeroed();
        (libc::adjtimex(&raw mut time), time)
    };
    if state < 0 {
        let error = io::Error::last_os_error();
        return Err(match error.kind() {
            io::ErrorKind::PermissionDenied => {
                io::Error::new(io::ErrorKind::PermissionDenied, "this program may not ask it, as in some containers")
            }
            io::ErrorKind::Unsupported => io::Error::new(io::ErrorKind::Unsupported, "this kernel has no adjtimex"),
            _ => error,
        });
    }
    // The fields' width differs between C libraries; a negative error is none that could be believed.
    let micros = u64::try_from(time.maxerror).unwrap_or(u64::MAX);
    Ok(KernelSays {
        synchronised: state != libc::TIME_ERROR && time.status & libc::STA_UNSYNC == 0,
        max_error: Duration::from_micros(micros),
        time: Duration::from_secs(u64::try_from(time.time.tv_sec).unwrap_or(0)),
    })
}

/// Asks the kernel.
///
/// # Errors
/// Always: macOS does not tell programs.
#[cfg(not(target_os = "linux"))]
pub fn kernel_says() -> io::Result<KernelSays> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "macOS does not tell programs whether its clock is being kept right",
    ))
}

/// Whether the kernel says that something keeps its wall clock right, and the clock that programs are shown is that
/// one.
///
/// We want to be told within 10 s. A clock that a preloaded library (libfaketime) puts in its place is not what the
/// kernel vouches for, so `wall`, as it was read a moment ago, must agree with the time that comes with the kernel's
/// answer. macOS does not say: not known, so no.
pub fn kernel_vouches_for(wall: Duration) -> bool {
    const WORST_ERROR: Duration = Duration::from_secs(10);
    kernel_says().is_ok_and(|says| says.synchronised && says.max_error <= WORST_ERROR && says.is_of(wall))
}

impl KernelSays {
    /// Whether `wall`, read a moment ago or a moment later, is the clock that the kernel speaks of.
    pub fn is_of(&self, wall: Duration) -> bool {
        const SAME_CLOCK: Duration = Duration::from_secs(2);
        wall.abs_diff(self.time) <= SAME_CLOCK
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_since_boot_includes_the_time_awake() {
        let awake = awake();
        assert!(boot() >= awake && !awake.is_zero());
    }

    #[test]
    fn a_boot_has_one_name() {
        assert_eq!(boot_id(), boot_id());
        assert!(cfg!(not(target_os = "linux")) || boot_id().is_some_and(|id| id.len() > 30));
    }

    #[test]
    fn no_kernel_vouches_for_a_clock_that_shows_another_time() {
        assert!(!kernel_vouches_for(Duration::from_secs(1_000_000_000)));
    }

    #[test]
    fn the_kernel_answers_or_says_why_not() {
        match kernel_says() {
            Ok(says) => assert!(says.time > Duration::from_secs(1_000_000_000) && !says.is_of(Duration::ZERO)),
            Err(error) => assert!(error.to_string().len() > 5),
        }
    }
}
