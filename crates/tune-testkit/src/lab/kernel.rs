//! What the plain files bound over a host's /proc/sys/vm say when it is switched on: the values of a small Debian server,
//! with the modes that the kernel gives them. They keep what is written and judge nothing.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Name, mode and value of each file of /proc/sys/vm.
const VM: [(&str, u32, &str); 33] = [
    ("admin_reserve_kbytes", 0o644, "8192"),
    ("compact_memory", 0o200, ""),
    ("compaction_proactiveness", 0o644, "20"),
    ("dirty_background_bytes", 0o644, "0"),
    ("dirty_background_ratio", 0o644, "10"),
    ("dirty_bytes", 0o644, "0"),
    ("dirty_expire_centisecs", 0o644, "3000"),
    ("dirty_ratio", 0o644, "20"),
    ("dirty_writeback_centisecs", 0o644, "500"),
    ("dirtytime_expire_seconds", 0o644, "43200"),
    ("drop_caches", 0o200, ""),
    ("extfrag_threshold", 0o644, "500"),
    ("laptop_mode", 0o644, "0"),
    ("legacy_va_layout", 0o644, "0"),
    ("lowmem_reserve_ratio", 0o644, "256\t256\t32\t0\t0"),
    ("max_map_count", 0o644, "65530"),
    ("min_free_kbytes", 0o644, "67584"),
    ("mmap_min_addr", 0o644, "65536"),
    ("mmap_rnd_bits", 0o600, "28"),
    ("nr_hugepages", 0o644, "0"),
    ("nr_overcommit_hugepages", 0o644, "0"),
    ("overcommit_kbytes", 0o644, "0"),
    ("overcommit_memory", 0o644, "0"),
    ("overcommit_ratio", 0o644, "50"),
    ("page-cluster", 0o644, "3"),
    ("panic_on_oom", 0o644, "0"),
    ("stat_interval", 0o644, "1"),
    ("swappiness", 0o644, "60"),
    ("user_reserve_kbytes", 0o644, "131072"),
    ("vfs_cache_pressure", 0o644, "100"),
    ("watermark_boost_factor", 0o644, "15000"),
    ("watermark_scale_factor", 0o644, "10"),
    ("zone_reclaim_mode", 0o644, "0"),
];

/// Writes the values of a host that was just switched on into `directory`.
pub(super) fn write_vm(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    for (name, mode, value) in VM {
        let path = directory.join(name);
        fs::write(&path, if value.is_empty() { String::new() } else { format!("{value}\n") })?;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
    }
    Ok(())
}
