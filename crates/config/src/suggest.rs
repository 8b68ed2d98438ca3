//! The directive or section that somebody probably meant. Only error texts use it.

use strsim::osa_distance;

use crate::directive::Directive;
use crate::{DIRECTIVES, SECTIONS};

/// How far a section's name may be off and still be recognised.
const SECTION_DISTANCE_MAX: usize = 2;

/// The directive nearest to `section.key`, by its key or its Redis name. A key that exists is also found in
/// another section.
pub(crate) fn directive(section: &str, key: &str) -> Option<&'static Directive> {
    let distance = |directive: &Directive| {
        let names = [Some(directive.key), directive.redis];
        let key_distance =
            names.into_iter().flatten().map(|name| distance(name, key)).min().unwrap_or(usize::MAX);
        // Where none is given, the first section that has the key is as good as any.
        let section_distance =
            if section.is_empty() { usize::MAX } else { osa_distance(directive.section, section) };
        (key_distance, section_distance)
    };
    let nearest = DIRECTIVES.iter().min_by_key(|candidate| distance(candidate))?;
    let (key_distance, section_distance) = distance(nearest);
    let near = key_distance <= (key.len() / 3).max(1) && section_distance <= SECTION_DISTANCE_MAX;
    (near || key_distance == 0).then_some(nearest)
}

/// The section nearest to `name`.
pub(crate) fn section(name: &str) -> Option<&'static str> {
    let nearest = SECTIONS.iter().min_by_key(|section| osa_distance(section.name, name))?.name;
    (osa_distance(nearest, name) <= SECTION_DISTANCE_MAX).then_some(nearest)
}

/// The edits between two names, whatever the order of their words: `max_connections` is `connections_max`.
fn distance(left: &str, right: &str) -> usize {
    let (left, right) = (words(left), words(right));
    let sorted = |words: &[String]| {
        let mut sorted = words.to_vec();
        sorted.sort_unstable();
        sorted.join("_")
    };
    osa_distance(&left.join("_"), &right.join("_")).min(osa_distance(&sorted(&left), &sorted(&right)))
}

fn words(name: &str) -> Vec<String> {
    name.to_ascii_lowercase().split(['_', '-']).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_likely_directive_is_found() {
        let cases = [
            ("server", "prot", Some("server.port")),
            ("server", "Port", Some("server.port")),
            ("sever", "port", Some("server.port")),
            ("metrics", "prt", Some("metrics.port")),
            ("server", "max_connections", Some("server.connections_max")),
            ("server", "maxclients", Some("server.connections_max")),
            ("server", "requirepass", Some("server.password")),
            ("hash", "hash-max-listpack-entries", Some("hash.packed_fields_max")),
            ("server", "pipeline_window", Some("limits.pipeline_window")),
            ("", "shards", Some("server.shards")),
            ("server", "colour", None),
            ("kitchen", "levle", None),
        ];
        for (section, key, path) in cases {
            assert_eq!(directive(section, key).map(|directive| directive.path), path, "{section}.{key}");
        }
        assert_eq!(section("limit"), Some("limits"));
        assert_eq!(section("kitchen"), None);
    }
}
