//! Looking at a host.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;
use std::process::Command;

use tune_core::item::{ItemKey, Raw};
use tune_remote::{Evidence, Options};

use crate::ground::{Ground, Shell, batch, file, lookups, text};

#[test]
fn values_are_exact_up_to_the_last_line_break() {
    for shell in Shell::all() {
        let ground = Ground::new(shell);
        let values = [
            "60",
            "4096\t131072\t6291456",
            " leading and trailing ",
            "'; $(id) `id` \\ \" *",
            "",
            "é \u{1b}[31m",
            "-n",
        ];
        for (index, value) in values.iter().enumerate() {
            ground.write(&format!("/proc/sys/vm/v{index}"), format!("{value}\n"));
        }
        ground.write("/proc/sys/vm/bare", "no line break");
        let keys: Vec<String> = (0..values.len()).map(|index| format!("value:/proc/sys/vm/v{index}")).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let reading = ground.read(&keys);
        for (key, value) in keys.iter().zip(values) {
            let item = reading.readings[0].items[&(*key).into()].as_ref().unwrap();
            assert_eq!(item.raw, text(value), "{shell:?}");
            assert!(item.writable);
            assert_eq!(item.running.value.as_deref(), Some("644"));
        }
        assert_eq!(ground.raw("value:/proc/sys/vm/bare"), text("no line break"));
        assert_eq!(ground.raw("value:/proc/sys/vm/none"), Raw::Absent);
    }
}

#[test]
fn what_cannot_be_a_value_says_why() {
    for shell in Shell::all() {
        let ground = Ground::new(shell);
        ground.write("/proc/sys/vm/lines", "1\n2\n");
        ground.write("/proc/sys/vm/nul", b"1\x002\n");
        ground.write("/proc/sys/vm/latin", b"caf\xe9\n");
        assert!(Command::new("mkfifo").arg(ground.path("/proc/sys/vm/pipe")).status().unwrap().success());
        for (key, code) in [
            ("value:/proc/sys/vm/lines", "not_text"),
            ("value:/proc/sys/vm/nul", "not_text"),
            ("value:/proc/sys/vm/latin", "not_text"),
            ("value:/proc/sys/vm/pipe", "not_a_file"),
            ("value:/proc/sys/vm", "directory"),
            ("value:/proc/../etc/passwd", "no_place"),
            ("value:relative", "no_place"),
            ("value:/a\nb", "no_place"),
            ("nonsense", "no_place"),
        ] {
            let error = ground.item(key).unwrap_err();
            assert_eq!(error.code.0, format!("tune::remote::{code}"), "{shell:?} {key}");
        }
        // One of them does not spoil the others.
        let reading = ground.read(&["value:/proc/sys/vm/nul", "value:/proc/sys/vm/swappiness"]);
        assert_eq!(
            reading.readings[0].items[&"value:/proc/sys/vm/swappiness".into()].as_ref().unwrap().raw,
            text("60")
        );
    }
}

#[test]
fn of_a_pair_the_one_that_is_not_zero_speaks() {
    for shell in Shell::all() {
        let ground = Ground::new(shell);
        let key = "either:/proc/sys/vm/ratio:/proc/sys/vm/bytes";
        for (ratio, bytes, raw) in
            [("20", "0", text("one=20")), ("0", "4096", text("other=4096")), ("0", "0", text("one=0"))]
        {
            ground.write("/proc/sys/vm/ratio", format!("{ratio}\n"));
            ground.write("/proc/sys/vm/bytes", format!("{bytes}\n"));
            assert_eq!(ground.raw(key), raw, "{shell:?}");
        }
        fs::remove_file(ground.path("/proc/sys/vm/bytes")).unwrap();
        assert_eq!(ground.raw(key), Raw::Absent);
    }
}

