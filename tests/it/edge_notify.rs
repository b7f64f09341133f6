//! What arrives on a desktop: the real daemon, a real session bus, and a notification service that writes down what comes.

use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use crate::machine::{ACCOUNT, LOOPBACK_ONLY, Machine, role};
use crate::standin::Role;

/// A session bus with a notification service on it.
pub(crate) struct Desktop {
    child: Child,
    address: String,
}

/// One message as it arrived.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub(crate) title: String,
    pub(crate) body: String,
    pub(crate) is_critical: bool,
}

pub(crate) fn is_told_without(what: &str) -> bool {
    std::env::var_os(format!("EVERCRED_TEST_WITHOUT_{what}")).is_some()
}

/// The programs that show messages, the friendliest first, but for those that the tests are told to do without.
pub(crate) fn programs() -> Vec<&'static str> {
    let all = [("notify-send", "LIBNOTIFY"), ("busctl", "BUSCTL"), ("gdbus", "GDBUS")];
    all.into_iter().filter(|(_, name)| !is_told_without(name)).map(|(program, _)| program).collect()
}

impl Desktop {
    pub(crate) fn start(machine: &mut Machine) -> Self {
        // The mock is Debian's, for Debian's own Python.
        let script = "echo \"$DBUS_SESSION_BUS_ADDRESS\" > \"$1/bus-address\"
            exec /usr/bin/python3 -u -m dbusmock --session --template notification_daemon > \"$1/desktop\"";
        let child = Command::new("dbus-run-session")
            .args(["--", "/bin/sh", "-c", script, "desktop"])
            .arg(machine.home())
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", machine.home())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("dbus-run-session is installed by scripts/test");
        let begin = std::time::Instant::now();
        while !has_owner(machine.read("bus-address").trim()) {
            assert!(begin.elapsed() < crate::machine::PATIENCE, "no notification service: scripts/test installs it");
            let nothing: &mut [rustix::event::PollFd<'_>] = &mut [];
            let pause = rustix::event::Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
            let _ = rustix::event::poll(nothing, Some(&pause));
        }
        Self { child, address: machine.read("bus-address").trim().to_owned() }
    }

    /// The daemon on this desktop, with some of the programs that show messages.
    pub(crate) fn daemon(&self, machine: &Machine, programs: &[&str]) -> Command {
        let tools = machine.path("tools");
        std::fs::create_dir_all(&tools).unwrap();
        for program in programs {
            symlink(format!("/usr/bin/{program}"), tools.join(program)).unwrap();
        }
        let mut daemon = machine.daemon();
        daemon.env("PATH", &tools).env("DBUS_SESSION_BUS_ADDRESS", &self.address);
        daemon
    }
}

impl Drop for Desktop {
    fn drop(&mut self) {
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        let _ = self.child.wait();
    }
}

/// Whether somebody on the bus shows messages.
fn has_owner(address: &str) -> bool {
    let arguments = [
        "--session",
        "--print-reply",
        "--dest=org.freedesktop.DBus",
        "/org/freedesktop/DBus",
        "org.freedesktop.DBus.NameHasOwner",
        "string:org.freedesktop.Notifications",
    ];
    let asked = Command::new("dbus-send").args(arguments).env("DBUS_SESSION_BUS_ADDRESS", address).output();
    asked.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("boolean true"))
}

/// What has arrived so far.
pub(crate) fn arrived(machine: &Machine) -> Vec<Arrived> {
    let log = machine.read("desktop");
    let calls = log.split(" Notify \"evercred\" 0 \"\" ").skip(1);
    calls
        .filter_map(|call| {
            let (title, rest) = call.strip_prefix('"')?.split_once("\" \"")?;
            let (body, rest) = rest.split_once("\" [] {")?;
            let is_critical = rest.contains("\"urgency\": 2");
            Some(Arrived { title: title.to_owned(), body: body.to_owned(), is_critical })
        })
        .collect()
}

fn device() -> String {
    format!("arn:aws:iam::{ACCOUNT}:mfa/me")
}

