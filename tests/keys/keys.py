"""Keys in processes of their own, against servers that are not ours.

Usage: keys.py PATH-OF-BELLWETHER CATALOG [STORY…]
"""

import base64
import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.parse
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "live"))

import checks  # noqa: E402
from kv import Kv  # noqa: E402
from venue import SECRET, Sandbox  # noqa: E402

BINARY, CATALOG = sys.argv[1], sys.argv[2]
STARTED = []
QUOTER = ["--strategy", "quoter", "--kind", "quotes", "--kind", "depth"]
QUOTER += ["--set", "strategy.half_spread_bps=0.3", "--set", "strategy.requote_bps=0.4", "--set", "strategy.qty=0.005"]
LIMITS = ["position_notional_max=20000", "order_notional_max=15000", "orders_per_minute_max=1000", "daily_loss_max=5000"]
LIMITS = [part for limit in LIMITS for part in ("--set", f"risk.{limit}")]
LIVE = ["live", "--json", "--instrument", "binance:BTC/USDT", "--no-save", *QUOTER, *LIMITS]
FAULTS = {"delay_min_ms": 1, "delay_max_ms": 10, "duplicate": 0.02, "error_before": 0.01, "error_after": 0.01, "reset": 0.01}


def secret(name):
    return f"{name}-canary+/0123456789abcdef="


def clean_env(**more):
    env = {name: value for name, value in os.environ.items() if not name.startswith(("VAULT_", "AWS_", "BELLWETHER"))}
    return {**env, **more}


def waits(what, holds, seconds=60):
    """Waits until something holds."""
    until = time.time() + seconds
    while not holds():
        assert time.time() < until, what()
        time.sleep(0.2)


class Desk:
    """A venue with an account `main`, a state folder, and settings with keys."""

    def __init__(self, folder, keys, env=None):
        self.folder, self.env, self.out = folder, clean_env(**(env or {})), []
        self.venue = Sandbox(BINARY, CATALOG, [], "", 3, 3600)
        for name in keys:
            self.allow(name)
        self.state = folder / "state"
        self.config = folder / "settings.toml"

    def allow(self, name, permissions="read,trade"):
        self.at_venue("POST", "keys", {"key": f"{name}:{secret(name)}:{permissions}"})

    def at_venue(self, method, what, body=None):
        request = urllib.request.Request(
            f"{self.venue.rest}/sandbox/{what}", method=method, data=json.dumps(body or {}).encode(),
            headers={"X-Sandbox-Token": self.venue.told["admin_token"]},
        )
        return json.loads(urllib.request.urlopen(request, timeout=10).read())

    def settings(self, keys, more="", office=None):
        tables = "".join(
            f'[[key]]\naccount = "binance/main"\nlabel = "{label}"\nsource = {json.dumps(source)}\n' for label, source in keys
        )
        kept = "overlap_s = 2\npoll_s = 1\n" + (f"office = {json.dumps(str(office))}\n" if office else "")
        self.config.write_text(f"{self.venue.settings('cancel')}[keys]\n{kept}{tables}{more}")

    def file(self, name, key, text=None):
        path = self.folder / name
        path.write_text(json.dumps({"id": key, "secret": secret(key)}) if text is None else text)
        path.chmod(0o600)
        return f"file:{path}"

    def run(self, *args, code=0, stdin=None):
        command = [BINARY, *args, "--config", str(self.config), "--state-dir", str(self.state)]
        done = subprocess.run(command, capture_output=True, text=True, env=self.env, input=stdin or "", timeout=120)
        self.out.append(done.stdout + done.stderr)
        assert "panicked" not in done.stderr, done.stderr
        assert done.returncode == code, f"{args}: exit code {done.returncode}, not {code}: {done.stdout} {done.stderr}"
        return done.stdout + done.stderr if code else done.stdout

    def live(self, name, state=None):
        """A session of a strategy that quotes all the time."""
        command = [BINARY, *LIVE, "--config", str(self.config), "--state-dir", str(state or self.state)]
        out, err = open(self.folder / f"{name}.out", "w"), open(self.folder / f"{name}.err", "w")
        process = subprocess.Popen(command, stdout=out, stderr=err, env=self.env)
        STARTED.append(process)
        return process

    def words(self, name):
        return (self.folder / f"{name}.out").read_text() + (self.folder / f"{name}.err").read_text()

    def status(self):
        document = json.loads(self.run("keys", "status", "--json"))
        (account,) = [a for a in document["accounts"] if a["account"] == "binance/main"]
        return account["processes"]

    def sign(self, end, count=1, seconds=60):
        """Waits until so many processes sign with a key whose id ends so."""
        until = time.time() + seconds
        while time.time() < until:
            processes = self.status()
            if sum(p["key"].endswith(f"(…{end})") for p in processes) >= count:
                return processes
            assert all(p.poll() is None for p in STARTED), "a session ended: " + "".join(self.words(n.stem) for n in self.folder.glob("*.err"))
            time.sleep(0.2)
        raise AssertionError(f"no process signs with …{end}: {processes} {[self.words(n.stem)[-2000:] for n in self.folder.glob('*.err')]}")

    def let_go(self, name, seconds=60):
        """Waits until nothing uses a key any more, and makes an end of it at the venue."""
        until = time.time() + seconds
        while not any(e["event"] == "let_go" and e["key"].endswith(f"(…{name[-4:]})") for e in self.audit()):
            assert time.time() < until, f"{name} is not let go: {self.audit()}"
            time.sleep(0.2)
        self.at_venue("DELETE", "keys", {"id": name})

    def books(self, process, name):
        """Ends a session, alone on its account. No request of it was refused for its key, no order is lost or doubled."""
        until = time.time() + 120
        while self.status()[0]["uses"]["place"] < 5:
            assert time.time() < until, f"the last key signs no orders: {self.words(name)[-3000:]}"
            time.sleep(0.5)
        refused = self.at_venue("GET", "refused")["keys"]
        assert refused == 0, f"the venue refused {refused} requests for their key: {self.words(name)[-3000:]}"
        no_refusals(self)
        self.at_venue("POST", "faults")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0, self.words(name)[-3000:]
        STARTED.remove(process)
        document = json.loads((self.folder / f"{name}.out").read_text())
        self.at_venue("POST", "keys", {"key": f"books:{SECRET}:read"})
        return checks.books(self.venue, "books", document, "cancel")

    def audit(self):
        return json.loads(self.run("keys", "audit", "--json"))["entries"]

    def end(self):
        for process in STARTED:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
        for process in STARTED:
            try:
                process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        STARTED.clear()
        self.venue.end()


