//! What goes over the wires: where it is late, lost, doubled or cut, and what the venue does with what arrives.

use bellwether::exchange::machine::{Action, Link};
use bellwether::exchange::transport::TransportError;
use bellwether::exchange::{Request, Response};
use serde_json::{Value, json};

use super::{Ev, MS, NO_NAME, Who, World};

impl World {
    pub(super) fn broadcast(&mut self, topic: &str, text: &str) {
        let to: Vec<(Who, Link)> =
            self.conns.iter().filter(|(_, c)| c.subs.contains(topic) && !c.mute).map(|(k, _)| *k).collect();
        for (who, link) in to {
            self.deliver(who, link, text.to_owned());
        }
    }

    fn deliver(&mut self, who: Who, link: Link, text: String) {
        let wait = self.delay();
        let f = self.faults;
        if self.dice.chance(f.cut) {
            // Some bytes of it arrive, and then nothing does.
            let at = self.dice.below(text.len() as u64) as usize;
            let part = text.get(..at).unwrap_or_default().to_owned();
            self.at(wait, Ev::ToClient(who, link, part));
            self.at(wait + 1, Ev::Cut(who, link));
            return;
        }
        if self.dice.chance(f.drop_message) && who == Who::Feed {
            return;
        }
        let Some(conn) = self.conns.get_mut(&(who, link)) else { return };
        conn.to_client = conn.to_client.max(self.now + wait) + 1;
        let wait = conn.to_client - self.now;
        if self.dice.chance(f.duplicate) {
            self.at(wait + MS, Ev::ToClient(who, link, text.clone()));
        }
        let late = if self.dice.chance(f.reorder) { 120 * MS } else { 0 };
        self.at(wait + late, Ev::ToClient(who, link, text));
    }

    /// The venue reads a message of ours.
    pub(super) fn serve(&mut self, who: Who, link: Link, text: &str) {
        let ms = self.now / MS;
        if self.conns.get(&(who, link)).is_none_or(|c| c.dead) {
            return;
        }
        let v: Value = serde_json::from_str(text).expect("what we say is JSON");
        let mut say = Vec::new();
        match v["op"].as_str().unwrap_or_default() {
            "ping" => say.push(json!({ "t": "pong" }).to_string()),
            "login" if self.no_logins => {
                say.push(json!({ "t": "login", "code": "key", "msg": "who are you" }).to_string());
            }
            "login" => {
                if let Some(c) = self.conns.get_mut(&(who, link)) {
                    c.logged_in = true;
                }
                say.push(json!({ "t": "login" }).to_string());
            }
            "sub" | "unsub" => {
                let topic = v["topic"].as_str().unwrap_or_default();
                let topic = topic.split(':').next().unwrap_or_default().to_owned();
                let on = v["op"] == json!("sub");
                if let Some(c) = self.conns.get_mut(&(who, link)) {
                    if on {
                        c.subs.insert(topic.clone())
                    } else {
                        c.subs.remove(&topic)
                    };
                }
                say.push(json!({ "t": "ok" }).to_string());
                if on && topic == "depth" && self.checksum {
                    say.push(self.server.snapshot());
                }
            }
            _ => {
                assert!(self.conns[&(who, link)].logged_in, "an act before login");
                let answer = if !self.force.is_empty() {
                    self.force.remove(0)
                } else if self.dice.chance(self.faults.refuse) {
                    let code = ["limit", "busy", "clock"][self.dice.below(3) as usize];
                    json!({ "code": code, "msg": "not now", "wait": 200 })
                } else {
                    let (answer, notes) = self.server.act(&v, &mut self.dice, ms);
                    for note in notes {
                        self.broadcast("orders", &note);
                    }
                    answer
                };
                let mut answer = answer;
                answer["t"] = json!("re");
                answer["n"] = v["n"].clone();
                if let Some((weight, orders)) = self.used {
                    (answer["used_weight"], answer["used_orders"]) = (json!(weight), json!(orders));
                }
                if !self.dice.chance(self.faults.lose_answer) {
                    say.push(answer.to_string());
                }
            }
        }
        for text in say {
            self.deliver(who, link, text);
        }
    }

