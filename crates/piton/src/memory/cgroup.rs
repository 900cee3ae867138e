//! Reads the memory limit of the process's control group (cgroups(7)), of version 2 and 1.
//!
//! A group is limited by its own file and by those of its ancestors. Which of them are visible
//! depends on the namespace: a container usually sees its own group as the root.

use std::fs;
use std::path::{Component, Path, PathBuf};

/// Values from here on mean no limit: version 1 then reports a number near 2^63, rounded to pages.
const UNLIMITED: u64 = 1 << 60;

/// A mounted hierarchy of control groups with the memory controller.
struct CgroupMount {
    /// The group that the mount shows as its root.
    root: String,
    point: PathBuf,
    version: CgroupVersion,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum CgroupVersion {
    One,
    Two,
}

/// Returns the smallest limit that applies to this process. `root` is the root of the file system
/// to read.
pub(super) fn limit(root: &Path) -> Option<u64> {
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    let mounts = fs::read_to_string(root.join("proc/self/mountinfo")).ok()?;
    let limits = mounts.lines().filter_map(mount).filter_map(|mount| {
        let group = group(&groups, mount.version)?;
        limit_of(root, &mount, group)
    });
    limits.min()
}

/// Parses a line of `/proc/self/mountinfo` (proc(5)). `None` unless it mounts a hierarchy with the
/// memory controller.
fn mount(line: &str) -> Option<CgroupMount> {
    let (place, kind) = line.split_once(" - ")?;
    let mut kind = kind.split(' ');
    let version = match kind.next()? {
        "cgroup2" => CgroupVersion::Two,
        "cgroup" => CgroupVersion::One,
        _ => return None,
    };
    if version == CgroupVersion::One && !kind.nth(1)?.split(',').any(|option| option == "memory") {
        return None;
    }
    let mut place = place.split(' ').skip(3);
    let (root, point) = (unescaped(place.next()?), unescaped(place.next()?));
    Some(CgroupMount { root, point: point.into(), version })
}

/// Decodes `\040` and the like, which stand for the characters that separate fields.
fn unescaped(field: &str) -> String {
    let known = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
    known.iter().fold(field.to_owned(), |text, (escape, character)| text.replace(escape, character))
}

/// Returns the process's group from the lines of `/proc/self/cgroup`.
fn group(lines: &str, version: CgroupVersion) -> Option<&str> {
    lines.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':');
        let (_, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        let ours = match version {
            CgroupVersion::Two => controllers.is_empty(),
            CgroupVersion::One => controllers.split(',').any(|name| name == "memory"),
        };
        ours.then_some(path)
    })
}

/// Returns the smallest limit from the group up to the mount's root.
fn limit_of(root: &Path, mount: &CgroupMount, group: &str) -> Option<u64> {
    let point = root.join(mount.point.strip_prefix("/").unwrap_or(&mount.point));
    let within = within(&mount.root, group);
    let folders = within.ancestors().map(|folder| point.join(folder));
    folders.filter_map(|folder| own_limit(&folder, mount.version)).min()
}

/// Returns the group's path below the mount's root. For a group outside of the mount (`/../x`, or
/// one of the host's in a container without its own namespace) that is the root itself.
fn within(root: &str, group: &str) -> PathBuf {
    let group = Path::new(group);
    let below = group.strip_prefix(root).or_else(|_| group.strip_prefix("/")).unwrap_or(group);
    let plain = below.components().all(|part| matches!(part, Component::Normal(_)));
    if plain { below.to_owned() } else { PathBuf::new() }
}

