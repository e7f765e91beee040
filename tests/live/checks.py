"""What must hold after a session, told by the venue, the report and the tape."""

import bisect
import json
import subprocess
from collections import Counter
from decimal import Decimal

import tape
from venue import BEGINS_WITH

# The venue's states as the session says them.
STATES = {
    "NEW": ("acknowledged",),
    "PARTIALLY_FILLED": ("partly_filled",),
    "FILLED": ("filled",),
    "CANCELED": ("cancelled",),
    "REJECTED": ("rejected",),
    "EXPIRED": ("expired", "cancelled"),
}
OPEN = ("NEW", "PARTIALLY_FILLED")


LOT = Decimal("0.00001")


def row(price, qty, fee=None):
    return (Decimal(price), Decimal(qty), fee and Decimal(fee))


def theirs_of(t):
    # What a purchase pays in what it bought is in our books as whole lots at its price: it is looked at in sum.
    return row(t["price"], t["qty"], t["commission"] if t["commissionAsset"] == "USDT" else None)


def ours_of(f):
    return row(f["price"], f["qty"], f["fee"] if f["side"] == "sell" else None)


def fees_of_purchases(fills, mine):
    """Of every purchase what is kept is booked, rounded up to lots of which the next one pays first."""
    bought = [t for t in mine if t["commissionAsset"] == "BTC"]
    kept = sum((Decimal(t["commission"]) for t in bought), Decimal(0))
    booked = sum((Decimal(f["fee"]) / Decimal(f["price"]) for f in fills if f["side"] == "buy"), Decimal(0))
    # The division leaves its last digits.
    off = Decimal("1e-12")
    assert -off <= booked - kept < LOT + off, f"fees of purchases: booked {booked}, taken {kept}"


def moved(fills):
    """What fills change of the balances."""
    change = {"BTC": Decimal(0), "USDT": Decimal(0)}
    for t in fills:
        sign = 1 if t["isBuyer"] else -1
        change["BTC"] += sign * Decimal(t["qty"])
        change["USDT"] -= sign * Decimal(t["price"]) * Decimal(t["qty"])
        change[t["commissionAsset"]] -= Decimal(t["commission"])
    return change


def books(venue, name, document, on_stop):
    """Orders, fills, position and balances of a live session equal the venue's. Gives figures for people."""
    path = document["run"]["tape"]
    session, ours = tape.session_of(next(tape.payloads(path))), {o["id"]: o for o in document["orders"]}
    (at_venue, mine, balances), placed = venue.account(name), {}
    ids = Counter(o["clientOrderId"] for o in at_venue)
    assert all(count == 1 for count in ids.values()), f"a client order id twice: {ids.most_common(3)}"
    for order in at_venue:
        number = int(order["clientOrderId"], 16)
        assert number >> 64 == session, f"{order['clientOrderId']} is not of session {session:016x}"
        assert number & ((1 << 48) - 1) in ours, f"the session does not know {order}"
        placed.setdefault(number & ((1 << 48) - 1), []).append(order)
    # Orders that were kept go on at the venue: what filled after the end is not the session's.
    ended = int(document["run"]["last_ts"]) // 1_000_000 - 1_000
    kept = {n for n, o in ours.items() if on_stop == "keep" and o["state"] in ("acknowledged", "partly_filled")}
    numbers = {o["orderId"]: n for n, its in placed.items() for o in its}
    known = {(f["order"], *ours_of(f)) for f in document["fills"]}
    after = [t for t in mine if numbers[t["orderId"]] in kept and t["time"] >= ended]
    after = [t for t in after if (numbers[t["orderId"]], *theirs_of(t)) not in known]
    went_on = {numbers[t["orderId"]] for t in after}
    later = lambda order: sum((Decimal(t["qty"]) for t in after if numbers[t["orderId"]] == order), Decimal(0))
    for number, order in ours.items():
        its = sorted(placed.get(number, []), key=lambda o: int(o["clientOrderId"], 16))
        filled = sum((Decimal(o["executedQty"]) for o in its), Decimal(0)) - later(number)
        assert filled == Decimal(order["filled"]), f"order {number}: {order}, at the venue {its}"
        if not its:
            assert order["state"] in ("rejected", "cancelled"), f"order {number} is not at the venue: {order}"
            continue
        assert all(o["status"] not in OPEN for o in its[:-1]), f"order {number}: an earlier attempt is open: {its}"
        good = [s for o in its for s in STATES[o["status"]]]
        assert order["state"] in good or number in went_on, f"order {number}: {order}, at the venue {its}"
        same = [its[-1]["side"].lower(), Decimal(its[-1]["origQty"])]
        assert same == [order["side"], Decimal(order["qty"])], f"order {number}: {order}, at the venue {its}"
        if on_stop == "cancel":
            assert its[-1]["status"] not in OPEN, f"order {number} is open after the end: {its}"
    all_fills, mine = mine, [t for t in mine if t not in after]
    theirs = Counter((numbers[t["orderId"]], *theirs_of(t)) for t in mine)
    booked = Counter((f["order"], *ours_of(f)) for f in document["fills"])
    assert booked == theirs, f"fills: only ours {booked - theirs}, only the venue's {theirs - booked}"
    by_id = Counter((numbers[t["orderId"]], str(t["id"])) for t in mine)
    written = Counter((order, i) for order, its in tape.fill_ids(tape.payloads(path)).items() for i in its)
    assert written == by_id, f"ids of fills: only ours {written - by_id}, only the venue's {by_id - written}"
    position = {"long": 1, "short": -1}
    held = sum((position[p["side"]] * Decimal(p["qty"]) for p in document["open_positions"]), Decimal(0))
    bought = moved(mine)["BTC"]
    assert 0 <= bought - held < LOT, f"position {held}, fills come to {bought}"
    fees_of_purchases(document["fills"], mine)
    for code, change in moved(all_fills).items():
        off = abs(balances[code] - BEGINS_WITH[code] - change)
        # The venue shows eight digits.
        assert off <= Decimal("0.00000001"), f"{code}: balance {balances[code]}, fills come to {change}"
    still = sum(1 for o in at_venue if o["status"] in OPEN)
    return f"{len(ours)} orders, {len(at_venue)} at the venue, {len(mine)} fills, {still} left open"