def no_refusals(desk):
    bad = [e for e in desk.audit() if e["event"] in ("refused", "failed")]
    assert not bad, bad


def vault(folder, tell):
    """A new version in a vault rotates a session; hvac and our server agree; faults of the server are told."""
    import hvac

    kv = Kv()
    client = hvac.Client(url=kv.url, token="root")

    def put(key):
        client.secrets.kv.v2.create_or_update_secret(path="bots/binance", secret={"api_key": key, "api_secret": secret(key)})

    put("vault-key-01")
    read = client.secrets.kv.v2.read_secret_version(path="bots/binance", raise_on_deleted_version=True)
    assert read["data"]["data"]["api_key"] == "vault-key-01" and read["data"]["metadata"]["version"] == 1
    assert client.secrets.kv.v2.read_secret_metadata(path="bots/binance")["data"]["current_version"] == 1
    try:
        client.secrets.kv.v2.create_or_update_secret(path="bots/binance", secret={}, cas=7)
        raise AssertionError("check-and-set does not hold")
    except hvac.exceptions.InvalidRequest:
        pass
    jwt = folder / "jwt"
    jwt.write_text("a-jwt\n")
    env = {"VAULT_ADDR": kv.url, "VAULT_TOKEN": "root", "VAULT_SECRET_ID": "secret-id-1", "VAULT_JWT_FILE": str(jwt)}
    desk = Desk(folder, ["vault-key-01", "vault-key-02", "vault-key-03"], env)
    try:
        for login in ("", "?auth=approle&role_id=role-1", "?auth=kubernetes&role=bots"):
            desk.settings([("main", f"vault:secret/bots/binance{login}")])
            told = json.loads(desk.run("keys", "check", "--json"))
            assert told["fit"] and told["keys"][0]["version"] == "1", told
        desk.at_venue("POST", "faults", FAULTS)
        session = desk.live("vault")
        desk.sign("y-01")
        time.sleep(3)
        put("vault-key-02")
        desk.sign("y-02")
        desk.let_go("vault-key-01")
        kv.sealed = True
        waits(desk.audit, lambda: any(e["event"] == "source_down" and "sealed" in e["detail"] for e in desk.audit()), 3)
        desk.sign("y-02")
        kv.sealed = False
        put("vault-key-03")
        desk.sign("y-03")
        desk.let_go("vault-key-02")
        told = desk.books(session, "vault")
        tell(f"two new versions rotated a session, no request was refused for its key, no order lost or doubled: {told}")
        tell("token, AppRole and Kubernetes logins; a sealed vault keeps the last good key")
        put("vault-key-00")
        desk.settings([("main", "vault:secret/bots/binance")])
        assert "the venue does not take it" in desk.run(*LIVE, code=4)
        tell("a session does not start with a key that the venue does not know")
        kv.tokens.discard("root")
        desk.settings([("main", "vault:secret/bots/binance")])
        assert "permission denied" in desk.run("keys", "check", code=4)
        kv.tokens.add("root")
        client.secrets.kv.v2.delete_latest_version_of_secret(path="bots/binance")
        assert "deleted" in desk.run("keys", "check", code=4)
        kv.end()
        desk.settings([("main", "vault:secret/bots/none?addr=http://127.0.0.1:1")])
        assert "does not answer" in desk.run("keys", "check", code=4)
        tell("no permission, a deleted version and a server that is away are told")
    finally:
        desk.end()


