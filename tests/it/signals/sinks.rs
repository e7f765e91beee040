//! Stories of messages that leave: in order, signed, once, though places are down, slow or angry.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use bellwether::config::{Level, Settings, SinkKind, SinkSettings};
use bellwether::keys::Token;
use bellwether::run;
use bellwether::sinks::{About, Notice, Post, code_at};
use bellwether::sources::{Mail, Question, mailbox};
use bellwether_sdk::Ts;

use super::desk::{Desk, signal, token};
use super::server::{Server, free_port, mail_server, mail_server_that};

pub(super) fn settings(sinks: &[(&str, SinkSettings)]) -> Settings {
    let sink = sinks.iter().map(|(name, sink)| ((*name).to_owned(), sink.clone())).collect();
    Settings { sink, ..Settings::default() }
}

pub(super) fn post(sink: SinkSettings, state: &Path) -> Post {
    let sink = SinkSettings { per_minute_max: 60_000, ..sink };
    Post::start(&settings(&[("place", sink)]), state, &token, None, About::default())
        .expect("a post")
        .expect("one sink")
}

pub(super) fn fill(n: usize) -> Notice {
    Notice::new(Ts::from_millis(1), Level::Info, "fill", format!("fill {n}"))
}

#[test]
fn a_place_that_is_down_gets_everything_in_order_when_it_is_back() {
    let state = tempfile::tempdir().expect("folder");
    let address = free_port();
    let sink = SinkSettings::new(SinkKind::Webhook, format!("http://{address}/in"));
    let mut down = post(sink.clone(), state.path());
    let began = Instant::now();
    (0..20).for_each(|n| down.send(fill(n)));
    assert!(began.elapsed() < Duration::from_millis(50), "whoever reports does not wait");
    std::thread::sleep(Duration::from_millis(300));
    down.close();
    let (counts, lost) = down.counts();
    assert_eq!((counts[0].delivered.sent, counts[0].dropped, lost), (0, 0, 0));
    assert!(counts[0].waiting > 0 && !counts[0].delivered.trouble.is_empty());
    drop(down);
    // Another process finds the messages on disk; the first attempts of the new day fail as well.
    let listener = std::net::TcpListener::bind(address).expect("the same port");
    let server = Server::on(listener, |n, _| (if n < 2 { "500 no" } else { "200 OK" }.to_owned(), String::new()));
    let mut up = post(sink, state.path());
    up.send(fill(20));
    let mut seen = Vec::new();
    while seen.len() < 23 {
        let taken = server.next();
        seen.push((taken.header("idempotency-key").to_owned(), taken.json()["text"].as_str().unwrap_or("").to_owned()));
    }
    up.close();
    // What was answered by 500 came again under its own key.
    seen.dedup();
    let origin = std::fs::read_to_string(state.path().join("sinks/origin")).expect("a word");
    let wanted: Vec<_> = (0..21).map(|n| (format!("place-{origin}-{}", n + 1), format!("· fill: fill {n}"))).collect();
    assert_eq!(seen, wanted);
    assert!(origin.len() >= 12, "no other folder has it");
}

#[test]
fn a_webhook_is_signed() {
    let (state, server) = (tempfile::tempdir().expect("folder"), Server::kind());
    let post = post(SinkSettings::new(SinkKind::Webhook, format!("http://{}", server.address)), state.path());
    post.send(fill(1));
    let taken = server.next();
    let header = taken.header("x-bellwether-signature");
    let (time, signature) = header.strip_prefix("t=").and_then(|h| h.split_once(",v1=")).expect("a signature");
    let bytes: Vec<u8> =
        (0..signature.len()).step_by(2).map(|i| u8::from_str_radix(&signature[i..i + 2], 16).expect("hex")).collect();
    assert!(Token::new("open sesame").verify(format!("{time}.{}", taken.body).as_bytes(), &bytes));
    assert_eq!((taken.json()["topic"].as_str(), taken.json()["schema_version"].as_u64()), (Some("fill"), Some(1)));
}