#[test]
fn a_table_says_what_is_in_use() {
    for shell in Shell::all() {
        let ground = Ground::new(shell);
        let key = "reported:/proc/sys/vm/max:/proc/stats:c_max";
        let table = "13 1 0x01 1 272 1 2\nname   type data\nc_min  4    16\nc_max_x 4   5\nc_max 4\t4096\n* 4 x\n";
        assert_eq!(ground.raw(key), Raw::Absent, "{shell:?}");
        ground.write("/proc/sys/vm/max", "0\n");
        assert_eq!(ground.item(key).unwrap_err().code.0, "tune::remote::unreadable");
        ground.write("/proc/stats", table);
        assert_eq!(ground.raw(key), text("4096"), "{shell:?}");
        ground.write("/proc/stats", "c_max 4");
        assert_eq!(ground.item(key).unwrap_err().code.0, "tune::remote::unreadable");
    }
}

#[test]
fn times_are_read_without_contents() {
    for shell in Shell::all() {
        let ground = Ground::new(shell);
        fs::create_dir(ground.path("/boot")).unwrap();
        for (name, time) in [("initrd.img-6", "@1700000000"), ("it's $(id)", "@17")] {
            ground.write(&format!("/boot/{name}"), "big");
            let path = ground.path(&format!("/boot/{name}"));
            assert!(Command::new("touch").arg("-d").arg(time).arg(path).status().unwrap().success());
        }
        let evidence = Evidence::from_texts(&ground.read(&["value:/proc/sys/vm/swappiness"]).readings[0].evidence);
        assert_eq!(evidence.times["/boot/initrd.img-6"], 1_700_000_000, "{shell:?}");
        assert_eq!(evidence.times["/boot/it's $(id)"], 17);
        assert_eq!(evidence.times.len(), 3, "{:?}", evidence.times);
        assert!(evidence.times.contains_key("/etc/sysctl.d") && evidence.files.is_empty());
    }
}

#[test]
fn what_stands_beside_an_item_is_read_with_it() {
    for shell in Shell::all() {
        let ground = Ground::new(shell);
        ground.write("/proc/sys/vm/a.beside", "1\n");
        ground.write("/proc/sys/vm/b.beside", "2\n");
        fs::set_permissions(ground.path("/proc/sys/vm/b.beside"), fs::Permissions::from_mode(0o444)).unwrap();
        let read = |keys: &[&str]| Evidence::from_texts(&ground.read(keys).readings[0].evidence);
        let both = read(&["value:/proc/sys/vm/a", "value:/proc/sys/vm/b", "value:/proc/sys/vm/c"]);
        assert_eq!(both.files["/proc/sys/vm/a.beside"], "1\n", "{shell:?}");
        assert_eq!((both.modes["/proc/sys/vm/b.beside"], both.modes.len(), both.files.len()), (0o444, 2, 2));
        assert_eq!(read(&["value:/proc/sys/vm/a"]).modes.len(), 1);
    }
}

#[test]
fn more_files_are_read_than_one_program_can_be_told_of() {
    for shell in Shell::all() {
        let ground = Ground::new(shell);
        // Linux takes two million bytes of arguments at most.
        let name = |number: usize| format!("/etc/{}/{number}", "long".repeat(50));
        let keys: Vec<String> = (0..12_001).map(|number| format!("file:{}", name(number))).collect();
        fs::create_dir(ground.path(&name(0)).parent().unwrap()).unwrap();
        for number in (0..12_001).filter(|number| number % 7 != 0) {
            ground.write(&name(number), format!("{number}"));
        }
        let reading = ground.read(&keys.iter().map(String::as_str).collect::<Vec<_>>()).readings.remove(0);
        for (number, key) in keys.iter().enumerate() {
            let want = if number % 7 == 0 { Raw::Absent } else { file(format!("{number}"), 0o644) };
            assert_eq!(reading.items[&ItemKey::from(key.as_str())].as_ref().unwrap().raw, want, "{shell:?}");
        }
    }
}

