#!/bin/sh
# Shows muxftp at work: builds it, starts a server on a free loopback port, sends files to it, gets them back,
# compares, and cleans up. Needs a Rust toolchain; touches only a temp folder of its own and ./target.
set -eu
cd "$(dirname "$0")/.."

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
plain() { printf '\n%s\n' "$*"; }
[ -t 1 ] && [ -z "${NO_COLOR:-}" ] || say() { plain "$@"; }

# Prints a command as a person would type it, and runs it.
run() {
    printf '$'
    for word; do
        case $word in
        *[!A-Za-z0-9._/=:-]*) printf " '%s'" "$word" ;;
        *) printf ' %s' "$word" ;;
        esac
    done
    printf '\n'
    "$@"
}

say "1. Building (release; the first time takes a minute or two)"
cargo build --release --quiet --locked -p ftp-server -p ftp-client
PATH="$PWD/${CARGO_TARGET_DIR:-target}/release:$PATH"
[ -z "${CARGO_TARGET_DIR:-}" ] || PATH="$CARGO_TARGET_DIR/release:$PATH"
export PATH

room=$(mktemp -d "${TMPDIR:-/tmp}/muxftp-demo-XXXXXX")
server=
clean() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    rm -rf "$room"
}
trap clean EXIT
trap 'exit 130' INT TERM
mkdir "$room/served" "$room/mine" "$room/mine/album"
cd "$room"

say "2. Starting a server on a free port"
echo '$ ftp-server --root served --listen 127.0.0.1:0 &'
ftp-server --root served --listen 127.0.0.1:0 >ready 2>server.log &
server=$!
tries=0
until grep -q '^listening on ' ready; do
    tries=$((tries + 1))
    if [ "$tries" -gt 100 ] || ! kill -0 "$server" 2>/dev/null; then
        cat server.log
        echo "the server did not start" >&2
        exit 1
    fi
    sleep 0.1
done
cat ready
FTP_CLIENT_SERVER=$(sed -n 's/^listening on //p' ready)
export FTP_CLIENT_SERVER
echo "(the client finds it by the variable FTP_CLIENT_SERVER=$FTP_CLIENT_SERVER)"

say "3. Making files: 100 MiB of noise, a note with an odd name, a folder of 500 small ones"
head -c 104857600 /dev/urandom >mine/noise.bin
echo 'Grüße aus der Demo' >'mine/ünïcode and spaces.txt'
n=0
while [ "$n" -lt 500 ]; do
    echo "picture number $n" >"mine/album/picture-$n.txt"
    n=$((n + 1))
done
: >mine/empty
du -sh mine | sed 's/^/   /'

say "4. Sending them"
run ftp-client put mine/noise.bin noise.bin
run ftp-client put 'mine/ünïcode and spaces.txt' 'notes/hello.txt'
run ftp-client put mine/empty empty
run ftp-client put mine/album

say "5. What the server has"
run ftp-client ls -l
run ftp-client hash noise.bin

say "6. Getting them back"
mkdir back
run ftp-client get noise.bin back/noise.bin
run ftp-client get notes/hello.txt back/hello.txt
run ftp-client get empty back/empty
run ftp-client get album back/
run ftp-client cat notes/hello.txt

say "7. Comparing"
(cd mine && sha256sum noise.bin) | (cd back && run sha256sum -c -)
run cmp 'mine/ünïcode and spaces.txt' back/hello.txt
run cmp mine/empty back/empty
run diff -r mine/album back/album
echo "   all the same"

say "8. Stopping the server (it would let transfers finish)"
echo "\$ kill $server"
kill "$server"
code=0
wait "$server" || code=$?
server=
echo "   it ended with code $code; its log's last lines:"
tail -n 3 server.log | sed 's/^/   /'
[ "$code" = 0 ]

say "Done. Everything came back as it went."
