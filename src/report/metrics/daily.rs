//! Daily returns and what is computed of them.
//!
//! The return of a day is its last equity over the last equity of the day before, the first day against the start
//! equity; first and last day count as whole days even where they are parts. Two series come of it: *calendar* (a day
//! without data carries equity forward, a return of zero) and *trading* (only days with data, each against the day with
//! data before it).

use bellwether_sdk::Interval;

use super::{Figure, Year};
use crate::engine::Outcome;
use crate::report::text::{DAY_NS, date};

/// The daily returns of a run, as fractions.
#[derive(Debug, Clone, Default)]
pub struct Daily {
    /// One per calendar day from the first to the last.
    pub calendar: Vec<f64>,
    /// One per day with data.
    pub trading: Vec<f64>,
    /// Start equity and the equity at the end of every day with data.
    pub equity: Vec<f64>,
    /// Why returns end before the run does.
    problem: Option<String>,
}

impl Daily {
    /// The daily returns of a run.
    pub fn of(outcome: &Outcome) -> Self {
        let scale = outcome.reporting.scale;
        let start = outcome.start_equity.to_f64(scale);
        let mut daily = Self { equity: vec![start], ..Self::default() };
        let mut last: Option<i64> = None;
        let mut points = outcome.daily.iter().peekable();
        while let Some(point) = points.next() {
            let day = point.day.floor_to(Interval::DAY);
            // Of two points of one day the later is its end.
            if points.peek().is_some_and(|p| p.day.floor_to(Interval::DAY) == day) {
                continue;
            }
            let number = day.nanos().div_euclid(DAY_NS);
            if last.is_some_and(|l| number <= l) {
                daily.problem = Some(format!("the days of the run are out of order at {}", date(day)));
                break;
            }
            let before = daily.equity.last().copied().unwrap_or(start);
            if before <= 0.0 {
                daily.problem =
                    Some(format!("equity was {before} before {}; returns mean nothing after that", date(day)));
                break;
            }
            let gap = last.map_or(0, |l| number - l - 1);
            daily.calendar.extend((0..gap).map(|_| 0.0));
            let equity = point.equity.to_f64(scale);
            daily.calendar.push(equity / before - 1.0);
            daily.trading.push(equity / before - 1.0);
            daily.equity.push(equity);
            last = Some(number);
        }
        daily
    }

    fn returns(&self, year: Year, least: usize) -> Result<(&[f64], f64), String> {
        if let Some(problem) = &self.problem {
            return Err(problem.clone());
        }
        let (returns, days) = match year {
            Year::Calendar => (&self.calendar, 365.0),
            Year::Trading => (&self.trading, 252.0),
        };
        if returns.len() < least {
            return Err(format!("needs {least} days, the run has {}", returns.len()));
        }
        Ok((returns, days))
    }

    /// Annual standard deviation of daily returns.
    pub(super) fn volatility(&self, year: Year) -> Figure {
        let (returns, days) = self.returns(year, 2)?;
        Ok(deviation(returns) * days.sqrt())
    }

    /// Mean over standard deviation, annual, risk-free rate zero.
    pub(super) fn sharpe(&self, year: Year) -> Figure {
        let (returns, days) = self.returns(year, 2)?;
        let deviation = deviation(returns);
        if deviation == 0.0 {
            return Err("daily returns do not vary".to_owned());
        }
        Ok(mean(returns) / deviation * days.sqrt())
    }

    /// Mean over downside deviation from zero, annual.
    pub(super) fn sortino(&self, year: Year) -> Figure {
        let (returns, days) = self.returns(year, 2)?;
        let squares: f64 = returns.iter().map(|r| r.min(0.0)).map(|r| r * r).sum();
        if squares == 0.0 {
            return Err("no day lost".to_owned());
        }
        Ok(mean(returns) / (squares / returns.len() as f64).sqrt() * days.sqrt())
    }

    /// Falls of the daily curve from its peak so far, as positive fractions, the start included.
    fn falls(&self) -> Result<impl Iterator<Item = f64>, String> {
        self.returns(Year::Trading, 1)?;
        let mut peak = f64::NEG_INFINITY;
        Ok(self.equity.iter().map(move |e| {
            peak = peak.max(*e);
            1.0 - e / peak
        }))
    }

    pub(super) fn max_drawdown(&self) -> Figure {
        Ok(self.falls()?.fold(0.0, f64::max))
    }

    /// Root mean square of the falls (Martin 1987), over the days with data and without the start.
    pub(super) fn ulcer_index(&self) -> Figure {
        let falls: Vec<f64> = self.falls()?.skip(1).collect();
        Ok((falls.iter().map(|f| f * f).sum::<f64>() / falls.len() as f64).sqrt())
    }

    pub(super) fn best(&self) -> Figure {
        Ok(self.returns(Year::Trading, 1)?.0.iter().copied().fold(f64::NEG_INFINITY, f64::max))
    }

    pub(super) fn worst(&self) -> Figure {
        Ok(self.returns(Year::Trading, 1)?.0.iter().copied().fold(f64::INFINITY, f64::min))
    }
}

/// The arithmetic mean; NaN of nothing.
pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The standard deviation of a sample (n − 1), in two passes.
pub(super) fn deviation(values: &[f64]) -> f64 {
    let mean = mean(values);
    let squares: f64 = values.iter().map(|v| (v - mean) * (v - mean)).sum();
    (squares / (values.len() as f64 - 1.0)).sqrt()
}
