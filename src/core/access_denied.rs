//! What AWS says when it denies or rejects a request: who asked for what, which kinds of policies its text rules in or out, and which
//! value it does not accept.

/// A text of AWS's, taken apart. The fields are pieces of that text, not trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Denied {
    /// Who asked: an ARN.
    pub principal: Option<String>,
    /// What for: `sts:AssumeRole`.
    pub action: Option<String>,
    /// On what: an ARN, or as IAM names its own things: `user me`, `policy path /`.
    pub resource: Option<String>,
    /// What AWS says about why.
    pub because: Because,
    /// What AWS says about the MFA code.
    pub mfa: Option<Mfa>,
}

/// The failure of a request with an MFA code (github.com/aws/aws-cli/issues/6325, github.com/y13i/sgviz/issues/9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mfa {
    /// The code or the serial number was missing.
    Missing,
    /// The code is wrong, or the device is not one of this user's.
    NotValidated,
    /// The code is wrong.
    Wrong,
    /// The text gives no details.
    Failed,
}

/// The sentences about MFA codes. The last one begins all of them.
const MFA: [(&str, Mfa); 4] = [
    ("must provide both MFA serial number and one time pass code", Mfa::Missing),
    ("unable to validate MFA code", Mfa::NotValidated),
    ("invalid MFA one time pass code", Mfa::Wrong),
    ("MultiFactorAuthentication failed", Mfa::Failed),
];

/// Which policies decided, as far as AWS says it. The phrases are those of IAM's guide ("Troubleshoot access denied error
/// messages"); AWS adds them for most services when caller and resource are of one account, and else says nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Because {
    /// The text does not say.
    #[default]
    Unsaid,
    /// "because no … policy allows the … action": a permission is missing.
    NothingAllows(Policy),
    /// "with an explicit deny in a …": somebody forbids it, whatever else allows it.
    Forbidden(Policy),
    /// "MultiFactorAuthentication failed with invalid MFA one time pass code".
    WrongCode,
    /// "Roles may not be assumed by root accounts".
    Root,
    /// "Cannot call GetSessionToken with session credentials" and its like.
    SessionCredentials,
}

/// A kind of policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Of the user or role that asks.
    Identity,
    /// Of what is asked for: for a role its trust policy.
    Resource,
    /// The permissions boundary of who asks.
    Boundary,
    /// Of the session itself.
    Session,
    /// Of the organisation: a service control policy.
    ServiceControl,
    /// Of the organisation: a resource control policy.
    ResourceControl,
    /// Of a VPC endpoint on the way.
    Endpoint,
}

impl Policy {
    const PHRASES: [(&str, Self); 8] = [
        ("service control policy", Self::ServiceControl),
        ("resource control policy", Self::ResourceControl),
        ("permissions boundary", Self::Boundary),
        ("session policy", Self::Session),
        ("VPC endpoint policy", Self::Endpoint),
        ("identity-based policy", Self::Identity),
        ("resource-based policy", Self::Resource),
        ("role trust policy", Self::Resource),
    ];

    /// The policy, in a sentence.
    pub fn label(self) -> &'static str {
        match self {
            Self::Identity => "an identity-based policy of the caller",
            Self::Resource => "the resource-based policy (of a role: its trust policy)",
            Self::Boundary => "the permissions boundary of the caller",
            Self::Session => "the session policy",
            Self::ServiceControl => "a service control policy of the organisation",
            Self::ResourceControl => "a resource control policy of the organisation",
            Self::Endpoint => "the policy of the VPC endpoint that the request uses",
        }
    }

    /// The statement that it lacks the permission.
    pub fn does_not_allow(self) -> String {
        match self {
            Self::Identity => "no identity-based policy of the caller allows it".to_owned(),
            _ => format!("{} does not allow it", self.label()),
        }
    }
}