def aws(folder, tell):
    """AWSPENDING is tried, used and made AWSCURRENT; the old one becomes AWSPREVIOUS."""
    import boto3
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    env = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y", "AWS_REGION": "eu-central-1", "AWS_EC2_METADATA_DISABLED": "true"}
    client = boto3.client("secretsmanager", endpoint_url=endpoint, region_name="eu-central-1", aws_access_key_id="x", aws_secret_access_key="y")
    text = lambda key: json.dumps({"id": key, "secret": secret(key)})  # noqa: E731
    first = client.create_secret(Name="bots/binance", SecretString=text("amazon-key-1"))
    desk = Desk(folder, ["amazon-key-1", "amazon-key-2", "amazon-key-3"], env)
    try:
        desk.settings([("main", f"aws:bots/binance?endpoint={endpoint}")])
        assert json.loads(desk.run("keys", "check", "--json"))["fit"]
        desk.at_venue("POST", "faults", FAULTS)
        session = desk.live("aws")
        desk.sign("ey-1")
        time.sleep(3)
        put = client.put_secret_value(SecretId="bots/binance", SecretString=text("amazon-key-2"), VersionStages=["AWSPENDING"],
                                      ClientRequestToken="f" * 32)
        desk.sign("ey-2")
        for _ in range(100):
            stages = client.describe_secret(SecretId="bots/binance")["VersionIdsToStages"]
            if "AWSCURRENT" in stages.get(put["VersionId"], []):
                break
            time.sleep(0.2)
        assert "AWSCURRENT" in stages[put["VersionId"]], stages
        assert "AWSPREVIOUS" in stages[first["VersionId"]], stages
        desk.let_go("amazon-key-1")
        # Somebody else moves the stage.
        last = client.put_secret_value(SecretId="bots/binance", SecretString=text("amazon-key-3"), VersionStages=["LATER"],
                                       ClientRequestToken="e" * 32)
        time.sleep(2)
        assert "AWSPENDING" not in client.describe_secret(SecretId="bots/binance")["VersionIdsToStages"][put["VersionId"]]
        desk.sign("ey-2")
        client.update_secret_version_stage(SecretId="bots/binance", VersionStage="AWSCURRENT", MoveToVersionId=last["VersionId"],
                                           RemoveFromVersionId=put["VersionId"])
        desk.sign("ey-3")
        desk.let_go("amazon-key-2")
        told = desk.books(session, "aws")
        tell(f"two changes of stage rotated a session, no request was refused for its key, no order lost or doubled: {told}")
        desk.settings([("main", f"aws:bots/none?endpoint={endpoint}")])
        assert "ResourceNotFound" in desk.run("keys", "check", code=4)
        tell("AWSPENDING was tried, used and became AWSCURRENT, and what was current AWSPREVIOUS; a missing secret is told")
    finally:
        desk.end()
        server.stop()


