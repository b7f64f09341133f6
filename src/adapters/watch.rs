//! watch (temporary)
use std::path::PathBuf;
use tokio::sync::mpsc;
use zeroize::Zeroizing;
/// A change.
pub struct FileChange {
    /// Path.
    pub path: PathBuf,
    /// Content.
    pub content: FileContent,
}
/// Content.
pub enum FileContent {
    /// None.
    Missing,
    /// Bytes.
    Text(Zeroizing<Vec<u8>>),
    /// Why.
    Unreadable(String),
}
/// Watcher.
#[derive(Clone)]
pub struct FileWatcher(mpsc::Sender<FileChange>);
impl FileWatcher {
    /// New.
    pub fn new(_: Vec<PathBuf>, tx: mpsc::Sender<FileChange>) -> Self {
        Self(tx)
    }
    /// Run.
    pub async fn run(self) {
        std::future::pending().await
    }
    /// Rescan.
    pub fn rescan(&self) {}
    /// Paths.
    pub fn set_paths(&self, _: Vec<PathBuf>) {}
}
