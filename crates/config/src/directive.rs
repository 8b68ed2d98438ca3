//! What a directive is: its names, its kind with the range, its text. Also the macro that turns the table of
//! `directives.rs` into the structs. Reading the file is `file.rs`, the order of the layers `load.rs`.

use std::net::IpAddr;

use mayfly_acl::hide_passwords;

use crate::save_points::SavePoints;
use crate::ttl_rules::parse_ttl_rules;
use crate::values::{MASK, Secret};
use crate::{Config, render, size};

/// A section of the file: `[name]`.
pub struct Section {
    /// Its name, in lower case.
    pub name: &'static str,
    /// Lines of text on what the section is about, each with a leading blank.
    pub doc: &'static [&'static str],
}

/// One setting: everything there is to know about it.
#[derive(Debug)]
pub struct Directive {
    /// The section it stands in.
    pub section: &'static str,
    /// Its key in the section.
    pub key: &'static str,
    /// `section.key`, its name in errors, overrides and documents.
    pub path: &'static str,
    /// Lines of text on what it does and why one would change it, each with a leading blank.
    pub doc: &'static [&'static str],
    /// The shape and the range of its value.
    pub kind: Kind,
    /// Its name in `CONFIG GET`, if Redis has such a setting.
    pub redis: Option<&'static str>,
    /// Its command line flag without the dashes, if it has one.
    pub flag: Option<&'static str>,
    /// Whether `CONFIG SET` changes it while the server runs.
    pub live: bool,
    pub(crate) get: fn(&Config) -> Value,
    pub(crate) set: fn(&mut Config, Value) -> bool,
}

/// The words that may stand behind the kind in the table.
impl Directive {
    pub(crate) const fn redis(self, name: &'static str) -> Self {
        Self { redis: Some(name), ..self }
    }

    pub(crate) const fn flag(self, name: &'static str) -> Self {
        Self { flag: Some(name), ..self }
    }

    pub(crate) const fn live(self) -> Self {
        Self { live: true, ..self }
    }
}

impl Directive {
    /// The directive at `section.key`.
    pub fn find(path: &str) -> Option<&'static Self> {
        crate::DIRECTIVES.iter().find(|directive| directive.path == path)
    }

    /// The directive of a name in `CONFIG GET`, in any case of its letters.
    pub fn of_parameter(name: &[u8]) -> Option<&'static Self> {
        crate::DIRECTIVES.iter().find(|directive| directive.parameter().as_bytes().eq_ignore_ascii_case(name))
    }

    /// Its name in `CONFIG GET` and `CONFIG SET`: that of Redis, or else its own.
    pub fn parameter(&self) -> &'static str {
        self.redis.unwrap_or(self.path)
    }

    /// Its environment variable: `MAYFLY_SERVER__PORT` for `server.port`.
    pub fn environment(&self) -> String {
        format!("MAYFLY_{}__{}", self.section.to_ascii_uppercase(), self.key.to_ascii_uppercase())
    }

    /// Its value in `config`.
    pub fn get(&self, config: &Config) -> Value {
        (self.get)(config)
    }

    /// What it takes to change it once the server runs.
    pub fn change(&self) -> &'static str {
        if self.live { "CONFIG SET" } else { "restart" }
    }

    /// Its default as the file writes it.
    pub fn default_text(&self) -> String {
        render::literal(&self.kind, &self.get(&Config::default()))
    }

    /// Its text as one line of sentences.
    pub fn summary(&self) -> String {
        self.doc.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
    }

    /// Writes a value that [`Kind`] has let through.
    pub(crate) fn set(&self, config: &mut Config, value: Value) {
        let fits = (self.set)(config, value);
        assert!(fits, "the kind of {} lets through what its field cannot hold", self.path);
    }
}

