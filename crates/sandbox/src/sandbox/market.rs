//! One instrument as everybody sees it: last trades, book, bars, the day's figures; and the messages of its streams.

use std::collections::VecDeque;

use bellwether_sdk::{Aggressor, Instrument, Level, Price, Qty, Side, Trade, Ts};
use serde_json::{Value, json};

use super::digits;
use super::klines::{Kline, Klines, Print, millis};
use super::shown::{Changes, Shown};
use super::tape::{BookFrom, Tape, Tick};
use super::wish::{Filters, Kind};

/// Public trades kept.
const TRADES_KEPT: usize = 50_000;
/// Minutes of the day's figures.
const DAY_MINUTES: usize = 1_440;

/// Price and quantity of a best level.
type Best = (Price, Qty);

/// What an event did.
#[derive(Debug, Default)]
pub(super) struct Happened {
    pub(super) print: Option<Print>,
    /// Changed levels of the book.
    pub(super) levels: Vec<Level>,
    /// The best bid or offer is another.
    pub(super) top: bool,
    /// Bars that ended: interval and how many.
    pub(super) ended: Vec<(usize, usize)>,
}

/// The names of an instrument's streams.
#[derive(Debug)]
pub(super) struct Topics {
    pub(super) trade: String,
    pub(super) agg_trade: String,
    pub(super) book_ticker: String,
}

/// One instrument.
pub(super) struct Market {
    pub(super) index: usize,
    /// As in `BTCUSDT`.
    pub(super) name: String,
    /// As in `btcusdt`.
    pub(super) lower: String,
    pub(super) topics: Topics,
    pub(super) rules: Instrument,
    pub(super) filters: Filters,
    pub(super) shown: Shown,
    pub(super) klines: Klines,
    pub(super) trades: VecDeque<Print>,
    pub(super) last: Price,
    pub(super) last_trade: Option<Trade>,
    from: BookFrom,
    next_id: i64,
}

impl Market {
    pub(super) fn new(index: usize, rules: Instrument, tape: &Tape) -> Self {
        let name = format!("{}{}", rules.symbol.base(), rules.symbol.quote());
        let lower = name.to_lowercase();
        let topic = |kind: &str| format!("{lower}@{kind}");
        Self {
            index,
            topics: Topics { trade: topic("trade"), agg_trade: topic("aggTrade"), book_ticker: topic("bookTicker") },
            name,
            lower,
            filters: Filters::of(&rules),
            rules,
            shown: Shown::default(),
            klines: Klines::default(),
            trades: VecDeque::new(),
            last: Price::ZERO,
            last_trade: None,
            from: tape.book_from(),
            next_id: 1,
        }
    }

    /// Takes an event of the tape at its time here. `past` events leave the book as it is, but for depth.
    pub(super) fn take(&mut self, tick: &Tick, ts: Ts, past: bool) -> Happened {
        let mut happened = Happened::default();
        let before = self.best();
        match tick {
            Tick::Trade(trade) => {
                let trade = Trade { ts, ..*trade };
                self.print(&trade, &mut happened);
                if self.from == BookFrom::Trades && !past {
                    happened.levels = self.shown.trade(&trade, &self.rules);
                }
            }
            Tick::Quote(quote) if !past => happened.levels = self.shown.quote(quote, &self.rules),
            Tick::Quote(_) => {}
            Tick::Depth(snapshot, levels) => happened.levels = self.shown.depth(*snapshot, levels, self.rules.id),
        }
        happened.top = before != self.best();
        happened
    }

    fn best(&self) -> (Option<Best>, Option<Best>) {
        (self.shown.book.best_bid(), self.shown.book.best_ask())
    }

    fn print(&mut self, trade: &Trade, happened: &mut Happened) {
        let print = Print {
            id: self.next_id,
            ts: trade.ts,
            price: trade.price,
            qty: trade.qty.mantissa(),
            buyer_is_maker: trade.aggressor == Aggressor::Seller,
        };
        self.next_id += 1;
        self.last = trade.price;
        self.last_trade = Some(*trade);
        happened.ended = self.klines.add(&print);
        if self.trades.len() >= TRADES_KEPT {
            self.trades.pop_front();
        }
        self.trades.push_back(print);
        happened.print = Some(print);
    }

