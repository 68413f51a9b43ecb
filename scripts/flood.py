#!/usr/bin/env python3
"""How long a log-in takes beside a flood of wrong passwords, over standard FTP on loopback. Ends after about two minutes.

Wants target/release/ftp-server, or the path of another as its argument. Five rounds, each of log-ins alone, beside a flood from ever new
addresses of 127/8, alone again, and beside one from eighty of them, which are banned soon; a flood meets a server of its own. The
address that logs in was let in before. A guess is offered when its time comes, whether or not those before it were answered. Who
guesses is a process of its own with `nice 10`: a peer's machine would take no time of the server's processors.
"""
import asyncio
import multiprocessing
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter

SERVER = os.path.join(os.path.dirname(__file__), "..", "target", "release", "ftp-server")
SECRET = b"right password"
ROUNDS, LOGINS, PER_MINUTE, WARM, PAUSE = 5, 15, 10_800, 3, 0.25


def login(address):
    """One log-in as anna: milliseconds from PASS to the reply, or nothing if it was refused."""
    with socket.create_connection(address, 15, ("127.0.0.1", 0)) as peer, peer.makefile("rb") as lines:
        lines.readline()
        peer.sendall(b"USER anna\r\n")
        lines.readline()
        began = time.perf_counter()
        peer.sendall(b"PASS " + SECRET + b"\r\n")
        good = lines.readline().startswith(b"230")
        return [(time.perf_counter() - began) * 1000] if good else []


def logins(address):
    times = []
    for _ in range(LOGINS):
        times += login(address)
        time.sleep(PAUSE)
    return times


def anywhere():
    return f"127.{random.randint(1, 250)}.{random.randint(0, 250)}.{random.randint(1, 250)}"


def among_eighty():
    return f"127.1.0.{random.randint(1, 80)}"


async def guess(address, source, told):
    """One guess; the code of its reply is told: 530 is a password that was checked."""
    code = "closed"
    try:
        lines, peer = await asyncio.open_connection(*address, local_addr=(source, 0))
        for words in (b"USER anna\r\n", b"PASS wrong\r\n"):
            await lines.readline()
            peer.write(words)
        code = (await lines.readline())[:3].decode() or code
        peer.close()
    except OSError:
        pass
    told[code] += 1


async def offer(address, source, over, told):
    began, guesses = time.perf_counter(), []
    while not over.is_set():
        due = began + len(guesses) * 60 / PER_MINUTE
        await asyncio.sleep(max(0, due - time.perf_counter()))
        guesses.append(asyncio.create_task(guess(address, source(), told)))
    took, answers = time.perf_counter() - began, Counter(told)
    for each in guesses:
        each.cancel()
    return [many / took * 60 for many in (len(guesses), sum(answers.values()), answers["530"])]


def flood(address, source, over, results):
    os.nice(10)
    results.put(asyncio.run(offer(address, source, over, Counter())))


def beside(address, source):
    over, results = multiprocessing.Event(), multiprocessing.Queue()
    guesser = multiprocessing.Process(target=flood, args=(address, source, over, results), daemon=True)
    guesser.start()
    time.sleep(WARM)
    times = logins(address)
    over.set()
    rates = results.get()
    guesser.join()
    return times, rates


def one(server, source):
    """Log-ins alone, and beside a flood; and what was offered, answered and checked of it a minute."""
    with tempfile.TemporaryDirectory() as home:
        root, users = os.path.join(home, "root"), os.path.join(home, "users.toml")
        os.mkdir(root)
        add = [server, "user", "--users", users, "add", "anna", "--root", root, "--preset", "full", "--password-stdin"]
        subprocess.run(add, input=SECRET + b"\n", check=True, stderr=subprocess.DEVNULL)
        flags = ["--listen", "127.0.0.1:0", "--ftp-listen", "127.0.0.1:0", "--state-dir", os.path.join(home, "state")]
        words = [server, "--root", root, "--users", users, "--log-level", "error", *flags]
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as running:
            try:
                host, port = running.stdout.readline().decode().split()[-1].rsplit(":", 1)
                login((host, int(port)))
                return logins((host, int(port))), *beside((host, int(port)), source)
            finally:
                running.kill()


def main():
    server, floods = sys.argv[1] if len(sys.argv) > 1 else SERVER, (("ever new addresses", anywhere), ("80 addresses", among_eighty))
    rounds = [[one(server, source) for _, source in floods] for _ in range(ROUNDS)]
    for (name, _), parts in zip(floods, zip(*rounds)):
        alone, beside_it, rates = zip(*parts)
        offered, answered, checked = map(statistics.median, zip(*rates))
        print(f"guesses a minute from {name}: {offered:.0f} offered, {answered:.0f} answered, {checked:.0f} of them checked")
        medians = []
        for what, each in (("alone", alone), ("beside them", beside_it)):
            every, of_rounds = sum(each, []), ", ".join(f"{statistics.median(times or [0]):.1f}" for times in each)
            medians.append(statistics.median(every or [0]))
            print(f"  {what}: {len(every)} of {ROUNDS * LOGINS} log-ins, median {medians[-1]:.1f} ms ({of_rounds}), at most {max(every or [0]):.1f} ms")
        print(f"  flood/alone {medians[1] / medians[0]:.2f}")


if __name__ == "__main__":
    main()
