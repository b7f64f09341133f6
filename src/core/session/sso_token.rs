//! The token of an SSO session, as it stands in the AWS tools' cache.
//!
//! The form is botocore's (`SSOTokenFetcher`); every other SDK reads the same names.

use serde_json::{Map, Value, json};

use super::server_answer::is_in_calendar;
use super::{SsoSession, Unusable};
use crate::core::printable::printable;
use crate::core::secret::Secret;
use crate::core::stated_expiry::utc_time;
use crate::core::time::WallTime;
use crate::core::url_host::{Host, target};

/// A token, and what gets the next one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SsoToken {
    /// `accessToken`.
    pub access_token: Secret,
    /// `expiresAt`, by the clock of the program that wrote it.
    pub expires: WallTime,
    /// `None` in the legacy form, and where a tool has left it out.
    pub refresh: Option<SsoRefresh>,
}

/// What gets the next token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SsoRefresh {
    /// `refreshToken`.
    pub refresh_token: Secret,
    /// `clientId`.
    pub client_id: String,
    /// `clientSecret`.
    pub client_secret: Secret,
    /// `registrationExpiresAt`: the refresh token is good for this client only, and no longer.
    pub registration_expires: Option<WallTime>,
}

/// A client that is registered with IAM Identity Center.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// `clientId`.
    pub client_id: String,
    /// `clientSecret`.
    pub client_secret: Secret,
    /// `expiresAt`, by this machine's clock.
    pub expires: WallTime,
}

/// AWS's own domains of start URLs: AWS CLI 2.36 (`customizations/sso/resolve.py`) and the SDK for .NET
/// (`SSOEndpointResolver`). The start URL of any other host is a company's own, which redirects to one of these.
const OWN_DOMAINS: [&str; 8] = [
    "app.aws",
    "portal.amazonaws.com",
    "portal.amazonaws.com.cn",
    "portal.amazonaws.eu",
    "app.amazonwebservices.com.cn",
    "api.amazonwebservices.eu",
    "awsapps.com",
    "awsapps.cn",
];
/// The first labels of issuer URLs, below any domain of AWS's endpoints: `identitycenter.us-gov.amazonaws.com`.
const ISSUER_LABEL: &str = "identitycenter";
/// `ID.portal.REGION.DOMAIN`.
const REGION_BEHIND_PORTAL: [&str; 3] = ["app.aws", "app.amazonwebservices.com.cn", "api.amazonwebservices.eu"];
/// `ID.REGION.portal.DOMAIN`.
const REGION_BEFORE_PORTAL: [&str; 3] = ["amazonaws.com", "amazonaws.com.cn", "amazonaws.eu"];

impl SsoToken {
    /// Reads a cache file's text.
    ///
    /// # Errors
    /// Why it is not used.
    pub(super) fn read(text: &str, session: &SsoSession) -> Result<Self, Unusable> {
        let document = object(text)?;
        let field = |name: &str| document.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        if let Some(start_url) = field("startUrl")
            && !is_vanity(&session.start_url)
            && trimmed(start_url) != trimmed(&session.start_url)
        {
            let ours = &session.start_url;
            let why = format!("is of another start URL ({start_url}, and the settings say {ours})");
            return Err(Unusable { why: printable(&why), foreign: true });
        }
        if let Some(region) = field("region").filter(|region| *region != session.region) {
            let why = format!("is of another region ({region}, and sso_region says {})", session.region);
            return Err(Unusable { why: printable(&why), foreign: true });
        }
        let needed = |name: &str| field(name).ok_or_else(|| unusable(format!("has no {name}")));
        let access_token = header_safe(needed("accessToken")?, "accessToken")?;
        let refresh = match (field("refreshToken"), field("clientId"), field("clientSecret")) {
            (Some(refresh_token), Some(client_id), Some(client_secret)) => Some(SsoRefresh {
                refresh_token: Secret::new(refresh_token),
                client_id: client_id.to_owned(),
                client_secret: Secret::new(client_secret),
                registration_expires: field("registrationExpiresAt").and_then(wall_time),
            }),
            _ => None,
        };
        let no_time = || unusable("has an expiresAt that is no time");
        let expires = wall_time(needed("expiresAt")?).ok_or_else(no_time)?;
        Ok(Self { access_token, expires, refresh })
    }

    /// `expiresAt` as it is in the text of a cache file, if it is a time.
    pub fn written_expiry(text: &str) -> Option<String> {
        let document = object(text).ok()?;
        let expires_at = document.get("expiresAt")?.as_str().filter(|text| wall_time(text).is_some())?;
        Some(expires_at.to_owned())
    }

