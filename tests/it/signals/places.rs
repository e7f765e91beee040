//! Stories of every kind of place on bad days: what it answers, what it never answers, and what is kept from it.

use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bellwether::config::{Level, SinkKind, SinkSettings};
use bellwether::sinks::{About, Notice, Post};
use bellwether_sdk::Ts;

use super::desk::token;
use super::server::{Server, free_port};
use super::sinks::{fill, post, settings};

/// The kinds that are spoken to over HTTP, with the field of their text and their words for "wait a second".
const WEB: [(SinkKind, &str, &str); 4] = [
    (SinkKind::Webhook, "text", "429 slow\r\nretry-after: 1"),
    (SinkKind::Telegram, "text", r#"429 slow|{"ok":false,"parameters":{"retry_after":1}}"#),
    (SinkKind::Discord, "content", r#"429 slow|{"retry_after":1.0}"#),
    (SinkKind::Slack, "text", "429 slow\r\nretry-after: 1"),
];

fn web(kind: SinkKind, address: std::net::SocketAddr) -> SinkSettings {
    SinkSettings { chat: "7".to_owned(), ..SinkSettings::new(kind, format!("http://{address}")) }
}

fn file(path: &Path) -> SinkSettings {
    SinkSettings::new(SinkKind::File, path.display().to_string())
}

/// The lines that are whole: another may be under way.
fn lines(path: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.rsplit_once('\n')
        .map_or("", |(whole, _)| whole)
        .lines()
        .map(|l| serde_json::from_str(l).expect("JSON"))
        .collect()
}

/// Waits until so many lines stand in a file.
fn wait_for(path: &Path, count: usize) -> Vec<serde_json::Value> {
    let began = Instant::now();
    while lines(path).len() < count {
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", lines(path));
        std::thread::sleep(Duration::from_millis(20));
    }
    lines(path)
}

fn stale(words: &str) -> Notice {
    Notice::new(Ts::from_millis(1), Level::Warning, "stale", words)
}

#[test]
fn each_place_on_the_web_is_waited_for_in_its_own_words_and_gets_all_in_order_once() {
    for (kind, field, slow) in WEB {
        let state = tempfile::tempdir().expect("a folder");
        let server = Server::start(move |n, _| match n {
            // The key is not accepted (any more): nothing is thrown away, a person may set it right.
            0 => ("401 who are you".to_owned(), String::new()),
            1 => ("503 busy".to_owned(), "oops".to_owned()),
            2 => {
                let (head, body) = slow.split_once('|').unwrap_or((slow, ""));
                (head.to_owned(), body.to_owned())
            }
            _ => ("200 OK".to_owned(), r#"{"ok":true}"#.to_owned()),
        });
        let mut post = post(web(kind, server.address), state.path());
        (0..3).for_each(|n| post.send(fill(n)));
        let text = |taken: super::server::Taken| taken.json()[field].as_str().unwrap_or_default().to_owned();
        let said: Vec<String> = (0..3).map(|_| text(server.next())).collect();
        let asked_to_wait = Instant::now();
        let then: Vec<String> = (0..3).map(|_| text(server.next())).collect();
        assert!(asked_to_wait.elapsed() >= Duration::from_millis(900), "{kind:?} {:?}", asked_to_wait.elapsed());
        let all: Vec<String> = said.into_iter().chain(then).collect();
        let wanted: Vec<String> = [0, 0, 0, 0, 1, 2].iter().map(|n| format!("· fill: fill {n}")).collect();
        assert_eq!(all, wanted, "{kind:?}");
        post.close();
        let counts = &post.counts().0[0];
        assert_eq!((counts.delivered.sent, counts.delivered.failed, counts.waiting), (3, 3, 0), "{kind:?}");
    }
}

#[test]
fn a_place_that_never_answers_holds_nobody_up_and_the_next_session_delivers() {
    // It takes connections, as the system does for it, and says nothing.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    for kind in [SinkKind::Webhook, SinkKind::Mail] {
        let state = tempfile::tempdir().expect("a folder");
        let to = if kind == SinkKind::Mail { format!("smtp://{address}") } else { format!("http://{address}") };
        let mut sink = SinkSettings::new(kind, to);
        (sink.from, sink.chat) = ("bot@example.org".to_owned(), "desk@example.org".to_owned());
        let mut post = post(sink, state.path());
        let began = Instant::now();
        (0..1_000).for_each(|n| post.send(fill(n)));
        assert!(began.elapsed() < Duration::from_millis(200), "{kind:?}: whoever reports waits for nobody");
        post.close();
        assert!(began.elapsed() < Duration::from_secs(9), "{kind:?}: {:?}", began.elapsed());
        let (counts, lost) = post.counts();
        assert_eq!((counts[0].delivered.sent, counts[0].dropped, lost), (0, 0, 0), "{kind:?}");
        drop(post);
        // The same folder with a place that works.
        let told = state.path().join("told.jsonl");
        let mut next = super::sinks::post(file(&told), state.path());
        next.send(fill(1_000));
        let texts: Vec<String> =
            wait_for(&told, 1_001).iter().map(|m| m["text"].as_str().unwrap_or_default().to_owned()).collect();
        assert_eq!(texts, (0..=1_000).map(|n| format!("· fill: fill {n}")).collect::<Vec<_>>(), "{kind:?}");
        next.close();
    }
}

#[test]
fn a_file_whose_folder_is_not_there_yet_gets_everything_when_it_is() {
    let state = tempfile::tempdir().expect("a folder");
    let path = state.path().join("not yet").join("told.jsonl");
    let mut post = post(file(&path), state.path());
    (0..3).for_each(|n| post.send(fill(n)));
    std::thread::sleep(Duration::from_millis(300));
    assert!(post.words()[0].contains("attempts failed") && post.words()[0].contains("not yet"), "{:?}", post.words());
    std::fs::create_dir(path.parent().expect("a folder")).expect("made");
    let numbers: Vec<u64> = wait_for(&path, 3).iter().filter_map(|m| m["number"].as_u64()).collect();
    assert_eq!(numbers, [1, 2, 3]);
    post.close();
}

#[test]
fn what_finds_no_room_on_disk_is_dropped_counted_and_told_by_the_next_message() {
    let state = tempfile::tempdir().expect("a folder");
    let address = free_port();
    let sink = SinkSettings { spool_bytes_max: 2_000, ..web(SinkKind::Webhook, address) };
    let mut down = post(sink.clone(), state.path());
    (0..100).for_each(|n| down.send(fill(n)));
    std::thread::sleep(Duration::from_millis(300));
    down.close();
    let dropped = down.counts().0[0].dropped;
    assert!(
        dropped > 50 && down.words()[0].contains(&format!("{dropped} dropped, the spool was full")),
        "{:?}",
        down.words()
    );
    drop(down);
    let server =
        Server::on(TcpListener::bind(address).expect("the same port"), |_, _| ("200 OK".to_owned(), String::new()));
    let up = post(sink, state.path());
    let kept = 100 - usize::try_from(dropped).expect("small");
    let before: Vec<String> =
        (0..kept).map(|_| server.next().json()["text"].as_str().unwrap_or("").to_owned()).collect();
    assert_eq!(
        before,
        (0..kept).map(|n| format!("· fill: fill {n}")).collect::<Vec<_>>(),
        "the first are kept, in order"
    );
    up.send(fill(100));
    let next = server.next().json()["text"].as_str().unwrap_or("").to_owned();
    assert!(next.starts_with("· fill: fill 100") && next.contains(&dropped.to_string()), "{next}");
}

#[test]
fn the_same_words_come_once_in_a_while_and_many_words_at_a_pace() {
    let state = tempfile::tempdir().expect("a folder");
    let told = state.path().join("told.jsonl");
    let sink = SinkSettings { dedupe_s: 1, per_minute_max: 60, ..file(&told) };
    let mut post = Post::start(&settings(&[("place", sink)]), state.path(), &token, None, About::default())
        .expect("a post")
        .expect("one sink");
    (0..5).for_each(|_| post.send(stale("feed is stale")));
    post.send(stale("another feed is stale"));
    assert_eq!(wait_for(&told, 2).len(), 2);
    std::thread::sleep(Duration::from_millis(1_100));
    post.send(stale("feed is stale"));
    let all = wait_for(&told, 3);
    assert_eq!(all[2]["text"], "! stale: feed is stale (4 times more before)");
    // Six of a minute's sixty go out at once, then one a second.
    let began = Instant::now();
    (0..8).for_each(|n| post.send(fill(n)));
    wait_for(&told, 11);
    assert!(began.elapsed() >= Duration::from_millis(900), "{:?}", began.elapsed());
    post.close();
}

#[test]
fn the_day_is_told_at_its_hour_and_the_next_one_begins() {
    let state = tempfile::tempdir().expect("a folder");
    let (told, other) = (state.path().join("told.jsonl"), state.path().join("other.jsonl"));
    // The clock stands two seconds before six in the morning, UTC.
    let (base, began) = (Ts::from_millis(86_400_000 * 19_000 + 21_598_000), Instant::now());
    let clock = Arc::new(move || base.plus(i64::try_from(began.elapsed().as_nanos()).unwrap_or(i64::MAX)));
    // It asked for nothing but grave things, and the digest comes all the same.
    let sink = SinkSettings { digest_hour: Some(6), level: Level::Error, ..file(&told) };
    let sinks = settings(&[("told", sink), ("other", file(&other))]);
    let mut post =
        Post::start_by(&sinks, state.path(), &token, None, About::default(), clock).expect("a post").expect("sinks");
    (0..3).for_each(|n| post.send(fill(n)));
    post.send(Notice::new(Ts::from_millis(1), Level::Error, "guard", "tripped at 3 %"));
    post.send(stale("feed is stale"));
    let all = wait_for(&told, 2);
    assert!(began.elapsed() >= Duration::from_secs(2), "{:?}", began.elapsed());
    assert_eq!(all[0]["topic"], "guard");
    let (topic, text) = (all[1]["topic"].as_str().unwrap_or(""), all[1]["text"].as_str().unwrap_or(""));
    assert_eq!(topic, "digest");
    assert!(text.contains("fill 3, guard 1, stale 1") && text.ends_with("tripped at 3 %"), "{text}");
    std::thread::sleep(Duration::from_millis(300));
    post.close();
    assert_eq!(lines(&told).len(), 2, "once a day");
    assert!(lines(&other).iter().all(|m| m["topic"] != "digest"), "nobody else asked for it");
}
