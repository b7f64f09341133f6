//! Keys by their form alone: what was mistyped, cut, quoted or swapped, and tokens that are missing or left over.

mod values;

use self::values::{Mistake, are_swapped, is_placeholder, key_id_mistake, secret_mistake, token_mistake};

use super::commands::{configure, correct_program, delete};
use super::{Answer, Case, Cause, Certainty, Finding, Findings, KeySet, KeySource, Rule, Severity, SourcedValue};
use super::{region, server};
use crate::core::access_key::is_id;
use crate::core::aws_error::CalledService;
use crate::core::aws_file::KEY_SETTINGS;
use crate::core::fix::Fix;
use crate::core::nearest::nearest;
use crate::core::profile::{Section, Value};
use crate::core::variables;

pub(super) const RULE: Rule = Rule {
    decides: &[
        Cause::AccessKeyMalformed,
        Cause::SecretKeyMalformed,
        Cause::SessionTokenMalformed,
        Cause::SessionTokenMissing,
        Cause::SessionTokenStale,
    ],
    look,
};

fn look(case: &Case<'_>, findings: &mut Findings) {
    for subject in &case.subjects {
        // What AWS accepts is right, whatever it looks like.
        if !matches!(case.answers.unmodified(&subject.source), Some(Answer::Accepted { .. })) {
            forms(case, subject, findings);
            tokens(case, subject, findings);
        }
        two_tokens(case, subject, findings);
    }
}

/// The errors in the form of a set of keys, each with its certainty.
pub(super) fn found(case: &Case<'_>, subject: &KeySet<'_>) -> Vec<(Cause, Certainty)> {
    let mut findings = Findings::default();
    if !matches!(case.answers.unmodified(&subject.source), Some(Answer::Accepted { .. })) {
        forms(case, subject, &mut findings);
        tokens(case, subject, &mut findings);
    }
    findings.found.into_iter().map(|finding| (finding.id, finding.certainty)).collect()
}

fn forms(case: &Case<'_>, subject: &KeySet<'_>, findings: &mut Findings) {
    for (id, name, part, mistake) in mistakes(subject) {
        // Emulators and other makers' services have keys of other forms.
        if !mistake.certain && region::calls_elsewhere(case) && !subject.has_aws_id() {
            continue;
        }
        findings.add(malformed(case, subject, id, name, part, mistake));
    }
}

/// The mistake in the form of each part of a key, with the name of the part.
pub(super) fn mistakes<'a>(subject: &KeySet<'a>) -> Vec<(Cause, &'static str, SourcedValue<'a>, Mistake)> {
    let id = subject.access_key_id.map(|part| part.text);
    let secret = subject.secret_access_key.map(|part| part.text);
    // Without a key beside it no program reads a token.
    let token = subject.token().filter(|_| id.is_some() || secret.is_some());
    let checks = [
        (
            Cause::AccessKeyMalformed,
            "access key id",
            subject.access_key_id,
            subject.access_key_id.and_then(|part| key_id_mistake(part.text, secret)),
        ),
        (
            Cause::SecretKeyMalformed,
            "secret access key",
            subject.secret_access_key,
            subject.secret_access_key.and_then(|part| secret_mistake(part.text, id)),
        ),
        (
            Cause::SessionTokenMalformed,
            "session token",
            token,
            token.and_then(|part| token_mistake(part.text, id, secret)),
        ),
    ];
    let is_swapped = id.zip(secret).is_some_and(|(id, secret)| are_swapped(id, secret));
    let is_repeated =
        |part: &Option<SourcedValue<'_>>| id.is_some_and(is_placeholder) && part.map(|part| part.text) == id;
    checks
        .into_iter()
        // One thing is wrong then.
        .filter(|(id, ..)| !(is_swapped && *id == Cause::SecretKeyMalformed))
        // A program that writes such a placeholder writes it for all values.
        .filter(|(id, _, part, _)| *id == Cause::AccessKeyMalformed || !is_repeated(part))
        .filter_map(|(id, name, part, mistake)| Some((id, name, part?, mistake?)))
        .collect()
}

