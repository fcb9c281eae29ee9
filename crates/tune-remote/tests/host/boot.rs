//! What waits for the next boot.

use std::fs;

use crate::ground::{Ground, Shell};

#[test]
fn a_newer_kernel_and_upgraded_packages_wait_for_a_boot() {
    for shell in Shell::all() {
        let ground = Ground::new(shell);
        ground.write("/proc/sys/kernel/osrelease", "6.1.0-9-amd64\n");
        let waits = || ground.read(&[]).facts.waits_for_boot;
        assert_eq!(waits(), Vec::<String>::new(), "{shell:?}");
        for kernel in ["6.1.0-9-amd64", "6.1.0-30-amd64"] {
            fs::create_dir_all(ground.path(&format!("/lib/modules/{kernel}/kernel"))).unwrap();
        }
        // Of this one something is left, but not the kernel.
        fs::create_dir_all(ground.path("/lib/modules/6.9.0-1-amd64/updates")).unwrap();
        assert_eq!(waits(), ["the newer kernel 6.1.0-30-amd64"], "{shell:?}");
        ground.write("/run/reboot-required", "*** System restart required ***\n");
        ground.write("/run/reboot-required.pkgs", "linux-base\nlibc6\n");
        assert_eq!(waits(), ["the newer kernel 6.1.0-30-amd64", "the upgraded packages libc6, linux-base"]);
        ground.write("/proc/sys/kernel/osrelease", "6.1.0-30-amd64\n");
        fs::remove_file(ground.path("/run/reboot-required.pkgs")).unwrap();
        assert_eq!(waits(), ["something that asked for a reboot (/run/reboot-required)"]);
    }
}

#[test]
fn in_a_container_no_kernel_waits() {
    let ground = Ground::new(Shell::all()[0]);
    ground.write("/proc/sys/kernel/osrelease", "6.1.0-9-amd64\n");
    fs::create_dir_all(ground.path("/lib/modules/6.1.0-30-amd64/kernel")).unwrap();
    fs::create_dir_all(ground.path("/run/systemd")).unwrap();
    ground.write("/run/systemd/container", "systemd-nspawn\n");
    ground.write("/run/reboot-required", "");
    ground.write("/run/reboot-required.pkgs", "linux-image-6.1.0-30-amd64\n");
    assert_eq!(ground.read(&[]).facts.waits_for_boot, Vec::<String>::new());
}
