#!/usr/bin/env bash
# The long form of the simulator (tests/tests/sim.rs): many worlds of each kind, as many at a time as there are cores.
#
#   scripts/sim.sh [SEEDS] [KIND…]           seeds 0 to SEEDS - 1, 20000 if not said
#   scripts/sim.sh --seed SEED [KIND…]       one world, telling what happens in it
#
# KIND: native, standard (FTP), both (at the same files), struck (every state of standard FTP, interrupted in every way).
# All of them, if none is named. Ends at the first seed of a kind that fails, and names it. MUXFTP_SIM_FIRST=N begins at seed N.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
    sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"
}

case ${1:-} in
-h | --help)
    usage
    exit
    ;;
--seed)
    export MUXFTP_SIM_SEED="${2:?"sim.sh: --seed wants a number"}"
    shift 2
    ;;
*)
    export MUXFTP_SIM_SEEDS="${1:-20000}"
    shift || true
    ;;
esac
numbers=${MUXFTP_SIM_SEED:-}${MUXFTP_SIM_SEEDS:-}
[[ $numbers =~ ^[0-9]+$ ]] || { usage >&2; exit 2; }

kinds=("$@")
((${#kinds[@]})) || kinds=(native standard both struck)
tests=()
for kind in "${kinds[@]}"; do
    case $kind in
    native) tests+=(every_seed_keeps_the_contract) ;;
    standard) tests+=(standard_ftp_keeps_the_contract) ;;
    both) tests+=(both_dialects_keep_the_contract) ;;
    struck) tests+=(every_state_is_struck_in_every_way) ;;
    *) usage >&2; exit 2 ;;
    esac
done

# With overflow checks: not the release profile.
cargo test --locked -p ftp-tests --test sim -- --exact --nocapture "${tests[@]}"
