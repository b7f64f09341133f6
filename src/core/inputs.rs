//! The AWS files as the daemon has read them.
//!
//! A change takes effect at once, and an unreadable line is ignored. To protect a running daemon from editing mistakes, three
//! things are kept from earlier readings: a section with an unreadable line keeps its last good version; the section of a broken
//! header stays; and so does a whole file that can't be read any more. The problem is reported until it is corrected. If
//! there is no earlier reading, the file counts as absent, and its profiles are reported as unreadable, not as missing.

use std::collections::BTreeSet;

use zeroize::Zeroizing;

use crate::core::aws_file::{FileSections, merge};
use crate::core::profile::{HiddenNames, Lost, Origin, Problem, Profiles, Section, SectionKind, SourceFile};

/// What was found at a file's path.
pub enum Reading {
    /// No such file: as good as an empty one.
    Missing,
    /// Its bytes.
    Bytes(Zeroizing<Vec<u8>>),
    /// It exists, but can't be read.
    Unreadable(Unreadable),
}

/// Why a file can't be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// The end of a sentence that begins with the file's name.
    pub why: String,
    /// The command that fixes it.
    pub fix: Option<String>,
}

impl From<String> for Unreadable {
    fn from(why: String) -> Self {
        Self { why, fix: None }
    }
}

/// What a reading changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    None,
    /// There are new profiles: plans have to be made anew.
    Profiles,
    /// The file can't be read any more; the profiles are as before.
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
    /// The current sections.
    file: FileSections,
    /// The sections among them that lost a line and have no earlier version.
    torn: BTreeSet<(SectionKind, String)>,
    /// Why the current file can't be read.
    unreadable: Option<Problem>,
}

impl AwsInputs {
    /// Takes in what was found at one file's path.
    pub fn take(&mut self, file: SourceFile, reading: Reading) -> Change {
        let slot = match file {
            SourceFile::Credentials => &mut self.credentials,
            SourceFile::Config | SourceFile::Settings => &mut self.config,
        };
        let change = slot.take(file, reading);
        if change != Change::None {
            self.merge();
        }
        change
    }

    /// The profiles, and the problems of the current files.
    pub fn profiles(&self) -> &Profiles {
        &self.profiles
    }

    /// Everything that is wrong with the files as they are now.
    pub fn problems(&self) -> Vec<Problem> {
        self.profiles.problems.clone()
    }

    fn merge(&mut self) {
        self.profiles = merge([&self.config, &self.credentials].map(|slot| {
            let mut file = slot.file.clone();
            file.problems.extend(slot.unreadable.clone());
            file
        }));
    }
}

impl Slot {
    fn take(&mut self, file: SourceFile, reading: Reading) -> Change {
        let first = !std::mem::replace(&mut self.read, true);
        let bytes = match reading {
            Reading::Missing => None,
            Reading::Bytes(bytes) => Some(bytes),
            Reading::Unreadable(unreadable) => return self.refuse(file, unreadable, first),
        };
        let read = bytes.as_ref().map(|bytes| FileSections::read(file, bytes)).unwrap_or_default();
        let has_sections = read.sections.iter().any(|(_, section)| !section.name.contains('\0'));
        if let Some(encoding) = bytes.filter(|_| !has_sections).and_then(|bytes| utf16(&bytes)) {
            let why = format!("it is {encoding} text, and the AWS tools read UTF-8 only: save it as UTF-8");
            return self.refuse(file, Unreadable::from(why), first);
        }
        let corrected = self.unreadable.take().is_some();
        let new = self.complete(read);
        if !first && !corrected && new == self.file {
            return Change::None;
        }
        self.file = new;
        Change::Profiles
    }

    /// Keeps the earlier reading, if any.
    fn refuse(&mut self, file: SourceFile, Unreadable { why, fix }: Unreadable, first: bool) -> Change {
        let message = format!("{} can't be read: {why}", file.label());
        let problem = Problem { fix, ..Problem::fatal(Origin::whole(file), message, Lost::File, None) };
        if self.unreadable.as_ref() == Some(&problem) {
            return Change::None;
        }
        self.unreadable = Some(problem);
        if first { Change::Profiles } else { Change::Rejected }
    }

