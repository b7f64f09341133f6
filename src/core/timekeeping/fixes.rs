//! What a person does on this very machine to set its clock right, the first thing first.

use chrono::TimeDelta;

use super::{
    EC2, Fix, HYPER_V, KVM, KernelClock, PARALLELS, Place, TimeKeeper, TimeKeeping, VIRTUALBOX, VMWARE, capital, length,
};

/// What to do about a clock that is off by `offset` (this machine's minus AWS's), the first thing first. Nothing below
/// a second.
pub fn fixes(facts: &TimeKeeping, offset: TimeDelta) -> Vec<Fix> {
    if offset.abs() < TimeDelta::seconds(1) {
        return Vec::new();
    }
    match &facts.place {
        Place::Linux => of_keeper(facts, offset),
        Place::Wsl1 => vec![of_windows("the clock here is that of Windows")],
        Place::Wsl2 => of_wsl2(facts),
        Place::VirtualMachine(hypervisor) => {
            let mut fixes = of_keeper(facts, offset);
            fixes.push(of_hypervisor(hypervisor, facts));
            fixes
        }
        Place::Container => of_container(),
        Place::MacOs => of_macos(),
    }
}

/// The fix that keeps this machine's clock synchronised; not how to set it, as it may be right.
pub fn keeper_fixes(facts: &TimeKeeping) -> Vec<Fix> {
    match &facts.place {
        Place::Linux => by_keeper(facts),
        Place::VirtualMachine(hypervisor) => {
            let mut fixes = by_keeper(facts);
            fixes.push(of_hypervisor(hypervisor, facts));
            fixes
        }
        // Setting these clocks also keeps them synchronised.
        _ => fixes(facts, TimeDelta::seconds(1)),
    }
}

fn of_keeper(facts: &TimeKeeping, offset: TimeDelta) -> Vec<Fix> {
    let mut fixes = by_keeper(facts);
    // Package managers check certificates and dates by this clock: one that is days off has to be set before they work.
    let first = facts.keeper == TimeKeeper::None && offset.abs() >= TimeDelta::days(1);
    if let Some(by_hand) = by_hand(facts, offset) {
        fixes.insert(if first { 0 } else { fixes.len() }, by_hand);
    }
    fixes
}

fn by_keeper(facts: &TimeKeeping) -> Vec<Fix> {
    match (facts.keeper, facts.runs) {
        (TimeKeeper::SystemdTimesyncd, _) if !facts.has_systemd => {
            install(facts, "systemd-timesyncd is installed, but systemd does not run this machine")
        }
        (TimeKeeper::SystemdTimesyncd, Some(false)) => vec![turn_on_timesyncd(facts)],
        (TimeKeeper::SystemdTimesyncd, _) => of_timesyncd(facts),
        (TimeKeeper::Chronyd | TimeKeeper::Ntpd | TimeKeeper::OpenNtpd, Some(false)) => vec![Fix::command(
            format!(
                "{} is installed and does not run. Start it; it may make the clock jump when it first sets it.",
                facts.keeper
            ),
            facts.start(facts.unit()),
        )],
        (TimeKeeper::Chronyd, _) => of_chrony(facts),
        (TimeKeeper::Ntpd, _) => of_ntpd(facts),
        (TimeKeeper::OpenNtpd, _) => of_openntpd(facts),
        (TimeKeeper::None, _) => install(facts, "nothing keeps this clock right"),
        (TimeKeeper::Unknown | TimeKeeper::MacTimed, _) => of_unknown(facts),
    }
}

fn turn_on_timesyncd(facts: &TimeKeeping) -> Fix {
    let text = "systemd-timesyncd is installed and turned off. Turn it on; it makes the clock jump to the right time \
                as soon as a time server answers.";
    let command = "sudo timedatectl set-ntp true".to_owned();
    Fix::command(text, if facts.has_timedatectl { command } else { facts.start(facts.unit()) })
}

