//! The sub-options of a network device that can be tuned. Its hardware address is not among them: the guest knows
//! itself by it.

use super::{MODELS, Row, Type, When};

/// Sub-options by name.
pub(crate) const SUBS: &[Row] = &[
    row(
        "bridge",
        Type::Text(bridge, "the name of a bridge"),
        None,
        When::Live,
        "The bridge that the device is plugged into.",
    ),
    row("firewall", Type::Bool, Some("0"), When::Live, "Whether the firewall looks at the device's traffic."),
    row(
        "host-tunnel",
        Type::Bool,
        Some("0"),
        When::Replugged("network"),
        "Whether tunnelled packets are offloaded to the host.",
    ),
    row("link_down", Type::Bool, Some("0"), When::Live, "Whether the cable is pulled."),
    row("model", Type::Word(MODELS), None, When::Replugged("network"), "The card that the guest sees."),
    row(
        "mtu",
        Type::Int(1, 65520),
        None,
        When::Replugged("network"),
        "The largest packet; 1 means the bridge's. Only for `virtio`.",
    ),
    row(
        "queues",
        Type::Int(0, 64),
        Some("0"),
        When::Replugged("network"),
        "How many queues the device has; as many as `cores` is usual. Only for `virtio`.",
    ),
    row("rate", Type::Number(0.0, 1e9), Some("0"), When::Live, "Most megabytes per second, 0 for any number."),
    row("tag", Type::Int(1, 4094), None, When::Live, "The VLAN that the device is in."),
    row(
        "trunks",
        Type::Text(trunks, "VLAN numbers such as `1;5-9`"),
        None,
        When::Live,
        "The VLANs that the device may carry.",
    ),
];

const fn row(name: &'static str, of: Type, default: Option<&'static str>, when: When, doc: &'static str) -> Row {
    Row { name, of, default, when, doc }
}

fn bridge(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

fn trunks(text: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    text.split(';').all(|part| match part.split_once('-') {
        Some((from, to)) => number(from) && number(to),
        None => number(part),
    })
}
