//! The next requests to AWS. No request changes anything at AWS. A variant of the keys is sent only where it tells causes
//! apart, and nothing is inferred from the order in which AWS may look at a request.

use zeroize::Zeroizing;

use super::{About, Answer, Answers, Case, Evidence, KeySet, KeySource, Keys, Order, Question, Refusal, Variant};
use super::{region, server};
use crate::core::access_key;
use crate::core::aws_error::{self, OfSigner};
use crate::core::partitions::{home_region, is_opt_in};
use crate::core::plan::{Endpoint, Service};

/// The maximum number of calls for one diagnosis.
const MOST: usize = 16;

/// The next questions, given the answers so far; none if all are answered. `ntp` are the time servers of
/// the settings.
pub fn questions(evidence: &Evidence, answers: &Answers, ntp: &[String]) -> Vec<Question> {
    let case = Case::new(evidence, answers);
    let next = if answers.iter().next().is_none() { first(&case, ntp) } else { follow_ups(&case) };
    let left = MOST.saturating_sub(answers.iter().count());
    next.into_iter().filter(|question| answers.get(&question.about).is_none()).take(left).collect()
}

/// Whether doctor asks STS for the time. A profile that is in no file has nothing that the network could show.
pub(super) fn is_probed(case: &Case<'_>) -> bool {
    !case.evidence.offline && !case.lacks_profile()
}

/// The clock, every set of keys as configured, and the plan of the profile.
fn first(case: &Case<'_>, ntp: &[String]) -> Vec<Question> {
    let offline = !is_probed(case);
    let known = case.evidence.aws_minus_wall.map(|(offset, uncertainty)| (-offset, uncertainty));
    // The time is the same in every region.
    let look_at = (!offline).then(|| endpoint(case, usable_region(case)));
    let ntp = if offline { Vec::new() } else { ntp.to_vec() };
    let mut questions = vec![Question { about: About::Clock, order: Order::Clock { look_at, ntp, known } }];
    if offline {
        questions.extend(sign_in_is_asked(case).then(|| chain(case)).flatten());
        return questions;
    }
    questions.extend(case.subjects.iter().flat_map(|subject| as_they_are(case, subject)));
    questions.extend(chain_is_asked(case).then(|| chain(case)).flatten());
    questions
}

/// The questions about unchanged keys, one for each region.
fn as_they_are(case: &Case<'_>, subject: &KeySet<'_>) -> Vec<Question> {
    let Some(keys) = unmodified(subject).filter(|_| !is_for_another_maker(case, subject)) else { return Vec::new() };
    // AWS would write a secret in the place of the id into its logs.
    if access_key::may_be_secret(&keys.access_key_id) {
        return swapped(case, subject, &keys).into_iter().collect();
    }
    let regions = regions(case).into_iter();
    regions.map(|region| identity(case, &subject.source, Variant::AsIs, Some(region), keys.clone())).collect()
}

/// Keys that don't have AWS's form, where a setting sends some calls to another service and STS's to AWS: they are not
/// sent to AWS.
pub(super) fn is_for_another_maker(case: &Case<'_>, subject: &KeySet<'_>) -> bool {
    !subject.has_aws_id() && endpoint(case, None).url.is_none() && region::calls_elsewhere(case)
}

fn chain(case: &Case<'_>) -> Option<Question> {
    let (profile, offline, run_process) = (case.profile.clone()?, case.evidence.offline, case.evidence.run_process);
    Some(Question { about: About::Chain, order: Order::Chain { profile, offline, run_process } })
}

/// The plan begins with a sign-in, whose token is in a file.
fn sign_in_is_asked(case: &Case<'_>) -> bool {
    let mut steps = case.plan.iter().flatten().flat_map(|plan| &plan.steps);
    steps.any(|step| step.source.session().is_some())
}

