//! What a dry run writes: requests as they would go out, without what only the venue may see.

use serde_json::{Value, json};

use super::LookError;
use crate::exchange::{Act, Listings, Request, Stamp, Urls, Venue};
use crate::keys::{Credential, Signer};

/// What stands where a secret would.
const HIDDEN: &str = "(hidden)";

/// What stands where a ticket would, that the venue gives for a connection.
const TICKET: &str = "(the ticket of the connection)";

/// A request of REST.
pub(super) fn written(base: &str, request: &Request, passphrase: &str) -> Value {
    let headers: serde_json::Map<String, Value> = request
        .headers
        .iter()
        .map(|(name, value)| {
            let shown = if !passphrase.is_empty() && value == passphrase { HIDDEN } else { value };
            (name.clone(), json!(shown))
        })
        .collect();
    json!({
        "method": request.method.name(),
        "url": format!("{base}{}", request.target()),
        "headers": headers,
        "body": request.body,
        "signed": request.signed,
    })
}

/// What a session would say on its trading socket, the first of its requests: where that is, what opens it, and the
/// message. `None` where the act goes by REST.
pub(super) fn said(
    venue: &dyn Venue,
    urls: &Urls,
    listings: &Listings,
    act: &Act,
    signer: &Credential,
    stamp: Stamp,
) -> Result<Option<Value>, LookError> {
    let Some(plan) = venue.trade(urls, listings, signer, TICKET, stamp)? else { return Ok(None) };
    let message = venue.say(act, 1, listings, signer, TICKET, stamp).map_err(LookError::Venue)?;
    let Some(message) = message else { return Ok(None) };
    let shown = |text: String| match signer.passphrase() {
        "" => text,
        secret => text.replace(secret, HIDDEN),
    };
    let opens: Vec<String> = plan.login.into_iter().chain(plan.messages).map(shown).collect();
    Ok(Some(json!({"url": plan.url, "opens": opens, "message": message})))
}
