//! Coinbase's codec against hand-written messages of its documents' shapes.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bellwether_sdk::{Interval, OrderKind, Price, Qty, Side, TimeInForce, Ts};
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

use super::Coinbase;
use crate::exchange::trial::{
    CLIENT, CLIENT_TEXT, ID, asked, heard, limit, one, place, prefixes_fail, response, rules, survives, told,
};
use crate::exchange::{
    AccountNote, Act, Amend, Ask, Cancel, Listings, Note, OrderRef, OrderStatus, Reply, Request, Span, Stamp, Topic,
    Venue,
};
use crate::keys::{Credential, Scheme};

const DAY: Span = Span::new(Ts::from_nanos(0), Ts::from_millis(86_400_000));
const NAME: &str = "organizations/test-organization/apiKeys/test-api-key";
const PEM: &str = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIKwf3Uox30cRWzRBOPoPOH5p0Gpb0Dt8zUKXUEM5fMkGoAoGCCqGSM49AwEHoUQDQgAEbAtpLlSZYVOwYICz+uEyxcS29vRIujiES/gQ1DC7FV4zK4JuYE9vqDyGZQYjdXHLM7I6f/QnnOITL+dXYWBHRA==\n-----END EC PRIVATE KEY-----";
/// The vector C1.
const TOKEN: &str = "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6Im9yZ2FuaXphdGlvbnMvdGVzdC1vcmdhbml6YXRpb24vYXBpS2V5cy90ZXN0LWFwaS1rZXkiLCJub25jZSI6IjAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwIn0.eyJzdWIiOiJvcmdhbml6YXRpb25zL3Rlc3Qtb3JnYW5pemF0aW9uL2FwaUtleXMvdGVzdC1hcGkta2V5IiwiaXNzIjoiY2RwIiwibmJmIjoxNzAwMDAwMDAwLCJleHAiOjE3MDAwMDAxMjAsInVyaSI6IkdFVCBhcGkuY29pbmJhc2UuY29tL2FwaS92My9icm9rZXJhZ2UvYWNjb3VudHMifQ.9nrNr4Jqu9UaCCObqQWgCul466l31y5k1e5SyyN5u45J-uX2ei83d_ZuaH6uSS7qogtd-8jtNvGjycpRYhQFtg";

fn desk() -> (Coinbase, Listings) {
    (Coinbase::new(), one(rules("coinbase:BTC/USD", "BTC-USD", 2, 8)))
}

fn es256() -> Credential {
    Credential::new(NAME, Scheme::Es256, PEM).expect("a key")
}

fn eddsa() -> Credential {
    let secret = "k0BUni0p0vZG1BdpVjS6ogBJ7kxm630AJ2dN+tuputDOKsRAwgyrpEQLeBtS1znTmzPX6Xr2eOWpzx6nW8knkA==";
    Credential::new(NAME, Scheme::Ed25519, secret).expect("a key")
}

fn stamp(nonce: u64) -> Stamp {
    Stamp { now: Ts::from_millis(1_700_000_000_999), nonce }
}

/// The token that a request is signed with.
fn token(key: &Credential, nonce: u64, query: &str) -> String {
    let (venue, _) = desk();
    let mut request = Request::get("/api/v3/brokerage/accounts", query, 1).signed();
    venue.sign(&mut request, key, stamp(nonce)).expect("signed");
    let header = request.headers.iter().find(|(n, _)| n == "authorization").map(|(_, v)| v.as_str());
    header.and_then(|h| h.strip_prefix("Bearer ")).expect("a token").to_owned()
}

fn verifies(token: &str) -> bool {
    let (signed, signature) = token.rsplit_once('.').expect("three parts");
    let public: Vec<u8> = [
        "046c0b692e54996153b06080b3fae132c5c4b6f6f448ba38844bf810d430bb155e",
        "332b826e604f6fa83c866506237571cb33b23a7ff4279ce2132fe75761604744",
    ]
    .concat()
    .as_bytes()
    .chunks(2)
    .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).expect("text"), 16).expect("hex"))
    .collect();
    let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public).verify(signed.as_bytes(), &signature).is_ok()
}

