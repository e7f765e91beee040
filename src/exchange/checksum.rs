//! Kraken's checksum of a book.

use bellwether_sdk::Side;

use crate::market::book::Book;

/// The CRC-32 over the best ten levels, asks first: of each level the digits of price and quantity without point and
/// leading zeros. Scales must be the venue's own, so that mantissas have the wire's digits.
pub fn crc_of(book: &Book) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    let mut digits = [0; 20];
    for side in [Side::Sell, Side::Buy] {
        for (price, qty) in book.levels(side).take(10) {
            crc.update(decimal(price.mantissa().unsigned_abs(), &mut digits));
            crc.update(decimal(qty.mantissa().unsigned_abs(), &mut digits));
        }
    }
    crc.finalize()
}

fn decimal(mut n: u64, digits: &mut [u8; 20]) -> &[u8] {
    let mut at = digits.len();
    while n > 0 {
        at -= 1;
        digits[at] = b'0' + (n % 10) as u8;
        n /= 10;
    }
    &digits[at..]
}
