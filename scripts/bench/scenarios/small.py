"""Ten thousand small files, as a tree, both ways."""

import os

import data
import peers
from contest import Contest, Entry
from scenarios.large import VERIFIED, cleaned, plain

COUNT, QUICK_COUNT, SIZE = 10_000, 1_000, 4096


def shape(bench):
    return (QUICK_COUNT if bench.args.quick else COUNT), SIZE


def down(bench):
    count, size = shape(bench)
    return [down_of(bench, "small-down", count, size, f"{count:,} × {size:,} bytes down, a tree")]


def down_of(bench, contest, count, size, title, every_peer=True):
    """The contest of one shape of tree; `every_peer` or the best alone."""
    name = bench.tree(count, size)
    entries = []

    def add(label, server, command, verifies="–", ours=False):
        if server:
            target = bench.target(plain(label))
            line = command.format(addr=server.addr, name=name, target=target, s=server, root=bench.root)
            entries.append(entry(bench, label, line, server, name, target, verifies, ours))

    server = bench.muxftp(*bench.unsynced)
    if server:
        add("muxftp", server, server.client("get {name} {target}"), VERIFIED, ours=True)
    add("rsync daemon", bench.server(peers.Rsyncd), "rsync -rt -W rsync://{addr}/m/{name}/ {target}", "xxh128")
    if every_peer:
        server = bench.server(peers.Nginx)
        if server:
            urls = curl_list(bench, name, server)
            add("nginx + curl -Z", server, f"curl -sf -Z --parallel-max 50 -K {urls}")
        mirror = "lftp -c 'set net:timeout 20; open {s.url}; mirror -P8 {name} {target}'"
        add("vsftpd + lftp ×8", bench.server(peers.Vsftpd), mirror)
        add("scp", bench.server(peers.Sshd), "scp {s.client} -r {s.host}:{root}/{name} {target}", "MAC")
    target = bench.target("copied")
    limit = entry(bench, "cp -r (the limit)", f"cp -r {bench.source(name)} {target}", None, name, target, "–", False)
    limit.limit = True
    entries.append(limit)
    return Contest(contest, title, count, "files/s", entries, digits=0, params={"count": count})


def entry(bench, label, line, server, name, target, verifies, ours):
    size = 2 * sum(os.path.getsize(bench.source(f"{name}/{file}")) for file in data.files_of(bench.source(name))[:1])
    count = len(data.files_of(bench.source(name)))
    return Entry(
        label,
        line,
        server=server,
        verifies=verifies,
        before=bench.clear(target, size * count),
        after=cleaned(data.Proof(bench.source(name), target), target),
        ours=ours,
    )


def curl_list(bench, name, server):
    """A configuration for curl that gets every file of the tree into its place."""
    target = bench.target(plain("nginx + curl -Z"))
    path = os.path.join(bench.folder, f"curl-down-{name}")
    with open(path, "w", encoding="utf-8") as file:
        file.write("create-dirs\n")
        for one in data.files_of(bench.source(name)):
            file.write(f'url = "{server.url}/{name}/{one}"\noutput = "{target}/{one}"\n')
    return path


def up(bench):
    count, size = shape(bench)
    return [up_of(bench, "small-up", count, size, f"{count:,} × {size:,} bytes up, a tree")]


def up_of(bench, contest, count, size, title, every_peer=True):
    name = bench.tree(count, size)
    source = bench.source(name)
    entries = []

    def add(label, server, command, verifies="–", ours=False):
        if not server:
            return
        folder = os.path.join(bench.inbox, plain(label))
        target = os.path.join(folder, name)
        where = os.path.relpath(target, bench.root)
        line = command.format(addr=server.addr, source=source, where=where, target=target, s=server, folder=folder)

        def before(clear=bench.clear(target, 2 * size * count)):
            clear()
            os.chmod(folder, 0o777)

        proof = cleaned(data.Proof(source, target), target)
        entries.append(Entry(label, line, server=server, verifies=verifies, before=before, after=proof, ours=ours))

    server = bench.muxftp(*bench.unsynced)
    if server:
        add("muxftp", server, server.client("put {source} {where}"), VERIFIED, ours=True)
        if bench.unsynced and every_peer:
            synced = bench.muxftp("--durability", "full")
            add("muxftp, full durability", synced, synced.client("put {source} {where}"), VERIFIED, ours=True)
    add("rsync daemon", bench.server(peers.Rsyncd), "rsync -rt -W {source}/ rsync://{addr}/m/{where}", "xxh128")
    if every_peer:
        server = bench.server(peers.Nginx)
        if server:
            urls = curl_up_list(bench, name, server)
            add("nginx DAV + curl -Z", server, f"curl -sf -Z --parallel-max 50 -K {urls}")
        mirror = "lftp -c 'set net:timeout 20; open {s.url}; mirror -R -P8 {source} {where}'"
        add("vsftpd + lftp ×8", bench.server(peers.Vsftpd), mirror)
        add("scp", bench.server(peers.Sshd), "scp {s.client} -r {source} {s.host}:{folder}/", "MAC")
    return Contest(contest, title, count, "files/s", entries, digits=0, params={"count": count})


def curl_up_list(bench, name, server):
    """A configuration for curl that puts every file of the tree."""
    path = os.path.join(bench.folder, f"curl-up-{name}")
    with open(path, "w", encoding="utf-8") as file:
        for one in data.files_of(bench.source(name)):
            file.write(f'upload-file = "{bench.source(name)}/{one}"\n')
            file.write(f'url = "{server.url}/inbox/{plain("nginx DAV + curl -Z")}/{name}/{one}"\noutput = "/dev/null"\n')
    return path
