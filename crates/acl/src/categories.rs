//! The categories of commands, `@read` and so on.

/// A category.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
#[allow(missing_docs, reason = "each is the word that stands beside it in the table")]
pub enum Category {
    Keyspace,
    Read,
    Write,
    Set,
    SortedSet,
    List,
    Hash,
    String,
    Bitmap,
    HyperLogLog,
    Geo,
    Stream,
    PubSub,
    Admin,
    Fast,
    Slow,
    Blocking,
    Dangerous,
    Connection,
    Transaction,
    Scripting,
}

impl Category {
    /// All of them, in the order in which Redis lists them. Those of types that Mayfly does not have are there, too,
    /// so that rules of a Redis can be read.
    pub const ALL: [(Category, &'static str); 21] = [
        (Category::Keyspace, "keyspace"),
        (Category::Read, "read"),
        (Category::Write, "write"),
        (Category::Set, "set"),
        (Category::SortedSet, "sortedset"),
        (Category::List, "list"),
        (Category::Hash, "hash"),
        (Category::String, "string"),
        (Category::Bitmap, "bitmap"),
        (Category::HyperLogLog, "hyperloglog"),
        (Category::Geo, "geo"),
        (Category::Stream, "stream"),
        (Category::PubSub, "pubsub"),
        (Category::Admin, "admin"),
        (Category::Fast, "fast"),
        (Category::Slow, "slow"),
        (Category::Blocking, "blocking"),
        (Category::Dangerous, "dangerous"),
        (Category::Connection, "connection"),
        (Category::Transaction, "transaction"),
        (Category::Scripting, "scripting"),
    ];

    /// The category of that name, whatever its case.
    pub fn find(word: &[u8]) -> Option<Self> {
        let found = Self::ALL.iter().find(|(_, name)| name.as_bytes().eq_ignore_ascii_case(word));
        found.map(|(category, _)| *category)
    }
}

/// A set of categories.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Categories(u32);

impl Categories {
    /// Adds one.
    pub fn add(&mut self, category: Category) {
        self.0 |= 1 << category as u8;
    }

    /// Whether it is in the set.
    pub fn has(self, category: Category) -> bool {
        self.0 & (1 << category as u8) != 0
    }

    /// The names of those in the set, in Redis' order.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Category::ALL.into_iter().filter(move |(category, _)| self.has(*category)).map(|(_, name)| name)
    }
}

impl FromIterator<Category> for Categories {
    fn from_iter<I: IntoIterator<Item = Category>>(all: I) -> Self {
        let mut set = Categories::default();
        all.into_iter().for_each(|category| set.add(category));
        set
    }
}
