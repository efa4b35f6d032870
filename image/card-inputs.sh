#!/bin/sh
# Print a hash of what the SD card's tests depend on besides the gateway's own code, which has tests of its own.
# `make image-test` writes it to tests/card/passed when all passed; .ci/run runs it anew when it is another.
set -eu
cd "$(dirname "$0")/.."
find image systemd tests/card tests/emulated setup.py pyproject.toml -type f \
    ! -name '*.pyc' ! -path tests/card/passed -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -c 1-16
