//! What this machine has decides the order of the causes: those found here come first, and none is confirmed that was
//! checked and not found.

use std::collections::BTreeSet;

use evercred::core::doctor::{Cause, Finding, Report, Severity};
use evercred::core::explain::{
    Explanation, Likelihood, LocalContext, LookedAt, RankedCause, Scanner, explain, profile_of, render, scan,
};
use evercred::core::fix::Fix;
use evercred::core::profile::Profiles;
use evercred::core::{aws_error, aws_file};

const NO_CREDENTIALS: &str =
    "Unable to locate credentials. You can configure credentials by running \"aws configure\".";
const UNPARSABLE: &str = "Unable to parse config file: /home/me/.aws/config";
const EXPIRED: &str =
    "An error occurred (ExpiredToken) when calling the ListBuckets operation: The provided token has expired.";

/// A shell without variables, whose AWS files have these profiles.
fn shell(profiles: &[&str]) -> LocalContext {
    LocalContext {
        profile: Some("default".to_owned()),
        profiles: profiles.iter().map(|name| (*name).to_owned()).collect(),
        set_variables: Some(BTreeSet::new()),
        ..LocalContext::default()
    }
}

fn without_default(profiles: &[&str]) -> LocalContext {
    LocalContext { looked_at: LookedAt { is_missing: true, ..LookedAt::default() }, ..shell(profiles) }
}

fn all_checked(findings: Vec<Finding>) -> Report {
    Report { checked: Cause::ALL.to_vec(), findings, ..Report::default() }
}

fn cause(explanation: &Explanation, id: Cause) -> RankedCause {
    let mut causes = explanation.errors[0].causes.iter();
    causes.find(|cause| cause.id == id).cloned().unwrap_or_else(|| panic!("{id}: {explanation:#?}"))
}

#[test]
fn a_duplicate_that_the_doctor_found_is_the_cause_of_a_file_that_the_aws_cli_cannot_parse() {
    let duplicate = Finding::new(Cause::ProfileDuplicated, Severity::Error, "[profile dev] is set twice");
    let explanation = explain(&scan(UNPARSABLE), &all_checked(vec![duplicate]), &shell(&["default"]));
    let first = &explanation.errors[0].causes[0];
    assert_eq!((first.id, first.likelihood), (Cause::ProfileDuplicated, Likelihood::Confirmed));
    assert_eq!(cause(&explanation, Cause::ProfileBroken).likelihood, Likelihood::RuledOut);
}

#[test]
fn no_cause_is_confirmed_that_was_checked_and_not_found() {
    let codes = aws_error::entries()
        .map(|entry| format!("An error occurred ({}) when calling the AssumeRole operation: no", entry.code));
    for text in codes.chain([UNPARSABLE.to_owned(), NO_CREDENTIALS.to_owned()]) {
        for error in explain(&scan(&text), &all_checked(Vec::new()), &shell(&["default"])).errors {
            let is_confirmed = |cause: &RankedCause| cause.likelihood == Likelihood::Confirmed;
            assert!(!error.causes.iter().any(is_confirmed), "{text}: {:#?}", error.causes);
        }
    }
}

#[test]
fn a_missing_profile_is_named_first_and_no_fix_is_for_it() {
    let unrelated = Finding::new(Cause::SsoLoginNeeded, Severity::Error, "you have to sign in to session \"corp\"")
        .fix(Fix::command("Sign in.", "evercred login corp"));
    let report = Report { findings: vec![unrelated], ..Report::default() };
    let here = without_default(&["admin", "dev"]);
    let explanation = explain(&scan(NO_CREDENTIALS), &report, &here);
    assert!(cause(&explanation, Cause::SsoLoginNeeded).likelihood >= Likelihood::Possible, "{explanation:#?}");
    let screen = render(&explanation, true);
    assert!(
        screen.starts_with("checked profile default, which does not exist; there are: admin, dev\nfix: "),
        "{screen}"
    );
    assert!(screen.contains("--profile NAME TEXT"), "no profile is more similar than another: {screen}");
    for text in [NO_CREDENTIALS, UNPARSABLE, EXPIRED] {
        for cause in &explain(&scan(text), &Report::default(), &here).errors[0].causes {
            let is_of_default = |fix: &Fix| fix.command.as_ref().is_some_and(|command| command.ends_with(" default"));
            assert!(!cause.fix.iter().any(is_of_default), "{cause:#?}");
        }
    }
}

#[test]
fn a_missing_source_profile_is_the_fault_of_the_profile_that_refers_to_it() {
    let text = "The source_profile \"bse\" referenced in the profile \"nosource\" does not exist.";
    let mentions = scan(text);
    assert_eq!(profile_of(&mentions, &Profiles::default()).unwrap().name, "nosource");
    let explanation = explain(&mentions, &Report::default(), &shell(&["base", "nosource"]));
    let broken = cause(&explanation, Cause::ProfileBroken);
    assert_eq!(broken.likelihood, Likelihood::Confirmed);
    assert!(broken.evidence.join(" ").contains("did you mean \"base\""), "{broken:#?}");
}

