//! The service in a whole system that systemd has booted, with logind and a journal.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use crate::machine::{ACCOUNT, LOOPBACK_ONLY, PATIENCE, role};
use crate::standin::{Key, Role, StandIn};
use crate::user_manager::{first_process, remove_groups_of};

const USER: &str = "tester";

/// A booted system, and a user who lingers.
struct Booted {
    nspawn: Child,
    first: u32,
    _folder: tempfile::TempDir,
}

impl Booted {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/systemd/booted-system");
        let nspawn = Command::new(script)
            .arg(folder.path())
            .arg(USER)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let pid = nspawn.id();
        let mut this = Self { nspawn, first: 0, _folder: folder };
        this.eventually("the system has its namespaces", |_| first_process(pid, "systemd-nspawn", "systemd").is_some());
        this.first = first_process(pid, "systemd-nspawn", "systemd").unwrap();
        this.eventually("the user's manager runs", |this| {
            let said = this.run("systemctl --user is-system-running");
            ["running\n", "degraded\n"].contains(&String::from_utf8_lossy(&said.stdout).as_ref())
        });
        this
    }

    /// A command line of the user's, as after a login.
    fn run(&self, line: &str) -> Output {
        let login = format!("export XDG_RUNTIME_DIR=/run/user/$(id -u) PATH=$HOME/.cargo/bin:$PATH; {line}");
        Command::new("nsenter")
            .args(["--target", &self.first.to_string(), "--mount", "--pid", "--cgroup", "--uts", "--ipc", "--"])
            .args(["su", "-", USER, "-c", &login])
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    fn must(&self, line: &str) -> String {
        let output = self.run(line);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{line}\n{}{}", text(&output.stdout), text(&output.stderr));
        text(&output.stdout)
    }

    fn home(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root/home/{USER}", self.first))
    }

    /// Writes a file of the user's.
    fn write(&self, name: &str, bytes: &[u8], mode: &str) {
        let path = self.home().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
        Command::new("nsenter")
            .args(["--target", &self.first.to_string(), "--mount", "--", "sh", "-c"])
            .arg(format!("chown -R {USER}: /home/{USER} && chmod {mode} /home/{USER}/{name}"))
            .status()
            .unwrap();
    }

    fn eventually(&mut self, what: &str, condition: impl Fn(&Self) -> bool) {
        let begin = std::time::Instant::now();
        while !condition(self) {
            assert!(self.nspawn.try_wait().unwrap().is_none(), "waiting for: {what}: the system has ended");
            assert!(begin.elapsed() < PATIENCE * 3, "it never happened: {what}");
            let nothing: &mut [rustix::event::PollFd<'_>] = &mut [];
            let pause = rustix::event::Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
            let _ = rustix::event::poll(nothing, Some(&pause));
        }
    }
}

impl Drop for Booted {
    fn drop(&mut self) {
        // All others end with the first process, and its container with it.
        let first = i32::try_from(self.first).ok().and_then(rustix::process::Pid::from_raw);
        let ended = first.map(|first| rustix::process::kill_process(first, rustix::process::Signal::KILL));
        if !matches!(ended, Some(Ok(()))) {
            let _ = self.nspawn.kill();
        }
        let _ = self.nspawn.wait();
        remove_groups_of(self.nspawn.id());
    }
}

#[test]
fn the_service_lives_through_a_crash_and_the_end_of_the_session_in_a_booted_system() {
    if std::env::var_os("EVERCRED_TEST_WITHOUT_NSPAWN").is_some() {
        return;
    }
    let aws = StandIn::start();
    let Key { access_key_id: id, secret_access_key: secret, .. } = aws.add_user(ACCOUNT, "someone");
    aws.set_role(&role("Mid"), Role::trusting(&[&format!("arn:aws:iam::{ACCOUNT}:user/someone")]));
    let mut system = Booted::start();
    for (name, program) in
        [("evercred", env!("CARGO_BIN_EXE_evercred")), ("evercredd", env!("CARGO_BIN_EXE_evercredd"))]
    {
        system.write(&format!(".cargo/bin/{name}"), &std::fs::read(program).unwrap(), "755");
    }
    let credentials = format!("[base]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n");
    system.write(".aws/credentials", credentials.as_bytes(), "600");
    let config = format!("[profile mid]\nrole_arn = {}\nsource_profile = base\n", role("Mid"));
    system.write(".aws/config", config.as_bytes(), "600");
    let settings = format!("{LOOPBACK_ONLY}[environment]\nAWS_ENDPOINT_URL_STS = \"{}\"\n", aws.url());
    system.write(".config/evercred/evercred.toml", settings.as_bytes(), "600");

    let said = system.must("evercred service install");
    // With logind the user's name is known, and that somebody keeps the session open.
    assert!(said.contains("is running") && !said.contains("enable-linger"), "{said}");
    let set =
        |system: &Booted| -> Value { serde_json::from_str(&system.must("evercred credential-process mid")).unwrap() };
    let before = set(&system);
    assert!(system.must("journalctl --user -u evercredd -o cat").contains("credentials of profile \"mid\" renewed"));
    system.must("systemctl --user kill --kill-who=main --signal=KILL evercredd.service");
    assert_eq!(set(&system), before);

    // The whole of the user's manager: what is held is in memory, which its end takes away; the daemon comes again.
    let manager = system.must("systemctl --user show --value -p MainPID evercredd.service");
    Command::new("nsenter")
        .args(["--target", &system.first.to_string(), "--all", "--", "sh", "-c"])
        .arg(format!("systemctl restart user@$(id -u {USER}).service"))
        .status()
        .unwrap();
    system.eventually("the daemon is there again", |system| {
        let pid = system.run("systemctl --user show --value -p MainPID evercredd.service").stdout;
        pid != manager.as_bytes() && pid != b"0\n" && !pid.is_empty()
    });
    assert!(set(&system)["SessionToken"].is_string());
    let log = system.must("journalctl --user -o cat --no-pager");
    assert!(!log.contains(&secret), "a secret in the journal");

    let said = system.must("evercred service uninstall --purge");
    assert!(said.contains("removed"), "{said}");
    assert_eq!(system.must("find .config/systemd .local -name '*evercred*' 2>/dev/null || true"), "");
}
