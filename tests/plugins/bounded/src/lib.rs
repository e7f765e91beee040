//! A strategy that declares little and then asks for more: market orders of one instrument, each worth 500 at the most.

use bellwether_sdk::{
    Bar, Capabilities, Context, Decimal, Intent, OrderKinds, ParamError, Params, Plugin, Price, Qty, Side, Strategy,
};

#[derive(Params)]
pub struct NoParams {}

pub struct Bounded {
    bars: u64,
}

impl Strategy for Bounded {
    fn on_bar(&mut self, ctx: &mut Context<'_>, bar: &Bar) {
        self.bars += 1;
        let one = 10_i64.pow(u32::from(ctx.instrument(bar.instrument).qty_scale));
        let market = |count: i64| Intent::market(bar.instrument, Side::Buy, Qty::from_mantissa(count * one));
        match self.bars {
            // At prices from 100 to 120.
            1 => drop(ctx.place(market(1))),
            2 => drop(ctx.place(market(6))),
            3 => {
                let price = Price::from_mantissa(bar.close.mantissa() / 2);
                ctx.place(Intent::limit(bar.instrument, Side::Buy, Qty::from_mantissa(one), price));
            }
            _ => {}
        }
    }
}

impl Plugin for Bounded {
    type Params = NoParams;
    const NAME: &'static str = "bounded";
    const SUMMARY: &'static str = "asks for more than it declares";
    const DIRECTIONAL: bool = false;

    fn capabilities() -> Capabilities {
        Capabilities {
            instruments: &["test:AAA/USD"],
            orders: OrderKinds { market: true, ..OrderKinds::NONE },
            order_notional_max: Some(Decimal::new(500, 0)),
        }
    }

    fn new(_: NoParams) -> Result<Self, ParamError> {
        Ok(Self { bars: 0 })
    }
}
