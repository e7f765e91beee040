//! Makes a WebAssembly component of a Bellwether strategy: the glue between `bellwether-sdk` and the world
//! `bellwether:strategy` (`wit/strategy.wit`). It keeps no rules: it carries numbers across and calls the strategy.
//!
//! `bellwether strategy build` writes a small crate around your strategy with this in it; nothing of it stands in the
//! strategy itself:
//!
//! ```ignore
//! bellwether_guest::export!(my_strategy::MyStrategy);
//! ```

/// What `wit-bindgen` makes of the world.
#[allow(missing_docs, clippy::all, clippy::unwrap_used, clippy::missing_safety_doc)]
pub mod bindings {
    wit_bindgen::generate!({
        path: "wit",
        world: "strategy",
        pub_export_macro: true,
        export_macro_name: "export_component",
        default_bindings_module: "bellwether_guest::bindings",
    });
}

mod asked;
mod seat;
mod seen;

use std::cell::RefCell;

use bellwether_sdk::{AccountKind, ParamError, ParamValues, Params, Plugin, Signal};
use bindings::exports::bellwether::strategy::plugin as wit;

use seat::Seat;

/// A strategy with the version of its package.
pub trait Packaged: 'static {
    /// The strategy.
    type Plugin: Plugin;
    /// The package's version.
    const VERSION: &'static str;
}

/// Exports a strategy as the world's `plugin`. Stands once in a crate of type `cdylib`.
#[macro_export]
macro_rules! export {
    ($plugin:ty) => {
        struct Exported;
        impl $crate::Packaged for Exported {
            type Plugin = $plugin;
            const VERSION: &'static str = env!("CARGO_PKG_VERSION");
        }
        $crate::bindings::export_component!(Exported with_types_in $crate::bindings);
    };
}

thread_local! {
    /// The one strategy of this instance.
    static SEAT: RefCell<Option<Seat>> = const { RefCell::new(None) };
}

/// The seat, which the host made before: a host that did not is met with a trap.
fn seat<T>(with: impl FnOnce(&mut Seat) -> T) -> T {
    SEAT.with_borrow_mut(|seat| match seat {
        Some(seat) => with(seat),
        None => panic!("called before create"),
    })
}

impl<T: Packaged> wit::Guest for T {
    fn describe() -> wit::Manifest {
        let may = T::Plugin::capabilities();
        wit::Manifest {
            name: T::Plugin::NAME.to_owned(),
            summary: T::Plugin::SUMMARY.to_owned(),
            version: T::VERSION.to_owned(),
            sdk: bellwether_sdk::VERSION.to_owned(),
            directional: T::Plugin::DIRECTIONAL,
            signal_only: T::Plugin::SIGNAL_ONLY,
            state_version: T::Plugin::STATE_VERSION,
            params: <T::Plugin as Plugin>::Params::specs().into_iter().map(asked::param_spec).collect(),
            capabilities: wit::Capabilities {
                instruments: may.instruments.iter().map(|i| (*i).to_owned()).collect(),
                orders: asked::order_kinds(may.orders),
                order_notional_max: may.order_notional_max.map(asked::decimal),
            },
        }
    }

    fn create(params: Vec<(String, String)>) -> Result<wit::Created, wit::ParamError> {
        // One by one: collected at once they would be sorted, by code that nothing else here needs.
        let mut values = ParamValues::new();
        for (name, value) in params {
            values.insert(name, value);
        }
        let made = <T::Plugin as Plugin>::Params::from_values(&values).and_then(T::Plugin::new);
        let strategy = made.map_err(|error| match error {
            ParamError::Unknown { name, known } => wit::ParamError::Unknown((name, known)),
            ParamError::Value { name, value, why } => wit::ParamError::Value((name, value, why)),
            other => wit::ParamError::Conflict(other.to_string()),
        })?;
        let seat = Seat::new(Box::new(strategy), T::Plugin::SIGNAL_ONLY);
        let account = match seat.strategy.account() {
            AccountKind::Cash => wit::Account::Cash,
            AccountKind::Margin => wit::Account::Margin,
        };
        let warmup = seat.strategy.rebuild_window();
        SEAT.set(Some(seat));
        Ok(wit::Created { account, warmup })
    }

