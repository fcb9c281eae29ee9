//! Which kinds of devices can be plugged while a machine runs.

use crate::schema::split_list;

/// The value of `hotplug`, taken apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is one kind of device")]
pub(crate) struct Features {
    pub(crate) network: bool,
    pub(crate) disk: bool,
    pub(crate) cpu: bool,
    pub(crate) memory: bool,
    pub(crate) usb: bool,
    pub(crate) cloudinit: bool,
}

impl Features {
    /// Parses; `0` is none and `1` the default. The error ends with a line feed.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut features = Features::default();
        let text = match text {
            "0" => return Ok(features),
            "1" => "network,disk,usb",
            text => text,
        };
        for word in split_list(text) {
            match word {
                "network" => features.network = true,
                "disk" => features.disk = true,
                "cpu" => features.cpu = true,
                "memory" => features.memory = true,
                "usb" => features.usb = true,
                "cloudinit" => features.cloudinit = true,
                other => return Err(format!("invalid hotplug feature '{other}'\n")),
            }
        }
        Ok(features)
    }

    /// The features of a configuration; unset is the default.
    pub(crate) fn of(value: Option<&String>) -> Self {
        Features::parse(value.map_or("1", String::as_str)).unwrap_or_default()
    }
}
