"""Event loops: what a second one brings where the clients leave it a core."""

import os

from contest import Contest
from scenarios.sessions import shot

SIZE = 64 * 1024


def reactors(bench):
    """Many small transfers with one loop and with two."""

    total = 1_000 if bench.args.quick else 20_000
    path = bench.source(f"small-{SIZE}")
    with open(path, "wb") as file:
        file.write(os.urandom(SIZE))
    entries = []
    if bench.server_knows("--reactors") and bench.programs.load:
        for count in (1, 2):
            server = bench.muxftp("--reactors", str(count), *bench.unsynced)
            if server:
                flags = {"connections": total, "at_once": 64, "path": f"small-{SIZE}"}
                entry = shot(bench, f"muxftp --reactors {count}", "transfers", server, total, **flags)
                entry.ours = count == 2
                entries.append(entry)
    else:
        bench.say("(reactors: the server has no --reactors)")
    return [Contest("reactors", f"{total:,} × 64 KiB down, 64 at once", total, "transfers/s", entries, digits=0)]
