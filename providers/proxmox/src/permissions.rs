//! What the user must be allowed for a change, against what the API says it is.

use std::collections::{BTreeMap, BTreeSet};

use tune_core::text::{shell_word, visible};

use crate::key::{Key, Place};
use crate::property::PropertyString;
use crate::table::{DRIVE, NET, ROOT, grammar};
use crate::vm::Cluster;

/// The privilege for starting and stopping.
pub(crate) const POWER: &str = "VM.PowerMgmt";
/// The privilege for the options of cloud-init; that for network devices does as well.
pub(crate) const CLOUD: &str = "VM.Config.Cloudinit";
/// Where the bridges are that no zone has.
const LOCAL_ZONE: &str = "/sdn/zones/localnetwork/";

/// One privilege on one path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Need {
    /// Where, for example `/vms/107`.
    pub(crate) path: String,
    /// Which.
    pub(crate) privilege: &'static str,
    /// Another one that does as well.
    pub(crate) or: Option<&'static str>,
}

impl Need {
    /// Returns the need for a privilege on a machine.
    pub(crate) fn on_vm(vmid: u32, privilege: &'static str) -> Self {
        Self::on(format!("/vms/{vmid}"), privilege)
    }

    /// Returns the need for a privilege on a path.
    pub(crate) fn on(path: impl Into<String>, privilege: &'static str) -> Self {
        Self { path: path.into(), privilege, or: None }
    }
}

/// Returns what changing an item needs, when its option goes from one text to another: some privileges depend on both.
pub(crate) fn needs(key: &Key, before: Option<&str>, after: Option<&str>) -> BTreeSet<Need> {
    let on_vm = |privilege| Need::on_vm(key.vmid, privilege);
    let texts = || before.into_iter().chain(after);
    match Place::of(&key.option) {
        Some(Place::Disk(_)) => texts().flat_map(drive).map(|privilege| on_vm(privilege)).collect(),
        Some(Place::Net) => {
            let bridges = texts().flat_map(bridges).map(|path| Need::on(path, "SDN.Use"));
            bridges.chain([on_vm("VM.Config.Network")]).collect()
        }
        Some(Place::Option(option)) => {
            let own = on_vm(option.privilege);
            match option.row.name {
                "startup" => [own, Need::on("/", "Sys.Modify")].into(),
                "vmstatestorage" => {
                    let space = after.map(|name| Need::on(format!("/storage/{name}"), "Datastore.AllocateSpace"));
                    space.into_iter().chain([own]).collect()
                }
                // A port of the host is root's, whether it comes or goes.
                "serial" if texts().any(|text| text != "socket") => [on_vm(ROOT)].into(),
                "rng0" if texts().any(is_hardware_rng) => [own, Need::on("/mapping/hwrng", "Mapping.Use")].into(),
                _ if option.privilege == CLOUD => [Need { or: Some("VM.Config.Network"), ..own }].into(),
                _ => [own].into(),
            }
        }
        None => BTreeSet::new(),
    }
}

/// Returns the privileges that a drive's text takes: a CD drive has its own, and that of cloud-init one more.
fn drive(text: &str) -> &'static [&'static str] {
    let string = PropertyString::parse(DRIVE, text);
    let file = string.get("file").unwrap_or_default();
    let name = file.rsplit([':', '/']).next().unwrap_or_default();
    let is_cloudinit = name == "cloudinit" || (name.starts_with("vm-") && name.contains("-cloudinit"));
    match string.get("media") {
        _ if is_cloudinit => &["VM.Config.CDROM", CLOUD],
        Some("cdrom") => &["VM.Config.CDROM"],
        _ if file == "none" || file == "cdrom" => &["VM.Config.CDROM"],
        _ => &["VM.Config.Disk"],
    }
}

/// Returns the paths of the bridges and VLANs that a network device's text names.
fn bridges(text: &str) -> Vec<String> {
    let string = PropertyString::parse(NET, text);
    let Some(bridge) = string.get("bridge") else { return Vec::new() };
    let bridge = format!("{LOCAL_ZONE}{bridge}");
    match (string.get("tag"), string.get("trunks")) {
        (Some(tag), _) => vec![format!("{bridge}/{tag}")],
        // Each VLAN is asked for by itself; the ends stand for those between.
        (None, Some(trunks)) => trunks.split([';', '-']).map(|tag| format!("{bridge}/{tag}")).collect(),
        (None, None) => vec![bridge],
    }
}

fn is_hardware_rng(text: &str) -> bool {
    PropertyString::parse(grammar("source"), text).get("source") == Some("/dev/hwrng")
}

