//! The form of a role's ARN.

use super::access_key::is_account;
use super::partitions::known_partition;
use super::plan::{Plan, Source};
use super::profile::{Origin, Profiles, Section};

/// The mistake in the role's ARN of a profile, as a sentence with its place. An adopted profile has the original setting.
pub fn mistake_of(section: &Section) -> Option<(Origin, String)> {
    let (key, value) = ["evercred_role_arn", "role_arn"].iter().find_map(|key| Some((key, section.get(key)?)))?;
    let mistake = mistake(&value.text)?;
    Some((value.origin, format!("{key} of profile \"{}\" {mistake}", section.name)))
}

/// The mistakes in the ARNs of a plan's roles.
pub fn mistakes_of_plan(profiles: &Profiles, plan: &Plan) -> Vec<(Origin, String)> {
    let is_role = |source: &Source| matches!(source, Source::AssumeRole(_) | Source::WebIdentity(_));
    let roles = plan.steps.iter().filter(|step| is_role(&step.source));
    roles.filter_map(|step| mistake_of(profiles.profiles.get(&step.profile)?)).collect()
}

/// Why a text is not the ARN of a role, as a predicate; `None` if it is one. `arn:aws:iam::111122223333:role/path/Name` (IAM User Guide, "IAM identifiers"). Of another service's ARN AWS says "Request ARN is
/// invalid".
pub fn mistake(text: &str) -> Option<String> {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let ["arn", partition, "iam", "", account, resource] = parts.as_slice() else {
        return Some("is not the ARN of a role: arn:aws:iam::ACCOUNT:role/NAME".to_owned());
    };
    if known_partition(partition).is_none() {
        return Some("names a partition that AWS does not have (aws, aws-cn, aws-us-gov, …)".to_owned());
    }
    if let Some(mistake) = self::account(account) {
        return Some(format!("names an account that {mistake}"));
    }
    match resource.split_once('/') {
        Some(("role", name)) if !name.is_empty() => None,
        Some((kind @ ("user" | "group" | "instance-profile" | "policy" | "mfa"), _)) => {
            Some(format!("is the ARN of a {kind}, and not of a role"))
        }
        _ => Some("names no role: it must end in role/NAME".to_owned()),
    }
}

/// Why a text is not the id of an account, as a predicate; `None` if it is one.
pub fn account(text: &str) -> Option<String> {
    if is_account(text) {
        return None;
    }
    Some(if text.bytes().all(|byte| byte.is_ascii_digit()) {
        format!("is not an account id: it has {} digits, and account ids have 12, with leading zeros", text.len())
    } else {
        "is not an account id: it has other characters than digits".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_of_something_else_is_a_mistake_with_its_reason() {
        for good in ["arn:aws:iam::111122223333:role/App", "arn:aws-us-gov:iam::000000000001:role/a/b/App"] {
            assert_eq!(mistake(good), None);
        }
        for (text, said) in [
            ("App", "not the ARN"),
            ("arn:aws:sts::111122223333:assumed-role/App/me", "not the ARN"),
            ("arn:aws:iam::111122223333:user/App", "of a user"),
            ("arn:aws:iam::1111222233:role/App", "10 digits"),
            ("arn:aws:iam::my-account:role/App", "than digits"),
            ("arn:amazon:iam::111122223333:role/App", "a partition"),
            ("arn:aws:iam::111122223333:role/", "names no role"),
            ("arn:aws:iam::111122223333:App", "names no role"),
        ] {
            assert!(mistake(text).is_some_and(|mistake| mistake.contains(said)), "{text}: {:?}", mistake(text));
        }
    }
}
