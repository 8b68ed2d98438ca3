//! When certificates expire, read from the certificates themselves.

use rustls::pki_types::CertificateDer;
use x509_cert::certificate::{CertificateInner, Raw};
use x509_cert::der::{Decode, Error};

/// When the first certificate of each file expires, in Unix seconds; 0 where there is none.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Expiry {
    /// Of the server's own, and of those of the authorities behind it.
    pub server_seconds: u64,
    /// Of those of the authorities whose clients are let in.
    pub authority_seconds: u64,
}

/// The earliest end of some certificates.
///
/// # Errors
/// One of them is none.
pub fn earliest(certificates: &[CertificateDer<'_>]) -> Result<u64, Error> {
    let mut earliest = None;
    for certificate in certificates {
        // Raw: what rustls takes need not be right in everything that has nothing to do with the date.
        let read = CertificateInner::<Raw>::from_der(certificate)?;
        let end = read.tbs_certificate().validity().not_after.to_unix_duration().as_secs();
        earliest = Some(earliest.map_or(end, |earlier: u64| earlier.min(end)));
    }
    Ok(earliest.unwrap_or(0))
}
