//! Files that the doctor, `plan` and `profiles` can't use: broken links, refused settings, certificate files, and a low limit of
//! open files.

use std::process::Command;

use serde_json::Value;

use crate::edge_doctor_verdict::{Report, machine};
use crate::machine::{Machine, stderr};

fn finding(report: &Report, id: &str) -> Value {
    let all = report.document["findings"].as_array().unwrap();
    all.iter().find(|finding| finding["id"] == id).unwrap_or_else(|| panic!("{}", report.text)).clone()
}

#[test]
fn a_broken_link_in_the_place_of_an_aws_file_is_named_with_its_target() {
    for (name, profile) in [("config", "mid"), ("credentials", "base"), ("config", "nowhere")] {
        let machine = machine();
        let (path, next, target) = (machine.path(&format!(".aws/{name}")), machine.path("next"), machine.path("gone"));
        std::fs::remove_file(&path).unwrap();
        // By way of another link.
        std::os::unix::fs::symlink(&next, &path).unwrap();
        std::os::unix::fs::symlink(&target, &next).unwrap();
        let report = Report::of(&machine, &[profile], &[]);
        assert!(report.state() == "fails" && report.exit != Some(0), "{:?}: {}", report.exit, report.text);
        let found = finding(&report, "files-elsewhere");
        assert_eq!(found["severity"], "error", "{found:#}");
        for path in [&path, &target] {
            assert!(found["title"].as_str().unwrap().contains(path.to_str().unwrap()), "{found:#}");
        }
        assert!(found["evidence"].to_string().contains(profile), "{found:#}");
    }
    // The directory of both files.
    let machine = machine();
    let (aws, target) = (machine.path(".aws"), machine.path("gone"));
    std::fs::rename(&aws, machine.path("away")).unwrap();
    std::os::unix::fs::symlink(&target, &aws).unwrap();
    let found = finding(&Report::of(&machine, &["mid"], &[]), "files-elsewhere");
    assert!(found["title"].as_str().unwrap().contains(target.to_str().unwrap()), "{found:#}");
}

#[test]
fn refused_settings_are_a_problem_of_plan_profiles_and_doctor() {
    let machine = Machine::new();
    let file = machine.path(".config/evercred/evercred.toml").display().to_string();
    machine.write(
        ".config/evercred/evercred.toml",
        "[clock]\nntp = 7\n[[profile]]\nname = \"extra\"\nrole_arn = \"arn:aws:iam::111122223333:role/App\"\nsource_profile = \"base\"\nduration = true\n",
    );
    let places = [format!("{file}:2:7: "), format!("{file}:7:12: ")];
    let has_places = |text: &str| places.iter().all(|place| text.contains(place.as_str()));
    for (arguments, shown) in [(&["plan", "app"][..], "assume-role"), (&["profiles"], "profile app")] {
        let text = machine.run(arguments);
        assert_eq!(text.status.code(), Some(1), "{arguments:?}");
        assert!(String::from_utf8_lossy(&text.stdout).contains(shown), "{arguments:?}");
        assert!(has_places(&stderr(&text)), "{}", stderr(&text));
    }
    let json = |arguments: &[&str]| -> Value {
        let output = machine.run(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(output.stderr.is_empty(), "{}", stderr(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let plan = json(&["plan", "app", "--json"]);
    assert!(plan["error"].is_null() && plan["steps"].as_array().unwrap().len() == 3, "{plan:#}");
    assert!(has_places(&plan["notes"].to_string()), "{plan:#}");
    // The profile may be in the settings.
    let lost = json(&["plan", "extra", "--json"]);
    assert_eq!((&lost["error"]["code"], &lost["error"]["line"]), (&"unreadable-file".into(), &2.into()), "{lost:#}");
    assert_eq!(lost["error"]["file"], file, "{lost:#}");
    assert!(has_places(&stderr(&machine.run(&["plan", "extra"]))));
    let profiles = json(&["profiles", "--json"]);
    let problems = profiles["problems"].as_array().unwrap();
    let of_settings: Vec<&Value> = problems.iter().filter(|problem| problem["file"] == file.as_str()).collect();
    assert_eq!(of_settings.len(), 2, "{problems:#?}");
    assert_eq!((&of_settings[1]["line"], &of_settings[1]["column"]), (&7.into(), &12.into()));
    assert!(of_settings.iter().all(|problem| problem["fatal"] == true), "{problems:#?}");
    let report = Report::of(&machine, &["app"], &[]);
    assert!(has_places(&finding(&report, "adoption-broken").to_string()), "{}", report.text);
}

#[test]
fn a_certificate_file_that_can_not_be_used_is_named_with_the_reason() {
    let machine = machine();
    machine.write("empty.pem", "");
    machine.write("words.pem", "no certificate\n");
    std::fs::create_dir(machine.path("directory.pem")).unwrap();
    for (name, why) in [
        ("empty.pem", "is empty"),
        ("words.pem", "has no certificate"),
        ("directory.pem", "is a directory"),
        ("gone.pem", "does not exist"),
    ] {
        let path = machine.path(name).display().to_string();
        let report = Report::of(&machine, &["base"], &[("AWS_CA_BUNDLE", &path)]);
        let found = finding(&report, "network-unreachable");
        let title = found["title"].as_str().unwrap();
        assert!(title.contains("AWS_CA_BUNDLE") && title.contains(why), "{title}");
        assert!(found.to_string().contains(&path), "{found:#}");
    }
}

#[test]
fn with_a_low_limit_of_open_files_the_limit_is_the_reason() {
    let machine = machine();
    let evercred = machine.companion();
    for limit in 8..32 {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &format!("ulimit -n {limit}; exec \"$0\" doctor app --json")]).arg(evercred.get_program());
        shell.env_clear().envs(evercred.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let output = shell.output().unwrap();
        let document: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let verdict = document["verdict"].to_string();
        if document["verdict"]["state"] == "works" {
            continue;
        }
        let names_it =
            |text: &str| ["open files", "file descriptor", "enough files"].iter().any(|word| text.contains(word));
        assert!(names_it(&verdict) || names_it(&stderr(&output)), "{limit}: {document:#} {}", stderr(&output));
    }
}
