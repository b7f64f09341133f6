//! The result of `doctor`.

use std::collections::BTreeMap;

use super::{Cause, Client, Finding, Identity, ResolvedFrom, Verdict};

/// The result of all rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The checked profile.
    pub profile: Option<String>,
    /// Whether neither AWS file has the profile.
    pub lacks_profile: bool,
    /// The region that most programs use for the profile.
    pub region: Option<String>,
    /// Whether the credentials in question work.
    pub verdict: Verdict,
    /// The identity of the credentials in question, if AWS returned it.
    pub identity: Option<Identity>,
    /// The credentials that each kind of program uses here.
    pub choices: Vec<(Client, ResolvedFrom)>,
    /// The findings, the most urgent first.
    pub findings: Vec<Finding>,
    /// The causes that were found or ruled out.
    pub checked: Vec<Cause>,
    /// The causes that could not be checked, and why.
    pub not_checked: BTreeMap<Cause, String>,
}