    /// The venue's REST. What goes wrong may go wrong before it is done or after.
    pub(super) fn rest(&mut self, request: &Request, ms: i64) -> Result<Response, TransportError> {
        let f = self.faults;
        let answer = |status: u16, body: String, headers: Vec<(String, String)>| Ok(Response { status, headers, body });
        if self.outage {
            return Err(TransportError::NotSent(NO_NAME.to_owned()));
        }
        if self.dice.chance(f.refuse) {
            return match self.dice.below(3) {
                0 => Err(TransportError::NotSent("connection refused".to_owned())),
                1 => answer(429, String::new(), vec![("retry-after".to_owned(), "1".to_owned())]),
                _ => answer(400, json!({ "code": "clock", "msg": "your clock" }).to_string(), Vec::new()),
            };
        }
        if self.dice.chance(f.lose_request) {
            return Err(TransportError::Unknown("reset".to_owned()));
        }
        if request.signed {
            if if request.path == "/act" { self.no_acts } else { self.no_reads } {
                return answer(401, String::new(), Vec::new());
            }
            let header = |name: &str| request.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value);
            assert!(header("x-sign").is_some(), "unsigned: {request:?}");
            let nonce = header("x-nonce").and_then(|n| n.parse::<u64>().ok()).expect("a nonce");
            self.overtaken += u32::from(nonce <= self.nonce);
            self.nonce = self.nonce.max(nonce);
        }
        let body = if request.path == "/act" {
            let v: Value = serde_json::from_str(&request.body).expect("JSON");
            let (value, notes) = self.server.act(&v, &mut self.dice, ms);
            for note in notes {
                self.broadcast("orders", &note);
            }
            value
        } else {
            self.server.read(&request.path, &request.query, ms)
        };
        if self.dice.chance(f.lose_answer) {
            return match self.dice.below(3) {
                0 => Err(TransportError::Unknown("reset after the request".to_owned())),
                1 => answer(502, "<html>bad gateway</html>".to_owned(), Vec::new()),
                _ => answer(200, "{\"half\":".to_owned(), Vec::new()),
            };
        }
        let status = if body["code"].is_null() { 200 } else { 400 };
        let used = |(weight, orders): (u32, u32)| {
            [("x-used-weight", weight), ("x-used-orders", orders)].map(|(name, n)| (name.to_owned(), n.to_string()))
        };
        answer(status, body.to_string(), self.used.map_or(Vec::new(), |all| used(all).to_vec()))
    }

    /// What the machines want done.
    pub fn carry_out(&mut self) {
        self.take_events();
        let mut actions: Vec<(Who, Action)> = self.feed.actions().map(|a| (Who::Feed, a)).collect();
        actions.extend(self.gateway.actions().map(|a| (Who::Gateway, a)));
        for (who, action) in actions {
            let wait = self.delay();
            match action {
                Action::Connect { link, url } => self.at(wait, Ev::Open(who, link, url)),
                Action::Say { link, text, .. } => {
                    let Some(conn) = self.conns.get_mut(&(who, link)) else { continue };
                    conn.to_server = conn.to_server.max(self.now + wait) + 1;
                    let wait = conn.to_server - self.now;
                    if self.dice.chance(self.faults.cut) {
                        self.at(wait, Ev::Cut(who, link));
                    }
                    self.at(wait, Ev::ToServer(who, link, text));
                }
                Action::Close { link } => {
                    self.conns.remove(&(who, link));
                    self.events.retain(|_, e| !matches!(e, Ev::Open(w, l, _) if *w == who && *l == link));
                }
                Action::Http { tag, request } => self.at(wait, Ev::Arrive(who, tag, request)),
            }
        }
    }
}
