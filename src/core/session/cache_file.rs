//! Where the AWS tools keep a session's token.

use sha1::{Digest, Sha1};
use sha2::Sha256;

use crate::core::hex::hex;

/// Which of the tools' folders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CacheFolder {
    /// `~/.aws/sso/cache`.
    Sso,
    /// `~/.aws/login/cache`, or AWS_LOGIN_CACHE_DIRECTORY.
    Login,
}

/// A file of one of the caches.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CacheFile {
    /// The folder.
    pub folder: CacheFolder,
    /// The name in it.
    pub name: String,
}

impl CacheFile {
    /// The token of an SSO session: the SHA-1 of the session's name, or of the start URL in the legacy form, as every SDK
    /// has it (botocore's `SSOTokenLoader`).
    pub fn of_sso(name_or_start_url: &str) -> Self {
        Self { folder: CacheFolder::Sso, name: format!("{}.json", hex(&Sha1::digest(name_or_start_url))) }
    }

    /// The token of a login session: the SHA-256 of its name (botocore's `generate_login_cache_key`).
    pub fn of_login(login_session: &str) -> Self {
        Self { folder: CacheFolder::Login, name: format!("{}.json", hex(&Sha256::digest(login_session))) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_as_the_aws_tools_name_them() {
        // From botocore: SSOTokenLoader()._generate_cache_key and generate_login_cache_key.
        assert_eq!(CacheFile::of_sso("my-session").name, "9e28173066ce536e277c5fb355efd9c64f398167.json");
        assert_eq!(
            CacheFile::of_login("arn:aws:iam::111122223333:user/someone").name,
            "70d06dab4cf84f49e7f365c2305001a720ba2da03df684a296285272c7fe781e.json"
        );
    }
}
