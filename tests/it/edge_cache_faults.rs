//! Cache files on disks and mounts that fail, and locks that somebody does not give up.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::edge_cache::problem;
use crate::edge_soak::pause;
use crate::edge_sso::{end_of_sign_in, machine, sign_in, token, token_file};
use crate::machine::{Machine, role, stderr};
use crate::standin::{Rotation, Service};

const CACHE: &str = ".aws/sso/cache";

/// A mount that ends with the test.
pub(crate) struct Mount(PathBuf);

impl Mount {
    /// `None` where this user may not mount.
    pub(crate) fn new(arguments: &[&str], path: PathBuf) -> Option<Self> {
        let mounted = Command::new("mount").args(arguments).arg(&path).stderr(Stdio::null()).status();
        mounted.is_ok_and(|status| status.success()).then_some(Self(path))
    }

    fn is_changed(&self, options: &str) -> bool {
        let changed = Command::new("mount").args(["-o", options]).arg(&self.0).stderr(Stdio::null()).status();
        changed.is_ok_and(|status| status.success())
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Lets the token in the file have so much left by this machine's clock.
fn let_expire_in(machine: &Machine, seconds: i64) {
    let mut document = token(machine);
    #[expect(clippy::disallowed_methods, reason = "what other programs stamp files with")]
    let now: DateTime<Utc> = std::time::SystemTime::now().into();
    let expires = now + TimeDelta::seconds(seconds);
    document["expiresAt"] = json!(expires.to_rfc3339_opts(SecondsFormat::Secs, true));
    machine.replace(&token_file(), &document.to_string());
}

#[test]
fn on_a_full_disk_every_token_is_kept_over_a_kill_and_written_once_there_is_room() {
    let mut machine = machine();
    machine.aws.set_rotation(Rotation::RevokeFamily);
    machine.aws.sso(|settings| settings.access_token_seconds = 8);
    machine.start();
    sign_in(&machine);
    assert_eq!(machine.stop(), Some(0));
    let text = machine.read(&token_file());
    let Some(_mount) = Mount::new(&["-t", "tmpfs", "-o", "size=32k,mode=700", "none"], machine.path(CACHE)) else {
        return;
    };
    machine.write(&token_file(), &text);
    let fill = machine.path(CACHE).join("fill");
    assert!(std::fs::write(&fill, [b' '; 64 * 1024]).is_err());
    machine.start();
    machine.eventually("it is refreshed", |machine| machine.aws.count("CreateToken:refresh_token") >= 2);
    assert_eq!(machine.whose("admin"), Ok(role("Admin")));
    assert_ne!(problem(&machine), Value::Null);
    assert_eq!(machine.read(&token_file()), text);
    // The next token lives long, so that no refresh is under way at the crash.
    machine.aws.sso(|settings| settings.access_token_seconds = 3_600);
    machine.eventually("the long-lived token is kept", |machine| {
        let kept: Value = serde_json::from_str(&machine.read("run/unsaved.json")).unwrap_or(Value::Null);
        let kept: Value =
            serde_json::from_str(kept["tokens"][0]["token"].as_str().unwrap_or("")).unwrap_or(Value::Null);
        let is_signed_in = kept["accessToken"].as_str().is_some_and(|token| machine.aws.is_signed_in(token));
        is_signed_in && expires(&kept) - expires(&token(machine)) > TimeDelta::minutes(30)
    });
    machine.crash();
    machine.start();
    assert_eq!(machine.whose("admin"), Ok(role("Admin")));
    // A sign-in is in use too, and the file keeps its token. Its token is soon refreshed.
    machine.aws.sso(|settings| settings.access_token_seconds = 8);
    let (status, _, said) = end_of_sign_in(&machine, &["corp", "--no-browser", "--force"]);
    assert!(status == Some(1) && said.contains("can't be written"), "{said}");
    assert_eq!((machine.whose("reader"), machine.read(&token_file())), (Ok(role("ReadOnly")), text));
    assert_ne!(problem(&machine), Value::Null);
    std::fs::remove_file(fill).unwrap();
    machine.eventually("it is written", |machine| {
        token(machine)["accessToken"].as_str().is_some_and(|token| machine.aws.is_signed_in(token))
    });
    machine.eventually("the problem is gone", |machine| problem(machine) == Value::Null);
    assert!(!machine.path("run/unsaved.json").exists());
    assert_eq!(machine.stop(), Some(0));
}

fn expires(token: &Value) -> DateTime<Utc> {
    token["expiresAt"].as_str().unwrap().parse().unwrap()
}

#[test]
fn on_a_read_only_mount_no_refresh_token_is_spent_and_the_token_serves_to_its_end() {
    let mut machine = machine();
    machine.aws.set_rotation(Rotation::RevokeFamily);
    machine.start();
    sign_in(&machine);
    assert_eq!(machine.stop(), Some(0));
    let_expire_in(&machine, 30);
    let text = machine.read(&token_file());
    let aws = machine.path(".aws");
    let Some(mount) = Mount::new(&["--bind", aws.to_str().unwrap()], aws.clone()) else { return };
    if !mount.is_changed("remount,bind,ro") {
        return;
    }
    machine.start();
    machine.eventually("it is said", |machine| problem(machine) != Value::Null);
    assert_eq!(machine.whose("admin"), Ok(role("Admin")));
    let output = machine.run(&["logout", "corp"]);
    assert!(output.status.code() == Some(1) && stderr(&output).contains("AWS has ended the session"), "{output:?}");
    assert_eq!((machine.aws.count("CreateToken:refresh_token"), machine.read(&token_file())), (0, text));
    // A sign-in is in use, and reaches the file once it can be written.
    let (status, _, said) = end_of_sign_in(&machine, &["corp", "--no-browser"]);
    assert!(status == Some(1) && said.contains("can't be written"), "{said}");
    assert_eq!(machine.whose("reader"), Ok(role("ReadOnly")));
    assert_eq!(machine.stop(), Some(0));
    drop(mount);
    machine.start();
    machine.eventually("it is written", |machine| {
        token(machine)["accessToken"].as_str().is_some_and(|token| machine.aws.is_signed_in(token))
    });
    machine.eventually("the problem is gone", |machine| problem(machine) == Value::Null);
}

#[test]
fn a_paused_evercred_that_holds_the_lock_is_named_and_the_token_is_used_meanwhile() {
    let mut machine = machine();
    machine.aws.set_rotation(Rotation::RevokeFamily);
    machine.start();
    sign_in(&machine);
    assert_eq!(machine.stop(), Some(0));
    let_expire_in(&machine, 600);
    machine.aws.hold_answers_of(Some(Service::Oidc));
    let mut other = machine.daemon();
    other.env("EVERCRED_RUNTIME_DIR", machine.path("run-2")).env("EVERCRED_STATE_DIR", machine.path("state-2"));
    let mut other = other.stderr(Stdio::null()).spawn().unwrap();
    machine.eventually("it refreshes", |machine| machine.aws.count("CreateToken:refresh_token") == 1);
    let pid = Pid::from_raw(i32::try_from(other.id()).unwrap()).unwrap();
    kill_process(pid, Signal::STOP).unwrap();
    let_expire_in(&machine, 40);
    machine.start();
    assert_eq!(machine.whose("admin"), Ok(role("Admin")), "{}", machine.read("log"));
    machine.eventually("it is said", |machine| {
        let error = &machine.status()["sso_sessions"][0]["last_error"];
        let message = error["message"].as_str().unwrap_or_default();
        let is_named = message.contains(&format!("the process {}, which is paused,", other.id()));
        is_named && error["fix"] == json!(format!("kill -CONT {}", other.id()))
    });
    assert_eq!(machine.whose("reader"), Ok(role("ReadOnly")));
    machine.aws.hold_answers_of(None);
    kill_process(pid, Signal::CONT).unwrap();
    machine.eventually("the other's token is in use", |machine| {
        let expires = machine.status()["sso_sessions"][0]["last_error"].is_null();
        expires && token(machine)["accessToken"].as_str().is_some_and(|token| machine.aws.is_signed_in(token))
    });
    pause(std::time::Duration::from_millis(100));
    other.kill().unwrap();
    other.wait().unwrap();
    assert_eq!((machine.aws.live_sso_sessions(), machine.aws.count("CreateToken:refresh_token")), (1, 1));
}
