//! Signatures: time, method, target and body; HMAC in base64, with a passphrase beside it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::facts::EXPIRES_MS;
use crate::exchange::codec::{Writer, array, iso_millis, to_millis};
use crate::exchange::{Request, Stamp};
use crate::keys::{KeyError, Scheme, Signer};

fn signature(signer: &dyn Signer, payload: &str) -> Result<String, KeyError> {
    match signer.scheme() {
        Scheme::HmacSha256 => signer.sign(payload.as_bytes()).map(|s| STANDARD.encode(s)),
        other => Err(KeyError::Scheme { venue: "okx", wants: "HMAC-SHA256", found: other.name() }),
    }
}

/// Adds the headers that sign a request. Orders also say when they expire, so that none is carried out late.
pub(super) fn request(request: &mut Request, signer: &dyn Signer, stamp: Stamp) -> Result<(), KeyError> {
    let now = iso_millis(stamp.now);
    let payload = format!("{now}{}{}{}", request.method.name(), request.target(), request.body);
    let sign = signature(signer, &payload)?;
    request.headers.extend([
        ("OK-ACCESS-KEY".to_owned(), signer.key_id().to_owned()),
        ("OK-ACCESS-SIGN".to_owned(), sign),
        ("OK-ACCESS-TIMESTAMP".to_owned(), now),
        ("OK-ACCESS-PASSPHRASE".to_owned(), signer.passphrase().to_owned()),
    ]);
    let dated = ["/api/v5/trade/order", "/api/v5/trade/batch-orders", "/api/v5/trade/amend-order"];
    if request.write && dated.contains(&request.path.as_str()) {
        request.headers.push(("expTime".to_owned(), expires(stamp)));
    }
    Ok(())
}

/// When a request of now expires, milliseconds.
pub(super) fn expires(stamp: Stamp) -> String {
    to_millis(stamp.now).saturating_add(EXPIRES_MS).to_string()
}

/// The login of a socket.
pub(super) fn login(signer: &dyn Signer, stamp: Stamp) -> Result<String, KeyError> {
    let now = to_millis(stamp.now).div_euclid(1000).to_string();
    let sign = signature(signer, &format!("{now}GET/users/self/verify"))?;
    let key = Writer::default()
        .text("apiKey", signer.key_id())
        .text("passphrase", signer.passphrase())
        .text("timestamp", &now)
        .text("sign", &sign)
        .end();
    Ok(format!(r#"{{"op":"login","args":{}}}"#, array([key])))
}
