//! A fault behind a few comparisons. A run that does not find it would not find others either.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let [b'f', b'u', b'z', b'z', length, rest @ ..] = data {
        assert_ne!(usize::from(*length), rest.len() + 7, "found on purpose");
    }
});