    /// A new reading, completed with lost sections of the old one.
    fn complete(&mut self, mut read: FileSections) -> FileSections {
        let mut torn: BTreeSet<_> = read.problems.iter().filter_map(Problem::torn_section).collect();
        // A file that can't be read at all has no new reading.
        let hidden = HiddenNames::of(&read.problems);
        let is_hidden = |name: &str| hidden.first(name).is_some();
        let mut is_kept = |kind: SectionKind, section: &Section| {
            let name = (kind, section.name.clone());
            !self.torn.contains(&name)
                && (torn.remove(&name) || (!read.contains(kind, &section.name) && is_hidden(&section.name)))
        };
        let kept: Vec<_> =
            self.file.sections.iter().filter(|(kind, section)| is_kept(*kind, section)).cloned().collect();
        read.replace(kept);
        self.torn = torn;
        read
    }
}

/// The UTF-16 encoding in which a whole file is text with a section. Windows programs call it "Unicode".
fn utf16(bytes: &[u8]) -> Option<&'static str> {
    let has_section = |unit: fn([u8; 2]) -> u16| {
        let (units, rest) = bytes.as_chunks::<2>();
        let text: Result<String, _> = char::decode_utf16(units.iter().copied().map(unit)).collect();
        let is_header = |line: &str| line.trim_start_matches('\u{feff}').trim().starts_with('[') && line.contains(']');
        rest.is_empty() && text.is_ok_and(|text| text.lines().any(is_header))
    };
    if has_section(u16::from_le_bytes) {
        Some("UTF-16 (little-endian)")
    } else if has_section(u16::from_be_bytes) {
        Some("UTF-16 (big-endian)")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Reading {
        Reading::Bytes(Zeroizing::new(text.as_bytes().to_vec()))
    }

    fn unreadable() -> Reading {
        Reading::Unreadable("permission denied".to_owned().into())
    }

    fn region(inputs: &AwsInputs, profile: &str) -> Option<String> {
        Some(inputs.profiles().profiles.get(profile)?.get("region")?.text.clone())
    }

    #[test]
    fn a_broken_header_hides_no_section_that_was_there_and_is_said_until_it_is_corrected() {
        let mut inputs = AwsInputs::default();
        let good = "[profile a]\nregion = x\n[profile b]\nregion = x\n";
        assert_eq!(inputs.take(SourceFile::Config, bytes(good)), Change::Profiles);
        let broken = good.replace("[profile a]", "[profile a").replace('x', "y");
        assert_eq!(inputs.take(SourceFile::Config, bytes(&broken)), Change::Profiles);
        assert_eq!((region(&inputs, "a"), region(&inputs, "b")), (Some("x".to_owned()), Some("y".to_owned())));
        assert!(inputs.problems()[0].fatal);
        assert_eq!(inputs.take(SourceFile::Config, bytes("[profile b]\nregion = x\n")), Change::Profiles);
        assert_eq!(region(&inputs, "a"), None, "now it is gone on purpose");
        assert!(inputs.problems().is_empty(), "{:?}", inputs.problems());
    }

    #[test]
    fn a_section_that_lost_a_line_stays_as_it_was_and_others_are_taken() {
        let mut inputs = AwsInputs::default();
        let good = "[profile a]\nregion = x\n[profile b]\nregion = x\n";
        let _ = inputs.take(SourceFile::Config, bytes(good));
        let broken = good.replace("[profile a]\nregion = x", "[profile a]\nregion x").replace("= x", "= y");
        for _ in 0..2 {
            let _ = inputs.take(SourceFile::Config, bytes(&broken));
            assert_eq!((region(&inputs, "a"), region(&inputs, "b")), (Some("x".to_owned()), Some("y".to_owned())));
        }
    }

    #[test]
    fn a_section_that_was_broken_from_the_start_is_read_anew_with_every_edit() {
        let mut inputs = AwsInputs::default();
        for value in ["x", "y"] {
            let _ = inputs.take(SourceFile::Config, bytes(&format!("[profile a]\nbroken\nregion = {value}\n")));
            assert_eq!(region(&inputs, "a").as_deref(), Some(value));
        }
    }

    #[test]
    fn a_file_that_can_t_be_read_any_more_takes_nothing_away() {
        let mut inputs = AwsInputs::default();
        let _ = inputs.take(SourceFile::Config, bytes("[profile a]\nregion = x\n"));
        assert_eq!(inputs.take(SourceFile::Config, unreadable()), Change::Rejected);
        assert_eq!(inputs.take(SourceFile::Config, unreadable()), Change::None);
        assert!(region(&inputs, "a").is_some() && inputs.profiles().hiding("x").is_some());
        assert_eq!(inputs.take(SourceFile::Config, bytes("[profile a]\nregion = x\n")), Change::Profiles);
        assert!(inputs.problems().is_empty());
    }

    #[test]
    fn a_file_that_can_t_be_read_from_the_start_leaves_the_other_ones_profiles() {
        let mut inputs = AwsInputs::default();
        assert_eq!(inputs.take(SourceFile::Config, unreadable()), Change::Profiles);
        let _ = inputs.take(SourceFile::Credentials, bytes("[a]\nregion = x\n"));
        assert!(region(&inputs, "a").is_some());
        assert_eq!(
            inputs.profiles().hiding("x").map(|problem| problem.origin),
            Some(Origin::whole(SourceFile::Config))
        );
    }

    #[test]
    fn bytes_that_are_no_text_are_said_with_their_line() {
        let mut inputs = AwsInputs::default();
        let bytes = Reading::Bytes(Zeroizing::new(b"[a]\nx = \xff\nregion = x\n".to_vec()));
        let _ = inputs.take(SourceFile::Credentials, bytes);
        assert_eq!(inputs.problems()[0].origin.line, 2);
        assert!(region(&inputs, "a").is_some());
    }

    #[test]
    fn utf_16_is_named() {
        let mut inputs = AwsInputs::default();
        for text in ["\u{feff}[a]\nregion = x\n", "# ä 日本\r\n[a]\r\nregion = x\r\n"] {
            for bytes in [u16::to_le_bytes, u16::to_be_bytes] {
                let text: Vec<u8> = text.encode_utf16().flat_map(bytes).collect();
                let _ = inputs.take(SourceFile::Credentials, Reading::Bytes(Zeroizing::new(text)));
                let problems = inputs.problems();
                assert!(problems.len() == 1 && problems[0].message.contains("UTF-16"), "{problems:?}");
            }
        }
    }

    #[test]
    fn a_few_bytes_that_look_like_utf_16_cost_their_line_only() {
        for before in [
            &b"\0"[..],
            b"\0\0",
            b"\xff\xfe",
            b"\xfe\xff",
            b"\xff\xfe\n",
            b"\xff\xfe\n\n",
            b"\0[a]\n",
            b"[\0\n",
            b"\0[\0]\0\n",
        ] {
            let mut inputs = AwsInputs::default();
            let good = b"[profile a]\nregion = x\n[profile b]\nregion = y\n";
            let _ = inputs.take(SourceFile::Config, Reading::Bytes(Zeroizing::new([before, good].concat())));
            assert_eq!(region(&inputs, "b").as_deref(), Some("y"), "{before:?}");
            let problems = inputs.problems();
            assert!(problems[0].fatal && problems[0].origin.line == 1, "{before:?}: {problems:?}");
        }
    }

    #[test]
    fn the_same_text_again_changes_nothing() {
        let mut inputs = AwsInputs::default();
        assert_eq!(inputs.take(SourceFile::Config, Reading::Missing), Change::Profiles);
        assert_eq!(inputs.take(SourceFile::Config, Reading::Missing), Change::None);
    }
}
