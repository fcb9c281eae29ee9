//! The canonical form of values, so that nobody has to write a value the way a module prints it. Which values are
//! sensible is [`crate::known`]'s business.

/// Returns the one form of all texts that mean the same: whole numbers in plain decimal digits, `Y` and `N` as 1 and 0,
/// of a menu such as `cycle [fastest] original` the word that is chosen. Applying it twice is applying it once.
pub(crate) fn canonical(text: &str) -> String {
    let text = chosen(text).unwrap_or(text).trim();
    match text {
        "Y" | "y" => "1".to_owned(),
        "N" | "n" => "0".to_owned(),
        _ => plain_number(text).unwrap_or_else(|| text.split_whitespace().collect::<Vec<_>>().join(" ")),
    }
}

/// Returns the canonical form of a text that the kernel will be given: unlike in one that it printed, a number with a
/// leading zero is octal there.
pub(crate) fn canonical_input(text: &str) -> String {
    octal(text.trim()).unwrap_or_else(|| canonical(text))
}

/// Returns the word that is chosen in a menu, if the text is one.
pub(crate) fn chosen(text: &str) -> Option<&str> {
    let bare = |word: &'_ str| word.len() > 2 && word.starts_with('[') && word.ends_with(']');
    let mut words = text.split_whitespace();
    let word = words.by_ref().find(|word| bare(word)).filter(|_| text.split_whitespace().count() > 1)?;
    let inner = &word[1..word.len() - 1];
    (!words.any(bare) && !inner.contains(['[', ']'])).then_some(inner)
}

/// Returns the value as a whole number, or `None` if it is anything else.
pub(crate) fn number(text: &str) -> Option<i128> {
    plain_number(text.trim())?.parse().ok()
}

/// Returns what the kernel would read where a person meant a decimal number.
pub(crate) fn octal(word: &str) -> Option<String> {
    let (sign, digits) = word.strip_prefix('-').map_or(("", word), |digits| ("-", digits));
    let digits = digits.strip_prefix('0').filter(|rest| !rest.is_empty())?;
    Some(format!("{sign}{}", u64::from_str_radix(digits, 8).ok()?))
}

/// Returns the bytes of a size with a binary unit, `8GiB` or `8G`; `None` for any other text.
pub(crate) fn bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let shift = match unit.trim_start().strip_suffix("iB").unwrap_or(unit.trim_start()) {
        "K" | "k" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(1 << shift)
}

/// Returns a number of bytes as a person says it, `16 GiB`, where that is a whole number.
pub(crate) fn human(bytes: i128) -> String {
    let units = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let whole = units.into_iter().find(|(_, shift)| bytes != 0 && bytes % (1_i128 << shift) == 0);
    whole.map_or_else(|| format!("{bytes} bytes"), |(unit, shift)| format!("{} {unit}", bytes >> shift))
}

/// Plain decimal digits of a decimal or hexadecimal number.
fn plain_number(word: &str) -> Option<String> {
    let (sign, digits) = word.strip_prefix('-').map_or(("", word), |digits| ("-", digits));
    let all = |digits: &str, is: fn(&u8) -> bool| !digits.is_empty() && digits.bytes().all(|byte| is(&byte));
    let digits = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hex) if all(hex, u8::is_ascii_hexdigit) => u64::from_str_radix(hex, 16).ok()?.to_string(),
        None if all(digits, u8::is_ascii_digit) => digits.trim_start_matches('0').to_owned(),
        Some(_) | None => return None,
    };
    Some(match digits.as_str() {
        "" | "0" => "0".to_owned(),
        digits => format!("{sign}{digits}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn different_spellings_have_one_form() {
        for (text, expect) in [
            ("5\n", "5"),
            ("005", "5"),
            ("-0", "0"),
            ("0x10", "16"),
            ("Y", "1"),
            ("n", "0"),
            ("cycle [fastest] original", "fastest"),
            ("[1] 2", "1"),
            ("[only]", "[only]"),
            ("a [b] [c]", "a [b] [c]"),
            ("a [] b", "a [] b"),
            ("1,2,3", "1,2,3"),
            ("yes", "yes"),
            ("", ""),
            ("18446744073709551615", "18446744073709551615"),
        ] {
            assert_eq!(canonical(text), expect, "{text:?}");
        }
        assert_eq!(
            (canonical_input("010"), canonical_input("10"), canonical_input("0")),
            ("8".into(), "10".into(), "0".into())
        );
    }

    #[test]
    fn sizes_have_binary_units() {
        for (text, expect) in [
            ("8GiB", Some(8 << 30)),
            ("8G", Some(8 << 30)),
            ("512 MiB", Some(512 << 20)),
            ("1k", Some(1024)),
            ("16777216T", None),
            ("8GB", None),
            ("8", None),
            ("G", None),
            ("-1G", None),
            ("8iB", None),
        ] {
            assert_eq!(bytes(text), expect, "{text}");
        }
        assert_eq!((human(8 << 30), human(1000), human(0)), ("8 GiB".into(), "1000 bytes".into(), "0 bytes".into()));
    }

    proptest! {
        #[test]
        fn canonical_twice_is_canonical_once(text in "[-0-9xYNyn \\[\\]a,]{0,16}|\\PC{0,16}") {
            let once = canonical(&text);
            prop_assert_eq!(canonical(&once), once);
            let _ = (canonical_input(&text), bytes(&text), number(&text));
        }
    }
}
