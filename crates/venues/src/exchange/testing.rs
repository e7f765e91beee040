//! The conformance suite: what every adapter must hold to, whoever wrote it.
//!
//! The adapter's author gives a [`Script`] of the venue's own messages; [`check`] runs the adapter against it and says
//! what it found. No network, no clock; seeded, so that a finding repeats. That values are read rightly is for the
//! adapter's own tests: the suite cannot know them.

use std::sync::Arc;

use bellwether_sdk::{Bar, InstrumentId, Interval, Level, Price, Qty, Ts};

use super::{
    AccountNote, Act, ActReply, Ask, Cancel, ClientId, Fault, FillNote, Listings, Note, OrderRef, Place, Reply,
    Request, Response, Span, Stamp, Topic, TradeReply, Venue, VenueError,
};
use crate::keys::Signer;

/// What the suite needs of an adapter's author.
pub struct Script {
    /// At least one instrument.
    pub listings: Listings,
    /// Two keys or more of the kinds that the venue takes; two of one kind show that signatures depend on the key.
    pub signers: Vec<Arc<dyn Signer>>,
    /// The secrets of these keys, as text: none may appear in anything that is sent.
    pub secrets: Vec<String>,
    /// Orders of the kinds that matter, each with its own client order id.
    pub places: Vec<Place>,
    /// Messages of market streams, one of each kind at least.
    pub market: Vec<String>,
    /// Messages of the private stream.
    pub account: Vec<String>,
    /// Messages of the trading socket; none where there is no such socket.
    pub trade: Vec<String>,
    /// Good answers to questions.
    pub replies: Vec<(Ask, Response)>,
    /// Good answers to acts.
    pub act_replies: Vec<(Act, Response)>,
    /// Mutations tried per message.
    pub mutations: u32,
    /// Seed of the mutations.
    pub seed: u64,
}

/// What is wrong with an adapter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which rule it breaks.
    pub rule: &'static str,
    /// How.
    pub what: String,
}

struct Check<'a> {
    venue: &'a dyn Venue,
    script: &'a Script,
    found: Vec<Finding>,
}

/// Runs all checks. An adapter conforms when nothing is found.
///
/// # Panics
/// Where the adapter does: a reader that panics is the worst finding.
pub fn check(venue: &dyn Venue, script: &Script) -> Vec<Finding> {
    let mut check = Check { venue, script, found: Vec::new() };
    check.facts();
    check.topics();
    check.asks();
    check.acts();
    check.signatures();
    check.samples();
    check.broken_messages();
    check.hostile_numbers();
    check.error_classes();
    check.found
}

/// The time at which the suite runs.
const NOW: Ts = Ts::from_millis(1_750_000_000_000);

const STAMP: Stamp = Stamp { now: NOW, nonce: 1_750_000_000_000 };

