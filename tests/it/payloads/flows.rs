//! What changed an account beside its orders: every venue's question, and its answer in the shape of its documents.

use bellwether::exchange::{Ask, Listings, MovedRow, PaidRow, Product, Reply, Request, Response, Span, Venue, venue};
use bellwether_sdk::{Decimal, InstrumentId, Ts};

use super::rules;

const BTC: InstrumentId = InstrumentId(0);
const FROM: i64 = 1_700_000_000_000;
const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

fn ms(at: i64) -> Ts {
    Ts::from_millis(at)
}

/// A stretch from [`FROM`] of so many milliseconds.
fn span(long: i64) -> Span {
    Span::new(ms(FROM), ms(FROM + long))
}

fn decimal(text: &str) -> Decimal {
    text.parse().expect("a decimal")
}

struct Desk {
    venue: Box<dyn Venue>,
    listings: Listings,
}

/// A venue with one instrument.
fn at(name: &str, product: Product, symbol: &str, called: &str) -> Desk {
    Desk {
        venue: venue(name, product).expect("built in"),
        listings: Listings::new([(BTC, rules(symbol, called, 1, 4))]),
    }
}

impl Desk {
    fn ask(&self, ask: &Ask) -> Request {
        let request = self.venue.ask(ask, &self.listings).expect("a request");
        assert!(request.signed, "{request:?}");
        request
    }

    fn reply(&self, ask: &Ask, body: &str) -> Reply {
        let response = Response { status: 200, headers: Vec::new(), body: body.to_owned() };
        self.venue.reply(ask, &response, &self.listings).expect("a reply")
    }

    fn paid(&self, span: &Span, body: &str) -> (Vec<PaidRow>, Option<Span>) {
        match self.reply(&Ask::Paid(span.clone()), body) {
            Reply::Paid(rows, further) => (rows, further),
            other => panic!("{other:?}"),
        }
    }

    fn moved(&self, span: &Span, body: &str) -> (Vec<MovedRow>, Option<Span>) {
        match self.reply(&Ask::Moved(span.clone()), body) {
            Reply::Moved(rows, further) => (rows, further),
            other => panic!("{other:?}"),
        }
    }
}

fn payment(id: &str, amount: &str, currency: &str, at: i64) -> PaidRow {
    PaidRow {
        instrument: BTC,
        id: id.to_owned(),
        amount: decimal(amount),
        currency: currency.to_owned(),
        ts_venue: ms(at),
    }
}

/// Id, amount, currency, the venue's word.
fn shown(rows: &[MovedRow]) -> Vec<(&str, String, &str, &str)> {
    let row = |r: &MovedRow| r.amount.normalized().to_string();
    rows.iter().map(|r| (r.id.as_str(), row(r), r.currency.as_str(), r.word.as_str())).collect()
}

#[test]
fn binance_futures_have_one_list_of_income() {
    let desk = at("binance", Product::Linear, "binance:BTC/USDT:USDT", "BTCUSDT");
    let request = desk.ask(&Ask::Paid(span(HOUR)));
    assert_eq!((request.path.as_ref(), request.weight), ("/fapi/v1/income", 30));
    let query = "incomeType=FUNDING_FEE&startTime=1700000000000&endTime=1700003600000&page=1&limit=1000";
    assert_eq!(request.query, query);
    let body = r#"[
        {"symbol":"BTCUSDT","incomeType":"FUNDING_FEE","income":"-0.37500000","asset":"USDT","info":"FUNDING_FEE",
         "time":1700000000123,"tranId":9689322392,"tradeId":""},
        {"symbol":"ETHUSDT","incomeType":"FUNDING_FEE","income":"1","asset":"USDT","info":"","time":1700000000124,
         "tranId":9689322393,"tradeId":""}]"#;
    let (rows, further) = desk.paid(&span(HOUR), body);
    assert_eq!((rows, further), (vec![payment("9689322392", "-0.375", "USDT", FROM + 123)], None));
    // A full page goes on with the next, over the same stretch.
    let row =
        r#"{"symbol":"BTCUSDT","incomeType":"FUNDING_FEE","income":"1","asset":"USDT","info":"","time":1,"tranId":1}"#;
    let full = format!("[{}]", vec![row; 1_000].join(","));
    let (_, further) = desk.paid(&span(HOUR), &full);
    assert!(desk.ask(&Ask::Paid(further.expect("more"))).query.contains("endTime=1700003600000&page=2"));
    let body = r#"[{"symbol":"","incomeType":"TRANSFER","income":"-20.5","asset":"USDT","info":"WITHDRAW",
        "time":1700000000123,"tranId":77,"tradeId":""}]"#;
    let (rows, further) = desk.moved(&span(HOUR), body);
    assert_eq!((shown(&rows), further), (vec![("77", "-20.5".to_owned(), "USDT", "TRANSFER")], None));
}

