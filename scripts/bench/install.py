"""Gets the peers: Debian's packages, installed only where the program is missing, and never started as services.

FTP servers conflict with each other as packages, so all but vsftpd are only unpacked, into a folder of ours.
"""

import glob
import os
import re
import shutil
import subprocess

import machine

POLICY = "/usr/sbin/policy-rc.d"

# Program -> packages, the first that exists is taken.
INSTALLED = {
    "nginx": ["nginx-light", "nginx"],
    "lighttpd": ["lighttpd"],
    "vsftpd": ["vsftpd"],
    "rsync": ["rsync"],
    "sshd": ["openssh-server"],
    "scp": ["openssh-client"],
    "lftp": ["lftp"],
    "curl": ["curl"],
    "openssl": ["openssl"],
    "iperf3": ["iperf3"],
    "ip": ["iproute2"],
}
UNPACKED = {
    "pure-ftpd": ("pure-ftpd", "usr/sbin/pure-ftpd"),
    "pure-pw": ("pure-ftpd-common", "usr/bin/pure-pw"),
    "proftpd": ("proftpd-core", "usr/sbin/proftpd"),
    "pyftpdlib": ("python3-pyftpdlib", "usr/lib/python3/dist-packages/pyftpdlib"),
}


# Libraries that a package above needs and few machines have; unpacked beside it.
LIBRARIES = {"proftpd": ("libhashkit2", "libhiredis0.14", "libmemcached11", "libmemcachedutil2", "libpcre2-posix3")}


def find(program, folder):
    """Where a program (or an unpacked module) is, or None."""
    if program in UNPACKED:
        path = os.path.join(folder, UNPACKED[program][1])
        if os.path.exists(path):
            return path
        if program == "pyftpdlib":
            path = "/" + UNPACKED[program][1]
            return path if os.path.exists(path) else None
    return shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/local/sbin")


def has_libraries(program, folder):
    """Whether what a program needs was unpacked beside it."""
    found = glob.glob(os.path.join(folder, "usr/lib/*/lib*.so.*"))
    return len(found) >= len(LIBRARIES.get(program, ()))


def install(folder, say):
    """Installs and unpacks what is missing; tells what could not be had, and goes on without it."""
    missing = [name for name in INSTALLED if not find(name, folder)]
    unpack = [name for name in UNPACKED if not find(name, folder) or not has_libraries(name, folder)]
    if not missing and not unpack:
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        say(f"(not installed, and cannot be: {', '.join(missing + unpack)}: their rows are left out)")
        return
    apt("update")
    with quiet_services():
        for name in missing:
            if not any(apt("install", "-y", "--no-install-recommends", package) for package in INSTALLED[name]):
                say(f"({name} could not be installed: its rows are left out)")
    os.makedirs(folder, exist_ok=True)
    for name in unpack:
        packages = (*LIBRARIES.get(name, ()), UNPACKED[name][0])
        if not all(unpack_package(package, folder) for package in packages):
            say(f"({name} could not be unpacked: its rows are left out)")


# How each peer is asked for its version; what is only unpacked is asked of the archive's index.
VERSIONS = {
    "nginx": ["nginx", "-v"],
    "lighttpd": ["lighttpd", "-v"],
    "rsync": ["rsync", "--version"],
    "sshd": ["ssh", "-V"],
    "lftp": ["lftp", "--version"],
    "curl": ["curl", "--version"],
    "openssl": ["openssl", "version"],
    "iperf3": ["iperf3", "--version"],
    "vsftpd": ["dpkg-query", "-W", "-f", "vsftpd ${Version}", "vsftpd"],
}


def versions(folder):
    """The versions of the peers that are here."""
    found = {}
    for name, argv in VERSIONS.items():
        path = find(argv[0], folder)
        said = machine.version([path, *argv[1:]]) if path else None
        if said:
            found[name] = re.sub(r"\s+", " ", said).split(" protocol ")[0].split(" libcurl/")[0].split(" | Copyright")[0]
            found[name] = found[name].split(" (")[0].replace("nginx version: ", "").replace(" | Version", "")
    for name, (package, path) in UNPACKED.items():
        if name != "pure-pw" and os.path.exists(os.path.join(folder, path)):
            said = machine.version(["apt-cache", "show", "--no-all-versions", package], r"^Version: (.*)$")
            found[name] = f"{name} {said or ''}".strip()
    return found


def apt(*words):
    env = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    done = subprocess.run(["apt-get", "-q", *words], env=env, capture_output=True, check=False, stdin=subprocess.DEVNULL)
    return done.returncode == 0


def unpack_package(package, folder):
    """Downloads one package and lays its files beneath `folder`."""
    env = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    got = subprocess.run(["apt-get", "-q", "download", package], cwd=folder, env=env, capture_output=True, check=False)
    archives = glob.glob(os.path.join(folder, package + "_*.deb"))
    if got.returncode != 0 or not archives:
        return False
    done = subprocess.run(["dpkg-deb", "-x", archives[-1], folder], capture_output=True, check=False)
    for archive in archives:
        os.unlink(archive)
    return done.returncode == 0


class quiet_services:
    """While packages are installed none of them is started: a policy file says no, if there is none yet."""

    def __enter__(self):
        self.ours = not os.path.exists(POLICY)
        if self.ours:
            with open(POLICY, "w", encoding="ascii") as file:
                file.write("#!/bin/sh\nexit 101\n")
            os.chmod(POLICY, 0o755)

    def __exit__(self, *_):
        if self.ours:
            os.unlink(POLICY)
