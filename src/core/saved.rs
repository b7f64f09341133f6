//! Encodes the state that survives a restart: requested profiles, cached credentials, unsaved tokens, and the estimate
//! of AWS time.
//!
//! A state file is a hint, never an order: what can't be read in full is refused as a whole, and the caller sets it
//! aside. The files carry the boot id they were written under, as the boot-time clock means nothing in another boot.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::core::clock::SavedClock;
use crate::core::credential::Credentials;
use crate::core::keeper::{Memory, MintedSet, SessionMemory, UnsavedToken};
use crate::core::plan::NodeKey;
use crate::core::secret::Secret;
use crate::core::session::{CacheFile, CacheFolder};
use crate::core::time::AwsTime;

const MEMORY_SCHEMA: &str = "evercred.memory/1";
const MINTED_SCHEMA: &str = "evercred.minted/1";
const UNSAVED_SCHEMA: &str = "evercred.unsaved/1";
const CLOCK_SCHEMA: &str = "evercred.clock/1";

/// IAM Identity Center has no session of more than 90 days; a year leaves room.
const LONGEST_SESSION_MS: i64 = 366 * 86_400_000;

/// Why a state file was not used: the end of a sentence that begins with the file's path.
pub type Unusable = String;

/// What the keeper remembers, as text.
pub fn encode_memory(memory: &Memory) -> String {
    encode(&MemoryFile { schema: MEMORY_SCHEMA.to_owned(), memory: memory.clone() })
}

/// The reverse of [`encode_memory`].
///
/// # Errors
/// The text is not what [`encode_memory`] writes.
pub fn decode_memory(text: &str) -> Result<Memory, Unusable> {
    let MemoryFile { mut memory, .. } = decode(text, |file: &MemoryFile| &file.schema, MEMORY_SCHEMA)?;
    let mut lengths = memory
        .sessions
        .values()
        .flat_map(|session| [session.length_ms, session.length_before_ms].into_iter().flatten());
    if lengths.any(|length| !(0..=LONGEST_SESSION_MS).contains(&length)) {
        return Err("has a session that is longer than possible".to_owned());
    }
    memory.sessions.values_mut().for_each(SessionMemory::forget_short_lengths);
    Ok(memory)
}

/// The minted sets, as text that holds secrets.
pub fn encode_minted(boot_id: Option<&str>, sets: &[MintedSet]) -> Zeroizing<String> {
    let file = MintedFile {
        schema: MINTED_SCHEMA.to_owned(),
        boot_id: boot_id.map(str::to_owned),
        sets: sets.iter().map(StoredSet::from).collect(),
    };
    Zeroizing::new(encode(&file))
}

/// The reverse of [`encode_minted`]: the sets, and whether they were written in this boot.
///
/// # Errors
/// The text is not what [`encode_minted`] writes.
pub fn decode_minted(text: &str, boot_id: Option<&str>) -> Result<(Vec<MintedSet>, bool), Unusable> {
    let file = decode::<MintedFile>(text, |file| &file.schema, MINTED_SCHEMA)?;
    let same_boot = boot_id.is_some() && file.boot_id.as_deref() == boot_id;
    Ok((file.sets.into_iter().map(MintedSet::from).collect(), same_boot))
}

/// The tokens that are in no cache file yet, as text that holds secrets.
pub fn encode_unsaved(tokens: &[UnsavedToken]) -> Zeroizing<String> {
    let file =
        UnsavedFile { schema: UNSAVED_SCHEMA.to_owned(), tokens: tokens.iter().map(StoredToken::from).collect() };
    Zeroizing::new(encode(&file))
}

/// The reverse of [`encode_unsaved`].
///
/// # Errors
/// The text is not what [`encode_unsaved`] writes.
pub fn decode_unsaved(text: &str) -> Result<Vec<UnsavedToken>, Unusable> {
    let UnsavedFile { tokens, .. } = decode(text, |file: &UnsavedFile| &file.schema, UNSAVED_SCHEMA)?;
    Ok(tokens.into_iter().map(UnsavedToken::from).collect())
}

/// The estimate of AWS's time, as text; nothing where the boot can't be told from another.
pub fn encode_clock(boot_id: Option<&str>, clock: SavedClock) -> Option<String> {
    boot_id.map(|boot_id| encode(&ClockFile { schema: CLOCK_SCHEMA.to_owned(), boot_id: boot_id.to_owned(), clock }))
}

/// The reverse of [`encode_clock`]; `Ok(None)` where it was written in another boot.
///
/// # Errors
/// The text is not what [`encode_clock`] writes.
pub fn decode_clock(text: &str, boot_id: Option<&str>) -> Result<Option<SavedClock>, Unusable> {
    let file = decode::<ClockFile>(text, |file| &file.schema, CLOCK_SCHEMA)?;
    let SavedClock { lowest_ms, highest_ms, suspended_ms, .. } = file.clock;
    let is_offset = |millis: i64| AwsTime::checked_from_millis(millis).is_some();
    if !is_offset(lowest_ms) || !is_offset(highest_ms) || lowest_ms > highest_ms || suspended_ms < 0 {
        return Err("has an impossible AWS time".to_owned());
    }
    Ok((Some(file.boot_id.as_str()) == boot_id).then_some(file.clock))
}

