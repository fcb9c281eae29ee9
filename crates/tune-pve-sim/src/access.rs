//! Users, tokens, roles and access lists, and what somebody may do on a path.

use std::collections::{BTreeMap, BTreeSet};

use crate::errors::Failure;

/// The one who may do anything.
pub(crate) const ROOT: &str = "root@pam";

/// The role that takes all others away.
const NO_ACCESS: &str = "NoAccess";

/// Privileges by group: (group, root only, administrator, user, auditor).
type Group =
    (&'static str, &'static [&'static str], &'static [&'static str], &'static [&'static str], &'static [&'static str]);

const GROUPS: [Group; 8] = [
    (
        "VM",
        &[],
        &[
            "VM.Allocate",
            "VM.Clone",
            "VM.Config.CPU",
            "VM.Config.Disk",
            "VM.Config.HWType",
            "VM.Config.Memory",
            "VM.Config.Network",
            "VM.Config.Options",
            "VM.GuestAgent.FileRead",
            "VM.GuestAgent.FileSystemMgmt",
            "VM.GuestAgent.FileWrite",
            "VM.GuestAgent.Unrestricted",
            "VM.Migrate",
            "VM.Replicate",
            "VM.Snapshot",
            "VM.Snapshot.Rollback",
        ],
        &["VM.Backup", "VM.Config.CDROM", "VM.Config.Cloudinit", "VM.Console", "VM.PowerMgmt"],
        &["VM.Audit", "VM.GuestAgent.Audit"],
    ),
    (
        "Sys",
        &["Sys.AccessNetwork", "Sys.Incoming", "Sys.Modify", "Sys.PowerMgmt"],
        &["Sys.Console", "Sys.Syslog"],
        &[],
        &["Sys.Audit"],
    ),
    (
        "Datastore",
        &[],
        &["Datastore.Allocate", "Datastore.AllocateTemplate"],
        &["Datastore.AllocateSpace"],
        &["Datastore.Audit"],
    ),
    ("SDN", &[], &["SDN.Allocate"], &["SDN.Use"], &["SDN.Audit"]),
    ("User", &["Realm.Allocate"], &["Group.Allocate", "Realm.AllocateUser", "User.Modify"], &[], &[]),
    ("Pool", &[], &["Pool.Allocate"], &["Pool.Audit"], &["Pool.Audit"]),
    ("Mapping", &[], &["Mapping.Modify"], &["Mapping.Use"], &["Mapping.Audit"]),
    ("Permissions", &["Permissions.Modify"], &[], &[], &[]),
];

/// Whether there is a privilege of this name.
pub(crate) fn is_privilege(name: &str) -> bool {
    GROUPS
        .iter()
        .any(|(_, root, admin, user, audit)| [root, admin, user, audit].into_iter().any(|list| list.contains(&name)))
}

/// Somebody who can log in.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) enabled: bool,
    /// Seconds since 1970, 0 for never.
    pub(crate) expire: i64,
    pub(crate) password: Option<String>,
}

/// A token of a user.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) separated: bool,
    pub(crate) expire: i64,
    pub(crate) secret: String,
}

/// One row of the access list.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) path: String,
    /// `user`, `group` or `token`.
    pub(crate) kind: String,
    pub(crate) who: String,
    pub(crate) role: String,
    pub(crate) propagate: bool,
}

/// A pool of machines and storages.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pool {
    pub(crate) vms: BTreeSet<u32>,
    pub(crate) storages: BTreeSet<String>,
}

/// Privileges on one path, each with whether it is handed down.
pub(crate) type Privileges<'a> = BTreeMap<&'a str, bool>;

/// All that decides what somebody may do.
#[derive(Clone, Debug, Default)]
pub(crate) struct Access {
    pub(crate) users: BTreeMap<String, User>,
    pub(crate) tokens: BTreeMap<String, Token>,
    pub(crate) groups: BTreeMap<String, BTreeSet<String>>,
    pub(crate) roles: BTreeMap<String, BTreeSet<String>>,
    pub(crate) pools: BTreeMap<String, Pool>,
    rules: BTreeMap<String, Vec<Rule>>,
}

impl Access {
    /// The built-in roles and nobody but root.
    pub(crate) fn new() -> Self {
        let mut access = Access { roles: built_in_roles(), ..Access::default() };
        access.users.insert(ROOT.to_owned(), User { enabled: true, expire: 0, password: None });
        access
    }

    /// Adds a row to the access list.
    pub(crate) fn add_rule(&mut self, rule: Rule) {
        self.rules.entry(rule.path.clone()).or_default().push(rule);
    }

    /// Drops what is said of a machine: its rows in the access list and its place in a pool.
    pub(crate) fn forget_vm(&mut self, vmid: u32) {
        self.rules.remove(&format!("/vms/{vmid}"));
        for pool in self.pools.values_mut() {
            pool.vms.remove(&vmid);
        }
    }

    /// The access list.
    pub(crate) fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.values().flatten()
    }

    /// The pool that a machine is in.
    pub(crate) fn pool_of(&self, vmid: u32) -> Option<&str> {
        self.pools.iter().find(|(_, pool)| pool.vms.contains(&vmid)).map(|(name, _)| name.as_str())
    }

    /// The user of a token's full name, or the name itself.
    pub(crate) fn owner(who: &str) -> &str {
        who.split_once('!').map_or(who, |(user, _)| user)
    }

    /// The roles of somebody on a path, each with whether it is handed down; the nearest rows win, and the one for the token
    /// or user before those for groups.
    fn roles_on(&self, who: &str, path: &str) -> BTreeMap<&str, bool> {
        let token = who.contains('!');
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let mut roles = BTreeMap::new();
        for depth in 0..=parts.len() {
            let Some(here) = self.rules.get(&format!("/{}", parts[..depth].join("/"))) else { continue };
            let is_last = depth == parts.len();
            let pick = |wanted: &dyn Fn(&Rule) -> bool| -> BTreeMap<&str, bool> {
                let fitting = here.iter().filter(|rule| wanted(rule) && (is_last || rule.propagate));
                fitting.map(|rule| (rule.role.as_str(), rule.propagate)).collect()
            };
            let own = pick(&|rule| rule.kind == if token { "token" } else { "user" } && rule.who == who);
            let found = if own.is_empty() && !token {
                pick(&|rule| {
                    rule.kind == "group" && self.groups.get(&rule.who).is_some_and(|members| members.contains(who))
                })
            } else {
                own
            };
            if !found.is_empty() {
                roles = found;
            }
        }
        match roles.get(NO_ACCESS) {
            Some(propagate) => BTreeMap::from([(NO_ACCESS, *propagate)]),
            None => roles,
        }
    }

    fn pool_roles(&self, who: &str, path: &str) -> BTreeSet<&str> {
        let in_pool = |pool: &Pool| match path.split('/').collect::<Vec<_>>().as_slice() {
            ["", "vms", vmid] => vmid.parse().is_ok_and(|vmid| pool.vms.contains(&vmid)),
            ["", "storage", name] => pool.storages.contains(*name),
            _ => false,
        };
        let pools = self.pools.iter().filter(|(_, pool)| in_pool(pool));
        pools.flat_map(|(name, _)| self.roles_on(who, &format!("/pool/{name}")).into_keys()).collect()
    }

    /// The roles of somebody on a path, with those of the pool that it is in.
    fn all_roles_on(&self, who: &str, path: &str) -> BTreeMap<&str, bool> {
        if path.is_empty() {
            return BTreeMap::new();
        }
        let mut roles = self.roles_on(who, path);
        let from_pools = self.pool_roles(who, path);
        if roles.contains_key(NO_ACCESS) {
            return roles;
        }
        if from_pools.contains(NO_ACCESS) {
            return BTreeMap::from([(NO_ACCESS, false)]);
        }
        for role in from_pools {
            roles.entry(role).or_insert(false);
        }
        roles
    }

    /// What somebody may do on a path. A separated token has what both it and its user have.
    pub(crate) fn privileges(&self, who: &str, path: &str) -> Privileges<'_> {
        if who == ROOT {
            return self.roles["Administrator"].iter().map(|privilege| (privilege.as_str(), true)).collect();
        }
        if !who.contains('!') {
            return self.own_privileges(who, path);
        }
        let Some(token) = self.tokens.get(who) else { return Privileges::new() };
        let user = self.privileges(Access::owner(who), path);
        if !token.separated {
            return user;
        }
        let own = self.own_privileges(who, path).into_iter();
        let both = own.filter_map(|(privilege, propagate)| {
            let other = *user.get(privilege)?;
            Some((privilege, propagate && other))
        });
        both.collect()
    }

    fn own_privileges(&self, who: &str, path: &str) -> Privileges<'_> {
        let mut privileges = Privileges::new();
        for (role, propagate) in self.all_roles_on(who, path) {
            for privilege in self.roles.get(role).into_iter().flatten() {
                *privileges.entry(privilege).or_insert(false) |= propagate;
            }
        }
        privileges
    }

    /// Whether somebody has all of `wanted` on a path.
    pub(crate) fn allows(&self, who: &str, path: &str, wanted: &[&str]) -> bool {
        self.check(who, path, wanted).is_ok()
    }

    /// Requires all of `wanted`; the error names the first that is missing.
    pub(crate) fn check(&self, who: &str, path: &str, wanted: &[&str]) -> Result<(), Failure> {
        let has = self.privileges(who, path);
        match wanted.iter().find(|privilege| !has.contains_key(**privilege)) {
            Some(missing) => Err(Failure::permission(&format!("{path}, {missing}"))),
            None => Ok(()),
        }
    }

    /// Requires one of `wanted`.
    pub(crate) fn check_any(&self, who: &str, path: &str, wanted: &[&str]) -> Result<(), Failure> {
        let has = self.privileges(who, path);
        if wanted.iter().any(|privilege| has.contains_key(*privilege)) {
            Ok(())
        } else {
            Err(Failure::permission(&format!("{path}, {}", wanted.join("|"))))
        }
    }

    /// Requires privileges on one machine.
    pub(crate) fn check_vm(&self, who: &str, vmid: u32, wanted: &[&str]) -> Result<(), Failure> {
        self.check(who, &format!("/vms/{vmid}"), wanted)
    }

    /// Requires the use of a bridge, or of the VLANs that a card takes part in.
    pub(crate) fn check_bridge(
        &self,
        who: &str,
        bridge: &str,
        tag: Option<&str>,
        trunks: Option<&str>,
    ) -> Result<(), Failure> {
        let zone = format!("/sdn/zones/localnetwork/{bridge}");
        if let Some(tag) = tag {
            return self.check(who, &format!("{zone}/{tag}"), &["SDN.Use"]);
        }
        let Some(trunks) = trunks else { return self.check(who, &zone, &["SDN.Use"]) };
        for span in trunks.split(';') {
            let (first, last) = span.split_once('-').unwrap_or((span, span));
            let numbers = first.parse::<u32>().unwrap_or(0)..=last.parse::<u32>().unwrap_or(0).min(4094);
            for tag in numbers {
                self.check(who, &format!("{zone}/{tag}"), &["SDN.Use"])?;
            }
        }
        Ok(())
    }

    /// All paths that some row or pool names, besides the usual ones.
    pub(crate) fn known_paths(&self) -> BTreeSet<String> {
        let usual = ["/", "/access", "/access/groups", "/nodes", "/pool", "/sdn", "/storage", "/vms"];
        let mut paths: BTreeSet<String> = usual.into_iter().map(str::to_owned).collect();
        for path in self.rules.keys() {
            let mut prefix = String::new();
            for part in path.split('/').filter(|part| !part.is_empty()) {
                prefix = format!("{prefix}/{part}");
                paths.insert(prefix.clone());
            }
        }
        for pool in self.pools.values() {
            paths.extend(pool.vms.iter().map(|vmid| format!("/vms/{vmid}")));
            paths.extend(pool.storages.iter().map(|name| format!("/storage/{name}")));
        }
        paths
    }

    /// Whether somebody exists, is enabled and has not expired.
    pub(crate) fn active(&self, user: &str, now: i64) -> bool {
        self.users.get(user).is_some_and(|user| user.enabled && (user.expire == 0 || user.expire > now))
    }

    /// Whether a token and its secret are good; `name` is the token's full name.
    pub(crate) fn token_is_good(&self, name: &str, secret: &str, now: i64) -> bool {
        let token = self.tokens.get(name).filter(|token| token.expire == 0 || token.expire > now);
        token.is_some_and(|token| token.secret == secret) && self.active(Access::owner(name), now)
    }
}

