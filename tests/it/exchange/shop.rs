//! The toy venue on a real port of this machine.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Redirect};
use axum::routing::{any, get};
use axum::serve::Listener;
use bellwether::exchange::Urls;
use serde_json::{Value, json};
use tokio::sync::broadcast;
use tokio::task::AbortHandle;

use super::server::{Dice, Server};

/// Where a shop is to be found.
pub fn urls(at: &str) -> Urls {
    let socket = format!("ws://{at}/ws");
    Urls { rest: format!("http://{at}"), market: socket.clone(), account: socket.clone(), trade: socket }
}

/// The toy venue on a real port.
#[derive(Clone)]
pub struct Shop {
    pub server: Arc<Mutex<Server>>,
    pub news: broadcast::Sender<(&'static str, String)>,
    /// WebSocket pings, each so many milliseconds.
    ping_ms: u64,
    /// Its market and its doors.
    tasks: Arc<Mutex<Vec<AbortHandle>>>,
}

pub fn ms() -> i64 {
    std::time::UNIX_EPOCH.elapsed().map_or(0, |d| d.as_millis() as i64)
}

impl Shop {
    pub async fn open() -> (Self, String) {
        Self::that_pings(60_000).await
    }

    pub async fn that_pings(ping_ms: u64) -> (Self, String) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let at = listener.local_addr().expect("an address").to_string();
        let shop = Self::new(ping_ms, true);
        shop.serve(listener);
        (shop, at)
    }

    /// Without a door; whether its market moves.
    pub fn new(ping_ms: u64, ticks: bool) -> Self {
        let (news, _) = broadcast::channel(1_024);
        let shop = Self { server: Arc::new(Mutex::new(Server::new(None))), news, ping_ms, tasks: Arc::default() };
        if ticks {
            shop.spawn(shop.clone().tick());
        }
        shop
    }

    /// Opens a door.
    pub fn serve<L: Listener<Addr: std::fmt::Debug>>(&self, listener: L) {
        let app = Router::new()
            .route(
                "/ws",
                get(|upgrade: WebSocketUpgrade, State(shop): State<Self>| async move {
                    upgrade.on_upgrade(move |socket| shop.talk(socket))
                }),
            )
            .route("/agent", get(|headers: HeaderMap| async move { format!("{:?}", headers.get("user-agent")) }))
            .route("/elsewhere", get(|| async { Redirect::temporary("/time") }))
            .route("/large", get(|| async { "x".repeat(100_000) }))
            .fallback(any(|uri: Uri, RawQuery(query): RawQuery, State(shop): State<Self>, body: String| async move {
                let body = match uri.path() {
                    "/act" => shop.act(&body),
                    path => shop.server.lock().expect("the server").read(path, &query.unwrap_or_default(), ms()),
                };
                let status = if body["code"].is_null() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
                (status, body.to_string()).into_response()
            }))
            .with_state(self.clone());
        self.spawn(async move { axum::serve(listener, app).await.expect("served") });
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.lock().expect("the tasks").push(tokio::spawn(task).abort_handle());
    }

    /// Closes the doors, and the market stands still.
    pub fn close(&self) {
        self.tasks.lock().expect("the tasks").iter().for_each(AbortHandle::abort);
    }

    async fn tick(self) {
        let mut dice = Dice(1);
        loop {
            let told = self.server.lock().expect("the server").tick(&mut dice, ms());
            for news in told {
                let _ = self.news.send(news);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn talk(self, mut socket: WebSocket) {
        let mut news = self.news.subscribe();
        let mut topics: Vec<String> = Vec::new();
        let every = Duration::from_millis(self.ping_ms);
        let mut pings = tokio::time::interval_at(tokio::time::Instant::now() + every, every);
        loop {
            let said = tokio::select! {
                _ = pings.tick() => {
                    if socket.send(Message::Ping(Vec::new().into())).await.is_err() {
                        return;
                    }
                    continue;
                },
                message = socket.recv() => match message {
                    Some(Ok(Message::Text(text))) => self.heard(&text, &mut topics),
                    Some(Ok(_)) => continue,
                    _ => return,
                },
                Ok((topic, text)) = news.recv() => {
                    if topics.iter().any(|t| t == topic) { vec![text] } else { continue }
                }
            };
            for text in said {
                if socket.send(Message::Text(text.into())).await.is_err() {
                    return;
                }
            }
        }
    }

    fn heard(&self, text: &str, topics: &mut Vec<String>) -> Vec<String> {
        let v: Value = serde_json::from_str(text).expect("JSON");
        match v["op"].as_str().unwrap_or_default() {
            "login" => vec![json!({ "t": "login" }).to_string()],
            "sub" => {
                let topic = v["topic"].as_str().unwrap_or_default();
                topics.push(topic.split(':').next().unwrap_or_default().to_owned());
                vec![json!({ "t": "ok" }).to_string()]
            }
            "ping" => vec![json!({ "t": "pong" }).to_string()],
            _ => {
                let mut answer = self.act(text);
                answer["t"] = json!("re");
                answer["n"] = v["n"].clone();
                vec![answer.to_string()]
            }
        }
    }

    fn act(&self, text: &str) -> Value {
        let v: Value = serde_json::from_str(text).expect("JSON");
        let (answer, notes) = self.server.lock().expect("the server").act(&v, &mut Dice(5), ms());
        for note in notes {
            let _ = self.news.send(("orders", note));
        }
        answer
    }
}
