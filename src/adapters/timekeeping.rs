//! The service that synchronises this machine's clock, according to files and processes. It runs no program and uses no
//! network; what can't be read is unknown.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::TimeDelta;
use rustix::fs::{Mode, OFlags};

use crate::core::timekeeping::{
    EC2, HYPER_V, KVM, KernelClock, PARALLELS, Place, TimeKeeper, TimeKeeping, VIRTUALBOX, VMWARE,
};
use crate::platform::clock::{KernelSays, kernel_says};
use crate::platform::environment::Environment;
use crate::platform::zone;

/// The maximum size of a file that is read; these files have a few lines.
const LONGEST: u64 = 16 * 1024;
/// The maximum number of processes that are read.
const MOST_PROCESSES: usize = 20_000;

/// The known services, in the order in which systemd's `timedatectl set-ntp` prefers them.
const KEEPERS: &[Installed] = &[
    Installed {
        keeper: TimeKeeper::Chronyd,
        files: &["usr/sbin/chronyd", "usr/bin/chronyd"],
        // Debian's name comes first: the other name is an alias there, which systemd refuses to enable.
        units: &["chrony", "chronyd"],
    },
    Installed { keeper: TimeKeeper::OpenNtpd, files: &["usr/sbin/openntpd", "etc/openntpd"], units: &["openntpd"] },
    Installed {
        keeper: TimeKeeper::Ntpd,
        files: &["usr/sbin/ntpd", "usr/bin/ntpd"],
        units: &["ntpsec", "ntpd", "ntp"],
    },
    Installed {
        keeper: TimeKeeper::SystemdTimesyncd,
        files: &["usr/lib/systemd/systemd-timesyncd", "lib/systemd/systemd-timesyncd"],
        units: &["systemd-timesyncd"],
    },
];

struct Installed {
    keeper: TimeKeeper,
    files: &'static [&'static str],
    units: &'static [&'static str],
}

/// Reads the facts about this machine. Blocks for some file reads; never fails.
pub fn look(environment: &Environment) -> TimeKeeping {
    let root = Root(Path::new("/"));
    let (kernel, local_offset) = (kernel_clock(), zone::local_offset());
    if cfg!(target_os = "macos") {
        return of_macos(root, environment, kernel, local_offset);
    }
    look_in(root, environment, kernel, local_offset)
}

fn kernel_clock() -> KernelClock {
    match kernel_says() {
        Ok(says) if !says.synchronised => KernelClock::Unsynchronised,
        Ok(says) if !is_our_clock(says) => KernelClock::Unknown(
            "programs are shown another clock than the kernel's, as by a preloaded library such as libfaketime"
                .to_owned(),
        ),
        Ok(KernelSays { max_error, .. }) => {
            KernelClock::Synchronised { max_error: TimeDelta::from_std(max_error).unwrap_or(TimeDelta::MAX) }
        }
        Err(error) => KernelClock::Unknown(error.to_string()),
    }
}

fn is_our_clock(says: KernelSays) -> bool {
    u64::try_from(super::clock::read().wall.as_millis()).is_ok_and(|wall| says.is_of(Duration::from_millis(wall)))
}

/// macOS has one time service, and doesn't show programs whether it is enabled.
fn of_macos(root: Root<'_>, environment: &Environment, kernel: KernelClock, local_offset: TimeDelta) -> TimeKeeping {
    TimeKeeping {
        place: Place::MacOs,
        keeper: TimeKeeper::MacTimed,
        runs: None,
        unit: None,
        kernel,
        rtc_is_local: None,
        zone: zone_name(root, environment),
        local_offset,
        has_timedatectl: false,
        has_systemd: false,
        distribution: Vec::new(),
    }
}

fn look_in(root: Root<'_>, environment: &Environment, kernel: KernelClock, local_offset: TimeDelta) -> TimeKeeping {
    let (keeper, runs, unit) = keeper(root, &kernel);
    TimeKeeping {
        place: place(root, environment),
        keeper,
        runs,
        unit,
        kernel,
        rtc_is_local: rtc_is_local(root),
        zone: zone_name(root, environment),
        local_offset,
        has_timedatectl: root.has("usr/bin/timedatectl") || root.has("bin/timedatectl"),
        // sd_booted(3): the directory exists only if systemd is the first process.
        has_systemd: root.has("run/systemd/system"),
        distribution: distribution(root),
    }
}

