use super::provider_chains::resolve;
use crate::core::clients::Client;
use crate::core::doctor::testing::evidence;

fn uses(client: Client, config: &str, credentials: &str, variables: &[(&str, &str)]) -> String {
    resolve(client, &evidence(config, credentials, variables, ""), None).label()
}

/// What each client uses, in the order of [`Client::ALL`].
fn all(config: &str, credentials: &str, variables: &[(&str, &str)]) -> Vec<String> {
    Client::ALL.iter().map(|client| uses(*client, config, credentials, variables)).collect()
}

const ENV: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "AKIA"), ("AWS_SECRET_ACCESS_KEY", "s")];
/// SSO settings that are whole.
const SSO: &str = "sso_start_url = u\nsso_region = us-east-1\nsso_account_id = 1\nsso_role_name = r";
const SESSION: &str = "[sso-session corp]\nsso_start_url = u\nsso_region = us-east-1\n";
const KEYS: &str = "aws_access_key_id = A\naws_secret_access_key = s\n";
const DEV: &str = "[dev]\naws_access_key_id = A\naws_secret_access_key = s\n";

#[test]
fn keys_in_the_variables_come_before_a_named_profile_in_all_but_javascript() {
    let with = [&ENV[..], &[("AWS_PROFILE", "dev")]].concat();
    let found = all("", DEV, &with);
    let (keys, profile) = ("the keys in the environment variables", "the static keys of profile \"dev\"");
    assert_eq!(found, [keys, profile, keys, keys, keys]);
    assert_eq!(all("", DEV, &ENV), [keys; 5]);
}

#[test]
fn a_profile_that_is_in_no_file_is_an_error_for_some_and_passed_over_by_others() {
    let with = [&ENV[..], &[("AWS_PROFILE", "gone")]].concat();
    let found = all("", DEV, &with);
    assert!(found[0].contains("in no file") && found[2].contains("in no file"), "{found:?}");
    assert_eq!((found[1].as_str(), found[3].as_str()), ("nothing", "the keys in the environment variables"));
}

#[test]
fn the_older_name_of_the_profile_variable_counts_for_some() {
    let both = [("AWS_PROFILE", "dev"), ("AWS_DEFAULT_PROFILE", "prod")];
    let found = all("", &format!("{DEV}{}", DEV.replace("dev", "prod")), &both);
    assert!(found[0].contains("prod") && found[1..].iter().all(|uses| uses.contains("dev")), "{found:?}");
    let found = all("", DEV, &[("AWS_DEFAULT_PROFILE", "dev")]);
    assert_eq!(found.iter().filter(|uses| uses.contains("dev")).count(), 2, "{found:?}");
}

#[test]
fn keys_beside_other_settings_are_used_by_some() {
    let (keys, sso, process) = ("the static keys", "the SSO settings", "the credential_process")
        .map_all(|way| format!("{way} of profile \"default\""));
    let credentials = "[default]\naws_access_key_id = A\naws_secret_access_key = s\n";
    let with = |line: &str| all(&format!("[default]\n{line}\n"), credentials, &[]);
    assert_eq!(with(SSO), [&sso, &keys, &keys, &sso, &sso].map(Clone::clone));
    assert_eq!(with("credential_process = x"), [&keys, &keys, &keys, &process, &process].map(Clone::clone));
    let role = with("role_arn = r\nsource_profile = default");
    assert!(role.iter().all(|uses| uses.starts_with("role_arn")), "{role:?}");
}

#[test]
fn a_web_identity_in_the_variables_comes_before_a_process_in_some() {
    let variables = [("AWS_WEB_IDENTITY_TOKEN_FILE", "/t"), ("AWS_ROLE_ARN", "r")];
    let found = all("[default]\ncredential_process = x\n", "", &variables);
    let web: Vec<bool> = found.iter().map(|uses| uses.contains("web identity")).collect();
    assert_eq!(web, [true, false, true, true, false], "{found:?}");
}

#[test]
fn the_container_endpoint_is_the_last_of_all() {
    let variables = [("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1")];
    assert!(all("", "", &variables).iter().all(|uses| uses.contains("container")));
    let found = all("", &DEV.replace("dev", "default"), &variables);
    assert!(found.iter().all(|uses| uses.contains("static keys")), "{found:?}");
    assert!(all("", "", &[]).iter().all(|uses| uses == "nothing"));
}

