//! What is looked for: the ids, which scripts may rely on, and what is said of each where nothing was found.

use serde::{Serialize, Serializer};

macro_rules! ids {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $good:literal;)*) => {
        /// What can be the matter. The names are part of the interface.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Id { $($(#[$doc])* $variant,)* }

        impl Id {
            /// Every id, in the order in which they are listed.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The id as it is written.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What is true where nothing of the kind was found.
            pub fn good(self) -> &'static str {
                match self { $(Self::$variant => $good,)* }
            }
        }
    };
}

impl Id {
    /// What only a profile's settings tell of.
    pub(super) const OF_A_PROFILE: &[Self] = &[
        Self::RegionMissing,
        Self::RegionInvalid,
        Self::RegionInconsistent,
        Self::PartitionMismatch,
        Self::AccountMismatch,
        Self::ClientsDisagree,
        Self::StaticKeysIgnored,
        Self::EnvironmentShadowsProfile,
        Self::AssumeRoleDenied,
        Self::MfaRequired,
        Self::DurationTooLong,
        Self::SsoLoginNeeded,
        Self::SsoRoleDenied,
        Self::SsoCacheUnwritable,
        Self::AdoptionBroken,
    ];
    /// Whether only an answer of AWS decides it for a set of keys.
    pub(super) fn is_by_answer(self) -> bool {
        matches!(
            self,
            Self::AccessKeyUnknown
                | Self::SecretKeyWrong
                | Self::SessionTokenForeign
                | Self::SessionTokenWithoutMfa
                | Self::SessionRevoked
                | Self::AccountNotSignedUp
        )
    }

    /// What only keys tell of.
    pub(super) const OF_KEYS: &[Self] = &[
        Self::CredentialsExpired,
        Self::AccessKeyMalformed,
        Self::SecretKeyMalformed,
        Self::AccessKeyUnknown,
        Self::SecretKeyWrong,
        Self::SessionTokenMissing,
        Self::SessionTokenStale,
        Self::SessionTokenMalformed,
        Self::SessionTokenForeign,
        Self::SessionTokenWithoutMfa,
        Self::SessionRevoked,
        Self::AccountNotSignedUp,
    ];
}