impl Check<'_> {
    fn expect(&mut self, rule: &'static str, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.found.push(Finding { rule, what: what() });
        }
    }

    fn instruments(&self) -> Vec<InstrumentId> {
        self.script.listings.iter().map(|l| l.id).collect()
    }

    fn facts(&mut self) {
        const RULE: &str = "facts are sane";
        let f = self.venue.facts().clone();
        let lower = !f.venue.is_empty() && f.venue.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        self.expect(RULE, lower, || format!("venue name {:?}", f.venue));
        for urls in std::iter::once(&f.urls).chain(&f.testnet) {
            let rest = urls.rest.starts_with("http") && !urls.rest.ends_with('/');
            self.expect(RULE, rest, || format!("REST address {:?}", urls.rest));
            let market = urls.market.starts_with("ws");
            self.expect(RULE, market, || format!("market address {:?}", urls.market));
            for url in [&urls.account, &urls.trade] {
                let fine = url.is_empty() || url.starts_with("ws");
                self.expect(RULE, fine, || format!("socket address {url:?}"));
            }
        }
        let numbers = [f.weight_per_minute, f.orders_per_10s, f.says_per_second, f.batch_max];
        self.expect(RULE, numbers.iter().all(|n| *n > 0), || format!("a limit of zero in {numbers:?}"));
        self.expect(RULE, f.settle_ms > 0, || "settle_ms is zero: \"not found\" would be believed at once".to_owned());
        let beats = f.heartbeat.say.as_ref().is_none_or(|(_, every)| *every > 0 && *every < f.heartbeat.dead_after_ms);
        self.expect(RULE, beats && f.heartbeat.dead_after_ms > 0, || format!("{:?}", f.heartbeat));
        let known = self.venue.ask(&Ask::StreamTicket, &self.script.listings);
        self.expect(RULE, f.ticket.is_none() || known.is_ok(), || format!("a ticket is needed, and {known:?}"));
    }

    fn topics(&mut self) {
        const RULE: &str = "every topic is in one plan or in none";
        let urls = self.venue.facts().urls.clone();
        let mut topics = Vec::new();
        for id in self.instruments() {
            topics.extend([Topic::Trades(id), Topic::Quotes(id), Topic::Depth(id, 10), Topic::Funding(id)]);
            topics.push(Topic::Bars(id, Interval::MINUTE));
        }
        let plans = self.venue.market(&urls, &topics, &self.script.listings);
        for topic in &topics {
            let count = plans.iter().flat_map(|p| &p.topics).filter(|t| *t == topic).count();
            self.expect(RULE, count <= 1, || format!("{topic:?} is in {count} plans"));
        }
        let carried: Vec<Topic> = plans.iter().flat_map(|p| p.topics.iter().copied()).collect();
        self.expect(RULE, !carried.is_empty(), || "no topic at all is carried".to_owned());
        for plan in &plans {
            let invented = plan.topics.iter().find(|t| !topics.contains(t)).copied();
            self.expect(RULE, invented.is_none(), || format!("{invented:?} was not asked for"));
            self.expect(RULE, plan.url.starts_with("ws"), || format!("address {:?}", plan.url));
            self.expect(RULE, !plan.topics.is_empty(), || format!("{:?} carries nothing", plan.url));
        }
        let again = self.venue.market(&urls, &topics, &self.script.listings);
        self.expect("equal questions have equal answers", again == plans, || "plans differ".to_owned());
    }

    fn all_asks(&self) -> Vec<Ask> {
        let client = ClientId { session: 0x1234, number: 7 };
        let mut asks = vec![
            Ask::Time,
            Ask::Instruments,
            Ask::Balances,
            Ask::Positions,
            Ask::OpenOrders(None),
            Ask::Permissions,
            Ask::Paid(Span::new(NOW, NOW.plus(3_600_000_000_000))),
            Ask::Moved(Span::new(NOW, NOW.plus(3_600_000_000_000))),
            Ask::StreamTicket,
            Ask::KeepTicket("ticket".to_owned()),
        ];
        for id in self.instruments() {
            asks.extend([
                Ask::Ticker(id),
                Ask::Book(id, 10),
                Ask::Trades(id, 10),
                Ask::TradesFrom(id, NOW),
                Ask::Bars(id, Interval::MINUTE, NOW, NOW.plus(3_600_000_000_000)),
                Ask::Funding(id, NOW, NOW.plus(3_600_000_000_000)),
                Ask::OpenOrders(Some(id)),
                Ask::Order(id, OrderRef::Client(client)),
                Ask::Order(id, OrderRef::Venue("12345".to_owned())),
                Ask::Fills(id, Span::new(NOW, NOW)),
            ]);
        }
        asks
    }

    fn all_acts(&self) -> Vec<Act> {
        let mut acts = Vec::new();
        for place in &self.script.places {
            let instrument = place.order.get().instrument;
            let cancel = Cancel { instrument, order: OrderRef::Client(place.client) };
            acts.extend([Act::Place(*place), Act::Cancel(cancel), Act::CancelAll(instrument)]);
            acts.push(Act::Cancel(Cancel { instrument, order: OrderRef::Venue("12345".to_owned()) }));
        }
        acts
    }

    /// What holds of any request, read or write.
    fn request(&mut self, of: &str, request: &Request) {
        const RULE: &str = "requests are well formed";
        self.expect(RULE, request.path.starts_with('/'), || format!("{of}: path {:?}", request.path));
        let target = request.target();
        let plain = target.bytes().all(|b| b.is_ascii_graphic());
        self.expect(RULE, plain, || format!("{of}: {target:?} is not percent-encoded"));
        for secret in &self.script.secrets.clone() {
            let text = format!("{target} {} {:?}", request.body, request.headers);
            self.expect("no secret is sent", !text.contains(secret.as_str()), || format!("{of}: {text}"));
        }
    }

    fn asks(&mut self) {
        const RULE: &str = "every question has a request or is unsupported";
        for ask in self.all_asks() {
            match self.venue.ask(&ask, &self.script.listings) {
                Ok(request) => {
                    let of = format!("{ask:?}");
                    self.expect("questions change nothing", !request.write, || of.clone());
                    self.expect(RULE, request.weight > 0, || format!("{of} weighs nothing"));
                    self.request(&of, &request);
                }
                Err(error) => {
                    let unsupported = error.fault == Fault::Unsupported;
                    self.expect(RULE, unsupported, || format!("{ask:?}: {error}"));
                }
            }
        }
    }

    fn acts(&mut self) {
        const RULE: &str = "every act has a request or is unsupported";
        let signer = self.script.signers.first().cloned();
        for act in self.all_acts() {
            let mut said = String::new();
            match self.venue.act(&act, &self.script.listings) {
                Ok(request) => {
                    let of = format!("{act:?}");
                    self.expect("acts are writes, and signed", request.write && request.signed, || of.clone());
                    self.request(&of, &request);
                    said = format!("{}{}", request.target(), request.body);
                }
                Err(e) => self.expect(RULE, e.fault == Fault::Unsupported, || format!("{act:?}: {e}")),
            }
            let text = signer.as_ref().map(|s| self.venue.say(&act, 42, &self.script.listings, &**s, "ticket", STAMP));
            match text {
                Some(Ok(Some(text))) => {
                    for secret in &self.script.secrets.clone() {
                        let hidden = !text.contains(secret.as_str());
                        self.expect("no secret is sent", hidden, || format!("{act:?}: {text}"));
                    }
                    said.push_str(&text);
                }
                Some(Err(e)) => self.expect(RULE, e.fault == Fault::Unsupported, || format!("{act:?}: {e}")),
                Some(Ok(None)) | None => {}
            }
            if let (Act::Place(place), false) = (&act, said.is_empty()) {
                let plain = said.replace('-', "").to_ascii_lowercase();
                let named = plain.contains(&place.client.to_string());
                self.expect("orders carry our id", named, || format!("{act:?}: {said}"));
            }
        }
    }

    fn signatures(&mut self) {
        const RULE: &str = "a signature depends on key, time and content";
        let Some(act) = self.all_acts().into_iter().find(|a| self.venue.act(a, &self.script.listings).is_ok()) else {
            return;
        };
        let Ok(request) = self.venue.act(&act, &self.script.listings) else { return };
        let later = Stamp { now: STAMP.now.plus(1_000_000_000), nonce: STAMP.nonce + 1_000 };
        let mut seen: Vec<(String, Request)> = Vec::new();
        for signer in self.script.signers.clone() {
            let mut signed = request.clone();
            if let Err(error) = self.venue.sign(&mut signed, &*signer, STAMP) {
                self.expect(RULE, false, || format!("signing fails: {error}"));
                continue;
            }
            self.request("a signed act", &signed);
            self.expect(RULE, signed != request, || "signing adds nothing".to_owned());
            let mut at_another_time = request.clone();
            let signs = self.venue.sign(&mut at_another_time, &*signer, later).is_ok();
            self.expect(RULE, signs && at_another_time != signed, || "the same at another time".to_owned());
            let other = seen.iter().find(|(id, r)| id != signer.key_id() && *r == signed).map(|(id, _)| id.clone());
            self.expect(RULE, other.is_none(), || format!("the same as with key {other:?}"));
            seen.push((signer.key_id().to_owned(), signed));
        }
    }

    /// Reads a market message: how many notes came, and how many of them say something.
    fn read_market(&self, text: &str) -> Result<(u32, u32), String> {
        let (mut notes, mut telling) = (0, 0);
        let mut sink = |note: Note<'_>| {
            notes += 1;
            telling += u32::from(!matches!(note, Note::Ignored | Note::Unexpected(_)));
        };
        let read = self.venue.read_market(text, &self.script.listings, NOW, &mut sink);
        read.map(|()| (notes, telling)).map_err(|e| e.to_string())
    }

    fn samples(&mut self) {
        const RULE: &str = "the venue's own messages are read";
        let script = self.script;
        for text in &script.market {
            let read = self.read_market(text);
            self.expect(RULE, matches!(read, Ok((_, 1..))), || format!("market: {read:?} of {text}"));
        }
        for text in &script.account {
            let read = self.venue.read_account(text, &script.listings);
            self.expect(RULE, read.as_ref().is_ok_and(|n| !n.is_empty()), || format!("account: {read:?} of {text}"));
        }
        for text in &script.trade {
            let read = self.venue.read_trade(text, &script.listings);
            self.expect(RULE, read.is_ok(), || format!("trade: {read:?} of {text}"));
        }
        for (ask, response) in &script.replies {
            let read = self.venue.reply(ask, response, &script.listings);
            self.expect(RULE, read.is_ok(), || format!("{ask:?}: {read:?} of {}", response.body));
        }
        for (act, response) in &script.act_replies {
            let read = self.venue.act_reply(act, response, &script.listings);
            self.expect(RULE, read.is_ok(), || format!("{act:?}: {read:?} of {}", response.body));
        }
    }

    /// Messages cut at every byte, and with bytes changed: nothing may panic, and no loss may look like a refusal.
    fn broken_messages(&mut self) {
        let script = self.script;
        let mut dice = Dice(script.seed);
        for text in script.market.iter().chain(&script.account).chain(&script.trade) {
            for at in (0..text.len()).filter(|at| text.is_char_boundary(*at)) {
                self.survive(&text[..at]);
                let cut = self.venue.read_trade(&text[..at], &script.listings);
                let refused = refuses(&cut) && !refuses(&self.venue.read_trade(text, &script.listings));
                self.expect("no loss looks like a refusal", !refused, || format!("{cut:?} of {}", &text[..at]));
            }
            for _ in 0..script.mutations {
                self.survive(&dice.mutate(text));
            }
        }
        for (act, response) in &script.act_replies {
            for at in (0..response.body.len()).filter(|at| response.body.is_char_boundary(*at)) {
                let cut = Response { body: response.body[..at].to_owned(), ..response.clone() };
                let read = self.venue.act_reply(act, &cut, &script.listings);
                self.expect("no loss looks like a refusal", !rejects(&read), || format!("{read:?} of {}", cut.body));
            }
            for _ in 0..script.mutations {
                let body = dice.mutate(&response.body);
                let _ = self.venue.act_reply(act, &Response { body, ..response.clone() }, &script.listings);
            }
        }
        for (ask, response) in &script.replies {
            for at in (0..response.body.len()).step_by(3).filter(|at| response.body.is_char_boundary(*at)) {
                let cut = Response { body: response.body[..at].to_owned(), ..response.clone() };
                let _ = self.venue.reply(ask, &cut, &script.listings);
            }
            for _ in 0..script.mutations {
                let body = dice.mutate(&response.body);
                let _ = self.venue.reply(ask, &Response { body, ..response.clone() }, &script.listings);
            }
        }
        for odd in ["", "null", "[]", "{}", "0", "\"\"", "pong", "[[[[[[[[", "<html>"] {
            self.survive(odd);
        }
        self.survive(&"[".repeat(100_000));
        self.survive(&format!("{{\"e\":\"trade\",\"p\":\"{}\"}}", "9".repeat(100_000)));
    }

    /// Each number of a message as one that no market has: such a message is an error, or what is read of it is sane.
    fn hostile_numbers(&mut self) {
        const RULE: &str = "prices are above zero and quantities not below it";
        let script = self.script;
        for text in &script.market {
            for hostile in hostile(text) {
                let mut odd = None;
                let mut sink = |note: Note<'_>| {
                    if !note_is_sane(&note) {
                        odd = Some(format!("{note:?}"));
                    }
                };
                let _ = self.venue.read_market(&hostile, &script.listings, NOW, &mut sink);
                self.expect(RULE, odd.is_none(), || format!("{odd:?} of {hostile}"));
            }
        }
        for text in script.account.iter().chain(&script.trade).flat_map(|text| hostile(text)) {
            let notes = self.venue.read_account(&text, &script.listings).unwrap_or_default();
            let spoken = match self.venue.read_trade(&text, &script.listings) {
                Ok(TradeReply::Account(notes)) => notes,
                _ => Vec::new(),
            };
            let odd = notes.iter().chain(&spoken).find(|n| matches!(n, AccountNote::Fill(f) if !fill_is_sane(f)));
            self.expect("what fills is above zero", odd.is_none(), || format!("{odd:?} of {text}"));
        }
        for (ask, response) in &script.replies {
            if !matches!(
                ask,
                Ask::Ticker(_) | Ask::Book(..) | Ask::Trades(..) | Ask::TradesFrom(..) | Ask::Bars(..) | Ask::Fills(..)
            ) {
                continue;
            }
            for body in hostile(&response.body) {
                let hostile = Response { body, ..response.clone() };
                let read = self.venue.reply(ask, &hostile, &script.listings);
                let sane = read.as_ref().map_or(true, reply_is_sane);
                self.expect(RULE, sane, || format!("{ask:?}: {read:?} of {}", hostile.body));
            }
        }
    }

    fn survive(&self, text: &str) {
        let listings = &self.script.listings;
        let _ = self.read_market(text);
        let _ = self.venue.read_account(text, listings);
        let _ = self.venue.read_trade(text, listings);
    }

    fn error_classes(&mut self) {
        const RULE: &str = "statuses are sorted by what may be done about them";
        let listings = &self.script.listings;
        let response = |status: u16, body: &str| Response { status, headers: Vec::new(), body: body.to_owned() };
        let bodies = ["", "<html>oops</html>", "{}", "{\"half\":"];
        for (ask, _) in &self.script.replies {
            for body in bodies {
                for (status, good) in [
                    (408, "transient"),
                    (429, "rate_limited"),
                    (418, "rate_limited"),
                    (500, "transient"),
                    (502, "transient"),
                    (503, "transient"),
                    (504, "transient"),
                ] {
                    let fault = self.venue.reply(ask, &response(status, body), listings).err().map(|e| e.fault.name());
                    self.expect(RULE, fault == Some(good), || {
                        format!("{ask:?} {status} {body:?}: {fault:?}, not {good}")
                    });
                }
            }
        }
        for (act, _) in &self.script.act_replies {
            for body in bodies {
                for status in [429, 418] {
                    let read = self.venue.act_reply(act, &response(status, body), listings);
                    let fault = read.err().map(|e| e.fault.name());
                    self.expect(RULE, fault == Some("rate_limited"), || format!("act {status} {body:?}: {fault:?}"));
                }
                for status in [408, 500, 502, 503, 504, 520, 599] {
                    let read = self.venue.act_reply(act, &response(status, body), listings);
                    let fault = read.err().map(|e| e.fault.name());
                    self.expect("a lost answer is an unknown outcome", fault == Some("unknown_outcome"), || {
                        format!("act {status} {body:?}: {fault:?}")
                    });
                }
                let read = self.venue.act_reply(act, &response(200, body), listings);
                let guessed = rejects(&read);
                self.expect("no loss looks like a refusal", !guessed, || format!("act 200 {body:?}: {read:?}"));
            }
        }
    }
}

