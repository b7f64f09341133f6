//! The profiles, keys and regions of this machine that a text may be about.

use std::collections::BTreeSet;

use crate::core::doctor::{
    About, Answer, Answers, Case, Cause, FileState, KeySet, NamedEndpoint, Outcome, Report, named_endpoints,
};
use crate::core::plan::Source;

/// The checked profile, for the first line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LookedAt {
    /// Why this profile was checked: "which the text names".
    pub why: Option<&'static str>,
    /// Whether neither AWS file has the profile.
    pub is_missing: bool,
}

/// The facts that decide whether the errors of a text are about the credentials of this machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocalContext {
    /// The access key ids in the variables and files of this shell.
    pub access_key_ids: Vec<String>,
    /// The profiles of the AWS files of this shell.
    pub profiles: Vec<String>,
    /// The accounts of these keys, from AWS's answers.
    pub accounts: Vec<String>,
    /// Whether this shell has no credentials.
    pub has_none: bool,
    /// Whether its only credentials are long-term keys, which do not expire.
    pub only_long_term: bool,
    /// Whether STS, or the server that a setting names in its place, accepted the credentials.
    pub are_accepted: bool,
    /// The profile that doctor checked.
    pub profile: Option<String>,
    /// Whether the user's shell is fish.
    pub uses_fish: bool,
    /// The region of that profile.
    pub region: Option<String>,
    /// The regions in which doctor called AWS.
    pub regions: Vec<String>,
    /// The steps of that profile; `None` if they are not known.
    pub steps: Option<StepFacts>,
    /// Whether this user can't read one of the AWS files.
    pub has_unreadable_file: bool,
    /// The variables that are set; `None` if they are not known.
    pub set_variables: Option<BTreeSet<String>>,
    /// The endpoints that the settings name, those that take precedence first.
    pub endpoints: Vec<NamedEndpoint>,
    /// The first line: the checked profile and region.
    pub looked_at: LookedAt,
}

/// The steps to a profile's credentials, as far as a text may be about them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StepFacts {
    /// Whether one uses a sign-in session.
    pub signs_in: bool,
    /// Whether one needs the code of an MFA device.
    pub needs_code: bool,
    /// Whether one gets temporary credentials.
    pub gets_temporary: bool,
    /// Whether one sends a web identity token.
    pub has_web_identity: bool,
    /// The roles that are requested.
    pub roles: Vec<String>,
}

impl LocalContext {
    /// The context from doctor's evidence and AWS's answers.
    pub fn new(case: &Case<'_>, report: &Report) -> Self {
        let accounts = case.answers.iter().filter_map(|(_, answer)| match answer {
            Answer::Accepted { account_id, .. } if !account_id.is_empty() => Some(account_id.clone()),
            _ => None,
        });
        // An id of another form may be a secret, and no text names it.
        let keys = case.subjects.iter().filter(|subject| subject.has_aws_id());
        let steps = StepFacts::of(case);
        let has_token = |subject: &KeySet<'_>| subject.token().is_some() || subject.is_temporary();
        Self {
            access_key_ids: keys.filter_map(|subject| Some(subject.access_key_id?.text.to_owned())).collect(),
            profiles: case.evidence.profiles.profiles.keys().cloned().collect(),
            accounts: accounts.collect(),
            has_none: report.findings.iter().any(|finding| finding.id == Cause::CredentialsMissing),
            only_long_term: steps.as_ref().is_some_and(|steps| !steps.gets_temporary)
                && !case.subjects.is_empty()
                && !case.subjects.iter().any(has_token),
            are_accepted: matches!(report.verdict.outcome, Outcome::Works { of_shell: None }),
            profile: report.profile.clone(),
            uses_fish: case.evidence.variables.uses_fish(),
            region: report.region.clone(),
            regions: asked_regions(case.answers),
            steps,
            has_unreadable_file: case
                .evidence
                .files
                .iter()
                .any(|file| matches!(file.state, FileState::Unreadable { .. } | FileState::Directory { .. })),
            set_variables: Some(set_variables(case)),
            endpoints: named_endpoints(case),
            looked_at: LookedAt { is_missing: report.lacks_profile, ..LookedAt::default() },
        }
    }

    /// Those of the variables that are set; all of them if it is not known which are.
    pub(super) fn set_of<'a>(&self, names: &[&'a str]) -> Vec<&'a str> {
        let is_set = |name: &&str| self.set_variables.as_ref().is_none_or(|set| set.contains(*name));
        names.iter().copied().filter(|name| is_set(name)).collect()
    }

    /// Whether the server at an endpoint accepted the credentials of this shell: it answers the calls to STS, too.
    pub(super) fn is_accepted_by(&self, endpoint: &NamedEndpoint) -> bool {
        let of_sts = self.endpoints.iter().find(|known| known.is_for("sts"));
        self.are_accepted && of_sts.is_some_and(|known| known.authority == endpoint.authority)
    }

    /// The checked profile, in a sentence.
    pub(super) fn label(&self) -> String {
        match &self.profile {
            Some(profile) => format!("profile \"{profile}\""),
            None => "this shell".to_owned(),
        }
    }
}

impl StepFacts {
    /// Whether `evercred login` has something to do for the profile.
    pub(super) fn can_log_in(&self) -> bool {
        self.signs_in || self.needs_code
    }

    /// `None` for another program's credentials: it may use any of these.
    fn of(case: &Case<'_>) -> Option<Self> {
        let mut facts = Self::default();
        if !matches!(case.plan, Some(Ok(_))) {
            return None;
        }
        for step in case.steps() {
            facts.needs_code |= step.source.device().is_some();
            facts.gets_temporary |= !matches!(step.source, Source::Static(_) | Source::Environment);
            match &step.source {
                Source::Process { .. } => return None,
                Source::SsoToken(_) | Source::Sso(_) | Source::Login(_) => facts.signs_in = true,
                Source::WebIdentity(identity) => {
                    facts.has_web_identity = true;
                    facts.roles.push(identity.role_arn.clone());
                }
                Source::AssumeRole(role) => facts.roles.push(role.role_arn.clone()),
                Source::Static(_)
                | Source::Environment
                | Source::Container
                | Source::InstanceMetadata
                | Source::SessionToken(_) => {}
            }
        }
        Some(facts)
    }
}

fn set_variables(case: &Case<'_>) -> BTreeSet<String> {
    let variables = case.evidence.variables.iter().filter(|(_, value)| !value.is_empty());
    variables.map(|(name, _)| name.to_owned()).collect()
}

fn asked_regions(answers: &Answers) -> Vec<String> {
    let regions = answers.iter().filter_map(|(about, answer)| match (about, answer) {
        (About::Identity { region, .. }, Answer::Accepted { .. } | Answer::Refused(_)) => Some(region.clone()),
        _ => None,
    });
    regions.collect()
}