fn malformed(
    case: &Case<'_>,
    subject: &KeySet<'_>,
    id: Cause,
    name: &str,
    part: SourcedValue<'_>,
    mistake: Mistake,
) -> Finding {
    let (severity, certainty) = match (mistake.certain, id) {
        (true, _) => (Severity::Error, Certainty::Confirmed),
        (false, Cause::SecretKeyMalformed) => (Severity::Error, Certainty::Likely),
        (false, _) => (Severity::Warning, Certainty::Likely),
    };
    let are_swapped = subject
        .access_key_id
        .zip(subject.secret_access_key)
        .filter(|(id, secret)| id.name == part.name && are_swapped(id.text, secret.text));
    let of_program = subject.program().map(|profile| {
        let what = match are_swapped {
            Some(_) => "It prints the secret as AccessKeyId and the id as SecretAccessKey.".to_owned(),
            None => format!("{} must be the value itself, without quotes or other text.", part.name),
        };
        correct_program(case, profile, &what)
    });
    let edit = of_program.unwrap_or_else(|| match (are_swapped, part.origin) {
        (Some((id, secret)), _) => Fix::advice(format!(
            "Exchange the two values, {} and {}. If a program has used them, the secret is in AWS's logs as an id: create a new key then.",
            case.place(&id),
            case.place(&secret)
        )),
        (None, Some(origin)) => {
            let name = part.name;
            Fix::advice(format!(
                "Correct {name} at {}: only the value itself, without quotes or other text.",
                case.at(origin)
            ))
        }
        (None, None) => Fix::advice(format!("Set {} again in this shell: only the value itself.", part.name)),
    });
    Finding::new(id, severity, format!("the {name} in {} {}", subject.label(), mistake.what))
        .about(&subject.source)
        .certainty(certainty)
        .evidence(format!("doctor read {}; it does not show the value, which may be a secret", case.place(&part)))
        .fix(edit)
        .fixes(replacement(case, subject).into_iter().filter(|_| subject.program().is_none()))
}

fn tokens(case: &Case<'_>, subject: &KeySet<'_>, findings: &mut Findings) {
    match token_mismatch(subject) {
        Some(TokenMismatch::Missing { id }) => findings.add(token_missing(case, subject, id)),
        Some(TokenMismatch::LeftOver { id, token }) => findings.add(token_left_over(case, subject, id, token)),
        None => {}
    }
}

/// A key and a token that don't go together, by the form of the id.
pub(super) enum TokenMismatch<'a> {
    /// A temporary key without its token.
    Missing {
        /// The id.
        id: SourcedValue<'a>,
    },
    /// A token beside a long-term key.
    LeftOver {
        /// The id.
        id: SourcedValue<'a>,
        /// The token.
        token: SourcedValue<'a>,
    },
}

impl TokenMismatch<'_> {
    /// The sentence for every report.
    pub(super) fn title(&self, label: &str) -> String {
        match self {
            Self::Missing { .. } => format!("the temporary key in {label} has no session token"),
            Self::LeftOver { .. } => format!("a session token is left over beside the long-term key in {label}"),
        }
    }
}

/// Whether a token is missing or too much.
pub(super) fn token_mismatch<'a>(subject: &KeySet<'a>) -> Option<TokenMismatch<'a>> {
    let id = subject.access_key_id.filter(|id| is_id(id.text))?;
    match (id.text.starts_with("ASIA"), subject.token()) {
        (true, None) => Some(TokenMismatch::Missing { id }),
        (false, Some(token)) => Some(TokenMismatch::LeftOver { id, token }),
        _ => None,
    }
}

