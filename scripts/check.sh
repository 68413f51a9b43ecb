#!/bin/sh
# The gate: formatting, lints, tests, docs. Locally and in CI the same. Needs a Rust toolchain and nothing else;
# what it cannot check on this machine it says.
set -eu
cd "$(dirname "$0")/.."

step() {
    printf '\n== %s\n' "$*"
    "$@"
}

started=$(date +%s)
step cargo fmt --all --check
step cargo clippy --workspace --all-targets --locked -- -D warnings
step cargo test --workspace --locked --no-fail-fast
printf '\n== skipped: standard FTP with 5 GB by curl and 10,000 files by rclone (scripts/interop.sh)\n'
for client in $(scripts/interop.sh --missing); do
    printf '\n== skipped: standard FTP with %s (not installed; scripts/interop.sh --only-install)\n' "$client"
done
step env RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked
step scripts/hot-paths.sh

# Licences, sources and bans need no network; the known weaknesses (advisories) do.
if cargo deny --version >/dev/null 2>&1; then
    step cargo deny --config .github/deny.toml check --hide-inclusion-graph bans licenses sources
    if cargo deny --config .github/deny.toml fetch db >/dev/null 2>&1; then
        step cargo deny --config .github/deny.toml check --hide-inclusion-graph advisories
    else
        printf '\n== skipped: advisories (their database cannot be fetched)\n'
    fi
else
    printf '\n== skipped: dependencies (cargo install cargo-deny)\n'
fi

# The fuzz targets are a workspace of their own and want nightly and a C++ compiler.
for fuzz in crates/ftp-proto/fuzz/Cargo.toml crates/ftp-access/fuzz/Cargo.toml crates/ftp-server/fuzz/Cargo.toml; do
    step cargo fmt --manifest-path "$fuzz" --check
    if command -v c++ >/dev/null && cargo +nightly --version >/dev/null 2>&1; then
        step cargo +nightly check --manifest-path "$fuzz" --locked
    else
        printf '\n== skipped: compiling the fuzz targets (no nightly toolchain or no C++ compiler)\n'
    fi
done

printf '\n== all good, in %s s\n' "$(($(date +%s) - started))"
