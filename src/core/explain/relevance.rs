//! Whether a place in a text is an error about AWS credentials: some codes and sentences have other meanings elsewhere.

use super::hit::{Hit, around};
use super::pattern::Kind;
use super::reading::letters;
use super::reported::ReportedError;

/// Words that occur only near errors of AWS.
const SIGNS: [&str; 20] = [
    "An error occurred (",
    "smithy",
    "when calling the",
    "api error",
    "operation error",
    "Error Code",
    "request id",
    "RequestId",
    "RequestID",
    "Request ID",
    "Amz-Id",
    "amz-",
    "<Code>",
    "__type",
    "arn:aws",
    "amazonaws",
    "AWS",
    "Aws",
    "aws",
    "$metadata",
];

pub(super) fn counts(text: &str, hit: Hit, hits: &[Hit]) -> bool {
    let near = |reach: usize, test: &dyn Fn(&Hit) -> bool| {
        let from = hits.partition_point(|other| other.at + reach <= hit.at);
        let to = hits.partition_point(|other| other.at < hit.at + reach);
        hits.get(from..to).unwrap_or_default().iter().any(|other| other.at != hit.at && test(other))
    };
    let is_code = |other: &Hit| matches!(other.pattern.kind, Kind::Code | Kind::CommonCode);
    let has_sign = |signs: &[&str]| signs.iter().any(|sign| around(text, hit, 300, 500).contains(sign));
    if is_somebody_elses(text, hit) {
        return false;
    }
    let beside = hit.pattern.beside;
    if !beside.is_empty() && !has_sign(beside) {
        return hit.pattern.kind == Kind::Common && is_all(text, hit);
    }
    match hit.pattern.kind {
        Kind::General => !near(400, &|other| begins(text, hit, *other)),
        Kind::Common if near(600, &is_code) && hit.pattern.means == "MissingAuthenticationTokenException" => false,
        Kind::Code | Kind::Exact => true,
        Kind::CommonCode => {
            text.trim() == hit.pattern.text
                || leads_its_line(text, hit)
                || has_sign(&SIGNS)
                || near(300, &|other| other.pattern.kind == Kind::Message)
        }
        Kind::Common => is_all(text, hit) || is_quoted(text, hit) || has_sign(&SIGNS),
        Kind::Message => !near(600, &|other| {
            is_code(other) || other.pattern.kind == Kind::Message && other.at < hit.at && hit.at - other.at < 300
        }),
    }
}

/// Whether a general sentence is followed by the exact one: "CredentialsProviderError: The SSO session …", "unable to
/// access 'https://git-codecommit…': Could not resolve host".
pub(super) fn begins(text: &str, general: Hit, exact: Hit) -> bool {
    // A console may break the line between the two.
    let is_of_line = |gap: &str| !gap.contains('\n') || gap.chars().all(|c| !c.is_alphanumeric());
    (general.pattern.kind, exact.pattern.kind) == (Kind::General, Kind::Exact)
        && text.get(general.end..exact.at).is_some_and(|gap| gap.len() < 120 && is_of_line(gap))
}

/// A line that begins with a code and a colon: `ExpiredToken: …`, `Error: RequestExpired: …`.
fn leads_its_line(text: &str, hit: Hit) -> bool {
    const CODES: [&str; 5] =
        ["ExpiredToken", "RequestExpired", "AuthFailure", "TokenRefreshRequired", "InvalidIdentityToken"];
    let line = around(text, hit, 40, 0).rsplit('\n').next().unwrap_or_default().to_ascii_lowercase();
    let begins =
        line.is_empty() || ["error: ", "exception: ", "error ", "fatal: "].iter().any(|end| line.ends_with(end));
    let near = around(text, hit, 200, 300).to_ascii_lowercase();
    let is_of_others =
        ["jwt", "oauth", "bearer", "cookie", "graphql", "firebase"].iter().any(|word| near.contains(word));
    CODES.contains(&hit.pattern.text)
        && begins
        && !is_of_others
        && text.get(hit.end..).is_some_and(|after| after.starts_with(": "))
}

/// The text is little more than the sentence, and ends with it.
fn is_all(text: &str, hit: Hit) -> bool {
    const BEFORE: usize = 32;
    let before = text.get(..hit.at).unwrap_or_default().trim_start();
    let after = text.get(hit.end..).unwrap_or_default();
    // A code without other words may be from any service.
    let most = if hit.pattern.text.contains(' ') { BEFORE } else { 0 };
    before.len() <= most && !before.contains('(') && after.chars().all(|c| !c.is_alphanumeric() && c != '(')
}

