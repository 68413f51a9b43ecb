#!/bin/sh
# What the hot paths cost, in figures that need no clock.
#
#   scripts/hot-paths.sh              instructions per operation against tests/hot-paths.baseline; fails if one is far above it
#   scripts/hot-paths.sh --update     makes what is counted now the baseline
#   scripts/hot-paths.sh --syscalls   system calls per small file and per MiB, of the real programs on loopback
#
# Needs valgrind, or strace; says so and does nothing where it is missing. The work is done by tests/src/bin/hot-paths.
set -eu
cd "$(dirname "$0")/.."

needs=valgrind
programs='-p ftp-tests --bin hot-paths'
case " $* " in *' --syscalls '*)
    needs=strace
    programs='-p ftp-tests -p ftp-server -p ftp-client --bin hot-paths --bin ftp-server --bin ftp-client'
    ;;
esac
if ! command -v "$needs" >/dev/null; then
    echo "skipped: counting what the hot paths cost (no $needs)"
    exit 0
fi
# shellcheck disable=SC2086 # a list of words
cargo build --release --quiet --locked $programs
exec "${CARGO_TARGET_DIR:-target}/release/hot-paths" "$@"
