//! What each venue says of a key, and what is made of it: full, read only, with withdrawal, expired, malformed.

use bellwether::exchange::probe::Probed;
use bellwether::exchange::{Ask, Fault, Listings, Product, Reply, Response, VENUES, VenueError, venue};
use bellwether::keys::{Permissions, Remark, Scope, Verdict, judge};
use bellwether_sdk::Ts;

/// The time of these stories: November 2026.
const NOW: Ts = Ts::from_millis(1_793_500_000_000);

/// A venue's answers: full, read only (empty where there are no such keys), with withdrawal, expired.
struct Answers {
    full: String,
    reads: String,
    withdraws: String,
    expired: Expired,
}

/// What becomes of a question that is signed with a key that has ended.
enum Expired {
    /// It is answered, with the end.
    Told(String),
    /// The venue does not know the key any more: status and body.
    Refused(u16, &'static str),
}

fn binance() -> Answers {
    let key = |trade: bool, withdraw: bool, until: i64| {
        format!(
            r#"{{"ipRestrict":true,"createTime":1698645219000,"enableReading":true,"enableWithdrawals":{withdraw},"enableInternalTransfer":false,"enableMargin":false,"enableFutures":{trade},"permitsUniversalTransfer":false,"enableVanillaOptions":false,"enableSpotAndMarginTrading":{trade},"tradingAuthorityExpirationTime":{until}}}"#
        )
    };
    let later = 1_893_456_000_000;
    Answers {
        full: key(true, false, later),
        reads: key(false, false, later),
        withdraws: key(true, true, later),
        expired: Expired::Told(key(true, false, 1_600_000_000_000)),
    }
}

fn bybit() -> Answers {
    let key = |read_only: u8, wallet: &str, until: &str| {
        format!(
            r#"{{"retCode":0,"retMsg":"","result":{{"id":"1","note":"n","apiKey":"k","readOnly":{read_only},"secret":"","permissions":{{"ContractTrade":["Order","Position"],"Spot":["SpotTrade"],"Wallet":[{wallet}],"Derivatives":["DerivativesTrade"]}},"ips":["10.0.0.1"],"type":1,"deadlineDay":83,"expiredAt":"{until}"}},"retExtInfo":{{}},"time":1700000000000}}"#
        )
    };
    let later = "2030-01-02T03:04:05Z";
    Answers {
        full: key(0, "", later),
        reads: key(1, "", later),
        withdraws: key(0, r#""AccountTransfer""#, later),
        expired: Expired::Told(key(0, "", "2024-01-02T03:04:05Z")),
    }
}

fn coinbase() -> Answers {
    let key = |trade: bool, transfer: bool| {
        format!(
            r#"{{"can_view":true,"can_trade":{trade},"can_transfer":{transfer},"portfolio_uuid":"u","portfolio_type":"DEFAULT"}}"#
        )
    };
    Answers {
        full: key(true, false),
        reads: key(false, false),
        withdraws: key(true, true),
        expired: Expired::Refused(401, "Unauthorized"),
    }
}

fn hyperliquid() -> Answers {
    let role = |role: &str| format!(r#"{{"role":"{role}"}}"#);
    // An agent always trades; a master's key could withdraw. One that has ended is removed.
    Answers {
        full: role("agent"),
        reads: String::new(),
        withdraws: role("user"),
        expired: Expired::Refused(200, r#"{"role":"missing"}"#),
    }
}

fn kraken() -> Answers {
    let key = |words: &str, until: i64| {
        format!(
            r#"{{"error":[],"result":{{"apiKeyName":"n","apiKey":"k","nonce":"1","nonceWindow":0,"permissions":["query-funds","query-open-trades","query-closed-trades"{words}],"validUntil":"{until}","queryFrom":"0","queryTo":"0","ipAllowlist":["10.0.0.1"],"lastUsed":"1772627061"}}}}"#
        )
    };
    Answers {
        full: key(r#","modify-trades","create-ws-token""#, 0),
        reads: key("", 0),
        withdraws: key(r#","modify-trades","withdraw-funds""#, 0),
        expired: Expired::Told(key(r#","modify-trades""#, 1_600_000_000)),
    }
}

fn okx() -> Answers {
    let key = |perm: &str| {
        format!(
            r#"{{"code":"0","msg":"","data":[{{"uid":"1","perm":"{perm}","ip":"10.0.0.1","acctLv":"2","posMode":"net_mode"}}]}}"#
        )
    };
    Answers {
        full: key("read_only,trade"),
        reads: key("read_only"),
        withdraws: key("read_only,trade,withdraw"),
        expired: Expired::Refused(401, r#"{"code":"50111","msg":"Invalid OK-ACCESS-KEY","data":[]}"#),
    }
}

fn answers(name: &str) -> Answers {
    match name {
        "binance" => binance(),
        "bybit" => bybit(),
        "coinbase" => coinbase(),
        "hyperliquid" => hyperliquid(),
        "kraken" => kraken(),
        "okx" => okx(),
        other => panic!("no answers of {other} are here: add them"),
    }
}

fn told(name: &str, product: Product, status: u16, body: &str) -> Result<Permissions, VenueError> {
    let venue = venue(name, product).expect("built in");
    let response = Response { status, headers: Vec::new(), body: body.to_owned() };
    match venue.reply(&Ask::Permissions, &response, &Listings::default())? {
        Reply::Permissions(p) => Ok(p),
        other => panic!("{name}: {other:?}"),
    }
}

fn verdict(name: &str, product: Product, scope: Scope, body: &str, accept: bool) -> Verdict {
    let told = told(name, product, 200, body).map_err(|e| e.to_string());
    judge(scope, told.as_ref().map_err(String::as_str), NOW, accept)
}

fn refused(verdict: &Verdict, why: &str) -> bool {
    matches!(verdict, Verdict::Refused(text) if text.contains(why))
}

#[test]
fn every_venues_answers_give_the_stated_verdict() {
    for &(name, product) in VENUES {
        let said = answers(name);
        let of = |scope, body: &str| verdict(name, product, scope, body, false);
        assert!(matches!(of(Scope::Trade, &said.full), Verdict::Fit(_)), "{name}: {:?}", of(Scope::Trade, &said.full));
        let more = of(Scope::Read, &said.full);
        assert!(matches!(&more, Verdict::Fit(r) if r.contains(&Remark::MoreThanRead)), "{name}: {more:?}");
        if !said.reads.is_empty() {
            assert!(refused(&of(Scope::Trade, &said.reads), "may not trade"), "{name}");
            let reads = of(Scope::Read, &said.reads);
            assert!(matches!(&reads, Verdict::Fit(r) if !r.contains(&Remark::MoreThanRead)), "{name}: {reads:?}");
        }
        for accept in [false, true] {
            for scope in [Scope::Read, Scope::Trade] {
                let told = verdict(name, product, scope, &said.withdraws, accept);
                assert!(refused(&told, "withdraw"), "{name}: {told:?}");
            }
        }
        match &said.expired {
            Expired::Told(body) => {
                assert!(refused(&verdict(name, product, Scope::Trade, body, true), "expired"), "{name}");
            }
            Expired::Refused(status, body) => {
                let permissions = told(name, product, *status, body);
                assert!(
                    permissions.as_ref().is_err_and(|e| e.fault == Fault::Authentication),
                    "{name}: {permissions:?}"
                );
                // Who accepts what is unknown does not accept this, whatever else the venue answers.
                assert!(Probed { permissions, read: Ok(()), trial: None }.failed().is_some(), "{name}");
            }
        }
    }
}

#[test]
fn what_is_malformed_fails_closed_unless_it_is_accepted_for_that_key() {
    for &(name, product) in VENUES {
        let full = answers(name).full;
        let cuts = (0..full.len()).filter_map(|n| full.get(..n));
        for body in cuts.chain(["[]", "null", "{}", "<html>", r#"{"error":"no"}"#]) {
            let told = verdict(name, product, Scope::Trade, body, false);
            assert!(matches!(told, Verdict::Refused(_)), "{name}: {body}: {told:?}");
            let told = verdict(name, product, Scope::Trade, body, true);
            assert!(
                matches!(&told, Verdict::Fit(r) if r.iter().any(|r| matches!(r, Remark::Unknown(_)))),
                "{name}: {body}"
            );
        }
    }
}
