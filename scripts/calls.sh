#!/bin/sh
# Which system calls the server makes within its sandbox, and which of them it is refused: the source of the table in
# crates/ftp-server/src/sandbox/table.rs. Runs the suites that start servers, each server beneath strace.
#
#   scripts/calls.sh [SUITE…]        e2e interop cli hostile faults by default
#
# A call that is refused (ENOSYS) and is not clone3, which is refused on purpose, lacks a row.
set -eu
cd "$(dirname "$0")/.."

if ! command -v strace >/dev/null; then
    echo "skipped: what the server calls (no strace)"
    exit 0
fi
suites=${*:-e2e interop cli hostile faults}
debug=$(pwd)/${CARGO_TARGET_DIR:-target}/debug
case ${CARGO_TARGET_DIR:-} in /*) debug=$CARGO_TARGET_DIR/debug ;; esac
built=$(cargo test --locked -p ftp-tests --no-run 2>&1)
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
# Servers of other users write here too.
chmod 755 "$place"
mkdir -m 1777 "$place/traces"
mkdir -p "$place/deps"
cp "$debug/shim-ftp-server" "$place/real"
cp "$debug/shim-ftp-client" "$place/"
# What every server makes all the time would be most of the text.
cat >"$place/shim-ftp-server" <<END
#!/bin/sh
exec strace -D -f -qq -s 0 -e signal=none -o "$place/traces/\$\$" \\
    -e 'trace=!read,write,writev,pread64,pwrite64,recvfrom,sendto,close,futex,epoll_wait,epoll_ctl,sched_yield' "$place/real" "\$@"
END
chmod 755 "$place/shim-ftp-server"
for suite in $suites; do
    program=$(printf '%s\n' "$built" | sed -n "s|.*tests/$suite\.rs (\(.*\))|\1|p")
    cp "$program" "$place/deps/$suite"
    (cd tests && "$place/deps/$suite" >"$place/$suite.log" 2>&1) || tail -n 30 "$place/$suite.log"
    grep '^test result' "$place/$suite.log" | sed "s/^/$suite: /"
done
# From the filter on; a line is `PID CALL(…) = …`, or two halves of one.
awk 'FNR == 1 { within = 0 } / seccomp\(/ { within = 1; next } within' "$place"/traces/* >"$place/within"
echo "servers: $(find "$place/traces" -type f | wc -l)"
echo "calls:"
sed -nE 's/^[0-9]+ +([a-z0-9_]+)\(.*/\1/p' "$place/within" | sort | uniq -c | sort -rn
echo "refused:"
sed -nE 's/^[0-9]+ +(<\.\.\. )?([a-z0-9_]+)[( ].*= -1 ENOSYS.*/\2/p' "$place/within" | sort | uniq -c | sort -rn
