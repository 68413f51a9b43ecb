#!/bin/sh
# The suite of real FTP clients in its long form: 10,000 small files by rclone and lftp, 5 GB by curl, beside what the gate runs.
# Clients that are not installed are told and skipped; --install installs Debian's packages of all of them first.
set -eu
cd "$(dirname "$0")/.."
if [ "${1:-}" = --install ]; then
    shift
    as_root=
    [ "$(id -u)" = 0 ] || as_root=sudo
    $as_root apt-get install -y -qq --no-install-recommends curl wget lftp ncftp rclone python3 gftp-text
fi
export MUXFTP_LONG=1
exec cargo test --locked -p ftp-tests --test interop -- --nocapture "$@"