#[derive(Serialize, Deserialize)]
struct MemoryFile {
    schema: String,
    #[serde(flatten)]
    memory: Memory,
}

#[derive(Serialize, Deserialize)]
struct ClockFile {
    schema: String,
    boot_id: String,
    #[serde(flatten)]
    clock: SavedClock,
}

#[derive(Serialize, Deserialize)]
struct MintedFile {
    schema: String,
    boot_id: Option<String>,
    sets: Vec<StoredSet>,
}

/// A minted set with its secrets in the open: exists only between the keeper and the state file.
#[derive(Serialize, Deserialize)]
struct StoredSet {
    key: NodeKey,
    minted_at: AwsTime,
    access_key_id: String,
    secret_access_key: Zeroizing<String>,
    session_token: Option<Zeroizing<String>>,
    expires_at: Option<AwsTime>,
    account_id: Option<String>,
}

impl From<&MintedSet> for StoredSet {
    fn from(set: &MintedSet) -> Self {
        let credentials = &set.credentials;
        Self {
            key: set.key.clone(),
            minted_at: set.minted_at,
            access_key_id: credentials.access_key_id.clone(),
            secret_access_key: Zeroizing::new(credentials.secret_access_key.expose().to_owned()),
            session_token: credentials.session_token.as_ref().map(|token| Zeroizing::new(token.expose().to_owned())),
            expires_at: credentials.expires_at,
            account_id: credentials.account_id.clone(),
        }
    }
}

impl From<StoredSet> for MintedSet {
    fn from(set: StoredSet) -> Self {
        Self {
            key: set.key,
            minted_at: set.minted_at,
            credentials: Credentials {
                access_key_id: set.access_key_id,
                secret_access_key: Secret::new(set.secret_access_key.as_str()),
                session_token: set.session_token.map(|token| Secret::new(token.as_str())),
                expires_at: set.expires_at,
                account_id: set.account_id,
            },
        }
    }
}

#[derive(Serialize, Deserialize)]
struct UnsavedFile {
    schema: String,
    tokens: Vec<StoredToken>,
}

