//! What a venue lists: the instruments' names at the venue and their rules.

use std::collections::BTreeMap;

use bellwether_sdk::{Decimal, Instrument, InstrumentId, Price, Qty, Symbol};

/// An instrument's rules as the venue states them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Our name of it.
    pub symbol: Symbol,
    /// The venue's name of it on REST, e.g. `BTCUSDT`, `XXBTZUSD`, `BTC`.
    pub name: String,
    /// The venue's name of it on sockets where that differs (`BTC/USD`, `btcusdt`); else the same.
    pub stream_name: String,
    /// The venue's number of it, where orders name instruments by number (Hyperliquid); zero elsewhere.
    pub index: u32,
    /// Digits of prices: enough for the tick, and for what the venue's feeds write.
    pub price_scale: u8,
    /// Digits of quantities: enough for the lot, and for what the venue's feeds write.
    pub qty_scale: u8,
    /// The step of prices.
    pub tick: Price,
    /// The step of quantities.
    pub lot: Qty,
    /// Smallest order quantity; zero for none.
    pub qty_min: Qty,
    /// Smallest order value (price × quantity × multiplier) at `price_scale + qty_scale` digits; zero for none.
    pub notional_min: i128,
    /// Largest order quantity; zero for none.
    pub qty_max: Qty,
    /// Largest quantity of an order without a limit price, where the venue has one of its own; zero elsewhere.
    pub qty_max_market: Qty,
    /// Largest value of an order with a limit price, at the scale of `notional_min`; zero for none.
    pub notional_max: i128,
    /// Units of base per contract; 1 for spot.
    pub multiplier: i64,
    /// What one of the venue's units of quantity is in ours, above zero: 1 where both are the same. Where the venue
    /// counts contracts of, say, 0.01 BTC and [`multiplier`](Self::multiplier) cannot say so, the codec turns its
    /// counts into base units by this, exactly, and back.
    pub contract: Decimal,
    /// Most significant digits a price may have (Hyperliquid: 5); zero for no such rule.
    pub significant_digits: u8,
    /// The venue's word for a state in which it takes no orders, e.g. `HALT`; `None` where it takes them.
    pub closed: Option<String>,
}

impl Rules {
    /// An instrument of which only name and digits are known: tick and lot are one unit of the last place, it takes
    /// orders of any size, and counts base units. What a venue states besides goes in the place of that, as in
    /// `Rules { qty_min, ..Rules::plain(symbol, "BTCUSDT", 2, 5) }`.
    pub fn plain(symbol: Symbol, name: &str, price_scale: u8, qty_scale: u8) -> Self {
        Self {
            symbol,
            name: name.to_owned(),
            stream_name: name.to_owned(),
            index: 0,
            price_scale,
            qty_scale,
            tick: Price::from_mantissa(1),
            lot: Qty::from_mantissa(1),
            qty_min: Qty::ZERO,
            notional_min: 0,
            qty_max: Qty::ZERO,
            qty_max_market: Qty::ZERO,
            notional_max: 0,
            multiplier: 1,
            contract: Decimal::new(1, 0),
            significant_digits: 0,
            closed: None,
        }
    }

    /// The instrument as the engine wants it.
    pub fn instrument(&self, id: InstrumentId) -> Instrument {
        Instrument {
            id,
            symbol: self.symbol.clone(),
            price_scale: self.price_scale,
            qty_scale: self.qty_scale,
            tick: self.tick,
            lot: self.lot,
            qty_min: self.qty_min,
            notional_min: self.notional_min,
            qty_max: self.qty_max,
            qty_max_market: self.qty_max_market,
            notional_max: self.notional_max,
            multiplier: self.multiplier,
            inferred: false,
        }
    }
}

/// An instrument of this run at its venue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Its place in this run.
    pub id: InstrumentId,
    /// Its names and rules.
    pub rules: Rules,
}

/// The instruments of this run at one venue, found by any of their names.
#[derive(Debug, Clone, Default)]
pub struct Listings {
    rows: Vec<Listing>,
    by_name: BTreeMap<String, usize>,
    by_id: BTreeMap<InstrumentId, usize>,
}

impl Listings {
    /// A table of instruments; the ids are those of the run.
    pub fn new(rows: impl IntoIterator<Item = (InstrumentId, Rules)>) -> Self {
        let mut table = Self::default();
        for (id, rules) in rows {
            let at = table.rows.len();
            table.by_name.insert(rules.name.clone(), at);
            table.by_name.insert(rules.stream_name.clone(), at);
            table.by_id.insert(id, at);
            table.rows.push(Listing { id, rules });
        }
        table
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Listing> {
        self.rows.iter()
    }

    /// By the venue's name (REST or socket), as it stands on the wire. Without allocation.
    pub fn named(&self, name: &str) -> Option<&Listing> {
        match self.rows.as_slice() {
            // The common case of a bot: one instrument.
            [one] if one.rules.stream_name == name || one.rules.name == name => Some(one),
            rows => self.by_name.get(name).and_then(|i| rows.get(*i)),
        }
    }

    /// By our number of it.
    pub fn get(&self, id: InstrumentId) -> Option<&Listing> {
        self.by_id.get(&id).and_then(|i| self.rows.get(*i))
    }

    /// By our name of it.
    pub fn symbol(&self, symbol: &Symbol) -> Option<&Listing> {
        self.rows.iter().find(|l| l.rules.symbol == *symbol)
    }
}
