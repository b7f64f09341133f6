//! The way back of a walk: each profile adds its step to the steps of its source.

use std::sync::Arc;

use super::chain::Chain;
use super::look::{View, error};
use super::session_length::{LONGEST_CHAINED, LONGEST_OF_ROLE, LONGEST_OF_USER, SHORTEST};
use super::walk::Walker;
use super::{AssumeRole, Endpoint, PlanError, PlanErrorCode, SessionToken, Source, Step};
use crate::core::profile::Value;

/// The default lifetime of an MFA session in seconds.
const MFA_SESSION_SECONDS: u32 = 12 * 3600;

/// A step that is signed with the credentials of the one before it.
pub(super) struct Link<'a> {
    pub(super) view: View<'a>,
    /// `None` for a session-token profile.
    pub(super) role_arn: Option<&'a Value>,
    pub(super) endpoint: Arc<Endpoint>,
}

impl Walker<'_> {
    /// The chain with the step of a role.
    pub(super) fn assume_role(&mut self, link: &Link<'_>, role_arn: &Value, source: Chain) -> Result<Chain, PlanError> {
        let view = link.view;
        let (steps, mfa_serial) = self.mfa(link, source)?;
        let duration_seconds = view.duration_seconds(&mut self.notes).map(|seconds| {
            let said = format!("{} = {seconds} of profile \"{}\"", view.spelt("duration_seconds"), view.name());
            let on_mfa_session = matches!(last(&steps), Some(Source::SessionToken(_)));
            let long_term = matches!(last(&steps), Some(Source::Static(keys)) if keys.session_token.is_none());
            // The kind of credentials from a process is known only after its first run.
            let chained = !long_term && !matches!(last(&steps), Some(Source::Process { .. }));
            if !(SHORTEST..=LONGEST_OF_ROLE).contains(&seconds) {
                self.notes.push(format!("AWS will refuse {said}: {SHORTEST} to {LONGEST_OF_ROLE} are possible"));
            } else if on_mfa_session && seconds > LONGEST_CHAINED {
                self.notes.push(format!(
                    "{said} is cut to {LONGEST_CHAINED}: a role behind an MFA session lives one hour at most, and is renewed \
                     without a code"
                ));
                return LONGEST_CHAINED;
            } else if chained && seconds > LONGEST_CHAINED {
                self.notes.push(format!(
                    "AWS will refuse {said}: a role that is assumed with temporary credentials lives one hour at most"
                ));
            }
            seconds
        });
        Ok(steps.then(Step {
            profile: view.name().to_owned(),
            source: Source::AssumeRole(AssumeRole {
                role_arn: role_arn.text.clone(),
                role_session_name: view.session_name(),
                external_id: view.get("external_id").map(|value| value.text.clone()),
                duration_seconds,
                mfa_serial,
                mfa_process: text(view, "mfa_process"),
                endpoint: link.endpoint.clone(),
            }),
        }))
    }

    /// The meaning of `mfa_serial` of a role. Based on an IAM user's key, in a file or printed by a program: one session with the
    /// code, shared by all roles with that key and device. Based on a role: an error, as roles have no device. Otherwise the
    /// role's own call sends the code.
    fn mfa(&mut self, link: &Link<'_>, source: Chain) -> Result<(Chain, Option<String>), PlanError> {
        let Some(serial) = link.view.get("mfa_serial") else { return Ok((source, None)) };
        match last(&source) {
            Some(Source::Static(keys)) if keys.session_token.is_none() => {
                Ok((source.then(session_token(link, serial, MFA_SESSION_SECONDS)), None))
            }
            Some(Source::Process { .. }) if !self.prints_temporary(&source) => {
                self.notes.push(
                    "one MFA code serves all roles based on this credential_process, if the program prints the long-term key of \
                     an IAM user; if it prints temporary credentials, each role needs a code"
                        .to_owned(),
                );
                Ok((source.then(session_token(link, serial, MFA_SESSION_SECONDS)), None))
            }
            Some(Source::SessionToken(_)) => {
                self.notes.push(format!(
                    "{} of profile \"{}\" needs no second code: its source is an MFA session",
                    link.view.spelt("mfa_serial"),
                    link.view.name()
                ));
                Ok((source, None))
            }
            Some(
                Source::AssumeRole(_)
                | Source::Sso(_)
                | Source::WebIdentity(_)
                | Source::InstanceMetadata
                | Source::Container,
            ) => {
                let message = format!(
                    "profile \"{}\" has an {}, but its source is a role, and roles have no MFA device: move it to the first \
                     role of the chain",
                    link.view.name(),
                    link.view.spelt("mfa_serial")
                );
                Err(error(PlanErrorCode::ConflictingSource, message, serial.origin))
            }
            _ => Ok((source, Some(serial.text.clone()))),
        }
    }

    /// Whether the program of the last step printed temporary credentials in its last run.
    fn prints_temporary(&self, steps: &Chain) -> bool {
        steps.last_link().is_some_and(|link| self.context.temporary_processes.contains(link.key()))
    }

    /// The chain of a profile with `mfa_serial` and without a role: an MFA session.
    pub(super) fn session(&mut self, link: &Link<'_>, source: Chain) -> Result<Chain, PlanError> {
        let Some(serial) = link.view.get("mfa_serial") else { return Ok(source) };
        let long_term = match last(&source) {
            Some(Source::Static(keys)) => keys.session_token.is_none(),
            Some(Source::Process { .. }) => !self.prints_temporary(&source),
            Some(Source::Environment) => true,
            _ => false,
        };
        if !long_term {
            let message = format!(
                "profile \"{}\" asks for a session with an MFA code ({}), which AWS gives for an IAM user's long-term key \
                 only, and its source has temporary credentials",
                link.view.name(),
                link.view.spelt("mfa_serial")
            );
            return Err(error(PlanErrorCode::ConflictingSource, message, serial.origin));
        }
        let seconds = link.view.duration_seconds(&mut self.notes).unwrap_or(MFA_SESSION_SECONDS);
        if !(SHORTEST..=LONGEST_OF_USER).contains(&seconds) {
            self.notes.push(format!(
                "AWS will refuse {} = {seconds} of profile \"{}\": {SHORTEST} to {LONGEST_OF_USER} are possible",
                link.view.spelt("duration_seconds"),
                link.view.name()
            ));
        }
        Ok(source.then(session_token(link, serial, seconds)))
    }
}