#[test]
fn binance_spot_is_asked_list_by_list() {
    let desk = at("binance", Product::Spot, "binance:BTC/USDT", "BTCUSDT");
    assert!(desk.venue.ask(&Ask::Paid(span(HOUR)), &desk.listings).is_err(), "spot has no funding");
    let answers = [
        (
            "/sapi/v1/capital/deposit/hisrec",
            r#"[
            {"id":"769800519366885376","amount":"0.001","coin":"BNB","network":"BNB","status":1,"address":"a",
             "addressTag":"1","txId":"t","insertTime":1700000000123,"completeTime":1700000000200,"transferType":0},
            {"id":"2","amount":"9","coin":"BNB","status":0,"insertTime":1700000000124}]"#,
        ),
        (
            "/sapi/v1/capital/withdraw/history",
            r#"[
            {"id":"b6ae22b3aa844210a7041aee7589627c","amount":"8.91000000","transactionFee":"0.004","coin":"USDT",
             "status":6,"address":"0x","txId":"0x","applyTime":"2023-11-14 22:13:21","network":"ETH"},
            {"id":"3","amount":"1","transactionFee":"0","coin":"USDT","status":1,"applyTime":"2023-11-14 22:13:22"}]"#,
        ),
        (
            "/sapi/v1/asset/transfer",
            r#"{"total":1,"rows":[{"asset":"USDT","amount":"1","type":"MAIN_UMFUTURE",
            "status":"CONFIRMED","tranId":11415955596,"timestamp":1700000000123}]}"#,
        ),
        (
            "/sapi/v1/asset/transfer",
            r#"{"total":1,"rows":[{"asset":"USDT","amount":"2.5","type":"UMFUTURE_MAIN",
            "status":"CONFIRMED","tranId":5,"timestamp":1700000000123}]}"#,
        ),
        ("/sapi/v1/asset/transfer", r#"{"total":0}"#),
        (
            "/sapi/v1/asset/transfer",
            r#"{"total":1,"rows":[{"asset":"USDT","amount":"7","type":"FUNDING_MAIN",
            "status":"PENDING","tranId":6,"timestamp":1700000000123}]}"#,
        ),
    ];
    // Longer than one question may be.
    let (mut next, mut found) = (span(100 * DAY), Vec::new());
    for (path, body) in answers {
        let request = desk.ask(&Ask::Moved(next.clone()));
        assert_eq!(request.path, path, "{next:?}");
        assert!(request.query.contains(&format!("endTime={}", FROM + 89 * DAY)), "{}", request.query);
        let (rows, further) = desk.moved(&next, body);
        found.extend(rows);
        next = further.expect("another list, or the rest");
    }
    let expected = [
        ("769800519366885376", "0.001", "BNB", "deposit"),
        ("b6ae22b3aa844210a7041aee7589627c", "-8.914", "USDT", "withdrawal"),
        ("11415955596", "-1", "USDT", "MAIN_UMFUTURE"),
        ("5", "2.5", "USDT", "UMFUTURE_MAIN"),
    ];
    assert_eq!(shown(&found), expected.map(|(id, amount, code, word)| (id, amount.to_owned(), code, word)));
    assert_eq!(found[1].ts_venue, ms(FROM + 1_000), "UTC, though it does not say so");
    assert_eq!(next, Span::new(ms(FROM + 89 * DAY), ms(FROM + 100 * DAY)), "the rest begins anew");
}

