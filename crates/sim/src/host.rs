//! The process around sessions and shards, as the simulator pretends it.

use std::sync::Arc;

use mayfly_acl::{Access, Users};
use mayfly_command::{ClientCard, Host, HostFacts, catalogue};

use crate::model::DATABASES;

/// The password of worlds that have one.
pub const PASSWORD: &str = "secret";

/// A process with one setting and no other clients.
#[derive(Debug)]
pub struct SimHost {
    /// Whether clients must give [`PASSWORD`].
    pub has_password: bool,
    access: Access,
}

impl SimHost {
    /// A process whose clients must give [`PASSWORD`], or need none.
    pub fn new(has_password: bool) -> Self {
        let access = Access::new(Users::default(), catalogue());
        access.change(|users| users.set_default_password(if has_password { PASSWORD } else { "" }));
        SimHost { has_password, access }
    }
}

impl Host for SimHost {
    fn access(&self) -> &Access {
        &self.access
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
