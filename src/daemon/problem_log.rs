//! Selects the problems of the AWS files to log: each once, and a limited number after each change.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

/// The maximum number of problems logged after a change.
const LONGEST: usize = 20;

/// Hashes of the problems that were logged before.
#[derive(Default)]
pub(super) struct ProblemLog {
    logged: HashSet<u64>,
    hasher: RandomState,
}

impl ProblemLog {
    /// The new problems to log, and the number of further new ones.
    pub(super) fn lines(&mut self, problems: impl Iterator<Item = String>) -> Vec<String> {
        let (mut lines, mut present, mut more) = (Vec::new(), HashSet::new(), 0_usize);
        for problem in problems {
            let hash = self.hasher.hash_one(&problem);
            if present.insert(hash) && !self.logged.contains(&hash) {
                if lines.len() < LONGEST {
                    lines.push(problem);
                } else {
                    more += 1;
                }
            }
        }
        self.logged = present;
        if more > 0 {
            lines.push(format!("{more} more problems in the AWS files: `evercred profiles` lists all"));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_problems_are_a_few_lines_and_each_is_logged_once() {
        let mut log = ProblemLog::default();
        let all = |count: usize| (0..count).map(|line| format!("/c:{line}: broken"));
        assert_eq!(log.lines(all(2)).len(), 2);
        assert_eq!(log.lines(all(3)), ["/c:2: broken"]);
        let lines = log.lines(all(100_000));
        assert_eq!(lines.len(), LONGEST + 1);
        assert!(lines.last().unwrap().starts_with(&format!("{}", 100_000 - 3 - LONGEST)));
        assert!(log.lines(all(100_000)).is_empty());
        assert!(log.lines(all(0)).is_empty());
        assert_eq!(log.lines(all(1)).len(), 1, "it is new again");
    }
}
