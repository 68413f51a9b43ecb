"""A long path: 100 ms there and back, one packet in a thousand lost, 100 Mbit/s; under bbr, and under cubic.

Under cubic one stream takes minutes here: those that use several are measured, the others with --full only.
"""

import json
import os
import shlex
import subprocess

import data
import link
import load
import ours
import peers
from contest import Contest, Entry
from proc import Cost, Failed
from scenarios.large import VERIFIED, cleaned, plain

DELAY, LOSS, RATE = 0.1, 0.001, 100e6
STREAMS = 8
MIB = 1 << 20
# Seconds after which the bytes alone are given up.
PATIENCE = 60


def wan(bench):
    for congestion in ("bbr", "cubic"):
        try:
            with link.Link(DELAY, LOSS, RATE, congestion) as path:
                for found in over(bench, path, congestion):
                    yield found if bench.args.full or congestion == "bbr" else wide(found)
        except Failed as failure:
            bench.say(f"(wan, {congestion}: skipped: {failure})")
        finally:
            bench.stop_servers()


def wide(found):
    """The contest with those alone that use several streams, once."""
    found.entries = [entry for entry in found.entries if str(STREAMS) in entry.name]
    found.rounds = 1
    return found


def over(bench, path, congestion):
    size = (4 if bench.args.quick else 64) * MIB
    count = 500 if bench.args.quick else 10_000
    what = f"100 ms, 0.1 % loss, 100 Mbit/s, {congestion}"
    far = Far(bench, path)
    entries = large_entries(bench, far, size)
    yield contest("wan-large", f"{size // MIB} MiB down over {what}", size / MIB, "MiB/s", entries, congestion, seconds=65)
    entries = small_entries(bench, far, count)
    title = f"{count:,} × 4,096 bytes down over {what}"
    yield contest("wan-small", title, count, "files/s", entries, congestion)
    entries = small_entries(bench, far, count, up=True)
    title = f"{count:,} × 4,096 bytes up over {what}"
    yield contest("wan-small-up", title, count, "files/s", entries, congestion)


def contest(name, title, amount, unit, entries, congestion, seconds=45):
    digits = 2 if unit == "MiB/s" else 0
    params = {"control": congestion, "size": int(amount)}
    return Contest(
        name, title, amount, unit, entries, digits=digits, rounds=2, warmups=0, seconds=seconds, params=params
    )


class Far:
    """Servers at the far end, and the words before a client's command at the near one."""

    def __init__(self, bench, path):
        self.bench, self.path = bench, path

    def server(self, kind):
        bench = self.bench
        return bench.running(
            ("far", kind.__name__),
            lambda: kind(bench.root, bench.make("far"), bench.tools, host=self.path.peer).within(self.path.far),
        )

    def muxftp(self):
        bench = self.bench
        if not bench.programs.server or not bench.programs.client:
            return None
        return bench.running(
            ("far", "muxftp"),
            lambda: ours.Muxftp(
                bench.root, bench.make("far"), bench.programs, *bench.unsynced, host=self.path.peer
            ).within(self.path.far),
        )

    def near(self, line):
        """A shell line, run at the near end."""
        return " ".join(self.path.near) + " sh -c " + shlex.quote(line)


def large_entries(bench, far, size):
    name = bench.big(size)
    entries = []
    server = far.server(peers.Iperf)
    for streams in (1, STREAMS) if server else ():
        entries.append(iperf(far, server, f"iperf3, {counted(streams)}", streams, size))

    def add(label, server, command, verifies="–", mine=False):
        if server:
            target = bench.target(plain(label))
            line = far.near(command.format(s=server, name=name, target=target))
            proof = cleaned(data.Proof(bench.source(name), target), target)
            entries.append(
                Entry(label, line, server=server, verifies=verifies, after=proof, ours=mine, before=gone(target))
            )

    server = far.muxftp()
    if server:
        add("muxftp", server, server.client("get {name} {target}"), VERIFIED, mine=True)
        # The client splits files of 64 MiB and more.
        if bench.client_knows("--streams") and size >= 64 * MIB:
            line = server.client(f"get --streams {STREAMS} {{name}} {{target}}")
            add(f"muxftp, {STREAMS} streams", server, line, VERIFIED, mine=True)
    add("nginx + curl", far.server(peers.Nginx), "curl -sf -o {target} {s.url}/{name}")
    add("rsync daemon", far.server(peers.Rsyncd), "rsync -W {s.url}/m/{name} {target}", "xxh128")
    pget = f"lftp -c 'open {{s.url}}; pget -n {STREAMS} {{name}} -o {{target}}'"
    if bench.args.full:
        add(f"vsftpd + lftp pget ×{STREAMS}", far.server(peers.Vsftpd), pget)
    return entries


