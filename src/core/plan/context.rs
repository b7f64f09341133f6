//! What plans take from outside the files: a few variables, and the local zone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chrono::TimeDelta;

use super::{CaBundle, Endpoint, NodeKey, Service};
use crate::core::location::{PathStyle, expand};
use crate::core::profile::{Profiles, Section};

/// What plans take from outside the files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlanContext {
    /// AWS_REGION, else AWS_DEFAULT_REGION.
    pub region: Option<String>,
    /// `AWS_ENDPOINT_URL_` and the service's name, for those that are set, else AWS_ENDPOINT_URL.
    pub endpoint_urls: BTreeMap<Service, String>,
    /// AWS_IGNORE_CONFIGURED_ENDPOINT_URLS.
    pub ignore_configured_endpoint_urls: bool,
    /// AWS_USE_FIPS_ENDPOINT.
    pub fips: Option<bool>,
    /// AWS_USE_DUALSTACK_ENDPOINT.
    pub dual_stack: Option<bool>,
    /// AWS_STS_REGIONAL_ENDPOINTS.
    pub sts_regional_endpoints: Option<String>,
    /// Whether AWS_CA_BUNDLE is set: it overrides every profile's `ca_bundle`.
    pub has_ca_bundle: bool,
    /// HOME, for paths in the files.
    pub home: Option<String>,
    /// Local time minus UTC, for expiries that were written without a zone.
    pub local_offset: TimeDelta,
    /// The `credential_process` steps whose last run printed temporary credentials instead of a user's long-term key.
    pub temporary_processes: BTreeSet<NodeKey>,
}

/// The settings of a profile that decide its endpoints. Profiles with the same settings have the same endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct WayToAws<'a>([Option<&'a str>; 7]);

impl<'a> WayToAws<'a> {
    /// Reads the settings of a profile.
    pub(super) fn of(profile: &'a Section) -> Self {
        let settings = [
            "region",
            "services",
            "endpoint_url",
            "ignore_configured_endpoint_urls",
            "use_fips_endpoint",
            "use_dualstack_endpoint",
            "ca_bundle",
        ];
        Self(settings.map(|setting| profile.get(setting).map(|value| value.text.as_str())))
    }
}