/// The ways in a few letters, in the order of [`Client::ALL`].
fn short(config: &str, credentials: &str, variables: &[(&str, &str)]) -> String {
    let letter = |uses: &String| match uses.split(" of profile").next().unwrap_or_default() {
        "role_arn" => "role",
        "role_arn with the static keys" => "role+keys",
        "the SSO settings" => "sso",
        "the static keys" => "keys",
        "the credential_process" => "process",
        "the login_session" => "login",
        "the web_identity_token_file" => "token",
        "the credential_source" => "source",
        "the keys in the environment variables" => "env",
        "the container endpoint in the environment variables" => "container",
        "nothing" => "-",
        other if other.starts_with("the web identity") => "web",
        other if other.starts_with("nothing: ") => "stops",
        other => panic!("{other}"),
    };
    all(config, credentials, variables).iter().map(letter).collect::<Vec<_>>().join(" ")
}

fn default(settings: &str) -> String {
    format!("[default]\n{settings}\n")
}

#[test]
fn an_empty_profile_variable_is_a_profile_without_a_name_for_some() {
    let keys = default(KEYS);
    assert_eq!(short("", &keys, &[("AWS_PROFILE", "")]), "stops keys keys - -");
    assert_eq!(short("", &keys, &[ENV[0], ENV[1], ("AWS_PROFILE", "")]), "stops env env env env");
    // The older variable counts for botocore even where it is empty and the present one is not.
    assert_eq!(short("", DEV, &[("AWS_DEFAULT_PROFILE", ""), ("AWS_PROFILE", "dev")]), "stops keys keys keys keys");
}

#[test]
fn half_a_key_in_a_file_stops_some() {
    let id = default("aws_access_key_id = A");
    assert_eq!(short(&id, "", &[]), "stops - stops - stops");
    assert_eq!(short(&default("credential_process = x"), &id, &[]), "stops process stops process process");
    // Halves in two files are a whole to those that merge the files.
    assert_eq!(short(&default("aws_secret_access_key = s"), &id, &[]), "stops keys stops keys keys");
    // Go reads the profile whole before it looks at the variables.
    assert_eq!(short(&id, "", &ENV), "env env stops env env");
    assert_eq!(short(&default("aws_session_token = t"), "", &[]), "- - - - stops");
}

#[test]
fn a_role_without_one_source_stops_some() {
    let both = default("role_arn = r\nsource_profile = default\ncredential_source = Environment");
    assert_eq!(short(&both, "", &[]), "stops - stops - stops");
    let none = default("role_arn = r");
    assert_eq!(short(&none, "", &[]), "stops - - - stops");
    // Go assumes a role with whatever it finds.
    assert_eq!(short(&none, &default(KEYS), &[]), "stops keys role+keys keys stops");
    assert_eq!(
        short(&none, "", &[("AWS_CONTAINER_CREDENTIALS_FULL_URI", "u")]),
        "stops container role container stops"
    );
    // The other half of it: a source and no role.
    assert_eq!(short(&default("credential_source = Environment"), &default(KEYS), &[]), "keys keys stops keys source");
    assert_eq!(short(&default("source_profile = default"), &default(KEYS), &[]), "keys keys stops keys keys");
}

#[test]
fn a_role_beside_other_ways_is_not_everybodys_first() {
    let with = |more: &str| short(&default(&format!("role_arn = r\nsource_profile = dev\n{more}")), DEV, &[]);
    assert_eq!(with(""), "role role role role role");
    assert_eq!(with(SSO), "role role role sso role");
    assert_eq!(with("credential_process = x"), "role role stops role role");
    assert_eq!(with("web_identity_token_file = t"), "token role stops token token");
}

#[test]
fn a_source_that_is_in_no_file_stops_some_and_is_passed_over_by_others() {
    let gone = "role_arn = r\nsource_profile = gone";
    assert_eq!(short(&default(gone), &default(KEYS), &[]), "stops - stops - -");
    let web = [("AWS_WEB_IDENTITY_TOKEN_FILE", "/t"), ("AWS_ROLE_ARN", "r")];
    assert_eq!(short(&default(gone), "", &web), "stops web stops web web");
    // JavaScript asks for a process once more.
    assert_eq!(short(&default(&format!("{gone}\ncredential_process = x")), "", &[]), "stops process stops - -");
}

#[test]
fn a_role_that_is_its_own_source_needs_keys_in_most_clients() {
    let own = "role_arn = r\nsource_profile = default";
    let with_keys = short(&default(own), &default(KEYS), &[]);
    assert_eq!(with_keys, "role+keys role+keys role+keys role+keys role+keys");
    assert_eq!(short(&default(own), "", &[]), "stops - stops - -");
    assert_eq!(short(&default(own), &default("aws_access_key_id = A"), &[]), "stops - stops - stops");
    let with = |more: &str| short(&default(&format!("{own}\n{more}")), "", &[]);
    assert_eq!(with("credential_process = x"), "stops process stops - role");
    assert_eq!(with(SSO), "stops - role sso role");
    // With keys, boto3 takes what it would take without the role.
    let with = |more: &str| short(&default(&format!("{own}\n{more}\n{KEYS}")), "", &[]);
    assert_eq!(with(SSO), "role role+keys role+keys sso role+keys");
    assert_eq!(with("sso_account_id = 1"), "stops role+keys role+keys - role+keys");
}

