//! Names and globs.

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
