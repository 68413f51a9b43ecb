#!/bin/sh
# The suite of real FTP clients in its long form: 10,000 small files by rclone, 5 GB by curl, beside what the gate runs.
# Clients that are not installed are told and skipped.
#   scripts/interop.sh [--install] [FILTER]   --install: Debian's packages of those that are missing first
#   scripts/interop.sh --only-install | --missing   nothing is run
set -eu
cd "$(dirname "$0")/.."
# Each program's package has its name.
clients='curl wget lftp ncftp rclone gftp-text python3'

missing() {
    for client in $clients; do
        command -v "$client" >/dev/null || printf '%s\n' "$client"
    done
}

# One by one: what this system does not have is no reason to go without the others.
install() {
    [ -n "$(missing)" ] || return 0
    as_root=
    [ "$(id -u)" = 0 ] || as_root=sudo
    $as_root apt-get update -qq || true
    for client in $(missing); do
        $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$client" >/dev/null ||
            echo "could not install: $client"
    done
}

case "${1:-}" in
--missing)
    missing
    exit
    ;;
--only-install)
    install
    exit
    ;;
--install)
    shift
    install
    ;;
esac
export MUXFTP_LONG=1
exec cargo test --locked -p ftp-tests --test interop -- --nocapture "$@"
