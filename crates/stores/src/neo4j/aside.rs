//! Exchanging the data of a stopped server, so that whoever comes after a death at any point can tell what is what. The new
//! data is whole, recovered and counted before anything is touched. The old folders of databases and of transaction logs go
//! into one folder beside them, which begins to exist by a rename and says what there was. From then on one rule holds for
//! each of the two: once it lies in there, what stands in its place is an unfinished load; until then it is old.
//!
//! Every change is a rename of something whole. Between two of them never only one kind of folder is missing without the other
//! being of another server: one that is started then does not come up empty, it refuses its data.

use stillpoint_core::names::StoreName;

use super::layout::Layout;
use crate::toolbox::short_name;

/// The folder of what was set aside: it follows from the store's name.
pub(super) fn old(store: &StoreName) -> String {
    short_name(store.as_str())
}

/// The folder of what is being loaded.
pub(super) fn new(store: &StoreName) -> String {
    format!("{}.new", old(store))
}

/// Folders that are of no use once their run is over, wherever it died: each script begins by removing them, and what was
/// loaded is in the backup.
pub(super) fn unfinished(data: &str, store: &StoreName) -> [String; 2] {
    [format!("{data}/{}", new(store)), format!("{data}/{}.part", old(store))]
}

/// What every script begins with.
const COMMON: &str = "flush() { sync -f . 2>/dev/null || sync; }\n";

/// Makes an empty folder for the new data. Arguments: data, new, owner.
const CLEAR: &str = r#"cd "$1"
rm -rf "./$2"
mkdir "./$2"
chown "$3" "./$2""#;

/// Takes the present users along, where a backup holds none. Arguments: data, logs, new.
const TAKE_SYSTEM: &str = r#"cd "$1"
mkdir -p "./$3/databases" "./$3/transactions"
cp -a ./databases/system "./$3/databases/"
cp -a "$2/system" "./$3/transactions/"
chown "$(stat -c %u:%g ./databases)" "./$3/databases" "./$3/transactions""#;

/// Puts the new data in place of the old. Arguments: data, logs, old, new.
const PLACE: &str = r#"cd "$1"
logs=$2 old=$3 new=./$4
for part in databases/system databases transactions; do
  [ -d "$new/$part" ] || { echo "the new data has no $part" >&2; exit 1; }
done
if [ ! -d "$old" ]; then
  rm -rf "$old.part"
  mkdir "$old.part"
  printf '%s\n' "$logs" >"$old.part/names"
  if [ -e ./databases ]; then : >"$old.part/had-databases"; fi
  if [ -e "$logs" ]; then : >"$old.part/had-transactions"; fi
  flush
  mv "$old.part" "$old"
fi
if [ "$(cat "$old/names")" != "$logs" ]; then
  echo "what was set aside in $1/$old had its transaction logs elsewhere" >&2
  exit 1
fi
flush
# exchange PLACE WHAT
exchange() {
  if [ -e "$old/had-$2" ] && [ ! -e "$old/$2" ] && [ -e "$1" ]; then mv "$1" "$old/$2"; else rm -rf "$1"; fi
  mv "$new/$2" "$1"
}
exchange ./databases databases
exchange "$logs" transactions
flush
rm -rf "$new""#;

/// Puts the old data back in its place, if it is set aside. The folder goes only when all of it is back.
/// Arguments: data, old, new.
const PUT_BACK: &str = r#"cd "$1"
old=$2 new=./$3
rm -rf "$new" "$old.part"
[ -d "$old" ] || exit 0
IFS= read -r logs <"$old/names"
# back PLACE WHAT
back() {
  if [ -e "$old/$2" ]; then
    rm -rf "$1"
    mv "$old/$2" "$1"
  elif [ ! -e "$old/had-$2" ]; then
    rm -rf "$1"
  fi
}
back ./databases databases
back "$logs" transactions
flush
mv "$old" "$new"
rm -rf "$new""#;

/// Removes what was set aside. It is renamed first: half of it must not be taken for the whole. Arguments: data, old, new.
const FREE: &str = r#"cd "$1"
rm -rf "./$3" "$2.part"
if [ -d "$2" ]; then mv "$2" "./$3"; fi
rm -rf "./$3""#;

/// Removes new data that will not be put in place. Arguments: data, new.
const DISCARD: &str = r#"cd "$1"
rm -rf "./$2""#;

/// A script and its arguments.
pub(super) type Script = (String, Vec<String>);

fn script(text: &str, arguments: &[&str]) -> Script {
    (
        format!("{COMMON}{text}"),
        arguments.iter().map(|one| (*one).to_owned()).collect(),
    )
}

/// The scripts for one store.
pub(super) struct Scripts<'a>(pub(super) &'a StoreName);

