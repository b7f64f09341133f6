//! The doctor's rules on written answers: every case of `tests/data/doctor` without a network, a file or a clock.

use std::collections::{BTreeMap, BTreeSet};

use evercred::core::access_key;
use evercred::core::aws_error;
use evercred::core::aws_file;
use evercred::core::doctor::probe::{ClockFacts, StepAnswer, StepOutcome};
use evercred::core::doctor::{
    self, About, Answer, Answers, Cause, Daemon, Evidence, FileFacts, FileRole, FileState, Group, KeySource, Refusal,
    TerraformBackend, TokenFile, TokenState, Variant, WrittenExpiry,
};
use evercred::core::inputs::{AwsInputs, Reading};
use evercred::core::location::{AwsPaths, PathStyle};
use evercred::core::plan::{self, PlanContext};
use evercred::core::profile::{self, Profiles, SourceFile};
use evercred::core::session::{CacheFile, CacheProblem, SsoToken};
use evercred::core::settings::Settings;
use evercred::core::time::WallTime;
use evercred::core::web_identity::token_expiry;
use proptest::prelude::*;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::doctor_case::{Case, Values, all};

/// 2026-11-25T12:00:00Z.
const NOW_MS: i64 = 1_795_608_000_000;
const UID: u32 = 1_000;
const TERRAFORM: &str = ".terraform/terraform.tfstate";
/// Of a machine that keeps its time.
const CLOCK_IS_RIGHT: &str = "offset 0.0";

#[test]
fn every_case_is_found_out_from_written_answers() {
    let (cases, values) = (all(), values());
    let complaints = cases.iter().flat_map(|case| {
        let document = diagnose(case, &evidence(case, &values)).document();
        case.complaints(&document, &[], &values)
    });
    let complaints: Vec<String> = complaints.collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    assert!(cases.len() >= 60, "{} cases: some are missing", cases.len());
}

#[test]
fn every_id_has_a_case() {
    let found: BTreeSet<String> = all().iter().flat_map(|case| case.expect.found.keys().cloned()).collect();
    let names: BTreeSet<String> = Cause::ALL.iter().map(|id| id.name().to_owned()).collect();
    assert_eq!(names.difference(&found).collect::<Vec<_>>(), Vec::<&String>::new(), "no case finds these");
    assert_eq!(found.difference(&names).collect::<Vec<_>>(), Vec::<&String>::new(), "there are no such ids");
}

