//! The manual behind every code of this crate.

use tune_core::problem::{Code, Explanation};

use crate::error as codes;

/// The manual entries of every code that this crate reports.
pub const EXPLANATIONS: &[Explanation] = &[
    entry(
        codes::ACTIVATION,
        "what is configured could not be made to run",
        "A reload, a restart, a reboot or a rebuild of the boot image failed on the host; the message has its last words. What is configured stands; what runs may be the old or nothing at all, so tune looks at it before it goes on. A reboot is asked of the system itself, which may be kept from it by whoever holds an inhibitor (`systemd-inhibit --list`). A machine cannot power-cycle itself.",
    ),
    entry(
        codes::ADDRESS,
        "the address of a host cannot be one",
        "An address is handed to `ssh` as it is: a host name, an IP address or an alias of the ssh configuration. White space, control characters and a leading `-`, which ssh would take for an option, are refused.",
    ),
    entry(
        codes::BUSY,
        "another run holds the lock of the host",
        "Every script of tune that can write holds one lock on its host for as long as it runs, also when the machine that sent it is gone. The message names the holder. Wait for it to end; a script ends by itself when its deadline is over. The lock is `/run/tune/lock` and never survives its holder.",
    ),
    entry(
        codes::COMMAND,
        "this cannot be run as a command",
        "A command of a probe is a program and its arguments. Each word reaches the program as it is, without a shell, so the first one must be a program's name or path and cannot begin with `-`, and no word can hold a NUL. For pipes and variables run `sh`, `-c` and a text.",
    ),
    entry(
        codes::COMMAND_DEADLINE,
        "a command did not end in time",
        "A probe's command has a deadline. When it passes the host ends the program and everything that it has started. Give it more time, or ask a smaller question.",
    ),
    entry(
        codes::COMMAND_OUTPUT,
        "a command printed more than is kept",
        "What a probe's command may print is limited, so that a broken one cannot exhaust the memory of the machine that asks. Let it print less.",
    ),
    entry(
        codes::CONNECT,
        "ssh could not connect",
        "tune uses the system's `ssh` with your configuration, agent and known hosts, and shows what ssh said. Whatever makes `ssh HOST true` work without a question makes tune work.",
    ),
    entry(
        codes::DIRECTORY,
        "a directory stands where a file is managed",
        "tune writes files only where there is none or a regular one. Choose another name, or look at what the directory is for.",
    ),
    entry(
        codes::DISK_FULL,
        "the host's disk is full",
        "Before it changes anything tune writes a ledger to the host, so that everything can be put back even without tune. There was no room for it, and nothing was changed. Make room in `/var/lib` and `/run`.",
    ),
    entry(
        codes::DOOR,
        "no way to a port of the host",
        "A probe asked for a port as the host sees it, for example one on its loopback. Over ssh that is a forwarding (`ssh -L`); either the address is not `NAME:PORT`, or ssh refused it: see `AllowTcpForwarding` in the host's sshd_config.",
    ),
    entry(
        codes::GARBLED,
        "the host answered with something else",
        "What came back was not the answer of tune's script. A login shell that prints a banner does no harm, because every line of ours is marked; but a forced command, a shell that does not run `sh`, or a tool that does not do what its name says does. Log in by hand and try `sh -s`.",
    ),
    entry(
        codes::HOST_KEY_CHANGED,
        "the host shows another key than the one that is known",
        "Either the machine was set up anew, or another machine answers in its place. tune refuses either way. The message names the file and line of the known key and the fingerprint of the new one. Only if you know why it changed, remove the old key with the command that the help gives, and accept the new one by connecting once by hand.",
    ),
    entry(
        codes::HOST_KEY_UNKNOWN,
        "the host's key is not known yet",
        "tune never trusts a key by itself. Connect once with `ssh`, compare the fingerprint with the one that the machine shows on its console (`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub`), and accept it; or put the key into the known hosts by another way that you trust.",
    ),
    entry(
        codes::LEDGER,
        "a ledger on the host cannot be read",
        "Each state keeps a ledger on each of its hosts, `/var/lib/tune/LINEAGE/ledger.json`. One of them is damaged, or a later version of tune wrote it. Without it nobody knows what is managed there, so nothing is planned. Use the newer tune; or put everything back with `sh undo.sh` in the same directory, which needs neither.",
    ),
    entry(
        codes::LOST,
        "the connection was lost before the host answered",
        "Whether the script had an effect is not known. tune does not guess: the next command takes the host's lock, which waits for a script that still runs and shuts out one that has not started, and only then looks.",
    ),
    entry(
        codes::MISSING_TOOL,
        "the host lacks a tool",
        "Hosts need a POSIX `sh` and coreutils or busybox, and `sudo` where `become` asks for it. Nothing else is installed or needed.",
    ),
    entry(
        codes::NO_CLIENT,
        "this machine has no ssh",
        "Install the OpenSSH client (`openssh-client`). tune has no ssh of its own, so that your keys, agents, jump hosts and known hosts work as they do by hand.",
    ),
    entry(
        codes::NO_PLACE,
        "no place on a host has this name",
        "An item's key could not be turned into a file on the host, or a state has a name that cannot be a directory. Check the spelling in the configuration.",
    ),
    entry(
        codes::NO_SYSTEMD,
        "the host is not run by systemd",
        "Services are restarted and reloaded as units of systemd. This host has another init system; restart the service by hand, or let a reboot do it.",
    ),
    entry(
        codes::NO_UNIT,
        "the host has no such unit",
        "systemd knows no unit of this name, or the unit is masked or its file is broken. `systemctl status NAME` on the host says which.",
    ),
    entry(
        codes::NOT_A_FILE,
        "something that is no regular file stands where a file is managed",
        "A device, a pipe or a socket is there. tune replaces regular files only.",
    ),
    entry(
        codes::NOT_PERMITTED,
        "the user may not do this on the host",
        "Commands run as the user that logs in, or as root with `become = \"sudo\"`. Reading needs root for some files, and writing always does, because the ledger that comes before the first change belongs to root.",
    ),
    entry(
        codes::NOT_TEXT,
        "a value is not one line of text",
        "A kernel value that tune manages is one line of UTF-8. This file holds several lines, a NUL or other bytes, so putting back exactly what was there could not be promised.",
    ),
    entry(
        codes::READ_ONLY,
        "a file system of the host is read-only",
        "tune writes its ledger before it changes anything, and could not. In a container `/proc/sys` is often read-only too; tune the machine that runs the container.",
    ),
    entry(
        codes::RECORD,
        "the host could not record what was there before",
        "Before the first change on a host its ledger must be on the host's disk. It could not be written there, so nothing was changed.",
    ),
    entry(
        codes::REFUSED,
        "the host refuses connections",
        "The machine answers, and nothing listens on the port. Check that sshd runs, and the port of the host block.",
    ),
    entry(
        codes::RESTORED,
        "the host put everything back by itself",
        "The batch could have cut the connection, so a detached restore was armed before it and nobody confirmed in time that the host can still be reached. It put back every item that still held what the batch wrote. `restore.log` beside the ledger says what it did.",
    ),
    entry(
        codes::STALE,
        "the host has seen a later run of this state",
        "Every run has a number, and a host refuses whatever comes from a run, or a part of one, that is not later than what it has seen. Usually an old state or an old export is in use: get the newest. It is also how a script that was sent long ago and starts late is kept from writing.",
    ),
    entry(
        codes::SUDO_DENIED,
        "sudo does not let the user run commands as root",
        "`become = \"sudo\"` runs `sudo -n sh -s`. The host's sudoers file does not allow that for this user, or asks for a terminal (`requiretty`).",
    ),
    entry(
        codes::SUDO_PASSWORD,
        "sudo wants a password",
        "tune runs `sudo -n`, which fails instead of asking, because a run over many hosts must never hang at a question. Give the user a NOPASSWD rule for `sh`, or connect as root.",
    ),
    entry(
        codes::SYMLINK,
        "a symbolic link stands where a file is managed",
        "Replacing a link would replace it by a file, and writing through it would change a file under another name. tune does neither. `/etc/sysctl.d/99-sysctl.conf` is such a link on many systems. Choose another file name.",
    ),
    entry(
        codes::TIMEOUT,
        "the host did not answer in time",
        "Either no connection came about, or a script ran longer than its deadline. In the second case the host ends the script by itself, and the next command waits for that before it looks.",
    ),
    entry(
        codes::TOO_LONG,
        "the host answered without end",
        "What a host may answer is limited to 16 MiB, so that a broken or hostile one cannot exhaust the memory of the machine that asks.",
    ),
    entry(
        codes::UNIT_FAILED,
        "a service has failed",
        "systemd counts the unit as failed: it did not start, or ended with an error. The message has its last log lines. If tune has just changed it, the change is put back; else see `systemctl status NAME` on the host.",
    ),
    entry(
        codes::UNIT_NAME,
        "this cannot be the name of a unit",
        "A unit's name holds letters, digits and `:-_.@\\\\`, and does not begin with `-`: for example `etcd.service`. Globs are not taken.",
    ),
    entry(
        codes::UNREACHABLE,
        "the host cannot be reached",
        "The network between gives no way to the machine, or it is down.",
    ),
    entry(
        codes::UNREADABLE,
        "a file cannot be read although permissions allow it",
        "The system gave an error while the file was read; the message has its words. Some kernel values answer only under certain conditions.",
    ),
    entry(
        codes::UNRESOLVABLE,
        "the host's name cannot be resolved",
        "Neither the ssh configuration nor the name service knows the address of the host block.",
    ),
    entry(
        codes::WRITE_ONLY,
        "the value can be written but not read",
        "Such files are triggers, for example `vm.compact_memory`. They hold no value that could be compared or put back.",
    ),
    entry(
        codes::WRONG_KEY,
        "the host lets the user not in",
        "The host refused every key that ssh offered, or lets the user log in without a shell. Passwords are never tried. Check the user, the agent (`ssh-add -l`) and the host's `authorized_keys`.",
    ),
];

const fn entry(code: Code, title: &'static str, text: &'static str) -> Explanation {
    Explanation { code, title, text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_explained_once_and_in_order() {
        let explained: Vec<&str> = EXPLANATIONS.iter().map(|entry| entry.code.0).collect();
        let mut defined: Vec<&str> = include_str!("error.rs")
            .lines()
            .filter_map(|line| line.strip_prefix("pub(crate) const "))
            .filter_map(|line| line.split('"').nth(1))
            .collect();
        defined.sort_unstable();
        let mut sorted = explained.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, defined);
        assert!(explained.iter().all(|code| code.starts_with("tune::remote::")));
    }
}
