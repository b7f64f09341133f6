//! Very large AWS files: every profile gets its plan or its error, and the work grows with the size of the files alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;

use evercred::core::aws_file;
use evercred::core::clock::Clock;
use evercred::core::doctor::{self, Cause};
use evercred::core::keeper::*;
use evercred::core::plan::*;
use evercred::core::profile::Profiles;
use evercred::core::session::Found;
use evercred::core::settings::Settings;

use crate::doctor_cases::with_files;
use crate::keeper_cases::{Bench, keep_all};

const ROLE: &str = "arn:aws:iam::111122223333:role/R";

fn read(config: &str) -> Profiles {
    aws_file::load(Some(config), Some("[base]\naws_access_key_id = AKIABASE\naws_secret_access_key = s\n"))
}

/// Makes all plans and gives them to a keeper; how many profiles have one, and how many steps all plans have together.
fn plans(config: &str) -> (usize, usize) {
    let profiles = read(config);
    let context = PlanContext::default();
    let plans = resolve_all(&profiles, &context);
    let sso_sessions = resolve_sso_sessions(&profiles, &context);
    let good = plans.values().flatten();
    let counts = (good.clone().count(), good.map(|plan| plan.steps.len()).sum());
    assert!(doctor::lints(&profiles, &context).len() < 100);
    let now = Bench::new().now();
    let mut keeper = Keeper::new(keep_all(), Memory::default(), Clock::new(now, false), 1);
    keeper.handle(Event::Plans { profiles: plans, sso_sessions }, now);
    assert_eq!(keeper.status(now).len(), profiles.profiles.len());
    counts
}

#[test]
fn ten_thousand_profiles_behind_one_key_have_two_steps_each() {
    let mut config = String::new();
    for at in 0..10_000 {
        writeln!(config, "[profile p{at}]\nrole_arn = {ROLE}{at}\nsource_profile = base\nregion = eu-west-1").unwrap();
    }
    assert_eq!(plans(&config), (10_001, 20_001));
    let plans = resolve_all(&read(&config), &PlanContext::default());
    assert_eq!(distinct(plans.values().flatten()), 10_002, "they share the step of the key");
}

#[test]
fn ten_thousand_sso_sessions_with_a_profile_each() {
    let mut config = String::new();
    for at in 0..10_000 {
        let url = format!("https://c{at}.awsapps.com/start");
        writeln!(config, "[sso-session s{at}]\nsso_start_url = {url}\nsso_region = us-east-1").unwrap();
        writeln!(
            config,
            "[profile p{at}]\nsso_session = s{at}\nsso_account_id = 111122223333\nsso_role_name = Dev\nregion = eu-west-1"
        )
        .unwrap();
    }
    assert_eq!(plans(&config).0, 10_001);
}

/// A chain of roles, each the source of the next one.
fn chain(length: usize) -> String {
    let mut config = format!("[profile p0]\nrole_arn = {ROLE}\nsource_profile = base\n");
    for at in 1..length {
        writeln!(config, "[profile p{at}]\nrole_arn = {ROLE}{at}\nsource_profile = p{}", at - 1).unwrap();
    }
    config
}

/// The steps that plans have in memory.
fn distinct<'a>(plans: impl IntoIterator<Item = &'a Plan>) -> usize {
    let mut seen = BTreeSet::new();
    for plan in plans {
        // Before a known step all are known.
        let new = plan.steps.backwards().take_while(|link| seen.insert(Arc::as_ptr(link))).count();
        assert!(new <= plan.steps.len());
    }
    seen.len()
}

#[test]
fn each_profile_of_a_chain_of_four_thousand_is_served_and_adds_one_step() {
    let config = chain(4_000);
    let (profiles, steps) = plans(&config);
    assert_eq!(profiles, 4_001);
    assert_eq!(steps, 1 + 4_000 * 4_003 / 2, "each plan has all steps of its chain");
    let plans = resolve_all(&read(&config), &PlanContext::default());
    // A request for the base itself uses another endpoint than a role based on it.
    assert_eq!(distinct(plans.values().flatten()), 4_002);
    let one = resolve(&read(&config), "p3999", &PlanContext::default()).unwrap();
    assert_eq!((one.steps.len(), &one.steps), (4_001, &plans["p3999"].as_ref().unwrap().steps));
}

#[test]
fn a_chain_of_four_thousand_is_fetched_step_by_step_and_each_event_looks_at_few_of_them() {
    let plans = resolve_all(&read(&chain(4_000)), &PlanContext::default());
    let now = Bench::new().now();
    let settings = KeeperSettings { probe: false, ..keep_all() };
    let mut keeper = Keeper::new(settings, Memory::default(), Clock::new(now, false), 1);
    keeper.handle(Event::Plans { profiles: plans, sso_sessions: BTreeMap::new() }, now);
    // Quadratic work would be eight million look-ups each time.
    for _ in 0..20 {
        keeper.handle_timeout(now);
    }
    let orders = std::iter::from_fn(|| keeper.poll_action()).filter(|action| matches!(action, Action::Mint(_)));
    assert_eq!(orders.count(), 1, "the base comes first");
    assert_eq!(keeper.status(now).iter().filter(|profile| profile.state == State::Renewing).count(), 4_001);
}

