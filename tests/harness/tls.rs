//! Certificates that a test makes for itself, and clients that speak TLS.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::TLS12;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tempfile::TempDir;

use super::{Client, Launch, patience};

/// A client over TLS.
pub type TlsClient = Client<TlsStream>;
/// Its stream.
pub type TlsStream = StreamOwned<ClientConnection, TcpStream>;

/// An authority with a folder of its own, `ca.pem` in it.
pub struct Authority {
    folder: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A key that is good for tests alone.
const KEY: &str = "\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg7zqJcum7CZ9xRB5Z
9FZkZ5fCaYWsHsHuSsq016EmwQKhRANCAARUN/HZ6XXBt8tIgzn/ckv12+O2Lp11
L5ogs2hMkjw5NCA/9xMbYi3GJM8RIA/3zew1KLEsAp7oGEh6WDPd8TwZ
-----END PRIVATE KEY-----
";
/// The same key, encrypted by `openssl pkcs8 -topk8` with [`KEY_PASSWORD`].
const LOCKED_KEY: &str = "\
-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAjjegkEx109FAICCAAw
DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEE6r2tGabjXJ1Af8pQHt7PIEgZA0
CRlCPBwfAX15R/P6n8+E2fkhtkuMuBQTjsWJbCF25BBvZWmhPYt9DtGaTGldyX/W
q3mqjJuDJl9Mlh8chcR/m9OGlPYDt0iuw6GM5RjSMzb4vZ8FkaX4Mmn726AhfymS
MHHHtg70Fqd/gJ0z/bXWkzP+jSbLxcxg6UbGGStyY2yixmTWykAbZ2WsYh8mQMU=
-----END ENCRYPTED PRIVATE KEY-----
";
/// What opens it.
pub const KEY_PASSWORD: &str = "sesame";

/// The files of a certificate and its key.
#[derive(Clone)]
pub struct Files {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl Authority {
    /// A new authority, which nobody trusts yet.
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("there are no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "authority of a test");
        let key = KeyPair::generate().expect("the system has random numbers");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("the parameters are right");
        let folder = tempfile::tempdir().expect("the temporary directory can be written");
        fs::write(folder.path().join("ca.pem"), issuer.pem()).expect("it can be written");
        Authority { folder, issuer }
    }

    /// The file of its own certificate.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Issues a certificate for this machine to `name`. One of this name is replaced.
    pub fn issue(&self, name: &str) -> Files {
        self.issue_with(name, |_| KeyPair::generate().expect("the system has random numbers"))
    }

    /// The same until the first of January of a year.
    pub fn issue_until(&self, name: &str, year: i32) -> Files {
        self.issue_with(name, |params| {
            params.not_after = rcgen::date_time_ymd(year, 1, 1);
            KeyPair::generate().expect("the system has random numbers")
        })
    }

    /// The same with [`KEY`], of which the file holds [`LOCKED_KEY`].
    pub fn issue_locked(&self, name: &str) -> Files {
        let files = self.issue_with(name, |_| KeyPair::from_pem(KEY).expect("it is a key"));
        fs::write(&files.key, LOCKED_KEY).expect("it can be written");
        files
    }

    fn issue_with(&self, name: &str, make_key: impl FnOnce(&mut CertificateParams) -> KeyPair) -> Files {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut params = CertificateParams::new(names).expect("the names are right");
        params.distinguished_name.push(DnType::CommonName, name);
        let key = make_key(&mut params);
        let certificate = params.signed_by(&key, &*self.issuer).expect("the parameters are right");
        let path = |kind: &str| self.folder.path().join(format!("{name}.{kind}.pem"));
        let files = Files { certificate: path("cert"), key: path("key") };
        fs::write(&files.certificate, certificate.pem()).expect("it can be written");
        fs::write(&files.key, key.serialize_pem()).expect("it can be written");
        files
    }

    /// A client that trusts this authority and shows `certificate`; it speaks TLS 1.2 alone if it `is_old`.
    pub fn client(&self, certificate: Option<&Files>, is_old: bool) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.as_ref().der().clone()).expect("it is one");
        let builder = match is_old {
            true => ClientConfig::builder_with_protocol_versions(&[&TLS12]),
            false => ClientConfig::builder(),
        };
        let builder = builder.with_root_certificates(roots);
        Arc::new(match certificate {
            None => builder.with_no_client_auth(),
            Some(files) => {
                let chain = vec![CertificateDer::from_pem_file(&files.certificate).expect("it was written")];
                let key = PrivateKeyDer::from_pem_file(&files.key).expect("it was written");
                builder.with_client_auth_cert(chain, key).expect("they go together")
            }
        })
    }
}

/// A server that speaks TLS at a port of its own, with the files of `name`; and that port.
pub fn launch_tls(shards: usize, authority: &Authority, server: &Files) -> (Launch, SocketAddr) {
    let port = free_port();
    let launch = Launch::with_shards(shards)
        .set("tls.port", port)
        .set("tls.cert_file", server.certificate.display())
        .set("tls.key_file", server.key.display())
        .set("tls.ca_cert_file", authority.file().display());
    (launch, SocketAddr::from(([127, 0, 0, 1], port)))
}

/// Connects and does its part of the handshake. A server that wants no such client may say so later.
///
/// # Errors
/// The server does not want this client.
pub fn connect_tls(address: SocketAddr, config: &Arc<ClientConfig>) -> io::Result<TlsClient> {
    let mut tcp = TcpStream::connect(address)?;
    tcp.set_nodelay(true)?;
    tcp.set_read_timeout(Some(patience()))?;
    tcp.set_write_timeout(Some(patience()))?;
    let name = "localhost".try_into().expect("a name");
    let mut session = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
    while session.is_handshaking() {
        session.complete_io(&mut tcp)?;
    }
    Ok(Client::over(StreamOwned::new(session, tcp)))
}

/// Connects and asks for a PONG, which who is not wanted does not get.
///
/// # Errors
/// The server does not want this client.
pub fn knock(address: SocketAddr, config: &Arc<ClientConfig>) -> io::Result<TlsClient> {
    let mut client = connect_tls(address, config)?;
    let stream = client.stream();
    stream.write_all(b"PING\r\n")?;
    let mut pong = [0; 7];
    stream.read_exact(&mut pong)?;
    if &pong == b"+PONG\r\n" { Ok(client) } else { Err(io::Error::other("turned away")) }
}

/// A port that nobody listens on, below those that the system gives to others.
pub fn free_port() -> u16 {
    const FIRST: u16 = 20_000;
    const COUNT: u16 = 12_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = (std::process::id() as u16).wrapping_mul(97);
    loop {
        let port = FIRST + start.wrapping_add(NEXT.fetch_add(1, Relaxed)) % COUNT;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