/// IAM User Guide, "IAM identifiers": ASIA stands for temporary (STS) access keys, which are used with their session token.
fn token_missing(case: &Case<'_>, subject: &KeySet<'_>, id: SourcedValue<'_>) -> Finding {
    let mut finding = Finding::error(Cause::SessionTokenMissing, TokenMismatch::Missing { id }.title(&subject.label()))
        .about(&subject.source)
        .evidence(format!(
            "{} begins with ASIA, so it is a temporary key, and works only with its session token",
            case.place(&id)
        ));
    let elsewhere = case.subjects.iter().filter(|other| other.source != subject.source).find_map(KeySet::token);
    if let Some(token) = elsewhere {
        finding = finding
            .evidence(format!("{} has a session token, which programs don't use with this key", case.place(&token)));
    }
    if let Some((found, meant)) = near_miss(case, subject) {
        finding = finding.evidence(format!("no SDK reads the name {found}; did you mean {meant}?"));
    }
    let put = match &subject.source {
        KeySource::Environment => {
            Fix::advice("Export AWS_SESSION_TOKEN together with the two others, from the same session.")
        }
        KeySource::Profile(name) => Fix::advice(format!(
            "Write aws_session_token into [{name}] in {}, from the same session as the key.",
            subject.file(case)
        )),
        KeySource::Process(name) => {
            correct_program(case, name, "It must print SessionToken too, from the same session as the key.")
        }
    };
    finding.fix(put).fixes(replacement(case, subject).into_iter().filter(|_| subject.program().is_none()))
}

/// The same place: AKIA stands for long-term keys, which have no token.
fn token_left_over(case: &Case<'_>, subject: &KeySet<'_>, id: SourcedValue<'_>, token: SourcedValue<'_>) -> Finding {
    let remove = match subject.program() {
        Some(profile) => correct_program(case, profile, "It must not print SessionToken with a long-term key."),
        None => delete(case, &token, "the token"),
    };
    Finding::error(Cause::SessionTokenStale, TokenMismatch::LeftOver { id, token }.title(&subject.label()))
        .about(&subject.source)
        .evidence(format!("{} begins with AKIA, so it is a long-term key, which has no session token", case.place(&id)))
        .evidence(format!("programs send {} too, and AWS refuses the key because of it", case.place(&token)))
        .fix(remove)
}

/// botocore prefers the older name (tried with boto3 1.43); every other SDK reads the present one only.
fn two_tokens(case: &Case<'_>, subject: &KeySet<'_>, findings: &mut Findings) {
    // Without a key beside it no program reads a token.
    if subject.access_key_id.is_none() {
        return;
    }
    let is_long_term = subject.access_key_id.is_some_and(|id| id.text.starts_with("AKIA"));
    match (subject.session_token, subject.security_token) {
        (Some(present), Some(older)) if present.text != older.text && !is_long_term => findings.add(
            Finding::error(
                Cause::SessionTokenStale,
                format!("two different session tokens are set with the key in {}", subject.label()),
            )
            .certainty(Certainty::Likely)
            .evidence(format!(
                "boto3 and the AWS CLI send {}, all others {}: one of them is left over from another session",
                case.place(&older),
                case.place(&present)
            ))
            .fix(delete(case, &older, "the older name")),
        ),
        (None, Some(older)) if !is_long_term => findings.add(
            Finding::warning(
                Cause::SessionTokenMissing,
                format!("only boto3 and the AWS CLI find the session token in {}", subject.label()),
            )
            .evidence(format!("the token is in {}, a name that no other SDK reads", case.place(&older)))
            .fix(Fix::advice(format!("Write it under its current name too: {}.", present_name(older)))),
        ),
        _ => {}
    }
}