#[test]
fn chats_are_spoken_to_in_their_own_words() {
    let cases: [(SinkKind, &str, &str); 3] = [
        (SinkKind::Telegram, "/botopen sesame/sendMessage", "text"),
        (SinkKind::Discord, "/hooks/open sesame", "content"),
        (SinkKind::Slack, "/hooks/open sesame", "text"),
    ];
    for (kind, target, field) in cases {
        let (state, server) = (tempfile::tempdir().expect("folder"), Server::kind());
        let base = if kind == SinkKind::Telegram { "" } else { "/hooks" };
        let sink = SinkSettings {
            chat: "7".to_owned(),
            ..SinkSettings::new(kind, format!("http://{}{base}", server.address))
        };
        let post = post(sink, state.path());
        post.send(Notice::new(Ts::from_millis(1), Level::Error, "guard", "<b>@everyone {text}</b>"));
        let taken = server.next();
        assert_eq!(taken.target.replace("%20", " "), target, "{kind:?}");
        let said = taken.json()[field].as_str().expect("words").to_owned();
        let wanted = match kind {
            SinkKind::Slack => "!! guard: &lt;b&gt;@everyone {text}&lt;/b&gt;",
            _ => "!! guard: <b>@everyone {text}</b>",
        };
        assert_eq!(said, wanted, "{kind:?}");
        if kind == SinkKind::Discord {
            assert_eq!(taken.json()["allowed_mentions"]["parse"], serde_json::json!([]));
        }
    }
}

#[test]
fn a_place_that_asks_to_wait_is_waited_for_and_a_refused_message_is_put_aside() {
    let state = tempfile::tempdir().expect("folder");
    let server = Server::start(|n, taken| match n {
        0 => ("429 slow down\r\nretry-after: 1".to_owned(), String::new()),
        _ if taken.body.contains("fill 1") => ("400 never".to_owned(), "bad words".to_owned()),
        _ => ("200 OK".to_owned(), String::new()),
    });
    let mut post = post(SinkSettings::new(SinkKind::Webhook, format!("http://{}", server.address)), state.path());
    (0..3).for_each(|n| post.send(fill(n)));
    let began = Instant::now();
    let texts: Vec<String> = (0..4).map(|_| server.next().json()["text"].as_str().unwrap_or("").to_owned()).collect();
    assert!(began.elapsed() >= Duration::from_millis(900), "{:?}", began.elapsed());
    assert_eq!(texts, ["· fill: fill 0", "· fill: fill 0", "· fill: fill 1", "· fill: fill 2"]);
    post.close();
    let delivered = post.counts().0[0].delivered.clone();
    assert_eq!((delivered.sent, delivered.failed, delivered.refused), (2, 1, 1));
    let aside = std::fs::read_to_string(state.path().join("sinks/place.refused.jsonl")).expect("put aside");
    assert!(aside.contains("fill 1") && aside.contains("bad words"), "{aside}");
}

#[test]
fn an_error_never_shows_the_token() {
    let state = tempfile::tempdir().expect("folder");
    let sink = SinkSettings { chat: "7".to_owned(), ..SinkSettings::new(SinkKind::Telegram, "http://127.0.0.1:1") };
    let mut post = post(sink, state.path());
    post.send(fill(1));
    std::thread::sleep(Duration::from_millis(500));
    post.close();
    let words = post.words().join(" ");
    assert!(words.contains("attempts failed") && !words.contains("sesame"), "{words}");
}

