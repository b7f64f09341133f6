//! "Did you mean": the nearest of some known names.

/// Names are short; longer ones are nobody's misspelling.
const LONGEST: usize = 128;

/// The candidate that is nearest to `name`, if it is near enough to be meant: at most a third of its letters differ.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    misspelt(name, candidates, usize::MAX)
}

/// The same, with a limit to the number of different letters.
pub fn misspelt<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>, limit: usize) -> Option<&'a str> {
    let wanted = name.to_lowercase();
    let length = wanted.chars().count();
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let other = candidate.to_lowercase();
            let other_length = other.chars().count();
            let longest = length.max(other_length);
            let most = (longest / 3).max(1).min(limit);
            // Comparing lengths first excludes most names at low cost.
            let is_comparable = longest <= LONGEST && length.abs_diff(other_length) <= most;
            // A swap of two neighbours is one mistake.
            let distance = is_comparable.then(|| strsim::osa_distance(&wanted, &other))?;
            (distance <= most).then_some((distance, candidate))
        })
        .min()
        .map(|(_, candidate)| candidate)
}

/// `, did you mean "x"?`, or nothing: the end of a sentence.
pub fn did_you_mean<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(name, candidates).map_or_else(String::new, |name| format!("; did you mean \"{name}\"?"))
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
