//! Plans, told as stories: a folder each in `tests/data/plan`, with the two AWS files and what is expected of them.

use std::path::Path;

use evercred::core::aws_file;
use evercred::core::plan::{Plan, PlanContext, plan_document, resolve, resolve_all, resolve_sso_sessions};
use evercred::core::profile::SourceFile;
use proptest::prelude::*;
use serde_json::Value;

#[test]
fn every_story_ends_as_expected() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/plan");
    let mut stories = 0;
    for entry in std::fs::read_dir(root).unwrap() {
        let folder = entry.unwrap().path();
        let read = |name: &str| {
            std::fs::read_to_string(folder.join(name)).unwrap_or_else(|_| panic!("{}: no {name}", folder.display()))
        };
        let profiles = aws_file::load(Some(&read("config")), Some(&read("credentials")));
        let expected: Value = serde_json::from_str(&read("expect.json")).unwrap();
        let name = expected["profile"].as_str().unwrap();
        let path = |file| if file == SourceFile::Credentials { "credentials".to_owned() } else { "config".to_owned() };
        let document = plan_document(name, &resolve(&profiles, name, &PlanContext::default()), &path);
        compare(&folder, &expected, &document);
        stories += 1;
    }
    assert!(stories >= 79, "{stories} stories: some are missing");
}

fn compare(folder: &Path, expected: &Value, found: &Value) {
    let story = folder.file_name().unwrap().to_string_lossy();
    if let Some(error) = expected.get("error") {
        let said = &found["error"];
        assert_eq!(said["code"], error["code"], "{story}: {found}");
        assert_eq!(said["line"], error["line"], "{story}: {found}");
        assert!(said["message"].as_str().unwrap().contains(error["says"].as_str().unwrap()), "{story}: {found}");
        if let Some(file) = error["file"].as_str() {
            assert_eq!(said["file"], file, "{story}");
        }
        return;
    }
    assert_eq!(found["error"], Value::Null, "{story}: {found}");
    let (steps, wanted) = (found["steps"].as_array().unwrap(), expected["steps"].as_array().unwrap());
    assert_eq!(steps.len(), wanted.len(), "{story}: {found:#}");
    for (step, wanted) in steps.iter().zip(wanted) {
        for (field, value) in wanted.as_object().unwrap() {
            assert_eq!(&step[field], value, "{story}: {field} of {step}");
        }
    }
    for note in expected["notes"].as_array().unwrap() {
        let said = found["notes"].to_string();
        assert!(said.contains(note.as_str().unwrap()), "{story}: {said}");
    }
    assert!(!found.to_string().contains("aws_secret"), "{story}");
}

#[test]
fn two_profiles_through_one_parent_share_its_key() {
    let config = "[profile mid]\nrole_arn = m\nsource_profile = base\n[profile a]\nrole_arn = a\nsource_profile = mid\nregion = eu-west-1\n\
                  [profile b]\nrole_arn = b\nsource_profile = mid\nregion = us-west-2\n";
    let profiles = aws_file::load(Some(config), Some("[base]\naws_access_key_id = A\naws_secret_access_key = s\n"));
    let keys = |name| resolve(&profiles, name, &PlanContext::default()).unwrap().keys();
    let (a, b, mid) = (keys("a"), keys("b"), keys("mid"));
    assert_eq!((&a[..2], &b[..2]), (&mid[..], &mid[..]));
    assert_ne!(a[2], b[2]);
}

#[test]
fn a_sessions_endpoint_is_that_of_its_profiles_only_where_they_agree() {
    let session = "[sso-session corp]\nsso_start_url = https://corp.awsapps.com/start\nsso_region = eu-west-1\n";
    let profile = |name: &str, endpoint: &str| {
        format!("[profile {name}]\nsso_session = corp\nsso_account_id = 1\nsso_role_name = r\n{endpoint}")
    };
    let oidc = |config: &str| {
        let profiles = aws_file::load(Some(config), None);
        resolve_sso_sessions(&profiles, &PlanContext::default())["corp"].oidc.url.clone()
    };
    let local = "endpoint_url = http://127.0.0.1:4566\n";
    assert_eq!(oidc(session), None);
    let alone = format!("{session}{}", profile("a-local", local));
    assert_eq!(oidc(&alone).as_deref(), Some("http://127.0.0.1:4566"));
    assert_eq!(oidc(&format!("{alone}{}", profile("b", ""))), None, "its token is not for one profile's emulator");
}

