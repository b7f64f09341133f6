//! The known setting names. They tell an indented setting from the continuation of a value, and a misspelt name from another
//! program's.

/// The parts of a key.
pub const KEY_SETTINGS: [&str; 4] =
    ["aws_access_key_id", "aws_secret_access_key", "aws_session_token", "aws_security_token"];

/// The other settings that decide about credentials, the region or the endpoint.
const DECIDING: [&str; 19] = [
    "ca_bundle",
    "credential_process",
    "credential_source",
    "duration_seconds",
    "endpoint_url",
    "external_id",
    "login_session",
    "mfa_serial",
    "region",
    "role_arn",
    "role_session_name",
    "services",
    "source_profile",
    "sso_account_id",
    "sso_region",
    "sso_role_name",
    "sso_session",
    "sso_start_url",
    "web_identity_token_file",
];

const OTHERS: [&str; 17] = [
    "account_id_endpoint_mode",
    "aws_account_id",
    "aws_expiration",
    "cli_auto_prompt",
    "cli_pager",
    "defaults_mode",
    "ec2_metadata_service_endpoint",
    "ignore_configured_endpoint_urls",
    "max_attempts",
    "mfa_process",
    "output",
    "retry_mode",
    "sso_registration_scopes",
    "sts_regional_endpoints",
    "use_dualstack_endpoint",
    "use_fips_endpoint",
    "x_security_token_expires",
];

/// Whether programs know a setting of this name.
pub fn is_setting(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let known = KEY_SETTINGS.iter().chain(&DECIDING).chain(&OTHERS);
    key.starts_with("evercred_") || known.into_iter().any(|known| *known == key)
}

/// The settings that decide about credentials, the region or the endpoint, under their current names.
pub fn deciding() -> impl Iterator<Item = &'static str> {
    let is_current = |name: &&str| *name != "aws_security_token";
    KEY_SETTINGS.into_iter().filter(is_current).chain(DECIDING)
}
