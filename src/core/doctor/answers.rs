//! What AWS's answers say about the keys themselves.
//!
//! STS answers in codes: InvalidClientTokenId where it does not know the id, or not with this token;
//! SignatureDoesNotMatch where the secret is another; ExpiredToken where a session is over. Which of several causes of one
//! code it is, is told by a second answer to the same keys with one thing changed; never by the order in which AWS might check.

use super::case::OFFLINE;
use super::probe::ClockFacts;
use super::{
    About, Answer, Case, Certainty, Finding, Findings, Id, Refusal, Severity, Subject, Variant, commands, key_shape,
    question, region,
};
use crate::core::access_key;
use crate::core::aws_error;
use crate::core::fix::Fix;
use crate::core::printable::printable;
use crate::core::url_host::{Host, target};

/// What only an answer of AWS settles.
const BY_ANSWER: [Id; 4] =
    [Id::AccessKeyUnknown, Id::SecretKeyWrong, Id::SessionTokenForeign, Id::SessionTokenWithoutMfa];

pub(super) fn look(case: &Case<'_>, findings: &mut Findings) {
    findings.looked_for(&BY_ANSWER);
    for subject in &case.subjects {
        if accepts(case, subject, Variant::Swapped) {
            let seen = "AWS accepts the two the other way round";
            findings.settle(Id::AccessKeyMalformed, &subject.whose, seen);
        }
        let open = case.unanswered(subject);
        if let Some(why) = &open {
            let of_a_token = |id: &Id| matches!(id, Id::SessionTokenForeign | Id::SessionTokenWithoutMfa);
            // Where there is no token, none can be another's.
            let ids = BY_ANSWER.iter().filter(|id| subject.token().is_some() || !of_a_token(id));
            ids.for_each(|id| findings.not_looked_for(*id, why.as_str()));
        }
        match case.answers.as_is(&subject.whose) {
            Some(Answer::Refused(refusal)) if open.is_none() => refused(case, subject, refusal, findings),
            Some(Answer::Accepted { .. }) => accepted(case, subject, findings),
            _ => {}
        }
    }
    network(case, findings);
}

/// Whether AWS can be reached: by the look at its time, and by what was asked about keys.
fn network(case: &Case<'_>, findings: &mut Findings) {
    findings.looked_for(&[Id::NetworkUnreachable]);
    let mut open = case.clock().is_none().then(|| "AWS was not asked".to_owned());
    for (about, answer) in case.answers.iter() {
        match (about, answer) {
            (About::Identity { .. }, Answer::Refused(refusal)) if aws_error::is_unreached_code(&refusal.code) => {
                unreachable(case, refusal, findings);
            }
            (About::Clock, Answer::Clock(ClockFacts { unreached: Some(refusal), .. })) => {
                unreachable(case, refusal, findings);
            }
            (About::Clock | About::Identity { .. }, Answer::Untried { why }) => open = Some(why.clone()),
            _ => {}
        }
    }
    if case.evidence.offline {
        open = Some(OFFLINE.to_owned());
    }
    if let Some(why) = open {
        findings.not_looked_for(Id::NetworkUnreachable, why);
    }
}

/// STS knows the keys. IAM does not know a session of GetSessionToken that was made without an MFA code.
fn accepted(case: &Case<'_>, subject: &Subject<'_>, findings: &mut Findings) {
    let Some(answer) = case.answers.iam(&subject.whose) else {
        // Sessions of roles are not made by GetSessionToken.
        if question::may_be_without_mfa(case, subject) {
            findings.not_looked_for(Id::SessionTokenWithoutMfa, "IAM was not asked");
        }
        return;
    };
    match answer {
        Answer::Refused(refusal) if refusal.code == "InvalidClientTokenId" => {
            let called = subject.called();
            findings.add(
                Finding::new(
                    Id::SessionTokenWithoutMfa,
                    Severity::Warning,
                    format!("the session in {called} was made without an MFA code: STS accepts it, IAM does not"),
                )
                .evidence("STS's GetCallerIdentity accepts the keys and names a user, so they come from GetSessionToken")
                // AWS STS API Reference, GetSessionToken: "You cannot call any IAM API operations unless MFA
                // authentication information is included in the request."
                .evidence(format!("IAM's GetUser answers {}", said(refusal)))
                .fix(Fix::command(
                    "Get a session with the code of the MFA device.",
                    "aws sts get-session-token --serial-number ARN_OF_THE_DEVICE --token-code CODE",
                ))
                .fix(Fix::advice(
                    "Or assume a role (a profile with role_arn and source_profile), whose sessions IAM accepts, or call IAM with the \
                     long-term key.",
                )),
            );
        }
        // IAM checks the session before it returns these.
        Answer::Refused(refusal)
            if matches!(refusal.code.as_str(), "AccessDenied" | "ValidationError" | "NoSuchEntity") => {}
        Answer::Refused(refusal) => {
            let why = if aws_error::is_unreached_code(&refusal.code) {
                format!("IAM gave no answer ({})", refusal.code)
            } else {
                format!("IAM answered {}, which says nothing about the session", refusal.code)
            };
            findings.not_looked_for(Id::SessionTokenWithoutMfa, why);
        }
        Answer::Untried { why } => findings.not_looked_for(Id::SessionTokenWithoutMfa, why.as_str()),
        _ => {}
    }
}

