//! Functions about network addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bigdecimal::ToPrimitive as _;

use super::{Call, Failure, Function, Shape, row, takes};
use crate::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    row(
        "cidrhost",
        &[takes("prefix", Shape::Text), takes("number", Shape::Integer)],
        Shape::Text,
        "The address of a host in a network; negative numbers count from the end.",
        |call| {
            let network = Network::of(call)?;
            let bits = network.width - network.length;
            let host = numbered(call, 1, bits)
                .ok_or_else(|| Failure::of(1, format!("the network has only {bits} bits for hosts")))?;
            Ok(Value::string(network.address(network.start | host)))
        },
    )
    .example(r#"cidrhost("10.12.112.0/20", 16)"#),
    row(
        "cidrnetmask",
        &[takes("prefix", Shape::Text)],
        Shape::Text,
        "The mask of an IPv4 network, as old tools want it.",
        |call| {
            let network = Network::of(call)?;
            if network.width != 32 {
                return Err(Failure::of(0, "masks are written for IPv4 networks only"));
            }
            Ok(Value::string(network.address(u128::from(u32::MAX) & !ones(32 - network.length))))
        },
    )
    .example(r#"cidrnetmask("10.12.0.0/20")"#),
    row(
        "cidrsubnet",
        &[takes("prefix", Shape::Text), takes("bits", Shape::Integer), takes("number", Shape::Integer)],
        Shape::Text,
        "One of the networks that a network is divided into by so many more bits.",
        subnet,
    )
    .example(r#"cidrsubnet("10.1.2.0/24", 4, 15)"#),
    row(
        "cidrsubnets",
        &[takes("prefix", Shape::Text)],
        Shape::Texts,
        "Networks one behind the other in a network, each by so many bits longer.",
        subnets,
    )
    .rest(takes("bits", Shape::Integer))
    .example(r#"cidrsubnets("10.1.0.0/16", 4, 4, 8)"#),
];

/// A network in CIDR notation; the bits of an IPv4 address are the lowest 32.
struct Network {
    start: u128,
    length: u32,
    width: u32,
}

impl Network {
    /// Reads the first argument.
    fn of(call: &Call<'_>) -> Result<Self, Failure> {
        let network = Self::parse(call.text(0));
        network.ok_or_else(|| Failure::of(0, "this is no network in CIDR notation, such as `10.0.0.0/24`"))
    }

    fn parse(text: &str) -> Option<Self> {
        let (address, length) = text.split_once('/')?;
        let (bits, width) = if address.contains(':') {
            (u128::from(address.parse::<Ipv6Addr>().ok()?), 128)
        } else {
            (u128::from(ipv4(address)?), 32)
        };
        let is_plain = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
        let length = length.parse().ok().filter(|length| is_plain && *length <= width)?;
        Some(Self { start: bits & !ones(width - length), length, width })
    }

    fn address(&self, bits: u128) -> String {
        match u32::try_from(bits) {
            Ok(bits) if self.width == 32 => IpAddr::V4(Ipv4Addr::from(bits)).to_string(),
            _ => IpAddr::V6(Ipv6Addr::from(bits)).to_string(),
        }
    }

    /// Returns the network with this many bits from `start` on, in CIDR notation.
    fn part(&self, start: u128, length: u32) -> String {
        format!("{}/{length}", self.address(start))
    }
}

/// Reads an IPv4 address. Numbers with zeros in front are decimal, as Terraform takes them.
fn ipv4(text: &str) -> Option<u32> {
    let parts: Vec<&str> = text.split('.').collect();
    let is_plain = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if parts.len() != 4 || !parts.iter().all(is_plain) {
        return None;
    }
    parts.iter().try_fold(0, |address, part| Some(address << 8 | u32::from(part.parse::<u8>().ok()?)))
}

/// Returns a number with this many ones at its end.
fn ones(count: u32) -> u128 {
    if count >= 128 { u128::MAX } else { (1 << count) - 1 }
}

/// Returns an argument as a number of so many bits, counted from the end if it is negative.
fn numbered(call: &Call<'_>, position: usize, bits: u32) -> Option<u128> {
    let number = call.number(position).as_decimal();
    let size = number.abs().to_u128()?;
    let most = ones(bits);
    if number.sign() == bigdecimal::num_bigint::Sign::Minus {
        // -1 is the last one.
        most.checked_sub(size - 1)
    } else {
        Some(size).filter(|size| *size <= most)
    }
}

fn subnet(call: &mut Call<'_>) -> Result<Value, Failure> {
    let network = Network::of(call)?;
    let bits = u32::try_from(call.integer(1)).ok();
    let bits = bits
        .filter(|bits| network.length.saturating_add(*bits) <= network.width)
        .ok_or_else(|| Failure::of(1, format!("the network has {} bits to give", network.width - network.length)))?;
    let number =
        numbered(call, 2, bits).ok_or_else(|| Failure::of(2, format!("{bits} bits are not enough for this number")))?;
    let length = network.length + bits;
    let start = network.start | number.checked_shl(network.width - length).unwrap_or(0);
    Ok(Value::string(network.part(start, length)))
}

fn subnets(call: &mut Call<'_>) -> Result<Value, Failure> {
    let network = Network::of(call)?;
    let end = network.start | ones(network.width - network.length);
    // `None` once there is nothing left behind the last one.
    let mut next = Some(network.start);
    let mut parts = Vec::new();
    for position in 1..call.arguments.len() {
        let bits = u32::try_from(call.integer(position)).ok().filter(|bits| (1..=32).contains(bits));
        let bits = bits.ok_or_else(|| Failure::of(position, "a network becomes longer by 1 to 32 bits"))?;
        let length = network.length + bits;
        if length > network.width {
            let left = network.width - network.length;
            return Err(Failure::of(position, format!("the network has {left} bits to give")));
        }
        let size = ones(network.width - length);
        // A network starts at a multiple of its own size.
        let start = next.and_then(|next| next.checked_add(size)).map(|start| start & !size);
        let start = start.filter(|start| start | size <= end);
        let start = start.ok_or_else(|| Failure::of(position, "there is no room left in the network for this one"))?;
        parts.push(Value::string(network.part(start, length)));
        next = (start | size).checked_add(1);
    }
    Ok(Value::list(parts))
}
