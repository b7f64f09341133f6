//! The daemon's command line.

use std::ffi::OsString;
use std::path::PathBuf;

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Arguments {
    /// Run, or with `check` read everything, print every problem and end.
    Run {
        /// `--config FILE`.
        settings_file: Option<PathBuf>,
        /// `--check`.
        check: bool,
    },
    /// `--probe`: answer the companion's questions on stdin.
    Probe {
        /// `--config FILE`.
        settings_file: Option<PathBuf>,
    },
    /// `--recover DIRECTORY…`: save the tokens that a killed daemon left in cache directories.
    Recover {
        /// `--config FILE`.
        settings_file: Option<PathBuf>,
        /// The cache directories.
        directories: Vec<PathBuf>,
    },
    /// `--help`.
    Help,
    /// `--version`.
    Version,
}

/// What `--help` prints.
pub(super) const HELP: &str = "\
evercredd fetches and renews AWS credentials. It runs in the foreground and logs to stderr.

usage: evercredd [--config FILE] [--check]

  --config FILE   the settings file (default: EVERCRED_CONFIG, then ~/.config/evercred/evercred.toml)
  --check         read the settings and the AWS files, print every problem, exit with 0 or 1
  --probe         answers the questions of `evercred doctor`; not for users
  --recover DIRECTORY
                  saves tokens that a killed daemon left, for `evercred service uninstall`; not for users
  -h, --help      this
  -V, --version   the version

SIGHUP: read every file again. SIGTERM, SIGINT: stop.
";

/// Parses the arguments behind the program's name.
///
/// # Errors
/// A sentence about the first argument that makes no sense.
pub(super) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Arguments, String> {
    use lexopt::prelude::{Long, Short};
    let mut parser = lexopt::Parser::from_args(arguments);
    let (mut settings_file, mut check, mut probe, mut directories) = (None, false, false, Vec::new());
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        match argument {
            Long("config") => settings_file = Some(PathBuf::from(parser.value().map_err(|error| error.to_string())?)),
            Long("recover") => directories.push(PathBuf::from(parser.value().map_err(|error| error.to_string())?)),
            Long("check") => check = true,
            Long("probe") => probe = true,
            Short('h') | Long("help") => return Ok(Arguments::Help),
            Short('V') | Long("version") => return Ok(Arguments::Version),
            other => return Err(other.unexpected().to_string()),
        }
    }
    if !directories.is_empty() {
        return match (probe, check) {
            (false, false) => Ok(Arguments::Recover { settings_file, directories }),
            _ => Err("--recover excludes --probe and --check".to_owned()),
        };
    }
    Ok(match (probe, check) {
        (true, true) => return Err("--probe and --check exclude each other".to_owned()),
        (true, false) => Arguments::Probe { settings_file },
        (false, _) => Arguments::Run { settings_file, check },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Arguments, String> {
        parse(arguments.iter().map(OsString::from))
    }

    #[test]
    fn the_documented_forms_are_understood() {
        let run = |settings_file: Option<&str>, check| {
            Ok(Arguments::Run { settings_file: settings_file.map(PathBuf::from), check })
        };
        assert_eq!(parsed(&[]), run(None, false));
        assert_eq!(parsed(&["--config", "x.toml", "--check"]), run(Some("x.toml"), true));
        assert_eq!(parsed(&["--probe"]), Ok(Arguments::Probe { settings_file: None }));
        let directories = vec![PathBuf::from("a"), PathBuf::from("b")];
        let recover = Arguments::Recover { settings_file: None, directories };
        assert_eq!(parsed(&["--recover", "a", "--recover", "b"]), Ok(recover));
        assert_eq!(parsed(&["-V"]), Ok(Arguments::Version));
        assert_eq!(parsed(&["--help"]), Ok(Arguments::Help));
    }

    #[test]
    fn anything_else_is_named_in_the_error() {
        assert!(parsed(&["--frob"]).unwrap_err().contains("--frob"));
        assert!(parsed(&["stray"]).unwrap_err().contains("stray"));
        assert!(parsed(&["--config"]).is_err());
        assert!(parsed(&["--recover", "a", "--check"]).unwrap_err().contains("exclude"));
        assert!(parsed(&["--probe", "--check"]).unwrap_err().contains("exclude"));
    }
}
