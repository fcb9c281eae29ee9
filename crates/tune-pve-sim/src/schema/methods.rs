//! The parameters that each call takes, beside those in its path.

use std::sync::OnceLock;

use super::formats::{config_id, dns_name, node, pool_id, privilege, realm, storage_id, task_status, vmid};
use super::options::{self, settable};
use super::{Prop, Table, drive};

/// Builds a table from rows.
fn table<const N: usize>(rows: [(&'static str, Prop); N]) -> Table {
    let mut table = Table::default();
    for (key, prop) in rows {
        table.insert(key, prop);
    }
    table
}

/// Keeps a table for the life of the program.
macro_rules! call {
    ($(#[$doc:meta])* $name:ident, $build:expr) => {
        $(#[$doc])*
        pub(crate) fn $name() -> &'static Table {
            static TABLE: OnceLock<Table> = OnceLock::new();
            TABLE.get_or_init(|| $build)
        }
    };
}

fn skiplock() -> Prop {
    Prop::boolean()
}

fn vm_number() -> Prop {
    Prop::integer().check(vmid).min(100.0).max(999_999_999.0)
}

call!(
    /// Calls that take only what is in their path.
    none,
    Table::default()
);
call!(
    /// `GET …/config`.
    config_get,
    table([("current", Prop::boolean()), ("snapshot", Prop::string().check(config_id).longest(40))])
);
call!(
    /// `PUT …/config`.
    config_put,
    update(settable())
);
call!(
    /// `POST …/config`.
    config_post,
    {
        let mut table = update(settable());
        table.insert("background_delay", Prop::integer().min(1.0).max(30.0));
        table.insert("import-working-storage", Prop::string().check(storage_id));
        table
    }
);

fn update(mut table: Table) -> Table {
    table.insert("skiplock", skiplock());
    table.insert("delete", Prop::string().list(config_id));
    table.insert("revert", Prop::string().list(config_id));
    table.insert("force", Prop::boolean().requires("delete"));
    table.insert("digest", Prop::string().longest(40));
    table
}

call!(
    /// `POST …/qemu`.
    create,
    {
        let mut table = settable();
        for (key, prop) in [
            ("archive", Prop::string().longest(255)),
            ("storage", Prop::string().check(storage_id)),
            ("force", Prop::boolean().requires("archive")),
            ("unique", Prop::boolean().requires("archive")),
            ("live-restore", Prop::boolean()),
            ("pool", Prop::string().check(pool_id)),
            ("bwlimit", Prop::integer().min(0.0)),
            ("start", Prop::boolean()),
            ("ha-managed", Prop::boolean()),
            ("import-working-storage", Prop::string().check(storage_id)),
            ("vmid", vm_number().required()),
        ] {
            table.insert(key, prop);
        }
        table
    }
);
call!(
    /// `DELETE …/qemu/ID`.
    destroy,
    table([("skiplock", skiplock()), ("purge", Prop::boolean()), ("destroy-unreferenced-disks", Prop::boolean())])
);
call!(
    /// `PUT …/unlink`.
    unlink,
    table([("idlist", Prop::string().list(config_id).required()), ("force", Prop::boolean())])
);
call!(
    /// `PUT …/resize`.
    resize,
    {
        let keys: Vec<String> = drive::drive_keys().collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        table([
            ("skiplock", skiplock()),
            ("disk", Prop::string().required().choices(&keys)),
            ("size", Prop::string().required().pattern(r"\+?\d+(\.\d+)?[KMGT]?")),
            ("digest", Prop::string().longest(40)),
        ])
    }
);
call!(
    /// `POST …/status/start`.
    start,
    table([
        ("skiplock", skiplock()),
        ("stateuri", Prop::string().longest(128)),
        ("migratedfrom", Prop::string().check(node)),
        ("migration_type", Prop::string().choices(&["secure", "insecure"])),
        ("migration_network", Prop::string().check(super::formats::cidr)),
        ("machine", Prop::string().props(options::machine())),
        ("force-cpu", Prop::string()),
        ("targetstorage", options::free_list()),
        ("timeout", Prop::integer().min(0.0)),
        ("with-conntrack-state", Prop::boolean()),
        ("nets-host-mtu", Prop::string().pattern(r"net\d+=\d+(,net\d+=\d+)*")),
    ])
);
call!(
    /// `POST …/status/stop`.
    stop,
    table([
        ("skiplock", skiplock()),
        ("migratedfrom", Prop::string().check(node)),
        ("timeout", Prop::integer().min(0.0)),
        ("keepActive", Prop::boolean()),
        ("overrule-shutdown", Prop::boolean()),
    ])
);
call!(
    /// `POST …/status/shutdown`.
    shutdown,
    table([
        ("skiplock", skiplock()),
        ("timeout", Prop::integer().min(0.0)),
        ("forceStop", Prop::boolean()),
        ("keepActive", Prop::boolean()),
    ])
);
call!(
    /// `POST …/status/reboot`.
    reboot,
    table([("timeout", Prop::integer().min(0.0))])
);
call!(
    /// `POST …/status/reset`.
    reset,
    table([("skiplock", skiplock())])
);
call!(
    /// `POST …/status/suspend`.
    suspend,
    table([
        ("skiplock", skiplock()),
        ("todisk", Prop::boolean()),
        ("statestorage", Prop::string().check(storage_id).requires("todisk")),
    ])
);
call!(
    /// `POST …/status/resume`.
    resume,
    table([("skiplock", skiplock()), ("nocheck", Prop::boolean())])
);
call!(
    /// `POST …/migrate`.
    migrate,
    table([
        ("target", Prop::string().check(node).required()),
        ("online", Prop::boolean()),
        ("force", Prop::boolean()),
        ("migration_type", Prop::string().choices(&["secure", "insecure"])),
        ("migration_network", Prop::string().check(super::formats::cidr)),
        ("with-local-disks", Prop::boolean()),
        ("targetstorage", options::free_list()),
        ("bwlimit", Prop::integer().min(0.0)),
        ("with-conntrack-state", Prop::boolean()),
    ])
);
call!(
    /// `POST …/agent`.
    agent,
    table([("command", Prop::string().required().choices(&crate::api::agent::SIMPLE_COMMANDS))])
);
call!(
    /// `POST …/agent/exec`.
    agent_exec,
    table([("command", Prop::array().required()), ("input-data", Prop::string().longest(65_536))])
);
call!(
    /// `GET …/agent/exec-status`.
    agent_exec_status,
    table([("pid", Prop::integer().required())])
);
call!(
    /// `GET …/agent/file-read`.
    agent_file_read,
    table([
        ("file", Prop::string().required()),
        ("count", Prop::integer().min(0.0)),
        ("offset", Prop::integer().min(0.0)),
        ("decode", Prop::boolean()),
    ])
);
call!(
    /// `POST …/agent/file-write`.
    agent_file_write,
    table([
        ("file", Prop::string().required()),
        ("content", Prop::string().required().longest(61_440)),
        ("encode", Prop::boolean()),
    ])
);
call!(
    /// `POST …/agent/set-user-password`.
    agent_password,
    table([
        ("username", Prop::string().required()),
        ("password", Prop { min_length: Some(5), ..Prop::string().required().longest(1024) }),
        ("crypted", Prop::boolean()),
    ])
);
call!(
    /// `GET /nodes/N/qemu`.
    list,
    table([("full", Prop::boolean())])
);
call!(
    /// `GET /nodes/N/tasks`.
    tasks,
    table([
        ("start", Prop::integer().min(0.0)),
        ("limit", Prop::integer().min(0.0)),
        ("userfilter", Prop::string()),
        ("typefilter", Prop::string()),
        ("vmid", vm_number()),
        ("errors", Prop::boolean()),
        ("source", Prop::string().choices(&["archive", "active", "all"])),
        ("since", Prop::integer()),
        ("until", Prop::integer()),
        ("statusfilter", Prop::string().list(task_status)),
    ])
);
call!(
    /// `GET …/tasks/UPID/log`.
    task_log,
    table([
        ("start", Prop::integer().min(0.0)),
        ("limit", Prop::integer().min(0.0)),
        ("download", Prop::boolean()),
    ])
);
call!(
    /// `POST /access/ticket`.
    ticket,
    table([
        ("username", Prop::string().required().longest(64)),
        ("password", Prop::string().required()),
        ("realm", Prop::string().check(realm).longest(32)),
        ("otp", Prop::string()),
        ("path", Prop::string().requires("privs").longest(64)),
        ("privs", Prop::string().list(privilege).requires("path").longest(64)),
        ("new-format", Prop::boolean()),
        ("tfa-challenge", Prop::string()),
    ])
);
call!(
    /// `GET /access/permissions`.
    permissions,
    table([
        ("userid", Prop::string().pattern(r"[^\s:/]+@[A-Za-z][A-Za-z0-9.\-_]+(?:![A-Za-z][A-Za-z0-9.\-_]+)?")),
        ("path", Prop::string()),
    ])
);
call!(
    /// `GET /access/users`.
    users,
    table([("enabled", Prop::boolean()), ("full", Prop::boolean())])
);
call!(
    /// `GET /cluster/resources`.
    resources,
    table([("type", Prop::string().choices(&["vm", "storage", "node", "sdn"]))])
);
call!(
    /// `GET /cluster/nextid`.
    next_id,
    table([("vmid", vm_number())])
);
call!(
    /// `POST …/clone`.
    clone,
    table([
        ("newid", vm_number().required()),
        ("name", Prop::string().check(dns_name)),
        ("description", Prop::string()),
        ("pool", Prop::string().check(pool_id)),
        ("snapname", Prop::string().check(config_id).longest(40)),
        ("storage", Prop::string().check(storage_id)),
        ("format", Prop::string().choices(&["raw", "qcow2", "vmdk"])),
        ("full", Prop::boolean()),
        ("target", Prop::string().check(node)),
        ("bwlimit", Prop::integer().min(0.0)),
    ])
);
call!(
    /// `GET …/feature`.
    feature,
    table([
        ("feature", Prop::string().choices(&["snapshot", "clone", "copy"]).required()),
        ("snapname", Prop::string().check(config_id).longest(40)),
    ])
);

fn time_frame() -> Prop {
    Prop::string().choices(&["hour", "day", "week", "month", "year"]).required()
}

fn consolidation() -> Prop {
    Prop::string().choices(&["AVERAGE", "MAX"])
}

call!(
    /// `GET …/rrddata`.
    rrd_data,
    table([("timeframe", time_frame()), ("cf", consolidation())])
);
call!(
    /// `GET …/rrd`.
    rrd,
    table([
        ("timeframe", time_frame()),
        ("ds", Prop::string().list(config_id).required()),
        ("cf", consolidation()),
    ])
);
call!(
    /// `GET …/cloudinit/dump`.
    cloudinit_dump,
    table([("type", Prop::string().choices(&["user", "network", "meta"]).required())])
);
call!(
    /// `PUT …/sendkey`.
    send_key,
    table([("skiplock", skiplock()), ("key", Prop::string().required())])
);
call!(
    /// `POST …/monitor`.
    monitor,
    table([("command", Prop::string().required())])
);
call!(
    /// `POST …/vncproxy`.
    vnc_proxy,
    table([("websocket", Prop::boolean()), ("generate-password", Prop::boolean())])
);
call!(
    /// `POST …/termproxy`.
    term_proxy,
    table([("serial", Prop::string().choices(&["serial0", "serial1", "serial2", "serial3"]))])
);
call!(
    /// `POST …/spiceproxy`.
    spice_proxy,
    table([("proxy", Prop::string().check(super::formats::address))])
);
call!(
    /// `GET …/vncwebsocket`.
    vnc_websocket,
    table([
        ("vncticket", Prop::string().longest(512).required()),
        ("port", Prop::integer().min(5900.0).max(5999.0).required()),
    ])
);
call!(
    /// `POST …/move_disk`.
    move_disk,
    {
        let unused = (0..drive::UNUSED).map(|number| format!("unused{number}"));
        let keys: Vec<String> = drive::drive_keys().chain(unused).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        table([
            ("target-vmid", vm_number()),
            ("disk", Prop::string().choices(&keys).required()),
            ("storage", Prop::string().check(storage_id)),
            ("format", Prop::string().choices(&["raw", "qcow2", "vmdk"])),
            ("delete", Prop::boolean()),
            ("digest", Prop::string().longest(40)),
            ("bwlimit", Prop::integer().min(0.0)),
            ("target-disk", Prop::string().choices(&keys)),
            ("target-digest", Prop::string().longest(40)),
        ])
    }
);
call!(
    /// `POST …/template`.
    template,
    {
        let keys: Vec<String> = drive::drive_keys().collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        table([("disk", Prop::string().choices(&keys))])
    }
);

fn snapshot_name() -> Prop {
    Prop::string().check(config_id).longest(40).required()
}

call!(
    /// `POST …/snapshot`.
    snapshot,
    table([("snapname", snapshot_name()), ("vmstate", Prop::boolean()), ("description", Prop::string())])
);
call!(
    /// `DELETE …/snapshot/NAME`.
    snapshot_delete,
    table([("force", Prop::boolean())])
);
call!(
    /// `PUT …/snapshot/NAME/config`.
    snapshot_config,
    table([("description", Prop::string())])
);
call!(
    /// `POST …/snapshot/NAME/rollback`.
    rollback,
    table([("start", Prop::boolean())])
);
call!(
    /// `POST …/remote_migrate`.
    remote_migrate,
    table([
        ("target-vmid", vm_number()),
        ("target-endpoint", Prop::string().required()),
        ("online", Prop::boolean()),
        ("delete", Prop::boolean()),
        ("target-storage", options::free_list().required()),
        ("target-bridge", options::free_list().required()),
        ("bwlimit", Prop::integer().min(0.0)),
    ])
);
