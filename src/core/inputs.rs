//! What the daemon has read of the AWS files: the newest good text of each, and what is wrong with a newer one.
//!
//! A broken file changes nothing: the plans made from the last good text go on, and the problem is said until the file
//! is mended. Only a file that was broken from the start leaves its profiles without plans.

use zeroize::Zeroizing;

use crate::core::aws_file;
use crate::core::profile::{Origin, Problem, Profiles, SourceFile};

/// What was found at a file's path.
pub enum Reading {
    /// No such file: as good as an empty one.
    Missing,
    /// Its bytes.
    Bytes(Zeroizing<Vec<u8>>),
    /// It is there and can't be read: the end of a sentence.
    Unreadable(String),
}

/// What a reading changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    None,
    /// There are new profiles: plans have to be made anew.
    Profiles,
    /// The file is broken; the profiles are as before.
    Rejected,
}

/// Both AWS files.
#[derive(Default)]
pub struct AwsInputs {
    config: Slot,
    credentials: Slot,
    profiles: Profiles,
}

#[derive(Default)]
struct Slot {
    read: bool,
    /// A good reading was taken, also of no file.
    good: bool,
    accepted: Option<Zeroizing<String>>,
    rejected: Option<Problem>,
}

impl AwsInputs {
    /// Takes in what was found at one file's path.
    pub fn take(&mut self, file: SourceFile, reading: Reading) -> Change {
        let parsed = match reading {
            Reading::Missing => Ok(None),
            Reading::Unreadable(why) => Err(Problem {
                origin: Origin { file, line: 1 },
                message: format!("the {} can't be read: {why}", name(file)),
                fatal: true,
            }),
            Reading::Bytes(bytes) => parse(file, &bytes).map(Some),
        };
        let slot = match file {
            SourceFile::Credentials => &mut self.credentials,
            SourceFile::Config | SourceFile::Settings => &mut self.config,
        };
        let first = !std::mem::replace(&mut slot.read, true);
        match parsed {
            Ok(text) => {
                let mended = slot.rejected.take().is_some();
                if !first && !mended && slot.accepted == text {
                    return Change::None;
                }
                slot.accepted = text;
                slot.good = true;
            }
            Err(problem) => {
                if slot.rejected.as_ref() == Some(&problem) {
                    return Change::None;
                }
                slot.rejected = Some(problem);
                if slot.good {
                    return Change::Rejected;
                }
            }
        }
        self.merge();
        Change::Profiles
    }

    /// The profiles of the newest good texts.
    pub fn profiles(&self) -> &Profiles {
        &self.profiles
    }

    /// Everything that is wrong with the files as they are now.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = self.profiles.problems.clone();
        for rejected in [&self.config, &self.credentials].into_iter().filter_map(|slot| slot.rejected.as_ref()) {
            if !problems.contains(rejected) {
                problems.push(rejected.clone());
            }
        }
        problems
    }

    fn merge(&mut self) {
        let text = |slot: &Slot| slot.accepted.as_ref().map(|text| text.to_string()).map(Zeroizing::new);
        let (config, credentials) = (text(&self.config), text(&self.credentials));
        self.profiles =
            aws_file::load(config.as_ref().map(|text| text.as_str()), credentials.as_ref().map(|text| text.as_str()));
        // Broken with no good text to go on with: as the SDKs do, no profile can be told.
        for slot in [&self.config, &self.credentials] {
            if let (false, Some(problem)) = (slot.good, &slot.rejected) {
                self.profiles.problems.push(problem.clone());
            }
        }
    }
}

/// The text of one file, if the SDKs would accept it.
fn parse(file: SourceFile, bytes: &[u8]) -> Result<Zeroizing<String>, Problem> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let good = &bytes[..error.valid_up_to()];
        let line = 1 + good.iter().filter(|byte| **byte == b'\n').count();
        Problem {
            origin: Origin { file, line: u32::try_from(line).unwrap_or(u32::MAX) },
            message: format!("the {} is not UTF-8 text: write the line anew, or save the file as UTF-8", name(file)),
            fatal: true,
        }
    })?;
    let alone = match file {
        SourceFile::Credentials => aws_file::load(None, Some(text)),
        SourceFile::Config | SourceFile::Settings => aws_file::load(Some(text), None),
    };
    match alone.problems.into_iter().find(|problem| problem.fatal) {
        Some(problem) => Err(problem),
        None => Ok(Zeroizing::new(text.to_owned())),
    }
}

fn name(file: SourceFile) -> &'static str {
    match file {
        SourceFile::Config => "AWS config file",
        SourceFile::Credentials => "AWS credentials file",
        SourceFile::Settings => "settings file",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Reading {
        Reading::Bytes(Zeroizing::new(text.as_bytes().to_vec()))
    }

    #[test]
    fn a_broken_file_keeps_the_old_profiles_and_is_said_until_it_is_mended() {
        let mut inputs = AwsInputs::default();
        assert_eq!(inputs.take(SourceFile::Config, bytes("[profile a]\nregion = eu-west-1\n")), Change::Profiles);
        assert_eq!(inputs.take(SourceFile::Config, bytes("[profile a\nregion = eu-west-1\n")), Change::Rejected);
        assert!(inputs.profiles().profiles.contains_key("a"));
        assert!(inputs.problems().iter().any(|problem| problem.fatal));
        assert_eq!(inputs.take(SourceFile::Config, bytes("[profile a]\nregion = eu-west-1\n")), Change::Profiles);
        assert!(inputs.problems().is_empty(), "{:?}", inputs.problems());
    }

    #[test]
    fn a_file_that_comes_broken_where_there_was_none_takes_nothing_away() {
        let mut inputs = AwsInputs::default();
        let _ = inputs.take(SourceFile::Config, Reading::Missing);
        let _ = inputs.take(SourceFile::Credentials, bytes("[a]\nregion = eu-west-1\n"));
        assert_eq!(inputs.take(SourceFile::Config, bytes("[profile b\n")), Change::Rejected);
        assert!(inputs.profiles().profiles.contains_key("a") && inputs.problems().iter().any(|problem| problem.fatal));
    }

    #[test]
    fn a_file_that_was_broken_from_the_start_is_fatal() {
        let mut inputs = AwsInputs::default();
        assert_eq!(inputs.take(SourceFile::Config, Reading::Unreadable("permission denied".into())), Change::Profiles);
        assert!(inputs.profiles().problems.iter().any(|problem| problem.fatal));
    }

    #[test]
    fn bytes_that_are_no_text_are_said_with_their_line() {
        let mut inputs = AwsInputs::default();
        let _ = inputs.take(SourceFile::Credentials, Reading::Bytes(Zeroizing::new(b"[a]\nx = \xff\n".to_vec())));
        assert_eq!(inputs.problems()[0].origin.line, 2);
    }

    #[test]
    fn the_same_text_again_changes_nothing() {
        let mut inputs = AwsInputs::default();
        assert_eq!(inputs.take(SourceFile::Config, Reading::Missing), Change::Profiles);
        assert_eq!(inputs.take(SourceFile::Config, Reading::Missing), Change::None);
    }
}
