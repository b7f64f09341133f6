//! The table of causes that make a request fail. `doctor`, `explain` and `docs/causes.md` use it.

use serde::{Serialize, Serializer};

/// How likely a cause of an error message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Likelihood {
    /// Found on this machine, or stated by the message.
    Confirmed,
    /// A usual cause.
    Likely,
    /// A cause that is not ruled out.
    Possible,
    /// Checked on this machine and not found.
    RuledOut,
}

/// The fix of a cause that was not found on this machine: the error may be from another shell or an earlier time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsualFix {
    /// A fix without a command.
    Advice(&'static str),
    /// `evercred login`, whose argument is the profile.
    Login(&'static str),
    /// A command that shows more.
    See(&'static str),
    /// An `evercred` command that shows more, whose argument is the profile.
    SeeOfProfile(&'static str),
    /// A fix that unsets these variables.
    Unset(&'static str, &'static [&'static str]),
}

/// What the doctor has to know before it can rule a cause out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// The directory of the AWS files.
    Home,
    /// The contents of both AWS files.
    Files,
    /// The profile's section.
    Profile,
    /// The credentials in question: those of the variables, of the files, and of the plan's first step.
    Keys,
    /// When temporary credentials expire.
    Expiry,
    /// AWS's answer to GetCallerIdentity with the credentials in question.
    Identity,
    /// IAM's answer to a request with credentials from GetSessionToken.
    Iam,
    /// A plan: the profile's settings lead to one.
    Plan,
    /// AWS's answers to the steps of the plan.
    Steps,
    /// AWS's answers to all calls: one whose code is usual for the cause leaves it open.
    Answers,
    /// The sign-in session's cache file, and AWS's answer to it.
    SignIn,
    /// The answer to an MFA code.
    MfaCode,
    /// An answer of AWS to any request.
    Connection,
    /// AWS time.
    Time,
    /// The service that synchronises this machine's clock.
    Timekeeper,
    /// The daemon's status.
    Daemon,
}

use Needs::{
    Answers, Connection, Daemon, Expiry, Files, Home, Iam, Identity, Keys, MfaCode, Plan, Profile, SignIn, Steps, Time,
    Timekeeper,
};
use UsualFix::{Advice, Login, See, SeeOfProfile, Unset};

macro_rules! causes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal {
        is: $is:literal,
        ruled_out: $ruled_out:literal,
        needs: [$($needs:expr),*],
        fix: $fix:expr,
    })*) => {
        /// A cause. The names are part of the interface.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Cause { $($(#[$doc])* $variant,)* }

        impl Cause {
            /// Every cause, in the order in which they are listed.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The name in JSON and on the screen.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Why AWS or a program fails because of it.
            pub fn is(self) -> &'static str {
                match self { $(Self::$variant => $is,)* }
            }

            /// The statement that holds once the cause is ruled out.
            pub fn ruled_out(self) -> &'static str {
                match self { $(Self::$variant => $ruled_out,)* }
            }

            /// The facts that rule the cause out.
            pub fn needs(self) -> &'static [Needs] {
                match self { $(Self::$variant => &[$($needs),*],)* }
            }

            /// The usual fix.
            pub fn usual_fix(self) -> UsualFix {
                match self { $(Self::$variant => $fix,)* }
            }
        }
    };
}

impl Cause {
    /// The causes that need this fact.
    pub fn that_need(need: Needs) -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(move |cause| cause.needs().contains(&need))
    }
}

