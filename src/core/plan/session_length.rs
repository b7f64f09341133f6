//! How long sessions may live, in seconds.

/// No session lives shorter (STS API Reference, DurationSeconds of every call).
pub const SHORTEST: u32 = 900;
/// No role's session lives longer: twelve hours (STS API Reference, AssumeRole, DurationSeconds).
pub const LONGEST_OF_ROLE: u32 = 43_200;
/// A role that is assumed with another role's, or an MFA session's, credentials (role chaining; the same place): one hour.
pub const LONGEST_CHAINED: u32 = 3_600;
/// No session of a user lives longer: 36 hours (STS API Reference, GetSessionToken).
pub const LONGEST_OF_USER: u32 = 129_600;
