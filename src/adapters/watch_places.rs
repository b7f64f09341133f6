//! Where to look for changes of a file: every folder in which something could happen that makes its path mean another file.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

/// What happens to names in `folders` decides what a path means.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Places {
    /// The folders to watch, without symbolic links in their paths.
    pub(super) folders: BTreeSet<PathBuf>,
    /// The names in them that matter, and what is expected at each.
    pub(super) names: BTreeMap<PathBuf, Name>,
}

/// What is at a name that matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    /// On the way: a symbolic link, or the first part of the path that is not there.
    Way,
    /// The file itself, where it is there.
    File,
}

/// As many as Linux follows.
const MOST_LINKS: usize = 40;

/// Walks a path as the kernel would, and notes each folder whose entries decide the way: that of each symbolic link, and the
/// one in which the walk ends, at the file or at the first name that is not there.
pub(super) fn places(path: &Path) -> Places {
    let mut places = Places::default();
    let mut links = 0;
    let mut ahead = parts(path);
    let mut here = PathBuf::from("/");
    while let Some(part) = ahead.pop_front() {
        if part == ".." {
            here.pop();
            continue;
        }
        let next = here.join(&part);
        let Ok(metadata) = std::fs::symlink_metadata(&next) else {
            places.note(here, next, Name::Way);
            return places;
        };
        if metadata.is_symlink() {
            let target = std::fs::read_link(&next);
            places.note(here.clone(), next, Name::Way);
            links += 1;
            let Some(target) = target.ok().filter(|_| links <= MOST_LINKS) else { return places };
            if target.is_absolute() {
                here = PathBuf::from("/");
            }
            let mut rest = parts(&target);
            rest.append(&mut ahead);
            ahead = rest;
        } else if ahead.is_empty() {
            places.note(here, next, Name::File);
            return places;
        } else if metadata.is_dir() {
            here = next;
        } else {
            places.note(here, next, Name::Way);
            return places;
        }
    }
    places
}

impl Places {
    fn note(&mut self, folder: PathBuf, name: PathBuf, what: Name) {
        self.folders.insert(folder);
        self.names.insert(name, what);
    }
}

fn parts(path: &Path) -> VecDeque<OsString> {
    let named = |part: Component<'_>| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    };
    path.components().filter_map(named).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap();
        (folder, path)
    }

    fn watched(path: &Path, below: &Path) -> Vec<String> {
        let short = |path: &PathBuf| path.strip_prefix(below).map(|path| path.display().to_string()).ok();
        places(path).folders.iter().filter_map(short).collect()
    }

    #[test]
    fn a_missing_file_is_awaited_in_the_nearest_folder_that_exists() {
        let (_guard, base) = folder();
        assert_eq!(watched(&base.join("a/b/config"), &base), [""]);
        std::fs::create_dir(base.join("a")).unwrap();
        assert_eq!(watched(&base.join("a/b/config"), &base), ["a"]);
        assert_eq!(places(&base.join("a/b/config")).names, BTreeMap::from([(base.join("a/b"), Name::Way)]));
    }

    #[test]
    fn every_link_of_a_chain_is_watched_where_it_lies() {
        let (_guard, base) = folder();
        for name in ["home", "dotfiles", "store"] {
            std::fs::create_dir(base.join(name)).unwrap();
        }
        std::fs::File::create(base.join("store/config")).unwrap();
        symlink("../store/config", base.join("dotfiles/config")).unwrap();
        symlink(base.join("dotfiles"), base.join("home/.aws")).unwrap();
        let path = base.join("home/.aws/config");
        assert_eq!(watched(&path, &base), ["dotfiles", "home", "store"]);
        assert_eq!(places(&path).names[&base.join("store/config")], Name::File);
        assert_eq!(places(&path).names[&base.join("dotfiles/config")], Name::Way);
    }

    #[test]
    fn a_circle_of_links_ends() {
        let (_guard, base) = folder();
        symlink("b", base.join("a")).unwrap();
        symlink("a", base.join("b")).unwrap();
        assert_eq!(watched(&base.join("a"), &base), [""]);
    }
}
