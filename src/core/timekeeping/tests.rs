use proptest::prelude::*;

use super::*;

const KEEPERS: [TimeKeeper; 7] = [
    TimeKeeper::SystemdTimesyncd,
    TimeKeeper::Chronyd,
    TimeKeeper::Ntpd,
    TimeKeeper::OpenNtpd,
    TimeKeeper::MacTimed,
    TimeKeeper::None,
    TimeKeeper::Unknown,
];

fn places() -> Vec<Place> {
    let mut places = vec![Place::Linux, Place::Wsl1, Place::Wsl2, Place::Container, Place::MacOs];
    let hypervisors = [VIRTUALBOX, VMWARE, KVM, HYPER_V, EC2, PARALLELS, "bhyve"];
    places.extend(hypervisors.map(|name| Place::VirtualMachine(name.to_owned())));
    places
}

fn kernels() -> [KernelClock; 3] {
    [
        KernelClock::Synchronised { max_error: TimeDelta::milliseconds(12) },
        KernelClock::Unsynchronised,
        KernelClock::Unknown("not\npermitted".to_owned()),
    ]
}

/// A Linux laptop in Berlin, in summer.
fn laptop(keeper: TimeKeeper, runs: bool) -> TimeKeeping {
    TimeKeeping {
        place: Place::Linux,
        keeper,
        runs: Some(runs),
        unit: None,
        kernel: KernelClock::Unsynchronised,
        rtc_is_local: Some(false),
        zone: Some("Europe/Berlin".to_owned()),
        local_offset: TimeDelta::hours(2),
        has_timedatectl: true,
        has_systemd: true,
        distribution: vec!["debian".to_owned()],
    }
}

fn commands(fixes: &[Fix]) -> Vec<&str> {
    fixes.iter().filter_map(|fix| fix.command.as_deref()).collect()
}

#[track_caller]
fn assert_fit_to_be_shown(fixes: &[Fix]) {
    assert!(!fixes.is_empty());
    for fix in fixes {
        assert!(!fix.text.contains(|c: char| c.is_control()) && fix.text.ends_with(['.', ')']), "{fix:?}");
        assert!(!fix.text.contains("  "), "{fix:?}");
        let Some(command) = &fix.command else { continue };
        // Quotes around the one argument of `date` with spaces in it; nothing else that a shell would take for more
        // than a word.
        let plain =
            command.strip_prefix("sudo date --set='").and_then(|rest| rest.strip_suffix('\'')).unwrap_or(command);
        assert!(plain.bytes().all(|c| c.is_ascii_alphanumeric() || b" -_./@".contains(&c)), "{fix:?}");
        let jumps = ["makestep", "-gq", "hwclock -s", "date --set", "sntp", "set-ntp", "--adjust"];
        assert!(!jumps.iter().any(|step| command.contains(step)) || fix.text.contains("jump"), "silent: {fix:?}");
    }
}

#[test]
fn every_place_with_every_keeper_has_its_fixes_and_its_sentence() {
    for place in places() {
        for (keeper, kernel) in KEEPERS.into_iter().flat_map(|keeper| kernels().map(|kernel| (keeper, kernel))) {
            for (bits, runs) in (0..8).flat_map(|bits| [None, Some(false), Some(true)].map(|runs| (bits, runs))) {
                let facts = TimeKeeping {
                    place: place.clone(),
                    runs,
                    kernel: kernel.clone(),
                    has_systemd: bits & 1 != 0,
                    has_timedatectl: bits & 2 != 0,
                    rtc_is_local: Some(bits & 4 != 0),
                    ..laptop(keeper, true)
                };
                for offset in
                    [TimeDelta::minutes(16), TimeDelta::minutes(-16), TimeDelta::hours(2), TimeDelta::hours(3)]
                {
                    let fixes = fixes(&facts, offset);
                    assert_fit_to_be_shown(&fixes);
                    let of_host = matches!(place, Place::Container | Place::Wsl1);
                    assert!(!of_host || commands(&fixes).is_empty(), "{place:?} can't set its clock: {fixes:?}");
                    assert!(facts.has_systemd || !commands(&fixes).iter().any(|command| command.contains("systemctl")));
                    if let Some(mistake) = zone_mistake(offset, TimeDelta::seconds(1), &facts) {
                        assert_fit_to_be_shown(&mistake.fixes(&facts, offset));
                    }
                }
                assert!(!facts.said().contains('\n') && facts.said().len() > 60, "{}", facts.said());
            }
        }
    }
}

