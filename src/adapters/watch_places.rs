//! Where to look for changes of a file: every folder in which something could happen that makes its path mean another file.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
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

/// The places of each path. The way to a directory is walked once, however many files are in it.
pub(super) fn all_places(paths: &[PathBuf]) -> Vec<(PathBuf, Places)> {
    let mut ways: HashMap<&Path, (Way, bool)> = HashMap::new();
    let places_of = |path| {
        let (Some(directory), Some(name)) = (Path::parent(path), Path::file_name(path)) else { return places(path) };
        let (way, exists) = ways.entry(directory).or_insert_with(|| {
            let mut way = Way::default();
            let exists = way.follow(parts(directory), Target::Directory);
            (way, exists)
        });
        // The walk to a missing directory ends at the same place for all files below it.
        if *exists { way.clone().ends_at(VecDeque::from([name.to_owned()])) } else { way.places.clone() }
    };
    paths.iter().cloned().zip(paths.iter().map(PathBuf::as_path).map(places_of)).collect()
}

/// Notes each folder whose entries decide what a path means: that of each symbolic link, and the one in which the walk ends, at
/// the file or at the first name that is not there.
fn places(path: &Path) -> Places {
    Way::default().ends_at(parts(path))
}

/// Whether a path is to be a file or a directory.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Target {
    File,
    Directory,
}

/// A walk along a path, as the kernel would do it.
#[derive(Clone)]
struct Way {
    here: PathBuf,
    links: usize,
    places: Places,
}

impl Default for Way {
    fn default() -> Self {
        Self { here: PathBuf::from("/"), links: 0, places: Places::default() }
    }
}

impl Way {
    fn ends_at(mut self, ahead: VecDeque<OsString>) -> Places {
        self.follow(ahead, Target::File);
        self.places
    }

    /// Continues the walk. True if it has arrived in a directory.
    fn follow(&mut self, mut ahead: VecDeque<OsString>, target: Target) -> bool {
        while let Some(part) = ahead.pop_front() {
            if part == ".." {
                self.here.pop();
                continue;
            }
            let next = self.here.join(&part);
            let Ok(metadata) = std::fs::symlink_metadata(&next) else {
                self.note(next, Name::Way);
                return false;
            };
            if metadata.is_symlink() {
                let target = std::fs::read_link(&next);
                self.note(next, Name::Way);
                self.links += 1;
                let Some(target) = target.ok().filter(|_| self.links <= MOST_LINKS) else { return false };
                if target.is_absolute() {
                    self.here = PathBuf::from("/");
                }
                let mut rest = parts(&target);
                rest.append(&mut ahead);
                ahead = rest;
            } else if ahead.is_empty() && target == Target::File {
                self.note(next, Name::File);
                return false;
            } else if metadata.is_dir() {
                self.here = next;
            } else {
                self.note(next, Name::Way);
                return false;
            }
        }
        true
    }

    fn note(&mut self, name: PathBuf, what: Name) {
        self.places.folders.insert(self.here.clone());
        self.places.names.insert(name, what);
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
    use std::fs::File;
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
        File::create(base.join("store/config")).unwrap();
        symlink("../store/config", base.join("dotfiles/config")).unwrap();
        symlink(base.join("dotfiles"), base.join("home/.aws")).unwrap();
        let path = base.join("home/.aws/config");
        assert_eq!(watched(&path, &base), ["dotfiles", "home", "store"]);
        assert_eq!(places(&path).names[&base.join("store/config")], Name::File);
        assert_eq!(places(&path).names[&base.join("dotfiles/config")], Name::Way);
    }

    #[test]
    fn the_places_of_many_files_are_those_of_each() {
        let (_guard, base) = folder();
        std::fs::create_dir_all(base.join("store/cache")).unwrap();
        File::create(base.join("store/cache/a")).unwrap();
        File::create(base.join("file")).unwrap();
        symlink("store", base.join("home")).unwrap();
        symlink("a", base.join("store/cache/link")).unwrap();
        symlink("circle", base.join("circle")).unwrap();
        let names = [
            "store/cache/a",
            "store/cache/b",
            "home/cache/a",
            "home/cache/b",
            "home/cache/link",
            "home/cache",
            "home",
            "file/below",
            "circle/below",
            "missing/a/b",
            "home/cache/../cache/b",
            "home/..",
        ];
        let paths = names.map(|name| base.join(name));
        let each: Vec<_> = paths.iter().map(|path| (path.clone(), places(path))).collect();
        assert_eq!(all_places(&paths), each);
    }

    #[test]
    fn a_circle_of_links_ends() {
        let (_guard, base) = folder();
        symlink("b", base.join("a")).unwrap();
        symlink("a", base.join("b")).unwrap();
        assert_eq!(watched(&base.join("a"), &base), [""]);
    }
}
