//! Parameters of a strategy: declared once, used for validation, `--help`, grids and dashboards.

use std::collections::BTreeMap;

use crate::{Decimal, Interval};

/// What a parameter is.
///
/// ```
/// use bellwether_sdk::Params;
///
/// /// Parameters.
/// #[derive(Params)]
/// struct Mine {
///     /// Bars of the average.
///     #[param(default = 10, range = 2..=500)]
///     bars: u64,
/// }
///
/// let specs = Mine::specs();
/// assert_eq!((specs[0].name, specs[0].help, specs[0].default.as_deref()), ("bars", "Bars of the average.", Some("10")));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParamSpec {
    /// Its name in flags and config: the field's name.
    pub name: &'static str,
    /// The field's doc comment.
    pub help: &'static str,
    /// The kind of value: `integer`, `number`, `decimal`, `boolean`, `text`, `interval` or `choice`.
    pub kind: &'static str,
    /// The default as text; `None` when the parameter may be left out and then has no value.
    pub default: Option<String>,
    /// The lowest and highest value allowed, as text.
    pub range: Option<(String, String)>,
    /// The words allowed, for `choice`.
    pub choices: &'static [&'static str],
}

/// Values given for parameters, by name, as text.
///
/// ```
/// use bellwether_sdk::ParamValues;
///
/// let values = ParamValues::from([("bars".to_owned(), "20".to_owned())]);
/// assert_eq!(values["bars"], "20");
/// ```
pub type ParamValues = BTreeMap<String, String>;

/// A parameter could not be taken.
///
/// ```
/// use bellwether_sdk::{ParamValues, Params};
///
/// /// Parameters.
/// #[derive(Debug, Params)]
/// struct Mine {
///     /// Bars of the average.
///     #[param(default = 10, range = 2..=500)]
///     bars: u64,
/// }
///
/// let wrong = Mine::from_values(&ParamValues::from([("bars".to_owned(), "1".to_owned())]));
/// assert!(wrong.unwrap_err().to_string().contains("bars"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParamError {
    /// The strategy has no such parameter.
    #[error("unknown parameter {name:?}; there are: {known}")]
    Unknown {
        /// What was given.
        name: String,
        /// The names there are, comma-separated.
        known: String,
    },
    /// The text does not read as the parameter's kind.
    #[error("parameter {name} = {value:?}: {why}")]
    Value {
        /// The parameter.
        name: String,
        /// What was given.
        value: String,
        /// What is wrong with it and what to write.
        why: String,
    },
    /// Values that do not go together.
    #[error("{0}")]
    Conflict(String),
    /// It broke while it was made, instead of saying what is wrong. Hosts say this, not strategies.
    #[error("{0}")]
    Broken(String),
}

/// A type that a parameter can have.
///
/// ```
/// use bellwether_sdk::{Interval, ParamType};
///
/// assert_eq!(<u64 as ParamType>::KIND, "integer");
/// assert!(<Interval as ParamType>::read("1h").is_ok());
/// ```
pub trait ParamType: Sized {
    /// The word for [`ParamSpec::kind`].
    const KIND: &'static str;
    /// The words allowed, for choices.
    const CHOICES: &'static [&'static str] = &[];

    /// Reads a value.
    ///
    /// # Errors
    /// What to write instead.
    fn read(text: &str) -> Result<Self, String>;

    /// The value as text that [`read`](Self::read) takes.
    fn show(&self) -> String;
}

macro_rules! param_type {
    ($kind:literal, $hint:literal: $($t:ty),+) => {$(
        impl ParamType for $t {
            const KIND: &'static str = $kind;
            fn read(text: &str) -> Result<Self, String> {
                text.trim().parse().map_err(|_| $hint.to_owned())
            }
            fn show(&self) -> String {
                self.to_string()
            }
        }
    )+};
}