def shared(folder, tell):
    """Two processes on one key rotate together; a command that dies leaves nothing half done; a session that dies comes back.

    Each has a state folder of its own, as on two machines: they meet in the office.
    """
    desk = Desk(folder, [f"shared-key-{n}" for n in range(4)])
    try:
        desk.settings([("main", desk.file("main.json", "shared-key-0"))], office=folder / "office")
        first = desk.live("one")
        desk.live("two", folder / "second")
        desk.sign("ey-0", 2)
        told = json.loads(desk.run("keys", "rotate", "binance/main", "--from", desk.file("1.json", "shared-key-1"), "--why", "test", "--json"))
        assert len(told["confirmed_by"]) == 2, told
        desk.let_go("shared-key-0")
        tell("two processes confirmed, and the old key is gone at the venue")

        source = desk.file("2.json", "shared-key-2")
        for wait in (0.02, 0.1, 0.3):
            command = [BINARY, "keys", "rotate", "binance/main", "--from", source, "--config", str(desk.config), "--state-dir", str(desk.state)]
            rotating = subprocess.Popen(command, env=desk.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(wait)
            rotating.kill()
            rotating.wait()
            time.sleep(1.5)
            ends = {p["key"][-5:-1] for p in desk.status()}
            assert ends in ({"ey-1"}, {"ey-2"}), f"killed after {wait} s: {ends}"
        desk.run("keys", "rotate", "binance/main", "--from", source)
        desk.sign("ey-2", 2)
        tell("a rotation that was killed left one key in force everywhere")

        first.kill()
        first.wait()
        STARTED.remove(first)
        desk.run("keys", "rotate", "binance/main", "--from", desk.file("3.json", "shared-key-3"), "--within", "20")
        desk.live("three")
        desk.sign("ey-3", 2)
        refused = desk.at_venue("GET", "refused")["keys"]
        assert refused == 0, f"the venue refused {refused} requests for their key"
        refused = desk.file("bad.json", "shared-key-9")
        assert "the old one signs on" in desk.run("keys", "rotate", "binance/main", "--from", refused, code=4)
        desk.allow("can-withdraw", "read,trade,withdraw")
        assert "withdraw" in desk.run("keys", "rotate", "binance/main", "--from", desk.file("w.json", "can-withdraw"), code=4)
        desk.sign("ey-3", 2)
        no_refusals(desk)
        tell("a session that died is not waited for, and one that starts takes the new key; bad keys are refused")

        head = json.loads(desk.run("keys", "audit", "--verify", "--json"))["head"]
        desk.run("keys", "audit", "--verify", "--head", head)
        log = desk.state / "audit" / "keys.jsonl"
        whole = log.read_text()
        log.write_text(whole.replace("rotated", "rotten!", 1))
        assert "chain breaks" in desk.run("keys", "audit", "--verify", code=5)
        log.write_text(whole)
        desk.run("keys", "audit", "--verify", "--head", "0" * 63 + "1", code=5)
        tell("a changed audit and an unknown head are found")
    finally:
        desk.end()


def keyring(folder, tell):
    """A key in a keyring of the desktop is put there, read, and replaced while a session trades."""
    missing = [tool for tool in ("dbus-daemon", "gnome-keyring-daemon") if not shutil.which(tool)]
    if missing:
        return tell(f"skipped, {' and '.join(missing)} not installed")
    bus = subprocess.Popen(["dbus-daemon", "--session", "--nofork", "--print-address"], stdout=subprocess.PIPE,
                           stderr=subprocess.DEVNULL, text=True)
    env = {"DBUS_SESSION_BUS_ADDRESS": bus.stdout.readline().strip(), "HOME": str(folder), "XDG_RUNTIME_DIR": str(folder)}
    ring = subprocess.Popen(["gnome-keyring-daemon", "--foreground", "--unlock", "--components=secrets"],
                            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, **env})
    ring.stdin.write(b"a passphrase of this test")
    ring.stdin.close()
    desk = Desk(folder, ["keyring-key-1", "keyring-key-2"], env)
    source = "keyring:bellwether-test/binance"
    add = lambda key: desk.run("keys", "add", "binance/main", "--id", key, "--source", source, stdin=secret(key))  # noqa: E731
    try:
        desk.settings([("main", source)])
        desk.run("keys", "check", code=4)
        add("keyring-key-1")
        assert json.loads(desk.run("keys", "check", "--json"))["fit"]
        desk.at_venue("POST", "faults", FAULTS)
        session = desk.live("keyring")
        desk.sign("ey-1")
        time.sleep(3)
        add("keyring-key-2")
        desk.sign("ey-2")
        desk.let_go("keyring-key-1")
        tell(f"a key replaced in a keyring rotated a session, no order lost or doubled: {desk.books(session, 'keyring')}")
    finally:
        desk.end()
        for process in (ring, bus):
            process.terminate()
            process.wait()


