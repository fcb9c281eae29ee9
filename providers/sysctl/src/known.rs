//! What is known about particular kernel parameters, as tables. Everything else about a parameter is read from the
//! machine.

use tune_core::problem::Code;

use crate::codes::{NOT_A_SETTING, ONE_WAY, TRIGGER};

/// A parameter that cannot be a setting.
#[derive(Debug)]
pub(crate) struct Refused {
    /// Which parameters.
    pub(crate) pattern: &'static str,
    /// Only this value; any if `None`.
    pub(crate) value: Option<&'static str>,
    /// What kind of parameter it is.
    pub(crate) code: Code,
    /// Why, as the end of the sentence "`x` …".
    pub(crate) reason: &'static str,
}

const LOCK: &str = "is a lock: once set, it holds until the next boot and cannot be put back";

const fn refused(pattern: &'static str, value: Option<&'static str>, code: Code, reason: &'static str) -> Refused {
    Refused { pattern, value, code, reason }
}

/// What is refused, the more particular first.
const REFUSED: &[Refused] = &[
    refused("kernel.modules_disabled", None, ONE_WAY, LOCK),
    refused("kernel.kexec_load_disabled", None, ONE_WAY, LOCK),
    refused("kernel.kexec_load_limit_panic", None, ONE_WAY, "can only be lowered, so it cannot be put back"),
    refused("kernel.kexec_load_limit_reboot", None, ONE_WAY, "can only be lowered, so it cannot be put back"),
    refused("kernel.yama.ptrace_scope", Some("3"), ONE_WAY, "takes no other value after 3 until the next boot"),
    refused(
        "kernel.unprivileged_bpf_disabled",
        Some("1"),
        ONE_WAY,
        "takes no other value after 1 until the next boot; 2 disables it as well and can be put back",
    ),
    refused("kernel.usermodehelper.*", None, ONE_WAY, "can only drop capabilities, so it cannot be put back"),
    refused("kernel.tainted", None, ONE_WAY, "can only gain flags, so it cannot be put back"),
    refused("vm.compact_memory", None, TRIGGER, "compacts memory once when it is written, and keeps no value"),
    refused("vm.drop_caches", None, TRIGGER, "drops caches once when it is written, and keeps no setting"),
    refused(
        "vm.stat_refresh",
        None,
        TRIGGER,
        "refreshes statistics once when it is read or written, and keeps no value",
    ),
    refused(
        "net.ipv4.route.flush",
        None,
        TRIGGER,
        "flushes the route cache once when it is written, and keeps no value",
    ),
    refused(
        "net.ipv6.route.flush",
        None,
        TRIGGER,
        "flushes the route cache once when it is written, and keeps no value",
    ),
    refused(
        "kernel.random.**",
        None,
        NOT_A_SETTING,
        "belongs to the random number generator, which keeps nothing that is written to it",
    ),
    refused("kernel.ns_last_pid", None, NOT_A_SETTING, "changes with every new process"),
    refused("kernel.cad_pid", None, NOT_A_SETTING, "names a process, which does not outlive the boot"),
    refused("kernel.version", None, NOT_A_SETTING, "is reported by the kernel"),
    refused("kernel.osrelease", None, NOT_A_SETTING, "is reported by the kernel"),
    refused("kernel.ostype", None, NOT_A_SETTING, "is reported by the kernel"),
    refused("kernel.arch", None, NOT_A_SETTING, "is reported by the kernel"),
    refused("kernel.cap_last_cap", None, NOT_A_SETTING, "is reported by the kernel"),
    refused("kernel.ngroups_max", None, NOT_A_SETTING, "is reported by the kernel"),
    refused("kernel.pty.nr", None, NOT_A_SETTING, "is a counter; the limit is `kernel.pty.max`"),
    refused("fs.file-nr", None, NOT_A_SETTING, "is a counter; the limit is `fs.file-max`"),
    refused("fs.aio-nr", None, NOT_A_SETTING, "is a counter; the limit is `fs.aio-max-nr`"),
    refused("fs.inode-nr", None, NOT_A_SETTING, "is a counter"),
    refused("fs.inode-state", None, NOT_A_SETTING, "is a counter"),
    refused("fs.dentry-state", None, NOT_A_SETTING, "is a counter"),
    refused(
        "fs.binfmt_misc.**",
        None,
        NOT_A_SETTING,
        "belongs to binfmt_misc, which is a file system of its own; use binfmt.d",
    ),
    refused(
        "net.netfilter.nf_conntrack_count",
        None,
        NOT_A_SETTING,
        "is a counter; the limit is `net.netfilter.nf_conntrack_max`",
    ),
];

