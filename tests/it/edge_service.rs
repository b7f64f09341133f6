//! `evercred service` with a real systemd user manager.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::machine::{ACCOUNT, LOOPBACK_ONLY, role, stderr};
use crate::standin::{Key, Role, StandIn};
use crate::user_manager::{UserManager, left_out};

pub(crate) const UNIT: &str = ".config/systemd/user/evercredd.service";

/// A person with a role in their AWS files, and no service yet.
pub(crate) struct Person {
    pub(crate) manager: UserManager,
    aws: StandIn,
}

impl Person {
    pub(crate) fn new() -> Self {
        let aws = StandIn::start();
        let Key { access_key_id: id, secret_access_key: secret, .. } = aws.add_user(ACCOUNT, "someone");
        aws.set_role(&role("Mid"), Role::trusting(&[&format!("arn:aws:iam::{ACCOUNT}:user/someone")]));
        let manager = UserManager::start();
        manager.write(
            ".aws/credentials",
            &format!("[base]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n"),
        );
        let config = format!(
            "[profile mid]\nrole_arn = {}\nsource_profile = base\nservices = here\n\n[services here]\nsts =\n  endpoint_url = {}\n",
            role("Mid"),
            aws.url()
        );
        manager.write(".aws/config", &config);
        manager.write(".config/evercred/evercred.toml", LOOPBACK_ONLY);
        Self { manager, aws }
    }

    pub(crate) fn install(&self) -> String {
        self.manager.must(&["evercred", "service", "install"])
    }

    fn evercred(&self, arguments: &[&str]) -> Output {
        self.manager.command("evercred").args(arguments).output().unwrap()
    }

    pub(crate) fn whose(&self, profile: &str) -> Result<String, String> {
        let set: Value =
            serde_json::from_str(&self.manager.must(&["evercred", "credential-process", profile])).unwrap();
        let field = |name: &str| set[name].as_str().unwrap_or_default().to_owned();
        self.aws.whose(&field("AccessKeyId"), &field("SecretAccessKey"), &field("SessionToken"))
    }

    /// Everything in the home but what the daemon itself keeps.
    pub(crate) fn tree(&self) -> BTreeMap<String, String> {
        let mut tree = BTreeMap::new();
        walk(&self.manager.home(), &mut tree);
        tree.retain(|path, _| {
            !["lock", "memory.json", "clock.json"].iter().any(|name| path.ends_with(&format!("evercred/{name}")))
        });
        tree
    }
}

fn walk(folder: &Path, tree: &mut BTreeMap<String, String>) {
    use std::os::unix::fs::MetadataExt;
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let (path, found) = (entry.path(), entry.path().symlink_metadata().unwrap());
        let text = if found.is_dir() {
            walk(&path, tree);
            String::new()
        } else if found.is_symlink() {
            std::fs::read_link(&path).unwrap().display().to_string()
        } else {
            evercred::core::service::digest(&std::fs::read(&path).unwrap())
        };
        tree.insert(path.display().to_string(), format!("{:o} {} {text}", found.mode(), found.uid()));
    }
}

