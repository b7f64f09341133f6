//! Whether a session's cache file can be replaced: decided from facts about the file and its directory, before a refresh
//! token is spent.

use crate::core::fix::word;

/// The permission bit of the owner for writing.
const OWNER_WRITES: u32 = 0o200;

/// What is known about a cache file, its directory, and this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheAccess {
    /// The file, with symbolic links resolved.
    pub path: String,
    /// The file's directory, or the nearest one above it that exists.
    pub directory: String,
    /// The directory's owner.
    pub directory_owner: u32,
    /// The directory's permission bits.
    pub directory_mode: u32,
    /// Whether this process may create files in the directory.
    pub directory_access: Access,
    /// The file, where there is one.
    pub file: Option<CacheFileFacts>,
    /// The user id of this process.
    pub uid: u32,
    /// The group id of this process.
    pub gid: u32,
}

/// Whether this process may write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// It may.
    Granted,
    /// The permissions don't allow it.
    Denied,
    /// The file system is mounted read-only.
    ReadOnly,
    /// A symbolic link in the path leads to a directory that does not exist.
    Dangling {
        /// The link.
        link: String,
        /// The directory.
        directory: String,
    },
    /// A file has the directory's name.
    NotADirectory,
    /// Another reason, in the system's words.
    Refused(String),
}

/// Facts about an existing cache file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheFileFacts {
    /// Its owner.
    pub owner: u32,
    /// Its permission bits.
    pub mode: u32,
    /// How many names (hard links) it has.
    pub links: u64,
    /// What it is instead of a regular file: "a directory", "a FIFO".
    pub not_regular: Option<&'static str>,
    /// Whether a file system is mounted on it.
    pub mounted: bool,
    /// Whether the file system protects it from changes (`chattr +i`).
    pub immutable: bool,
}

/// Why a cache file can't be replaced, and the command that changes that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheProblem {
    /// The file.
    pub path: String,
    /// Its directory, or the nearest one above it that exists.
    pub directory: String,
    /// Why, as a clause without a subject of its own: "the directory … belongs to uid 0".
    pub why: String,
    /// A command that works as printed.
    pub fix: Option<String>,
    /// The disk is full: it may have room again at any time.
    pub is_full: bool,
    /// Only an attempt to write showed it: looking does not tell when it is over.
    pub is_tried: bool,
    /// Something that is not a regular file has the file's name.
    pub is_not_regular: bool,
}

impl CacheAccess {
    /// Why the file can't be replaced; `None` where nothing speaks against it. `name_of` gives a user's name, which only a
    /// problem needs: the look-up may ask a server.
    pub fn problem(&self, name_of: impl Fn(u32) -> Option<String>) -> Option<CacheProblem> {
        self.problem_of_file(&name_of).or_else(|| self.problem_of_directory(&name_of))
    }

    fn problem_of_file(&self, name_of: impl Fn(u32) -> Option<String>) -> Option<CacheProblem> {
        let file = self.file.as_ref()?;
        let (path, argument) = (&self.path, word(&self.path));
        let problem = |why: String, fix: Option<String>| self.because(why, fix);
        if let Some(what) = file.not_regular {
            let why = format!("{path} is {what}, not a regular file");
            return Some(CacheProblem { is_not_regular: true, ..problem(why, Some(set_aside(path))) });
        }
        if file.mounted {
            return Some(problem(format!("{path} is a mount point of its own, so it can't be replaced"), None));
        }
        if file.links > 1 {
            let why =
                format!("{path} has {} names (hard links), and a replacement would reach one of them", file.links);
            let copy = word(&format!("{path}.copy"));
            return Some(problem(why, Some(format!("cp -p {argument} {copy} && mv {copy} {argument}"))));
        }
        if self.uid != 0 && file.owner != self.uid {
            let owner = user(file.owner, name_of(file.owner).as_deref());
            let why = format!("{path} belongs to {owner}, mode {:03o}, and this is uid {}", file.mode, self.uid);
            return Some(problem(why, Some(self.chown())));
        }
        if file.immutable {
            let why = format!("{path} is protected from changes (chattr +i)");
            return Some(problem(why, Some(format!("sudo chattr -i {argument}"))));
        }
        (file.mode & OWNER_WRITES == 0).then(|| {
            let why = format!("{path} is write-protected (mode {:03o})", file.mode);
            problem(why, Some(format!("chmod u+w {argument}")))
        })
    }

    fn problem_of_directory(&self, name_of: impl Fn(u32) -> Option<String>) -> Option<CacheProblem> {
        let Self { directory, directory_owner: owner, directory_mode: mode, .. } = self;
        let (why, fix) = match &self.directory_access {
            Access::Granted => return None,
            Access::ReadOnly => (format!("the file system of {directory} is mounted read-only"), None),
            Access::Dangling { link, directory } => (
                format!("{link} is a symbolic link, and the directory {directory} does not exist"),
                Some(format!("mkdir -p {}", word(directory))),
            ),
            Access::NotADirectory => {
                let why = format!("{directory} is a file, and should be a directory");
                (why, Some(set_aside(directory)))
            }
            Access::Refused(why) => (format!("the directory {directory} can't be written: {why}"), None),
            Access::Denied if *owner == self.uid => {
                let why = format!("the directory {directory} is write-protected (uid {owner}, mode {mode:03o})");
                (why, Some(format!("chmod u+rwx {}", word(directory))))
            }
            Access::Denied => {
                let owner = user(*owner, name_of(*owner).as_deref());
                let why = format!(
                    "the directory {directory} belongs to {owner}, mode {mode:03o}, and this is uid {}",
                    self.uid
                );
                (why, Some(self.chown()))
            }
        };
        Some(self.because(why, fix))
    }

