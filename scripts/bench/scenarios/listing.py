"""Long listings: one folder with very many entries, listed by name, size and time."""

import statistics

import data
import load
import peers
from contest import Contest, Entry
from proc import Cost, Failed, Sampler, cpu_of

# Beyond this fewer peers and rounds.
EVERY_PEER = 100_000
# Listings of one session whose median counts.
TIMES = 7
FTP = (peers.Vsftpd, peers.Proftpd, peers.PureFtpd, peers.Pyftpdlib)
# What is not known there.
LACK = {("MLSD", "vsftpd")}


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
        rounds=2 if count > EVERY_PEER else 5,
        warmups=0 if count >= EVERY_PEER else 1,
        seconds=20,
        params={"count": count},
    )


def first_byte(bench):
    """FTP's listings of a long folder: how long until the first byte."""
    count = 10_000 if bench.args.quick else 100_000
    data.flat(bench.source(f"flat-{count}"), count)
    servers = [("muxftp", bench.muxftp_ftp(*bench.unsynced))]
    servers += [(kind.name, bench.server(kind)) for kind in FTP]
    for verb in ("MLSD", "LIST"):
        entries = [first_of(bench, verb, name, server, count) for name, server in servers if server and (verb, name) not in LACK]
        yield Contest(
            f"first-{verb.lower()}",
            f"FTP: first byte of {verb}, {count:,} entries",
            0,
            "ms",
            entries,
            value=lambda cost: cost.extra["first ms"],
            less=True,
            digits=1,
            columns=[("all s", "all s", 2)],
            warmups=0,
            seconds=60,
            params={"count": count, "verb": verb},
        )
    data.remove(bench.source(f"flat-{count}"))


def first_of(bench, verb, name, server, count):
    flags = {"name": f"flat-{count}", "sessions": TIMES, "verb": verb}

    def command():
        found = load.Drive(bench, "listing", server, **flags)
        try:
            with Sampler([found.pid], list(server.pids)) as sampler:
                told = [found.answer(bench.args.timeout) for _ in range(TIMES)]
                used = cpu_of([found.pid]), cpu_of(server.pids)
        finally:
            found.stop()
        # The folder itself, the one above and a total may be lines, too.
        if any(not count <= one["entries"] <= count + 3 for one in told):
            raise Failed(f"{told[0]['entries']} entries, not {count}")
        first, whole = (statistics.median(one[key] for one in told) for key in ("first", "seconds"))
        return Cost(whole, *used, *sampler.peaks, 0.0, {"first ms": first * 1000, "all s": whole})

    command.__doc__ = " ".join(load.Drive.words(bench, "listing", server, **flags))
    return Entry(name, command, server=server, before=bench.restart(server), ours=name == "muxftp")
