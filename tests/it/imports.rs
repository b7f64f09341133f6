//! The graph of the modules' imports, read from the `use` declarations and paths of the source files.

use std::collections::{BTreeMap, BTreeSet};

/// A module's path (`core::doctor::open`), without `crate`.
pub(crate) type Module = String;

/// What a source file declares and uses.
#[derive(Default)]
struct File {
    /// Names that stand for paths here: imports, re-exports and child modules.
    names: BTreeMap<String, Vec<String>>,
    /// The names among them that are re-exports of the module's own children: an import only where the code uses them.
    re_exports: BTreeSet<String>,
    /// Full paths that the code uses, with their lines.
    paths: Vec<(Vec<String>, usize)>,
}

/// The imports between modules. A re-exported item belongs to the module that defines it.
pub(crate) struct Imports(BTreeMap<Module, BTreeMap<Module, usize>>);

impl Imports {
    /// Reads the graph from modules and their source texts.
    pub(crate) fn of(sources: &[(Module, String)]) -> Self {
        let modules: BTreeSet<&str> = sources.iter().map(|(module, _)| module.as_str()).collect();
        let files: BTreeMap<&str, File> = sources
            .iter()
            .map(|(module, text)| {
                let children = modules.iter().filter(|other| parent(other) == Some(module)).map(|child| last(child));
                (module.as_str(), File::read(module, text, children))
            })
            .collect();
        let graph = files.iter().map(|(module, file)| {
            let mut used = BTreeMap::new();
            for (path, line) in &file.paths {
                if let Some(target) = resolve(&files, path, 0).filter(|target| target != module) {
                    used.entry(target).or_insert(*line);
                }
            }
            ((*module).to_owned(), used)
        });
        Self(graph.collect())
    }

    /// Groups of modules that import each other, each with its shortest circle as text.
    pub(crate) fn circles(&self) -> Vec<(BTreeSet<Module>, String)> {
        let reach: BTreeMap<&Module, BTreeSet<&Module>> =
            self.0.keys().map(|module| (module, self.reachable(module))).collect();
        let mut seen: BTreeSet<&Module> = BTreeSet::new();
        let mut circles = Vec::new();
        for module in self.0.keys().filter(|module| reach[module].contains(module)) {
            if seen.contains(module) {
                continue;
            }
            let group: BTreeSet<&Module> =
                reach[module].iter().copied().filter(|other| reach[other].contains(module)).collect();
            let shortest = group.iter().map(|start| self.shortest_circle(start)).min_by_key(Vec::len).unwrap();
            circles.push((group.iter().map(|module| (*module).clone()).collect(), self.spell(&shortest)));
            seen.extend(group);
        }
        circles
    }

    fn reachable<'a>(&'a self, from: &'a Module) -> BTreeSet<&'a Module> {
        let (mut found, mut open) = (BTreeSet::new(), vec![from]);
        while let Some(module) = open.pop() {
            open.extend(self.0.get(module).into_iter().flat_map(BTreeMap::keys).filter(|next| found.insert(*next)));
        }
        found
    }

    /// The modules of the shortest way from a module back to itself.
    fn shortest_circle<'a>(&'a self, start: &'a Module) -> Vec<&'a Module> {
        let mut before: BTreeMap<&Module, &Module> = BTreeMap::new();
        let mut open = std::collections::VecDeque::from([start]);
        while let Some(module) = open.pop_front() {
            for next in self.0.get(module).into_iter().flat_map(BTreeMap::keys) {
                if !before.contains_key(next) {
                    before.insert(next, module);
                    open.push_back(next);
                }
            }
        }
        let mut circle = vec![start];
        let mut at = before[start];
        while at != start {
            circle.push(at);
            at = before[at];
        }
        circle.push(start);
        circle.reverse();
        circle
    }

    fn spell(&self, circle: &[&Module]) -> String {
        let step = |pair: &[&Module]| format!("{} uses {} (line {})", pair[0], pair[1], self.0[pair[0]][pair[1]]);
        circle.windows(2).map(step).collect::<Vec<_>>().join("\n  ")
    }
}