#[test]
fn files_are_read_whole_with_mode_and_owner() {
    for shell in Shell::all() {
        let ground = Ground::new(shell);
        let content: Vec<u8> = (0..=255u8).cycle().take(70_000).collect();
        ground.write("/etc/blob", &content);
        fs::set_permissions(ground.path("/etc/blob"), fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(ground.raw("file:/etc/blob"), file(content, 0o640));
        ground.write("/etc/empty", "");
        assert_eq!(ground.raw("file:/etc/empty"), file("", 0o644));
        assert_eq!(ground.raw("file:/etc/none"), Raw::Absent);
        assert_eq!(ground.raw("file:/none/none/none"), Raw::Absent);

        symlink("../blob", ground.path("/etc/sysctl.d/link.conf")).unwrap();
        let error = ground.item("file:/etc/sysctl.d/link.conf").unwrap_err();
        assert_eq!(error.code.0, "tune::remote::symlink");
        assert!(error.message.contains("../blob"), "{error:?}");
        assert_eq!(ground.item("file:/etc/sysctl.d").unwrap_err().code.0, "tune::remote::directory");
    }
}

#[test]
fn evidence_has_files_links_and_what_is_closed() {
    for shell in Shell::all() {
        let ground = Ground::new(shell);
        ground.write("/etc/sysctl.conf", "vm.swappiness = 1\n");
        ground.write("/etc/sysctl.d/10 odd name.conf", "a");
        ground.write("/etc/sysctl.d/20-latin.conf", b"# caf\xe9\n");
        ground.write("/etc/sysctl.d/.hidden.conf", "no");
        ground.write("/etc/sysctl.d/README", "no");
        ground.write("/etc/sysctl.d/30\nline.conf", "no");
        symlink("../sysctl.conf", ground.path("/etc/sysctl.d/99-sysctl.conf")).unwrap();
        symlink("/dev/null", ground.path("/etc/sysctl.d/masked.conf")).unwrap();
        symlink("nowhere", ground.path("/etc/sysctl.d/dangling.conf")).unwrap();
        let reading = ground.read(&["value:/proc/sys/vm/swappiness"]);
        let evidence = Evidence::from_texts(&reading.readings[0].evidence);
        let names: Vec<_> = evidence.files.keys().map(|path| path.rsplit('/').next().unwrap()).collect();
        assert_eq!(names, ["10 odd name.conf", "20-latin.conf", "99-sysctl.conf"], "{shell:?}");
        assert_eq!(evidence.files["/etc/sysctl.d/99-sysctl.conf"], "vm.swappiness = 1\n");
        assert_eq!(evidence.files["/etc/sysctl.d/20-latin.conf"], "# caf\u{fffd}\n");
        assert_eq!(evidence.links["/etc/sysctl.d/99-sysctl.conf"], "../sysctl.conf");
        assert_eq!(evidence.links["/etc/sysctl.d/masked.conf"], "/dev/null");
        assert_eq!(evidence.links["/etc/sysctl.d/dangling.conf"], "nowhere");
        assert!(evidence.unreadable.is_empty());
    }
}

#[test]
fn facts_come_from_the_machine() {
    for shell in Shell::all() {
        let ground = Ground::new(shell);
        ground.write("/etc/machine-id", "0123\n");
        ground.write("/proc/sys/kernel/random/boot_id", "b-o-o-t\n");
        ground.write("/proc/sys/kernel/osrelease", "6.1.0\n");
        ground.write("/proc/meminfo", "MemTotal:        2048 kB\nMemFree: 1 kB\n");
        ground.write("/proc/swaps", "Filename Type Size Used Priority\n/dev/x partition 1 0 -2\n");
        fs::create_dir_all(ground.path("/etc/ssh")).unwrap();
        ground.write(
            "/etc/ssh/ssh_host_ed25519_key.pub",
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl x\n",
        );
        let facts = ground.read(&[]).facts;
        assert_eq!(facts.machine_id.as_deref(), Some("0123"));
        assert_eq!(facts.boot_id.as_deref(), Some("b-o-o-t"));
        assert_eq!(facts.hostname, "pve");
        assert_eq!(facts.kernel, "6.1.0");
        assert_eq!(facts.memory_kib, Some(2048));
        assert_eq!(facts.swap_active, Some(true));
        assert_eq!(facts.container, None);
        assert_eq!(facts.ledgers, Some(Vec::new()));
        assert!(facts.host_keys.contains("SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU"));
        let uid = Command::new("id").arg("-u").output().unwrap();
        assert_eq!(facts.uid.to_string(), String::from_utf8(uid.stdout).unwrap().trim());

        fs::create_dir_all(ground.path("/run/systemd")).unwrap();
        ground.write("/run/systemd/container", "lxc\n");
        assert_eq!(ground.read(&[]).facts.container.as_deref(), Some("lxc"));
    }
}

#[test]
fn a_look_changes_nothing() {
    for shell in Shell::all() {
        let ground = Ground::new(shell);
        let before = ground.snapshot();
        ground.read(&["value:/proc/sys/vm/swappiness", "file:/etc/sysctl.d/none.conf"]);
        assert_eq!(ground.snapshot(), before);
        assert!(!ground.exists("/run/tune"));
    }
}

#[test]
fn a_damaged_ledger_is_named_and_never_ignored() {
    let ground = Ground::new(Shell::all()[0]);
    let key = "value:/proc/sys/vm/swappiness";
    ground.apply(&batch(1, 1, &[(key, text("60"), text("10"))])).unwrap();
    assert_eq!(ground.read(&[]).facts.ledgers.unwrap()[0].epoch, 1);
    ground.write("/var/lib/tune/3f1c-test/ledger.json", "{");
    let error = ground.request(&lookups(&[], None)).unwrap_err();
    assert_eq!(error.code.0, "tune::remote::ledger");
    assert!(error.message.contains("/var/lib/tune/3f1c-test/ledger.json"), "{error:?}");
}

#[test]
fn a_shell_that_talks_is_understood_and_one_that_says_something_else_is_not() {
    let chatty = |script: &'static str| {
        move |options: &mut Options| {
            let ground = options.ground.as_mut().unwrap();
            ground.shell = Some(vec!["sh".into(), "-c".into(), script.into(), "sh".into()]);
        }
    };
    let ground = Ground::with(Shell::Dash, chatty("printf 'Welcome!\\nquota: '; echo noise >&2; exec sh -s"));
    assert_eq!(ground.raw("value:/proc/sys/vm/swappiness"), text("60"));

    for (script, code) in [
        ("echo 'This service allows sftp connections only.'; exit 1", "garbled"),
        ("head -c 20000000 /dev/zero", "too_long"),
        ("echo 'sudo: a password is required' >&2; exit 1", "sudo_password"),
        ("echo 'ada is not in the sudoers file.  This incident will be reported.' >&2; exit 1", "sudo_denied"),
        ("echo 'sh: 1: sudo: not found' >&2; exit 127", "missing_tool"),
        ("kill -KILL $$", "lost"),
    ] {
        let ground = Ground::with(Shell::Dash, chatty(script));
        let error = ground.request(&lookups(&[], None)).unwrap_err();
        assert_eq!(error.code.0, format!("tune::remote::{code}"), "{script}");
        assert!(error.help.is_some());
    }
}

