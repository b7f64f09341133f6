//! `profiles --sso SESSION`: what the person who is signed in may be, and config sections for what has none yet.

use std::collections::BTreeMap;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::failure::{ATTENTION, Failure};
use super::{client, files, offline, output};
use crate::core::credential::is_account_id;
use crate::core::printable::{has_harmful, line, printable};
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
        Failure::new(ATTENTION, format!("{what}: evercred does not understand the daemon's answer")).restart()
    })?;
    let (roles, refused): (Vec<Role>, Vec<Role>) = roles.into_iter().partition(Role::is_of_aws);
    let sections = sections(&answer, &roles, &profiles)?;
    let ends_with = if refused.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(ATTENTION) };
    for Role { account_id, name, .. } in refused {
        let what = format!("skipped role \"{}\" of account \"{}\"", line(&name), line(&account_id));
        output::error(&Failure::new(ATTENTION, format!("{what}: not a valid account id or role name")));
    }
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
        return output::print_json(&document).map(|_| ends_with);
    }
    output::print(&text(&roles, &sections)).map(|_| ends_with)
}

/// The text for the user's config file: comments, and sections for the roles without a profile.
fn text(roles: &[Role], sections: &str) -> String {
    // The file may end without a newline.
    let mut text = String::from("\n");
    for Role { account_id, account_name, name, profiles } in roles {
        let known = match profiles.as_slice() {
            [] => "no profile yet".to_owned(),
            names => line(&format!("profile {}", names.join(", "))),
        };
        text.push_str(&format!("# {account_id} {}  {name}: {known}\n", printable(account_name)));
    }
    if roles.is_empty() {
        text.push_str("# no account, no role: ask an administrator of IAM Identity Center for an assignment\n");
    }
    text + sections
}

impl Role {
    /// Whether account id and role name are valid at AWS (`CreateRole`: up to 64 of `[\w+=,.@-]`). No other text is written to
    /// the user's config file.
    fn is_of_aws(&self) -> bool {
        let of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
        is_account_id(&self.account_id) && (1..=64).contains(&self.name.len()) && self.name.bytes().all(of_name)
    }
}

fn roles(answer: &Value, profiles: &Profiles) -> Option<Vec<Role>> {
    let known = known_roles(&answer["session"], profiles);
    let mut roles = Vec::new();
    for account in answer["accounts"].as_array()? {
        let account_id = account["id"].as_str()?;
        for name in account["roles"].as_array()?.iter().filter_map(Value::as_str) {
            roles.push(Role {
                account_id: account_id.to_owned(),
                account_name: account["name"].as_str().unwrap_or_default().to_owned(),
                name: name.to_owned(),
                profiles: known.get(&(account_id, name)).cloned().unwrap_or_default(),
            });
        }
    }
    Some(roles)
}

/// The profiles of a session, by account and role.
fn known_roles<'a>(session: &Value, profiles: &'a Profiles) -> BTreeMap<(&'a str, &'a str), Vec<String>> {
    let mut known: BTreeMap<_, Vec<String>> = BTreeMap::new();
    for section in profiles.profiles.values() {
        let text = |key: &str| {
            let value = section.get(key).or_else(|| section.get(&format!("evercred_{key}")));
            value.map(|value| value.text.as_str())
        };
        let is = |key: &str, wanted: &Value| wanted.is_string() && text(key) == wanted.as_str();
        if (is("sso_session", &session["name"]) || is("sso_start_url", &session["start_url"]))
            && let (Some(account), Some(role)) = (text("sso_account_id"), text("sso_role_name"))
        {
            known.entry((account, role)).or_default().push(section.name.clone());
        }
    }
    known
}