#[test]
fn bybits_log_is_asked_by_the_week() {
    let desk = at("bybit", Product::Linear, "bybit:BTC/USDT:USDT", "BTCUSDT");
    let request = desk.ask(&Ask::Paid(span(10 * DAY)));
    let query =
        "accountType=UNIFIED&category=linear&type=SETTLEMENT&startTime=1700000000000&endTime=1700604800000&limit=50";
    assert_eq!((request.path.as_ref(), request.query.as_ref()), ("/v5/account/transaction-log", query));
    let body = |cursor: &str, kind: &str| {
        format!(
            r#"{{"retCode":0,"retMsg":"OK","result":{{"nextPageCursor":"{cursor}","list":[{{"transSubType":"","id":"592324_BTCUSDT_161440249321",
            "symbol":"BTCUSDT","side":"Buy","funding":"-0.003676","orderLinkId":"","orderId":"1672128000-8-592324-1-2",
            "fee":"0.00000000","change":"-0.003676","cashFlow":"0","transactionTime":"1700000000000","type":"{kind}",
            "feeRate":"0.0001","bonusChange":"","size":"100","qty":"100","cashBalance":"5086.55825002","currency":"USDT",
            "category":"linear","tradePrice":"0.3676","tradeId":"534c0003-4bf7-486f-aa02-78cee36825e4"}}]}},"retExtInfo":{{}},"time":1700000000001}}"#
        )
    };
    let (rows, further) = desk.paid(&span(10 * DAY), &body("a:1,b:2", "SETTLEMENT"));
    assert_eq!(rows, [payment("592324_BTCUSDT_161440249321", "-0.003676", "USDT", FROM)]);
    let further = further.expect("the next page");
    assert!(desk.ask(&Ask::Paid(further.clone())).query.ends_with("&cursor=a%3A1%2Cb%3A2"));
    let (_, further) = desk.paid(&further, &body("", "SETTLEMENT"));
    assert_eq!(further, Some(Span::new(ms(FROM + 7 * DAY), ms(FROM + 10 * DAY))), "then the next week");
    // In first, then out.
    let spot = at("bybit", Product::Spot, "bybit:BTC/USDT", "BTCUSDT");
    let whole = span(DAY);
    assert!(spot.ask(&Ask::Moved(whole.clone())).query.contains("type=TRANSFER_IN&"));
    let (rows, further) = spot.moved(&whole, &body("", "TRANSFER_IN"));
    assert_eq!(shown(&rows)[0].3, "TRANSFER_IN");
    let further = further.expect("what went out");
    assert!(spot.ask(&Ask::Moved(further.clone())).query.contains("type=TRANSFER_OUT&"));
    let (_, more) = spot.moved(&further, &body("c9", "TRANSFER_OUT"));
    let more = more.expect("the next page");
    assert!(spot.ask(&Ask::Moved(more.clone())).query.ends_with("&cursor=c9"));
    assert_eq!(spot.moved(&more, &body("", "TRANSFER_OUT")).1, None);
}

#[test]
fn okxs_bills_come_newest_first_and_the_archive_has_the_older() {
    let desk = at("okx", Product::Linear, "okx:BTC/USDT:USDT", "BTC-USDT-SWAP");
    let request = desk.ask(&Ask::Paid(span(DAY)));
    assert_eq!(request.path, "/api/v5/account/bills");
    assert_eq!(request.query, "type=8&begin=1700000000000&end=1700086400000&limit=100");
    assert_eq!(desk.ask(&Ask::Paid(span(10 * DAY))).path, "/api/v5/account/bills-archive");
    let bill = |id: u32, kind: &str, sub: &str, instrument: &str| {
        format!(
            r#"{{"bal":"8694.2179403378290202","balChg":"-0.0219338232210000","billId":"{id}","ccy":"USDT","clOrdId":"",
            "execType":"","fee":"0","from":"","instId":"{instrument}","instType":"SWAP","interest":"0","mgnMode":"cross",
            "notes":"","ordId":"","pnl":"-0.021933823221","posBal":"0","posBalChg":"0","sz":"1","subType":"{sub}",
            "tag":"","to":"","tradeId":"","ts":"1700000000123","type":"{kind}","px":"60000"}}"#
        )
    };
    let page = |bills: &[String]| format!(r#"{{"code":"0","msg":"","data":[{}]}}"#, bills.join(","));
    let (rows, further) =
        desk.paid(&span(DAY), &page(&[bill(623, "8", "173", "BTC-USDT-SWAP"), bill(622, "8", "174", "ETH-USDT-SWAP")]));
    assert_eq!(rows, [payment("623", "-0.0219338232210000", "USDT", FROM + 123)]);
    assert_eq!(further, None);
    let full: Vec<String> = (0..100).map(|i| bill(900 - i, "8", "173", "BTC-USDT-SWAP")).collect();
    let (_, further) = desk.paid(&span(DAY), &page(&full));
    assert!(desk.ask(&Ask::Paid(further.expect("older ones"))).query.ends_with("&after=801"));
    let (rows, _) = desk.moved(&span(DAY), &page(&[bill(1, "1", "12", "")]));
    assert_eq!(shown(&rows), [("1", "-0.021933823221".to_owned(), "USDT", "transfer_out")]);
    assert!(desk.ask(&Ask::Moved(span(DAY))).query.starts_with("type=1&"));
}

