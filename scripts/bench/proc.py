"""Processes: what a command costs, what a server costs meanwhile, and their end.

Processor seconds of a client are its rusage, those of a server the difference of /proc/PID/stat over the server and
all beneath it (children that have ended are in their parent's figures). Memory is the greatest sum of proportional
set sizes (shared pages counted once) seen by a sampler about ten times a second.
"""

import ctypes
import os
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field

TICK = os.sysconf("SC_CLK_TCK")
# Beyond this many processes the sampler would disturb what it measures.
SAMPLED_PROCESSES = 64


@dataclass
class Cost:
    """What one run took."""

    seconds: float
    client_cpu: float
    server_cpu: float
    client_peak: int
    server_peak: int
    foreign_cpu: float
    # Other figures of the run, by name.
    extra: dict = field(default_factory=dict)


def read_stat(pid):
    """The fields of /proc/PID/stat after the name, or None if it has gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()
    except OSError:
        return None


def tree(roots):
    """These processes and all beneath them."""
    return trees([roots])[0]


def trees(groups):
    """The same for several groups, with one look at all processes."""
    children = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            stat = read_stat(int(name))
            if stat:
                children.setdefault(int(stat[1]), []).append(int(name))
    result = []
    for roots in groups:
        found, todo = [], [pid for pid in roots if pid]
        while todo:
            pid = todo.pop()
            found.append(pid)
            todo.extend(children.get(pid, []))
        result.append(found)
    return result


def cpu_of(roots):
    """Processor seconds of these trees, with the children that have ended."""
    ticks = 0
    for pid in tree(roots):
        stat = read_stat(pid)
        if stat:
            ticks += sum(int(field) for field in stat[11:15])
    return ticks / TICK


def cpu_of_machine():
    """Processor seconds that anybody has used so far, and those the hypervisor took."""
    with open("/proc/stat", encoding="ascii") as file:
        fields = [int(field) for field in file.readline().split()[1:9]]
    user, nice, system, _idle, _wait, irq, softirq, steal = fields
    return (user + nice + system + irq + softirq + steal) / TICK


def memory_of(pids):
    """Bytes of proportional set size; 0 for what has gone."""
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
                for line in file:
                    if line.startswith(b"Pss:"):
                        total += int(line.split()[1]) * 1024
                        break
        except OSError:
            pass
    return total


class Sampler:
    """Watches the memory of process trees until it is stopped."""

    def __init__(self, *groups, period=0.1):
        self.groups = groups
        self.peaks = [0] * len(groups)
        self.period = period
        self.end = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _sample(self):
        for index, pids in enumerate(trees(self.groups)):
            if len(pids) <= SAMPLED_PROCESSES:
                self.peaks[index] = max(self.peaks[index], memory_of(pids))

    def _run(self):
        # Short runs are looked at too: the first looks come soon.
        period = self.period / 32
        while not self.end.wait(period):
            self._sample()
            period = min(period * 2, self.period)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.end.set()
        self.thread.join()


# Of the sessions that are started here; see `favour`.
NICE = 0


def favour(pid):
    """Makes a session as nice as was asked: where each session is scheduled as a group, `nice` alone says nothing."""
    if NICE:
        try:
            with open(f"/proc/{pid}/autogroup", "w", encoding="ascii") as file:
                file.write(str(NICE))
        except OSError:
            pass


class Failed(Exception):
    """A command or a server that did not do its work."""


def measured(command, server_pids=(), cwd=None, env=None, timeout=600, good=(0,)):
    """Runs a shell command and gives its cost; its output is thrown away unless it fails."""
    known = set(tree(server_pids))
    server_before, machine_before = cpu_of(server_pids), cpu_of_machine()
    own_before = sum(os.times()[:2])
    begin = time.monotonic()
    child = subprocess.Popen(
        ["sh", "-c", command],
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    favour(child.pid)
    timer = threading.Timer(timeout, os.killpg, (child.pid, signal.SIGKILL))
    timer.daemon = True
    timer.start()
    try:
        with Sampler([child.pid], list(server_pids)) as sampler:
            complaint = child.stderr.read()
            _, status, usage = os.wait4(child.pid, 0)
    except BaseException:
        # A signal ends this run: nothing of it goes on.
        os.killpg(child.pid, signal.SIGKILL)
        raise
    seconds = time.monotonic() - begin
    timer.cancel()
    child.returncode = os.waitstatus_to_exitcode(status)
    child.stderr.close()
    orphans = settle(server_pids, known)
    server = cpu_of(server_pids) - server_before + orphans
    client = usage.ru_utime + usage.ru_stime
    driver = sum(os.times()[:2]) - own_before
    foreign = cpu_of_machine() - machine_before - server - client - driver
    if child.returncode not in good:
        text = complaint.decode(errors="replace").strip()[-2000:]
        raise Failed(f"exit {child.returncode} after {seconds:.1f} s: {command}\n{text}")
    return Cost(seconds, client, server, *sampler.peaks, max(foreign, 0.0))


def settle(pids, known, limit=2.0):
    """Waits until the sessions that a forking server started have ended; gives the seconds of orphans among them.

    Some servers let a session's second process outlive the first: such orphans come to us (see `adopt_orphans`).
    """
    end = time.monotonic() + limit
    seconds = 0.0
    while True:
        orphans, sessions = trees([[os.getpid()], pids])
        orphans = [pid for pid in orphans if parent_of(pid) == os.getpid() and pid not in OWN]
        for pid in orphans:
            try:
                done, _, usage = os.wait4(pid, os.WNOHANG)
            except ChildProcessError:
                continue
            if done:
                seconds += usage.ru_utime + usage.ru_stime
        if time.monotonic() > end or (not orphans and known.issuperset(sessions)):
            return seconds
        time.sleep(0.02)


def parent_of(pid):
    stat = read_stat(pid)
    return int(stat[1]) if stat else None


def adopt_orphans():
    """Makes this process the parent of what its descendants leave behind, so that no time is lost."""
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER


# Children that were started on purpose and are waited for by name.
OWN = set()


class Process:
    """A server of ours to start and to end: always by its own process group."""

    def __init__(self, argv, log, cwd=None, env=None, stdin=subprocess.DEVNULL, stdout=None):
        self.log = log
        with open(log, "ab") as out:
            self.child = subprocess.Popen(
                argv,
                cwd=cwd,
                env=env,
                stdin=stdin,
                stdout=stdout or out,
                stderr=out,
                # Of its output nothing is kept unseen: who waits for a line looks whether the pipe has any.
                bufsize=0,
                start_new_session=True,
            )
        favour(self.child.pid)
        OWN.add(self.child.pid)
        RUNNING.append(self)

    @property
    def pid(self):
        return self.child.pid

    def alive(self):
        return self.child.poll() is None

    def stop(self, patience=5.0):
        """SIGTERM, then SIGKILL to what is left of its group."""
        if self.alive():
            self.child.terminate()
            try:
                self.child.wait(patience)
            except subprocess.TimeoutExpired:
                pass
        try:
            os.killpg(self.child.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
        self.child.wait()
        for pipe in (self.child.stdin, self.child.stdout):
            if pipe:
                pipe.close()
        if self in RUNNING:
            RUNNING.remove(self)
        OWN.discard(self.child.pid)

    def tail(self, size=2000):
        try:
            with open(self.log, "rb") as file:
                return file.read()[-size:].decode(errors="replace")
        except OSError:
            return ""


RUNNING = []


def stop_all():
    """Ends every server that still runs."""
    for process in list(RUNNING):
        process.stop()
