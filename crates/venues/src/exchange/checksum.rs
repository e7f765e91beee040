//! The checksum over a book's best levels by which Kraken shows that a book is in step.

use bellwether_sdk::Side;

use crate::market::book::Book;

/// Levels per side that count.
const LEVELS: usize = 10;

/// CRC-32 (IEEE) over the ten best asks, then the ten best bids: of each level the price's digits and the quantity's,
/// without points and leading zeros. The book's scales must be those that the venue writes with, because then the digits
/// of a mantissa are the digits on the wire.
pub fn crc_of(book: &Book) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for side in [Side::Sell, Side::Buy] {
        for (price, qty) in book.levels(side).take(LEVELS) {
            for mantissa in [price.mantissa(), qty.mantissa()] {
                let mut digits = [0; 20];
                hasher.update(write_digits(mantissa.unsigned_abs(), &mut digits));
            }
        }
    }
    hasher.finalize()
}

/// The decimal digits of a number, written to the end of a buffer; none for zero, as leading zeros do not count.
fn write_digits(mut number: u64, buffer: &mut [u8; 20]) -> &[u8] {
    let mut at = buffer.len();
    while number > 0 && at > 0 {
        at -= 1;
        buffer[at] = b'0' + (number % 10) as u8;
        number /= 10;
    }
    &buffer[at..]
}

#[cfg(test)]
mod tests {
    use bellwether_sdk::{Depth, InstrumentId, Level, Price, Qty, Ts};

    use super::*;

    /// The example of Kraken's guide: prices at one decimal, quantities at eight.
    const ASKS: [(i64, i64); 10] = [
        (452_852, 100_000),
        (452_864, 154_571_953),
        (452_866, 154_571_109),
        (452_896, 154_560_911),
        (452_902, 15_890_660),
        (452_918, 154_553_491),
        (452_947, 4_454_749),
        (452_961, 35_380_000),
        (452_975, 9_945_542),
        (452_995, 18_772_827),
    ];
    const BIDS: [(i64, i64); 10] = [
        (452_835, 10_000_000),
        (452_834, 154_582_015),
        (452_821, 10_000_000),
        (452_810, 10_000_000),
        (452_803, 154_592_586),
        (452_790, 7_990_000),
        (452_776, 3_310_103),
        (452_775, 30_000_000),
        (452_773, 154_602_737),
        (452_766, 15_445_238),
    ];

    fn book(extra: &[Level]) -> Book {
        let level = |side, (price, qty): (i64, i64)| Level {
            side,
            price: Price::from_mantissa(price),
            qty: Qty::from_mantissa(qty),
        };
        let mut levels: Vec<_> = ASKS.into_iter().map(|l| level(Side::Sell, l)).collect();
        levels.extend(BIDS.into_iter().map(|l| level(Side::Buy, l)));
        levels.extend_from_slice(extra);
        let mut book = Book::default();
        book.apply(&Depth {
            ts: Ts::from_nanos(0),
            ts_venue: Ts::NONE,
            snapshot: true,
            first_id: 0,
            last_id: 0,
            prev_id: 0,
            levels: &levels,
            instrument: InstrumentId(0),
        });
        book
    }

    #[test]
    fn the_book_of_krakens_guide_has_its_checksum() {
        assert_eq!(crc_of(&book(&[])), 3_310_070_434);
    }

    #[test]
    fn only_the_ten_best_levels_of_each_side_count() {
        let eleventh = Level { side: Side::Sell, price: Price::from_mantissa(452_999), qty: Qty::from_mantissa(1) };
        assert_eq!(crc_of(&book(&[eleventh])), 3_310_070_434);
        let best = Level { side: Side::Sell, price: Price::from_mantissa(452_851), qty: Qty::from_mantissa(1) };
        assert_ne!(crc_of(&book(&[best])), 3_310_070_434);
    }

    #[test]
    fn a_book_without_levels_has_the_checksum_of_nothing() {
        assert_eq!(crc_of(&Book::default()), 0);
    }
}
