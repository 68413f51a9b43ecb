"""The programs under test: builds them, starts the server, words the client's command lines."""

import json
import os
import re
import subprocess

import peers
from proc import Failed, Process

# The most connections that any scenario opens, with room for those that still close.
CONNECTIONS = 12000


class Programs:
    """Where `ftp-server`, `ftp-client` and `ftp-load` are. `None` for one that cannot be built."""

    def __init__(self, repo, folder=None, build=True):
        self.folder = folder or os.path.join(target_folder(repo), "release")
        if build and not folder:
            for package in ("ftp-server", "ftp-client", "ftp-tests"):
                cargo_build(repo, package)
        self.server = self._find("ftp-server")
        self.client = self._find("ftp-client")
        self.load = self._find("ftp-load")

    def _find(self, name):
        path = os.path.join(self.folder, name)
        return path if os.access(path, os.X_OK) else None


def target_folder(repo):
    done = subprocess.run(
        ["cargo", "metadata", "--no-deps", "--format-version", "1"],
        cwd=repo,
        capture_output=True,
        check=True,
    )
    return json.loads(done.stdout)["target_directory"]


def cargo_build(repo, package):
    words = ["cargo", "build", "--quiet", "--release", "--locked", "-p", package]
    if package == "ftp-tests":
        words += ["--bin", "ftp-load"]
    done = subprocess.run(words, cwd=repo, capture_output=True, check=False)
    if done.returncode != 0:
        text = done.stderr.decode(errors="replace").strip().splitlines()
        print(f"({package} does not build: {text[0] if text else 'no word why'})\n", flush=True)


class Muxftp(peers.Server):
    """Our server. `options` are added to its command line."""

    name = "muxftp"
    speaks = "native"

    def __init__(self, root, folder, programs, *options, host=peers.HOST):
        super().__init__(root, folder, None, host)
        tag = re.sub(r"[^a-z0-9]+", "-", " ".join(options).lower()).strip("-")
        self.folder = os.path.join(folder, "muxftp-" + tag)
        self.programs = programs
        self.options = options

    def argv(self):
        known = help_of(self.programs.server)
        wanted = [
            ("--root", self.root),
            ("--listen", f"{self.host}:{self.port}"),
            ("--max-connections", str(CONNECTIONS)),
            ("--max-per-address", str(CONNECTIONS)),
            ("--idle-timeout", "600"),
            ("--log-level", "warn"),
            # Its own, so that each first start makes a certificate and tells its key.
            ("--state-dir", self.path("state")),
        ]
        argv = [self.programs.server]
        for flag, value in wanted:
            if flag in known and flag not in self.options:
                argv += [flag, value]
        if self.host != peers.HOST:
            # The long path is measured in the clear, as the peers are.
            argv += ["--allow-anonymous", "--tls-mode", "off", "--allow-plaintext"]
        return [*argv, *self.options]

    def start(self):
        if not self.programs.server:
            raise Failed("muxftp is not built")
        os.makedirs(self.folder, exist_ok=True)
        self.process = Process([*self.prefix, *self.argv()], self.path("log"), stdout=subprocess.PIPE)
        line = self.process.child.stdout.readline().decode()
        if not line.startswith("listening on "):
            self.stop()
            raise Failed(f"muxftp does not start: {line!r}\n{self.process_log()}")
        return self

    @property
    def secure(self):
        """Whether it was told to speak TLS on loopback too."""
        return ("--tls-mode", "on") in zip(self.options, self.options[1:])

    @property
    def pin(self):
        """The fingerprint of the key that it made, as it told at its first start."""
        with open(self.path("log"), encoding="utf-8", errors="replace") as file:
            found = re.search(r"its key is (SHA256:\S+?)\.", file.read())
        if not found:
            raise Failed(f"muxftp has not told its key:\n{self.process_log()}")
        return found.group(1)

    def client(self, words, *options):
        """A command line of our client for this server."""
        known = help_of(self.programs.client)
        quiet = "-q" if "-q" in known else ""
        trust = f"--tls --pin {self.pin}" if self.secure else ""
        flags = " ".join(filter(None, [quiet, trust, *options]))
        return " ".join(part for part in (self.programs.client, f"-s {self.addr}", flags, words) if part)


class MuxftpFtp(Muxftp):
    """The same over standard FTP, at a port of its own."""

    speaks = "ftp"

    def __init__(self, root, folder, programs, *options):
        super().__init__(root, folder, programs, *options)
        self.folder += "-ftp"
        self.native_port, self.port = self.port, peers.free_port()

    def argv(self):
        at = [f"{self.host}:{port}" for port in (self.native_port, self.port)]
        words = super().argv()
        words[words.index("--listen") + 1] = at[0]
        return [*words, "--ftp-listen", at[1]]


def help_of(program, cache={}):  # noqa: B006 (the cache is meant to stay)
    """All of a program's help, with that of its subcommands."""
    if program not in cache:
        text = output([program, "--help"])
        for word in ("put", "get", "ls"):
            if re.search(rf"^\s+{word}\s", text, re.MULTILINE):
                text += output([program, word, "--help"])
        cache[program] = text
    return cache[program]


def output(argv):
    try:
        done = subprocess.run(argv, capture_output=True, timeout=10, check=False, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode(errors="replace")
