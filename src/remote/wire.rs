//! A TCP connection with or without TLS, for protocols that are spoken byte by byte. Every wait ends with the deadline, every
//! answer at a limit.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::Failure;
use super::failure::one_line;
use super::tls::{Tls, client_config};

/// Largest answer, in bytes.
const LIMIT: usize = 16 * 1024 * 1024;

/// Where a server listens.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Whether and how it is encrypted.
    pub tls: Tls,
    /// How long one call may take.
    pub deadline: Duration,
}

trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A connection.
pub(super) struct Wire {
    stream: Box<dyn Duplex>,
    endpoint: Endpoint,
    /// Whether anything of substance was sent, so that a lost answer leaves the outcome open.
    pub(super) sent: bool,
}

impl Endpoint {
    /// Host and port, for messages.
    pub fn place(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    fn unreachable(&self, why: impl std::fmt::Display) -> Failure {
        Failure::Unreachable { place: self.place(), why: one_line(&why.to_string()) }
    }

    /// Connects; with TLS unless `later` says that the protocol begins in clear text and changes over.
    pub(super) async fn connect(&self, later: bool) -> Result<Wire, Failure> {
        let connecting = TcpStream::connect((self.host.as_str(), self.port));
        let stream = match tokio::time::timeout(self.deadline, connecting).await {
            Err(_) => return Err(self.unreachable("no answer in time")),
            Ok(Err(error)) => return Err(self.unreachable(error)),
            Ok(Ok(stream)) => stream,
        };
        // Small questions and answers: waiting to fill a packet only costs time. Nothing is lost when that is refused.
        let _ = stream.set_nodelay(true);
        let wire = Wire { stream: Box::new(stream), endpoint: self.clone(), sent: false };
        if later || self.tls == Tls::Off { Ok(wire) } else { wire.encrypt().await }
    }
}

impl Wire {
    /// Changes over to TLS.
    pub(super) async fn encrypt(self) -> Result<Self, Failure> {
        let Self { stream, endpoint, sent } = self;
        let config = client_config(&endpoint.tls).map_err(|why| endpoint.unreachable(why))?;
        let name = ServerName::try_from(endpoint.host.clone()).map_err(|error| endpoint.unreachable(error))?;
        let handshake = TlsConnector::from(Arc::new(config)).connect(name, stream);
        match tokio::time::timeout(endpoint.deadline, handshake).await {
            Err(_) => Err(endpoint.unreachable("no TLS handshake in time")),
            Ok(Err(error)) => Err(endpoint.unreachable(error)),
            Ok(Ok(stream)) => Ok(Self { stream: Box::new(stream), endpoint, sent }),
        }
    }

    pub(super) fn is_encrypted(&self) -> bool {
        self.endpoint.tls != Tls::Off
    }

    pub(super) fn place(&self) -> String {
        self.endpoint.place()
    }

    /// The failure of a connection that broke: harmless before anything was asked.
    pub(super) fn broken(&self, why: impl std::fmt::Display) -> Failure {
        let (place, why) = (self.place(), one_line(&why.to_string()));
        if self.sent { Failure::Lost { place, why } } else { Failure::Unreachable { place, why } }
    }

    /// An answer that is not of the protocol.
    pub(super) fn strange(&self, why: &str) -> Failure {
        Failure::Strange { place: self.place(), why: why.to_owned() }
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let deadline = self.endpoint.deadline;
        let stream = &mut self.stream;
        let writing = async {
            stream.write_all(bytes).await?;
            stream.flush().await
        };
        in_time(deadline, writing).await.map_err(|why| self.broken(why))
    }

    pub(super) async fn read_exact(&mut self, count: usize) -> Result<Vec<u8>, Failure> {
        if count > LIMIT {
            return Err(self.strange("an answer of a sensible size was expected"));
        }
        let mut bytes = vec![0; count];
        let deadline = self.endpoint.deadline;
        in_time(deadline, self.stream.read_exact(&mut bytes)).await.map_err(|why| self.broken(why))?;
        Ok(bytes)
    }

    /// Up to and without the end of the line, `\r\n`.
    pub(super) async fn read_line(&mut self) -> Result<String, Failure> {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            if line.len() > LIMIT {
                return Err(self.strange("a line of a sensible length was expected"));
            }
            line.extend(self.read_exact(1).await?);
        }
        line.truncate(line.len() - 2);
        Ok(String::from_utf8_lossy(&line).into_owned())
    }
}

async fn in_time<T>(deadline: Duration, io: impl Future<Output = std::io::Result<T>>) -> Result<T, String> {
    match tokio::time::timeout(deadline, io).await {
        Err(_) => Err("no answer in time".to_owned()),
        Ok(done) => done.map_err(|error| error.to_string()),
    }
}
