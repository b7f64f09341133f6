//! Where the AWS files are: the SDKs' rules on the environment.

use std::path::PathBuf;

/// Where both AWS files are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsPaths {
    /// The config file.
    pub config: PathBuf,
    /// The shared credentials file.
    pub credentials: PathBuf,
}

/// Where the AWS tools keep the tokens of sign-in sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachePaths {
    /// `~/.aws/sso/cache`: no variable moves it.
    pub sso: PathBuf,
    /// `~/.aws/login/cache`, or AWS_LOGIN_CACHE_DIRECTORY.
    pub login: PathBuf,
}

impl CachePaths {
    /// Finds the folders as the AWS tools do. `None` where a path is needed and no home folder is known.
    pub fn resolve(variable: &dyn Fn(&str) -> Option<String>, style: PathStyle) -> Option<Self> {
        let home = || home(variable, style);
        Some(Self {
            sso: join(&home()?, &[".aws", "sso", "cache"], style),
            login: match variable("AWS_LOGIN_CACHE_DIRECTORY").filter(|path| !path.is_empty()) {
                Some(path) => expand(path, variable, style)?,
                None => join(&home()?, &[".aws", "login", "cache"], style),
            },
        })
    }
}

/// Whose path rules hold. evercred runs on Unix; the other is here because the SDKs' cases ask for it, and for WSL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathStyle {
    /// `/home/x/.aws/config`.
    Unix,
    /// `C:\Users\x\.aws\config`.
    Windows,
}

impl AwsPaths {
    /// Finds the files as the SDKs do: AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE, then the home directory. `$NAME`,
    /// `${NAME}` and a leading `~/` in them are expanded. `None` where a path is needed and no home directory is known.
    pub fn resolve(variable: &dyn Fn(&str) -> Option<String>, style: PathStyle) -> Option<Self> {
        let one = |name: &str, file: &str| -> Option<PathBuf> {
            match variable(name).filter(|path| !path.is_empty()) {
                Some(path) => expand(path, variable, style),
                None => Some(join(&home(variable, style)?, &[".aws", file], style)),
            }
        };
        Some(Self {
            config: one("AWS_CONFIG_FILE", "config")?,
            credentials: one("AWS_SHARED_CREDENTIALS_FILE", "credentials")?,
        })
    }
}

/// Expands a path as botocore does: variables first, then the tilde. The "variable" `~bob` is the home directory of that user.
/// `None` if the path needs an unknown home directory.
pub(super) fn expand(path: String, variable: &dyn Fn(&str) -> Option<String>, style: PathStyle) -> Option<PathBuf> {
    let path = expand_variables(&path, variable);
    match path.strip_prefix('~') {
        Some(rest) if rest.starts_with('/') || (style == PathStyle::Windows && rest.starts_with('\\')) => {
            Some(join(&home(variable, style)?, &[&rest[1..]], style))
        }
        Some("") => home(variable, style).map(PathBuf::from),
        Some(rest) if style == PathStyle::Unix => {
            let (user, rest) = rest.split_once('/').unwrap_or((rest, ""));
            match variable(&format!("~{user}")) {
                Some(home) => Some(join(&home, &[rest], style)),
                None => Some(PathBuf::from(path)),
            }
        }
        _ => Some(PathBuf::from(path)),
    }
}

/// `$NAME` and `${NAME}`, as Python's `os.path.expandvars`: unset variables stay as they are.
fn expand_variables(path: &str, variable: &dyn Fn(&str) -> Option<String>) -> String {
    let mut expanded = String::new();
    let mut rest = path;
    while let Some(at) = rest.find('$') {
        expanded.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let (name, length) = match after.strip_prefix('{') {
            Some(braced) => braced.find('}').map_or(("", 0), |end| (&braced[..end], end + 2)),
            None => {
                let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
                (&after[..end], end)
            }
        };
        match variable(name).filter(|_| !name.is_empty()) {
            Some(value) => expanded.push_str(&value),
            None => expanded.push_str(&rest[at..=at + length]),
        }
        rest = &after[length..];
    }
    expanded.push_str(rest);
    expanded
}

fn home(variable: &dyn Fn(&str) -> Option<String>, style: PathStyle) -> Option<String> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    match (set("HOME"), style) {
        (Some(home), _) => Some(home),
        (None, PathStyle::Unix) => None,
        (None, PathStyle::Windows) => {
            set("USERPROFILE").or_else(|| Some(format!("{}{}", set("HOMEDRIVE")?, set("HOMEPATH")?)))
        }
    }
}

fn join(base: &str, parts: &[&str], style: PathStyle) -> PathBuf {
    let separator = match style {
        PathStyle::Unix => '/',
        PathStyle::Windows => '\\',
    };
    let mut path = base.trim_end_matches(separator).to_owned();
    for part in parts {
        path.push(separator);
        path.push_str(part);
    }
    PathBuf::from(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(variables: &[(&str, &str)]) -> Option<AwsPaths> {
        let variable =
            |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        AwsPaths::resolve(&variable, PathStyle::Unix)
    }

    #[test]
    fn a_tilde_is_the_home_folder() {
        let paths = resolve(&[("HOME", "/h"), ("AWS_CONFIG_FILE", "~/c")]).unwrap();
        assert_eq!(paths.config, PathBuf::from("/h/c"));
    }

    #[test]
    fn a_tilde_and_a_name_are_the_home_directory_of_that_user() {
        for (path, found) in
            [("~bob/c", "/homes/bob/c"), ("~bob", "/homes/bob/"), ("~eve/c", "~eve/c"), ("a~bob/c", "a~bob/c")]
        {
            let set = [("HOME", "/h"), ("~bob", "/homes/bob"), ("AWS_CONFIG_FILE", path)];
            assert_eq!(resolve(&set).unwrap().config, PathBuf::from(found), "{path}");
        }
    }

    #[test]
    fn variables_are_expanded_and_what_is_not_set_stays() {
        for (path, found) in [
            ("$HOME/c", "/h/c"),
            ("${HOME}/c", "/h/c"),
            ("/x/$A-${A}$A", "/x/a-aa"),
            ("$NONE/${NONE}/$/${/${}", "$NONE/${NONE}/$/${/${}"),
            ("$T/c", "/h/c"),
            ("/é$", "/é$"),
        ] {
            let set = [("HOME", "/h"), ("A", "a"), ("T", "~"), ("AWS_CONFIG_FILE", path)];
            assert_eq!(resolve(&set).unwrap().config, PathBuf::from(found), "{path}");
        }
    }

    #[test]
    fn without_a_home_both_files_have_to_be_named() {
        assert_eq!(resolve(&[("AWS_CONFIG_FILE", "/c")]), None);
        assert!(resolve(&[("AWS_CONFIG_FILE", "/c"), ("AWS_SHARED_CREDENTIALS_FILE", "/d")]).is_some());
    }
}
