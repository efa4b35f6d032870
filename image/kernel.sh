#!/bin/sh
# Turn an unpacked tree with a cross compiler into Debian's arm64 kernel for emulated boards.  Debian builds it
# without i2c-stub and gpio-sim, which stand in for register chips and lines that QEMU does not have: they are
# built here from Debian's own source.  mmdebstrap calls this as a hook.
set -eu
tree=$1
export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG"

name=$(apt-cache depends linux-image-arm64:arm64 | sed -n 's/.*Depends: linux-image-\(.*-arm64\).*/\1/p' | head -n 1)
release=${name%-arm64}
mkdir "$tree/tmp/sim"
cd "$tree/tmp"
apt-get -q download "linux-image-$name:arm64" "linux-headers-$name:arm64" "linux-headers-$release-common" \
    "linux-kbuild-$release" linux-source-6.12
for package in *.deb; do dpkg-deb -x "$package" "$tree"; done

cd sim
tar -xJf "$tree/usr/src/linux-source-6.12.tar.xz" --strip-components=3 --wildcards \
    '*/drivers/i2c/i2c-stub.c' '*/drivers/gpio/gpio-sim.c' '*/kernel/irq/irq_sim.c'
# Part of the kernel proper, irq_sim may use what is not exported to modules, and needs no licence tag.
sed -i -e 's/handle_simple_irq(irq_to_desc(irqnum))/generic_handle_irq(irqnum)/' \
    -e '1i #include <linux/module.h>' -e '$a MODULE_LICENSE("GPL");' irq_sim.c
patch -s -p1 <"$(dirname "$0")/i2c-stub.patch"
echo 'obj-m := i2c-stub.o gpio-sim.o irq_sim.o' >Makefile
ln -sf mawk "$tree/usr/bin/awk"
chroot "$tree" make -s -C "/usr/src/linux-headers-$name" M=/tmp/sim ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu- \
    CC=aarch64-linux-gnu-gcc-14 CONFIG_DEBUG_INFO_BTF_MODULES= modules
chroot "$tree" sh -c 'aarch64-linux-gnu-strip --strip-debug /tmp/sim/*.ko'
mkdir "$tree/usr/lib/modules/$name/extra"
mv ./*.ko "$tree/usr/lib/modules/$name/extra/"
depmod -b "$tree" "$name"

# What boots is set apart, and the rest thrown away by the caller: here the host's /proc and /sys are mounted in the tree.
mkdir -p "$tree/kept/boot" "$tree/kept/usr/lib"
mv "$tree/boot/vmlinuz-$name" "$tree/kept/boot/vmlinuz"
mv "$tree/usr/lib/linux-image-$name" "$tree/kept/boot/dtb"
mv "$tree/usr/lib/modules" "$tree/kept/usr/lib/modules"