#[test]
fn one_command_installs_the_service_and_one_takes_it_away_to_the_byte() {
    if left_out() {
        return;
    }
    let person = Person::new();
    let before = person.tree();
    let said = person.install();
    assert!(said.contains("evercredd.service\n") && said.contains("is running (process id"), "{said}");
    assert!(said.contains("sandbox: all restrictions"), "{said}");
    assert_eq!(person.manager.property("SubState"), "running");
    assert_eq!(person.manager.property("UnitFileState"), "enabled");
    assert_eq!(person.whose("mid"), Ok(role("Mid")));
    let status = person.evercred(&["service", "status", "--json"]);
    let form = serde_json::json!({
        "schema": "evercred.service-status/1", "installed": "flag", "unit": "text", "enabled": "text", "active": "text",
        "since": "text", "says": "text", "pid": "number", "hardening": "text", "version": "text",
        "environment": [{"name": "text", "shell": "text?", "daemon": "text?"}],
        "problems": [{"message": "text", "fix": "text?"}], "notes": ["text"],
    });
    crate::json_documents::holds(&form, &status);
    let document: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!((status.status.code(), &document["problems"]), (Some(0), &Value::Array(Vec::new())));
    assert_eq!((document["enabled"].as_str(), document["active"].as_str()), (Some("enabled"), Some("active")));

    let (pid, installed) = (person.manager.property("MainPID"), person.tree());
    let said = person.install();
    assert!(said.contains("nothing to do"), "{said}");
    assert_eq!((person.manager.property("MainPID"), person.tree()), (pid, installed));

    let said = person.manager.must(&["evercred", "service", "uninstall", "--purge"]);
    assert!(said.contains("removed") && said.contains("evercredd.service"), "{said}");
    let mut left = person.tree();
    // Made by the AWS folder's owner, the daemon, where it looks for tokens.
    left.retain(|path, _| !path.contains(".aws/sso") && !path.contains(".aws/login"));
    assert_eq!(left, before);
    assert_eq!(person.manager.property("LoadState"), "not-found");
    assert!(!person.manager.run(&["test", "-e", "/run/user/64711/evercred"]).status.success());
    let again = person.manager.must(&["evercred", "service", "uninstall"]);
    assert!(again.contains("not installed"), "{again}");
}

/// The blocks of one kind in a part of README.md, up to the next part.
fn blocks(part: &str, kind: &str) -> Vec<String> {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let (_, text) = readme.split_once(&format!("\n## {part}\n")).unwrap_or_else(|| panic!("README has no part {part}"));
    let text = text.split("\n## ").next().unwrap();
    let begin = format!("```{kind}\n");
    text.split(&begin).skip(1).map(|block| block.split("```").next().unwrap().to_owned()).collect()
}

#[test]
fn the_commands_of_the_readme_for_a_role_work_as_printed() {
    if left_out() {
        return;
    }
    let person = Person::new();
    let key = person.aws.add_user("111122223333", "reader");
    person.aws.set_role(&role("App"), Role::trusting(&["arn:aws:iam::111122223333:user/reader"]));
    let commands = |part: &str| -> Vec<String> {
        let lines = blocks(part, "console").join("");
        lines
            .lines()
            .map(|line| line.strip_prefix("$ ").unwrap_or_else(|| panic!("{line}: no command")).to_owned())
            .collect()
    };
    // What the machine has before: keys, here of a stand-in for AWS, and the AWS CLI, which shows what it was given.
    let (id, secret) = (&key.access_key_id, &key.secret_access_key);
    person
        .manager
        .write(".aws/credentials", &format!("[base]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n"));
    let settings = format!("{LOOPBACK_ONLY}[environment]\nAWS_ENDPOINT_URL_STS = \"{}\"\n", person.aws.url());
    person.manager.write(".config/evercred/evercred.toml", &settings);
    person.manager.write("aws", "#!/bin/sh\necho \"$AWS_ACCESS_KEY_ID $AWS_SECRET_ACCESS_KEY $AWS_SESSION_TOKEN\"\n");
    person.manager.put_program(".cargo/bin/aws", person.manager.path("aws").to_str().unwrap());
    let [install, service]: [String; 2] = commands("Install").try_into().unwrap();
    // Both programs are there already: built by the same cargo, not with all of its time.
    assert_eq!(install, "cargo install --locked --path .");
    let config = blocks("With keys and roles", "ini");
    person
        .manager
        .write(".aws/config", &config.join("\n").replace("/home/you", person.manager.home().to_str().unwrap()));
    let [plan, exec, status]: [String; 3] = commands("With keys and roles").try_into().unwrap();
    let run = |line: &str| person.manager.must(&["sh", "-c", line]);
    let said = run(&service);
    assert!(said.contains("is running"), "{said}");
    let said = run(&plan);
    assert!(said.contains("assume-role") && said.contains("role/App"), "{said}");
    let said = run(&exec);
    let given: Vec<&str> = said.split_whitespace().collect();
    assert_eq!(person.aws.whose(given[0], given[1], given[2]), Ok(role("App")));
    let said = run(&status);
    assert!(said.contains("app") && said.contains("fresh"), "{said}");
    // What an SDK would run for the second profile.
    let helper = config[1].lines().find_map(|line| line.strip_prefix("credential_process = ")).unwrap();
    let document: Value =
        serde_json::from_str(&run(&helper.replace("/home/you", person.manager.home().to_str().unwrap()))).unwrap();
    assert_eq!(document["AccessKeyId"], given[0]);
    let [uninstall, cargo]: [String; 2] = commands("Uninstall").try_into().unwrap();
    assert!(run(&uninstall).contains("removed"));
    assert_eq!(cargo, "cargo uninstall evercred");
    assert_eq!(person.manager.read(".config/evercred/evercred.toml"), settings);
}