#[test]
fn profiles_of_one_chain_that_each_have_another_region_make_no_more_steps_than_memory_has_room_for() {
    let mut config = format!("[profile p0]\nrole_arn = {ROLE}\nsource_profile = base\n");
    for at in 1..1_500 {
        writeln!(config, "[profile p{at}]\nrole_arn = {ROLE}{at}\nsource_profile = p{}\nregion = r{at}", at - 1)
            .unwrap();
    }
    let plans = resolve_all(&read(&config), &PlanContext::default());
    assert!(distinct(plans.values().flatten()) <= 200_000);
    assert!(plans["p1"].is_ok() && plans["p15"].is_ok(), "short chains are served in any case");
    let errors: Vec<&PlanError> = plans.values().filter_map(|plan| plan.as_ref().err()).collect();
    assert!(!errors.is_empty() && errors.iter().all(|error| error.code == PlanErrorCode::ProfileLoop));
    assert!(resolve(&read(&config), "p1499", &PlanContext::default()).is_ok(), "the files are in order");
}

#[test]
fn a_circle_of_thousands_is_a_loop_for_each_of_its_profiles() {
    let mut config = String::new();
    for at in 0..5_000 {
        writeln!(config, "[profile p{at}]\nrole_arn = {ROLE}{at}\nsource_profile = p{}", (at + 1) % 5_000).unwrap();
    }
    assert_eq!(plans(&config).0, 1);
}

#[test]
fn thousands_of_missing_sources_are_errors_of_their_profiles() {
    let mut config = String::new();
    for at in 0..5_000 {
        writeln!(config, "[profile profile{at}]\nrole_arn = {ROLE}{at}\nsource_profile = profiel{at}").unwrap();
    }
    assert_eq!(plans(&config).0, 1);
    let error = resolve(&read(&config), "profile17", &PlanContext::default()).unwrap_err();
    assert!(error.message.contains("did you mean"), "one alone is compared with all: {}", error.message);
}

#[test]
fn thousands_of_broken_headers_beside_thousands_of_missing_sources_are_looked_up_by_name() {
    let mut config = String::new();
    for at in 0..50_000 {
        writeln!(config, "[profile broken{at}\nregion = r").unwrap();
        writeln!(config, "[profile p{at}]\nrole_arn = {ROLE}\nsource_profile = none{at}").unwrap();
        writeln!(config, "[sso-session s{at}]\nsso_region = r").unwrap();
    }
    let profiles = read(&config);
    assert_eq!(resolve_all(&profiles, &PlanContext::default()).values().filter(|plan| plan.is_err()).count(), 50_000);
    let missing = MissingSections::of(&profiles);
    assert_eq!(missing.of_profile("broken77", []).code, PlanErrorCode::UnreadableFile);
    assert_eq!(missing.of_profile("brokes", []).code, PlanErrorCode::MissingProfile);
    assert!(missing.incomplete_session("s49999").is_some());
}

#[test]
fn ten_thousand_profiles_behind_one_long_chain_add_a_step_each() {
    let mut config = chain(1_000);
    for at in 0..10_000 {
        writeln!(config, "[profile leaf{at}]\nrole_arn = {ROLE}leaf{at}\nsource_profile = p999").unwrap();
    }
    let (profiles, _) = plans(&config);
    assert_eq!(profiles, 11_001);
    let plans = resolve_all(&read(&config), &PlanContext::default());
    assert_eq!(distinct(plans.values().flatten()), 2 + 1_000 + 10_000);
}

#[test]
fn thousands_behind_one_mistake_all_have_its_error() {
    let config = chain(5_000).replace("source_profile = base\n", "source_profile = bas\n");
    let plans = resolve_all(&read(&config), &PlanContext::default());
    let errors = plans.values().filter_map(|plan| plan.as_ref().err());
    assert_eq!(errors.filter(|error| error.code == PlanErrorCode::MissingSource).count(), 5_000);
    let torn = chain(5_000).replace("[profile p0]\n", "[profile p0]\nbroken\n").replace("= base\n", "= bas\n");
    let plans = resolve_all(&read(&torn), &PlanContext::default());
    let errors = plans.values().filter_map(|plan| plan.as_ref().err());
    assert_eq!(errors.filter(|error| error.code == PlanErrorCode::UnreadableFile).count(), 5_000);
}

