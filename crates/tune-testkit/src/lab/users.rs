//! The people of every host, so that each way of becoming root, and of failing to, has somebody to try it with.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;
use std::process::Command;

use super::cell;

/// Becomes root by sudo without a password.
pub const OPERATOR: &str = "operator";
/// Is asked for a password by sudo.
pub const ASKED: &str = "asked";
/// Is not among those whom sudo serves.
pub const PLAIN: &str = "plain";
/// Exists, but no key opens the account.
pub const STRANGER: &str = "stranger";

const PEOPLE: [(&str, u32); 4] = [(OPERATOR, 1000), (ASKED, 1001), (PLAIN, 1002), (STRANGER, 1003)];

const PASSWD: &str = "\
root:x:0:0:root:/root:/bin/sh
sshd:x:100:65534::/run/sshd:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
";

const GROUP: &str = "root:x:0:\ntty:x:5:\nsudo:x:27:\nnogroup:x:65534:\n";

const SHADOW: &str = "root:*:19000::::::\nsshd:*:19000::::::\nnobody:*:19000::::::\n";

const SUDOERS: &str = "\
Defaults env_reset
Defaults secure_path=\"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\"
root ALL=(ALL:ALL) ALL
operator ALL=(ALL:ALL) NOPASSWD: ALL
asked ALL=(ALL:ALL) ALL
";

const PAM: &str = "\
auth required pam_unix.so
account required pam_permit.so
password required pam_deny.so
session required pam_permit.so
";

/// Writes the accounts, their keys and sudo's rules below the root of a host that has none yet.
pub(super) fn write(root: &Path, public_key: &str) -> io::Result<()> {
    let passwd = PEOPLE.map(|(name, id)| format!("{name}:x:{id}:{id}:{name}:/home/{name}:/bin/sh\n")).concat();
    let group = PEOPLE.map(|(name, id)| format!("{name}:x:{id}:\n")).concat();
    // No password, and yet not locked: sshd turns a locked account away even with the right key.
    let shadow = PEOPLE.map(|(name, _)| format!("{name}:*:19000::::::\n")).concat();
    cell::write(&root.join("etc/passwd"), 0o644, &format!("{PASSWD}{passwd}"))?;
    cell::write(&root.join("etc/group"), 0o644, &format!("{GROUP}{group}"))?;
    cell::write(&root.join("etc/shadow"), 0o640, &format!("{SHADOW}{shadow}"))?;
    cell::write(&root.join("etc/pam.d/sudo"), 0o644, PAM)?;
    cell::write(&root.join("etc/pam.d/other"), 0o644, PAM)?;
    rules(root)?;
    homes(root, public_key)
}

/// Adds the same people to a Debian that has its own accounts, without their keys.
pub(super) fn add(root: &Path) -> io::Result<()> {
    for (name, id) in PEOPLE {
        // Debian has a group `operator` already, so these accounts get no group of their own.
        let options = ["--gid=nogroup", "--no-create-home", "--shell=/bin/sh", "--password=*"];
        let id = format!("--uid={id}");
        cell::run(Command::new("chroot").arg(root).arg("useradd").args(options).args([&id, name]))?;
    }
    rules(root)
}

fn rules(root: &Path) -> io::Result<()> {
    cell::write(&root.join("etc/sudoers"), 0o440, SUDOERS)
}

/// Writes the people's directories, and the keys that open their accounts.
pub(super) fn homes(root: &Path, public_key: &str) -> io::Result<()> {
    let keys = root.join("etc/ssh/authorized_keys");
    cell::write(&keys.join("root"), 0o644, public_key)?;
    for (name, id) in PEOPLE {
        let home = root.join("home").join(name);
        fs::create_dir_all(&home)?;
        fs::set_permissions(&home, fs::Permissions::from_mode(0o755))?;
        chown(&home, Some(id), Some(id))?;
        if name != STRANGER {
            cell::write(&keys.join(name), 0o644, public_key)?;
        }
    }
    Ok(())
}
