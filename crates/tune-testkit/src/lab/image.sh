# image.sh DIR: builds the file system that all booted hosts share: a small Debian with systemd and OpenSSH.
set -eu
root=$1
packages=systemd,systemd-sysv,dbus,openssh-server,sudo,procps,iproute2,netcat-openbsd,kmod,etcd-server,etcd-client
debootstrap --variant=minbase --include="$packages" bookworm "$root"

rm -f "$root"/etc/ssh/ssh_host_* "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*_*
rm -f "$root/etc/machine-id" "$root/etc/hostname" "$root/var/lib/dbus/machine-id"
printf '127.0.0.1 localhost\n' >"$root/etc/hosts"
# What a test wants of these it starts itself.
rm -f "$root"/etc/systemd/system/multi-user.target.wants/etcd.service "$root"/etc/systemd/system/etcd*.service
: >"$root/etc/fstab"

# Nothing here is of use to a test, and some of it keeps a boot waiting.
for unit in apt-daily.timer apt-daily-upgrade.timer console-getty.service dpkg-db-backup.timer e2scrub_all.timer \
    e2scrub_reap.service fstrim.timer getty.target ldconfig.service systemd-hwdb-update.service \
    systemd-journal-catalog-update.service systemd-logind.service systemd-networkd-wait-online.service \
    systemd-timesyncd.service systemd-update-utmp.service systemd-update-utmp-runlevel.service; do
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
done

# vm.* is the machine's own and read-only in a container: plain files take its place, filled anew at each boot, before the
# files of sysctl.d are applied.
mkdir -p "$root/usr/lib/tune-lab"
cat >"$root/usr/lib/tune-lab/boot" <<'END'
#!/bin/sh
set -eu
mount -t tmpfs -o mode=555,nosuid,noexec,nodev,size=1m tmpfs /proc/sys/vm
cp -p /usr/lib/tune-lab/vm/* /proc/sys/vm/
set -- /proc/sys/vm/*
mount -o "remount,nr_inodes=$(($# + 1))" /proc/sys/vm
/usr/lib/tune-lab/modules
# The address in the lab's own network, where the lab has one.
if [ -e /etc/tune-lab/address ]; then
    ip address add "$(cat /etc/tune-lab/address)" dev host0
    ip link set host0 up
fi
: >/run/tune-lab
END
# Modules of the host's own: plain files over /sys/module/NAME/parameters, filled with the defaults and then with what
# modprobe.d says, as loading the module would. It is kmod itself that says in which order the files count.
cat >"$root/usr/lib/tune-lab/modules" <<'END'
#!/bin/sh
set -eu
cd /etc/tune-lab/modules 2>/dev/null || exit 0
umount /sys/module 2>/dev/null || true
# A container has no such directory, and a /sys that is read-only.
if [ ! -d /sys/module ]; then
    mount -o remount,bind,rw,nosuid,noexec,nodev /sys
    mkdir -m 555 /sys/module
    mount -o remount,bind,ro,nosuid,noexec,nodev /sys
fi
mount -t tmpfs -o mode=555,nosuid,noexec,nodev,size=1m tmpfs /sys/module
for module in *; do
    mkdir -p "/sys/module/$module/parameters"
    cp -p "$module"/* "/sys/module/$module/parameters/"
    for option in $(modprobe -c 2>/dev/null | sed -n "s/^options $module //p"); do
        file=/sys/module/$module/parameters/${option%%=*}
        # A parameter that the module does not know is logged by the kernel and is no failure.
        if [ -e "$file" ]; then printf '%s\n' "${option#*=}" >"$file"; fi
    done
done
set -- $(find /sys/module)
mount -o "remount,nr_inodes=$#" /sys/module
END
# systemd-sysctl writes over what is there, as it should; a plain file keeps the rest of a longer value, which the kernel
# would not.
cat >"$root/usr/lib/tune-lab/settle" <<'END'
#!/bin/sh
for file in /proc/sys/vm/*; do
    if read -r value <"$file"; then printf '%s\n' "$value" >"$file"; fi
done
END
chmod 755 "$root/usr/lib/tune-lab/boot" "$root/usr/lib/tune-lab/modules" "$root/usr/lib/tune-lab/settle"
cat >"$root/etc/systemd/system/tune-lab.service" <<'END'
[Unit]
Description=Plain files over /proc/sys/vm
DefaultDependencies=no
Before=systemd-sysctl.service sysinit.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/lib/tune-lab/boot
[Install]
WantedBy=sysinit.target
END
mkdir -p "$root/etc/systemd/system/sysinit.target.wants" "$root/etc/systemd/system/ssh.service.d" \
    "$root/etc/systemd/system/systemd-sysctl.service.d"
printf '[Service]\nExecStartPost=/usr/lib/tune-lab/settle\n' >"$root/etc/systemd/system/systemd-sysctl.service.d/settle.conf"
ln -s ../tune-lab.service "$root/etc/systemd/system/sysinit.target.wants/tune-lab.service"

cat >"$root/etc/ssh/sshd_config.d/lab.conf" <<'END'
HostKey /etc/ssh/ssh_host_ed25519_key
AuthorizedKeysFile /etc/ssh/authorized_keys/%u
PasswordAuthentication no
UseDNS no
LogLevel VERBOSE
END
printf 'SSHD_OPTS="-E /var/log/sshd.log"\n' >"$root/etc/default/ssh"
# Without these, nobody who comes by ssh can get round the guard of /proc/sys.
cat >"$root/etc/systemd/system/ssh.service.d/guard.conf" <<'END'
[Service]
CapabilityBoundingSet=~CAP_SYS_ADMIN CAP_SYS_MODULE CAP_SYS_RAWIO CAP_SYS_BOOT CAP_SYS_TIME CAP_MKNOD
END
