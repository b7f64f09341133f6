//! What keeps the time on this machine, and what a person does where it doesn't.
//!
//! The facts are gathered at the edge. What they mean is decided here: the exact fix for this machine, the first thing
//! to do first. A fix that makes the clock jump says so, as running programs may take a jump badly; none is ever
//! carried out by us.

mod fixes;
#[cfg(test)]
mod tests;
mod zone_mistake;

use std::fmt;

use chrono::TimeDelta;

pub use self::fixes::{fixes, keeper_fixes};
pub use self::zone_mistake::{ZoneMistake, zone_mistake};
pub use crate::core::fix::Fix;

/// The hypervisors whose guest tools are known here by name; [`Place::VirtualMachine`] may hold any other name too.
pub const VIRTUALBOX: &str = "VirtualBox";
/// VMware's.
pub const VMWARE: &str = "VMware";
/// KVM, or QEMU without it.
pub const KVM: &str = "KVM/QEMU";
/// Microsoft's.
pub const HYPER_V: &str = "Hyper-V";
/// Amazon's.
pub const EC2: &str = "Amazon EC2";
/// Parallels Desktop.
pub const PARALLELS: &str = "Parallels";

/// Where this program runs: whose clock it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Linux on a machine of its own, as far as can be seen.
    Linux,
    /// The first Windows Subsystem for Linux: no kernel of its own, the clock is that of Windows.
    Wsl1,
    /// The second one: a small virtual machine under Windows.
    Wsl2,
    /// A virtual machine, with the name of its hypervisor.
    VirtualMachine(String),
    /// A container: the clock is the host's.
    Container,
    /// macOS.
    MacOs,
}

/// The program that keeps the clock right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeKeeper {
    /// systemd's own.
    SystemdTimesyncd,
    /// chrony.
    Chronyd,
    /// The ntpd of ntp.org or of NTPsec.
    Ntpd,
    /// OpenBSD's.
    OpenNtpd,
    /// macOS's own.
    MacTimed,
    /// None runs, and none is installed.
    None,
    /// Something keeps the clock right that we don't know, or it could not be found out.
    Unknown,
}

/// What the kernel says of its clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KernelClock {
    /// Somebody keeps it right; or did: it takes the kernel about nine hours (16 s at 500 ppm) to notice that nobody
    /// does any more.
    Synchronised {
        /// By how much it may be off.
        max_error: TimeDelta,
    },
    /// Nobody does.
    Unsynchronised,
    /// It can't be asked; why, as the end of a sentence.
    Unknown(String),
}

/// What was found on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeKeeping {
    /// Whose clock it is.
    pub place: Place,
    /// The one that runs; where none does, one that is installed.
    pub keeper: TimeKeeper,
    /// Whether it runs; `None` where that could not be seen.
    pub runs: Option<bool>,
    /// Its unit at systemd, without `.service`. Debian's names are not Red Hat's.
    pub unit: Option<String>,
    /// The kernel's word.
    pub kernel: KernelClock,
    /// Whether the hardware clock is read as local time; `None` where the system doesn't say.
    pub rtc_is_local: Option<bool>,
    /// The time zone's name.
    pub zone: Option<String>,
    /// Local time minus UTC.
    pub local_offset: TimeDelta,
    /// Whether `timedatectl` is installed.
    pub has_timedatectl: bool,
    /// Whether systemd runs this system.
    pub has_systemd: bool,
    /// os-release's `ID`, then what is in `ID_LIKE`.
    pub distribution: Vec<String>,
}