fn present_name(token: SourcedValue<'_>) -> &'static str {
    if token.origin.is_some() { "aws_session_token" } else { "AWS_SESSION_TOKEN" }
}

/// A setting or variable that is spelt almost as one of those that are read.
pub(super) fn near_miss(case: &Case<'_>, subject: &KeySet<'_>) -> Option<(String, String)> {
    // What tools write for themselves.
    const KNOWN: [&str; 4] =
        ["aws_account_id", "aws_session_expiration", "aws_expiration", "aws_session_token_expiration"];
    match &subject.source {
        KeySource::Profile(name) => {
            let section: &Section = case.evidence.profiles.profiles.get(name)?;
            let unknown = |(key, _): &(&str, &Value)| {
                !KEY_SETTINGS.contains(key) && !KNOWN.contains(key) && !key.starts_with("evercred_")
            };
            let misspelt = section
                .settings
                .iter()
                .filter(unknown)
                .filter_map(|(key, value)| Some((format!("{key} ({})", case.at(value.origin)), meant_by(key)?)));
            let (found, meant): (Vec<String>, Vec<&str>) = misspelt.unzip();
            (!found.is_empty()).then(|| (found.join(", "), meant.join(", ")))
        }
        KeySource::Environment => {
            const NAMES: [&str; 3] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];
            let mut names = case.evidence.variables.iter().map(|(name, _)| name);
            names.find_map(|name| {
                let is_read = variables::KEYS.contains(&name) || name == "AWS_SESSION_EXPIRATION";
                let is_known = is_read || !name.starts_with("AWS_S");
                let meant = NAMES.iter().find(|meant| !is_known && Some(**meant) == nearest(name, NAMES))?;
                Some((name.to_owned(), (*meant).to_owned()))
            })
        }
        KeySource::Process(_) => None,
    }
}

/// The right name of a misspelt setting.
fn meant_by(key: &str) -> Option<&'static str> {
    match key {
        "access_key" | "access_key_id" | "aws_access_key" => Some("aws_access_key_id"),
        "secret_key" | "secret_access_key" | "aws_secret" | "aws_secret_key" => Some("aws_secret_access_key"),
        "session_token" | "aws_token" | "security_token" => Some("aws_session_token"),
        _ => KEY_SETTINGS.into_iter().find(|setting| Some(*setting) == nearest(key, KEY_SETTINGS)),
    }
}

/// The place where the user compares a value with AWS's before replacing it.
pub(super) fn compare(case: &Case<'_>, part: Option<SourcedValue<'_>>, with: &str) -> Vec<Fix> {
    let place = part.map(|part| match part.origin {
        Some(origin) => format!("{} at {}", part.name, case.at(origin)),
        None if part.name.starts_with("AWS_") => format!("the variable {}", part.name),
        None => format!("{} in the program's output", part.name),
    });
    place.map(|place| Fix::advice(format!("Compare {place} with {with}, and correct it there."))).into_iter().collect()
}

/// How to replace a key that can't be corrected, and to delete the old one.
pub(super) fn replacement(case: &Case<'_>, subject: &KeySet<'_>) -> Vec<Fix> {
    if let Some(profile) = subject.program() {
        return vec![correct_program(case, profile, "Run it in a terminal, and follow its instructions.")];
    }
    if subject.is_temporary() {
        return vec![Fix::advice("Get new temporary credentials from the tool that wrote these.")];
    }
    // No key at AWS is replaced or deleted because of another server's answer.
    if let Some(server) = server::other_server(case, CalledService::Sts) {
        return vec![Fix::advice(format!("Or use credentials that the server at {} has issued.", server.url))];
    }
    let install = match &subject.source {
        KeySource::Profile(name) => Fix::command("Replace the key: the command asks for the new one.", configure(name)),
        KeySource::Environment => Fix::advice(
            "Put the new key where AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are set (a shell's start-up file, an .env file, an \
             editor's settings).",
        ),
        KeySource::Process(_) => Fix::advice("Give the new key to the program."),
    };
    let mut fixes = vec![
        Fix::advice(
            "If you can't correct the value, create a new key: in the IAM console under \"Security credentials\", or with `aws iam \
             create-access-key`. AWS shows a secret only once.",
        ),
        install,
    ];
    // Only a real key can be deactivated.
    let is_real_key = subject.has_aws_id() && !subject.access_key_id.is_some_and(|id| values::is_example(id.text));
    if is_real_key {
        let id = subject.shown_id();
        fixes.push(Fix::advice(format!("Then deactivate the old key {id}, and delete it when no program needs it.")));
    }
    fixes
}
