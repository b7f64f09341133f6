//! What a `credential_process` of another program prints.
//!
//! <https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html>

use serde_json::{Map, Value};

use crate::core::credential::Credentials;
use crate::core::secret::Secret;
use crate::core::stated_expiry::utc_time;

/// Reads the document, version 1.
///
/// # Errors
/// The end of a sentence that begins with the program: what is wrong with its output. It shows none of it, as it may be
/// secret.
pub fn read_output(output: &[u8]) -> Result<Credentials, String> {
    let document: Map<String, Value> = match serde_json::from_slice(output) {
        Ok(document) => document,
        Err(_) if output.iter().all(u8::is_ascii_whitespace) => return Err("printed nothing".to_owned()),
        // The parser's message may quote a secret.
        Err(error) => {
            return Err(format!(
                "printed text that is not a JSON object (line {}, column {})",
                error.line(),
                error.column()
            ));
        }
    };
    match document.get("Version") {
        // `1.0` is the same number for boto3 and JavaScript.
        Some(Value::Number(version)) if version.as_u64() == Some(1) || version.to_string() == "1.0" => {}
        Some(Value::Number(version)) => {
            return Err(format!("printed version {version} of the document, and SDKs read version 1"));
        }
        Some(_) => return Err("printed a Version that is not a number".to_owned()),
        None => return Err("printed no Version".to_owned()),
    }
    let text = |field: &str| match document.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str())),
        Some(_) => Err(format!("printed {field}, which is not a string")),
    };
    let needed = |field: &str| text(field)?.ok_or_else(|| format!("printed no {field}"));
    let expires_at = match document.get("Expiration") {
        None | Some(Value::Null) => None,
        // An empty one is an error in botocore and here: the expiry of these credentials is unknown.
        Some(Value::String(time)) => {
            Some(utc_time(time).ok_or("printed an Expiration that is not a time (RFC 3339: 2026-11-24T12:00:00Z)")?)
        }
        Some(_) => return Err("printed an Expiration that is not a string".to_owned()),
    };
    Ok(Credentials {
        access_key_id: needed("AccessKeyId")?.to_owned(),
        secret_access_key: Secret::new(needed("SecretAccessKey")?),
        session_token: text("SessionToken")?.map(Secret::new),
        expires_at,
        account_id: document.get("AccountId").and_then(account_id),
    })
}

/// The account, which some programs print as a number without its leading zeros. The SDKs do not check it, so one of another
/// form is no error: the account is not known then.
fn account_id(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => number.as_u64().map(|number| format!("{number:012}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"{"Version":1,"AccessKeyId":"ASIA1","SecretAccessKey":"hunter2","SessionToken":"t0ken","Expiration":"2026-11-24T12:00:00Z","AccountId":"111122223333"}"#;

    #[test]
    fn a_whole_document_is_a_set() {
        let set = read_output(WHOLE.as_bytes()).unwrap();
        assert_eq!((set.access_key_id.as_str(), set.secret_access_key.expose()), ("ASIA1", "hunter2"));
        assert_eq!(set.expires_at.unwrap().to_rfc3339(), "2026-11-24T12:00:00Z");
        assert_eq!((set.session_token.unwrap().expose(), set.account_id.as_deref()), ("t0ken", Some("111122223333")));
        let least = read_output(br#"{"Version":1,"AccessKeyId":"AKIA1","SecretAccessKey":"s","SessionToken":null}"#);
        let least = least.unwrap();
        assert!(least.session_token.is_none() && least.expires_at.is_none() && least.account_id.is_none());
    }

    #[test]
    fn numbers_in_the_place_of_texts_are_read_as_boto3_reads_them() {
        let read = |account: &str| {
            let text =
                format!(r#"{{"Version":1.0,"AccessKeyId":"AKIA1","SecretAccessKey":"s","AccountId":{account}}}"#);
            read_output(text.as_bytes()).unwrap().account_id
        };
        assert_eq!(read("111122223333").as_deref(), Some("111122223333"));
        assert_eq!(read("1222233334").as_deref(), Some("001222233334"));
        for other in ["null", "1.5", "-1", "[]", "{}", "true", "\"\""] {
            assert_eq!(read(other), None, "{other}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_and_never_shown() {
        for (output, says) in [
            ("", "nothing"),
            (" \n", "nothing"),
            ("hunter2", "not a JSON object"),
            ("[\"hunter2\"]", "not a JSON object"),
            ("\"hunter2\"", "not a JSON object"),
            (&WHOLE[..60], "not a JSON object"),
            (r#"{"AccessKeyId":"hunter2","SecretAccessKey":"hunter2"}"#, "no Version"),
            (r#"{"Version":2,"AccessKeyId":"hunter2"}"#, "version 2"),
            (r#"{"Version":"1","AccessKeyId":"hunter2"}"#, "not a number"),
            (r#"{"Version":1,"SecretAccessKey":"hunter2"}"#, "no AccessKeyId"),
            (r#"{"Version":1,"AccessKeyId":"a","SecretAccessKey":""}"#, "no SecretAccessKey"),
            (
                r#"{"Version":1,"AccessKeyId":"a","SecretAccessKey":["hunter2"]}"#,
                "SecretAccessKey, which is not a string",
            ),
            (r#"{"Version":1,"AccessKeyId":"a","SecretAccessKey":"hunter2","Expiration":"soon"}"#, "not a time"),
            (r#"{"Version":1,"AccessKeyId":"a","SecretAccessKey":"hunter2","Expiration":""}"#, "not a time"),
            (
                r#"{"Version":1,"AccessKeyId":"a","SecretAccessKey":"hunter2","Expiration":"1796000000000000000"}"#,
                "not a time",
            ),
            (r#"{"Version":1,"AccessKeyId":"a","SecretAccessKey":"hunter2","Expiration":1796000000}"#, "not a string"),
        ] {
            let said = read_output(output.as_bytes()).unwrap_err();
            assert!(said.contains(says) && !said.contains("hunter2"), "{output}: {said}");
        }
    }
}