/// Takes a text of AWS's apart.
pub fn read(text: &str) -> Denied {
    let (principal, rest) = match text.split_once("User: ") {
        Some((_, rest)) => (word(rest), rest),
        None => (None, text),
    };
    let action = after(rest, "is not authorized to perform: ").or_else(|| after(rest, "Not authorized to perform "));
    let resource = rest.split_once("on resource: ").and_then(|(_, rest)| resource(rest));
    let mfa = MFA.iter().find(|(phrase, _)| text.contains(phrase)).map(|(_, mfa)| *mfa);
    Denied { principal, action, resource, because: if mfa.is_some() { Because::WrongCode } else { because(text) }, mfa }
}

/// The part of a request that AWS does not accept, as far as its text says it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rejected {
    /// The text does not say.
    #[default]
    Unsaid,
    /// The time of the signature: "Signature expired: … is now earlier than …".
    SignatureTime,
    /// The time of the request.
    Timestamp,
    /// `duration_seconds` is below AWS's minimum: "Member must have value greater than or equal to 900".
    ShortSession,
    /// `duration_seconds` is above the maximum of the role or of AWS: "The requested DurationSeconds exceeds …".
    LongSession,
    /// The ARN of the role has another form.
    RoleArn,
    /// The access key id is empty.
    NoKeyId,
    /// The session token has expired.
    ExpiredToken,
    /// The web identity token has expired: "Token expired: current date/time …".
    ExpiredIdentityToken,
    /// The region of the bucket differs from that of the signature.
    BucketRegion,
    /// The region of the signature is not the endpoint's.
    SignedRegion,
    /// The service of the signature is not the endpoint's.
    SignedService,
    /// The issuer of a web identity token: "No OpenIDConnect provider found in your account for …".
    Issuer,
    /// The audience of a web identity token: "Incorrect token audience".
    Audience,
}

/// The phrases of AWS's messages, the first match counts; all phrases of a row must occur. Each is in a case under
/// `tests/data/explain`, with its source.
const REJECTED: [(&[&str], Rejected); 17] = [
    (&["Signature expired"], Rejected::SignatureTime),
    (&["Signature not yet current"], Rejected::SignatureTime),
    (&["ARN is invalid"], Rejected::RoleArn),
    (&["'roleArn' failed to satisfy"], Rejected::RoleArn),
    (&["urationSeconds", "greater than or equal to"], Rejected::ShortSession),
    (&["DurationSeconds exceeds"], Rejected::LongSession),
    (&["urationSeconds", "less than or equal to"], Rejected::LongSession),
    (&["non-empty Access Key"], Rejected::NoKeyId),
    (&["No AWSAccessKey was presented"], Rejected::NoKeyId),
    (&["is wrong; expecting"], Rejected::BucketRegion),
    (&["scoped to a valid region"], Rejected::SignedRegion),
    (&["scoped to correct service"], Rejected::SignedService),
    (&["token included in the request is expired"], Rejected::ExpiredToken),
    (&["Token expired: current"], Rejected::ExpiredIdentityToken),
    (&["Timestamp date is"], Rejected::Timestamp),
    (&["No OpenIDConnect provider found"], Rejected::Issuer),
    (&["audience"], Rejected::Audience),
];

/// Reads which part of a request AWS does not accept.
pub fn rejected(text: &str) -> Rejected {
    let row = REJECTED.iter().find(|(phrases, _)| phrases.iter().all(|phrase| text.contains(phrase)));
    row.map_or(Rejected::Unsaid, |(_, rejected)| *rejected)
}

fn because(text: &str) -> Because {
    let of = |text: &str| {
        Policy::PHRASES
            .iter()
            .filter_map(|(phrase, policy)| Some((text.find(phrase)?, *policy)))
            .min_by_key(|(at, _)| *at)
    };
    if text.contains("may not be assumed by root") {
        return Because::Root;
    }
    if text.contains("with session credentials") {
        return Because::SessionCredentials;
    }
    if let Some((_, policy)) = text.split_once("explicit deny").and_then(|(_, rest)| of(rest)) {
        return Because::Forbidden(policy);
    }
    if let Some((_, policy)) = text.split_once("because no ").and_then(|(_, rest)| of(rest)) {
        return Because::NothingAllows(policy);
    }
    Because::Unsaid
}

