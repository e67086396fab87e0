//! Exchanging the files of a stopped server, so that whoever comes after a death at any point can tell
//! what is what. Old files go into one folder beside them, which begins to exist by a rename and says
//! what there was. From then on one rule holds for each file, the dump and the folder of append-only
//! files: once it lies in there, what stands in its place is an unfinished load; until then it is old.
//!
//! Every change is a rename of something whole. Plain POSIX `sh`: the images have busybox at best.

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

/// What every script begins with.
const COMMON: &str = "flush() { sync -f . 2>/dev/null || sync; }\n";

/// Takes the new dump from its input, under a name of its own. Arguments: folder, old, new.
const TAKE: &str = r#"
cd "$1"
rm -rf "./$3"
mkdir "./$3"
cat >"./$3/rdb"
flush
"#;

/// Puts the new dump in place of the old data. Arguments: folder, old, new, dump, folder of append-only
/// files, their base, their manifest, size of the dump.
///
/// A folder of append-only files is there if the server ever started with them, and only then a start
/// may read them: it gets the dump as its base (Valkey's manual, "Redis Multi Part AOF"), or a
/// server with `appendonly yes` would start with the old data, or empty. The base may be the same file as the
/// dump: a server replaces both by rename and writes into neither.
const PLACE: &str = r#"
cd "$1"
old=$2 new=./$3 dump=$4 aof=$5 base=$6 manifest=$7 size=$8
[ "$(wc -c <"$new/rdb")" -eq "$size" ] || { echo "the new dump did not arrive whole" >&2; exit 1; }

if [ ! -d "$old" ]; then
  rm -rf "$old.part"
  mkdir "$old.part"
  printf '%s\n' "$dump" "$aof" >"$old.part/names"
  if [ -e "./$dump" ]; then : >"$old.part/had-dump"; fi
  if [ -n "$aof" ] && [ -d "./$aof" ]; then : >"$old.part/had-aof"; fi
  flush
  mv "$old.part" "$old"
fi
if [ "$(cat "$old/names")" != "$(printf '%s\n' "$dump" "$aof")" ]; then
  echo "what was set aside in $1/$old had other names" >&2
  exit 1
fi

# was NAME: where the old one is now. like OLD NEW MODE: owner and mode as of the old one; without one, as the folder's owner.
was() { if [ -e "$old/$1" ]; then printf %s "$old/$1"; else printf %s "./$1"; fi; }
like() {
  if [ -e "$1" ]; then
    chown "$(stat -c %u:%g "$1")" "$2"
    chmod "$(stat -c %a "$1")" "$2"
  else
    chown "$(stat -c %u:%g .)" "$2"
    chmod "$3" "$2"
  fi
}
like "$(was "$dump")" "$new/rdb" 644
if [ -e "$old/had-aof" ]; then
  mkdir "$new/aof"
  ln "$new/rdb" "$new/aof/$base" 2>/dev/null || cp -p "$new/rdb" "$new/aof/$base"
  printf 'file %s seq 1 type b\n' "$base" >"$new/aof/$manifest"
  like "$(was "$aof/$manifest")" "$new/aof/$manifest" 644
  like "$(was "$aof")" "$new/aof" 755
fi
flush

# aside NAME WHAT
aside() {
  if [ -e "$old/had-$2" ] && [ ! -e "$old/$1" ] && [ -e "./$1" ]; then mv "./$1" "$old/$1"; else rm -rf "./$1"; fi
}
if [ -e "$old/had-aof" ]; then
  aside "$aof" aof
  mv "$new/aof" "./$aof"
fi
aside "$dump" dump
mv "$new/rdb" "./$dump"
flush
rm -rf "$new"
"#;

/// Puts the old data back in its place, if it is set aside. The folder goes only when all of it is back.
/// Arguments: folder, old, new.
const PUT_BACK: &str = r#"
cd "$1"
old=$2 new=./$3
rm -rf "$new" "$old.part"
[ -d "$old" ] || exit 0
{ IFS= read -r dump; IFS= read -r aof; } <"$old/names"
# back NAME WHAT
back() {
  if [ -e "$old/$1" ]; then
    rm -rf "./$1"
    mv "$old/$1" "./$1"
  elif [ ! -e "$old/had-$2" ]; then
    rm -rf "./$1"
  fi
}
if [ -n "$aof" ]; then back "$aof" aof; fi
back "$dump" dump
flush
mv "$old" "$new"
rm -rf "$new"
"#;

/// Removes what was set aside. It is renamed first: half of it must not be taken for the whole.
/// Arguments: folder, old, new.
const FREE: &str = r#"
cd "$1"
rm -rf "./$3" "$2.part"
if [ -d "$2" ]; then mv "$2" "./$3"; fi
rm -rf "./$3"
"#;

/// Removes a new dump that will not be put in place. Arguments: folder, new.
const DISCARD: &str = r#"cd "$1" && rm -rf "./$2""#;

/// A command line that runs one of the scripts.
fn script(text: &str, arguments: &[&str]) -> Vec<String> {
    let whole = format!("{COMMON}{text}");
    let words = ["sh", "-euc", &whole, "sh"]
        .into_iter()
        .chain(arguments.iter().copied());
    words.map(ToOwned::to_owned).collect()
}

/// The scripts for one store.
pub(super) struct Scripts<'a>(pub(super) &'a StoreName);

impl Scripts<'_> {
    pub(super) fn take(&self, layout: &Layout) -> Vec<String> {
        script(TAKE, &[&layout.folder, &old(self.0), &new(self.0)])
    }

    pub(super) fn place(&self, layout: &Layout, size: u64) -> Vec<String> {
        let base = format!("{}.1.base.rdb", layout.aof_name);
        let manifest = format!("{}.manifest", layout.aof_name);
        let (old, new, size) = (old(self.0), new(self.0), size.to_string());
        let Layout {
            folder,
            dump,
            aof_folder,
            ..
        } = layout;
        script(PLACE, &[folder, &old, &new, dump, aof_folder, &base, &manifest, &size])
    }

    pub(super) fn discard(&self, folder: &str) -> Vec<String> {
        script(DISCARD, &[folder, &new(self.0)])
    }

    pub(super) fn put_back(&self, folder: &str) -> Vec<String> {
        script(PUT_BACK, &[folder, &old(self.0), &new(self.0)])
    }

    pub(super) fn free(&self, folder: &str) -> Vec<String> {
        script(FREE, &[folder, &old(self.0), &new(self.0)])
    }
}

#[cfg(test)]
#[path = "aside_tests.rs"]
mod tests;
