#!/usr/bin/env bash
# Fuzzes each target of crates/{ftp-proto,ftp-access,ftp-server}/fuzz for a while, from the kept corpus on.
#
#   scripts/fuzz.sh [SECONDS] [TARGET…]      60 seconds each, all targets
#
# Needs a nightly toolchain; cargo-fuzz is installed if it is not there. A finding is left in
# the crate's fuzz/artifacts; add it to the corpus with the fix, and `cargo test` replays it for good.
set -euo pipefail
cd "$(dirname "$0")/../crates"

seconds=${1:-60}
shift || true
targets=("$@")
((${#targets[@]})) || targets=(decoder vpath proxy_header native_ops login_ops rfc959_line rfc959_reply rfc959_dialogue users_file configuration)

if ! rustup toolchain list 2>/dev/null | grep -q '^nightly'; then
    echo "fuzz.sh: no nightly toolchain (rustup toolchain install nightly); nothing was fuzzed" >&2
    exit 0
fi
command -v cargo-fuzz >/dev/null || cargo install --locked cargo-fuzz

for target in "${targets[@]}"; do
    crate=ftp-proto
    for other in ftp-access ftp-server; do
        if [[ -f $other/fuzz/fuzz_targets/$target.rs ]]; then crate=$other; fi
    done
    pushd "$crate" >/dev/null
    echo "== $target: $seconds s"
    # New inputs go beside the kept ones, which stay few.
    found=fuzz/target/corpus/$target
    mkdir -p "$found"
    log=fuzz/target/$target.log
    if ! cargo +nightly fuzz run "$target" "$found" "fuzz/corpus/$target" -- \
        -max_total_time="$seconds" -max_len=4096 -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 \
        >"$log" 2>&1; then
        tail -n 40 "$log" >&2
        echo "fuzz.sh: $target failed; a finding is in crates/$crate/fuzz/artifacts/$target" >&2
        exit 1
    fi
    grep '^stat::' "$log"
    popd >/dev/null
done
