//! A cause is ruled out only if doctor checked it for the profile, region, service and role that the text is about.

use evercred::core::doctor::{Cause, Report};
use evercred::core::explain::{Explanation, Likelihood, LocalContext, LookedAt, RankedCause, StepFacts, explain, scan};

/// A profile with a user's key, for which doctor ruled out every cause.
fn with_key() -> LocalContext {
    LocalContext {
        profile: Some("default".to_owned()),
        profiles: vec!["default".to_owned()],
        region: Some("eu-west-1".to_owned()),
        regions: vec!["eu-west-1".to_owned()],
        steps: Some(StepFacts::default()),
        ..LocalContext::default()
    }
}

fn explained(text: &str, here: &LocalContext) -> Explanation {
    explain(&scan(text), &Report { checked: Cause::ALL.to_vec(), ..Report::default() }, here)
}

fn cause(explanation: &Explanation, id: Cause) -> RankedCause {
    let mut causes = explanation.errors[0].causes.iter();
    causes.find(|cause| cause.id == id).cloned().unwrap_or_else(|| panic!("{id}: {explanation:#?}"))
}

fn is_open(text: &str, here: &LocalContext, id: Cause) -> bool {
    let cause = cause(&explained(text, here), id);
    let is_unchecked = cause.evidence.iter().any(|said| said.starts_with("not checked: "));
    assert_eq!(cause.likelihood != Likelihood::RuledOut, is_unchecked, "{text}: {cause:#?}");
    is_unchecked
}

fn answer(code: &str, operation: &str) -> String {
    format!("An error occurred ({code}) when calling the {operation} operation: no")
}

#[test]
fn a_sign_in_is_not_ruled_out_by_a_profile_without_one() {
    let texts = [
        "Error loading SSO Token: The SSO session associated with this profile has expired or is otherwise invalid."
            .to_owned(),
        answer("UnauthorizedException", "GetRoleCredentials"),
        "Error loading SSO Token: Token for corp does not exist".to_owned(),
    ];
    for text in &texts {
        assert!(is_open(text, &with_key(), Cause::SsoLoginNeeded), "{text}");
    }
    let signs_in = StepFacts { signs_in: true, ..StepFacts::default() };
    let here = LocalContext { steps: Some(signs_in), ..with_key() };
    assert!(!is_open(&texts[0], &here, Cause::SsoLoginNeeded));
    assert!(is_open(&answer("ForbiddenException", "GetRoleCredentials"), &with_key(), Cause::SsoRoleDenied));
    // An expired key is one of the checked profile as well.
    assert!(!is_open(&answer("ExpiredToken", "ListBuckets"), &with_key(), Cause::SsoLoginNeeded));
}

#[test]
fn a_web_identity_token_is_not_ruled_out_by_a_profile_without_one() {
    let text = answer("ExpiredTokenException", "AssumeRoleWithWebIdentity");
    assert!(is_open(&text, &with_key(), Cause::CredentialsExpired));
    let steps = StepFacts { has_web_identity: true, ..StepFacts::default() };
    assert!(!is_open(&text, &LocalContext { steps: Some(steps), ..with_key() }, Cause::CredentialsExpired));
}

#[test]
fn a_sign_up_is_ruled_out_only_for_the_service_that_was_called() {
    assert!(is_open(&answer("OptInRequired", "DescribeInstances"), &with_key(), Cause::AccountNotSignedUp));
    assert!(!is_open(&answer("OptInRequired", "AssumeRole"), &with_key(), Cause::AccountNotSignedUp));
}