ids! {
    /// Temporary credentials are past their end.
    CredentialsExpired = "credentials-expired", "no credentials that would be used have expired";
    /// Nothing gives credentials.
    CredentialsMissing = "credentials-missing", "nothing lacks credentials, or half of a key";
    /// An access key id that cannot be one.
    AccessKeyMalformed = "access-key-malformed", "no access key id is mistyped, cut, quoted or swapped, as far as its form shows";
    /// A secret access key that cannot be one.
    SecretKeyMalformed = "secret-key-malformed", "no secret access key is cut, quoted or swapped, as far as its form shows";
    /// AWS does not know the access key id.
    AccessKeyUnknown = "access-key-unknown", "no access key is unknown to AWS";
    /// The secret is not that of the access key id.
    SecretKeyWrong = "secret-key-wrong", "no secret access key is another key's";
    /// Temporary credentials without their token.
    SessionTokenMissing = "session-token-missing", "no temporary key lacks its session token";
    /// A token beside a long-term key, or an older token that is preferred.
    SessionTokenStale = "session-token-stale", "no session token is left over";
    /// A token that cannot be one.
    SessionTokenMalformed = "session-token-malformed", "no session token is cut or broken, as far as its form shows";
    /// The token of another session.
    SessionTokenForeign = "session-token-foreign", "no session token is another session's";
    /// A session that was ended before its time.
    SessionRevoked = "session-revoked", "no session was ended before its time";
    /// Variables decide, and not the profile that is meant.
    EnvironmentShadowsProfile = "environment-shadows-profile", "no variable takes precedence over the profile";
    /// Static keys that no program uses.
    StaticKeysIgnored = "static-keys-ignored", "no keys stand where they are ignored";
    /// Not every program would use the same credentials.
    ClientsDisagree = "clients-disagree", "boto3, JavaScript, Go, Java and Rust programs choose the same credentials";
    /// No region.
    RegionMissing = "region-missing", "no region is missing";
    /// A region that cannot be one.
    RegionInvalid = "region-invalid", "no region is misspelt";
    /// The account has not enabled the region.
    RegionNotEnabled = "region-not-enabled", "no region refuses what another accepts";
    /// A token of the global endpoint in a region that does not take it.
    RegionTokenV1 = "region-token-v1", "nothing asks STS's global endpoint for tokens";
    /// Variables, files, services and endpoint name different regions.
    RegionInconsistent = "region-inconsistent", "no two places name different regions";
    /// ARNs, regions or keys of different partitions.
    PartitionMismatch = "partition-mismatch", "nothing is of another partition";
    /// This machine's clock differs from AWS's.
    ClockSkewed = "clock-skewed", "this machine's clock agrees with AWS's";
    /// Nothing keeps this machine's clock right.
    ClockUnsynchronised = "clock-unsynchronised", "something keeps this machine's clock right";
    /// The clock is off by a time zone.
    ClockZone = "clock-zone", "the clock is not off by a time zone";
    /// AWS does not let the caller assume the role.
    AssumeRoleDenied = "assume-role-denied", "no role was refused";
    /// A code of an MFA device is needed.
    MfaRequired = "mfa-required", "no MFA code is waited for";
    /// The code was wrong or used.
    MfaCodeRefused = "mfa-code-refused", "no MFA code was refused";
    /// Credentials of GetSessionToken without MFA.
    SessionTokenWithoutMfa = "session-token-without-mfa", "no session was made without the MFA code that IAM wants";
    /// A session is asked for that is longer than AWS allows.
    DurationTooLong = "duration-too-long", "no session is asked for that is too long";
    /// Nobody is signed in.
    SsoLoginNeeded = "sso-login-needed", "no sign-in is waited for";
    /// The person does not have the role.
    SsoRoleDenied = "sso-role-denied", "no role of IAM Identity Center was refused";
    /// A session's cache file can't be replaced, so its token is not refreshed.
    SsoCacheUnwritable = "sso-cache-unwritable", "the cache files of the sign-in sessions can be written";
    /// The files don't say how the profile's credentials are got.
    ProfileBroken = "profile-broken", "the files can be read, and say how the credentials are got";
    /// Sections that stand twice.
    ProfileDuplicated = "profile-duplicated", "no section stands twice";
    /// The helper line does not work.
    AdoptionBroken = "adoption-broken", "the lines that name evercred as credential_process work";
    /// Others may read secrets or change a file, or the user may not read it.
    FilePermissions = "file-permissions", "only you can write the AWS files and their parent directories, or read the credentials file";
    /// The AWS files are not where one would look.
    FilesElsewhere = "files-elsewhere", "the AWS files are where every program looks for them";
    /// AWS can't be reached.
    NetworkUnreachable = "network-unreachable", "nothing keeps calls from reaching AWS";
    /// Calls go somewhere else than to AWS.
    EndpointOverridden = "endpoint-overridden", "no setting sends calls anywhere but to AWS";
    /// Programs that keep what they were started with.
    ConsumerCannotReload = "consumer-cannot-reload", "no temporary keys stand where programs read them once";
    /// A tool keeps keys of its own.
    ToolCachedCredentials = "tool-cached-credentials", "no tool keeps keys of its own here";
    /// The account has not signed up for the service.
    AccountNotSignedUp = "account-not-signed-up", "no account was refused for not being signed up";
    /// A key of another account than the settings name.
    AccountMismatch = "account-mismatch", "no key is of another account than the settings name";
    /// The daemon goes another way to AWS than this shell.
    DaemonEnvironmentDiffers = "daemon-environment-differs", "no daemon that runs goes another way to AWS than this shell";
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
