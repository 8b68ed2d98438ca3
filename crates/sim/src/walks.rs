//! The promise of `SCAN` and `HSCAN`: what is there during a whole walk is returned at least once.

use std::collections::{BTreeMap, BTreeSet};

use crate::client::ClientId;
use crate::expected::{parse, shown, step, strings};
use crate::model::{Call, Model};

/// The walks under way, one a client and place.
#[derive(Debug, Default)]
pub struct Walks {
    walks: BTreeMap<(ClientId, Place), Walk>,
    /// Walks that came to their end.
    pub finished: u64,
}

/// What is walked over: the keys of a database, or the fields of a hash.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Place {
    database: usize,
    key: Option<Vec<u8>>,
}

#[derive(Debug)]
struct Walk {
    /// The cursor that goes on.
    next: Vec<u8>,
    /// What is younger need not be returned.
    began: u64,
    visited: BTreeSet<Vec<u8>>,
}

impl Walks {
    /// A call was answered. Steps with options that leave something out do not count.
    ///
    /// # Errors
    /// A walk has ended without something that was there all the time.
    pub fn observe(
        &mut self,
        client: ClientId,
        call: Call<'_>,
        bytes: &[u8],
        model: &Model,
    ) -> Result<(), String> {
        let (key, options) = match (call.name, call.words) {
            ("scan", words) => (None, &words[1..]),
            ("hscan", words) => (Some(words[1].to_vec()), &words[2..]),
            _ => return Ok(()),
        };
        let is_whole =
            options.len() == 1 || (options.len() == 3 && options[1].eq_ignore_ascii_case(b"count"));
        let Some(value) = parse(bytes) else { return Ok(()) };
        let (true, Some((next, items))) = (is_whole, step(&value)) else { return Ok(()) };
        let place = Place { database: call.database, key };
        let slot = (client, place.clone());
        if options[0] == b"0" {
            let walk = Walk { next: b"0".to_vec(), began: model.stamp(), visited: BTreeSet::new() };
            self.walks.insert(slot.clone(), walk);
        }
        let Some(walk) = self.walks.get_mut(&slot).filter(|walk| walk.next == options[0]) else {
            return Ok(());
        };
        let stride = if place.key.is_some() { 2 } else { 1 };
        walk.visited.extend(strings(items).unwrap_or_default().into_iter().step_by(stride));
        walk.next.clone_from(&next);
        if next != b"0" {
            return Ok(());
        }
        let Some(walk) = self.walks.remove(&slot) else { return Ok(()) };
        self.finished += 1;
        let missed = place.names_since(walk.began, model).find(|name| !walk.visited.contains(*name));
        missed.map_or(Ok(()), |name| Err(format!("the walk has left out {}", shown(name))))
    }
}

impl Place {
    /// What is here now and was here at `began`, all the time.
    fn names_since<'m>(&self, began: u64, model: &'m Model) -> Box<dyn Iterator<Item = &'m Vec<u8>> + 'm> {
        let database = model.database(self.database);
        let Some(key) = &self.key else {
            return Box::new(database.iter().filter(move |(_, hash)| hash.born <= began).map(|(key, _)| key));
        };
        let hash = database.get(key).filter(|hash| hash.born <= began);
        let fields = hash.into_iter().flat_map(|hash| &hash.fields);
        Box::new(fields.filter(move |(_, field)| field.born <= began).map(|(name, _)| name))
    }
}
