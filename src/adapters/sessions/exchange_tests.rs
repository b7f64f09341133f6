use std::os::unix::fs::symlink;

use super::*;
use crate::core::secret::Secret;
use crate::core::session::LoginSession;

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token.json");
    (folder, path)
}

fn put(path: &Path, text: &str) -> Found {
    let _ = std::fs::remove_file(path);
    write_beside(path, text.as_bytes(), &Like::of(path)).unwrap();
    read(path)
}

fn names(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

#[test]
fn a_file_is_replaced_whole_and_private_and_nothing_is_left() {
    let (folder, path) = folder();
    let old = put(&path, "old");
    assert!(matches!(replace(&path, "new", &old, false), Replaced::Done));
    assert!(read(&path) == Found::Text(Secret::new("new")));
    assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
    assert_eq!(names(folder.path()), ["token.json"]);
}

#[test]
fn a_deleted_file_stays_deleted() {
    let (folder, path) = folder();
    let old = put(&path, "old");
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(replace(&path, "new", &old, false), Replaced::Gone));
    assert_eq!(names(folder.path()), [""; 0]);
}

#[test]
fn what_was_written_in_the_last_moment_is_in_our_hands() {
    let (folder, path) = folder();
    let old = put(&path, "old");
    put(&path, "theirs");
    let Replaced::Changed(theirs) = replace(&path, "new", &old, false) else { panic!("not seen") };
    assert!(theirs == Found::Text(Secret::new("theirs")));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "theirs", "and back in its place");
    assert_eq!(names(folder.path()), ["token.json"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_tool_that_writes_in_place_is_waited_for() {
    let (folder, path) = folder();
    let old = put(&path, "old");
    // As the AWS CLI writes: it has opened the file, and is about to fill it.
    let mut theirs = OpenOptions::new().write(true).truncate(true).open(&path).unwrap();
    let replacing = std::thread::spawn({
        let path = path.clone();
        move || replace(&path, "new", &old, false)
    });
    while !matches!(read(&path), Found::Text(text) if text.expose() == "new") {
        std::thread::yield_now();
    }
    theirs.write_all(b"theirs").unwrap();
    drop(theirs);
    assert!(matches!(replacing.join().unwrap(), Replaced::Changed(Found::Text(text)) if text.expose() == "theirs"));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "theirs");
    assert_eq!(names(folder.path()), ["token.json"]);
}

#[test]
fn what_could_not_be_read_is_kept_beside_it() {
    let (folder, path) = folder();
    let old = put(&path, "{\"acc");
    assert!(matches!(replace(&path, "new", &old, true), Replaced::Done));
    assert_eq!(names(folder.path()), ["token.json", "token.json.evercred-kept"]);
    assert_eq!(std::fs::read_to_string(aside(&path, 1)).unwrap(), "{\"acc");
}

#[test]
fn a_link_is_followed_and_stays() {
    let (folder, path) = folder();
    let real = folder.path().join("real.json");
    let old = put(&real, "old");
    symlink(&real, &path).unwrap();
    assert!(matches!(replace(&path, "new", &old, false), Replaced::Done));
    assert!(path.symlink_metadata().unwrap().is_symlink());
    assert_eq!(std::fs::read_to_string(&real).unwrap(), "new");
}

#[test]
fn a_folder_that_cannot_be_written_is_said_and_the_file_is_as_it_was() {
    let (_folder, path) = folder();
    std::fs::create_dir(&path).unwrap();
    assert!(matches!(read(&path), Found::Unreadable(_)));
    let below = path.join("missing/token.json");
    assert!(matches!(replace(&below, "new", &Found::Missing, false), Replaced::Failed(_)));
    assert!(write(&path, "new", &|_| false).unwrap_err().contains("a directory"));
}

const SESSION: &str = "arn:aws:iam::111122223333:user/someone";

fn session() -> Session {
    let endpoint = crate::core::plan::Endpoint {
        region: "eu-west-1".to_owned(),
        url: None,
        fips: false,
        dual_stack: false,
        ca_bundle: None,
    };
    Session::Login(LoginSession { login_session: SESSION.to_owned(), endpoint })
}

fn token(name: &str, minute: u32) -> String {
    format!(
        "{{\"accessToken\":{{\"accessKeyId\":\"ASIA{name}\",\"secretAccessKey\":\"s-{name}\",\"sessionToken\":\"t\",\
         \"expiresAt\":\"2026-11-24T12:{minute:02}:00Z\"}},\"refreshToken\":\"r-{name}\",\"clientId\":\"c\",\"dpopKey\":\"k\"}}"
    )
}

/// Carries out the steps up to one, after which the process is gone.
fn stop_after(last: Step, path: &Path, text: &str, over: &Found) {
    let replacement = Replacement::new(path, text, over, false);
    for step in Step::ALL {
        assert!(replacement.carry_out(step).is_none() || step == last);
        if step == last {
            break;
        }
    }
}

#[test]
fn after_a_stop_at_any_step_the_newer_token_is_in_the_file_and_nothing_is_beside_it() {
    // The expiry does not tell them apart.
    for (old, new) in
        [(token("1", 10), token("2", 40)), (token("1", 40), token("2", 40)), (token("1", 40), token("2", 10))]
    {
        for last in Step::ALL {
            let (folder, path) = folder();
            let over = put(&path, &old);
            stop_after(last, &path, &new, &over);
            recover(&path, &session());
            assert_eq!(std::fs::read_to_string(&path).unwrap(), new, "{last:?}");
            assert_eq!(names(folder.path()), ["token.json"], "{last:?}");
        }
    }
}

#[test]
fn a_token_that_another_program_wrote_in_the_last_moment_is_put_back_after_a_stop() {
    for last in [Step::Write, Step::Exchange, Step::AwaitWriter] {
        let (folder, path) = folder();
        let over = put(&path, &token("1", 10));
        let theirs = token("9", 40);
        if last == Step::Write {
            stop_after(last, &path, &token("2", 40), &over);
            put(&path, &theirs);
        } else {
            // It had the old file open.
            put(&path, &theirs);
            stop_after(last, &path, &token("2", 40), &over);
        }
        recover(&path, &session());
        recover(&path, &session());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), theirs, "{last:?}");
        assert_eq!(names(folder.path()), ["token.json"], "{last:?}");
    }
}

