//! Hosts that answer in odd ways.

use super::*;

/// Makes a program of the host what every login runs instead of `/bin/sh`.
fn with_shell(host: &Host, script: &str) {
    host.write_file("/usr/local/bin/odd-shell", script);
    let _ = host.exec("chmod 755 /usr/local/bin/odd-shell").success();
    let _ = host.exec("sed -i '/^root:/s,/bin/sh$,/usr/local/bin/odd-shell,' /etc/passwd").success();
}

#[test]
fn a_banner_is_no_answer() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let before = host.snapshot();
    let project = Project::new(&lab, &one(RUNBOOK));
    with_shell(host, "#!/bin/sh\necho 'Welcome to fawn!'\necho 'last login: never' >&2\nexec /bin/sh \"$@\"\n");
    project.plan().code(2);
    project.apply().code(0);
    project.plan().code(0);
    project.destroy().code(0);
    host.assert_as(&before);
}

#[test]
fn a_shell_that_is_none_is_an_error_and_not_an_empty_host() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let before = host.snapshot();
    let project = Project::new(&lab, &one(RUNBOOK));
    let shells = [
        "#!/bin/sh\nexit 0\n",
        "#!/bin/sh\nexit 3\n",
        "#!/bin/sh\necho 'This account is currently not available.'\nexit 1\n",
        "#!/bin/sh\nhead -c 100000 /dev/urandom\n",
        "#!/bin/sh\nprintf '\\033]0;gotcha\\007\\033[2J'; exit 1\n",
        "#!/bin/sh\nyes 'a line of output that never ends' | head -c 20000000\n",
        "#!/bin/sh\nkill -9 $$\n",
    ];
    for shell in shells {
        with_shell(host, shell);
        project.plan().code(1).says("fawn").never_says("\u{1b}");
        project.apply().code(1).says("fawn").never_says("\u{1b}");
        let _ = host.exec("sed -i '/^root:/s,/usr/local/bin/odd-shell$,/bin/sh,' /etc/passwd").success();
        host.assert_as(&before);
    }
    project.apply().code(0);
    project.destroy().code(0);
    host.assert_as(&before);
}

#[test]
fn a_host_whose_programs_lie_is_not_believed() {
    require_tier!(Tier::Sshd);
    let lab = fawn();
    let host = lab.host("fawn");
    let before = host.snapshot();
    let project = Project::new(&lab, &one(RUNBOOK));
    // A `sync` that fails: what was written may not survive, so it does not count as written.
    host.write_file("/usr/local/bin/sync", "#!/bin/sh\nexit 1\n");
    let _ = host.exec("chmod 755 /usr/local/bin/sync").success();
    project.apply().one_of(&[1, 3]);
    host.assert_as(&before);
    host.remove("/usr/local/bin/sync");
    project.apply().code(0);
    project.plan().code(0);
    project.destroy().code(0);
    host.assert_as(&before);
}