#[test]
fn tokens_are_those_of_the_fact_sheet() {
    let ours = token(&es256(), 0, "limit=250");
    let parts = |token: &str| token.rsplit_once('.').map(|(signed, _)| signed.to_owned()).expect("three parts");
    assert_eq!(parts(&ours), parts(TOKEN), "header and claims, the query left out");
    assert!(verifies(TOKEN), "the vector itself");
    assert!(verifies(&ours), "ours, which is signed at random");
    assert!(!verifies(&ours.replacen("eyJ", "eyK", 1)));
    let exact = token(&eddsa(), 0, "");
    let (signed, signature) = exact.rsplit_once('.').expect("three parts");
    assert_eq!(signature, "ysF3-KIAYR6HDJntx5jD718Vo9btvfpTiVWnET46LSmTyzuuyXnPCr4Umopm2JjGacRdHOp8Vz6m9KH5EsmzAg");
    let (header, claims) = signed.split_once('.').expect("two parts");
    assert_eq!(Some(claims), TOKEN.split('.').nth(1));
    let header = URL_SAFE_NO_PAD.decode(header).expect("base64url");
    assert!(header.starts_with(br#"{"alg":"EdDSA","typ":"JWT","kid":"#));
    let header =
        URL_SAFE_NO_PAD.decode(token(&eddsa(), 255, "").split('.').next().expect("a part")).expect("base64url");
    assert!(header.ends_with(br#""nonce":"000000000000000000000000000000ff"}"#));
    let wrong = Credential::new("k", Scheme::HmacSha256, "secret").expect("a key");
    assert!(desk().0.sign(&mut Request::get("/", "", 1), &wrong, stamp(0)).is_err());
}

#[test]
fn the_private_stream_subscribes_with_a_token_without_a_path() {
    let (venue, l) = desk();
    let plan = venue.account(&venue.facts().urls, &l, &eddsa(), "", stamp(0)).expect("a plan").expect("a plan");
    assert_eq!(plan.messages[1], r#"{"type":"subscribe","channel":"heartbeats"}"#);
    let user: serde_json::Value = serde_json::from_str(&plan.messages[0]).expect("JSON");
    assert_eq!((&user["channel"], &user["product_ids"]), (&"user".into(), &serde_json::json!(["BTC-USD"])));
    let claims = user["jwt"].as_str().and_then(|t| t.split('.').nth(1)).expect("claims");
    assert!(URL_SAFE_NO_PAD.decode(claims).expect("base64url").ends_with(br#""nbf":1700000000,"exp":1700000120}"#));
    assert_eq!(venue.trade(&venue.facts().urls, &l, &eddsa(), "", stamp(0)), Ok(None));
    assert_eq!(venue.say(&Act::CancelAll(ID), 1, &l, &eddsa(), "", stamp(0)), Ok(None));
}

#[test]
fn questions_become_these_requests() {
    let (venue, l) = desk();
    let (from, to) = (Ts::from_millis(1_700_000_000_000), Ts::from_millis(1_800_000_000_000));
    let root = "GET /api/v3/brokerage";
    let no = "unsupported: venue_rejected".to_owned();
    for (ask, expected) in [
        (Ask::Time, format!("{root}/time")),
        (Ask::Instruments, format!("{root}/market/products?product_type=SPOT")),
        (Ask::Ticker(ID), format!("{root}/market/products/BTC-USD/ticker?limit=1")),
        (Ask::Book(ID, 5), format!("{root}/market/product_book?product_id=BTC-USD&limit=5")),
        (Ask::Trades(ID, 5000), format!("{root}/market/products/BTC-USD/ticker?limit=1000")),
        (Ask::TradesFrom(ID, from), no.clone()),
        (
            Ask::Bars(ID, Interval::MINUTE, from, to),
            format!(
                "{root}/market/products/BTC-USD/candles?start=1700000000&end=1700020999&granularity=ONE_MINUTE&limit=350"
            ),
        ),
        (Ask::Balances, format!("{root}/accounts?limit=250 signed")),
        (Ask::Positions, no.clone()),
        (Ask::Funding(ID, from, to), no.clone()),
        (Ask::OpenOrders(None), format!("{root}/orders/historical/batch?order_status=OPEN signed")),
        (
            Ask::OpenOrders(Some(ID)),
            format!("{root}/orders/historical/batch?order_status=OPEN&product_ids=BTC-USD signed"),
        ),
        (Ask::Order(ID, OrderRef::Venue("a/b".to_owned())), format!("{root}/orders/historical/a%2Fb signed")),
        (
            Ask::Order(ID, OrderRef::Client(CLIENT)),
            format!("{root}/orders/historical/batch?product_ids=BTC-USD&limit=250 signed"),
        ),
        (
            Ask::Fills(ID, Span::new(from, to)),
            format!(
                "{root}/orders/historical/fills?product_ids=BTC-USD&start_sequence_timestamp=2023-11-14T22%3A13%3A20.000Z&limit=250 signed"
            ),
        ),
        (Ask::Permissions, format!("{root}/key_permissions signed")),
        (Ask::StreamTicket, no),
    ] {
        assert_eq!(asked(venue.ask(&ask, &l)), expected, "{ask:?}");
    }
    assert_eq!(venue.guess_name(&"coinbase:BTC/USD".parse().expect("a symbol")), "BTC-USD");
}

#[test]
fn orders_become_these_requests() {
    let (venue, l) = desk();
    let price = Price::from_mantissa(1_000_050);
    let stop = OrderKind::StopLimit { trigger: Price::from_mantissa(1_100_000), price };
    let end = TimeInForce::Gtd(Ts::from_millis(1_607_418_537_715));
    let tif = |kind, tif| place(Side::Buy, kind, |o| o.tif = tif);
    let resting = OrderKind::Limit { price };
    for (order, expected) in [
        (
            limit(Side::Buy, 1_000_050),
            r#""limit_limit_gtc":{"base_size":"0.00000005","limit_price":"10000.5","post_only":false}"#,
        ),
        (
            place(Side::Buy, resting, |o| o.post_only = true),
            r#""limit_limit_gtc":{"base_size":"0.00000005","limit_price":"10000.5","post_only":true}"#,
        ),
        (
            tif(resting, end),
            r#""limit_limit_gtd":{"base_size":"0.00000005","limit_price":"10000.5","end_time":"2020-12-08T09:08:57.715Z","post_only":false}"#,
        ),
        (tif(resting, TimeInForce::Ioc), r#""sor_limit_ioc":{"base_size":"0.00000005","limit_price":"10000.5"}"#),
        (tif(resting, TimeInForce::Fok), r#""limit_limit_fok":{"base_size":"0.00000005","limit_price":"10000.5"}"#),
        (tif(OrderKind::Market, TimeInForce::Gtc), r#""market_market_ioc":{"base_size":"0.00000005"}"#),
        (tif(OrderKind::Market, TimeInForce::Fok), r#""market_market_fok":{"base_size":"0.00000005"}"#),
        (
            tif(stop, TimeInForce::Gtc),
            r#""stop_limit_stop_limit_gtc":{"base_size":"0.00000005","limit_price":"10000.5","stop_price":"11000","stop_direction":"STOP_DIRECTION_STOP_UP"}"#,
        ),
    ] {
        assert_eq!(
            asked(venue.act(&Act::Place(order), &l)),
            format!(
                r#"POST /api/v3/brokerage/orders signed {{"client_order_id":"{CLIENT_TEXT}","product_id":"BTC-USD","side":"BUY","order_configuration":{{{expected}}}}}"#
            )
        );
    }
    for refused in [
        place(Side::Sell, OrderKind::StopMarket { trigger: price }, |_| {}),
        tif(stop, TimeInForce::Ioc),
        tif(OrderKind::Market, end),
        place(Side::Buy, OrderKind::Market, |o| o.post_only = true),
        place(Side::Buy, resting, |o| (o.post_only, o.tif) = (true, TimeInForce::Ioc)),
        place(Side::Buy, resting, |o| o.reduce_only = true),
    ] {
        assert_eq!(asked(venue.act(&Act::Place(refused), &l)), "unsupported: venue_rejected");
    }
}

#[test]
fn changes_and_cancels_name_the_venues_ids() {
    let (venue, l) = desk();
    let by = |order| Cancel { instrument: ID, order };
    let known = || by(OrderRef::Venue("v1".to_owned()));
    assert_eq!(
        asked(venue.act(&Act::CancelMany(vec![known(), known()]), &l)),
        r#"POST /api/v3/brokerage/orders/batch_cancel signed {"order_ids":["v1","v1"]}"#
    );
    let amend = |price| Amend {
        instrument: ID,
        order: OrderRef::Venue("v1".to_owned()),
        side: Side::Buy,
        price,
        qty: Some(Qty::from_mantissa(100_000_000)),
    };
    assert_eq!(
        asked(venue.act(&Act::Amend(amend(Some(Price::from_mantissa(150)))), &l)),
        r#"POST /api/v3/brokerage/orders/edit signed {"order_id":"v1","price":"1.5","size":"1"}"#
    );
    for refused in [
        Act::Amend(amend(None)),
        Act::Cancel(by(OrderRef::Client(CLIENT))),
        Act::CancelMany(Vec::new()),
        Act::CancelAll(ID),
        Act::PlaceMany(vec![limit(Side::Buy, 1)]),
        Act::CancelReplace(known(), limit(Side::Buy, 1)),
    ] {
        assert_eq!(asked(venue.act(&refused, &l)), "unsupported: venue_rejected", "{refused:?}");
    }
}

#[test]
fn acts_are_answered_even_when_200_says_no() {
    let (venue, l) = desk();
    let placing = Act::Place(limit(Side::Buy, 1));
    let reply = |act: &Act, body: &str| venue.act_reply(act, &response(200, body), &l);
    let ok = format!(
        r#"{{"success":true,"success_response":{{"order_id":"v1","product_id":"BTC-USD","side":"BUY","client_order_id":"{CLIENT_TEXT}"}}}}"#
    );
    let taken = reply(&placing, &ok).expect("taken");
    assert_eq!((taken[0].venue_id.as_str(), taken[0].client), ("v1", Some(CLIENT)));
    let no = |error: &str, preview: &str| {
        let body = format!(
            r#"{{"success":false,"error_response":{{"error":"{error}","message":"words","error_details":"","preview_failure_reason":"{preview}","new_order_failure_reason":"UNKNOWN_FAILURE_REASON"}}}}"#
        );
        let error = reply(&placing, &body).expect_err("refused");
        (error.fault.name(), error.reason, error.code, error.text)
    };
    for (error, preview, reason, code) in [
        ("INSUFFICIENT_FUND", "UNKNOWN_PREVIEW_FAILURE_REASON", "insufficient_funds", "INSUFFICIENT_FUND"),
        (
            "UNKNOWN_FAILURE_REASON",
            "PREVIEW_INVALID_LIMIT_PRICE_POST_ONLY",
            "post_only_would_take",
            "PREVIEW_INVALID_LIMIT_PRICE_POST_ONLY",
        ),
        ("", "PREVIEW_INVALID_SIZE_PRECISION", "size_off_lot", "PREVIEW_INVALID_SIZE_PRECISION"),
        ("NEW_THING", "", "venue_rejected", "NEW_THING"),
    ] {
        assert_eq!(no(error, preview), ("rejected", reason, code.to_owned(), "words".to_owned()));
    }
    let cancel = Act::Cancel(Cancel { instrument: ID, order: OrderRef::Venue("v1".to_owned()) });
    let results = |ok: bool| {
        format!(r#"{{"results":[{{"success":{ok},"failure_reason":"UNKNOWN_CANCEL_ORDER","order_id":"v1"}}]}}"#)
    };
    assert_eq!(reply(&cancel, &results(true)).expect("taken")[0].venue_id, "v1");
    assert_eq!(reply(&cancel, &results(false)).expect_err("refused").reason, "unknown_order");
    let many = reply(&Act::CancelMany(Vec::new()), &results(false)).expect("verdicts");
    assert_eq!(many[0].refused.as_ref().map(|e| e.reason), Some("unknown_order"));
    let amend = Act::Amend(Amend {
        instrument: ID,
        order: OrderRef::Venue("v".into()),
        side: Side::Buy,
        price: None,
        qty: None,
    });
    assert!(reply(&amend, r#"{"success":true,"errors":[]}"#).is_ok());
    let error = reply(&amend, r#"{"success":false,"errors":[{"edit_failure_reason":"INVALID_PRICE_PRECISION"}]}"#);
    assert_eq!(error.expect_err("refused").reason, "price_off_tick");
    for body in ["", "[]", "{}", r#"{"success":true}"#] {
        assert_eq!(reply(&placing, body).expect_err(body).fault.name(), "unknown_outcome", "{body}");
    }
    assert_eq!(reply(&cancel, r#"{"results":[]}"#).expect_err("nothing").fault.name(), "unknown_outcome");
}

#[test]
fn topics_are_one_channel_per_message_with_heartbeats() {
    let (venue, l) = desk();
    let five = Interval::from_nanos(300_000_000_000).expect("an interval");
    let topics = [
        Topic::Trades(ID),
        Topic::Depth(ID, 10),
        Topic::Bars(ID, five),
        Topic::Bars(ID, Interval::MINUTE),
        Topic::Quotes(ID),
        Topic::Funding(ID),
    ];
    let plans = venue.market(&venue.facts().urls, &topics, &l);
    assert_eq!(plans[0].topics, [Topic::Trades(ID), Topic::Depth(ID, 10), Topic::Bars(ID, five), Topic::Quotes(ID)]);
    assert_eq!(
        plans[0].messages,
        [
            r#"{"type":"subscribe","channel":"heartbeats"}"#,
            r#"{"type":"subscribe","product_ids":["BTC-USD"],"channel":"level2"}"#,
            r#"{"type":"subscribe","product_ids":["BTC-USD"],"channel":"market_trades"}"#,
            r#"{"type":"subscribe","product_ids":["BTC-USD"],"channel":"ticker"}"#,
            r#"{"type":"subscribe","product_ids":["BTC-USD"],"channel":"candles"}"#,
        ]
    );
    assert_eq!(
        venue.renew_book(Topic::Depth(ID, 10), &l),
        [
            r#"{"type":"unsubscribe","product_ids":["BTC-USD"],"channel":"level2"}"#,
            r#"{"type":"subscribe","product_ids":["BTC-USD"],"channel":"level2"}"#
        ]
    );
}

const BOOK: &str = r#"{"channel":"l2_data","client_id":"","timestamp":"2026-04-07T14:30:01.456789Z","sequence_num":7,"events":[{"type":"update","product_id":"BTC-USD","updates":[{"side":"bid","event_time":"1970-01-01T00:00:00Z","price_level":"68900.00","new_quantity":"2.00000000"},{"side":"offer","event_time":"x","price_level":"68901.00","new_quantity":"0"}]}]}"#;
const TRADES: &str = r#"{"channel":"market_trades","client_id":"","timestamp":"2026-04-07T14:30:02Z","sequence_num":8,"events":[{"type":"update","trades":[{"trade_id":"12","product_id":"BTC-USD","price":"68900.50","size":"0.0015","side":"BUY","time":"2026-04-07T14:30:02.789Z"},{"trade_id":"11","product_id":"BTC-USD","price":"68900","size":"0.05","side":"SELL","time":"2026-04-07T14:30:02.5Z"}]}]}"#;

#[test]
fn market_messages_tell_their_number_first() {
    let (venue, l) = desk();
    let hear = |text: &str| heard(&venue, text, &l);
    assert_eq!(hear(BOOK), ["Sequence(7)", "change 3 0-0<0 b6890000x200000000 a6890100x0 at 1775572201456 None"]);
    assert!(hear(&BOOK.replace("\"update\"", "\"snapshot\""))[1].starts_with("snapshot 3 0-0<0 "));
    assert_eq!(
        hear(TRADES),
        [
            "Sequence(8)",
            "trade 3 6890000x5000000 Buyer at 1775572202500 #11",
            "trade 3 6890050x150000 Seller at 1775572202789 #12"
        ],
        "oldest first, and the side is the maker's"
    );
    assert_eq!(hear(&TRADES.replace("\"update\"", "\"snapshot\"")), ["Sequence(8)", "Ignored"]);
    let ticker = r#"{"channel":"ticker","timestamp":"2026-04-07T14:30:03Z","sequence_num":9,"events":[{"type":"update","tickers":[{"type":"ticker","product_id":"BTC-USD","price":"1","best_bid":"68900","best_bid_quantity":"1.5","best_ask":"","best_ask_quantity":""}]}]}"#;
    assert_eq!(hear(ticker), ["Sequence(9)", "quote 3 6890000x150000000 0x0 at 1775572203000"]);
    let candles = r#"{"channel":"candles","timestamp":"2026-04-07T14:30:05Z","sequence_num":3,"events":[{"type":"update","candles":[{"start":"1775521800","high":"4","low":"1","open":"2","close":"3","volume":"42","product_id":"BTC-USD"}]}]}"#;
    assert_eq!(hear(candles), ["Sequence(3)", "bar 3 1775521800000-1775522100000 200 400 100 300 v4200000000 false"]);
    for (text, expected) in [
        (r#"{"channel":"heartbeats","sequence_num":0,"events":[{"heartbeat_counter":42}]}"#, "Alive"),
        (r#"{"channel":"subscriptions","sequence_num":1,"events":[]}"#, "Subscribed"),
        (&TRADES.replace("BTC-USD", "ETH-USD"), "Ignored"),
    ] {
        assert_eq!(hear(text)[1], expected, "{text}");
    }
    assert!(hear(r#"{"channel":"new","sequence_num":1,"events":[]}"#)[1].starts_with("Unexpected"));
    assert_eq!(hear(r#"{"type":"error","message":"no such channel"}"#), ["Refused(\"no such channel\")"]);
}

const USER: &str = r#"{"channel":"user","client_id":"","timestamp":"2026-04-07T14:30:06Z","sequence_num":1,"events":[{"type":"update","orders":[{"order_id":"v1","client_order_id":"0000000000000abc0000000000000007","cumulative_quantity":"0.5","leaves_quantity":"0.5","avg_price":"1","total_fees":"0","status":"OPEN","product_id":"BTC-USD","order_side":"BUY","cancel_reason":"","reject_reason":""}]}]}"#;

#[test]
fn the_private_stream_tells_what_filled_in_all() {
    let (venue, l) = desk();
    let read = |text: &str| venue.read_account(text, &l).unwrap_or_else(|e| panic!("{text}: {e}"));
    let notes = read(USER);
    let [AccountNote::Sequence(1), AccountNote::Order(note)] = notes.as_slice() else { panic!("{notes:?}") };
    assert_eq!((note.status, note.filled), (OrderStatus::PartlyFilled, Some(Qty::from_mantissa(50_000_000))));
    assert_eq!((note.venue_id.as_str(), note.client_id.as_str()), ("v1", CLIENT_TEXT));
    let status = |text: &str| match read(text).pop() {
        Some(AccountNote::Order(note)) => (note.status, note.reason),
        other => panic!("{other:?}"),
    };
    assert_eq!(status(&USER.replace("0.5", "0")), (OrderStatus::Acknowledged, ""));
    assert_eq!(status(&USER.replace("OPEN", "CANCEL_QUEUED")), (OrderStatus::PartlyFilled, ""));
    assert_eq!(status(&USER.replace("OPEN", "EXPIRED")), (OrderStatus::Expired, ""));
    let failed =
        USER.replace("OPEN", "FAILED").replace("\"reject_reason\":\"\"", "\"reject_reason\":\"INSUFFICIENT_FUNDS\"");
    assert_eq!(status(&failed), (OrderStatus::Rejected, "insufficient_funds"));
    let odd = read(&USER.replace("OPEN", "DREAMING"));
    assert!(matches!(&odd[1], AccountNote::Unexpected(t) if t.contains("DREAMING")), "{odd:?}");
    let on = r#"{"channel":"subscriptions","sequence_num":2,"events":[{"subscriptions":{"user":["x"]}}]}"#;
    assert_eq!(read(on), [AccountNote::Sequence(2), AccountNote::Ready]);
    assert_eq!(read(&on.replace("user", "heartbeats"))[1], AccountNote::Ignored);
    let refused = read(r#"{"type":"error","message":"authentication failure"}"#);
    assert!(matches!(&refused[0], AccountNote::Refused(e) if e.fault.name() == "authentication"));
    for (words, fault) in [
        ("authentication_failure", "authentication"),
        ("jwt is not valid", "authentication"),
        ("rate limit exceeded", "rate_limited"),
        ("too many subscriptions", "rate_limited"),
        ("failure to subscribe", "rejected"),
    ] {
        let refused = read(&format!(r#"{{"type":"error","message":"{words}"}}"#));
        assert!(matches!(&refused[0], AccountNote::Refused(e) if e.fault.name() == fault), "{words}: {refused:?}");
    }
}

#[test]
fn answers_are_read() {
    let (venue, l) = desk();
    let tell = |ask: Ask, body: &str| told(&venue, &ask, body, &l);
    assert_eq!(
        tell(Ask::Time, r#"{"iso":"x","epochSeconds":"1","epochMillis":"1700000000123"}"#),
        Reply::Time(Ts::from_millis(1_700_000_000_123))
    );
    let item = |id: &str, kind: &str, tick: &str| {
        format!(
            r#"{{"product_id":"{id}","product_type":"{kind}","base_currency_id":"BTC","quote_currency_id":"USD","base_increment":"0.00000001","quote_increment":"0.01","price_increment":"{tick}","base_min_size":"0.0001","base_max_size":"3400","quote_min_size":"1","quote_max_size":"150000000","status":"online","trading_disabled":false}}"#
        )
    };
    let body = format!(
        r#"{{"products":[{},{},{},{{"product_id":"WORSE","status":7}}]}}"#,
        item("BTC-USD", "SPOT", "0.5"),
        item("X", "FUTURE", "1"),
        item("BAD", "SPOT", "zero")
    );
    let Reply::Instruments(rules, unread) = tell(Ask::Instruments, &body) else { panic!() };
    assert_eq!(unread, ["BAD", "WORSE"]);
    assert_eq!(
        (rules[0].symbol.as_str(), rules[0].price_scale, rules[0].tick),
        ("coinbase:BTC/USD", 2, Price::from_mantissa(50))
    );
    assert_eq!(
        (rules[0].qty_min, rules[0].notional_min, rules[0].closed.is_none()),
        (Qty::from_mantissa(10_000), 10_000_000_000, true)
    );
    assert_eq!(
        (rules[0].qty_max.mantissa(), rules[0].qty_max_market, rules[0].notional_max),
        (340_000_000_000, Qty::ZERO, 150_000_000 * 10i128.pow(10))
    );
    let bars = r#"{"candles":[{"start":"120","low":"1","high":"4","open":"2","close":"3","volume":"1"},{"start":"60","low":"1","high":"4","open":"2","close":"3","volume":"1"}]}"#;
    let asking = |to| Ask::Bars(ID, Interval::MINUTE, Ts::from_nanos(0), Ts::from_millis(to));
    let opens = |to| match tell(asking(to), bars) {
        Reply::Bars(bars) => bars.iter().map(|b| b.ts_open.nanos() / 1_000_000_000).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    assert_eq!((opens(180_000), opens(179_999)), (vec![60, 120], vec![60]), "an open one is left out");
    let accounts = r#"{"accounts":[{"currency":"BTC","available_balance":{"value":"1.5","currency":"BTC"},"hold":{"value":"0.25","currency":"BTC"}},{"currency":"X","available_balance":{"value":"0"},"hold":{"value":"0"}}],"has_next":false}"#;
    let Reply::Balances(rows) = tell(Ask::Balances, accounts) else { panic!() };
    assert_eq!((rows.len(), rows[0].total.to_string().as_str(), rows[0].free.to_string().as_str()), (1, "1.75", "1.5"));
    let error = |ask: &Ask, body: &str| venue.reply(ask, &response(200, body), &l).expect_err("an error");
    assert_eq!(error(&Ask::Balances, &accounts.replace("false", "true")).fault.name(), "unsupported");
    let order = |client: &str| {
        format!(
            r#"{{"order_id":"v1","product_id":"BTC-USD","client_order_id":"{client}","side":"SELL","status":"OPEN","order_configuration":{{"stop_limit_stop_limit_gtd":{{"base_size":"2","limit_price":"3","stop_price":"4","end_time":"1970-01-01T00:00:01Z"}}}},"filled_size":"1","created_time":"1970-01-01T00:00:05Z"}}"#
        )
    };
    let list = format!(r#"{{"orders":[{},{}],"has_next":true}}"#, order("other"), order(CLIENT_TEXT));
    let ours = Ask::Order(ID, OrderRef::Client(CLIENT));
    let Reply::Orders(rows, 0) = tell(ours.clone(), &list) else { panic!() };
    assert_eq!((rows.len(), rows[0].client_id.as_str(), rows[0].status), (1, CLIENT_TEXT, OrderStatus::PartlyFilled));
    let (trigger, price) = (Price::from_mantissa(400), Price::from_mantissa(300));
    assert_eq!(rows[0].kind, Some(OrderKind::StopLimit { trigger, price }));
    assert_eq!((rows[0].tif, rows[0].ts_venue), (TimeInForce::Gtd(Ts::from_millis(1000)), Ts::from_millis(5000)));
    assert_eq!(error(&ours, r#"{"orders":[]}"#).reason, "unknown_order");
    assert_eq!(error(&Ask::OpenOrders(None), &list).fault.name(), "unsupported", "no silent end of page");
    let page = list.replace("\"has_next\"", "\"cursor\":\"c7\",\"has_next\"");
    let Reply::SomeOrders(rows, 0, ended) = tell(Ask::OpenOrders(None), &page) else { panic!("a page") };
    let next = venue.ask_on(&Ask::OpenOrders(None), &ended, &l).expect("a request");
    assert_eq!((rows.len(), next.query.as_str()), (2, "order_status=OPEN&cursor=c7"));
    let single = format!(r#"{{"order":{}}}"#, order("c"));
    assert!(
        matches!(tell(Ask::Order(ID, OrderRef::Venue("v1".into())), &single), Reply::Orders(r, 0) if r[0].venue_id == "v1")
    );
    let fill = r#"{"fills":[{"trade_id":"t1","order_id":"v1","trade_time":"1970-01-01T00:00:05Z","trade_type":"FILL","price":"3","size":"0.5","commission":"1.14","product_id":"BTC-USD","liquidity_indicator":"MAKER","size_in_quote":false,"side":"BUY"}],"cursor":""}"#;
    let Reply::Fills(rows, None) = tell(Ask::Fills(ID, DAY), fill) else { panic!() };
    assert_eq!(
        (rows[0].fee.to_string().as_str(), rows[0].fee_currency.as_str(), rows[0].qty),
        ("1.14", "USD", Qty::from_mantissa(50_000_000))
    );
    assert!(error(&Ask::Fills(ID, DAY), &fill.replace("false", "true")).text.contains("amount of quote"));
    let page = fill.replace("\"cursor\":\"\"", "\"cursor\":\"c8\"");
    let Reply::Fills(_, Some(older)) = tell(Ask::Fills(ID, DAY), &page) else { panic!("no silent end of page") };
    let next = venue.ask(&Ask::Fills(ID, older.clone()), &l).expect("a request");
    assert!(next.query.ends_with("1970-01-01T00%3A00%3A00.000Z&limit=250&cursor=c8"), "{}", next.query);
    let Reply::Fills(_, None) = tell(Ask::Fills(ID, older), r#"{"fills":[],"cursor":"c9"}"#) else { panic!("the end") };
    let Reply::Permissions(p) =
        tell(Ask::Permissions, r#"{"can_view":true,"can_trade":true,"can_transfer":true,"portfolio_uuid":"x"}"#)
    else {
        panic!()
    };
    assert_eq!((p.read, p.trade, p.withdraw), (Some(true), Some(true), Some(true)));
}

#[test]
fn errors_are_sorted() {
    let (venue, l) = desk();
    let placing = Act::Place(limit(Side::Buy, 1));
    for (status, body, read, write) in [
        (401, "Unauthorized", "authentication", "authentication"),
        (403, r#"{"error":"PERMISSION_DENIED","code":7,"message":"no"}"#, "authentication", "authentication"),
        (429, r#"{"errors":[{"id":"rate_limit_exceeded","message":"slow"}]}"#, "rate_limited", "rate_limited"),
        (400, r#"{"error":"resource_exhausted","message":"slow"}"#, "rate_limited", "rate_limited"),
        (400, r#"{"error":"INVALID_ARGUMENT","code":3,"message":"no","details":[]}"#, "rejected", "rejected"),
        (500, r#"{"error":"INTERNAL","message":"no"}"#, "transient", "unknown_outcome"),
        (503, "<html>", "transient", "unknown_outcome"),
        (200, "<html>", "malformed", "unknown_outcome"),
    ] {
        let error = venue.reply(&Ask::Balances, &response(status, body), &l).expect_err("an error");
        assert_eq!(error.fault.name(), read, "{status} {body}");
        let error = venue.act_reply(&placing, &response(status, body), &l).expect_err("an error");
        assert_eq!(error.fault.name(), write, "{status} {body}");
    }
    let gone = response(404, r#"{"error":"NOT_FOUND","code":5,"message":"order not found"}"#);
    let error = venue.reply(&Ask::Order(ID, OrderRef::Venue("v".into())), &gone, &l).expect_err("an error");
    assert_eq!(
        (error.fault.name(), error.reason, error.text.as_str()),
        ("rejected", "unknown_order", "order not found")
    );
}

#[test]
fn bad_input_is_an_error_and_never_a_panic() {
    let (venue, l) = desk();
    for text in [BOOK, TRADES, USER] {
        survives(&venue, text, &l);
    }
    prefixes_fail(&venue, &Ask::Time, r#"{"epochMillis":"1"}"#, &l);
    let read = |text: &str| venue.read_market(text, &l, Ts::from_nanos(1), &mut |_: Note<'_>| {});
    for (text, find, put) in [
        (TRADES, "68900.50", "68900.505"),
        (TRADES, "\"0.0015\"", "\"0.000000001\""),
        (TRADES, "2026-04-07T14:30:02.789Z", "yesterday"),
        (BOOK, "\"bid\"", "\"middle\""),
        (BOOK, "\"update\"", "\"change\""),
        (BOOK, "\"sequence_num\":7,", ""),
        (BOOK, "\"sequence_num\":7", "\"sequence_num\":-7"),
        (BOOK, "68901.00", "1e300"),
    ] {
        assert!(read(&text.replace(find, put)).is_err(), "{put}");
    }
    assert!(venue.read_account(&USER.replace("0.5", "0.000000001"), &l).is_err(), "money is never guessed");
    assert!(venue.read_trade("{}", &l).is_err());
}
