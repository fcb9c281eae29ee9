//! Lengths of time as a configuration writes them: `"30s"`, `"10m"`, `"1h30m"`.

use std::time::Duration;

/// The units from the longest to the shortest, in milliseconds.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
/// What is longer than this is taken for a mistake.
const LONGEST: Duration = Duration::from_hours(366 * 24);

/// Returns the length of time that a text stands for, or what is wrong with it, as a phrase without a full stop.
pub(crate) fn parse(text: &str) -> Result<Duration, &'static str> {
    if text.is_empty() {
        return Err("this is empty");
    }
    let (mut rest, mut total, mut units) = (text, 0_u64, UNITS.as_slice());
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        let letters = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        match (number, unit) {
            ("", _) if rest.starts_with('-') => return Err("a length of time is not negative"),
            ("", _) => return Err("a whole number is missing before the unit"),
            (_, "") if after.starts_with(['.', ',']) => return Err("only whole numbers can stand here"),
            (_, "") => return Err("the unit is missing after the number"),
            _ => {}
        }
        let Some(at) = units.iter().position(|(known, _)| *known == unit) else {
            let exists = UNITS.iter().any(|(known, _)| *known == unit);
            let misplaced = "the longer unit must come first, and each only once";
            return Err(if exists { misplaced } else { "there is no such unit" });
        };
        let part = number.parse::<u64>().ok().and_then(|number| number.checked_mul(units[at].1));
        total = part.and_then(|part| total.checked_add(part)).ok_or("this is longer than a year")?;
        units = &units[at + 1..];
        rest = after;
    }
    let total = Duration::from_millis(total);
    if total > LONGEST { Err("this is longer than a year") } else { Ok(total) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_with_units() {
        let milliseconds = |text| parse(text).map(|duration| duration.as_millis());
        assert_eq!(milliseconds("30s"), Ok(30_000));
        assert_eq!(milliseconds("0s"), Ok(0));
        assert_eq!(milliseconds("500ms"), Ok(500));
        assert_eq!(milliseconds("10m"), Ok(600_000));
        assert_eq!(milliseconds("24h"), Ok(86_400_000));
        assert_eq!(milliseconds("1d2h3m4s5ms"), Ok(93_784_005));
        assert_eq!(milliseconds("366d"), Ok(31_622_400_000));
    }

    #[test]
    fn everything_else_is_refused_with_a_reason() {
        let refused = |text| parse(text).expect_err(text);
        assert_eq!(refused(""), "this is empty");
        assert_eq!(refused("30"), "the unit is missing after the number");
        assert_eq!(refused("1.5h"), "only whole numbers can stand here");
        assert_eq!(refused("-1s"), "a length of time is not negative");
        assert_eq!(refused("s"), "a whole number is missing before the unit");
        assert_eq!(refused("30 s"), "the unit is missing after the number");
        assert_eq!(refused("30sec"), "there is no such unit");
        assert_eq!(refused("30S"), "there is no such unit");
        assert_eq!(refused("30s5m"), "the longer unit must come first, and each only once");
        assert_eq!(refused("5m5m"), "the longer unit must come first, and each only once");
        assert_eq!(refused("367d"), "this is longer than a year");
        assert_eq!(refused("99999999999999999999s"), "this is longer than a year");
        assert_eq!(refused("é"), "a whole number is missing before the unit");
    }
}
