"""Sessions in the languages of the servers, driven by one program for all of them; prints figures as JSON lines.

    drive.py classic --addr A --root DIR …   the rows of the classic FTP benchmark, with so many sessions
    drive.py listing --addr A --name DIR …   the first byte and all of a listing, so many times
    drive.py secure --addr A --language L …  TLS sessions: opens them, says how long it took, holds them until told

The benchmark's part that speaks to a server: run as a process of its own, so that its cost can be told from the server's.
"""

import argparse
import json
import os
import socket
import ssl
import struct
import sys
import threading
import time

BLOCK = 256 * 1024
PATIENCE = 120


class Session:
    """A connection on which one thing is said and answered after the other."""

    def __init__(self, addr, context=None):
        host, port = addr.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.kept = b""
        self.context = context

    def secure(self):
        self.socket = self.context.wrap_socket(self.socket)

    def more(self):
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError("the server closed")
        self.kept += data

    def exactly(self, count):
        while len(self.kept) < count:
            self.more()
        taken, self.kept = self.kept[:count], self.kept[count:]
        return taken

    def line(self):
        while b"\n" not in self.kept:
            self.more()
        line, self.kept = self.kept.split(b"\n", 1)
        return line.decode(errors="replace").rstrip("\r")

    def close(self):
        self.socket.close()


class Native(Session):
    """muxftp's own: a greeting and its answer."""

    def begin(self, _user):
        if self.context:
            self.secure()
        head = json.dumps({"id": 1, "fin": True, "verb": "hello", "version": 1, "client": "drive"}).encode()
        self.socket.sendall(struct.pack(">I", len(head)) + head)
        answer = json.loads(self.exactly(*struct.unpack(">I", self.exactly(4))))
        if "error" in answer:
            raise ConnectionError(answer["error"])
        self.exactly(answer.get("len", 0))
        return self


class Http(Session):
    """One small file, on a connection that stays."""

    def begin(self, _user):
        if self.context:
            self.secure()
        self.socket.sendall(b"GET /small-file HTTP/1.1\r\nHost: bench\r\n\r\n")
        status, length = self.line(), 0
        while line := self.line():
            name, _, value = line.partition(":")
            length = int(value) if name.lower() == "content-length" else length
        if " 200 " not in status:
            raise ConnectionError(status)
        self.exactly(length)
        return self


class Ftp(Session):
    """Logged in; transfers over passive connections."""

    binary = False

    def reply(self, *good):
        """The next whole reply, which must begin with one of these."""
        line = self.line()
        if line[3:4] == "-":
            end = line[:3] + " "
            while not line.startswith(end):
                line = self.line()
        if not line.startswith(good):
            raise ConnectionError(line)
        return line

    def ask(self, words, *good):
        self.socket.sendall(words.encode() + b"\r\n")
        return self.reply(*good)

    def begin(self, user):
        self.reply("220")
        if self.context:
            self.ask("AUTH TLS", "234")
            self.secure()
        if self.ask(f"USER {user}", "331", "230").startswith("331"):
            self.ask(f"PASS {user}", "230")
        return self

    def prepared(self):
        """A data connection on which nothing has begun."""
        if not self.binary:
            self.ask("TYPE I", "200")
            self.binary = True
        told = self.ask("EPSV", "229")
        port = int(told.split("|||")[1].split("|")[0])
        return socket.create_connection((self.socket.getpeername()[0], port), timeout=PATIENCE)

    def data(self, words):
        """A data connection on which these words have begun a transfer."""
        data = self.prepared()
        self.ask(words, "150", "125")
        return data

    def retrieve(self, name, size):
        buffer = bytearray(BLOCK)
        with self.data(f"RETR {name}") as data:
            got = 0
            while count := data.recv_into(buffer):
                got += count
        self.reply("226")
        if got != size:
            raise ConnectionError(f"{got} bytes of {name}, not {size}")

    def store(self, name, size):
        block = bytes(1 << 20)
        with self.data(f"STOR {name}") as data:
            for at in range(0, size, len(block)):
                data.sendall(block[: size - at])
        self.reply("226")

    def quit(self):
        self.ask("QUIT", "221")
        self.close()


