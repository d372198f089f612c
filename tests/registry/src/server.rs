//! The registry: who is let in, and what is answered.

use std::io::{self, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use crate::content::{Content, digest};
use crate::faults::{Fault, Rule, take};
use crate::http::{Answer, Request, found, plain, read, write};

/// The token that the token server gives.
const TOKEN: &str = "opaque-token";

/// Whom it lets in.
#[derive(Clone, Debug)]
pub enum Access {
    /// Everybody.
    Open,
    /// Who has this name and password.
    Basic(String, String),
    /// Who has a token, which everybody gets.
    AnyToken,
    /// Who has a token, which this name and password get.
    Token(String, String),
    /// Who has a token, which this identity token gets.
    Identity(String),
}

/// A registry that runs until the process ends.
#[derive(Debug)]
pub struct Registry {
    address: SocketAddr,
    certificate: Option<String>,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    address: SocketAddr,
    access: Access,
    tls: Option<Arc<ServerConfig>>,
    content: Mutex<Content>,
    rules: Mutex<Vec<Rule>>,
    requests: Mutex<Vec<Request>>,
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Registry {
    /// Starts one without TLS.
    ///
    /// # Errors
    /// No port can be had.
    pub fn plain(access: Access) -> io::Result<Self> {
        Self::start(access, None)
    }

    /// Starts one with TLS and a certificate of its own making.
    ///
    /// # Errors
    /// No port can be had, or no certificate.
    pub fn tls(access: Access) -> io::Result<Self> {
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).map_err(io::Error::other)?;
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der());
        let key = key.map_err(io::Error::other)?;
        let provider = Arc::new(ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .map_err(io::Error::other)?;
        Self::start(access, Some((config, made.cert.pem())))
    }

    fn start(access: Access, tls: Option<(ServerConfig, String)>) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let (config, certificate) = tls.unzip();
        let state = Arc::new(State {
            address,
            access,
            tls: config.map(Arc::new),
            content: Mutex::default(),
            rules: Mutex::default(),
            requests: Mutex::default(),
        });
        let serving = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&serving);
                // A client that goes away is nothing to talk about.
                thread::spawn(move || drop(state.connection(stream)));
            }
        });
        Ok(Self {
            address,
            certificate,
            state,
        })
    }

    /// `127.0.0.1:PORT`.
    #[must_use]
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// The certificate to trust, in PEM.
    #[must_use]
    pub fn certificate(&self) -> Option<&str> {
        self.certificate.as_deref()
    }

    /// Adds an image of plain layers; gives its descriptor.
    pub fn image(
        &self,
        repository: &str,
        version: Option<&str>,
        layers: &[Vec<u8>],
        config: &Value,
    ) -> Value {
        held(&self.state.content).image(repository, version, layers, config)
    }

    /// Adds a manifest or index; gives its descriptor.
    pub fn manifest(
        &self,
        repository: &str,
        version: Option<&str>,
        media_type: &str,
        document: &Value,
    ) -> Value {
        held(&self.state.content).manifest(repository, version, media_type, document)
    }

    /// Adds a blob; gives its descriptor.
    pub fn blob(&self, bytes: &[u8], media_type: &str) -> Value {
        held(&self.state.content).blob(bytes, media_type)
    }

    /// Answers wrongly to the next so many requests whose path holds a text.
    pub fn fail(&self, path: &str, times: usize, fault: Fault) {
        held(&self.state.rules).push(Rule {
            path: path.to_owned(),
            left: times,
            fault,
        });
    }

    /// What was asked so far.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        held(&self.state.requests).clone()
    }

    /// How many requests had a path that holds a text.
    #[must_use]
    pub fn count(&self, path: &str) -> usize {
        let requests = held(&self.state.requests);
        requests
            .iter()
            .filter(|one| one.path.contains(path))
            .count()
    }
}

impl State {
    fn connection(&self, stream: TcpStream) -> io::Result<()> {
        match &self.tls {
            None => self.exchange(stream),
            Some(config) => {
                let session = ServerConnection::new(Arc::clone(config));
                let session = session.map_err(io::Error::other)?;
                self.exchange(StreamOwned::new(session, stream))
            }
        }
    }

