"""Market data over NATS between processes: a bot that decides on what another publishes, on a good day and on bad ones."""

import json
import re
import subprocess
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STREAM = "BELLWETHER_MARKET"
PAIR = "binance.BTC-USDT"
RULES = {
    "price_scale": 2, "qty_scale": 5, "tick": "0.01", "lot": "0.00001", "qty_min": "0.00001", "notional_min": "5",
    "multiplier": 1, "inferred": False,
}


def form(kind, ts_ns=None, **what):
    """A market event as any program can publish it."""
    ts_ns = time.time_ns() if ts_ns is None else ts_ns
    at = datetime.fromtimestamp(ts_ns / 1e9, timezone.utc).strftime("%Y-%m-%d %H:%M:%SZ")
    return json.dumps({"schema_version": 1, "instrument": "binance:BTC/USDT", "ts": str(ts_ns), "time": at, "ts_venue": None, "kind": kind, **what})


def trade(price, **more):
    return form("trade", price=str(price), qty="0.01", aggressor="buyer", **more)


class Publisher:
    """A program of somebody else that publishes market data."""

    def __init__(self, desk, run, kinds=("trades", "quotes", "depth")):
        self.client, self.run, self.number = desk.client(), run, 0
        try:
            self.client.make_stream(STREAM, ["bellwether.market.>"])
        except AssertionError:
            pass  # It is there.
        self.say("instrument", form("instrument", kinds=list(kinds), rules=RULES, maker_fee="0.001", taker_fee="0.001"), f"{run}-0-i1")

    def say(self, kind, body, id=None):
        if id is None:
            self.number += 1
            id = f"{self.run}-0-m{self.number}"
        self.client.keep(f"bellwether.market.{kind}.{PAIR}", body, id)


def consumer(desk, kinds='["trades"]', age_max_s=60, session="", strategy='plugin = "ema_cross"\nparams = { fast = 12, slow = 26, mode = "long-only" }'):
    path = desk.folder / "market.toml"
    path.write_text(
        f'version = 1\n[backtest]\ninstruments = ["binance:BTC/USDT"]\nkinds = {kinds}\n[session]\nfeed = "bus"\n{session}\n'
        f'[session.bus]\nurl = "{desk.server.url}"\nage_max_s = {age_max_s}\n[[strategy]]\nid = "s"\n{strategy}\n'
    )
    return path


def listens(desk, count=1, seconds=30):
    """Waits until so many listeners are at the stream."""
    until = time.time() + seconds
    while desk.client().stream(STREAM)["state"]["consumer_count"] < count:
        assert time.time() < until, "nobody listens"
        time.sleep(0.05)


def taped(binary, desk, name, kind):
    """What a tape has heard of a kind, its prices, and where it is."""
    tape = next((desk.folder / f"state-{name}" / "tapes").glob("*.tape"))
    shown = subprocess.run([binary, "tape", "show", str(tape)], capture_output=True, text=True, check=True).stdout
    lines = re.findall(rf"^\d+ {kind}\(.*$", shown, re.M)
    return lines, [int(p) / 100 for line in lines for p in re.findall(r" price: Price\((\d+)\)", line)], tape


def hears(binary, desk, name, kind, price, times=1, seconds=60):
    """Waits until a price is on its tape so many times."""
    until = time.time() + seconds
    while taped(binary, desk, name, kind)[1].count(price) < times and time.time() < until:
        time.sleep(0.3)


def a_bot_decides_on_market_data_of_the_bus_as_its_publisher_does(desk, binary):
    desk.server.start()
    desk.producer(pace=40, market='nats = { market = ["trades"] }')
    producer = desk.folder / "producer.toml"
    # Once for a moment: what is published is known from then on.
    desk.start("signals", "run", "--config", producer, "--for", "1s", name="first").process.wait(60)
    shipped = (ROOT / "config" / "bus" / "market.toml").read_text()
    config = desk.folder / "market.toml"
    config.write_text(shipped.replace("nats://127.0.0.1:4222", desk.server.url))
    twin = desk.start("signals", "run", "--config", config, name="twin")
    bot = desk.start("paper", "--json", "--config", config, name="bot")
    listens(desk, 2)
    made = desk.start("signals", "run", "--config", producer, name="producer")
    made.process.wait(90)
    assert made.process.returncode == 0, made.words()
    published = int(re.search(r"sink bus: (\d+) market events published", made.words())[1])
    # The last line may be half written.
    wishes = lambda run: [(w["instrument"], w["direction"]) for w in map(json.loads, run.out.read_text().split("\n")[:-1])]
    until = time.time() + 90
    while len(wishes(twin)) < len(wishes(made)) or len(taped(binary, desk, "bot", "Trade")[0]) < published:
        if time.time() > until:
            break
        time.sleep(0.5)
    twin.stop(code=0)
    document = bot.report()
    assert len(wishes(made)) > 30 and wishes(twin) == wishes(made), (len(wishes(made)), len(wishes(twin)))
    heard, _, tape = taped(binary, desk, "bot", "Trade")
    assert len(heard) == published > 6_000, (len(heard), published)
    assert len(document["orders"]) > 20 and document["fills"], len(document["orders"])
    replay = subprocess.run([binary, "replay", str(tape), "--state-dir", str(desk.folder / "state-bot")], capture_output=True, text=True)
    assert replay.returncode == 0 and ": equal" in replay.stdout + replay.stderr, replay.stdout + replay.stderr