/// The shape and the range of a directive's value. Both ends of a range are allowed.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A whole number of `unit`.
    Integer {
        /// The least allowed number.
        min: u64,
        /// The greatest allowed number.
        max: u64,
        /// What is counted, in the plural.
        unit: &'static str,
    },
    /// A whole number of `unit` from 0, or -1 for none.
    Threshold {
        /// The greatest allowed number.
        max: u64,
        /// What is counted, in the plural.
        unit: &'static str,
    },
    /// A TCP port; 0 takes any free one, or none.
    Port,
    /// A number of bytes, written as an integer or as text with a unit.
    Bytes {
        /// The least allowed number of bytes.
        min: u64,
        /// The greatest allowed number of bytes.
        max: u64,
    },
    /// Yes or no.
    Flag,
    /// One of these words.
    Word(&'static [&'static str]),
    /// Any of these names, each once, with colons between them; empty means all of them.
    Names(&'static [&'static str]),
    /// Any of these letters, in any order.
    Letters {
        /// The letters.
        of: &'static str,
    },
    /// A text that is never shown, of at most so many bytes; empty means none.
    Secret {
        /// The longest allowed text, in bytes.
        bytes_max: usize,
    },
    /// The path of a folder or a file, of at most so many bytes; empty means none.
    Path {
        /// The longest allowed path, in bytes.
        bytes_max: usize,
    },
    /// Pairs of seconds and changes, see [`crate::SavePoints`]; empty means none.
    SavePoints,
    /// The permissions of a file, in octal; empty means none are given.
    Permissions,
    /// Up to so many users, each a name and rules of at most so many bytes. Passwords are replaced by their hashes.
    Users {
        /// The greatest allowed number of users.
        max: usize,
        /// The longest allowed text of one, in bytes.
        bytes_max: usize,
    },
    /// Rules for TTLs.
    TtlRules,
    /// One IP address.
    Address,
    /// From one to so many different IP addresses.
    Addresses {
        /// The greatest allowed number of addresses.
        max: usize,
    },
}

impl Kind {
    /// What is allowed, for errors and documents: `0 to 65535`.
    pub fn allowed(&self) -> String {
        match self {
            Self::Integer { min, max, unit } => format!("{min} to {max} {unit}"),
            Self::Threshold { max, unit } => format!("0 to {max} {unit}, or -1"),
            Self::Port => format!("0 to {}", u16::MAX),
            Self::Bytes { min, max } => match size::format(*min) {
                number if number.ends_with('B') => format!("{number} to {}", size::format(*max)),
                number => format!("{number} bytes to {}", size::format(*max)),
            },
            Self::Flag => "true or false".into(),
            Self::Word(words) => match words {
                [first @ .., last] => format!("{} or {last}", first.join(", ")),
                [] => String::new(),
            },
            Self::Names(names) => format!("names with : between them, of {}", names.join(", ")),
            Self::Letters { of } => format!("letters of {of}"),
            Self::Secret { bytes_max } => format!("text of up to {bytes_max} bytes"),
            Self::TtlRules => {
                "rules separated by ;, each [pattern] [db=N] [default=SECONDS] [max=SECONDS] [jitter=PERCENT] \
                 [require or optional]"
                    .into()
            }
            Self::Path { bytes_max } => format!("a path of up to {bytes_max} bytes"),
            Self::SavePoints => "pairs of seconds, from 1, and changes".into(),
            Self::Permissions => "octal digits such as 770".into(),
            Self::Users { max, bytes_max } => {
                format!("up to {max} users with rules of up to {bytes_max} bytes")
            }
            Self::Address => "an IP address".into(),
            Self::Addresses { max } => format!("1 to {max} IP addresses"),
        }
    }

