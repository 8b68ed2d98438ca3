//! The process around sessions and shards, as the simulator pretends it.

use std::sync::Arc;

use mayfly_command::{ClientCard, Host, HostFacts};

use crate::model::DATABASES;

/// The password of worlds that have one.
pub const PASSWORD: &str = "secret";

/// A process with one setting and no other clients.
#[derive(Debug)]
pub struct SimHost {
    /// Whether clients must give [`PASSWORD`].
    pub has_password: bool,
}

impl Host for SimHost {
    fn password(&self) -> String {
        (if self.has_password { PASSWORD } else { "" }).to_owned()
    }

    fn databases(&self) -> u16 {
        DATABASES as u16
    }

    fn parameters(&self, visit: &mut dyn FnMut(&str, &str)) {
        visit("maxclients", "10000");
    }

    fn clients(&self) -> Vec<Arc<ClientCard>> {
        Vec::new()
    }

    fn facts(&self) -> HostFacts {
        HostFacts::default()
    }

    fn shutdown(&self) {}
}
