//! The input of all rules: the profile in question, the keys in question, and the time.

use std::collections::BTreeSet;

use chrono::TimeDelta;

use super::probe::ClockFacts;
use super::{Answer, Answers, Daemon, DaemonProfile, Evidence, KeySource, Keys, Variant};
use crate::core::access_key;
use crate::core::plan::{self, Plan, PlanError, PlanErrorCode, Step};
use crate::core::profile::{Origin, Section, SourceFile};
use crate::core::time::AwsTime;
use crate::core::variables;

/// Why no request was sent to AWS, as the end of a sentence.
pub(super) const OFFLINE: &str = "doctor sent no request to AWS (--offline)";

/// One case for the doctor.
pub struct Case<'a> {
    /// The evidence.
    pub evidence: &'a Evidence,
    /// AWS's answers.
    pub answers: &'a Answers,
    /// The profile in question: the one that was named, else the one that the variables name, else `default` where it is in
    /// a file.
    pub profile: Option<String>,
    /// How the daemon would get the profile's credentials.
    pub plan: Option<Result<Plan, PlanError>>,
    /// The sets of keys in question: those in the variables, those in the files for the profile and for the first step of
    /// its plan, and those that a `credential_process` printed.
    pub subjects: Vec<KeySet<'a>>,
}

/// One set of keys from one place. A missing part is `None`.
pub struct KeySet<'a> {
    /// Its place.
    pub source: KeySource,
    /// The access key id.
    pub access_key_id: Option<SourcedValue<'a>>,
    /// The secret access key.
    pub secret_access_key: Option<SourcedValue<'a>>,
    /// The session token under its current name.
    pub session_token: Option<SourcedValue<'a>>,
    /// The token under its older name, `aws_security_token`, which botocore prefers.
    pub security_token: Option<SourcedValue<'a>>,
}

/// A value and its place. No `Debug`: it may be a secret.
#[derive(Clone, Copy)]
pub struct SourcedValue<'a> {
    /// The value as the SDKs' specification reads it.
    pub text: &'a str,
    /// The variable or the setting.
    pub name: &'a str,
    /// The place, for values in files.
    pub origin: Option<Origin>,
}

impl<'a> SourcedValue<'a> {
    /// A setting of a section.
    pub fn setting(section: &'a Section, name: &'a str) -> Option<Self> {
        let value = section.get(name)?;
        Some(Self { text: &value.text, name, origin: Some(value.origin) })
    }

    /// A variable of the shell that is not empty.
    pub fn variable(evidence: &'a Evidence, name: &'a str) -> Option<Self> {
        Some(Self { text: evidence.variables.get(name)?, name, origin: None })
    }
}

impl<'a> KeySet<'a> {
    /// The keys in the variables of the shell; `None` where none is set.
    pub fn of_environment(evidence: &'a Evidence) -> Option<Self> {
        let one = |name: &'static str| SourcedValue::variable(evidence, name);
        let subject = Self {
            source: KeySource::Environment,
            access_key_id: one("AWS_ACCESS_KEY_ID").or_else(|| one("AWS_ACCESS_KEY")),
            secret_access_key: one("AWS_SECRET_ACCESS_KEY").or_else(|| one("AWS_SECRET_KEY")),
            session_token: one("AWS_SESSION_TOKEN"),
            security_token: one("AWS_SECURITY_TOKEN"),
        };
        subject.parts().next().is_some().then_some(subject)
    }

    /// The keys in a profile; `None` where there are none.
    pub fn of_section(section: &'a Section) -> Option<Self> {
        let one = |name: &'static str| SourcedValue::setting(section, name);
        let subject = Self {
            source: KeySource::Profile(section.name.clone()),
            access_key_id: one("aws_access_key_id"),
            secret_access_key: one("aws_secret_access_key"),
            session_token: one("aws_session_token"),
            security_token: one("aws_security_token"),
        };
        subject.parts().next().is_some().then_some(subject)
    }

    /// The keys that a profile's `credential_process` printed.
    fn of_program(profile: &str, keys: &'a Keys) -> Self {
        let one = |name, text: &'a str| Some(SourcedValue { text, name, origin: None });
        Self {
            source: KeySource::Process(profile.to_owned()),
            access_key_id: one("AccessKeyId", &keys.access_key_id),
            secret_access_key: one("SecretAccessKey", &keys.secret_access_key),
            session_token: keys.session_token.as_ref().and_then(|token| one("SessionToken", token)),
            security_token: None,
        }
    }

    /// Whether both id and secret are set.
    pub fn is_whole(&self) -> bool {
        self.access_key_id.is_some() && self.secret_access_key.is_some()
    }

    /// Its parts.
    pub fn parts(&self) -> impl Iterator<Item = SourcedValue<'a>> + use<'a> {
        let parts = [self.access_key_id, self.secret_access_key, self.session_token, self.security_token];
        parts.into_iter().flatten()
    }

