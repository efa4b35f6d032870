#!/bin/sh
# Make a Debian with our packages one that many cards can start from: nothing in it that only one machine may have,
# nothing that would write to its root, and what the firmware reads set apart.
#
#     image/finish.sh ROOT FAT
set -eu
root=$1 fat=$2 here=$(cd "$(dirname "$0")" && pwd)

mv "$root"/boot/firmware/* "$fat/"
for overlay in "$here"/overlays/*.dts; do
    dtc -q -@ -I dts -O dtb -o "$fat/overlays/$(basename "$overlay" .dts).dtbo" "$overlay"
done
cp "$here"/card/fat/* "$root/usr/share/device-gateway-card/gateway.toml" "$fat/"

rm -rf "$root"/etc/ssh/ssh_host_* "$root"/var/lib/dbus/machine-id "$root"/var/log/* "$root"/var/cache/apt/*.bin \
    "$root"/var/cache/debconf/*-old "$root"/var/cache/ldconfig "$root"/var/lib/dpkg/*-old "$root"/tmp/* "$root"/var/tmp/* \
    "$root"/etc/passwd- "$root"/etc/group- "$root"/etc/shadow- "$root"/etc/gshadow- "$root"/etc/subuid- "$root"/etc/subgid- \
    "$root"/var/lib/systemd/*
cp "$here/card/fstab" "$root/etc/fstab"
: >"$root/etc/machine-id"
ln -s ../../../etc/machine-id "$root/var/lib/dbus/machine-id"
echo gateway >"$root/etc/hostname"
echo LANG=C.UTF-8 >"$root/etc/default/locale"
echo "127.0.0.1 localhost" >"$root/etc/hosts"
ln -sfn /run/board/localtime "$root/etc/localtime"
ln -sfn ../run/systemd/resolve/stub-resolv.conf "$root/etc/resolv.conf"
mkdir -p "$root/data" "$root/var/log/apt"
# What systemd-tmpfiles would make at each start.
install -d -m 700 "$root/var/log/private"
ln -s ../../usr/share/doc/systemd/README.logs "$root/var/log/README"
# The day of making, counted by days since 1970, stands in the users' passwords' age.
chroot "$root" sh -ec 'for user in gateway admin; do chage --lastday -1 "$user"; done'

systemctl --root="$root" --quiet set-default multi-user.target
systemctl --root="$root" --quiet enable systemd-networkd.service systemd-resolved.service systemd-timesyncd.service \
    ssh.service avahi-daemon.service fstrim.timer
# Each of these takes its time at every start, and none does anything for a gateway.
systemctl --root="$root" --quiet mask systemd-binfmt.service proc-sys-fs-binfmt_misc.automount dev-hugepages.mount \
    dev-mqueue.mount sys-kernel-debug.mount sys-kernel-tracing.mount sys-fs-fuse-connections.mount systemd-pstore.service \
    modprobe@efi_pstore.service modprobe@fuse.service modprobe@drm.service systemd-networkd-persistent-storage.service \
    systemd-udev-load-credentials.service systemd-remount-fs.service systemd-network-generator.service systemd-hibernate-clear.service
systemctl --root="$root" --quiet mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \
    e2scrub_reap.service systemd-networkd-wait-online.service wpa_supplicant.service systemd-firstboot.service
