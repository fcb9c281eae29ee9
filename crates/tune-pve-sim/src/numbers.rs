//! Numbers as the API server's language prints them.

/// Prints with 15 significant digits, in exponent form where that is shorter.
pub(crate) fn print_number(number: f64) -> String {
    if number == 0.0 {
        return "0".to_owned();
    }
    let scientific = format!("{number:.14e}");
    let (mantissa, exponent) = scientific.split_once('e').expect("the exponent form has an e");
    let power: i32 = exponent.parse().expect("the exponent is a number");
    let trimmed = |text: &str| {
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text.to_owned() }
    };
    if (-5..15).contains(&power) {
        let decimals = usize::try_from(14 - power).unwrap_or(0);
        trimmed(&format!("{number:.decimals$}"))
    } else {
        let sign = if power < 0 { '-' } else { '+' };
        format!("{}e{sign}{:02}", trimmed(mantissa), power.abs())
    }
}

/// The value of a text of digits, printed again: no leading zeros, exponent form when it is too large.
pub(crate) fn print_integer(digits: &str) -> String {
    if !digits.chars().all(|c| c.is_ascii_digit()) {
        return "0".to_owned();
    }
    match digits.parse::<u64>() {
        Ok(number) => number.to_string(),
        Err(_) => print_number(digits.parse().unwrap_or(f64::INFINITY)),
    }
}

/// The number with which a text begins, as arithmetic takes it.
pub(crate) fn leading_number(text: &str) -> f64 {
    let text = text.trim_start();
    let mut end = 0;
    for (at, c) in text.char_indices() {
        let next = at + c.len_utf8();
        if c.is_ascii_digit() || matches!(c, '.' | '-' | '+' | 'e' | 'E') {
            if text[..next].parse::<f64>().is_ok() {
                end = next;
            }
        } else {
            break;
        }
    }
    text[..end].parse().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_print_as_the_api_server_prints_them() {
        for (number, text) in
            [(1.0, "1"), (1.5, "1.5"), (0.1, "0.1"), (1e20, "1e+20"), (1e-7, "1e-07"), (-2.25, "-2.25")]
        {
            assert_eq!(print_number(number), text);
        }
        assert_eq!(print_integer("007"), "7");
        assert_eq!(print_integer("99999999999999999999"), "1e+20");
        assert!((leading_number("12abc") - 12.0).abs() < f64::EPSILON);
        assert!(leading_number("x").abs() < f64::EPSILON);
    }
}
