//! The attributes that a configuration writes. Their doc comments are the manual.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use tune_core::schema::HostReference;
use tune_core::value::Scalar;

/// Kernel parameters of a host: set now, read back, and set again at every boot.
///
/// Each parameter is written to the running kernel first and read back; then all of them are written to one file of
/// their own in `/etc/sysctl.d`, so that the next boot sets them too. What was there before is recorded, and `tune
/// destroy` puts it back: the running values and the file. The plan says where another file would win at the next boot.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(title = "sysctl")]
#[serde(deny_unknown_fields)]
pub(crate) struct Attributes {
    /// The host whose kernel is tuned.
    pub(crate) host: HostReference,
    /// The parameters by name, as `sysctl` prints it, for example `"vm.swappiness" = 10`.
    ///
    /// A value is a number, a bool (`true` is written as 1) or a text; several numbers are written as one text with
    /// spaces, for example `"net.ipv4.tcp_rmem" = "4096 131072 6291456"`. A dot inside an interface's name is written
    /// as a slash: `"net.ipv4.conf.eth0/100.forwarding"`. Of a pair such as `vm.dirty_ratio` and `vm.dirty_bytes` write
    /// the one half that is meant; the kernel clears the other.
    pub(crate) settings: BTreeMap<String, Scalar>,
    /// The name of the file in `/etc/sysctl.d`, `99-zz-tune-NAME.conf` by default, where `NAME` is the resource's name.
    ///
    /// Files are applied in the order of their names, and the last one wins.
    #[serde(default)]
    pub(crate) drop_in: Option<String>,
}
