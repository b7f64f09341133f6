//! What the calling shell has and a service has not: PATH, proxies, certificates, the AWS files' places.

use std::collections::BTreeMap;

/// What is carried from the shell to the daemon, as the setting `[environment]`.
pub const CARRIED: &[&str] = &[
    "PATH",
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "ALL_PROXY",
    "all_proxy",
    "NO_PROXY",
    "no_proxy",
    "AWS_CA_BUNDLE",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_LOGIN_CACHE_DIRECTORY",
    "SSH_AUTH_SOCK",
];

/// Those of them that decide how the daemon reaches AWS. (`ALL_PROXY` is for the programs that profiles run.)
pub const NETWORK: &[&str] =
    &["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy", "AWS_CA_BUNDLE"];

/// Those that differ from shell to shell without harm.
pub const OF_EACH_SHELL: &[&str] = &["PATH", "SSH_AUTH_SOCK"];

/// What decides where the daemon's own files are, and which certificates it knows: it is read before the settings are, so it
/// stands in the unit.
pub const OF_THE_UNIT: &[&str] = &[
    "EVERCRED_CONFIG",
    "EVERCRED_RUNTIME_DIR",
    "EVERCRED_STATE_DIR",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "XDG_CONFIG_HOME",
    "XDG_STATE_HOME",
];

/// A variable of the shell, and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// Its name.
    pub name: String,
    /// What becomes of it.
    pub fate: Fate,
}

/// What becomes of a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// This value is stored.
    Stored(String),
    /// The service has this value already.
    Same(String),
    /// It is not stored; why, as the end of a sentence.
    Refused(String),
}

/// Looks through the shell's variables: the usual ones, and those that were asked for by name.
pub fn choose(
    shell: &dyn Fn(&str) -> Option<String>,
    service: &dyn Fn(&str) -> Option<String>,
    more: &[String],
) -> Vec<Chosen> {
    let usual = CARRIED.iter().map(|name| (*name).to_owned());
    let more = more.iter().filter(|name| !CARRIED.contains(&name.as_str())).cloned();
    let chosen = usual.chain(more).filter_map(|name| {
        let value = carried(&name, &shell(&name)?);
        if value.is_empty() {
            return None;
        }
        let fate = match refusal(&name, &value) {
            Some(why) => Fate::Refused(why),
            None if service(&name).is_some_and(|own| carried(&name, &own) == value) => Fate::Same(value),
            None => Fate::Stored(value),
        };
        Some(Chosen { name, fate })
    });
    chosen.collect()
}

/// A value as it is carried: of PATH only what means the same wherever a program is started.
fn carried(name: &str, value: &str) -> String {
    if name != "PATH" {
        return value.to_owned();
    }
    let mut folders: Vec<&str> = Vec::new();
    for folder in value.split(':').filter(|folder| folder.starts_with('/')) {
        if !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    folders.join(":")
}

/// Why a value is not written into a file.
fn refusal(name: &str, value: &str) -> Option<String> {
    let upper = name.to_ascii_uppercase();
    let is_usual = CARRIED.contains(&name);
    if !is_usual && ["KEY", "TOKEN", "SECRET", "PASS", "PWD", "CREDENTIAL"].iter().any(|word| upper.contains(word)) {
        return Some("by its name it is a secret".to_owned());
    }
    if redact(value) != value {
        return Some("it holds a name and password for a server".to_owned());
    }
    if value.chars().any(char::is_control) {
        return Some("it holds control characters".to_owned());
    }
    // ssh-agent, and sshd for an agent that is passed on, draw a new folder at each login.
    if name == "SSH_AUTH_SOCK" && value.starts_with("/tmp/") {
        return Some("its path is another one after each login".to_owned());
    }
    None
}

/// A value without the names and passwords of URLs in it: up to the last `@`, whatever stands there. A password may hold
/// commas and slashes that should have been escaped. What begins as a path is one.
pub fn redact(value: &str) -> String {
    let Some(at) = value.rfind('@').filter(|_| !value.starts_with(['/', '~'])) else { return value.to_owned() };
    let scheme = value.find("://").map_or(0, |at| at + 3);
    let kept = if value[..scheme].contains('@') { 0 } else { scheme };
    format!("{}***{}", &value[..kept], &value[at..])
}

/// The carried variables of a daemon, fit to be shown.
pub fn shown(variable: &dyn Fn(&str) -> Option<String>) -> BTreeMap<String, String> {
    let of = |name: &&str| Some(((*name).to_owned(), redact(&carried(name, &variable(name)?))));
    CARRIED.iter().filter_map(of).filter(|(_, value)| !value.is_empty()).collect()
}

/// A variable that the shell and the daemon don't have alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// Its name.
    pub name: String,
    /// The shell's value, fit to be shown.
    pub shell: Option<String>,
    /// The daemon's.
    pub daemon: Option<String>,
}

