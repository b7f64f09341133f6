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
    let status = machine.run(&["status", "temp"]);
    assert_eq!(status.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&status.stdout).contains("expired at 2020-01-01T00:00:00Z"), "{status:?}");
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

/// Exit code and what stderr says.
fn ends(machine: &Machine, arguments: &[&str]) -> (Option<i32>, String) {
    let output = machine.run(arguments);
    (output.status.code(), stderr(&output))
}

#[test]
fn one_bad_line_takes_no_other_profile_away() {
    let mut machine = Machine::new();
    let config = machine.read(".aws/config");
    let bad = "[profile torn]\nrole_arn arn:aws:iam::1:role/x\nsource_profile = base\n";
    machine.write(".aws/config", &format!("{bad}{config}"));
    machine.start();
    assert_eq!(machine.whose("app"), Ok(role("App")));
    let problems = &machine.status()["problems"];
    assert_eq!((problems[0]["id"].as_str(), problems[0]["line"].as_u64()), (Some("aws-file-refused"), Some(2)));
    assert_eq!(machine.run(&["status"]).status.code(), Some(1));
    for command in ["credential-process", "renew", "login", "plan", "doctor"] {
        let output = machine.run(&[command, "torn"]);
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), stderr(&output));
        assert_eq!(output.status.code(), Some(1), "{command}: {said}");
        assert!(said.contains(".aws/config:2"), "{command}: {said}");
    }
    let shown = machine.run(&["profiles", "--json"]);
    let document: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(shown.status.code(), Some(1));
    assert!(document["problems"][0]["fatal"] == true && document["problems"][0]["line"] == 2);
    assert!(document["profiles"].as_array().unwrap().iter().any(|profile| profile["name"] == "app"));
}

#[test]
fn a_profile_that_a_broken_header_may_hide_is_not_called_missing() {
    let mut machine = Machine::new();
    let config = machine.read(".aws/config");
    machine.write(".aws/config", &config.replace("[profile app]", "[profile app"));
    machine.start();
    assert_eq!(machine.whose("mid"), Ok(role("Mid")));
    for command in ["credential-process", "renew", "login", "plan", "status"] {
        let (exit, said) = ends(&machine, &[command, "app"]);
        assert_eq!(exit, Some(1), "{command}: {said}");
        assert!(said.contains(".aws/config:") && said.contains("\"]\""), "{command}: {said}");
    }
    // Corrected without anybody telling the daemon: who asks is answered by the files as they are.
    machine.write(".aws/config", &config);
    assert_eq!(machine.whose("app"), Ok(role("App")));
}

#[test]
fn an_ignored_section_is_named_with_its_line_by_every_command() {
    let mut machine = Machine::new();
    let config = machine.read(".aws/config");
    let ignored = "[work]\nrole_arn = arn:aws:iam::111122223333:role/R\nsource_profile = base\n\
                   [profile it's bad]\nregion = eu-west-1\n\
                   [profile uses]\nrole_arn = arn:aws:iam::111122223333:role/R\nsource_profile = work\n\
                   [sso_session corp]\nsso_region = eu-west-1\n\
                   [profile sso]\nsso_session = corp\nsso_account_id = 111122223333\nsso_role_name = R\n";
    machine.write(".aws/config", &format!("{ignored}{config}"));
    machine.start();
    assert_eq!(machine.whose("app"), Ok(role("App")));
    for (name, exit, place) in [
        ("work", 4, ".aws/config:1"),
        ("it's bad", 4, ".aws/config:4"),
        ("bad\"", 4, ""),
        ("uses", 1, "line 1 of the AWS config file"),
        ("sso", 1, "line 9 of the AWS config file"),
    ] {
        for command in ["credential-process", "renew", "login", "plan", "status", "doctor"] {
            let output = machine.run(&[command, name]);
            let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), stderr(&output));
            assert_eq!(output.status.code(), Some(exit), "{command} {name}: {said}");
            assert!(said.contains(place), "{command} {name}: {said}");
            // What only informs is no fix.
            assert!(!said.contains("fix: evercred profiles") && !said.contains("fix: evercred plan"), "{said}");
        }
    }
    let plan = |name: &str| -> serde_json::Value {
        serde_json::from_slice(&machine.run(&["plan", name, "--json"]).stdout).unwrap()
    };
    let error = |name: &str| {
        let error = &plan(name)["error"];
        (error["code"].as_str().map(str::to_owned), error["line"].as_u64())
    };
    assert_eq!(error("work"), (Some("missing-profile".to_owned()), Some(1)));
    assert_eq!(error("it's bad"), (Some("missing-profile".to_owned()), Some(4)));
    assert_eq!(error("uses").0.as_deref(), Some("missing-source"));
    let (_, said) = ends(&machine, &["login", "corp"]);
    assert!(said.contains(".aws/config:9"), "{said}");
}

