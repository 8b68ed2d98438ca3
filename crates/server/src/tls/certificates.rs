//! Certificates and keys, read from their files and made into what rustls goes by.

use std::fs::File;
use std::io::Read;
use std::sync::Arc;

use mayfly_config::{AuthClients, Config, Loaded, TlsConfig, TlsProtocols};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::{NoServerSessionStorage, ServerSessionMemoryCache, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ProtocolVersion, RootCertStore, ServerConfig, SupportedCipherSuite, SupportedProtocolVersion};

use super::ciphers;
use super::expiry::{Expiry, earliest};
use super::private_key::{self, NoKey};
use crate::error::StartError;

/// The longest file of certificates that is read: more than the authorities of a whole browser need.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// What handshakes go by.
#[derive(Debug)]
pub struct Certificates {
    /// Those of clients.
    pub clients: Arc<ServerConfig>,
    /// Those of the collector.
    pub metrics: Arc<ServerConfig>,
    /// When they expire.
    pub expiry: Expiry,
}

/// What is wrong with the settings of TLS, or with one of the files.
#[derive(Debug)]
pub struct Mistake {
    /// The directive, `section.key`.
    pub path: &'static str,
    /// What is wrong, with the name of the file.
    pub problem: String,
}

/// Whether the settings ask for TLS, or name a certificate all the same.
fn is_wanted(config: &Config) -> bool {
    let tls = &config.tls;
    tls.port != 0 || !tls.cert_file.is_empty() || (tls.metrics && config.metrics.enabled)
}

/// The certificates of the settings, if these ask for TLS, or if it `is_needed` for a socket that was passed.
///
/// # Errors
/// What is wrong; the error names the file and who set its name.
pub fn of(loaded: &Loaded, is_needed: bool) -> Result<Option<Certificates>, StartError> {
    if !is_needed && !is_wanted(&loaded.config) {
        return Ok(None);
    }
    let place = |path: &str| loaded.place(path).clone();
    Certificates::load(&loaded.config.tls)
        .map(Some)
        .map_err(|Mistake { path, problem }| StartError::Certificate { place: place(path), path, problem })
}

impl Certificates {
    /// Reads all files and tries whether they go together.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn load(config: &TlsConfig) -> Result<Self, Mistake> {
        let provider = Arc::new(ciphers::provider(config));
        let (own, server_seconds) = own_certificate(config, &provider)?;
        check_ciphers(config, &provider, &own)?;
        let (authorities, authority_seconds) = authorities(config)?.unzip();
        let make = |path, auth| server_config(config, path, auth, &own, authorities.as_ref(), &provider);
        Ok(Certificates {
            clients: make("tls.auth_clients", config.auth_clients)?,
            metrics: make("tls.metrics_auth_clients", config.metrics_auth_clients)?,
            expiry: Expiry { server_seconds, authority_seconds: authority_seconds.unwrap_or(0) },
        })
    }
}

fn server_config(
    config: &TlsConfig,
    path: &'static str,
    auth: AuthClients,
    own: &Arc<CertifiedKey>,
    authorities: Option<&Arc<RootCertStore>>,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<ServerConfig>, Mistake> {
    let mistake = |path, problem: String| Mistake { path, problem };
    let builder = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(versions(config.protocols))
        .map_err(|error| mistake("tls.protocols", error.to_string()))?;
    let builder = match (auth, authorities) {
        (AuthClients::No, _) => builder.with_no_client_auth(),
        (_, None) => {
            let problem =
                format!("is missing: {path} = {:?} needs the authorities of the clients", auth.name());
            return Err(mistake("tls.ca_cert_file", problem));
        }
        (auth, Some(authorities)) => {
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::clone(authorities), Arc::clone(provider));
            let verifier = match auth {
                AuthClients::Optional => verifier.allow_unauthenticated(),
                _ => verifier,
            };
            let verifier = verifier
                .build()
                .map_err(|error| mistake("tls.ca_cert_file", format!("{}: {error}", config.ca_cert_file)))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let own = rustls::sign::SingleCertAndKey::from(Arc::clone(own));
    let mut made = builder.with_cert_resolver(Arc::new(own));
    made.ignore_client_order = config.prefer_server_ciphers;
    if config.session_caching {
        made.session_storage = ServerSessionMemoryCache::new(config.session_cache_size);
    } else {
        made.session_storage = Arc::new(NoServerSessionStorage {});
        made.send_tls13_tickets = 0;
    }
    Ok(Arc::new(made))
}

/// Refuses suites of TLS 1.2 none of which goes with the key: every handshake of that version would fail.
fn check_ciphers(config: &TlsConfig, provider: &CryptoProvider, own: &CertifiedKey) -> Result<(), Mistake> {
    let algorithm = own.key.algorithm();
    let goes_with_key = |suite: &SupportedCipherSuite| {
        suite.version().version == ProtocolVersion::TLSv1_2 && suite.usable_for_signature_algorithm(algorithm)
    };
    if config.protocols == TlsProtocols::Tls13 || provider.cipher_suites.iter().any(goes_with_key) {
        return Ok(());
    }
    let problem = format!("none of them goes with the key in {}, which is of {algorithm:?}", config.key_file);
    Err(Mistake { path: "tls.ciphers", problem })
}

fn versions(protocols: TlsProtocols) -> &'static [&'static SupportedProtocolVersion] {
    static BOTH: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];
    match protocols {
        TlsProtocols::Both => &BOTH,
        TlsProtocols::Tls12 => &BOTH[..1],
        TlsProtocols::Tls13 => &BOTH[1..],
    }
}