#[test]
fn a_healthy_set_up_yields_nothing_and_everything_was_looked_for() {
    let values = values();
    let healthy: Vec<Case> = all().into_iter().filter(|case| case.name().starts_with("healthy")).collect();
    assert!(healthy.len() >= 3);
    for case in healthy.iter().filter(|case| !case.offline) {
        let daemon = Daemon::Answers(Box::default());
        let document = diagnose(case, &Evidence { daemon, ..evidence(case, &values) }).document();
        assert_eq!(document["findings"], Value::Array(Vec::new()), "{}: {document:#}", case.name());
        let checked: Vec<&str> = document["checked"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        let missing: Vec<&Cause> = Cause::ALL.iter().filter(|id| !checked.contains(&id.name())).collect();
        assert!(missing.is_empty(), "{}: {missing:?} {document:#}", case.name());
    }
}

#[test]
fn where_nobody_answers_nothing_counts_as_good_that_only_an_answer_settles() {
    let values = values();
    let unreached = || refusal("Network: the connection was closed");
    for case in all().iter().filter(|case| !case.offline) {
        let evidence = evidence(case, &values);
        let has_keys = |such: fn(&doctor::KeySet<'_>) -> bool| {
            let answers = Answers::default();
            let case = doctor::Case::new(&evidence, &answers);
            let whole = |key: &&doctor::KeySet<'_>| key.access_key_id.is_some() && key.secret_access_key.is_some();
            case.subjects.iter().filter(whole).any(such)
        };
        for is_late in [true, false] {
            let report = answered(&evidence, |about| match about {
                _ if is_late => Answer::Untried { why: "it is late".to_owned() },
                About::Clock => Answer::Clock(ClockFacts { unreached: Some(unreached()), ..ClockFacts::default() }),
                About::Chain => Answer::Chain {
                    steps: vec![StepAnswer {
                        profile: "dev".to_owned(),
                        kind: "static".to_owned(),
                        outcome: StepOutcome::Refused(unreached()),
                        printed: None,
                        stated_account: None,
                        identity: None,
                    }],
                },
                _ => Answer::Refused(unreached()),
            });
            let mut open =
                vec![Cause::NetworkUnreachable, Cause::ClockSkewed, Cause::ClockZone, Cause::ClockUnsynchronised];
            if has_keys(|_| true) {
                open.extend([Cause::AccessKeyUnknown, Cause::SecretKeyWrong, Cause::AccountNotSignedUp]);
            }
            if has_keys(|key| key.token().is_some()) {
                open.extend([Cause::SessionTokenForeign, Cause::SessionTokenWithoutMfa]);
            }
            if has_keys(|key| key.is_temporary()) {
                open.push(Cause::SessionRevoked);
            }
            for id in open {
                let is_found = report.findings.iter().any(|finding| finding.id == id);
                assert!(is_found || report.not_checked.contains_key(&id), "{}: {id} counts as good", case.name());
            }
        }
    }
}

/// What programs are given by a line: a shell's functions in the place of the programs print their arguments.
fn words_of(command: &str) -> Vec<String> {
    let script = format!(
        "show() {{ for word; do printf '%s\\036' \"$word\"; done; }}\naws() {{ show \"$@\"; }}\nevercred() {{ show \"$@\"; }}\n{command}"
    );
    let output = std::process::Command::new("/bin/sh").arg("-c").arg(script).env_clear().output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{command}: {output:?}");
    String::from_utf8(output.stdout).unwrap().split('\u{1e}').map(str::to_owned).collect()
}

#[test]
fn every_command_can_be_pasted_into_a_shell_whatever_the_profile_is_called() {
    let values = values();
    let mut seen = BTreeSet::new();
    for name in ["dev", "-d'e $(v); `w`"] {
        for case in all() {
            let mut evidence = evidence(&case, &values);
            let renamed = |text: String| if name == "dev" { text } else { text.replace("dev", name) };
            let file = |file: &str| case.file(file, &values).map(renamed);
            let (config, credentials) = (file("config"), file("credentials"));
            evidence.profiles = aws_file::load(config.as_deref(), credentials.as_deref());
            evidence.profiles_of_daemon = evidence.profiles.clone();
            evidence.named = case.profile.clone().map(renamed);
            let variables = case.variables(&values).into_iter();
            evidence.variables = variables.map(|(key, value)| (key, renamed(value))).collect();
            let report =
                answered(&evidence, |about| answer(about, case.answers.get(&asked(about)).map(String::as_str), &case));
            let fixes = report.findings.into_iter().flat_map(|finding| finding.fix);
            seen.extend(fixes.filter_map(|fix| Some((name, fix.command?, fix.text))));
        }
    }
    assert!(seen.len() > 60, "{}", seen.len());
    for (name, command, text) in seen {
        let parsed = std::process::Command::new("/bin/sh").args(["-n", "-c", &command]).output().unwrap();
        assert!(parsed.status.success(), "{command}: {parsed:?}");
        // A word in capitals is a placeholder, which the shell does not fill in: the text has to say so.
        let is_placeholder = |word: &str| {
            let is_name = (3..16).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_uppercase());
            is_name && !text.contains(&format!("replace {word}"))
        };
        assert!(!command.split_whitespace().any(is_placeholder), "{command}");
        let is_plain = ["aws ", "evercred "].iter().any(|program| command.starts_with(program));
        if is_plain && command.contains("d'") {
            let words = words_of(&command);
            let is_whole =
                |word: &String| word.strip_prefix("--profile=").unwrap_or(word).trim_end_matches("-fresh") == name;
            assert!(words.iter().any(is_whole), "{command}: {words:?}");
        }
    }
}

