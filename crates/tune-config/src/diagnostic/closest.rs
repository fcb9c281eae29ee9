//! Which of many names a person most likely meant. What it costs does not grow with the names beyond a bound, so that a
//! configuration with thousands of mistakes among thousands of names is not looked at for minutes.

use std::borrow::Cow;

/// How many letters one search looks at, which are those of some thousands of names, and how many pairs of letters it
/// compares.
const WORK: usize = 1 << 17;

/// Returns the candidate that a person who wrote `written` most likely meant: the one with the fewest letters to add,
/// drop, change or swap, and the first of these by name. A name that shares nothing with it was not meant.
///
/// When there is more to compare than a search may cost, the rest is not looked at.
pub(crate) fn closest<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let written = lower(written);
    let letters = Letters::of(&written);
    let limit = limit(letters.total);
    let (mut looks, mut comparisons) = (Work { left: WORK }, Work { left: WORK });
    let mut near: Vec<(usize, &str)> = candidates
        .into_iter()
        .map_while(|candidate| looks.take(candidate.len().max(1)).then_some(candidate))
        .map(|candidate| (letters.distance_at_least(&lower(candidate)), candidate))
        .filter(|(at_least, _)| *at_least <= limit)
        .collect();
    near.sort_unstable();
    let mut best: Option<(usize, &str)> = None;
    for (at_least, candidate) in near {
        // No distance is less than its bound, so whatever follows is no better either.
        if best.is_some_and(|best| best < (at_least, candidate)) || !comparisons.take(written.len() * candidate.len()) {
            break;
        }
        let candidate_in_lower = lower(candidate);
        let distance = strsim::damerau_levenshtein(&written, &candidate_in_lower);
        if distance <= limit && distance < letters.total.max(candidate_in_lower.chars().count()) {
            best = best.into_iter().chain([(distance, candidate)]).min();
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Returns how many mistakes a word of so many letters may have before it is another word.
fn limit(letters: usize) -> usize {
    (letters / 3).max(1)
}

/// Returns a text in lower case; most names are so already.
fn lower(text: &str) -> Cow<'_, str> {
    let is_lower = text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase());
    if is_lower { Cow::Borrowed(text) } else { Cow::Owned(text.to_lowercase()) }
}

/// What may still be spent.
struct Work {
    left: usize,
}

impl Work {
    fn take(&mut self, amount: usize) -> bool {
        let left = self.left.checked_sub(amount);
        self.left = left.unwrap_or(0);
        left.is_some()
    }
}

/// How often each letter stands in a word, whatever their order. Letters that share a place count as one, which makes
/// words look more alike, never less.
struct Letters {
    counts: [u32; Letters::PLACES],
    total: usize,
}

impl Letters {
    const PLACES: usize = 64;

    fn of(word: &str) -> Self {
        let mut letters = Self { counts: [0; Self::PLACES], total: 0 };
        for letter in word.chars() {
            letters.counts[letter as usize % Self::PLACES] += 1;
            letters.total += 1;
        }
        letters
    }

    /// Returns a bound that no distance to `word` is below: whoever adds, drops or changes one letter changes what one
    /// word has beyond the other by one at most, and whoever swaps two changes nothing.
    fn distance_at_least(&self, word: &str) -> usize {
        let mut left = self.counts;
        let (mut common, mut beyond) = (0, 0);
        for letter in word.chars() {
            let count = &mut left[letter as usize % Self::PLACES];
            match count.checked_sub(1) {
                Some(rest) => (*count, common) = (rest, common + 1),
                None => beyond += 1,
            }
        }
        beyond.max(self.total - common)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_closest_name_is_proposed_only_when_it_is_close() {
        assert_eq!(closest("recordsiez", ["recordsize", "name"]), Some("recordsize"));
        assert_eq!(closest("Host", ["host", "hosts"]), Some("host"));
        assert_eq!(closest("x", ["settings"]), None);
        assert_eq!(closest("ab", ["bb", "aa"]), Some("aa"), "the first by name, where two are as close");
        assert_eq!(closest("a", ["b", "c"]), None, "one letter is not another one");
    }

    #[test]
    fn a_search_among_any_number_of_names_ends() {
        let names: Vec<String> = (0..1_000_000).map(|number| format!("name_{number}")).collect();
        let looked_at = Cell::new(0);
        let counted = || names.iter().map(String::as_str).inspect(|_| looked_at.set(looked_at.get() + 1));
        assert_eq!(closest("nmae_7", counted()), Some("name_7"));
        assert!(looked_at.get() <= WORK);
        let empty = std::iter::repeat_n("", 1_000_000).inspect(|_| looked_at.set(looked_at.get() + 1));
        looked_at.set(0);
        assert_eq!(closest("something", empty), None);
        assert!(looked_at.get() <= WORK + 1);
    }

    /// What [`closest()`] means, at any price.
    fn plainly<'a>(written: &str, candidates: &'a [String]) -> Option<&'a str> {
        let written = written.to_lowercase();
        let letters = |word: &str| word.chars().count();
        let near = candidates.iter().filter_map(|candidate| {
            let name = candidate.to_lowercase();
            let distance = strsim::damerau_levenshtein(&written, &name);
            let is_near = distance <= limit(letters(&written)) && distance < letters(&written).max(letters(&name));
            is_near.then_some((distance, candidate.as_str()))
        });
        near.min().map(|(_, name)| name)
    }

    proptest! {
        #[test]
        fn every_answer_is_that_of_the_plain_search(
            written in "[a-dB_ßİΣ]{0,9}",
            candidates in prop::collection::vec("[a-dB_ßİΣ]{0,9}", 0..40),
        ) {
            prop_assert_eq!(closest(&written, candidates.iter().map(String::as_str)), plainly(&written, &candidates));
        }

        #[test]
        fn so_it_is_among_names_that_are_written_wrongly(
            names in prop::collection::vec("[a-z]{2,8}_[0-9]{1,4}", 1..60),
            at in any::<prop::sample::Index>(),
            wrong in prop::collection::vec((any::<prop::sample::Index>(), "[a-z_]?[a-z0-9]?"), 0..3),
        ) {
            let mut written: Vec<char> = at.get(&names).chars().collect();
            for (place, instead) in wrong {
                let place = place.index(written.len().max(1)).min(written.len().saturating_sub(1));
                written.splice(place..(place + 1).min(written.len()), instead.chars());
            }
            let written: String = written.into_iter().collect();
            prop_assert_eq!(closest(&written, names.iter().map(String::as_str)), plainly(&written, &names));
        }
    }
}