/// Sections for the roles that no profile means yet.
fn sections(answer: &Value, roles: &[Role], profiles: &Profiles) -> Result<String, Failure> {
    let session = &answer["session"];
    let setting = |field: &str| session[field].as_str().filter(|text| !has_harmful(text));
    let mut text = String::new();
    for Role { account_id, name, profiles: known, .. } in roles {
        let profile = format!("{name}-{account_id}");
        if !known.is_empty() || profiles.profiles.contains_key(&profile) {
            continue;
        }
        text.push_str(&format!("\n[profile {profile}]\n"));
        match (setting("name"), setting("start_url"), setting("region")) {
            (Some(session), ..) => text.push_str(&format!("sso_session = {session}\n")),
            (None, Some(url), Some(region)) => {
                text.push_str(&format!("sso_start_url = {url}\nsso_region = {region}\n"))
            }
            _ => {
                return Err(Failure::new(
                    ATTENTION,
                    "the daemon's answer has no SSO session that a config file can contain",
                )
                .restart());
            }
        }
        text.push_str(&format!("sso_account_id = {account_id}\nsso_role_name = {name}\n"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::aws_file;

    const CONFIG: &str = "[sso-session corp]\nsso_start_url = u\nsso_region = r\n\
                          [profile prod]\nsso_session = corp\nsso_account_id = 111122223333\nsso_role_name = Admin\n";

    fn answer(accounts: &Value) -> Value {
        json!({
            "session": {"name": "corp", "start_url": "https://corp.awsapps.com/start", "region": "eu-west-1"},
            "accounts": accounts,
        })
    }

    fn appended(accounts: &Value) -> (String, usize) {
        let (answer, profiles) = (answer(accounts), aws_file::load(Some(CONFIG), None));
        let all = roles(&answer, &profiles).unwrap();
        let (good, refused): (Vec<Role>, Vec<Role>) = all.into_iter().partition(Role::is_of_aws);
        let sections = sections(&answer, &good, &profiles).unwrap();
        (text(&good, &sections), refused.len())
    }

    #[test]
    fn only_what_has_no_profile_gets_a_section() {
        let (text, refused) = appended(&json!([{"id": "111122223333", "name": "Prod", "roles": ["Admin", "Dev"]}]));
        let wanted = "\n# 111122223333 Prod  Admin: profile prod\n# 111122223333 Prod  Dev: no profile yet\n\
                      \n[profile Dev-111122223333]\nsso_session = corp\nsso_account_id = 111122223333\nsso_role_name = Dev\n";
        assert_eq!((text.as_str(), refused), (wanted, 0));
    }

    #[test]
    fn thousands_of_roles_find_their_profiles_among_thousands() {
        let section = |at: usize| {
            format!("[profile p{at}]\nsso_session = corp\nsso_account_id = 111122223333\nsso_role_name = Role{at}\n")
        };
        let profiles = aws_file::load(Some(&(0..20_000).map(section).collect::<String>()), None);
        let names: Vec<String> = (0..20_000).map(|at| format!("Role{at}")).collect();
        let roles =
            roles(&answer(&json!([{"id": "111122223333", "name": "Prod", "roles": names}])), &profiles).unwrap();
        assert!(roles.iter().all(|role| role.profiles.len() == 1) && roles.len() == 20_000);
        assert_eq!(roles[7].profiles, ["p7"]);
    }

    #[test]
    fn what_a_portal_says_adds_nothing_of_its_own_to_the_config_file() {
        let evil = "\n[default]\ncredential_process = touch /tmp/x\n#";
        for bad in [
            evil,
            "\r[default]",
            "\u{2028}[default]",
            "\u{85}x",
            "\u{b}x",
            "\u{c}x",
            "\u{1b}[2J",
            "\u{202e}",
            " x",
            "",
            "é",
        ] {
            let (name, id) = (format!("Admin{bad}"), format!("111122223333{bad}"));
            let name = if bad.is_empty() { String::new() } else { name };
            let id = if bad.is_empty() { "1111222233334".to_owned() } else { id };
            let roles = json!([{"id": "444455556666", "name": bad, "roles": [name, "x".repeat(65)]}, {"id": id, "name": bad, "roles": ["Dev"]}]);
            let (text, refused) = appended(&roles);
            assert_eq!((text.matches('\n').count(), text.contains('['), refused), (2, false, 3), "{text:?}");
        }
        for name in [evil, "a\r[default]", "a\u{2028}[default]\u{85}b"] {
            let before = "[profile last]\nregion = eu-west-1";
            let (text, refused) = appended(&json!([{"id": "444455556666", "name": name, "roles": ["Dev"]}]));
            let profiles = aws_file::load(Some(&format!("{before}{text}")), None);
            let names: Vec<&str> = profiles.profiles.keys().map(String::as_str).collect();
            assert_eq!((names, refused), (vec!["Dev-444455556666", "last"], 0), "{text:?}");
            assert_eq!(
                text.lines().filter(|line| line.contains("default")).count(),
                text.lines().filter(|line| line.starts_with("# 4")).count()
            );
        }
    }
}