proptest! {
    #[test]
    fn no_part_of_a_secret_is_ever_shown_whatever_stands_in_the_files_and_variables(
        id in "(AKIA|ASIA|AIDA|\"|)[A-Za-z0-9/+=\"',%$<>{}\u{a0}]{8,44}",
        secret in "[A-Za-z0-9/+=\"',%$<>{}\u{410}]{12,60}",
        token in proptest::option::of("[A-Za-z0-9/+=\"'. ,%$<>{}]{12,300}"),
        code in "InvalidClientTokenId|SignatureDoesNotMatch|ExpiredToken|IncompleteSignature|AccessDenied|Network",
    ) {
        let values = values();
        let mut evidence = evidence(&Case { profile: Some("dev".to_owned()), ..Case::default() }, &values);
        let token_line = token.as_ref().map_or_else(String::new, |token| format!("aws_session_token = {token}\n"));
        let text = format!("[dev]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n{token_line}");
        evidence.profiles = aws_file::load(Some("[profile dev]\nregion = eu-central-1\n"), Some(&text));
        evidence.profiles_of_daemon = evidence.profiles.clone();
        evidence.credentials_text = Some(Zeroizing::new(text));
        let variables = [("AWS_ACCESS_KEY_ID", Some(&id)), ("AWS_SECRET_ACCESS_KEY", Some(&secret)), ("AWS_SESSION_TOKEN", token.as_ref())];
        evidence.variables =
            variables.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.clone()))).collect();
        let report = answered(&evidence, |about| match about {
            About::Clock => answer(about, None, &Case::default()),
            _ => Answer::Refused(refusal(&format!("{code}: no"))),
        });
        let said = format!("{}{}", report.document(), report.text(true));
        let hidden = Some(&id).filter(|id| access_key::shown(id) == "(not shown)");
        for text in hidden.into_iter().chain([&secret]).chain(token.as_ref()) {
            let letters: Vec<char> = text.chars().collect();
            for run in letters.windows(9).map(|run| run.iter().collect::<String>()) {
                prop_assert!(!said.contains(run.trim()) || run.trim().len() < 9, "{run:?} of {text:?} is in {said}");
            }
        }
    }
}

/// Rounds of questions, each answered by `answer`, until nothing is asked any more.
fn answered(evidence: &Evidence, answer: impl Fn(&About) -> Answer) -> doctor::Report {
    let mut answers = Answers::default();
    loop {
        let questions = doctor::questions(evidence, &answers, &[]);
        if questions.is_empty() {
            return doctor::diagnose(evidence, &answers);
        }
        for question in questions {
            let answer = answer(&question.about);
            answers.add(question.about, answer);
        }
    }
}

/// Rounds of questions and written answers, until nothing is asked any more.
fn diagnose(case: &Case, evidence: &Evidence) -> doctor::Report {
    doctor::diagnose(evidence, &written_answers(case, evidence))
}

fn written_answers(case: &Case, evidence: &Evidence) -> Answers {
    let mut answers = Answers::default();
    let mut unused: BTreeMap<&str, &str> =
        case.answers.iter().map(|(asked, answer)| (asked.as_str(), answer.as_str())).collect();
    for round in 0.. {
        let questions = doctor::questions(evidence, &answers, &[]);
        if questions.is_empty() {
            assert!(unused.is_empty(), "{}: nobody asked {unused:?}", case.name());
            break;
        }
        assert!(round < 5, "{}: the questions don't end", case.name());
        for question in questions {
            let asked = asked(&question.about);
            let written = unused.remove(asked.as_str()).or_else(|| case.answers.get(&asked).map(String::as_str));
            assert!(
                !case.offline || matches!(question.about, About::Clock | About::Chain),
                "{}: asks {asked}",
                case.name()
            );
            let written = written.map(|_| case.answer(&asked, &values()).unwrap());
            let answer = answer(&question.about, written.as_deref(), case);
            answers.add(question.about, answer);
        }
    }
    answers
}

/// What there is to see in a case, and its written answers.
pub(crate) fn case_named(name: &str) -> (Evidence, Answers) {
    let case = all().into_iter().find(|case| case.name() == name).unwrap_or_else(|| panic!("there is no case {name}"));
    let evidence = evidence(&case, &values());
    let answers = written_answers(&case, &evidence);
    (evidence, answers)
}

/// The same for AWS files without a case.
pub(crate) fn files_answered(
    config: &str,
    credentials: &str,
    profile: &str,
    written: &[(&str, &str)],
) -> (Evidence, Answers) {
    let answers = written.iter().map(|(asked, answer)| ((*asked).to_owned(), (*answer).to_owned())).collect();
    let case = Case { answers, folder: "no-such-folder".into(), ..Case::default() };
    let evidence = Evidence { offline: false, ..with_files(config, credentials, Some(profile)) };
    let answers = written_answers(&case, &evidence);
    (evidence, answers)
}