def timed(work):
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def at_once(works):
    """Does all of these at the same time, a thread each; the first failure is raised."""
    failures = []

    def run(work):
        try:
            work()
        except Exception as error:  # noqa: BLE001 (whatever it is, it is told)
            failures.append(error)

    threads = [threading.Thread(target=run, args=(work,), daemon=True) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def tell(figures):
    print(json.dumps(figures), flush=True)


def classic(args):
    """All rows on one server: what one session moves, how many come, what they hold, move and cost together."""

    def log_in():
        return Ftp(args.addr).begin(args.user)

    def big(one, up):
        names = f"{args.inbox}/stored" if up else args.name
        return timed(lambda: (one.store if up else one.retrieve)(names, args.size))

    one = log_in()
    # Bytes first stored and fetched are not counted: pages are made, buffers grow.
    big(one, True), big(one, False)
    tell({"row": "stor", "seconds": big(one, True)})
    tell({"row": "retr", "seconds": big(one, False)})
    one.quit()
    crowd = []
    seconds = timed(lambda: crowd.extend(log_in() for _ in range(args.sessions)))
    tell({"row": "logins", "seconds": seconds})
    # The row that is looked at from outside: go on when it has been.
    tell({"row": "memory", "seconds": 0})
    sys.stdin.readline()
    one = log_in()
    tell({"row": "stor-idle", "seconds": big(one, True)})
    tell({"row": "retr-idle", "seconds": big(one, False)})
    one.quit()
    if args.each:
        names = [f"{args.each_name}-{number % args.files}" for number in range(args.sessions)]
        works = [lambda s=s, n=n: s.retrieve(n, args.each) for s, n in zip(crowd, names)]
        tell({"row": "retr-crowd", "seconds": timed(lambda: at_once(works))})
        works = [lambda s=s, n=n: s.store(f"{args.inbox}/crowd-{n}", args.each) for n, s in enumerate(crowd)]
        tell({"row": "stor-crowd", "seconds": timed(lambda: at_once(works))})
    tell({"row": "quit", "seconds": timed(lambda: [one.quit() for one in crowd])})


def listing(args):
    """One folder, listed again and again on one session: how long until the first byte, and until all of it was there."""
    one = Ftp(args.addr).begin(args.user)
    buffer = bytearray(BLOCK)
    for number in range(args.sessions + 1):
        with one.prepared() as data:
            begin = time.perf_counter()
            one.socket.sendall(f"{args.verb} {args.name}\r\n".encode())
            count = data.recv_into(buffer)
            first = time.perf_counter() - begin
            entries = 0
            while count:
                entries += buffer.count(b"\n", 0, count)
                count = data.recv_into(buffer)
            seconds = time.perf_counter() - begin
        one.reply("150", "125")
        one.reply("226")
        # The first is a warm-up.
        if number:
            tell({"first": first, "seconds": seconds, "entries": entries})
    sys.stdin.readline()


def secure(args):
    """So many TLS sessions, two at a time; held until standard input ends."""
    kind = {"native": Native, "http": Http, "ftp": Ftp}[args.language]
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    held = []

    def half(count):
        held.extend(kind(args.addr, context).begin(args.user) for _ in range(count))

    parts = [args.sessions // 2, args.sessions - args.sessions // 2]
    seconds = timed(lambda: at_once([lambda count=count: half(count) for count in parts]))
    tell({"row": "opened", "seconds": seconds, "version": held[0].socket.version()})
    sys.stdin.readline()


def main():
    parser = argparse.ArgumentParser()
    add = parser.add_argument
    add("mode", choices=["classic", "listing", "secure"])
    add("--addr", required=True)
    add("--language", default="ftp")
    add("--user", default="anonymous")
    add("--sessions", type=int, default=300)
    add("--name", help="the large file to get")
    add("--size", type=int, help="its bytes, and those of the large file to put")
    add("--each-name", help="the files that all sessions get at once: NAME-0, NAME-1, …")
    add("--each", type=int, default=0, help="their bytes; 0 leaves these rows out")
    add("--files", type=int, default=10)
    add("--inbox", default="inbox")
    add("--verb", default="LIST", help="what lists")
    args = parser.parse_args()
    try:
        {"classic": classic, "listing": listing, "secure": secure}[args.mode](args)
    except (OSError, ValueError, IndexError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        os._exit(1)


if __name__ == "__main__":
    main()
