//! Files stay small enough to be read in one sitting.

use super::{assert_none, tree};

/// Lines of a file of code. About 400 is the aim; this is where it stops.
const MOST_LINES: usize = 600;

/// Files that are longer, with their length. Only to be shortened, or removed from here.
const EXEMPT: &[(&str, usize)] = &[];

#[test]
fn no_file_of_code_is_longer_than_it_may_be() {
    let mut wrongs = Vec::new();
    for file in tree::files(".rs") {
        let lines = file.text.lines().count();
        match EXEMPT.iter().find(|(path, _)| *path == file.path) {
            None if lines > MOST_LINES => {
                wrongs.push(format!("{}: {lines} lines; make it a folder with a file per noun", file.path));
            }
            Some((_, allowed)) if lines > *allowed => {
                wrongs.push(format!("{}: {lines} lines, exempt only up to {allowed}", file.path));
            }
            Some(_) if lines <= MOST_LINES => {
                wrongs.push(format!("{}: {lines} lines; take it off the list of exemptions", file.path));
            }
            _ => {}
        }
    }
    let known = tree::paths();
    let gone = EXEMPT.iter().filter(|(path, _)| !known.iter().any(|known| known == path));
    wrongs.extend(gone.map(|(path, _)| format!("{path}: exempt, but not there any more")));
    assert_none(&format!("files of code have at most {MOST_LINES} lines"), &wrongs);
}
