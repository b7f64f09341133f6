//! A machine for one test: a home of its own, a stand-in for AWS, and the real programs.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::standin::{Key, Role, StandIn};

pub(crate) const ACCOUNT: &str = "111122223333";
/// Far longer than anything takes, also on a busy machine; a test that needs it has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Nothing is asked outside this machine.
pub(crate) const LOOPBACK_ONLY: &str = "[clock]\nntp = []\n";

/// A home, an AWS, and perhaps a daemon.
pub(crate) struct Machine {
    pub(crate) aws: StandIn,
    pub(crate) base: Key,
    folder: tempfile::TempDir,
    /// The directory of the socket, below the home.
    runtime: String,
    /// The user id of the programs, if it differs from the test's.
    user: Option<u32>,
    daemon: Option<Child>,
}

impl Machine {
    /// With a user's key, and the roles Mid (which trusts the user) and App (which trusts Mid).
    pub(crate) fn new() -> Self {
        let aws = StandIn::start();
        let base = aws.add_user(ACCOUNT, "someone");
        aws.set_role(&role("Mid"), Role::trusting(&[&format!("arn:aws:iam::{ACCOUNT}:user/someone")]));
        aws.set_role(&role("App"), Role::trusting(&[&role("Mid")]));
        let folder = tempfile::tempdir().unwrap();
        let machine = Self { aws, base, folder, runtime: "run".to_owned(), user: None, daemon: None };
        std::fs::create_dir_all(machine.home().join(".aws")).unwrap();
        machine.write(
            ".aws/config",
            &format!(
                "[profile mid]\nrole_arn = {}\nsource_profile = base\n\n[profile app]\nrole_arn = {}\nsource_profile = mid\nregion = eu-west-1\n",
                role("Mid"),
                role("App")
            ),
        );
        machine.write_key(&machine.base);
        machine.write(".config/evercred/evercred.toml", LOOPBACK_ONLY);
        machine
    }

    /// Lets the socket be in another directory.
    pub(crate) fn set_runtime(&mut self, directory: &str) {
        directory.clone_into(&mut self.runtime);
    }

    /// Changes the owner of the home; the programs run as that user from now on. Needs root.
    pub(crate) fn set_user(&mut self, user: u32) {
        self.user = Some(user);
        self.give(".", user);
    }

    /// Changes the owner of a file, or of a directory with its contents.
    pub(crate) fn give(&self, name: &str, user: u32) {
        let status = Command::new("chown").args(["-Rh", &format!("{user}:{user}")]).arg(self.path(name)).status();
        assert!(status.unwrap().success());
    }

    pub(crate) fn home(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        std::fs::write(self.path(name), text).unwrap();
    }

    /// As careful programs write: a new file, renamed over the old one.
    pub(crate) fn replace(&self, name: &str, text: &str) {
        self.write("replacement", text);
        std::fs::rename(self.path("replacement"), self.path(name)).unwrap();
    }

    pub(crate) fn write_key(&self, key: &Key) {
        self.replace(
            ".aws/credentials",
            &format!(
                "[base]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
                key.access_key_id, key.secret_access_key
            ),
        );
    }

    fn command(&self, program: &str) -> Command {
        let mut command = match self.user.map(|user| user.to_string()) {
            Some(user) => {
                let mut command = Command::new("setpriv");
                command.args(["--reuid", &user, "--regid", &user, "--clear-groups", program]);
                command
            }
            None => Command::new(program),
        };
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.home())
            .env("EVERCRED_RUNTIME_DIR", self.path(&self.runtime))
            .env("EVERCRED_STATE_DIR", self.path("state"))
            .env("AWS_ENDPOINT_URL_STS", self.aws.url())
            .env("AWS_ENDPOINT_URL_SSO", self.aws.url())
            .env("AWS_ENDPOINT_URL_SSO_OIDC", self.aws.url())
            .env("AWS_ENDPOINT_URL_SIGNIN", self.aws.url())
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn companion(&self) -> Command {
        self.command(env!("CARGO_BIN_EXE_evercred"))
    }

    pub(crate) fn daemon(&self) -> Command {
        self.command(env!("CARGO_BIN_EXE_evercredd"))
    }

    /// Starts the daemon and waits until it answers.
    pub(crate) fn start(&mut self) {
        let command = self.daemon();
        self.start_as(command);
    }

    /// Starts the daemon and waits for nothing.
    pub(crate) fn begin(&mut self) {
        let mut command = self.daemon();
        self.log_to_file(&mut command);
        self.daemon = Some(command.stdout(Stdio::null()).spawn().unwrap());
    }

    /// Starts the daemon as a command says; its log goes to `log`.
    pub(crate) fn start_as(&mut self, mut command: Command) {
        self.log_to_file(&mut command);
        self.start_with(command);
    }

