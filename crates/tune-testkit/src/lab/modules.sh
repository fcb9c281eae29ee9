# modules.sh: gives the host that it runs in kernel modules of its own: plain files in /sys/module/NAME/parameters, filled
# with the defaults of /etc/tune-lab/modules and then with what modprobe.d says, as loading the modules would.
#
# For hosts without kmod: files count in the order of their names, and the last word wins, as with kmod itself.
set -eu
export LC_ALL=C
cd /etc/tune-lab/modules 2>/dev/null || exit 0
umount /sys/module 2>/dev/null || true
mount -t tmpfs -o mode=555,nosuid,noexec,nodev,size=1m tmpfs /sys/module
for module in *; do
    mkdir -p "/sys/module/$module/parameters"
    cp -p "$module"/* "/sys/module/$module/parameters/"
    for conf in /etc/modprobe.d/*.conf; do
        [ -e "$conf" ] || continue
        for option in $(sed -n "s/^options $module //p" "$conf"); do
            file=/sys/module/$module/parameters/${option%%=*}
            # A parameter that the module does not know is logged by the kernel and is no failure.
            if [ -e "$file" ]; then printf '%s\n' "${option#*=}" >"$file"; fi
        done
    done
done
# No inode is left, so that a parameter which does not exist cannot be made by writing to it.
set -- $(find /sys/module)
mount -o "remount,nr_inodes=$#" /sys/module
