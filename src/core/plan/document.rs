//! A plan as `plan --json` shows it.

use serde_json::{Map, Value, json};

use super::{Endpoint, Plan, PlanError, SessionToken, Source, SsoRole, Step, WebIdentity, helper_profile};
use crate::core::access_key::shown;
use crate::core::profile::{Origin, Section, SourceFile};
use crate::core::redact;

/// The document `evercred.plan/1`. `path` gives the path of a file.
pub fn plan_document(name: &str, plan: &Result<Plan, PlanError>, path: &dyn Fn(SourceFile) -> String) -> Value {
    let (steps, notes, error) = match plan {
        Ok(plan) => {
            let shown = plan.steps.iter().filter(|step| !matches!(step.source, Source::SsoToken(_)));
            (shown.map(step_document).collect(), plan.notes.clone(), Value::Null)
        }
        Err(error) => {
            let file = error.origin.map(|origin| path(origin.file));
            let line = error.origin.and_then(Origin::line);
            (Vec::new(), Vec::new(), json!({"code": error.code, "message": error.message, "file": file, "line": line}))
        }
    };
    let mut document =
        json!({"schema": "evercred.plan/1", "profile": name, "steps": steps, "notes": notes, "error": error});
    // A secret may be in the place of a profile's name.
    redact::hide_whole_secrets(&mut document);
    document
}

/// The kind of a plan's credentials: that of its last step, in the names of `status`.
pub fn kind(plan: &Plan) -> &'static str {
    plan.steps.last().map_or("static", |step| step_type(&step.source))
}

/// What the settings of one profile by themselves point to, in the order in which plans look.
pub fn stated_kind(section: &Section) -> Option<&'static str> {
    let has = |key: &str| section.get(key).is_some() || section.get(&format!("evercred_{key}")).is_some();
    if has("role_arn") {
        return Some(if has("web_identity_token_file") { "web-identity" } else { "assume-role" });
    }
    if has("sso_account_id") || has("sso_role_name") || has("sso_start_url") {
        return Some("sso");
    }
    let keys = section.get("aws_access_key_id").or_else(|| section.get("aws_secret_access_key"));
    if keys.is_some_and(|key| key.origin.file == SourceFile::Credentials) {
        return Some("static");
    }
    if has("login_session") {
        return Some("login");
    }
    if has("source_profile") && has("mfa_serial") {
        return Some("session-token");
    }
    match section.get("credential_process") {
        // A helper line for the profile itself marks an adopted profile, whose own settings determine the kind.
        Some(process) if helper_profile(&process.text).is_some_and(|name| name == section.name) => {
            Some(keys.map_or("process", |_| "static"))
        }
        Some(_) => Some("process"),
        None => keys.map(|_| "static"),
    }
}

/// The name of a step's type.
pub fn step_type(source: &Source) -> &'static str {
    match source {
        Source::Static(_) => "static",
        Source::Environment => "environment",
        Source::Container => "container",
        Source::InstanceMetadata => "instance-metadata",
        Source::Process { .. } => "process",
        Source::SsoToken(_) | Source::Sso(_) => "sso",
        Source::Login(_) => "login",
        Source::WebIdentity(_) => "web-identity",
        Source::SessionToken(_) => "session-token",
        Source::AssumeRole(_) => "assume-role",
    }
}

/// One step with the fields that it uses, in the SDKs' own names and without secrets; a field that is not set is left out.
fn step_document(step: &Step) -> Value {
    let mut fields = Map::new();
    let mut put = |key: &str, value: Value| {
        let is_setting = !matches!(key, "type" | "profile" | "access_key_id");
        match value {
            Value::Null => {}
            Value::String(text) if is_setting => _ = fields.insert(key.to_owned(), json!(redact::setting(key, &text))),
            value => _ = fields.insert(key.to_owned(), value),
        }
    };
    put("type", json!(step_type(&step.source)));
    if !matches!(step.source, Source::Environment | Source::Container | Source::InstanceMetadata) {
        put("profile", json!(step.profile));
    }
    match &step.source {
        Source::Static(keys) => put("access_key_id", json!(shown(&keys.access_key_id))),
        Source::Environment | Source::Container | Source::InstanceMetadata => {}
        Source::Process { command } => put("command", json!(command)),
        Source::SsoToken(_) => {}
        Source::Sso(role) => {
            let SsoRole { session, account_id, role_name } = &**role;
            put("sso_session", json!(session.name));
            put("sso_start_url", json!(session.start_url));
            put("sso_region", json!(session.region));
            put("sso_account_id", json!(account_id));
            put("sso_role_name", json!(role_name));
        }
        Source::Login(session) => put("login_session", json!(session.login_session)),
        Source::WebIdentity(WebIdentity { role_arn, token_file, role_session_name, duration_seconds, .. }) => {
            put("role_arn", json!(role_arn));
            put("web_identity_token_file", json!(token_file));
            put("role_session_name", json!(role_session_name));
            put("duration_seconds", json!(duration_seconds));
        }
        Source::SessionToken(SessionToken { mfa_serial, duration_seconds, .. }) => {
            put("mfa_serial", json!(mfa_serial));
            put("duration_seconds", json!(duration_seconds));
        }
        Source::AssumeRole(role) => {
            put("role_arn", json!(role.role_arn));
            put("external_id", json!(role.external_id));
            put("role_session_name", json!(role.role_session_name));
            put("duration_seconds", json!(role.duration_seconds));
            put("mfa_serial", json!(role.mfa_serial));
        }
    }
    if let Some(Endpoint { region, url, fips, dual_stack, ca_bundle }) = step.source.endpoint() {
        // That of SSO is `sso_region`.
        put("region", json!((!matches!(step.source, Source::Sso(_) | Source::Login(_))).then_some(region)));
        put("endpoint_url", json!(url));
        put("use_fips_endpoint", json!(fips.then_some(true)));
        put("use_dualstack_endpoint", json!(dual_stack.then_some(true)));
        put("ca_bundle", json!(ca_bundle.as_ref().map(|bundle| &bundle.path)));
    }
    Value::Object(fields)
}
