//! What every request goes through: TLS, time limits, and the words for what went wrong.

use std::error::Error;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{RequestBuilder, Response, Url};
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio::time::{Instant, timeout, timeout_at};

use super::error::RegistryError;
use super::settings::RegistrySettings;

const MAX_ERROR_BYTES: usize = 4 << 10;

/// The way to one registry and what stands behind it.
pub(super) struct Transport {
    pub(super) http: reqwest::Client,
    pub(super) settings: RegistrySettings,
    host: String,
}

impl Transport {
    /// `host` is the registry's name for messages, `base` where it is.
    pub(super) fn new(
        settings: &RegistrySettings,
        host: &str,
        base: &Url,
    ) -> Result<Self, RegistryError> {
        let builder = reqwest::Client::builder()
            .user_agent(concat!("husk/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .tls_backend_preconfigured(tls(settings)?)
            .connect_timeout(settings.timeout());
        // What is on this host is not behind a proxy.
        let builder = if is_loopback(base) {
            builder.no_proxy()
        } else {
            builder
        };
        let http = builder.build();
        Ok(Self {
            http: http.map_err(|error| RegistryError::Certificates(deepest(&error)))?,
            settings: settings.clone(),
            host: host.to_owned(),
        })
    }

    /// The registry's name.
    pub(super) fn host(&self) -> String {
        self.host.clone()
    }

    /// One request, as far as the headers of its answer.
    pub(super) async fn send(
        &self,
        request: RequestBuilder,
        what: &str,
    ) -> Result<Response, RegistryError> {
        let response = timeout(self.settings.timeout(), request.send()).await;
        let response = response.map_err(|_| self.silent(what))?;
        response.map_err(|error| self.unreachable(&error))
    }

    /// The body of an answer that is a document.
    pub(super) async fn content(
        &self,
        mut response: Response,
        what: &str,
        limit: u64,
    ) -> Result<Vec<u8>, RegistryError> {
        let deadline = Instant::now() + self.settings.timeout();
        let mut content = Vec::new();
        loop {
            let chunk = timeout_at(deadline, response.chunk()).await;
            let chunk = chunk.map_err(|_| self.silent(what))?;
            let Some(chunk) = chunk.map_err(|error| self.unreachable(&error))? else {
                return Ok(content);
            };
            content.extend_from_slice(&chunk);
            if u64::try_from(content.len()).unwrap_or(u64::MAX) > limit {
                return Err(self.protocol(format!("{what} has more than {limit} bytes")));
            }
        }
    }

    /// Nothing leaves TLS but for hosts that the settings name.
    pub(super) fn secure(&self, url: &Url, what: &str) -> Result<(), RegistryError> {
        let host = url.host_str().unwrap_or_default();
        let port = url.port_or_known_default().unwrap_or_default();
        let named = self.settings.is_insecure(&format!("{host}:{port}"));
        let insecure = named || (url.port().is_none() && self.settings.is_insecure(host));
        match url.scheme() {
            "https" => Ok(()),
            "http" if insecure => Ok(()),
            _ => {
                let shown = clean(&format!("{}://{host}:{port}", url.scheme()));
                Err(self.protocol(format!("{what} leads to {shown}, which is not https")))
            }
        }
    }

    /// The first error of the specification's error document, as the end of a sentence.
    pub(super) async fn said(&self, response: &mut Response) -> String {
        let deadline = Instant::now() + self.settings.timeout().min(Duration::from_secs(5));
        let mut content = Vec::new();
        while content.len() < MAX_ERROR_BYTES
            && let Ok(Ok(Some(chunk))) = timeout_at(deadline, response.chunk()).await
        {
            content.extend_from_slice(&chunk);
        }
        let document: serde_json::Value = serde_json::from_slice(&content).unwrap_or_default();
        let first = document.pointer("/errors/0");
        let field = |key: &str| first?.get(key)?.as_str();
        match field("message").or_else(|| field("code")) {
            Some(text) if !text.is_empty() => format!(": {}", clean(text)),
            _ => String::new(),
        }
    }

    pub(super) fn protocol(&self, reason: String) -> RegistryError {
        let host = self.host();
        RegistryError::Protocol { host, reason }
    }

    pub(super) fn silent(&self, what: &str) -> RegistryError {
        RegistryError::Silent {
            host: self.host(),
            what: what.to_owned(),
            seconds: self.settings.timeout_s.into(),
        }
    }

    pub(super) fn unreachable(&self, error: &reqwest::Error) -> RegistryError {
        RegistryError::Unreachable {
            host: self.host(),
            reason: deepest(error),
        }
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
    host == "localhost" || address.is_some_and(|address| address.is_loopback())
}

fn tls(settings: &RegistrySettings) -> Result<ClientConfig, RegistryError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = &settings.ca_file {
        let wrong =
            |reason: String| RegistryError::Certificates(format!("{}: {reason}", path.display()));
        let pem = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
        let mut found = 0;
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
            roots
                .add(certificate)
                .map_err(|error| wrong(error.to_string()))?;
            found += 1;
        }
        if found == 0 {
            return Err(wrong("holds no certificate".to_owned()));
        }
    }
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| RegistryError::Certificates(error.to_string()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// The cause that says most, in one line.
fn deepest(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    clean(&cause.to_string())
}

/// Text from outside for a line of ours.
pub(super) fn clean(text: &str) -> String {
    let printable = text.chars().filter(|character| !character.is_control());
    printable.take(200).collect()
}
