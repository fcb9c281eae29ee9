# machine.sh DIR NAME: boots the container of one host in the fresh mount and process namespaces that it was started in,
# again whenever it reboots, and ends it when standard input ends.
#
# DIR holds `upper` (the host's own files), `image` (a link to the file system that all hosts share, read-only) and, where
# hosts are joined by a network, `bridge` (the bridge in the network namespace that this was started in).
set -eu
dir=$1 name=$2
mkdir -p "$dir/work" "$dir/tree"
mount -t overlay -o "lowerdir=$(readlink -f "$dir/image"),upperdir=$dir/upper,workdir=$dir/work" overlay "$dir/tree"
# What systemd-nspawn leaves in /run goes with this namespace.
mount -t tmpfs -o mode=755 tmpfs /run

exec 3<&0

# The systemds of two hosts must not find each other's units in one control group. It is removed with DIR.
own=${dir%/*}
own=${own##*/}
groups=
for hierarchy in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
    [ -e "$hierarchy/cgroup.procs" ] || continue
    groups="$groups $hierarchy/$own/$name"
done
[ -z "$groups" ] || mkdir -p $groups

# At each start systemd-nspawn makes a network namespace, so that values do not survive a reboot. With --keep-unit it
# leaves the start after a reboot to us and ends with status 133.
export SYSTEMD_NSPAWN_API_VFS_WRITABLE=network
network=--private-network
[ ! -e "$dir/bridge" ] || network=--network-bridge=$(cat "$dir/bridge")
{
    status=133
    while [ "$status" = 133 ]; do
        status=0
        # Whoever still holds the namespace of the boot before must not keep its end of the cable.
        [ "$network" = --private-network ] || ip link delete "vb-$name" 2>/dev/null || true
        sh -c 'for group in $1; do echo 0 >"$group/cgroup.procs"; done; shift; exec "$@"' sh "$groups" \
            systemd-nspawn --quiet --boot --directory="$dir/tree" --machine="$name" --register=no --keep-unit \
            "$network" --link-journal=no --resolv-conf=off --timezone=off --console=pipe </dev/null || status=$?
    done
    echo "systemd-nspawn ended with status $status"
} &
exec cat <&3 >/dev/null
