//! The links between the pages of the documentation.

use std::fs;
use std::path::{Path, PathBuf};

fn pages(directory: &Path, pages: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            self::pages(&path, pages);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            pages.push(path);
        }
    }
}

#[test]
fn every_link_between_pages_leads_to_a_file() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all: Vec<PathBuf> =
        ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md"].map(|name| root.join(name)).into();
    pages(&root.join("docs"), &mut all);
    let mut links = 0;
    for page in &all {
        let text = fs::read_to_string(page).unwrap();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target) {
            if !target.contains("://") && !target.starts_with('#') {
                links += 1;
                let file = page.parent().unwrap().join(target.split('#').next().unwrap());
                assert!(file.exists(), "{}: there is no {target}", page.display());
            }
        }
    }
    assert!(links > 15, "{links}");
}
