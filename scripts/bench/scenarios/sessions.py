"""Many sessions: what an idle one holds, how fast they come, how fairly many transfers share, what a ping feels."""

import os

import data
import load
import peers
from contest import Contest, Entry
from proc import Cost, memory_of, tree

# Servers with a process for each session get fewer; the figure is for one connection.
FORKING = (peers.Vsftpd, peers.PureFtpd, peers.Proftpd)
# More at once would overflow the short accept queue of some, whose clients then wait for ever.
AT_ONCE = 30
SMALL = "small-file"
MIB = 1 << 20


def servers(bench, kinds):
    """The running servers, ours first."""
    mine = bench.muxftp(*bench.unsynced) if bench.programs.load else None
    found = [mine] if mine else []
    if bench.programs.load:
        found += [server for server in map(bench.server, kinds) if server]
    small = bench.source(SMALL)
    if not os.path.exists(small):
        with open(small, "wb") as file:
            file.write(b"0123456789abcdef" * 4)
    return found


EVENTED = (peers.Nginx, peers.Lighttpd, peers.Pyftpdlib)


def idle(bench):
    full = 1_000 if bench.args.quick else 10_000
    return [idle_of(bench, "idle", full, f"Memory of an idle connection, {full:,} connections")]


def idle_of(bench, name, full, title, kinds=EVENTED + FORKING):
    entries = []
    for server in servers(bench, kinds):
        count = min(full, 500) if isinstance(server, FORKING) else full
        label = server.name if count == full else f"{server.name} ({count:,})"
        run = held(bench, server, count)
        mine = server.name == "muxftp"
        entries.append(Entry(label, run, server=server, before=bench.restart(server), ours=mine))
    return Contest(
        name,
        title,
        0,
        "KiB each",
        entries,
        value=lambda cost: cost.extra["each"] / 1024,
        less=True,
        columns=(("seconds to open", "seconds", 2), ("seconds until all have answered again", "asked", 2)),
        seconds=75,
        params={"count": full},
    )


def held(bench, server, count):
    """Makes a run that opens connections, lets each say hello, and looks at the server's memory."""
    line = " ".join(load.words(bench, "idle", server, connections=count, at_once=AT_ONCE, path=SMALL))

    def run():
        before = memory_of(tree(server.pids))
        busy = load.cpu_of(server.pids)
        crowd = load.Load(bench, "idle", server, connections=count, at_once=AT_ONCE, path=SMALL)
        try:
            opened = crowd.answer(bench.args.timeout)
            after = memory_of(tree(server.pids))
            client = load.cpu_of([crowd.pid])
            own = memory_of([crowd.pid])
            asked = crowd.ask(bench.args.timeout) if server.speaks != "ftp" else {}
            used = load.cpu_of(server.pids) - busy
        finally:
            crowd.stop()
        load.settle(server.pids, set(server.pids), limit=2.0 if isinstance(server, FORKING) else 0.2)
        extra = {"each": max(after - before, 0) / count, "seconds": opened["seconds"]}
        if asked:
            extra["asked"] = asked["seconds"]
        return Cost(opened["seconds"], client, used, own, after, 0.0, extra)

    run.__doc__ = line
    return run


