//! OKX's codes, sorted.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::exchange::codec::{json, not_understood};
use crate::exchange::{Fault, Response, VenueError};

/// What every answer of REST is wrapped in.
#[derive(Debug, Deserialize)]
pub(super) struct Envelope<'a> {
    /// `0` for yes; of orders `1` when all and `2` when some were refused.
    pub code: &'a str,
    #[serde(borrow, default)]
    pub msg: std::borrow::Cow<'a, str>,
    #[serde(borrow, default)]
    pub data: Option<&'a RawValue>,
}

/// The envelope of an answer, whatever its code.
///
/// # Errors
/// [`VenueError`] by the status where there is no envelope.
pub(super) fn envelope(response: &Response, write: bool) -> Result<Envelope<'_>, VenueError> {
    match json::<Envelope<'_>>(&response.body) {
        Ok(envelope) if response.is_ok() || envelope.code != "0" => Ok(envelope),
        Err(e) if response.is_ok() => Err(not_understood(&e, write)),
        _ => {
            let mut error = VenueError::of_status(response.status, write, &response.body);
            if let Fault::RateLimited { retry_after_ms: wait @ None } = &mut error.fault {
                *wait = response.retry_after_ms();
            }
            Err(error)
        }
    }
}

/// The data of an answer that says yes.
///
/// # Errors
/// [`VenueError`], sorted.
pub(super) fn open(response: &Response) -> Result<Envelope<'_>, VenueError> {
    let envelope = envelope(response, false)?;
    if envelope.code == "0" { Ok(envelope) } else { Err(of_code(envelope.code, &envelope.msg, false)) }
}

/// A code, sorted.
pub(super) fn of_code(code: &str, text: &str, write: bool) -> VenueError {
    let fault = match code {
        "50011" | "50061" => Fault::RateLimited { retry_after_ms: None },
        "50001" | "50004" | "50013" | "50026" | "51149" if write => Fault::Unknown,
        "50001" | "50004" | "50013" | "50026" | "51149" => Fault::Transient,
        "50102" | "50112" | "60006" => Fault::ClockSkew,
        "50101" | "50103" | "50104" | "50105" | "50106" | "50107" | "50110" | "50111" | "50113" | "50114" | "50120"
        | "60005" | "60007" | "60009" | "60011" | "60024" => Fault::Authentication,
        _ => Fault::Rejected,
    };
    let reason = match code {
        "51016" => "duplicate_order_id",
        "51400" | "51401" | "51402" | "51410" | "51503" | "51509" | "51510" | "51603" => "unknown_order",
        "51008" => "insufficient_funds",
        "51020" => "size_below_minimum",
        "51121" => "size_off_lot",
        "51006" | "51137" | "51138" => "price_out_of_bounds",
        "51169" => "reduce_only",
        _ => "venue_rejected",
    };
    VenueError::new(fault, code, text).reason(reason).unknown_if_timed_out(write)
}
