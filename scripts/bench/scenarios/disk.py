"""On a real disk: what each level of durability costs, against syncing file by file."""

import os
import shutil
import sys
import tempfile

import data
import peers
from contest import Contest, Entry
from scenarios.large import VERIFIED, plain

NAIVE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "naive.py")


def durability(bench):
    root = bench.disk()
    try:
        yield small(bench, root)
        yield large(bench, root)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def small(bench, root):
    count = 200 if bench.args.quick else 10_000
    name = bench.tree(count, 4096)
    entries = uploads(bench, root, name)
    source, target = bench.source(name), os.path.join(root, "naive", name)
    entries.append(entry("a sync for each file, locally", f"{sys.executable} {NAIVE} {source} {target}", None, source, target))
    title = f"{count:,} × 4,096 bytes up, to a disk"
    return Contest("durability-small", title, count, "files/s", entries, digits=0, rounds=5, seconds=60, params={"count": count})


def large(bench, root):
    size = (64 << 20) if bench.args.quick else (1 << 30)
    name = bench.big(size)
    title = f"Upload of {size / (1 << 30):g} GiB, to a disk"
    return Contest("durability-large", title, size / (1 << 30), "GiB/s", uploads(bench, root, name), rounds=5, seconds=45)


def uploads(bench, root, name):
    source = bench.source(name)
    entries = []
    for level in ("none", "data", "full"):
        server = bench.muxftp("--durability", level, root=root) if bench.unsynced else None
        if server:
            target = os.path.join(root, f"muxftp-{level}", name)
            line = server.client(f"put {source} {os.path.relpath(target, root)}")
            entries.append(entry(f"muxftp, {level}", line, server, source, target, VERIFIED, ours=level == "full"))
    rsync = bench.server_at(peers.Rsyncd, root)
    for label, flag in (("rsync daemon", ""), ("rsync daemon --fsync", "--fsync ")):
        if rsync:
            target = os.path.join(root, plain(label), name)
            tail = "/" if os.path.isdir(source) else ""
            line = f"rsync -rt -W {flag}{source}{tail} {rsync.url}/m/{os.path.relpath(target, root)}"
            entries.append(entry(label, line, rsync, source, target, "xxh128"))
    return entries


def entry(label, line, server, source, target, verifies="–", ours=False):
    proof = data.Proof(source, target)

    def before():
        put_aside(target)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        # What earlier runs left dirty is not this one's to write.
        os.sync()

    return Entry(label, line, server=server, verifies=verifies, before=before, after=proof, ours=ours)


def put_aside(target):
    """Makes room. A tree is only moved: ext4 searches long for inodes where very many were freed just before."""
    if os.path.isdir(target):
        os.rename(target, tempfile.mkdtemp(prefix="aside-", dir=os.path.dirname(target)))
    else:
        data.remove(target)
