//! Cipher suites by the names of OpenSSL, which Redis' settings go by.

use mayfly_config::{TLS12_CIPHERS, TLS13_CIPHERSUITES, TlsConfig};
use rustls::crypto::{CryptoProvider, ring};
use rustls::{CipherSuite, SupportedCipherSuite};

/// What does the cryptography, with the suites that the settings name, in their order; with all of a version where they
/// name none.
pub fn provider(config: &TlsConfig) -> CryptoProvider {
    let provider = ring::default_provider();
    let names = |named: &str, all: &[&str]| match named {
        "" => all.join(":"),
        named => named.to_owned(),
    };
    let (new, old) =
        (names(&config.ciphersuites, &TLS13_CIPHERSUITES), names(&config.ciphers, &TLS12_CIPHERS));
    let suites = new.split(':').chain(old.split(':')).filter_map(|name| suite(&provider, name)).collect();
    CryptoProvider { cipher_suites: suites, ..provider }
}

/// The suite of a name.
fn suite(provider: &CryptoProvider, name: &str) -> Option<SupportedCipherSuite> {
    let wanted = match name {
        "TLS_AES_256_GCM_SHA384" => CipherSuite::TLS13_AES_256_GCM_SHA384,
        "TLS_AES_128_GCM_SHA256" => CipherSuite::TLS13_AES_128_GCM_SHA256,
        "TLS_CHACHA20_POLY1305_SHA256" => CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
        "ECDHE-ECDSA-AES256-GCM-SHA384" => CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        "ECDHE-ECDSA-AES128-GCM-SHA256" => CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        "ECDHE-ECDSA-CHACHA20-POLY1305" => CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        "ECDHE-RSA-AES256-GCM-SHA384" => CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        "ECDHE-RSA-AES128-GCM-SHA256" => CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        "ECDHE-RSA-CHACHA20-POLY1305" => CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        _ => return None,
    };
    provider.cipher_suites.iter().copied().find(|suite| suite.suite() == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suites(ciphersuites: &str, ciphers: &str) -> Vec<CipherSuite> {
        let config =
            TlsConfig { ciphersuites: ciphersuites.into(), ciphers: ciphers.into(), ..TlsConfig::default() };
        provider(&config).cipher_suites.iter().map(SupportedCipherSuite::suite).collect()
    }

    #[test]
    fn every_suite_that_there_is_has_its_name() {
        let all: Vec<_> =
            ring::default_provider().cipher_suites.iter().map(SupportedCipherSuite::suite).collect();
        assert_eq!(suites("", ""), all);
        assert_eq!(suites(&TLS13_CIPHERSUITES.join(":"), &TLS12_CIPHERS.join(":")), all);
    }

    #[test]
    fn named_ones_alone_are_taken_in_their_order() {
        assert_eq!(
            suites("TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384", "ECDHE-RSA-AES128-GCM-SHA256"),
            [
                CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
                CipherSuite::TLS13_AES_256_GCM_SHA384,
                CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
            ]
        );
    }
}