/// Returns what of `needs` the user lacks. Nothing, where the API did not say what it may.
pub(crate) fn missing(cluster: &Cluster, needs: &BTreeSet<Need>) -> Vec<Need> {
    let is_root = cluster.user == "root@pam";
    let Some(permissions) = cluster.permissions.as_ref().filter(|_| !is_root) else { return Vec::new() };
    needs.iter().filter(|need| !has(permissions, need)).cloned().collect()
}

/// A privilege holds on a path that names it, and below where it is marked so. A path that is named hides those above.
fn has(permissions: &BTreeMap<String, BTreeMap<String, bool>>, need: &Need) -> bool {
    if need.privilege == ROOT {
        return false;
    }
    if let Some(other) = need.or
        && has(permissions, &Need { privilege: other, or: None, path: need.path.clone() })
    {
        return true;
    }
    // A bridge may be a network of a zone that is not the local one; which, only the administrator knows.
    let elsewhere = need.path.strip_prefix(LOCAL_ZONE).is_some_and(|wanted| {
        let bridge = wanted.split('/').next().unwrap_or_default();
        let ends = [format!("/{bridge}"), format!("/{wanted}")];
        let is_it = |path: &str| path.starts_with("/sdn/zones/") && ends.iter().any(|end| path.ends_with(end));
        permissions.iter().any(|(path, here)| is_it(path) && here.contains_key(need.privilege))
    });
    elsewhere || effective(permissions, &need.path).contains(need.privilege)
}

/// Returns the commands that grant privileges on a path to the user or the token.
///
/// What a path is given hides what is inherited from above, so the new role has everything that holds there already. A
/// token never has more than its user, and one without rights of its own has exactly those.
pub(crate) fn grant(cluster: &Cluster, path: &str, lacking: &BTreeSet<&str>) -> String {
    let kept = cluster.permissions.as_ref().map(|permissions| effective(permissions, path)).unwrap_or_default();
    let all: BTreeSet<&str> = kept.into_iter().chain(lacking.iter().copied()).collect();
    // A bridge or a storage is named by whoever configured the machine, and privileges by the API.
    let word = |text: &str| shell_word(&visible(text, 2000));
    let privileges = word(&all.into_iter().collect::<Vec<_>>().join(","));
    let role = word(&format!("Tune{}", path.trim_end_matches('/').replace('/', "-")));
    let path_word = word(path);
    // Whoever may do something to everything need not be given it for everything below as well.
    let below = if path == "/" { " --propagate 0" } else { "" };
    let user = visible(&cluster.user, 80).replace('\'', "");
    let acl = |whom: &str| format!("pveum acl modify {path_word} {whom} --roles {role}{below}");
    let new = format!("on a node, run `pveum role add {role} --privs {privileges}` and `");
    match user.split_once('!') {
        None => format!("{new}{}`", acl(&format!("--users '{user}'"))),
        Some((owner, _)) => format!(
            "{new}{}`; where `{owner}` itself may not do it either, the second one with `--users '{owner}'` as well",
            acl(&format!("--tokens '{user}'"))
        ),
    }
}

/// Returns the privileges that hold on a path.
fn effective<'a>(permissions: &'a BTreeMap<String, BTreeMap<String, bool>>, path: &str) -> BTreeSet<&'a str> {
    if let Some(here) = permissions.get(path) {
        return here.keys().map(String::as_str).collect();
    }
    let mut above = path;
    while let Some(at) = above.rfind('/').filter(|_| above != "/") {
        above = if at == 0 { "/" } else { &above[..at] };
        if let Some(here) = permissions.get(above) {
            return here.iter().filter(|(_, below)| **below).map(|(name, _)| name.as_str()).collect();
        }
    }
    BTreeSet::new()
}

