"""Standard FTP by Python's own ftplib: ftps.py WHAT FTP_PORT FTPS_PORT. Fails by an exception."""
import ftplib, hashlib, io, socket, ssl, sys

WHAT, FTP, FTPS = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
HOST, BYTES = "127.0.0.1", bytes(range(256)) * 1000
VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


class Resuming(ftplib.FTP_TLS):
    """Resumes `origin`'s session on data connections; its own, where none is given."""
    origin = None

    def ntransfercmd(self, cmd, rest=None):
        conn, size = ftplib.FTP.ntransfercmd(self, cmd, rest)
        session = (self.origin or self).sock.session
        return self.context.wrap_socket(conn, server_hostname=self.host, session=session), size


def enter(kind, version=None):
    if version is None:
        ftp = ftplib.FTP()
    else:
        context = ssl._create_unverified_context()
        context.minimum_version = context.maximum_version = version
        ftp = kind(context=context)
    ftp.connect(HOST, FTP, 20)
    ftp.login("u", "p")
    if version is not None:
        ftp.prot_p()
    return ftp


def transfers(ftp, count):
    want = hashlib.sha256(BYTES).digest()
    for _ in range(count):
        ftp.storbinary("STOR a file", io.BytesIO(BYTES))
        back = hashlib.sha256()
        ftp.retrbinary("RETR a file", back.update)
        assert back.digest() == want
    assert "a file" in ftp.nlst() and "a file" in dict(ftp.mlsd())
    rest = io.BytesIO()
    ftp.retrbinary("RETR a file", rest.write, rest=255_000)
    assert rest.getvalue() == BYTES[255_000:]
    ftp.quit()


def refused(ftp):
    try:
        ftp.storbinary("STOR never", io.BytesIO(BYTES))
    except (OSError, ftplib.Error):
        pass
    else:
        raise AssertionError("it was taken")
    other = enter(None)
    assert "never" not in other.nlst()


if WHAT == "plain":
    transfers(enter(None), 50)
for version in VERSIONS:
    if WHAT == "resumed":
        transfers(enter(Resuming, version), 50)
    if WHAT == "fresh":
        transfers(enter(ftplib.FTP_TLS, version), 3)
    if WHAT == "fresh-refused":
        refused(enter(ftplib.FTP_TLS, version))
    if WHAT == "foreign-refused":
        ftp, other = enter(Resuming, version), enter(Resuming, version)
        other.context = ftp.context
        ftp.origin = ftplib.FTP_TLS(context=ftp.context)
        ftp.origin.connect(HOST, FTP, 20)
        ftp.origin.login("u", "p")
        refused(ftp)
    if WHAT == "cut":
        ftp = enter(Resuming, version)
        ftp.storbinary("STOR kept", io.BytesIO(BYTES))
        data = ftp.transfercmd("STOR kept")
        data.sendall(b"half of it")
        # An end of the stream without close_notify.
        socket.socket(fileno=data.detach()).close()
        try:
            print(ftp.voidresp())
        except ftplib.Error:
            pass
        else:
            raise AssertionError("half was taken for the whole")
        back = io.BytesIO()
        ftp.retrbinary("RETR kept", back.write)
        assert back.getvalue() == BYTES
    if WHAT == "injected":
        raw = socket.create_connection((HOST, FTP), 20)
        assert raw.recv(1000).startswith(b"220")
        raw.sendall(b"AUTH TLS\r\nUSER evil\r\nPASS evil\r\n")
        assert raw.recv(1000).startswith(b"234")
        context = ssl._create_unverified_context()
        context.minimum_version = context.maximum_version = version
        # Some of it may reach the handshake, which then breaks; never does any of it count within TLS.
        try:
            secure = context.wrap_socket(raw)
        except (ssl.SSLError, OSError):
            continue
        secure.sendall(b"SYST\r\n")
        assert secure.recv(1000)[:3] in (b"215", b"530"), "an answer to what was injected"
