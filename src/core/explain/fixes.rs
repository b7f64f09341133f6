//! What to do about a cause that was not found on this machine: the message may be about another shell or an earlier moment.

use super::join::Here;
use crate::core::doctor::Id;
use crate::core::fix::{self, Fix, evercred};

/// The fix of each cause, by its id alone. What the message or the doctor knows comes before it.
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
            "Get new temporary credentials where these came from, and replace access key id, secret access key and session token together.",
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
            "Look for the access key id in the IAM console: if it is inactive or not listed, replace it by a key that is active.",
        ),
        Id::SecretKeyWrong => Fix::advice(
            "Compare the secret access key with the one that AWS showed for this access key id; AWS shows it once, so make a new key if it is lost.",
        ),
        Id::SessionTokenMissing => Fix::advice(
            "Set the session token that belongs to the temporary key: AWS_SESSION_TOKEN, or aws_session_token in the profile.",
        ),
        Id::SessionTokenStale => unset(
            "Remove the session token that was left over; in a file, delete aws_session_token.",
            &["AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"],
        ),
        Id::SessionTokenMalformed | Id::SessionTokenForeign => Fix::advice(
            "Copy access key id, secret access key and session token anew, all three from one answer of AWS.",
        ),
        Id::SessionRevoked => of_profile("Sign in anew, or get new temporary credentials.", "login"),
        Id::EnvironmentShadowsProfile => unset(
            "Remove the keys from this shell, so that the profile counts.",
            &["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"],
        ),
        Id::StaticKeysIgnored | Id::ClientsDisagree => {
            of_profile("See where each program takes its credentials from, and leave one source only.", "doctor")
        }
        Id::RegionMissing => Fix::advice("Set a region: AWS_REGION and AWS_DEFAULT_REGION, or region in the profile."),
        Id::RegionInvalid => {
            Fix::advice("Correct the region's name: AWS_REGION and AWS_DEFAULT_REGION, or region in the profile.")
        }
        Id::RegionNotEnabled => Fix::advice(
            "Use a region that every account has (us-east-1 for one), or have an administrator enable this one in the account's settings.",
        ),
        Id::RegionTokenV1 => unset(
            "Have STS asked in the region: remove sts_regional_endpoints = legacy and endpoints that name sts.amazonaws.com.",
            &["AWS_STS_REGIONAL_ENDPOINTS", "AWS_ENDPOINT_URL_STS"],
        ),
        Id::RegionInconsistent => Fix::advice(
            "Use one region everywhere: AWS_REGION, AWS_DEFAULT_REGION, region in the profile, and the region of the bucket or endpoint.",
        ),
        Id::PartitionMismatch => {
            Fix::advice("Use keys, role ARNs and a region of one partition: aws, aws-cn or aws-us-gov.")
        }
        Id::ClockSkewed | Id::ClockZone | Id::ClockUnsynchronised => {
            Fix::command("See how far this machine's clock is off, and the command that sets it.", "evercred clock")
        }
        Id::AssumeRoleDenied => Fix::advice(
            "Have an administrator of the role's account check that the role exists, and that its trust policy and the caller's policies allow sts:AssumeRole.",
        ),
        Id::MfaRequired => of_profile("Enter a code of the MFA device that mfa_serial of the profile names.", "login"),
        Id::MfaCodeRefused => of_profile("Enter the code that the device shows next: each is good once.", "login"),
        Id::SessionTokenWithoutMfa => Fix::advice(
            "Get the session with an MFA code (mfa_serial in the profile), or call IAM with the user's own key.",
        ),
        Id::DurationTooLong => Fix::advice("Lower duration_seconds in the profile: 3600 is allowed for every role."),
        Id::SsoLoginNeeded => of_profile("Sign in.", "login"),
        Id::SsoRoleDenied => Fix::advice(
            "Compare sso_account_id and sso_role_name with the access portal, or have an administrator assign the role.",
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
        Id::ConsumerCannotReload => {
            Fix::advice("Restart the program: it read its keys when it started, and keeps them.")
        }
        Id::ToolCachedCredentials => Fix::advice(
            "Have the tool drop its own cache: rm -r ~/.aws/cli/cache for the AWS CLI, terraform init -reconfigure for Terraform.",
        ),
        Id::AccountNotSignedUp => Fix::advice(
            "Have the account's owner finish signing up: payment method and phone number, then up to a day.",
        ),
        Id::AccountMismatch => {
            of_profile("See whose credentials these are, and use those of the account that is meant.", "doctor")
        }
        Id::DaemonEnvironmentDiffers => {
            Fix::command("See how the daemon's environment differs from this shell's.", "evercred service status")
        }
    }
}
