//! Rows that REST answers and private streams have in common: orders, fills, positions, balances; and the rules.

use bellwether_sdk::{Decimal, InstrumentKind, Liquidity, OrderKind, Price, Qty, Side, TimeInForce};
use serde::Deserialize;

use super::facts::Table;
use crate::exchange::codec::{amount, amount_if, digits_of, millis_if, most, negated, notional, present, qty_max, sum};
use crate::exchange::vocab::liquidity;
use crate::exchange::{Balance, Digits, FillNote, Listing, OrderNote, OrderRow, OrderStatus, Position};
use crate::exchange::{Listings, Product, Rules, WireError};

/// Buy or sell.
pub(super) fn side(word: &str) -> Result<Side, WireError> {
    match word {
        "Buy" => Ok(Side::Buy),
        "Sell" => Ok(Side::Sell),
        _ => Err(WireError::Number { field: "side", text: word.chars().take(40).collect(), why: "no side".into() }),
    }
}

/// A state of the venue.
pub(super) fn status(word: &str) -> OrderStatus {
    match word {
        "Created" | "New" | "Untriggered" | "Triggered" | "Active" => OrderStatus::Acknowledged,
        "PartiallyFilled" => OrderStatus::PartlyFilled,
        "Filled" => OrderStatus::Filled,
        "Cancelled" | "PartiallyFilledCanceled" | "Deactivated" => OrderStatus::Cancelled,
        "Rejected" => OrderStatus::Rejected,
        "Expired" => OrderStatus::Expired,
        _ => OrderStatus::Unknown,
    }
}

/// Why an order ended without us. A post-only order that would take is cancelled, not rejected.
fn reason(reject: &str, cancel: &str, status: OrderStatus) -> &'static str {
    match reject {
        "EC_PostOnlyWillTakeLiquidity" => return "post_only_would_take",
        "EC_NoImmediateQtyToFill" => return "no_liquidity",
        "EC_PerCancelRequest" => return "",
        _ => {}
    }
    match (status, cancel) {
        (OrderStatus::Cancelled, "CancelByReduceOnly") => "reduce_only",
        (OrderStatus::Rejected, _) if reject.contains("alance") || reject.contains("MARGIN") => "insufficient_funds",
        (OrderStatus::Rejected, _) => "venue_rejected",
        _ => "",
    }
}

/// An order, as REST and the private stream have it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Order<'a> {
    #[serde(default)]
    category: &'a str,
    symbol: &'a str,
    order_id: &'a str,
    #[serde(borrow, default)]
    order_link_id: std::borrow::Cow<'a, str>,
    side: &'a str,
    #[serde(default)]
    order_type: &'a str,
    #[serde(borrow, default)]
    price: Option<Digits<'a>>,
    #[serde(borrow)]
    qty: Digits<'a>,
    #[serde(default)]
    time_in_force: &'a str,
    order_status: &'a str,
    #[serde(borrow, default)]
    cum_exec_qty: Option<Digits<'a>>,
    #[serde(borrow, default)]
    trigger_price: Option<Digits<'a>>,
    /// 1: the trigger waits for a rise, 2: for a fall, 0: there is none.
    #[serde(default)]
    trigger_direction: i64,
    #[serde(borrow, default)]
    reject_reason: std::borrow::Cow<'a, str>,
    #[serde(borrow, default)]
    cancel_type: std::borrow::Cow<'a, str>,
    #[serde(borrow, default)]
    created_time: Option<Digits<'a>>,
    #[serde(borrow, default)]
    updated_time: Option<Digits<'a>>,
}

