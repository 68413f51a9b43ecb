"""What TLS costs: the same transfers plain and encrypted, beside scp, HTTPS by nginx and FTPS by vsftpd; and its sessions."""

import os

import data
import load
import peers
from contest import Contest, Entry
from proc import Cost, memory_of, tree
from scenarios.large import GIB, VERIFIED, cleaned, plain
from scenarios.sessions import servers as make_small

SMALL_SIZE = 4096
LFTP = (
    "net:timeout 20",
    "ssl:verify-certificate no",
    "ftp:ssl-force yes",
    "ftp:ssl-protect-data yes",
    "ftp:ssl-allow-anonymous yes",
)
ENCRYPTED = ("--tls-mode", "on")


def tls(bench):
    name = bench.big()
    size = bench.args.size
    for up in (False, True):
        title = f"{size / GIB:g} GiB {'up' if up else 'down to a file'}, plain and with TLS"
        entries = of(bench, name, up, size)
        contest = Contest(f"tls-{way(up)}", title, size / GIB, "GiB/s", entries, seconds=60, params={"size": size})
        contest.ready = bench.settled(name)
        yield contest
    count = 1_000 if bench.args.quick else 10_000
    name = bench.tree(count, SMALL_SIZE)
    for up in (False, True):
        title = f"{count:,} × {SMALL_SIZE:,} bytes {way(up)}, plain and with TLS"
        entries = of(bench, name, up, 2 * count * SMALL_SIZE)
        params = {"count": count}
        yield Contest(f"tls-small-{way(up)}", title, count, "files/s", entries, digits=0, seconds=20, params=params)
    yield from sessions(bench)


def way(up):
    return "up" if up else "down"


def of(bench, name, up, size):
    """The entries of one direction: ours plain and with TLS, then the peers that encrypt."""
    tree_of_files = os.path.isdir(bench.source(name))
    entries = []

    def add(label, server, command, verifies="–", ours=False):
        if server:
            entries.append(entry(bench, label, server, command, name, up, size, verifies, ours))

    line = "put {source} {where}" if up else "get {name} {target}"
    secured = bench.muxftp(*bench.unsynced, *ENCRYPTED)
    if secured:
        add("muxftp with TLS", secured, secured.client(line), VERIFIED, ours=True)
    open_one = bench.muxftp(*bench.unsynced)
    if open_one:
        add("muxftp, plain", open_one, open_one.client(line), VERIFIED)
    recursive = "-r " if tree_of_files else ""
    copy = "{source} {s.host}:{target}" if up else "{s.host}:{source} {target}"
    add("scp", bench.server(peers.Sshd), f"scp {{s.client}} {recursive}{copy}", "MAC")
    ftps = f"lftp -c '{' '.join(f'set {word};' for word in LFTP)} "
    if tree_of_files:
        # It begins a handshake for each file: minutes for 10,000.
        if not (bench.args.quick or bench.args.full):
            return entries
        mirror = "mirror -R -P8 {source} {where}" if up else "mirror -P8 {name} {target}"
        add("vsftpd TLS + lftp ×8", bench.server(peers.VsftpdTls), ftps + "open {s.url}; " + mirror + "'")
        return entries
    https = bench.server(peers.NginxTls)
    curl = "-T {source} {s.url}/{where}" if up else "-o {target} {s.url}/{name}"
    add("nginx HTTPS + curl", https, f"curl -sf --cacert {{s.cert}} {curl}")
    if not up:
        both = f"curl -sf --cacert {{s.cert}} {curl} && openssl dgst -sha256 {{target}}"
        add("nginx HTTPS + curl + openssl", https, both, VERIFIED)
    add("vsftpd TLS + curl", bench.server(peers.VsftpdTls), f"curl -sf --ssl-reqd --cacert {{s.cert}} {curl}")
    one = "put -O {inbox} {source}" if up else "get {name} -o {target}"
    add("vsftpd TLS + lftp", bench.server(peers.VsftpdTls), ftps + "open {s.url}; " + one + "'")
    return entries


def entry(bench, label, server, command, name, up, size, verifies, ours):
    source = bench.source(name)
    folder = os.path.join(bench.inbox if up else bench.out, "tls-" + plain(label))
    target = os.path.join(folder, name)
    where = os.path.relpath(target, bench.root)

    def before(clear=bench.clear(target, size)):
        clear()
        os.makedirs(folder, exist_ok=True)
        os.chmod(folder, 0o777)

    line = command.format(
        s=server, name=name, source=source, target=target, where=where, inbox=os.path.dirname(where)
    )
    proof = cleaned(data.Proof(source, target), target)
    return Entry(label, line, server=server, verifies=verifies, before=before, after=proof, ours=ours)


def sessions(bench):
    """How fast TLS sessions come (two at a time, by one client for all), and what each holds; FTP: logged in."""
    count = 100 if bench.args.quick else 2_000
    make_small(bench, ())
    found = [bench.muxftp(*bench.unsynced, *ENCRYPTED), bench.server(peers.NginxTls), bench.server(peers.VsftpdTls)]
    visits = {}
    entries = []
    for server in filter(None, found):
        number = min(count, 300) if isinstance(server, peers.Vsftpd) else count
        ours = server.name == "muxftp"
        name = ("muxftp with TLS" if ours else server.name) + ("" if number == count else f" ({number:,})")
        visits[name] = held(bench, server, number)
        entries.append(Entry(name, visits[name], server=server, before=bench.restart(server), ours=ours))
    title = f"TLS 1.3 handshake with hello (FTP: login; HTTPS: 64 bytes), {count:,} one after the other by two"
    value = lambda cost: cost.extra["rate"]  # noqa: E731
    yield Contest(
        "tls-sessions",
        title,
        0,
        "sessions/s",
        entries,
        value=value,
        digits=0,
        columns=(("KiB of the server's memory each", "each", 1),),
        seconds=40,
        params={"count": count},
    )


def held(bench, server, count):
    """Makes a run that opens TLS sessions and looks at the server's memory while they are held."""
    words = load.Drive.words(bench, "secure", server, sessions=count)

    def run():
        before, busy = memory_of(tree(server.pids)), load.cpu_of(server.pids)
        crowd = load.Drive(bench, "secure", server, sessions=count)
        try:
            opened = crowd.answer(120)
            after, used = memory_of(tree(server.pids)), load.cpu_of(server.pids) - busy
            client, own = load.cpu_of([crowd.pid]), memory_of([crowd.pid])
        finally:
            crowd.stop()
        load.settle(server.pids, set(server.pids))
        each = max(after - before, 0) / count / 1024
        return Cost(opened["seconds"], client, used, own, after, 0.0, {"each": each, "rate": count / opened["seconds"]})

    run.__doc__ = " ".join(words)
    return run
