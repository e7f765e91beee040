"""A small client of NATS and a server to talk to: the protocol in its plain words, nothing of the program under test."""

import base64
import json
import shutil
import signal
import socket
import subprocess
import time


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    """nats-server with JetStream, on a port and a folder of its own; it can be stopped, frozen and started again."""

    def __init__(self, folder, more=()):
        self.folder, self.port, self.more, self.process = folder, free_port(), list(more), None

    @property
    def url(self):
        return f"nats://127.0.0.1:{self.port}"

    def start(self):
        command = ["nats-server", "-js", "-sd", str(self.folder / "nats"), "-a", "127.0.0.1", "-p", str(self.port), *self.more]
        log = open(self.folder / "nats.log", "a")
        self.process = subprocess.Popen(command, stdout=log, stderr=log)
        until = time.time() + 20
        while time.time() < until:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            except OSError:
                assert self.process.poll() is None, (self.folder / "nats.log").read_text()
                time.sleep(0.05)
        raise AssertionError("nats-server does not listen")

    def stop(self, how=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(20)

    def freeze(self, frozen=True):
        self.process.send_signal(signal.SIGSTOP if frozen else signal.SIGCONT)


class Client:
    """Publishes, subscribes and asks."""

    def __init__(self, port, token=None):
        self.socket = socket.create_connection(("127.0.0.1", port), 10)
        self.socket.settimeout(10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")
        assert self.file.readline().startswith(b"INFO")
        self.count = 0
        self.send(b"CONNECT " + json.dumps({"verbose": False, "headers": True, "auth_token": token}).encode())

    def send(self, line, payload=None):
        self.socket.sendall(line + b"\r\n" + (b"" if payload is None else payload + b"\r\n"))

    def publish(self, subject, payload, reply="", msg_id=None):
        payload = payload if isinstance(payload, bytes) else payload.encode()
        if msg_id is None:
            return self.send(f"PUB {subject} {reply} {len(payload)}".encode(), payload)
        head = f"NATS/1.0\r\nNats-Msg-Id: {msg_id}\r\n\r\n".encode()
        self.send(f"HPUB {subject} {reply} {len(head)} {len(head) + len(payload)}".encode(), head + payload)

    def message(self):
        """The next message: subject and payload."""
        while True:
            words = self.file.readline().split()
            assert words, "the server closed the connection"
            if words[0] == b"PING":
                self.send(b"PONG")
            elif words[0] == b"MSG":
                payload = self.file.read(int(words[-1]) + 2)[:-2]
                return words[1].decode(), payload
            elif words[0] == b"HMSG":
                whole = self.file.read(int(words[-1]) + 2)[:-2]
                return words[1].decode(), whole[int(words[-2]):]
            elif words[0].startswith(b"-ERR"):
                raise AssertionError(b" ".join(words))

    def ask(self, subject, body="", msg_id=None):
        self.count += 1
        inbox = f"_INBOX.test.{id(self)}.{self.count}"
        self.send(f"SUB {inbox} {self.count}".encode())
        self.publish(subject, body if isinstance(body, (str, bytes)) else json.dumps(body), inbox, msg_id)
        answer = json.loads(self.message()[1])
        self.send(f"UNSUB {self.count}".encode())
        return answer

    def keep(self, subject, body, msg_id=None):
        """Publishes to a stream; its answer."""
        answer = self.ask(subject, body, msg_id)
        assert "error" not in answer, answer
        return answer

    def make_stream(self, name="BELLWETHER", subjects=("bellwether.signal.>",), **more):
        answer = self.ask(f"$JS.API.STREAM.CREATE.{name}", {"name": name, "subjects": list(subjects), "storage": "file", **more})
        assert "error" not in answer, answer

    def stream(self, name="BELLWETHER"):
        return self.ask(f"$JS.API.STREAM.INFO.{name}")

    def kept(self, name="BELLWETHER", most=1_000):
        """What a stream keeps, its first messages: subject and parsed JSON."""
        state, all_of_it = self.stream(name)["state"], []
        for seq in range(state["first_seq"], min(state["last_seq"], state["first_seq"] + most) + 1):
            message = self.ask(f"$JS.API.STREAM.MSG.GET.{name}", {"seq": seq}).get("message")
            if message:
                all_of_it.append((message["subject"], json.loads(base64.b64decode(message["data"]))))
        return all_of_it


def is_installed():
    return shutil.which("nats-server") is not None