fn of_timesyncd(facts: &TimeKeeping) -> Vec<Fix> {
    let look = match facts.kernel {
        KernelClock::Unsynchronised => {
            "systemd-timesyncd runs, but has not set the clock: most often no time server answers, because the \
             network blocks UDP port 123. See which server it asks and whether it was answered."
        }
        KernelClock::Synchronised { .. } => {
            "systemd-timesyncd runs, and the kernel believes it, but AWS's time is another: its server is wrong, or \
             the clock was changed since. See which server it asks and what that says."
        }
        KernelClock::Unknown(_) => {
            "systemd-timesyncd runs, and the clock is wrong all the same. See which server it asks and whether it was \
             answered."
        }
    };
    let show = if facts.has_timedatectl { "timedatectl timesync-status" } else { "systemctl status systemd-timesyncd" };
    vec![
        Fix::command(look, show),
        Fix::command(
            "Have it ask again; when a server answers, the clock jumps to the right time.",
            facts.service("restart", facts.unit()),
        ),
        Fix::advice(format!(
            "If no server answers, name one that this network lets through in /etc/systemd/timesyncd.conf ({}), and \
             restart it.",
            if facts.place == Place::VirtualMachine(EC2.to_owned()) {
                "NTP=169.254.169.123"
            } else {
                "NTP=time.aws.com"
            }
        )),
    ]
}

fn of_chrony(facts: &TimeKeeping) -> Vec<Fix> {
    let step = Fix::command(
        "chrony moves a running clock slowly. Have it set the clock at once: it jumps. This does nothing while no \
         server has answered.",
        "sudo chronyc makestep",
    );
    let look = Fix::command(
        "See whether chrony's servers answer: a `?` in front of all of them means that none does, most often because \
         the network blocks UDP port 123.",
        "chronyc sources",
    );
    let restart = Fix::command(
        "If they do and the clock stays wrong, restart chrony; by most systems' configuration it may make the clock \
         jump then.",
        facts.service("restart", facts.unit()),
    );
    match facts.kernel {
        KernelClock::Unsynchronised => vec![look, step, restart],
        KernelClock::Synchronised { .. } | KernelClock::Unknown(_) => vec![step, look, restart],
    }
}

fn of_ntpd(facts: &TimeKeeping) -> Vec<Fix> {
    let unit = facts.unit();
    if facts.is("alpine") {
        // It is BusyBox's there, which knows nothing of the other's options.
        let text = "Restart ntpd: it sets the clock at once when a server answers. If none does, the network blocks UDP port 123.";
        return vec![Fix::command(text, facts.service("restart", unit))];
    }
    vec![
        Fix::command(
            "ntpd gives up on a clock that is more than about 17 minutes off, unless it was told otherwise. Stop it \
             first, as two can't use UDP port 123.",
            facts.service("stop", unit),
        ),
        Fix::command("Set the clock once, by however much it is off: it jumps.", "sudo ntpd -gq"),
        Fix::command("Start it again.", facts.service("start", unit)),
        Fix::command(
            "If that set nothing, see whether its servers answer: 0 under `reach` means that one does not, most often \
             because the network blocks UDP port 123.",
            "ntpq -pn",
        ),
    ]
}

fn of_openntpd(facts: &TimeKeeping) -> Vec<Fix> {
    vec![
        Fix::command(
            "OpenNTPD moves a running clock slowly; some versions set it when they start, and then it jumps. Restart \
             it.",
            facts.service("restart", facts.unit()),
        ),
        Fix::command("See whether its servers answer.", "sudo ntpctl -s status"),
    ]
}

fn of_unknown(facts: &TimeKeeping) -> Vec<Fix> {
    if !(facts.has_systemd && facts.has_timedatectl) {
        return vec![Fix::advice(
            "What keeps the time on this machine could not be found out: see whether an NTP client (chrony, ntpd) is \
             installed and runs.",
        )];
    }
    vec![
        Fix::command("See what systemd knows of the clock, and whether a time service is active.", "timedatectl"),
        Fix::command(
            "If none is, turn one on; it makes the clock jump to the right time as soon as a time server answers.",
            "sudo timedatectl set-ntp true",
        ),
    ]
}

