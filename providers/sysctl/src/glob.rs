//! Shell patterns over paths, as glob(3) matches them: `*`, `?` and `[…]` never match a slash, nor a dot at the start
//! of a part, and `{a,b}` stands for either. It looks at no file system.

/// Returns whether systemd-sysctl takes the text as a pattern. Braces alone do not make one.
pub(crate) fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// Returns whether the pattern stands for the path.
pub(crate) fn matches(pattern: &str, path: &str) -> bool {
    if pattern.len() > LONGEST {
        return false;
    }
    alternatives(pattern, BUDGET).iter().any(|pattern| {
        let (patterns, parts) = (pattern.split('/'), path.split('/'));
        patterns.clone().count() == parts.clone().count()
            && patterns.zip(parts).all(|(pattern, part)| {
                let pattern: Vec<char> = pattern.chars().collect();
                let part: Vec<char> = part.chars().collect();
                let hidden = part.first() == Some(&'.') && pattern.first() != Some(&'.');
                !hidden && part_matches(&pattern, &part)
            })
    })
}

/// No parameter's path is nearly so long.
const LONGEST: usize = 1024;

/// How many patterns one pattern with braces may stand for; a file cannot make a plan slow.
const BUDGET: usize = 256;

fn alternatives(pattern: &str, budget: usize) -> Vec<String> {
    let Some((before, inside, after)) = braces(pattern) else {
        return vec![pattern.to_owned()];
    };
    let mut all = Vec::new();
    for choice in choices(inside) {
        let left = budget.saturating_sub(all.len());
        if left == 0 {
            break;
        }
        all.extend(alternatives(&format!("{before}{choice}{after}"), left));
    }
    all
}

/// The text before, inside and after the first pair of braces.
fn braces(pattern: &str) -> Option<(&str, &str, &str)> {
    let open = pattern.find('{')?;
    let mut depth = 0_usize;
    for (index, c) in pattern[open..].char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => {
                let close = open + index;
                return Some((&pattern[..open], &pattern[open + 1..close], &pattern[close + 1..]));
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

fn choices(inside: &str) -> Vec<&str> {
    let (mut depth, mut start, mut all) = (0_usize, 0, Vec::new());
    for (index, c) in inside.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                all.push(&inside[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    all.push(&inside[start..]);
    all
}

/// Matches one part. Remembers only the last star, so that the time is bounded by the product of the lengths.
fn part_matches(pattern: &[char], part: &[char]) -> bool {
    let (mut at, mut read) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while read < part.len() || at < pattern.len() {
        let step = match pattern.get(at) {
            Some('*') => {
                retry = Some((at, read + 1));
                at += 1;
                continue;
            }
            Some(_) if read == part.len() => None,
            Some('?') => Some(1),
            Some('[') => match class_matches(&pattern[at..], part[read]) {
                Some((true, length)) => Some(length),
                Some((false, _)) => None,
                None => (part[read] == '[').then_some(1),
            },
            Some('\\') if at + 1 < pattern.len() => (pattern[at + 1] == part[read]).then_some(2),
            Some(c) => (*c == part[read]).then_some(1),
            None => None,
        };
        match (step, retry) {
            (Some(length), _) => {
                at += length;
                read += 1;
            }
            (None, Some((star, next))) if next <= part.len() => {
                at = star;
                read = next;
            }
            (None, _) => return false,
        }
    }
    true
}

/// Whether the character is in the class at the start of the pattern, with the class's length; `None` if no class is
/// there after all.
fn class_matches(pattern: &[char], c: char) -> Option<(bool, usize)> {
    let negated = matches!(pattern.get(1), Some('!' | '^'));
    let first = if negated { 2 } else { 1 };
    // A bracket that stands first belongs to the class.
    let close = first + 1 + pattern.get(first + 1..)?.iter().position(|c| *c == ']')?;
    let (mut at, mut found) = (first, false);
    while at < close {
        if at + 2 < close && pattern[at + 1] == '-' {
            found |= (pattern[at]..=pattern[at + 2]).contains(&c);
            at += 3;
        } else {
            found |= pattern[at] == c;
            at += 1;
        }
    }
    Some((found != negated, close + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn patterns_match_like_glob() {
        for (pattern, path, expect) in [
            ("net/ipv4/conf/*/rp_filter", "net/ipv4/conf/eth0.100/rp_filter", true),
            ("net/ipv4/conf/*/rp_filter", "net/ipv4/conf/a/b/rp_filter", false),
            ("net/*", "net/ipv4/x", false),
            ("vm/dirty_*", "vm/dirty_bytes", true),
            ("vm/*_*_*", "vm/dirty_background_ratio", true),
            ("vm/*_*_*", "vm/dirty_ratio", false),
            ("vm/?irty", "vm/dirty", true),
            ("vm/?irty", "vm/irty", false),
            ("net/conf/eth[0-3]/x", "net/conf/eth2/x", true),
            ("net/conf/eth[!0-3]/x", "net/conf/eth2/x", false),
            ("net/conf/eth[]]/x", "net/conf/eth]/x", true),
            ("net/conf/eth[/x", "net/conf/eth[/x", true),
            ("vm/*", "vm/.hidden", false),
            ("vm/.*", "vm/.hidden", true),
            ("net/{ipv4,ipv6}/conf/{all,eth*}/x", "net/ipv6/conf/eth7/x", true),
            ("net/{ipv4,ipv6}/conf/{all,eth*}/x", "net/ipv6/conf/lo/x", false),
            ("net/{a{b,c},d}/*", "net/ac/x", true),
            ("vm/\\*", "vm/*", true),
            ("vm/a\\*", "vm/ab", false),
        ] {
            assert_eq!(matches(pattern, path), expect, "{pattern} {path}");
        }
    }

    proptest! {
        #[test]
        fn a_text_without_special_characters_matches_itself_alone(a in "[a-z./]{0,12}", b in "[a-z./]{0,12}") {
            // A dot at the start of a part must be written, and is.
            prop_assert!(matches(&a, &a));
            prop_assert_eq!(matches(&a, &b), a == b);
        }

        #[test]
        fn a_star_in_front_of_anything_still_matches(part in "[a-z]{1,8}", at in 0_usize..8) {
            let at = at.min(part.len());
            let pattern = format!("{}*{}", &part[..at], &part[at..]);
            prop_assert!(matches(&pattern, &part));
        }

        #[test]
        fn long_patterns_do_no_harm(part in "[{},*a-]{1,3}", n_times in 1_usize..2000) {
            let _ = matches(&part.repeat(n_times), "net/ipv4/conf/eth0/rp_filter");
        }

        #[test]
        fn matching_ends(pattern in "[]\\[*?a{},!^\\\\/-]{0,24}", path in "[]\\[a/-]{0,24}") {
            let _ = matches(&pattern, &path);
        }
    }
}
