//! The grammar of a command's arguments, as data.
//!
//! It is what `COMMAND DOCS` answers (redis-cli draws its hints from it) and what a syntax line is made of.
//! It is documentation: parsing is done by each command with [`crate::words`].

/// One argument, or a group of them.
#[derive(Debug)]
pub struct Argument {
    /// Name of the argument.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// A word that stands before it, or that it consists of.
    pub token: Option<&'static str>,
    /// May be left out.
    pub optional: bool,
    /// May be repeated.
    pub multiple: bool,
    /// Its token is repeated with it.
    pub multiple_token: bool,
}

/// What an argument holds.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Any bytes.
    String,
    /// A signed 64-bit integer.
    Integer,
    /// A floating-point number.
    Double,
    /// A key.
    Key,
    /// A glob pattern.
    Pattern,
    /// A point in time.
    UnixTime,
    /// Only the token.
    PureToken,
    /// One of several.
    OneOf(&'static [Argument]),
    /// Several in a row.
    Block(&'static [Argument]),
}

impl Argument {
    const fn new(name: &'static str, kind: Kind) -> Self {
        Argument { name, kind, token: None, optional: false, multiple: false, multiple_token: false }
    }

    /// Any bytes.
    pub const fn string(name: &'static str) -> Self {
        Self::new(name, Kind::String)
    }

    /// A signed 64-bit integer.
    pub const fn integer(name: &'static str) -> Self {
        Self::new(name, Kind::Integer)
    }

    /// A floating-point number.
    pub const fn double(name: &'static str) -> Self {
        Self::new(name, Kind::Double)
    }

    /// A key.
    pub const fn key(name: &'static str) -> Self {
        Self::new(name, Kind::Key)
    }

    /// A glob pattern.
    pub const fn pattern(name: &'static str) -> Self {
        Self::new(name, Kind::Pattern)
    }

    /// A point in time.
    pub const fn unix_time(name: &'static str) -> Self {
        Self::new(name, Kind::UnixTime)
    }

    /// A word that is either there or not.
    pub const fn flag(name: &'static str, token: &'static str) -> Self {
        Self::new(name, Kind::PureToken).after(token)
    }

    /// One of several.
    pub const fn one_of(name: &'static str, choices: &'static [Argument]) -> Self {
        Self::new(name, Kind::OneOf(choices))
    }

    /// Several in a row.
    pub const fn block(name: &'static str, parts: &'static [Argument]) -> Self {
        Self::new(name, Kind::Block(parts))
    }

    /// The same, announced by a word.
    pub const fn after(self, token: &'static str) -> Self {
        Argument { token: Some(token), ..self }
    }

    /// The same, but it may be left out.
    pub const fn optional(self) -> Self {
        Argument { optional: true, ..self }
    }

    /// The same, but it may be repeated.
    pub const fn multiple(self) -> Self {
        Argument { multiple: true, ..self }
    }

    /// The same, but it may be repeated, each time with its token.
    pub const fn multiple_tokens(self) -> Self {
        Argument { multiple: true, multiple_token: true, ..self }
    }

    /// The name of the kind in `COMMAND DOCS`.
    pub fn kind_name(&self) -> &'static str {
        match self.kind {
            Kind::String => "string",
            Kind::Integer => "integer",
            Kind::Double => "double",
            Kind::Key => "key",
            Kind::Pattern => "pattern",
            Kind::UnixTime => "unix-time",
            Kind::PureToken => "pure-token",
            Kind::OneOf(_) => "oneof",
            Kind::Block(_) => "block",
        }
    }

    /// The arguments inside a group.
    pub fn inner(&self) -> &'static [Argument] {
        match self.kind {
            Kind::OneOf(inner) | Kind::Block(inner) => inner,
            _ => &[],
        }
    }

    /// Appends this argument as a syntax line shows it, for example `[MATCH pattern]`.
    pub fn write_syntax(&self, line: &mut String) {
        if self.optional {
            line.push('[');
        }
        self.write_token(line);
        self.write_body(line);
        if self.multiple {
            line.push_str(" [");
            if self.multiple_token {
                self.write_token(line);
            }
            self.write_body(line);
            line.push_str(" ...]");
        }
        if self.optional {
            line.push(']');
        }
    }

    fn write_token(&self, line: &mut String) {
        if let Some(token) = self.token {
            line.push_str(token);
            if !matches!(self.kind, Kind::PureToken) {
                line.push(' ');
            }
        }
    }

    fn write_body(&self, line: &mut String) {
        let (inner, separator) = match self.kind {
            Kind::PureToken => return,
            Kind::OneOf(inner) => (inner, " | "),
            Kind::Block(inner) => (inner, " "),
            _ => return line.push_str(self.name),
        };
        let choice = matches!(self.kind, Kind::OneOf(_)) && (!self.optional || self.token.is_some());
        if choice {
            line.push('<');
        }
        for (position, argument) in inner.iter().enumerate() {
            if position > 0 {
                line.push_str(separator);
            }
            argument.write_syntax(line);
        }
        if choice {
            line.push('>');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Argument;

    #[test]
    fn syntax_reads_like_the_manual() {
        const CONDITION: [Argument; 2] = [Argument::flag("nx", "NX"), Argument::flag("xx", "XX")];
        const PAIR: [Argument; 2] = [Argument::string("field"), Argument::string("value")];
        let cases: [(Argument, &str); 6] = [
            (
                Argument::string("prefix").after("PREFIX").optional().multiple_tokens(),
                "[PREFIX prefix [PREFIX prefix ...]]",
            ),
            (Argument::pattern("pattern").after("MATCH").optional(), "[MATCH pattern]"),
            (Argument::one_of("condition", &CONDITION).optional(), "[NX | XX]"),
            (Argument::one_of("condition", &CONDITION), "<NX | XX>"),
            (Argument::one_of("condition", &CONDITION).after("IF").optional(), "[IF <NX | XX>]"),
            (Argument::block("data", &PAIR).multiple(), "field value [field value ...]"),
        ];
        for (argument, expected) in cases {
            let mut line = String::new();
            argument.write_syntax(&mut line);
            assert_eq!(line, expected);
        }
    }
}
