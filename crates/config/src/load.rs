//! The layers: defaults, file, environment, flags; the later one wins. Each value is checked where it is read, so
//! that an error names its place; contradictions are looked for in the end result.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::check;
use crate::directive::{Directive, Value};
use crate::error::{ConfigError, Place};
use crate::{Config, DIRECTIVES, file, render, suggest};

/// A configuration that passed every check, and where it comes from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The effective settings.
    pub config: Config,
    /// Whether a file was read.
    pub source: Source,
    /// Who set each directive, in the order of [`DIRECTIVES`].
    places: Vec<Place>,
}

/// The layer below environment and flags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// No file was named: the defaults alone.
    Defaults,
    /// The file at this path, over the defaults.
    File(PathBuf),
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Defaults => formatter.write_str("defaults"),
            Self::File(path) => write!(formatter, "{}", path.display()),
        }
    }
}

/// Loads the settings from the file, if one is named, then from the variables `MAYFLY_SECTION__KEY` among
/// `environment`, then from `overrides`: pairs of `section.key` and text, in the form environment variables have.
///
/// # Errors
/// The first mistake found. The operator corrects the place that it names.
pub fn load(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
    overrides: &[(&str, &str)],
) -> Result<Loaded, ConfigError> {
    let mut loaded = Loaded::default();
    if let Some(path) = file {
        loaded.read_file(path)?;
    }
    loaded.read_environment(environment)?;
    loaded.read_overrides(overrides)?;
    loaded.check()?;
    Ok(loaded)
}

impl Default for Loaded {
    /// The defaults alone.
    fn default() -> Self {
        let places = vec![Place::Defaults; DIRECTIVES.len()];
        Self { config: Config::default(), source: Source::Defaults, places }
    }
}

impl Loaded {
    fn read_file(&mut self, path: &Path) -> Result<(), ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            let place = Place::File { path: path.to_owned(), line: None };
            ConfigError { place, key: String::new(), problem: format!("cannot be read: {error}") }
        })?;
        for assignment in file::read(path, &text)? {
            let place = Place::File { path: path.to_owned(), line: Some(assignment.line) };
            self.set(assignment.directive, assignment.value, place);
        }
        self.source = Source::File(path.to_owned());
        Ok(())
    }

    fn read_environment(
        &mut self,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<(), ConfigError> {
        let ours = |name: &str| name.strip_prefix("MAYFLY_").is_some_and(|rest| rest.contains("__"));
        let mut variables: Vec<_> = environment.into_iter().filter(|(name, _)| ours(name)).collect();
        variables.sort_unstable();
        for (name, text) in variables {
            let directive = DIRECTIVES.iter().find(|directive| directive.environment() == name);
            let error = |problem| ConfigError {
                place: Place::Environment(name.clone()),
                key: String::new(),
                problem,
            };
            let directive = directive.ok_or_else(|| error(unknown_variable(&name)))?;
            let value = directive.kind.parse(&text).map_err(error)?;
            self.set(directive, value, Place::Environment(name));
        }
        Ok(())
    }

    fn read_overrides(&mut self, overrides: &[(&str, &str)]) -> Result<(), ConfigError> {
        for (path, text) in overrides {
            let directive = Directive::find(path);
            let name = directive.and_then(|directive| directive.flag).unwrap_or(path);
            let error =
                |problem| ConfigError { place: Place::Flag(name.into()), key: String::new(), problem };
            let directive = directive.ok_or_else(|| error(unknown_path(path)))?;
            let value = directive.kind.parse(text).map_err(error)?;
            self.set(directive, value, Place::Flag(name.into()));
        }
        Ok(())
    }

    fn set(&mut self, directive: &Directive, value: Value, place: Place) {
        directive.set(&mut self.config, value);
        if let Some(index) = position(directive.path) {
            self.places[index] = place;
        }
    }

    /// Looks for contradictions. The later layer of the two settings gets the blame.
    fn check(&self) -> Result<(), ConfigError> {
        let Some(found) = check::contradiction(&self.config) else { return Ok(()) };
        let layer = |place: &Place| match place {
            Place::Defaults => 0,
            Place::File { .. } => 1,
            Place::Environment(_) => 2,
            Place::Flag(_) => 3,
        };
        let [first, second] = found.paths.map(|path| self.place(path));
        let place = if layer(second) > layer(first) { second } else { first };
        Err(ConfigError { place: place.clone(), key: found.paths[0].into(), problem: found.problem })
    }

    /// Who set the directive at `path`; [`Place::Defaults`] if nobody did.
    pub fn place(&self, path: &str) -> &Place {
        position(path).map_or(&Place::Defaults, |index| &self.places[index])
    }

    /// The effective settings as a file, with a remark wherever a value is not the default and who set it. A
    /// password is shown as `***`, which [`load`] refuses.
    pub fn render_toml(&self) -> String {
        render::render(&self.config, |directive| match self.place(directive.path) {
            Place::Defaults => "Not the default.".into(),
            place => format!("Not the default; set by {place}."),
        })
    }
}

fn position(path: &str) -> Option<usize> {
    DIRECTIVES.iter().position(|directive| directive.path == path)
}

fn unknown_variable(name: &str) -> String {
    let path = name.trim_start_matches("MAYFLY_").to_ascii_lowercase();
    let (section, key) = path.split_once("__").unwrap_or(("", &path));
    file::unknown_key(section, suggest::directive(section, key).map(Directive::environment))
}

fn unknown_path(path: &str) -> String {
    let (section, key) = path.split_once('.').unwrap_or(("", path));
    file::unknown_key(section, suggest::directive(section, key).map(|directive| directive.path.to_owned()))
}