def small_entries(bench, far, count, up=False):
    name = bench.tree(count, 4096)
    source = bench.source(name)
    entries = []

    def add(label, server, command, verifies="–", mine=False):
        if not server:
            return
        folder = os.path.join(bench.inbox if up else bench.out, plain(label))
        target = os.path.join(folder, name)
        where = os.path.relpath(target, bench.root)
        line = far.near(command.format(s=server, name=name, source=source, target=target, where=where))

        def before():
            data.remove(target)
            os.makedirs(folder, exist_ok=True)
            os.chmod(folder, 0o777)

        proof = cleaned(data.Proof(source, target), target)
        entries.append(Entry(label, line, server=server, verifies=verifies, before=before, after=proof, ours=mine))

    server = far.muxftp()
    if server:
        add("muxftp", server, server.client("put {source} {where}" if up else "get {name} {target}"), VERIFIED, mine=True)
        flag = f"-j {STREAMS}"
        line = server.client("put {source} {where}" if up else "get {name} {target}", flag)
        add(f"muxftp {flag}", server, line, VERIFIED, mine=True)
    line = "rsync -rt -W {source}/ {s.url}/m/{where}" if up else "rsync -rt -W {s.url}/m/{name}/ {target}"
    add("rsync daemon", far.server(peers.Rsyncd), line, "xxh128")
    way = "-R -P8 {source} {where}" if up else "-P8 {name} {target}"
    if count <= 1_000 and bench.args.full:
        add("vsftpd + lftp ×8", far.server(peers.Vsftpd), f"lftp -c 'open {{s.url}}; mirror {way}'")
    server = far.server(peers.Iperf)
    if server:
        for streams in (1, STREAMS):
            label = f"the bytes alone: iperf3, {counted(streams)}"
            entries.append(iperf(far, server, label, streams, count * 4096, up))
    return entries


def iperf(far, server, label, streams, size, up=False):
    """The bytes alone (in all, whatever the streams): the time at the receiver, without what iperf3 says before and after."""
    way = "" if up else " -R"
    line = far.near(f"timeout {PATIENCE} iperf3 -J -c {server.host} -p {server.port}{way} -P {streams} -n {size}")

    def run():
        begin = load.cpu_of(server.pids)
        done = subprocess.run(["sh", "-c", line], capture_output=True, check=False)
        if done.returncode == 124:
            raise Failed(f"not done in {PATIENCE} s: {line}")
        rate = received(done.stdout)
        return Cost(size / rate, 0.0, load.cpu_of(server.pids) - begin, 0, 0, 0.0)

    run.__doc__ = line
    return Entry(label, run, server=server, limit=True)


def received(told):
    """Bytes a second at the receiver; iperf3 leaves that out when it could not connect, or was broken off."""
    try:
        rate = json.loads(told)["end"]["sum_received"]["bits_per_second"] / 8
    except (ValueError, KeyError) as error:
        raise Failed(f"iperf3 has no figure: {told.decode(errors='replace').strip()[-500:]}") from error
    if rate <= 0:
        raise Failed("iperf3 received nothing")
    return rate


def counted(streams):
    return "1 stream" if streams == 1 else f"{streams} streams"


def gone(path):
    return lambda: data.remove(path)
