"""What the scenarios share: the folders, the data, the servers that run, the options of this run."""

import os
import shutil
import tempfile
import time

import data
import machine
import ours
import peers
from proc import Failed, stop_all


# Our server keeps a digest that it has read only if the file had not changed for a minute.
SETTLED = 61.0


class Bench:
    """One run. Everything it makes is beneath `folder`, and gone after `close`."""

    def __init__(self, args, programs, say):
        self.args = args
        self.programs = programs
        self.say = say
        self.tools = args.tools
        base = args.folder or ("/dev/shm" if os.path.isdir("/dev/shm") else None)
        self.folder = tempfile.mkdtemp(prefix="muxftp-bench-", dir=base)
        os.chmod(self.folder, 0o755)
        self.root = self.make("root")
        self.inbox = self.make("root/inbox", 0o777)
        self.out = self.make("out")
        self.servers = {}
        self.away = {}
        self.rested = set()

    def make(self, name, mode=0o755):
        path = os.path.join(self.folder, name)
        os.makedirs(path, exist_ok=True)
        os.chmod(path, mode)
        return path

    def close(self):
        stop_all()
        shutil.rmtree(self.folder, ignore_errors=True)

    # Data

    def big(self, size=None):
        """The large file: its name beneath the root."""
        size = size or self.args.size
        data.big(os.path.join(self.root, f"big-{size}"), size)
        return f"big-{size}"

    def tree(self, count, size):
        data.tree(os.path.join(self.root, f"tree-{count}-{size}"), count, size)
        return f"tree-{count}-{size}"

    def source(self, name):
        return os.path.join(self.root, name)

    def settled(self, *names):
        """Makes a step that waits until files have been left alone for so long that a digest of them may be kept.

        Once for each file: that a server notes the digest at it later is no change.
        """

        def step():
            for name in names:
                stat = os.stat(self.source(name))
                if (stat.st_ino, stat.st_mtime_ns) not in self.rested:
                    time.sleep(max(0.0, stat.st_ctime + SETTLED - time.time()))
                    self.rested.add((stat.st_ino, stat.st_mtime_ns))

        return step

    def target(self, name):
        """A name in the folder of what is downloaded."""
        return os.path.join(self.out, name)

    def clear(self, path, size):
        """Makes a step that removes a target and touches as much memory as will be written."""

        def step():
            data.remove(path)
            if os.path.dirname(path) == self.inbox or path.startswith(self.inbox):
                os.makedirs(os.path.dirname(path), exist_ok=True)
            machine.touch(self.out, size)

        return step

    # Servers

    def server(self, kind):
        """A running peer, or None if it cannot run here (told once)."""
        key = kind.__name__
        return self.running(key, lambda: kind(self.root, self.folder, self.tools))

    def server_at(self, kind, root):
        """The same over another root."""
        return self.running((kind.__name__, root), lambda: kind(root, self.make("elsewhere"), self.tools))

    def restart(self, server):
        """Makes a step that gives a server a fresh process: no memory of earlier rounds."""

        def step():
            server.stop()
            server.start()

        return step

    def disk(self):
        """An empty folder on a real disk, to be removed by who asks."""
        os.makedirs(self.args.disk, exist_ok=True)
        return tempfile.mkdtemp(prefix="root-", dir=self.args.disk)

    def muxftp(self, *options, root=None, host=peers.HOST):
        """Our running server with these options, or None."""
        if not self.programs.server or not self.programs.client:
            return None
        key = ("muxftp", root, host, *options)
        return self.running(key, lambda: ours.Muxftp(root or self.root, self.folder, self.programs, *options, host=host))

    def muxftp_ftp(self, *options):
        """The same over standard FTP."""
        if not self.programs.server or not self.server_knows("--ftp-listen"):
            return None
        key = ("muxftp over FTP", *options)
        return self.running(key, lambda: ours.MuxftpFtp(self.root, self.folder, self.programs, *options))

    def running(self, key, make):
        """The server of this key, started if it does not run; None if it cannot (told once)."""
        if key in self.away:
            return None
        server = self.servers.get(key)
        if server and server.process and server.process.alive():
            return server
        server = make()
        try:
            self.servers[key] = server.start()
        except Failed as failure:
            self.away[key] = str(failure)
            self.say(f"({failure})")
            return None
        return server

    def stop_servers(self):
        """Between scenarios: nobody idles beside the next one."""
        for server in self.servers.values():
            server.stop()
        self.servers.clear()

    # Options

    @property
    def unsynced(self):
        """Our server's option for what the peers do: sync nothing."""
        return ("--durability", "none") if "--durability" in ours.help_of(self.programs.server or "") else ()

    def server_knows(self, flag):
        return bool(self.programs.server) and flag in ours.help_of(self.programs.server)

    def client_knows(self, flag):
        return bool(self.programs.client) and flag in ours.help_of(self.programs.client)
