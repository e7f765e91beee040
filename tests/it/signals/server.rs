//! Small servers on loopback: one that takes HTTP requests and answers as told, one that takes mail; and a client.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Taken {
    pub target: String,
    pub headers: String,
    pub body: String,
}

impl Taken {
    pub fn header(&self, name: &str) -> &str {
        let wanted = format!("{name}:");
        let line = self.headers.lines().find(|l| l.to_ascii_lowercase().starts_with(&wanted));
        line.map_or("", |l| l[wanted.len()..].trim())
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).expect("JSON")
    }
}

/// Requests as they come; each is answered by `answer` (status line and headers, body).
pub struct Server {
    pub address: SocketAddr,
    pub taken: Receiver<Taken>,
}

impl Server {
    pub fn start(answer: impl Fn(usize, &Taken) -> (String, String) + Send + 'static) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").expect("a port"), answer)
    }

    pub fn on(listener: TcpListener, answer: impl Fn(usize, &Taken) -> (String, String) + Send + 'static) -> Self {
        let address = listener.local_addr().expect("an address");
        let (tx, taken) = channel();
        std::thread::spawn(move || {
            for (n, stream) in listener.incoming().enumerate() {
                let Ok(mut stream) = stream else { return };
                let Some(request) = read_request(&stream) else { continue };
                let (head, body) = answer(n, &request);
                let _ = write!(
                    stream,
                    "HTTP/1.1 {head}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                );
                if tx.send(request).is_err() {
                    return;
                }
            }
        });
        Self { address, taken }
    }

    /// A server that says yes to everything.
    pub fn kind() -> Self {
        Self::start(|_, _| ("200 OK".to_owned(), "{}".to_owned()))
    }

    pub fn next(&self) -> Taken {
        self.taken.recv_timeout(Duration::from_secs(20)).expect("a request within twenty seconds")
    }
}

fn read_request(stream: &TcpStream) -> Option<Taken> {
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    let (mut headers, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        if line.trim().is_empty() {
            break;
        }
        if let Some(text) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = text.trim().parse().ok()?;
        }
        headers.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let target = first.split_whitespace().nth(1)?.to_owned();
    Some(Taken { target, headers, body: String::from_utf8(body).ok()? })
}

/// Posts a body; gives status and answer.
pub fn post(address: SocketAddr, headers: &str, body: &str) -> (u16, String) {
    let mut stream = connect(address);
    let length = body.len();
    write!(
        stream,
        "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n{body}"
    )
    .expect("sent");
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    let status = answer.split_whitespace().nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
    (status, answer.split_once("\r\n\r\n").map_or_else(String::new, |(_, body)| body.to_owned()))
}

/// Connects as soon as somebody listens.
fn connect(address: SocketAddr) -> TcpStream {
    for _ in 0..2_000 {
        if let Ok(stream) = TcpStream::connect(address) {
            return stream;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("nobody listens on {address}");
}

/// A port that was free a moment ago.
pub fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port")
}

/// A mail server that takes everything; gives the text of each mail.
pub fn mail_server() -> (SocketAddr, Receiver<String>) {
    mail_server_that(|_| "250 taken")
}

/// A mail server that answers the nth mail so; gives the text of each.
pub fn mail_server_that(answer: impl Fn(usize) -> &'static str + Send + 'static) -> (SocketAddr, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let (tx, mails) = channel();
    std::thread::spawn(move || {
        let mut number = 0;
        for stream in listener.incoming().flatten() {
            let mut out = stream.try_clone().expect("a stream");
            let mut say = |text: &str| drop(out.write_all(format!("{text}\r\n").as_bytes()));
            say("220 ready");
            let (mut mail, mut in_data) = (String::new(), false);
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                if in_data && line == "." {
                    in_data = false;
                    let _ = tx.send(std::mem::take(&mut mail));
                    say(answer(number));
                    number += 1;
                } else if in_data {
                    mail.push_str(&line);
                    mail.push('\n');
                } else if line.starts_with("EHLO") {
                    say("250-here\r\n250 8BITMIME");
                } else if line.starts_with("DATA") {
                    in_data = true;
                    say("354 go on");
                } else if line.starts_with("QUIT") {
                    say("221 bye");
                    break;
                } else {
                    say("250 ok");
                }
            }
        }
    });
    (address, mails)
}