/// Ranges that the kernel enforces.
const RANGES: &[(&str, i128, i128)] = &[
    ("vm.swappiness", 0, 200),
    ("vm.dirty_ratio", 0, 100),
    ("vm.dirty_background_ratio", 0, 100),
    ("vm.overcommit_memory", 0, 2),
    ("vm.panic_on_oom", 0, 2),
    ("vm.vfs_cache_pressure", 0, i32::MAX as i128),
    ("vm.compaction_proactiveness", 0, 100),
    ("kernel.kptr_restrict", 0, 2),
    ("kernel.dmesg_restrict", 0, 1),
    ("kernel.yama.ptrace_scope", 0, 3),
    ("kernel.unprivileged_bpf_disabled", 0, 2),
    ("kernel.pid_max", 301, 4_194_304),
    ("fs.suid_dumpable", 0, 2),
    ("fs.protected_hardlinks", 0, 1),
    ("fs.protected_symlinks", 0, 1),
    ("fs.protected_fifos", 0, 2),
    ("fs.protected_regular", 0, 2),
    ("net.core.somaxconn", 0, i32::MAX as i128),
    ("net.ipv4.tcp_tw_reuse", 0, 2),
    ("net.ipv4.tcp_keepalive_probes", 0, 255),
    ("net.ipv4.tcp_syn_retries", 1, 127),
    ("net.ipv4.ip_unprivileged_port_start", 0, 65_535),
    ("net.ipv4.ip_local_port_range", 1, 65_535),
];

/// How to tell that a capacity shrinks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Measure {
    /// Any of its numbers is lower.
    Any,
    /// The last number, the maximum, is lower.
    Last,
    /// The range between its two numbers is smaller.
    Width,
}

/// Parameters of which less is worse for somebody.
const CAPACITIES: &[(&str, Measure)] = &[
    ("fs.file-max", Measure::Any),
    ("fs.nr_open", Measure::Any),
    ("fs.aio-max-nr", Measure::Any),
    ("fs.inotify.*", Measure::Any),
    ("fs.fanotify.*", Measure::Any),
    ("fs.epoll.max_user_watches", Measure::Any),
    ("fs.mqueue.*", Measure::Any),
    ("fs.pipe-max-size", Measure::Any),
    ("fs.mount-max", Measure::Any),
    ("kernel.pid_max", Measure::Any),
    ("kernel.threads-max", Measure::Any),
    ("kernel.pty.max", Measure::Any),
    ("kernel.shmmax", Measure::Any),
    ("kernel.shmall", Measure::Any),
    ("kernel.shmmni", Measure::Any),
    ("kernel.sem", Measure::Any),
    ("kernel.msgmax", Measure::Any),
    ("kernel.msgmnb", Measure::Any),
    ("kernel.msgmni", Measure::Any),
    ("kernel.keys.*max*", Measure::Any),
    ("vm.max_map_count", Measure::Any),
    ("vm.nr_hugepages", Measure::Any),
    ("vm.nr_overcommit_hugepages", Measure::Any),
    ("user.max_*", Measure::Any),
    ("net.core.somaxconn", Measure::Any),
    ("net.core.netdev_max_backlog", Measure::Any),
    ("net.core.optmem_max", Measure::Any),
    ("net.core.rmem_max", Measure::Any),
    ("net.core.wmem_max", Measure::Any),
    ("net.ipv4.tcp_max_syn_backlog", Measure::Any),
    ("net.ipv4.tcp_max_tw_buckets", Measure::Any),
    ("net.ipv4.tcp_max_orphans", Measure::Any),
    ("net.ipv4.tcp_rmem", Measure::Last),
    ("net.ipv4.tcp_wmem", Measure::Last),
    ("net.ipv4.tcp_mem", Measure::Last),
    ("net.ipv4.udp_mem", Measure::Last),
    ("net.ipv4.ip_local_port_range", Measure::Width),
    ("net.ipv4.neigh.default.gc_thresh*", Measure::Any),
    ("net.ipv6.neigh.default.gc_thresh*", Measure::Any),
    ("net.ipv6.route.max_size", Measure::Any),
    ("net.netfilter.nf_conntrack_max", Measure::Any),
    ("net.netfilter.nf_conntrack_buckets", Measure::Any),
    ("net.netfilter.nf_conntrack_expect_max", Measure::Any),
];

/// Parameters that exist only while a module is loaded.
const MODULES: &[(&str, &str)] = &[
    ("net.bridge.**", "br_netfilter"),
    ("net.netfilter.nf_conntrack_*", "nf_conntrack"),
    ("net.ipv4.vs.**", "ip_vs"),
    ("net.sctp.**", "sctp"),
    ("net.mpls.**", "mpls_router"),
    ("fs.nfs.**", "lockd"),
    ("sunrpc.**", "sunrpc"),
    ("dev.parport.**", "parport"),
    ("dev.cdrom.**", "cdrom"),
    ("dev.raid.**", "md_mod"),
];