/// Returns the path and the first privilege that a refusal of the API names: `Permission check failed (/vms/107, VM.Audit)`.
pub(crate) fn lacking(message: &str) -> Option<(&str, &str)> {
    let (path, rest) = message.strip_prefix("Permission check failed (")?.split_once(", ")?;
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '.').unwrap_or(rest.len());
    let is_path = path.starts_with('/') && path.chars().all(|c| c.is_ascii_alphanumeric() || "/-_.".contains(c));
    (is_path && end > 0).then_some((path, &rest[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(permissions: &[(&str, &[(&str, bool)])]) -> Cluster {
        let privileges =
            |list: &[(&str, bool)]| list.iter().map(|(name, below)| ((*name).to_owned(), *below)).collect();
        let permissions = permissions.iter().map(|(path, list)| ((*path).to_owned(), privileges(list))).collect();
        Cluster { user: "tune@pve!tok".to_owned(), permissions: Some(permissions), ..Cluster::default() }
    }

    fn lacks(cluster: &Cluster, path: &str, privilege: &'static str) -> bool {
        !missing(cluster, &[Need::on(path, privilege)].into()).is_empty()
    }

    #[test]
    fn privileges_hold_below_where_they_are_passed_on() {
        let passed_on =
            cluster(&[("/vms", &[(POWER, true), ("VM.Audit", false)]), ("/vms/105", &[("VM.Audit", true)])]);
        assert!(!lacks(&passed_on, "/vms/107", POWER));
        assert!(lacks(&passed_on, "/vms/107", "VM.Audit"));
        assert!(!lacks(&passed_on, "/vms", "VM.Audit"));
        assert!(lacks(&passed_on, "/vms/105", POWER), "what is said of the machine itself hides what is said above");
        let from_the_top = cluster(&[("/", &[("VM.Config.Disk", true)])]);
        assert!(!lacks(&from_the_top, "/vms/107", "VM.Config.Disk"));
        assert!(lacks(&from_the_top, "/vms/107", POWER));
    }

    #[test]
    fn only_root_itself_may_change_what_is_roots() {
        let all = cluster(&[("/", &[(ROOT, true)])]);
        assert!(lacks(&all, "/vms/107", ROOT));
        assert!(!lacks(&Cluster { user: "root@pam".to_owned(), ..all }, "/vms/107", ROOT));
    }

    #[test]
    fn a_bridge_may_be_in_any_zone() {
        let zone = cluster(&[("/", &[]), ("/sdn/zones/lab/vnet7", &[("SDN.Use", true)])]);
        assert!(!lacks(&zone, "/sdn/zones/localnetwork/vnet7", "SDN.Use"));
        assert!(lacks(&zone, "/sdn/zones/localnetwork/vmbr0", "SDN.Use"));
    }

    #[test]
    fn some_privileges_depend_on_the_value() {
        let key = |name: &str| Key::parse(&tune_core::item::ItemKey(format!("107/{name}"))).unwrap();
        let on = |name: &str, before: Option<&str>, after: Option<&str>| -> Vec<String> {
            let needs = needs(&key(name), before, after).into_iter();
            needs.map(|need| format!("{} {}", need.path, need.privilege)).collect()
        };
        let disk = Some("zfs:vm-107-disk-0,backup=0");
        assert_eq!(on("scsi0/backup", disk, disk), ["/vms/107 VM.Config.Disk"]);
        for cd in ["local:iso/debian.iso,media=cdrom,backup=0", "none,media=cdrom", "none"] {
            assert_eq!(on("ide2/backup", Some(cd), Some(cd)), ["/vms/107 VM.Config.CDROM"], "{cd}");
        }
        for cloud in ["zfs:vm-107-cloudinit,media=cdrom", "local:107/vm-107-cloudinit.qcow2,media=cdrom"] {
            let both = ["/vms/107 VM.Config.CDROM", "/vms/107 VM.Config.Cloudinit"];
            assert_eq!(on("ide2/backup", Some(cloud), Some(cloud)), both, "{cloud}");
        }
        assert_eq!(
            on("net0/bridge", Some("virtio=X,bridge=vmbr0"), Some("virtio=X,bridge=vmbr1,tag=5")),
            [
                "/sdn/zones/localnetwork/vmbr0 SDN.Use",
                "/sdn/zones/localnetwork/vmbr1/5 SDN.Use",
                "/vms/107 VM.Config.Network"
            ]
        );
        assert_eq!(
            on("net0/trunks", None, Some("virtio=X,bridge=vmbr1,trunks=7;9-11"))[..3],
            [11, 7, 9].map(|tag| format!("/sdn/zones/localnetwork/vmbr1/{tag} SDN.Use"))
        );
        assert_eq!(on("startup/up", None, Some("up=5")), ["/ Sys.Modify", "/vms/107 VM.Config.Options"]);
        assert_eq!(
            on("vmstatestorage", None, Some("fast")),
            ["/storage/fast Datastore.AllocateSpace", "/vms/107 VM.Config.Disk"]
        );
        assert_eq!(on("serial0", None, Some("socket")), ["/vms/107 VM.Config.HWType"]);
        assert_eq!(on("serial0", Some("/dev/ttyS0"), Some("socket")), ["/vms/107 root"]);
        assert_eq!(
            on("rng0/source", None, Some("source=/dev/hwrng")),
            ["/mapping/hwrng Mapping.Use", "/vms/107 VM.Config.HWType"]
        );
        assert_eq!(on("rng0/source", None, Some("/dev/urandom")), ["/vms/107 VM.Config.HWType"]);
    }

    #[test]
    fn either_of_two_privileges_is_enough_for_cloud_init() {
        let key = Key::parse(&tune_core::item::ItemKey::from("107/ciuser")).unwrap();
        let lacks = |privilege: &str| {
            !missing(&cluster(&[("/vms/107", &[(privilege, true)])]), &needs(&key, None, Some("admin"))).is_empty()
        };
        assert!(!lacks("VM.Config.Cloudinit") && !lacks("VM.Config.Network"));
        assert!(lacks("VM.Config.Options"));
    }

    #[test]
    fn a_vlan_of_a_bridge_is_below_it() {
        let bridge = cluster(&[("/sdn/zones/localnetwork/vmbr0", &[("SDN.Use", true)])]);
        assert!(!lacks(&bridge, "/sdn/zones/localnetwork/vmbr0/5", "SDN.Use"));
        let vlan = cluster(&[("/sdn/zones/localnetwork/vmbr0/5", &[("SDN.Use", true)])]);
        assert!(!lacks(&vlan, "/sdn/zones/localnetwork/vmbr0/5", "SDN.Use"));
        assert!(lacks(&vlan, "/sdn/zones/localnetwork/vmbr0/6", "SDN.Use"));
        let zone = cluster(&[("/sdn/zones/lab/vnet7", &[("SDN.Use", true)])]);
        assert!(!lacks(&zone, "/sdn/zones/localnetwork/vnet7/5", "SDN.Use"));
    }

    #[test]
    fn a_refusal_names_what_is_lacking() {
        assert_eq!(lacking("Permission check failed (/vms/107, VM.Audit)"), Some(("/vms/107", "VM.Audit")));
        assert_eq!(
            lacking("Permission check failed (/vms/107, VM.Config.Cloudinit|VM.Config.Network)"),
            Some(("/vms/107", "VM.Config.Cloudinit"))
        );
        assert_eq!(lacking("Permission check failed (/, Sys.Modify for modifying tag 'x')"), Some(("/", "Sys.Modify")));
        for other in ["Permission check failed", "Permission check failed (/vms/1; rm, X)", "VM is locked (a, b)"] {
            assert_eq!(lacking(other), None, "{other}");
        }
    }

    #[test]
    fn where_nothing_is_known_nothing_is_missing() {
        assert!(!lacks(&Cluster::default(), "/vms/107", POWER));
    }

    #[test]
    fn the_way_out_is_two_commands() {
        let token = cluster(&[("/vms", &[("VM.Audit", true), ("VM.Config.Disk", true)])]);
        assert_eq!(
            grant(&token, "/vms/107", &[POWER].into()),
            "on a node, run `pveum role add Tune-vms-107 --privs VM.Audit,VM.Config.Disk,VM.PowerMgmt` and \
             `pveum acl modify /vms/107 --tokens 'tune@pve!tok' --roles Tune-vms-107`; where `tune@pve` itself may not do \
             it either, the second one with `--users 'tune@pve'` as well"
        );
        let user = Cluster { user: "op@pve".to_owned(), ..token };
        assert_eq!(
            grant(&user, "/", &["Sys.Modify"].into()),
            "on a node, run `pveum role add Tune --privs Sys.Modify` and `pveum acl modify / --users 'op@pve' --roles \
             Tune --propagate 0`"
        );
    }

    #[test]
    fn what_others_named_is_quoted_in_a_command() {
        let path = "/sdn/zones/localnetwork/vmbr0;reboot";
        let said = grant(&cluster(&[(path, &[("$(id)", true)])]), path, &["SDN.Use"].into());
        assert!(said.contains("--privs '$(id),SDN.Use'`"), "{said}");
        assert!(said.contains("acl modify '/sdn/zones/localnetwork/vmbr0;reboot' "), "{said}");
        assert!(said.contains("role add 'Tune-sdn-zones-localnetwork-vmbr0;reboot' "), "{said}");
    }

    #[test]
    fn a_new_role_keeps_what_it_would_hide() {
        // What is said of the machine hides what is said of all: the old privileges have to be in the new role.
        let before = cluster(&[("/vms", &[("VM.Audit", true), ("VM.Monitor", false)])]);
        assert!(grant(&before, "/vms/107", &[POWER].into()).contains("--privs VM.Audit,VM.PowerMgmt`"));
    }
}