#[test]
fn a_mail_comes_with_its_subject_and_text() {
    let state = tempfile::tempdir().expect("folder");
    let (address, mails) = mail_server();
    let mut sink = SinkSettings::new(SinkKind::Mail, format!("smtp://{address}"));
    (sink.from, sink.chat) = ("bot@example.org".to_owned(), "desk@example.org".to_owned());
    let post = post(sink, state.path());
    post.send(Notice::new(Ts::from_millis(1), Level::Error, "guard", "tripped\r\nBcc: all@example.org"));
    let mail = mails.recv_timeout(Duration::from_secs(20)).expect("a mail");
    assert!(mail.contains("Subject: [bellwether] !! guard: tripped"), "{mail}");
    assert!(mail.contains("To: desk@example.org"), "{mail}");
    let head = mail.split("\n\n").next().expect("a head");
    assert!(!head.contains("Bcc"), "{mail}");
}

#[test]
fn a_mail_server_that_is_busy_gets_it_again_and_what_it_never_takes_is_put_aside() {
    let state = tempfile::tempdir().expect("folder");
    let (address, mails) = mail_server_that(|n| match n {
        0 => "451 later",
        1 => "250 taken",
        2 => "550 never",
        _ => "250 taken",
    });
    let mut sink = SinkSettings::new(SinkKind::Mail, format!("smtp://{address}"));
    (sink.from, sink.chat) = ("bot@example.org".to_owned(), "desk@example.org".to_owned());
    let mut post = post(sink, state.path());
    let words = |n: usize| Notice::new(Ts::from_millis(1), Level::Error, "fill", format!("fill {n}"));
    (0..3).for_each(|n| post.send(words(n)));
    for wanted in ["fill 0", "fill 0", "fill 1", "fill 2"] {
        let mail = mails.recv_timeout(Duration::from_secs(20)).expect("a mail");
        assert!(mail.contains(wanted), "{wanted}: {mail}");
    }
    post.close();
    let delivered = post.counts().0[0].delivered.clone();
    assert_eq!((delivered.sent, delivered.failed, delivered.refused), (2, 1, 1));
    let aside = std::fs::read_to_string(state.path().join("sinks/place.refused.jsonl")).expect("put aside");
    assert!(aside.contains("fill 1") && aside.contains("550"), "{aside}");
}

#[test]
fn a_session_reports_its_start_its_fills_its_signals_and_its_end() {
    let desk = Desk::new();
    desk.store("provider", &[signal("1", "long", 3), signal("2", "flat", 9)]);
    let (all, errors) = (desk.folder.path().join("all.jsonl"), desk.folder.path().join("errors.jsonl"));
    desk.paper(None, |s| {
        s.state_dir = Some(desk.folder.path().join("state"));
        let file = |path: &Path| SinkSettings::new(SinkKind::File, path.display().to_string());
        let topics = ["start", "fill", "signal", "stop"].map(str::to_owned).to_vec();
        let templates = BTreeMap::from([("signal".to_owned(), "{direction} {instrument}".to_owned())]);
        s.sink.insert("all".to_owned(), SinkSettings { topics, templates, per_minute_max: 60_000, ..file(&all) });
        s.sink.insert("errors".to_owned(), SinkSettings { level: Level::Error, ..file(&errors) });
    })
    .expect("a session");
    let text = std::fs::read_to_string(&all).expect("messages");
    let told: Vec<serde_json::Value> = text.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
    let topics: Vec<&str> = told.iter().filter_map(|m| m["topic"].as_str()).collect();
    assert_eq!((topics.first(), topics.last()), (Some(&"start"), Some(&"stop")));
    assert_eq!(topics.iter().filter(|t| **t == "fill").count(), 2, "{topics:?}");
    let signals: Vec<_> = told.iter().filter(|m| m["topic"] == "signal").collect();
    assert_eq!(signals[0]["text"], "long test:AAA/USD");
    assert_eq!(signals[0]["signal"]["direction"], "long");
    assert!(!errors.exists(), "nothing grave happened");
}