impl Scripts<'_> {
    pub(super) fn clear(&self, layout: &Layout) -> Script {
        script(CLEAR, &[&layout.data, &new(self.0), &layout.owner])
    }

    pub(super) fn take_system(&self, layout: &Layout) -> Script {
        script(TAKE_SYSTEM, &[&layout.data, &layout.logs, &new(self.0)])
    }

    pub(super) fn place(&self, layout: &Layout) -> Script {
        script(PLACE, &[&layout.data, &layout.logs, &old(self.0), &new(self.0)])
    }

    pub(super) fn discard(&self, data: &str) -> Script {
        script(DISCARD, &[data, &new(self.0)])
    }

    pub(super) fn put_back(&self, data: &str) -> Script {
        script(PUT_BACK, &[data, &old(self.0), &new(self.0)])
    }

    pub(super) fn free(&self, data: &str) -> Script {
        script(FREE, &[data, &old(self.0), &new(self.0)])
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::process::Command;

    use super::*;

    const STORE: &str = "graph";

    fn layout(data: &Path) -> Layout {
        Layout {
            data: data.display().to_string(),
            logs: format!("{}/transactions", data.display()),
            database: "neo4j".into(),
            owner: "0:0".into(),
            jvm: Vec::new(),
        }
    }

    /// Runs a script as a container would, up to a death after so many of its renames.
    fn run((text, arguments): &Script, renames: Option<usize>) -> bool {
        let death = renames.map_or(String::new(), |renames| {
            format!("n={renames}\nmv() {{ [ \"$n\" -gt 0 ] || exit 9; n=$((n - 1)); command mv \"$@\"; }}\n")
        });
        let words = ["-euc".to_owned(), format!("{death}{text}"), "sh".to_owned()];
        let ran = Command::new("sh").args(words.iter().chain(arguments)).status().unwrap();
        ran.success()
    }

    fn fill(folder: &Path, mark: &str) {
        for part in [
            "databases/neo4j",
            "databases/system",
            "transactions/neo4j",
            "transactions/system",
        ] {
            fs::create_dir_all(folder.join(part)).unwrap();
            fs::write(folder.join(part).join("mark"), mark).unwrap();
        }
    }

    fn marks(folder: &Path) -> Vec<String> {
        let of = |part: &str| fs::read_to_string(folder.join(part).join("mark")).unwrap_or_else(|_| "none".to_owned());
        ["databases/neo4j", "transactions/neo4j"].map(of).into()
    }

    fn names(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = names
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_death_after_any_rename_loses_nothing() {
        let store = StoreName::new(STORE);
        let scripts = Scripts(&store);
        for renames in 0..6 {
            let folder = tempfile::tempdir().unwrap();
            let data = folder.path();
            let layout = layout(data);
            fill(data, "old");
            assert!(run(&scripts.clear(&layout), None));
            fill(&data.join(new(&store)), "half");
            let whole = run(&scripts.place(&layout), Some(renames));
            assert_eq!(whole, renames >= 5, "{renames}");
            // The restore is done again, with other data.
            assert!(run(&scripts.clear(&layout), None));
            fill(&data.join(new(&store)), "new");
            assert!(run(&scripts.place(&layout), None), "{renames}");
            assert_eq!(marks(data), ["new", "new"], "{renames}");
            assert_eq!(names(data), ["databases", &old(&store), "transactions"], "{renames}");
            // And undone, dying on its way.
            run(&scripts.put_back(&layout.data), Some(1));
            assert!(run(&scripts.put_back(&layout.data), None));
            assert_eq!(marks(data), ["old", "old"], "{renames}");
            assert_eq!(names(data), ["databases", "transactions"], "{renames}");
        }
    }

    #[test]
    fn a_death_half_way_is_undone_as_well() {
        let store = StoreName::new(STORE);
        let scripts = Scripts(&store);
        for renames in 0..6 {
            let folder = tempfile::tempdir().unwrap();
            let layout = layout(folder.path());
            fill(folder.path(), "old");
            assert!(run(&scripts.clear(&layout), None));
            fill(&folder.path().join(new(&store)), "new");
            run(&scripts.place(&layout), Some(renames));
            // Whoever has ended the dead run has removed what it was loading.
            for left in unfinished(&layout.data, &store) {
                drop(fs::remove_dir_all(left));
            }
            let set_aside = folder.path().join(old(&store));
            if !set_aside.exists() {
                assert_eq!(names(folder.path()), ["databases", "transactions"], "{renames}");
                assert_eq!(marks(folder.path()), ["old", "old"], "{renames}");
            }
            assert!(run(&scripts.put_back(&layout.data), None));
            assert_eq!(marks(folder.path()), ["old", "old"], "{renames}");
        }
    }

    #[test]
    fn half_of_the_new_data_replaces_nothing() {
        let store = StoreName::new(STORE);
        let folder = tempfile::tempdir().unwrap();
        let layout = layout(folder.path());
        fill(folder.path(), "old");
        assert!(run(&Scripts(&store).clear(&layout), None));
        fs::create_dir_all(folder.path().join(new(&store)).join("databases/system")).unwrap();
        assert!(!run(&Scripts(&store).place(&layout), None));
        assert_eq!(marks(folder.path()), ["old", "old"]);
    }

    #[test]
    fn what_was_set_aside_is_freed_and_present_users_go_along() {
        let store = StoreName::new(STORE);
        let scripts = Scripts(&store);
        let folder = tempfile::tempdir().unwrap();
        let layout = layout(folder.path());
        fill(folder.path(), "old");
        assert!(run(&scripts.clear(&layout), None));
        let brought = folder.path().join(new(&store));
        fs::create_dir_all(brought.join("databases/neo4j")).unwrap();
        fs::create_dir_all(brought.join("transactions/neo4j")).unwrap();
        assert!(run(&scripts.take_system(&layout), None));
        assert!(run(&scripts.place(&layout), None));
        assert_eq!(
            fs::read_to_string(folder.path().join("databases/system/mark")).unwrap(),
            "old"
        );
        assert!(run(&scripts.free(&layout.data), None));
        assert_eq!(names(folder.path()), ["databases", "transactions"]);
        assert!(run(&scripts.discard(&layout.data), None));
    }
}
