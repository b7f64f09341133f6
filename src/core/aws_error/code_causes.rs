//! Usual causes that several codes share. In each list, the most often reported cause comes first.

use super::entry::Causes::{self, Usual};
use crate::core::cause::Cause;
use crate::core::cause::Likelihood::{Confirmed, Likely, Possible};

pub(super) const UNKNOWN_KEY: Causes = Usual(&[
    (Cause::SessionTokenMissing, Likely),
    (Cause::SessionTokenStale, Likely),
    (Cause::EnvironmentShadowsProfile, Likely),
    (Cause::AccessKeyUnknown, Likely),
    (Cause::SessionTokenForeign, Possible),
    (Cause::CredentialsExpired, Possible),
    (Cause::AccessKeyMalformed, Possible),
    (Cause::RegionNotEnabled, Possible),
    (Cause::RegionTokenV1, Possible),
    (Cause::PartitionMismatch, Possible),
    (Cause::EndpointOverridden, Possible),
    (Cause::SessionTokenMalformed, Possible),
    (Cause::SessionRevoked, Possible),
    (Cause::SessionTokenWithoutMfa, Possible),
    (Cause::ToolCachedCredentials, Possible),
    (Cause::ClientsDisagree, Possible),
    (Cause::ClockSkewed, Possible),
]);
pub(super) const BAD_TOKEN: Causes = Usual(&[
    (Cause::SessionTokenStale, Likely),
    (Cause::SessionTokenForeign, Likely),
    (Cause::SessionTokenMalformed, Likely),
    (Cause::RegionTokenV1, Possible),
    (Cause::RegionNotEnabled, Possible),
    (Cause::EndpointOverridden, Possible),
    (Cause::PartitionMismatch, Possible),
]);
pub(super) const BAD_SIGNATURE: Causes = Usual(&[
    (Cause::SecretKeyWrong, Likely),
    (Cause::SecretKeyMalformed, Likely),
    (Cause::EnvironmentShadowsProfile, Possible),
    (Cause::ClockSkewed, Possible),
    (Cause::EndpointOverridden, Possible),
    (Cause::RegionInconsistent, Possible),
]);
pub(super) const UNREADABLE_SIGNATURE: Causes = Usual(&[
    (Cause::AccessKeyMalformed, Likely),
    (Cause::SecretKeyMalformed, Possible),
    (Cause::SessionTokenMalformed, Possible),
    (Cause::RegionInvalid, Possible),
]);
pub(super) const UNSIGNED: Causes = Usual(&[
    (Cause::CredentialsMissing, Likely),
    (Cause::EndpointOverridden, Likely),
    (Cause::SessionTokenMalformed, Possible),
]);
pub(super) const EXPIRED: Causes = Usual(&[
    (Cause::CredentialsExpired, Likely),
    (Cause::ConsumerCannotReload, Likely),
    (Cause::EnvironmentShadowsProfile, Likely),
    (Cause::SsoLoginNeeded, Possible),
    (Cause::ToolCachedCredentials, Possible),
    (Cause::SessionTokenStale, Possible),
    (Cause::SessionRevoked, Possible),
    (Cause::ClockSkewed, Possible),
]);
pub(super) const NOT_SIGNED_UP: Causes =
    Usual(&[(Cause::AccountNotSignedUp, Likely), (Cause::RegionNotEnabled, Likely)]);
pub(super) const DENIED: Causes = Usual(&[
    (Cause::EnvironmentShadowsProfile, Possible),
    (Cause::AccountMismatch, Possible),
    (Cause::MfaRequired, Possible),
    (Cause::SessionTokenWithoutMfa, Possible),
    (Cause::StaticKeysIgnored, Possible),
    (Cause::ClientsDisagree, Possible),
    (Cause::SessionRevoked, Possible),
]);
pub(super) const SIGNED_OUT: Causes = Usual(&[(Cause::SsoLoginNeeded, Likely), (Cause::ClockSkewed, Possible)]);
pub(super) const NO_SSO_ROLE: Causes = Usual(&[(Cause::SsoRoleDenied, Likely), (Cause::RegionInconsistent, Possible)]);
pub(super) const WRONG_TIME: Causes = Usual(&[
    (Cause::ClockSkewed, Confirmed),
    (Cause::ClockZone, Possible),
    (Cause::ClockUnsynchronised, Possible),
    (Cause::CredentialsExpired, Possible),
]);
pub(super) const OF_A_HELPER: Causes = Usual(&[
    (Cause::CredentialsExpired, Possible),
    (Cause::RegionInconsistent, Possible),
    (Cause::ClockSkewed, Possible),
]);
pub(super) const UNREACHED: Causes =
    Usual(&[(Cause::NetworkUnreachable, Likely), (Cause::EndpointOverridden, Possible)]);
/// A refusal that has no code, or whose code is not shown.
pub(super) const REFUSED_WITHOUT_CODE: Causes = Usual(&[
    (Cause::CredentialsExpired, Possible),
    (Cause::SessionTokenMissing, Possible),
    (Cause::SessionTokenStale, Possible),
    (Cause::AccessKeyUnknown, Possible),
    (Cause::SecretKeyWrong, Possible),
    (Cause::RegionInconsistent, Possible),
    (Cause::RegionTokenV1, Possible),
    (Cause::EnvironmentShadowsProfile, Possible),
    (Cause::AccountMismatch, Possible),
    (Cause::ClockSkewed, Possible),
]);
