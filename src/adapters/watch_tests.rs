//! With real files. A test waits for what must come; where nothing must come, it says how long nothing came.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::symlink;

use super::*;

const PATIENCE: Duration = Duration::from_secs(20);

struct Rig {
    folder: PathBuf,
    control: FileWatcher,
    changes: mpsc::Receiver<Vec<FileChange>>,
    /// Those that came together with the last returned one.
    received: VecDeque<FileChange>,
    _guard: tempfile::TempDir,
}

impl Rig {
    fn watching(names: &[&str], prepare: impl FnOnce(&Path)) -> Self {
        let guard = tempfile::tempdir().unwrap();
        let folder = guard.path().canonicalize().unwrap();
        prepare(&folder);
        let (sender, changes) = mpsc::channel(16);
        let watcher = FileWatcher::new(names.iter().map(|name| folder.join(name)).collect(), sender);
        let control = watcher.clone();
        tokio::spawn(watcher.run());
        Self { folder, control, changes, received: VecDeque::new(), _guard: guard }
    }

    /// The next change: the file's name and its content.
    async fn next(&mut self) -> (String, String) {
        let change = self.receive(PATIENCE).await.expect("a change should have come");
        let name = change.path.strip_prefix(&self.folder).unwrap().display().to_string();
        (name, shown(change.content))
    }

    async fn receive(&mut self, how_long: Duration) -> Option<FileChange> {
        if self.received.is_empty() {
            let changes = tokio::time::timeout(how_long, self.changes.recv()).await.ok()?;
            self.received.extend(changes.expect("the watcher should run"));
        }
        self.received.pop_front()
    }

    async fn content(&mut self) -> String {
        self.next().await.1
    }

