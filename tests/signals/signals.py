"""Signals over NATS between processes, against a real nats-server that is slow, away, empty and lied to.

Usage: signals.py PATH-OF-BELLWETHER ROOT-OF-THE-REPOSITORY [STORY…]
"""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from datetime import datetime, timedelta, timezone
from pathlib import Path

import market
from nats import Client, Server

BINARY, ROOT = str(Path(sys.argv[1]).resolve()), Path(sys.argv[2]).resolve()
STARTED = []
SUBJECT = "bellwether.signal.binance.BTC-USDT"


def now(seconds=0):
    return (datetime.now(timezone.utc) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def wish(id, direction="long", **more):
    return json.dumps({"id": id, "instrument": "binance:BTC/USDT", "direction": direction, "qty": "0.00005", "made": now(), **more})


class Desk:
    """A folder with a server, settings and a state of its own."""

    def __init__(self, folder, more=()):
        self.folder, self.server, self.env, self.number = folder, Server(folder, more), dict(os.environ), 0

    def consumer(self, source="", pace=1, more=""):
        path = self.folder / "consumer.toml"
        path.write_text(
            f'version = 1\n[backtest]\ninstruments = ["binance:BTC/USDT"]\nkinds = ["trades"]\n[session]\npace = {pace}\n'
            f'[data]\ndir = {json.dumps(str(ROOT / "backtest-data"))}\n'
            f'[source.bus]\nkind = "nats"\nurl = "{self.server.url}"\n{source}\n[[strategy]]\nid = "f"\nplugin = "follow"\n{more}'
        )
        return path

    def producer(self, pace=0, more='topics = ["signal"]', market=""):
        path = self.folder / "producer.toml"
        path.write_text(
            f'version = 1\n[backtest]\ninstruments = ["binance:BTC/USDT"]\nkinds = ["trades"]\n[session]\npace = {pace}\n'
            f'[data]\ndir = {json.dumps(str(ROOT / "backtest-data"))}\n'
            f'[[strategy]]\nid = "cross"\nplugin = "ema_cross"\nparams = {{ fast = 12, slow = 26, mode = "long-only" }}\n'
            f'[sink.bus]\nkind = "nats"\nto = "{self.server.url}"\n{more}\n{market}'
        )
        return path

    def start(self, *args, name="session"):
        self.number += 1
        run = Run(self, [BINARY, *map(str, args), "--state-dir", str(self.folder / f"state-{name}")], f"{name}-{self.number}")
        STARTED.append(run.process)
        return run

    def paper(self, *args, name="session", config=None):
        return self.start("paper", "--json", "--config", config or self.folder / "consumer.toml", *args, name=name)

    def client(self, **more):
        return Client(self.server.port, **more)


class Run:
    """A process of ours, and what it says."""

    def __init__(self, desk, command, name):
        self.out, self.err = desk.folder / f"{name}.out", desk.folder / f"{name}.err"
        self.process = subprocess.Popen(command, stdout=open(self.out, "w"), stderr=open(self.err, "w"), env=desk.env)

    def words(self):
        return self.err.read_text() + self.out.read_text()

    def says(self, pattern, times=1, seconds=30):
        until = time.time() + seconds
        while len(re.findall(pattern, self.words(), re.M)) < times:
            assert time.time() < until, f"never says {pattern!r} {times} times:\n{self.words()[-3000:]}"
            assert self.process.poll() is None or len(re.findall(pattern, self.words(), re.M)) >= times, self.words()[-3000:]
            time.sleep(0.05)

    def count(self, pattern):
        return len(re.findall(pattern, self.words(), re.M))

    def stop(self, how=signal.SIGINT, code=None):
        self.process.send_signal(how)
        self.process.wait(30)
        assert "panicked" not in self.words(), self.words()
        if code is not None:
            assert self.process.returncode == code, (self.process.returncode, self.words()[-2000:])

    def report(self):
        """Ends the session and gives its document."""
        self.stop()
        return json.loads(self.out.read_text())


ORDER = r" order \d+ "


def notes(document):
    return document.get("notes") or document["run"]["notes"]


def counts(document):
    line = next(n for n in notes(document) if n.startswith("source bus: "))
    return {what: int(n) for what, n in (part.rsplit(" ", 1) for part in line.removeprefix("source bus: ").split(", "))}


def readme_example(desk):
    """The two processes of the README, as they stand there."""
    text = (ROOT / "README.md").read_text()
    (block,) = re.findall(r"^<!-- run: tests/signals/run -->\n+```sh\n(.*?)^```", text, re.M | re.S)
    clone = desk.folder / "clone"
    clone.mkdir()
    for name in ("backtest-data", "config"):
        shutil.copytree(ROOT / name, clone / name)
    programs = desk.folder / "bin"
    programs.mkdir()
    (programs / "bellwether").symlink_to(BINARY)
    env = {"PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(desk.folder), "LANG": "C.UTF-8"}
    out, err = desk.folder / "readme.out", desk.folder / "readme.err"
    shell = ["bash", "-euo", "pipefail", "-c", block]
    with open(out, "w") as stdout, open(err, "w") as stderr:
        done = subprocess.Popen(shell, cwd=clone, env=env, stdout=stdout, stderr=stderr, start_new_session=True)
    try:
        code = done.wait(300)
    finally:
        # A line that fails leaves the server of the lines before it.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(done.pid, signal.SIGKILL)
    assert code == 0, f"{code}\n{out.read_text()[-3000:]}\n{err.read_text()[-3000:]}"
    said = out.read_text() + err.read_text()
    signals = out.read_text().count('"direction":')
    heard = int(re.search(r"source bus: .*?messages (\d+)", said)[1])
    assert signals > 10 and heard == signals, (signals, heard)
    assert re.search(r"sink bus: [1-9]\d* market events published", said), said[-3000:]
    assert len(re.findall(r"filled \d+ ", said)) > 5 and ": equal" in said, said[-3000:]


def a_signal_acts_once_though_the_consumer_is_killed(desk):
    desk.server.start()
    client = desk.client()
    client.make_stream()
    desk.consumer()
    first = desk.paper()
    first.says("paper 2025")
    client.keep(SUBJECT, wish("a"))
    # The same once more under another number of the server: after its window, or by another way.
    client.keep(SUBJECT, wish("a"))
    first.says(ORDER)
    first.says("filled 1 ")
    time.sleep(0.5)
    first.process.kill()
    first.process.wait()
    client.keep(SUBJECT, wish("b", "flat"))
    tape = next((desk.folder / "state-session" / "tapes").glob("*.tape"))
    second = desk.paper("--resume", tape)
    second.says("filled 2 ")
    client.keep(SUBJECT, wish("c"))
    second.says(" order 3 buy ")
    document = second.report()
    assert len(document["orders"]) == 3, [o for o in document["orders"]]
    dropped = [row for row in json.dumps(document).split("{") if "signal_duplicate" in row]
    assert dropped, "the message that came again is counted"
    replay = subprocess.run([BINARY, "replay", str(tape), "--state-dir", str(desk.folder / "state-session")], capture_output=True, text=True)
    assert replay.returncode == 0 and ": equal" in replay.stdout + replay.stderr, replay.stdout + replay.stderr


def what_is_wrong_is_counted_and_trades_nothing(desk):
    desk.server.start()
    client = desk.client()
    client.make_stream()
    desk.consumer()
    session = desk.paper()
    session.says("paper 2025")
    plain = {"instrument": "binance:BTC/USDT", "direction": "long", "qty": "0.001"}
    bad = {
        "malformed": ["", "nonsense", "[]", b"\xff\xfe", '{"instrument": 5}', wish("m", "sideways"), "{" * 5000, wish("m2", stp="1")],
        "too_large": ["x" * 70_000, wish("l", reason="y" * 70_000)],
        "too_old": [wish("o", made="2020-01-01T00:00:00Z"), wish("o2", expiry=now(-5))],
        "from_the_future": [wish("f", made=now(4_000))],
        "unknown_instrument": [wish("u", instrument="binance:NO/SUCH"), wish("u2", instrument="../../etc/passwd")],
        "known_before_made": [wish("k", made=now(), received="2020-01-01T00:00:00Z")],
        "bad_field": [
            json.dumps(plain), wish("b", strength=7), wish("b2", stop="-1"), wish("b3", qty="1", notional="2"), wish("b4", qty="1e400"),
            wish("b5", source="/stop 123456\u0007{text}"), wish("x" * 500),
        ],
    }
    for messages in bad.values():
        for message in messages:
            client.keep(SUBJECT, message)
    good = wish("good", "long", reason="{text} <b>@everyone</b> /stop 000000 $(reboot)")
    for _ in range(3):
        client.keep(SUBJECT, good)
    session.says(ORDER)
    session.says("filled 1 ")
    client.keep(SUBJECT, wish("last", "flat"))
    session.says(ORDER, times=2)
    document = session.report()
    assert len(document["orders"]) == 2, document["orders"]
    counted = counts(document)
    for name, messages in bad.items():
        assert counted.get(name) == len(messages), (name, len(messages), counted)
    assert counted["messages"] == sum(map(len, bad.values())) + 4, counted
    assert session.count("a message is refused") >= len(bad), "each kind of refusal is told"


def a_server_that_comes_late_goes_freezes_and_comes_back_loses_nothing(desk):
    desk.consumer("silent_max_s = 2")
    session = desk.paper()
    session.says("bus: stale, nats://.* does not answer")
    desk.server.start()
    session.says('there is no stream "BELLWETHER"')
    client = desk.client()
    client.make_stream()
    client.keep(SUBJECT, wish("1"))
    session.says("filled 1 ")
    session.says("stale, no message for 2 s")
    # It ends, and begins again on what it had stored.
    desk.server.stop()
    session.says("the connection is gone; the stream keeps what is said")
    time.sleep(1)
    desk.server.start()
    client = desk.client()
    client.keep(SUBJECT, wish("2", "flat"))
    session.says("filled 2 ", seconds=60)
    # It answers nobody for a while.
    desk.server.freeze()
    time.sleep(8)
    desk.server.freeze(False)
    client = desk.client()
    client.keep(SUBJECT, wish("3"))
    session.says("filled 3 ", seconds=60)
    # The stream is thrown away and made anew: its numbers begin again.
    assert client.ask("$JS.API.STREAM.DELETE.BELLWETHER")["success"]
    client.make_stream()
    client.keep(SUBJECT, wish("4", "flat"))
    session.says(" order 4 sell ", seconds=60)
    assert len(session.report()["orders"]) == 4


def a_producer_whose_server_is_away_loses_nothing_and_says_so(desk):
    desk.producer()
    run = lambda: desk.start("signals", "run", "--config", desk.folder / "producer.toml", name="producer")
    first = run()
    first.process.wait(60)
    made = first.out.read_text().count('"direction"')
    assert made == 35 and first.process.returncode == 0, first.words()
    desk.server.start()
    second = run()
    second.process.wait(60)
    client = desk.client()
    kept = client.kept()
    ids = [message["id"] for _, message in kept]
    assert len(ids) == len(set(ids)) == 2 * made, (len(ids), len(set(ids)))
    numbers = [int(i.rsplit("-", 1)[1]) for i in ids]
    assert numbers == [*range(1, made + 1)] * 2, numbers
    assert {subject for subject, _ in kept} == {SUBJECT}
    assert kept[0][1] == json.loads(first.out.read_text().splitlines()[0]), "what is printed is what is published"


def market_data_is_published_with_its_schema(desk):
    desk.server.start()
    desk.producer(pace=40, more='topics = ["signal", "start", "stop"]', market='nats = { prefix = "my bot", market = ["trades"], stream = "MINE", market_stream = "MINE_MARKET" }')
    run = desk.start("signals", "run", "--config", desk.folder / "producer.toml", name="producer")
    run.process.wait(60)
    assert run.process.returncode == 0, run.words()
    client = desk.client()
    messages = client.stream("MINE_MARKET")["state"]["messages"]
    assert messages > 6_000, messages
    offered, *market = client.kept("MINE_MARKET", 300)
    assert offered[0] == "my-bot.market.instrument.binance.BTC-USDT", offered
    assert offered[1]["kinds"] == ["trades"] and offered[1]["rules"]["tick"] == "0.01", offered
    assert {subject for subject, _ in market} == {"my-bot.market.trade.binance.BTC-USDT"}
    schema = json.loads(subprocess.run([BINARY, "schema", "market"], capture_output=True, text=True, check=True).stdout)
    event = market[0][1]
    assert set(schema["required"]) <= set(event), (schema["required"], event)
    assert event["instrument"] == "binance:BTC/USDT" and re.fullmatch(r"\d+(\.\d+)?", event["price"]) and event["kind"] == "trade", event
    times = [int(e["ts"]) for _, e in market]
    assert times == sorted(times), "in order"
    topics = [subject for subject, _ in client.kept("MINE") if ".notice." in subject]
    assert topics == ["my-bot.notice.start", "my-bot.notice.stop"], topics


def without_a_stream_only_what_is_said_while_we_listen_is_heard(desk):
    desk.server.start()
    desk.consumer('stream = ""\nper_minute_max = 3')
    desk.client().publish(SUBJECT, wish("before"))
    session = desk.paper()
    session.says("paper 2025")
    # Whether it listens yet is nowhere said.
    time.sleep(5)
    desk.client().publish(SUBJECT, wish("1"))
    session.says("filled 1 ")
    desk.server.stop()
    session.says("what is said meanwhile is lost")
    desk.server.start()
    time.sleep(12)
    client = desk.client()
    client.publish(SUBJECT, wish("2", "flat"), msg_id="2")
    session.says(" order 2 sell ", seconds=60)
    for n in range(5):
        client.publish(SUBJECT, wish(f"flood-{n}", "flat"))
    session.says("over 3 messages in a minute")
    document = session.report()
    assert len(document["orders"]) == 2 and counts(document)["too_many"] >= 3, counts(document)


def who_is_not_let_in_is_told_and_comes_in_with_the_secret(desk):
    desk.server.start()
    client = desk.client(token="open sesame")
    client.make_stream()
    desk.consumer("replay_s = 60")
    refused = desk.paper()
    refused.says("does not let us in")
    client.keep(SUBJECT, wish("1"))
    assert not refused.report()["orders"]
    desk.env["BELLWETHER_KEY_NATS_BUS_SECRET"] = "open sesame"
    allowed = desk.paper(name="allowed")
    allowed.says(" order 1 buy ")
    document = allowed.report()
    assert "sesame" not in allowed.words() and len(document["orders"]) == 1


STORIES = {
    readme_example: (),
    a_signal_acts_once_though_the_consumer_is_killed: (),
    what_is_wrong_is_counted_and_trades_nothing: (),
    a_server_that_comes_late_goes_freezes_and_comes_back_loses_nothing: (),
    a_producer_whose_server_is_away_loses_nothing_and_says_so: (),
    market_data_is_published_with_its_schema: (),
    without_a_stream_only_what_is_said_while_we_listen_is_heard: (),
    who_is_not_let_in_is_told_and_comes_in_with_the_secret: ("--auth", "open sesame"),
}


def with_binary(story):
    def told(desk):
        story(desk, BINARY)

    told.__name__ = story.__name__
    return told


STORIES |= {with_binary(story): () for story in market.STORIES}


def main():
    wanted, failed = sys.argv[3:], 0
    for story, more in STORIES.items():
        if wanted and story.__name__ not in wanted:
            continue
        with tempfile.TemporaryDirectory() as folder:
            desk, began = Desk(Path(folder), more), time.time()
            try:
                story(desk)
                print(f"{story.__name__}: held, {time.time() - began:.0f} s", flush=True)
            except Exception:
                failed += 1
                print(f"{story.__name__}: FAILED\n{traceback.format_exc()}", flush=True)
            finally:
                for process in STARTED:
                    if process.poll() is None:
                        process.kill()
                        process.wait()
                STARTED.clear()
                if desk.server.process and desk.server.process.poll() is None:
                    desk.server.freeze(False)
                desk.server.stop(signal.SIGKILL)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
