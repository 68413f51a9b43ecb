"""The machine: what it is, and the two things that must be equal for all: congestion control and touched memory."""

import os
import re
import shutil
import subprocess

CONGESTION = "/proc/sys/net/ipv4/tcp_congestion_control"


def facts():
    """What a reader of the figures wants to know of this machine."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = re.search(r"model name\s*: (.*)", file.read())
    with open("/proc/meminfo", encoding="utf-8") as file:
        memory = int(re.search(r"MemTotal:\s+(\d+)", file.read()).group(1)) * 1024
    return {
        "processor": model.group(1) if model else "unknown",
        "cores": os.cpu_count(),
        "memory": memory,
        "kernel": os.uname().release,
        "congestion control": congestion(),
        "descriptors": os.sysconf("SC_OPEN_MAX"),
    }


def congestion():
    """The congestion control that new sockets get."""
    with open(CONGESTION, encoding="ascii") as file:
        return file.read().strip()


class Congestion:
    """One congestion control for every contestant; the old one comes back at the end."""

    def __init__(self, wanted):
        self.wanted = wanted
        self.before = congestion()

    def __enter__(self):
        self._write(self.wanted)
        return self

    def __exit__(self, *_):
        self._write(self.before)

    def _write(self, name):
        if congestion() == name:
            return
        try:
            with open(CONGESTION, "w", encoding="ascii") as file:
                file.write(name)
        except OSError as error:
            print(f"(congestion control stays {congestion()}, not {name}: {error})\n", flush=True)


def touch(folder, size):
    """Makes the kernel (and a hypervisor beneath it) have this much memory at hand: writes and deletes a file.

    Half as much again, since the next writer gets not just these pages.
    """
    free = min(shutil.disk_usage(folder).free, available())
    size = min(size + size // 2, max(free - (512 << 20), 0))
    block = memoryview(bytearray(1 << 20))
    path = os.path.join(folder, "touch")
    try:
        with open(path, "wb", buffering=0) as file:
            left = size
            while left > 0:
                left -= file.write(block[: min(left, len(block))])
    finally:
        if os.path.exists(path):
            os.unlink(path)


def available():
    """Bytes of memory that can be had without swapping."""
    with open("/proc/meminfo", encoding="ascii") as file:
        return int(re.search(r"MemAvailable:\s+(\d+)", file.read()).group(1)) * 1024


def version(argv, pattern=r"^(.*\S.*)$"):
    """What a program says of its version: the first line, or what the pattern finds; None if it says nothing."""
    try:
        done = subprocess.run(argv, capture_output=True, timeout=10, check=False, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return None
    text = (done.stdout + done.stderr).decode(errors="replace").strip()
    found = re.search(pattern, text, re.MULTILINE)
    return found.group(1).strip() if found else None
