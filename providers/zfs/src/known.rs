//! What is known about particular parameters of ZFS, as tables. Everything else about a parameter is read from the host.

use crate::name::{Name, ZFS};

/// A parameter whose file says what was written, while the statistics say what is used.
#[derive(Debug)]
pub(crate) struct Reported {
    pub(crate) parameter: &'static str,
    /// The line of [`ARCSTATS`].
    pub(crate) field: &'static str,
    /// Below this, ZFS ignores what is written, without a word.
    pub(crate) least: i128,
}

/// The statistics of the cache.
pub(crate) const ARCSTATS: &str = "/proc/spl/kstat/zfs/arcstats";

/// The limits of the cache: 64 MiB is the least greatest size, two of the largest blocks the least smallest one.
const REPORTED: &[Reported] = &[
    Reported { parameter: ARC_MAX, field: "c_max", least: 64 << 20 },
    Reported { parameter: ARC_MIN, field: "c_min", least: 32 << 20 },
];

pub(crate) const ARC_MAX: &str = "zfs_arc_max";
pub(crate) const ARC_MIN: &str = "zfs_arc_min";
pub(crate) const DIRTY_MAX: &str = "zfs_dirty_data_max";
pub(crate) const DIRTY_MAX_MAX: &str = "zfs_dirty_data_max_max";
pub(crate) const TXG_TIMEOUT: &str = "zfs_txg_timeout";

/// Parameters of ZFS that are read-only in `/sys/module` (mode 0444).
const LOAD_TIME: &[&str] = &[
    "dbuf_mutex_cache_shift",
    "spa_config_path",
    "zfs_arc_shrinker_seeks",
    "zfs_dedup_log_mem_max",
    "zfs_dedup_log_mem_max_percent",
    "zfs_dirty_data_max_max",
    "zfs_dirty_data_max_max_percent",
    "zfs_dirty_data_max_percent",
    "zfs_vdev_disk_classic",
    "zio_taskq_batch_pct",
    "zio_taskq_batch_tpq",
    "zio_taskq_write_tpq",
    "zvol_blk_mq_threads",
    "zvol_major",
    "zvol_max_discard_blocks",
    "zvol_num_taskqs",
    "zvol_threads",
];

/// Parameters of ZFS that count bytes.
const BYTES: &[&str] = &[
    "dbuf_cache_max_bytes",
    "dbuf_metadata_cache_max_bytes",
    "l2arc_rebuild_blocks_min_l2size",
    "l2arc_write_boost",
    "l2arc_write_max",
    "zfs_arc_dnode_limit",
    "zfs_arc_max",
    "zfs_arc_meta_limit",
    "zfs_arc_meta_min",
    "zfs_arc_min",
    "zfs_arc_sys_free",
    "zfs_dedup_log_mem_max",
    "zfs_dirty_data_max",
    "zfs_dirty_data_max_max",
    "zfs_immediate_write_sz",
    "zfs_max_recordsize",
    "zfs_vdev_aggregation_limit",
    "zfs_vdev_aggregation_limit_non_rotating",
    "zfs_wrlog_data_max",
    "zil_maxblocksize",
    "zil_slog_bulk",
    "zvol_prefetch_bytes",
];

/// Ranges outside which a value does harm although the module takes it, or is meaningless.
const RANGES: &[(&str, i128, i128, &str)] = &[
    (TXG_TIMEOUT, 1, 60, "a transaction group is written at least every 1 to 60 seconds"),
    ("zfs_arc_lotsfree_percent", 0, 100, "it is a percentage"),
    ("zfs_commit_timeout_pct", 0, 100, "it is a percentage"),
    ("zfs_dirty_data_max_max_percent", 1, 100, "it is a percentage"),
    ("zfs_dirty_data_max_percent", 1, 100, "it is a percentage"),
    ("zfs_dirty_data_sync_percent", 1, 100, "it is a percentage"),
    ("zfs_delay_min_dirty_percent", 1, 100, "it is a percentage"),
];

/// Parameters that risk data that was acknowledged, when they are not 0, with what would happen.
const DANGEROUS: &[(&str, &str)] = &[
    (
        "zfs_nocacheflush",
        "disks would not be told to write out their caches: after a power failure pools may be damaged and \
         acknowledged writes be lost",
    ),
    (
        "zil_nocacheflush",
        "the intent log would not be flushed out of the disks' caches: after a power failure acknowledged synchronous \
         writes may be lost",
    ),
    (
        "zil_replay_disable",
        "the intent log would not be replayed at import: synchronous writes acknowledged before a crash would be lost",
    ),
];

/// Returns how a parameter is judged that is not what its file says.
pub(crate) fn reported(name: &Name) -> Option<&'static Reported> {
    let known = REPORTED.iter().find(|known| known.parameter == name.parameter);
    known.filter(|_| name.module == ZFS)
}

/// Returns whether the module is known to take a parameter only when it is loaded.
pub(crate) fn is_load_time(name: &Name) -> bool {
    name.module == ZFS && LOAD_TIME.contains(&name.parameter.as_str())
}

/// Returns whether a parameter counts bytes.
pub(crate) fn is_bytes(name: &Name) -> bool {
    name.module == ZFS && BYTES.contains(&name.parameter.as_str())
}

/// Returns the least and the greatest sensible value, and why.
pub(crate) fn range(name: &Name) -> Option<(i128, i128, &'static str)> {
    let known = RANGES.iter().find(|(parameter, ..)| *parameter == name.parameter);
    known.filter(|_| name.module == ZFS).map(|(_, least, greatest, why)| (*least, *greatest, *why))
}

/// Returns what would happen if the parameter is set to anything but 0.
pub(crate) fn danger(name: &Name) -> Option<&'static str> {
    let known = DANGEROUS.iter().find(|(parameter, _)| *parameter == name.parameter);
    known.filter(|_| name.module == ZFS).map(|(_, danger)| *danger)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted_and_only_about_zfs() {
        assert!(LOAD_TIME.is_sorted() && BYTES.is_sorted());
        let of = |module: &str, parameter: &str| Name::new(module, parameter).unwrap();
        assert!(is_load_time(&of("zfs", "zvol_threads")) && !is_load_time(&of("nvme", "zvol_threads")));
        assert!(is_bytes(&of("zfs", ARC_MAX)) && !is_bytes(&of("nvme", ARC_MAX)));
        assert!(reported(&of("zfs", ARC_MAX)).is_some() && reported(&of("spl", ARC_MAX)).is_none());
        assert!(range(&of("zfs", TXG_TIMEOUT)).is_some() && range(&of("spl", TXG_TIMEOUT)).is_none());
        assert!(danger(&of("zfs", "zil_replay_disable")).is_some() && danger(&of("x", "zil_replay_disable")).is_none());
    }
}