/// Whether an outcome would be taken for a final refusal.
fn rejects(outcome: &Result<Vec<ActReply>, VenueError>) -> bool {
    let is = |e: &VenueError| e.fault == Fault::Rejected;
    match outcome {
        Err(error) => is(error),
        Ok(replies) => replies.iter().any(|r| r.refused.as_ref().is_some_and(is)),
    }
}

fn refuses(reply: &Result<TradeReply, super::WireError>) -> bool {
    matches!(reply, Ok(TradeReply::Answered(_, outcome)) if rejects(outcome))
}

/// A message once for each of its numbers and for each number that no market has in its place.
fn hostile(text: &str) -> Vec<String> {
    let is_part = |b: &u8| b.is_ascii_digit() || matches!(b, b'-' | b'+' | b'.' | b'e' | b'E');
    let bytes = text.as_bytes();
    let mut all = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let len = bytes[at..].iter().take_while(|b| is_part(b)).count();
        let before = at.checked_sub(1).map(|i| bytes[i]);
        let begins = matches!(before, Some(b'"' | b':' | b',' | b'[' | b' '));
        let ends = matches!(bytes.get(at + len), Some(b'"' | b',' | b']' | b'}'));
        if len > 0 && begins && ends && bytes[at..at + len].iter().any(u8::is_ascii_digit) {
            for odd in ["0", "-5", "-0.5", "1e30", "NaN"] {
                all.push(format!("{}{odd}{}", &text[..at], &text[at + len..]));
            }
        }
        at += len.max(1);
    }
    all
}

