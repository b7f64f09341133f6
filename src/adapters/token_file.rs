//! Reads a web identity token, anew for each call: whoever writes it does so more often than anybody is told.

use std::path::PathBuf;

use super::file;
use crate::core::secret::Secret;
use crate::core::web_identity::{LARGEST_FILE, token_of};

/// The token, without the line break that editors and shells put behind it.
///
/// # Errors
/// A sentence: there is no token to be had.
pub(super) async fn read(path: &str) -> Result<Secret, String> {
    let file = PathBuf::from(path);
    let read = move || (file::read(&file, LARGEST_FILE), file.exists());
    let bytes = match tokio::task::spawn_blocking(read)
        .await
        .map_err(|_| format!("the token file {path} could not be read in time"))?
    {
        (Ok(Some(bytes)), _) => bytes,
        // /dev/null
        (Ok(None), true) => return Err(format!("the token file {path} is empty")),
        (Ok(None), false) => return Err(format!("there is no token file {path}")),
        (Err(error), _) => return Err(format!("the token file {path} can't be read: {error}")),
    };
    token_of(&bytes).map(Secret::new).map_err(|why| format!("the token file {path} {why}"))
}