/// AWS refuses the keys themselves.
fn refused(case: &Case<'_>, subject: &Subject<'_>, refusal: &Refusal, findings: &mut Findings) {
    match refusal.code.as_str() {
        "SignatureDoesNotMatch" | "InvalidSignatureException" => wrong_secret(case, subject, refusal, findings),
        "IncompleteSignature" => {
            let by_form = [Id::AccessKeyMalformed, Id::SecretKeyMalformed, Id::SessionTokenMalformed];
            let seen = format!("nothing can be signed with it: {}", said(refusal));
            if by_form.into_iter().any(|id| findings.settle(id, &subject.whose, &seen)) {
                return;
            }
            let title = format!("the access key id in {} has characters that no access key id has", subject.called());
            confirm(subject, Id::AccessKeyMalformed, title, said(refusal), findings);
        }
        // `expiry` deals with these.
        "ExpiredToken" | "ExpiredTokenException" => {}
        _ => unknown(case, subject, refusal, findings),
    }
}

fn wrong_secret(case: &Case<'_>, subject: &Subject<'_>, refusal: &Refusal, findings: &mut Findings) {
    let called = subject.called();
    if accepts(case, subject, Variant::Cleaned) {
        let title = format!("the secret access key in {called} has characters around it that do not belong to it");
        let seen = "AWS accepts it without its quotes, blanks and control characters, and not as it stands";
        confirm(subject, Id::SecretKeyMalformed, title, seen.to_owned(), findings);
        return;
    }
    if findings.settle(Id::SecretKeyMalformed, &subject.whose, &said(refusal)) {
        return;
    }
    let (title, meaning) = if subject.token().is_some() {
        (
            format!("the secret access key in {called} is not that of the session with this access key id"),
            "AWS knows the access key id with this session token: the secret was mistyped, or is another session's",
        )
    } else {
        (
            format!("the secret access key in {called} is not the one that belongs to its access key id"),
            "AWS knows the access key id: the secret was mistyped, cut, or is that of another key",
        )
    };
    findings.add(
        Finding::new(Id::SecretKeyWrong, Severity::Error, title)
            .evidence(asked(case, subject, refusal))
            .evidence(meaning)
            .fixes(key_shape::replacement(subject)),
    );
}

