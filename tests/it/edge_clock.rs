//! The clock with the real programs: AWS's that is another, this machine's that is faked, and what a person is told.

use std::process::Command;
use std::time::SystemTime;

use serde_json::Value;

use crate::machine::{Machine, assert_expires_in_an_hour, role};
use crate::standin::{DateHeader, Fault};

pub(crate) const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";
const MINUTE: i64 = 60;

fn clock(machine: &Machine) -> Value {
    serde_json::from_slice(&machine.run(&["clock", "--json"]).stdout).unwrap_or_default()
}

fn is_off_by(machine: &Machine, seconds: i64) -> bool {
    clock(machine)["offset_seconds"].as_f64().is_some_and(|offset| (offset - seconds as f64).abs() < 2.5)
}

/// Starts the daemon until it has heard its time servers as the test needs it, and gives the number of starts: on a busy
/// machine an answer may take longer than the daemon waits, or so long that it says little, and the daemon asks again much later.
fn start_until(
    machine: &mut Machine,
    daemon: impl Fn(&Machine) -> Command,
    servers: usize,
    is_heard: impl Fn(&Machine) -> bool,
) -> usize {
    for starts in 1..=10 {
        machine.start_as(daemon(machine));
        machine.eventually("all time servers were asked", |machine| {
            let sources = clock(machine)["sources"].as_array().cloned().unwrap_or_default();
            sources.iter().filter(|source| source["kind"] == "ntp" && source["at"].is_string()).count() == servers
        });
        if is_heard(machine) {
            return starts;
        }
        assert_eq!(machine.stop(), Some(0));
    }
    panic!("the time servers were never heard as needed: {}", machine.read("log"));
}

/// Whether a time server gave the time, in an exchange that was short enough to tell it to half a second.
fn is_precise(source: &Value) -> bool {
    source["uncertainty_seconds"].as_f64().is_some_and(|uncertainty| uncertainty < 0.5)
}

/// What the daemon's log says to a person, once or more.
fn told(machine: &Machine, what: &str) -> usize {
    machine.read("log").lines().filter(|line| line.contains("clock-skewed") && line.contains(what)).count()
}

#[test]
fn every_wrongness_has_its_grade_and_no_credential_is_refused_for_it() {
    for (off, state) in [
        (0, "ok"),
        (30, "ok"),
        (-30, "ok"),
        (4 * MINUTE, "notice"),
        (-4 * MINUTE, "notice"),
        (14 * MINUTE, "warning"),
        (-14 * MINUTE, "warning"),
        (16 * MINUTE, "critical"),
        (-16 * MINUTE, "critical"),
        (120 * MINUTE, "critical"),
        (-120 * MINUTE, "critical"),
        (-20_000_000, "critical"),
    ] {
        let mut machine = Machine::new();
        machine.aws.set_offset_seconds(-off);
        machine.start();
        machine.eventually("the time is known", |machine| is_off_by(machine, off));
        let output = machine.run(&["clock", "--json"]);
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(document["state"], state, "{off}: {document}");
        assert_eq!(output.status.code(), Some(i32::from(state != "ok")), "{off}");
        let status = machine.status();
        assert_eq!(status["clock"]["state"], state);
        let problem = status["problems"].as_array().unwrap().iter().any(|problem| problem["id"] == "clock-skewed");
        assert_eq!(problem, state != "ok", "{status}");
        let begin = SystemTime::now();
        assert_eq!(machine.whose("app"), Ok(role("App")), "{off}: {}", machine.read("log"));
        // Whoever reads this compares it with the clock of this machine.
        let expiration = machine.credentials("app").unwrap()["Expiration"].clone();
        assert_expires_in_an_hour(&expiration, begin, if state == "ok" { -off } else { 0 });
        assert!(machine.aws.calls().iter().all(|call| call.error.is_none()), "{off}: {:?}", machine.aws.calls());
        assert_eq!(told(&machine, "AWS's time"), usize::from(state != "ok"), "{off}: {}", machine.read("log"));
        assert_eq!(machine.stop(), Some(0));
    }
}

