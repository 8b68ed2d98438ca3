//! The private key of the server, from PEM, encrypted or not.

use mayfly_config::Secret;
use pkcs8::EncryptedPrivateKeyInfoOwned;
use pkcs8::der::DecodePem;
use pkcs8::der::pem::PemLabel;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// Why there is no key.
#[derive(PartialEq, Eq, Debug)]
pub enum NoKey {
    /// The file holds none.
    Missing,
    /// It is encrypted, and there is no password.
    Locked,
    /// It is encrypted, and this is not the password, or not a way to encrypt that is known.
    NotOpened,
}

/// The first key of a file that is not encrypted, or else the one that is, opened by `password`.
///
/// # Errors
/// There is none.
pub fn read(pem: &[u8], password: &Secret) -> Result<PrivateKeyDer<'static>, NoKey> {
    if let Ok(key) = PrivateKeyDer::from_pem_slice(pem) {
        return Ok(key);
    }
    let begin = format!("-----BEGIN {}-----", EncryptedPrivateKeyInfoOwned::PEM_LABEL);
    let at = pem.windows(begin.len()).position(|window| window == begin.as_bytes()).ok_or(NoKey::Missing)?;
    if !password.is_set() {
        return Err(NoKey::Locked);
    }
    let locked = EncryptedPrivateKeyInfoOwned::from_pem(&pem[at..]).map_err(|_| NoKey::NotOpened)?;
    let opened = locked.decrypt(password.reveal()).map_err(|_| NoKey::NotOpened)?;
    Ok(PrivatePkcs8KeyDer::from(opened.as_bytes().to_vec()).into())
}