fn unknown(case: &Case<'_>, subject: &Subject<'_>, refusal: &Refusal, findings: &mut Findings) {
    let called = subject.called();
    if accepts(case, subject, Variant::WithoutToken) {
        let title = format!("a session token stands beside a long-term key in {called}, and is not its own");
        let seen = "AWS accepts the key without the session token, and refuses it with the token";
        return confirm(subject, Id::SessionTokenStale, title, seen.to_owned(), findings);
    }
    if accepts(case, subject, Variant::OtherToken) {
        let title = format!("the session token that is sent with the keys in {called} is another session's");
        let finding =
            Finding::new(Id::SessionTokenForeign, Severity::Error, title).evidence(asked(case, subject, refusal));
        let finding = match (subject.session_token, subject.security_token) {
            // The older name is sent where both are there.
            (Some(right), Some(wrong)) => finding
                .evidence(format!("AWS accepts the keys with the token in {}", case.place(&right)))
                .fix(match wrong.origin {
                    None => Fix::command("Take the wrong one out of this shell.", commands::unset(case, &[wrong.name])),
                    Some(origin) => Fix::advice(format!("Delete the line {} at {}.", wrong.name, case.at(origin))),
                }),
            _ => finding.evidence("AWS accepts the keys with the session token that stands elsewhere here"),
        };
        return findings.add(finding.fix(keep_together(case, subject)));
    }
    if accepts(case, subject, Variant::Cleaned) {
        let is_of_id = subject.access_key_id.is_some_and(|id| question::clean_id(id.text) != id.text);
        if !is_of_id && subject.token().is_some() {
            let title = format!("the session token in {called} has characters around it that do not belong to it");
            let seen = "AWS accepts it without its quotes, blanks and control characters, and not as it stands";
            return confirm(subject, Id::SessionTokenMalformed, title, seen.to_owned(), findings);
        }
        let title = format!("the access key id in {called} is not written as AWS gave it");
        let seen = "AWS accepts it in capitals and without quotes, blanks and control characters, and not as it stands";
        return confirm(subject, Id::AccessKeyMalformed, title, seen.to_owned(), findings);
    }
    // `region` deals with it.
    if accepts(case, subject, Variant::HomeRegion) {
        return;
    }
    let why = "AWS does not say whether a key that it does not know is of another partition";
    findings.not_looked_for(Id::PartitionMismatch, why);
    let answered = asked(case, subject, refusal);
    // These are settled by it: an id of that form is nobody's, and a temporary key is refused so without its token.
    let without_token = subject.token().is_none();
    if findings.settle(Id::AccessKeyMalformed, &subject.whose, &answered)
        || (without_token && findings.settle(Id::SessionTokenMissing, &subject.whose, &answered))
    {
        return;
    }
    // These may be behind it, and AWS does not say so.
    let behind = [Id::SessionTokenStale, Id::SessionTokenMalformed, Id::CredentialsExpired];
    let surest = behind.into_iter().filter_map(|id| findings.support(id, &subject.whose, &answered)).min();
    if subject.is_temporary() {
        if surest != Some(Certainty::Confirmed) {
            findings.add(session_unknown(case, subject, answered));
        }
        return;
    }
    // With a token it may be the token alone that AWS does not know.
    let is_of_the_key = without_token
        || matches!(case.answers.variant(&subject.whose, Variant::WithoutToken),
            Some(Answer::Refused(refusal)) if refusal.why_open().is_none());
    let certainty = match (is_of_the_key, surest) {
        (true, _) => Certainty::Confirmed,
        (false, None) => Certainty::Likely,
        (false, Some(_)) => Certainty::Possible,
    };
    findings.add(key_unknown(subject, answered, certainty));
}

fn key_unknown(subject: &Subject<'_>, answered: String, certainty: Certainty) -> Finding {
    let verb = if certainty == Certainty::Confirmed { "does not" } else { "may not" };
    let id = subject.shown_id();
    let shown = if subject.has_aws_id() { format!(" {id}") } else { String::new() };
    let title = format!("AWS {verb} know the access key{shown} in {}", subject.called());
    let mut finding = Finding::new(Id::AccessKeyUnknown, Severity::Error, title)
        .certainty(certainty)
        .evidence(answered)
        .evidence(
            "it was mistyped, deleted or turned off in IAM, made seconds ago, or is of another partition (AWS China, GovCloud): AWS \
             does not say which",
        );
    if let Some(account) = subject.access_key_id.and_then(|id| access_key::account_of(id.text)) {
        finding = finding.evidence(format!(
            "the id is reported to encode its account (AWS does not document it): {account}; look for the key there"
        ));
    }
    if subject.has_aws_id() {
        finding = finding.fix(Fix::command(
            "See, with credentials that may use IAM, whether the key is there and active.",
            format!("aws iam get-access-key-last-used --access-key-id {id}"),
        ));
    }
    finding
        .fix(Fix::advice("A key that was made a few seconds ago works within moments: try once more."))
        .fixes(key_shape::replacement(subject))
}

