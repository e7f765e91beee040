//! Transcendental functions that give the same bits on every machine.
//!
//! The ones of the standard library call the platform's own mathematics: they may differ in the last digit between
//! Linux, macOS, Windows and wasm, and then a backtest no longer repeats. These come from one pinned `libm`, in
//! strategies and core alike; a lint (`clippy.toml`) forbids the others. What IEEE 754 defines exactly (`+ − × ÷`,
//! `sqrt`, `abs`, `floor`, `ceil`, `round`, `trunc`, comparisons) is equal everywhere and stays with the standard library.

macro_rules! pinned {
    ($($(#[$doc:meta])+ $name:ident ( $($arg:ident),+ ) = $of:path;)+) => {$(
        $(#[$doc])+
        #[inline]
        #[must_use]
        pub fn $name($($arg: f64),+) -> f64 {
            $of($($arg),+)
        }
    )+};
}

pinned! {
    /// The natural logarithm; NaN below zero, −∞ at zero.
    ln(x) = libm::log;
    /// The natural logarithm of `1 + x`, exact also for small `x` (a log return of a simple return).
    ln_1p(x) = libm::log1p;
    /// The logarithm to base 2.
    log2(x) = libm::log2;
    /// The logarithm to base 10.
    log10(x) = libm::log10;
    /// *e* to the power of `x`.
    exp(x) = libm::exp;
    /// *e* to the power of `x`, less 1, exact also for small `x`.
    exp_m1(x) = libm::expm1;
    /// 2 to the power of `x`.
    exp2(x) = libm::exp2;
    /// `x` to the power of `y`.
    pow(x, y) = libm::pow;
    /// The square root; correctly rounded, the same as `f64::sqrt`.
    sqrt(x) = libm::sqrt;
    /// The cube root.
    cbrt(x) = libm::cbrt;
    /// The length of the hypotenuse, without overflow on the way.
    hypot(x, y) = libm::hypot;
    /// The sine of an angle in radians.
    sin(x) = libm::sin;
    /// The cosine of an angle in radians.
    cos(x) = libm::cos;
    /// The tangent of an angle in radians.
    tan(x) = libm::tan;
    /// The angle in radians whose sine is `x`.
    asin(x) = libm::asin;
    /// The angle in radians whose cosine is `x`.
    acos(x) = libm::acos;
    /// The angle in radians whose tangent is `x`.
    atan(x) = libm::atan;
    /// The angle in radians of the point (`x`, `y`), from −π to π.
    atan2(y, x) = libm::atan2;
    /// The hyperbolic sine.
    sinh(x) = libm::sinh;
    /// The hyperbolic cosine.
    cosh(x) = libm::cosh;
    /// The hyperbolic tangent.
    tanh(x) = libm::tanh;
    /// The error function.
    erf(x) = libm::erf;
    /// The logarithm of the absolute value of the gamma function.
    ln_gamma(x) = libm::lgamma;
}

/// `x` to a whole power by repeated squaring: the same multiplications in the same order everywhere.
///
/// ```
/// assert_eq!(bellwether_sdk::math::powi(1.5, 3), 3.375);
/// assert_eq!(bellwether_sdk::math::powi(2.0, -2), 0.25);
/// ```
///
/// ```
/// assert_eq!(bellwether_sdk::math::powi(1.5, 2), 2.25);
/// ```
#[must_use]
pub fn powi(x: f64, n: i32) -> f64 {
    let (mut base, mut left, mut product) = (x, n.unsigned_abs(), 1.0);
    while left > 0 {
        if left & 1 == 1 {
            product *= base;
        }
        base *= base;
        left >>= 1;
    }
    if n < 0 { 1.0 / product } else { product }
}

/// The density of the standard normal distribution at `x`.
///
/// ```
/// assert!((bellwether_sdk::math::normal_pdf(0.0) - 0.398_942_280_401).abs() < 1e-9);
/// ```
#[must_use]
pub fn normal_pdf(x: f64) -> f64 {
    exp(-0.5 * x * x) / sqrt(2.0 * std::f64::consts::PI)
}

/// The probability that a standard normal variable is at most `x`.
///
/// ```
/// assert!((bellwether_sdk::math::normal_cdf(0.0) - 0.5).abs() < 1e-9);
/// ```
#[must_use]
pub fn normal_cdf(x: f64) -> f64 {
    0.5 * libm::erfc(-x / std::f64::consts::SQRT_2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bits_are_pinned() {
        // Recorded once; another machine, target or libm that answers differently breaks replay and must be seen here.
        let sum = (1..=1000).map(f64::from).map(|x| ln(x) + exp(-x / 100.0) + sin(x) + pow(x, 0.3) + tanh(1.0 / x));
        assert_eq!(sum.fold(0.0, |a, b| a + b).to_bits(), 0x40c7_b2c2_4ac6_3147);
    }

    #[test]
    fn the_normal_distribution_has_its_known_values() {
        assert!((normal_cdf(1.959_963_984_540_054) - 0.975).abs() < 1e-15);
        assert!((normal_pdf(0.0) - 0.398_942_280_401_432_7).abs() < 1e-16);
    }
}