/// A machine whose profiles each need a person: `coded` a code, `first` and `second` a sign-in.
fn machine(notify: &str) -> Machine {
    let machine = Machine::new();
    let trust = Role { mfa: true, ..Role::trusting(&[&format!("arn:aws:iam::{ACCOUNT}:user/someone")]) };
    machine.aws.set_role(&role("Coded"), trust);
    let mut config = format!(
        "[profile coded]\nrole_arn = {}\nsource_profile = base\nmfa_serial = {}\nregion = eu-west-1\n",
        role("Coded"),
        device()
    );
    for name in ["first", "second"] {
        config.push_str(&format!(
            "[profile {name}]\nsso_session = {name}-co\nsso_account_id = {ACCOUNT}\nsso_role_name = Admin\nregion = eu-west-1\n\
             [sso-session {name}-co]\nsso_start_url = https://{name}.awsapps.com/start\nsso_region = eu-west-1\n"
        ));
    }
    machine.write(".aws/config", &config);
    machine.write(".config/evercred/evercred.toml", &settings(notify));
    machine
}

fn settings(notify: &str) -> String {
    format!("{LOOPBACK_ONLY}[notify]\n{notify}\n[environment]\nPLANTED = \"planted-value\"\n")
}

fn ask(machine: &Machine, profile: &str) {
    assert_eq!(machine.run(&["credential-process", profile]).status.code(), Some(5));
}

#[test]
fn whichever_program_shows_it_a_burst_arrives_as_one_message_and_nothing_arrives_twice() {
    if is_told_without("DBUSMOCK") {
        return;
    }
    let programs = programs();
    for at in 0..programs.len() {
        let programs = &programs[at..];
        let mut machine = machine("quiet = \"\"");
        let desktop = Desktop::start(&mut machine);
        machine.start_as(desktop.daemon(&machine, programs));
        machine.eventually("the time is known", |machine| machine.status()["clock"]["state"] != "unknown");
        for profile in ["coded", "first"] {
            ask(&machine, profile);
        }
        machine.eventually("it arrives", |machine| !arrived(machine).is_empty());
        for profile in ["coded", "first", "second", "second"] {
            ask(&machine, profile);
        }
        machine.eventually("the third cause arrives", |machine| arrived(machine).len() > 1);
        let all = arrived(&machine);
        let [both, third] = all.as_slice() else { panic!("{programs:?}: {all:?}\n{}", machine.read("log")) };
        assert_eq!((both.title.as_str(), both.is_critical), ("2 things to see to", true));
        for text in [device().as_str(), "fix: evercred login coded", "\"first-co\"", "fix: evercred login first-co"] {
            assert!(both.body.contains(text), "{programs:?}: no {text} in {both:?}");
        }
        assert_eq!(third.title, "A sign-in is needed");
        assert!(third.body.ends_with("\nfix: evercred login second-co"), "{third:?}");
        let log = machine.read("log");
        assert!(log.contains(&format!("tools/{}", programs[0])), "by the friendliest: {log}");
        for secret in [machine.base.secret_access_key.as_str(), "planted-value"] {
            assert!(!machine.read("desktop").contains(secret) && !log.contains(secret), "{secret}");
        }
        assert_eq!(machine.stop(), Some(0));
    }
}

