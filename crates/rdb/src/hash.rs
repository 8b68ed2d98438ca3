//! The value of a hash, in each of its types.

use crate::error::{RdbError, malformed};
use crate::item::Item;
use crate::length::Length;
use crate::listpack::Listpack;
use crate::reader::Reader;
use crate::string;
use crate::ziplist::Ziplist;
use crate::zipmap::Zipmap;

/// The type that is written here.
pub(crate) const HASH: u8 = 4;
pub(crate) const ZIPMAP: u8 = 9;
pub(crate) const ZIPLIST: u8 = 13;
pub(crate) const LISTPACK: u8 = 16;
pub(crate) const TTLS_PRE_RELEASE: u8 = 22;
pub(crate) const LISTPACK_TTLS_PRE_RELEASE: u8 = 23;
pub(crate) const TTLS: u8 = 24;
pub(crate) const LISTPACK_TTLS: u8 = 25;

/// Is told of a field and its value; returns whether the field is new.
pub(crate) type Visit<'v> = dyn FnMut(&[u8], &[u8]) -> bool + 'v;

/// Reads a hash of this type and visits its fields.
pub(crate) fn read(kind: u8, reader: &mut Reader<'_>, visit: &mut Visit<'_>) -> Result<(), RdbError> {
    let mut fields = Fields { visit, seen: 0 };
    match kind {
        HASH => read_table(reader, Ttls::None, &mut fields)?,
        TTLS_PRE_RELEASE => read_table(reader, Ttls::Each, &mut fields)?,
        TTLS => {
            skip_earliest_ttl(reader)?;
            read_table(reader, Ttls::Each, &mut fields)?;
        }
        ZIPMAP => {
            for field in Zipmap::new(&string::read(reader)?)? {
                let (field, value) = field?;
                fields.visit(field, value)?;
            }
        }
        ZIPLIST => read_items(Ziplist::new(&string::read(reader)?)?, Ttls::None, &mut fields)?,
        LISTPACK => read_items(Listpack::new(&string::read(reader)?)?, Ttls::None, &mut fields)?,
        LISTPACK_TTLS_PRE_RELEASE => {
            read_items(Listpack::new(&string::read(reader)?)?, Ttls::Each, &mut fields)?;
        }
        LISTPACK_TTLS => {
            skip_earliest_ttl(reader)?;
            read_items(Listpack::new(&string::read(reader)?)?, Ttls::Each, &mut fields)?;
        }
        other => return Err(RdbError::NotAHash(other)),
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

/// Whether fields come with a TTL.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ttls {
    None,
    Each,
}

/// The fields read so far.
struct Fields<'f, 'v> {
    visit: &'f mut Visit<'v>,
    seen: u64,
}

impl Fields<'_, '_> {
    fn visit(&mut self, field: &[u8], value: &[u8]) -> Result<(), RdbError> {
        self.seen += 1;
        if (self.visit)(field, value) { Ok(()) } else { Err(RdbError::DuplicateField) }
    }
}

fn read_table(reader: &mut Reader<'_>, ttls: Ttls, fields: &mut Fields<'_, '_>) -> Result<(), RdbError> {
    for _ in 0..Length::read_plain(reader)? {
        if ttls == Ttls::Each && Length::read_plain(reader)? != 0 {
            return Err(RdbError::FieldTtl);
        }
        let field = string::read(reader)?;
        let value = string::read(reader)?;
        fields.visit(&field, &value)?;
    }
    Ok(())
}

fn read_items<'a>(
    mut items: impl Iterator<Item = Result<Item<'a>, RdbError>>,
    ttls: Ttls,
    fields: &mut Fields<'_, '_>,
) -> Result<(), RdbError> {
    const CUT: RdbError = RdbError::Malformed("the last field is not whole");
    let (mut field_digits, mut value_digits) = (itoa::Buffer::new(), itoa::Buffer::new());
    while let Some(field) = items.next() {
        let field = field?;
        let value = items.next().ok_or(CUT)??;
        if ttls == Ttls::Each {
            match items.next().ok_or(CUT)?? {
                Item::Integer(0) => {}
                Item::Integer(_) => return Err(RdbError::FieldTtl),
                Item::Bytes(_) => return malformed("the TTL of a field is no integer"),
            }
        }
        fields.visit(field.bytes(&mut field_digits), value.bytes(&mut value_digits))?;
    }
    Ok(())
}

/// The earliest TTL of all fields stands before them, for readers that do not look inside.
fn skip_earliest_ttl(reader: &mut Reader<'_>) -> Result<(), RdbError> {
    reader.array::<8>().map(|_| ())
}
