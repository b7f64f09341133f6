//! Files that change under the running daemon.

use crate::machine::{LOOPBACK_ONLY, Machine, role, stderr};

#[test]
fn a_replaced_base_key_is_in_force_without_anybody_asking() {
    let mut machine = Machine::new();
    machine.start();
    assert_eq!(machine.whose("app"), Ok(role("App")));
    machine.aws.set_active(&machine.base.access_key_id, false);
    let rotated = machine.aws.add_user(crate::machine::ACCOUNT, "someone");
    machine.write_key(&rotated);
    machine.eventually("the new key is used for the role", |machine| {
        let calls = machine.aws.calls();
        calls.iter().any(|call| call.access_key_id == rotated.access_key_id && call.action == "AssumeRole")
    });
    assert_eq!(machine.whose("app"), Ok(role("App")));
    machine.eventually("all is well", |machine| machine.profile("app")["state"] == "fresh");
}

#[test]
fn only_profiles_whose_plan_changed_are_renewed() {
    let mut machine = Machine::new();
    machine.start();
    let (app, mid) = (machine.credentials("app").unwrap(), machine.credentials("mid").unwrap());
    let config = machine.read(".aws/config");
    machine.write(".aws/config", &config.replace("region = eu-west-1", "role_session_name = mine"));
    machine.eventually("the changed profile is renewed", |machine| {
        machine.credentials("app").is_ok_and(|set| set["AccessKeyId"] != app["AccessKeyId"])
    });
    assert_eq!(machine.credentials("mid").unwrap()["AccessKeyId"], mid["AccessKeyId"]);
}

#[test]
fn a_broken_file_keeps_the_old_plans_and_is_said() {
    let mut machine = Machine::new();
    machine.start();
    assert_eq!(machine.whose("app"), Ok(role("App")));
    let config = machine.read(".aws/config");
    machine.write(".aws/config", &format!("{config}[broken\n"));
    machine.eventually("the problem is said", |machine| {
        machine.status()["problems"]
            .as_array()
            .unwrap()
            .iter()
            .any(|problem| problem["line"].is_u64() && problem["file"].is_string())
    });
    assert_eq!(machine.whose("app"), Ok(role("App")));
    machine.write(".aws/config", &config);
    machine.eventually("it is mended", |machine| machine.status()["problems"] == serde_json::json!([]));
}

#[test]
fn folders_and_files_that_come_later_are_seen() {
    let mut machine = Machine::new();
    let (config, credentials) = (machine.read(".aws/config"), machine.read(".aws/credentials"));
    std::fs::remove_dir_all(machine.path(".aws")).unwrap();
    machine.start();
    assert!(machine.whose("app").unwrap_err().contains("is in no AWS file"));
    machine.write(".aws/credentials", &credentials);
    machine.write(".aws/config", &config);
    machine.eventually("the profile is there", |machine| machine.whose("app") == Ok(role("App")));
}

#[test]
fn a_file_behind_a_symbolic_link_is_watched_where_it_is() {
    let mut machine = Machine::new();
    let config = machine.read(".aws/config");
    machine.write("dotfiles/config", &config);
    std::fs::remove_file(machine.path(".aws/config")).unwrap();
    std::os::unix::fs::symlink(machine.path("dotfiles/config"), machine.path(".aws/config")).unwrap();
    machine.start();
    machine.replace(
        "dotfiles/config",
        &format!("{config}\n[profile late]\nrole_arn = {}\nsource_profile = base\n", role("Mid")),
    );
    machine.eventually("the new profile is there", |machine| machine.whose("late") == Ok(role("Mid")));
}

#[test]
fn settings_change_while_running_and_wrong_ones_are_kept_out() {
    let mut machine = Machine::new();
    machine.start();
    let settings = ".config/evercred/evercred.toml";
    machine.write(settings, &format!("[renew]\nprofiles = \"all\"\n{LOOPBACK_ONLY}"));
    machine.eventually("every profile is auto-renewed", |machine| machine.profile("mid")["auto_renew"] == true);
    machine.write(settings, "[renew]\nprofiles = \"nonsense\"\n");
    machine.eventually("the mistake is said", |machine| {
        machine.status()["problems"]
            .as_array()
            .unwrap()
            .iter()
            .any(|problem| problem["id"] == "settings-refused" && problem["line"] == 2)
    });
    assert_eq!(machine.profile("mid")["auto_renew"], true);
    machine.write(settings, &format!("[renew]\nprofiles = \"used\"\n{LOOPBACK_ONLY}"));
    machine.eventually("the mistake is gone", |machine| machine.status()["problems"] == serde_json::json!([]));
}

#[test]
fn temporary_keys_of_others_are_tracked_and_expired_ones_are_not_handed_out() {
    let mut machine = Machine::new();
    let session = |until: &str| {
        format!("[temp]\naws_access_key_id = ASIA1\naws_secret_access_key = s\naws_session_token = t\n{until}\n")
    };
    machine.write(".aws/credentials", &session("x_security_token_expires = 2020-01-01T00:00:00Z"));
    machine.write(".aws/config", &format!("[profile app]\nrole_arn = {}\nsource_profile = missing\n", role("App")));
    machine.start();
    let said = machine.credentials("temp").unwrap_err();
    assert!(said.contains("expired at 2020-01-01T00:00:00Z"), "{said}");
    assert_eq!(machine.profile("temp")["valid"], false);
    machine.write(".aws/credentials", &session("aws_expiration = 2099-01-01T00:00:00+0000"));
    machine.eventually("the new ones are handed out", |machine| {
        machine.credentials("temp").is_ok_and(|set| set["Expiration"] == "2099-01-01T00:00:00Z")
    });
}

#[test]
fn a_profile_of_the_settings_is_kept_like_any_other_and_shown_with_its_line() {
    let mut machine = Machine::new();
    machine.start();
    let settings = |role_arn: &str| {
        format!(
            "[[profile]]\nname = \"own\"\nrole_arn = \"{role_arn}\"\nsource_profile = \"base\"\nregion = \"eu-west-1\"\n{LOOPBACK_ONLY}"
        )
    };
    machine.write(".config/evercred/evercred.toml", &settings(&role("Mid")));
    machine.eventually("it is in force", |machine| !machine.profile("own").is_null());
    assert_eq!(machine.whose("own"), Ok(role("Mid")));
    let shown: serde_json::Value = serde_json::from_slice(&machine.run(&["profiles", "--json"]).stdout).unwrap();
    let own = shown["profiles"].as_array().unwrap().iter().find(|profile| profile["name"] == "own").unwrap();
    let setting = &own["settings"]["role_arn"];
    let file = machine.path(".config/evercred/evercred.toml").display().to_string();
    assert_eq!((setting["file"].as_str(), setting["line"].as_u64()), (Some(file.as_str()), Some(3)));
    machine.write(".config/evercred/evercred.toml", &settings(&role("Mid")).replace("base", "bsae"));
    machine.eventually("the mistake is said", |machine| machine.profile("own")["state"] == "failed");
    let output = machine.run(&["plan", "own"]);
    assert!(stderr(&output).contains(&format!("{file}:4: ")) && stderr(&output).contains("did you mean \"base\"?"));
}
