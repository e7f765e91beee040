//! Money is neither made nor lost: over random orders, partial closes and reversals the books balance to the last
//! digit (the desk checks cash + positions = start + profit − fees + funding, and ours against the exchange's).

use bellwether::market::{Batch, Kind};
use bellwether::sim::Profile;
use bellwether_sdk::{Funding, InstrumentId, Intent, Interval, Price, Qty, Rate, Side, Ts};
use proptest::prelude::*;

use crate::desk::{Desk, bars, price, qty};

const ID: InstrumentId = InstrumentId(0);

fn order() -> impl Strategy<Value = (bool, i64, u8, i64)> {
    (any::<bool>(), 1i64..5_000, 0u8..4, 80i64..120)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn the_books_balance_to_the_last_digit(
        closes in prop::collection::vec(80i64..120, 5..60),
        orders in prop::collection::vec(order(), 1..80),
        symbol in prop::sample::select(vec!["test:AAA/USD", "test:AAA/USD:USD", "test:AAA/USD:AAA"]),
        profile in prop::sample::select(vec![Profile::NextOpen, Profile::Close, Profile::OhlcPath]),
        fee_bps in -2i64..30,
        rate in -500_000_000i64..500_000_000,
    ) {
        let text: Vec<String> = closes
            .windows(2)
            .map(|w| format!("{}/{}/{}/{}", w[0], w[0].max(w[1]) + 2, w[0].min(w[1]) - 2, w[1]))
            .collect();
        let bars = bars(&text.join(" "));
        let funding: Vec<Funding> = (0..bars.len() as i64 / 3)
            .map(|i| Funding {
                ts: Ts::from_nanos(i * 3 * Interval::MINUTE.nanos() + 1),
                rate: Rate::from_mantissa(rate),
                mark: Price::ZERO,
                instrument: ID,
            })
            .collect();
        let streams =
            vec![(Kind::Bars(Interval::MINUTE), Batch::Bars(bars)), (Kind::Funding, Batch::Funding(funding))];
        let desk = Desk { symbols: vec![symbol], profile, fee_bps, cash: 1_000_000, ..Desk::default() };
        let per_bar = orders.len() / closes.len() + 1;
        let mut orders = orders.into_iter();
        let outcome = desk.run(streams, move |_, ctx| {
            for (buy, q, kind, level) in orders.by_ref().take(per_bar) {
                let side = if buy { Side::Buy } else { Side::Sell };
                let q = Qty::from_mantissa(q);
                ctx.place(match kind {
                    0 | 1 => Intent::market(ID, side, q),
                    2 => Intent::limit(ID, side, q, price(level)),
                    _ => Intent::stop(ID, side, q, price(level)),
                });
            }
        });
        // What the trades made, and what the open lots would, is what equity gained; rounding only for inverse.
        let realised: i128 = outcome.trades.iter().map(|t| t.pnl.mantissa()).sum();
        if outcome.open_lots.is_empty() && !symbol.ends_with(":AAA") {
            let gained = outcome.end_equity.mantissa() - outcome.start_equity.mantissa() - outcome.funding.mantissa();
            prop_assert_eq!(realised, gained);
        }
        let ordered: i64 = outcome.fills.iter().map(|f| f.side.sign() * f.qty.mantissa()).sum();
        let open: i64 = outcome.open_lots.iter().map(|l| l.side.sign() * l.qty.mantissa()).sum();
        prop_assert_eq!(ordered, open);
    }
}

#[test]
fn a_partial_close_leaves_the_residue_in_the_position() {
    // 3 bought at three prices cost 1 cent that does not divide by three; the rest must still add up.
    let outcome = Desk { fee_bps: 7, ..Desk::default() }.bars("100 100 101 103 102 102 102", |n, ctx| match n {
        0..=2 => {
            ctx.place(Intent::market(ID, Side::Buy, qty(1)));
        }
        3 => {
            ctx.place(Intent::market(ID, Side::Sell, Qty::from_mantissa(1_001)));
        }
        4 => {
            ctx.place(Intent::market(ID, Side::Sell, Qty::from_mantissa(1_999)));
        }
        _ => {}
    });
    assert!(outcome.open_lots.is_empty());
    let realised: i128 = outcome.trades.iter().map(|t| t.pnl.mantissa()).sum();
    assert_eq!(realised, outcome.end_equity.mantissa() - outcome.start_equity.mantissa());
}