impl Serialize for Cause {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

causes! {
    /// Temporary credentials have expired.
    CredentialsExpired = "credentials-expired" {
        is: "AWS refuses temporary credentials that have expired",
        ruled_out: "the credentials that programs would use have not expired",
        needs: [Files, Keys, Expiry],
        fix: Advice("Get new temporary credentials from the same source, and replace access key id, secret access key and session token together."),
    }
    /// No source gives credentials.
    CredentialsMissing = "credentials-missing" {
        is: "the program had no complete credentials for the signature",
        ruled_out: "credentials are set and complete",
        needs: [Files, Keys, Answers],
        fix: See("evercred profiles"),
    }
    /// A value that can't be an access key id.
    AccessKeyMalformed = "access-key-malformed" {
        is: "AWS does not know a key with quotes or blanks, or with id and secret swapped",
        ruled_out: "no access key id is mistyped, cut, quoted or swapped, as far as its form shows",
        needs: [Files, Keys],
        fix: Advice("Compare the access key id with the one in IAM: 20 capital letters and digits, without quotes or blanks."),
    }
    /// A value that can't be a secret access key.
    SecretKeyMalformed = "secret-key-malformed" {
        is: "a secret access key that was cut or broken while it was copied makes another signature",
        ruled_out: "no secret access key is cut, quoted or swapped, as far as its form shows",
        needs: [Files, Keys],
        fix: Advice("Compare the secret access key with the one that AWS showed: 40 characters, without quotes or blanks."),
    }
    /// AWS does not know the access key id.
    AccessKeyUnknown = "access-key-unknown" {
        is: "AWS refuses a key that is mistyped, deleted, inactive or was created seconds ago",
        ruled_out: "no access key is unknown to AWS",
        needs: [Files, Keys, Identity],
        fix: Advice("Look for the access key id in the IAM console: if it is inactive or not listed, replace it with an active key."),
    }
    /// The secret belongs to another access key id.
    SecretKeyWrong = "secret-key-wrong" {
        is: "the signature is made with the secret access key: another secret makes another signature",
        ruled_out: "each secret access key belongs to its access key id",
        needs: [Files, Keys, Identity],
        fix: Advice("Compare the secret access key with the one that AWS showed for this access key id. If it is lost, create a new key."),
    }
    /// Temporary credentials without their session token.
    SessionTokenMissing = "session-token-missing" {
        is: "AWS gives this answer to a temporary key (ASIA…) without its session token",
        ruled_out: "each temporary key has its session token",
        needs: [Files, Keys],
        fix: Advice("Set the session token that belongs to the temporary key: AWS_SESSION_TOKEN, or aws_session_token in the profile."),
    }
    /// A session token next to a long-term key, or an older token that takes precedence.
    SessionTokenStale = "session-token-stale" {
        is: "AWS gives this answer to a key with a session token left over from other credentials",
        ruled_out: "no session token is left over",
        needs: [Files, Keys],
        fix: Unset("Remove the leftover session token; in a file, delete aws_session_token.", &["AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"]),
    }
    /// A value that can't be a session token.
    SessionTokenMalformed = "session-token-malformed" {
        is: "AWS refuses a session token that was cut or broken while it was copied",
        ruled_out: "no session token is cut or broken, as far as its form shows",
        needs: [Files, Keys],
        fix: Advice("Copy access key id, secret access key and session token again, all three from the same AWS response."),
    }
    /// The session token of another session.
    SessionTokenForeign = "session-token-foreign" {
        is: "the key and the session token must belong to the same session",
        ruled_out: "no session token belongs to another session",
        needs: [Files, Keys, Identity],
        fix: Advice("Copy access key id, secret access key and session token again, all three from the same AWS response."),
    }
    /// A session that was revoked before its expiry.
    SessionRevoked = "session-revoked" {
        is: "a session can be revoked before it expires",
        ruled_out: "no session was revoked before it expired",
        needs: [Files, Keys, Identity, Plan, SignIn],
        fix: Login("Sign in again, or get new temporary credentials."),
    }
    /// Variables take precedence over the intended profile.
    EnvironmentShadowsProfile = "environment-shadows-profile" {
        is: "variables take precedence over the profile in most SDKs, so a program may use other keys",
        ruled_out: "no variable takes precedence over the profile",
        needs: [Files, Profile],
        fix: Unset("Remove the keys from this shell, so that programs use the profile.", &["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"]),
    }
    /// Static keys that no program uses.
    StaticKeysIgnored = "static-keys-ignored" {
        is: "the program may have used other keys than those in the profile",
        ruled_out: "no program ignores static keys of the profile",
        needs: [Files, Profile],
        fix: SeeOfProfile("doctor"),
    }
    /// Not every program would use the same credentials.
    ClientsDisagree = "clients-disagree" {
        is: "SDKs do not all choose the same credentials from the same settings",
        ruled_out: "boto3, JavaScript, Go, Java and Rust programs choose the same credentials",
        needs: [Files, Profile],
        fix: SeeOfProfile("doctor"),
    }
    /// No region is set.
    RegionMissing = "region-missing" {
        is: "the program found no region",
        ruled_out: "no region is missing",
        needs: [Files, Profile],
        fix: Advice("Set a region: AWS_REGION and AWS_DEFAULT_REGION, or region in the profile."),
    }
    /// A value that can't be a region.
    RegionInvalid = "region-invalid" {
        is: "the region's name is part of the host name and the signature",
        ruled_out: "no region is misspelt",
        needs: [Files, Profile],
        fix: Advice("Correct the region's name: AWS_REGION and AWS_DEFAULT_REGION, or region in the profile."),
    }
    /// The account has not enabled the region.
    RegionNotEnabled = "region-not-enabled" {
        is: "a region that the account has not enabled refuses credentials that other regions accept",
        ruled_out: "no region refuses credentials that another region accepts",
        needs: [Files, Identity, Steps],
        fix: Advice("Use a default region such as us-east-1, or ask an administrator to enable this one for the account."),
    }
    /// A token of the global endpoint in a region that does not accept it.
    RegionTokenV1 = "region-token-v1" {
        is: "regions that must be enabled first refuse tokens of STS's global endpoint",
        ruled_out: "no setting selects STS's global endpoint",
        needs: [Files, Identity],
        fix: Unset("Use the regional STS endpoint: remove sts_regional_endpoints = legacy and endpoints that name sts.amazonaws.com.", &["AWS_STS_REGIONAL_ENDPOINTS", "AWS_ENDPOINT_URL_STS"]),
    }
    /// Variables, files, services and endpoint name different regions.
    RegionInconsistent = "region-inconsistent" {
        is: "a request must be signed for the region that it is sent to",
        ruled_out: "all settings name the same region",
        needs: [Files, Profile, Answers],
        fix: Advice("Use one region everywhere: AWS_REGION, AWS_DEFAULT_REGION, region in the profile, and the region of the bucket or endpoint."),
    }
    /// ARNs, regions or keys of different partitions.
    PartitionMismatch = "partition-mismatch" {
        is: "keys of one partition (aws, aws-cn, aws-us-gov) are unknown in the others",
        ruled_out: "keys, roles and regions belong to one partition",
        needs: [Files, Profile, Identity],
        fix: Advice("Use keys, role ARNs and a region of one partition: aws, aws-cn or aws-us-gov."),
    }
    /// This machine's clock differs from AWS's.
    ClockSkewed = "clock-skewed" {
        is: "a large clock skew can cause this error",
        ruled_out: "this machine's clock agrees with AWS's",
        needs: [Time],
        fix: See("evercred clock"),
    }
    /// No service synchronises this machine's clock.
    ClockUnsynchronised = "clock-unsynchronised" {
        is: "no service may be synchronising the clock",
        ruled_out: "a service synchronises this machine's clock",
        needs: [Timekeeper],
        fix: See("evercred clock"),
    }
    /// The clock skew is the offset of a time zone.
    ClockZone = "clock-zone" {
        is: "a clock that shows local time as UTC is wrong by the offset of the time zone",
        ruled_out: "the clock skew is not the offset of a time zone",
        needs: [Time],
        fix: See("evercred clock"),
    }
    /// AWS does not let the caller assume the role.
    AssumeRoleDenied = "assume-role-denied" {
        is: "AWS did not let the caller assume the role",
        ruled_out: "no role was refused",
        needs: [Files, Profile, Plan, Steps],
        fix: Advice("Ask an administrator of the role's account to check that the role exists, and that its trust policy and the caller's policies allow sts:AssumeRole."),
    }
    /// The profile needs an MFA code.
    MfaRequired = "mfa-required" {
        is: "a policy may require a session with MFA",
        ruled_out: "no profile needs an MFA code now",
        needs: [Files, Profile, Plan, Steps, Answers],
        fix: Login("Enter a code from the MFA device in the profile's mfa_serial."),
    }
    /// The MFA code was wrong, or was used before.
    MfaCodeRefused = "mfa-code-refused" {
        is: "AWS did not accept the MFA code",
        ruled_out: "no MFA code was refused",
        needs: [Plan, MfaCode],
        fix: Login("Enter the next code that the device shows: each code works once."),
    }
    /// Credentials of GetSessionToken without MFA.
    SessionTokenWithoutMfa = "session-token-without-mfa" {
        is: "credentials of GetSessionToken without MFA are refused by IAM",
        ruled_out: "no session was made without the MFA code that IAM requires",
        needs: [Files, Keys, Identity, Iam],
        fix: Advice("Get the session with an MFA code (mfa_serial in the profile), or call IAM with the user's own key."),
    }
    /// The requested session duration is longer than AWS allows.
    DurationTooLong = "duration-too-long" {
        is: "AWS refuses a session that is longer than the role allows",
        ruled_out: "no requested session is too long",
        needs: [Files, Profile, Plan, Steps],
        fix: Advice("Lower duration_seconds in the profile: 3600 is allowed for every role."),
    }
    /// The user is not signed in.
    SsoLoginNeeded = "sso-login-needed" {
        is: "the sign-in session may have expired",
        ruled_out: "no sign-in is needed",
        needs: [Files, Profile, Plan, SignIn],
        fix: Login("Sign in."),
    }
    /// The user does not have the role.
    SsoRoleDenied = "sso-role-denied" {
        is: "the user who is signed in may not have the role in this account",
        ruled_out: "no role of IAM Identity Center was refused",
        needs: [Files, Profile, Plan, SignIn],
        fix: Advice("Compare sso_account_id and sso_role_name with the access portal, or ask an administrator to assign the role."),
    }
    /// A session's cache file can't be replaced, so its token is not refreshed.
    SsoCacheUnwritable = "sso-cache-unwritable" {
        is: "evercred may be unable to replace the cache file of the sign-in session",
        ruled_out: "the cache files of the sign-in sessions can be written",
        needs: [Files, Profile],
        fix: SeeOfProfile("doctor"),
    }
    /// The AWS files don't define a source of the profile's credentials.
    ProfileBroken = "profile-broken" {
        is: "the AWS files may have no usable source for the profile's credentials",
        ruled_out: "evercred can read the AWS files, and they have a source for the credentials",
        needs: [Home, Files, Answers],
        fix: SeeOfProfile("plan"),
    }
    /// Duplicate sections.
    ProfileDuplicated = "profile-duplicated" {
        is: "the AWS files may have a section twice",
        ruled_out: "there are no duplicate sections",
        needs: [Home, Files],
        fix: See("evercred profiles"),
    }
    /// The `credential_process` line that runs evercred does not work.
    AdoptionBroken = "adoption-broken" {
        is: "the line that names evercred as credential_process may not work",
        ruled_out: "the lines that name evercred as credential_process work",
        needs: [Files, Profile],
        fix: SeeOfProfile("doctor"),
    }
    /// Other users can read secrets or change a file, or the user can't read it.
    FilePermissions = "file-permissions" {
        is: "the program may not be allowed to read the AWS files",
        ruled_out: "only you can write the AWS files, the caches and their parent directories, or read the credentials file and cached tokens",
        needs: [Home],
        fix: SeeOfProfile("doctor"),
    }
    /// The AWS files are not in the usual place.
    FilesElsewhere = "files-elsewhere" {
        is: "the program may read other AWS files",
        ruled_out: "the AWS files are at their default paths",
        needs: [Home],
        fix: Unset("Remove the variables that name other AWS files.", &["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"]),
    }
    /// AWS can't be reached.
    NetworkUnreachable = "network-unreachable" {
        is: "AWS, or another required service, could not be reached",
        ruled_out: "calls can reach AWS",
        needs: [Connection],
        fix: See("curl -sSI https://sts.amazonaws.com"),
    }
    /// Calls go to an endpoint that is not AWS's.
    EndpointOverridden = "endpoint-overridden" {
        is: "an emulator or another endpoint knows other keys, or other paths, than AWS",
        ruled_out: "no setting sends calls to another endpoint",
        needs: [Files],
        fix: Unset("Remove the setting that sends calls elsewhere; in a file, delete endpoint_url.", &["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS"]),
    }
    /// Programs that read credentials only at their start.
    ConsumerCannotReload = "consumer-cannot-reload" {
        is: "a program that reads temporary keys only once still uses them after they expire",
        ruled_out: "there are no temporary keys that programs read only once",
        needs: [Files],
        fix: Advice("Restart the program: it reads its keys only at the start."),
    }
    /// A tool caches keys itself.
    ToolCachedCredentials = "tool-cached-credentials" {
        is: "a tool may have cached older keys",
        ruled_out: "no tool has cached keys here",
        needs: [],
        fix: Advice("Delete the tool's own cache: rm -r ~/.aws/cli/cache for the AWS CLI, terraform init -reconfigure for Terraform."),
    }
    /// The account has not signed up for the service.
    AccountNotSignedUp = "account-not-signed-up" {
        is: "the account has not signed up for the service, or is not active yet",
        ruled_out: "AWS refused no request because of a missing sign-up",
        needs: [Files, Keys, Identity, Plan, Steps],
        fix: Advice("Ask the account's owner to finish signing up (payment method and phone number); activation takes up to a day."),
    }
    /// The key belongs to another account than the settings name.
    AccountMismatch = "account-mismatch" {
        is: "the credentials may belong to another account",
        ruled_out: "no key belongs to another account than the settings name",
        needs: [Files, Profile, Keys, Identity],
        fix: SeeOfProfile("doctor"),
    }
    /// The daemon's proxy, certificate or endpoint settings differ from this shell's.
    DaemonEnvironmentDiffers = "daemon-environment-differs" {
        is: "the daemon may reach AWS with other settings than this shell",
        ruled_out: "the daemon reaches AWS with the same settings as this shell, or is not running",
        needs: [Daemon],
        fix: See("evercred service status"),
    }
}