    fn price(&self, price: Price) -> String {
        digits::price(price, self.rules.price_scale)
    }

    fn qty(&self, qty: i64) -> String {
        digits::eight(i128::from(qty), self.rules.qty_scale)
    }

    fn value(&self, value: i128) -> String {
        digits::eight(value, self.rules.price_scale + self.rules.qty_scale)
    }

    /// The message of `@trade`.
    pub(super) fn trade_message(&self, p: &Print, now: i64) -> String {
        format!(
            r#"{{"e":"trade","E":{now},"s":"{}","t":{},"p":"{}","q":"{}","T":{now},"m":{},"M":true}}"#,
            self.name,
            p.id,
            self.price(p.price),
            self.qty(p.qty),
            p.buyer_is_maker
        )
    }

    /// The message of `@aggTrade`: every trade is an aggregate of its own.
    pub(super) fn agg_message(&self, p: &Print, now: i64) -> String {
        format!(
            r#"{{"e":"aggTrade","E":{now},"s":"{}","a":{},"p":"{}","q":"{}","f":{},"l":{},"T":{now},"m":{},"M":true}}"#,
            self.name,
            p.id,
            self.price(p.price),
            self.qty(p.qty),
            p.id,
            p.id,
            p.buyer_is_maker
        )
    }

    /// The message of `@bookTicker`.
    pub(super) fn ticker_message(&self) -> String {
        let (bid, ask) = self.best();
        let (bid, ask) = (bid.unwrap_or_default(), ask.unwrap_or_default());
        format!(
            r#"{{"u":{},"s":"{}","b":"{}","B":"{}","a":"{}","A":"{}"}}"#,
            self.shown.last_id,
            self.name,
            self.price(bid.0),
            self.qty(bid.1.mantissa()),
            self.price(ask.0),
            self.qty(ask.1.mantissa())
        )
    }

