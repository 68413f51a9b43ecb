"""A small muxftp client, written from PROTOCOL.md alone. Usage: muxftp.py HOST:PORT put|get|list|hash REMOTE [LOCAL]"""
import hashlib, json, os, socket, struct, sys

class Failed(Exception): pass
class Client:
    def __init__(self, host, port):
        self.sock, self.id = socket.create_connection((host, port), timeout=20), 0
        self.limits = self.ask(verb="hello", version=1, client="muxftp.py")[0]["limits"]
    def send(self, payload=b"", **head):
        text = json.dumps(head | ({"len": len(payload)} if payload else {})).encode()
        self.sock.sendall(struct.pack(">I", len(text)) + text + payload)
    def exactly(self, n):
        data = bytearray()
        while len(data) < n:
            data += (part := self.sock.recv(min(n - len(data), 1 << 20)))
            if not part: raise Failed("the server closed the connection")
        return data
    def frames(self):  # the frames of the next answer: (header, payload) each
        head = {}
        while not head.get("fin"):
            head = json.loads(self.exactly(*struct.unpack(">I", self.exactly(4))))
            payload = self.exactly(head.get("len", 0))
            if "error" in head: raise Failed(head["error"]["code"] + ": " + head["error"]["message"])
            yield head, payload
    def ask(self, **head):
        self.id += 1
        self.send(id=self.id, fin=True, **head)
        return list(self.frames())[-1]

    def put(self, local, path):
        self.id, digest = self.id + 1, hashlib.sha256()
        self.send(id=self.id, verb="put", path=path, size=os.path.getsize(local), parents=True)
        with open(local, "rb") as file:
            while block := file.read(self.limits["chunk"]):
                digest.update(block); self.send(block, id=self.id)
        self.send(id=self.id, fin=True, sha256=digest.hexdigest())
        return list(self.frames())[-1][0]["sha256"]

    def get(self, path, local):
        self.id, digest = self.id + 1, hashlib.sha256()
        self.send(id=self.id, verb="get", path=path, fin=True)
        with open(local + ".part", "wb") as file:
            for head, payload in self.frames(): file.write(payload); digest.update(payload)
        if head["sha256"] != digest.hexdigest(): raise Failed("the digest differs")
        os.rename(local + ".part", local)

    def list(self, path, **cursor):
        head, page = self.ask(verb="list", path=path, **cursor)
        names = [entry["name"] for entry in json.loads(page)]
        return names + self.list(path, cursor=head["cursor"]) if "cursor" in head else names

if __name__ == "__main__":
    (host, port), verb, path, local = sys.argv[1].rsplit(":", 1), sys.argv[2], sys.argv[3], sys.argv[-1]
    try:
        client = Client(host, int(port))
        if verb == "put": print(client.put(local, path))
        elif verb == "get": client.get(path, local)
        elif verb == "list": print("\n".join(client.list(path)))
        else: print(client.ask(verb=verb, path=path)[0]["sha256"])
    except Failed as error: sys.exit(f"muxftp.py: {error}")