fn place(root: Root<'_>, environment: &Environment) -> Place {
    // For systemd, WSL is a container: the file with the kind of container names it.
    let contained = root.line("run/systemd/container").is_some_and(|kind| kind != "wsl" && !kind.is_empty())
        || root.has(".dockerenv")
        || root.has("run/.containerenv")
        || environment.get("KUBERNETES_SERVICE_HOST").is_some();
    // A container under WSL has the kernel of WSL, but can't set its clock.
    if contained {
        return Place::Container;
    }
    // "4.4.0-19041-Microsoft" in WSL 1, "5.15.90.1-microsoft-standard-WSL2" in WSL 2.
    let kernel = root.line("proc/sys/kernel/osrelease").unwrap_or_default();
    if kernel.contains("microsoft") || kernel.contains("WSL2") {
        return Place::Wsl2;
    }
    if kernel.ends_with("-Microsoft") {
        return Place::Wsl1;
    }
    let vendor = root.line("sys/class/dmi/id/sys_vendor").unwrap_or_default();
    let product = root.line("sys/class/dmi/id/product_name").unwrap_or_default();
    hypervisor(&vendor, &product).map_or(Place::Linux, |name| Place::VirtualMachine(name.to_owned()))
}

/// The hypervisor, from the vendor and product name of the machine.
fn hypervisor(vendor: &str, product: &str) -> Option<&'static str> {
    let either = |word: &str| vendor.contains(word) || product.contains(word);
    // Instance types that end in ".metal" have no hypervisor.
    if vendor == "Amazon EC2" {
        return (!product.contains(".metal")).then_some(EC2);
    }
    // Microsoft also makes laptops: only this product is a virtual machine.
    if vendor == "Microsoft Corporation" {
        return (product == "Virtual Machine").then_some(HYPER_V);
    }
    match () {
        () if either("VirtualBox") || vendor == "innotek GmbH" => Some(VIRTUALBOX),
        () if either("VMware") => Some(VMWARE),
        () if either("Parallels") => Some(PARALLELS),
        () if either("QEMU") || either("KVM") || product == "OpenStack Nova" => Some(KVM),
        () if product == "Google Compute Engine" => Some("Google Compute Engine"),
        () if vendor == "Xen" => Some("Xen"),
        () if vendor == "Apple Inc." && product.starts_with("Apple Virtualization") => Some("Apple Virtualization"),
        () if vendor == "DigitalOcean" || vendor == "Hetzner" && product == "vServer" => Some(KVM),
        () => None,
    }
}

/// The running time service, else an installed one; whether it runs; and its unit.
fn keeper(root: Root<'_>, kernel: &KernelClock) -> (TimeKeeper, Option<bool>, Option<String>) {
    let processes = Processes::of(root);
    let running = KEEPERS.iter().find(|installed| match installed.keeper {
        TimeKeeper::Chronyd => processes.chronyd,
        TimeKeeper::SystemdTimesyncd => processes.timesyncd,
        // Several services have a program with the name ntpd: their files tell them apart.
        TimeKeeper::OpenNtpd => processes.openntpd || processes.ntpd && installed.is_in(root),
        _ => processes.ntpd,
    });
    if let Some(installed) = running {
        return (installed.keeper, Some(true), installed.unit(root));
    }
    let timesyncd = KEEPERS.iter().find(|installed| installed.keeper == TimeKeeper::SystemdTimesyncd);
    // systemd-timesyncd touches this file each time it sets the clock; a boot removes the file.
    let has_set_the_clock = !processes.all_seen && root.has("run/systemd/timesync/synchronized");
    let installed =
        timesyncd.filter(|_| has_set_the_clock).or_else(|| KEEPERS.iter().find(|installed| installed.is_in(root)));
    match (installed, kernel) {
        (Some(installed), _) => (installed.keeper, processes.all_seen.then_some(false), installed.unit(root)),
        // An unlisted service synchronises the clock: tools of a hypervisor, a PTP clock or another NTP client.
        (None, KernelClock::Synchronised { .. }) => (TimeKeeper::Unknown, None, None),
        (None, _) if !processes.all_seen => (TimeKeeper::Unknown, None, None),
        (None, _) => (TimeKeeper::None, None, None),
    }
}

impl Installed {
    fn is_in(&self, root: Root<'_>) -> bool {
        self.files.iter().any(|file| root.has(file)) || self.unit(root).is_some()
    }

