//! The fixes of `login`, `logout`, `status` and the doctor for files that stand in the way: each works as printed.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::edge_cache::problem;
use crate::edge_doctor_verdict::Report;
use crate::edge_remarks::elsewhere;
use crate::edge_sso::{end_of_sign_in, machine, sign_in, token, token_file};
use crate::machine::{LOOPBACK_ONLY, Machine, stderr};

const USER: u32 = 12_345;

fn fix_of(said: &str) -> String {
    let fixes: Vec<&str> = said.lines().filter_map(|line| line.trim().strip_prefix("fix: ")).collect();
    assert_eq!(fixes.len(), 1, "{said}");
    fixes[0].to_owned()
}

fn run(command: &str) {
    assert!(Command::new("/bin/sh").args(["-c", command]).status().unwrap().success(), "{command}");
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn says(output: &Output, exit: i32) -> String {
    let said = stderr(output);
    assert_eq!(output.status.code(), Some(exit), "{said}");
    said
}

#[test]
fn a_cache_file_that_is_no_token_is_set_aside_with_the_fix_of_logout_and_login() {
    let places: [fn(&Path); 5] = [
        |path| std::fs::create_dir(path).unwrap(),
        |path| assert!(Command::new("mkfifo").arg(path).status().unwrap().success()),
        |path| symlink(path, path).unwrap(),
        |path| std::fs::write(path, "{\"accessToken\":").unwrap(),
        |path| std::fs::write(path, [0xff, 0xfe, 0]).unwrap(),
    ];
    for (at, place) in places.into_iter().enumerate() {
        let mut machine = machine();
        let path = machine.path(&token_file());
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        place(&path);
        machine.start();
        let said = says(&machine.run(&["logout", "corp"]), 1);
        assert!(!said.contains("permissions"), "{said}");
        // A sign-in keeps a copy of a file that is no token.
        if at < 3 {
            let of_login = fix_of(&says(&machine.run(&["login", "corp", "--no-browser"]), 1));
            assert_eq!(of_login, fix_of(&said));
        }
        run(&fix_of(&said));
        assert!(std::fs::symlink_metadata(&path).is_err());
        assert_eq!(machine.run(&["logout", "corp"]).status.code(), Some(0));
        sign_in(&machine);
    }
}

#[test]
fn a_directory_without_permission_to_write_has_the_same_fix_everywhere() {
    let mut machine = machine();
    machine.set_user(USER);
    machine.start();
    sign_in(&machine);
    assert_eq!(machine.stop(), Some(0));
    let cache = machine.path(&token_file()).parent().unwrap().to_owned();
    set_mode(&cache, 0o555);
    machine.start();
    machine.eventually("status has the problem", |machine| problem(machine) != Value::Null);
    let fix = problem(&machine)["fix"].as_str().unwrap().to_owned();
    let report = Report::of(&machine, &["admin"], &[]);
    let all = report.document["findings"].as_array().unwrap();
    let found = all.iter().find(|finding| finding["id"] == "sso-cache-unwritable").unwrap();
    assert_eq!(found["fix"][0]["command"], fix.as_str(), "{found:#}");
    // Owner and mode are those of the directory.
    let evidence = found["evidence"].to_string();
    assert!(evidence.contains("mode 555"), "{evidence}");
    let file = machine.path(&token_file()).display().to_string();
    assert!(!evidence.contains(&format!("{file}: owner")), "{evidence}");
    let (status, _, said) = end_of_sign_in(&machine, &["corp", "--no-browser", "--force"]);
    assert_eq!((status, fix_of(&said)), (Some(1), fix.clone()), "{said}");
    let said = says(&machine.run(&["logout", "corp"]), 1);
    assert_eq!(fix_of(&said), fix);
    run(&fix);
    sign_in(&machine);
    assert!(token(&machine)["accessToken"].is_string());
}

#[test]
fn an_unreadable_aws_file_has_the_fix_of_status_in_the_doctor() {
    for (at, name) in [".aws/config", ".aws/credentials", ".aws"].into_iter().enumerate() {
        let mut machine = Machine::new();
        machine.set_user(USER);
        set_mode(&machine.path(name), 0o000);
        let report = Report::of(&machine, &["app"], &[]);
        let all = report.document["findings"].as_array().unwrap();
        let found = all.iter().find(|finding| finding["id"] == "file-permissions").unwrap_or_else(|| panic!("{at}"));
        let said = stderr(&machine.run(&["plan", "app"]));
        assert_eq!(found["fix"][0]["command"], fix_of(&said).as_str(), "{found:#}");
    }
}

#[test]
fn the_status_of_a_profile_shows_no_mistakes_of_others() {
    let mut machine = Machine::new();
    let credentials = machine.read(".aws/credentials");
    let other = "[other]\naws_access_key_id = changeme\naws_secret_access_key = changeme\n";
    machine.write(".aws/credentials", &(credentials + other));
    machine.write(".aws/config", &(machine.read(".aws/config") + "[lost]\nregion = eu-west-1\n"));
    // Keys for a stand-in on this machine are no mistakes.
    machine.write(".config/evercred/evercred.toml", &format!("{LOOPBACK_ONLY}probe = false\n"));
    machine.start_as(elsewhere(machine.daemon()));
    let count = |machine: &Machine, arguments: &[&str]| {
        let output = machine.run(&[&["status", "--json"], arguments].concat());
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        document["problems"].as_array().unwrap().len()
    };
    machine.eventually("both are shown", |machine| count(machine, &[]) == 2);
    for (arguments, shown) in [(&["mid"][..], 0), (&["app", "base"], 0), (&["other"], 1), (&["o*", "mid"], 1)] {
        assert_eq!(count(&machine, arguments), shown, "{arguments:?}");
    }
}
