//! The value of a hash, in each of its types.

use crate::error::{RdbError, malformed};
use crate::input::Input;
use crate::item::Item;
use crate::length::Length;
use crate::listpack::Listpack;
use crate::string;
use crate::ziplist::Ziplist;
use crate::zipmap::Zipmap;

/// The type that is written in payloads.
pub(crate) const HASH: u8 = 4;
pub(crate) const ZIPMAP: u8 = 9;
pub(crate) const ZIPLIST: u8 = 13;
pub(crate) const LISTPACK: u8 = 16;
pub(crate) const TTLS_PRE_RELEASE: u8 = 22;
pub(crate) const LISTPACK_TTLS_PRE_RELEASE: u8 = 23;
pub(crate) const TTLS: u8 = 24;
pub(crate) const LISTPACK_TTLS: u8 = 25;
/// Valkey's number for a table with TTLs; Redis once used it otherwise.
pub(crate) const VALKEY_TTLS: u8 = 22;

/// Whose numbers of types: they differ above 21.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Dialect {
    Redis,
    Valkey,
}

/// Is told of a field and its value; returns whether to go on.
pub(crate) type Visit<'v> = dyn FnMut(&[u8], &[u8]) -> bool + 'v;

/// What becomes of fields that have a TTL of their own.
pub(crate) enum TtlPolicy<'c> {
    /// They are refused.
    Refuse,
    /// They lose it, and are left out if `now` (in Unix milliseconds) is not before its end.
    Drop { now: i64, counts: &'c mut FieldTtls },
}

/// Fields whose own TTL was not taken along.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct FieldTtls {
    /// Fields that were visited without their TTL.
    pub dropped: u64,
    /// Fields that were past their TTL, and not visited.
    pub expired: u64,
}

/// Whether a value of this type is a hash.
pub(crate) fn is_hash(dialect: Dialect, kind: u8) -> bool {
    match kind {
        HASH | ZIPMAP | ZIPLIST | LISTPACK | VALKEY_TTLS => true,
        LISTPACK_TTLS_PRE_RELEASE | TTLS | LISTPACK_TTLS => dialect == Dialect::Redis,
        _ => false,
    }
}

/// Reads a hash of this type and visits its fields.
pub(crate) fn read<'a>(
    dialect: Dialect,
    kind: u8,
    input: &mut impl Input<'a>,
    policy: TtlPolicy<'_>,
    visit: &mut Visit<'_>,
) -> Result<(), RdbError> {
    if !is_hash(dialect, kind) {
        return Err(RdbError::NotAHash(kind));
    }
    let mut fields = Fields { visit, policy, seen: 0 };
    match (dialect, kind) {
        (Dialect::Valkey, VALKEY_TTLS) => read_valkey_table(input, &mut fields)?,
        (_, TTLS_PRE_RELEASE) => read_table(input, Ttls::Unix, &mut fields)?,
        (_, TTLS) => {
            let earliest = i64::from_le_bytes(input.read_array()?);
            read_table(input, Ttls::After(earliest), &mut fields)?;
        }
        (_, ZIPMAP) => {
            for field in Zipmap::new(&string::read(input)?)? {
                let (field, value) = field?;
                fields.visit(field, value)?;
            }
        }
        (_, ZIPLIST) => read_items(Ziplist::new(&string::read(input)?)?, Ttls::None, &mut fields)?,
        (_, LISTPACK) => read_items(Listpack::new(&string::read(input)?)?, Ttls::None, &mut fields)?,
        (_, LISTPACK_TTLS_PRE_RELEASE) => {
            read_items(Listpack::new(&string::read(input)?)?, Ttls::Unix, &mut fields)?;
        }
        (_, LISTPACK_TTLS) => {
            // The earliest of all TTLs stands before them, for readers that do not look inside.
            input.read_array::<8>()?;
            read_items(Listpack::new(&string::read(input)?)?, Ttls::Unix, &mut fields)?;
        }
        _ => read_table(input, Ttls::None, &mut fields)?,
    }
    if fields.seen == 0 { malformed("the hash has no field") } else { Ok(()) }
}

