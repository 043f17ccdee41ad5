//! A server of a few lines on loopback: what is sent, cut, delayed and redirected.

use std::io::{Read, Write};
use std::net::TcpListener;

use super::*;

/// Answers each connection with the next of `answers`, verbatim; `None` keeps silent.
fn server(answers: Vec<Option<String>>) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().expect("a caller");
            let mut buffer = [0; 4096];
            let _ = stream.read(&mut buffer);
            match answer {
                Some(text) => drop(stream.write_all(text.as_bytes())),
                None => std::thread::sleep(Duration::from_secs(2)),
            }
        }
    });
    Url::parse(&format!("http://{address}/path?private=1")).expect("a URL")
}

fn answer(head: &str, body: &str) -> Option<String> {
    Some(format!("HTTP/1.1 {head}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len()))
}

fn get(url: &Url) -> Result<Reply, Failure> {
    let http = Http::new(url, Duration::from_millis(400), None).expect("a client");
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(http.send(Ask::new("GET", url.clone())))
}

#[test]
fn an_error_status_is_an_answer_with_its_waiting_time() {
    let reply = get(&server(vec![answer("429 Slow Down\r\nretry-after: 7", "later")])).expect("an answer");
    let failure = reply.failure("throttled", "later\nplease");
    assert_eq!(failure.retry_after(), Some(Duration::from_secs(7)));
    assert!(failure.to_string().ends_with("answered 429 throttled: later please"), "{failure}");
}

#[test]
fn nobody_there_means_nothing_was_sent() {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound");
    let failure = get(&Url::parse(&format!("http://{free}/?private=1")).expect("a URL")).err().expect("nobody listens");
    assert!(matches!(failure, Failure::Unreachable { .. }), "{failure}");
    assert!(!failure.to_string().contains("private"), "{failure}");
}

#[test]
fn silence_and_a_cut_answer_leave_the_outcome_open() {
    assert!(get(&server(vec![None])).err().expect("silence").is_ambiguous());
    let cut = Some("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf".to_owned());
    let failure = get(&server(vec![cut])).err().expect("cut off");
    assert!(failure.is_ambiguous(), "{failure}");
    assert!(!failure.to_string().contains("private"), "{failure}");
}

#[test]
fn a_redirect_to_another_host_is_not_followed() {
    let elsewhere = server(vec![answer("200 OK", "stolen")]);
    let url = server(vec![answer(&format!("307 Moved\r\nlocation: {elsewhere}"), "")]);
    let failure = get(&url).err().expect("not followed");
    assert!(failure.to_string().contains("another host"), "{failure}");
}

#[test]
fn a_flood_is_cut_at_the_limit() {
    let url = server(vec![answer("200 OK", &"x".repeat(1000))]);
    let mut http = Http::new(&url, Duration::from_secs(1), None).expect("a client");
    http.limit = 500;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let failure = runtime.block_on(http.send(Ask::new("GET", url))).err().expect("too large");
    assert!(failure.is_ambiguous(), "{failure}");
}