fn price_is_sane(price: Price) -> bool {
    price > Price::ZERO
}

/// A best price, which is zero where a side is empty, and its quantity.
fn best_is_sane(price: Price, qty: Qty) -> bool {
    price >= Price::ZERO && qty >= Qty::ZERO
}

fn level_is_sane(level: &Level) -> bool {
    price_is_sane(level.price) && level.qty >= Qty::ZERO
}

/// One execution: something changed hands.
fn fill_is_sane(fill: &FillNote) -> bool {
    price_is_sane(fill.price) && fill.qty > Qty::ZERO
}

fn bar_is_sane(bar: &Bar) -> bool {
    [bar.open, bar.high, bar.low, bar.close].into_iter().all(price_is_sane) && bar.volume >= Qty::ZERO
}

fn note_is_sane(note: &Note<'_>) -> bool {
    match note {
        Note::Trade(t, _) => price_is_sane(t.price) && t.qty >= Qty::ZERO,
        Note::Quote(q) => best_is_sane(q.bid, q.bid_qty) && best_is_sane(q.ask, q.ask_qty),
        Note::Depth(d, _) => d.levels.iter().all(level_is_sane),
        Note::Bar(bar, _) => bar_is_sane(bar),
        Note::FundingRate(_, _, _, mark) => *mark >= Price::ZERO,
        _ => true,
    }
}