    /// The token that botocore would send: the older name comes first.
    pub fn token(&self) -> Option<SourcedValue<'a>> {
        self.security_token.or(self.session_token)
    }

    /// Whether these are temporary credentials: by the id's prefix (IAM User Guide, "IAM identifiers"), else by the token.
    pub fn is_temporary(&self) -> bool {
        match self.access_key_id.map(|id| id.text.get(..4).unwrap_or_default()) {
            Some("ASIA") => true,
            Some("AKIA") => false,
            _ => self.token().is_some(),
        }
    }

    /// Whether the id has the form of AWS's ids.
    pub fn has_aws_id(&self) -> bool {
        self.access_key_id.is_some_and(|id| access_key::is_id(id.text))
    }

    /// The profile whose `credential_process` printed the keys.
    pub fn program(&self) -> Option<&str> {
        match &self.source {
            KeySource::Process(profile) => Some(profile),
            KeySource::Environment | KeySource::Profile(_) => None,
        }
    }

    /// The access key id, where it has the form of one: else it may be a secret, and is not shown.
    pub fn shown_id(&self) -> &'a str {
        self.access_key_id.map_or("(not shown)", |id| access_key::shown(id.text))
    }

    /// The file with the keys.
    pub fn file(&self, case: &Case<'_>) -> String {
        let origin = self.parts().find_map(|part| part.origin);
        case.path(origin.map_or(SourceFile::Credentials, |origin| origin.file))
    }

    /// The name for users: "the environment", "profile \"dev\"".
    pub fn label(&self) -> String {
        label(&self.source)
    }
}

/// The place of keys, for a sentence.
pub(super) fn label(source: &KeySource) -> String {
    match source {
        KeySource::Environment => "the environment".to_owned(),
        KeySource::Profile(name) => format!("profile \"{name}\""),
        KeySource::Process(name) => format!("the output of profile \"{name}\"'s credential_process"),
    }
}

/// A length of time in its largest unit.
fn span(length: TimeDelta) -> String {
    match length.num_seconds().max(0) {
        seconds @ 0..=119 => format!("{seconds} s"),
        seconds @ 120..=7199 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3_600),
    }
}

impl<'a> Case<'a> {
    /// Builds the input of the rules.
    pub fn new(evidence: &'a Evidence, answers: &'a Answers) -> Self {
        let named = evidence.named.as_deref();
        let by_variable = evidence.variables.first(&variables::PROFILE).map(|(_, name)| name);
        let default = Some("default").filter(|name| evidence.profiles_of_daemon.profiles.contains_key(*name));
        let profile = named.or(by_variable).or(default).map(str::to_owned);
        let plan = profile.as_deref().map(|name| plan::resolve(&evidence.profiles_of_daemon, name, &evidence.context));
        let mut case = Self { evidence, answers, profile, plan, subjects: Vec::new() };
        case.subjects = case.find_subjects();
        case
    }

