#!/bin/sh
# Counts the instructions of the hot paths beneath valgrind and compares them with scripts/bench/counts.json: a
# slow-down shows without a clock. Fails beyond the margin; --update writes the baseline anew. Skips, and says so,
# where there is no valgrind, and only shows the counts where the compiler is another than the baseline's.
set -eu
cd "$(dirname "$0")/.."

if ! command -v valgrind >/dev/null || ! command -v python3 >/dev/null; then
    echo 'skipped: counting instructions (no valgrind or no python3)'
    exit 0
fi
exec python3 -B scripts/bench/counts.py "$@"
