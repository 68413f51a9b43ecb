#!/bin/sh
# kill -9 of the server at random points of uploads, ROUNDS times (default 200); see tests/tests/faults/crash.rs.
# A failure prints its seed; MUXFTP_SEED=N does the same again.
set -eu
cd "$(dirname "$0")/.."
MUXFTP_CRASH_ROUNDS=${1:-200} cargo test --release --locked -p ftp-tests --test faults -- --exact --nocapture \
    crash::killed_at_any_point_nothing_is_lost
