#!/bin/sh
# The guest's first program: loads what the disk needs, mounts it and hands over to systemd.
mount -t proc p /proc; mount -t sysfs s /sys; mount -t devtmpfs d /dev
for m in virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_blk failover net_failover virtio_net; do insmod "/m/$m.ko" 2>/dev/null; done
while ! [ -b /dev/vda ]; do sleep 0.05; done
mount -t ext4 -o rw,noatime /dev/vda /mnt
mount --move /dev /mnt/dev; umount /proc; umount /sys
exec switch_root /mnt /lib/systemd/systemd