impl<'a> Order<'a> {
    /// Its instrument, if it is one of this run. Rows of another category have the same symbols.
    pub(super) fn listing<'l>(&self, table: &Table, listings: &'l Listings) -> Option<&'l Listing> {
        of_category(table, self.category, self.symbol, listings)
    }

    fn filled(&self, rules: &Rules) -> Result<Option<Qty>, WireError> {
        let filled = present(self.cum_exec_qty).map(|d| d.mantissa("cumExecQty", rules.qty_scale));
        Ok(filled.transpose()?.map(Qty::from_mantissa))
    }

    /// What the private stream tells of it.
    pub(super) fn note(&self, listing: &Listing) -> Result<OrderNote, WireError> {
        let status = status(self.order_status);
        let known = status != OrderStatus::Unknown;
        Ok(OrderNote {
            instrument: listing.id,
            venue_id: self.order_id.to_owned(),
            client_id: self.order_link_id.to_string(),
            status,
            filled: self.filled(&listing.rules)?,
            reason: reason(&self.reject_reason, &self.cancel_type, status),
            text: if known { self.reject_reason.to_string() } else { self.order_status.to_owned() },
            ts_venue: millis_if("updatedTime", self.updated_time)?,
        })
    }

    fn kind(&self, rules: &Rules) -> Result<Option<OrderKind>, WireError> {
        let price = |field, digits: Option<Digits<'a>>| {
            let digits = present(digits).map(|d| d.mantissa(field, rules.price_scale)).transpose()?;
            Ok(digits.filter(|m| *m != 0).map(Price::from_mantissa))
        };
        let trigger: Option<Price> = price("triggerPrice", self.trigger_price)?;
        let limit: Option<Price> = price("price", self.price)?;
        let stops = matches!((self.side, self.trigger_direction), (_, 0) | ("Buy", 1) | ("Sell", 2));
        if trigger.is_some() && !stops {
            // If-touched and take-profit orders wait for the better price: not kinds of ours.
            return Ok(None);
        }
        Ok(match (self.order_type, limit, trigger) {
            ("Market", _, None) => Some(OrderKind::Market),
            ("Market", _, Some(trigger)) => Some(OrderKind::StopMarket { trigger }),
            ("Limit", Some(price), None) => Some(OrderKind::Limit { price }),
            ("Limit", Some(price), Some(trigger)) => Some(OrderKind::StopLimit { trigger, price }),
            _ => None,
        })
    }

    /// The row of an answer.
    pub(super) fn row(&self, listing: &Listing) -> Result<OrderRow, WireError> {
        let rules = &listing.rules;
        Ok(OrderRow {
            instrument: listing.id,
            venue_id: self.order_id.to_owned(),
            client_id: self.order_link_id.to_string(),
            side: side(self.side)?,
            kind: self.kind(rules)?,
            tif: match self.time_in_force {
                "IOC" => TimeInForce::Ioc,
                "FOK" => TimeInForce::Fok,
                _ => TimeInForce::Gtc,
            },
            qty: Qty::from_mantissa(self.qty.mantissa("qty", rules.qty_scale)?),
            filled: self.filled(rules)?.unwrap_or(Qty::ZERO),
            status: status(self.order_status),
            ts_venue: millis_if("createdTime", self.created_time)?,
        })
    }
}

fn of_category<'l>(table: &Table, category: &str, symbol: &str, listings: &'l Listings) -> Option<&'l Listing> {
    // Answers of one category do not repeat it in their rows.
    if category.is_empty() || category == table.category { listings.named(symbol) } else { None }
}

/// An execution.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Execution<'a> {
    #[serde(default)]
    category: &'a str,
    symbol: &'a str,
    #[serde(default)]
    order_id: &'a str,
    #[serde(borrow, default)]
    order_link_id: std::borrow::Cow<'a, str>,
    side: &'a str,
    exec_id: &'a str,
    #[serde(borrow)]
    exec_price: Digits<'a>,
    #[serde(borrow)]
    exec_qty: Digits<'a>,
    #[serde(borrow)]
    exec_fee: Digits<'a>,
    #[serde(default)]
    exec_type: &'a str,
    #[serde(borrow, default)]
    fee_currency: Option<&'a str>,
    is_maker: bool,
    #[serde(borrow)]
    exec_time: Digits<'a>,
}

