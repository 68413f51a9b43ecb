"""What TLS costs: the same transfers plain and encrypted, beside scp and HTTPS by nginx.

Runs where both programs have the options; each is looked for by its names in the help, and if one lacks, the scenario
says so and is left out.
"""

import os
import subprocess

import data
import peers
from contest import Contest, Entry
from proc import Failed
from scenarios.large import GIB, VERIFIED, cleaned, plain

SMALL_SIZE = 4096


def tls(bench):
    options = Options(bench)
    if options.lacking:
        bench.say(f"(tls: skipped: {options.lacking})")
        return
    name = bench.big()
    size = bench.args.size
    for up in (False, True):
        title = f"{size / GIB:g} GiB {'up' if up else 'down to a file'}, plain and with TLS"
        entries = of(bench, options, name, up, size)
        contest = Contest(f"tls-{way(up)}", title, size / GIB, "GiB/s", entries, seconds=40, params={"size": size})
        contest.ready = bench.settled(name)
        yield contest
    count = 1_000 if bench.args.quick else 10_000
    name = bench.tree(count, SMALL_SIZE)
    for up in (False, True):
        title = f"{count:,} × {SMALL_SIZE:,} bytes {way(up)}, plain and with TLS"
        entries = of(bench, options, name, up, 2 * count * SMALL_SIZE)
        yield Contest(
            f"tls-small-{way(up)}", title, count, "files/s", entries, digits=0, seconds=15, params={"count": count}
        )


def way(up):
    return "up" if up else "down"


class Options:
    """How the programs are told to use TLS: the first known name of each option."""

    def __init__(self, bench):
        self.bench = bench
        self.cert, self.key = certificate(bench)
        cert = self._first(bench.server_knows, "--tls-cert", "--tls-certificate", "--cert")
        key = self._first(bench.server_knows, "--tls-key", "--key")
        ca = self._first(bench.client_knows, "--tls-ca", "--ca-file", "--cafile", "--ca")
        on = self._first(bench.client_knows, "--tls ", "--tls\n")
        lacking = []
        if not (cert and key):
            lacking.append("ftp-server has no option for a certificate")
        if not ca:
            lacking.append("ftp-client has no option to trust one")
        self.lacking = "; ".join(lacking)
        self.server = (cert, self.cert, key, self.key)
        self.client = [*([on] if on else []), f"{ca} {self.cert}"]

    @staticmethod
    def _first(knows, *names):
        return next((name.strip() for name in names if knows(name)), None)


def certificate(bench):
    """A key and a certificate of this run's own, for the loopback address."""
    cert, key = os.path.join(bench.folder, "cert.pem"), os.path.join(bench.folder, "key.pem")
    if not os.path.exists(cert):
        words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
        name = f"subjectAltName=IP:{peers.HOST},DNS:localhost"
        line = ["openssl", *words.split(), "-addext", name, "-keyout", key, "-out", cert]
        done = subprocess.run(line, capture_output=True, check=False)
        if done.returncode != 0:
            raise Failed(f"no certificate: {done.stderr.decode(errors='replace').strip()[-300:]}")
    return cert, key


def of(bench, options, name, up, size):
    """The entries of one direction: ours plain and with TLS, then the peers that encrypt."""
    tree = os.path.isdir(bench.source(name))
    entries = []

    def add(label, server, command, verifies="–", ours=False):
        if server:
            entries.append(entry(bench, label, server, command, name, up, size, verifies, ours))

    ours_line = "put {source} {where}" if up else "get {name} {target}"
    secured = bench.muxftp(*bench.unsynced, *options.server)
    if secured:
        add("muxftp with TLS", secured, secured.client(ours_line, *options.client), VERIFIED, ours=True)
    open_one = bench.muxftp(*bench.unsynced)
    if open_one:
        add("muxftp, plain", open_one, open_one.client(ours_line), VERIFIED)
    recursive = "-r " if tree else ""
    copy = "{source} {s.host}:{target}" if up else "{s.host}:{source} {target}"
    add("scp", bench.server(peers.Sshd), f"scp {{s.client}} {recursive}{copy}", "MAC")
    if not tree:
        https = bench.server(peers.NginxTls)
        curl = "-T {source} {s.url}/{where}" if up else "-o {target} {s.url}/{name}"
        add("nginx HTTPS + curl", https, f"curl -sf --cacert {{s.cert}} {curl}")
        if not up:
            both = f"curl -sf --cacert {{s.cert}} {curl} && openssl dgst -sha256 {{target}}"
            add("nginx HTTPS + curl + openssl", https, both, VERIFIED)
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

    return Entry(
        label,
        command.format(s=server, name=name, source=source, target=target, where=where),
        server=server,
        verifies=verifies,
        before=before,
        after=cleaned(data.Proof(source, target), target),
        ours=ours,
    )