#[test]
fn the_first_thing_to_do_fits_the_machine() {
    let wsl = TimeKeeping { place: Place::Wsl2, ..laptop(TimeKeeper::None, false) };
    let mac = TimeKeeping { place: Place::MacOs, ..laptop(TimeKeeper::MacTimed, true) };
    let synchronised = KernelClock::Synchronised { max_error: TimeDelta::zero() };
    let slow_chrony = TimeKeeping { kernel: synchronised, ..laptop(TimeKeeper::Chronyd, true) };
    let debian_chrony = TimeKeeping { unit: Some("chrony".to_owned()), ..laptop(TimeKeeper::Chronyd, false) };
    let bare = TimeKeeping { has_systemd: false, ..laptop(TimeKeeper::SystemdTimesyncd, false) };
    let no_timedatectl = TimeKeeping { has_timedatectl: false, ..laptop(TimeKeeper::SystemdTimesyncd, false) };
    let cases = [
        (laptop(TimeKeeper::SystemdTimesyncd, false), "sudo timedatectl set-ntp true"),
        (laptop(TimeKeeper::SystemdTimesyncd, true), "timedatectl timesync-status"),
        (no_timedatectl, "sudo systemctl enable --now systemd-timesyncd"),
        (bare, "sudo apt install chrony"),
        (slow_chrony, "sudo chronyc makestep"),
        (laptop(TimeKeeper::Chronyd, true), "chronyc sources"),
        (debian_chrony, "sudo systemctl enable --now chrony"),
        (laptop(TimeKeeper::Ntpd, true), "sudo systemctl stop ntpd"),
        (laptop(TimeKeeper::OpenNtpd, true), "sudo systemctl restart openntpd"),
        (laptop(TimeKeeper::None, false), "sudo apt install systemd-timesyncd"),
        (laptop(TimeKeeper::Unknown, false), "timedatectl"),
        (wsl, "sudo hwclock -s"),
        (mac, "sudo sntp -sS time.apple.com"),
    ];
    for (facts, first) in cases {
        assert_eq!(fixes(&facts, TimeDelta::minutes(-16))[0].command.as_deref(), Some(first), "{facts:?}");
    }
}

#[test]
fn ntpd_is_stopped_before_and_started_after() {
    let facts = TimeKeeping { unit: Some("ntpsec".to_owned()), ..laptop(TimeKeeper::Ntpd, true) };
    let expected = ["sudo systemctl stop ntpsec", "sudo ntpd -gq", "sudo systemctl start ntpsec"];
    assert_eq!(commands(&fixes(&facts, TimeDelta::minutes(16)))[..3], expected);
}

#[test]
fn every_distribution_has_its_package_manager() {
    let cases: [(&[&str], Option<&str>); 10] = [
        (&["ubuntu", "debian"], Some("sudo apt install systemd-timesyncd")),
        (&["linuxmint", "ubuntu", "debian"], Some("sudo apt install systemd-timesyncd")),
        (&["fedora"], Some("sudo dnf install chrony")),
        (&["amzn", "centos", "rhel", "fedora"], Some("sudo yum install chrony")),
        (&["rocky", "rhel", "centos", "fedora"], Some("sudo yum install chrony")),
        (&["opensuse-tumbleweed", "opensuse", "suse"], Some("sudo zypper install chrony")),
        (&["manjaro", "arch"], Some("sudo pacman -S chrony")),
        (&["alpine"], Some("sudo apk add chrony")),
        (&["nixos"], None),
        (&[], None),
    ];
    for (ids, command) in cases {
        let distribution = ids.iter().map(|id| (*id).to_owned()).collect();
        let facts = TimeKeeping { distribution, ..laptop(TimeKeeper::None, false) };
        assert_eq!(fixes(&facts, TimeDelta::minutes(16))[0].command.as_deref(), command, "{ids:?}");
    }
}