impl Execution<'_> {
    /// Its instrument, if it is one of this run.
    pub(super) fn listing<'l>(&self, table: &Table, listings: &'l Listings) -> Option<&'l Listing> {
        of_category(table, self.category, self.symbol, listings)
    }

    /// Whether something changed hands: funding and settlement come as executions too.
    pub(super) fn is_fill(&self) -> bool {
        matches!(self.exec_type, "Trade" | "AdlTrade" | "BustTrade" | "BlockTrade" | "")
    }

    /// The fill. Where it does not say in which currency its fee was: contracts pay in that of their settlement, spot
    /// pays in what was got, and has what a maker is paid in what was given (the venue's "spot fee currency
    /// instruction").
    pub(super) fn fill(&self, listing: &Listing) -> Result<FillNote, WireError> {
        let rules = &listing.rules;
        let (side, fee, symbol) = (side(self.side)?, self.exec_fee.decimal("execFee")?, &rules.symbol);
        let usual = match symbol.kind() {
            InstrumentKind::Spot if (side == Side::Buy) == (fee.mantissa() >= 0) => symbol.base(),
            InstrumentKind::Spot => symbol.quote(),
            _ => symbol.settle(),
        };
        let liquidity: Liquidity = liquidity(self.is_maker);
        FillNote {
            instrument: listing.id,
            trade_id: self.exec_id.to_owned(),
            venue_id: self.order_id.to_owned(),
            client_id: self.order_link_id.to_string(),
            side,
            price: Price::from_mantissa(self.exec_price.mantissa("execPrice", rules.price_scale)?),
            qty: Qty::from_mantissa(self.exec_qty.mantissa("execQty", rules.qty_scale)?),
            fee,
            fee_currency: self.fee_currency.filter(|c| !c.is_empty()).unwrap_or(usual).to_owned(),
            liquidity,
            ts_venue: millis_if("execTime", Some(self.exec_time))?,
        }
        .checked()
    }
}

/// A position. The stream calls the entry price `entryPrice`, REST `avgPrice`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Held<'a> {
    #[serde(default)]
    category: &'a str,
    pub symbol: &'a str,
    #[serde(default)]
    pub position_idx: i64,
    #[serde(default)]
    side: &'a str,
    #[serde(borrow)]
    size: Digits<'a>,
    #[serde(borrow, default)]
    avg_price: Option<Digits<'a>>,
    #[serde(borrow, default)]
    entry_price: Option<Digits<'a>>,
    #[serde(borrow, default)]
    liq_price: Option<Digits<'a>>,
    #[serde(borrow, default)]
    unrealised_pnl: Option<Digits<'a>>,
}

impl Held<'_> {
    /// Its instrument, if it is one of this run.
    pub(super) fn listing<'l>(&self, table: &Table, listings: &'l Listings) -> Option<&'l Listing> {
        of_category(table, self.category, self.symbol, listings)
    }

    /// The position.
    pub(super) fn position(&self, listing: &Listing) -> Result<Position, WireError> {
        let size = self.size.mantissa("size", listing.rules.qty_scale)?;
        let sign = if size == 0 { 1 } else { side(self.side)?.sign() };
        let entry = amount_if("entryPrice", present(self.entry_price).or(self.avg_price))?;
        Ok(Position {
            instrument: listing.id,
            qty: Qty::from_mantissa(size * sign),
            entry: entry.filter(|_| size != 0),
            liquidation: amount_if("liqPrice", self.liq_price)?,
            unrealised: amount_if("unrealisedPnl", self.unrealised_pnl)?,
        })
    }
}

/// The balances of an account.
#[derive(Debug, Deserialize)]
pub(super) struct Wallet<'a> {
    #[serde(borrow)]
    coin: Vec<Coin<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Coin<'a> {
    coin: &'a str,
    #[serde(borrow)]
    wallet_balance: Digits<'a>,
    #[serde(borrow, default)]
    locked: Option<Digits<'a>>,
    #[serde(rename = "totalOrderIM", borrow, default)]
    order_margin: Option<Digits<'a>>,
    #[serde(rename = "totalPositionIM", borrow, default)]
    position_margin: Option<Digits<'a>>,
}

impl Wallet<'_> {
    /// Its balances. The venue's own `availableToWithdraw` is no longer kept up, so what is free is worked out: less
    /// what spot orders lock, less the margin of orders and positions, not below zero.
    pub(super) fn balances(&self) -> Result<Vec<Balance>, WireError> {
        self.coin.iter().map(Coin::balance).collect()
    }
}

impl Coin<'_> {
    fn balance(&self) -> Result<Balance, WireError> {
        let total = amount("walletBalance", self.wallet_balance)?.normalized();
        let mut free = total;
        for (field, used) in
            [("locked", self.locked), ("totalOrderIM", self.order_margin), ("totalPositionIM", self.position_margin)]
        {
            if let Some(used) = amount_if(field, used)? {
                free = sum(free, negated(used)).unwrap_or(Decimal::new(0, 0));
            }
        }
        let free = if free.is_positive() { free } else { Decimal::new(0, 0) };
        Ok(Balance { currency: self.coin.to_owned(), total, free })
    }
}