    /// The text with a new token in it; what was in the old text and is not known here stays.
    pub(super) fn renewed(
        &self,
        old: Option<&str>,
        session: &SsoSession,
        access_token: &Secret,
        next: Option<&Secret>,
        expires: WallTime,
    ) -> (String, Self) {
        let refresh = self.refresh.clone().map(|refresh| SsoRefresh {
            refresh_token: next.cloned().unwrap_or_else(|| refresh.refresh_token.clone()),
            ..refresh
        });
        let token = Self { access_token: access_token.clone(), expires, refresh };
        (token.text(old, session), token)
    }

    /// The text with this token in it; what was in the old text and is not known here stays.
    pub(super) fn text(&self, old: Option<&str>, session: &SsoSession) -> String {
        let mut document = old.and_then(|text| object(text).ok()).unwrap_or_default();
        self.put_into(&mut document, session);
        Value::Object(document).to_string()
    }

    /// The token of a new sign-in, and the text of its file.
    pub fn signed_in(
        session: &SsoSession,
        registration: &Registration,
        access_token: &Secret,
        refresh_token: Option<&Secret>,
        expires: WallTime,
    ) -> (String, Self) {
        let refresh = refresh_token.map(|refresh_token| SsoRefresh {
            refresh_token: refresh_token.clone(),
            client_id: registration.client_id.clone(),
            client_secret: registration.client_secret.clone(),
            registration_expires: Some(registration.expires),
        });
        let token = Self { access_token: access_token.clone(), expires, refresh };
        (token.text(None, session), token)
    }

    fn put_into(&self, document: &mut Map<String, Value>, session: &SsoSession) {
        let mut put = |name: &str, value: Value| document.insert(name.to_owned(), value);
        put("startUrl", json!(session.start_url));
        put("region", json!(session.region));
        put("accessToken", json!(self.access_token.expose()));
        put("expiresAt", json!(self.expires.to_rfc3339()));
        if let Some(refresh) = &self.refresh {
            put("refreshToken", json!(refresh.refresh_token.expose()));
            put("clientId", json!(refresh.client_id));
            put("clientSecret", json!(refresh.client_secret.expose()));
            if let Some(expires) = refresh.registration_expires {
                put("registrationExpiresAt", json!(expires.to_rfc3339()));
            }
        }
    }
}

impl Registration {
    /// Reads the text of a kept registration; `None` where it is none.
    pub fn read(text: &str) -> Option<Self> {
        let document = object(text).ok()?;
        let field = |name: &str| document.get(name)?.as_str().filter(|text| !text.is_empty());
        Some(Self {
            client_id: field("clientId")?.to_owned(),
            client_secret: Secret::new(field("clientSecret")?),
            expires: wall_time(field("expiresAt")?).filter(|at| is_in_calendar(*at))?,
        })
    }

    /// Its text, in the form in which the AWS CLI keeps its own.
    pub fn text(&self, scopes: &[String]) -> String {
        json!({
            "clientId": self.client_id,
            "clientSecret": self.client_secret.expose(),
            "expiresAt": self.expires.to_rfc3339(),
            "scopes": scopes,
        })
        .to_string()
    }
}

/// Whether a start URL is a company's own, that redirects to AWS's.
pub fn is_vanity(start_url: &str) -> bool {
    let host = host(start_url);
    let is_below =
        |domain: &&str| host.strip_suffix(*domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    let is_issuer = target(start_url).owner() == Host::Aws && host.split('.').any(|label| label == ISSUER_LABEL);
    !is_issuer && !OWN_DOMAINS.iter().any(is_below)
}

/// The region in the newer start URLs, such as `ID.portal.REGION.app.aws` and `ID.REGION.portal.amazonaws.com`.
pub fn region_of_start_url(start_url: &str) -> Option<String> {
    let host = host(start_url);
    let above = |domain: &&str| host.strip_suffix(*domain)?.strip_suffix('.').map(str::to_owned);
    let behind = || {
        let rest = REGION_BEHIND_PORTAL.iter().find_map(above)?;
        Some(rest.split_once(".portal.")?.1.to_owned())
    };
    let before = || {
        let rest = REGION_BEFORE_PORTAL.iter().find_map(above)?;
        Some(rest.strip_suffix(".portal")?.split_once('.')?.1.to_owned())
    };
    behind().or_else(before).filter(|region| !region.is_empty() && !region.contains('.'))
}

fn host(url: &str) -> String {
    target(url).host.to_ascii_lowercase()
}

/// People write the same start URL with and without what follows the path.
fn trimmed(start_url: &str) -> &str {
    start_url.trim_end_matches(['#', '/'])
}

/// The JSON object that a cache file is; serde_json's own words may quote it.
pub(super) fn object(text: &str) -> Result<Map<String, Value>, Unusable> {
    if text.trim().is_empty() {
        return Err(unusable("is empty"));
    }
    serde_json::from_str(text).map_err(|error| {
        unusable(format!("is not what the AWS tools write there (line {}, column {})", error.line(), error.column()))
    })
}

pub(super) fn unusable(why: impl Into<String>) -> Unusable {
    Unusable { why: why.into(), foreign: false }
}

/// A secret that can stand in a header.
pub(super) fn header_safe(text: &str, name: &str) -> Result<Secret, Unusable> {
    if text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(Secret::new(text))
    } else {
        Err(unusable(format!("has an {name} with characters that no token has")))
    }
}

