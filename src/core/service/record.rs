//! What an installation made, so that the next one knows its own work, and an uninstallation takes away that and no more.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::core::hex::hex;

const SCHEMA: &str = "evercred.service/1";

/// What an installation made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    schema: String,
    /// The files, by path, with the digest of what was written.
    pub files: BTreeMap<String, String>,
    /// The folders that were not there before, outer ones first.
    pub folders: Vec<String>,
    /// What was stored in the settings.
    pub settings: Option<StoredSettings>,
}

/// What was stored in `[environment]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredSettings {
    /// The settings file.
    pub path: String,
    /// Whether it was not there before.
    pub made_file: bool,
    /// What was put before the section's header, where the section was not there before.
    pub made_section: Option<String>,
    /// The variables, with the digest of each value.
    pub values: BTreeMap<String, String>,
}

impl Record {
    /// Reads a record; one that makes no sense is none, so that nothing is taken away on its word.
    pub fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok().filter(|record: &Self| record.schema == SCHEMA)
    }

    /// The record as text.
    pub fn text(&self) -> String {
        let record = Self { schema: SCHEMA.to_owned(), ..self.clone() };
        // Maps with string keys, strings and lists always have a JSON form.
        serde_json::to_string_pretty(&record).unwrap_or_default() + "\n"
    }

    /// Whether this installation wrote a file as it is now.
    pub fn wrote(&self, path: &str, text: &[u8]) -> bool {
        self.files.get(path).is_some_and(|written| *written == digest(text))
    }
}

/// SHA-256, in hexadecimal digits.
pub fn digest(text: &[u8]) -> String {
    hex(&Sha256::digest(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written_and_garbage_is_none() {
        let mut record = Record::default();
        record.files.insert("/u/evercredd.service".into(), digest(b"text"));
        record.folders.push("/u".into());
        record.settings = Some(StoredSettings { path: "/s".into(), ..StoredSettings::default() });
        let read = Record::read(&record.text()).unwrap();
        assert!(read.wrote("/u/evercredd.service", b"text") && !read.wrote("/u/evercredd.service", b"other"));
        assert_eq!((read.folders, read.settings), (record.folders, record.settings));
        for text in
            ["", "{}", "[]", "{\"schema\":\"evercred.service/2\",\"files\":{},\"folders\":[],\"settings\":null}"]
        {
            assert_eq!(Record::read(text), None, "{text}");
        }
    }
}
