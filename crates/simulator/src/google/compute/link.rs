//! The links of Compute: where a thing stands, as a URL, a path, or as little as a name.
//!
//! Clients send `https://www.googleapis.com/compute/v1/projects/p/zones/z/disks/d`, the same under
//! `compute.googleapis.com`, `projects/p/…`, `zones/z/disks/d` or `global/networks/n`. Answers hold the first form.

use std::fmt;

/// What answers put before a path. No endpoint answers there: it is a name, as it is at Google.
pub const BASE: &str = "https://www.googleapis.com/compute/v1/";

/// A link that has been read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The project.
    pub project: String,
    /// A zone, a region, or `global`.
    pub place: String,
    /// The collection: `instances`.
    pub collection: String,
    /// The thing's name.
    pub name: String,
}

impl Link {
    /// The link of a thing.
    pub fn new(project: &str, place: &str, collection: &str, name: &str) -> Self {
        Self {
            project: project.into(),
            place: place.into(),
            collection: collection.into(),
            name: name.into(),
        }
    }

    /// Reads any form of a link to a thing of `collection`; what a short form leaves out is `project` and `place`.
    pub fn read(text: &str, project: &str, place: &str, collection: &str) -> Option<Self> {
        let path = ["https://www.googleapis.com/compute/v1/", "https://compute.googleapis.com/compute/v1/"]
            .iter()
            .find_map(|base| text.strip_prefix(base))
            .unwrap_or(text);
        if path.contains("://") {
            return None;
        }
        let mut parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let mut link = Self::new(project, place, collection, "");
        if parts.len() > 2 && parts[0] == "projects" {
            parts[1].clone_into(&mut link.project);
            parts.drain(..2);
        }
        match *parts {
            ["zones" | "regions", at, last] if ["zones", "regions"].contains(&collection) => {
                // A short name of a place may not stand below another place.
                return (at == last).then_some(link);
            }
            ["zones" | "regions", at] if parts[0] == collection => {
                at.clone_into(&mut link.name);
            }
            ["zones" | "regions", at, found, name] if found == collection => {
                at.clone_into(&mut link.place);
                name.clone_into(&mut link.name);
            }
            ["global", found, name] if found == collection => {
                "global".clone_into(&mut link.place);
                name.clone_into(&mut link.name);
            }
            // Of images a family may be named instead; the caller looks for it.
            ["global", found, "family", name] if found == collection => {
                "global".clone_into(&mut link.place);
                link.name = format!("family/{name}");
            }
            [name] => name.clone_into(&mut link.name),
            _ => return None,
        }
        (!link.name.is_empty()).then_some(link)
    }

    /// The path without the base: `projects/p/zones/z/disks/d`.
    pub fn path(&self) -> String {
        let Self { project, place, collection, name } = self;
        format!("projects/{project}/{}/{collection}/{name}", scope(place))
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{BASE}{}", self.path())
    }
}

/// A place in a path: `zones/us-central1-a`, `regions/us-central1`, `global`.
pub fn scope(place: &str) -> String {
    match place {
        "global" => "global".to_owned(),
        zone if is_zone(zone) => format!("zones/{zone}"),
        region => format!("regions/{region}"),
    }
}

/// Whether a place is a zone: a region and a letter.
pub fn is_zone(place: &str) -> bool {
    place
        .rsplit_once('-')
        .is_some_and(|(_, last)| last.len() == 1 && last.chars().all(|c| c.is_ascii_lowercase()))
}

/// The region of a zone; a region is its own.
pub fn region_of(place: &str) -> &str {
    if is_zone(place) { place.rsplit_once('-').map_or(place, |(region, _)| region) } else { place }
}

/// The last part of a link, which is a name.
pub fn last(link: &str) -> &str {
    link.rsplit('/').next().unwrap_or(link)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_link_is_understood() {
        let full = "https://www.googleapis.com/compute/v1/projects/p/zones/us-east1-b/disks/d";
        for text in [
            full,
            "https://compute.googleapis.com/compute/v1/projects/p/zones/us-east1-b/disks/d",
            "projects/p/zones/us-east1-b/disks/d",
            "zones/us-east1-b/disks/d",
            "d",
        ] {
            assert_eq!(Link::read(text, "p", "us-east1-b", "disks").unwrap().to_string(), full, "{text}");
        }
        let image =
            Link::read("projects/debian/global/images/family/debian-13", "p", "global", "images").unwrap();
        assert_eq!((image.project.as_str(), image.name.as_str()), ("debian", "family/debian-13"));
    }

    #[test]
    fn a_link_to_something_else_is_none() {
        for text in ["zones/us-east1-b/instances/d", "https://example.com/d", "a/b", "", "global/disks/"] {
            assert_eq!(Link::read(text, "p", "us-east1-b", "disks"), None, "{text}");
        }
    }

    #[test]
    fn zones_and_regions_are_told_apart() {
        assert!(is_zone("europe-west1-b") && !is_zone("europe-west1") && !is_zone("global"));
        assert_eq!(region_of("europe-west1-b"), "europe-west1");
        assert_eq!(scope("europe-west1"), "regions/europe-west1");
    }
}