/// The roles that every installation has.
pub(crate) fn built_in_roles() -> BTreeMap<String, BTreeSet<String>> {
    let mut roles: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    roles.insert("NoAccess".to_owned(), BTreeSet::new());
    for (group, root, admin, user, audit) in GROUPS {
        let mut add = |role: &str, lists: &[&[&str]]| {
            let set = roles.entry(role.to_owned()).or_default();
            set.extend(lists.iter().flat_map(|list| list.iter().map(|privilege| (*privilege).to_owned())));
        };
        add("Administrator", &[root, admin, user, audit]);
        if group == "Permissions" {
            continue;
        }
        add(&format!("PVE{group}Admin"), &[admin, user, audit]);
        add("PVEAdmin", &[admin, user, audit]);
        if !user.is_empty() {
            add(&format!("PVE{group}User"), &[user, audit]);
        }
        add("PVEAuditor", &[audit]);
    }
    if let Some(admin) = roles.get_mut("PVEAdmin") {
        admin.remove("Mapping.Modify");
    }
    roles.insert("PVETemplateUser".to_owned(), ["VM.Audit", "VM.Clone"].map(str::to_owned).into());
    roles
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(path: &str, kind: &str, who: &str, role: &str) -> Rule {
        let [path, kind, who, role] = [path, kind, who, role].map(str::to_owned);
        Rule { path, kind, who, role, propagate: true }
    }

    #[test]
    fn the_nearest_row_wins_and_no_access_hides_the_rest() {
        let mut access = Access::new();
        access.add_rule(rule("/", "user", "ann@pve", "PVEAuditor"));
        access.add_rule(rule("/vms/100", "user", "ann@pve", "PVEVMUser"));
        access.add_rule(rule("/vms/101", "user", "ann@pve", "NoAccess"));
        assert!(access.allows("ann@pve", "/vms/102", &["VM.Audit"]));
        assert!(!access.allows("ann@pve", "/vms/102", &["VM.PowerMgmt"]));
        assert!(access.allows("ann@pve", "/vms/100", &["VM.PowerMgmt"]));
        assert!(!access.allows("ann@pve", "/vms/101", &["VM.Audit"]));
    }

    #[test]
    fn a_separated_token_has_what_both_have() {
        let mut access = Access::new();
        access.add_rule(rule("/vms", "user", "ann@pve", "PVEVMUser"));
        access.add_rule(rule("/vms", "token", "ann@pve!t1", "PVEAuditor"));
        let token = |separated| Token { separated, expire: 0, secret: "s".to_owned() };
        access.tokens.insert("ann@pve!t1".to_owned(), token(true));
        access.tokens.insert("ann@pve!t2".to_owned(), token(false));
        assert!(access.allows("ann@pve!t1", "/vms/100", &["VM.Audit"]));
        assert!(!access.allows("ann@pve!t1", "/vms/100", &["VM.PowerMgmt"]));
        assert!(access.allows("ann@pve!t2", "/vms/100", &["VM.PowerMgmt"]));
        assert!(!access.allows("ann@pve!t3", "/vms/100", &["VM.Audit"]));
    }

    #[test]
    fn a_pool_gives_its_roles_to_its_machines() {
        let mut access = Access::new();
        access.add_rule(rule("/pool/prod", "user", "ann@pve", "PVEVMUser"));
        access.pools.insert("prod".to_owned(), Pool { vms: [101].into(), ..Pool::default() });
        assert!(access.allows("ann@pve", "/vms/101", &["VM.Audit"]));
        assert!(!access.allows("ann@pve", "/vms/100", &["VM.Audit"]));
    }
}
