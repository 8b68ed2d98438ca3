//! `ACL GENPASS [bits]`

use super::{ANYBODY, refused, unknown_form};
use crate::argument::Argument;
use crate::context::SessionContext;
use crate::error::Outcome;
use crate::spec::{Run, Spec};
use crate::words::Words;

pub static SPEC: Spec = Spec {
    name: "genpass",
    summary: "Makes a password that nobody can guess, as hexadecimal digits.",
    arity: -2,
    arguments: &[Argument::integer("bits").optional()],
    run: Run::Session(run),
    ..ANYBODY
};

/// Bits without a number, and at most.
const BITS: i64 = 256;
const BITS_MAX: i64 = 4_096;

fn run(context: &mut SessionContext<'_>, words: Words<'_>) -> Outcome {
    let bits = match words.len() {
        2 => BITS,
        3 => words.integer(2)?,
        _ => return Err(unknown_form(words)),
    };
    if !(1..=BITS_MAX).contains(&bits) {
        return Err(refused(format_args!(
            "ACL GENPASS argument must be the number of bits for the output password, a positive number up to \
             {BITS_MAX}"
        )));
    }
    let digits = (bits as usize).div_ceil(4);
    let mut bytes = vec![0; digits.div_ceil(2)];
    context.host.fill_with_random(&mut bytes).map_err(refused)?;
    let mut password: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    password.truncate(digits);
    context.reply.bulk(password.as_bytes());
    Ok(())
}
