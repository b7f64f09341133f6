//! `profiles --sso SESSION`: what the person who is signed in may be, and config sections for what has none yet.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::failure::{ATTENTION, Failure};
use super::{client, files, offline, output, render};
use crate::core::profile::Profiles;
use crate::platform::environment::Environment;

/// A role, and the profiles that mean it already.
struct Role {
    account_id: String,
    account_name: String,
    name: String,
    profiles: Vec<String>,
}

/// `profiles --sso SESSION`.
pub(super) fn list(environment: &Environment, session: &str, json: bool) -> Result<ExitCode, Failure> {
    let what = format!("the roles of the SSO session \"{session}\" can't be listed");
    let answer =
        client::ask(environment, "sso-roles", Some(session))?.map_err(|error| Failure::from_daemon(&what, error))?;
    let inputs = files::read_aws(&files::aws_paths(environment)?);
    let profiles = offline::with_settings(environment, inputs.profiles());
    let roles = roles(&answer, &profiles).ok_or_else(|| {
        Failure::new(ATTENTION, format!("{what}: the daemon's answer makes no sense")).fix(client::RESTART)
    })?;
    let sections = sections(&answer, &roles, &profiles);
    if json {
        let list: Vec<Value> = roles
            .iter()
            .map(|role| {
                json!({
                    "account_id": role.account_id,
                    "account_name": role.account_name,
                    "role_name": role.name,
                    "profiles": role.profiles,
                })
            })
            .collect();
        let document = json!({"schema": "evercred.sso-roles/1", "session": answer["session"], "roles": list, "sections": sections});
        return output::print_json(&document);
    }
    let mut text = String::new();
    for role in &roles {
        let known = match role.profiles.as_slice() {
            [] => "no profile yet".to_owned(),
            names => format!("profile {}", names.join(", ")),
        };
        // Comments, so that all of it can be appended to the config file as it is.
        let Role { account_id, account_name, name, .. } = role;
        text.push_str(&format!("# {account_id} {}  {name}: {known}\n", one_line(account_name)));
    }
    if roles.is_empty() {
        text.push_str("# no account, no role: ask an administrator of IAM Identity Center for an assignment\n");
    }
    output::print(&render::clean(&(text + &sections)))
}

fn roles(answer: &Value, profiles: &Profiles) -> Option<Vec<Role>> {
    let session = &answer["session"];
    let mut roles = Vec::new();
    for account in answer["accounts"].as_array()? {
        let account_id = account["id"].as_str()?.to_owned();
        for name in account["roles"].as_array()?.iter().filter_map(Value::as_str) {
            let of_role = |section: &&crate::core::profile::Section| {
                let is = |key: &str, wanted: Option<&str>| {
                    let text = section.get(key).or_else(|| section.get(&format!("evercred_{key}")));
                    wanted.is_some() && text.map(|value| value.text.as_str()) == wanted
                };
                let same_session =
                    is("sso_session", session["name"].as_str()) || is("sso_start_url", session["start_url"].as_str());
                same_session && is("sso_account_id", Some(&account_id)) && is("sso_role_name", Some(name))
            };
            let known = profiles.profiles.values().filter(of_role).map(|section| section.name.clone());
            roles.push(Role {
                account_id: account_id.clone(),
                account_name: account["name"].as_str().unwrap_or_default().to_owned(),
                name: name.to_owned(),
                profiles: known.collect(),
            });
        }
    }
    Some(roles)
}

/// Sections for the roles that no profile means yet.
fn sections(answer: &Value, roles: &[Role], profiles: &Profiles) -> String {
    let session = &answer["session"];
    let mut text = String::new();
    for Role { account_id, name, profiles: known, .. } in roles {
        // What AWS says stands in a file of the person's: only what its own rules allow.
        let is_account = account_id.len() == 12 && account_id.bytes().all(|byte| byte.is_ascii_digit());
        let is_role =
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+=,.@_-".contains(&byte));
        let profile = format!("{name}-{account_id}");
        if !known.is_empty() || !is_account || !is_role || profiles.profiles.contains_key(&profile) {
            continue;
        }
        text.push_str(&format!("\n[profile {profile}]\n"));
        match session["name"].as_str() {
            Some(session) => text.push_str(&format!("sso_session = {session}\n")),
            None => {
                let of = |field: &str| session[field].as_str().unwrap_or_default().to_owned();
                text.push_str(&format!("sso_start_url = {}\nsso_region = {}\n", of("start_url"), of("region")));
            }
        }
        text.push_str(&format!("sso_account_id = {account_id}\nsso_role_name = {name}\n"));
    }
    text
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::aws_file;

    #[test]
    fn only_what_has_no_profile_gets_a_section_and_a_hostile_name_gets_none() {
        let answer = json!({
            "session": {"name": "corp", "start_url": "https://corp.awsapps.com/start", "region": "eu-west-1"},
            "accounts": [
                {"id": "111122223333", "name": "Prod", "roles": ["Admin", "Read\nOnly", "Dev"]},
                {"id": "1", "name": "x", "roles": ["Admin"]},
            ],
        });
        let config = "[sso-session corp]\nsso_start_url = u\nsso_region = r\n\
                      [profile prod]\nsso_session = corp\nsso_account_id = 111122223333\nsso_role_name = Admin\n";
        let profiles = aws_file::load(Some(config), None);
        let roles = roles(&answer, &profiles).unwrap();
        assert_eq!(roles[0].profiles, ["prod"]);
        let text = sections(&answer, &roles, &profiles);
        assert_eq!(
            text,
            "\n[profile Dev-111122223333]\nsso_session = corp\nsso_account_id = 111122223333\nsso_role_name = Dev\n"
        );
    }
}
