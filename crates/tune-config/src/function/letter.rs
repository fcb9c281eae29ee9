//! Upper and lower case, one character for one character: Terraform leaves a character alone that has no single
//! counterpart (`ß`), where Rust's own conversion would write two (`SS`).

/// Returns the text in upper case.
pub(super) fn upper(text: &str) -> String {
    text.chars().map(upper_letter).collect()
}

/// Returns the text in lower case.
pub(super) fn lower(text: &str) -> String {
    text.chars().map(lower_letter).collect()
}

/// Returns the text with the first letter of each word in upper case. Words end where neither a letter, nor a digit, nor
/// an underscore stands; beyond ASCII only space ends one.
pub(super) fn title(text: &str) -> String {
    let mut previous = ' ';
    text.chars()
        .map(|c| {
            let starts_word = ends_word(previous);
            previous = c;
            if starts_word { title_letter(c) } else { c }
        })
        .collect()
}

fn ends_word(c: char) -> bool {
    if c.is_ascii() { !c.is_ascii_alphanumeric() && c != '_' } else { c.is_whitespace() }
}

fn upper_letter(c: char) -> char {
    with_iota(c).or_else(|| single(c.to_uppercase())).unwrap_or(c)
}

fn lower_letter(c: char) -> char {
    if c == 'İ' { 'i' } else { single(c.to_lowercase()).unwrap_or(c) }
}

fn title_letter(c: char) -> char {
    match c {
        // Two letters in one character: only the first of them becomes large.
        'Ǆ' | 'ǅ' | 'ǆ' => 'ǅ',
        'Ǉ' | 'ǈ' | 'ǉ' => 'ǈ',
        'Ǌ' | 'ǋ' | 'ǌ' => 'ǋ',
        'Ǳ' | 'ǲ' | 'ǳ' => 'ǲ',
        // Georgian is written in capitals throughout, or not at all.
        'ა'..='ჺ' | 'ჽ'..='ჿ' => c,
        c => upper_letter(c),
    }
}

/// Returns the large form of a Greek letter with an iota below. Written out it takes two characters, but there is one.
fn with_iota(c: char) -> Option<char> {
    let offset = match c {
        '\u{1f80}'..='\u{1f87}' | '\u{1f90}'..='\u{1f97}' | '\u{1fa0}'..='\u{1fa7}' => 8,
        '\u{1fb3}' | '\u{1fc3}' | '\u{1ff3}' => 9,
        // These are the large forms already.
        '\u{1f88}'..='\u{1f8f}'
        | '\u{1f98}'..='\u{1f9f}'
        | '\u{1fa8}'..='\u{1faf}'
        | '\u{1fbc}'
        | '\u{1fcc}'
        | '\u{1ffc}' => 0,
        _ => return None,
    };
    char::from_u32(u32::from(c) + offset)
}

fn single(mut characters: impl Iterator<Item = char>) -> Option<char> {
    let first = characters.next();
    if characters.next().is_none() { first } else { None }
}
