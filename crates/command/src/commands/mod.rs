//! One file a command. To add one: write its file, add its word to the list.

use crate::spec::Spec;

macro_rules! commands {
    ($($module:ident),* $(,)?) => {
        $(mod $module;)*

        /// Every command, in the order of the manual.
        pub(crate) static ALL: &[&Spec] = &[$(&$module::SPEC),*];
    };
}

commands! {
    hsetex,
    hset,
    hget,
    hgetall,
    del,
    ttl,
    scan,
    ping,
}
