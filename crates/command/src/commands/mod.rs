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
    hsetnx,
    hmset,
    hsetexpire,
    hget,
    hmget,
    hgetall,
    hkeys,
    hvals,
    hlen,
    hexists,
    hstrlen,
    hdel,
    hgetdel,
    hincrby,
    hincrbyfloat,
    hrandfield,
    hscan,
    del,
    ttl,
    scan,
    get,
    unlink,
    exists,
    touch,
    r#type,
    rename,
    renamenx,
    copy,
    r#move,
    expire,
    pexpire,
    expireat,
    pexpireat,
    pttl,
    expiretime,
    pexpiretime,
    persist,
    keys,
    randomkey,
    object,
    ping,
    dbsize,
    flushdb,
    flushall,
    swapdb,
    memory,
}
