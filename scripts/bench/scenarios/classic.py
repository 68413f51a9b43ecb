"""The classic benchmark of FTP servers: one session's STOR and RETR, 300 logins, transfers beside them and by all, QUIT, memory.

Then the same beside 5,000 sessions that idle. Each visit gives a server a fresh process and does all rows in turn, by one
client for all (`drive.py`); the rows of a visit are then told as contests of their own.
"""

import os
import time

import data
import load
import machine
import peers
from contest import Contest, Entry
from proc import Cost, Failed, Sampler, cpu_of, memory_of, settle, tree
from scenarios.sessions import AT_ONCE, MIB, SMALL

KINDS = (peers.Vsftpd, peers.Proftpd, peers.PureFtpd, peers.Pyftpdlib)
FILES = 10
# Seconds for one row: who takes longer is out.
PATIENCE = 90
# Row -> title, unit, digits.
ROWS = {
    "stor": ("STOR of {size}", "GiB/s", 2),
    "retr": ("RETR of {size}", "GiB/s", 2),
    "logins": ("{sessions} logins, one after the other", "logins/s", 0),
    "memory": ("Memory of the server with {held:,} sessions", "MiB", 1),
    "stor-idle": ("STOR of {size} beside {held:,} idle", "GiB/s", 2),
    "retr-idle": ("RETR of {size} beside {held:,} idle", "GiB/s", 2),
    "retr-crowd": ("RETR of {sessions} × 10 MB at once", "GiB/s", 2),
    "stor-crowd": ("STOR of {sessions} × 10 MB at once", "GiB/s", 2),
    "quit": ("{sessions} QUITs, one after the other", "QUITs/s", 0),
}


def classic(bench):
    """All rows, without further sessions."""
    quick = bench.args.quick
    each = MIB if quick else 10_000_000
    return series(bench, {**shape_of(bench), "each": each, "idle": 0}, rounds=5)


def beside_idle(bench):
    """The rows of one session and of logins, beside 5,000 that idle."""
    return series(bench, {**shape_of(bench), "each": 0, "idle": 100 if bench.args.quick else 5_000}, rounds=5)


def shape_of(bench):
    quick = bench.args.quick
    return {"sessions": 30 if quick else 300, "size": (64 if quick else 1024) * MIB}


def series(bench, shape, rounds):
    visits = [Visit(bench, name, server, shape) for name, server in servers(bench)]
    rows = [row for row in ROWS if shape["each"] or not row.endswith("-crowd")]
    first = contest(bench, rows[0], shape, visits)
    first.rounds, first.warmups = rounds, 0
    # What the first visit writes is not to be the first use of that memory.
    first.ready = lambda: machine.touch(bench.out, 4 << 30)
    # A server with a process for each session takes long to have them all: all rows are its time.
    first.seconds = 600
    yield first
    for row in rows[1:]:
        yield contest(bench, row, shape, visits, kind=Told)


def servers(bench):
    """Name and running server, ours first."""
    found = [("muxftp", bench.muxftp_ftp(*bench.unsynced))]
    if bench.unsynced:
        found.append(("muxftp, full durability", bench.muxftp_ftp("--durability", "full")))
    if bench.server_knows("--ftp-digests"):
        # What the peers do: nobody hashes what is stored.
        found.append(("muxftp, no digest on the way in", bench.muxftp_ftp(*bench.unsynced, "--ftp-digests", "on-demand")))
        found.append(("muxftp, a digest in any case", bench.muxftp_ftp(*bench.unsynced, "--ftp-digests", "upload")))
    found += [(kind.name, bench.server(kind)) for kind in KINDS]
    return [(name, server) for name, server in found if server]


def contest(bench, row, shape, visits, kind=Contest):
    title, unit, digits = ROWS[row]
    held = shape["idle"] + shape["sessions"]
    size = f"{shape['size'] / (1 << 30):g} GiB"
    title = "FTP: " + title.format(size=size, held=held, sessions=shape["sessions"])
    if shape["idle"] and str(f"{held:,}") not in title:
        title += f", beside {shape['idle']:,} idle"
    entries = [
        Entry(
            visit.name,
            visit.look(row),
            server=visit.server,
            # The server computes SHA-256 of what is stored; FTP has nobody compare it.
            verifies="–",
            ours=visit.name == "muxftp",
        )
        for visit in visits
    ]
    return kind(
        f"classic-{row}",
        title,
        0,
        unit,
        entries,
        value=lambda cost: cost.extra["figure"],
        less=row == "memory",
        digits=digits,
        params={"row": row, "idle": shape["idle"], "count": held},
    )