/// The sentence is a whole value of a JSON document.
fn is_quoted(text: &str, hit: Hit) -> bool {
    text.get(..hit.at).is_some_and(|before| before.ends_with('"'))
        && text.get(hit.end..).is_some_and(|after| after.starts_with('"'))
}

/// Errors of other vendors have AWS's names.
fn is_somebody_elses(text: &str, hit: Hit) -> bool {
    // End users of an app in Cognito: requests go to AWS, but without AWS credentials.
    const OF_USERS: [&str; 8] =
        ["cognito", "password", "username", "logintoken", "refreshtoken", "userpool", "userisdisabled", "userdoesnot"];
    let after = text.get(hit.end..).unwrap_or_default();
    // `AuthFailure.SecretIdNotFound`; AWS's codes that are looked for have no second part.
    let has_second_part = hit.pattern.kind != Kind::General
        && !hit.pattern.text.contains(' ')
        && after.strip_prefix('.').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()))
        // Tencent's codes, which a console may have broken.
        || hit.pattern.text == "AuthFailure" && letters(after, 12).starts_with('.');
    if !["NotAuthorized", "InvalidToken", "AccessDenied"].iter().any(|code| hit.pattern.text.starts_with(code)) {
        return has_second_part;
    }
    // A console may have broken the words, and added blanks and borders.
    let before: String = letters(around(text, hit, 700, 0), 700);
    let before = before.get(before.len().saturating_sub(200)..).unwrap_or_default();
    let from_hit = text.get(hit.at..text.floor_char_boundary(hit.at + 1_500)).unwrap_or_default();
    let near = format!("{before}{}", letters(from_hit, 300)).replace('-', "").to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| near.contains(word));
    let is_of_users = hit.pattern.text.starts_with("NotAuthorized") && has(&OF_USERS);
    // Task tokens of Step Functions are not session tokens.
    let is_of_tasks = hit.pattern.text == "InvalidToken" && near.contains("sendtask");
    let is_of_files = near.contains("java.nio.file") && !near.contains("amazonaws.com");
    has_second_part || is_of_users || is_of_tasks || is_of_files
}

/// Codes that many services have for other errors: they are about credentials only if they come from the services that
/// give credentials.
pub(super) fn is_ours(mention: &ReportedError, text: &str, hit: Hit) -> bool {
    const OF_ANYBODY: [&str; 8] = [
        "ResourceNotFoundException",
        "ForbiddenException",
        "UnauthorizedException",
        "InvalidRequestException",
        "ValidationError",
        "NoSuchEntity",
        "MalformedPolicyDocument",
        "INVALID_REQUEST",
    ];
    // Databases, clusters and load balancers in AWS have their own hosts, which are not AWS APIs.
    const OF_THINGS: [&str; 12] = [
        ".rds.",
        ".elb.",
        ".compute.amazonaws",
        "compute-1.amazonaws",
        ".cache.",
        ".kafka.",
        ".redshift",
        ".docdb.",
        ".neptune.",
        ".es.",
        ".mq.",
        ".eks.",
    ];
    // A console may have broken the host's name.
    let hosts: String =
        around(text, hit, 300, 200).chars().filter(|c| c.is_ascii_alphanumeric() || "-.".contains(*c)).collect();
    let is_of_network = ["Network", "Tls", "TlsClock"].contains(&mention.means);
    if is_of_network && OF_THINGS.iter().any(|thing| hosts.contains(thing)) {
        return false;
    }
    let is_exact = hit.pattern.kind == Kind::Exact;
    if is_exact || !OF_ANYBODY.contains(&mention.means) || text.trim() == hit.pattern.text {
        return true;
    }
    match (&mention.service, &mention.operation) {
        (Some(service), _) => matches!(service.as_str(), "STS" | "SSO" | "SSO OIDC" | "Signin"),
        (None, Some(_)) => false,
        (None, None) => {
            let near = around(text, hit, 300, 500).to_ascii_lowercase();
            let mut words = near.split(|c: char| !c.is_ascii_alphanumeric());
            near.contains("identity center")
                || words.any(|word| ["sso", "oidc", "ssooidc", "signin", "sts", "switchboard"].contains(&word))
        }
    }
}