#[test]
fn a_session_that_is_in_no_file_stops_boto3_whatever_else_there_is() {
    let gone = default("sso_session = gone");
    assert_eq!(short(&gone, &default(KEYS), &ENV), "stops env stops env env");
    let incomplete = format!("{gone}[sso-session gone]\nsso_region = us-east-1\n");
    assert_eq!(short(&incomplete, &default(KEYS), &[]), "stops keys keys - -");
}

#[test]
fn a_token_file_in_the_profile_is_used_with_a_role_only() {
    let token = "role_arn = r\nweb_identity_token_file = t";
    assert_eq!(short(&default(token), "", &[]), "token token token token token");
    assert_eq!(short(&default(token), &default(KEYS), &[]), "token keys role+keys token token");
    assert_eq!(short(&default("web_identity_token_file = t"), "", &[]), "stops - stops - stops");
    // boto3 takes the role from the variables where they have one.
    let role = [("AWS_ROLE_ARN", "r")];
    assert_eq!(short(&default("web_identity_token_file = t"), "", &role), "token - stops - stops");
}

#[test]
fn a_web_identity_in_the_variables_needs_a_role() {
    let token = [("AWS_WEB_IDENTITY_TOKEN_FILE", "/t")];
    assert_eq!(short("", &default(KEYS), &token), "stops keys stops keys keys");
    let whole = [token[0], ("AWS_ROLE_ARN", "r")];
    assert_eq!(short("", &default(KEYS), &whole), "web keys web web keys");
    // A role with its source comes before it in boto3.
    assert_eq!(short(&default("role_arn = r\nsource_profile = dev"), DEV, &whole), "role role web web role");
}

#[test]
fn sso_settings_that_are_not_whole_stop_some_and_are_passed_over_by_others() {
    let lone = format!("{}{SESSION}", default("sso_session = corp"));
    assert_eq!(short(&lone, "", &[]), "- stops stops - -");
    assert_eq!(short(&lone, &default(KEYS), &[]), "keys keys keys - -");
    let process = format!("{}{SESSION}", default("sso_session = corp\ncredential_process = x"));
    assert_eq!(short(&process, "", &[]), "process process stops - -");
    assert_eq!(short(&default("sso_start_url = u"), "", &[]), "- stops stops - -");
    assert_eq!(short(&default("sso_account_id = 1"), "", &[]), "stops stops stops - stops");
    assert_eq!(short(&default("sso_region = r\ncredential_process = x"), "", &[]), "process process stops - -");
    let whole = "sso_session = corp\nsso_account_id = 1\nsso_role_name = r";
    assert_eq!(short(&format!("{}{SESSION}", default(whole)), "", &[]), "sso sso sso sso sso");
    assert_eq!(short(&default(whole), "", &[]), "stops stops stops - stops");
    // Rust wants the session's settings to stand in its section alone.
    let twice = format!("{}{SESSION}", default(&format!("{whole}\nsso_region = us-east-1")));
    assert_eq!(short(&twice, "", &[]), "sso sso sso sso stops");
}

#[test]
fn several_ways_in_one_profile_are_taken_in_different_orders() {
    let with = |settings: &str| short(&default(settings), "", &[]);
    assert_eq!(with(&format!("{SSO}\ncredential_process = x")), "sso process sso sso sso");
    assert_eq!(with(&format!("{SSO}\nlogin_session = l")), "sso sso sso sso sso");
    assert_eq!(with("login_session = l\ncredential_process = x"), "login process login login login");
    assert_eq!(with(&format!("credential_process = x\n{KEYS}")), "process keys keys process process");
    assert_eq!(short(&default("login_session = l"), &default(KEYS), &[]), "keys keys keys login login");
}

#[test]
fn older_names_of_the_keys_variables_count_for_some() {
    let go = [("AWS_ACCESS_KEY", "A"), ("AWS_SECRET_KEY", "s")];
    assert_eq!(short("", &default(KEYS), &go), "keys keys env keys keys");
    let rust = [("AWS_ACCESS_KEY_ID", "A"), ("SECRET_ACCESS_KEY", "s")];
    assert_eq!(short("", &default(KEYS), &rust), "stops keys keys keys env");
}

trait MapAll<T> {
    fn map_all(self, map: impl Fn(T) -> String) -> (String, String, String);
}

impl<T> MapAll<T> for (T, T, T) {
    fn map_all(self, map: impl Fn(T) -> String) -> (String, String, String) {
        (map(self.0), map(self.1), map(self.2))
    }
}
