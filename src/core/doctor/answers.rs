//! AWS's answers about the keys themselves.
//!
//! STS answers in codes: InvalidClientTokenId where it does not know the id, or not with this token;
//! SignatureDoesNotMatch where the secret is another; ExpiredToken where a session has expired. A second answer to the same
//! keys with one change tells the causes of one code apart; the order in which AWS might check does not.

use super::{
    Answer, Case, Cause, Certainty, Finding, Findings, KeySet, KeySource, Refusal, Rule, Severity, Variant, commands,
    expiry, key_format, question, region, role, server,
};
use crate::core::access_key;
use crate::core::aws_error::{self, CalledService, OfSigner};
use crate::core::aws_file;
use crate::core::fix::Fix;
use crate::core::printable::printable;
use crate::core::profile::SourceFile;

const WITHOUT_QUOTES: &str =
    "accepts the value without its quotes, blanks and control characters, and refuses it unchanged";
const IN_CAPITALS: &str =
    "accepts the id in capital letters and without quotes, blanks and control characters, and refuses it unchanged";

pub(super) const RULE: Rule = Rule {
    decides: &[
        Cause::AccessKeyUnknown,
        Cause::SecretKeyWrong,
        Cause::SessionTokenForeign,
        Cause::SessionTokenWithoutMfa,
        Cause::SessionTokenStale,
        Cause::AccessKeyMalformed,
        Cause::SecretKeyMalformed,
        Cause::SessionTokenMalformed,
        Cause::AccountNotSignedUp,
        // The first usual causes of other codes.
        Cause::CredentialsExpired,
        Cause::CredentialsMissing,
    ],
    look,
};

fn look(case: &Case<'_>, findings: &mut Findings) {
    for subject in &case.subjects {
        if accepts(case, subject, Variant::Swapped) {
            let seen = format!("{} accepts the two values when they are exchanged", sts(case));
            findings.confirm(Cause::AccessKeyMalformed, &subject.source, seen);
        }
        match case.answers.unmodified(&subject.source) {
            Some(Answer::Refused(refusal)) if refusal.why_open().is_none() => refused(case, subject, refusal, findings),
            Some(Answer::Accepted { .. }) => accepted(case, subject, findings),
            Some(Answer::Refused(refusal)) if refusal.is_usual_for(Cause::AccountNotSignedUp) => {
                let finding = role::not_signed_up().answered_by(case, refusal.operation.service());
                findings.add(finding.evidence(printable(&refusal.to_string())));
            }
            _ => {}
        }
    }
}

/// STS knows the keys. IAM does not know a session of GetSessionToken that was made without an MFA code.
fn accepted(case: &Case<'_>, subject: &KeySet<'_>, findings: &mut Findings) {
    let Some(Answer::Refused(refusal)) = case.answers.iam(&subject.source) else { return };
    if !aws_error::is_unknown_key(&refusal.code) {
        return;
    }
    let label = subject.label();
    findings.add(
                Finding::new(
                    Cause::SessionTokenWithoutMfa,
                    Severity::Warning,
                    format!("the session in {label} was made without an MFA code: STS accepts it, but IAM does not"),
                )
                .answered_by(case, CalledService::Iam)
                .evidence("STS's GetCallerIdentity accepts the keys and names a user, so they come from GetSessionToken")
                // AWS STS API Reference, GetSessionToken: "You cannot call any IAM API operations unless MFA
                // authentication information is included in the request."
                .evidence(format!("IAM's GetUser answers {}", refusal.aws_text()))
                .fix(Fix::advice(
                    "Get a session with the device's ARN and code: aws sts get-session-token --serial-number … --token-code …",
                ))
                .fix(Fix::advice(
                    "Or assume a role (a profile with role_arn and source_profile), whose sessions IAM accepts, or call IAM with the \
                     long-term key.",
                )),
            );
}

fn is_said_expired(refusal: &Refusal, finding: &Finding) -> bool {
    aws_error::of_signer(&refusal.code) == OfSigner::Expired
        && matches!(finding.id, Cause::CredentialsExpired | Cause::SessionRevoked)
}