#[test]
fn a_session_without_a_needed_setting_is_named_with_its_line() {
    let mut machine = Machine::new();
    let config = machine.read(".aws/config");
    let sessions = "[sso-session corp]\nsso_region = eu-west-1\n[sso-session empty]\n\
                    [sso-session torn]\nsso_start_url https://x.awsapps.com/start\nsso_region = eu-west-1\n";
    machine.write(".aws/config", &format!("{sessions}{config}"));
    machine.start();
    for (name, place) in [("corp", ".aws/config:1"), ("empty", ".aws/config:3"), ("torn", ".aws/config:5")] {
        for arguments in [&["login", name][..], &["logout", name], &["profiles", "--sso", name]] {
            let (exit, said) = ends(&machine, arguments);
            assert_eq!(exit, Some(1), "{arguments:?}: {said}");
            assert!(said.contains(place) && said.contains("\nfix: correct "), "{arguments:?}: {said}");
        }
    }
    assert_eq!(ends(&machine, &["login", "other"]).0, Some(4));
    assert_eq!(machine.whose("app"), Ok(role("App")));
}

#[test]
fn files_that_are_none_leave_the_other_files_profiles() {
    let mut machine = Machine::new();
    let (config, credentials) = (machine.read(".aws/config"), machine.read(".aws/credentials"));
    let key = format!("{}{}", credentials, config.replace("[profile ", "["));
    std::fs::remove_file(machine.path(".aws/config")).unwrap();
    std::fs::create_dir(machine.path(".aws/config")).unwrap();
    machine.write(".aws/credentials", &key);
    machine.start();
    assert_eq!(machine.whose("app"), Ok(role("App")));
    for command in ["credential-process", "renew", "login", "plan", "status", "doctor"] {
        let output = machine.run(&[command, "gone"]);
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), stderr(&output));
        assert_eq!(output.status.code(), Some(1), "{command}: {said}");
        assert!(said.contains("directory"), "{command}: {said}");
    }
    let status = machine.status();
    let problem = &status["problems"][0];
    assert_eq!(problem["id"], "aws-file-unreadable");
    assert!(problem["fix"].as_str().is_some_and(|fix| fix.starts_with("rmdir ")), "{problem}");
}

#[test]
fn the_null_device_is_no_file() {
    let machine = Machine::new();
    let plan = |variable: &str| {
        let output = machine.companion().args(["plan", "base"]).env(variable, "/dev/null").output().unwrap();
        (output.status.code(), stderr(&output))
    };
    assert_eq!(plan("AWS_CONFIG_FILE"), (Some(0), String::new()));
    assert_eq!(plan("AWS_SHARED_CREDENTIALS_FILE").0, Some(4));
}

#[test]
fn settings_comments_and_blanks_may_be_indented_in_any_way() {
    let machine = Machine::new();
    machine.write(
        ".aws/config",
        "[profile a]\r\r\n    # the admin role\r\r\n    role_arn = R\u{a0}\r\r\n\u{a0}\r\r\n    source_profile: \u{2009}base\r\r\n\
         [profile 'x y'] /* old */\r\r\n  credential_process = sh -c 'true ; cat x'\r\r\n",
    );
    let plan = |profile: &str| -> serde_json::Value {
        serde_json::from_slice(&machine.run(&["plan", profile, "--json"]).stdout).unwrap()
    };
    let a = plan("a");
    assert_eq!((a["steps"][1]["role_arn"].as_str(), a["steps"][0]["profile"].as_str()), (Some("R"), Some("base")));
    assert_eq!(plan("x y")["steps"][0]["command"], "sh -c 'true ; cat x'");
}
