//! What the AWS files define, as `profiles --json` shows it: every setting with its place, secrets left out.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use crate::core::plan::stated_kind;
use crate::core::profile::{Profiles, Section, SettingMap, SourceFile};
use crate::core::redact;

/// The document `evercred.profiles/1`.
pub fn profiles_document(profiles: &Profiles, path: &dyn Fn(SourceFile) -> String) -> Json {
    let sections = |map: &BTreeMap<String, Arc<Section>>| -> Vec<Json> {
        map.values()
            .map(|section| json!({"name": section.name, "settings": settings(&section.settings, path)}))
            .collect()
    };
    let list = profiles.profiles.values().map(
        |section| json!({"name": section.name, "kind": stated_kind(section), "settings": settings(&section.settings, path)}),
    );
    let problems = profiles.problems.iter().map(|problem| {
        json!({
            "file": path(problem.origin.file),
            "line": problem.origin.line(),
            "message": problem.message,
            "fatal": problem.fatal,
        })
    });
    let mut document = json!({
        "schema": "evercred.profiles/1",
        "profiles": list.collect::<Vec<_>>(),
        "sso_sessions": sections(&profiles.sso_sessions),
        "services": sections(&profiles.services),
        "problems": problems.collect::<Vec<_>>(),
    });
    // A secret may be in the place of a section's name.
    redact::hide_whole_secrets(&mut document);
    document
}

fn settings(values: &SettingMap, path: &dyn Fn(SourceFile) -> String) -> Map<String, Json> {
    values
        .iter()
        .map(|(key, value)| {
            let shown = if value.nested().is_empty() {
                json!(redact::setting(key, &value.text))
            } else {
                Json::Object(settings(value.nested(), path))
            };
            (key.to_owned(), json!({"value": shown, "file": path(value.origin.file), "line": value.origin.line}))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::aws_file;

    #[test]
    fn settings_have_their_place_and_secrets_are_left_out() {
        let profiles = aws_file::load(
            Some("[profile a]\nrole_arn = r\ns3 =\n  max = 1\n"),
            Some("[b]\naws_access_key_id = AKIA1\nAWS_SECRET_ACCESS_KEY = planted\naws_session_token = planted\n"),
        );
        let path = |file| if file == SourceFile::Config { "/c".to_owned() } else { "/d".to_owned() };
        let document = profiles_document(&profiles, &path);
        assert_eq!(document["profiles"][0]["settings"]["role_arn"], json!({"value": "r", "file": "/c", "line": 2}));
        assert_eq!(document["profiles"][0]["settings"]["s3"]["value"]["max"]["value"], "1");
        assert_eq!(document["profiles"][1]["kind"], "static");
        assert_eq!(document["profiles"][1]["settings"]["aws_secret_access_key"]["value"], "redacted");
        assert!(!document.to_string().contains("planted"));
    }
}
