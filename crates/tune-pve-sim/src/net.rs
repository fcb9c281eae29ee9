//! Network cards.

use std::sync::{Arc, OnceLock};

use crate::random::Random;
use crate::schema::Props;
use crate::schema::options;
use crate::schema::property::{Parsed, parse_property_string, print_property_string};

fn props() -> &'static Arc<Props> {
    static PROPS: OnceLock<Arc<Props>> = OnceLock::new();
    PROPS.get_or_init(options::net)
}

/// Takes the value of `netN` apart.
pub(crate) fn parse(value: &str) -> Option<Parsed> {
    parse_property_string(props(), value, "").ok()
}

/// Gives a card an address if it has none.
pub(crate) fn with_mac(mut net: Parsed, random: &Random, prefix: Option<&str>) -> Parsed {
    let prefix = prefix.unwrap_or("BC:24:11");
    net.entry("macaddr".to_owned()).or_insert_with(|| {
        let missing = 6_usize.saturating_sub(prefix.split(':').filter(|part| !part.is_empty()).count());
        let rest: Vec<String> = (0..missing).map(|_| random.hex(2).to_uppercase()).collect();
        format!("{}:{}", prefix.trim_end_matches(':'), rest.join(":"))
    });
    net
}

/// The value of `netN`.
pub(crate) fn print(net: &Parsed) -> String {
    print_property_string(props(), net)
}