param_type!("integer", "write a whole number": usize, u32, u64, i32, i64);
param_type!("boolean", "write true or false": bool);
param_type!("interval", "write an interval such as 15s, 1m, 4h or 1d": Interval);
param_type!("decimal", "write a decimal number of at most 18 digits": Decimal);

impl ParamType for f64 {
    const KIND: &'static str = "number";
    fn read(text: &str) -> Result<Self, String> {
        text.trim().parse().ok().filter(|x: &f64| x.is_finite()).ok_or_else(|| "write a finite number".to_owned())
    }
    fn show(&self) -> String {
        self.to_string()
    }
}

impl ParamType for String {
    const KIND: &'static str = "text";
    fn read(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }
    fn show(&self) -> String {
        self.clone()
    }
}

/// Parameters as a struct. Derive it:
///
/// ```
/// use bellwether_sdk::{Choice, ParamValues, Params};
///
/// #[derive(Debug, Clone, Copy, PartialEq, Choice)]
/// enum Mode { LongShort, LongOnly }
///
/// #[derive(Debug, Params)]
/// struct Cross {
///     /// Bars of the fast average.
///     #[param(default = 10, range = 1..=1000)]
///     fast: usize,
///     /// Which sides to trade.
///     #[param(default = Mode::LongShort)]
///     mode: Mode,
///     /// A distance, if any.
///     #[param(range = 0.1..=50.0)]
///     stop_pct: Option<f64>,
/// }
///
/// let values = ParamValues::from([("mode".to_owned(), "long-only".to_owned())]);
/// let cross = Cross::from_values(&values).unwrap();
/// assert_eq!((cross.fast, cross.mode, cross.stop_pct), (10, Mode::LongOnly, None));
/// ```
///
/// ```
/// use bellwether_sdk::{ParamValues, Params};
///
/// /// Parameters.
/// #[derive(Params)]
/// struct Mine {
///     /// Bars of the average.
///     #[param(default = 10, range = 2..=500)]
///     bars: u64,
/// }
///
/// let mine = Mine::from_values(&ParamValues::new())?;
/// assert_eq!(mine.bars, 10);
/// # Ok::<(), bellwether_sdk::ParamError>(())
/// ```
pub trait Params: Sized {
    /// What there is, in order of declaration.
    fn specs() -> Vec<ParamSpec>;

    /// Takes values given as text; the defaults stand in for the rest.
    ///
    /// # Errors
    /// [`ParamError`]: an unknown name, a text of the wrong kind, a value out of range.
    fn from_values(values: &ParamValues) -> Result<Self, ParamError>;
}

/// No parameters.
impl Params for () {
    fn specs() -> Vec<ParamSpec> {
        Vec::new()
    }
    fn from_values(values: &ParamValues) -> Result<Self, ParamError> {
        check_names(values, &Self::specs())
    }
}

/// Refuses names that are not declared. Called by the derive.
#[doc(hidden)]
pub fn check_names(values: &ParamValues, specs: &[ParamSpec]) -> Result<(), ParamError> {
    match values.keys().find(|name| !specs.iter().any(|s| s.name == name.as_str())) {
        None => Ok(()),
        Some(name) => Err(ParamError::Unknown {
            name: name.clone(),
            known: specs.iter().map(|s| s.name).collect::<Vec<_>>().join(", "),
        }),
    }
}

/// Reads one value and holds it against its range. Called by the derive.
#[doc(hidden)]
pub fn read_value<T: ParamType + PartialOrd>(name: &str, text: &str, range: Option<(T, T)>) -> Result<T, ParamError> {
    let value =
        T::read(text).map_err(|why| ParamError::Value { name: name.to_owned(), value: text.to_owned(), why })?;
    match range {
        Some((low, high)) if !(low <= value && value <= high) => Err(ParamError::Value {
            name: name.to_owned(),
            value: text.to_owned(),
            why: format!("must be from {} to {}", low.show(), high.show()),
        }),
        _ => Ok(value),
    }
}
