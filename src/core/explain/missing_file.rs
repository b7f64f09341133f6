//! A missing file that a text names. It concerns AWS credentials only if it is the program or the token file of a profile.

use super::clean::shown;
use super::reported::ReportedError;
use crate::core::aws_error::{PROCESS_NOT_FOUND, TOKEN_FILE};
use crate::core::plan::program_of;
use crate::core::profile::{Profiles, Section};

/// How programs say that a file is missing, without white space; `{}` stands for the path. Python, Node, Go.
const FORMS: [&str; 6] = [
    "Nosuchfileordirectory:'{}'",
    "nosuchfileordirectory,open'{}'",
    "spawn{}ENOENT",
    "open{}:nosuchfileordirectory",
    "fork/exec{}:nosuchfileordirectory",
    ":{}:Nosuchfileordirectory",
];

/// A text that names a missing file.
#[derive(Debug)]
pub struct MissingFile {
    /// The text without white space and borders: a console may have broken the path.
    text: String,
}

impl MissingFile {
    /// `None` if the text names no missing file.
    pub(super) fn of(text: &str) -> Option<Self> {
        let text: String = text.chars().filter(|c| !c.is_whitespace() && !"│┃║".contains(*c)).collect();
        ["osuchfileordirectory", "ENOENT"].iter().any(|said| text.contains(said)).then_some(Self { text })
    }

    /// The error, if the file is the program or the token file of a profile.
    pub fn reported(&self, profiles: &Profiles) -> Option<ReportedError> {
        let mut found =
            profiles.profiles.values().filter_map(|section| self.file_of(section).map(|file| (file, section)));
        let ((code, path), section) = found.next()?;
        let is_only = found.next().is_none();
        Some(ReportedError {
            code: code.to_owned(),
            means: code,
            message: shown(&format!("No such file or directory: '{path}'")),
            profile: is_only.then(|| section.name.clone()),
            times: 1,
            ..ReportedError::default()
        })
    }

    /// The file of a profile that the text says is missing, after the code for it.
    fn file_of(&self, section: &Section) -> Option<(&'static str, String)> {
        let program = section.get("credential_process").and_then(|line| program_of(&line.text));
        let token = section.get("web_identity_token_file").map(|path| path.text.trim().to_owned());
        let files = [(PROCESS_NOT_FOUND, program), (TOKEN_FILE, token)];
        files.into_iter().find_map(|(code, path)| path.filter(|path| self.names(path)).map(|path| (code, path)))
    }

    fn names(&self, path: &str) -> bool {
        let path: String = path.chars().filter(|c| !c.is_whitespace()).collect();
        // A bare name is a whole one only between quotation marks.
        let forms = if path.contains('/') { &FORMS[..] } else { &FORMS[..2] };
        !path.is_empty() && forms.iter().any(|form| self.text.contains(&form.replace("{}", &path)))
    }
}
