#!/usr/bin/env python3
"""How long a log-in takes beside a flood of wrong passwords, over standard FTP on loopback: 15 log-ins beside each flood.

Wants target/release/ftp-server. The floods, ten thousand guesses a minute as far as the machine can make them, come from ever new
addresses of 127/8, and from eighty of them; bans are as they are by default. Ends after about forty seconds.
"""
import os
import random
import socket
import statistics
import subprocess
import tempfile
import threading
import time

SERVER = os.path.join(os.path.dirname(__file__), "..", "target", "release", "ftp-server")
SECRET = b"right password"
GUESSERS, PER_MINUTE, LOGINS = 120, 10_320, 15


def login(address, source, password):
    """One log-in as anna: the reply's code, and milliseconds from PASS to it."""
    with socket.create_connection(address, 15, (source, 0)) as peer, peer.makefile("rb") as lines:
        lines.readline()
        peer.sendall(b"USER anna\r\n")
        lines.readline()
        began = time.perf_counter()
        peer.sendall(b"PASS " + password + b"\r\n")
        return lines.readline()[:3].decode(), (time.perf_counter() - began) * 1000


def anywhere():
    return f"127.{random.randint(1, 250)}.{random.randint(0, 250)}.{random.randint(1, 250)}"


def among_eighty():
    return f"127.1.0.{random.randint(1, 80)}"


def guess(address, source, over, told):
    while not over.is_set():
        began = time.time()
        try:
            told.append(login(address, source(), b"wrong")[0] or "closed")
        except OSError:
            told.append("closed")
        over.wait(max(0, began + 60 * GUESSERS / PER_MINUTE - time.time()))


def beside(address, name, source):
    over, told = threading.Event(), []
    guessers = [threading.Thread(target=guess, args=(address, source, over, told)) for _ in range(GUESSERS)]
    for guesser in guessers:
        guesser.start()
    time.sleep(4)
    began, before, times = time.time(), len(told), []
    for _ in range(LOGINS):
        code, took = login(address, "127.0.0.1", SECRET)
        if code == "230":
            times.append(took)
        time.sleep(0.6)
    rate = (len(told) - before) / (time.time() - began) * 60
    over.set()
    for guesser in guessers:
        guesser.join()
    middle, most = (statistics.median(times), max(times)) if times else (float("nan"), float("nan"))
    print(f"{rate:.0f} guesses a minute from {name}: {len(times)} of {LOGINS} log-ins, median {middle:.1f} ms, at most {most:.1f} ms", flush=True)


def main():
    with tempfile.TemporaryDirectory() as home:
        root, users = os.path.join(home, "root"), os.path.join(home, "users.toml")
        os.mkdir(root)
        add = [SERVER, "user", "--users", users, "add", "anna", "--root", root, "--preset", "full", "--password-stdin"]
        subprocess.run(add, input=SECRET + b"\n", check=True, stderr=subprocess.DEVNULL)
        flags = ["--listen", "127.0.0.1:0", "--ftp-listen", "127.0.0.1:0", "--state-dir", os.path.join(home, "state")]
        words = [SERVER, "--root", root, "--users", users, "--log-level", "error", *flags]
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
            host, port = server.stdout.readline().decode().split()[-1].rsplit(":", 1)
            address = (host, int(port))
            try:
                alone = [login(address, "127.0.0.1", SECRET)[1] for _ in range(LOGINS)]
                print(f"alone: median {statistics.median(alone):.1f} ms, at most {max(alone):.1f} ms", flush=True)
                beside(address, "ever new addresses", anywhere)
                beside(address, "80 addresses", among_eighty)
            finally:
                server.terminate()


if __name__ == "__main__":
    main()
