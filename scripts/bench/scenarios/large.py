"""One large file: down to a file, down to nothing, up."""

import os

import data
import peers
from contest import Contest, Entry

GIB = 1 << 30
VERIFIED = "SHA-256"


def down(bench):
    name = bench.big()
    size = bench.args.size
    entries = ours_down(bench, name)

    def add(label, kind, command, verifies="–"):
        server = bench.server(kind)
        if server:
            target = bench.target(plain(label))
            line = command.format(addr=server.addr, name=name, target=target, s=server, root=bench.root)
            entries.append(entry_to_file(bench, label, line, server, name, target, verifies))

    add("rsync daemon", peers.Rsyncd, "rsync -W rsync://{addr}/m/{name} {target}", "xxh128")
    add("vsftpd + curl", peers.Vsftpd, "curl -sf -o {target} {s.url}/{name}")
    add("nginx + curl", peers.Nginx, "curl -sf -o {target} {s.url}/{name}")
    add("lighttpd + curl", peers.Lighttpd, "curl -sf -o {target} {s.url}/{name}")
    add(
        "nginx + curl + openssl",
        peers.Nginx,
        "curl -sf -o {target} {s.url}/{name} && openssl dgst -sha256 {target}",
        VERIFIED,
    )
    add("scp", peers.Sshd, "scp {s.client} {s.host}:{root}/{name} {target}", "MAC")
    limit = bench.target("written")
    entries.append(
        Entry(
            "cp (the limit)",
            f"cp {bench.source(name)} {limit}",
            before=bench.clear(limit, size),
            after=data.Proof(bench.source(name), limit),
            limit=True,
        )
    )
    yield contest(bench, "down", f"Download of {size / GIB:g} GiB to a file", entries, seconds=170)
    data.remove(bench.source("fresh"))


def ours_down(bench, name, to_file=True):
    """Ours: of a file whose digest the server knows, of one that it must read first, and without verification."""
    server = bench.muxftp(*bench.unsynced)
    if not server:
        return []

    def fresh():
        os.utime(bench.source("fresh"))

    shapes = [("muxftp", name, "", VERIFIED, None)]
    if to_file:
        data.big(bench.source("fresh"), bench.args.size)
        shapes.append(("muxftp, first read", "fresh", "", VERIFIED, fresh))
    if bench.client_knows("--no-verify"):
        shapes.append(("muxftp --no-verify", name, "--no-verify", "–", None))
    else:
        bench.say("(muxftp --no-verify: skipped: the client has no such option)")
    entries = []
    for label, source, flag, verifies, first in shapes:
        target = bench.target(plain(label))
        line = server.client(" ".join(filter(None, ["get", flag, source, target if to_file else "- > /dev/null"])))
        if to_file:
            entry = entry_to_file(bench, label, line, server, source, target, verifies, ours=True)
        else:
            entry = Entry(label, line, server=server, verifies=verifies, ours=True)
        if first:
            entry.before = both(first, entry.before)
        entries.append(entry)
    return entries


def both(first, second):
    def step():
        first()
        second()

    return step


def entry_to_file(bench, label, line, server, name, target, verifies, ours=False):
    return Entry(
        label,
        line,
        server=server,
        verifies=verifies,
        before=bench.clear(target, bench.args.size),
        after=cleaned(data.Proof(bench.source(name), target), target),
        ours=ours,
    )


def plain(label):
    """A label as a file name that no shell minds."""
    return "".join(letter if letter.isalnum() else "-" for letter in label)


def cleaned(proof, path):
    """The proof, and then room for the next."""

    def step():
        try:
            proof()
        finally:
            data.remove(path)

    return step


def contest(bench, name, title, entries, seconds):
    size = bench.args.size
    ready = bench.settled(f"big-{size}")
    return Contest(name, title, size / GIB, "GiB/s", entries, seconds=seconds, params={"size": size}, ready=ready)


def down_null(bench):
    name = bench.big()
    entries = ours_down(bench, name, to_file=False)
    for label, kind in (
        ("lighttpd + curl", peers.Lighttpd),
        ("nginx + curl", peers.Nginx),
        ("vsftpd + curl", peers.Vsftpd),
    ):
        server = bench.server(kind)
        if server:
            entries.append(Entry(label, f"curl -sf -o /dev/null {server.url}/{name}", server=server))
    server = bench.server(peers.Nginx)
    if server:
        line = f"curl -sf {server.url}/{name} | openssl dgst -sha256"
        entries.append(Entry("nginx + curl | openssl", line, server=server, verifies=VERIFIED))
    server = bench.server(peers.Sshd)
    if server:
        line = f"scp {server.client} {server.host}:{bench.source(name)} /dev/null"
        entries.append(Entry("scp", line, server=server, verifies="MAC"))
    limit = f"openssl dgst -sha256 {bench.source(name)}"
    entries.append(Entry("SHA-256 alone (openssl)", limit, verifies=VERIFIED, limit=True))
    return [contest(bench, "down-null", f"Download of {bench.args.size / GIB:g} GiB to nothing", entries, seconds=110)]


def up(bench):
    name = bench.big()
    source = bench.source(name)
    entries = []

    def add(label, server, command, verifies="–", ours=False):
        if not server:
            return
        folder = os.path.join(bench.inbox, plain(label))
        target = os.path.join(folder, name)
        where = os.path.relpath(target, bench.root)
        inbox = os.path.dirname(where)
        line = command.format(addr=server.addr, source=source, where=where, inbox=inbox, target=target, s=server)

        def before(clear=bench.clear(target, bench.args.size)):
            clear()
            os.chmod(folder, 0o777)

        proof = cleaned(data.Proof(source, target), target)
        entries.append(Entry(label, line, server=server, verifies=verifies, before=before, after=proof, ours=ours))

    server = bench.muxftp(*bench.unsynced)
    if server:
        add("muxftp", server, server.client("put {source} {where}"), VERIFIED, ours=True)
        if bench.unsynced:
            synced = bench.muxftp("--durability", "full")
            add("muxftp, full durability", synced, synced.client("put {source} {where}"), VERIFIED, ours=True)
    lftp = "lftp -c 'set net:timeout 20; open {s.url}; put -O {inbox} {source}'"
    add("vsftpd + lftp", bench.server(peers.Vsftpd), lftp)
    add("vsftpd + curl", bench.server(peers.Vsftpd), "curl -sf -T {source} {s.url}/{where}")
    add("Pure-FTPd + lftp", bench.server(peers.PureFtpd), lftp)
    add("nginx DAV + curl", bench.server(peers.Nginx), "curl -sf -T {source} {s.url}/{where}")
    add("rsync daemon", bench.server(peers.Rsyncd), "rsync -W {source} rsync://{addr}/m/{where}", "xxh128")
    add("scp", bench.server(peers.Sshd), "scp {s.client} {source} {s.host}:{target}", "MAC")
    return [contest(bench, "up", f"Upload of {bench.args.size / GIB:g} GiB", entries, seconds=165)]
