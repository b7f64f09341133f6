//! Files with tokens that can't be used: web identity token files, and the cache files of SSO sessions.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::edge_doctor_verdict::{Report, machine};
use crate::edge_sso::token_file;
use crate::machine::Machine;

/// Something in the place of a file.
type Place = fn(&Path);

fn fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

fn write(path: &Path, bytes: &[u8]) {
    std::fs::write(path, bytes).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

fn finding<'a>(report: &'a Report, id: &str) -> &'a Value {
    let all = report.document["findings"].as_array().unwrap();
    all.iter().find(|finding| finding["id"] == id).unwrap_or_else(|| panic!("{}", report.text))
}

#[test]
fn what_is_in_the_place_of_a_web_identity_token_file_is_named() {
    let places: [(Place, &str); 10] = [
        (|_| (), "does not exist"),
        (|path| std::fs::create_dir(path).unwrap(), "can't be read: it is a directory"),
        (fifo, "can't be read: it is a FIFO"),
        (|path| symlink("/dev/null", path).unwrap(), "is empty"),
        (|path| symlink("/nowhere/token", path).unwrap(), "is a symbolic link to /nowhere/token"),
        (|path| write(path, b"\n"), "is empty"),
        (|path| write(path, b"\xff\xfe\0"), "has no token"),
        (|path| write(path, b"a\0b"), "has no token"),
        (|path| write(path, b"two words"), "has no token"),
        (|path| write(path, &[b'x'; 70_000]), "can't be read: it is larger than 65536 bytes"),
    ];
    for (place, why) in places {
        let machine = machine();
        let path = machine.path("token");
        std::fs::remove_file(&path).unwrap();
        place(&path);
        for arguments in [&["ci", "--offline"][..], &["ci"]] {
            let report = Report::of(&machine, arguments, &[]);
            let found = finding(&report, "credentials-missing");
            let title = found["title"].as_str().unwrap();
            assert!(title.contains(path.to_str().unwrap()) && title.contains(why), "{arguments:?}: {found:#}");
            assert_eq!((report.exit, report.state()), (Some(1), "fails"), "{arguments:?}: {}", report.text);
        }
    }
}

/// A machine whose profile `admin` has something in the place of its cache file.
fn with_cache(place: impl FnOnce(&Path)) -> Machine {
    let machine = machine();
    let path = machine.path(&token_file());
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    place(&path);
    machine
}

#[test]
fn what_is_in_the_place_of_a_cache_file_is_named() {
    let places: [(Place, &str, &str); 6] = [
        (|path| write(path, b"\xff\xfe\0"), "sso-login-needed", "it is not UTF-8 text"),
        (|path| write(path, &[b' '; 3_000_000]), "sso-login-needed", "it is larger than 1048576 bytes"),
        (|path| write(path, b"{\"accessToken\":"), "sso-login-needed", "is not what the AWS tools write"),
        (|path| std::fs::create_dir(path).unwrap(), "sso-cache-unwritable", "is a directory"),
        (fifo, "sso-cache-unwritable", "is a FIFO"),
        (|path| symlink(path, path).unwrap(), "sso-cache-unwritable", "a symbolic link that leads to no regular file"),
    ];
    for (place, id, why) in places {
        let machine = with_cache(place);
        for arguments in [&["admin", "--offline"][..], &["admin"]] {
            let report = Report::of(&machine, arguments, &[]);
            let found = finding(&report, id);
            assert!(found["evidence"].to_string().contains(why), "{arguments:?}: {found:#}");
            assert_eq!((report.exit, report.state()), (Some(1), "fails"), "{arguments:?}: {}", report.text);
            assert!(found["fix"][0]["command"].is_string(), "{found:#}");
        }
    }
}

#[test]
fn a_cache_file_that_is_too_large_has_no_token_for_the_daemon_either() {
    let mut machine = machine();
    let token = json!({"accessToken": machine.aws.signed_in(), "expiresAt": "2099-03-01T00:00:00Z"}).to_string();
    let path = machine.path(&token_file());
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    write(&path, format!("{token}{}", " ".repeat(3_000_000)).as_bytes());
    machine.start();
    let status = machine.companion().args(["status", "admin", "--json"]).output().unwrap();
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(status["profiles"][0]["state"], "needs-login", "{status:#}");
    assert!(status.to_string().contains("larger than 1048576 bytes"), "{status:#}");
}

#[test]
fn a_token_that_some_clients_refuse_works_with_a_warning() {
    for (time, refusing) in [
        ("2099-03-01T00:00:00Z", None),
        ("2099-03-01T00:00:00.5Z", None),
        ("2099-03-01T00:00:00UTC", Some("Go (v2), Java (v2), Rust refuse")),
        ("2099-03-01T00:00:00+0000", Some("Go (v2), Java (v2), Rust refuse")),
        ("2099-03-01T00:00:00+00:00", Some(": Rust")),
        ("2099-03-01T00:00:00", Some("boto3 and the AWS CLI, Go (v2), Java (v2), Rust refuse")),
    ] {
        let mut machine = machine();
        let token = json!({"accessToken": machine.aws.signed_in(), "expiresAt": time});
        let path = machine.path(&token_file());
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        write(&path, token.to_string().as_bytes());
        let check = |machine: &Machine| {
            let report = Report::of(machine, &["admin"], &[]);
            assert_eq!((report.exit, report.state()), (Some(0), "works"), "{time}: {}", report.text);
            let warnings = report.ids(&["warning"]);
            let Some(refusing) = refusing else { return assert!(warnings.is_empty(), "{time}: {warnings:?}") };
            let found = finding(&report, "sso-login-needed");
            assert_eq!(found["severity"], "warning", "{found:#}");
            assert!(found.to_string().contains(refusing) && found["evidence"].to_string().contains(time), "{found:#}");
            assert!(found["evidence"][0].to_string().contains(path.to_str().unwrap()), "{found:#}");
            // A plain login would say that the session is signed in.
            assert_eq!(found["fix"][0]["command"], "evercred login --force corp", "{found:#}");
        };
        check(&machine);
        machine.start();
        check(&machine);
    }
}