/// The commands that bring a time keeper to this distribution.
fn install(facts: &TimeKeeping, why: &str) -> Vec<Fix> {
    let is_one_of = |ids: &[&str]| ids.iter().any(|id| facts.is(id));
    let begun = |package: &str| {
        format!(
            "{}. Install {package}; it makes the clock jump to the right time as soon as a time server answers.",
            capital(why)
        )
    };
    let start = |unit: &str| Fix::command("Start it, now and at every boot.", facts.start(unit));
    if is_one_of(&["nixos"]) {
        vec![Fix::advice(format!(
            "{}. Set services.timesyncd.enable = true in the system's configuration and rebuild it; the clock jumps \
             to the right time as soon as a time server answers.",
            capital(why)
        ))]
    } else if is_one_of(&["debian", "ubuntu"]) && facts.has_systemd {
        // A package of its own since Debian 11 and Ubuntu 20.04, which starts the service; before, it was never
        // missing.
        vec![Fix::command(begun("systemd-timesyncd"), "sudo apt install systemd-timesyncd")]
    } else if is_one_of(&["debian", "ubuntu"]) {
        vec![Fix::command(begun("chrony"), "sudo apt install chrony"), start("chrony")]
    } else if is_one_of(&["amzn", "centos", "rhel"]) {
        // `dnf` is missing on Amazon Linux 2 and before RHEL 8; `yum` is its other name where it is there.
        vec![Fix::command(begun("chrony"), "sudo yum install chrony"), start("chronyd")]
    } else if is_one_of(&["fedora"]) {
        vec![Fix::command(begun("chrony"), "sudo dnf install chrony"), start("chronyd")]
    } else if is_one_of(&["suse", "opensuse"]) {
        vec![Fix::command(begun("chrony"), "sudo zypper install chrony"), start("chronyd")]
    } else if is_one_of(&["arch"]) {
        vec![Fix::command(begun("chrony"), "sudo pacman -S chrony"), start("chronyd")]
    } else if is_one_of(&["alpine"]) {
        vec![
            Fix::command(begun("chrony"), "sudo apk add chrony"),
            Fix::command("Have it started at every boot.", "sudo rc-update add chronyd"),
            start("chronyd"),
        ]
    } else {
        vec![Fix::advice(format!("{}, with this system's package manager.", begun("chrony").trim_end_matches('.')))]
    }
}

/// Setting the clock by what AWS said, relative to now, so that the command does not age. GNU date's language; busybox
/// has none.
fn by_hand(facts: &TimeKeeping, offset: TimeDelta) -> Option<Fix> {
    let seconds = offset.abs().num_seconds();
    let (ago, way) = if offset > TimeDelta::zero() { (" ago", "back") } else { ("", "forward") };
    (!facts.is("alpine")).then(|| {
        Fix::command(
            format!(
                "Where no time server can be reached, set the clock {way} by the {} that it is off from AWS's time: \
                 it jumps, and nothing keeps it right afterwards. Type this once only, and have no other fix applied \
                 before.",
                length(offset)
            ),
            format!("sudo date --set='{seconds} seconds{ago}'"),
        )
    })
}

/// Windows keeps the time, or lets Hyper-V hand it to its virtual machines.
fn of_windows(why: &str) -> Fix {
    Fix::advice(format!(
        "See whether the clock of Windows itself is right, as {why}; if not, run `w32tm /resync` in a terminal of \
         Windows opened as administrator, or Settings, Time & language, Date & time, Sync now."
    ))
}