    /// Both are given back in one command: `sudo aws` makes the directories and the file.
    fn chown(&self) -> String {
        format!("sudo chown -R {}:{} {}", self.uid, self.gid, word(&self.directory))
    }

    /// The disk has no room for a replacement.
    pub fn full(&self) -> CacheProblem {
        let why = format!("the disk of {} has no room for a new file", self.directory);
        CacheProblem { is_full: true, ..self.because(why, None) }
    }

    /// A problem that only the attempt showed.
    pub fn because(&self, why: String, fix: Option<String>) -> CacheProblem {
        CacheProblem {
            path: self.path.clone(),
            directory: self.directory.clone(),
            why,
            fix,
            is_full: false,
            is_tried: false,
            is_not_regular: false,
        }
    }
}

/// The command that renames what has the place of a file or directory.
pub fn set_aside(path: &str) -> String {
    format!("mv {} {}", word(path), word(&format!("{path}.old")))
}

/// A user for a sentence: "root (uid 0)".
fn user(uid: u32, name: Option<&str>) -> String {
    name.map_or_else(|| format!("uid {uid}"), |name| format!("{name} (uid {uid})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access() -> CacheAccess {
        CacheAccess {
            path: "/h/.aws/sso/cache/x.json".to_owned(),
            directory: "/h/.aws/sso/cache".to_owned(),
            directory_owner: 1000,
            directory_mode: 0o700,
            directory_access: Access::Granted,
            file: Some(CacheFileFacts {
                owner: 1000,
                mode: 0o600,
                links: 1,
                not_regular: None,
                mounted: false,
                immutable: false,
            }),
            uid: 1000,
            gid: 1000,
        }
    }

    fn no_name(_: u32) -> Option<String> {
        None
    }

    fn with_file(change: impl Fn(&mut CacheFileFacts)) -> CacheProblem {
        let mut access = access();
        change(access.file.as_mut().unwrap());
        access.problem(no_name).unwrap()
    }

    #[test]
    fn a_file_of_ones_own_can_be_replaced_and_root_may_replace_everybodys() {
        assert_eq!(access().problem(no_name), None);
        assert_eq!(CacheAccess { file: None, ..access() }.problem(no_name), None);
        assert_eq!(CacheAccess { uid: 0, gid: 0, ..access() }.problem(no_name), None);
    }

    #[test]
    fn each_obstacle_is_named_with_the_command_that_removes_it() {
        let foreign = with_file(|file| file.owner = 0);
        assert_eq!(foreign.fix.as_deref(), Some("sudo chown -R 1000:1000 /h/.aws/sso/cache"));
        assert!(foreign.why.contains("x.json belongs to uid 0, mode 600"), "{}", foreign.why);
        let protected = with_file(|file| file.mode = 0o400);
        assert_eq!(protected.fix.as_deref(), Some("chmod u+w /h/.aws/sso/cache/x.json"));
        assert!(with_file(|file| file.links = 2).fix.unwrap().starts_with("cp -p "));
        assert!(with_file(|file| file.not_regular = Some("a directory")).is_not_regular);
        assert_eq!(with_file(|file| file.mounted = true).fix, None);
        assert!(with_file(|file| file.immutable = true).fix.unwrap().contains("chattr -i"));
    }

    #[test]
    fn a_directory_that_cannot_be_written_is_named_with_its_owner() {
        let denied = |owner| CacheAccess {
            directory_access: Access::Denied,
            directory_owner: owner,
            directory_mode: 0o755,
            file: None,
            ..access()
        };
        let of_root = denied(0).problem(no_name).unwrap();
        let named = denied(0).problem(|_| Some("root".to_owned())).unwrap();
        assert!(
            named.why.contains("root (uid 0)") && of_root.why.contains("belongs to uid 0, mode 755"),
            "{}",
            named.why
        );
        assert_eq!(of_root.fix.as_deref(), Some("sudo chown -R 1000:1000 /h/.aws/sso/cache"));
        assert_eq!(denied(1000).problem(no_name).unwrap().fix.as_deref(), Some("chmod u+rwx /h/.aws/sso/cache"));
        let dangling = Access::Dangling { link: "/h/.aws/sso".to_owned(), directory: "/mnt/a b".to_owned() };
        let dangling = CacheAccess { directory_access: dangling, file: None, ..access() }.problem(no_name).unwrap();
        assert_eq!((dangling.fix.as_deref(), dangling.is_not_regular), (Some("mkdir -p '/mnt/a b'"), false));
        let read_only = CacheAccess { directory_access: Access::ReadOnly, ..access() };
        assert_eq!(read_only.problem(no_name).unwrap().fix, None);
    }
}