def forms(text):
    """A secret as it might stand in a file or an output."""
    raw = text.encode()
    yield raw
    yield raw.hex().encode()
    yield raw.hex().upper().encode()
    for shift in range(3):
        # The middle of its base64 at each of three places in a longer text.
        coded = base64.b64encode(b"\0" * shift + raw).rstrip(b"=")
        yield coded[shift + 1 : -2]
        yield coded[shift + 1 : -2].replace(b"+", b"-").replace(b"/", b"_")
    yield urllib.parse.quote(text, safe="").encode()
    yield json.dumps(text)[1:-1].encode()


def leaks(canaries, places):
    """Where canaries are found: in all files below folders, and in texts."""
    patterns = [(name, form) for name, text in canaries.items() for form in set(forms(text)) if len(form) > 8]
    found = []
    for place in places:
        files = [p for p in place.rglob("*") if p.is_file()] if isinstance(place, Path) else [place]
        for file in files:
            data = file.read_bytes() if isinstance(file, Path) else file.encode()
            found += [(name, str(file)[:80]) for name, form in patterns if form in data]
    return found


def canaries(folder, tell):
    """Canary secrets, one per source and way of signing, are found nowhere; a deliberate leak is."""
    pem = subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519"], capture_output=True, text=True)
    ec = subprocess.run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout"], capture_output=True, text=True)
    rsa = subprocess.run(["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"], capture_output=True, text=True)
    inner = lambda pem: "".join(line for line in pem.splitlines() if "-----" not in line)  # noqa: E731
    env = {"BELLWETHER_KEY_BINANCE_ENVY_ID": "env-key-0001", "BELLWETHER_KEY_BINANCE_ENVY_SECRET": secret("env-key-0001")}
    desk = Desk(folder, ["file-key-001", "dir-key-0001", "exec-key-001", "env-key-0001", "age-key-0001"], env)
    held = folder / "held"
    held.mkdir(mode=0o700)
    planted = {name: secret(name) for name in ("file-key-001", "dir-key-0001", "exec-key-001", "env-key-0001", "age-key-0001")}
    try:
        mounted = held / "mounted"
        mounted.mkdir(mode=0o700)
        for name, text in (("id", "dir-key-0001"), ("secret", secret("dir-key-0001"))):
            (mounted / name).write_text(text)
            (mounted / name).chmod(0o600)
        command = held / "command.sh"
        command.write_text(f"echo '{secret('exec-key-001')}'\n")
        (held / "phrase").write_text("a canary passphrase of age")
        (held / "phrase").chmod(0o600)
        planted["passphrase"] = "a canary passphrase of age"
        age = f"age:{held}/key.age?passphrase=file:{held}/phrase"
        file = desk.file("held/file.json", "file-key-001")
        desk.settings([("main", file), ("dir", f"dir:{mounted}"), ("age", age)],
                      f'[[key]]\naccount = "binance/main"\nlabel = "exec"\nid = "exec-key-001"\nsource = "exec:sh {command}"\n')
        desk.run("keys", "add", "binance/main", "--label", "age", "--id", "age-key-0001", "--source", age, stdin=secret("age-key-0001") + "\n")
        assert json.loads(desk.run("keys", "check", "--json"))["fit"]
        for name, scheme, key in (("kraken/main", None, base64.b64encode(b"canary of kraken, 64 bytes " * 2).decode()),
                                  ("coinbase/main", None, ec.stdout), ("binance/ed", "ed25519", pem.stdout),
                                  ("binance/rsa", "rsa-sha256", rsa.stdout), ("hyperliquid/main", None, "ca" * 31 + "01")):
            planted[name] = inner(key) if "-----" in key else key
            source = f"file:{held}/{name.replace('/', '-')}.json"
            args = ["keys", "add", name, "--id", "0x14791697260e4c9a71f18484c9f997b308e59325", "--source", source]
            desk.run(*args, *(["--scheme", scheme] if scheme else []), stdin=key)
            venue, account = name.split("/")
            # What would be sent is signed and shown.
            extra = f'[[key]]\naccount = "{name}"\nsource = "{source}"\n'
            whole = desk.config.read_text()
            desk.config.write_text(whole + extra)
            desk.run("exchange", "hyperliquid_linear" if venue == "hyperliquid" else venue, "balances", "--account", account, "--dry-run", "--json")
            desk.run("-vv", "keys", "list")
            desk.config.write_text(whole)
        desk.live("canary")
        desk.sign("-001")
        desk.at_venue("DELETE", "keys", {"id": "file-key-001"})
        desk.sign("0001")
        desk.run("-vv", "exchange", "binance", "balances", "--account", "envy", "--json")
        desk.run("config", "show")
        desk.run("keys", "status")
        # Wrong places and forms.
        whole = desk.config.read_text()
        for bad in (f'source = "{secret("file-key-001")}"', f'source = "file:x"\nsecret = "{secret("file-key-001")}"',
                    f'source = "file:x"\nscope = "{secret("file-key-001")}"'):
            desk.config.write_text(f'{whole}[[key]]\naccount = "binance/bad"\n{bad}\n')
            desk.run("keys", "check", code=3)
        desk.config.write_text(whole)
        for broken in ('{"id": "x", "secret": "%s"' % secret("file-key-001"), secret("file-key-001")):
            desk.file("held/file.json", "", broken)
            desk.run("keys", "check", code=4)
        desk.file("held/file.json", "file-key-001")
        (held / "file.json").chmod(0o644)
        assert "chmod 600" in desk.run("keys", "check", code=4)
        arguments = "".join(Path(f"/proc/{p.pid}/cmdline").read_bytes().decode() for p in STARTED)
        desk.end()
        outputs = "".join(desk.out) + arguments + "".join(desk.words(n.stem) for n in folder.glob("*.err"))
        assert len(outputs) > 2_000 and any(desk.state.rglob("*.tape"))
        found = leaks(planted, [desk.state, outputs])
        assert not found, found
        (desk.state / "leak").write_text("x" + base64.b64encode(b"a=" + secret("dir-key-0001").encode()).decode())
        assert leaks(planted, [desk.state]), "a deliberate leak was not found"
        assert leaks(planted, [f"url?secret={urllib.parse.quote(secret('env-key-0001'), safe='')}"])
        tell(f"{len(planted)} canaries are in no output and no file of the state folder; two deliberate leaks are found")
    finally:
        desk.end()


