//! A server on loopback that plays one documented exchange: it wants each request as documented and gives the documented
//! answer. What it did not expect is a fault that the test reports.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// One request and its answer.
#[derive(Clone, Debug)]
pub(super) struct Played {
    /// `GET /user`
    pub sent: String,
    /// Lines that the request must carry: `name: value`, `body: part of the body`, `absent: name`.
    pub carries: Vec<String>,
    pub answer: Answer,
}

/// What is answered.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    /// Status, further headers, body.
    With(u16, &'static str, String),
    /// The request is read, and then nothing.
    Silence,
    /// The request is read, and the connection ends.
    Cut,
}

/// A running server.
pub(super) struct Replay {
    pub address: String,
    faults: Arc<Mutex<Vec<String>>>,
    left: Arc<Mutex<usize>>,
}

impl Replay {
    pub(super) fn start(script: Vec<Played>, forbidden: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("bound"));
        let faults = Arc::new(Mutex::new(Vec::new()));
        let left = Arc::new(Mutex::new(script.len()));
        let (seen, remaining) = (Arc::clone(&faults), Arc::clone(&left));
        std::thread::spawn(move || {
            let mut script = script.into_iter();
            let mut silent = Vec::new();
            while let Ok((mut stream, _)) = listener.accept() {
                let Some((head, body)) = request(&mut stream) else { continue };
                let fault = |text: String| seen.lock().expect("no panic").push(text);
                let first = head.lines().next().unwrap_or_default().to_owned();
                if forbidden.iter().any(|value| first.contains(value.as_str())) {
                    fault("a value stands in the address".to_owned());
                }
                let Some(played) = script.next() else {
                    fault(format!("one request too many: {first}"));
                    continue;
                };
                *remaining.lock().expect("no panic") -= 1;
                for text in differences(&played, &head, &body) {
                    fault(text);
                }
                match played.answer {
                    Answer::With(status, headers, body) => {
                        let answer = format!(
                            "HTTP/1.1 {status} Status\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n{body}",
                            body.len()
                        );
                        let _ = stream.write_all(answer.as_bytes());
                    }
                    // Kept open until the test ends, so that only the caller's patience ends the call.
                    Answer::Silence => silent.push(stream),
                    Answer::Cut => drop(stream),
                }
            }
        });
        Self { address, faults, left }
    }

    /// What was not as documented; requests that never came count.
    pub(super) fn faults(&self) -> Vec<String> {
        let mut faults = self.faults.lock().expect("no panic").clone();
        let left = *self.left.lock().expect("no panic");
        if left > 0 {
            faults.push(format!("{left} requests were not made"));
        }
        faults
    }
}

/// Head and body of one request.
pub(crate) fn request(stream: &mut TcpStream) -> Option<(String, String)> {
    stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let count = stream.read(&mut buffer).ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok()).flatten()
        });
        if body.len() >= length.unwrap_or(0) {
            return Some((head.to_owned(), body.to_owned()));
        }
    }
}

fn differences(played: &Played, head: &str, body: &str) -> Vec<String> {
    let mut lines = head.lines();
    let first = lines.next().unwrap_or_default();
    let headers: Vec<String> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| format!("{}: {}", name.to_lowercase(), value.trim()))
        .collect();
    let mut wrong = Vec::new();
    if first.rsplit_once(" HTTP/").map(|(line, _)| line) != Some(played.sent.as_str()) {
        wrong.push(format!("expected {}, got {first}", played.sent));
    }
    for line in &played.carries {
        let found = match line.split_once(": ") {
            Some(("body", part)) => body.contains(part),
            Some(("absent", name)) => !headers.iter().any(|header| header.starts_with(&format!("{name}:"))),
            _ => headers.contains(line),
        };
        if !found {
            wrong.push(format!(
                "{}: the request does not carry {}",
                played.sent,
                line.split(": ").next().unwrap_or("")
            ));
        }
    }
    wrong
}