#[test]
fn an_upgrade_is_installed_by_the_same_command_and_keeps_what_is_held() {
    if left_out() {
        return;
    }
    let person = Person::new();
    person.install();
    assert_eq!(person.whose("mid"), Ok(role("Mid")));
    person.manager.put_program(".cargo/bin/evercredd", env!("CARGO_BIN_EXE_evercredd"));
    let status = person.evercred(&["service", "status"]);
    let said = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(status.status.code() == Some(1) && said.contains("was replaced"), "{said}");
    let pid = person.manager.property("MainPID");
    let said = person.install();
    assert!(said.contains("was restarted"), "{said}");
    assert_ne!(person.manager.property("MainPID"), pid);
    assert_eq!(person.whose("mid"), Ok(role("Mid")));
    assert_eq!(person.aws.count("AssumeRole"), 1);
}

#[test]
fn what_the_shell_has_and_the_service_has_not_is_stored_but_no_secret() {
    if left_out() {
        return;
    }
    let person = Person::new();
    let text = format!("# mine\n{LOOPBACK_ONLY}[environment]\nNO_PROXY = \"by-hand\"\n");
    person.manager.write(".config/evercred/evercred.toml", &text);
    let shell = |command: &mut std::process::Command| {
        command
            .args(["HTTPS_PROXY=http://me:planted@proxy:3128", "NO_PROXY=localhost", "AWS_CA_BUNDLE=/etc/ssl/ca.pem"])
            .args(["MY_API_KEY=planted", "VAULT_ADDR=http://vault:8200", "evercred", "service"]);
    };
    let run = |arguments: &[&str]| {
        let mut command = person.manager.command("env");
        shell(&mut command);
        command.args(arguments).output().unwrap()
    };
    let output = run(&["install", "--environment", "MY_API_KEY", "--environment", "VAULT_ADDR"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", stderr(&output));
    for part in [
        "AWS_CA_BUNDLE = /etc/ssl/ca.pem",
        "not stored: HTTPS_PROXY",
        "not stored: MY_API_KEY",
        "left as it is: NO_PROXY",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let stored = person.manager.read(".config/evercred/evercred.toml");
    assert!(stored.starts_with(&text), "{stored}");
    assert!(stored.contains("AWS_CA_BUNDLE = \"/etc/ssl/ca.pem\"\n") && stored.contains("VAULT_ADDR = "), "{stored}");
    let status = run(&["status"]);
    let shown = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(shown.contains("HTTPS_PROXY is http://***@proxy:3128 here, and (not set) for the daemon"), "{shown}");
    let everywhere = person.manager.run(&["grep", "-r", "planted", "."]);
    assert_eq!(String::from_utf8_lossy(&everywhere.stdout), "");
    assert!(!(said + &shown).contains("planted"));
    // The companion's own line, where the way to AWS differs.
    let mut command = person.manager.command("env");
    let output = command.args(["HTTPS_PROXY=http://other:1", "evercred", "status"]).output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(shown.contains("HTTPS_PROXY, NO_PROXY, AWS_CA_BUNDLE of this shell and of the daemon"), "{shown}");
    run(&["uninstall"]);
    assert_eq!(person.manager.read(".config/evercred/evercred.toml"), text);
}

#[test]
fn a_unit_by_hand_is_not_overwritten_unless_it_is_the_shipped_one() {
    if left_out() {
        return;
    }
    let person = Person::new();
    person.manager.write(UNIT, "[Service]\nExecStart=/bin/true\n");
    let before = person.tree();
    let output = person.evercred(&["service", "install"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("changed by hand") && stderr(&output).contains("--force"), "{}", stderr(&output));
    assert_eq!(person.tree(), before, "nothing was changed");
    person.manager.must(&["evercred", "service", "install", "--force"]);
    assert_eq!(person.manager.read(&format!("{UNIT}.before-evercred")), "[Service]\nExecStart=/bin/true\n");
    assert_eq!(person.whose("mid"), Ok(role("Mid")));
    // Edited after the installation: it is the person's now.
    let edited = person.manager.read(UNIT) + "# mine\n";
    person.manager.write(UNIT, &edited);
    assert_eq!(person.evercred(&["service", "install"]).status.code(), Some(1));
    let output = person.evercred(&["service", "uninstall"]);
    assert!(output.status.code() == Some(1) && stderr(&output).contains("stays"), "{}", stderr(&output));
    assert_eq!(person.manager.read(UNIT), edited);
}

#[test]
fn an_installation_that_can_not_be_finished_leaves_everything_as_it_was() {
    if left_out() {
        return;
    }
    let person = Person::new();
    // The daemon of this installation ends at once.
    person.manager.write("bad", "#!/bin/sh\n[ \"$1\" = --version ] && exit 0\necho 'evercredd: no' >&2\nexit 7\n");
    person.manager.put_program("other/evercredd", person.manager.path("bad").to_str().unwrap());
    person.manager.put_program("other/evercred", env!("CARGO_BIN_EXE_evercred"));
    let before = person.tree();
    let program = person.manager.path("other/evercred").display().to_string();
    let output = person.manager.run(&[&program, "service", "install"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("all changes were undone"), "{}", stderr(&output));
    assert_eq!(person.tree(), before);
    assert_eq!(person.manager.property("LoadState"), "not-found");

    // And an upgrade that fails leaves the service running as it did.
    person.install();
    let installed = person.tree();
    let output = person.manager.run(&[&program, "service", "install"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert_eq!(person.tree(), installed);
    assert_eq!(person.whose("mid"), Ok(role("Mid")));
}

#[test]
fn what_is_in_the_way_is_named_before_anything_is_changed() {
    if left_out() {
        return;
    }
    let person = Person::new();
    person.manager.write("empty/x", "");
    let before = person.tree();
    let refused = |what: &str, command: &mut std::process::Command, part: &str| {
        let output = command.output().unwrap();
        let said = stderr(&output);
        assert!(output.status.code() == Some(1) && said.contains(part), "{what}: {said}");
    };
    let env = |pairs: &[&str]| {
        let mut command = person.manager.command("env");
        command.args(pairs).args(["evercred", "service", "install"]);
        command
    };
    let empty = person.manager.path("empty");
    refused("no manager", &mut env(&[&format!("XDG_RUNTIME_DIR={}", empty.display())]), "systemd can't be reached");
    refused(
        "no systemctl",
        &mut env(&[&format!("PATH={}", person.manager.path(".cargo/bin").display())]),
        "no systemd here",
    );
    refused("a relative home", &mut env(&["HOME=home"]), "HOME is \"home\"");
    refused("a home that is not there", &mut env(&["HOME=/nowhere"]), "does not exist");
    refused("a home that is somebody else's", &mut env(&["HOME=/etc"]), "can't be written");
    person.manager.write(".config/evercred/evercred.toml", "renew = 3\n");
    refused("settings with a mistake", &mut env(&[]), "evercred.toml:1:9");
    person.manager.write(".config/evercred/evercred.toml", LOOPBACK_ONLY);
    assert_eq!(person.tree(), before);

    let mut by_hand = person.manager.command("evercredd").spawn().unwrap();
    let socket = "/run/user/64711/evercred/evercred.sock";
    let mut person = person;
    person.manager.eventually("it listens", |manager| manager.run(&["test", "-S", socket]).status.success());
    let output = person.evercred(&["service", "install"]);
    assert!(stderr(&output).contains("is running already, and not as the service"), "{}", stderr(&output));
    let lock = person.manager.read(".local/state/evercred/lock");
    person.manager.must(&["kill", "-9", lock.trim()]);
    by_hand.wait().unwrap();
    // The socket that it left is no obstacle.
    person.manager.must(&["test", "-S", socket]);
    person.install();
    assert_eq!(person.whose("mid"), Ok(role("Mid")));
}
