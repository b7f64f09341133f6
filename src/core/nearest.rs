//! "Did you mean": the nearest of some known names.

/// Names are short; longer ones are nobody's misspelling.
const LONGEST: usize = 128;

/// The candidate that is nearest to `name`, if it is near enough to be meant: at most a third of its letters differ.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    misspelt(name, candidates, usize::MAX)
}

/// The same, with a limit to the number of different letters.
pub fn misspelt<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>, limit: usize) -> Option<&'a str> {
    let wanted: Vec<char> = name.to_lowercase().chars().collect();
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let letters: Vec<char> = candidate.to_lowercase().chars().collect();
            let (shortest, longest) = (wanted.len().min(letters.len()), wanted.len().max(letters.len()));
            let most = (longest / 3).max(1).min(limit);
            // Comparing lengths first excludes most names at low cost.
            let comparable = longest <= LONGEST && longest - shortest <= most;
            let distance = comparable.then(|| distance(&wanted, &letters))?;
            (distance <= most).then_some((distance, candidate))
        })
        .min()
        .map(|(_, candidate)| candidate)
}

/// `, did you mean "x"?`, or nothing: the end of a sentence.
pub fn did_you_mean<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(name, candidates).map_or_else(String::new, |name| format!("; did you mean \"{name}\"?"))
}

/// Edits (insert, delete, replace, swap of two neighbours) from one to the other, by the optimal string alignment
/// distance.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let replace = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let best = replace.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                let swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
                if swapped { best.min(rows[i - 2][j - 2] + 1) } else { best }
            };
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_mistake_is_near_and_another_word_is_not() {
        assert_eq!(nearest("bse", ["base", "prod"]), Some("base"));
        assert_eq!(nearest("porduction", ["production", "staging"]), Some("production"));
        assert_eq!(nearest("DEV", ["dev"]), Some("dev"));
        assert_eq!(nearest("zzz", ["base", "prod"]), None);
        assert_eq!(nearest("", ["base"]), None);
        assert_eq!(misspelt("regoin", ["region"], 2), Some("region"));
        assert_eq!(misspelt("my_source_profile", ["source_profile"], 2), None);
    }
}