/// How a question is spelt in a case: `identity environment as-is`, with the region where it is another than the first.
fn asked(about: &About) -> String {
    let source = |source: &KeySource| match source {
        KeySource::Environment => "environment".to_owned(),
        KeySource::Profile(name) => name.clone(),
        KeySource::Process(name) => format!("process {name}"),
    };
    match about {
        About::Clock => "clock".to_owned(),
        About::Chain => "chain".to_owned(),
        About::Iam { source: of } => format!("iam {}", source(of)),
        About::Identity { source: of, variant, .. } => {
            let variant = match variant {
                Variant::AsIs => "as-is",
                Variant::WithoutToken => "without-token",
                Variant::OtherToken => "other-token",
                Variant::Cleaned => "cleaned",
                Variant::Swapped => "swapped",
                Variant::HomeRegion => "home-region",
            };
            let of_process = matches!(of, KeySource::Process(_));
            format!("{}{} {variant}", if of_process { "" } else { "identity " }, source(of))
        }
    }
}

/// `ok`, `ok ARN`, `CODE: message`, `offset 3.5`, or steps: `static ok; assume-role AccessDenied: …`.
fn answer(about: &About, written: Option<&str>, case: &Case) -> Answer {
    match about {
        About::Clock => Answer::Clock(clock(written.unwrap_or(CLOCK_IS_RIGHT), case)),
        About::Chain => {
            let steps = written.unwrap_or_default().split("; ").filter(|step| !step.is_empty());
            Answer::Chain { steps: steps.map(|step| self::step(step, case)).collect() }
        }
        _ => match written {
            None => {
                Answer::Refused(refusal("InvalidClientTokenId: The security token included in the request is invalid."))
            }
            Some(text) => match text.strip_prefix("ok") {
                Some(arn) => {
                    let arn = if arn.is_empty() { "arn:aws:iam::111122223333:user/someone" } else { arn.trim() };
                    Answer::Accepted { account_id: "111122223333".to_owned(), arn: arn.to_owned() }
                }
                None => Answer::Refused(refusal(text)),
            },
        },
    }
}

/// `KIND PROFILE OUTCOME`.
fn step(text: &str, case: &Case) -> StepAnswer {
    let mut words = text.splitn(3, ' ');
    let mut word = || words.next().unwrap_or_else(|| panic!("{}: {text:?} is no step", case.name())).to_owned();
    let (kind, profile, outcome) = (word(), word(), word());
    // `prints ID SECRET TOKEN EXPIRATION ACCOUNT`, `-` for no token and no expiration.
    if let Some(printed) = outcome.strip_prefix("prints ") {
        let words: Vec<&str> = printed.split(' ').collect();
        let text =
            |at: usize| words.get(at).filter(|word| **word != "-").map(|word| Zeroizing::new((*word).to_owned()));
        let printed = Some(doctor::Keys {
            access_key_id: words[0].to_owned(),
            secret_access_key: text(1).unwrap(),
            session_token: text(2),
        });
        let given = |at: usize| words.get(at).filter(|word| **word != "-").map(|word| (*word).to_owned());
        let outcome = StepOutcome::Passed { expires_at: given(3), arn: None };
        return StepAnswer { profile, kind, outcome, printed, stated_account: given(4), identity: None };
    }
    // `ok, then CODE: message`: credentials, which GetCallerIdentity refuses.
    let (outcome, identity) = match outcome.split_once(", then ") {
        Some((given, said)) => (given.to_owned(), Some(Answer::Refused(refusal(said)))),
        None => (outcome, None),
    };
    let outcome = match (outcome.strip_prefix("ok"), outcome.strip_prefix("untried ")) {
        (Some(arn), _) => {
            StepOutcome::Passed { expires_at: None, arn: Some(arn.trim().to_owned()).filter(|arn| !arn.is_empty()) }
        }
        (_, Some(why)) => StepOutcome::Untried { why: why.to_owned() },
        _ if outcome.starts_with("not-signed-in") => {
            StepOutcome::NotSignedIn { why: "there is no token".to_owned(), renews: false }
        }
        _ => StepOutcome::Refused(refusal(&outcome)),
    };
    StepAnswer { profile, kind, outcome, printed: None, stated_account: None, identity }
}

fn refusal(text: &str) -> Refusal {
    let (code, message) = text.split_once(": ").unwrap_or((text, ""));
    let fault = aws_error::fault("the call", Some(403), Some(code), Some(message));
    fault.into()
}

