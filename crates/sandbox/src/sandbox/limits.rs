//! Request weight per address, orders per account: counted in the venue's windows, announced in headers, enforced
//! with 429 and, for those who go on regardless, 418.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::{Value, json};

use super::error::Refused;

/// Requests over the limit after which an address is banned.
const STRIKES_MAX: u32 = 10;
/// The first ban, seconds; each one after is twice as long.
const BAN_S: u64 = 120;

/// What is allowed.
#[derive(Debug, Clone, Copy)]
pub struct LimitSettings {
    /// Request weight per address and minute.
    pub weight_per_minute: u32,
    /// Orders per account and ten seconds.
    pub orders_per_10s: u32,
    /// Orders per account and day.
    pub orders_per_day: u32,
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self { weight_per_minute: 6_000, orders_per_10s: 100, orders_per_day: 200_000 }
    }
}

#[derive(Debug, Default)]
struct Address {
    minute: i64,
    weight: u32,
    strikes: u32,
    banned_until_s: i64,
    bans: u32,
}

#[derive(Debug, Default)]
struct Orders {
    ten: i64,
    in_ten: u32,
    day: i64,
    in_day: u32,
}

/// The counters.
#[derive(Debug)]
pub(super) struct Limits {
    pub(super) settings: LimitSettings,
    addresses: BTreeMap<IpAddr, Address>,
    accounts: BTreeMap<String, Orders>,
}

impl Limits {
    pub(super) fn new(settings: LimitSettings) -> Self {
        Self { settings, addresses: BTreeMap::new(), accounts: BTreeMap::new() }
    }

    /// Counts a request's weight; refuses when it is too much or the address is banned. `now` in seconds.
    pub(super) fn spend(&mut self, from: IpAddr, weight: u32, now: i64) -> Result<(), Refused> {
        let max = self.settings.weight_per_minute;
        let a = self.addresses.entry(from).or_default();
        if a.banned_until_s > now {
            return Err(Refused::too_many(u64::try_from(a.banned_until_s - now).unwrap_or(1), true));
        }
        let minute = now.div_euclid(60);
        if a.minute != minute {
            (a.minute, a.weight, a.strikes) = (minute, 0, 0);
        }
        a.weight = a.weight.saturating_add(weight);
        if a.weight <= max {
            return Ok(());
        }
        a.strikes += 1;
        if a.strikes > STRIKES_MAX {
            let ban = BAN_S << a.bans.min(10);
            a.bans += 1;
            a.banned_until_s = now.saturating_add(i64::try_from(ban).unwrap_or(i64::MAX));
            return Err(Refused::too_many(ban, true));
        }
        Err(Refused::too_many(u64::try_from(60 - now.rem_euclid(60)).unwrap_or(60), false))
    }

    /// The weight an address has used in this minute.
    pub(super) fn used(&self, from: IpAddr) -> u32 {
        self.addresses.get(&from).map_or(0, |a| a.weight)
    }

    /// Counts an order of an account.
    pub(super) fn order(&mut self, account: &str, now: i64) -> Result<(), Refused> {
        let (ten_max, day_max) = (self.settings.orders_per_10s, self.settings.orders_per_day);
        let o = self.rolled(account, now);
        if o.in_ten >= ten_max || o.in_day >= day_max {
            let limit = if o.in_ten >= ten_max {
                format!("{ten_max} orders per 10 SECOND")
            } else {
                format!("{day_max} orders per 1 DAY")
            };
            let wait = if o.in_ten >= ten_max { 10 - now.rem_euclid(10) } else { 86_400 - now.rem_euclid(86_400) };
            let refused = Refused::new(-1015, format!("Too many new orders; current limit is {limit}."));
            return Err(Refused { retry_after: u64::try_from(wait).ok(), ..refused.with_status(429) });
        }
        o.in_ten += 1;
        o.in_day += 1;
        Ok(())
    }

    fn rolled(&mut self, account: &str, now: i64) -> &mut Orders {
        let o = self.accounts.entry(account.to_owned()).or_default();
        let (ten, day) = (now.div_euclid(10), now.div_euclid(86_400));
        if o.ten != ten {
            (o.ten, o.in_ten) = (ten, 0);
        }
        if o.day != day {
            (o.day, o.in_day) = (day, 0);
        }
        o
    }

    /// Orders of an account in the present ten seconds and day.
    pub(super) fn orders_used(&mut self, account: &str, now: i64) -> (u32, u32) {
        let o = self.rolled(account, now);
        (o.in_ten, o.in_day)
    }

    /// The limits as `exchangeInfo` lists them.
    pub(super) fn listed(&self) -> Value {
        let s = self.settings;
        json!([
            {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": s.weight_per_minute},
            {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": s.orders_per_10s},
            {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": s.orders_per_day},
            {"rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 5, "limit": 61000}
        ])
    }

    /// The order limits of an account with their counts.
    pub(super) fn order_rows(&mut self, account: &str, now: i64) -> Value {
        let (ten, day) = self.orders_used(account, now);
        let s = self.settings;
        json!([
            {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": s.orders_per_10s, "count": ten},
            {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": s.orders_per_day, "count": day}
        ])
    }

    /// The weight row of the WebSocket API's answers.
    pub(super) fn weight_row(&self, from: IpAddr) -> Value {
        json!({"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1,
               "limit": self.settings.weight_per_minute, "count": self.used(from)})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_goes_on_after_429_is_banned_with_418() {
        let mut limits = Limits::new(LimitSettings { weight_per_minute: 10, ..LimitSettings::default() });
        let from = IpAddr::from([127, 0, 0, 1]);
        assert!(limits.spend(from, 10, 60).is_ok());
        for _ in 0..STRIKES_MAX {
            let refused = limits.spend(from, 1, 75).expect_err("over");
            assert_eq!((refused.status, refused.code, refused.retry_after), (429, -1003, Some(45)));
        }
        assert_eq!(limits.spend(from, 1, 75).expect_err("banned").status, 418);
        assert_eq!(limits.spend(from, 1, 125).expect_err("still").retry_after, Some(70));
        assert!(limits.spend(from, 1, 200).is_ok());
    }

    #[test]
    fn orders_are_counted_per_account_and_window() {
        let mut limits = Limits::new(LimitSettings { orders_per_10s: 2, ..LimitSettings::default() });
        assert!(limits.order("a", 0).is_ok() && limits.order("a", 1).is_ok() && limits.order("b", 1).is_ok());
        assert_eq!(limits.order("a", 2).expect_err("third").code, -1015);
        assert!(limits.order("a", 10).is_ok());
        assert_eq!(limits.orders_used("a", 10), (1, 3));
    }
}
