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
    /// `--help`.
    Help,
    /// `--version`.
    Version,
}

/// What `--help` prints.
pub(super) const HELP: &str = "\
evercredd keeps AWS credentials fresh. It runs in the foreground and logs to stderr.

usage: evercredd [--config FILE] [--check]

  --config FILE   the settings file (default: EVERCRED_CONFIG, then ~/.config/evercred/evercred.toml)
  --check         read the settings and the AWS files, print every problem, end with 0 or 1
  --probe         answers the companion's doctor; not for people
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
    let (mut settings_file, mut check, mut probe) = (None, false, false);
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        match argument {
            Long("config") => settings_file = Some(PathBuf::from(parser.value().map_err(|error| error.to_string())?)),
            Long("check") => check = true,
            Long("probe") => probe = true,
            Short('h') | Long("help") => return Ok(Arguments::Help),
            Short('V') | Long("version") => return Ok(Arguments::Version),
            other => return Err(other.unexpected().to_string()),
        }
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
        assert_eq!(parsed(&["-V"]), Ok(Arguments::Version));
        assert_eq!(parsed(&["--help"]), Ok(Arguments::Help));
    }

    #[test]
    fn anything_else_is_named_in_the_error() {
        assert!(parsed(&["--frob"]).unwrap_err().contains("--frob"));
        assert!(parsed(&["stray"]).unwrap_err().contains("stray"));
        assert!(parsed(&["--config"]).is_err());
        assert!(parsed(&["--probe", "--check"]).unwrap_err().contains("exclude"));
    }
}