/// A plan with more than keys in a file, whose requests can be sent. The daemon's cached credentials don't show what
/// AWS answers now.
fn chain_is_asked(case: &Case<'_>) -> bool {
    let Some(Ok(plan)) = &case.plan else { return false };
    let calls_sts = plan.steps.iter().any(|step| step.source.service() == Some(Service::Sts));
    let cannot_be_sent = calls_sts && region::unusable(case).is_some();
    !plan.is_keys_alone() && !cannot_be_sent
}

/// The questions that the answers so far leave open.
fn follow_ups(case: &Case<'_>) -> Vec<Question> {
    let mut questions = Vec::new();
    for subject in &case.subjects {
        let (Some(keys), Some(answer)) = (unmodified(subject), case.answers.unmodified(&subject.source)) else {
            // Keys that a program printed are known after the first round.
            let is_printed = matches!(subject.source, KeySource::Process(_));
            questions.extend(is_printed.then(|| as_they_are(case, subject)).into_iter().flatten());
            continue;
        };
        match answer {
            Answer::Refused(refusal) => questions.extend(variants(case, subject, &keys, refusal)),
            Answer::Accepted { .. } if may_be_without_mfa(case, subject) => {
                questions.extend(iam(case, subject, keys));
            }
            _ => {}
        }
    }
    questions
}

/// Whether AWS identifies the keys with a session token as a user's: a session of GetSessionToken.
pub(super) fn may_be_without_mfa(case: &Case<'_>, subject: &KeySet<'_>) -> bool {
    matches!(case.answers.unmodified(&subject.source), Some(Answer::Accepted { arn, .. })
        if subject.token().is_some() && is_of_user(arn))
}

/// Whether an ARN is that of an IAM user: `arn:aws:iam::111122223333:user/path/name`.
fn is_of_user(arn: &str) -> bool {
    let mut parts = arn.splitn(6, ':');
    parts.nth(2) == Some("iam") && parts.nth(2).is_some_and(|resource| resource.starts_with("user/"))
}

fn variants(case: &Case<'_>, subject: &KeySet<'_>, keys: &Keys, refusal: &Refusal) -> Vec<Question> {
    if refusal.why_open().is_some() || aws_error::of_signer(&refusal.code) == OfSigner::Expired {
        return Vec::new();
    }
    let mut questions = Vec::new();
    let mut ask = |variant, region, keys| questions.push(identity(case, &subject.source, variant, region, keys));
    let cleaned = cleaned(keys);
    if cleaned != *keys {
        ask(Variant::Cleaned, None, cleaned);
    }
    if keys.session_token.is_some() {
        ask(Variant::WithoutToken, None, Keys { session_token: None, ..keys.clone() });
    }
    if let Some(token) = other_token(case, subject, keys) {
        ask(Variant::OtherToken, None, Keys { session_token: Some(token), ..keys.clone() });
    }
    let region = endpoint(case, None).region;
    if is_opt_in(&region) {
        ask(Variant::HomeRegion, Some(home_region(&region).to_owned()), keys.clone());
    }
    questions
}

/// Id and secret exchanged, if the secret has the form of an id.
fn swapped(case: &Case<'_>, subject: &KeySet<'_>, keys: &Keys) -> Option<Question> {
    let turned = Keys {
        access_key_id: keys.secret_access_key.to_string(),
        secret_access_key: Zeroizing::new(keys.access_key_id.clone()),
        session_token: keys.session_token.clone(),
    };
    let is_good = access_key::is_id(&turned.access_key_id);
    is_good.then(|| identity(case, &subject.source, Variant::Swapped, None, turned))
}

/// IAM, where the calls go to AWS itself or IAM has an endpoint of its own: keys of an emulator are not shown to AWS.
fn iam(case: &Case<'_>, subject: &KeySet<'_>, keys: Keys) -> Option<Question> {
    let sts = endpoint(case, None);
    let url = server::endpoint_of(case, "iam").map(str::to_owned);
    if url.is_none() && sts.url.is_some() {
        return None;
    }
    let endpoint = Endpoint { url, ..sts };
    let about = About::Iam { source: subject.source.clone() };
    Some(Question { about, order: Order::Iam { keys, endpoint } })
}

