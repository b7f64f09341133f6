//! The demo: the real daemon and companion against a stand-in for AWS whose credentials live for seconds.
//!
//! It shows a chain of roles being renewed, a base key replaced in the file, an outage ridden out, and one SSO sign-in that
//! serves two profiles, with the status table all along. It ends by itself, with 0 only if what it promises has happened.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a demo prints, and fails by saying what went wrong")]

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

#[path = "../tests/standin/mod.rs"]
mod standin;

use standin::{Call, Fault, Key, Role, START_URL, StandIn};

const ACCOUNT: &str = "111122223333";
const LIFE_SECONDS: i64 = 10;
/// Everything that is waited for comes within a few lifetimes.
const PATIENCE: Duration = Duration::from_secs(30);

fn main() {
    let mut demo = Demo::set_up();
    demo.say(&format!("A chain of roles (base key → Mid → App) whose credentials live for {LIFE_SECONDS} seconds.\nThe person's ~/.aws/config:"));
    println!("{}", demo.config());
    demo.start_daemon();

    demo.say("A program asks for profile app: both roles are assumed, and renewed automatically from here on.");
    demo.must_get("app");
    demo.show();

    demo.say("Nobody asks again. The chain is renewed all the same, each time before it ends.");
    for round in 2..=4 {
        demo.wait(&format!("renewal number {}", round - 1), |calls| successes(calls, "App") >= round);
        demo.must_get("app");
        demo.show();
    }

    demo.say("The base key is replaced in ~/.aws/credentials, and the old one switched off. Nothing is restarted.");
    let old = demo.base.access_key_id.clone();
    let new = demo.aws.add_user(ACCOUNT, "someone");
    demo.write_key(&new);
    demo.aws.set_active(&old, false);
    let id = new.access_key_id.clone();
    demo.wait("the first call with the new key", move |calls| {
        calls.iter().any(|call| call.access_key_id == id && call.action == "AssumeRole" && call.status == 200)
    });
    demo.must_get("app");
    demo.show();

    demo.say("AWS is out of reach for a few seconds. The last good credentials go on.");
    demo.aws.set_outage(Some(Fault::Reset));
    demo.eventually("a renewal that fails", |demo| demo.status().contains("retrying"));
    demo.must_get("app");
    demo.show();
    demo.aws.set_outage(None);
    demo.say("AWS is back. Nobody has to do anything.");
    let before = successes(&demo.aws.calls(), "App");
    demo.wait("the first renewal after the outage", move |calls| successes(calls, "App") > before);
    demo.eventually("all is well", |demo| !demo.status().contains("retrying"));
    demo.must_get("app");
    demo.show();

    demo.say("Two profiles stand behind an SSO session. Somebody signs in, once; here the stand-in's page is answered by itself.");
    demo.sign_in();
    for (profile, name) in [("prod", "Admin"), ("audit", "ReadOnly")] {
        demo.must_get_role(profile, name);
    }
    demo.show();
    demo.say("The token stands in the AWS tools' own cache, and is refreshed there: every tool profits, and nobody is asked again.");
    demo.wait("two refreshes of the session", |calls| refreshes(calls) >= 2);
    demo.must_get_role("prod", "Admin");
    demo.show();

    let calls = demo.aws.calls();
    let (good, refused) = (
        calls.iter().filter(|call| call.status == 200).count(),
        calls.iter().filter(|call| call.error.is_some()).count(),
    );
    demo.say(&format!(
        "Done: {good} calls, {refused} of them refused by AWS; every program that asked got valid credentials."
    ));
}

struct Demo {
    aws: StandIn,
    base: Key,
    home: tempfile::TempDir,
    daemon: Option<Child>,
}

impl Demo {
    fn set_up() -> Self {
        let aws = StandIn::start();
        aws.set_longest_life(Some(LIFE_SECONDS));
        aws.sso(|sso| {
            sso.access_token_seconds = LIFE_SECONDS;
            sso.role_seconds = LIFE_SECONDS;
        });
        aws.assign(ACCOUNT, "Prod", "Admin");
        aws.assign(ACCOUNT, "Prod", "ReadOnly");
        let base = aws.add_user(ACCOUNT, "someone");
        aws.set_role(&role("Mid"), Role::trusting(&[&format!("arn:aws:iam::{ACCOUNT}:user/someone")]));
        aws.set_role(&role("App"), Role::trusting(&[&role("Mid")]));
        let demo = Self { aws, base, home: tempfile::tempdir().unwrap(), daemon: None };
        std::fs::create_dir_all(demo.home.path().join(".aws")).unwrap();
        write(&demo.home.path().join(".aws/config"), &demo.config());
        // Nothing leaves this machine.
        write(&demo.home.path().join(".config/evercred/evercred.toml"), "[clock]\nntp = []\n");
        demo.write_key(&demo.base);
        demo
    }

