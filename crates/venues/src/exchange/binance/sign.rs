//! Signatures: over query and body by REST, over sorted parameters by the WebSocket API.
//!
//! HMAC-SHA256 in hex; Ed25519 and RSA (PKCS#1 v1.5 with SHA-256) in base64. Which, the key says.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::{Request, Stamp};
use super::params::{Params, encode};
use crate::keys::{KeyError, Scheme, Signer};

/// The header with the key's public id.
pub(super) const KEY_HEADER: &str = "X-MBX-APIKEY";

/// The signature of a payload as it is written, before any percent-encoding.
///
/// # Errors
/// [`KeyError::Scheme`] for a key of another kind.
pub(super) fn signature(payload: &str, signer: &dyn Signer) -> Result<String, KeyError> {
    match signer.scheme() {
        Scheme::HmacSha256 => Ok(crate::orders::hex(&signer.sign(payload.as_bytes())?)),
        Scheme::Ed25519 | Scheme::RsaSha256 => Ok(STANDARD.encode(signer.sign(payload.as_bytes())?)),
        other => {
            Err(KeyError::Scheme { venue: "binance", wants: "HMAC-SHA256, Ed25519 or RSA-SHA256", found: other.name() })
        }
    }
}

/// Milliseconds since 1970.
pub(super) fn millis(stamp: Stamp) -> i64 {
    stamp.now.nanos().div_euclid(1_000_000)
}

/// Adds the key, the time and the signature to a request. One that was signed before is signed anew. Tickets of
/// private streams want the key alone: the venue counts their parameters.
///
/// # Errors
/// [`KeyError`].
pub(super) fn request(request: &mut Request, signer: &dyn Signer, stamp: Stamp) -> Result<(), KeyError> {
    request.headers.retain(|(name, _)| name != KEY_HEADER);
    request.headers.push((KEY_HEADER.to_owned(), signer.key_id().to_owned()));
    if request.path.ends_with("/listenKey") {
        return Ok(());
    }
    let in_body = !request.body.is_empty();
    let end = if in_body { &mut request.body } else { &mut request.query };
    unsign(end);
    if !end.is_empty() {
        end.push('&');
    }
    end.push_str("timestamp=");
    end.push_str(&millis(stamp).to_string());
    let payload = format!("{}{}", request.query, request.body);
    let signature = signature(&payload, signer)?;
    let end = if in_body { &mut request.body } else { &mut request.query };
    end.push_str("&signature=");
    encode(&signature, end);
    Ok(())
}

/// Takes off what an earlier signing added.
fn unsign(text: &mut String) {
    if let Some(at) = text.rfind("timestamp=").filter(|at| *at == 0 || text.as_bytes()[at - 1] == b'&') {
        text.truncate(at.saturating_sub(1));
    }
}

/// Parameters of a message of the WebSocket API with key, time and signature.
///
/// # Errors
/// [`KeyError`].
pub(super) fn params(params: Params, signer: &dyn Signer, stamp: Stamp) -> Result<Params, KeyError> {
    let mut params = params.text("apiKey", signer.key_id()).number("timestamp", millis(stamp));
    let signature = signature(&params.payload(), signer)?;
    Ok(params.text("signature", signature))
}

/// Parameters of a message on a connection that is logged on: the time alone.
pub(super) fn logged_on(params: Params, stamp: Stamp) -> Params {
    params.number("timestamp", millis(stamp))
}