/// Where two environments, as [`shown`] gives them, are not alike in what is asked about.
pub fn drift(shell: &BTreeMap<String, String>, daemon: &BTreeMap<String, String>, about: &[&str]) -> Vec<Drift> {
    let of = |name: &&str| {
        let (shell, daemon) = (shell.get(*name).cloned(), daemon.get(*name).cloned());
        (shell != daemon).then(|| Drift { name: (*name).to_owned(), shell, daemon })
    };
    about.iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &'static [(&str, &str)]) -> impl Fn(&str) -> Option<String> {
        move |name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
    }

    fn fate(name: &str, pairs: &'static [(&str, &str)], more: &[String]) -> Option<Fate> {
        let chosen = choose(&variables(pairs), &variables(&[("NO_PROXY", "localhost"), ("PATH", "/usr/bin")]), more);
        chosen.into_iter().find(|chosen| chosen.name == name).map(|chosen| chosen.fate)
    }

    #[test]
    fn what_the_service_has_not_is_stored() {
        let shell: &[_] =
            &[("PATH", "/opt/bin:.:bin:/usr/bin::/opt/bin"), ("HTTPS_PROXY", "http://proxy:3128"), ("EDITOR", "vi")];
        assert_eq!(fate("PATH", shell, &[]), Some(Fate::Stored("/opt/bin:/usr/bin".to_owned())));
        assert_eq!(fate("HTTPS_PROXY", shell, &[]), Some(Fate::Stored("http://proxy:3128".to_owned())));
        assert_eq!(fate("EDITOR", shell, &[]), None);
        assert_eq!(fate("EDITOR", shell, &["EDITOR".to_owned()]), Some(Fate::Stored("vi".to_owned())));
        assert_eq!(fate("NO_PROXY", &[("NO_PROXY", "localhost")], &[]), Some(Fate::Same("localhost".to_owned())));
        assert_eq!(fate("HTTP_PROXY", &[("HTTP_PROXY", "")], &[]), None);
    }

    #[test]
    fn what_looks_like_a_secret_is_refused() {
        for (name, shell) in [
            ("HTTPS_PROXY", &[("HTTPS_PROXY", "http://me:planted@proxy:3128")][..]),
            ("http_proxy", &[("http_proxy", "me:planted@proxy:3128")]),
            ("HTTPS_PROXY", &[("HTTPS_PROXY", "http://me:pl/anted@proxy:3128")]),
            ("VAULT_TOKEN", &[("VAULT_TOKEN", "planted")]),
            ("MY_API_KEY", &[("MY_API_KEY", "planted")]),
            ("db_password", &[("db_password", "planted")]),
            ("MYSQL_PWD", &[("MYSQL_PWD", "planted")]),
            ("DB_PASS", &[("DB_PASS", "planted")]),
            ("SSH_AUTH_SOCK", &[("SSH_AUTH_SOCK", "/tmp/ssh-planted/agent.7")]),
            ("EDITOR", &[("EDITOR", "a\nplanted")]),
        ] {
            match fate(name, shell, &[name.to_owned()]) {
                Some(Fate::Refused(why)) => assert!(!why.contains("planted"), "{why}"),
                other => panic!("{name}: {other:?}"),
            }
        }
        let kept = [
            ("SSH_AUTH_SOCK", "/run/user/1/keyring/ssh"),
            ("AWS_SHARED_CREDENTIALS_FILE", "/h/credentials"),
            ("NO_PROXY", "localhost,.example.com,10.0.0.0/8"),
        ];
        for (name, value) in kept {
            assert_eq!(refusal(name, value), None, "{name}");
        }
    }

    #[test]
    fn names_and_passwords_are_never_shown() {
        for (value, shown) in [
            ("http://proxy:3128", "http://proxy:3128"),
            ("http://me:pw@proxy:3128/", "http://***@proxy:3128/"),
            ("me:pw@proxy", "***@proxy"),
            ("http://me:p/w@proxy:1", "http://***@proxy:1"),
            ("http://me:sec,ret@proxy:3128", "http://***@proxy:3128"),
            ("http://me:a,b/c@proxy", "http://***@proxy"),
            ("me:p/w@proxy", "***@proxy"),
            ("http://me:pw@a,http://you:pw@b", "http://***@b"),
            ("me:pw@a,http://b", "***@a,http://b"),
            ("a,http://me:pw@b,c", "a,http://***@b,c"),
            ("/home/me@work/bin:/usr/bin", "/home/me@work/bin:/usr/bin"),
        ] {
            assert_eq!(redact(value), shown);
        }
    }

    #[test]
    fn a_difference_is_named_with_both_values_and_passwords_are_no_difference() {
        let shell = shown(&variables(&[("HTTPS_PROXY", "http://me:new@proxy"), ("NO_PROXY", "a"), ("PATH", "/x")]));
        let daemon =
            shown(&variables(&[("HTTPS_PROXY", "http://me:old@proxy"), ("AWS_CA_BUNDLE", "/ca"), ("PATH", "/y")]));
        let drift = |name: &str, shell: Option<&str>, daemon: Option<&str>| Drift {
            name: name.to_owned(),
            shell: shell.map(str::to_owned),
            daemon: daemon.map(str::to_owned),
        };
        assert_eq!(
            super::drift(&shell, &daemon, NETWORK),
            [drift("NO_PROXY", Some("a"), None), drift("AWS_CA_BUNDLE", None, Some("/ca"))]
        );
        assert_eq!(super::drift(&shell, &daemon, &["PATH"]), [drift("PATH", Some("/x"), Some("/y"))]);
    }
}