    fn config(&self) -> String {
        format!(
            "[profile mid]\nrole_arn = {}\nsource_profile = base\n\n\
             [profile app]\nrole_arn = {}\nsource_profile = mid\nregion = eu-west-1\n\n\
             [sso-session corp]\nsso_start_url = {START_URL}\nsso_region = eu-west-1\n\n\
             [profile prod]\nsso_session = corp\nsso_account_id = {ACCOUNT}\nsso_role_name = Admin\nregion = eu-west-1\n\n\
             [profile audit]\nsso_session = corp\nsso_account_id = {ACCOUNT}\nsso_role_name = ReadOnly\nregion = eu-west-1\n",
            role("Mid"),
            role("App")
        )
    }

    fn write_key(&self, key: &Key) {
        let text = format!(
            "[base]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
            key.access_key_id, key.secret_access_key
        );
        write(&self.home.path().join(".aws/credentials"), &text);
    }

    fn start_daemon(&mut self) {
        self.daemon = Some(self.command("evercredd").stderr(Stdio::inherit()).spawn().unwrap());
        self.eventually("the daemon answers", |demo| {
            // It ends with 1 while a sign-in is needed, and with 3 without a daemon.
            matches!(demo.command("evercred").arg("status").output().unwrap().status.code(), Some(0 | 1))
        });
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(programs().join(program));
        command
            .env_clear()
            .env("HOME", self.home.path())
            .env("EVERCRED_RUNTIME_DIR", self.home.path().join("run"))
            .env("EVERCRED_STATE_DIR", self.home.path().join("state"))
            .env("AWS_ENDPOINT_URL_STS", self.aws.url())
            .env("AWS_ENDPOINT_URL_SSO", self.aws.url())
            .env("AWS_ENDPOINT_URL_SSO_OIDC", self.aws.url());
        command
    }

    /// Asks as an SDK does, and looks with AWS's eyes at what came.
    fn must_get(&self, profile: &str) {
        self.must_get_role(profile, "App");
    }

    /// The same for the role of this name.
    fn must_get_role(&self, profile: &str, name: &str) {
        let output = self.command("evercred").args(["credential-process", profile]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let set: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let field = |name: &str| set[name].as_str().unwrap_or_default().to_owned();
        let whose = self.aws.whose(&field("AccessKeyId"), &field("SecretAccessKey"), &field("SessionToken"));
        assert_eq!(whose, Ok(role(name)), "what was handed out is not valid");
        println!(
            "$ evercred credential-process {profile}   → {}, valid until {}",
            field("AccessKeyId"),
            field("Expiration")
        );
    }

    /// Signs in with a code, as on a machine without a browser, and does what the person does on the page.
    fn sign_in(&self) {
        println!("$ evercred login corp --no-browser");
        let mut login = self.command("evercred");
        let mut login = login
            .args(["login", "corp", "--no-browser"])
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        self.eventually("a code waits for its answer", |demo| demo.aws.approve(None) == 1);
        let mut said = String::new();
        login.stdout.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(login.wait().unwrap().success(), "nobody was signed in");
        println!("{said}");
    }

    fn status(&self) -> String {
        let output = self.command("evercred").arg("status").output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn show(&self) {
        println!("$ evercred status\n{}", self.status());
    }

    fn say(&self, text: &str) {
        println!("\n### {text}\n");
    }

    fn wait(&self, what: &str, condition: impl Fn(&[Call]) -> bool) {
        assert!(self.aws.wait_for(PATIENCE, condition), "it never came: {what}");
    }

    fn eventually(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        #[expect(clippy::disallowed_methods, reason = "the end of patience is measured, nothing else")]
        let begin = std::time::Instant::now();
        while !condition(self) {
            assert!(begin.elapsed() < PATIENCE, "it never happened: {what}");
            // Another program's doing: there is nothing here to wait for.
            #[expect(clippy::disallowed_methods, reason = "see above")]
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}

/// How many times a role was assumed.
fn successes(calls: &[Call], name: &str) -> usize {
    calls.iter().filter(|call| call.role_arn == role(name) && call.status == 200).count()
}

/// How many times the SSO session was refreshed.
fn refreshes(calls: &[Call]) -> usize {
    calls.iter().filter(|call| call.action == "CreateToken:refresh_token" && call.status == 200).count()
}

fn role(name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:role/{name}")
}

/// Cargo puts examples in a folder beside the programs.
fn programs() -> PathBuf {
    let this = std::env::current_exe().unwrap();
    this.parent().and_then(Path::parent).unwrap().to_owned()
}

#[expect(clippy::disallowed_methods, reason = "as an editor would, in place")]
fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}
