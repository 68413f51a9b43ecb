"""The points of the plots: throughput against connections, files/s against their size, memory against sessions."""

import data
import peers
from scenarios import sessions, small

KIB, MIB = 1 << 10, 1 << 20
ROUNDS = 3


def curves(bench):
    quick = bench.args.quick
    yield from throughput(bench, (1, 10, 100) if quick else (1, 10, 100, 1_000))
    yield from sizes(bench, (KIB, 16 * KIB, 256 * KIB) if quick else (KIB, 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, MIB))
    yield from memory(bench, (10, 100, 500) if quick else (10, 100, 1_000, 10_000))


def throughput(bench, counts):
    """So many connections at once, each getting files of 10 MiB (quick: 1 MiB) until 1,000 (100) are there."""
    total, each = (100, MIB) if bench.args.quick else (1_000, 10 * MIB)
    for at_once in counts:
        number = min(total, 100 * at_once)
        title = f"{number:,} × {each // MIB} MiB down, {at_once:,} at once"
        contest = sessions.transfers(bench, "curve-connections", title, number, each, at_once)
        yield point(contest, "connections", at_once)


def sizes(bench, sizes_of_files):
    """Trees of files of one size: as many as 256 MiB (quick: 16 MiB) hold, 10,000 at most."""
    room = (16 if bench.args.quick else 256) * MIB
    for size in sizes_of_files:
        count = min(room // size, 1_000 if bench.args.quick else 10_000)
        for way, make in (("down", small.down_of), ("up", small.up_of)):
            contest = make(bench, count, size, f"{count:,} × {size // KIB:,} KiB {way}, a tree", every_peer=False)
            contest.entries = [entry for entry in contest.entries if not entry.limit]
            yield point(contest, f"sizes-{way}", size)
        data.remove(bench.source(f"tree-{count}-{size}"))


def memory(bench, counts):
    """So many idle connections, and all that the server holds."""
    for count in counts:
        kinds = sessions.EVENTED + ((peers.Vsftpd,) if count <= 500 else ())
        contest = sessions.idle_of(bench, count, f"Memory of {count:,} idle connections", kinds)
        yield point(contest, "memory", count)


def point(contest, chart, x):
    contest.plot = {"chart": chart, "x": x}
    contest.rounds = ROUNDS
    return contest
