//! The canonical form of values, so that nobody has to write a value the way the kernel prints it. This module does not
//! know which values are sensible; that is [`crate::known`].

use std::collections::BTreeSet;

/// A list of ports and ranges, which the kernel sorts and joins.
const PORT_LISTS: &[&str] = &["net.ipv4.ip_local_reserved_ports"];

/// Returns the one form of all texts that mean the same value of the parameter `name`: runs of white space collapsed,
/// whole numbers in plain decimal digits, ports sorted and joined. Applying it twice is applying it once.
pub(crate) fn canonical(name: &str, text: &str) -> String {
    if PORT_LISTS.contains(&name)
        && let Some(ports) = ports(text)
    {
        return ports;
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    match words.iter().map(|word| plain_number(word)).collect::<Option<Vec<String>>>() {
        Some(numbers) => numbers.join(" "),
        None => words.join(" "),
    }
}

/// Returns the canonical form of a text that the kernel will be given at boot: unlike a value that it printed, a
/// number with a leading zero is octal there.
pub(crate) fn canonical_input(name: &str, text: &str) -> String {
    let words: Vec<String> =
        text.split_whitespace().map(|word| octal(word).unwrap_or_else(|| word.to_owned())).collect();
    canonical(name, &words.join(" "))
}

/// Returns the first word that the kernel would read as an octal number, with what it would read.
pub(crate) fn octal_word(text: &str) -> Option<(&str, String)> {
    text.split_whitespace().find_map(|word| octal(word).map(|read| (word, read)))
}

/// Returns the value as whole numbers, or `None` if it is anything else.
pub(crate) fn numbers(text: &str) -> Option<Vec<i128>> {
    text.split_whitespace().map(|word| plain_number(word)?.parse().ok()).collect()
}

/// Plain decimal digits of a decimal or hexadecimal number. Leading zeros go without being read as octal, because the
/// kernel never prints octal, but does print bit masks with leading zeros.
fn plain_number(word: &str) -> Option<String> {
    let (sign, digits) = match word.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", word),
    };
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

fn octal(word: &str) -> Option<String> {
    let (sign, digits) = match word.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", word),
    };
    let digits = digits.strip_prefix('0').filter(|rest| !rest.is_empty())?;
    Some(format!("{sign}{}", u64::from_str_radix(digits, 8).ok()?))
}

fn ports(text: &str) -> Option<String> {
    let mut all = BTreeSet::new();
    for range in text.split(',').map(str::trim).filter(|range| !range.is_empty()) {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (u16, u16) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        if first > last {
            return None;
        }
        all.extend(first..=last);
    }
    let mut joined: Vec<(u16, u16)> = Vec::new();
    for port in all {
        match joined.last_mut() {
            Some((_, last)) if *last + 1 == port => *last = port,
            _ => joined.push((port, port)),
        }
    }
    let shown =
        joined.iter().map(|(first, last)| if first == last { first.to_string() } else { format!("{first}-{last}") });
    Some(shown.collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn different_spellings_have_one_form() {
        for (text, expect) in [
            ("10", "10"),
            (" 10\n", "10"),
            ("0010", "10"),
            ("-0", "0"),
            ("-007", "-7"),
            ("0x1f", "31"),
            ("4096\t131072\t33554432", "4096 131072 33554432"),
            ("18446744073709551616", "18446744073709551616"),
            ("10ms", "10ms"),
            ("0x", "0x"),
            ("", ""),
            ("|/usr/bin/dump  %P 010", "|/usr/bin/dump %P 010"),
        ] {
            assert_eq!(canonical("kernel.x", text), expect, "{text:?}");
        }
    }

    #[test]
    fn port_lists_are_sorted_and_joined() {
        for (text, expect) in [
            ("8081, 8080,9000-9002,9001", "8080-8081,9000-9002"),
            ("65535,65534", "65534-65535"),
            ("", ""),
            ("10-5", "10-5"),
            ("http", "http"),
        ] {
            assert_eq!(canonical("net.ipv4.ip_local_reserved_ports", text), expect, "{text:?}");
        }
    }

    #[test]
    fn the_kernel_reads_a_leading_zero_as_octal_and_never_prints_one() {
        assert_eq!(canonical_input("vm.x", "010 0x10 10 0"), "8 16 10 0");
        assert_eq!(octal_word("10 010"), Some(("010", "8".to_owned())));
        assert_eq!(octal_word("0 10 0x10 08"), None);
    }

    #[test]
    fn numbers_are_numbers() {
        assert_eq!(numbers("1\t-2 0x3"), Some(vec![1, -2, 3]));
        assert_eq!(numbers("1 two"), None);
    }

    proptest! {
        #[test]
        fn canonical_twice_is_canonical_once(text in "[-0-9x ,\ta]{0,16}|\\PC{0,16}", ports in any::<bool>()) {
            let name = if ports { PORT_LISTS[0] } else { "vm.swappiness" };
            let once = canonical(name, &text);
            prop_assert_eq!(canonical(name, &once), once);
            let read = canonical_input(name, &text);
            prop_assert_eq!(canonical_input(name, &read), read);
        }
    }
}
