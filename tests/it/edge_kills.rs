//! The daemon is killed at random moments around a refresh, while each refresh token is good once and showing a used one ends
//! the session.
//!
//! A few kills by default; `EVERCRED_KILLS=500 cargo test --test it edge_kills -- --nocapture` is the real thing.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::time::Duration;

use serde_json::{Value, json};

use crate::edge_soak::pause;
use crate::machine::Machine;
use crate::standin::{Rotation, Service};
use crate::{edge_login, edge_sso};

const SHORT: usize = 12;
/// An answer that AWS gave so long ago has arrived, on however busy a machine.
const ARRIVED_MS: i64 = 1_000;
/// After so many kills it is seen whether everything works.
const LOOK_EVERY: usize = 20;
/// Files of others in the cache directory.
const BYSTANDERS: [&str; 2] = ["notes", "0123456789abcdef0123456789abcdef01234567.json"];
const MODE: u32 = 0o640;

/// Which of the caches.
struct Kind {
    service: Service,
    action: &'static str,
    file: String,
    profile: &'static str,
    machine: fn() -> Machine,
    sign_in: fn(&Machine),
}

fn sso() -> Kind {
    Kind {
        service: Service::Oidc,
        action: "CreateToken:refresh_token",
        file: edge_sso::token_file(),
        profile: "admin",
        machine: edge_sso::machine,
        sign_in: |machine| edge_sso::sign_in_with(machine, &["corp", "--no-browser", "--force"]),
    }
}

fn login() -> Kind {
    Kind {
        service: Service::Signin,
        action: "CreateOAuth2Token:refresh_token",
        file: edge_login::cache_file(),
        profile: "me",
        machine: edge_login::machine,
        sign_in: |machine| edge_login::sign_in_with(machine, &["me", "--force"]),
    }
}

#[derive(Debug, Default)]
struct Tally {
    kills: usize,
    refreshes: usize,
    /// The newest token was beside its file, and the next start adopted it.
    adopted: usize,
    /// For tokens that had not reached the daemon: how long before the kill AWS had answered; `None` where it had not yet.
    on_the_way: Vec<Option<i64>>,
    /// Tokens that had reached the daemon and are nowhere.
    lost: Vec<i64>,
    /// The session was over although its newest token was on the disk: after which kill, and what lay there before.
    ended: Vec<(usize, Vec<String>)>,
    /// Files, fields and modes that are not what they were.
    torn: Vec<String>,
    left_over: Vec<String>,
}

struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

/// The files of the cache directory by their names, without the lock.
fn files(machine: &Machine, kind: &Kind) -> BTreeMap<String, String> {
    let directory = kind.file.rsplit_once('/').unwrap().0;
    let entries = std::fs::read_dir(machine.path(directory)).unwrap().map(Result::unwrap);
    let named = entries.map(|entry| entry.file_name().into_string().unwrap());
    named
        .filter(|name| !name.ends_with("-lock"))
        .map(|name| (name.clone(), machine.read(&format!("{directory}/{name}"))))
        .collect()
}

/// What nobody but its owner may change.
fn bystanders(machine: &Machine, kind: &Kind) -> BTreeMap<String, String> {
    let directory = kind.file.rsplit_once('/').unwrap().0;
    let names = [".aws/config", ".aws/credentials"].map(str::to_owned).into_iter();
    let names = names.chain(BYSTANDERS.map(|name| format!("{directory}/{name}")));
    names.map(|name| (name.clone(), machine.read(&name))).collect()
}

/// Signs in anew, with a field of another program in the file and a mode of its own.
fn sign_in(machine: &mut Machine, kind: &Kind) {
    machine.start();
    (kind.sign_in)(machine);
    assert_eq!(machine.stop(), Some(0));
    let mut document: Value = serde_json::from_str(&machine.read(&kind.file)).unwrap();
    document["later"] = json!({"kept": true});
    machine.replace(&kind.file, &document.to_string());
    std::fs::set_permissions(machine.path(&kind.file), std::fs::Permissions::from_mode(MODE)).unwrap();
}

fn torn(machine: &Machine, kind: &Kind, before: &BTreeMap<String, String>) -> Option<String> {
    if bystanders(machine, kind) != *before {
        return Some(format!("{:?}", bystanders(machine, kind)));
    }
    let document: Value = serde_json::from_str(&machine.read(&kind.file)).unwrap_or(Value::Null);
    let mode = machine.path(&kind.file).metadata().map_or(0, |metadata| metadata.mode() & 0o777);
    (document["later"] != json!({"kept": true}) || mode != MODE).then(|| format!("{mode:o} {}", document["later"]))
}

