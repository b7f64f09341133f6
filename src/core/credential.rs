//! One set of AWS credentials, as it is held and handed out.

use crate::core::secret::Secret;
use crate::core::time::AwsTime;

/// A set of keys that signs requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// `AKIA…` for a long-term key, `ASIA…` for a temporary one. Not a secret: AWS itself writes it into logs.
    pub access_key_id: String,
    /// The secret access key.
    pub secret_access_key: Secret,
    /// The session token; temporary credentials don't work without theirs.
    pub session_token: Option<Secret>,
    /// When AWS will refuse them, by AWS's clock; `None` where they do not expire or nobody said when.
    pub expires_at: Option<AwsTime>,
    /// The twelve digits of the account, where known.
    pub account_id: Option<String>,
}

/// The longest accepted token: the output limit of a program. AWS's tokens are far shorter.
const LONGEST_TOKEN: usize = 64 * 1024;

impl Credentials {
    /// These credentials, if requests can be signed with them. Keys with characters that a header can't contain are never AWS's,
    /// and must not reach programs, shells and files. An invalid account id is dropped.
    #[must_use]
    pub fn checked(mut self) -> Option<Self> {
        let of_key =
            |text: &str| (1..=LONGEST_TOKEN).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        self.account_id = self.account_id.filter(|id| is_account_id(id));
        let token = self.session_token.as_ref().is_none_or(|token| of_key(token.expose()));
        (of_key(&self.access_key_id) && of_key(self.secret_access_key.expose()) && token).then_some(self)
    }
}

/// Whether it has the form of an account id: twelve digits.
pub fn is_account_id(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// What a step gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grant {
    /// Keys that sign requests: what is handed out.
    Keys(Credentials),
    /// A token that asks for keys.
    Token(Secret),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_no_header_can_hold_are_none() {
        let set = |id: &str, secret: &str, token: Option<&str>, account: &str| {
            let credentials = Credentials {
                access_key_id: id.into(),
                secret_access_key: Secret::new(secret),
                session_token: token.map(Secret::new),
                expires_at: None,
                account_id: Some(account.into()),
            };
            credentials.checked()
        };
        assert_eq!(
            set("ASIA1", "s/+=", Some("t"), "111122223333").unwrap().account_id.as_deref(),
            Some("111122223333")
        );
        assert_eq!(set("minio", "s", None, "1\n").unwrap().account_id, None);
        let long = "x".repeat(LONGEST_TOKEN + 1);
        for bad in ["", "a\u{1b}[2J", "a\nb", "a b", "a\u{9b}", "é", "a\0", &long] {
            let sets = [set(bad, "s", None, ""), set("A", bad, None, ""), set("A", "s", Some(bad), "")];
            assert_eq!(sets, [None, None, None], "{bad:?}");
        }
    }
}
