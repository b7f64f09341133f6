//! The result of `doctor`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Cause, Client, Finding, ResolvedFrom};

/// The identity of credentials, from AWS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Identity {
    /// The user or role.
    pub arn: String,
    /// The twelve digits of the account.
    pub account_id: Option<String>,
}

/// The whole result.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The profile that was looked at, where there is one.
    pub profile: Option<String>,
    /// Whether that profile is in no file.
    pub lacks_profile: bool,
    /// The region that most programs use for the profile.
    pub region: Option<String>,
    /// The identity of the credentials that the AWS CLI uses here, if AWS returned it.
    pub identity: Option<Identity>,
    /// What each kind of program would use here.
    pub choices: Vec<(Client, ResolvedFrom)>,
    /// What was found, in the order in which to deal with it.
    pub findings: Vec<Finding>,
    /// What was looked for to the end.
    pub checked: Vec<Cause>,
    /// What could not be looked for to the end, and why.
    pub not_checked: BTreeMap<Cause, String>,
}
