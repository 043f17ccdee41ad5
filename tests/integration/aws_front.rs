//! Stands between offkey and an emulator of AWS: passes requests on as they are, so that their signatures hold, and lets a test
//! answer some of them itself, or throw the answer away.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use crate::lab;

/// What becomes of a request.
pub(crate) enum Verdict {
    /// The emulator answers.
    Pass,
    /// The emulator answers, and nobody hears it.
    Lose,
    /// Nobody hears an answer, and the emulator was not asked.
    Drop,
    /// The front answers: status and body.
    Answer(u16, String),
}

/// The address of a front; `judge` gets the head and the body of each request.
pub(crate) fn front(behind: &lab::Aws, judge: impl Fn(&str, &[u8]) -> Verdict + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("bound"));
    let behind = behind.url.trim_start_matches("http://").to_owned();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let Some((head, body)) = request(&mut stream) else { continue };
            let answer = match judge(&head, &body) {
                Verdict::Pass => forward(&behind, &head, &body),
                Verdict::Lose => {
                    forward(&behind, &head, &body);
                    continue;
                }
                Verdict::Drop => continue,
                Verdict::Answer(status, body) => {
                    let kind = if body.starts_with('<') { "text/xml" } else { "application/x-amz-json-1.1" };
                    let length = body.len();
                    let head = format!("HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nConnection: close");
                    format!("{head}\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
                }
            };
            let _ = stream.write_all(&answer);
        }
    });
    address
}

/// A front that treats the first request whose head and body contain all of `victim` specially; all others pass.
pub(crate) fn failing_once(behind: &lab::Aws, victim: &'static [&'static str], fault: fn() -> Verdict) -> String {
    let left = std::sync::atomic::AtomicBool::new(true);
    front(behind, move |head, body| {
        let text = format!("{head}\n{}", String::from_utf8_lossy(body));
        let hit = victim.iter().all(|part| text.contains(part));
        if hit && left.swap(false, std::sync::atomic::Ordering::SeqCst) { fault() } else { Verdict::Pass }
    })
}

fn request(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let read = stream.read(&mut chunk).ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&chunk[..read]);
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let lower = head.to_lowercase();
        let length = lower.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
        if bytes.len() >= end + 4 + length.unwrap_or(0) {
            return Some((head, bytes.split_off(end + 4)));
        }
    }
}

/// The headers go on as they are: the signature is about them.
fn forward(behind: &str, head: &str, body: &[u8]) -> Vec<u8> {
    let mut server = TcpStream::connect(behind).expect("the emulator is there");
    let mut ask = format!("{head}\r\nConnection: close\r\n\r\n").into_bytes();
    ask.extend_from_slice(body);
    server.write_all(&ask).expect("sent");
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).expect("an answer");
    answer
}
