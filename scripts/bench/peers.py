"""The servers to compare with: each writes its configuration into its own folder, listens on loopback, serves `root`.

`inbox` beneath the root takes uploads. Settings are those that make the peer fastest for the work, with logs off.
"""

import os
import random
import socket
import subprocess
import sys
import time

import install
from proc import Failed, Process

HOST = "127.0.0.1"


def free_port():
    # A server keeps its port for all rounds: below those that the system gives to connections.
    for _ in range(1000):
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
                return port
            except OSError:
                continue
    raise OSError("no port between 20000 and 32000 is free")


def can_connect(port, host=HOST):
    try:
        socket.create_connection((host, port), timeout=1).close()
        return True
    except OSError:
        return False


class Server:
    """A server that runs between `start` and `stop`. Subclasses say how."""

    name = "?"
    program = "?"
    # How `ftp-load` speaks to it, and as whom.
    speaks = "http"
    user = "anonymous"

    def __init__(self, root, folder, tools, host=HOST):
        self.root = root
        self.tools = tools
        self.host = host
        self.folder = os.path.join(folder, self.name.lower().replace(" ", "-"))
        self.port = free_port()
        self.process = None
        self.prefix = []

    def within(self, prefix):
        """Runs behind these words: in another network namespace."""
        self.prefix = prefix
        return self

    def reachable(self):
        """Whether it takes connections."""
        if not self.prefix:
            return can_connect(self.port, self.host)
        code = f"import socket; socket.create_connection(({self.host!r}, {self.port}), timeout=1)"
        done = subprocess.run([*self.prefix, sys.executable, "-c", code], capture_output=True, check=False)
        return done.returncode == 0

    @property
    def addr(self):
        return f"{self.host}:{self.port}"

    @property
    def url(self):
        """The address for curl and lftp."""
        login = "" if self.user == "anonymous" else f"{self.user}:{self.user}@"
        return f"{self.speaks}://{login}{self.addr}"

    @property
    def pids(self):
        return [self.process.pid] if self.process else []

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self.path(name)

    def argv(self):
        """Writes the configuration and gives the command line; None if the program is not there."""
        raise NotImplementedError

    def env(self):
        return None

    def start(self):
        os.makedirs(self.folder, exist_ok=True)
        self.program_path = install.find(self.program, self.tools)
        if not self.program_path:
            raise Failed(f"{self.name} is not installed")
        self.process = Process([*self.prefix, *self.argv()], self.path("log"), cwd=self.folder, env=self.env())
        end = time.monotonic() + 10
        while not self.reachable():
            if not self.process.alive() or time.monotonic() > end:
                self.stop()
                raise Failed(f"{self.name} does not start:\n{self.process_log()}")
            time.sleep(0.02)
        return self

    def process_log(self):
        try:
            with open(self.path("log"), encoding="utf-8", errors="replace") as file:
                return file.read()[-2000:]
        except OSError:
            return ""

    def stop(self):
        if self.process:
            self.process.stop()
            self.process = None


class Nginx(Server):
    name = "nginx"
    program = "nginx"
    # A word of its `listen`.
    secure = ""

    def certificate(self):
        """The lines of its configuration about TLS."""
        return ""

    def argv(self):
        os.makedirs(self.path("body"), exist_ok=True)
        # Uploads are renamed into place: the temporary files must be on the same file system as the inbox.
        body = os.path.join(self.root, "nginx-body")
        os.makedirs(body, exist_ok=True)
        user = "user root;" if os.geteuid() == 0 else ""
        config = self.write(
            "nginx.conf",
            f"""daemon off; master_process on; worker_processes auto; worker_rlimit_nofile 20000;
pid {self.path("pid")}; error_log {self.path("error")} crit; {user}
events {{ worker_connections 12000; }}
http {{
  access_log off; sendfile on; tcp_nopush on; tcp_nodelay on; keepalive_timeout 600; keepalive_requests 100000000;
  client_max_body_size 0; client_body_temp_path {body}; proxy_temp_path {self.path("body")};
  fastcgi_temp_path {self.path("body")}; uwsgi_temp_path {self.path("body")}; scgi_temp_path {self.path("body")};
  open_file_cache max=20000; default_type application/octet-stream;
  server {{ listen {self.host}:{self.port} {self.secure}backlog=4096; {self.certificate()} root {self.root}; autoindex on;
    location /inbox/ {{ dav_methods PUT DELETE MKCOL; create_full_put_path on; dav_access user:rw all:r; }} }}
}}
""",
        )
        return [self.program_path, "-p", self.folder, "-c", config, "-e", self.path("error")]