impl TimeKeeping {
    /// The facts in one sentence.
    pub fn said(&self) -> String {
        let place = match &self.place {
            Place::Linux => "on Linux,",
            Place::Wsl1 => "in WSL 1, with the clock of Windows,",
            Place::Wsl2 => "in WSL 2,",
            Place::VirtualMachine(name) => &format!("in a virtual machine ({}),", clean(name)),
            Place::Container => "in a container, with its host's clock,",
            Place::MacOs => "on macOS,",
        };
        let keeper = match (self.keeper, self.runs) {
            (TimeKeeper::None, _) => "nothing was found that keeps the clock right".to_owned(),
            (TimeKeeper::Unknown, _) => "what keeps the clock right is not known".to_owned(),
            (TimeKeeper::MacTimed, None) => format!("{} keeps the clock right if it is turned on", self.keeper),
            (keeper, Some(true)) => format!("{keeper} runs"),
            (keeper, Some(false)) => format!("{keeper} is installed and does not run"),
            (keeper, None) => format!("{keeper} is installed, and whether it runs could not be seen"),
        };
        let kernel = match &self.kernel {
            KernelClock::Synchronised { max_error } => {
                format!("the kernel says that the clock is right within {} ms", max_error.num_milliseconds())
            }
            KernelClock::Unsynchronised => "the kernel reports that no time service synchronises the clock".to_owned(),
            KernelClock::Unknown(why) => format!("the kernel's word is missing ({})", clean(why)),
        };
        let zone = match &self.zone {
            Some(zone) => format!("the time zone is {} ({})", clean(zone), from_utc(self.local_offset)),
            None => format!("local time is {}", from_utc(self.local_offset)),
        };
        let rtc = if self.rtc_is_local == Some(true) { ", and the hardware clock is read as local time" } else { "" };
        format!("{place} {keeper}; {kernel}; {zone}{rtc}")
    }

    fn is(&self, distribution: &str) -> bool {
        self.distribution.iter().any(|id| id == distribution)
    }

    /// The unit to name in a command: what the system calls it, or what its makers do.
    fn unit(&self) -> &str {
        let usual = match self.keeper {
            TimeKeeper::SystemdTimesyncd => "systemd-timesyncd",
            TimeKeeper::Chronyd => "chronyd",
            TimeKeeper::OpenNtpd => "openntpd",
            _ => "ntpd",
        };
        let harmless = |unit: &&str| unit.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_.@".contains(&c));
        self.unit.as_deref().filter(harmless).unwrap_or(usual)
    }

    /// How a service is told something where `unit` is its name.
    fn service(&self, verb: &str, unit: &str) -> String {
        if self.has_systemd {
            format!("sudo systemctl {verb} {unit}")
        } else if self.is("alpine") {
            format!("sudo rc-service {unit} {verb}")
        } else {
            format!("sudo service {unit} {verb}")
        }
    }

    /// How a service is started, for good where systemd can be told so in the same breath.
    fn start(&self, unit: &str) -> String {
        self.service(if self.has_systemd { "enable --now" } else { "start" }, unit)
    }
}

impl fmt::Display for TimeKeeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SystemdTimesyncd => "systemd-timesyncd",
            Self::Chronyd => "chrony",
            Self::Ntpd => "ntpd",
            Self::OpenNtpd => "OpenNTPD",
            Self::MacTimed => "timed",
            Self::None => "nothing",
            Self::Unknown => "something unknown",
        })
    }
}

/// A length of time without its sign, as people say it: its two largest units.
pub(crate) fn length(delta: TimeDelta) -> String {
    let seconds = delta.abs().num_seconds();
    let units = [(86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];
    let largest = units.iter().position(|(size, _)| seconds >= *size).unwrap_or(3);
    let mut rest = seconds;
    let mut parts = Vec::new();
    for (size, name) in units.into_iter().skip(largest).take(2) {
        let count = rest / size;
        rest %= size;
        if count > 0 || seconds == 0 {
            parts.push(format!("{count} {name}{}", if count == 1 { "" } else { "s" }));
        }
    }
    parts.join(" ")
}

/// An offset from UTC as it is written.
fn from_utc(offset: TimeDelta) -> String {
    let minutes = offset.num_minutes().abs();
    let sign = if offset < TimeDelta::zero() { '-' } else { '+' };
    if minutes == 0 { "UTC".to_owned() } else { format!("UTC{sign}{:02}:{:02}", minutes / 60, minutes % 60) }
}

/// What files and the environment say may hold anything: here it stays within its line.
fn clean(text: &str) -> String {
    let shown = |c: char| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') { '?' } else { c };
    let text: String = text.chars().map(shown).take(200).collect();
    let words: Vec<&str> = text.split_whitespace().collect();
    if words.is_empty() { "?".to_owned() } else { words.join(" ") }
}

fn capital(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map_or_else(String::new, |first| first.to_uppercase().chain(rest).collect())
}