#[test]
fn the_time_is_known_where_there_is_no_profile_at_all() {
    let mut machine = Machine::new();
    machine.replace(".aws/config", "");
    machine.replace(".aws/credentials", "");
    machine.aws.set_offset_seconds(20 * MINUTE);
    machine.start();
    machine.eventually("the time is known", |machine| is_off_by(machine, -20 * MINUTE));
    let output = machine.run(&["clock"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("behind AWS's time") && text.contains("critical"), "{text}");
    assert_eq!((output.status.code(), machine.run(&["status"]).status.code()), (Some(1), Some(1)));
}

#[test]
fn nobody_is_asked_for_the_time_where_the_settings_say_so() {
    let mut machine = Machine::new();
    machine.write(".config/evercred/evercred.toml", "[clock]\nprobe = false\nntp = []\n");
    machine.start();
    assert_eq!(clock(&machine)["state"], "unknown");
    assert_eq!(machine.aws.calls().len(), 0);
    // What AWS says in the answers that are needed anyway is heard all the same.
    assert_eq!(machine.whose("app"), Ok(role("App")));
    assert_eq!(clock(&machine)["state"], "ok");
}

#[test]
fn answers_without_a_date_tell_nothing_and_stop_nothing() {
    for with_ntp in [false, true] {
        let mut machine = Machine::new();
        let ntp = Ntp::start(0, |_| {});
        if with_ntp {
            machine.write(".config/evercred/evercred.toml", &Ntp::settings(&[&ntp]));
        }
        machine.aws.set_date(DateHeader::Missing);
        let known = if with_ntp { "ok" } else { "unknown" };
        if with_ntp {
            start_until(&mut machine, Machine::daemon, 1, |machine| clock(machine)["state"] == known);
        } else {
            machine.start();
        }
        assert_eq!(machine.whose("app"), Ok(role("App")), "NTP known: {with_ntp}");
        let document = clock(&machine);
        assert_eq!((document["state"].as_str(), machine.run(&["clock"]).status.code()), (Some(known), Some(0)));
    }
}

pub(crate) fn fake(machine: &Machine, mut command: Command) -> Command {
    command
        .env("LD_PRELOAD", FAKETIME)
        .env("FAKETIME_TIMESTAMP_FILE", machine.path("stamp"))
        .env("FAKETIME_NO_CACHE", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    command
}

#[test]
fn a_clock_that_is_set_while_the_daemon_runs_is_seen_told_of_once_and_its_mending_too() {
    if std::env::var_os("EVERCRED_TEST_WITHOUT_FAKETIME").is_some() {
        return;
    }
    assert!(std::path::Path::new(FAKETIME).exists(), "libfaketime is installed by scripts/test");
    let mut machine = Machine::new();
    machine.write("stamp", "+0");
    machine.start_as(fake(&machine, machine.daemon()));
    machine.eventually("the time is known", |machine| is_off_by(machine, 0));
    assert_eq!(machine.whose("app"), Ok(role("App")));
    let mut warned = 0;
    for (step, state) in [
        (-30, "ok"),
        (30, "ok"),
        (-4 * MINUTE, "notice"),
        (4 * MINUTE, "notice"),
        (-14 * MINUTE, "warning"),
        (14 * MINUTE, "warning"),
        (-16 * MINUTE, "critical"),
        (16 * MINUTE, "critical"),
        (7_200, "critical"),
        (-7_200, "critical"),
    ] {
        machine.replace("stamp", &format!("{step:+}"));
        machine.eventually("the step is seen", |machine| is_off_by(machine, step) && clock(machine)["state"] == state);
        warned += usize::from(state != "ok");
        machine.eventually("it is told", |machine| told(machine, "AWS's time") == warned);
        // A renewal that is signed by such a clock's machine is signed by AWS's time.
        let begin = SystemTime::now();
        assert_eq!(machine.run(&["renew", "app"]).status.code(), Some(0), "{}", machine.read("log"));
        // As the set clock shows it.
        let expiration = machine.credentials("app").unwrap()["Expiration"].clone();
        assert_expires_in_an_hour(&expiration, begin, if state == "ok" { 0 } else { step });
        machine.replace("stamp", "+0");
        machine.eventually("it is right again", |machine| is_off_by(machine, 0) && clock(machine)["state"] == "ok");
        machine.eventually("and that is said", |machine| told(machine, "correct again") == warned);
    }
    assert!(machine.aws.calls().iter().all(|call| call.error.is_none()), "{:?}", machine.aws.calls());
}

#[test]
fn in_1970_everything_works_and_the_clock_is_named() {
    if std::env::var_os("EVERCRED_TEST_WITHOUT_FAKETIME").is_some() {
        return;
    }
    let mut machine = Machine::new();
    let mut daemon = machine.daemon();
    daemon.env("LD_PRELOAD", FAKETIME).env("FAKETIME", "@1970-01-02 00:00:00").env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    machine.start_as(daemon);
    assert_eq!(machine.whose("app"), Ok(role("App")), "{}", machine.read("log"));
    let document = clock(&machine);
    assert_eq!(document["state"], "critical", "{document}");
    assert!(document["offset_seconds"].as_f64().unwrap() < -1e9);
    assert_eq!(machine.run(&["renew", "app"]).status.code(), Some(0));
}

/// An NTP server that is off by so many seconds, or misbehaves: what it does to the answer is its own.
pub(crate) struct Ntp {
    pub(crate) address: std::net::SocketAddr,
    pub(crate) asked: std::sync::Arc<std::sync::atomic::AtomicUsize>,
}

impl Ntp {
    pub(crate) fn start(off: i64, spoil: impl Fn(&mut Vec<u8>) + Send + 'static) -> Self {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let asked = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let count = std::sync::Arc::clone(&asked);
        std::thread::spawn(move || {
            let mut question = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut question) {
                count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                let here = SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
                let seconds = i64::try_from(here.as_secs()).unwrap() + off + 2_208_988_800;
                let stamp = ((u64::try_from(seconds).unwrap() & 0xFFFF_FFFF) << 32)
                    | ((u64::from(here.subsec_nanos()) << 32) / 1_000_000_000);
                let mut answer = vec![4 << 3 | 4, 2, 6, 0xEC, 0, 0, 0, 40, 0, 0, 0, 80, 127, 0, 0, 1];
                answer.extend(stamp.to_be_bytes());
                answer.extend(&question[40..48.min(length)]);
                answer.extend(stamp.to_be_bytes());
                answer.extend(stamp.to_be_bytes());
                spoil(&mut answer);
                let _ = socket.send_to(&answer, from);
            }
        });
        Self { address, asked }
    }

    fn settings(servers: &[&Self]) -> String {
        let servers: Vec<String> = servers.iter().map(|server| format!("\"{}\"", server.address)).collect();
        format!("[clock]\nntp = [{}]\n", servers.join(", "))
    }

    fn source(&self, machine: &Machine) -> Value {
        let document = clock(machine);
        let mut sources = document["sources"].as_array().cloned().unwrap_or_default().into_iter();
        sources.find(|source| source["name"] == self.address.to_string()).unwrap_or_default()
    }
}

#[test]
fn ntp_narrows_what_aws_says_and_never_contradicts_it() {
    let mut machine = Machine::new();
    let (good, liar) = (Ntp::start(0, |_| {}), Ntp::start(3_600, |_| {}));
    machine.write(".config/evercred/evercred.toml", &Ntp::settings(&[&good, &liar]));
    start_until(&mut machine, Machine::daemon, 2, |machine| {
        [&good, &liar].iter().all(|ntp| is_precise(&ntp.source(machine)))
    });
    machine.eventually("AWS is heard", |machine| is_off_by(machine, 0));
    // What a server said before AWS was heard is judged by AWS later: the second look is at the next renewal.
    assert_eq!(machine.whose("app"), Ok(role("App")));
    let document = clock(&machine);
    assert_eq!(document["state"], "ok", "{document}");
    assert!(document["offset_seconds"].as_f64().unwrap().abs() < 2.5, "{document}");
    assert!(good.source(&machine)["offset_seconds"].as_f64().unwrap().abs() < 0.5, "{document}");
    assert!((liar.source(&machine)["offset_seconds"].as_f64().unwrap() + 3_600.0).abs() < 0.5, "{document}");
    let text = String::from_utf8(machine.run(&["clock"]).stdout).unwrap();
    assert!(text.contains("AWS's time contradicts it"), "{text}");
}

#[test]
fn where_aws_is_out_of_reach_a_clock_that_is_days_off_is_known_by_ntp() {
    let mut machine = Machine::new();
    let ntp = Ntp::start(3 * 86_400, |_| {});
    machine.write(".config/evercred/evercred.toml", &Ntp::settings(&[&ntp]));
    let daemon = |machine: &Machine| {
        let mut daemon = machine.daemon();
        // Nobody listens at the discard port.
        daemon.env("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9");
        daemon
    };
    let starts = start_until(&mut machine, daemon, 1, |machine| is_precise(&ntp.source(machine)));
    machine.eventually("the clock is graded", |machine| clock(machine)["state"] == "critical");
    let document = clock(&machine);
    assert!((document["offset_seconds"].as_f64().unwrap() + 3.0 * 86_400.0).abs() < 1.0, "{document}");
    assert_eq!(document["source"], "NTP; AWS has not answered yet");
    assert!((1..=starts).contains(&told(&machine, "time of the NTP servers")), "{}", machine.read("log"));
}

#[test]
fn a_server_that_misbehaves_is_named_and_left_alone() {
    let kiss = |code: &'static [u8; 4]| {
        move |answer: &mut Vec<u8>| {
            answer[1] = 0;
            answer[12..16].copy_from_slice(code);
        }
    };
    for (ntp, why) in [
        (Ntp::start(0, |answer| answer[0] |= 3 << 6), "its own clock is not synchronised"),
        (Ntp::start(0, |answer| answer[1] = 16), "its own clock is not synchronised"),
        (Ntp::start(0, kiss(b"RATE")), "limits the request rate"),
        (Ntp::start(0, kiss(b"DENY")), "refuses all further requests"),
        (Ntp::start(0, |answer| answer[40..48].fill(0)), "invalid answer"),
        (Ntp::start(0, |answer| answer.truncate(20)), "too short"),
        (Ntp::start(0, |answer| answer[24] ^= 1), "another request"),
    ] {
        let mut machine = Machine::new();
        machine.write(".config/evercred/evercred.toml", &Ntp::settings(&[&ntp]));
        let starts = start_until(&mut machine, Machine::daemon, 1, |machine| {
            ntp.source(machine)["said"].as_str().is_some_and(|said| !said.contains("did not answer: "))
        });
        assert!(ntp.source(&machine)["said"].as_str().unwrap().contains(why), "{}", ntp.source(&machine));
        let source = ntp.source(&machine);
        assert_eq!((source["believed"].as_bool(), source["offset_seconds"].is_null()), (Some(false), true), "{source}");
        machine.eventually("AWS is heard", |machine| clock(machine)["state"] == "ok");
        assert_eq!(ntp.asked.load(std::sync::atomic::Ordering::SeqCst), starts, "{why}");
    }
}

