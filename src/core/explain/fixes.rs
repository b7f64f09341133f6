//! The fix of a cause that was not found on this machine: the message may be from another shell or an earlier time.

use super::join::Here;
use crate::core::doctor::Id;
use crate::core::fix::{self, Fix, evercred};

/// The fix of each cause, by its id. Fixes from the message or doctor come before it.
pub(super) fn of(id: Id, here: &Here) -> Fix {
    let of_profile = |text: &str, command: &str| {
        let typed = match &here.profile {
            Some(profile) => evercred(command, profile),
            None => format!("evercred {command}"),
        };
        Fix::command(text, typed)
    };
    let unset = |text: &str, names: &[&str]| Fix::command(text, fix::unset(here.uses_fish, names));
    match id {
        Id::CredentialsExpired => Fix::advice(
            "Get new temporary credentials from the same source, and replace access key id, secret access key and session token together.",
        ),
        Id::CredentialsMissing => {
            Fix::command("See which profiles have credentials, and name one (AWS_PROFILE).", "evercred profiles")
        }
        Id::AccessKeyMalformed => Fix::advice(
            "Compare the access key id with the one in IAM: 20 capital letters and digits, without quotes or blanks.",
        ),
        Id::SecretKeyMalformed => Fix::advice(
            "Compare the secret access key with the one that AWS showed: 40 characters, without quotes or blanks.",
        ),
        Id::AccessKeyUnknown => Fix::advice(
            "Look for the access key id in the IAM console: if it is inactive or not listed, replace it with an active key.",
        ),
        Id::SecretKeyWrong => Fix::advice(
            "Compare the secret access key with the one that AWS showed for this access key id. If it is lost, create a new key.",
        ),
        Id::SessionTokenMissing => Fix::advice(
            "Set the session token that belongs to the temporary key: AWS_SESSION_TOKEN, or aws_session_token in the profile.",
        ),
        Id::SessionTokenStale => unset(
            "Remove the leftover session token; in a file, delete aws_session_token.",
            &["AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"],
        ),
        Id::SessionTokenMalformed | Id::SessionTokenForeign => Fix::advice(
            "Copy access key id, secret access key and session token again, all three from the same AWS response.",
        ),
        Id::SessionRevoked => of_profile("Sign in again, or get new temporary credentials.", "login"),
        Id::EnvironmentShadowsProfile => unset(
            "Remove the keys from this shell, so that programs use the profile.",
            &["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"],
        ),
        Id::StaticKeysIgnored | Id::ClientsDisagree => {
            of_profile("See where each program gets its credentials, and keep one source.", "doctor")
        }
        Id::RegionMissing => Fix::advice("Set a region: AWS_REGION and AWS_DEFAULT_REGION, or region in the profile."),
        Id::RegionInvalid => {
            Fix::advice("Correct the region's name: AWS_REGION and AWS_DEFAULT_REGION, or region in the profile.")
        }
        Id::RegionNotEnabled => Fix::advice(
            "Use a default region such as us-east-1, or ask an administrator to enable this one for the account.",
        ),
        Id::RegionTokenV1 => unset(
            "Use the regional STS endpoint: remove sts_regional_endpoints = legacy and endpoints that name sts.amazonaws.com.",
            &["AWS_STS_REGIONAL_ENDPOINTS", "AWS_ENDPOINT_URL_STS"],
        ),
        Id::RegionInconsistent => Fix::advice(
            "Use one region everywhere: AWS_REGION, AWS_DEFAULT_REGION, region in the profile, and the region of the bucket or endpoint.",
        ),
        Id::PartitionMismatch => {
            Fix::advice("Use keys, role ARNs and a region of one partition: aws, aws-cn or aws-us-gov.")
        }
        Id::ClockSkewed | Id::ClockZone | Id::ClockUnsynchronised => {
            Fix::command("See the clock skew of this machine, and the command that corrects it.", "evercred clock")
        }
        Id::AssumeRoleDenied => Fix::advice(
            "Ask an administrator of the role's account to check that the role exists, and that its trust policy and the caller's policies allow sts:AssumeRole.",
        ),
        Id::MfaRequired => of_profile("Enter a code from the MFA device in the profile's mfa_serial.", "login"),
        Id::MfaCodeRefused => of_profile("Enter the next code that the device shows: each code works once.", "login"),
        Id::SessionTokenWithoutMfa => Fix::advice(
            "Get the session with an MFA code (mfa_serial in the profile), or call IAM with the user's own key.",
        ),
        Id::DurationTooLong => Fix::advice("Lower duration_seconds in the profile: 3600 is allowed for every role."),
        Id::SsoLoginNeeded => of_profile("Sign in.", "login"),
        Id::SsoRoleDenied => Fix::advice(
            "Compare sso_account_id and sso_role_name with the access portal, or ask an administrator to assign the role.",
        ),
        Id::SsoCacheUnwritable => {
            of_profile("See which cache file can't be written, and the command that corrects it.", "doctor")
        }
        Id::ProfileBroken => of_profile("See which setting is wrong, with its file and line.", "plan"),
        Id::ProfileDuplicated => {
            Fix::command("See the file and line of each problem of the AWS files.", "evercred profiles")
        }
        Id::AdoptionBroken => of_profile("See what is wrong with the credential_process line.", "doctor"),
        Id::FilePermissions => {
            of_profile("See which file or directory has the wrong owner or mode, and the command for it.", "doctor")
        }
        Id::FilesElsewhere => unset(
            "Remove the variables that name other AWS files.",
            &["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"],
        ),
        Id::NetworkUnreachable => {
            Fix::command("See whether AWS answers, and why not.", "curl -sSI https://sts.amazonaws.com")
        }
        Id::EndpointOverridden => unset(
            "Remove the setting that sends calls elsewhere; in a file, delete endpoint_url.",
            &["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS"],
        ),
        Id::ConsumerCannotReload => Fix::advice("Restart the program: it reads its keys only at the start."),
        Id::ToolCachedCredentials => Fix::advice(
            "Delete the tool's own cache: rm -r ~/.aws/cli/cache for the AWS CLI, terraform init -reconfigure for Terraform.",
        ),
        Id::AccountNotSignedUp => Fix::advice(
            "Ask the account's owner to finish signing up (payment method and phone number); activation takes up to a day.",
        ),
        Id::AccountMismatch => {
            of_profile("See whose credentials these are, and use those of the intended account.", "doctor")
        }
        Id::DaemonEnvironmentDiffers => {
            Fix::command("See how the daemon's environment differs from this shell's.", "evercred service status")
        }
    }
}
