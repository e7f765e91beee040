//! Signatures: time, key, receive window and what is sent; HMAC in hex or RSA in base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::facts::WINDOW_MS;
use crate::exchange::codec::{quoted, to_millis};
use crate::exchange::{Request, Stamp};
use crate::keys::{KeyError, Scheme, Signer};
use crate::orders::hex;

fn signature(signer: &dyn Signer, payload: &str) -> Result<String, KeyError> {
    match signer.scheme() {
        Scheme::HmacSha256 => signer.sign(payload.as_bytes()).map(|s| hex(&s)),
        Scheme::RsaSha256 => signer.sign(payload.as_bytes()).map(|s| STANDARD.encode(s)),
        other => Err(KeyError::Scheme { venue: "bybit", wants: "HMAC-SHA256 or RSA-SHA256", found: other.name() }),
    }
}

/// Adds the headers that sign a request. What is signed is the query of a GET, the body of a POST, as it stands.
pub(super) fn request(request: &mut Request, signer: &dyn Signer, stamp: Stamp) -> Result<(), KeyError> {
    let now = to_millis(stamp.now).to_string();
    let sent = if request.body.is_empty() { &request.query } else { &request.body };
    let sign = signature(signer, &format!("{now}{}{WINDOW_MS}{sent}", signer.key_id()))?;
    request.headers.extend([
        ("X-BAPI-API-KEY".to_owned(), signer.key_id().to_owned()),
        ("X-BAPI-TIMESTAMP".to_owned(), now),
        ("X-BAPI-RECV-WINDOW".to_owned(), WINDOW_MS.to_owned()),
        ("X-BAPI-SIGN".to_owned(), sign),
    ]);
    Ok(())
}

/// The login of a socket, good for ten seconds.
pub(super) fn login(signer: &dyn Signer, stamp: Stamp) -> Result<String, KeyError> {
    let expires = to_millis(stamp.now).saturating_add(10_000);
    let sign = signature(signer, &format!("GET/realtime{expires}"))?;
    Ok(format!(r#"{{"op":"auth","args":[{},{expires},{}]}}"#, quoted(signer.key_id()), quoted(&sign)))
}