/// A real chrony server whose clock is faked.
struct Chrony {
    child: std::process::Child,
    address: std::net::SocketAddr,
    _folder: tempfile::TempDir,
}

impl Chrony {
    fn start(faked: &str, knows_the_time: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Chrony can't say which port it drew: one that was free a moment ago.
        let address = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let local = if knows_the_time { "local stratum 10\n" } else { "" };
        let place = folder.path().display();
        let text = format!(
            "port {}\nbindaddress 127.0.0.1\nallow 127.0.0.1\ncmdport 0\npidfile {place}/pid\n{local}",
            address.port()
        );
        std::fs::write(folder.path().join("chrony.conf"), text).unwrap();
        let child = Command::new("/usr/sbin/chronyd")
            .args(["-x", "-d", "-U", "-u", "root", "-f"])
            .arg(folder.path().join("chrony.conf"))
            .env("LD_PRELOAD", FAKETIME)
            .env("FAKETIME", faked)
            .stderr(std::process::Stdio::null())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let chrony = Self { child, address, _folder: folder };
        let asker = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        asker.connect(address).unwrap();
        asker.set_read_timeout(Some(std::time::Duration::from_millis(100))).unwrap();
        let mut question = [0; 48];
        question[0] = 4 << 3 | 3;
        let begin = std::time::Instant::now();
        while asker.send(&question).is_err() || asker.recv(&mut [0; 128]).is_err() {
            assert!(begin.elapsed() < crate::machine::PATIENCE, "chronyd does not answer");
        }
        chrony
    }
}

