//! The path of the daemon's socket: the one that the environment names, or the one in the daemon's runtime directory.

use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::companion::failure::{Failure, UNREACHABLE, start};
use crate::core::directories::{Directories, SOCKET, Undetermined, runtime_below};
use crate::platform::environment::Environment;
use crate::platform::peer::own_uid;

/// The daemon's socket.
pub(super) struct Place {
    pub(super) path: PathBuf,
    /// Set by EVERCRED_SOCKET: the daemon may run on another machine, with other files.
    pub(super) forwarded: bool,
}

/// Whether the daemon may run on another machine.
pub(in crate::companion) fn is_forwarded(environment: &Environment) -> bool {
    environment.get("EVERCRED_SOCKET").is_some_and(|path| !path.is_empty())
}

pub(super) fn place(environment: &Environment) -> Result<Place, Failure> {
    let variable = |name: &str| environment.get(name).map(str::to_owned);
    let directories = Directories::of(&variable);
    let failed = |error: Undetermined| Failure::new(UNREACHABLE, format!("the daemon can't be reached: {error}"));
    if let Some(path) = directories.socket().map_err(failed)? {
        return Ok(Place { path, forwarded: true });
    }
    let runtime = runtime(&directories)?;
    Ok(Place { path: runtime.join(SOCKET), forwarded: false })
}

/// The daemon's runtime directory: the one from the environment, or else the first usable one, preferably with a socket. A
/// directory without a socket may be left over from an earlier daemon.
fn runtime(directories: &Directories<'_>) -> Result<PathBuf, Failure> {
    let failed = |why: String| Failure::new(UNREACHABLE, why);
    let undetermined = |error: Undetermined| failed(format!("the daemon can't be reached: {error}"));
    if let Some(path) = directories.named_runtime().map_err(undetermined)? {
        return match private(&path) {
            Ok(()) => Ok(path),
            Err(why) => {
                let path = path.display();
                Err(failed(format!("the daemon can't be reached: the directory {path} can't be used: {why}"))
                    .fix(start()))
            }
        };
    }
    let state = directories.state();
    let candidates = [
        directories.session().map(|session| runtime_below(&session)),
        Some(runtime_below(Path::new(&format!("/run/user/{}", own_uid())))),
        state.as_ref().ok().map(|state| state.join("run")),
    ];
    let candidates: Vec<PathBuf> = candidates.into_iter().flatten().collect();
    let usable = || candidates.iter().filter(|path| private(path).is_ok());
    match usable().find(|path| is_socket(&path.join(SOCKET))).or_else(|| usable().next()) {
        Some(path) => Ok(path.clone()),
        None => {
            state.map_err(undetermined)?;
            let tried: Vec<String> = candidates.iter().map(|path| path.display().to_string()).collect();
            let tried = tried.join(", ");
            Err(failed(format!("the daemon is not running: no private directory of yours among {tried}")).fix(start()))
        }
    }
}

pub(super) fn is_socket(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|metadata| metadata.file_type().is_socket())
}

/// Checks that it is a directory, belongs to this user, and is private.
fn private(path: &Path) -> Result<(), String> {
    let metadata = path.symlink_metadata().map_err(|error| match error.kind() {
        ErrorKind::NotFound => "it does not exist".to_owned(),
        _ => error.to_string(),
    })?;
    if !metadata.is_dir() {
        Err("it is not a directory".to_owned())
    } else if metadata.uid() != own_uid() {
        Err(format!("it belongs to uid {}", metadata.uid()))
    } else if metadata.mode() & 0o077 != 0 {
        Err(format!("other users can use it (mode {:o})", metadata.mode() & 0o777))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn the_first_folder_that_is_ours_alone_is_the_daemons() {
        let home = tempfile::tempdir().unwrap();
        let make = |name: &str, mode: u32| {
            let path = home.path().join(name);
            std::fs::create_dir_all(&path).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            path
        };
        let (open, state) = (make("xdg/evercred", 0o755), make(".local/state/evercred/run", 0o700));
        let environment = |runtime: &str| -> Environment {
            let pairs = [("HOME", home.path().display().to_string()), ("XDG_RUNTIME_DIR", runtime.to_owned())];
            pairs.map(|(name, value)| (name.to_owned(), value)).into_iter().collect()
        };
        let xdg = home.path().join("xdg").display().to_string();
        // Whether this machine's user has a daemon of its own is not this test's business.
        let socket = |folder: &Path| folder.join("evercred.sock");
        let found = || place(&environment(&xdg)).map(|place| place.path);
        if private(&PathBuf::from(format!("/run/user/{}/evercred", own_uid()))).is_err() {
            assert_eq!(found(), Ok(socket(&state)));
        }
        std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o700)).unwrap();
        assert_eq!(found(), Ok(socket(&open)));
        // It was left over by an earlier daemon.
        let _listener = UnixListener::bind(socket(&state)).unwrap();
        assert_eq!(found(), Ok(socket(&state)));
        let _other = UnixListener::bind(socket(&open)).unwrap();
        assert_eq!(found(), Ok(socket(&open)));
    }
}