def market_data_that_is_wrong_lost_or_late_is_told_and_is_no_price(desk, binary):
    desk.server.start()
    publisher = Publisher(desk, "run")
    session = desk.start("paper", "--json", "--config", consumer(desk, '["trades", "quotes"]'), name="bot")
    listens(desk)
    for price in (100, 101, 102):
        publisher.say("trade", trade(price))
    old, ahead = time.time_ns() - 600 * 10**9, time.time_ns() + 600 * 10**9
    for kind, body in [
        ("trade", "nonsense"), ("trade", b"\xff\xfe"), ("trade", "x" * 70_000), ("trade", trade(-5)), ("trade", trade("1e400")),
        ("trade", trade(103).replace("BTC/USDT", "ETH/USDT")), ("trade", trade(104, ts_ns=old)), ("trade", trade(105, ts_ns=ahead)),
        ("quote", form("quote", bid="9", bid_qty="1", ask="8", ask_qty="1")), ("trade", trade(106).replace('version": 1', 'version": 9')),
        ("trade", "/stop 123456 {text} <b>"),
    ]:
        publisher.say(kind, body)
    publisher.say("trade", trade(107))
    session.says("not understood: ")
    # Two are lost, one comes again under another number of the server.
    publisher.number += 2
    publisher.say("trade", trade(108))
    session.says(r"feed disconnected: messages 16 to 17 of bellwether\.market\.\*\.binance\.BTC-USDT are lost")
    publisher.client.publish(f"bellwether.market.trade.{PAIR}", trade(109), msg_id=f"run-0-m{publisher.number}")
    publisher.say("trade", trade(110))
    # Another publisher goes on where this one was.
    other = Publisher(desk, "other")
    other.say("trade", trade(111))
    session.says(r"feed disconnected: another publisher of .* began")
    other.say("trade", trade(112))
    hears(binary, desk, "bot", "Trade", 112)
    session.report()
    _, prices, _ = taped(binary, desk, "bot", "Trade")
    assert prices == [100, 101, 102, 107, 108, 110, 111, 112], prices


def a_feed_whose_server_or_publisher_goes_away_is_stale_and_comes_back(desk, binary):
    desk.server.start()
    publisher = Publisher(desk, "run")
    session = desk.start("paper", "--json", "--config", consumer(desk, session="stale_trades_ms = 2000"), name="bot")
    listens(desk)
    publisher.say("trade", trade(100))
    session.says("feed is stale: Trades")
    publisher.say("trade", trade(101))
    desk.server.stop()
    session.says("feed disconnected: ")
    time.sleep(2)
    desk.server.start()
    publisher.client = desk.client()
    until = time.time() + 60
    while len(taped(binary, desk, "bot", "Trade")[0]) < 3:
        assert time.time() < until, session.words()[-2000:]
        publisher.say("trade", trade(102))
        time.sleep(0.5)
    # A server that answers nobody looks the same.
    before = session.count("feed disconnected|is stale")
    desk.server.freeze()
    time.sleep(8)
    desk.server.freeze(False)
    assert session.count("feed disconnected|is stale") >= before
    for _ in range(20):
        publisher.say("trade", trade(103))
        time.sleep(0.3)
    hears(binary, desk, "bot", "Trade", 103, 20)
    session.stop(code=0)
    prices = taped(binary, desk, "bot", "Trade")[1]
    assert prices[:2] == [100, 101] and prices.count(103) == 20, prices


def who_listens_to_nobody_is_told_what_to_start(desk, binary):
    desk.server.start()
    config = consumer(desk)
    alone = desk.start("paper", "--config", config, name="alone")
    alone.process.wait(60)
    assert alone.process.returncode not in (0, None) and 'no stream "BELLWETHER_MARKET"' in alone.words(), alone.words()
    Publisher(desk, "run").client.ask("$JS.API.STREAM.PURGE.BELLWETHER_MARKET")
    alone = desk.start("paper", "--config", config, name="alone")
    alone.process.wait(60)
    assert alone.process.returncode not in (0, None) and "start its publisher" in alone.words(), alone.words()