fn reply_is_sane(reply: &Reply) -> bool {
    match reply {
        Reply::Ticker(t) => best_is_sane(t.bid, t.bid_qty) && best_is_sane(t.ask, t.ask_qty) && t.last >= Price::ZERO,
        Reply::Book(b) => b.levels.iter().all(level_is_sane),
        Reply::Trades(rows) => rows.iter().all(|t| price_is_sane(t.price) && t.qty >= Qty::ZERO),
        Reply::Bars(rows) => rows.iter().all(bar_is_sane),
        Reply::Fills(rows, _) => rows.iter().all(fill_is_sane),
        _ => true,
    }
}

/// Seeded numbers (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % n.max(1) as u64).unwrap_or(0)
    }

    /// A text with a few bytes changed, removed, doubled or exchanged.
    fn mutate(&mut self, text: &str) -> String {
        const ODD: &[u8] = b"\"{}[]:,-.0919eEnt\\ \x00";
        let mut bytes = text.as_bytes().to_vec();
        for _ in 0..=self.below(3) {
            if bytes.is_empty() {
                break;
            }
            let at = self.below(bytes.len());
            match self.below(4) {
                0 => bytes[at] = ODD[self.below(ODD.len())],
                1 => drop(bytes.remove(at)),
                2 => bytes.insert(at, bytes[at]),
                _ => {
                    let other = self.below(bytes.len());
                    bytes.swap(at, other);
                }
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }
}
