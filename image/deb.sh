#!/bin/sh
# Build dist/device-gateway_VERSION_all.deb in a tree of Debian 13, and have lintian look at it.  Needs root.
#
#     image/deb.sh [VERSION]       default: what pyproject.toml says
set -eu
cd "$(dirname "$0")/.."
version=${1:-$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)}
tree=$(image/tree.sh build)

# A folder of its own, since the build writes beside the sources.
build=build/deb/device-gateway
rm -rf build/deb
mkdir -p "$build" dist
cp -a pyproject.toml setup.py README.md LICENSE docs drivers gateway "$build"
find "$build" -name __pycache__ -prune -exec rm -rf {} +
cp -a image/debian "$build/debian"
cp -a image/card "$build/card"
cp -a systemd/gateway.service "$build/debian/device-gateway.gateway.service"
for part in sysusers tmpfiles udev; do cp -a "systemd/gateway.$part" "$build/debian/device-gateway.$part"; done
cat >"$build/debian/changelog" <<END
device-gateway ($version) trixie; urgency=medium

  * See https://github.com/device-gateway/device-gateway/blob/main/CHANGELOG.md

 -- The Device Gateway authors <device-gateway@users.noreply.github.com>  $(date -R -d "@${SOURCE_DATE_EPOCH:-$(date +%s)}")
END

# build-essential is not there: pure Python takes no compiler.
log=build/deb/log
flock "$tree.lock" systemd-nspawn --quiet --register=no --keep-unit --as-pid2 --directory "$tree" \
    --bind "$PWD/build/deb:/mnt" --chdir /mnt/device-gateway --setenv=LC_ALL=C.UTF-8 --setenv=DPKG_COLORS=never --setenv=NO_COLOR=1 \
    sh -ec 'dpkg-buildpackage --build=binary --no-check-builddeps --no-sign; lintian --color never --hyperlinks off --tag-display-limit 0 --allow-root --fail-on error ../*.changes' \
    </dev/null >"$log" 2>&1 || { grep '^E: ' "$log" >&2 || tail -n 40 "$log" >&2; exit 1; }
grep '^[EW]: ' "$log" >&2 || true
mv build/deb/*.deb dist/
echo "dist/device-gateway_${version}_all.deb"