/// AWS refuses the keys themselves.
fn refused(case: &Case<'_>, subject: &KeySet<'_>, refusal: &Refusal, findings: &mut Findings) {
    match aws_error::of_signer(&refusal.code) {
        OfSigner::WrongSecret => wrong_secret(case, subject, refusal, findings),
        OfSigner::Malformed => {
            let by_form = [Cause::AccessKeyMalformed, Cause::SecretKeyMalformed, Cause::SessionTokenMalformed];
            let seen = format!("doctor can't sign a request with it: {}", refusal.aws_text());
            let known = key_format::found(case, subject);
            if let Some(id) = by_form.into_iter().find(|id| is_in(&known, *id)) {
                return findings.confirm(id, &subject.source, seen);
            }
            let title = format!("the access key id in {} has invalid characters", subject.label());
            confirm(case, subject, Cause::AccessKeyMalformed, title, refusal.aws_text(), findings);
        }
        // `expiry` reports it.
        _ if expiry::found(case, subject).is_some_and(|finding| is_said_expired(refusal, &finding)) => {}
        _ => unknown(case, subject, refusal, findings),
    }
}

fn wrong_secret(case: &Case<'_>, subject: &KeySet<'_>, refusal: &Refusal, findings: &mut Findings) {
    let label = subject.label();
    if accepts(case, subject, Variant::Cleaned) {
        let title = format!("the secret access key in {label} has extra characters around it");
        let seen = format!("{} {WITHOUT_QUOTES}", sts(case));
        return confirm(case, subject, Cause::SecretKeyMalformed, title, seen, findings);
    }
    if is_in(&key_format::found(case, subject), Cause::SecretKeyMalformed) {
        return findings.confirm(Cause::SecretKeyMalformed, &subject.source, refusal.aws_text());
    }
    let (title, meaning) = if subject.token().is_some() {
        (
            format!("the secret access key in {label} belongs to another session than the access key id"),
            "knows the access key id with this session token: the secret was mistyped, or belongs to another session",
        )
    } else {
        (
            format!("the secret access key in {label} does not belong to its access key id"),
            "knows the access key id: the secret was mistyped or cut, or belongs to another key",
        )
    };
    findings.add(
        Finding::new(Cause::SecretKeyWrong, Severity::Error, title)
            .about(&subject.source)
            .answered_by(case, CalledService::Sts)
            .evidence(asked(case, subject, refusal))
            .evidence(format!("{} {meaning}", sts(case)))
            .evidence(where_they_are(case, subject))
            .fixes_first(key_format::compare(
                case,
                subject.secret_access_key,
                &format!("the secret that {} showed for this access key id", sts(case)),
            ))
            .fixes(key_format::replacement(case, subject)),
    );
}

fn unknown(case: &Case<'_>, subject: &KeySet<'_>, refusal: &Refusal, findings: &mut Findings) {
    let label = subject.label();
    if accepts(case, subject, Variant::WithoutToken) {
        let title = format!("a session token that does not belong to the long-term key is set in {label}");
        let seen = format!("{} accepts the key without the session token, and refuses it with the token", sts(case));
        return confirm(case, subject, Cause::SessionTokenStale, title, seen, findings);
    }
    if accepts(case, subject, Variant::OtherToken) {
        let title = format!("the session token for the keys in {label} belongs to another session");
        let finding = Finding::new(Cause::SessionTokenForeign, Severity::Error, title)
            .about(&subject.source)
            .answered_by(case, CalledService::Sts)
            .evidence(asked(case, subject, refusal));
        let finding = match (subject.session_token, subject.security_token) {
            // The older name is sent where both are there.
            (Some(right), Some(wrong)) => finding
                .evidence(format!("{} accepts the keys with the token in {}", sts(case), case.place(&right)))
                .fix(match wrong.origin {
                    None => {
                        Fix::command("Remove the wrong token from this shell.", commands::unset(case, &[wrong.name]))
                    }
                    Some(origin) => Fix::advice(format!("Delete the line {} at {}.", wrong.name, case.at(origin))),
                }),
            _ => finding.evidence(format!("{} accepts the keys with another session token of this machine", sts(case))),
        };
        return findings.add(finding.fix(keep_together(case, subject)));
    }
    if accepts(case, subject, Variant::Cleaned) {
        let is_of_id = subject.access_key_id.is_some_and(|id| question::clean_id(id.text) != id.text);
        if !is_of_id && subject.token().is_some() {
            let title = format!("the session token in {label} has extra characters around it");
            let seen = format!("{} {WITHOUT_QUOTES}", sts(case));
            return confirm(case, subject, Cause::SessionTokenMalformed, title, seen, findings);
        }
        let title = format!("the access key id in {label} is not written as AWS issued it");
        let seen = format!("{} {IN_CAPITALS}", sts(case));
        return confirm(case, subject, Cause::AccessKeyMalformed, title, seen, findings);
    }
    // `region` reports it.
    if accepts(case, subject, Variant::HomeRegion) {
        return;
    }
    let answered = asked(case, subject, refusal);
    // These explain the refusal: no key has an id of that form, and AWS refuses a temporary key without its token, or with a
    // cut one, like this.
    let without_token = subject.token().is_none();
    let mut known = key_format::found(case, subject);
    known.extend(expiry::found(case, subject).map(|finding| (finding.id, finding.certainty)));
    let settled = [
        (Cause::AccessKeyMalformed, true),
        (Cause::SessionTokenMissing, without_token),
        (Cause::SessionTokenMalformed, subject.is_temporary()),
    ];
    if let Some((id, _)) = settled.into_iter().find(|(id, may)| *may && is_in(&known, *id)) {
        return findings.confirm(id, &subject.source, answered);
    }
    // These may be the cause, and AWS does not say so.
    let behind = [Cause::SessionTokenStale, Cause::SessionTokenMalformed, Cause::CredentialsExpired];
    behind.into_iter().for_each(|id| findings.corroborate(id, &subject.source, answered.as_str()));
    if let Some(finding) = by_row(case, subject, refusal) {
        return findings.add(finding.evidence(answered).evidence(where_they_are(case, subject)));
    }
    let surest = known.iter().filter(|(id, _)| behind.contains(id)).map(|(_, certainty)| *certainty).min();
    if subject.is_temporary() {
        if surest != Some(Certainty::Confirmed) {
            findings.add(session_unknown(case, subject, answered));
        }
        return;
    }
    // With a token, AWS may know the key but not the token.
    let is_of_the_key = without_token
        || matches!(case.answers.variant(&subject.source, Variant::WithoutToken),
            Some(Answer::Refused(refusal)) if refusal.why_open().is_none());
    let may_be_the_region = region::why_open(case, Cause::RegionNotEnabled).is_some();
    let certainty = match (is_of_the_key && !may_be_the_region, surest) {
        (true, _) => Certainty::Confirmed,
        (false, None) => Certainty::Likely,
        (false, Some(_)) => Certainty::Possible,
    };
    findings.add(key_unknown(case, subject, answered, certainty));
}