fn own_limit(folder: &Path, version: CgroupVersion) -> Option<u64> {
    let read = |name: &str| fs::read_to_string(folder.join(name)).ok();
    let number = |text: String| text.trim().parse::<u64>().ok();
    let limit = match version {
        CgroupVersion::Two => read("memory.max").and_then(number),
        CgroupVersion::One => {
            let own = read("memory.limit_in_bytes").and_then(number);
            // `memory.stat` includes the limits of the ancestors, even of those that are not
            // visible.
            let all = read("memory.stat").and_then(|text| {
                let mut lines = text.lines();
                let line = lines.find_map(|line| line.strip_prefix("hierarchical_memory_limit "));
                line.and_then(|number| number.trim().parse().ok())
            });
            own.into_iter().chain(all).min()
        }
    };
    limit.filter(|limit| *limit < UNLIMITED)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes a tree of files, and returns the limit read from it.
    fn limit_in(files: &[(&str, &str)]) -> Option<u64> {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        limit(root.path())
    }

    const V2: (&str, &str) = (
        "proc/self/mountinfo",
        "22 1 0:20 / /proc rw - proc proc rw\n\
         30 22 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n",
    );
    const V1: (&str, &str) = (
        "proc/self/mountinfo",
        "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
         35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n",
    );

    #[test]
    fn version_2_in_a_namespace_of_its_own() {
        let group = ("proc/self/cgroup", "0::/\n");
        let max = |text| [V2, group, ("sys/fs/cgroup/memory.max", text)];
        assert_eq!(limit_in(&max("67108864\n")), Some(67_108_864));
        assert_eq!(limit_in(&max("max\n")), None);
        assert_eq!(limit_in(&[V2, group]), None, "the root has no such file");
    }

    #[test]
    fn the_least_of_the_groups_around_counts() {
        let group = ("proc/self/cgroup", "0::/kubepods/pod1/app\n");
        let files = |pod, app| {
            limit_in(&[
                V2,
                group,
                ("sys/fs/cgroup/kubepods/memory.max", "max"),
                ("sys/fs/cgroup/kubepods/pod1/memory.max", pod),
                ("sys/fs/cgroup/kubepods/pod1/app/memory.max", app),
            ])
        };
        assert_eq!(files("1000000", "max"), Some(1_000_000));
        assert_eq!(files("1000000", "2000000"), Some(1_000_000));
        assert_eq!(files("max", "2000000"), Some(2_000_000));
    }

    #[test]
    fn a_mount_that_shows_the_containers_group_as_its_root() {
        let mounts = "30 22 0:26 /docker/ab /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n";
        let files = |group| {
            limit_in(&[
                ("proc/self/mountinfo", mounts),
                ("proc/self/cgroup", group),
                ("sys/fs/cgroup/memory.max", "5000000"),
                ("sys/fs/cgroup/inner/memory.max", "4000000"),
            ])
        };
        assert_eq!(files("0::/docker/ab\n"), Some(5_000_000));
        assert_eq!(files("0::/docker/ab/inner\n"), Some(4_000_000));
        // The host moved the process after the namespace was made, or it was never in the mounted
        // group.
        assert_eq!(files("0::/../../elsewhere\n"), Some(5_000_000));
        assert_eq!(files("0::/system.slice\n"), Some(5_000_000));
    }

    #[test]
    fn version_1_says_what_holds_for_the_groups_that_are_not_seen() {
        let group = ("proc/self/cgroup", "9:cpu:/\n8:memory:/docker/ab\n0::/\n");
        let files = |own, stat| {
            limit_in(&[
                V1,
                group,
                ("sys/fs/cgroup/memory/docker/ab/memory.limit_in_bytes", own),
                ("sys/fs/cgroup/memory/docker/ab/memory.stat", stat),
            ])
        };
        let none = "9223372036854771712\n";
        assert_eq!(files("67108864\n", ""), Some(67_108_864));
        assert_eq!(files(none, "cache 0\nhierarchical_memory_limit 50000000\n"), Some(50_000_000));
        assert_eq!(files(none, "hierarchical_memory_limit 9223372036854771712\n"), None);
    }

    #[test]
    fn version_1_counts_memory_where_version_2_is_mounted_beside_it() {
        let mounts =
            format!("{}41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n", V1.1);
        let limit = limit_in(&[
            ("proc/self/mountinfo", &mounts),
            ("proc/self/cgroup", "8:memory:/a b\n0::/\n"),
            ("sys/fs/cgroup/memory/a b/memory.limit_in_bytes", "7000000"),
        ]);
        assert_eq!(limit, Some(7_000_000));
        assert_eq!(unescaped(r"/a\040b\134c"), r"/a b\c");
    }

    #[test]
    fn what_cannot_be_read_is_no_limit() {
        assert_eq!(limit_in(&[]), None);
        assert_eq!(limit_in(&[V2, ("proc/self/cgroup", "nonsense")]), None);
        let group = ("proc/self/cgroup", "0::/\n");
        assert_eq!(limit_in(&[V2, group, ("sys/fs/cgroup/memory.max", "-1")]), None);
    }
}