#[test]
fn a_host_that_hangs_is_given_up() {
    let ground = Ground::with(Shell::Dash, |options| {
        options.read_timeout = std::time::Duration::from_millis(300);
        options.ground.as_mut().unwrap().shell = Some(vec!["sh".into(), "-c".into(), "exec sleep 30".into()]);
    });
    let error = ground.request(&lookups(&[], None)).unwrap_err();
    assert_eq!(error.code.0, "tune::remote::timeout");
    assert!(error.transient);
}

/// The files of a real kernel are no plain files: some answer only the first request of a reader.
#[test]
fn the_values_of_a_real_kernel_are_whole() {
    for shell in Shell::all() {
        let ground = Ground::with(shell, |options| options.ground.as_mut().unwrap().root = PathBuf::new());
        let paths = ["/proc/sys/vm/swappiness", "/proc/sys/vm/min_free_kbytes", "/proc/sys/kernel/osrelease"];
        let keys: Vec<String> = paths.iter().map(|path| format!("value:{path}")).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let reading = ground.read(&keys);
        for (path, key) in paths.iter().zip(&keys) {
            let kernel = fs::read_to_string(path).unwrap();
            let item = reading.readings[0].items[&(*key).into()].as_ref().unwrap();
            assert_eq!(item.raw, text(kernel.trim_end_matches('\n')), "{shell:?}");
        }
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
        assert_eq!(reading.facts.boot_id.as_deref(), Some(boot.trim()));
    }
}