impl Drop for Chrony {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_real_chrony_server_that_is_hours_off_is_an_outlier_and_a_right_one_helps() {
    let told_without = |name: &str| std::env::var_os(name).is_some();
    if told_without("EVERCRED_TEST_WITHOUT_FAKETIME") || told_without("EVERCRED_TEST_WITHOUT_CHRONY") {
        return;
    }
    let (right, wrong, ignorant) = (Chrony::start("+0", true), Chrony::start("+2h", true), Chrony::start("+0", false));
    let mut machine = Machine::new();
    let servers = [&right, &wrong, &ignorant].map(|chrony| format!("\"{}\"", chrony.address)).join(", ");
    machine.write(".config/evercred/evercred.toml", &format!("[clock]\nntp = [{servers}]\n"));
    let source = |machine: &Machine, chrony: &Chrony| {
        let sources = clock(machine)["sources"].as_array().cloned().unwrap_or_default();
        sources.into_iter().find(|source| source["name"] == chrony.address.to_string()).unwrap_or_default()
    };
    start_until(&mut machine, Machine::daemon, 3, |machine| {
        let said = source(machine, &ignorant)["said"].as_str().unwrap_or_default().to_owned();
        [&right, &wrong].iter().all(|chrony| is_precise(&source(machine, chrony))) && !said.contains("did not answer: ")
    });
    machine.eventually("AWS is heard", |machine| is_off_by(machine, 0));
    let document = clock(&machine);
    assert_eq!(document["state"], "ok", "{document}");
    assert!(document["uncertainty_seconds"].as_f64().unwrap() < 1.0, "sub-second by the right one: {document}");
    assert_eq!(source(&machine, &right)["believed"], true, "{document}");
    let wrong = source(&machine, &wrong);
    assert_eq!(wrong["why"], "AWS's time contradicts it", "{wrong}");
    assert!((wrong["offset_seconds"].as_f64().unwrap() + 7_200.0).abs() < 1.0, "{wrong}");
    assert!(source(&machine, &ignorant)["said"].as_str().unwrap().contains("not synchronised"), "{document}");
}

#[test]
fn a_captive_page_never_moves_the_clock_whatever_its_status() {
    let mut machine = Machine::new();
    machine.start();
    machine.eventually("the time is known", |machine| is_off_by(machine, 0));
    assert_eq!(machine.whose("app"), Ok(role("App")));
    machine.aws.set_date(DateHeader::Lying(7_200));
    for page in [Fault::Html, Fault::Redirect, Fault::Status511, Fault::Empty, Fault::Garbage] {
        machine.aws.set_outage(Some(page));
        assert_eq!(machine.run(&["renew", "app"]).status.code(), Some(1), "{page:?}");
        assert!(is_off_by(&machine, 0), "{page:?}: {}", clock(&machine));
        assert_eq!(clock(&machine)["state"], "ok", "{page:?}");
    }
    assert_eq!(told(&machine, ""), 0, "{}", machine.read("log"));
    assert_eq!(machine.whose("app"), Ok(role("App")), "cached credentials stay in use");
}
