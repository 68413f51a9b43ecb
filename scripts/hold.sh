#!/bin/sh
# COUNT connections (default 10,000) held on one loop, all answering, with a transfer beside them. Prints the memory
# of each. Needs as many descriptors: `ulimit -Hn`. See tests/tests/faults/hold.rs.
set -eu
cd "$(dirname "$0")/.."
export MUXFTP_HOLD="${1:-10000}" MUXFTP_HOLD_PERCENT="${2:-90}"
cargo test --release --locked -p ftp-tests --test faults -- --exact --nocapture hold::held_connections_all_answer