def books_quotes_and_trades_of_a_venue_reach_a_bot_on_the_bus(desk, binary):
    sys.path.insert(0, str(ROOT / "tests" / "live"))
    from venue import Sandbox

    desk.server.start()
    venue = Sandbox(binary, str(ROOT / "backtest-data"), ["main"], "", 3, 900)
    try:
        config = desk.folder / "venue.toml"
        config.write_text(
            f'version = 1\n{venue.settings("cancel")}[backtest]\ninstruments = ["binance:BTC/USDT"]\n'
            'kinds = ["quotes", "depth", "trades"]\n[[strategy]]\nid = "q"\nplugin = "quoter"\n'
            f'[sink.bus]\nkind = "nats"\nto = "{desk.server.url}"\nnats = {{ market = ["trades", "quotes", "depth"], depth_every_ms = 0 }}\n'
        )
        producer = desk.start("signals", "run", "--config", config, name="producer")
        quoter = 'plugin = "quoter"\nparams = { half_spread_bps = 0.3, requote_bps = 0.4, qty = 0.005 }'
        bot = desk.start("paper", "--json", "--config", consumer(desk, '["quotes", "depth", "trades"]', strategy=quoter), name="bot")
        bot.says("filled ", times=3, seconds=240)
        document = bot.report()
        producer.stop(code=0)
        profile = document["run"]["fill_profile"] if "run" in document else document["fill_profile"]
        assert profile.startswith("book@"), profile
        for kind in ("Trade", "Quote", "Depth"):
            assert len(taped(binary, desk, "bot", kind)[0]) > 10, kind
        depth = [body for subject, body in desk.client().kept(STREAM, 2_000) if ".depth." in subject]
        assert depth and all(0 < len(d["bids"]) <= 20 and float(d["bids"][0][0]) < float(d["asks"][0][0]) for d in depth), depth[:1]
        assert any(d["ts_venue"] for _, d in desk.client().kept(STREAM, 2_000) if d["kind"] == "trade")
    finally:
        venue.end()


def bars_that_were_published_before_it_began_warm_a_bot_up(desk, binary):
    desk.server.start()
    publisher = Publisher(desk, "run", kinds=["bars-1m"])
    minute = 60 * 10**9
    end = time.time_ns() // minute * minute

    def bar(n):
        """The bar that closed n minutes ago."""
        close = end - n * minute
        price = {"open": "100", "high": "130", "low": "90", "close": str(100 + n), "volume": "1"}
        return form("bar", close, interval="1m", ts_open=str(close - minute), **price)

    for n in range(24, -1, -1):
        publisher.say("bar", bar(n))
    strategy = 'plugin = "ema_cross"\nparams = { fast = 2, slow = 5, mode = "long-only" }'
    config = consumer(desk, kinds="[]", age_max_s=70, strategy=strategy)
    config.write_text(config.read_text().replace('kinds = []', 'interval = "1m"\nwarmup = 20'))
    session = desk.start("paper", "--json", "--config", config, name="bot")
    # One that asked for what was before, and one for what comes.
    listens(desk, 2)
    publisher.say("bar", bar(-1))
    heard = lambda: [int(re.search(r" close: Price\((\d+)\)", line)[1]) / 100 for line in taped(binary, desk, "bot", "Bar")[0]]
    until = time.time() + 60
    while heard()[-1:] != [99] and time.time() < until:
        time.sleep(0.3)
    session.report()
    closes = heard()
    # Twenty before it, unless a minute went by meanwhile, and the one after.
    assert closes[-1] == 99 and closes[:-1] == [float(100 + n) for n in range(len(closes) - 2, -1, -1)] and len(closes) in (20, 21), closes


def the_notebook_of_the_documentation_hears_what_the_stream_keeps(desk, binary):
    (snippet,) = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs" / "bus.md").read_text(), re.M | re.S)
    python = desk.folder / "venv" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", str(desk.folder / "venv")], check=True)
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "nats-py"]
    try:
        installed = subprocess.run(install, capture_output=True, text=True, timeout=120)
        why = installed.stderr.strip().splitlines()[-1:] if installed.returncode else None
    except subprocess.TimeoutExpired:
        why = ["no answer in two minutes"]
    if why is not None:
        print(f"  skipped: pip cannot install nats-py here: {why}", flush=True)
        return
    desk.server.start()
    publisher = Publisher(desk, "run")
    for price in range(100, 110):
        publisher.say("trade", trade(price))
    publisher.say("quote", form("quote", bid="1", bid_qty="1", ask="2", ask_qty="1"))
    text = snippet.replace("nats://127.0.0.1:4222", desk.server.url)
    assert text != snippet, "the snippet names its server"
    done = subprocess.run([python, "-c", text], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr[-2000:]
    rows = [line.split() for line in done.stdout.splitlines()]
    assert [(r[2], r[3], r[4]) for r in rows] == [("binance:BTC/USDT", str(p), "0.01") for p in range(100, 105)], done.stdout


STORIES = [
    a_bot_decides_on_market_data_of_the_bus_as_its_publisher_does,
    market_data_that_is_wrong_lost_or_late_is_told_and_is_no_price,
    a_feed_whose_server_or_publisher_goes_away_is_stale_and_comes_back,
    who_listens_to_nobody_is_told_what_to_start,
    books_quotes_and_trades_of_a_venue_reach_a_bot_on_the_bus,
    bars_that_were_published_before_it_began_warm_a_bot_up,
    the_notebook_of_the_documentation_hears_what_the_stream_keeps,
]
