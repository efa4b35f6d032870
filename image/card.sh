#!/bin/sh
# Build the SD card image: dist/device-gateway_VERSION_arm64.img.xz, with its checksum, its list of packages and its bill
# of materials.  Debian comes from the cache of tree.sh, our packages from deb.sh.  Twice the same sources on the same
# Debian give the same bytes.  Needs root; no loop devices.
#
#     image/card.sh [VERSION]      default: what pyproject.toml says; FAST=1: only the .img, not compressed
set -eu
cd "$(dirname "$0")/.."
version=${1:-$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)}
export SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || stat -c %Y pyproject.toml)}"
work=$PWD/build/card root=$PWD/build/card/root fat=$PWD/build/card/fat
name=device-gateway_${version}_arm64
step() { echo "$(date +%T) $*" >&2; }

step "packages"
image/deb.sh "$version" >/dev/null
base=$(image/tree.sh card)
tools=$(image/tree.sh build)
rm -rf --one-file-system "$work"
mkdir -p "$fat/overlays"
cp -a "$base" "$root"

step "installing them into Debian"
# A namespace of its own: however this ends, nothing stays mounted.
cp "dist/device-gateway_${version}_all.deb" "dist/device-gateway-card_${version}_all.deb" "$root/tmp/"
unshare --mount sh -ec 'mount -t proc proc "$1/proc"; exec chroot "$1" sh -ec "dpkg --install /tmp/*.deb; rm /tmp/*.deb"' \
    sh "$root" >"$work/dpkg.log" 2>&1 </dev/null || { tail -n 30 "$work/dpkg.log" >&2; exit 1; }

step "finishing"
image/finish.sh "$root" "$fat"
find "$root" "$fat" -newermt "@$SOURCE_DATE_EPOCH" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
# When a file was last read is no part of it.
tar --create --sort=name --numeric-owner --xattrs --pax-option=delete=atime,delete=ctime --directory="$root" --file="$work/root.tar" .

step "the card"
cp image/partitions "$work/"
unshare --mount sh -ec 'mount --bind "$1" "$2/mnt"; mount -t proc proc "$2/proc"; exec chroot "$2" sh -e /mnt/partitions' sh "$work" "$tools"
mv "$work/card.img" "dist/$name.img"
image/bill.py "$root" "$version" "dist/$name"
[ -z "${FAST:-}" ] || exit 0

step "compressing"
xz --threads=0 --block-size=64MiB --force --verbose --keep "dist/$name.img"
(cd dist && sha256sum "$name.img.xz" >"$name.img.xz.sha256")
ls -l "dist/$name.img.xz" >&2
echo "dist/$name.img.xz"
