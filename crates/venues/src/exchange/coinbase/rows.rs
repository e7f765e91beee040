//! Rows of answers: orders, fills, products.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bellwether_sdk::{Decimal, OrderKind, Price, Qty, Side, TimeInForce, Ts};
use serde::Deserialize;

use crate::exchange::codec::{digits_of, iso, most, notional, present, qty_max};
use crate::exchange::vocab::liquidity;
use crate::exchange::{Digits, FillNote, Listing, OrderRow, OrderStatus, Rules, WireError};

/// Buy or sell.
pub(super) fn side(word: &str) -> Result<Side, WireError> {
    match word {
        "BUY" => Ok(Side::Buy),
        "SELL" => Ok(Side::Sell),
        _ => Err(WireError::Number { field: "side", text: word.chars().take(40).collect(), why: "no side".into() }),
    }
}

/// A state of the venue; open orders of which something filled are partly filled.
pub(super) fn status(word: &str, filled: Qty) -> OrderStatus {
    match word {
        "PENDING" | "OPEN" | "QUEUED" | "CANCEL_QUEUED" | "EDIT_QUEUED" if filled.is_zero() => {
            OrderStatus::Acknowledged
        }
        "PENDING" | "OPEN" | "QUEUED" | "CANCEL_QUEUED" | "EDIT_QUEUED" => OrderStatus::PartlyFilled,
        "FILLED" => OrderStatus::Filled,
        "CANCELLED" => OrderStatus::Cancelled,
        "EXPIRED" => OrderStatus::Expired,
        "FAILED" => OrderStatus::Rejected,
        _ => OrderStatus::Unknown,
    }
}

/// An order of REST.
#[derive(Debug, Deserialize)]
pub(super) struct Order<'a> {
    order_id: &'a str,
    pub product_id: &'a str,
    #[serde(borrow, default)]
    pub client_order_id: Cow<'a, str>,
    side: &'a str,
    status: &'a str,
    /// One entry: the kind of order with its numbers.
    #[serde(borrow, default)]
    order_configuration: BTreeMap<&'a str, Configuration<'a>>,
    #[serde(borrow)]
    filled_size: Digits<'a>,
    #[serde(borrow, default)]
    created_time: Option<&'a str>,
}

#[derive(Debug, Deserialize)]
struct Configuration<'a> {
    #[serde(borrow, default)]
    base_size: Option<Digits<'a>>,
    #[serde(borrow, default)]
    limit_price: Option<Digits<'a>>,
    #[serde(borrow, default)]
    stop_price: Option<Digits<'a>>,
    #[serde(borrow, default)]
    end_time: Option<&'a str>,
}

impl Order<'_> {
    fn kind(&self, rules: &Rules) -> Result<Option<OrderKind>, WireError> {
        let Some((name, numbers)) = self.order_configuration.first_key_value() else { return Ok(None) };
        let price = |field, digits| {
            let mantissa = present(digits).map(|d: Digits<'_>| d.mantissa(field, rules.price_scale)).transpose()?;
            Ok::<_, WireError>(mantissa.map(Price::from_mantissa))
        };
        let (limit, stop) = (price("limit_price", numbers.limit_price)?, price("stop_price", numbers.stop_price)?);
        Ok(match (limit, stop) {
            _ if name.starts_with("market_") => Some(OrderKind::Market),
            (Some(price), None) if name.contains("limit") => Some(OrderKind::Limit { price }),
            (Some(price), Some(trigger)) if name.starts_with("stop_limit") => {
                Some(OrderKind::StopLimit { trigger, price })
            }
            _ => None,
        })
    }

    /// The row. The size of an order for an amount of quote is not known in base: what filled stands for it.
    pub(super) fn row(&self, listing: &Listing) -> Result<OrderRow, WireError> {
        let rules = &listing.rules;
        let filled = Qty::from_mantissa(self.filled_size.mantissa("filled_size", rules.qty_scale)?);
        let configuration = self.order_configuration.first_key_value();
        let base = configuration.and_then(|(_, c)| present(c.base_size));
        let base = base.map(|d| d.mantissa("base_size", rules.qty_scale)).transpose()?;
        let end = configuration.and_then(|(_, c)| c.end_time);
        let name = configuration.map_or("", |(name, _)| *name);
        Ok(OrderRow {
            instrument: listing.id,
            venue_id: self.order_id.to_owned(),
            client_id: self.client_order_id.to_string(),
            side: side(self.side)?,
            kind: self.kind(rules)?,
            tif: match (name, end) {
                (name, _) if name.ends_with("fok") => TimeInForce::Fok,
                (name, _) if name.ends_with("ioc") => TimeInForce::Ioc,
                (name, Some(end)) if name.ends_with("gtd") => TimeInForce::Gtd(iso("end_time", end)?),
                _ => TimeInForce::Gtc,
            },
            qty: base.map_or(filled, Qty::from_mantissa),
            filled,
            status: status(self.status, filled),
            ts_venue: self.created_time.map_or(Ok(Ts::NONE), |t| iso("created_time", t))?,
        })
    }
}