    /// The unit's own file first, then the administrator's additions.
    fn unit(&self, root: Root<'_>) -> Option<String> {
        let folders = ["usr/lib/systemd/system", "lib/systemd/system", "etc/systemd/system"];
        let mut units = folders.iter().flat_map(|folder| self.units.iter().map(move |unit| (folder, unit)));
        units.find(|(folder, unit)| root.has(&format!("{folder}/{unit}.service"))).map(|(_, unit)| (*unit).to_owned())
    }
}

/// The time services among the running processes.
#[derive(Default)]
struct Processes {
    chronyd: bool,
    ntpd: bool,
    openntpd: bool,
    timesyncd: bool,
    /// False if a mount option hides the processes of other users, or if there were too many.
    all_seen: bool,
}

impl Processes {
    fn of(root: Root<'_>) -> Self {
        let mut found = Self::default();
        let Ok(folder) = fs::read_dir(root.path("proc")) else { return found };
        let is_process = |name: &str| name.bytes().all(|c| c.is_ascii_digit());
        let mut numbers =
            folder.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).filter(|name| is_process(name));
        for number in numbers.by_ref().take(MOST_PROCESSES) {
            match root.line(&format!("proc/{number}/comm")).as_deref() {
                Some("chronyd") => found.chronyd = true,
                Some("ntpd") => found.ntpd = true,
                Some("openntpd") => found.openntpd = true,
                // The kernel stores fifteen characters.
                Some("systemd-timesyn") => found.timesyncd = true,
                _ => {}
            }
        }
        // With the mount option hidepid, a user who can't see root's first process sees only their own.
        found.all_seen = numbers.next().is_none() && root.line("proc/1/comm").is_some();
        found
    }
}

/// The third line of hwclock(8)'s file; without the file, every tool assumes UTC.
fn rtc_is_local(root: Root<'_>) -> Option<bool> {
    match root.text("etc/adjtime") {
        Some(text) => match text.lines().nth(2).map(str::trim) {
            Some("LOCAL") => Some(true),
            Some("UTC") | None => Some(false),
            Some(_) => None,
        },
        None => (!root.has("etc/adjtime")).then_some(false),
    }
}

fn zone_name(root: Root<'_>, environment: &Environment) -> Option<String> {
    let of_path = |path: &str| path.split_once("zoneinfo/").map(|(_, name)| name.to_owned());
    if let Some(set) = environment.get("TZ") {
        let set = set.trim_start_matches(':');
        // An empty TZ is UTC (tzset(3)).
        return Some(of_path(set).unwrap_or_else(|| if set.is_empty() { "UTC".to_owned() } else { set.to_owned() }));
    }
    let link = fs::read_link(root.path("etc/localtime")).ok().and_then(|to| of_path(to.to_str()?));
    // Some systems have a copy instead of a link; Debian stores the name in a file next to it.
    link.or_else(|| root.line("etc/timezone")).filter(|name| !name.is_empty())
}

/// `ID` of os-release, then the names in `ID_LIKE`: the distributions whose packages it uses.
fn distribution(root: Root<'_>) -> Vec<String> {
    let text = root.text("etc/os-release").or_else(|| root.text("usr/lib/os-release")).unwrap_or_default();
    let value = |key: &str| {
        let line = text.lines().find_map(|line| line.trim().strip_prefix(key)?.strip_prefix('='));
        line.unwrap_or_default().trim_matches(['"', '\'']).to_owned()
    };
    let (id, like) = (value("ID"), value("ID_LIKE"));
    [id.as_str()]
        .into_iter()
        .chain(like.split_whitespace())
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

/// The root directory of the machine's files: `/`; tests use another one.
#[derive(Clone, Copy)]
struct Root<'a>(&'a Path);