#[test]
fn a_chain_of_ten_thousand_profiles_is_walked_and_not_recursed() {
    let mut config = String::new();
    for at in 0..10_000 {
        config.push_str(&format!("[profile p{at}]\nrole_arn = r{at}\nsource_profile = p{}\n", at + 1));
    }
    let profiles = aws_file::load(Some(&config), Some("[p10000]\naws_access_key_id = A\naws_secret_access_key = s\n"));
    assert_eq!(resolve(&profiles, "p0", &PlanContext::default()).unwrap().steps.len(), 10_001);
}

#[test]
fn variables_are_read_as_the_sdks_do() {
    let config = "[profile a]\nrole_arn = r\nsource_profile = base\nregion = eu-west-1\nendpoint_url = http://file\n";
    let profiles = aws_file::load(Some(config), Some("[base]\naws_access_key_id = A\naws_secret_access_key = s\n"));
    let plan = |variables: &[(&str, &str)]| {
        let variable =
            |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        let context = PlanContext::from_environment(&variable, chrono::TimeDelta::zero());
        plan_document("a", &resolve(&profiles, "a", &context), &|_| String::new())["steps"][1].clone()
    };
    assert_eq!(plan(&[])["endpoint_url"], "http://file");
    let both = plan(&[
        ("AWS_ENDPOINT_URL", "http://all"),
        ("AWS_ENDPOINT_URL_STS", "http://sts"),
        ("AWS_DEFAULT_REGION", "us-west-1"),
    ]);
    assert_eq!((&both["endpoint_url"], &both["region"]), (&"http://sts".into(), &"us-west-1".into()));
    let ignored = plan(&[
        ("AWS_ENDPOINT_URL_STS", "http://sts"),
        ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true"),
        ("AWS_REGION", "us-east-2"),
        ("AWS_DEFAULT_REGION", "us-west-1"),
    ]);
    assert_eq!((&ignored["endpoint_url"], &ignored["region"]), (&Value::Null, &"us-east-2".into()));
}

proptest! {
    #[test]
    fn a_profile_of_any_graph_has_the_same_plan_alone_and_with_all_others(
        edges in proptest::collection::vec((0..8usize, 0..9usize, 0..5usize), 1..12)
    ) {
        let mut config = String::new();
        for (at, (source, kind, settings)) in edges.iter().enumerate() {
            config.push_str(&format!("[profile p{at}]\n"));
            config.push_str(["", "region = eu-west-1\n", "endpoint_url = http://x\n", "broken\n", "use_fips_endpoint = true\n"][*settings]);
            config.push_str(&match kind {
                0 => format!("role_arn = r\nsource_profile = p{source}\n"),
                1 => format!("credential_process = evercred credential-process p{source}\n"),
                2 => format!("credential_process = evercred credential-process p{at}\nevercred_role_arn = r\nevercred_source_profile = p{source}\n"),
                3 => "aws_access_key_id = A\naws_secret_access_key = s\n".to_owned(),
                4 => format!("role_arn = r\nsource_profile = p{source}\nmfa_serial = m\n"),
                5 => format!("source_profile = p{source}\nmfa_serial = m\n"),
                6 => format!("role_arn = r\nsource_profile = p{source}\naws_access_key_id = A\naws_secret_access_key = s\n"),
                7 => "sso_start_url = https://c.awsapps.com/start\nsso_region = r\nsso_account_id = 1\nsso_role_name = d\n".to_owned(),
                _ => "aws_access_key_id = A\n".to_owned(),
            });
        }
        let profiles = aws_file::load(Some(&config), None);
        for (name, plan) in resolve_all(&profiles, &PlanContext::default()) {
            match (plan, resolve(&profiles, &name, &PlanContext::default())) {
                (Ok(plan), Ok(alone)) => {
                    prop_assert_eq!(plan.keys(), alone.keys(), "{}", &config);
                    let endpoints = |plan: &Plan| -> Vec<_> {
                        plan.steps.backwards().map(|link| link.endpoint().cloned()).collect()
                    };
                    prop_assert_eq!(endpoints(&plan), endpoints(&alone), "{}", &config);
                    prop_assert_eq!((&plan.steps, &plan.endpoint), (&alone.steps, &alone.endpoint), "{}", &config);
                }
                (Err(error), Err(alone)) => prop_assert_eq!(error, alone, "{}", &config),
                (together, alone) => prop_assert!(false, "{together:?} {alone:?} {config}"),
            }
        }
    }
}