impl PlanContext {
    /// Reads the variables that the SDKs read.
    pub fn from_environment(variable: &dyn Fn(&str) -> Option<String>, local_offset: TimeDelta) -> Self {
        let set = |name: &str| variable(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        Self {
            region: set("AWS_REGION").or_else(|| set("AWS_DEFAULT_REGION")),
            endpoint_urls: [Service::Sts, Service::Portal, Service::Oidc, Service::Signin]
                .into_iter()
                .filter_map(|service| {
                    let name = format!("AWS_ENDPOINT_URL_{}", settings_name(service).to_uppercase());
                    Some((service, set(&name).or_else(|| set("AWS_ENDPOINT_URL"))?))
                })
                .collect(),
            ignore_configured_endpoint_urls: set("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")
                .is_some_and(|text| is_true(&text)),
            fips: set("AWS_USE_FIPS_ENDPOINT").map(|text| is_true(&text)),
            dual_stack: set("AWS_USE_DUALSTACK_ENDPOINT").map(|text| is_true(&text)),
            sts_regional_endpoints: set("AWS_STS_REGIONAL_ENDPOINTS"),
            has_ca_bundle: set("AWS_CA_BUNDLE").is_some(),
            home: set("HOME"),
            local_offset,
            temporary_processes: BTreeSet::new(),
        }
    }

    /// Where the STS calls for one profile go. As in botocore and the Rust SDK it is the profile that was asked for that
    /// decides for its whole chain, and a variable beats the file. Beside it stands what a person may want to know about it.
    pub fn sts_endpoint(&self, profile: &Section, profiles: &Profiles) -> (Endpoint, Vec<String>) {
        let mut notes = Vec::new();
        let region = self.region(profile).unwrap_or_else(|| {
            notes.push(format!("no region is set for profile \"{}\": STS is called in us-east-1", profile.name));
            "us-east-1".to_owned()
        });
        let regional = self
            .sts_regional_endpoints
            .as_deref()
            .or_else(|| Some(profile.get("sts_regional_endpoints")?.text.as_str()));
        if regional.is_some_and(|text| text.eq_ignore_ascii_case("legacy")) {
            notes.push(
                "sts_regional_endpoints = legacy is not followed: the regional endpoint's tokens are valid in every region, \
                 the global one's are not"
                    .to_owned(),
            );
        }
        if let Some(value) = profile.get("ca_bundle").filter(|value| !value.text.is_empty()) {
            let name = &profile.name;
            notes.push(if self.has_ca_bundle {
                format!("AWS_CA_BUNDLE is used instead of ca_bundle of profile \"{name}\" (line {})", value.origin.line)
            } else {
                format!(
                    "calls for profile \"{name}\" trust only the certificates in its ca_bundle (line {})",
                    value.origin.line
                )
            });
        }
        (self.endpoint(Service::Sts, region, Some(profile), profiles), notes)
    }

    /// The `ca_bundle` of a profile, as botocore reads it: the variable overrides it, and `~` is expanded. A relative path is
    /// relative to the home directory, as the daemon does not know the shell's working directory.
    fn ca_bundle(&self, profile: &Section) -> Option<CaBundle> {
        let value = profile.get("ca_bundle").filter(|_| !self.has_ca_bundle)?;
        let text = Some(value.text.trim()).filter(|text| !text.is_empty())?;
        let home = |name: &str| self.home.clone().filter(|_| name == "HOME");
        let path = expand(text.to_owned(), &home, PathStyle::Unix).unwrap_or_else(|| text.into());
        let path = if path.is_relative() {
            self.home.as_deref().map_or(path.clone(), |home| Path::new(home).join(&path))
        } else {
            path
        };
        let named_by = format!("ca_bundle of profile \"{}\", {}", profile.name, value.origin.label());
        Some(CaBundle { path: path.to_string_lossy().into_owned(), named_by })
    }

    /// STS for nobody in particular: what the default profile would use, if there is one.
    pub fn home_endpoint(&self, profiles: &Profiles) -> Endpoint {
        let section = profiles.profiles.get("default").map(AsRef::as_ref);
        let region = section.and_then(|section| self.region(section)).or_else(|| self.region.clone());
        self.endpoint(Service::Sts, region.unwrap_or_else(|| "us-east-1".to_owned()), section, profiles)
    }

    /// The region of a profile.
    pub fn region(&self, profile: &Section) -> Option<String> {
        self.region.clone().or_else(|| Some(profile.get("region")?.text.clone()))
    }

    /// Where the calls to a service in a region go, as one profile says: of endpoint URLs the variables come first, then the
    /// `services` section, then `endpoint_url`.
    pub fn endpoint(
        &self,
        service: Service,
        region: String,
        profile: Option<&Section>,
        profiles: &Profiles,
    ) -> Endpoint {
        let text = |key: &str| Some(profile?.get(key)?.text.clone());
        let switch = |key: &str| text(key).is_some_and(|text| is_true(&text));
        let from_services = || {
            let services = profiles.services.get(&text("services")?)?;
            services.settings.get(settings_name(service))?.nested().get("endpoint_url").map(|value| value.text.clone())
        };
        let ignored = self.ignore_configured_endpoint_urls || switch("ignore_configured_endpoint_urls");
        let configured = || {
            let url = self.endpoint_urls.get(&service).cloned();
            url.or_else(from_services).or_else(|| text("endpoint_url")).filter(|url| !url.is_empty())
        };
        Endpoint {
            region,
            url: if ignored { None } else { configured() },
            fips: self.fips.unwrap_or_else(|| switch("use_fips_endpoint")),
            dual_stack: self.dual_stack.unwrap_or_else(|| switch("use_dualstack_endpoint")),
            ca_bundle: profile.and_then(|profile| self.ca_bundle(profile)),
        }
    }
}

/// The service's name in the settings, and in capitals in variables: the service's id, in the SDKs' spelling.
fn settings_name(service: Service) -> &'static str {
    match service {
        Service::Sts => "sts",
        Service::Portal => "sso",
        Service::Oidc => "sso_oidc",
        Service::Signin => "signin",
    }
}

fn is_true(text: &str) -> bool {
    text.eq_ignore_ascii_case("true")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::aws_file;

    fn bundle(setting: &str, variables: &[(&str, &str)]) -> Option<String> {
        let profiles = aws_file::load(Some(&format!("[profile a]\nregion = eu-west-1\n{setting}\n")), None);
        let variable =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        let context = PlanContext::from_environment(&variable, TimeDelta::zero());
        let (endpoint, notes) = context.sts_endpoint(&profiles.profiles["a"], &profiles);
        assert_eq!(notes.len(), usize::from(setting.contains("/")), "{notes:?}");
        if let Some(bundle) = &endpoint.ca_bundle {
            assert_eq!(bundle.named_by, "ca_bundle of profile \"a\", line 3 of the AWS config file");
        }
        endpoint.ca_bundle.map(|bundle| bundle.path)
    }

    #[test]
    fn a_profiles_ca_bundle_counts_where_no_variable_names_one() {
        let home = ("HOME", "/home/me");
        for (setting, variables, wanted) in [
            ("ca_bundle = /etc/ca.pem", vec![home], Some("/etc/ca.pem")),
            ("ca_bundle = ~/ca.pem", vec![home], Some("/home/me/ca.pem")),
            ("ca_bundle = certs/ca.pem", vec![home], Some("/home/me/certs/ca.pem")),
            ("ca_bundle = /etc/ca.pem", vec![home, ("AWS_CA_BUNDLE", "/other.pem")], None),
            ("ca_bundle = /etc/ca.pem", vec![home, ("AWS_CA_BUNDLE", "")], Some("/etc/ca.pem")),
            ("ca_bundle =", vec![home], None),
            ("", vec![home], None),
        ] {
            assert_eq!(bundle(setting, &variables).as_deref(), wanted, "{setting} {variables:?}");
        }
    }
}
