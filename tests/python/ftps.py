"""Standard FTP by Python's own ftplib: ftps.py WHAT FTP_PORT FTPS_PORT. Fails by an exception."""
import ftplib, hashlib, io, socket, ssl, sys, time

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


def cut(ftp, name, part):
    """Begins to store a file and breaks off; says how much of it is kept."""
    data = ftp.transfercmd("STOR " + name)
    data.sendall(part)
    # Only what has come is kept; ABOR comes by another way.
    deadline = time.monotonic() + 20
    while str(len(part)) + " bytes so far" not in ftp.sendcmd("STAT"):
        assert time.monotonic() < deadline
    ftp.sock.sendall(b"ABOR\r\n")
    data.close()
    assert ftp.getline().startswith("426") and ftp.getline().startswith("226")
    ftp.voidcmd("TYPE I")
    return ftp.size(name)


def temporary(code, call, *args, **more):
    """The call fails with this code."""
    try:
        call(*args, **more)
    except ftplib.Error as error:
        assert str(error).startswith(code), error
    else:
        raise AssertionError("it was taken")


def resumes(ftp):
    whole = lambda name: b"".join(pieces(ftp, name))
    at = cut(ftp, "f", BYTES[:100_000])
    assert at == 100_000
    temporary("554", ftp.storbinary, "STOR f", io.BytesIO(b"x"), rest=at + 1)
    ftp.storbinary("STOR f", io.BytesIO(BYTES[at - 7:]), rest=at - 7)
    assert whole("f") == BYTES and ftp.size("f") == len(BYTES)
    # In a copy of what stands there.
    temporary("554", ftp.storbinary, "STOR f", io.BytesIO(b"x"), rest=len(BYTES) + 1)
    ftp.storbinary("STOR f", io.BytesIO(b"new end"), rest=3)
    assert whole("f") == BYTES[:3] + b"new end"
    ftp.storbinary("APPE f", io.BytesIO(b"!"))
    assert whole("f") == BYTES[:3] + b"new end!"
    # An append goes behind what SIZE told, or nowhere.
    at = cut(ftp, "g", b"begun")
    ftp.storbinary("APPE g", io.BytesIO(b" and done"))
    assert whole("g") == b"begun and done"
    other = enter(None)
    cut(other, "h", b"begun")
    temporary("450", ftp.storbinary, "APPE h", io.BytesIO(b"x"))
    other.voidcmd("TYPE I")
    assert ftp.size("h") == 5
    cut(other, "h", b"begun anew")
    temporary("450", ftp.storbinary, "APPE h", io.BytesIO(b"x"))


def pieces(ftp, name):
    got = []
    ftp.retrbinary("RETR " + name, got.append)
    return got


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
if WHAT == "resume":
    resumes(enter(None))
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
