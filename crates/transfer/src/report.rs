//! What a transfer has done, as it is told at its end and kept in a state file.

use std::fmt;

use mayfly_rdb::{FieldTtls, ValueType};
use serde_json::{Map, Value, json};

/// What a transfer has done so far.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Report {
    /// Hashes that were taken.
    pub hashes: u64,
    /// Their fields.
    pub fields: u64,
    /// Hashes past their deadline, or with no field before its TTL: left out.
    pub expired: u64,
    /// Hashes whose key was there already: left out.
    pub existing: u64,
    /// Hashes that were gone when they were to be read.
    pub gone: u64,
    /// Keys of databases or names that were not wanted.
    pub unwanted: u64,
    /// Fields that were taken without their own TTL.
    pub field_ttls: u64,
    /// Fields past their own TTL: left out.
    pub expired_fields: u64,
    /// Keys that a scan gave twice, taken once.
    pub repeated: u64,
    /// Keys of other types, in the order of [`ValueType::ALL`].
    pub(crate) others: [u64; ValueType::ALL.len()],
}

impl Report {
    /// A hash of so many fields was taken.
    pub(crate) fn taken(&mut self, fields: u64) {
        self.hashes += 1;
        self.fields += fields;
    }

    /// A value of another type was passed over.
    pub(crate) fn passed_over(&mut self, value_type: ValueType) {
        if let Some(place) = ValueType::ALL.iter().position(|other| *other == value_type) {
            self.others[place] += 1;
        }
    }

    /// TTLs of fields that were not taken along.
    pub(crate) fn without_ttl(&mut self, counts: FieldTtls) {
        self.field_ttls += counts.dropped;
        self.expired_fields += counts.expired;
    }

    /// The counts by name, with what each means.
    fn counts(&self) -> [(&'static str, u64, &'static str); 7] {
        [
            ("expired", self.expired, "hashes past their deadline, left out"),
            ("existing", self.existing, "hashes whose key existed, left out"),
            ("gone", self.gone, "hashes gone before they were read"),
            ("unwanted", self.unwanted, "keys that were not asked for, left out"),
            (
                "field_ttls",
                self.field_ttls,
                "fields with a TTL of their own, which is not kept: they live as long as their hash",
            ),
            ("expired_fields", self.expired_fields, "fields past their own TTL, left out"),
            ("repeated", self.repeated, "keys that the scan gave twice, taken once"),
        ]
    }

    /// For a state file.
    pub(crate) fn to_json(&self) -> Value {
        let mut map: Map<_, _> =
            self.counts().iter().map(|(name, count, _)| ((*name).to_owned(), json!(count))).collect();
        map.insert("hashes".to_owned(), json!(self.hashes));
        map.insert("fields".to_owned(), json!(self.fields));
        Value::Object(map)
    }

    /// From a state file.
    pub(crate) fn from_json(value: &Value) -> Option<Self> {
        let count = |name: &str| value.get(name)?.as_u64();
        Some(Report {
            hashes: count("hashes")?,
            fields: count("fields")?,
            expired: count("expired")?,
            existing: count("existing")?,
            gone: count("gone")?,
            unwanted: count("unwanted")?,
            field_ttls: count("field_ttls")?,
            expired_fields: count("expired_fields")?,
            repeated: count("repeated")?,
            others: Default::default(),
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{:>12} hashes with {} fields", self.hashes, self.fields)?;
        for (_, count, meaning) in self.counts().iter().filter(|(_, count, _)| *count > 0) {
            writeln!(formatter, "{count:>12} {meaning}")?;
        }
        for (value_type, count) in ValueType::ALL.iter().zip(self.others).filter(|(_, count)| *count > 0) {
            writeln!(formatter, "{count:>12} keys of type {}, left out", value_type.name())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_tells_what_happened_and_nothing_else() {
        let mut report = Report::default();
        report.taken(5);
        report.taken(2);
        report.passed_over(ValueType::Stream);
        report.passed_over(ValueType::String);
        report.passed_over(ValueType::String);
        report.expired = 3;
        let expected = "           2 hashes with 7 fields
           3 hashes past their deadline, left out
           2 keys of type string, left out
           1 keys of type stream, left out
";
        assert_eq!(report.to_string(), expected);
    }

    #[test]
    fn a_report_goes_through_a_state_file() {
        let report = Report { hashes: 1, fields: 2, expired: 3, existing: 4, gone: 5, ..Report::default() };
        let report = Report { unwanted: 6, field_ttls: 7, expired_fields: 8, repeated: 9, ..report };
        assert_eq!(Report::from_json(&report.to_json()), Some(report));
        assert_eq!(Report::from_json(&json!({"hashes": 1})), None);
    }
}
