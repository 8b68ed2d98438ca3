//! The private key of the server, from PEM, encrypted or not.

use mayfly_config::Secret;
use pkcs8::{EncryptedPrivateKeyInfoRef, SecretDocument};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// How an encrypted key begins and ends.
const BEGIN: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----";
const END: &str = "-----END ENCRYPTED PRIVATE KEY-----";

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
    let section = encrypted_section(pem).ok_or(NoKey::Missing)?;
    if !password.is_set() {
        return Err(NoKey::Locked);
    }
    let (_, locked) = SecretDocument::from_pem(section).map_err(|_| NoKey::NotOpened)?;
    let locked = EncryptedPrivateKeyInfoRef::try_from(locked.as_bytes()).map_err(|_| NoKey::NotOpened)?;
    let opened = locked.decrypt(password.reveal()).map_err(|_| NoKey::NotOpened)?;
    Ok(PrivatePkcs8KeyDer::from(opened.as_bytes().to_vec()).into())
}

/// The encrypted key alone: what is around it in the file is not its business.
fn encrypted_section(pem: &[u8]) -> Option<&str> {
    let text = str::from_utf8(pem).ok()?;
    let (begin, length) = text.find(BEGIN).and_then(|at| Some((at, text[at..].find(END)? + END.len())))?;
    Some(&text[begin..begin + length])
}
