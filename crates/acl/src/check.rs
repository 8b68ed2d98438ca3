//! What a request asks for, and what may be denied of it.

/// What is done to a key, or may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeyAccess(u8);

impl KeyAccess {
    /// Nothing that tells of its value or changes it, such as asking whether it exists.
    pub const NONE: KeyAccess = KeyAccess(0);
    /// Its value is read.
    pub const READ: KeyAccess = KeyAccess(1);
    /// It is changed.
    pub const WRITE: KeyAccess = KeyAccess(2);
    /// Both.
    pub const BOTH: KeyAccess = KeyAccess(3);

    /// Both together.
    pub const fn and(self, other: KeyAccess) -> KeyAccess {
        KeyAccess(self.0 | other.0)
    }

    /// Whether all of `other` is in it.
    pub const fn has(self, other: KeyAccess) -> bool {
        self.0 & other.0 == other.0
    }
}

/// A key of a request.
#[derive(Clone, Copy, Debug)]
pub struct KeyUse<'a> {
    /// The key.
    pub key: &'a [u8],
    /// What is done to it.
    pub access: KeyAccess,
    /// Its place among the words of the request.
    pub position: usize,
}

/// A channel of a request.
#[derive(Clone, Copy, Debug)]
pub struct ChannelUse<'a> {
    /// The channel, or the pattern of channels.
    pub channel: &'a [u8],
    /// Whether it is a pattern.
    pub is_pattern: bool,
    /// Its place among the words of the request.
    pub position: usize,
}

/// What a request asks for. It is looked at once for each selector of the user.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a, K, C> {
    /// The number of its command.
    pub command: usize,
    /// The word behind its command, and behind its subcommand if it has one.
    pub first_argument: Option<&'a [u8]>,
    /// Its keys.
    pub keys: K,
    /// Its channels.
    pub channels: C,
}

/// What a user may not.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Denial {
    /// Run the command.
    Command,
    /// Touch the key at this place among the words.
    Key(usize),
    /// Use the channel at this place among the words.
    Channel(usize),
}

impl Denial {
    /// What the client reads. It is not told which key or channel.
    pub fn line(self, user: &[u8], command: &str) -> String {
        match self {
            Denial::Command => {
                let user = String::from_utf8_lossy(user);
                format!("NOPERM User {user} has no permissions to run the '{command}' command")
            }
            Denial::Key(_) => "NOPERM No permissions to access a key".to_owned(),
            Denial::Channel(_) => "NOPERM No permissions to access a channel".to_owned(),
        }
    }

    /// What `EXEC` answers for a request that was allowed when it was queued.
    pub fn line_at_exec(self) -> String {
        let reason = match self {
            Denial::Command => "no permission to execute the command or subcommand",
            Denial::Key(_) => "no permission to touch the specified keys",
            Denial::Channel(_) => {
                "no permission to access one of the channels used as arguments to the command"
            }
        };
        format!(
            "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This \
             command is no longer allowed for the following reason: {reason}"
        )
    }
}
