//! Functions about network addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Call, Failure, Function, Shape, row, takes};
use crate::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[row(
    "cidrhost",
    &[takes("prefix", Shape::Text), takes("number", Shape::Integer)],
    Shape::Text,
    "The address of a host in a network; negative numbers count from the end.",
    cidrhost,
)];

fn cidrhost(call: &mut Call<'_>) -> Result<Value, Failure> {
    let not_a_prefix = || Failure::of(0, "this is no network in CIDR notation, such as `10.0.0.0/24`");
    let (address, length) = call.text(0).split_once('/').ok_or_else(not_a_prefix)?;
    let address: IpAddr = address.parse().map_err(|_| not_a_prefix())?;
    let (bits, width) = match address {
        IpAddr::V4(address) => (u128::from(u32::from(address)), 32),
        IpAddr::V6(address) => (u128::from(address), 128),
    };
    let length = length.parse::<u32>().ok().filter(|length| *length <= width).ok_or_else(not_a_prefix)?;
    let hosts = width - length;
    let mask = if hosts == 128 { u128::MAX } else { (1 << hosts) - 1 };
    let number = call.integer(1);
    let offset = u128::from(number.unsigned_abs());
    let host = if number < 0 { mask.checked_sub(offset - 1) } else { Some(offset).filter(|offset| *offset <= mask) };
    let host = host.ok_or_else(|| Failure::of(1, format!("the network has only {hosts} bits for hosts")))?;
    let bits = (bits & !mask) | host;
    let address = match address {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::from(u32::try_from(bits).map_err(|_| not_a_prefix())?)),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::from(bits)),
    };
    Ok(Value::string(address.to_string()))
}