/// Parameters with which a wrong value may make the machine unreachable.
const MAY_CUT: &[&str] = &[
    "net.ipv4.conf.**",
    "net.ipv4.neigh.**",
    "net.ipv4.ip_forward",
    "net.ipv4.ip_nonlocal_bind",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.fib_*",
    "net.ipv4.tcp_mem",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_wmem",
    "net.ipv4.tcp_congestion_control",
    "net.ipv4.tcp_mtu_probing",
    "net.ipv4.tcp_base_mss",
    "net.ipv4.tcp_ecn",
    "net.ipv4.tcp_timestamps",
    "net.ipv4.tcp_retries*",
    "net.ipv4.tcp_l3mdev_accept",
    "net.ipv6.conf.**",
    "net.ipv6.neigh.**",
    "net.ipv6.route.**",
    "net.ipv6.fib_*",
    "net.bridge.**",
    "net.netfilter.**",
];

/// Parameters that each network namespace has for itself and that start from the kernel's default there.
const PER_NAMESPACE: &[&str] = &[
    "net.core.somaxconn",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_keepalive_*",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_max_syn_backlog",
    "net.ipv4.tcp_max_tw_buckets",
    "net.ipv4.tcp_mtu_probing",
    "net.ipv4.tcp_retries*",
    "net.ipv4.tcp_slow_start_after_idle",
    "net.ipv4.tcp_syn_retries",
    "net.ipv4.tcp_synack_retries",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_tw_reuse",
];

/// What a container has for itself; all other parameters are the machine's.
const CONTAINERS_OWN: &[&str] = &[
    "net.**",
    "fs.mqueue.**",
    "kernel.hostname",
    "kernel.domainname",
    "kernel.shm*",
    "kernel.msg*",
    "kernel.sem",
    "user.**",
];

/// What the kubelet writes at each start.
const KUBELET_WRITES: &[(&str, &str)] = &[
    ("vm.overcommit_memory", "1"),
    ("vm.panic_on_oom", "0"),
    ("kernel.panic", "10"),
    ("kernel.panic_on_oops", "1"),
    ("kernel.keys.root_maxkeys", "1000000"),
    ("kernel.keys.root_maxbytes", "25000000"),
];

/// Parameters that the kernel copies to every interface when they are written.
const SPREADING: &[&str] = &[
    "net.ipv4.ip_forward",
    "net.ipv6.conf.all.forwarding",
    "net.ipv6.conf.all.disable_ipv6",
    "net.ipv6.conf.all.addr_gen_mode",
];

/// Parameters whose value is a text, a list or a mask, even when it looks like a number, and may be empty.
const TEXTS: &[&str] = &[
    "kernel.core_pattern",
    "kernel.domainname",
    "kernel.hostname",
    "kernel.hotplug",
    "kernel.modprobe",
    "kernel.poweroff_cmd",
    "kernel.watchdog_cpumask",
    "net.core.flow_limit_cpu_bitmap",
    "net.core.rps_default_mask",
    "net.ipv4.ip_local_reserved_ports",
];

/// Returns why a parameter cannot be set to a value in canonical form.
pub(crate) fn refusal(name: &str, value: &str) -> Option<&'static Refused> {
    REFUSED.iter().find(|entry| covers(entry.pattern, name) && entry.value.is_none_or(|refused| refused == value))
}

/// Returns the least and the greatest value that the kernel takes.
pub(crate) fn range(name: &str) -> Option<(i128, i128)> {
    RANGES.iter().find(|(known, ..)| *known == name).map(|(_, least, greatest)| (*least, *greatest))
}

/// Returns whether a change makes a capacity smaller.
pub(crate) fn shrinks(name: &str, before: &[i128], after: &[i128]) -> bool {
    let Some((_, measure)) = CAPACITIES.iter().find(|(pattern, _)| covers(pattern, name)) else { return false };
    match (measure, before, after) {
        (Measure::Any, ..) => before.iter().zip(after).any(|(before, after)| after < before),
        (Measure::Last, [.., before], [.., after]) => after < before,
        (Measure::Width, [low, high], [new_low, new_high]) => new_high - new_low < high - low,
        _ => false,
    }
}

/// Returns the module that a parameter comes with.
pub(crate) fn module(name: &str) -> Option<&'static str> {
    MODULES.iter().find(|(pattern, _)| covers(pattern, name)).map(|(_, module)| *module)
}

/// Returns whether a wrong value may make the machine unreachable.
pub(crate) fn may_cut_connection(name: &str) -> bool {
    any(MAY_CUT, name)
}

/// Returns whether each network namespace has the parameter for itself, starting from the kernel's default.
pub(crate) fn is_per_namespace(name: &str) -> bool {
    any(PER_NAMESPACE, name)
}

