"""ccxt and python-binance against the sandbox, each with its own reading of the protocol.

Usage: clients.py PATH-OF-BELLWETHER CATALOG
"""

import asyncio
import json
import subprocess
import sys
import time
from decimal import Decimal

import ccxt
from binance.client import Client
from binance.exceptions import BinanceAPIException

import websockets

SECRET = "a-secret-of-this-test-only"


def near(a, b, digits=8):
    assert abs(Decimal(str(a)) - Decimal(str(b))) < Decimal(10) ** -digits, f"{a} is not {b}"


def local(exchange, rest):
    """Points a ccxt client here; no request may leave this machine."""
    urls = exchange.urls["api"]
    for name, url in urls.items():
        if isinstance(url, str):
            url = url.replace("https://api.binance.com", rest)
            urls[name] = url if "127.0.0.1" in url else "http://127.0.0.1:9"


def with_ccxt(rest):
    exchange = ccxt.binance(
        {
            "apiKey": "full",
            "secret": SECRET,
            "options": {"defaultType": "spot", "fetchMarkets": {"types": ["spot"]}, "fetchMargins": False},
        }
    )
    local(exchange, rest)

    markets = exchange.load_markets()
    assert {"BTC/USDT", "ETH/USDT", "SOL/USDT"} <= set(markets), list(markets)
    market = markets["BTC/USDT"]
    assert market["spot"] and market["active"] and market["limits"]["cost"]["min"] == 5, market
    assert Decimal(str(market["precision"]["price"])) == Decimal("0.01"), market["precision"]
    assert abs(exchange.fetch_time() - time.time() * 1000) < 5000

    ticker = exchange.fetch_ticker("BTC/USDT")
    assert 0 < ticker["bid"] < ticker["ask"] and ticker["low"] <= ticker["last"] <= ticker["high"], ticker
    assert len(exchange.fetch_tickers(["BTC/USDT", "ETH/USDT"])) == 2
    book = exchange.fetch_order_book("BTC/USDT", 20)
    assert len(book["bids"]) == len(book["asks"]) == 20 and book["bids"][0][0] < book["asks"][0][0], book
    assert all(a[0] > b[0] for a, b in zip(book["bids"], book["bids"][1:]))
    bars = exchange.fetch_ohlcv("BTC/USDT", "1m", limit=20)
    assert len(bars) == 20 and all(b[0] - a[0] == 60_000 for a, b in zip(bars, bars[1:])), bars
    assert all(low <= min(o, c) and max(o, c) <= high for _, o, high, low, c, _ in bars)
    trades = exchange.fetch_trades("BTC/USDT", limit=50)
    assert len(trades) == 50 and {t["side"] for t in trades} <= {"buy", "sell"}
    assert exchange.fetch_bids_asks(["BTC/USDT"])["BTC/USDT"]["bid"] > 0

    before = exchange.fetch_balance()
    assert before["USDT"]["free"] > 50_000, before["USDT"]

    resting = exchange.create_order("BTC/USDT", "limit", "buy", 0.01, book["bids"][-1][0] - 500)
    assert resting["status"] == "open" and resting["filled"] == 0, resting
    locked = exchange.fetch_balance()["USDT"]["used"]
    assert locked > 0.01 * (book["bids"][-1][0] - 501), locked
    assert [o["id"] for o in exchange.fetch_open_orders("BTC/USDT")] == [resting["id"]]
    assert exchange.fetch_order(resting["id"], "BTC/USDT")["status"] == "open"
    edited = exchange.edit_order(resting["id"], "BTC/USDT", "limit", "buy", 0.02, book["bids"][-1][0] - 600)
    assert edited["id"] != resting["id"] and edited["amount"] == 0.02, edited
    assert exchange.fetch_order(resting["id"], "BTC/USDT")["status"] == "canceled"
    assert exchange.cancel_order(edited["id"], "BTC/USDT")["status"] == "canceled"
    assert exchange.fetch_open_orders("BTC/USDT") == []
    assert exchange.fetch_balance()["USDT"]["used"] == 0

    bought = exchange.create_order("BTC/USDT", "market", "buy", 0.01)
    assert bought["status"] == "closed" and bought["filled"] == 0.01 and bought["average"] > 0, bought
    spent = exchange.create_order("BTC/USDT", "market", "buy", None, None, {"quoteOrderQty": 1000})
    assert spent["status"] == "closed" and 990 < spent["cost"] <= 1000, spent
    sold = exchange.create_order("BTC/USDT", "market", "sell", bought["filled"])
    assert sold["status"] == "closed", sold
    mine = exchange.fetch_my_trades("BTC/USDT")
    assert sum(t["amount"] for t in mine if t["order"] == bought["id"]) == 0.01, mine
    after = exchange.fetch_balance()
    # A purchase pays its fee in what it bought.
    assert {(t["side"], t["fee"]["currency"]) for t in mine} == {("buy", "BTC"), ("sell", "USDT")}, mine
    fees = {code: sum(t["fee"]["cost"] for t in mine if t["fee"]["currency"] == code) for code in ("BTC", "USDT")}
    near(after["BTC"]["total"], spent["filled"] - fees["BTC"], 6)
    sides = {"buy": -1, "sell": 1}
    cash = sum(sides[t["side"]] * t["cost"] for t in mine) - fees["USDT"]
    near(after["USDT"]["total"] - before["USDT"]["total"], cash, 4)

    stop = exchange.create_order(
        "BTC/USDT", "limit", "sell", 0.005, book["bids"][0][0] - 2_100, {"stopPrice": book["bids"][0][0] - 2_000}
    )
    assert stop["status"] == "open", stop
    assert exchange.cancel_all_orders("BTC/USDT")

    for why, order in [
        (ccxt.InsufficientFunds, ("BTC/USDT", "limit", "buy", 100, 80_000)),
        (ccxt.BadRequest, ("BTC/USDT", "limit", "buy", 0.00001, 80_000)),
        (ccxt.OrderImmediatelyFillable, ("BTC/USDT", "limit", "buy", 0.01, book["asks"][0][0] + 1000, {"postOnly": True})),
    ]:
        try:
            exchange.create_order(*order)
        except why:
            continue
        raise AssertionError(f"{order} was not refused as {why.__name__}")
    try:
        exchange.fetch_order("999999", "BTC/USDT")
        raise AssertionError("an order that is not there was found")
    except ccxt.OrderNotFound:
        pass
    exchange.secret = "another"
    try:
        exchange.fetch_balance()
        raise AssertionError("a wrong signature was taken")
    except ccxt.AuthenticationError:
        pass
    print(f"ccxt {ccxt.__version__}: markets, tickers, book, bars, trades, balances, orders, errors")


