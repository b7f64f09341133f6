//! Reads a web identity token, anew for each call: whoever writes it does so more often than anybody is told.

use std::path::PathBuf;

use super::file;
use crate::core::secret::Secret;

/// AWS takes tokens of up to 20,000 characters.
const LARGEST_TOKEN: u64 = 64 * 1024;

/// The token, without the line break that editors and shells put behind it.
///
/// # Errors
/// A sentence: there is no token to be had.
pub(super) async fn read(path: &str) -> Result<Secret, String> {
    let file = PathBuf::from(path);
    let bytes = match tokio::task::spawn_blocking(move || file::read(&file, LARGEST_TOKEN)).await {
        Ok(Ok(Some(bytes))) => bytes,
        Ok(Ok(None)) => return Err(format!("there is no token file {path}")),
        Ok(Err(error)) => return Err(format!("the token file {path} can't be read: {error}")),
        Err(_) => return Err(format!("the token file {path} could not be read in time")),
    };
    match std::str::from_utf8(&bytes).map(str::trim) {
        Ok("") => Err(format!("the token file {path} is empty")),
        Ok(token) if token.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(Secret::new(token)),
        _ => Err(format!("the token file {path} holds what is no token: it has blanks or binary data")),
    }
}