def cancels_at_the_end(document):
    """The cancels that went out as the session ended."""
    payloads = list(tape.payloads(document["run"]["tape"]))
    stop = next(n for n, p in enumerate(payloads) if p[0] == tape.STOP)
    return [line for n, line in tape.effects(payloads) if n > stop and line.startswith("cancel ")]


def replayed(binary, path, equal=True):
    """What `replay` says, with the exit code that belongs to it; `equal` may be None for either."""
    done = subprocess.run([binary, "replay", path, "--json"], capture_output=True, text=True, timeout=300)
    assert "panicked" not in done.stderr and done.stdout, f"replay {path}: {done.returncode} {done.stderr}"
    found = json.loads(done.stdout)
    assert done.returncode == (0 if found["equal"] else 5), f"replay {path}: {done.returncode} {found}"
    assert equal in (None, found["equal"]), f"replay {path}: {found}"
    return found


def tape_holds(binary, document):
    """The tape makes the session again, with resting orders where there were some."""
    found = replayed(binary, document["run"]["tape"])
    hashes = found["order_hash"]
    assert hashes["recorded"] == hashes["replayed"] == document["run"]["order_hash"], hashes
    assert found["torn_bytes"] == 0, found
    return f"{found['records']} records, {found['inputs']} inputs, {found['effects']} effects replay"


def averages(length, prices):
    """An exponential average that begins with the first price, after each of them."""
    now = prices[0]
    for price in prices:
        now += 2 / (length + 1) * (price - now)
        yield now


def is_explained(binary, path, fast, slow, dice):
    """What `explain` states of a crossing strategy at random moments equals what the tape's trades come to."""
    heard = list(tape.trades(tape.payloads(path)))
    times = [ts for ts, _ in heard]
    asked = sorted(dice.sample(range(times[0] // 1_000_000 + 1, times[-1] // 1_000_000), 25))
    command = [binary, "explain", path, "--json", *(part for ms in asked for part in ("--at", str(ms)))]
    moments = json.loads(subprocess.run(command, capture_output=True, text=True, timeout=300, check=True).stdout)["moments"]
    assert len(moments) == len(asked), moments
    unit = None
    for ms, moment in zip(asked, moments):
        last = bisect.bisect_right(times, ms * 1_000_000) - 1
        view, mantissa = moment["strategies"][0], heard[last][1]
        unit = unit or next(10**n for n in range(19) if Decimal(view["last"]) * 10**n == mantissa)
        if last + 1 < slow:
            continue
        stated = {value["name"]: value["value"] for value in view["values"]}
        gap = view["conditions"][0]
        prices = [price / unit for _, price in heard[: last + 1]]
        lines = [list(averages(length, prices))[-1] for length in (fast, slow)]
        near = lambda a, b: abs(a - b) <= 1e-9 * prices[0]
        assert Decimal(view["last"]) * unit == mantissa, (ms, moment)
        assert near(stated["fast"], lines[0]) and near(stated["slow"], lines[1]), (ms, lines, moment)
        assert near(gap["value"], lines[0] - lines[1]) and near(gap["distance"], lines[1] - lines[0]), (ms, lines, moment)
    return f"{len(asked)} random moments are explained as they are recomputed"


def a_flipped_byte_is_named(binary, path, scratch):
    data = open(path, "rb").read()
    begins = tape.offsets(data)
    number = len(begins) // 2
    at = begins[number] + 8
    flipped = scratch / f"flipped-{number}.tape"
    flipped.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    found = replayed(binary, str(flipped), equal=False)
    assert f"record {number} is damaged" in found["damaged"], (number, found)
    return f"a flipped byte in record {number} is named"


def a_changed_trade_is_named(binary, path, scratch):
    """One price changed, all checks made to hold: the first record that differs is named, and the changed input.

    A price may change nothing: the averages stand that way already, or an order is on its way and the strategy waits
    for it. So trades are tried from the middle outwards until one has its consequence at once.
    """
    payloads = tape.frames(open(path, "rb").read())
    trades = [n for n, p in enumerate(payloads) if p[0] == tape.TRADE]
    silent = []
    for share in (50, 40, 60, 30, 70, 45, 55, 35, 65, 25):
        number = trades[len(trades) * share // 100]
        for factor in (1.02, 0.98):
            forged = scratch / f"forged-{number}-{factor}.tape"
            changed = tape.with_price(payloads[number], factor)
            forged.write_bytes(tape.written(payloads[:number] + [changed] + payloads[number + 1 :]))
            found = replayed(binary, str(forged), equal=None)
            if found["equal"]:
                continue
            parts = found["divergence"]
            assert parts["input"] >= number and parts["record"] > number, (number, parts)
            assert parts["recorded"] or parts["replayed"], parts
            if parts["input"] == number and parts["record"] == number + 1:
                return f"a changed price in record {number} is named with its consequence"
        silent.append(number)
    raise AssertionError(f"prices two percent up and down had no consequence at once at records {silent}")