#[test]
fn setting_by_hand_goes_the_right_way_and_first_where_packages_can_not_be_fetched() {
    let facts = laptop(TimeKeeper::None, false);
    let ahead = fixes(&facts, TimeDelta::minutes(16));
    assert_eq!(ahead.last().unwrap().command.as_deref(), Some("sudo date --set='960 seconds ago'"));
    let behind = fixes(&facts, -TimeDelta::days(20_000));
    assert_eq!(behind[0].command.as_deref(), Some("sudo date --set='1728000000 seconds'"));
    let busybox = TimeKeeping { distribution: vec!["alpine".to_owned()], ..facts };
    assert!(!commands(&fixes(&busybox, TimeDelta::minutes(16))).iter().any(|command| command.contains("date --")));
    assert!(fixes(&busybox, TimeDelta::milliseconds(-999)).is_empty());
}

#[test]
fn a_virtual_machine_is_told_of_its_hypervisor_last() {
    for (name, word) in
        [(VIRTUALBOX, "VBoxService"), (VMWARE, "VMware"), (HYPER_V, "Time Synchronization"), (EC2, "169.254")]
    {
        let facts = TimeKeeping { place: Place::VirtualMachine(name.to_owned()), ..laptop(TimeKeeper::Chronyd, true) };
        let fixes = fixes(&facts, TimeDelta::minutes(16));
        assert!(fixes.last().unwrap().text.contains(word) && commands(&fixes).contains(&"sudo chronyc makestep"));
    }
}

#[test]
fn a_zone_mistake_is_told_from_a_wrong_clock() {
    let facts = laptop(TimeKeeper::SystemdTimesyncd, false);
    let berlin = Some("Europe/Berlin".to_owned());
    let local = |hours| Some(ZoneMistake::RtcIsLocal { off: TimeDelta::hours(hours), zone: berlin.clone() });
    let whole = |minutes| Some(ZoneMistake::WholeHours { off: TimeDelta::minutes(minutes) });
    let cases = [
        (TimeDelta::hours(2), local(2)),
        (TimeDelta::seconds(-7_290), local(-2)),
        (TimeDelta::minutes(61), whole(60)),
        (TimeDelta::seconds(-3_590), whole(-60)),
        (TimeDelta::minutes(29), whole(30)),
        (TimeDelta::minutes(-331), whole(-330)),
        (TimeDelta::hours(26), whole(26 * 60)),
        (TimeDelta::hours(27), None),
        (TimeDelta::minutes(16), None),
        (TimeDelta::minutes(0), None),
        (TimeDelta::minutes(75), None),
        (TimeDelta::minutes(117), None),
    ];
    for (offset, mistake) in cases {
        assert_eq!(zone_mistake(offset, TimeDelta::seconds(2), &facts), mistake, "{offset}");
    }
    assert_eq!(zone_mistake(TimeDelta::hours(2), TimeDelta::minutes(6), &facts), None, "nobody knows");
    let nepal = TimeKeeping { local_offset: TimeDelta::minutes(345), ..facts };
    let off = TimeDelta::minutes(345);
    assert_eq!(zone_mistake(off, TimeDelta::zero(), &nepal), Some(ZoneMistake::RtcIsLocal { off, zone: berlin }));
}