class NginxTls(Nginx):
    """The same with HTTPS, and a certificate of its own."""

    name = "nginx-tls"
    speaks = "https"
    secure = "ssl "

    @property
    def cert(self):
        return self.path("cert.pem")

    def certificate(self):
        key = make_certificate(self)
        return f"ssl_certificate {self.cert}; ssl_certificate_key {key}; ssl_protocols TLSv1.3;"


def make_certificate(server):
    """A certificate for its address, of the kind that our server makes (P-256), at `cert.pem`; gives the key's path."""
    key, cert = server.path("key.pem"), server.path("cert.pem")
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost -addext"
    names = [f"subjectAltName=IP:{server.host}", "-keyout", key, "-out", cert]
    subprocess.run(["openssl", *words.split(), *names], capture_output=True, check=True)
    return key


class Lighttpd(Server):
    name = "lighttpd"
    program = "lighttpd"

    def argv(self):
        config = self.write(
            "lighttpd.conf",
            f"""server.document-root = "{self.root}"
server.port = {self.port}
server.bind = "{self.host}"
server.errorlog = "{self.path("error")}"
server.network-backend = "sendfile"
server.max-fds = 20000
server.max-connections = 12000
server.max-keep-alive-idle = 600
server.max-keep-alive-requests = 100000000
server.listen-backlog = 4096
server.modules = ( "mod_dirlisting" )
dir-listing.activate = "enable"
""",
        )
        return [self.program_path, "-D", "-f", config]


class Vsftpd(Server):
    name = "vsftpd"
    program = "vsftpd"
    speaks = "ftp"

    def more(self):
        """Further lines of its configuration."""
        return ""

    def argv(self):
        os.makedirs(self.path("empty"), exist_ok=True)
        config = self.write(
            "vsftpd.conf",
            f"""listen=YES
listen_address={self.host}
listen_port={self.port}
background=NO
anonymous_enable=YES
no_anon_password=YES
ftp_username=daemon
anon_root={self.root}
write_enable=YES
anon_upload_enable=YES
anon_mkdir_write_enable=YES
anon_other_write_enable=YES
anon_world_readable_only=NO
anon_umask=022
secure_chroot_dir={self.path("empty")}
use_sendfile=YES
max_clients=0
max_per_ip=0
xferlog_enable=NO
pasv_address={self.host}
idle_session_timeout=600
{self.more()}""",
        )
        return [self.program_path, config]


class VsftpdTls(Vsftpd):
    """The same with AUTH TLS demanded for login and data; a data connection need not resume, for not all clients can."""

    name = "vsftpd-tls"

    @property
    def cert(self):
        return self.path("cert.pem")

    def more(self):
        return f"""ssl_enable=YES
allow_anon_ssl=YES
force_anon_logins_ssl=YES
force_anon_data_ssl=YES
ssl_tlsv1=YES
ssl_ciphers=HIGH
require_ssl_reuse=NO
rsa_private_key_file={make_certificate(self)}
rsa_cert_file={self.path("cert.pem")}
"""


class PureFtpd(Server):
    """With a virtual user: its anonymous one would live in a folder of the system."""

    name = "Pure-FTPd"
    program = "pure-ftpd"
    speaks = "ftp"
    user = "bench"

    def argv(self):
        tool = install.find("pure-pw", self.tools)
        # A cheap hash: its own choice takes two seconds of processor time a login.
        done = subprocess.run(["openssl", "passwd", "-1", self.user], capture_output=True, check=True)
        self.write("users", f"{self.user}:{done.stdout.decode().strip()}:1:1::{self.root}/./::::::::::::\n")
        subprocess.run([tool, "mkdb", self.path("db"), "-f", self.path("users")], capture_output=True, check=True)
        # Nobody anonymous (-E), no look-ups (-H), IPv4 (-4).
        words = "-4 -E -H -c 12000 -C 12000 -I 10".split()
        where = ["-S", f"{self.host},{self.port}", "-g", self.path("pid")]
        return [self.program_path, *where, "-l", f"puredb:{self.path('db')}", *words]