    /// A message of `@bookTicker` for load: the best prices, and a bid of one or two.
    pub(super) fn flood_message(&self, number: u64, two: bool) -> String {
        let (bid, ask) = self.best();
        let (bid, ask) = (bid.unwrap_or_default(), ask.unwrap_or_default());
        let (bid, ask) = (self.price(bid.0), self.price(ask.0));
        let one = 10i64.pow(u32::from(self.rules.qty_scale));
        let (much, one) = (self.qty(if two { 2 * one } else { one }), self.qty(one));
        format!(r#"{{"u":{number},"s":"{}","b":"{bid}","B":"{much}","a":"{ask}","A":"{one}"}}"#, self.name)
    }

    /// The message of `@depth`.
    pub(super) fn depth_message(&self, changes: &Changes, now: i64) -> String {
        let side = |buy: bool| {
            let of_side = changes.levels.iter().filter(|((b, _), _)| *b == buy);
            self.levels_text(of_side.map(|((_, price), qty)| (*price, qty.mantissa())))
        };
        format!(
            r#"{{"e":"depthUpdate","E":{now},"s":"{}","U":{},"u":{},"b":{},"a":{}}}"#,
            self.name,
            changes.first,
            self.shown.last_id,
            side(true),
            side(false)
        )
    }

    fn levels_text(&self, levels: impl Iterator<Item = (Price, i64)>) -> String {
        let rows: Vec<String> = levels.map(|(p, q)| format!(r#"["{}","{}"]"#, self.price(p), self.qty(q))).collect();
        format!("[{}]", rows.join(","))
    }

    /// The book as `depth` answers it and as `@depth20` sends it.
    pub(super) fn book_text(&self, limit: usize) -> String {
        let side = |side| self.levels_text(self.shown.book.levels(side).take(limit).map(|(p, q)| (p, q.mantissa())));
        let (bids, asks) = (side(Side::Buy), side(Side::Sell));
        format!(r#"{{"lastUpdateId":{},"bids":{bids},"asks":{asks}}}"#, self.shown.last_id)
    }

    /// The message of `@kline_…`.
    pub(super) fn kline_message(&self, interval: &str, bar: &Kline, closed: bool, now: i64) -> String {
        json!({"e": "kline", "E": now, "s": self.name, "k": {
            "t": millis(bar.open_ts), "T": millis(bar.end) - 1, "s": self.name, "i": interval,
            "f": bar.first_id, "L": bar.last_id,
            "o": self.price(bar.open), "c": self.price(bar.close), "h": self.price(bar.high), "l": self.price(bar.low),
            "v": digits::eight(bar.volume, self.rules.qty_scale), "n": bar.count, "x": closed,
            "q": self.value(bar.quote_volume),
            "V": digits::eight(bar.buy_volume, self.rules.qty_scale), "Q": self.value(bar.buy_quote_volume), "B": "0"}})
        .to_string()
    }

    /// The last day as one bar, `None` before the first trade.
    fn day(&self) -> Option<Kline> {
        let minutes = &self.klines.of("1m")?.bars;
        let recent = minutes.iter().skip(minutes.len().saturating_sub(DAY_MINUTES));
        recent.copied().reduce(|mut day, bar| {
            day.high = day.high.max(bar.high);
            day.low = day.low.min(bar.low);
            day.close = bar.close;
            day.end = bar.end;
            day.volume += bar.volume;
            day.quote_volume += bar.quote_volume;
            day.count += bar.count;
            day.first_id = if day.first_id < 0 { bar.first_id } else { day.first_id };
            day.last_id = day.last_id.max(bar.last_id);
            day
        })
    }

    /// Value over volume as a price; the close where nothing traded.
    fn average(&self, bar: &Kline) -> Price {
        if bar.volume == 0 {
            return bar.close;
        }
        Price::from_mantissa(i64::try_from(bar.quote_volume / bar.volume).unwrap_or(i64::MAX))
    }

    /// The average price of the last five minutes.
    pub(super) fn average_of_five(&self) -> Price {
        let Some(minutes) = self.klines.of("1m").map(|s| &s.bars) else { return self.last };
        let recent = minutes.iter().skip(minutes.len().saturating_sub(5));
        let (volume, value) = recent.fold((0i128, 0i128), |(v, q), b| (v + b.volume, q + b.quote_volume));
        if volume == 0 {
            return self.last;
        }
        Price::from_mantissa(i64::try_from(value / volume).unwrap_or(i64::MAX))
    }

    /// The answer of `ticker/24hr`.
    pub(super) fn day_ticker(&self, now: Ts, mini: bool) -> Value {
        let Some(day) = self.day() else { return json!({"symbol": self.name}) };
        let mut row = json!({
            "symbol": self.name,
            "openPrice": self.price(day.open),
            "highPrice": self.price(day.high),
            "lowPrice": self.price(day.low),
            "lastPrice": self.price(day.close),
            "volume": digits::eight(day.volume, self.rules.qty_scale),
            "quoteVolume": self.value(day.quote_volume),
            "openTime": millis(day.open_ts),
            "closeTime": millis(now),
            "firstId": day.first_id,
            "lastId": day.last_id,
            "count": day.count,
        });
        if mini {
            return row;
        }
        let change = day.close.mantissa() - day.open.mantissa();
        let (bid, ask) = self.best();
        let (bid, ask) = (bid.unwrap_or_default(), ask.unwrap_or_default());
        row["priceChange"] = self.price(Price::from_mantissa(change)).into();
        row["priceChangePercent"] = self.percent(change, day.open).into();
        row["weightedAvgPrice"] = self.price(self.average(&day)).into();
        row["prevClosePrice"] = self.price(day.open).into();
        row["lastQty"] = self.qty(self.trades.back().map_or(0, |t| t.qty)).into();
        row["bidPrice"] = self.price(bid.0).into();
        row["bidQty"] = self.qty(bid.1.mantissa()).into();
        row["askPrice"] = self.price(ask.0).into();
        row["askQty"] = self.qty(ask.1.mantissa()).into();
        row
    }

    /// A change in percent with three digits.
    fn percent(&self, change: i64, of: Price) -> String {
        let thousandths = i128::from(change) * 100_000 / i128::from(of.mantissa().max(1));
        let sign = if thousandths < 0 { "-" } else { "" };
        let t = thousandths.unsigned_abs();
        format!("{sign}{}.{:03}", t / 1_000, t % 1_000)
    }

    /// The message of `@ticker` or `@miniTicker`.
    pub(super) fn day_message(&self, ts: Ts, now: i64, mini: bool) -> Option<String> {
        let day = self.day()?;
        let mut event = json!({
            "e": if mini { "24hrMiniTicker" } else { "24hrTicker" }, "E": now, "s": self.name,
            "c": self.price(day.close), "o": self.price(day.open), "h": self.price(day.high), "l": self.price(day.low),
            "v": digits::eight(day.volume, self.rules.qty_scale), "q": self.value(day.quote_volume),
        });
        if !mini {
            let row = self.day_ticker(ts, false);
            for (short, long) in [
                ("p", "priceChange"),
                ("P", "priceChangePercent"),
                ("w", "weightedAvgPrice"),
                ("x", "prevClosePrice"),
                ("Q", "lastQty"),
                ("b", "bidPrice"),
                ("B", "bidQty"),
                ("a", "askPrice"),
                ("A", "askQty"),
                ("O", "openTime"),
                ("C", "closeTime"),
                ("F", "firstId"),
                ("L", "lastId"),
                ("n", "count"),
            ] {
                event[short] = row[long].clone();
            }
        }
        Some(event.to_string())
    }

    /// A row of `trades`.
    pub(super) fn trade_row(&self, p: &Print) -> Value {
        let value = i128::from(p.price.mantissa()) * i128::from(p.qty);
        json!({"id": p.id, "price": self.price(p.price), "qty": self.qty(p.qty), "quoteQty": self.value(value),
               "time": millis(p.ts), "isBuyerMaker": p.buyer_is_maker, "isBestMatch": true})
    }

    /// A row of `aggTrades`.
    pub(super) fn agg_row(&self, p: &Print) -> Value {
        json!({"a": p.id, "p": self.price(p.price), "q": self.qty(p.qty), "f": p.id, "l": p.id,
               "T": millis(p.ts), "m": p.buyer_is_maker, "M": true})
    }

    /// The row of `exchangeInfo`.
    pub(super) fn listed(&self) -> Value {
        let (rules, f) = (&self.rules, &self.filters);
        let value = |v: i128| self.value(v);
        json!({
            "symbol": self.name,
            "status": "TRADING",
            "baseAsset": rules.symbol.base(),
            "baseAssetPrecision": 8,
            "quoteAsset": rules.symbol.quote(),
            "quotePrecision": 8,
            "quoteAssetPrecision": 8,
            "baseCommissionPrecision": 8,
            "quoteCommissionPrecision": 8,
            "orderTypes": Kind::names(),
            "icebergAllowed": false,
            "ocoAllowed": false,
            "otoAllowed": false,
            "opoAllowed": false,
            "quoteOrderQtyMarketAllowed": true,
            "allowTrailingStop": false,
            "cancelReplaceAllowed": true,
            "amendAllowed": true,
            "pegInstructionsAllowed": false,
            "isSpotTradingAllowed": true,
            "isMarginTradingAllowed": false,
            "filters": [
                {"filterType": "PRICE_FILTER", "minPrice": self.price(rules.tick),
                 "maxPrice": self.price(Price::from_mantissa(f.price_max)), "tickSize": self.price(rules.tick)},
                {"filterType": "LOT_SIZE", "minQty": self.qty(f.qty_min), "maxQty": self.qty(f.qty_max),
                 "stepSize": self.qty(rules.lot.mantissa())},
                {"filterType": "MARKET_LOT_SIZE", "minQty": "0.00000000", "maxQty": self.qty(f.qty_max_market),
                 "stepSize": "0.00000000"},
                {"filterType": "PERCENT_PRICE_BY_SIDE", "bidMultiplierUp": "5", "bidMultiplierDown": "0.2",
                 "askMultiplierUp": "5", "askMultiplierDown": "0.2", "avgPriceMins": 5},
                {"filterType": "NOTIONAL", "minNotional": value(f.notional_min), "applyMinToMarket": true,
                 "maxNotional": value(f.notional_max), "applyMaxToMarket": false, "avgPriceMins": 5},
                {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": super::wish::ORDERS_MAX},
                {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": super::wish::SLEEPING_MAX}
            ],
            "permissions": [],
            "permissionSets": [["SPOT"]],
            "defaultSelfTradePreventionMode": "NONE",
            "allowedSelfTradePreventionModes": ["NONE"]
        })
    }
}