    fn log_to_file(&self, command: &mut Command) {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.path("log")).unwrap();
        if command.get_envs().all(|(name, _)| name != "RUST_LOG") {
            command.env("RUST_LOG", "debug");
        }
        command.stderr(log);
    }

    /// Starts the daemon as a command says, whose log goes where the command says.
    pub(crate) fn start_with(&mut self, mut command: Command) {
        self.daemon = Some(command.stdout(Stdio::null()).spawn().unwrap());
        drop(command);
        self.eventually("the daemon answers", |machine| {
            machine.path(&machine.runtime).join("evercred.sock").exists()
                && machine.run(&["status"]).status.code() != Some(3)
        });
    }

    pub(crate) fn pid(&self) -> u32 {
        self.daemon.as_ref().unwrap().id()
    }

    /// Stops the daemon as a service manager does; gives its exit code.
    pub(crate) fn stop(&mut self) -> Option<i32> {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.pid()).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.exit_code()
    }

    /// Waits for the end of the daemon.
    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        self.daemon.take().unwrap().wait().unwrap().code()
    }

    /// Ends the daemon as a crash would.
    pub(crate) fn crash(&mut self) {
        let mut child = self.daemon.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.companion().args(arguments).output().unwrap()
    }

    /// The document of `credential-process`, or what it said on stderr.
    pub(crate) fn credentials(&self, profile: &str) -> Result<Value, String> {
        let output = self.run(&["credential-process", profile]);
        if output.status.success() {
            Ok(serde_json::from_slice(&output.stdout).unwrap())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    /// The role behind what a profile's callers get now.
    pub(crate) fn whose(&self, profile: &str) -> Result<String, String> {
        let set = self.credentials(profile)?;
        let field = |name: &str| set[name].as_str().unwrap_or_default().to_owned();
        self.aws.whose(&field("AccessKeyId"), &field("SecretAccessKey"), &field("SessionToken"))
    }

    pub(crate) fn status(&self) -> Value {
        serde_json::from_slice(&self.run(&["status", "--json"]).stdout).unwrap()
    }

    /// One profile's entry in the status.
    pub(crate) fn profile(&self, name: &str) -> Value {
        let status = self.status();
        status["profiles"]
            .as_array()
            .unwrap()
            .iter()
            .find(|profile| profile["name"] == name)
            .cloned()
            .unwrap_or(Value::Null)
    }

    /// Looks again and again, as what is waited for is another program's doing; fails when it never happens.
    pub(crate) fn eventually(&mut self, what: &str, condition: impl Fn(&Self) -> bool) {
        let begin = std::time::Instant::now();
        while !condition(self) {
            if let Some(Ok(Some(status))) = self.daemon.as_mut().map(Child::try_wait) {
                panic!("waiting for: {what}: the daemon has ended ({status})\n{}", self.read("log"));
            }
            assert!(begin.elapsed() < PATIENCE, "it never happened: {what}\n{}", self.read("log"));
            // A pause that another program's doing may cut short by nothing we can wait for.
            let nothing: &mut [rustix::event::PollFd<'_>] = &mut [];
            let pause = rustix::event::Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
            let _ = rustix::event::poll(nothing, Some(&pause));
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if let Some(mut child) = self.daemon.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Runs it up to five times, until one run takes less than the limit, five times at most: on a busy machine one run may take longer,
/// and a program that is too slow takes longer each time.
pub(crate) fn within<T>(limit: Duration, mut run: impl FnMut() -> T) -> T {
    let mut took = Vec::new();
    while took.len() < 5 {
        let begin = std::time::Instant::now();
        let result = run();
        took.push(begin.elapsed());
        if begin.elapsed() < limit {
            return result;
        }
    }
    panic!("each run took more than {limit:?}: {took:?}");
}

/// Checks that an expiry, as a program with this machine's clock reads it, is an hour after a moment between `begin` and now,
/// plus `more` seconds.
pub(crate) fn assert_expires_in_an_hour(expiration: &Value, begin: SystemTime, more: i64) {
    let expires = chrono::DateTime::parse_from_rfc3339(expiration.as_str().unwrap()).unwrap().timestamp();
    let seconds = |time: SystemTime| i64::try_from(time.duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap();
    let (earliest, latest) = (seconds(begin) + 3_600 + more, seconds(SystemTime::now()) + 3_600 + more);
    assert!((earliest - 3..=latest + 3).contains(&expires), "{expiration}: {earliest} to {latest}");
}

pub(crate) fn role(name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:role/{name}")
}

/// What a command said on stderr.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Runs a command that is expected to end by itself, and gives what it wrote to stderr and its exit code.
pub(crate) fn ends(command: &mut Command) -> (String, Option<i32>) {
    let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut text = String::new();
    child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
    (text, child.wait().unwrap().code())
}
