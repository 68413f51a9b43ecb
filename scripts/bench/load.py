"""`ftp-load`, and `drive.py` beside it, as tools of the scenarios: one-shot runs, held connections, pings beside a load."""

import json
import os
import select
import subprocess
import sys

from proc import Cost, Failed, Process, Sampler, cpu_of, cpu_of_machine, settle, tree


def words(bench, mode, server, **flags):
    """The command line, as a list."""
    argv = [bench.programs.load, mode, "--addr", server.addr, "--language", server.speaks]
    if server.speaks == "ftp":
        argv += ["--user", server.user]
    for name, value in flags.items():
        if value is not None:
            argv += ["--" + name.replace("_", "-"), str(value)]
    return argv


class Load:
    """A running `ftp-load`; it ends when its standard input does."""

    def __init__(self, bench, mode, server, **flags):
        self.argv = self.words(bench, mode, server, **flags)
        self.process = Process(self.argv, server.path("load"), stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    @staticmethod
    def words(bench, mode, server, **flags):
        return words(bench, mode, server, **flags)

    @property
    def pid(self):
        return self.process.pid

    def answer(self, timeout):
        """The next line that it prints."""
        out = self.process.child.stdout
        if not select.select([out], [], [], timeout)[0]:
            raise Failed(f"no word within {timeout:.0f} s: {' '.join(self.argv)}")
        line = out.readline()
        if not line:
            self.process.child.wait(5)
            raise Failed(f"{' '.join(self.argv)}\n{self.process.tail()}")
        return json.loads(line)

    def ask(self, timeout):
        """Makes all held connections ask once."""
        self.process.child.stdin.write(b"ask\n")
        self.process.child.stdin.flush()
        return self.answer(timeout)

    def finish(self, timeout):
        """Ends its standard input and takes its last word, if the mode has one."""
        self.process.child.stdin.close()
        return self.answer(timeout)

    def stop(self):
        self.process.stop()


DRIVE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "drive.py")
# What `drive.py` calls the languages; those with an `s` are spoken over TLS by its mode.
LANGUAGES = {"native": "native", "http": "http", "https": "http", "ftp": "ftp"}


class Drive(Load):
    """A running `drive.py`: what `ftp-load` does not speak, FTP's transfers and TLS."""

    @staticmethod
    def words(_bench, mode, server, **flags):
        argv = [sys.executable, "-B", DRIVE, mode, "--addr", server.addr, "--language", LANGUAGES[server.speaks]]
        argv += ["--user", server.user]
        for name, value in flags.items():
            argv += ["--" + name.replace("_", "-"), str(value)]
        return argv

    def go_on(self):
        """Answers what it waits for."""
        self.process.child.stdin.write(b"\n")
        self.process.child.stdin.flush()


def run(bench, mode, server, **flags):
    """One whole run of a mode: its cost, and all that `ftp-load` tells as extra figures."""
    known = set(tree(server.pids))
    server_before, machine_before = cpu_of(server.pids), cpu_of_machine()
    load = Load(bench, mode, server, **flags)
    try:
        with Sampler([load.pid], list(server.pids)) as sampler:
            answer = load.answer(bench.args.timeout)
            client = cpu_of([load.pid])
    finally:
        load.stop()
    orphans = settle(server.pids, known)
    server_cpu = cpu_of(server.pids) - server_before + orphans
    foreign = cpu_of_machine() - machine_before - server_cpu - client
    answer["server cores"], answer["client cores"] = server_cpu / answer["seconds"], client / answer["seconds"]
    return Cost(answer["seconds"], client, server_cpu, *sampler.peaks, max(foreign, 0.0), answer)
