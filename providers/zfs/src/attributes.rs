//! The attributes that a configuration writes. Their doc comments are the manual.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use tune_core::schema::HostReference;
use tune_core::value::Scalar;

/// Parameters of a kernel module, ZFS unless another is named: set now, read back, and set again whenever it is loaded.
///
/// A parameter that can be changed while the module runs is written to `/sys/module` first and read back; then all of
/// them are written to one file of their own in `/etc/modprobe.d`. A parameter that the module takes only when it is
/// loaded gets a file for itself, and the host is rebooted. Where the module is loaded from the boot image (root on ZFS,
/// Proxmox), the image is built anew, after an apply and after a revert alike. What was there before is recorded, and
/// `tune destroy` puts it back. The plan says where another file or the kernel's command line would win.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(title = "zfs_module")]
#[serde(deny_unknown_fields)]
pub(crate) struct Attributes {
    /// The host whose kernel module is tuned.
    pub(crate) host: HostReference,
    /// The module, `zfs` by default, as `lsmod` prints it, for example `nvme`.
    #[serde(default)]
    pub(crate) module: Option<String>,
    /// The parameters by name, as `modinfo -p zfs` prints it, for example `zfs_txg_timeout = 3`.
    ///
    /// A value is a number, a bool (`true` is written as 1) or a text. A parameter of ZFS that counts bytes also takes a
    /// size with a binary unit: `zfs_arc_max = "8GiB"`.
    pub(crate) parameters: BTreeMap<String, Scalar>,
    /// Which of the parameters the module takes only when it is loaded, so that they need a reboot. Those of ZFS are
    /// known; where the host says otherwise, the plan tells you.
    #[serde(default)]
    pub(crate) load_time: Option<Vec<String>>,
    /// The name of the file in `/etc/modprobe.d`, `zz-tune-NAME.conf` by default, where `NAME` is the resource's name.
    ///
    /// Files are read in the order of their names, and the last one wins.
    #[serde(default)]
    pub(crate) drop_in: Option<String>,
}