impl Root<'_> {
    fn path(self, below: &str) -> PathBuf {
        self.0.join(below)
    }

    fn has(self, below: &str) -> bool {
        fs::symlink_metadata(self.path(below)).is_ok()
    }

    /// The text of a short file, whatever its length says: for the kernel's files it is zero or the size of a page.
    fn text(self, below: &str) -> Option<String> {
        // Without NONBLOCK, opening a FIFO waits for its writer; without NOCTTY, a terminal could become the daemon's.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::open(self.path(below), flags, Mode::empty()).ok()?);
        if !file.metadata().ok()?.is_file() {
            return None;
        }
        let mut bytes = Vec::new();
        file.take(LONGEST).read_to_end(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// A file's first line.
    fn line(self, below: &str) -> Option<String> {
        Some(self.text(below)?.lines().next().unwrap_or_default().trim().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::symlink;

    use super::*;

    /// A test machine: files with their text, and `localtime` as the target of that link.
    fn machine(files: &[(&str, &str)], localtime: Option<&str>) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            File::create(path).and_then(|mut file| file.write_all(text.as_bytes())).unwrap();
        }
        if let Some(target) = localtime {
            fs::create_dir_all(root.path().join("etc")).unwrap();
            symlink(target, root.path().join("etc/localtime")).unwrap();
        }
        root
    }

    fn seen_in(root: &tempfile::TempDir, variables: &[(&str, &str)]) -> TimeKeeping {
        let environment = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        look_in(Root(root.path()), &environment, KernelClock::Unsynchronised, TimeDelta::hours(2))
    }

    #[test]
    fn a_debian_laptop_with_timesyncd() {
        let root = machine(
            &[
                ("proc/1/comm", "systemd\n"),
                ("proc/412/comm", "systemd-timesyn\n"),
                ("proc/sys/kernel/osrelease", "6.1.0-18-amd64\n"),
                ("sys/class/dmi/id/sys_vendor", "LENOVO\n"),
                ("sys/class/dmi/id/product_name", "20XW\n"),
                ("run/systemd/system/x", ""),
                ("run/systemd/timesync/synchronized", ""),
                ("lib/systemd/systemd-timesyncd", ""),
                ("lib/systemd/system/systemd-timesyncd.service", ""),
                ("usr/bin/timedatectl", ""),
                ("etc/adjtime", "0.0 0 0.0\n0\nLOCAL\n"),
                ("etc/os-release", "NAME=\"Linux Mint\"\nVERSION_ID=\"21\"\nID=linuxmint\nID_LIKE=\"ubuntu debian\"\n"),
            ],
            Some("/usr/share/zoneinfo/Europe/Berlin"),
        );
        let expected = TimeKeeping {
            place: Place::Linux,
            keeper: TimeKeeper::SystemdTimesyncd,
            runs: Some(true),
            unit: Some("systemd-timesyncd".to_owned()),
            kernel: KernelClock::Unsynchronised,
            rtc_is_local: Some(true),
            zone: Some("Europe/Berlin".to_owned()),
            local_offset: TimeDelta::hours(2),
            has_timedatectl: true,
            has_systemd: true,
            distribution: ["linuxmint", "ubuntu", "debian"].map(str::to_owned).to_vec(),
        };
        assert_eq!(seen_in(&root, &[]), expected);
        assert_eq!(seen_in(&root, &[("TZ", ":America/New_York")]).zone.as_deref(), Some("America/New_York"));
        assert_eq!(seen_in(&root, &[("TZ", "")]).zone.as_deref(), Some("UTC"));
    }

    #[test]
    fn the_keeper_that_runs_comes_before_those_that_are_installed() {
        let chrony = ("usr/sbin/chronyd", "");
        let timesyncd = ("usr/lib/systemd/systemd-timesyncd", "");
        let first = ("proc/1/comm", "systemd\n");
        let unit = ("usr/lib/systemd/system/chrony.service", "");
        let ntpd = ("proc/77/comm", "ntpd\n");
        type Case<'a> = (&'a [(&'a str, &'a str)], TimeKeeper, Option<bool>, Option<&'a str>);
        let cases: [Case<'_>; 9] = [
            (
                &[first, chrony, timesyncd, ("proc/9/comm", "systemd-timesyn\n")],
                TimeKeeper::SystemdTimesyncd,
                Some(true),
                None,
            ),
            (&[first, chrony, timesyncd, unit], TimeKeeper::Chronyd, Some(false), Some("chrony")),
            (&[first, ("proc/9/comm", "chronyd\n"), unit], TimeKeeper::Chronyd, Some(true), Some("chrony")),
            (&[first, ntpd, ("lib/systemd/system/ntpsec.service", "")], TimeKeeper::Ntpd, Some(true), Some("ntpsec")),
            (&[first, ntpd, ("etc/openntpd/ntpd.conf", "")], TimeKeeper::OpenNtpd, Some(true), None),
            (&[first], TimeKeeper::None, None, None),
            // This program sees only its own processes.
            (&[("proc/500/comm", "evercredd\n"), timesyncd], TimeKeeper::SystemdTimesyncd, None, None),
            (
                &[("proc/500/comm", "evercredd\n"), chrony, ("run/systemd/timesync/synchronized", "")],
                TimeKeeper::SystemdTimesyncd,
                None,
                None,
            ),
            (&[], TimeKeeper::Unknown, None, None),
        ];
        for (files, keeper, runs, unit) in cases {
            let seen = seen_in(&machine(files, None), &[]);
            assert_eq!((seen.keeper, seen.runs, seen.unit.as_deref()), (keeper, runs, unit), "{files:?}");
        }
        let root = machine(&[first], None);
        let synchronised = KernelClock::Synchronised { max_error: TimeDelta::zero() };
        let seen = look_in(Root(root.path()), &Environment::default(), synchronised, TimeDelta::zero());
        assert_eq!(seen.keeper, TimeKeeper::Unknown, "somebody does it");
    }

    #[test]
    fn every_place_is_told_by_its_files() {
        let wsl2 = ("proc/sys/kernel/osrelease", "5.15.90.1-microsoft-standard-WSL2\n");
        let machine_of = |vendor: &'static str, product: &'static str| {
            machine(&[("sys/class/dmi/id/sys_vendor", vendor), ("sys/class/dmi/id/product_name", product)], None)
        };
        let vm = |name: &str| Place::VirtualMachine(name.to_owned());
        let cases = [
            (machine(&[wsl2], None), Place::Wsl2),
            (machine(&[wsl2, ("run/systemd/container", "wsl\n")], None), Place::Wsl2),
            (machine(&[wsl2, (".dockerenv", "")], None), Place::Container),
            (machine(&[("proc/sys/kernel/osrelease", "4.4.0-19041-Microsoft\n")], None), Place::Wsl1),
            (machine(&[("run/systemd/container", "lxc\n")], None), Place::Container),
            (machine(&[("run/.containerenv", "")], None), Place::Container),
            (machine_of("innotek GmbH\n", "VirtualBox\n"), vm(VIRTUALBOX)),
            (machine_of("VMware, Inc.\n", "VMware Virtual Platform\n"), vm(VMWARE)),
            (machine_of("QEMU\n", "Standard PC (Q35 + ICH9, 2009)\n"), vm(KVM)),
            (machine_of("Microsoft Corporation\n", "Virtual Machine\n"), vm(HYPER_V)),
            (machine_of("Microsoft Corporation\n", "Surface Laptop 4\n"), Place::Linux),
            (machine_of("Amazon EC2\n", "t3.micro\n"), vm(EC2)),
            (machine_of("Amazon EC2\n", "m5.metal\n"), Place::Linux),
            (machine_of("Parallels Software International Inc.\n", "Parallels Virtual Platform\n"), vm(PARALLELS)),
            (machine_of("Google\n", "Google Compute Engine\n"), vm("Google Compute Engine")),
            (machine_of("Dell Inc.\n", "XPS 13\n"), Place::Linux),
            (machine(&[], None), Place::Linux),
        ];
        for (root, place) in cases {
            assert_eq!(seen_in(&root, &[]).place, place);
        }
        let pod = seen_in(&machine(&[], None), &[("KUBERNETES_SERVICE_HOST", "10.0.0.1")]);
        assert_eq!(pod.place, Place::Container);
    }

    #[test]
    fn the_zone_and_the_hardware_clock_where_files_are_odd() {
        let first = ("proc/1/comm", "init\n");
        let root = machine(&[first, ("etc/localtime", "TZif2"), ("etc/timezone", "Asia/Kathmandu\n")], None);
        let seen = seen_in(&root, &[]);
        assert_eq!((seen.zone.as_deref(), seen.rtc_is_local), (Some("Asia/Kathmandu"), Some(false)));
        let root =
            machine(&[first, ("etc/adjtime", "0.0 0 0.0\n0\n?\n")], Some("/var/db/timezone/zoneinfo/Europe/Paris"));
        let seen = seen_in(&root, &[]);
        assert_eq!((seen.zone.as_deref(), seen.rtc_is_local), (Some("Europe/Paris"), None));
        // A directory, an endless file and bytes that are no text, in place of files.
        let root = machine(&[("etc/adjtime/x", ""), ("etc/os-release", "\u{0}ID")], None);
        symlink("/dev/zero", root.path().join("etc/timezone")).unwrap();
        let seen = seen_in(&root, &[]);
        assert_eq!((seen.zone, seen.rtc_is_local, seen.distribution.len()), (None, None, 0));
    }

    #[test]
    fn this_very_machine_can_be_looked_at() {
        let environment = Environment::of_process();
        let seen = look(&environment);
        assert!(seen.said().len() > 60, "{}", seen.said());
        let mac = of_macos(Root(Path::new("/")), &environment, KernelClock::Unsynchronised, TimeDelta::zero());
        assert_eq!((mac.place, mac.keeper), (Place::MacOs, TimeKeeper::MacTimed));
    }
}