/// The first usual cause of a code that does not say that the key or its token is unknown.
fn by_row(case: &Case<'_>, subject: &KeySet<'_>, refusal: &Refusal) -> Option<Finding> {
    let is_usual = |cause| refusal.is_usual_for(cause);
    if is_usual(Cause::AccessKeyUnknown) || (subject.is_temporary() && is_usual(Cause::SessionTokenForeign)) {
        return None;
    }
    let row = aws_error::lookup(&refusal.code)?;
    let usual = row.usual_causes().iter().map(|(cause, _)| *cause).find(|cause| RULE.decides.contains(cause));
    let cause = usual.unwrap_or(Cause::AccessKeyUnknown);
    let title = format!("{} refuses the keys in {}: {}", sts(case), subject.label(), printable(&refusal.code));
    let finding = Finding::error(cause, title).about(&subject.source).certainty(Certainty::Likely);
    let finding = finding.answered_by(case, CalledService::Sts).evidence(format!("the code means: {}", row.meaning));
    let of_the_key = || key_format::compare(case, subject.access_key_id, "the access key ids in IAM");
    Some(match usual {
        Some(_) => finding.fix(Fix::of_table(row.fix)),
        None => finding.fixes(of_the_key()),
    })
}

fn key_unknown(case: &Case<'_>, subject: &KeySet<'_>, answered: String, certainty: Certainty) -> Finding {
    let verb = if certainty == Certainty::Confirmed { "does not" } else { "may not" };
    let id = subject.shown_id();
    let shown = if subject.has_aws_id() { format!(" {id}") } else { String::new() };
    let title = format!("{} {verb} know the access key{shown} in {}", sts(case), subject.label());
    let mut finding = Finding::new(Cause::AccessKeyUnknown, Severity::Error, title)
        .about(&subject.source)
        .certainty(certainty)
        .answered_by(case, CalledService::Sts)
        .evidence(answered)
        .evidence(
            format!("it was mistyped, deleted or deactivated in IAM, created seconds ago, or belongs to another partition (AWS China, GovCloud); {} does not say which", sts(case)),
        )
        .evidence(where_they_are(case, subject));
    if let Some(other) = unused_key(case, subject) {
        finding = finding.evidence(other);
    }
    if let Some(account) = subject.access_key_id.and_then(|id| access_key::account_of(id.text)) {
        finding = finding.evidence(format!(
            "users report that the id encodes its account (AWS does not document it): look for the key in account {account}"
        ));
    }
    let ids = match server::other_server(case, CalledService::Sts) {
        Some(server) => format!("the access key ids of the server at {}", server.url),
        None => "the access key ids in IAM".to_owned(),
    };
    finding = finding.fixes_first(key_format::compare(case, subject.access_key_id, &ids));
    if subject.has_aws_id() {
        finding = finding.fixes_at_aws([Fix::see(
            "Check whether the key exists and is active (with credentials that may use IAM).",
            format!("aws iam get-access-key-last-used --access-key-id {id}"),
        )]);
    }
    finding
        .fixes_at_aws([Fix::advice("A new key works after a few seconds: try again.")])
        .fixes(key_format::replacement(case, subject))
}