fn identity(case: &Case<'_>, source: &KeySource, variant: Variant, region: Option<String>, keys: Keys) -> Question {
    let endpoint = endpoint(case, region);
    let about = About::Identity { source: source.clone(), variant, region: endpoint.region.clone() };
    Question { about, order: Order::Identify { keys, endpoint } }
}

/// Where STS is called for the case, or in another region the same way.
pub(super) fn endpoint(case: &Case<'_>, region: Option<String>) -> Endpoint {
    let (evidence, context) = (case.evidence, &case.evidence.context);
    let profiles = &evidence.profiles_of_daemon;
    let section = case.profile.as_ref().and_then(|name| profiles.profiles.get(name));
    let mut endpoint = match section {
        Some(section) => context.sts_endpoint(section, profiles).0,
        None => context.home_endpoint(profiles),
    };
    if let Some(region) = region {
        endpoint.region = region;
    }
    endpoint
}

/// The region for calls if the region in force is invalid: the region that is probably meant, or else the home region
/// of AWS.
fn usable_region(case: &Case<'_>) -> Option<String> {
    region::unusable(case)?;
    Some(region::meant(case).unwrap_or("us-east-1").to_owned())
}

/// The regions in question: the one in force, and another where the clients don't agree. Two at most, and only such as can
/// stand in a host's name.
fn regions(case: &Case<'_>) -> Vec<String> {
    let mut regions = vec![usable_region(case).unwrap_or_else(|| endpoint(case, None).region)];
    let named = &case.evidence.region_named;
    regions.extend(named.clone());
    regions.extend(region::regions_in_force(case));
    let mut seen = Vec::new();
    for region in regions {
        let label = !region.is_empty() && region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if label && !seen.contains(&region) {
            seen.push(region);
        }
    }
    seen.truncate(if named.is_some() { 3 } else { 2 });
    seen
}

/// The keys as botocore would send them; none where half of them is missing.
fn unmodified(subject: &KeySet<'_>) -> Option<Keys> {
    Some(Keys {
        access_key_id: subject.access_key_id?.text.to_owned(),
        secret_access_key: Zeroizing::new(subject.secret_access_key?.text.to_owned()),
        session_token: subject.token().map(|token| Zeroizing::new(token.text.to_owned())),
    })
}

/// A token from another place that may be the right one.
fn other_token(case: &Case<'_>, subject: &KeySet<'_>, keys: &Keys) -> Option<Zeroizing<String>> {
    let sent = keys.session_token.as_ref().map(|token| token.as_str());
    let elsewhere = case.subjects.iter().filter(|other| other.source != subject.source);
    std::iter::once(subject)
        .chain(elsewhere)
        .flat_map(|subject| [subject.session_token, subject.security_token])
        .flatten()
        .map(|token| token.text)
        .find(|token| Some(*token) != sent)
        .map(|token| Zeroizing::new(token.to_owned()))
}

/// Without quotes, blanks, control characters and comments; an id in capital letters.
fn cleaned(keys: &Keys) -> Keys {
    Keys {
        access_key_id: clean_id(&keys.access_key_id),
        secret_access_key: Zeroizing::new(clean(&keys.secret_access_key)),
        session_token: keys.session_token.as_ref().map(|token| Zeroizing::new(clean(token))),
    }
}

/// The same for an id, in capital letters.
pub(super) fn clean_id(text: &str) -> String {
    clean(text).to_ascii_uppercase()
}

fn clean(text: &str) -> String {
    let value = text.split([' ', '\t']).find(|part| !part.is_empty()).unwrap_or_default();
    let quote = |c: char| matches!(c, '"' | '\'' | '`' | '\u{201c}' | '\u{201d}' | '\u{2018}' | '\u{2019}');
    value.trim_matches(quote).chars().filter(|c| c.is_ascii_graphic()).collect()
}
