#!/bin/sh
# Print the path of one of the Debian 13 trees that packages are built in and boards boot from.  It is made on
# first use, kept outside the source tree, and made anew when its recipe below changes.  Needs root.
#
#     image/tree.sh build      this machine's architecture: builds and checks the .deb
#     image/tree.sh system     this machine's architecture: bare, with systemd, for installing the .deb
#     image/tree.sh arm64      packages unpacked, none configured: the emulated boards' root
#     image/tree.sh kernel     arm64: boot/vmlinuz, boot/dtb/, usr/lib/modules, with gpio-sim and i2c-stub
#     image/tree.sh card       arm64, installed: the SD card's Debian, all but the gateway itself
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/device-gateway
native=$(dpkg --print-architecture)
gateway="python3-twisted python3-serial python3-smbus2 python3-msgspec python3-automat python3-libgpiod"

case ${1:-} in
    build) set -- build --variant=minbase --include="debhelper dh-python pybuild-plugin-pyproject python3-all
        python3-setuptools lintian $gateway
        e2fsprogs libarchive13t64 fdisk dosfstools mtools" ;; # and writes the SD card
    # With what the .deb depends on at hand, downloaded but not installed: the container it is tried in has no network.
    system) set -- system --variant=minbase --include="systemd-sysv udev dbus man-db bash-completion" --skip=cleanup/apt \
        --customize-hook="APT_CONFIG=\$MMDEBSTRAP_APT_CONFIG apt-get -qq --yes --download-only \
            --option=APT::Install-Recommends=true install $gateway python3-spidev" ;;
    arm64) set -- arm64 --variant=extract --architectures=arm64 \
        --extract-hook='cd "$1/usr/share" && rm -rf doc info locale man' \
        --include="$gateway python3-hypothesis python3-pytest python3-rpi.gpio bash busybox-static coreutils dash e2fsprogs
            gpiod grep i2c-tools iproute2 kmod libc-bin mount procps sed udev util-linux" ;;
    # Extracted only, since headers for arm64 want a compiler for arm64, and we want one that runs here.
    kernel) set -- kernel --variant=extract --architectures="$native,arm64" --extract-hook="$here/kernel.sh \"\$1\"" \
        --include="gcc-14-aarch64-linux-gnu make mawk libelf1t64 dash bash coreutils sed grep findutils tar xz-utils" ;;
    # Configured by arm64 programs on this machine's processor, through qemu-user: minutes.
    card) export COMPONENTS="main non-free-firmware"
        set -- card --variant=minbase --architectures=arm64 \
        --setup-hook="cp -r '$here/base/.' \"\$1\"" --customize-hook="$here/packages.py \"\$1\"" \
        --include="systemd-sysv udev dbus systemd-resolved systemd-timesyncd kmod iproute2 iputils-ping openssh-server sudo
            linux-image-arm64 tiny-initramfs raspi-firmware firmware-brcm80211 wireless-regdb wpasupplicant avahi-daemon
            tzdata ca-certificates e2fsprogs dosfstools fdisk less nano i2c-tools gpiod usbutils netcat-openbsd
            $gateway python3-spidev" ;;
    *) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac

recipe() { # what the tree is made from
    printf '%s\n' "$@" "$native" | sed "s|$here||"
    case $1 in
        kernel) cat "$here/kernel.sh" "$here/i2c-stub.patch" ;;
        card) find "$here/base" -type f | sort | xargs cat "$here/packages.py" ;;
    esac
}
tree=$cache/$1-$(recipe "$@" | sha256sum | cut -c 1-12)
shift
if [ ! -d "$tree" ]; then
    [ "$(id -u)" = 0 ] || { echo "image/tree.sh: run me as root, I have to make $tree" >&2; exit 1; }
    mkdir -p "$cache"
    exec 9>"$tree.lock"
    flock 9
    if [ ! -d "$tree" ]; then # nobody else made it meanwhile
        echo "making $tree" >&2
        rm -rf --one-file-system "$tree.new"
        "$here/sources.sh" trixie trixie-updates trixie-security |
            mmdebstrap --mode=root --quiet --aptopt='Acquire::Languages "none"' "$@" trixie "$tree.new" - >&2
        if [ -d "$tree.new/kept" ]; then mv "$tree.new/kept" "$tree"; else mv "$tree.new" "$tree"; fi
        rm -rf --one-file-system "$tree.new"
    fi
fi
echo "$tree"