/// An instrument.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Instrument<'a> {
    pub symbol: &'a str,
    #[serde(default)]
    contract_type: &'a str,
    status: &'a str,
    base_coin: &'a str,
    quote_coin: &'a str,
    #[serde(default)]
    settle_coin: &'a str,
    #[serde(borrow, default)]
    price_scale: Option<Digits<'a>>,
    #[serde(borrow)]
    price_filter: PriceFilter<'a>,
    #[serde(borrow)]
    lot_size_filter: LotFilter<'a>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PriceFilter<'a> {
    #[serde(borrow)]
    tick_size: Digits<'a>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LotFilter<'a> {
    #[serde(borrow, default)]
    base_precision: Option<Digits<'a>>,
    #[serde(borrow, default)]
    qty_step: Option<Digits<'a>>,
    #[serde(borrow)]
    min_order_qty: Digits<'a>,
    /// Of contracts; of spot the older word.
    #[serde(borrow, default)]
    max_order_qty: Option<Digits<'a>>,
    /// Of contracts.
    #[serde(borrow, default)]
    max_mkt_order_qty: Option<Digits<'a>>,
    /// Of spot.
    #[serde(borrow, default)]
    max_limit_order_qty: Option<Digits<'a>>,
    /// Of spot.
    #[serde(borrow, default)]
    max_market_order_qty: Option<Digits<'a>>,
    #[serde(borrow, default)]
    min_order_amt: Option<Digits<'a>>,
    #[serde(borrow, default)]
    min_notional_value: Option<Digits<'a>>,
}

impl Instrument<'_> {
    /// Whether it is of the product; dated and inverse contracts come in the same lists.
    pub(super) fn belongs(&self, product: Product) -> bool {
        match product {
            Product::Spot => self.contract_type.is_empty(),
            Product::Linear => self.contract_type == "LinearPerpetual",
        }
    }

    /// Its rules; `None` when they are not understood.
    pub(super) fn rules(&self, product: Product) -> Option<Rules> {
        let symbol = match product {
            Product::Spot => format!("bybit:{}/{}", self.base_coin, self.quote_coin),
            Product::Linear => format!("bybit:{}/{}:{}", self.base_coin, self.quote_coin, self.settle_coin),
        };
        let filter = &self.lot_size_filter;
        let tick = self.price_filter.tick_size.decimal("tickSize").ok()?;
        let lot = present(filter.qty_step).or(present(filter.base_precision))?.decimal("qtyStep").ok()?;
        let stated: u8 = present(self.price_scale).map_or(Ok(0), |d| d.text().parse()).ok()?;
        let price_scale = digits_of(tick).max(stated).min(18);
        let qty_min = filter.min_order_qty.decimal("minOrderQty").ok()?;
        let qty_scale = digits_of(lot).max(digits_of(qty_min));
        let base = |field, digits| most(field, digits).ok().map(|value| qty_max(value, qty_scale));
        let value_min = amount_if("minNotionalValue", present(filter.min_notional_value).or(filter.min_order_amt));
        let notional_min = match value_min.ok()? {
            Some(value) => notional(value, price_scale, qty_scale)?,
            None => 0,
        };
        Some(Rules {
            symbol: symbol.parse().ok()?,
            name: self.symbol.to_owned(),
            stream_name: self.symbol.to_owned(),
            index: 0,
            price_scale,
            qty_scale,
            tick: Price::from_mantissa(tick.at_scale(price_scale).ok().filter(|t| *t > 0)?),
            lot: Qty::from_mantissa(lot.at_scale(qty_scale).ok().filter(|l| *l > 0)?),
            qty_min: Qty::from_mantissa(qty_min.at_scale(qty_scale).ok()?),
            notional_min,
            qty_max: base("maxOrderQty", present(filter.max_limit_order_qty).or(filter.max_order_qty))?,
            qty_max_market: base("maxMktOrderQty", present(filter.max_market_order_qty).or(filter.max_mkt_order_qty))?,
            notional_max: 0,
            multiplier: 1,
            contract: Decimal::new(1, 0),
            significant_digits: 0,
            closed: (self.status != "Trading").then(|| self.status.to_owned()),
        })
    }
}