def connects(bench):
    """Two contests: connections that come and go, and requests on connections that stay."""
    full = 1_000 if bench.args.quick else 10_000
    entries = []
    for server in servers(bench, EVENTED + FORKING):
        count = min(full, 500) if isinstance(server, FORKING) else full
        name = server.name if count == full else f"{server.name} ({count:,})"
        entries.append(shot(bench, name, "connects", server, count, connections=count, at_once=AT_ONCE, path=SMALL))
    first = Contest(
        "connects",
        "Connections that come, say hello (FTP: log in; HTTP: get 64 bytes) and go",
        0,
        "connections/s",
        entries,
        value=lambda cost: cost.extra["count"] / cost.seconds,
        digits=0,
        columns=(("p99 ms", "p99 ms", 1),),
        seconds=60,
        params={"count": full},
    )
    entries = []
    for server in servers(bench, (peers.Nginx, peers.Lighttpd)):
        flags = {"connections": AT_ONCE, "at_once": AT_ONCE, "requests": full // AT_ONCE, "path": SMALL}
        entries.append(shot(bench, server.name, "requests", server, full // AT_ONCE * AT_ONCE, **flags))
    second = Contest(
        "requests",
        f"Small requests over {AT_ONCE} connections that stay (ping; HTTP: 64 bytes)",
        full // AT_ONCE * AT_ONCE,
        "requests/s",
        entries,
        digits=0,
        seconds=20,
    )
    return [first, second]


def shot(bench, name, mode, server, count, **flags):
    """An entry that is one run of `ftp-load`."""

    def run():
        cost = load.run(bench, mode, server, **flags)
        cost.extra["p99 ms"] = cost.extra["p99"] * 1000
        cost.extra["work"] = count
        return cost

    run.__doc__ = " ".join(load.words(bench, mode, server, **flags))
    return Entry(name, run, server=server, ours=server.name == "muxftp")


MANY_FILES = 10


def many_shape(bench):
    """How many files are transferred, and the bytes of each."""
    return (100, MIB) if bench.args.quick else (1_000, 10 * MIB)


def many_files(bench):
    """The few files that are transferred again and again."""
    _, each = many_shape(bench)
    for number in range(MANY_FILES):
        data.big(bench.source(f"many-{each}-{number}"), each)


def many(bench):
    """1,000 transfers at once and ten at once, down, with pings beside; then up."""
    total, each = many_shape(bench)
    contests = []
    for at_once in (total, 10):
        title = f"{total:,} × {each // MIB} MiB down, {at_once:,} at once"
        contests.append(transfers(bench, "many-down", title, total, each, at_once))
    for at_once in (total, 10):
        title = f"{total:,} × {each // MIB} MiB up, {at_once:,} at once"
        contests.append(transfers(bench, "many-up", title, total, each, at_once, up=True))
    return contests


def transfers(bench, name, title, total, each, at_once, up=False):
    many_files(bench)
    entries = []
    for server in servers(bench, () if up else (peers.Nginx, peers.Lighttpd)):
        flags = {"connections": total, "at_once": at_once}
        if up:
            # Few names, each replaced again and again: the memory of the machine is the limit.
            flags |= {"path": "inbox/many-{}", "files": MANY_FILES, "put": each}
        else:
            flags |= {"path": f"many-{each}-{{}}", "files": MANY_FILES}
        entries.append(beside(bench, server, flags))
    rested = [] if up else [f"many-{each}-{number}" for number in range(MANY_FILES)]
    return Contest(
        name,
        title,
        total * each / (1 << 30),
        "GiB/s",
        entries,
        columns=(
            ("slowest ÷ median", "fairness", 2),
            ("ping p99 ms", "ping p99 ms", 2),
            ("ping worst ms", "ping worst ms", 1),
        ),
        seconds=30,
        params={"crowd": at_once > 10, "count": total},
        ready=bench.settled(*rested),
    )


def beside(bench, server, flags):
    """An entry: a load of transfers, and one connection that pings meanwhile."""

    def run():
        probe = load.Load(bench, "ping", server, path=SMALL)
        try:
            cost = load.run(bench, "transfers", server, **flags)
            pings = probe.finish(30)
        finally:
            probe.stop()
        median = cost.extra["median"]
        cost.extra["fairness"] = cost.extra["greatest"] / median if median else 0
        cost.extra["ping p99 ms"] = pings["p99"] * 1000
        cost.extra["ping worst ms"] = pings["greatest"] * 1000
        return cost

    run.__doc__ = " ".join(load.words(bench, "transfers", server, **flags))
    return Entry(server.name, run, server=server, ours=server.name == "muxftp")
