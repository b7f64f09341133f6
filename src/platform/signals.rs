//! Signals that are not a request to stop, and signal state inherited from the parent process.

use std::io;

/// Signals that end a process by default, but request nothing. SIGIO comes from a broken lease, SIGXFSZ from
/// `ulimit -f` (the write then fails with EFBIG), SIGXCPU from a soft `ulimit -t` (the kernel kills at the hard limit), SIGALRM,
/// SIGVTALRM and SIGPROF from a timer that survived `exec`, SIGHUP from a reload that comes before the daemon waits for it,
/// SIGPWR from a battery monitor, the others from a mistyped `kill`. Real-time signals, which some libraries and container
/// managers send, are added to them.
const NOT_A_REQUEST_TO_STOP: &[libc::c_int] = &[
    libc::SIGHUP,
    libc::SIGIO,
    libc::SIGXFSZ,
    libc::SIGXCPU,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGALRM,
    libc::SIGVTALRM,
    libc::SIGPROF,
    #[cfg(target_os = "linux")]
    libc::SIGPWR,
    #[cfg(target_os = "linux")]
    libc::SIGSTKFLT,
];

/// Makes these signals harmless, unblocks every signal and lets child processes be waited for: a parent process may have
/// blocked SIGTERM or ignored SIGCHLD, and both survive `exec`. To be called before any thread starts.
///
/// The signals are caught by a handler that does nothing and not ignored: `exec` resets a handler to the default action, so
/// child processes are not changed. SIGPIPE is ignored by the Rust runtime, which also resets it in child processes.
///
/// # Errors
/// The first step that the system refused; the steps after it are still taken.
#[expect(unsafe_code, reason = "neither std nor rustix sets signal handlers")]
pub fn prepare() -> io::Result<()> {
    let mut result = Ok(());
    let mut check = |failed: bool| {
        if failed && result.is_ok() {
            result = Err(io::Error::last_os_error());
        }
    };
    let handler: extern "C" fn(libc::c_int) = do_nothing;
    #[cfg(target_os = "linux")]
    let real_time = libc::SIGRTMIN()..=libc::SIGRTMAX();
    #[cfg(not(target_os = "linux"))]
    let real_time = std::iter::empty();
    for signal in NOT_A_REQUEST_TO_STOP.iter().copied().chain(real_time) {
        // SAFETY: sigaction is a plain C struct for which all zeroes is a value; the handler is async-signal-safe, as it does
        // nothing.
        check(
            unsafe {
                let mut action: libc::sigaction = std::mem::zeroed();
                action.sa_sigaction = handler as libc::sighandler_t;
                action.sa_flags = libc::SA_RESTART;
                libc::sigaction(signal, &raw const action, std::ptr::null_mut())
            } != 0,
        );
    }
    // SAFETY: the default action is a valid disposition.
    check(unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) } == libc::SIG_ERR);
    // SAFETY: `none` is initialised by sigemptyset before it is used.
    check(
        unsafe {
            let mut none: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&raw mut none);
            libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut())
        } != 0,
    );
    result
}

extern "C" fn do_nothing(_: libc::c_int) {}
