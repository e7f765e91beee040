//! The hash that says two runs ordered the same.

use std::fmt::Write;

use bellwether_sdk::Instrument;
use sha2::{Digest, Sha256};

use super::away::Away;
use super::{FillRecord, OrderRecord, Words};

/// What numbers of rooms are called: instruments by id, and strategies by index.
pub struct Named<'a> {
    /// The instruments, by id.
    pub instruments: Vec<&'a Instrument>,
    /// The ids of the strategies, by index.
    pub strategies: Vec<&'a str>,
}

/// SHA-256, hex, of the canonical order records in order of creation, then the fills in order of time. Session parts
/// and clocks of this machine are not in it; words and symbols are, numbers of rooms are not.
///
/// Where orders were put away, a line with their count and their own hash stands before the others; where none were, none
/// does.
pub(super) fn order_hash(
    away: &Away,
    orders: &[OrderRecord],
    fills: &[FillRecord],
    words: &Words,
    named: &Named<'_>,
) -> String {
    let mut hash = Sha256::new();
    if away.counts.orders > 0 {
        hash.update(format!("P|{}|{}\n", away.counts.orders, hex(&away.chain)).as_bytes());
    }
    enter(&mut hash, orders, fills, words, named);
    hex(&hash.finalize())
}

/// The hash of orders and their fills that are put away, after those that were before.
pub(super) fn chained(
    before: &[u8; 32],
    orders: &[OrderRecord],
    fills: &[FillRecord],
    words: &Words,
    named: &Named<'_>,
) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(before);
    enter(&mut hash, orders, fills, words, named);
    hash.finalize().into()
}

fn enter(hash: &mut Sha256, orders: &[OrderRecord], fills: &[FillRecord], words: &Words, named: &Named<'_>) {
    let mut line = String::with_capacity(256);
    for o in orders {
        line.clear();
        let i = named.instruments[o.instrument.index()];
        // Writing to a String cannot fail.
        let _ = writeln!(
            line,
            "O|{}|{}|{}|{}|{}|{}|{}|{}e-{}|{}|{}|{}|{}|{}{}{}|{}|{}|{}",
            o.id.0,
            o.ts_created.nanos(),
            named.strategies.get(usize::from(o.strategy)).copied().unwrap_or_default(),
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
        let i = named.instruments[f.instrument.index()];
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
}

/// A byte as two lower-case hex digits.
pub const fn hex_of(byte: u8) -> [u8; 2] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    [DIGITS[(byte >> 4) as usize], DIGITS[(byte & 15) as usize]]
}

/// Bytes as lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    let mut digits = vec![0; 2 * bytes.len()];
    digits.chunks_exact_mut(2).zip(bytes).for_each(|(pair, byte)| pair.copy_from_slice(&hex_of(*byte)));
    // ASCII, so nothing is lost.
    String::from_utf8(digits).unwrap_or_default()
}
