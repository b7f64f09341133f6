//! Names and globs.

/// The profiles that the user named, by names and globs. An empty list means all.
#[derive(Clone, Copy, Debug)]
pub struct Selection<'a>(pub &'a [String]);

impl<'a> Selection<'a> {
    /// All profiles.
    pub const ALL: Self = Self(&[]);

    /// Whether no profile was named.
    pub fn is_all(self) -> bool {
        self.0.is_empty()
    }

    /// Whether a profile was named, or none was.
    pub fn includes(self, profile: &str) -> bool {
        self.is_all() || self.0.iter().any(|name| is_named(name, profile))
    }

    /// The first name that fits no profile.
    pub fn unmatched<P: AsRef<str>>(self, profiles: impl Iterator<Item = P> + Clone) -> Option<&'a str> {
        let fits_none = |name: &&String| !profiles.clone().any(|profile| is_named(name, profile.as_ref()));
        self.0.iter().find(fits_none).map(String::as_str)
    }
}

/// Whether a name, or a glob, means a profile. A profile may have the characters of a glob in its name.
fn is_named(name: &str, profile: &str) -> bool {
    name == profile || is_glob(name) && matches(name, profile)
}

/// Whether a text is a glob.
pub fn is_glob(text: &str) -> bool {
    text.contains(['*', '?'])
}

/// Whether a name fits a glob: `*` is any text, `?` any one character.
pub fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    // Where to go on after a mismatch: behind the last star, one character of the name further.
    let mut retry: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                retry = Some((p + 1, n));
                p += 1;
            }
            Some(c) if *c == '?' || *c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match retry {
                Some((after_star, at)) => {
                    retry = Some((after_star, at + 1));
                    p = after_star;
                    n = at + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_as_in_a_shell() {
        for (pattern, name, fits) in [
            ("dev", "dev", true),
            ("dev", "dev2", false),
            ("dev-*", "dev-eu", true),
            ("*-admin", "prod-admin", true),
            ("*", "", true),
            ("d?v", "dev", true),
            ("d?v", "dv", false),
            ("a*b*c", "axxbyybzc", true),
            ("a*b*c", "axxbyy", false),
        ] {
            assert_eq!(matches(pattern, name), fits, "{pattern} {name}");
        }
    }

    #[test]
    fn a_pattern_of_many_stars_is_no_trap() {
        assert!(!matches(&"*a".repeat(200), &"a".repeat(199)));
    }
}
