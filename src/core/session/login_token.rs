//! The credentials of an `aws login` session, as they stand in the AWS tools' cache.
//!
//! The form is that of the AWS CLI's `login` command and botocore's `LoginCredentialFetcher`.

use serde_json::{Map, Value, json};

use super::Unusable;
use super::sso_token::{header_safe, object, unusable, wall_time};
use crate::core::credential::Credentials;
use crate::core::secret::Secret;
use crate::core::time::WallTime;
use crate::core::web_identity::claim;

/// Credentials, and what gets the next ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginToken {
    /// The credentials; their expiry stands beside them.
    pub credentials: Credentials,
    /// `expiresAt`, by the clock of the program that wrote it.
    pub expires: WallTime,
    /// What gets the next ones.
    pub refresh: Option<LoginRefresh>,
}

/// What gets the next credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginRefresh {
    /// `refreshToken`.
    pub refresh_token: Secret,
    /// `clientId`: which of the ways to sign in it was.
    pub client_id: String,
    /// `dpopKey`: the private key, in PEM form (RFC 5915), that proves that the refresh token is ours (RFC 9449).
    pub dpop_key: Secret,
}

impl LoginToken {
    /// Reads a cache file's text.
    ///
    /// # Errors
    /// Why it is not used.
    pub(super) fn read(text: &str) -> Result<Self, Unusable> {
        let document = object(text)?;
        let Some(Value::Object(set)) = document.get("accessToken") else {
            return Err(unusable("has no accessToken"));
        };
        let needed = |name: &str| text_of(set, name).ok_or_else(|| unusable(format!("has no {name}")));
        let refresh =
            match (text_of(&document, "refreshToken"), text_of(&document, "clientId"), text_of(&document, "dpopKey")) {
                (Some(refresh_token), Some(client_id), Some(dpop_key)) => Some(LoginRefresh {
                    refresh_token: Secret::new(refresh_token),
                    client_id: client_id.to_owned(),
                    dpop_key: Secret::new(dpop_key),
                }),
                _ => None,
            };
        Ok(Self {
            credentials: Credentials {
                access_key_id: needed("accessKeyId")?.to_owned(),
                secret_access_key: header_safe(needed("secretAccessKey")?, "secretAccessKey")?,
                session_token: Some(header_safe(needed("sessionToken")?, "sessionToken")?),
                expires_at: None,
                account_id: text_of(set, "accountId").map(str::to_owned),
            },
            expires: wall_time(needed("expiresAt")?).ok_or_else(|| unusable("has an expiresAt that is no time"))?,
            refresh,
        })
    }

    /// The text with new credentials in it; what was in the old text and is not known here stays.
    pub(super) fn renewed(
        &self,
        old: Option<&str>,
        credentials: &Credentials,
        next: Option<&Secret>,
        expires: WallTime,
    ) -> (String, Self) {
        let refresh = self.refresh.clone().map(|refresh| LoginRefresh {
            refresh_token: next.cloned().unwrap_or_else(|| refresh.refresh_token.clone()),
            ..refresh
        });
        // A refresh does not say whose they are.
        let credentials = Credentials { account_id: self.credentials.account_id.clone(), ..credentials.clone() };
        let token = Self { credentials, expires, refresh };
        (token.text(old), token)
    }

    /// The text with these credentials in it; what was in the old text and is not known here stays.
    pub(super) fn text(&self, old: Option<&str>) -> String {
        let mut document = old.and_then(|text| object(text).ok()).unwrap_or_default();
        self.put_into(&mut document);
        Value::Object(document).to_string()
    }

    /// The credentials of a new sign-in, and the text of their file.
    pub fn signed_in(
        credentials: &Credentials,
        refresh: Option<LoginRefresh>,
        id_token: &Secret,
        expires: WallTime,
    ) -> (String, Self) {
        let token = Self { credentials: credentials.clone(), expires, refresh };
        let mut document = Map::new();
        document.insert("tokenType".to_owned(), json!("aws_sigv4"));
        document.insert("idToken".to_owned(), json!(id_token.expose()));
        token.put_into(&mut document);
        (Value::Object(document).to_string(), token)
    }