    fn seat(equity_scale: u8, instruments: Vec<wit::Instrument>, mine: Vec<u16>) {
        seat(|s| s.sit(equity_scale, instruments, &mine));
    }

    fn sync(
        seen: Vec<wit::Seen>,
        positions: Vec<wit::Position>,
        orders: Option<Vec<wit::OpenOrder>>,
        features: Vec<wit::Feature>,
    ) {
        seat(|s| s.sync(seen, positions, orders, features));
    }

    fn start(at: wit::Moment) -> u32 {
        seat(|s| {
            let first = s.first();
            s.hear(at, first, |strategy, ctx| strategy.on_start(ctx))
        })
    }

    fn on_trade(at: wit::Moment, trade: wit::Trade) -> u32 {
        let trade = seen::trade(trade);
        seat(|s| {
            s.saw(trade.instrument, trade.price);
            s.hear(at, trade.instrument, |strategy, ctx| strategy.on_trade(ctx, &trade))
        })
    }

    fn on_quote(at: wit::Moment, quote: wit::Quote) -> u32 {
        let quote = seen::quote(quote);
        seat(|s| {
            s.saw_quote(&quote);
            s.hear(at, quote.instrument, |strategy, ctx| strategy.on_quote(ctx, &quote))
        })
    }

    fn on_book(at: wit::Moment, ts: i64, instrument: u16, bids: Vec<wit::Level>, asks: Vec<wit::Level>) -> u32 {
        let (bids, asks) = (seen::levels(&bids), seen::levels(&asks));
        seat(|s| {
            let book = seen::book(ts, instrument, &bids, &asks);
            s.hear(at, book.instrument, |strategy, ctx| strategy.on_book(ctx, &book))
        })
    }

    fn on_bar(at: wit::Moment, bar: wit::Bar) -> u32 {
        let bar = seen::bar(&bar);
        seat(|s| {
            s.saw(bar.instrument, bar.close);
            s.hear(at, bar.instrument, |strategy, ctx| strategy.on_bar(ctx, &bar))
        })
    }

    fn on_funding(at: wit::Moment, funding: wit::Funding) -> u32 {
        let funding = seen::funding(funding);
        seat(|s| s.hear(at, funding.instrument, |strategy, ctx| strategy.on_funding(ctx, &funding)))
    }

    fn on_signal(at: wit::Moment, signal: wit::Signal) -> u32 {
        let signal: Signal = seen::signal(signal);
        seat(|s| s.hear(at, signal.instrument, |strategy, ctx| strategy.on_signal(ctx, &signal)))
    }

    fn on_order(at: wit::Moment, update: wit::OrderUpdate) -> u32 {
        seat(|s| {
            let update = s.update(update);
            s.hear(at, update.instrument, |strategy, ctx| strategy.on_order(ctx, &update))
        })
    }

    fn on_fill(at: wit::Moment, fill: wit::Fill) -> u32 {
        let fill = seen::fill(fill);
        seat(|s| s.hear(at, fill.instrument, |strategy, ctx| strategy.on_fill(ctx, &fill)))
    }

    fn on_timer(at: wit::Moment, timer: u64) -> u32 {
        seat(|s| {
            let first = s.first();
            s.hear(at, first, |strategy, ctx| strategy.on_timer(ctx, timer))
        })
    }

    fn stop(at: wit::Moment) -> u32 {
        seat(|s| {
            let first = s.first();
            s.hear(at, first, |strategy, ctx| strategy.on_stop(ctx))
        })
    }

    fn take() -> Vec<wit::Action> {
        seat(|s| s.take().into_iter().map(asked::action).collect())
    }

    fn on_trades(instrument: u16, rows: Vec<i64>) -> u32 {
        seat(|s| s.hear_trades(instrument, rows.as_chunks::<5>().0))
    }

    fn on_bars(instrument: u16, interval: i64, rows: Vec<i64>) -> u32 {
        seat(|s| s.hear_bars(instrument, interval, rows.as_chunks::<7>().0))
    }

    fn observe(instrument: u16) -> wit::Observed {
        seat(|s| asked::observed(s.strategy.as_ref(), instrument))
    }

    fn save() -> Vec<u8> {
        seat(|s| s.strategy.save())
    }

    fn restore(state: Vec<u8>) -> Result<(), String> {
        seat(|s| s.strategy.restore(&state))
    }
}