fn after(text: &str, phrase: &str) -> Option<String> {
    word(text.split_once(phrase)?.1)
}

fn resource(text: &str) -> Option<String> {
    const KINDS: [&str; 5] = ["user", "role", "group", "policy", "instance"];
    let first = word(text)?;
    if !KINDS.contains(&first.as_str()) {
        return Some(first);
    }
    let words = if text.split_whitespace().nth(1) == Some("path") { 3 } else { 2 };
    let words: Vec<String> = text.split_whitespace().take(words).filter_map(word).collect();
    Some(words.join(" "))
}

fn word(text: &str) -> Option<String> {
    let word = text.split_whitespace().next()?.trim_start_matches(['"', '\'', '(']);
    let word = word.trim_end_matches(['.', ',', ';', '"', '\'', ')']);
    (!word.is_empty()).then(|| word.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHO: &str = "User: arn:aws:iam::111122223333:user/me is not authorized to perform: sts:AssumeRole on resource: \
                       arn:aws:iam::444455556666:role/Admin";

    #[test]
    fn who_asked_for_what_is_read() {
        let denied = read(WHO);
        assert_eq!(denied.principal.as_deref(), Some("arn:aws:iam::111122223333:user/me"));
        assert_eq!(denied.action.as_deref(), Some("sts:AssumeRole"));
        assert_eq!(denied.resource.as_deref(), Some("arn:aws:iam::444455556666:role/Admin"));
        assert_eq!(denied.because, Because::Unsaid);
        let path = "is not authorized to perform: iam:ListPolicies on resource: policy path / because no policy";
        assert_eq!(read(path).resource.as_deref(), Some("policy path /"));
        let named = "is not authorized to perform: iam:GetUser on resource: user me because no policy";
        assert_eq!(read(named).resource.as_deref(), Some("user me"));
        let web = read("Not authorized to perform sts:AssumeRoleWithWebIdentity");
        assert_eq!(web.action.as_deref(), Some("sts:AssumeRoleWithWebIdentity"));
    }

    #[test]
    fn the_rejected_part_of_a_request_is_read() {
        let value = |limit: &str| {
            format!("Value '60' at 'durationSeconds' failed to satisfy constraint: Member must have value {limit}")
        };
        for (text, wanted) in [
            (value("greater than or equal to 900").as_str(), Rejected::ShortSession),
            (value("less than or equal to 43200").as_str(), Rejected::LongSession),
            ("The requested DurationSeconds exceeds the 1 hour session limit", Rejected::LongSession),
            ("No OpenIDConnect provider found in your account for https://oidc.example", Rejected::Issuer),
            ("Incorrect token audience", Rejected::Audience),
            ("Value 'Alice Smith' at 'roleSessionName' failed to satisfy constraint", Rejected::Unsaid),
        ] {
            assert_eq!(rejected(text), wanted, "{text}");
        }
    }

    #[test]
    fn what_aws_says_about_the_policies_is_told_apart() {
        for (text, because) in [
            (" with an explicit deny in a service control policy", Because::Forbidden(Policy::ServiceControl)),
            (" with an explicit deny in an identity-based policy", Because::Forbidden(Policy::Identity)),
            (
                " because no identity-based policy allows the sts:AssumeRole action",
                Because::NothingAllows(Policy::Identity),
            ),
            (" because no session policy allows the sts:AssumeRole action", Because::NothingAllows(Policy::Session)),
            (
                " because no resource-based policy allows the sts:AssumeRole action",
                Because::NothingAllows(Policy::Resource),
            ),
            (" because no permissions boundary allows the x action", Because::NothingAllows(Policy::Boundary)),
            ("", Because::Unsaid),
        ] {
            assert_eq!(read(&format!("{WHO}{text}")).because, because, "{text}");
        }
        let wrong = "MultiFactorAuthentication failed with invalid MFA one time pass code. ";
        assert_eq!(read(wrong).because, Because::WrongCode);
        assert_eq!(read("Roles may not be assumed by root accounts.").because, Because::Root);
        assert_eq!(read("Cannot call GetSessionToken with session credentials").because, Because::SessionCredentials);
    }
}
