//! The credentials, profiles and answers of this shell, with which an error's text is compared.

use super::reported::ReportedError;
use crate::core::access_key::is_account;
use crate::core::doctor::{About, Answer, Answers, Cause, Report};

/// The checked profile, for the first line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LookedAt {
    /// Why this profile was checked: "which the text names".
    pub why: Option<&'static str>,
    /// Whether neither AWS file has the profile.
    pub is_missing: bool,
}

/// What an error's text is compared with: whether it is about the credentials of this machine at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocalContext {
    /// The access key ids that stand here.
    pub access_key_ids: Vec<String>,
    /// The profiles that the AWS files of this shell have.
    pub profiles: Vec<String>,
    /// The accounts that AWS said that they belong to.
    pub accounts: Vec<String>,
    /// Nothing here gives credentials: whose the error is about stand elsewhere.
    pub has_none: bool,
    /// The profile that doctor checked.
    pub profile: Option<String>,
    /// The user's shell is fish.
    pub uses_fish: bool,
    /// The regions in which the doctor called AWS.
    pub regions: Vec<String>,
    /// The first line: the checked profile and region.
    pub looked_at: LookedAt,
}

impl LocalContext {
    /// From the keys that stand here and what AWS answered.
    pub fn new(
        access_key_ids: impl IntoIterator<Item = String>,
        profiles: impl IntoIterator<Item = String>,
        uses_fish: bool,
        answers: &Answers,
        report: &Report,
    ) -> Self {
        let accounts = answers.iter().filter_map(|(_, answer)| match answer {
            Answer::Accepted { account_id, .. } if !account_id.is_empty() => Some(account_id.clone()),
            _ => None,
        });
        let has_none = report.findings.iter().any(|finding| finding.id == Cause::CredentialsMissing);
        Self {
            access_key_ids: access_key_ids.into_iter().collect(),
            profiles: profiles.into_iter().collect(),
            accounts: accounts.collect(),
            has_none,
            profile: report.profile.clone(),
            uses_fish,
            regions: asked_regions(answers),
            looked_at: LookedAt { is_missing: report.lacks_profile, ..LookedAt::default() },
        }
    }

    /// What the text names that is not of here, as the beginning of a sentence.
    pub(super) fn elsewhere(&self, mention: &ReportedError) -> Option<String> {
        if self.has_none && mention.by_aws {
            let said = "AWS answered to some credentials, and nothing gives any here: the text is about another shell, profile or machine";
            return Some(said.to_owned());
        }
        if let Some(id) = &mention.access_key_id {
            if self.access_key_ids.contains(id) {
                return None;
            }
            if !self.access_key_ids.is_empty() {
                return Some(format!("the text names the access key {id}, which is not in this shell or its profile"));
            }
        }
        // Who asked; what was asked for is often of another account.
        let caller = mention.arn.as_deref().filter(|arn| arn.contains(":user/") || arn.contains(":assumed-role/"))?;
        let account = caller.split(':').nth(4).filter(|account| is_account(account))?;
        (!self.accounts.is_empty() && !self.accounts.iter().any(|known| known == account))
            .then(|| format!("the text names the account {account}, and the credentials of this shell are of another"))
    }
}

fn asked_regions(answers: &Answers) -> Vec<String> {
    let regions = answers.iter().filter_map(|(about, answer)| match (about, answer) {
        (About::Identity { region, .. }, Answer::Accepted { .. } | Answer::Refused(_)) => Some(region.clone()),
        _ => None,
    });
    regions.collect()
}
