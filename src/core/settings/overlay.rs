//! `[[profile]]`: whole profiles that are in no AWS file, and settings over those of one that is.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::places::Places;
use super::{Profile, RenewWhen, Settings};
use crate::core::profile::{Origin, Profiles, Section, SettingMap, SourceFile, Value};

impl Settings {
    /// The profiles of the AWS files with those of the settings laid over them.
    pub fn over<'a>(&self, profiles: &'a Profiles) -> Cow<'a, Profiles> {
        if self.profile.is_empty() {
            return Cow::Borrowed(profiles);
        }
        let mut profiles = profiles.clone();
        for (profile, lines) in self.profile.iter().zip(&self.profile_lines) {
            let origin =
                |setting: &str| Origin { file: SourceFile::Settings, line: lines.get(setting).copied().unwrap_or(1) };
            let section = profiles.profiles.entry(profile.name.clone()).or_insert_with(|| {
                Arc::new(Section {
                    name: profile.name.clone(),
                    origin: origin("name"),
                    settings: SettingMap::default(),
                })
            });
            let section = Arc::make_mut(section);
            for (ours, aws, text) in values(profile) {
                section.settings.insert(aws, Value::new(text, origin(ours)));
            }
        }
        Cow::Owned(profiles)
    }
}

/// The settings that are given: our name, the AWS files' name, and the value as it would stand there.
fn values(profile: &Profile) -> Vec<(&'static str, &'static str, String)> {
    let Profile {
        name: _,
        role_arn,
        source_profile,
        credential_source,
        role_session_name,
        external_id,
        mfa_serial,
        region,
        duration,
        mfa_process,
        renew,
    } = profile;
    let seconds = duration.map(|duration| duration.get().num_seconds().to_string());
    let renew = renew.map(|renew| match renew {
        RenewWhen::Auto => "auto".to_owned(),
        RenewWhen::OnDemand => "on-demand".to_owned(),
    });
    [
        ("role_arn", "role_arn", role_arn),
        ("source_profile", "source_profile", source_profile),
        ("credential_source", "credential_source", credential_source),
        ("role_session_name", "role_session_name", role_session_name),
        ("external_id", "external_id", external_id),
        ("mfa_serial", "mfa_serial", mfa_serial),
        ("region", "region", region),
        ("duration", "duration_seconds", &seconds),
        ("mfa_process", "mfa_process", mfa_process),
        ("renew", "renew", &renew),
    ]
    .into_iter()
    .filter_map(|(ours, aws, value)| Some((ours, aws, value.clone()?)))
    .collect()
}

/// The line of each setting of each `[[profile]]`.
pub(super) fn lines(places: &Places<'_>, profiles: &[Profile]) -> Vec<BTreeMap<String, u32>> {
    let names =
        ["name", "role_arn", "source_profile", "credential_source", "role_session_name", "external_id", "mfa_serial"];
    let names = names.into_iter().chain(["region", "duration", "mfa_process", "renew"]);
    let line = |at: usize, name: &str| places.line(&format!("profile[{at}].{name}"));
    (0..profiles.len())
        .map(|at| {
            let lines = names.clone().filter_map(|name| Some((name.to_owned(), u32::try_from(line(at, name)?).ok()?)));
            lines.collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::aws_file;
    use crate::core::plan::{PlanContext, RenewAs, Source, resolve};

    #[test]
    fn a_profile_of_the_settings_is_a_profile_and_goes_over_that_of_the_files() {
        let files = aws_file::load(
            Some("[profile dev]\nrole_arn = old\nsource_profile = base\nregion = eu-west-1\n"),
            Some("[base]\naws_access_key_id = A\naws_secret_access_key = s\n"),
        );
        let text = "[[profile]]\nname = \"dev\"\nrole_arn = \"new\"\nduration = \"1h30m\"\n\n[[profile]]\nname = \"own\"\n\
                    role_arn = \"r\"\nsource_profile = \"dve\"\nrenew = \"on-demand\"\n";
        let profiles = Settings::parse(text).unwrap().over(&files);
        let plan = resolve(&profiles, "dev", &PlanContext::default()).unwrap();
        let Source::AssumeRole(role) = &plan.steps.get(1).unwrap().source else { panic!("{plan:?}") };
        assert_eq!(
            (role.role_arn.as_str(), role.duration_seconds, role.endpoint.region.as_str()),
            ("new", Some(5_400), "eu-west-1")
        );
        let error = resolve(&profiles, "own", &PlanContext::default()).unwrap_err();
        assert!(error.message.contains("did you mean \"dev\"?"), "{error:?}");
        assert_eq!(error.origin, Some(Origin { file: SourceFile::Settings, line: 9 }));
        let text = text.replace("dve", "dev");
        let profiles = Settings::parse(&text).unwrap().over(&files);
        assert_eq!(resolve(&profiles, "own", &PlanContext::default()).unwrap().renew, Some(RenewAs::OnDemand));
    }
}