/// `offset SECONDS`, `unsynchronised`, `zone`, `unreached CODE: message`, joined by commas.
fn clock(written: &str, case: &Case) -> ClockFacts {
    let mut facts = ClockFacts {
        kernel_synchronised: Some(true),
        keeper: "on Linux, systemd-timesyncd keeps the clock right".to_owned(),
        ..ClockFacts::default()
    };
    for part in written.split(", ") {
        match part.split_once(' ').unwrap_or((part, "")) {
            ("offset", seconds) => {
                facts.offset_seconds = Some(seconds.parse().unwrap());
                facts.uncertainty_seconds = Some(0.6);
                facts.source = Some("the Date of AWS's answer".to_owned());
                facts.fixes =
                    vec![evercred::core::fix::Fix::command("Set the clock.", "sudo timedatectl set-ntp true")];
            }
            ("unsynchronised", _) => {
                facts.kernel_synchronised = Some(false);
                facts.keeper = "on Linux, nothing was found that keeps the clock right".to_owned();
                facts.keeper_fixes = vec![evercred::core::fix::Fix::command(
                    "Turn on systemd-timesyncd.",
                    "sudo timedatectl set-ntp true",
                )];
            }
            ("zone", text) => facts.zone_mistake = Some(text.to_owned()),
            ("unreached", text) => facts.unreached = Some(refusal(text)),
            _ => panic!("{}: {part:?} says nothing about a clock", case.name()),
        }
    }
    facts
}

/// Keys as AWS makes them, and a token; none of them is anybody's.
fn values() -> Values {
    let mut values = Values::default();
    let secret = |letter: &str| format!("s3cr{letter}/MARKED+{}", "aZ4".repeat(9));
    let token = |letter: &str| format!("IQoJb3JpZ2lu{letter}MARKED{}", "x9Y/".repeat(40));
    for (at, who) in ["user", "other", "inactive", "foreign"].into_iter().enumerate() {
        let letter = ["A", "B", "C", "D"][at];
        values.put(who, &format!("AKIAQMARKED{}", letter.repeat(9)), &secret(letter)[..40], None);
    }
    for (at, who) in ["session", "mfa", "role", "expired", "v1", "revoked"].into_iter().enumerate() {
        let letter = ["E", "F", "G", "H", "J", "K"][at];
        values.put(who, &format!("ASIAQMARKED{}", letter.repeat(9)), &secret(letter)[..40], Some(&token(letter)));
    }
    values.0.insert("endpoint".to_owned(), "http://127.0.0.1:4566".to_owned());
    values.0.insert("now".to_owned(), NOW_MS.to_string());
    values
}

/// What there is to see where these are the AWS files.
pub(crate) fn with_files(config: &str, credentials: &str, profile: Option<&str>) -> Evidence {
    let case =
        Case { profile: profile.map(str::to_owned), offline: true, folder: "no-such-folder".into(), ..Case::default() };
    let profiles = aws_file::load(Some(config), Some(credentials));
    Evidence {
        config_text: Some(Zeroizing::new(config.to_owned())),
        credentials_text: Some(Zeroizing::new(credentials.to_owned())),
        profiles_of_daemon: profiles.clone(),
        problems: profiles.problems.clone(),
        profiles,
        ..evidence(&case, &values())
    }
}

fn evidence(case: &Case, values: &Values) -> Evidence {
    let mut variables = case.variables(values);
    variables.entry("HOME".to_owned()).or_insert_with(|| "/home/me".to_owned());
    let variable = |name: &str| variables.get(name).cloned();
    let paths = AwsPaths::resolve(&variable, PathStyle::Unix);
    let mut inputs = AwsInputs::default();
    for (file, name) in [(SourceFile::Config, "config"), (SourceFile::Credentials, "credentials")] {
        let reading = match (case.file(name, values), case.modes.get(name).map(String::as_str)) {
            (Some(_), Some("0000")) => Reading::Unreadable("permission denied".to_owned().into()),
            (Some(text), _) => Reading::Bytes(Zeroizing::new(text.into_bytes())),
            (None, _) => Reading::Missing,
        };
        let _ = inputs.take(file, reading);
    }
    let profiles = inputs.profiles().clone();
    let settings = case.files.get(".config/evercred/evercred.toml").map(String::as_str).unwrap_or_default();
    let profiles_of_daemon = Settings::parse(settings).unwrap().over(&profiles).into_owned();
    let lines = profiles.profiles.values().filter_map(|section| section.get("credential_process"));
    let programs = lines.filter_map(|line| plan::program_of(&line.text)).map(|program| {
        let found = (!program.contains("gone")).then(|| format!("/usr/bin/{program}"));
        (program, found)
    });
    let is_readable = |name: &str| case.modes.get(name).map(String::as_str) != Some("0000");
    let text = |name: &str| case.file(name, values).filter(|_| is_readable(name)).map(Zeroizing::new);
    Evidence {
        named: case.profile.clone(),
        region_named: None,
        files: file_facts(case, paths.as_ref()),
        token_files: token_files(case, &profiles_of_daemon, &variables),
        caches: case.unwritable_cache.iter().map(|session| (session.clone(), cache_of_root())).collect(),
        token_expiries: token_expiries(case, &profiles),
        programs: programs.collect(),
        problems: inputs.problems(),
        config_text: text("config"),
        credentials_text: text("credentials"),
        paths,
        profiles,
        profiles_of_daemon,
        context: PlanContext::from_environment(&variable, chrono::TimeDelta::zero()),
        daemon: Daemon::Silent { why: "the daemon is not running".to_owned(), other_files: false },
        settings_refused: Vec::new(),
        drift: case.drift.clone(),
        evercred: "/usr/bin/evercred".to_owned(),
        terraform: case.files.get(TERRAFORM).and_then(|text| TerraformBackend::read(TERRAFORM, text.as_bytes())),
        has_aws_cli: true,
        has_service_manager: true,
        uid: UID,
        wall: WallTime::from_millis(NOW_MS),
        aws_minus_wall: None,
        not_read: Vec::new(),
        offline: case.offline,
        run_process: case.run_process,
        unusable_ca_bundles: case.ca_bundles.clone(),
        variables: variables.into_iter().collect(),
    }
}

