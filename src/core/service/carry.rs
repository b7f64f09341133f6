//! What an installation does about each variable of `[environment]`: what it put there itself follows the shell, what a person
//! wrote there stays.

use std::collections::{BTreeMap, BTreeSet};

use super::digest;
use super::environment::{CARRIED, Chosen, Fate};

/// What is done about a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Carry {
    /// The shell's value is put there.
    Store(String),
    /// An earlier installation put it there, and now the shell has none, or the service has the right one by itself.
    TakeOut,
    /// All is as it should be.
    Nothing,
    /// A person wrote another value there.
    ByHand,
    /// The shell's value is not written into a file; why, as the end of a sentence.
    Refused(String),
}

/// Decides about every variable that was chosen, is there, or was stored by an earlier installation. `present` is the
/// section as it is now, `stored` the digests of the values that were stored.
pub fn decide(
    chosen: &[Chosen],
    present: &BTreeMap<String, String>,
    stored: &BTreeMap<String, String>,
) -> BTreeMap<String, Carry> {
    let usual = present.keys().filter(|name| CARRIED.contains(&name.as_str()));
    let names: BTreeSet<&String> = chosen.iter().map(|chosen| &chosen.name).chain(stored.keys()).chain(usual).collect();
    let of = |name: &String| {
        let there = present.get(name);
        let is_ours = there.is_some_and(|there| stored.get(name) == Some(&digest(there.as_bytes())));
        match (chosen.iter().find(|chosen| chosen.name == *name).map(|chosen| &chosen.fate), there) {
            (Some(Fate::Stored(value) | Fate::Same(value)), Some(there)) if there == value => Carry::Nothing,
            (Some(Fate::Refused(why)), there) if there.is_none() || is_ours => Carry::Refused(why.clone()),
            // As an earlier installation said that it should be done.
            (Some(Fate::Refused(_)), _) => Carry::Nothing,
            (Some(Fate::Stored(value)), there) if there.is_none() || is_ours => Carry::Store(value.clone()),
            (Some(Fate::Stored(_)), _) => Carry::ByHand,
            (Some(Fate::Same(_)) | None, None) => Carry::Nothing,
            (Some(Fate::Same(_)) | None, Some(_)) if is_ours => Carry::TakeOut,
            (Some(Fate::Same(_)) | None, Some(_)) => Carry::ByHand,
        }
    };
    names.into_iter().map(|name| (name.clone(), of(name))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_stored_follows_the_shell_and_what_was_written_by_hand_stays() {
        let (store, same) = (|value: &str| Some(Fate::Stored(value.to_owned())), Some(Fate::Same("a".to_owned())));
        let refused = || Some(Fate::Refused("why".to_owned()));
        // The shell's value, the one that is there, and whether an installation put it there.
        for (story, fate, there, ours, wanted) in [
            ("new", store("a"), None, false, Carry::Store("a".into())),
            ("the same again", store("a"), Some("a"), true, Carry::Nothing),
            ("changed", store("b"), Some("a"), true, Carry::Store("b".into())),
            ("changed by hand since", store("b"), Some("c"), false, Carry::ByHand),
            ("written by hand, and right", store("c"), Some("c"), false, Carry::Nothing),
            ("gone from the shell", None, Some("a"), true, Carry::TakeOut),
            ("by hand, and not in the shell", None, Some("a"), false, Carry::ByHand),
            ("taken out by hand", None, None, true, Carry::Nothing),
            ("taken out by hand, and still in the shell", store("a"), None, true, Carry::Store("a".into())),
            ("the service has it", same.clone(), None, false, Carry::Nothing),
            ("the service has it now", same.clone(), Some("old"), true, Carry::TakeOut),
            ("the service has what was stored", same.clone(), Some("a"), true, Carry::Nothing),
            ("the service has it, and by hand there is another", same, Some("b"), false, Carry::ByHand),
            ("a secret", refused(), None, false, Carry::Refused("why".into())),
            ("a secret, in place of what was stored", refused(), Some("a"), true, Carry::Refused("why".into())),
            ("a secret, written by hand", refused(), Some("a"), false, Carry::Nothing),
        ] {
            let chosen: Vec<Chosen> =
                fate.into_iter().map(|fate| Chosen { name: "NO_PROXY".to_owned(), fate }).collect();
            let there: BTreeMap<_, _> =
                there.map(|there| ("NO_PROXY".to_owned(), there.to_owned())).into_iter().collect();
            let value = there.get("NO_PROXY").map_or("a", String::as_str);
            let stored = BTreeMap::from([("NO_PROXY".to_owned(), digest(value.as_bytes()))]);
            let stored = if ours { stored } else { BTreeMap::new() };
            assert_eq!(decide(&chosen, &there, &stored), BTreeMap::from([("NO_PROXY".to_owned(), wanted)]), "{story}");
        }
    }

    #[test]
    fn other_variables_that_a_person_wrote_there_are_none_of_its_business() {
        let present = BTreeMap::from([("EDITOR".to_owned(), "vi".to_owned())]);
        assert_eq!(decide(&[], &present, &BTreeMap::new()), BTreeMap::new());
    }
}