class Told(Contest):
    """A row of visits that were made for another row."""

    def run(self, rounds, timeout, say, patience=1.0):
        for entry in self.entries:
            try:
                entry.costs = entry.command()
            except Failed as failure:
                entry.failure = str(failure)
            for cost in entry.costs:
                say(f"  {self.name}: {entry.name}: {self.figure(cost):.{self.digits}f} {self.unit}")
        return self


class Visit:
    """One server, and the costs of every row of every time that it was visited."""

    def __init__(self, bench, name, server, shape):
        self.bench, self.name, self.server, self.shape = bench, name, server, shape
        self.costs = {row: [] for row in ROWS}
        self.failure = None

    @property
    def flags(self):
        bench, shape = self.bench, self.shape
        each = shape["each"]
        for number in range(FILES if each else 0):
            data.big(bench.source(f"classic-{each}-{number}"), each)
        flags = {"sessions": shape["sessions"], "name": bench.big(shape["size"]), "size": shape["size"]}
        return {**flags, "each_name": f"classic-{each}", "each": each, "files": FILES}

    def look(self, row):
        """What a contest runs for this row: the first makes a visit, the others tell of all visits."""

        def first():
            self.go()
            return self.costs[row][-1]

        def others():
            if not self.costs[row]:
                raise Failed(self.failure or "it was not visited")
            return self.costs[row]

        chosen = first if row == next(iter(ROWS)) else others
        chosen.__doc__ = " ".join(load.Drive.words(self.bench, "classic", self.server, **self.flags))
        if self.shape["idle"]:
            chosen.__doc__ += f"; beside {self.idle_words()}"
        return chosen

    def idle_flags(self):
        return {"connections": self.shape["idle"], "at_once": AT_ONCE, "path": SMALL}

    def idle_words(self):
        return " ".join(load.words(self.bench, "idle", self.server, **self.idle_flags()))

    def go(self):
        """A visit; a failure is that of all rows."""
        self.bench.restart(self.server)()
        crowd = None
        try:
            if self.shape["idle"]:
                crowd = load.Load(self.bench, "idle", self.server, **self.idle_flags())
                crowd.answer(self.bench.args.timeout)
            self.drive()
        except Failed as failure:
            self.failure = str(failure)
            raise
        finally:
            if crowd:
                crowd.stop()
            self.server.stop()
            for name in os.listdir(self.bench.inbox):
                data.remove(os.path.join(self.bench.inbox, name))

    def drive(self):
        found = load.Drive(self.bench, "classic", self.server, **self.flags)
        rows = [row for row in ROWS if self.shape["each"] or not row.endswith("-crowd")]
        held = sum(self.shape[key] for key in ("idle", "sessions"))
        try:
            with Sampler([found.pid], list(self.server.pids), period=0.5) as sampler:
                before = self.busy(found)
                for row in rows:
                    seconds = found.answer(PATIENCE)["seconds"]
                    after = self.busy(found)
                    memory = memory_of(tree(self.server.pids)) if row == "memory" else 0
                    if row == "memory":
                        found.go_on()
                    figure = memory / MIB if row == "memory" else self.figure(row, seconds)
                    extra = {"figure": figure, "held": held}
                    used = [now - then for now, then in zip(after, before)]
                    self.costs[row].append(Cost(seconds, *used, sampler.peaks[0], sampler.peaks[1] or memory, 0.0, extra))
                    before = after
        finally:
            found.stop()
            time.sleep(0.2)
            settle(self.server.pids, set(self.server.pids))

    def busy(self, found):
        """Processor seconds of the client and the server so far."""
        return cpu_of([found.pid]), cpu_of(self.server.pids)

    def figure(self, row, seconds):
        if row in ("logins", "quit"):
            return self.shape["sessions"] / seconds
        count = self.shape["sessions"] * self.shape["each"] if row.endswith("-crowd") else self.shape["size"]
        return count / (1 << 30) / seconds