fn cache_of_root() -> CacheProblem {
    CacheProblem {
        path: "/home/me/.aws/sso/cache/x.json".to_owned(),
        directory: "/home/me/.aws/sso/cache".to_owned(),
        why: "the directory /home/me/.aws/sso/cache belongs to uid 0".to_owned(),
        fix: Some("sudo chown -R me /home/me/.aws/sso/cache".to_owned()),
        is_full: false,
        is_tried: false,
        is_not_regular: false,
    }
}

/// The cache files of a case are among its files.
fn token_expiries(case: &Case, profiles: &Profiles) -> BTreeMap<String, WrittenExpiry> {
    let labels =
        profiles.profiles.values().filter_map(|section| section.get("sso_session").or(section.get("sso_start_url")));
    let one = |label: &profile::Value| {
        let name = CacheFile::of_sso(&label.text).name;
        let (path, text) = case.files.iter().find(|(path, _)| path.ends_with(&name))?;
        let text = SsoToken::written_expiry(text)?;
        Some((label.text.clone(), WrittenExpiry { path: format!("/home/me/{path}"), text }))
    };
    labels.filter_map(one).collect()
}

/// The token files of a case stand among its files.
fn token_files(case: &Case, profiles: &Profiles, variables: &BTreeMap<String, String>) -> Vec<TokenFile> {
    let settings = profiles.profiles.values().filter_map(|section| section.get("web_identity_token_file"));
    let named = variables.get("AWS_WEB_IDENTITY_TOKEN_FILE").into_iter().chain(settings.map(|value| &value.text));
    let one = |path: &String| TokenFile {
        path: path.clone(),
        state: match case.files.iter().find(|(name, _)| path.ends_with(name.as_str())) {
            Some((_, token)) => TokenState::There { ends: token_expiry(token) },
            None => TokenState::Unusable("does not exist".to_owned()),
        },
    };
    named.map(one).collect()
}

fn file_facts(case: &Case, paths: Option<&AwsPaths>) -> Vec<FileFacts> {
    let Some(paths) = paths else { return Vec::new() };
    let mode = |name: &str| case.modes.get(name).map_or(0o600, |mode| u32::from_str_radix(mode, 8).unwrap());
    let files =
        [("config", FileRole::Config, &paths.config), ("credentials", FileRole::Credentials, &paths.credentials)];
    let facts = |(name, role, path): (&str, FileRole, &std::path::PathBuf)| FileFacts {
        role,
        path: path.display().to_string(),
        state: match (case.folder.join(name).exists(), mode(name)) {
            (false, _) => FileState::Missing,
            (true, 0) => FileState::Unreadable {
                why: "Permission denied (os error 13)".to_owned(),
                fix: Some("sudo chown \"$(id -un)\" ~/.aws/credentials".to_owned()),
                owner_and_mode: Some((0, 0)),
            },
            (true, mode) => FileState::Present { uid: UID, mode, group: Group::Shared("users".to_owned()) },
        },
        dangling: None,
    };
    files.map(facts).to_vec()
}