#[test]
fn a_region_is_ruled_out_only_if_it_is_known() {
    let nameless = LocalContext { region: None, regions: Vec::new(), ..with_key() };
    for (text, here, is_unchecked) in [
        (answer("OptInRequired", "DescribeInstances"), nameless.clone(), true),
        (answer("InvalidClientTokenId", "GetCallerIdentity"), nameless.clone(), true),
        (format!("region eu-west-1: {}", answer("AuthFailure", "DescribeInstances")), nameless, false),
        (answer("AuthFailure", "DescribeInstances"), with_key(), false),
        (format!("region eu-south-1: {}", answer("AuthFailure", "DescribeInstances")), with_key(), true),
    ] {
        assert_eq!(is_open(&text, &here, Cause::RegionNotEnabled), is_unchecked, "{text}");
    }
}

#[test]
fn a_role_is_ruled_out_only_if_the_profile_assumes_it() {
    let text = "An error occurred (ValidationError) when calling the AssumeRole operation: arn:aws:iam::111122223333:role/Admin";
    let with = |role: &str| LocalContext {
        steps: Some(StepFacts {
            roles: vec![format!("arn:aws:iam::111122223333:role/{role}")],
            ..StepFacts::default()
        }),
        ..with_key()
    };
    assert!(is_open(text, &with_key(), Cause::DurationTooLong));
    assert!(is_open(text, &with("Other"), Cause::DurationTooLong));
    assert!(!is_open(text, &with("Admin"), Cause::DurationTooLong));
}

#[test]
fn mfa_is_not_ruled_out_by_a_profile_without_a_device_if_the_trust_policy_may_require_it() {
    let role = "arn:aws:iam::111122223333:role/Admin";
    let text = format!(
        "An error occurred (AccessDenied) when calling the AssumeRole operation: User: arn:aws:iam::111122223333:user/me is not \
         authorized to perform: sts:AssumeRole on resource: {role}"
    );
    let steps = StepFacts { roles: vec![role.to_owned()], ..StepFacts::default() };
    assert!(is_open(&text, &LocalContext { steps: Some(steps), ..with_key() }, Cause::MfaRequired));
}

#[test]
fn a_profile_that_does_not_exist_rules_out_nothing_of_a_profile() {
    let missing = LookedAt { is_missing: true, ..LookedAt::default() };
    let here = LocalContext { looked_at: missing, steps: None, ..with_key() };
    let explanation = explained("Unable to locate credentials", &here);
    for id in [Cause::CredentialsMissing, Cause::ProfileBroken, Cause::SsoLoginNeeded, Cause::CredentialsExpired] {
        assert_ne!(cause(&explanation, id).likelihood, Likelihood::RuledOut, "{id}");
    }
    // It is a fact about the machine.
    assert_eq!(cause(&explanation, Cause::FilePermissions).likelihood, Likelihood::RuledOut);
}

#[test]
fn no_cause_is_ruled_out_that_doctor_did_not_check_or_that_it_found() {
    let texts = [
        answer("InvalidClientTokenId", "GetCallerIdentity"),
        answer("OptInRequired", "AssumeRole"),
        answer("ExpiredToken", "ListBuckets"),
        answer("AccessDenied", "ListBuckets"),
        "Unable to locate credentials".to_owned(),
        "Could not connect to the endpoint URL: \"https://sts.eu-west-1.amazonaws.com/\"".to_owned(),
    ];
    for text in &texts {
        for checked in Cause::ALL {
            let report = Report { checked: vec![*checked], ..Report::default() };
            let explanation = explain(&scan(text), &report, &with_key());
            let ruled_out =
                explanation.errors[0].causes.iter().filter(|cause| cause.likelihood == Likelihood::RuledOut);
            assert!(ruled_out.clone().all(|cause| cause.id == *checked), "{text}: {explanation:#?}");
        }
        let mut not_checked = Report { checked: Cause::ALL.to_vec(), ..Report::default() };
        not_checked.not_checked = Cause::ALL.iter().map(|id| (*id, "of a reason".to_owned())).collect();
        let causes = &explain(&scan(text), &not_checked, &with_key()).errors[0].causes;
        assert!(causes.iter().all(|cause| cause.likelihood != Likelihood::RuledOut), "{text}: {causes:#?}");
    }
}