#[test]
fn hyperliquids_funding_is_named_by_its_time() {
    let desk = at("hyperliquid", Product::Linear, "hyperliquid:BTC/USDC:USDC", "BTC");
    let request = desk.ask(&Ask::Paid(span(HOUR)));
    assert!(request.body.contains(r#""type":"userFunding""#), "{}", request.body);
    assert!(request.body.contains(r#""startTime":1700000000000,"endTime":1700003600000"#), "{}", request.body);
    let row = |coin: &str, at: i64| {
        format!(
            r#"{{"time":{at},"hash":"0x0000000000000000000000000000000000000000000000000000000000000000",
            "delta":{{"type":"funding","coin":"{coin}","usdc":"-3.625312","szi":"49.1477","fundingRate":"0.0000417","nSamples":null}}}}"#
        )
    };
    let (rows, further) = desk.paid(&span(HOUR), &format!("[{},{}]", row("BTC", FROM + 76), row("ETH", FROM + 76)));
    assert_eq!((rows, further), (vec![payment("1700000000076", "-3.625312", "USDC", FROM + 76)], None));
    let full: Vec<String> = (0..500).map(|i| row("ETH", FROM + i)).collect();
    let (_, further) = desk.paid(&span(HOUR), &format!("[{}]", full.join(",")));
    assert_eq!(further, Some(Span::new(ms(FROM + 499), ms(FROM + HOUR))));
    assert!(desk.venue.ask(&Ask::Moved(span(HOUR)), &desk.listings).is_err());
}

#[test]
fn krakens_ledger_is_asked_kind_by_kind() {
    let desk = at("kraken", Product::Spot, "kraken:BTC/USD", "XXBTZUSD");
    let request = desk.ask(&Ask::Moved(span(HOUR)));
    assert_eq!(request.path, "/0/private/Ledgers");
    assert!(request.body.starts_with("type=deposit&start=1699999999.999999999&end=1700003600.000000000&ofs=0"));
    let body = |kind: &str, amount: &str| {
        format!(
            r#"{{"error":[],"result":{{"ledger":{{"L4UESK-KG3EQ-UFO4T5":{{"aclass":"currency","amount":"{amount}",
            "asset":"ZUSD","balance":"459567.9171000000","fee":"0.0490000000","refid":"TJKLXF-PGMUI-4NTLXU",
            "time":1700000000.1787,"type":"{kind}","subtype":""}}}},"count":1}}}}"#
        )
    };
    let (rows, further) = desk.moved(&span(HOUR), &body("deposit", "24.5000000000"));
    assert_eq!(shown(&rows), [("L4UESK-KG3EQ-UFO4T5", "24.451".to_owned(), "USD", "deposit")]);
    let further = further.expect("withdrawals");
    assert!(desk.ask(&Ask::Moved(further.clone())).body.starts_with("type=withdrawal&"));
    let (rows, further) = desk.moved(&further, &body("withdrawal", "-24.5000000000"));
    assert_eq!(shown(&rows)[0].1, "-24.549");
    let (_, end) = desk.moved(&further.expect("transfers"), &body("transfer", "1"));
    assert_eq!(end, None);
}

#[test]
fn what_a_venue_does_not_have_is_said_in_words() {
    let desk = at("coinbase", Product::Spot, "coinbase:BTC/USD", "BTC-USD");
    for ask in [Ask::Paid(span(HOUR)), Ask::Moved(span(HOUR))] {
        let error = desk.venue.ask(&ask, &desk.listings).expect_err("nothing to be asked");
        assert_eq!(error.fault, bellwether::exchange::Fault::Unsupported);
    }
}
