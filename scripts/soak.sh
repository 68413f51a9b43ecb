#!/bin/sh
# A mixed load for SECONDS (default 600), then 100,000 connections that come and go: memory and descriptors stay flat.
# See tests/tests/faults/soak.rs.
set -eu
cd "$(dirname "$0")/.."
export MUXFTP_SOAK_SECONDS="${1:-600}" MUXFTP_CYCLES="${2:-100000}"
cargo test --release --locked -p ftp-tests --test faults -- --nocapture --test-threads 1 soak::