#[test]
fn a_zone_mistake_says_what_it_looks_like_and_what_to_do() {
    let facts = laptop(TimeKeeper::SystemdTimesyncd, false);
    let offset = TimeDelta::hours(2);
    let mistake = zone_mistake(offset, TimeDelta::zero(), &facts).unwrap();
    let said = mistake.to_string();
    assert!(
        said.starts_with("the clock is off by exactly 2 hours, as local time in Europe/Berlin is from UTC: "),
        "{said}"
    );
    let fixes = mistake.fixes(&facts, offset);
    assert_eq!(fixes[0].command.as_deref(), Some("sudo timedatectl set-ntp true"));
    assert!(commands(&fixes).contains(&"sudo timedatectl set-local-rtc 0"));

    let read_as_local = TimeKeeping { rtc_is_local: Some(true), ..facts.clone() };
    let command = mistake.fixes(&read_as_local, -offset)[0].command.clone();
    assert_eq!(command.as_deref(), Some("sudo timedatectl set-local-rtc 0 --adjust-system-clock"));

    let mistake = zone_mistake(TimeDelta::minutes(-210), TimeDelta::zero(), &facts).unwrap();
    assert!(mistake.to_string().starts_with("the clock is off by exactly 3 hours 30 minutes: "), "{mistake}");
    let first = &mistake.fixes(&facts, TimeDelta::minutes(-210))[0];
    assert!(first.text.contains("timedatectl set-timezone") && first.text.contains("Europe/Berlin"), "{first:?}");
}

#[test]
fn the_facts_are_one_sentence() {
    let facts = laptop(TimeKeeper::SystemdTimesyncd, true);
    assert_eq!(
        facts.said(),
        "on Linux, systemd-timesyncd runs; the kernel reports that no time service synchronises the clock; \
         the time zone is Europe/Berlin (UTC+02:00)"
    );
    assert_eq!(length(TimeDelta::seconds(90_061)), "1 day 1 hour");
    assert_eq!(from_utc(TimeDelta::minutes(-210)), "UTC-03:30");
}

proptest! {
    #[test]
    fn whatever_was_found_the_fixes_can_be_shown_and_typed(
        place in proptest::sample::select(places()),
        keeper in proptest::sample::select(KEEPERS.to_vec()),
        runs in any::<Option<bool>>(),
        kernel in proptest::sample::select(kernels().to_vec()),
        (hypervisor, zone, unit) in (any::<Option<String>>(), any::<Option<String>>(), any::<Option<String>>()),
        (has_systemd, has_timedatectl, rtc_is_local) in any::<(bool, bool, Option<bool>)>(),
        distribution in proptest::collection::vec(any::<String>(), 0..3),
        (offset, local, uncertainty) in (any::<i64>(), -50_400i64..50_400, 0i64..600),
    ) {
        let place = hypervisor.map_or(place, Place::VirtualMachine);
        let local_offset = TimeDelta::seconds(local);
        let facts = TimeKeeping {
            place, keeper, runs, unit, kernel, rtc_is_local, zone, local_offset, has_timedatectl, has_systemd, distribution,
        };
        for offset in [offset, offset % 100_000_000] {
            let offset = TimeDelta::milliseconds(offset.clamp(-i64::MAX, i64::MAX));
            let found = fixes(&facts, offset);
            prop_assert!(offset.abs() < TimeDelta::seconds(1) || !found.is_empty());
            if !found.is_empty() {
                assert_fit_to_be_shown(&found);
            }
            if let Some(mistake) = zone_mistake(offset, TimeDelta::seconds(uncertainty), &facts) {
                assert_fit_to_be_shown(&mistake.fixes(&facts, offset));
                prop_assert!(!mistake.to_string().contains('\n'));
                prop_assert!(offset.abs() >= TimeDelta::minutes(25));
            }
        }
        prop_assert!(!facts.said().contains('\n'));
    }
}
