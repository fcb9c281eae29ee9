# cell.sh DIR NAME MODULES: turns the fresh namespaces that it was started in into a host, then is that host's process 1.
#
# DIR holds what survives a power cycle: `root` (the host's own files), `local` (/usr/local), `vendor` (/usr/lib/sysctl.d),
# `bin` (instead of /usr/bin, on a host that has only busybox), `vm` (the values of /proc/sys/vm at power on). MODULES is
# the script that gives the host its modules.
# The host ends when standard input does, so it cannot outlive the process that holds the other end of that pipe.
set -eu
dir=$1 name=$2 root=$1/root modules=$3

# Before the new /proc is mounted, this is the process id as the machine sees it.
read -r pid _ </proc/self/stat
echo "$pid"

mount --bind "$root" "$root"
cd "$root"
mount --bind /usr usr
mount -o remount,bind,ro usr
mount --bind "$dir/local" usr/local
mount --bind "$dir/vendor" usr/lib/sysctl.d
# The machine's kernels are none of the host's.
[ ! -d usr/lib/modules ] || mount -t tmpfs -o mode=755,nosuid,nodev,size=1m tmpfs usr/lib/modules

mount -t tmpfs -o mode=755,nosuid,nodev,size=32m tmpfs run
mkdir -m 755 run/sshd run/sysctl.d
mkdir -m 1777 run/lock
mount -t tmpfs -o mode=1777,nosuid,nodev,size=64m tmpfs tmp
mount -t tmpfs -o mode=755,nosuid,size=1m tmpfs dev
for device in null zero full random urandom tty; do
    : >"dev/$device"
    mount --bind "/dev/$device" "dev/$device"
done
mkdir -m 1777 dev/shm
ln -s /proc/self/fd dev/fd
ln -s /proc/self/fd/0 dev/stdin
ln -s /proc/self/fd/1 dev/stdout
ln -s /proc/self/fd/2 dev/stderr

# The kernel's settings are the machine's own, except net.*: everything is read-only first, then the exceptions are made.
mount -t sysfs -o ro,nosuid,noexec,nodev sysfs sys
mount -t proc -o nosuid,noexec,nodev proc proc
for path in sys sysrq-trigger irq bus acpi fs mtrr scsi; do
    [ -e "proc/$path" ] || continue
    mount --bind "proc/$path" "proc/$path"
    mount -o remount,bind,ro "proc/$path"
done
mount --bind proc/sys/net proc/sys/net
mount -o remount,bind,rw proc/sys/net
mount -t tmpfs -o mode=555,nosuid,noexec,nodev,size=1m tmpfs proc/sys/vm
cp -p "$dir/vm/"* proc/sys/vm/
# No inode is left, so that a key which does not exist cannot be made by writing to it.
set -- proc/sys/vm/*
mount -o "remount,nr_inodes=$(($# + 1))" proc/sys/vm
cat /proc/sys/kernel/random/uuid >run/boot-id
mount --bind run/boot-id proc/sys/kernel/random/boot_id
mount -o remount,bind,ro proc/sys/kernel/random/boot_id

ip link set lo up
hostname "$name"

if [ -d "$dir/bin" ]; then
    mount --bind "$dir/bin" usr/bin
    mount -o remount,bind,ro usr/bin
    mount --bind "$dir/sbin" usr/sbin
    mount -o remount,bind,ro usr/sbin
fi

mkdir -p machine
pivot_root . machine
cd /
umount -l /machine
rmdir /machine

sh -c "$modules"

# As at any boot: the files of every sysctl.d directory, in their order. Refused keys are logged and are no failure.
/usr/lib/systemd/systemd-sysctl >/var/log/systemd-sysctl.log 2>&1 || true
# It writes over what is there, as it should; a plain file keeps the rest of a longer value, which the kernel would not.
for file in /proc/sys/vm/*; do
    if read -r value <"$file"; then printf '%s\n' "$value" >"$file"; fi
done

# A shell's own `read` would leave the children of others that are handed to process 1 unreaped; `wait` collects them all.
# It is `cat` that waits for the end of standard input, by way of 3: a background job's own is /dev/null. Its odd
# arguments are how the lab knows it from a `cat` of somebody else.
exec 3<&0
cat -u - <&3 >/dev/null &
echo ready
exec >/dev/null 2>&1
wait "$!"
