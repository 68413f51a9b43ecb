"""The points of the plots: throughput against connections, files/s against their size, memory against sessions."""

import data
import peers
from scenarios import sessions, small

KIB, MIB = 1 << 10, 1 << 20
ROUNDS = 3


def connections(bench):
    """So many connections at once, each getting files of 10 MiB (quick: 1 MiB), 100 to 1,000 files in all."""
    total, each = sessions.many_shape(bench)
    for at_once in (1, 10, 100) if bench.args.quick else (1, 10, 100, 1_000):
        number = min(max(total // 2, at_once), 100 * at_once)
        title = f"{number:,} × {each // MIB} MiB down, {at_once:,} at once, for the plot"
        contest = sessions.transfers(bench, "curve-connections", title, number, each, at_once)
        yield point(contest, "connections", at_once, seconds=25)


def sizes(bench):
    """Trees of files of one size: as many as 256 MiB (quick: 16 MiB) hold, 10,000 at most."""
    quick = bench.args.quick
    room = (16 if quick else 256) * MIB
    for size in (KIB, 16 * KIB, 256 * KIB) if quick else (KIB, 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, MIB):
        count = min(room // size, 1_000 if quick else 10_000)
        for way, make in (("down", small.down_of), ("up", small.up_of)):
            title = f"{count:,} × {size // KIB:,} KiB {way}, a tree, for the plot"
            contest = make(bench, f"curve-{way}", count, size, title, every_peer=False)
            contest.entries = [entry for entry in contest.entries if not entry.limit]
            yield point(contest, f"sizes-{way}", size, seconds=8)
        data.remove(bench.source(f"tree-{count}-{size}"))


def memory(bench):
    """So many idle connections, and all that the server holds."""
    for count in (10, 100, 500) if bench.args.quick else (10, 100, 1_000, 10_000):
        kinds = sessions.EVENTED + ((peers.Vsftpd,) if count <= 500 else ())
        contest = sessions.idle_of(bench, "curve-memory", count, f"Memory of {count:,} idle connections, for the plot", kinds)
        contest.warmups = 0
        yield point(contest, "memory", count, seconds=10)


def point(contest, chart, x, seconds):
    contest.plot = {"chart": chart, "x": x}
    contest.rounds = ROUNDS
    contest.seconds = seconds
    return contest
