#!/bin/sh
# Install what `make deb`, `make emulated` and `make image` need on a Debian 12 or 13 host.  Debian 12's own QEMU has no
# I2C controller on its Raspberry Pis, so there QEMU comes from backports.
set -eu
cd "$(dirname "$0")"
. /etc/os-release

tools="mmdebstrap debian-archive-keyring systemd-container e2fsprogs kmod device-tree-compiler patch xz-utils
       curl netcat-openbsd arch-test mtools dosfstools fdisk"
qemu="qemu-system-arm qemu-utils qemu-user-static"

missing() { # those of "$@" that are not installed, or are Debian 12's QEMU
    for package; do
        case $(dpkg-query -W -f '${Status} ${Version}' "$package" 2>/dev/null || true) in
            "install ok installed 1:7."*) echo "$package" ;;
            "install ok installed "*) ;;
            *) echo "$package" ;;
        esac
    done
}

# shellcheck disable=SC2046,SC2086 # lists of words
set -- $(missing $tools) / $(missing $qemu)
if [ "$*" != / ]; then
    [ "$(id -u)" = 0 ] || { echo "image/host.sh: run me as root, I have to install: $*" >&2; exit 1; }
    backports=""
    if [ "${VERSION_CODENAME:-}" = bookworm ]; then
        backports="--target-release bookworm-backports"
        ./sources.sh bookworm-backports >/etc/apt/sources.list.d/device-gateway-backports.list
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q
    # shellcheck disable=SC2046,SC2086
    apt-get install -q -y --no-install-recommends $(missing $tools)
    # shellcheck disable=SC2046,SC2086
    apt-get install -q -y --no-install-recommends $backports $(missing $qemu)
fi

# Programs of arm64 run here through qemu-user: where systemd has seen to that, it is done.
binfmt=/proc/sys/fs/binfmt_misc
[ -e $binfmt/register ] || mount -t binfmt_misc binfmt_misc $binfmt
[ -e $binfmt/qemu-aarch64 ] || cat /usr/lib/binfmt.d/qemu-aarch64.conf >$binfmt/register