/// The places of a set of keys.
fn where_they_are(case: &Case<'_>, subject: &KeySet<'_>) -> String {
    let parts = [subject.access_key_id, subject.secret_access_key, subject.token()];
    let places: Vec<String> = parts.iter().flatten().map(|part| case.place(part)).collect();
    format!("the keys are {}", places.join(", "))
}

/// Another key of the same profile in the config file: the credentials file takes precedence over it.
fn unused_key(case: &Case<'_>, subject: &KeySet<'_>) -> Option<String> {
    let KeySource::Profile(name) = &subject.source else { return None };
    let used =
        subject.access_key_id.filter(|id| id.origin.is_some_and(|origin| origin.file == SourceFile::Credentials))?;
    let alone = aws_file::load(Some(case.evidence.config_text.as_ref()?.as_str()), None);
    let other = alone.profiles.get(name)?.get("aws_access_key_id").filter(|other| other.text != used.text)?;
    Some(format!(
        "{} has another access key id, which is not used: the credentials file takes precedence",
        case.at(other.origin)
    ))
}

fn session_unknown(case: &Case<'_>, subject: &KeySet<'_>, answered: String) -> Finding {
    Finding::new(
        Cause::SessionTokenForeign,
        Severity::Error,
        format!("the session token in {} does not belong to its access key", subject.label()),
    )
    .about(&subject.source)
    .certainty(Certainty::Likely)
    .answered_by(case, CalledService::Sts)
    .evidence(answered)
    .evidence(
        "the key is temporary and has a token: usually they come from different sessions, or the token was cut when it was copied; users report the same answer for a session that expired long ago",
    )
    .fix(keep_together(case, subject))
}

fn keep_together(case: &Case<'_>, subject: &KeySet<'_>) -> Fix {
    let where_to = match &subject.source {
        KeySource::Environment => "export all three together".to_owned(),
        KeySource::Profile(name) => format!("write all three into [{name}] in {}", subject.file(case)),
        KeySource::Process(name) => {
            let what = "AccessKeyId, SecretAccessKey and SessionToken must belong to the same session.";
            return commands::correct_program(case, name, what);
        }
    };
    Fix::advice(format!(
        "Get new temporary credentials, and {where_to}: access key id, secret access key and session token belong together."
    ))
}

fn accepts(case: &Case<'_>, subject: &KeySet<'_>, variant: Variant) -> bool {
    matches!(case.answers.variant(&subject.source, variant), Some(Answer::Accepted { .. }))
}

/// Adds AWS's answer to the finding about the form, or adds a finding.
fn confirm(case: &Case<'_>, subject: &KeySet<'_>, id: Cause, title: String, seen: String, findings: &mut Findings) {
    if is_in(&key_format::found(case, subject), id) {
        return findings.confirm(id, &subject.source, seen);
    }
    let finding = Finding::new(id, Severity::Error, title).about(&subject.source).answered_by(case, CalledService::Sts);
    let finding = finding.evidence(seen);
    findings.add(finding.fixes(key_format::replacement(case, subject)));
}

/// Whose answers STS's are.
fn sts(case: &Case<'_>) -> String {
    server::speaker(case, CalledService::Sts)
}

fn is_in(known: &[(Cause, Certainty)], id: Cause) -> bool {
    known.iter().any(|(other, _)| *other == id)
}

/// The request, the server, and the answer.
fn asked(case: &Case<'_>, subject: &KeySet<'_>, refusal: &Refusal) -> String {
    let endpoint = question::endpoint(case, None);
    let place = endpoint.url.map_or_else(|| format!("STS in {}", endpoint.region), |url| printable(&url));
    format!("{place} answers a signed GetCallerIdentity with the keys in {}: {}", subject.label(), refusal.aws_text())
}
