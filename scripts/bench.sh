#!/bin/sh
# Measures muxftp against the programs a person would use instead, on loopback, one table a scenario.
# scripts/bench.sh --help tells the scenarios and options. It installs missing peers (Debian packages; as root), works in
# a temp folder of its own, and removes what it made; the driver is scripts/bench/, Python's standard library alone.
set -eu
cd "$(dirname "$0")/.."

if ! command -v python3 >/dev/null; then
    echo 'bench.sh needs python3' >&2
    exit 2
fi
exec python3 -B scripts/bench "$@"