#[test]
fn ten_thousand_cache_files_are_taken_in_without_going_through_all_sessions_for_each() {
    let mut config = String::new();
    for at in 0..10_000 {
        let url = format!("https://c{at}.awsapps.com/start");
        writeln!(config, "[sso-session s{at}]\nsso_start_url = {url}\nsso_region = us-east-1").unwrap();
        writeln!(config, "[profile p{at}]\nsso_session = s{at}\nsso_account_id = 111122223333\nsso_role_name = Dev")
            .unwrap();
    }
    let (profiles, context) = (read(&config), PlanContext::default());
    let now = Bench::new().now();
    let mut keeper = Keeper::new(keep_all(), Memory::default(), Clock::new(now, false), 1);
    let sso_sessions = resolve_sso_sessions(&profiles, &context);
    keeper.handle(Event::Plans { profiles: resolve_all(&profiles, &context), sso_sessions }, now);
    let files = keeper.session_files();
    assert_eq!(files.len(), 10_000);
    for file in &files {
        assert!(keeper.session_of_file(file).is_some());
    }
    let missing = files.into_iter().map(|file| Event::SessionFile { file, found: Found::Missing });
    keeper.handle_all(missing, now);
    let status = keeper.session_status(now);
    assert!(status.iter().all(|session| session.state == State::NeedsLogin && session.profiles == 1));
}

/// How many findings the doctor has, and how many of them are about something that stands twice.
fn findings(config: &str, profile: Option<&str>) -> (usize, usize) {
    let report = doctor::diagnose(&with_files(config, "", profile), &doctor::Answers::default());
    let twice = report.findings.iter().filter(|finding| finding.id == Cause::ProfileDuplicated).count();
    (report.findings.len(), twice)
}

#[test]
fn the_doctor_goes_through_a_section_of_half_a_million_settings_once() {
    let settings: String = (0..500_000).map(|at| format!("key{at} = v\n")).collect();
    let (of_short, none) = findings("[profile a]\nkey = v\n", Some("a"));
    assert_eq!(none, 0);
    assert_eq!(findings(&format!("[profile a]\n{settings}"), Some("a")), (of_short, 0));
}

#[test]
fn the_doctor_goes_through_a_hundred_thousand_sections_once() {
    let sections: String = (0..100_000).map(|at| format!("[profile p{at}]\nregion = eu-west-1\n")).collect();
    let (of_short, none) = findings("[profile p7]\nregion = eu-west-1\n", Some("p7"));
    assert_eq!(none, 0);
    assert_eq!(findings(&sections, Some("p7")), (of_short, 0));
}

#[test]
fn the_doctor_says_each_of_a_hundred_thousand_repeated_sections_once() {
    let sections = |times: usize| (0..times).map(|at| format!("[profile p{}]\n", at % 50_000)).collect::<String>();
    assert_eq!(findings(&sections(100_000), None).1, 50_000);
    assert_eq!(findings(&sections(150_000), None).1, 50_000, "a third one is the same finding");
}

#[test]
fn comments_behind_the_values_of_a_long_chain_are_all_told() {
    let section =
        |at: usize| format!("[profile p{at}]\nsource_profile = p{}\nrole_arn = {ROLE} # a comment {at}\n", at + 1);
    let config: String = (0..10_000).map(section).collect();
    let report = doctor::diagnose(&with_files(&config, "", Some("p0")), &doctor::Answers::default());
    let is_told = |finding: &&doctor::Finding| finding.title.contains("comment after role_arn");
    assert_eq!(report.findings.iter().filter(is_told).count(), 10_000);
}

#[test]
fn twenty_thousand_profiles_of_the_settings_have_the_lines_of_each_of_their_settings() {
    let profile = |at: usize| format!("[[profile]]\nname = \"p{at}\"\nrole_arn = \"r\"\nsource_profile = \"base\"\n");
    let text: String = (0..20_000).map(profile).collect();
    let settings = Settings::parse(&text).unwrap();
    let profiles = settings.over(&Profiles::default()).into_owned();
    assert_eq!(profiles.profiles.len(), 20_000);
    assert_eq!(profiles.profiles["p19999"].get("source_profile").unwrap().origin.line, 80_000);
    let last = settings.list(&text).pop().unwrap();
    assert_eq!((last.key.as_str(), last.line), ("profile[19999].source_profile", Some(80_000)));
}

#[test]
fn thousands_of_mistakes_in_the_settings_are_all_listed() {
    let profiles = "[[profile]]\nname = \"same\"\n".repeat(20_000);
    let variables: String = (0..20_000).map(|at| format!("\"A={at}\" = \"v\"\n")).collect();
    let unknown: String = (0..20_000).map(|at| format!("unknown{at} = 1\n")).collect();
    for (text, mistakes) in [(profiles, 19_999), (format!("[environment]\n{variables}"), 20_000), (unknown, 20_000)] {
        let error = Settings::parse(&text).err().unwrap();
        assert_eq!(error.mistakes().len(), mistakes);
        let first = error.render_first(20, "evercred.toml");
        assert!(first.len() < 16 * 1024 && first.contains(&format!("{} more mistakes", mistakes - 20)));
    }
}
