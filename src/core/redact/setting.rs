//! The value of a setting of an AWS file, for output.

use super::whole::{HIDDEN, is_shown_setting, without_whole_secrets};
use super::{command, is_secret_name};
use crate::core::access_key::may_be_secret;

/// The settings whose values are not shown.
const SECRETS: [&str; 3] = ["aws_secret_access_key", "aws_session_token", "aws_security_token"];
/// Settings whose right values are short words or numbers, unlike even a part of a key.
const PLAIN: [&str; 5] = ["region", "sso_region", "sso_account_id", "duration_seconds", "output"];
/// Settings whose right values are ARNs.
const ARNS: [&str; 2] = ["role_arn", "mfa_serial"];

/// The displayed value of a setting, without secrets. A secret may also be in the place of any other value, or on a command
/// line.
pub fn setting(key: &str, value: &str) -> String {
    let is_swapped = key == "aws_access_key_id" && may_be_secret(value);
    if SECRETS.contains(&key) || is_swapped || is_secret_name(key) {
        return "redacted".to_owned();
    }
    let name = key.strip_prefix("evercred_").unwrap_or(key);
    let is_misplaced = PLAIN.contains(&name) || (ARNS.contains(&name) && !value.trim_start().starts_with("arn:"));
    if is_misplaced && may_be_secret(value) {
        return HIDDEN.to_owned();
    }
    let value = command(value);
    if is_shown_setting(key) { value } else { without_whole_secrets(&value).into_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_shown_without_secrets() {
        for secret in ["wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "\"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMP"] {
            assert_eq!(setting("aws_access_key_id", secret), "redacted", "the two were swapped");
        }
        for (key, value, shown) in [
            ("credential_process", "helper --password swordfish --x", "helper --password (hidden) --x"),
            ("credential_process", "TOKEN=abc helper -u me:pw", "TOKEN=(hidden) helper -u me:(hidden)"),
            ("mfa_process", "op item get aws --otp", "op item get aws --otp"),
            ("endpoint_url", "https://me:pw@localhost:4566", "https://(hidden)@localhost:4566"),
            ("vault_password", "swordfish", "redacted"),
            ("client_secret", "swordfish", "redacted"),
            ("web_identity_token_file", "/run/token", "/run/token"),
            ("key", "value", "value"),
        ] {
            assert_eq!(setting(key, value), shown, "{key}");
        }
    }

    #[test]
    fn a_secret_in_the_place_of_another_value_is_not_shown() {
        let keys =
            ["region", "sso_region", "role_arn", "mfa_serial", "sso_role_name", "sso_account_id", "login_session"];
        for key in keys.into_iter().chain(["role_session_name", "sso_session", "sso_start_url", "duration_seconds"]) {
            for secret in [
                "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMN",
                "s3crA/MARKED+aZ4aZ4aZ4aZ4aZ4aZ4aZ4aZ4aZ4",
                "IQoJb3JpZ2luX2VjEPr//////////wEaCXVzLWVhc3QtMSJHMEUCIQ",
                "FwoGZXIvYXdzEJr//////////wEaDHJhbmRvbXN0dWZmIyKsAVbQ",
            ] {
                assert!(!setting(key, secret).contains(secret), "{key} = {secret}");
            }
        }
        for (key, value) in [
            ("region", "eu-west-1"),
            ("role_arn", "arn:aws:iam::111122223333:role/AWSReservedSSO_AdministratorAccess_0123456789abcdef"),
            ("mfa_serial", "GAHT12345678"),
            ("mfa_serial", "arn:aws:iam::111122223333:mfa/someone"),
            ("sso_role_name", "AWSAdministratorAccess"),
            ("sso_account_id", "111122223333"),
            ("login_session", "arn:aws:iam::111122223333:user/someone"),
            ("role_session_name", "evercred"),
            ("web_identity_token_file", "/var/run/secrets/eks.amazonaws.com/serviceaccount/token"),
        ] {
            assert_eq!(setting(key, value), value, "{key}");
        }
    }
}
