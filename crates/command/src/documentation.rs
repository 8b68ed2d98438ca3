//! `COMMAND DOCS` and `COMMAND INFO`, rendered from specs.