#[test]
fn a_chat_asks_and_is_answered_and_stops_the_session_with_a_code() {
    let desk = std::sync::Arc::new(Desk::new());
    let now = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock").as_secs();
    // The word `open sesame` is no base32; this one is.
    let secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
    let server = Server::start(move |_, taken| {
        if !taken.target.ends_with("getUpdates") {
            return ("200 OK".to_owned(), "{}".to_owned());
        }
        let offset = taken.json()["offset"].as_i64().unwrap_or(0);
        // The code that is shown now goes for the first, the next one for the second: each serves once.
        let code = |ahead: u64| format!("{:06}", code_at(b"12345678901234567890", now() + ahead));
        let (resume, stop) = (format!("/resume {}", code(0)), format!("/stop {}", code(30)));
        let texts = [
            "/status",
            "/why",
            "/positions",
            "/orders",
            "/profit",
            "/pause",
            "/status",
            &resume,
            "/status",
            "/stop 000000",
            "/stop now",
            "stop",
            &stop,
        ];
        let text = texts.get(usize::try_from(offset).unwrap_or(99)).map(|t| (*t).to_owned());
        let update = text.map(|text| {
            serde_json::json!({"update_id": offset, "message": {"chat": {"id": 7}, "text": text, "date": now()}})
        });
        let result: Vec<_> = update.into_iter().collect();
        std::thread::sleep(Duration::from_millis(20));
        ("200 OK".to_owned(), serde_json::json!({"ok": true, "result": result}).to_string())
    });
    let address = server.address;
    let its_desk = std::sync::Arc::clone(&desk);
    let session = std::thread::spawn(move || {
        let mut settings = its_desk.settings();
        settings.signals.replay.clear();
        settings.session.pace = 1;
        settings.state_dir = Some(its_desk.folder.path().join("state"));
        let mut sink = SinkSettings::new(SinkKind::Telegram, format!("http://{address}"));
        (sink.chat, sink.allow) = ("7".to_owned(), vec![7]);
        settings.sink.insert("chat".to_owned(), sink);
        let tokens = move |kind: &str, _: &str| {
            Ok::<Token, bellwether::keys::KeyError>(Token::new(if kind == "totp" { secret } else { "bot-token" }))
        };
        let plan = run::SessionPlan { tokens: &tokens, ..super::desk::plan(None, &settings) };
        let stop = std::sync::atomic::AtomicBool::new(false);
        run::paper(&settings, &its_desk.registry(), plan, &mut super::desk::Blind, &stop).expect("a session")
    });
    let mut said = Vec::new();
    while !said.iter().any(|t: &String| t.contains("the session ends")) {
        let taken = server.next();
        if taken.target.ends_with("sendMessage") {
            said.push(taken.json()["text"].as_str().unwrap_or("").to_owned());
        }
    }
    session.join().expect("the session ended by itself");
    // Its own reports are the same messages: answers are those without a mark.
    let answers: Vec<&str> = said.iter().map(String::as_str).filter(|t| !t.starts_with(['·', '!'])).collect();
    let wanted = [
        "orders open",
        "nothing",
        "test:AAA/USD 0",
        "nothing",
        "+0.00 USD since the start",
        "paused: no position",
        "paused: no position",
        "resumed",
        "orders open",
        "/stop is refused",
        "/stop is refused",
        "/status /why",
        "the session ends",
    ];
    assert_eq!(answers.len(), wanted.len(), "{answers:?}");
    for (answer, wanted) in answers.iter().zip(wanted) {
        assert!(answer.contains(wanted), "{wanted}: {answer}");
    }
    assert!(!answers[8].contains("paused"), "{answers:?}");
}

#[test]
fn a_mailbox_that_is_full_takes_no_more_and_says_so() {
    let (sender, mailbox) = mailbox();
    let taken = (0..10_000).filter(|_| sender.send(Mail::Note(String::new()))).count();
    assert!((1_000..10_000).contains(&taken), "{taken}");
    assert!(mailbox.take().is_some() && sender.send(Mail::Note(String::new())));
    let (reply, _) = tokio::sync::oneshot::channel();
    assert!(!sender.send(Mail::Ask(Question::Status, reply)));
}