#[test]
fn variables_that_are_not_set_shadow_nothing_and_are_not_unset() {
    let invalid = "An error occurred (InvalidClientTokenId) when calling the GetCallerIdentity operation: The security token \
                   included in the request is invalid.";
    let explanation = explain(&scan(invalid), &Report::default(), &without_default(&["dev"]));
    let shadows = cause(&explanation, Cause::EnvironmentShadowsProfile);
    assert_eq!((shadows.likelihood, shadows.fix.len()), (Likelihood::RuledOut, 0));
    assert!(cause(&explanation, Cause::SessionTokenStale).fix[0].command.is_none(), "{explanation:#?}");
    let set = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"].map(str::to_owned).into();
    let here = LocalContext { set_variables: Some(set), ..shell(&["default"]) };
    let explanation = explain(&scan(invalid), &Report::default(), &here);
    let shadows = cause(&explanation, Cause::EnvironmentShadowsProfile);
    assert_eq!(shadows.likelihood, Likelihood::Likely);
    assert_eq!(shadows.fix[0].command.as_deref(), Some("unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY"));
}

#[test]
fn a_restart_is_no_fix_if_the_keys_in_the_file_have_expired() {
    let findings = vec![
        Finding::new(Cause::ConsumerCannotReload, Severity::Info, "temporary keys are in profile \"default\""),
        Finding::new(Cause::CredentialsExpired, Severity::Error, "the temporary credentials have expired"),
    ];
    let explanation = explain(&scan(EXPIRED), &all_checked(findings.clone()), &shell(&["default"]));
    let first = &explanation.errors[0].causes[0];
    assert_eq!((first.id, first.likelihood), (Cause::CredentialsExpired, Likelihood::Confirmed));
    let restart = cause(&explanation, Cause::ConsumerCannotReload);
    assert_eq!((restart.likelihood, restart.fix.len()), (Likelihood::RuledOut, 0));
    // The file has newer keys than the program.
    let explanation = explain(&scan(EXPIRED), &all_checked(findings[..1].to_vec()), &shell(&["default"]));
    assert_eq!(explanation.errors[0].causes[0].id, Cause::ConsumerCannotReload);
}

const FILES: &str = "[profile app]\ncredential_process = /usr/bin/nosuch --quiet\n\
                     [profile web]\nweb_identity_token_file = /var/run/web identity\n\
                     [profile bare]\ncredential_process = nosuch-tool print\n";

#[test]
fn a_missing_file_is_an_error_of_aws_only_if_it_is_a_file_of_a_profile() {
    let profiles = aws_file::load(Some(FILES), None);
    let found = |text: &str| {
        let mut scanner = Scanner::default();
        scanner.feed(text.as_bytes());
        let file = scanner.missing_file()?.reported(&profiles)?;
        assert!(scan(text).is_empty(), "without the AWS files it is another program's error: {text}");
        Some((file.means, file.profile.unwrap()))
    };
    let program = Some(("ProcessNotFound", "app".to_owned()));
    for text in [
        "[Errno 2] No such file or directory: '/usr/bin/nosuch'",
        "FileNotFoundError: [Errno 2] No such file or directory: '/usr/\nbin/nosuch'\n",
        "Error: spawn /usr/bin/nosuch ENOENT",
        "fork/exec /usr/bin/nosuch: no such file or directory",
        "/bin/sh: line 1: /usr/bin/nosuch: No such file or directory",
    ] {
        assert_eq!(found(text), program, "{text}");
    }
    for text in [
        "[Errno 2] No such file or directory: '/var/run/web identity'",
        "Error: ENOENT: no such file or directory, open '/var/run/web identity'",
        "open /var/run/web identity: no such file or directory",
    ] {
        assert_eq!(found(text), Some(("TokenFile", "web".to_owned())), "{text}");
    }
    let bare = "[Errno 2] No such file or directory: 'nosuch-tool'";
    assert_eq!(found(bare), Some(("ProcessNotFound", "bare".to_owned())));
    for text in [
        "[Errno 2] No such file or directory: '/usr/bin/nosuch2'",
        "[Errno 2] No such file or directory: '/opt/usr/bin/nosuch'",
        "[Errno 2] No such file or directory: 'nosuch'",
        "bash: nosuch-tool: No such file or directory",
        "/usr/bin/nosuch: permission denied",
    ] {
        assert_eq!(found(text), None, "{text}");
    }
}

#[test]
fn a_code_in_other_letters_is_the_same_code() {
    for text in
        ["InvalidClientTokenID: The security token is invalid", "error INVALIDCLIENTTOKENID", "invalidClientTokenID"]
    {
        let means: Vec<&str> = scan(text).iter().map(|mention| mention.means).collect();
        assert_eq!(means, ["InvalidClientTokenId"], "{text}");
    }
}
