//! State of a strategy as bytes: what [`Strategy::save`](crate::Strategy::save) and
//! [`restore`](crate::Strategy::restore) are made of. Not an archive format: it lives as long as the code that wrote it.
//!
//! The bytes are one format byte, the parameters the state was made under, then the state, both in `postcard`'s compact
//! encoding (floats bit for bit). A state made under other parameters is refused: averages of other lengths would
//! otherwise go on silently.
//!
//! ```
//! use bellwether_sdk::state;
//!
//! let saved = state::save(&(10_u64, 20_u64), &vec![1.5, 2.5]);
//! assert_eq!(state::load::<_, Vec<f64>>(&(10_u64, 20_u64), &saved), Ok(vec![1.5, 2.5]));
//! assert!(state::load::<_, Vec<f64>>(&(10_u64, 21_u64), &saved).is_err());
//! ```

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The first byte; changes with the encoding.
const FORMAT: u8 = 1;

/// Writes a state and the parameters it was made under.
///
/// ```
/// # use bellwether_sdk::state;
/// assert_eq!(state::save(&(), &7_u64), state::save(&(), &7_u64)); // equal states are equal bytes
/// ```
///
/// # Panics
/// When a type's own `Serialize` fails or gives sequences of unknown length; derived ones do neither.
#[must_use]
pub fn save(params: &impl Serialize, state: &impl Serialize) -> Vec<u8> {
    let written = postcard::to_extend(params, vec![FORMAT]).and_then(|bytes| postcard::to_extend(state, bytes));
    match written {
        Ok(bytes) => bytes,
        Err(error) => panic!("writing a strategy's state: {error}; derive Serialize instead of writing it"),
    }
}

/// Reads a state that [`save`] wrote under equal parameters.
///
/// ```
/// # use bellwether_sdk::state;
/// assert_eq!(state::load::<_, u64>(&(), &state::save(&(), &7_u64)), Ok(7));
/// ```
///
/// # Errors
/// What is wrong: another format, other parameters, too short, too long, or not this type.
pub fn load<P: Serialize, T: DeserializeOwned>(params: &P, bytes: &[u8]) -> Result<T, String> {
    let start = postcard::to_extend(params, vec![FORMAT]).map_err(|e| format!("writing the parameters: {e}"))?;
    if bytes.first() != Some(&FORMAT) {
        return Err(format!("reading a state of {} bytes: its format is not {FORMAT}; start without it", bytes.len()));
    }
    let rest = bytes.strip_prefix(start.as_slice()).ok_or_else(|| {
        "the state was made under other parameters; give those, or start without the state".to_owned()
    })?;
    match postcard::take_from_bytes(rest) {
        Ok((state, [])) => Ok(state),
        Ok((_, left)) => Err(format!("reading a state of {} bytes: {} are left over", bytes.len(), left.len())),
        Err(error) => Err(format!("reading a state of {} bytes: {error}", bytes.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_cut_short_or_with_more_behind_it_is_refused() {
        let saved = save(&7_u64, &(1.25_f64, Some(3_u32)));
        assert_eq!(load::<u64, (f64, Option<u32>)>(&7, &saved), Ok((1.25, Some(3))));
        for end in 0..saved.len() {
            assert!(load::<u64, (f64, Option<u32>)>(&7, &saved[..end]).is_err(), "{end} bytes");
        }
        let longer = [saved.as_slice(), &[0]].concat();
        assert!(load::<u64, (f64, Option<u32>)>(&7, &longer).expect_err("too long").contains("1 are left over"));
    }
}
