#!/bin/sh
# Print apt sources of the named Debian suites, on the mirror this host itself uses for Debian.
#
#     image/sources.sh trixie trixie-updates trixie-security
set -eu

mirror() { # the host's address of the archive labelled $1, or $2
    found=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' "Label: $1" \
        'Component: main' 2>/dev/null | sort -u | head -n 1)
    echo "${found:-$2}"
}

for suite; do
    case $suite in
        *-security) uri=$(mirror Debian-Security http://deb.debian.org/debian-security/) ;;
        *-backports) uri=$(mirror 'Debian Backports' "$(mirror Debian http://deb.debian.org/debian/)") ;;
        *) uri=$(mirror Debian http://deb.debian.org/debian/) ;;
    esac
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $uri $suite main"
done