    fn exchange(&self, stream: impl Read + Write) -> io::Result<()> {
        let mut stream = BufReader::new(stream);
        let request = read(&mut stream)?;
        held(&self.requests).push(request.clone());
        let stream = stream.get_mut();
        let fault = take(&mut held(&self.rules), &request.path);
        match fault {
            None => write(stream, &self.answer(&request, true), usize::MAX),
            Some(Fault::NoRange) => write(stream, &self.answer(&request, false), usize::MAX),
            Some(Fault::Cut(bytes)) => write(stream, &self.answer(&request, true), bytes),
            Some(Fault::Status(status, headers, body)) => {
                let body = body.into_bytes();
                let answer = Answer {
                    status,
                    headers,
                    body,
                };
                write(stream, &answer, usize::MAX)
            }
            Some(Fault::Redirect(to)) => {
                write(stream, &plain(307, vec![("Location", to)]), usize::MAX)
            }
            Some(Fault::Instead(body)) => {
                let mut answer = plain(200, Vec::new());
                answer.body = body;
                write(stream, &answer, usize::MAX)
            }
            Some(Fault::Endless(bytes)) => {
                stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
                let piece = [b' '; 64 << 10];
                (0..bytes / piece.len()).try_for_each(|_| stream.write_all(&piece))
            }
            Some(Fault::Silence) => forever(),
            Some(Fault::Stall) => {
                write(stream, &self.answer(&request, true), 0)?;
                forever()
            }
            Some(Fault::Drip) => {
                write(stream, &self.answer(&request, true), 0)?;
                loop {
                    stream.write_all(b" ")?;
                    stream.flush()?;
                    thread::sleep(Duration::from_millis(20));
                }
            }
        }
    }

    fn answer(&self, request: &Request, ranges: bool) -> Answer {
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        if path == "/token" {
            return self.token(request, query);
        }
        let content = held(&self.content);
        if let Some(digest) = path.strip_prefix("/storage/") {
            return found(content.blobs.get(digest), request, ranges);
        }
        if let Some(challenge) = self.challenge(request) {
            return plain(401, vec![("WWW-Authenticate", challenge)]);
        }
        let Some(path) = path.strip_prefix("/v2/") else {
            return plain(404, Vec::new());
        };
        if let Some((_, digest)) = path.split_once("/blobs/") {
            return found(content.blobs.get(digest), request, ranges);
        }
        let Some((repository, version)) = path.split_once("/manifests/") else {
            return plain(404, Vec::new());
        };
        let key = (repository.to_owned(), version.to_owned());
        match content.manifests.get(&key) {
            Some((media_type, bytes)) => Answer {
                status: 200,
                headers: vec![
                    ("Content-Type", media_type.clone()),
                    ("Docker-Content-Digest", digest(bytes)),
                ],
                body: bytes.clone(),
            },
            None => {
                let error = json!({"errors": [{"code": "MANIFEST_UNKNOWN", "message": "unknown"}]});
                let mut answer = plain(404, Vec::new());
                answer.body = error.to_string().into_bytes();
                answer
            }
        }
    }

    fn challenge(&self, request: &Request) -> Option<String> {
        let given = request.authorization.as_deref();
        let basic = |user: &str, password: &str| {
            let pair = STANDARD.encode(format!("{user}:{password}"));
            given == Some(format!("Basic {pair}").as_str())
        };
        match &self.access {
            Access::Open => None,
            Access::Basic(user, password) => {
                (!basic(user, password)).then(|| "Basic realm=\"x\"".to_owned())
            }
            Access::AnyToken | Access::Token(..) | Access::Identity(_) => {
                let scheme = if self.tls.is_some() { "https" } else { "http" };
                let address = self.address;
                (given != Some(format!("Bearer {TOKEN}").as_str())).then(|| {
                    format!(
                        "Bearer realm=\"{scheme}://{address}/token\",service=\"s\",scope=\"x:y:z\""
                    )
                })
            }
        }
    }

    fn token(&self, request: &Request, query: &str) -> Answer {
        let given = request.authorization.as_deref();
        let allowed = match &self.access {
            Access::Token(user, password) => {
                let pair = STANDARD.encode(format!("{user}:{password}"));
                given == Some(format!("Basic {pair}").as_str())
            }
            Access::Identity(token) => request.body.contains(&format!("refresh_token={token}")),
            _ => true,
        };
        let asked = format!("{query}&{}", request.body);
        if !allowed || !asked.contains("scope=repository%3A") || !asked.contains("service=s") {
            return plain(401, Vec::new());
        }
        let mut answer = plain(200, Vec::new());
        answer.body = json!({ "token": TOKEN }).to_string().into_bytes();
        answer
    }
}

fn forever() -> io::Result<()> {
    loop {
        thread::park();
    }
}