/// A fill.
#[derive(Debug, Deserialize)]
pub(super) struct Fill<'a> {
    trade_id: &'a str,
    order_id: &'a str,
    trade_time: &'a str,
    #[serde(default)]
    trade_type: &'a str,
    #[serde(borrow)]
    price: Digits<'a>,
    #[serde(borrow)]
    size: Digits<'a>,
    #[serde(borrow)]
    commission: Digits<'a>,
    pub product_id: &'a str,
    #[serde(default)]
    liquidity_indicator: &'a str,
    #[serde(default)]
    size_in_quote: bool,
    side: &'a str,
}

impl Fill<'_> {
    /// Whether it is an execution; reversals and corrections come in the same list.
    pub(super) fn is_fill(&self) -> bool {
        matches!(self.trade_type, "FILL" | "")
    }

    /// The fill; fees are paid in quote.
    pub(super) fn row(&self, listing: &Listing) -> Result<FillNote, WireError> {
        let rules = &listing.rules;
        if self.size_in_quote {
            let text = self.size.text().chars().take(40).collect();
            let why = "it is an amount of quote, whose quantity is not stated".to_owned();
            return Err(WireError::Number { field: "size", text, why });
        }
        FillNote {
            instrument: listing.id,
            trade_id: self.trade_id.to_owned(),
            venue_id: self.order_id.to_owned(),
            client_id: String::new(),
            side: side(self.side)?,
            price: Price::from_mantissa(self.price.mantissa("price", rules.price_scale)?),
            qty: Qty::from_mantissa(self.size.mantissa("size", rules.qty_scale)?),
            fee: self.commission.decimal("commission")?,
            fee_currency: rules.symbol.quote().to_owned(),
            liquidity: liquidity(self.liquidity_indicator == "MAKER"),
            ts_venue: iso("trade_time", self.trade_time)?,
        }
        .checked()
    }
}

/// A product.
#[derive(Debug, Deserialize)]
pub(super) struct Item<'a> {
    pub product_id: &'a str,
    #[serde(default)]
    pub product_type: &'a str,
    base_currency_id: &'a str,
    quote_currency_id: &'a str,
    #[serde(borrow)]
    base_increment: Digits<'a>,
    #[serde(borrow)]
    quote_increment: Digits<'a>,
    #[serde(borrow, default)]
    price_increment: Option<Digits<'a>>,
    #[serde(borrow, default)]
    base_min_size: Option<Digits<'a>>,
    #[serde(borrow, default)]
    quote_min_size: Option<Digits<'a>>,
    #[serde(borrow, default)]
    base_max_size: Option<Digits<'a>>,
    #[serde(borrow, default)]
    quote_max_size: Option<Digits<'a>>,
    #[serde(default)]
    status: &'a str,
    #[serde(default)]
    trading_disabled: bool,
    #[serde(default)]
    is_disabled: bool,
    #[serde(default)]
    cancel_only: bool,
    #[serde(default)]
    view_only: bool,
    #[serde(default)]
    auction_mode: bool,
}

impl Item<'_> {
    /// Its rules; `None` when they are not understood.
    pub(super) fn rules(&self) -> Option<Rules> {
        let decimal = |digits: Digits<'_>| digits.decimal("increment").ok();
        let zero = Decimal::new(0, 0);
        let tick = decimal(present(self.price_increment).unwrap_or(self.quote_increment))?;
        let lot = decimal(self.base_increment)?;
        let qty_min = present(self.base_min_size).map_or(Some(zero), decimal)?;
        let value_min = present(self.quote_min_size).map_or(Some(zero), decimal)?;
        let price_scale = digits_of(tick).max(digits_of(decimal(self.quote_increment)?));
        let qty_scale = digits_of(lot).max(digits_of(qty_min));
        let closed = [
            (self.trading_disabled, "trading_disabled"),
            (self.is_disabled, "is_disabled"),
            (self.cancel_only, "cancel_only"),
            (self.view_only, "view_only"),
            (self.auction_mode, "auction_mode"),
            (self.status != "online", self.status),
        ];
        Some(Rules {
            symbol: format!("coinbase:{}/{}", self.base_currency_id, self.quote_currency_id).parse().ok()?,
            name: self.product_id.to_owned(),
            stream_name: self.product_id.to_owned(),
            index: 0,
            price_scale,
            qty_scale,
            tick: Price::from_mantissa(tick.at_scale(price_scale).ok().filter(|t| *t > 0)?),
            lot: Qty::from_mantissa(lot.at_scale(qty_scale).ok().filter(|l| *l > 0)?),
            qty_min: Qty::from_mantissa(qty_min.at_scale(qty_scale).ok()?),
            notional_min: notional(value_min, price_scale, qty_scale)?,
            qty_max: qty_max(most("base_max_size", self.base_max_size).ok()?, qty_scale),
            qty_max_market: Qty::ZERO,
            notional_max: most("quote_max_size", self.quote_max_size).ok()?.at_wide_scale(price_scale + qty_scale),
            multiplier: 1,
            contract: Decimal::new(1, 0),
            significant_digits: 0,
            closed: closed.iter().find(|(is, _)| *is).map(|(_, word)| (*word).to_owned()),
        })
    }
}