/// A token with plain secrets; exists only between the keeper and the state file.
#[derive(Serialize, Deserialize)]
struct StoredToken {
    cache: StoredFolder,
    file: String,
    token: Zeroizing<String>,
    superseded: Option<Zeroizing<String>>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum StoredFolder {
    Sso,
    Login,
}

impl From<&UnsavedToken> for StoredToken {
    fn from(unsaved: &UnsavedToken) -> Self {
        let text = |secret: &Secret| Zeroizing::new(secret.expose().to_owned());
        Self {
            cache: match unsaved.file.folder {
                CacheFolder::Sso => StoredFolder::Sso,
                CacheFolder::Login => StoredFolder::Login,
            },
            file: unsaved.file.name.clone(),
            token: text(&unsaved.token),
            superseded: unsaved.superseded.as_ref().map(text),
        }
    }
}

impl From<StoredToken> for UnsavedToken {
    fn from(stored: StoredToken) -> Self {
        let folder = match stored.cache {
            StoredFolder::Sso => CacheFolder::Sso,
            StoredFolder::Login => CacheFolder::Login,
        };
        let secret = |text: Zeroizing<String>| Secret::new(text.as_str());
        Self {
            file: CacheFile { folder, name: stored.file },
            token: secret(stored.token),
            superseded: stored.superseded.map(secret),
        }
    }
}

fn encode(file: &impl Serialize) -> String {
    // These types hold strings and numbers only, which always have a JSON form.
    serde_json::to_string(file).unwrap_or_default()
}

fn decode<T: for<'de> Deserialize<'de>>(text: &str, schema: fn(&T) -> &str, wanted: &str) -> Result<T, Unusable> {
    if text.is_empty() {
        return Err("is empty".to_owned());
    }
    // serde_json's own message can quote the text, which may hold secrets: only the position is used.
    let file: T = serde_json::from_str(text).map_err(|error| {
        format!("is not what evercred writes there (line {}, column {})", error.line(), error.column())
    })?;
    if schema(&file) == wanted { Ok(file) } else { Err(format!("does not say \"{wanted}\" as its schema")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::clock::Trust;
    use crate::core::time::BootTime;

    fn set() -> MintedSet {
        MintedSet {
            key: serde_json::from_str("\"abc\"").unwrap(),
            minted_at: AwsTime::from_millis(1_000),
            credentials: Credentials {
                access_key_id: "ASIAEXAMPLE".to_owned(),
                secret_access_key: Secret::new("planted-secret"),
                session_token: Some(Secret::new("planted-token")),
                expires_at: Some(AwsTime::from_millis(3_600_000)),
                account_id: None,
            },
        }
    }

    #[test]
    fn minted_sets_come_back_as_they_were_and_know_their_boot() {
        let text = encode_minted(Some("boot-1"), &[set()]);
        assert_eq!(decode_minted(&text, Some("boot-1")), Ok((vec![set()], true)));
        assert_eq!(decode_minted(&text, Some("boot-2")), Ok((vec![set()], false)));
        assert_eq!(decode_minted(&text, None), Ok((vec![set()], false)));
    }

    #[test]
    fn a_file_cut_anywhere_is_refused_without_quoting_its_secrets() {
        let text = encode_minted(Some("boot-1"), &[set()]);
        for end in 0..text.len() {
            let why = decode_minted(&text[..end], Some("boot-1")).unwrap_err();
            assert!(!why.contains("planted"), "{why}");
        }
    }

    #[test]
    fn unsaved_tokens_come_back_as_they_were_and_a_cut_file_is_refused_without_its_secrets() {
        let one = |superseded| UnsavedToken {
            file: CacheFile::of_sso("corp"),
            token: Secret::new("{\"accessToken\":\"planted-token\"}"),
            superseded,
        };
        let login = UnsavedToken { file: CacheFile::of_login("arn"), ..one(None) };
        let tokens = [one(Some(Secret::new("{\"accessToken\":\"planted-old\"}"))), login];
        let text = encode_unsaved(&tokens);
        assert_eq!(decode_unsaved(&text).as_deref(), Ok(&tokens[..]));
        for end in 0..text.len() {
            let why = decode_unsaved(&text[..end]).unwrap_err();
            assert!(!why.contains("planted"), "{why}");
        }
    }

    #[test]
    fn a_clock_of_another_boot_is_not_believed() {
        let clock = SavedClock {
            lowest_ms: 1,
            highest_ms: 2,
            as_of: BootTime::from_millis(3),
            suspended_ms: 4,
            trust: Trust::Configured,
        };
        let text = encode_clock(Some("boot-1"), clock).unwrap();
        assert_eq!(decode_clock(&text, Some("boot-1")), Ok(Some(clock)));
        assert_eq!(decode_clock(&text, Some("boot-2")), Ok(None));
        assert_eq!(encode_clock(None, clock), None);
    }

    #[test]
    fn a_length_that_no_session_has_is_forgotten() {
        for (number, expected) in [(0, None), (82_000, None), (899_999, None), (900_000, Some(900_000))] {
            let text = format!(
                r#"{{"schema":"{MEMORY_SCHEMA}","last_asked":{{}},"sessions":{{"corp":{{"signed_in_at":0,"length_ms":{number},"length_before_ms":{number}}}}}}}"#
            );
            let session = &decode_memory(&text).unwrap().sessions["corp"];
            assert_eq!((session.length_ms, session.length_before_ms), (expected, expected));
        }
    }

    #[test]
    fn a_number_that_no_time_and_no_session_has_is_refused() {
        for number in [i64::MIN, i64::MIN + 1, -1, 366 * 86_400_000 + 1, i64::MAX] {
            let text = format!(
                r#"{{"schema":"{MEMORY_SCHEMA}","last_asked":{{}},"sessions":{{"corp":{{"signed_in_at":0,"length_ms":{number}}}}}}}"#
            );
            assert!(decode_memory(&text).is_err(), "{number}");
        }
        for number in [i64::MIN, i64::MAX] {
            let asked = format!(r#"{{"schema":"{MEMORY_SCHEMA}","last_asked":{{"a":{number}}}}}"#);
            assert!(decode_memory(&asked).is_err(), "{number}");
            let text = encode_minted(Some("boot-1"), &[set()]);
            for field in ["\"minted_at\":1000", "\"expires_at\":3600000"] {
                let name = field.split_once(':').unwrap().0;
                assert!(text.contains(field));
                assert!(decode_minted(&text.replace(field, &format!("{name}:{number}")), None).is_err(), "{field}");
            }
            for clock in [
                SavedClock {
                    lowest_ms: number,
                    highest_ms: 2,
                    as_of: BootTime::from_millis(3),
                    suspended_ms: 4,
                    trust: Trust::Configured,
                },
                SavedClock {
                    lowest_ms: 1,
                    highest_ms: number,
                    as_of: BootTime::from_millis(3),
                    suspended_ms: 4,
                    trust: Trust::Configured,
                },
            ] {
                let text = encode_clock(Some("boot-1"), clock).unwrap();
                assert!(decode_clock(&text, Some("boot-1")).is_err(), "{text}");
            }
        }
    }

    #[test]
    fn a_foreign_file_is_refused() {
        assert!(decode_memory("{\"schema\":\"else/1\",\"last_asked\":{}}").unwrap_err().contains("schema"));
        assert_eq!(decode_memory(&encode_memory(&Memory::default())), Ok(Memory::default()));
    }
}