    fn put_into(&self, document: &mut Map<String, Value>) {
        let set = &self.credentials;
        let access_token = json!({
            "accessKeyId": set.access_key_id,
            "secretAccessKey": set.secret_access_key.expose(),
            "sessionToken": set.session_token.as_ref().map(|token| token.expose()),
            "accountId": set.account_id,
            "expiresAt": self.expires.to_rfc3339(),
        });
        document.insert("accessToken".to_owned(), access_token);
        if let Some(refresh) = &self.refresh {
            document.insert("clientId".to_owned(), json!(refresh.client_id));
            document.insert("refreshToken".to_owned(), json!(refresh.refresh_token.expose()));
            document.insert("dpopKey".to_owned(), json!(refresh.dpop_key.expose()));
        }
    }
}

/// The login session that a sign-in's `idToken` is of: the subject of the JWT. Nothing is verified: it came from AWS itself.
pub fn login_session_of(id_token: &Secret) -> Option<String> {
    claim(id_token.expose(), "sub")?.as_str().map(str::to_owned)
}

fn text_of<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    object.get(name)?.as_str().filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"{"accessToken":{"accessKeyId":"ASIA1","secretAccessKey":"hunter2","sessionToken":"t-hunter2",
        "accountId":"111122223333","expiresAt":"2026-11-24T12:00:00Z"},"tokenType":"aws_sigv4","clientId":"same-device",
        "refreshToken":"r-hunter2","idToken":"a.b.c","dpopKey":"k-hunter2","later":1}"#;

    #[test]
    fn a_whole_file_is_a_set_that_can_be_renewed_and_what_is_not_known_stays() {
        let token = LoginToken::read(WHOLE).unwrap();
        let account = Some("111122223333".to_owned());
        assert_eq!((token.credentials.access_key_id.as_str(), &token.credentials.account_id), ("ASIA1", &account));
        let set = Credentials {
            access_key_id: "ASIA2".into(),
            secret_access_key: Secret::new("s2"),
            session_token: Some(Secret::new("t2")),
            expires_at: None,
            account_id: None,
        };
        let next = Secret::new("r2");
        let (text, renewed) = token.renewed(Some(WHOLE), &set, Some(&next), WallTime::from_millis(1_800_000_000_000));
        assert_eq!(LoginToken::read(&text).unwrap(), renewed);
        assert_eq!((renewed.credentials.access_key_id.as_str(), renewed.credentials.account_id), ("ASIA2", account));
        assert!(text.contains("\"later\":1") && text.contains("k-hunter2") && !text.contains("r-hunter2"));
    }

    #[test]
    fn what_is_no_set_is_said_and_never_shown() {
        for (text, says) in [
            ("{}".to_owned(), "no accessToken"),
            ("{\"accessToken\":\"hunter2\"}".to_owned(), "no accessToken"),
            (WHOLE.replace("sessionToken", "x"), "no sessionToken"),
            (WHOLE.replace("2026-11-24T", "x"), "no time"),
            (WHOLE[..80].to_owned(), "not what the AWS tools write"),
        ] {
            let said = LoginToken::read(&text).unwrap_err().why;
            assert!(said.contains(says) && !said.contains("hunter2"), "{text}: {said}");
        }
        assert!(LoginToken::read(&WHOLE.replace("dpopKey", "x")).unwrap().refresh.is_none());
    }

    #[test]
    fn the_session_is_the_subject_of_the_id_token() {
        // {"sub":"arn:aws:iam::111122223333:user/someone"}
        let id = Secret::new("e30.eyJzdWIiOiJhcm46YXdzOmlhbTo6MTExMTIyMjIzMzMzOnVzZXIvc29tZW9uZSJ9.x");
        assert_eq!(login_session_of(&id).as_deref(), Some("arn:aws:iam::111122223333:user/someone"));
        assert_eq!(login_session_of(&Secret::new("x")), None);
    }
}
