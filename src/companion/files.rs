//! The AWS files and the settings file, as the companion reads them by itself.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

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

/// Where the AWS files are, absolute.
pub(super) fn aws_paths(environment: &Environment) -> Result<AwsPaths, Failure> {
    let variable = |name: &str| environment.variable_or_home(name);
    let paths = AwsPaths::resolve(&variable, PathStyle::Unix).ok_or_else(|| {
        Failure::new(ATTENTION, "HOME is not set, so evercred can't find the AWS files")
            .fix("set HOME, or AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE")
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
    file.take(LIMIT + 1).read_to_end(&mut bytes).map_err(|error| unreadable::why(&error))?;
    if bytes.len() as u64 > LIMIT {
        return Err(format!("it is larger than {LIMIT} bytes"));
    }
    Ok(Some(bytes))
}
