//! What the user must be allowed for a change, against what the API says it is.

use std::collections::{BTreeMap, BTreeSet};

use crate::key::{Key, Place};
use crate::table::ROOT;
use crate::vm::Cluster;

/// The privilege for starting and stopping.
pub(crate) const POWER: &str = "VM.PowerMgmt";

/// One privilege on one path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Need {
    /// Where, for example `/vms/107`.
    pub(crate) path: String,
    /// Which.
    pub(crate) privilege: &'static str,
}

impl Need {
    /// Returns the need for a privilege on a machine.
    pub(crate) fn on_vm(vmid: u32, privilege: &'static str) -> Self {
        Self { path: format!("/vms/{vmid}"), privilege }
    }
}

/// Returns what changing an item needs; `bridge` is the one that a network device is plugged into afterwards.
pub(crate) fn needs(key: &Key, bridge: Option<&str>) -> BTreeSet<Need> {
    let on_vm = |privilege| Need::on_vm(key.vmid, privilege);
    match Place::of(&key.option) {
        Some(Place::Disk(_)) => [on_vm("VM.Config.Disk")].into(),
        Some(Place::Net) => {
            let bridge =
                bridge.map(|bridge| Need { path: format!("/sdn/zones/localnetwork/{bridge}"), privilege: "SDN.Use" });
            bridge.into_iter().chain([on_vm("VM.Config.Network")]).collect()
        }
        Some(Place::Option(option)) if option.row.name == "startup" => {
            [on_vm(option.privilege), Need { path: "/".to_owned(), privilege: "Sys.Modify" }].into()
        }
        Some(Place::Option(option)) => [on_vm(option.privilege)].into(),
        None => BTreeSet::new(),
    }
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
    if let Some(here) = permissions.get(&need.path) {
        return here.contains_key(need.privilege);
    }
    let above = |path: &str| match path.rfind('/') {
        Some(0) if path.len() > 1 => Some("/".to_owned()),
        Some(0) | None => None,
        Some(at) => Some(path[..at].to_owned()),
    };
    // A bridge may be a network of a zone that is not the local one; which, only the administrator knows.
    let elsewhere = need.path.strip_prefix("/sdn/zones/localnetwork/").is_some_and(|bridge| {
        let is_it = |path: &str| path.starts_with("/sdn/zones/") && path.ends_with(&format!("/{bridge}"));
        permissions.iter().any(|(path, here)| is_it(path) && here.contains_key(need.privilege))
    });
    let mut path = need.path.clone();
    while let Some(up) = above(&path) {
        if let Some(here) = permissions.get(&up) {
            return elsewhere || here.get(need.privilege) == Some(&true);
        }
        path = up;
    }
    elsewhere
}

/// Returns the commands that grant a privilege to the user or the token.
pub(crate) fn grant(user: &str, need: &Need) -> String {
    let role = format!("Tune{}", need.privilege.replace('.', ""));
    let whom = if user.contains('!') { "tokens" } else { "users" };
    format!(
        "on a node, run `pveum role add {role} --privs {}` and `pveum acl modify {} --{whom} '{}' --roles {role}`",
        need.privilege,
        need.path,
        user.replace('\'', "")
    )
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
        !missing(cluster, &[Need { path: path.to_owned(), privilege }].into()).is_empty()
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
    fn where_nothing_is_known_nothing_is_missing() {
        assert!(!lacks(&Cluster::default(), "/vms/107", POWER));
    }

    #[test]
    fn the_way_out_is_two_commands() {
        assert_eq!(
            grant("tune@pve!tok", &Need::on_vm(107, POWER)),
            "on a node, run `pveum role add TuneVMPowerMgmt --privs VM.PowerMgmt` and \
             `pveum acl modify /vms/107 --tokens 'tune@pve!tok' --roles TuneVMPowerMgmt`"
        );
    }
}