/// Returns whether a container has the parameter for itself.
pub(crate) fn is_containers_own(name: &str) -> bool {
    any(CONTAINERS_OWN, name)
}

/// Returns what the kubelet writes to the parameter at each start.
pub(crate) fn kubelet_writes(name: &str) -> Option<&'static str> {
    KUBELET_WRITES.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
}

/// Returns whether the kernel copies the parameter's value to every interface.
pub(crate) fn spreads(name: &str) -> bool {
    SPREADING.contains(&name)
}

/// Returns whether the parameter's value is a text, even when it looks like a number.
pub(crate) fn is_text(name: &str) -> bool {
    TEXTS.contains(&name)
}

/// Returns the one interface that a parameter belongs to.
pub(crate) fn interface(name: &str) -> Option<&str> {
    let parts: Vec<&str> = name.split('.').collect();
    match parts.as_slice() {
        ["net", "ipv4" | "ipv6", "conf" | "neigh", interface, _] if !matches!(*interface, "all" | "default" | "lo") => {
            Some(*interface)
        }
        _ => None,
    }
}

fn any(patterns: &[&str], name: &str) -> bool {
    patterns.iter().any(|pattern| covers(pattern, name))
}

/// Whether a pattern of these tables covers a name: part by part, with `*` for any text within a part and `**` at the
/// end for any further parts.
fn covers(pattern: &str, name: &str) -> bool {
    if let Some(prefix) = pattern.strip_suffix("**") {
        return name.starts_with(prefix);
    }
    // The halves of the name's separators are swapped for the glob: its parts are divided by slashes.
    let swap = |text: &str| text.replace('/', "\u{0}").replace('.', "/");
    crate::glob::matches(&swap(pattern), &swap(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Key;

    #[test]
    fn every_name_in_the_tables_is_a_name() {
        let patterns = REFUSED.iter().map(|entry| entry.pattern);
        let patterns = patterns.chain(RANGES.iter().map(|(name, ..)| *name));
        let patterns = patterns.chain(CAPACITIES.iter().map(|(name, _)| *name));
        let patterns = patterns.chain(MODULES.iter().map(|(name, _)| *name));
        let patterns = patterns.chain(KUBELET_WRITES.iter().map(|(name, _)| *name));
        let lists = [MAY_CUT, PER_NAMESPACE, CONTAINERS_OWN, SPREADING, TEXTS];
        for pattern in patterns.chain(lists.into_iter().flatten().copied()) {
            let name = pattern.replace("**", "x.y").replace('*', "x");
            assert_eq!(Key::parse(&name).map(|key| key.name()), Ok(name));
            assert!(covers(pattern, pattern), "{pattern}");
        }
    }

    #[test]
    fn patterns_cover_parts() {
        for (pattern, name, expect) in [
            ("net.ipv4.conf.**", "net.ipv4.conf.eth0/100.rp_filter", true),
            ("fs.inotify.*", "fs.inotify.max_user_watches", true),
            ("user.max_*", "user.max_mnt_namespaces", true),
            ("kernel.keys.*max*", "kernel.keys.root_maxkeys", true),
            ("kernel.shm*", "kernel.shm_rmid_forced", true),
            ("fs.inotify.*", "fs.inotify.a.b", false),
            ("kernel.sem", "kernel.sem_next_id", false),
        ] {
            assert_eq!(covers(pattern, name), expect, "{pattern} {name}");
        }
    }

    #[test]
    fn capacities_shrink() {
        assert!(shrinks("fs.file-max", &[2_466_177], &[2_097_152]));
        assert!(!shrinks("fs.file-max", &[2_097_152], &[2_466_177]));
        assert!(!shrinks("vm.swappiness", &[60], &[10]));
        assert!(shrinks("net.ipv4.tcp_rmem", &[4096, 1, 9], &[4096, 1, 8]));
        assert!(!shrinks("net.ipv4.tcp_rmem", &[4096, 2, 9], &[4096, 1, 9]));
        assert!(shrinks("net.ipv4.ip_local_port_range", &[32768, 60999], &[40000, 60999]));
        assert!(!shrinks("net.ipv4.ip_local_port_range", &[32768, 60999], &[1024, 60000]));
        assert!(shrinks("kernel.sem", &[250, 32000, 32, 128], &[250, 32000, 31, 256]));
    }

    #[test]
    fn interfaces_are_found() {
        assert_eq!(interface("net.ipv4.conf.eth0/100.forwarding"), Some("eth0/100"));
        assert_eq!(interface("net.ipv6.neigh.br0.gc_stale_time"), Some("br0"));
        for name in ["net.ipv4.conf.all.forwarding", "net.ipv4.conf.default.x", "net.ipv4.conf.lo.x", "vm.swappiness"] {
            assert_eq!(interface(name), None, "{name}");
        }
    }
}