impl File {
    fn read<'a>(module: &str, text: &str, children: impl Iterator<Item = &'a str>) -> Self {
        let here = || module.split("::").map(str::to_owned).collect::<Vec<_>>();
        let mut file = Self::default();
        for child in children {
            file.names.insert(child.to_owned(), here().into_iter().chain([child.to_owned()]).collect());
        }
        let tokens = tokens(text);
        let mut inline = Vec::new();
        let mut at = 0;
        while at < tokens.len() {
            let start = at;
            // `use<…>` in a type names what it captures.
            if tokens[at].0 == "use" && tokens.get(at + 1).is_none_or(|next| next.0 != "<") {
                // `pub use …`, `pub(super) use …`.
                let is_public = tokens[..start]
                    .iter()
                    .rev()
                    .take(4)
                    .take_while(|token| !matches!(token.0, ";" | "}"))
                    .any(|token| token.0 == "pub");
                at = file.read_use(module, &tokens, at + 1, &[], is_public);
            } else if is_name(tokens[at].0) {
                let mut path = vec![tokens[at].0.to_owned()];
                while tokens.get(at + 1).is_some_and(|token| token.0 == "::")
                    && tokens.get(at + 2).is_some_and(|token| is_name(token.0))
                {
                    path.push(tokens[at + 2].0.to_owned());
                    at += 2;
                }
                let is_method = start > 0 && matches!(tokens[start - 1].0, "." | "::");
                let is_field = path.len() == 1 && tokens.get(at + 1).is_some_and(|token| token.0 == ":");
                if !is_method && !is_field {
                    inline.push((path, tokens[start].1));
                }
            }
            at += 1;
        }
        for (path, line) in inline {
            // Of a single name, the import counts already.
            if (path.len() > 1 || file.re_exports.contains(&path[0]))
                && let Some(full) = file.full(module, &path)
            {
                file.paths.push((full, line));
            }
        }
        file
    }

    /// Reads a tree of imports from its first token, and returns the place of the token behind it.
    fn read_use(
        &mut self,
        module: &str,
        tokens: &[(&str, usize)],
        mut at: usize,
        prefix: &[String],
        is_public: bool,
    ) -> usize {
        let mut path = prefix.to_vec();
        let line = tokens[at].1;
        loop {
            match tokens[at].0 {
                "{" => {
                    at += 1;
                    while tokens[at].0 != "}" {
                        at = self.read_use(module, tokens, at, &path, is_public);
                        at += usize::from(tokens[at].0 == ",");
                    }
                    return at + 1;
                }
                "::" => at += 1,
                "," | ";" | "}" | "as" => break,
                name => {
                    if name != "self" || path.is_empty() {
                        path.push(name.to_owned());
                    }
                    at += 1;
                }
            }
        }
        let mut name = path.last().cloned().unwrap_or_default();
        if tokens[at].0 == "as" {
            name = tokens[at + 1].0.to_owned();
            at += 2;
        }
        if let Some(full) = self.full(module, &path) {
            if is_public && full.join("::").starts_with(&format!("{module}::")) {
                self.re_exports.insert(name.clone());
            } else {
                self.paths.push((full.clone(), line));
            }
            self.names.entry(name).or_insert(full);
        }
        at
    }

    /// The path from the root of the crate; `None` for paths of other crates and of the file's own items.
    fn full(&self, module: &str, path: &[String]) -> Option<Vec<String>> {
        let (first, rest) = path.split_first()?;
        let mut full: Vec<String> = match first.as_str() {
            "crate" | "evercred" => Vec::new(),
            "self" | "super" => module.split("::").map(str::to_owned).collect(),
            name => self.names.get(name)?.clone(),
        };
        let supers = path.iter().take_while(|part| *part == "super").count();
        full.truncate(full.len().saturating_sub(supers));
        full.extend(rest.iter().skip(supers.saturating_sub(1)).cloned());
        Some(full)
    }
}

/// The module that defines what a path names.
fn resolve(files: &BTreeMap<&str, File>, path: &[String], depth: usize) -> Option<Module> {
    let (module, rest) = (1..=path.len())
        .rev()
        .map(|length| (path[..length].join("::"), &path[length..]))
        .find(|(module, _)| files.contains_key(module.as_str()))?;
    // Of an import of a module, only the paths that begin with it count.
    let (first, behind) = rest.split_first()?;
    match files[module.as_str()].names.get(first).filter(|_| depth < 8) {
        Some(target) => resolve(files, &[target, behind].concat(), depth + 1),
        None => Some(module),
    }
}

fn parent(module: &str) -> Option<&str> {
    module.rsplit_once("::").map(|(parent, _)| parent)
}

fn last(module: &str) -> &str {
    module.rsplit("::").next().unwrap_or(module)
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
}

/// The names, `::` and single signs of a text with their lines, without comments, literals and the paths of visibilities.
fn tokens(text: &str) -> Vec<(&str, usize)> {
    let bytes = text.as_bytes();
    let mut tokens: Vec<(&str, usize)> = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < bytes.len() {
        let start = at;
        match bytes[at] {
            b'/' if bytes.get(at + 1) == Some(&b'/') => at += text[at..].find('\n').unwrap_or(text.len() - at),
            b'r' if text[at..].starts_with("r#\"") => at += 3 + text[at + 3..].find("\"#").unwrap_or(0) + 2,
            b'r' if text[at..].starts_with("r\"") => at += 2 + text[at + 2..].find('"').unwrap_or(0) + 1,
            b'"' => {
                at += 1;
                while bytes[at] != b'"' {
                    at += 1 + usize::from(bytes[at] == b'\\');
                }
                at += 1;
            }
            // A character in quotation marks; else it is a lifetime.
            b'\'' if bytes.get(at + 1) == Some(&b'\\') => at += 3 + text[at + 3..].find('\'').unwrap_or(0) + 1,
            b'\'' => {
                let inside = text[at + 1..].chars().next().map_or(0, char::len_utf8);
                at += if bytes.get(at + 1 + inside) == Some(&b'\'') { inside + 2 } else { 1 };
            }
            b':' if bytes.get(at + 1) == Some(&b':') => {
                at += 2;
                tokens.push((&text[start..at], line));
            }
            byte if byte.is_ascii_alphanumeric() || byte == b'_' => {
                at += text[at..].find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len() - at);
                let word = &text[start..at];
                if word == "in" && tokens.len() > 1 && tokens[tokens.len() - 2].0 == "pub" {
                    at += text[at..].find(')').unwrap_or(0);
                }
                tokens.push((word, line));
            }
            byte => {
                at += text[at..].chars().next().map_or(1, char::len_utf8);
                if !byte.is_ascii_whitespace() {
                    tokens.push((&text[start..at], line));
                }
            }
        }
        line += text[start..at].matches('\n').count();
    }
    tokens
}