def refused(code, call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except BinanceAPIException as error:
        assert error.code == code, f"{error} is not {code}"
        return
    raise AssertionError(f"it was not refused with {code}")


def with_python_binance(rest):
    client = Client("full", SECRET, ping=False)
    client.API_URL = rest + "/api"
    client.MARGIN_API_URL = rest + "/sapi"
    client.ping()
    assert abs(client.get_server_time()["serverTime"] - time.time() * 1000) < 5000
    info = client.get_symbol_info("BTCUSDT")
    assert {f["filterType"] for f in info["filters"]} >= {"PRICE_FILTER", "LOT_SIZE", "NOTIONAL"}, info
    assert len(client.get_all_tickers()) == 3 and len(client.get_orderbook_tickers()) == 3
    day = client.get_ticker(symbol="ETHUSDT")
    assert Decimal(day["lowPrice"]) <= Decimal(day["lastPrice"]) <= Decimal(day["highPrice"])
    book = client.get_order_book(symbol="ETHUSDT", limit=10)
    assert len(book["bids"]) == 10 and Decimal(book["bids"][0][0]) < Decimal(book["asks"][0][0])
    bars = client.get_klines(symbol="ETHUSDT", interval=Client.KLINE_INTERVAL_1MINUTE, limit=15)
    assert len(bars) == 15 and all(len(b) == 12 for b in bars)
    since = client.get_klines(symbol="ETHUSDT", interval="1m", startTime=bars[3][0], endTime=bars[6][0])
    assert [b[0] for b in since] == [b[0] for b in bars[3:7]]
    assert len(client.get_recent_trades(symbol="ETHUSDT", limit=7)) == 7
    aggregate = client.get_aggregate_trades(symbol="ETHUSDT", limit=7)
    again = client.get_aggregate_trades(symbol="ETHUSDT", fromId=aggregate[0]["a"], limit=3)
    assert [t["a"] for t in again] == [t["a"] for t in aggregate[:3]]
    assert Decimal(client.get_avg_price(symbol="ETHUSDT")["price"]) > 0

    account = client.get_account()
    assert account["canTrade"] and not account["canWithdraw"], account
    free = Decimal(client.get_asset_balance(asset="USDT")["free"])
    assert free > 50_000
    assert client.get_account_api_permissions()["enableSpotAndMarginTrading"]

    client.create_test_order(symbol="ETHUSDT", side="BUY", type="MARKET", quantity="0.1")
    price = str(Decimal(book["bids"][-1][0]) - 50)
    order = client.order_limit_buy(symbol="ETHUSDT", quantity="0.5", price=price, newClientOrderId="mine-1")
    assert order["status"] == "NEW" and order["clientOrderId"] == "mine-1", order
    refused(-2010, client.order_limit_buy, symbol="ETHUSDT", quantity="0.5", price=price, newClientOrderId="mine-1")
    found = client.get_order(symbol="ETHUSDT", origClientOrderId="mine-1")
    assert found["orderId"] == order["orderId"] and found["isWorking"], found
    assert [o["orderId"] for o in client.get_open_orders(symbol="ETHUSDT")] == [order["orderId"]]
    gone = client.cancel_order(symbol="ETHUSDT", orderId=order["orderId"])
    assert gone["status"] == "CANCELED" and gone["origClientOrderId"] == "mine-1", gone
    refused(-2011, client.cancel_order, symbol="ETHUSDT", orderId=order["orderId"])
    refused(-2013, client.get_order, symbol="ETHUSDT", orderId=123456789)
    bought = client.order_market_buy(symbol="ETHUSDT", quantity="1")
    assert bought["status"] == "FILLED", bought
    assert sum(Decimal(f["qty"]) for f in bought["fills"]) == 1
    # A thousandth of it stays with the venue.
    assert {f["commissionAsset"] for f in bought["fills"]} == {"ETH"}, bought
    ask = Decimal(client.get_order_book(symbol="ETHUSDT", limit=5)["asks"][0][0])
    refused(-2010, client.order_limit_sell, symbol="ETHUSDT", quantity="1", price=str(ask - 20))
    sold = client.order_limit_sell(symbol="ETHUSDT", quantity="0.999", price=str(ask - 20))
    assert sold["status"] == "FILLED", sold
    assert all(Decimal(f["price"]) >= ask - 20 for f in sold["fills"])
    assert len(client.get_all_orders(symbol="ETHUSDT")) == 3
    mine = client.get_my_trades(symbol="ETHUSDT")
    assert {t["orderId"] for t in mine} == {bought["orderId"], sold["orderId"]}
    refused(-1121, client.get_order_book, symbol="NOSUCH")
    refused(-1013, client.order_limit_buy, symbol="ETHUSDT", quantity="0.1", price="2000.123")
    refused(-1111, client.order_limit_buy, symbol="ETHUSDT", quantity="0.1", price="2000.123456789")
    refused(-1102, client._post, "order", True, data={"symbol": "ETHUSDT", "side": "BUY", "type": "LIMIT"})
    reader = Client("reader", SECRET, ping=False)
    reader.API_URL = rest + "/api"
    assert reader.get_account()["balances"] and not reader.get_account()["canTrade"]
    refused(-2015, reader.order_market_buy, symbol="ETHUSDT", quantity="1")
    expired = Client("expired", SECRET, ping=False)
    expired.API_URL = rest + "/api"
    refused(-2015, expired.get_account)
    late = Client("full", SECRET, ping=False)
    late.API_URL = rest + "/api"
    late.timestamp_offset = -60_000
    refused(-1021, late.get_account)
    print("python-binance: rules, tickers, books, bars, trades, balances, orders, permissions, errors")


async def streams(ws):
    """The official rule of a local book, with a plain socket: the diffs continue the snapshot without a gap."""
    from urllib.request import urlopen

    names = "btcusdt@depth@100ms/btcusdt@trade/btcusdt@bookTicker/btcusdt@kline_1s"
    async with websockets.connect(f"{ws}/stream?streams={names}") as socket:
        seen, book, last, applied = set(), None, None, 0
        until = time.time() + 20
        while time.time() < until and (applied < 10 or len(seen) < 4):
            message = json.loads(await asyncio.wait_for(socket.recv(), 10))
            seen.add(message["stream"])
            data = message["data"]
            if data.get("e") != "depthUpdate":
                continue
            if book is None:
                rest = ws.replace("ws://", "http://") + "/api/v3/depth?symbol=BTCUSDT&limit=5000"
                snapshot = json.load(urlopen(rest))
                assert snapshot["lastUpdateId"] >= data["U"] - 1, "the snapshot is older than the first diff"
                book = {side: dict(map(tuple, snapshot[side])) for side in ("bids", "asks")}
                last = snapshot["lastUpdateId"]
            if data["u"] <= last:
                continue
            assert data["U"] <= last + 1 <= data["u"], f"gap: {data['U']}..{data['u']} after {last}"
            for side, key in (("bids", "b"), ("asks", "a")):
                for price, qty in data[key]:
                    if Decimal(qty) == 0:
                        book[side].pop(price, None)
                    else:
                        book[side][price] = qty
            last, applied = data["u"], applied + 1
            assert max(map(Decimal, book["bids"])) < min(map(Decimal, book["asks"])), "crossed"
        assert len(seen) == 4 and applied >= 10, (seen, applied)
    print("streams: depth continues the snapshot, trades, best prices and bars come")


async def sockets_of_python_binance(told):
    """The WebSocket API and the user data stream, as python-binance has them."""
    from binance import AsyncClient, BinanceSocketManager

    client = AsyncClient("full", SECRET)
    client.API_URL = told["rest_url"] + "/api"
    client.ws_api._url = told["ws_api_url"]
    manager = BinanceSocketManager(client)
    manager.STREAM_URL = told["ws_url"] + "/"
    try:
        async with manager.trade_socket("BTCUSDT") as trades:
            trade = await asyncio.wait_for(trades.recv(), 10)
            assert trade["e"] == "trade" and trade["s"] == "BTCUSDT", trade
        async with manager.user_socket() as events:
            order = await client.ws_create_order(symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.01")
            assert order["status"] == "FILLED", order
            told_of = []
            while "TRADE" not in told_of:
                event = await asyncio.wait_for(events.recv(), 10)
                if event["e"] == "executionReport":
                    assert event["i"] == order["orderId"], event
                    told_of.append(event["x"])
            assert told_of[0] == "NEW", told_of
            found = await client.ws_get_order(symbol="BTCUSDT", orderId=order["orderId"])
            assert found["executedQty"] == "0.01000000", found
    finally:
        await client.close_connection()
    print("python-binance sockets: trades, orders over the WebSocket API, user data")


async def sockets_of_ccxt(told):
    """ccxt's streams: book kept by its own rules, trades, bars, orders with their events."""
    import ccxt.pro

    exchange = ccxt.pro.binance(
        {
            "apiKey": "full",
            "secret": SECRET,
            "options": {"defaultType": "spot", "fetchMarkets": {"types": ["spot"]}, "fetchMargins": False},
        }
    )
    local(exchange, told["rest_url"])
    exchange.urls["api"]["ws"]["spot"] = told["ws_url"] + "/ws"
    exchange.urls["api"]["ws"]["ws-api"]["spot"] = told["ws_api_url"]
    soon = lambda task: asyncio.wait_for(task, 20)
    try:
        await exchange.load_markets()
        for _ in range(5):
            book = await soon(exchange.watch_order_book("BTC/USDT"))
            assert book["bids"][0][0] < book["asks"][0][0], book
        assert (await soon(exchange.watch_trades("BTC/USDT")))[0]["price"] > 0
        assert len((await soon(exchange.watch_ohlcv("BTC/USDT", "1s")))[0]) == 6
        watched = asyncio.ensure_future(exchange.watch_orders("BTC/USDT"))
        await asyncio.sleep(1)
        order = await soon(exchange.create_order_ws("BTC/USDT", "limit", "buy", 0.01, book["bids"][0][0] - 500))
        assert order["status"] == "open", order
        assert (await soon(watched))[-1]["id"] == order["id"]
        gone = await soon(exchange.cancel_order_ws(order["id"], "BTC/USDT"))
        assert gone["status"] == "canceled", gone
    finally:
        await exchange.close()
    print("ccxt sockets: book, trades, bars, orders over the WebSocket API, user data")


def main():
    binary, catalog = sys.argv[1:3]
    keys = [f"full:{SECRET}:read,trade", f"reader@other:{SECRET}:read", f"expired:{SECRET}:read::1600000000000"]
    command = [binary, "sandbox", "--loop", "--json", "--data", catalog, "--history", "30m", "--for", "300s", "--pace", "2"]
    command += [part for key in keys for part in ("--key", key)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        told = json.loads(server.stdout.readline())
        with_python_binance(told["rest_url"])
        with_ccxt(told["rest_url"])
        asyncio.run(streams(told["ws_url"]))
        asyncio.run(sockets_of_python_binance(told))
        asyncio.run(sockets_of_ccxt(told))
    finally:
        server.terminate()
        server.wait(10)
    print("sandbox: both foreign clients work against it")


main()