#[test]
fn half_a_left_over_is_removed_and_a_sign_out_stays_one() {
    let (folder, path) = folder();
    let over = put(&path, &token("1", 10));
    stop_after(Step::Write, &path, &token("2", 40), &over);
    let (left, _) = left_overs(&path).pop().unwrap();
    write_beside(&left, b"{\"accessToken", &Like::of(&path)).unwrap();
    recover(&path, &session());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), token("1", 10));
    stop_after(Step::Write, &path, &token("2", 40), &over);
    std::fs::remove_file(&path).unwrap();
    recover(&path, &session());
    assert_eq!(names(folder.path()), [""; 0]);
}

#[test]
fn owner_group_and_mode_stay_those_of_the_file_or_nothing_is_written() {
    let (folder, path) = folder();
    let old = put(&path, "old");
    std::fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&path, Some(12_345), Some(54_321)).unwrap();
        std::os::unix::fs::chown(folder.path(), Some(12_345), Some(54_321)).unwrap();
    }
    let before = path.metadata().unwrap();
    assert!(matches!(replace(&path, "new", &old, false), Replaced::Done));
    let after = path.metadata().unwrap();
    let facts = |metadata: &std::fs::Metadata| (metadata.uid(), metadata.gid(), metadata.mode());
    assert_eq!(facts(&after), facts(&before));
    drop(open_lock(&path).unwrap());
    let lock = folder.path().join("token.json.evercred-lock").metadata().unwrap();
    assert_eq!(lock.uid(), before.uid());
    let made = folder.path().join("login/cache/other.json");
    write(&made, "text", &|_| false).unwrap();
    for path in [made.clone(), made.parent().unwrap().to_owned(), made.parent().unwrap().parent().unwrap().to_owned()] {
        assert_eq!(path.metadata().unwrap().uid(), before.uid());
    }
}

#[test]
fn a_hard_linked_file_is_written_by_neither_name() {
    let (folder, path) = folder();
    let old = put(&path, "old");
    std::fs::hard_link(&path, folder.path().join("backup.json")).unwrap();
    assert!(try_out(&path).unwrap_err().fix.is_some());
    assert!(matches!(replace(&path, "new", &old, false), Replaced::Failed(_)));
    assert_eq!(names(folder.path()), ["backup.json", "token.json"]);
    assert!(read(&path) == old);
}

#[test]
fn a_sign_in_keeps_whatever_it_replaces_and_could_not_read() {
    for bytes in [vec![0xff; 10], vec![b' '; 1024 * 1024 + 1]] {
        let (_folder, path) = folder();
        write_beside(&path, &bytes, &Like::of(&path)).unwrap();
        write(&path, "new", &|found| matches!(found, Found::Unreadable(_))).unwrap();
        assert_eq!(std::fs::read(aside(&path, 1)).unwrap(), bytes);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
    }
}

#[test]
fn what_was_kept_is_never_overwritten_and_logout_removes_left_overs_only() {
    let (folder, path) = folder();
    let kept = |found: &Found| !matches!(found, Found::Missing);
    for (text, number) in [("first", 1), ("second", 2), ("first", 2), ("third", 3)] {
        put(&path, text);
        write(&path, "new", &kept).unwrap();
        assert_eq!(names(folder.path()).len(), 1 + number, "{text}");
    }
    for (number, text) in [(1, "first"), (2, "second"), (3, "third")] {
        assert_eq!(std::fs::read_to_string(aside(&path, number)).unwrap(), text);
    }
    put(&with_suffix(&path, ".evercred-4711"), "left over");
    remove_beside(&path);
    assert_eq!(names(folder.path()).len(), 4, "{:?}", names(folder.path()));
}