def nats(folder, tell):
    """Two processes that share nothing but a bucket of NATS rotate and stop together, and no source comes from there."""
    if not shutil.which("nats-server"):
        return tell("skipped, nats-server not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["nats-server", "--addr", "127.0.0.1", "--port", str(port), "--jetstream", "--store_dir", str(folder / "nats"), "--auth", "a-token"]

    def start():
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        waits(lambda: "nats-server does not begin", lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0)
        return process

    server = start()
    desk = Desk(folder, ["nats-key-1", "nats-key-2", "nats-key-3"], {"NATS_TOKEN": "a-token"})
    try:
        office = f"nats://127.0.0.1:{port}/keys"
        desk.settings([("main", desk.file("main.json", "nats-key-1"))], 'on_revoke = "keep"\n', office)
        desk.live("one")
        desk.live("two", folder / "second")
        desk.sign("ey-1", 2)
        other = desk.file("other.json", "nats-key-3")
        assert "over NATS" in desk.run("keys", "rotate", "binance/main", "--from", other, code=3)
        desk.file("main.json", "nats-key-2")
        told = json.loads(desk.run("keys", "rotate", "binance/main", "--json"))
        assert len(told["confirmed_by"]) == 2, told
        desk.let_go("nats-key-1")
        assert desk.at_venue("GET", "refused")["keys"] == 0
        tell("two processes confirmed over NATS, and the old key is gone at the venue")
        server.kill()
        server.wait()
        waits(desk.audit, lambda: any(e["event"] == "source_down" and "nats://" in e["detail"] for e in desk.audit()), 5)
        desk.run("keys", "status", code=3)
        assert all(p.poll() is None for p in STARTED)
        server = start()
        desk.sign("ey-2", 2)
        tell("they sign on while NATS is away, and tell of it")
        desk.run("keys", "revoke", "binance/main", "--now", "--why", "test")
        ends = lambda: [p["key"] for p in desk.status()]
        waits(ends, lambda: ends() == ["", ""], 4)
        tell("one word stops the key in both")
    finally:
        desk.end()
        server.terminate()
        server.wait()


STORIES = {"nats": nats, "shared": shared, "canaries": canaries, "vault": vault, "aws": aws, "keyring": keyring}


def main():
    failed = 0
    for name in sys.argv[3:] or STORIES:
        folder = Path(tempfile.mkdtemp(prefix=f"keys-{name}-"))
        try:
            began = time.time()
            STORIES[name](folder, lambda words: print(f"{name}: {words}"))
            print(f"{name}: held, {time.time() - began:.0f} s")
            shutil.rmtree(folder, ignore_errors=True)
        except Exception:  # noqa: BLE001
            failed += 1
            traceback.print_exc()
            print(f"{name}: FAILED, see {folder}")
    print(f"{len(sys.argv[3:] or STORIES) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
