//! The known setting names, which tell an indented setting from the continuation of a value.

const SETTINGS: [&str; 40] = [
    "account_id_endpoint_mode",
    "aws_access_key_id",
    "aws_account_id",
    "aws_expiration",
    "aws_secret_access_key",
    "aws_security_token",
    "aws_session_token",
    "ca_bundle",
    "cli_auto_prompt",
    "cli_pager",
    "credential_process",
    "credential_source",
    "defaults_mode",
    "duration_seconds",
    "ec2_metadata_service_endpoint",
    "endpoint_url",
    "external_id",
    "ignore_configured_endpoint_urls",
    "login_session",
    "max_attempts",
    "mfa_process",
    "mfa_serial",
    "output",
    "region",
    "retry_mode",
    "role_arn",
    "role_session_name",
    "services",
    "source_profile",
    "sso_account_id",
    "sso_region",
    "sso_registration_scopes",
    "sso_role_name",
    "sso_session",
    "sso_start_url",
    "sts_regional_endpoints",
    "use_dualstack_endpoint",
    "use_fips_endpoint",
    "web_identity_token_file",
    "x_security_token_expires",
];

/// Whether programs know a setting of this name.
pub(super) fn is_setting(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    SETTINGS.contains(&key.as_str()) || key.starts_with("evercred_")
}
