"""Long listings: one folder with very many entries, listed by name, size and time."""

import data
import peers
from contest import Contest, Entry
from proc import Failed

# Beyond this fewer peers and rounds.
EVERY_PEER = 100_000


def listing(bench):
    for count in (1_000, 10_000) if bench.args.quick else (1_000, 10_000, 100_000, 1_000_000):
        yield of(bench, count)
        data.remove(bench.source(f"flat-{count}"))


def of(bench, count):
    name = f"flat-{count}"
    data.flat(bench.source(name), count)
    out = bench.target("list")
    entries = []

    def complete():
        with open(out, "rb") as file:
            found = file.read().count(b"file-")
        # A listing in HTML names each file twice.
        if found not in (count, 2 * count):
            raise Failed(f"{found} names, not {count}")

    def add(label, server, line, ours=False):
        if server:
            line = line.format(s=server, name=name) + f" > {out}"
            entry = Entry(label, line, server=server, ours=ours, after=complete)
            if ours:
                # What it holds is to be of this listing, not of those before.
                entry.before = bench.restart(server)
            entries.append(entry)

    server = bench.muxftp(*bench.unsynced)
    if server:
        add("muxftp ls -l", server, server.client("ls -l {name}"), ours=True)
    add("rsync --list-only", bench.server(peers.Rsyncd), "rsync --list-only {s.url}/m/{name}/")
    if count <= EVERY_PEER:
        add("nginx autoindex + curl", bench.server(peers.Nginx), "curl -sf {s.url}/{name}/")
        add("lighttpd dirlisting + curl", bench.server(peers.Lighttpd), "curl -sf {s.url}/{name}/")
        add("vsftpd + curl", bench.server(peers.Vsftpd), "curl -sf {s.url}/{name}/")
    return Contest(
        "list",
        f"A folder of {count:,} entries, listed",
        count,
        "entries/s",
        entries,
        digits=0,
        rounds=2 if count > EVERY_PEER else 3,
        warmups=0 if count >= EVERY_PEER else 1,
        seconds=20,
        params={"count": count},
    )
