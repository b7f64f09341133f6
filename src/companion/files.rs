//! The AWS files and the settings file, as the companion reads them by itself.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use zeroize::Zeroizing;

use super::failure::{ATTENTION, Failure};
use crate::core::inputs::{AwsInputs, Reading, Unreadable};
use crate::core::location::{AwsPaths, PathStyle};
use crate::core::profile::SourceFile;
use crate::platform::environment::Environment;
use crate::platform::unreadable;

/// No AWS file is larger; a thousand profiles need a fraction of it.
const LIMIT: u64 = 16 * 1024 * 1024;

/// The longest wait for the content of a file. A network file system without its server never answers.
const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// Reads these files once, so that a command does not hang.
///
/// # Errors
/// The file system of a file does not answer.
pub(super) fn must_answer(paths: Vec<PathBuf>) -> Result<(), Failure> {
    match first_without_answer(paths, READ_TIMEOUT, |path| drop(read(path))) {
        None => Ok(()),
        Some(path) => {
            let (path, seconds) = (path.display(), READ_TIMEOUT.as_secs());
            Err(Failure::new(
                ATTENTION,
                format!(
                    "{path} can't be read: its file system has not answered for {seconds} s. Is its network share reachable?"
                ),
            ))
        }
    }
}

/// The first file that takes longer than `patience`. The thread that waits for it is left behind.
fn first_without_answer(paths: Vec<PathBuf>, patience: Duration, read: fn(&Path)) -> Option<PathBuf> {
    let (done, answers) = channel();
    let files = paths.clone();
    let read_each = move || {
        for path in files {
            read(&path);
            if done.send(()).is_err() {
                break;
            }
        }
    };
    // Without a thread there is no limit of time.
    let thread = thread::Builder::new().spawn(read_each).ok()?;
    let late = paths.into_iter().find(|_| answers.recv_timeout(patience) == Err(RecvTimeoutError::Timeout));
    if late.is_none() {
        let _ = thread.join();
    }
    late
}

/// Where the AWS files are, absolute.
pub(super) fn aws_paths(environment: &Environment) -> Result<AwsPaths, Failure> {
    let variable = |name: &str| environment.variable_or_home(name);
    let paths = AwsPaths::resolve(&variable, PathStyle::Unix).ok_or_else(|| {
        let why = "neither HOME nor AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE are set";
        Failure::new(ATTENTION, format!("evercred can't find the AWS files: {why}"))
    })?;
    let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
    Ok(AwsPaths { config: absolute(paths.config), credentials: absolute(paths.credentials) })
}

/// Both AWS files.
pub(super) fn read_aws(paths: &AwsPaths) -> AwsInputs {
    let mut inputs = AwsInputs::default();
    for (file, path) in [(SourceFile::Config, &paths.config), (SourceFile::Credentials, &paths.credentials)] {
        let _ = inputs.take(file, reading(path));
    }
    inputs
}

/// The file at a path.
pub(super) fn reading(path: &Path) -> Reading {
    match read(path) {
        Ok(Some(bytes)) => Reading::Bytes(bytes),
        Ok(None) => Reading::Missing,
        Err(why) => Reading::Unreadable(Unreadable { why, fix: unreadable::fix(path) }),
    }
}

/// The path of one of the files, for messages.
pub(super) fn path_of(paths: &AwsPaths, settings: &Path, file: SourceFile) -> String {
    let path = match file {
        SourceFile::Config => &paths.config,
        SourceFile::Credentials => &paths.credentials,
        SourceFile::Settings => settings,
    };
    path.display().to_string()
}

/// A file's bytes; `None` if there is no file, or for `/dev/null`.
pub(super) fn read(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, String> {
    read_at_most(path, LIMIT)
}

/// The same for a file of at most `limit` bytes.
pub(super) fn read_at_most(path: &Path, limit: u64) -> Result<Option<Zeroizing<Vec<u8>>>, String> {
    // Without NONBLOCK opening a FIFO waits for its writer, for ever.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(descriptor) => File::from(descriptor),
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => return Ok(None),
        Err(error) => return Err(unreadable::why(&error.into())),
    };
    let metadata = file.metadata().map_err(|error| error.to_string())?;
    if unreadable::is_null_device(&metadata) {
        return Ok(None);
    }
    if !metadata.is_file() {
        return Err(unreadable::what_it_is(&metadata).to_owned());
    }
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(limit + 1).read_to_end(&mut bytes).map_err(|error| unreadable::why(&error))?;
    if bytes.len() as u64 > limit {
        return Err(format!("it is larger than {limit} bytes"));
    }
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_system_that_does_not_answer_is_named_by_the_file() {
        let hangs = |path: &Path| {
            while path.ends_with("hangs") {
                thread::park();
            }
        };
        let named =
            |names: &[&str], patience| first_without_answer(names.iter().map(PathBuf::from).collect(), patience, hangs);
        assert_eq!(
            named(&["config", "hangs", "evercred.toml"], Duration::from_millis(50)),
            Some(PathBuf::from("hangs"))
        );
        assert_eq!(named(&["config", "credentials"], Duration::MAX), None);
    }
}
