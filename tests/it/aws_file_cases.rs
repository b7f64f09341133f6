//! The SDKs' own cases for the shared files, as the crate aws-runtime ships them.

use std::path::PathBuf;
use std::process::Command;

use evercred::core::aws_file;
use evercred::core::location::{AwsPaths, PathStyle};
use evercred::core::profile::Section;
use serde_json::{Map, Value, json};

#[test]
fn all_65_parser_cases_of_the_sdks_pass() {
    let cases = cases("profile-parser-tests.json");
    assert_eq!(cases.len(), 65, "the crate ships another number of cases: look at what is new");
    for case in cases {
        let name = &case["name"];
        let profiles = aws_file::load(case["input"]["configFile"].as_str(), case["input"]["credentialsFile"].as_str());
        let fatal = profiles.problems.iter().find(|problem| problem.fatal);
        let output = &case["output"];
        if let Some(wanted) = output["errorContaining"].as_str() {
            let said = fatal.is_some_and(|problem| problem.message.contains(wanted) && problem.origin.line > 0);
            assert!(said, "{name}: {fatal:?}");
            continue;
        }
        // botocore refuses the whole file for a section or a setting that stands twice.
        let is_twice =
            name.as_str().is_some_and(|name| name.starts_with("Duplicate") || name.contains("mixed prefixes"));
        assert!(fatal.is_none() || is_twice, "{name}: {fatal:?}");
        let sections = |map: &std::collections::BTreeMap<String, std::sync::Arc<Section>>| -> Value {
            let plain = |section: &Section| -> Value {
                section
                    .settings
                    .iter()
                    .map(|(key, value)| (key.to_owned(), json!(value.text)))
                    .collect::<Map<_, _>>()
                    .into()
            };
            map.iter().map(|(name, section)| (name.clone(), plain(section))).collect::<Map<_, _>>().into()
        };
        assert_eq!(sections(&profiles.profiles), output["config"]["profiles"], "{name}");
        if let Some(wanted) = output["config"].get("sso_sessions") {
            assert_eq!(&sections(&profiles.sso_sessions), wanted, "{name}");
        }
    }
}

#[test]
fn all_9_location_cases_of_the_sdks_pass() {
    let cases = cases("file-location-tests.json");
    assert_eq!(cases.len(), 9, "the crate ships another number of cases: look at what is new");
    for case in cases {
        let style = if case["platform"] == "windows" { PathStyle::Windows } else { PathStyle::Unix };
        let variable = |name: &str| case["environment"][name].as_str().map(str::to_owned);
        let paths = AwsPaths::resolve(&variable, style).unwrap_or_else(|| panic!("{}: no paths", case["name"]));
        assert_eq!(paths.config.to_str(), case["configLocation"].as_str(), "{}", case["name"]);
        assert_eq!(paths.credentials.to_str(), case["credentialsLocation"].as_str(), "{}", case["name"]);
    }
}

/// The cases of one file in aws-runtime's source, wherever cargo keeps it.
pub(crate) fn cases(file: &str) -> Vec<Value> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    // Of this platform only: what other platforms need has not been downloaded.
    let host = Command::new("rustc").arg("-vV").output().expect("rustc runs");
    let host = String::from_utf8(host.stdout).unwrap();
    let host = host.lines().find_map(|line| line.strip_prefix("host: ")).expect("rustc names its host");
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--offline", "--all-features", "--filter-platform", host])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo metadata runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let package = metadata["packages"].as_array().unwrap().iter().find(|package| package["name"] == "aws-runtime");
    let manifest = PathBuf::from(package.expect("aws-runtime is in the graph")["manifest_path"].as_str().unwrap());
    let text = std::fs::read_to_string(manifest.parent().unwrap().join("test-data").join(file)).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    document["tests"].as_array().unwrap().clone()
}