fn text(view: View<'_>, setting: &str) -> Option<String> {
    view.get(setting).map(|value| value.text.clone())
}

fn last(steps: &Chain) -> Option<&Source> {
    steps.last().map(|step| &step.source)
}

fn session_token(link: &Link<'_>, serial: &Value, seconds: u32) -> Step {
    Step {
        profile: link.view.name().to_owned(),
        source: Source::SessionToken(SessionToken {
            mfa_serial: Some(serial.text.clone()),
            mfa_process: text(link.view, "mfa_process"),
            duration_seconds: Some(seconds),
            endpoint: Endpoint::clone(&link.endpoint),
        }),
    }
}

pub(super) fn no_credentials(view: View<'_>) -> PlanError {
    let name = view.name();
    if view.adopted {
        let message = format!(
            "the credential_process of profile \"{name}\" asks evercred for the same profile, and no evercred_… setting says \
             how to obtain its credentials"
        );
        let line = view.section.get("credential_process").map_or(view.section.origin, |line| line.origin);
        return error(PlanErrorCode::ProfileLoop, message, line);
    }
    let message = if view.get("sso_session").is_some() {
        format!(
            "profile \"{name}\" has sso_session, and lacks sso_account_id and sso_role_name: whose credentials they are"
        )
    } else {
        format!(
            "profile \"{name}\" has no setting that says how to obtain its credentials (role_arn, sso_session, keys, …)"
        )
    };
    error(PlanErrorCode::NoCredentials, message, view.section.origin)
}