    async fn silence(&mut self, how_long: Duration) {
        if let Some(change) = self.receive(how_long).await {
            panic!("{} was reported: {}", change.path.display(), shown(change.content));
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

fn shown(content: FileContent) -> String {
    match content {
        FileContent::Missing => "(missing)".to_owned(),
        FileContent::Text(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
        FileContent::Unreadable(why) => format!("(unreadable: {why})"),
    }
}

fn put(path: &Path, text: &str) {
    File::create(path).unwrap().write_all(text.as_bytes()).unwrap();
}

#[tokio::test]
async fn every_file_is_reported_at_the_start_also_a_missing_one() {
    let mut rig = Rig::watching(&["config", "credentials"], |folder| put(&folder.join("config"), "one"));
    assert_eq!(rig.next().await, ("config".to_owned(), "one".to_owned()));
    assert_eq!(rig.next().await, ("credentials".to_owned(), "(missing)".to_owned()));
}

#[tokio::test]
async fn a_change_is_reported_within_a_second_however_it_is_made() {
    let mut rig = Rig::watching(&["config"], |folder| put(&folder.join("config"), "one"));
    assert_eq!(rig.content().await, "one");

    let begin = Instant::now();
    put(&rig.path("config"), "written in place");
    assert_eq!(rig.content().await, "written in place");
    assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());

    for round in ["replaced once", "replaced twice"] {
        put(&rig.path("config.tmp"), round);
        std::fs::rename(rig.path("config.tmp"), rig.path("config")).unwrap();
        assert_eq!(rig.content().await, round);
    }

    OpenOptions::new().append(true).open(rig.path("config")).unwrap().write_all(b", appended").unwrap();
    assert_eq!(rig.content().await, "replaced twice, appended");

    let begin = Instant::now();
    std::fs::remove_file(rig.path("config")).unwrap();
    assert_eq!(rig.content().await, "(missing)");
    assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
    put(&rig.path("config"), "again");
    assert_eq!(rig.content().await, "again");
}

#[tokio::test]
async fn reading_or_touching_a_file_or_its_neighbours_is_no_change() {
    let mut rig = Rig::watching(&["config"], |folder| put(&folder.join("config"), "one"));
    assert_eq!(rig.content().await, "one");
    std::fs::read(rig.path("config")).unwrap();
    put(&rig.path("neighbour"), "x");
    put(&rig.path("config"), "one");
    rig.control.rescan();
    rig.silence(SETTLE * 4).await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_half_written_file_changes_nothing_until_its_writer_closes_it() {
    let mut rig = Rig::watching(&["config"], |folder| put(&folder.join("config"), "one"));
    assert_eq!(rig.content().await, "one");
    let mut writer = File::create(rig.path("config")).unwrap();
    rig.silence(SETTLE * 2).await;
    writer.write_all(b"first half, ").unwrap();
    rig.silence(SETTLE * 4).await;
    writer.write_all(b"second half").unwrap();
    drop(writer);
    assert_eq!(rig.content().await, "first half, second half");
}

#[tokio::test]
async fn a_file_that_was_removed_to_be_made_again_is_never_missing() {
    let mut rig = Rig::watching(&["config"], |folder| put(&folder.join("config"), "one"));
    assert_eq!(rig.content().await, "one");
    std::fs::remove_file(rig.path("config")).unwrap();
    rig.silence(SETTLE * 2).await;
    put(&rig.path("config"), "two");
    assert_eq!(rig.content().await, "two");
}

#[tokio::test]
async fn folders_that_come_later_are_followed() {
    let mut rig = Rig::watching(&["a/b/config"], |_| {});
    assert_eq!(rig.content().await, "(missing)");
    std::fs::create_dir_all(rig.path("a/b")).unwrap();
    put(&rig.path("a/b/config"), "there");
    assert_eq!(rig.content().await, "there");
    // Another folder takes the place of the one that is watched.
    std::fs::create_dir_all(rig.path("other")).unwrap();
    put(&rig.path("other/config"), "another folder");
    std::fs::rename(rig.path("a/b"), rig.path("a/old")).unwrap();
    std::fs::rename(rig.path("other"), rig.path("a/b")).unwrap();
    assert_eq!(rig.content().await, "another folder");
    put(&rig.path("a/b/config"), "and it is watched");
    assert_eq!(rig.content().await, "and it is watched");
    std::fs::remove_dir_all(rig.path("a")).unwrap();
    assert_eq!(rig.content().await, "(missing)");
    std::fs::create_dir_all(rig.path("a/b")).unwrap();
    put(&rig.path("a/b/config"), "back");
    assert_eq!(rig.content().await, "back");
}

#[tokio::test]
async fn a_symbolic_link_is_followed_and_so_is_its_new_target() {
    let mut rig = Rig::watching(&["config"], |folder| {
        for name in ["one", "two"] {
            std::fs::create_dir(folder.join(name)).unwrap();
            put(&folder.join(name).join("config"), name);
        }
        symlink("one/config", folder.join("config")).unwrap();
    });
    assert_eq!(rig.content().await, "one");
    put(&rig.path("one/config"), "the target changed");
    assert_eq!(rig.content().await, "the target changed");
    symlink("two/config", rig.path("new")).unwrap();
    std::fs::rename(rig.path("new"), rig.path("config")).unwrap();
    assert_eq!(rig.content().await, "two");
    put(&rig.path("two/config"), "the new target changed");
    assert_eq!(rig.content().await, "the new target changed");
    put(&rig.path("one/config"), "the old target is nobody's");
    rig.silence(SETTLE * 3).await;
}

#[tokio::test]
async fn something_else_in_the_files_place_is_said() {
    let mut rig = Rig::watching(&["config"], |folder| std::fs::create_dir(folder.join("config")).unwrap());
    assert_eq!(rig.content().await, "(unreadable: it is a directory)");
    std::fs::remove_dir(rig.path("config")).unwrap();
    put(&rig.path("config"), "a file");
    assert_eq!(rig.content().await, "a file");
}

#[tokio::test]
async fn other_paths_can_be_named_while_it_runs() {
    let mut rig = Rig::watching(&["config"], |folder| put(&folder.join("other"), "other"));
    assert_eq!(rig.content().await, "(missing)");
    rig.control.set_paths(vec![rig.path("config"), rig.path("other")]);
    assert_eq!(rig.next().await, ("other".to_owned(), "other".to_owned()));
    put(&rig.path("other"), "changed");
    assert_eq!(rig.next().await, ("other".to_owned(), "changed".to_owned()));
}

#[tokio::test]
async fn it_ends_when_nobody_listens() {
    let (sender, changes) = mpsc::channel(1);
    let watcher = FileWatcher::new(vec![PathBuf::from("/nonexistent/config")], sender);
    let control = watcher.clone();
    let task = tokio::spawn(watcher.run());
    drop(changes);
    control.rescan();
    tokio::time::timeout(PATIENCE, task).await.expect("it should have ended").unwrap();
}

#[test]
fn lost_events_lead_to_reading_everything() {
    let board = Board::default();
    board.hear(Ok(notify::Event::new(EventKind::Other).set_flag(notify::event::Flag::Rescan)));
    assert!(board.take().everything);
    board.hear(Err(notify::Error::generic("broken")));
    assert!(board.take().everything);
}

#[test]
fn a_writer_is_waited_for_but_not_for_ever() {
    let begin = Instant::now();
    let content = |text: &str| Ok(FileContent::Text(text.as_bytes().to_vec().into()));
    let mut file = Watched::default();
    file.touch(begin, None);
    assert!(file.is_due(begin), "the first look waits for nothing");
    assert!(file.judge(content("one"), begin).is_some());

    file.touch(begin, Some(true));
    assert_eq!(file.due(), Some(begin + WRITER));
    for second in 1..20 {
        file.touch(begin + Duration::from_secs(second), Some(true));
    }
    assert_eq!(file.due(), Some(begin + WRITER_AT_MOST));
    file.touch(begin + Duration::from_secs(1), Some(false));
    assert!(file.judge(content("two"), begin).is_some());

    file.touch(begin, None);
    assert!(file.judge(content(""), begin + SETTLE).is_none());
    assert_eq!(file.due(), Some(begin + EMPTY));
    assert!(file.judge(content(""), begin + EMPTY).is_some());
    file.touch(begin, None);
    assert!(file.judge(Ok(FileContent::Missing), begin + SETTLE).is_some(), "from empty to missing nothing is lost");

    file.touch(begin, None);
    let busy = || Err(io::ErrorKind::ResourceBusy.into());
    assert!(file.judge(busy(), begin + SETTLE).is_none());
    assert_eq!(file.due(), Some(begin + SETTLE * 2));
    assert!(file.judge(busy(), begin + WRITER_AT_MOST * 2).is_none());
    assert_eq!(file.due(), Some(begin + WRITER_AT_MOST * 2 + WRITER));
}

#[tokio::test]
async fn what_we_wrote_ourselves_is_reported_so_that_its_end_is_a_change() {
    let mut rig = Rig::watching(&["token"], |_| {});
    assert_eq!(rig.content().await, "(missing)");
    // Written and gone before it was looked at: for the watcher nothing has changed.
    put(&rig.path("token"), "ours");
    std::fs::remove_file(rig.path("token")).unwrap();
    rig.control.report_again([rig.path("token")]);
    assert_eq!(rig.content().await, "(missing)");
}

#[tokio::test]
async fn an_empty_moment_between_many_writes_is_not_believed() {
    let mut rig = Rig::watching(&["config"], |folder| put(&folder.join("config"), "[profile a]\n"));
    assert_eq!(rig.content().await, "[profile a]\n");
    let path = rig.path("config");
    // Truncated and written some hundred times a second, empty for most of the time.
    let writer = tokio::spawn(async move {
        let mut pause = tokio::time::interval(Duration::from_millis(1));
        for round in 0..1000 {
            let mut file = File::create(&path).unwrap();
            pause.tick().await;
            pause.tick().await;
            file.write_all(format!("[profile a]\n# {round}\n").as_bytes()).unwrap();
        }
    });
    let mut last = String::new();
    while !writer.is_finished() || !last.ends_with("# 999\n") {
        last = rig.content().await;
        assert!(last.starts_with("[profile a]\n"), "{last:?}");
    }
}