#[test]
fn quiet_hours_keep_what_is_not_over_for_their_end() {
    if is_told_without("DBUSMOCK") {
        return;
    }
    let hour = |when: &str| {
        let output = Command::new("date").args(["-d", when, "+%H:%M"]).env_remove("TZ").output().unwrap();
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    let quiet = format!("quiet = \"{}-{}\"", hour("-1 hour"), hour("+2 hours"));
    for notify in [quiet.as_str(), "quiet = \"\"\ndesktop = false"] {
        let mut machine = machine(notify);
        let desktop = Desktop::start(&mut machine);
        machine.start_as(desktop.daemon(&machine, &programs()));
        machine.eventually("the time is known", |machine| machine.status()["clock"]["state"] != "unknown");
        ask(&machine, "first");
        ask(&machine, "coded");
        machine.eventually("both are in the log", |machine| {
            let log = machine.read("log");
            log.contains("sso-login-needed") && log.contains("mfa-required")
        });
        machine.aws.show_code(&device(), "123456");
        let mut login = machine.companion();
        login.args(["login", "coded"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut login = login.spawn().unwrap();
        login.stdin.take().unwrap().write_all(b"123456\n").unwrap();
        assert!(login.wait().unwrap().success(), "{}", machine.read("log"));
        let begin = std::time::Instant::now();
        machine.eventually("any burst is over", |_| begin.elapsed().as_secs() >= 3);
        assert!(arrived(&machine).is_empty(), "{notify}: {:?}", arrived(&machine));
        machine.replace(".config/evercred/evercred.toml", &settings("quiet = \"\""));
        machine.eventually("it arrives", |machine| !arrived(machine).is_empty());
        let all = arrived(&machine);
        let [message] = all.as_slice() else { panic!("{notify}: {all:?}") };
        assert!(message.body.contains("\"first-co\"") && !message.body.contains(&device()), "{notify}: {message:?}");
    }
}

#[test]
fn credentials_that_will_be_lost_are_told_of_in_plain_text_while_they_are_good() {
    if is_told_without("DBUSMOCK") {
        return;
    }
    let mut machine = machine("quiet = \"\"");
    let (id, secret) = (&machine.base.access_key_id, &machine.base.secret_access_key);
    machine.write(
        "bin/tool",
        &format!(
            "#!/bin/sh\ntest -e $HOME/locked && {{ echo 'the <b>vault</b> & all is \"locked\"' >&2; exit 3; }}\n\
             echo \"{{\\\"Version\\\":1,\\\"AccessKeyId\\\":\\\"{id}\\\",\\\"SecretAccessKey\\\":\\\"{secret}\\\",\\\"Expiration\\\":\\\"$(/usr/bin/date -u -d '+12 seconds' +%FT%TZ)\\\"}}\"\n"
        ),
    );
    std::fs::set_permissions(machine.path("bin/tool"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let tool = format!("[profile tool]\ncredential_process = {}\n", machine.path("bin/tool").display());
    machine.write(".aws/config", &tool);
    let desktop = Desktop::start(&mut machine);
    machine.start_as(desktop.daemon(&machine, &programs()));
    machine.eventually("the time is known", |machine| machine.status()["clock"]["state"] != "unknown");
    machine.credentials("tool").unwrap();
    machine.write("locked", "");
    machine.eventually("it arrives", |machine| !arrived(machine).is_empty());
    assert!(machine.credentials("tool").is_ok(), "they are good to their end: {}", machine.read("log"));
    let all = arrived(&machine);
    assert_eq!((all[0].title.as_str(), all[0].is_critical), ("Credentials can't be renewed", true));
    let text =
        "the &lt;b&gt;vault&lt;/b&gt; &amp; all is \"locked\"; run the profile's credential_process in a terminal";
    assert!(all[0].body.contains("\"tool\"") && all[0].body.contains(text), "{all:?}");
    let seen = machine.read("desktop") + &machine.read("log");
    assert!(!seen.contains(machine.base.secret_access_key.as_str()), "{seen}");
    std::fs::remove_file(machine.path("locked")).unwrap();
    assert!(machine.run(&["renew", "tool"]).status.success());
    machine.eventually("it is over, in the log", |machine| {
        machine.read("log").contains("evercred can renew profile \"tool\" again")
    });
    assert_eq!(arrived(&machine).len(), 1);
}

#[test]
fn a_service_without_a_desktop_says_it_in_its_log_alone() {
    let mut machine = machine("quiet = \"\"");
    let mut daemon = machine.daemon();
    daemon.env("RUST_LOG", "info");
    machine.start_as(daemon);
    ask(&machine, "first");
    let begin = std::time::Instant::now();
    machine.eventually("any burst is over", |_| begin.elapsed().as_secs() >= 3);
    let log = machine.read("log");
    assert_eq!(log.matches("sso-login-needed").count(), 1, "{log}");
    assert!(!log.contains("desktop") && !log.contains("ERROR"), "{log}");
    assert_eq!(machine.stop(), Some(0));
}