    /// Reads a value as environment variables and flags carry it. Lists are separated by commas or blanks.
    ///
    /// # Errors
    /// What is wrong and what is allowed, without the name of the directive.
    pub fn parse(&self, text: &str) -> Result<Value, String> {
        match self {
            Self::Integer { .. } | Self::Threshold { .. } | Self::Port => {
                self.integer(text, text.parse::<i128>().ok())
            }
            Self::Bytes { .. } => self.integer(text, size::parse(text).map(i128::from)),
            Self::Flag => match text {
                "true" | "yes" | "on" | "1" => Ok(Value::Flag(true)),
                "false" | "no" | "off" | "0" => Ok(Value::Flag(false)),
                _ => Err(self.refuse(&format!("{text:?} is neither true nor false"))),
            },
            Self::Word(words) => match words.iter().find(|word| word.eq_ignore_ascii_case(text)) {
                Some(word) => Ok(Value::Word(word)),
                None => Err(self.refuse(&format!("{text:?} is unknown"))),
            },
            Self::Names(names) => self.names(names, text),
            Self::Letters { of } => match text.chars().find(|letter| !of.contains(*letter)) {
                Some(letter) => Err(self.refuse(&format!("{letter:?} is none of them"))),
                None => Ok(Value::Text(text.into())),
            },
            Self::Secret { .. } => self.secret(text),
            Self::TtlRules => match parse_ttl_rules(text) {
                Ok(_) => Ok(Value::Text(text.into())),
                Err(problem) => Err(self.refuse(&problem)),
            },
            Self::Path { bytes_max } => match text {
                _ if text.len() > *bytes_max => {
                    Err(self.refuse(&format!("{} bytes are too many", text.len())))
                }
                _ if text.contains(char::is_control) => {
                    Err(self.refuse("there is a control character in it"))
                }
                _ => Ok(Value::Text(text.into())),
            },
            Self::SavePoints => match SavePoints::parse(text) {
                Some(points) => Ok(Value::Text(points.text())),
                None => Err(self.refuse(&format!("{text:?} is none"))),
            },
            Self::Permissions => match u32::from_str_radix(text, 8) {
                _ if text.is_empty() => Ok(Value::Text(String::new())),
                Ok(0..=0o777) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
                    Ok(Value::Text(text.into()))
                }
                _ => Err(self.refuse(&format!("{text:?} is none"))),
            },
            Self::Users { .. } => self.users(text.lines()),
            Self::Address => Ok(Value::Addresses(vec![self.address(text)?])),
            Self::Addresses { .. } => {
                let words = text.split([',', ' ']).filter(|word| !word.is_empty());
                self.addresses(words.map(|word| self.address(word)).collect::<Result<_, _>>()?)
            }
        }
    }

    /// Checks a number against the range; `None` is a number that could not be read from `shown`.
    pub(crate) fn integer(&self, shown: &str, number: Option<i128>) -> Result<Value, String> {
        let (min, max, noun) = match *self {
            Self::Integer { min, max, .. } => (min, max, "an integer"),
            Self::Threshold { max, .. } => (0, max, "an integer"),
            Self::Port => (0, u64::from(u16::MAX), "a port"),
            Self::Bytes { min, max } => (min, max, "a size such as 65536 or \"64KiB\""),
            _ => return Err(self.refuse(&format!("{shown} is an integer"))),
        };
        let number = number.ok_or_else(|| self.refuse(&format!("{shown:?} is not {noun}")))?;
        let in_range = u64::try_from(number).ok().filter(|number| (min..=max).contains(number));
        match (self, in_range) {
            (Self::Threshold { .. }, None) if number == -1 => Ok(Value::Threshold(None)),
            (_, None) => Err(self.refuse(&format!("{shown} is out of range"))),
            (Self::Threshold { .. }, in_range) => Ok(Value::Threshold(in_range)),
            (_, Some(number)) => Ok(Value::Integer(number)),
        }
    }

    /// Reads names as the table writes them.
    fn names(&self, known: &[&'static str], text: &str) -> Result<Value, String> {
        let mut names: Vec<&str> = Vec::new();
        for word in text.split(':').filter(|_| !text.is_empty()) {
            match known.iter().find(|name| name.eq_ignore_ascii_case(word)) {
                None => return Err(self.refuse(&format!("{word:?} is unknown"))),
                Some(name) if names.contains(name) => return Err(format!("{name} is given twice")),
                Some(name) => names.push(name),
            }
        }
        Ok(Value::Text(names.join(":")))
    }

    /// Reads one address.
    pub(crate) fn address(&self, text: &str) -> Result<IpAddr, String> {
        text.parse()
            .map_err(|_| self.refuse(&format!("{text:?} is not an IP address such as 127.0.0.1 or ::1")))
    }

    /// Checks the length of a list and that nothing is in it twice.
    pub(crate) fn addresses(&self, addresses: Vec<IpAddr>) -> Result<Value, String> {
        let Self::Addresses { max } = *self else { return Err(self.refuse("a list is given")) };
        if addresses.is_empty() || addresses.len() > max {
            return Err(self.refuse(&format!("{} addresses are given", addresses.len())));
        }
        for (index, address) in addresses.iter().enumerate() {
            if addresses[..index].contains(address) {
                return Err(format!("{address} is given twice"));
            }
        }
        Ok(Value::Addresses(addresses))
    }

    /// Checks how many users there are and how long each is. What the rules say is checked where commands are known.
    pub(crate) fn users<'a>(&self, texts: impl Iterator<Item = &'a str>) -> Result<Value, String> {
        let Self::Users { max, bytes_max } = *self else { return Err(self.refuse("users are given")) };
        let mut users: Vec<String> = Vec::new();
        for text in texts {
            let words: Vec<_> = text.split_whitespace().map(hide_passwords).collect();
            match &words[..] {
                [] => return Err(self.refuse("a user without a name is given")),
                _ if text.len() > bytes_max => {
                    return Err(self.refuse(&format!(
                        "{} bytes of user {} are too many",
                        text.len(),
                        words[0]
                    )));
                }
                _ if text.chars().any(|letter| letter.is_control() && !letter.is_whitespace()) => {
                    return Err(self.refuse(&format!("there is a control character in user {:?}", words[0])));
                }
                _ => users.push(words.join(" ")),
            }
        }
        match users.len() {
            count if count > max => Err(self.refuse(&format!("{count} users are given"))),
            _ => Ok(Value::Texts(users)),
        }
    }

    /// `what is wrong; allowed: what is allowed`.
    pub(crate) fn refuse(&self, problem: &str) -> String {
        format!("{problem}; allowed: {}", self.allowed())
    }

    /// Checks the length. The text itself never comes into the message.
    fn secret(&self, text: &str) -> Result<Value, String> {
        let Self::Secret { bytes_max } = *self else { return Err(self.refuse("a secret is given")) };
        if text == MASK {
            return Err(format!(
                "{MASK:?} only stands for a secret that was not shown; give the secret itself"
            ));
        }
        if text.len() > bytes_max {
            return Err(self.refuse(&format!("{} bytes are too many", text.len())));
        }
        Ok(Value::Secret(Secret::new(text)))
    }
}