pub(super) fn wall_time(text: &str) -> Option<WallTime> {
    // Older versions of the AWS CLI wrote "2026-11-24T12:00:00UTC".
    let text = text.strip_suffix("UTC").unwrap_or(text);
    utc_time(text).map(|time| WallTime::from_millis(time.as_millis()))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::core::plan::Endpoint;

    pub(crate) fn session() -> SsoSession {
        let endpoint =
            Endpoint { region: "eu-west-1".into(), url: None, fips: false, dual_stack: false, ca_bundle: None };
        SsoSession {
            name: Some("corp".into()),
            start_url: "https://corp.awsapps.com/start".into(),
            region: "eu-west-1".into(),
            scopes: vec![],
            oidc: endpoint.clone(),
            portal: endpoint,
        }
    }

    const WHOLE: &str = r##"{"startUrl":"https://corp.awsapps.com/start/#","region":"eu-west-1","accessToken":"at-hunter2",
        "expiresAt":"2026-11-24T12:00:00Z","clientId":"c","clientSecret":"cs-hunter2","refreshToken":"rt-hunter2",
        "registrationExpiresAt":"2027-02-01T00:00:00Z","later":{"a":1}}"##;

    #[test]
    fn a_whole_file_is_a_token_that_can_be_refreshed() {
        let token = SsoToken::read(WHOLE, &session()).unwrap();
        assert_eq!(token.expires.to_rfc3339(), "2026-11-24T12:00:00Z");
        let refresh = token.refresh.unwrap();
        assert_eq!((refresh.refresh_token.expose(), refresh.client_id.as_str()), ("rt-hunter2", "c"));
        let older = WHOLE.replace("12:00:00Z", "12:00:00UTC").replace("refreshToken", "gone");
        let token = SsoToken::read(&older, &session()).unwrap();
        assert!(token.refresh.is_none() && token.expires.to_rfc3339() == "2026-11-24T12:00:00Z");
    }

    #[test]
    fn what_is_no_token_of_the_session_is_said_and_never_shown() {
        for (text, says) in [
            (String::new(), "empty"),
            (" \n".to_owned(), "empty"),
            (WHOLE[..120].to_owned(), "not what the AWS tools write"),
            ("[\"hunter2\"]".to_owned(), "not what the AWS tools write"),
            (WHOLE.replace("corp.awsapps", "other.awsapps"), "another start URL"),
            (WHOLE.replace("eu-west-1", "us-east-1"), "another region"),
            (WHOLE.replace("accessToken", "x"), "no accessToken"),
            (WHOLE.replace("at-hunter2", "at hunter2"), "characters"),
            (WHOLE.replace("2026-11-24T12", "soon"), "no time"),
        ] {
            let said = SsoToken::read(&text, &session()).unwrap_err().why;
            assert!(said.contains(says) && !said.contains("hunter2"), "{text}: {said}");
        }
    }

    #[test]
    fn a_time_that_no_calendar_has_is_none() {
        for time in [
            "-9223372036854775808",
            "9223372036854775807",
            "1796000000000000000",
            "10000-01-01T00:00:00Z",
            "+262142-01-01T00:00:00Z",
            "99999999999999999999",
            "a time that no calendar has",
        ] {
            let token = SsoToken::read(&WHOLE.replace("2027-02-01T00:00:00Z", time), &session()).unwrap();
            assert_eq!(token.refresh.unwrap().registration_expires, None, "{time}");
            let why = SsoToken::read(&WHOLE.replace("2026-11-24T12:00:00Z", time), &session()).unwrap_err().why;
            assert!(why.contains("expiresAt") && !why.contains("hunter2"), "{time}: {why}");
            let registration = format!(r#"{{"clientId":"c","clientSecret":"s","expiresAt":"{time}"}}"#);
            assert_eq!(Registration::read(&registration), None, "{time}");
        }
    }

    #[test]
    fn a_companys_own_start_url_may_have_led_to_another() {
        let vanity = SsoSession { start_url: "https://sso.corp.example/".into(), ..session() };
        assert!(SsoToken::read(WHOLE, &vanity).is_ok());
        for (url, is) in [
            ("https://d-1.awsapps.com/start", false),
            ("https://ssoins-1.portal.eu-west-1.app.aws", false),
            ("https://identitycenter.amazonaws.com/ssoins-1", false),
            ("https://IdentityCenter.US-GOV.amazonaws.com/ssoins-1", false),
            ("https://identitycenter.amazonaws.com.cn/ssoins-1", false),
            ("https://identitycenter.amazonaws.eu/ssoins-1", false),
            ("https://identitycenter.us-iso-east-1.c2s.ic.gov/ssoins-1", false),
            ("https://ssoins-1.us-gov-west-1.portal.amazonaws.com", false),
            ("https://ssoins-1.cn-north-1.portal.amazonaws.com.cn", false),
            ("https://ssoins-1.eusc-de-east-1.portal.amazonaws.eu", false),
            ("https://ssoins-1.portal.cn-north-1.app.amazonwebservices.com.cn", false),
            ("https://ssoins-1.portal.eusc-de-east-1.api.amazonwebservices.eu", false),
            ("https://start.home.awsapps.cn/directory/d-1", false),
            ("https://start.cn-north-1.home.awsapps.cn/directory/d-1", false),
            ("https://start.us-gov-home.awsapps.com/directory/d-1", false),
            ("https://identitycenter.corp.example/", true),
            ("https://identitycenter.amazonaws.com.evil.example/", true),
            ("https://corp.s3-website-eu-west-1.amazonaws.com/", true),
            ("https://notawsapps.com/start", true),
            ("http://127.0.0.1:8080/start", true),
        ] {
            assert_eq!(is_vanity(url), is, "{url}");
        }
        for (url, region) in [
            ("https://ssoins-1.portal.eu-west-1.app.aws", Some("eu-west-1")),
            ("https://ssoins-1.eu-west-1.portal.amazonaws.com/", Some("eu-west-1")),
            ("https://ssoins-1.cn-north-1.portal.amazonaws.com.cn", Some("cn-north-1")),
            ("https://ssoins-1.portal.cn-north-1.app.amazonwebservices.com.cn", Some("cn-north-1")),
            ("https://ssoins-1.eusc-de-east-1.portal.amazonaws.eu", Some("eusc-de-east-1")),
            ("https://ssoins-1.portal.eusc-de-east-1.api.amazonwebservices.eu", Some("eusc-de-east-1")),
            ("https://d-1.awsapps.com/start", None),
        ] {
            assert_eq!(region_of_start_url(url).as_deref(), region, "{url}");
        }
    }

    #[test]
    fn a_renewed_file_keeps_what_is_not_known_here() {
        let token = SsoToken::read(WHOLE, &session()).unwrap();
        let (new, next) = (Secret::new("new"), Secret::new("next"));
        let (text, renewed) =
            token.renewed(Some(WHOLE), &session(), &new, Some(&next), WallTime::from_millis(1_800_000_000_000));
        let document = object(&text).unwrap();
        assert_eq!((&document["later"]["a"], &document["refreshToken"]), (&json!(1), &json!("next")));
        assert_eq!(SsoToken::read(&text, &session()).unwrap(), renewed);
        // A server that does not rotate says nothing of the refresh token.
        let (_, renewed) = token.renewed(None, &session(), &new, None, WallTime::from_millis(0));
        assert_eq!(renewed.refresh.unwrap().refresh_token.expose(), "rt-hunter2");
    }

    #[test]
    fn a_registration_comes_back_as_it_was() {
        let registration = Registration {
            client_id: "c".into(),
            client_secret: Secret::new("s"),
            expires: WallTime::from_millis(1_800_000_000_000),
        };
        assert_eq!(Registration::read(&registration.text(&["a".into()])), Some(registration));
        assert_eq!(Registration::read("{}"), None);
    }
}