/// The certificate with its key, and when it expires.
fn own_certificate(
    config: &TlsConfig,
    provider: &CryptoProvider,
) -> Result<(Arc<CertifiedKey>, u64), Mistake> {
    const CERTIFICATE: &str = "tls.cert_file";
    const KEY: &str = "tls.key_file";
    let (chain, expiry) = certificates(CERTIFICATE, &config.cert_file)?;
    let key_mistake =
        |problem: String| Mistake { path: KEY, problem: format!("{}: {problem}", config.key_file) };
    let key = private_key::read(&read(KEY, &config.key_file)?, &config.key_password).map_err(|no_key| {
        let about_password = |problem: &str| Mistake {
            path: "tls.key_password",
            problem: format!("{problem} {}", config.key_file),
        };
        match no_key {
            NoKey::Missing => key_mistake("holds no private key in PEM form".to_owned()),
            NoKey::Locked => about_password("is missing: the key is encrypted in"),
            NoKey::NotOpened => about_password("does not open the key in"),
        }
    })?;
    let key = provider
        .key_provider
        .load_private_key(key)
        .map_err(|error| key_mistake(format!("the private key cannot be used: {error}")))?;
    let own = CertifiedKey::new(chain, key);
    let in_certificate = |error: rustls::Error| Mistake {
        path: CERTIFICATE,
        problem: format!("{}: the certificate cannot be used: {error}", config.cert_file),
    };
    match own.keys_match() {
        Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {
            Ok((Arc::new(own), expiry))
        }
        Err(rustls::Error::InconsistentKeys(_)) => Err(key_mistake(format!(
            "the private key is not that of the certificate in {}",
            config.cert_file
        ))),
        Err(error) => Err(in_certificate(error)),
    }
}

/// The authorities of clients, if there are any, and when the first of them expires.
fn authorities(config: &TlsConfig) -> Result<Option<(Arc<RootCertStore>, u64)>, Mistake> {
    const PATH: &str = "tls.ca_cert_file";
    if config.ca_cert_file.is_empty() {
        return Ok(None);
    }
    let mut authorities = RootCertStore::empty();
    let (certificates, expiry) = certificates(PATH, &config.ca_cert_file)?;
    for certificate in certificates {
        authorities.add(certificate).map_err(|error| Mistake {
            path: PATH,
            problem: format!("{}: a certificate cannot be used: {error}", config.ca_cert_file),
        })?;
    }
    Ok(Some((Arc::new(authorities), expiry)))
}

/// The certificates of a file, and when the first of them expires.
fn certificates(path: &'static str, file: &str) -> Result<(Vec<CertificateDer<'static>>, u64), Mistake> {
    let mistake = |problem: String| Mistake { path, problem: format!("{file}: {problem}") };
    let text = read(path, file)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match certificates {
        Ok(certificates) if certificates.is_empty() => {
            Err(mistake("holds no certificate in PEM form".to_owned()))
        }
        Ok(certificates) => match earliest(&certificates) {
            Ok(expiry) => Ok((certificates, expiry)),
            Err(error) => Err(mistake(format!("holds a certificate that cannot be read: {error}"))),
        },
        Err(error) => Err(mistake(format!("is damaged: {error}"))),
    }
}

fn read(path: &'static str, file: &str) -> Result<Vec<u8>, Mistake> {
    if file.is_empty() {
        return Err(Mistake { path, problem: "is missing: TLS needs a certificate and its key".to_owned() });
    }
    let mut text = Vec::new();
    match File::open(file).and_then(|opened| opened.take(FILE_BYTES_MAX + 1).read_to_end(&mut text)) {
        Err(error) => Err(Mistake { path, problem: format!("{file}: cannot be read: {error}") }),
        Ok(count) if count as u64 > FILE_BYTES_MAX => {
            Err(Mistake { path, problem: format!("{file}: is longer than {FILE_BYTES_MAX} bytes") })
        }
        Ok(_) => Ok(text),
    }
}
