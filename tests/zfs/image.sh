#!/bin/bash
# image.sh DIR: builds the disk, the kernel and the initrd of a small Debian with the real ZFS module, for QEMU's software
# emulation. Needs root, about ten minutes and 3 GB; DIR then holds disk.qcow2, vmlinuz and initrd, 400 MB.
set -euo pipefail
dir=$1
here=$(cd "$(dirname "$0")" && pwd)
export DEBIAN_FRONTEND=noninteractive
mkdir -p "$dir"
work=$(mktemp -d "$dir/.building-XXXXXX")
root=$work/root
trap 'umount -q "$root/proc" "$root/sys" "$root/dev" 2>/dev/null || true; rm -rf "$work"' EXIT

debootstrap --variant=minbase --components=main,contrib --include=systemd,systemd-sysv,dbus,udev,openssh-server,iproute2,kmod,procps,ca-certificates,linux-image-cloud-amd64,linux-headers-cloud-amd64,dkms bookworm "$root"
for what in proc sys dev; do mount --rbind "/$what" "$root/$what"; mount --make-rslave "$root/$what"; done
version=$(basename "$root"/boot/vmlinuz-* | sed 's/^vmlinuz-//')
# The build is for the guest's kernel, not for the one that runs here.
chroot "$root" env DEBIAN_FRONTEND=noninteractive apt-get -q update
chroot "$root" env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends zfs-dkms zfsutils-linux
chroot "$root" dkms autoinstall -k "$version"
chroot "$root" depmod "$version"
test -n "$(find "$root/lib/modules/$version" -name 'zfs.ko*')"
# What only the build needed.
chroot "$root" dpkg --force-depends --purge linux-headers-cloud-amd64 "linux-headers-$version" dkms gcc-12 cpp-12 g++-12 \
    >/dev/null 2>&1 || true
rm -rf "$root/usr/src" "$root/var/lib/dkms" "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root/usr/share/doc" \
    "$root/usr/share/man" "$root/usr/share/locale"

while read -r unit; do
    case $unit in '' | '#'*) ;; *) ln -sf /dev/null "$root/etc/systemd/system/$unit" ;; esac
done <"$here/masked-units.txt"
echo zfs >"$root/etc/modules-load.d/zfs.conf"
echo zfs-guest >"$root/etc/hostname"
echo 'LABEL=root / ext4 defaults 0 1' >"$root/etc/fstab"
cat >"$root/etc/systemd/system/address.service" <<'END'
[Unit]
Description=The address in QEMU's user network
DefaultDependencies=no
After=systemd-udevd.service
Before=ssh.service
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'until ip link set eth0 up 2>/dev/null || ip link set ens3 up 2>/dev/null; do sleep 0.2; done; ip address add 10.0.2.15/24 dev "$(ls /sys/class/net | grep -v lo | head -n 1)"'
[Install]
WantedBy=multi-user.target
END
ln -sf /etc/systemd/system/address.service "$root/etc/systemd/system/multi-user.target.wants/address.service"
rm -f "$root"/etc/ssh/ssh_host_*
ssh-keygen -q -t ed25519 -N '' -f "$root/etc/ssh/ssh_host_ed25519_key"
ssh-keygen -q -t ed25519 -N '' -f "$work/id_ed25519"
mkdir -m 700 -p "$root/root/.ssh"
cp "$work/id_ed25519.pub" "$root/root/.ssh/authorized_keys"
: >"$root/etc/machine-id"

# An initrd with what mounts the disk and nothing else: busybox and the virtio modules in the order of their needs.
mkdir -p "$work/initrd/m" "$work/initrd/bin" "$work/initrd/p" "$work/initrd/proc" "$work/initrd/sys" "$work/initrd/dev" "$work/initrd/mnt"
cp "$(command -v busybox)" "$work/initrd/bin/busybox"
for tool in sh mount umount insmod sleep switch_root; do ln -s busybox "$work/initrd/bin/$tool"; done
for module in $(sed -n 's/^for m in \(.*\); do insmod.*/\1/p' "$here/init.sh"); do
    file=$(find "$root/lib/modules/$version" -name "$module.ko*" | head -n 1)
    case $file in
    '') ;;
    *.xz) xz -dc "$file" >"$work/initrd/m/$module.ko" ;;
    *) cp "$file" "$work/initrd/m/$module.ko" ;;
    esac
done
install -m 755 "$here/init.sh" "$work/initrd/init"
(cd "$work/initrd" && find . | cpio -o -H newc --quiet | gzip -1) >"$work/initrd.gz"

cp "$root/boot/vmlinuz-$version" "$work/vmlinuz"
cp "$root/etc/ssh/ssh_host_ed25519_key.pub" "$work/host_key.pub"
umount -R "$root/proc" "$root/sys" "$root/dev"
truncate -s 2500M "$work/disk.raw"
mkfs.ext4 -q -L root -d "$root" "$work/disk.raw"
qemu-img convert -O qcow2 "$work/disk.raw" "$work/disk.qcow2"
for file in vmlinuz id_ed25519 host_key.pub disk.qcow2; do mv "$work/$file" "$dir/$file"; done
# The last one, so that an image that was not finished is built anew.
mv "$work/initrd.gz" "$dir/initrd"
