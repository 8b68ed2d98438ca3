//! The verbs: one file a command, one table.
