//! A real `systemd --user` for one test, with a home of its own, as another user.

use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use crate::machine::PATIENCE;

/// Nobody's uid.
const UID: u32 = 64_711;

/// The manager, and the home of its user.
pub(crate) struct UserManager {
    folder: tempfile::TempDir,
    manager: Child,
    /// The first process in its namespaces.
    inside: u32,
}

/// Why there can't be one, where the test run was told to do without.
pub(crate) fn left_out() -> bool {
    std::env::var_os("EVERCRED_TEST_WITHOUT_SYSTEMD").is_some()
}

impl UserManager {
    /// Starts one, with both programs in `~/.cargo/bin`, and waits until it answers.
    pub(crate) fn start() -> Self {
        // Not in /tmp: a service has one of its own.
        let folder = tempfile::Builder::new().prefix("evercred-test-").tempdir_in("/home").unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let home = folder.path().join("home");
        std::fs::create_dir(&home).unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/systemd/user-manager");
        let manager = Command::new(script)
            .arg(UID.to_string())
            .arg(&home)
            .stdin(Stdio::null())
            .stderr(std::fs::File::create(folder.path().join("manager.log")).unwrap())
            .spawn()
            .unwrap();
        let mut this = Self { folder, manager, inside: 0 };
        this.put_program(".cargo/bin/evercred", env!("CARGO_BIN_EXE_evercred"));
        this.put_program(".cargo/bin/evercredd", env!("CARGO_BIN_EXE_evercredd"));
        let manager = this.manager.id();
        this.eventually("the manager has its namespaces", |_| first_process(manager, "unshare", "sh").is_some());
        this.inside = first_process(manager, "unshare", "sh").unwrap();
        this.eventually("the manager runs", |this| {
            let said = this.systemctl(&["is-system-running"]);
            ["running\n", "degraded\n"].contains(&String::from_utf8_lossy(&said.stdout).as_ref())
        });
        this
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// Writes a file of the user's.
    pub(crate) fn write(&self, name: &str, text: &str) {
        self.make_folder_of(name);
        std::fs::write(self.path(name), text).unwrap();
        chown(self.path(name), Some(UID), Some(UID)).unwrap();
    }

    /// Puts a program in place as an installer does: a new file, renamed over what is there.
    pub(crate) fn put_program(&self, name: &str, from: &str) {
        self.make_folder_of(name);
        let (new, path) = (self.path(&format!("{name}.new")), self.path(name));
        std::fs::copy(from, &new).unwrap();
        std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o755)).unwrap();
        chown(&new, Some(UID), Some(UID)).unwrap();
        std::fs::rename(new, path).unwrap();
    }

    fn make_folder_of(&self, name: &str) {
        let mut folder = self.home();
        chown(&folder, Some(UID), Some(UID)).unwrap();
        for part in Path::new(name).parent().into_iter().flat_map(Path::components) {
            folder.push(part);
            if !folder.exists() {
                std::fs::create_dir(&folder).unwrap();
                std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700)).unwrap();
                chown(&folder, Some(UID), Some(UID)).unwrap();
            }
        }
    }

    /// A command of the user's, in the manager's namespaces.
    pub(crate) fn command(&self, program: &str) -> Command {
        let uid = UID.to_string();
        let mut command = Command::new("nsenter");
        command
            .args(["--target", &self.inside.to_string(), "--mount", "--pid", "--cgroup", "--"])
            .args(["setpriv", "--reuid", &uid, "--regid", &uid, "--clear-groups", "env", "-i", "-C"])
            .arg(self.home())
            .arg(format!("HOME={}", self.home().display()))
            .arg(format!("XDG_RUNTIME_DIR=/run/user/{UID}"))
            .arg(format!("PATH={}:/usr/bin:/bin", self.path(".cargo/bin").display()))
            .arg(program)
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, line: &[&str]) -> Output {
        self.command(line[0]).args(&line[1..]).output().unwrap()
    }

    pub(crate) fn systemctl(&self, arguments: &[&str]) -> Output {
        self.command("systemctl").arg("--user").args(arguments).output().unwrap()
    }

    /// What succeeds, or the test has failed.
    pub(crate) fn must(&self, line: &[&str]) -> String {
        let output = self.run(line);
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{line:?}: {}\n{stdout}\n{stderr}\n{}", output.status, self.read("log"));
        stdout.into_owned()
    }

    /// A property of the daemon's unit.
    pub(crate) fn property(&self, name: &str) -> String {
        let said = self.must(&["systemctl", "--user", "show", "--value", "-p", name, "evercredd.service"]);
        said.trim().to_owned()
    }

    /// Sends a signal to the daemon.
    pub(crate) fn kill(&self, signal: &str) {
        self.must(&[
            "systemctl",
            "--user",
            "kill",
            "--kill-who=main",
            &format!("--signal={signal}"),
            "evercredd.service",
        ]);
    }

    /// Looks again and again, as what is waited for is another program's doing; fails when it never happens.
    pub(crate) fn eventually(&mut self, what: &str, condition: impl Fn(&Self) -> bool) {
        let begin = std::time::Instant::now();
        while !condition(self) {
            if let Ok(Some(status)) = self.manager.try_wait() {
                let log = std::fs::read_to_string(self.folder.path().join("manager.log")).unwrap_or_default();
                panic!("waiting for: {what}: the manager has ended ({status})\n{log}");
            }
            assert!(begin.elapsed() < PATIENCE, "it never happened: {what}\n{}", self.read("log"));
            let nothing: &mut [rustix::event::PollFd<'_>] = &mut [];
            let pause = rustix::event::Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
            let _ = rustix::event::poll(nothing, Some(&pause));
        }
    }
}

/// The child of a script that has become another program, when the child has too; before that both have children that come
/// and go.
pub(crate) fn first_process(script: u32, program: &str, child: &str) -> Option<u32> {
    let read = |path: String| std::fs::read_to_string(path).ok();
    let is = |pid: u32, name: &str| read(format!("/proc/{pid}/comm")).is_some_and(|comm| comm.trim_end() == name);
    let children = read(format!("/proc/{script}/task/{script}/children")).filter(|_| is(script, program))?;
    children.split_whitespace().filter_map(|pid| pid.parse().ok()).find(|pid| is(*pid, child))
}

impl Drop for UserManager {
    fn drop(&mut self) {
        // Its first process takes all others with it.
        let _ = self.manager.kill();
        let _ = self.manager.wait();
        remove_groups_of(self.manager.id());
    }
}

/// Removes the control groups of one of the scripts in `tests/systemd`, when it has ended.
pub(crate) fn remove_groups_of(script: u32) {
    let mounts = std::fs::read_to_string("/proc/mounts").unwrap_or_default();
    let mut fields = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    if let Some(tree) = fields.find(|fields| fields.get(2) == Some(&"cgroup2")) {
        remove_groups(&Path::new(tree[1]).join(format!("evercred-test-{script}")));
    }
}

/// Control groups go from the leaves up. The last processes in them may still be ending.
fn remove_groups(group: &Path) {
    for inner in std::fs::read_dir(group).into_iter().flatten().flatten().filter(|entry| entry.path().is_dir()) {
        remove_groups(&inner.path());
    }
    let begin = std::time::Instant::now();
    while std::fs::remove_dir(group).is_err_and(|error| error.kind() == std::io::ErrorKind::ResourceBusy)
        && begin.elapsed() < PATIENCE
    {
        std::thread::yield_now();
    }
}
