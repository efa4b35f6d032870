#!/bin/sh
# Print apt sources of the named Debian suites, on the mirror this host itself uses for Debian.
#
#     [COMPONENTS="main non-free-firmware"] image/sources.sh trixie trixie-updates trixie-security
set -eu

mirror() { # the host's address of the archive labelled $1; apt knows labels from the lists it fetched
    for _ in once again; do
        found=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' "Label: $1" \
            'Component: main' 2>/dev/null | sort -u | head -n 1)
        [ -z "$found" ] || { echo "$found"; return; }
        apt-get -qq update >&2
    done
    echo "The apt sources of this machine name no mirror of $1" >&2
    return 1
}

for suite; do
    case $suite in
        *-security) uri=$(mirror Debian-Security) ;;
        *) uri=$(mirror Debian) ;;
    esac
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $uri $suite ${COMPONENTS:-main}"
done
