//! Finds circles of files: files that lead to each other and therefore can only be read together.

use std::collections::BTreeSet;
use std::path::Path;

use super::{Reference, SourceFile};

/// Returns the circles, largest first, each as indexes of files: the strongly connected components of more than one
/// file. References to `lib.rs` do not count, because a crate's root only hands names on.
pub fn cycles(files: &[SourceFile], references: &[Reference]) -> Vec<Vec<usize>> {
    let mut next = vec![BTreeSet::new(); files.len()];
    for reference in references {
        if files[reference.to].path.file_name() != Some(Path::new("lib.rs").as_os_str()) {
            next[reference.from].insert(reference.to);
        }
    }
    let reachable: Vec<BTreeSet<usize>> =
        (0..files.len()).map(|from| reachable_from(from, &next)).collect();
    let mut seen = BTreeSet::new();
    let mut circles = Vec::new();
    for file in 0..files.len() {
        let circle: Vec<usize> = reachable[file]
            .iter()
            .copied()
            .filter(|other| reachable[*other].contains(&file))
            .collect();
        if circle.len() > 1 && seen.insert(circle[0]) {
            circles.push(circle);
        }
    }
    circles.sort_by_key(|circle| std::cmp::Reverse(circle.len()));
    circles
}

/// Returns the files that `from` leads to in one step or more. Quadratic in all, which is nothing for some hundred files.
fn reachable_from(from: usize, next: &[BTreeSet<usize>]) -> BTreeSet<usize> {
    let mut reached = BTreeSet::new();
    let mut open = vec![from];
    while let Some(file) = open.pop() {
        open.extend(next[file].iter().filter(|file| reached.insert(**file)));
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::super::{crate_of, references};
    use super::*;

    #[test]
    fn files_that_lead_to_each_other_are_a_circle_and_lib_is_in_none() {
        let files = crate_of(&[
            ("a.rs", "use crate::b::B; use crate::Root;"),
            ("b.rs", "use crate::c::C;"),
            ("c.rs", "use crate::a::A;"),
            ("d.rs", "use crate::a::A;"),
            ("lib.rs", "use crate::d::D;"),
        ]);
        assert_eq!(cycles(&files, &references(&files)), [[0, 1, 2]]);
    }
}
