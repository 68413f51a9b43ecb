"""Growth: time and memory per file from a thousand files to a million, per byte from 1 MiB to 64 GiB (with --full)."""

import os

import data
import peers
from contest import Contest, Entry
from scenarios.large import VERIFIED, cleaned, plain

MIB, GIB = 1 << 20, 1 << 30
FILE_SIZE = 100


def scale(bench):
    counts = [100, 1_000] if bench.args.quick else [1_000, 10_000, 100_000]
    sizes = [MIB, 16 * MIB, 256 * MIB] if bench.args.quick else [MIB, 64 * MIB, GIB, 8 * GIB]
    if bench.args.full:
        counts.append(1_000_000)
        sizes.append(64 * GIB)
    for count in counts:
        yield files(bench, count, up=False)
        yield files(bench, count, up=True)
        data.remove(bench.source(f"tree-{count}-{FILE_SIZE}"))
    yield of_bytes(bench, sizes)


def files(bench, count, up):
    """A tree of so many small files, ours and rsync; memory is the figure beside the time."""
    name = bench.tree(count, FILE_SIZE)
    source = bench.source(name)
    entries = []

    def add(label, server, command, verifies, ours=False):
        if not server:
            return
        folder = os.path.join(bench.inbox if up else bench.out, plain(label))
        target = os.path.join(folder, name)
        where = os.path.relpath(target, bench.root)
        line = command.format(name=name, source=source, target=target, where=where, s=server)

        def before():
            data.remove(target)
            os.makedirs(folder, exist_ok=True)

        proof = cleaned(data.Proof(source, target), target)
        entries.append(Entry(label, line, server=server, verifies=verifies, before=before, after=proof, ours=ours))

    server = bench.muxftp(*bench.unsynced)
    if server:
        line = "put {source} {where}" if up else "get {name} {target}"
        add("muxftp", server, server.client(line), VERIFIED, ours=True)
    line = "rsync -rt -W {source}/ {s.url}/m/{where}" if up else "rsync -rt -W {s.url}/m/{name}/ {target}"
    add("rsync daemon", bench.server(peers.Rsyncd), line, "xxh128")
    way = "up" if up else "down"
    return Contest(
        f"scale-{way}",
        f"{count:,} files of {FILE_SIZE} bytes {way}",
        0,
        "µs a file",
        entries,
        value=lambda cost: per_file(cost, count),
        less=True,
        digits=1,
        columns=(("bytes of client memory a file", "client bytes", 0),),
        rounds=1 if count >= 1_000_000 else 3,
        warmups=0 if count >= 100_000 else 1,
        seconds=25,
        params={"count": count},
    )


def per_file(cost, count):
    """Microseconds; the memory is noted beside."""
    cost.extra["client bytes"] = cost.client_peak / count
    return cost.seconds / count * 1e6


def of_bytes(bench, sizes):
    """A sparse file to nothing: the time a byte takes, whatever the size."""
    entries = []
    server = bench.muxftp(*bench.unsynced)
    for size in sizes if server else ():
        label = f"{size // GIB} GiB" if size >= GIB else f"{size // MIB} MiB"
        name = f"sparse-{size}"
        data.sparse(bench.source(name), size)
        line = server.client(f"get {name} -") + " > /dev/null"
        entries.append(Entry(f"muxftp, {label}", line, server=server, verifies=VERIFIED, note={"bytes": size}))
    return Contest(
        "scale-bytes",
        "One sparse file to nothing: the time a GiB takes",
        0,
        "s/GiB",
        entries,
        value=lambda cost: cost.seconds / cost.extra["bytes"] * GIB,
        less=True,
        rounds=2,
        warmups=0,
        seconds=40,
        params={"size": max(sizes)},
    )