class Proftpd(Server):
    """Anonymous, in the foreground, without delays or look-ups."""

    name = "ProFTPD"
    program = "proftpd"
    speaks = "ftp"

    def argv(self):
        config = self.write(
            "proftpd.conf",
            f"""ServerName bench
ServerType standalone
DefaultServer on
DefaultAddress {self.host}
SocketBindTight on
Port {self.port}
PidFile {self.path("pid")}
ScoreboardFile {self.path("scoreboard")}
DelayEngine off
SystemLog {self.path("error")}
TransferLog none
WtmpLog off
UseReverseDNS off
MaxInstances none
TimeoutIdle 600
AuthPAM off
UseFtpUsers off
<Anonymous {self.root}>
  User daemon
  Group daemon
  UserAlias anonymous daemon
  RequireValidShell off
  AnonRequirePassword off
  AllowOverwrite on
</Anonymous>
""",
        )
        return [self.program_path, "-n", "-q", "-c", config]

    def env(self):
        return dict(os.environ, LD_LIBRARY_PATH=os.path.join(self.tools, "usr/lib/x86_64-linux-gnu"))


class Pyftpdlib(Server):
    name = "pyftpdlib"
    program = "pyftpdlib"
    speaks = "ftp"

    def argv(self):
        return [
            "/usr/bin/python3",
            self.write("server.py", PYFTPDLIB),
            self.host,
            str(self.port),
            self.root,
        ]

    def env(self):
        return dict(os.environ, PYTHONPATH=os.path.dirname(self.program_path))


PYFTPDLIB = '''import logging, sys
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import FTPServer
host, port, root = sys.argv[1], int(sys.argv[2]), sys.argv[3]
logging.disable(logging.CRITICAL)
authorizer = DummyAuthorizer()
authorizer.add_anonymous(root, perm="elradfmwMT")
FTPHandler.authorizer = authorizer
FTPHandler.timeout = 600
server = FTPServer((host, port), FTPHandler, backlog=4096)
server.max_cons, server.max_cons_per_ip = 12000, 0
server.serve_forever()
'''


class Rsyncd(Server):
    name = "rsync"
    program = "rsync"
    speaks = "rsync"

    def argv(self):
        identity = "uid = root\ngid = root\n" if os.geteuid() == 0 else ""
        config = self.write(
            "rsyncd.conf",
            f"""use chroot = no
{identity}max verbosity = 0
[m]
path = {self.root}
read only = no
""",
        )
        argv = [self.program_path, "--daemon", "--no-detach", f"--config={config}"]
        return [*argv, f"--address={self.host}", f"--port={self.port}"]


class Sshd(Server):
    """For scp: keys of its own, the fastest cipher of those it is sure to have."""

    name = "sshd"
    program = "sshd"
    speaks = None

    def argv(self):
        for key in ("host", "user"):
            if not os.path.exists(self.path(key)):
                subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.path(key)], check=True)
        os.replace(self.path("user.pub"), self.path("authorized")) if os.path.exists(self.path("user.pub")) else None
        if os.geteuid() == 0:
            os.makedirs("/run/sshd", exist_ok=True)
        config = self.write(
            "sshd_config",
            f"""ListenAddress {self.host}
Port {self.port}
HostKey {self.path("host")}
AuthorizedKeysFile {self.path("authorized")}
PidFile {self.path("pid")}
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
PasswordAuthentication no
Ciphers aes128-gcm@openssh.com,aes128-ctr
Subsystem sftp internal-sftp
MaxStartups 1000
LogLevel ERROR
""",
        )
        return [self.program_path, "-D", "-e", "-f", config]

    @property
    def client(self):
        """The options of scp for this server."""
        known = f"-o UserKnownHostsFile={self.path('known')} -o StrictHostKeyChecking=accept-new"
        quiet = "-q -o BatchMode=yes -o LogLevel=ERROR -o IdentitiesOnly=yes -F /dev/null"
        return f"{quiet} {known} -i {self.path('user')} -c aes128-gcm@openssh.com -P {self.port}"


class Iperf(Server):
    name = "iperf3"
    program = "iperf3"
    speaks = None

    def argv(self):
        return [self.program_path, "-s", "-B", self.host, "-p", str(self.port)]


ALL = [Nginx, Lighttpd, Vsftpd, PureFtpd, Pyftpdlib, Rsyncd, Sshd]