fn of_wsl2(facts: &TimeKeeping) -> Vec<Fix> {
    let runs = facts.runs == Some(true);
    let mut fixes = vec![
        Fix::command(
            "The clock of WSL 2 stops while Windows sleeps, as its virtual machine is paused. Set it by the hardware \
             clock that Windows shows it: it jumps. (Newer Debian and Ubuntu have the command in the package \
             util-linux-extra.)",
            "sudo hwclock -s",
        ),
        Fix::advice(
            "So that it happens less, run `wsl --update` in a terminal of Windows: since 2.1.1 of January 2024 the \
             kernel of WSL is made to set its clock after sleep.",
        ),
    ];
    match facts.keeper {
        TimeKeeper::SystemdTimesyncd if runs => fixes.push(Fix::command(
            "If it stays wrong, have systemd-timesyncd ask its server at once; the clock jumps to what that says.",
            facts.service("restart", facts.unit()),
        )),
        TimeKeeper::Chronyd if runs => fixes.push(Fix::command(
            "If it stays wrong, have chrony set the clock at once; it jumps to what its servers say.",
            "sudo chronyc makestep",
        )),
        TimeKeeper::SystemdTimesyncd if facts.has_systemd => fixes.push(Fix::advice(
            "Where WSL can't be updated, systemd-timesyncd sets the clock: where `sudo timedatectl set-ntp true` does \
             not start it, its unit is made not to run in WSL; `sudo systemctl edit systemd-timesyncd` lifts that \
             with an empty `ConditionVirtualization=` in a section `[Unit]`.",
        )),
        _ => {}
    }
    fixes.push(of_windows("WSL follows it"));
    fixes.push(Fix::advice(
        "If nothing else helps, `wsl --shutdown` in a terminal of Windows starts WSL anew with the right time; it \
         ends every program that runs in it.",
    ));
    fixes
}

fn of_hypervisor(name: &str, facts: &TimeKeeping) -> Fix {
    let runs = facts.runs == Some(true);
    match name {
        VIRTUALBOX => Fix::advice(
            "VirtualBox pauses its machines' clocks with them: its Guest Additions set the clock by the host's \
             afterwards. See that VBoxService runs here (the package virtualbox-guest-utils, or the Guest Additions' \
             disk), and that the host's clock is right.",
        ),
        VMWARE if runs => Fix::command(
            "VMware's tools can set this clock by the host's too: see whether they do, as two that disagree pull it \
             to and fro.",
            "vmware-toolbox-cmd timesync status",
        ),
        VMWARE => Fix::command(
            "Or have VMware's tools (the package open-vm-tools) set this clock by the host's; it may jump.",
            "sudo vmware-toolbox-cmd timesync enable",
        ),
        KVM => Fix::advice(
            "The clock of a KVM machine stands still while it is paused or saved. Where libvirt is used and \
             qemu-guest-agent runs here, `virsh domtime NAME --sync` on the host sets it after that; see too that the \
             host's clock is right.",
        ),
        HYPER_V => Fix::advice(
            "Hyper-V hands its machines the host's time while the integration service `Time Synchronization` is on in \
             this machine's settings: see that it is, and that the host's clock is right.",
        ),
        EC2 => Fix::advice(
            "EC2 has a time server for every instance at 169.254.169.123 that needs no way to the internet: see that \
             it is the one that is asked.",
        ),
        PARALLELS => Fix::advice(
            "Parallels Tools set this clock by the Mac's: see that they are installed, that the time is synchronised \
             in this machine's options, and that the Mac's clock is right.",
        ),
        _ => Fix::advice(
            "A virtual machine's clock may stand still while it is paused: see whether its guest tools set it by the \
             host's, and that the host's clock is right.",
        ),
    }
}

fn of_container() -> Vec<Fix> {
    vec![
        Fix::advice("A container has its host's clock and can't set it: set the clock right on the host."),
        Fix::advice(
            "Docker Desktop and the like run containers in a virtual machine, whose clock may stand still while the \
             computer sleeps: restarting Docker Desktop sets it right.",
        ),
    ]
}

fn of_macos() -> Vec<Fix> {
    vec![
        Fix::command(
            "Set the clock by Apple's time server: a large difference makes it jump.",
            "sudo sntp -sS time.apple.com",
        ),
        Fix::command(
            "Have macOS keep it right (also in System Settings, General, Date & Time: set time and date \
             automatically).",
            "sudo systemsetup -setusingnetworktime on",
        ),
        Fix::advice(
            "If neither reaches the server, the network blocks UDP port 123: name another server in Date & Time, or \
             use another network.",
        ),
    ]
}