/// Writes a hash of type [`HASH`].
pub(crate) fn write<'f>(out: &mut Vec<u8>, fields: impl ExactSizeIterator<Item = (&'f [u8], &'f [u8])>) {
    Length::write(out, fields.len());
    for (field, value) in fields {
        string::write(out, field);
        string::write(out, value);
    }
}

/// How fields come with a TTL, in milliseconds; 0 is none.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ttls {
    None,
    /// Since 1970.
    Unix,
    /// Since one millisecond before this time.
    After(i64),
}

impl Ttls {
    /// The time at which the field expires.
    fn deadline(self, stored: u64) -> Result<Option<i64>, RdbError> {
        if stored == 0 {
            return Ok(None);
        }
        let base = if let Ttls::After(earliest) = self { earliest.checked_sub(1) } else { Some(0) };
        let deadline = base.and_then(|base| base.checked_add_unsigned(stored));
        deadline.map(Some).ok_or(RdbError::Malformed("the TTL of a field is out of range"))
    }
}

/// The fields read so far.
struct Fields<'f, 'v, 'c> {
    visit: &'f mut Visit<'v>,
    policy: TtlPolicy<'c>,
    seen: u64,
}

impl Fields<'_, '_, '_> {
    fn visit(&mut self, field: &[u8], value: &[u8]) -> Result<(), RdbError> {
        self.seen += 1;
        if (self.visit)(field, value) { Ok(()) } else { Err(RdbError::DuplicateField) }
    }

    fn visit_expiring(&mut self, field: &[u8], value: &[u8], deadline: Option<i64>) -> Result<(), RdbError> {
        match (&mut self.policy, deadline) {
            (_, None) => {}
            (TtlPolicy::Refuse, Some(_)) => return Err(RdbError::FieldTtl),
            (TtlPolicy::Drop { now, counts }, Some(deadline)) if deadline <= *now => {
                counts.expired += 1;
                self.seen += 1;
                return Ok(());
            }
            (TtlPolicy::Drop { counts, .. }, Some(_)) => counts.dropped += 1,
        }
        self.visit(field, value)
    }
}

fn read_table<'a>(
    input: &mut impl Input<'a>,
    ttls: Ttls,
    fields: &mut Fields<'_, '_, '_>,
) -> Result<(), RdbError> {
    for _ in 0..Length::read_plain(input)? {
        let deadline = if ttls == Ttls::None { None } else { ttls.deadline(Length::read_plain(input)?)? };
        let field = string::read(input)?;
        let value = string::read(input)?;
        fields.visit_expiring(&field, &value, deadline)?;
    }
    Ok(())
}

/// Each field and its value are followed by the time at which the field expires, -1 for never.
fn read_valkey_table<'a>(
    input: &mut impl Input<'a>,
    fields: &mut Fields<'_, '_, '_>,
) -> Result<(), RdbError> {
    for _ in 0..Length::read_plain(input)? {
        let field = string::read(input)?;
        let value = string::read(input)?;
        let deadline = i64::from_le_bytes(input.read_array()?);
        fields.visit_expiring(&field, &value, (deadline != -1).then_some(deadline))?;
    }
    Ok(())
}

fn read_items<'a>(
    mut items: impl Iterator<Item = Result<Item<'a>, RdbError>>,
    ttls: Ttls,
    fields: &mut Fields<'_, '_, '_>,
) -> Result<(), RdbError> {
    const CUT: RdbError = RdbError::Malformed("the last field is not whole");
    let (mut field_digits, mut value_digits) = (itoa::Buffer::new(), itoa::Buffer::new());
    while let Some(field) = items.next() {
        let field = field?;
        let value = items.next().ok_or(CUT)??;
        let mut deadline = None;
        if ttls != Ttls::None {
            match items.next().ok_or(CUT)?? {
                Item::Integer(stored @ 0..) => deadline = ttls.deadline(stored.unsigned_abs())?,
                Item::Integer(_) => return malformed("the TTL of a field is out of range"),
                Item::Bytes(_) => return malformed("the TTL of a field is no integer"),
            }
        }
        fields.visit_expiring(field.bytes(&mut field_digits), value.bytes(&mut value_digits), deadline)?;
    }
    Ok(())
}
