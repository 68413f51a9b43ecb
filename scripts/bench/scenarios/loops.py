"""Event loops: what a second one brings. The clients compete for the cores: beside the figure stands who used them."""

import os

from contest import Contest
from scenarios.sessions import shot

SIZE = 64 * 1024


def reactors(bench):
    """Many small transfers, and small requests, with one loop and with two."""
    total = 1_000 if bench.args.quick else 20_000
    path = bench.source(f"small-{SIZE}")
    with open(path, "wb") as file:
        file.write(os.urandom(SIZE))
    if not bench.server_knows("--reactors") or not bench.programs.load:
        bench.say("(reactors: skipped: the server has no --reactors, or ftp-load is not built)")
        return []
    flags = {"connections": total, "at_once": 64, "path": f"small-{SIZE}"}
    entries = with_loops(bench, "transfers", total, flags)
    transfers = contest("reactors", f"{total:,} × 64 KiB down, 64 at once, by loops", total, "transfers/s", entries)
    each = total // 64
    entries = with_loops(bench, "requests", 64 * each, {"connections": 64, "at_once": 64, "requests": 10 * each})
    title = f"{640 * each:,} pings over 64 connections, by loops"
    return [transfers, contest("reactors-pings", title, 640 * each, "requests/s", entries)]


def with_loops(bench, mode, total, flags):
    entries = []
    for count in (1, 2):
        server = bench.muxftp("--reactors", str(count), *bench.unsynced)
        if server:
            entry = shot(bench, f"muxftp --reactors {count}", mode, server, total, **flags)
            entry.ours = count == 2
            entries.append(entry)
    return entries


def contest(name, title, total, unit, entries):
    columns = (("server's cores", "server cores", 2), ("clients' cores", "client cores", 2))
    return Contest(name, title, total, unit, entries, digits=0, columns=columns, seconds=20)
