//! The hash that says two runs ordered the same.

use std::fmt::Write;

use bellwether_sdk::Instrument;
use sha2::{Digest, Sha256};

use super::{FillRecord, OrderRecord, Words};

/// SHA-256, hex, of the canonical order records in order of creation, then the fills in order of time. Session parts
/// and clocks of this machine are not in it; words and symbols are, numbers of rooms are not.
pub fn order_hash(
    orders: &[OrderRecord],
    fills: &[FillRecord],
    words: &Words,
    instruments: &[Instrument],
    strategies: &[String],
) -> String {
    let mut hash = Sha256::new();
    let mut line = String::with_capacity(256);
    let name = |s: u16| strategies.get(s as usize).map_or("", String::as_str);
    for o in orders {
        line.clear();
        let i = &instruments[o.instrument.index()];
        // Writing to a String cannot fail.
        let _ = writeln!(
            line,
            "O|{}|{}|{}|{}|{}|{}|{}|{}e-{}|{}|{}|{}|{}|{}{}{}|{}|{}|{}",
            o.id.0,
            o.ts_created.nanos(),
            name(o.strategy),
            i.symbol,
            o.side.sign(),
            o.order_type.name(),
            if o.notional == 0 { o.qty.to_text(i.qty_scale) } else { String::new() },
            o.notional,
            o.notional_scale,
            o.price.to_text(i.price_scale),
            o.trigger.mantissa(),
            o.tif.name(),
            o.ts_expiry.nanos(),
            u8::from(o.trail_fraction),
            u8::from(o.post_only),
            u8::from(o.reduce_only),
            o.role.name(),
            o.parent.0,
            words.get(o.tag),
        );
        hash.update(line.as_bytes());
    }
    for f in fills {
        line.clear();
        let i = &instruments[f.instrument.index()];
        let _ = writeln!(
            line,
            "F|{}|{}|{}|{}",
            f.order.0,
            f.ts.nanos(),
            f.price.to_text(i.price_scale),
            f.qty.to_text(i.qty_scale)
        );
        hash.update(line.as_bytes());
    }
    hex(&hash.finalize())
}

/// Bytes as lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |d: u8| char::from(DIGITS[usize::from(d & 15)]);
    bytes.iter().flat_map(|b| [digit(b >> 4), digit(*b)]).collect()
}