    /// The daemon's status of the profile in question.
    pub fn daemon_profile(&self) -> Option<&'a DaemonProfile> {
        let Daemon::Answers(facts) = &self.evidence.daemon else { return None };
        facts.profiles.iter().find(|profile| Some(&profile.name) == self.profile.as_ref())
    }

    /// Whether the user named the profile in question, by the argument or by a variable.
    pub fn is_named(&self) -> bool {
        let by_variable = || self.evidence.variables.first(&variables::PROFILE).is_some();
        self.evidence.named.is_some() || by_variable()
    }

    /// The daemon's valid credentials for the profile and their age, for a sentence. AWS may refuse them by now.
    pub fn cached(&self) -> Option<String> {
        let cached = self.daemon_profile().filter(|profile| profile.valid == Some(true))?;
        let (now, _) = self.aws_time();
        let age = cached.renewed_at.map(|at| format!(", which AWS issued {} ago", span(now - at)));
        let rest = cached.expires_at.map(|at| format!(" for another {}", span(at - now)));
        Some(format!(
            "the daemon has cached credentials of the profile{}; they are valid{}",
            age.unwrap_or_default(),
            rest.unwrap_or_default()
        ))
    }

    /// The section of the profile in question in the AWS files.
    pub fn section(&self) -> Option<&'a Section> {
        self.evidence.profiles.profiles.get(self.profile.as_deref()?).map(AsRef::as_ref)
    }

    /// The settings of the profile in question, also if it is only in `evercred.toml`.
    pub fn settings(&self) -> Option<&'a Section> {
        let of_daemon = || self.evidence.profiles_of_daemon.profiles.get(self.profile.as_deref()?).map(AsRef::as_ref);
        self.section().or_else(of_daemon)
    }

    /// The profile in question and the profiles that its credentials come from.
    pub fn chain(&self) -> Vec<&'a Section> {
        let mut sections: Vec<&Section> = self.settings().into_iter().collect();
        let mut names: BTreeSet<&str> = sections.iter().map(|section| section.name.as_str()).collect();
        while let Some(source) = sections.last().and_then(|section| section.get("source_profile")) {
            let Some(next) = self.evidence.profiles_of_daemon.profiles.get(&source.text) else { break };
            if !names.insert(&next.name) {
                break;
            }
            sections.push(next);
        }
        sections
    }

    /// The sso-session of a section.
    pub fn sso_session(&self, section: &Section) -> Option<&'a Section> {
        let sessions = &self.evidence.profiles_of_daemon.sso_sessions;
        sessions.get(&section.get("sso_session")?.text).map(AsRef::as_ref)
    }

    /// A setting of the sign-in that the profile's credentials come from: in its sso-session, or in a profile.
    pub fn sign_in_setting(&self, name: &'a str) -> Option<SourcedValue<'a>> {
        self.chain().into_iter().find_map(|section| {
            let of_session = self.sso_session(section).and_then(|session| SourcedValue::setting(session, name));
            of_session.or_else(|| SourcedValue::setting(section, name))
        })
    }

    /// Whether AWS accepts a variant of a set of keys.
    pub fn accepts(&self, subject: &KeySet<'_>, variant: Variant) -> bool {
        matches!(self.answers.variant(&subject.source, variant), Some(Answer::Accepted { .. }))
    }

    /// The daemon's plan of the profile, if its settings lead to one.
    pub fn good_plan(&self) -> Option<&Plan> {
        self.plan.as_ref()?.as_ref().ok()
    }

    /// Whether the keys in the environment variables are the profile's own: evercred has exported them, or it is the same key.
    pub fn variables_are_the_profiles(&self) -> bool {
        let variables = &self.evidence.variables;
        let exported = variables.get("EVERCRED_PROFILE");
        let of_profile = self.section().and_then(|section| section.get("aws_access_key_id")).map(|id| id.text.as_str());
        (exported.is_some() && exported == self.profile.as_deref())
            || (of_profile.is_some() && of_profile == variables.get("AWS_ACCESS_KEY_ID"))
    }

    /// Whether neither AWS file has the profile.
    pub fn lacks_profile(&self) -> bool {
        matches!(&self.plan, Some(Err(error)) if error.code == PlanErrorCode::MissingProfile)
    }

    /// The steps of the profile's plan; empty if its settings don't lead to a plan.
    pub fn steps(&self) -> impl Iterator<Item = &Step> + Clone {
        self.plan.iter().flatten().flat_map(|plan| plan.steps.iter())
    }

    /// The facts about this machine's clock.
    pub fn clock(&self) -> Option<&'a ClockFacts> {
        self.answers.clock()
    }

    /// AWS's time, and how far it may be off.
    pub fn aws_time(&self) -> (AwsTime, TimeDelta) {
        let known = self.clock().and_then(|facts| Some((-facts.offset_seconds?, facts.uncertainty_seconds?)));
        // The kernel's estimate is good to the second, until AWS has answered.
        let by_kernel = self.clock().filter(|facts| facts.kernel_synchronised == Some(true)).map(|_| (0.0, 5.0));
        self.evidence.aws_time(known.or(self.evidence.aws_minus_wall).or(by_kernel))
    }

    /// The place of a value, for users: `AWS_ACCESS_KEY_ID`, or `aws_access_key_id (~/.aws/credentials:3)`.
    pub fn place(&self, located: &SourcedValue<'_>) -> String {
        match located.origin {
            None => located.name.to_owned(),
            Some(origin) => format!("{} ({})", located.name, self.at(origin)),
        }
    }

    /// A line of a file: `/home/me/.aws/credentials:3`.
    pub fn at(&self, origin: Origin) -> String {
        origin.at(&self.path(origin.file))
    }

    /// The path of a file.
    pub fn path(&self, file: SourceFile) -> String {
        let paths = self.evidence.paths.as_ref();
        let path = match file {
            SourceFile::Config => paths.map(|paths| paths.config.display().to_string()),
            SourceFile::Credentials => paths.map(|paths| paths.credentials.display().to_string()),
            SourceFile::Settings => Some("evercred.toml".to_owned()),
        };
        path.unwrap_or_else(|| "an AWS file".to_owned())
    }

    fn find_subjects(&self) -> Vec<KeySet<'a>> {
        let mut subjects: Vec<KeySet<'a>> = KeySet::of_environment(self.evidence).into_iter().collect();
        let first_of_plan = self.steps().next().map(|step| step.profile.clone());
        let mut names: Vec<String> = self.profile.iter().cloned().chain(first_of_plan).collect();
        names.dedup();
        subjects.extend(names.iter().filter_map(|name| KeySet::of_section(self.evidence.profiles.profiles.get(name)?)));
        let printed = self.answers.chain().iter().filter_map(|step| Some((&step.profile, step.printed.as_ref()?)));
        subjects.extend(printed.map(|(profile, keys)| KeySet::of_program(profile, keys)));
        subjects
    }
}
