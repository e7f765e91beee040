"""A server of the KV engine, version 2, as HashiCorp Vault and OpenBao answer, with logins by token, AppRole and Kubernetes.

Only what reading a key needs, and writing it with hvac. Policies are not there: a token is good, or it is not.
"""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NOW = "2026-11-01T02:24:06.945319214Z"


class Kv:
    """The server, on a port of its own."""

    def __init__(self):
        self.secrets, self.tokens, self.sealed = {}, {"root"}, False
        self.logins = {"role-1": "secret-id-1"}
        self.requests = []
        kv = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self, status, body):
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def handle_any(self):
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length) or b"{}")
                path, _, query = self.path.partition("?")
                kv.requests.append((self.command, path))
                self.answer(*kv.serve(self.command, path, query, body, self.headers.get("X-Vault-Token")))

            do_GET = do_POST = do_PUT = do_DELETE = handle_any

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def end(self):
        self.server.shutdown()

    def serve(self, method, path, query, body, token):
        if self.sealed:
            return 503, {"errors": ["Vault is sealed"]}
        parts = path.strip("/").split("/")
        if parts[:2] == ["v1", "auth"] and parts[-1] == "login":
            return self.login(parts[2], body)
        if token not in self.tokens:
            return 403, {"errors": ["permission denied"]}
        kind, name = parts[2], "/".join(parts[3:])
        if kind == "data" and method in ("POST", "PUT"):
            return self.write(name, body)
        if kind == "data" and method == "GET":
            return self.read(name, query)
        if kind == "data" and method == "DELETE":
            self.secrets[name][-1]["deletion_time"] = NOW
            return 200, {}
        if kind == "metadata" and method == "GET":
            return self.metadata(name)
        return 404, {"errors": []}

    def login(self, way, body):
        good = self.logins.get(body.get("role_id")) == body.get("secret_id", "") if way == "approle" else body.get("jwt") == "a-jwt"
        if not good:
            return 400, {"errors": ["invalid role or secret ID"]}
        token = f"token-{way}-{len(self.tokens)}"
        self.tokens.add(token)
        auth = {"client_token": token, "accessor": "a", "policies": [], "token_policies": [], "metadata": {}, "lease_duration": 3600,
                "renewable": True, "entity_id": "", "token_type": "service", "orphan": True}
        return 200, {"request_id": "1", "lease_id": "", "renewable": False, "lease_duration": 0, "data": None, "wrap_info": None,
                     "warnings": None, "auth": auth}

    def wrapped(self, data):
        return {"request_id": "1", "lease_id": "", "renewable": False, "lease_duration": 0, "data": data, "wrap_info": None,
                "warnings": None, "auth": None}

    def told(self, version, number):
        return {"created_time": NOW, "custom_metadata": None, "deletion_time": version["deletion_time"], "destroyed": False,
                "version": number}

    def write(self, name, body):
        versions = self.secrets.setdefault(name, [])
        cas = body.get("options", {}).get("cas")
        if cas is not None and cas != len(versions):
            return 400, {"errors": ["check-and-set parameter did not match the current version"]}
        versions.append({"data": body["data"], "deletion_time": ""})
        return 200, self.wrapped(self.told(versions[-1], len(versions)))

    def read(self, name, query):
        versions = self.secrets.get(name)
        if not versions:
            return 404, {"errors": []}
        number = int(query.split("version=")[1].split("&")[0]) if "version=" in query else 0
        number = number or len(versions)
        version = versions[number - 1]
        gone = bool(version["deletion_time"])
        data = {"data": None if gone else version["data"], "metadata": self.told(version, number)}
        return (404 if gone else 200), self.wrapped(data)

    def metadata(self, name):
        versions = self.secrets.get(name)
        if not versions:
            return 404, {"errors": []}
        rows = {str(n): {"created_time": NOW, "deletion_time": v["deletion_time"], "destroyed": False} for n, v in enumerate(versions, 1)}
        return 200, self.wrapped({
            "cas_required": False, "created_time": NOW, "current_version": len(versions), "custom_metadata": None,
            "delete_version_after": "0s", "max_versions": 0, "oldest_version": 0, "updated_time": NOW, "versions": rows,
        })