#[expect(clippy::print_stdout, reason = "the figures of the long run are what it is made for")]
fn kill_again_and_again(kind: &Kind, kills: usize, seed: u64) -> Tally {
    let (mut tally, mut random) = (Tally::default(), Random(seed));
    let mut machine = (kind.machine)();
    machine.aws.set_rotation(Rotation::RevokeFamily);
    machine.aws.signin(|settings| settings.rotation = Rotation::RevokeFamily);
    // So short that each start refreshes it.
    machine.aws.sso(|settings| settings.access_token_seconds = 600);
    machine.aws.signin(|settings| settings.credentials_seconds = 300);
    sign_in(&mut machine, kind);
    let directory = kind.file.rsplit_once('/').unwrap().0.to_owned();
    for name in BYSTANDERS {
        machine.write(&format!("{directory}/{name}"), "{\"accessToken\": \"of somebody else\"}\n");
    }
    let (before, mut there) = (bystanders(&machine, kind), Vec::new());
    while tally.kills < kills {
        let refreshes = machine.aws.count(kind.action);
        machine.begin();
        let (spread, waits) = match random.below(10) {
            0 | 1 => (150, false),
            2 | 3 => (1_500, true),
            _ => (60, true),
        };
        if waits {
            let action = kind.action;
            machine.aws.wait_for(Duration::from_secs(3), |calls| {
                calls.iter().filter(|call| call.action == action).count() > refreshes
            });
        }
        pause(Duration::from_micros(random.below(spread * 1_000)));
        let killed_at = machine.aws.now_ms();
        machine.crash();
        tally.kills += 1;
        tally.torn.extend(torn(&machine, kind, &before));
        let Some(newest) = machine.aws.newest_refresh_token(kind.service) else {
            tally.ended.push((tally.kills, std::mem::take(&mut there)));
            sign_in(&mut machine, kind);
            continue;
        };
        let files = files(&machine, kind);
        there = files.keys().cloned().collect();
        let is_in = |text: &str| text.contains(&newest);
        if !is_in(&machine.read(&kind.file)) {
            if files.values().any(|text| is_in(text)) || is_in(&machine.read("run/unsaved.json")) {
                tally.adopted += 1;
            } else {
                let since = machine.aws.answered_ms(kind.service).map(|at| killed_at - at).filter(|since| *since >= 0);
                match since {
                    Some(since) if since > ARRIVED_MS => tally.lost.push(since),
                    since => tally.on_the_way.push(since),
                }
                sign_in(&mut machine, kind);
                continue;
            }
        }
        if tally.kills.is_multiple_of(LOOK_EVERY) {
            machine.start();
            machine.eventually("it is served", |machine| machine.credentials(kind.profile).is_ok());
            // A kill that is not counted would lose what is on its way.
            assert_eq!(machine.stop(), Some(0));
        }
    }
    machine.start();
    machine.eventually("it is served", |machine| machine.credentials(kind.profile).is_ok());
    let ours = |name: &String| name.contains(".json.evercred-");
    machine.eventually("nothing is left over", |machine| !files(machine, kind).keys().any(ours));
    tally.refreshes = machine.aws.count(kind.action);
    assert_eq!(machine.stop(), Some(0));
    // A daemon that runs may be in the middle of a write.
    tally.left_over = files(&machine, kind).into_keys().filter(ours).collect();
    println!("{kills} kills of {} (seed {seed}): {tally:?}", kind.action);
    tally
}

fn assert_holds(kind: &Kind) {
    let wanted = std::env::var("EVERCRED_KILLS").ok().and_then(|kills| kills.parse().ok());
    let tally = kill_again_and_again(kind, wanted.unwrap_or(SHORT), 1);
    assert!(tally.lost.is_empty() && tally.ended.is_empty(), "{tally:?}");
    assert!(tally.torn.is_empty() && tally.left_over.is_empty(), "{tally:?}");
    assert!(tally.refreshes * 2 >= tally.kills, "{tally:?}");
}

#[test]
fn no_token_of_sso_that_reached_the_daemon_is_lost_by_a_kill() {
    assert_holds(&sso());
}

#[test]
fn no_token_of_a_login_session_that_reached_the_daemon_is_lost_by_a_kill() {
    assert_holds(&login());
}
