"""A long path: two network namespaces joined by a link in user space that delays, loses and limits packets.

Each namespace has a TUN device; this module's process carries the packets between them. Nothing of it is seen from
outside: the addresses are those that RFC 2544 sets apart for benchmarks, in namespaces that end with their process.
"""

import collections
import ctypes
import fcntl
import os
import random
import select
import signal
import socket
import struct
import subprocess
import sys
import time

from proc import OWN, Failed

CLONE_NEWNET = 0x40000000
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
ADDRESSES = ("198.18.0.1", "198.18.0.2")
MTU = 1500


class Link:
    """The path while it is entered: `near` and `far` are prefixes of command lines."""

    def __init__(self, delay, loss, rate, congestion):
        self.delay, self.loss, self.rate = delay, loss, rate
        self.congestion = congestion
        self.children = []

    def __enter__(self):
        try:
            ends = [self._namespace(address) for address in ADDRESSES]
            self._carry([fd for _, fd in ends])
            for _, fd in ends:
                os.close(fd)
            self.near, self.far = (["nsenter", f"--net=/proc/{pid}/ns/net"] for pid, _ in ends)
            self.peer = ADDRESSES[1]
            self._check()
        except Exception:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for pid in self.children:
            try:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            except (ProcessLookupError, ChildProcessError):
                pass
            OWN.discard(pid)
        self.children.clear()

    def _fork(self, work):
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                work()
                status = 0
            except (OSError, Failed, subprocess.CalledProcessError) as error:
                print(f"(link: {error})", file=sys.stderr)
            finally:
                os._exit(status)
        self.children.append(pid)
        OWN.add(pid)
        return pid

    def _namespace(self, address):
        """A process that holds a new namespace with a TUN device; gives its id and the device."""
        ours, theirs = socket.socketpair()

        def hold():
            ours.close()
            if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
                raise Failed(f"no network namespace: {os.strerror(ctypes.get_errno())}")
            device = os.open("/dev/net/tun", os.O_RDWR)
            fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", b"wan", IFF_TUN | IFF_NO_PI))
            for words in (
                f"addr add {address}/24 dev wan",
                f"link set wan mtu {MTU} txqueuelen 10000 up",
                "link set lo up",
            ):
                subprocess.run(["ip", *words.split()], check=True)
            with open("/proc/sys/net/ipv4/tcp_congestion_control", "w", encoding="ascii") as file:
                file.write(self.congestion)
            socket.send_fds(theirs, [b"ready"], [device])
            os.close(device)
            signal.pause()

        pid = self._fork(hold)
        theirs.close()
        ours.settimeout(10)
        try:
            _, fds, _, _ = socket.recv_fds(ours, 16, 1)
        except OSError as error:
            raise Failed(f"no link: {error}") from error
        finally:
            ours.close()
        if not fds:
            raise Failed("no link: namespaces or TUN devices are not to be had here")
        return pid, fds[0]

    def _carry(self, fds):
        self._fork(lambda: carry(fds, self.delay / 2, self.loss, self.rate))

    def _check(self):
        """One round trip must take what was asked."""
        code = "import socket,sys,time; b=time.time(); s=socket.socket(); s.settimeout(5)\n"
        code += f"try: s.connect(({self.peer!r}, 9))\nexcept ConnectionRefusedError: print(time.time() - b)"
        done = subprocess.run([*self.near, sys.executable, "-c", code], capture_output=True, check=False, timeout=20)
        took = done.stdout.decode().strip()
        if not took or not self.delay <= float(took) < 3 * self.delay + 0.1:
            raise Failed(f"the link does not carry: a round trip took {took or 'for ever'}")


def carry(fds, delay, loss, rate):
    """Carries packets both ways for ever: each waits its turn on the line, then the delay; some are lost.

    A line holds what it sends in two delays and 250 ms more; beyond that packets are dropped, as in a router.
    """
    for fd in fds:
        os.set_blocking(fd, False)
    lines = [collections.deque(), collections.deque()]
    free = [0.0, 0.0]
    longest = 2 * delay + 0.25
    rng = random.Random(1)
    while True:
        now = time.monotonic()
        wait = min((line[0][0] for line in lines if line), default=now + 1) - now
        ready, _, _ = select.select(fds, [], [], max(wait, 0))
        now = time.monotonic()
        for index in (0, 1):
            if fds[index] in ready:
                take(fds[index], lines[index], free, index, now, (delay, loss, rate, longest, rng))
            deliver(lines[index], fds[1 - index], now)


def take(fd, line, free, index, now, terms):
    """Reads what a side sends, and puts it on the line."""
    delay, loss, rate, longest, rng = terms
    for _ in range(64):
        try:
            packet = os.read(fd, 65536)
        except BlockingIOError:
            return
        start = max(free[index], now)
        if start - now > longest or rng.random() < loss:
            continue
        free[index] = start + len(packet) * 8 / rate
        line.append((free[index] + delay, packet))


def deliver(line, fd, now):
    """Hands over what has arrived."""
    while line and line[0][0] <= now:
        try:
            os.write(fd, line.popleft()[1])
        except BlockingIOError:
            pass