/// The value of any directive, in the shape that its [`Kind`] says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Of integers, ports and sizes.
    Integer(u64),
    /// Of thresholds.
    Threshold(Option<u64>),
    /// Of flags.
    Flag(bool),
    /// Of names, letters, paths, save points and permissions.
    Text(String),
    /// Of users.
    Texts(Vec<String>),
    /// Of words, as the kind lists it.
    Word(&'static str),
    /// Of secrets.
    Secret(Secret),
    /// Of addresses, one or many.
    Addresses(Vec<IpAddr>),
}

/// Makes of the table: the sections' structs with their docs and defaults, [`Config`], [`crate::DIRECTIVES`]
/// and [`crate::SECTIONS`].
macro_rules! directives {
    ($(
        $(#[doc = $section_doc:literal])*
        $section:ident: $type:ident {$(
            $(#[doc = $doc:literal])*
            $key:ident: $field:ty = $default:expr, $kind:expr $(, $word:ident $($name:literal)?)*;
        )*}
    )*) => {
        /// Every setting, by section. `Default` is what an empty file means.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct Config {$(
            $(#[doc = $section_doc])*
            pub $section: $type,
        )*}

        $(
            $(#[doc = $section_doc])*
            #[derive(Clone, Debug, PartialEq, Eq)]
            pub struct $type {$(
                $(#[doc = $doc])*
                pub $key: $field,
            )*}

            impl Default for $type {
                fn default() -> Self {
                    Self { $($key: $default),* }
                }
            }
        )*

        /// The sections, in the order of the file.
        pub static SECTIONS: &[Section] = &[$(
            Section { name: stringify!($section), doc: &[$($section_doc),*] },
        )*];

        /// Every directive, in the order of the file.
        pub static DIRECTIVES: &[Directive] = &[$($(
            Directive {
                section: stringify!($section),
                key: stringify!($key),
                path: concat!(stringify!($section), ".", stringify!($key)),
                doc: &[$($doc),*],
                kind: $kind,
                redis: None,
                flag: None,
                live: false,
                get: |config| Setting::to_value(&config.$section.$key),
                set: |config, value| match Setting::from_value(value) {
                    Some(setting) => {
                        config.$section.$key = setting;
                        true
                    }
                    None => false,
                },
            }$(.$word($($name)?))*,
        )*)*];
    };
}
pub(crate) use directives;