fn session_unknown(case: &Case<'_>, subject: &Subject<'_>, answered: String) -> Finding {
    Finding::new(
        Id::SessionTokenForeign,
        Severity::Error,
        format!("the session token in {} is not that of its access key", subject.called()),
    )
    .certainty(Certainty::Likely)
    .evidence(answered)
    .evidence(
        "the id is that of a temporary key, and has a token: most often the two come from two different sessions, or the token was \
         cut when it was copied; a session that ended long ago is reported to be answered so too",
    )
    .fix(keep_together(case, subject))
}

fn keep_together(case: &Case<'_>, subject: &Subject<'_>) -> Fix {
    let where_to = match &subject.whose {
        super::Whose::Environment => "export all three in one go".to_owned(),
        super::Whose::Profile(name) => format!("write all three into [{name}] in {}", subject.file(case)),
    };
    Fix::advice(format!(
        "Get new temporary credentials, and {where_to}: access key id, secret access key and session token belong together."
    ))
}

/// A call that could not be made, or was answered by somebody else.
fn unreachable(case: &Case<'_>, refusal: &Refusal, findings: &mut Findings) {
    if let Some(url) = question::endpoint(case, None).url.filter(|url| target(url.trim()).whose() != Host::Aws) {
        // What is no URL is told as that.
        if target(url.trim()).is_http() {
            findings.add(no_answer_elsewhere(case, &url, refusal));
        }
        return;
    }
    let title = match refusal.code.as_str() {
        "Tls" => "no connection to AWS could be trusted",
        "TlsClock" => "AWS's certificate is not valid at the time that this machine's clock shows",
        "InvalidResponse" => "what answers in AWS's place is not AWS",
        _ => "AWS can't be reached from here",
    };
    let fix = match refusal.code.as_str() {
        "Tls" => "Behind a proxy that opens TLS, set AWS_CA_BUNDLE to the file with its certificate.",
        "TlsClock" => "Set this machine's clock right: evercred clock says how.",
        "InvalidResponse" => {
            "Open a web page: the network may want a sign-in first. Else see which proxy is in between."
        }
        _ => "Check the network, and HTTPS_PROXY, HTTP_PROXY and NO_PROXY in this shell.",
    };
    findings.add(
        Finding::new(Id::NetworkUnreachable, Severity::Error, title)
            .evidence(printable(&refusal.to_string()))
            .fix(Fix::advice(fix))
            .fix(Fix::command(
                "See with another program whether it is the network.",
                "curl -sSI https://sts.amazonaws.com",
            )),
    );
}

/// The address is one that a setting names: whether AWS can be reached was not asked.
fn no_answer_elsewhere(case: &Case<'_>, url: &str, refusal: &Refusal) -> Finding {
    let place = region::place_of_endpoint(case, "sts").unwrap_or_else(|| "a setting".to_owned());
    let to = target(url.trim());
    let start = match to.whose() {
        Host::Emulator => "Start the emulator.",
        _ => "See whether the address is right, and the program behind it runs.",
    };
    let finding = Finding::new(
        Id::NetworkUnreachable,
        Severity::Error,
        format!("no AWS service answers at the address in {place}: {}", printable(to.authority)),
    )
    .evidence(printable(&refusal.to_string()))
    .evidence("AWS itself was not asked, as calls don't go there")
    .fix(Fix::advice(start));
    match region::leave_out_endpoint(case, "sts") {
        Some(fix) => finding.fix(fix),
        None => finding,
    }
}

fn accepts(case: &Case<'_>, subject: &Subject<'_>, variant: Variant) -> bool {
    matches!(case.answers.variant(&subject.whose, variant), Some(Answer::Accepted { .. }))
}

/// Adds what AWS said to what was found by form, or finds it.
fn confirm(subject: &Subject<'_>, id: Id, title: String, seen: String, findings: &mut Findings) {
    if !findings.settle(id, &subject.whose, &seen) {
        let finding = Finding::new(id, Severity::Error, title).evidence(seen);
        findings.add(finding.fixes(key_shape::replacement(subject)));
    }
}

/// What was asked of whom, and AWS's answer.
fn asked(case: &Case<'_>, subject: &Subject<'_>, refusal: &Refusal) -> String {
    let endpoint = question::endpoint(case, None);
    let place = endpoint.url.map_or_else(|| format!("STS in {}", endpoint.region), |url| printable(&url));
    format!("{place} answers a signed GetCallerIdentity with the keys in {}: {}", subject.called(), said(refusal))
}

fn said(refusal: &Refusal) -> String {
    refusal.said()
}
