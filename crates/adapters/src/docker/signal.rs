//! Signalling processes in a container by nothing but a shell and /proc: images need not have `ps`.
//!
//! Asked politely, children go before their parents. A process whose parent has died becomes a child of the
//! container's first process, and PostgreSQL's postmaster, which is that, takes a strange child that a
//! signal ended for a crashed server process and restarts the whole server (`HandleChildCrash` in its
//! source). Whoever wants all of them gone asks again until none is left. Who does not listen is killed
//! with all that it has, at once: a parent that is spared to the last would make new children.

/// Which processes are meant: a session, or those that have an entry in their environment.
#[derive(Clone, Debug)]
pub(super) enum Which {
    /// The leader of a session, and all that bear it.
    Session(String),
    /// `NAME=value`.
    Environment(String),
}

/// Arguments: signal, `session` or `environment`, value. Exits 1 if there was any such process.
const SCRIPT: &str = r#"
signal=$1 by=$2 value=$3 members= parents=
for stat in /proc/[0-9]*/stat; do
    { read -r line <"$stat"; } 2>/dev/null || continue
    process=${stat%/stat}
    pid=${process#/proc/}
    # After the name in brackets, which may hold anything: state, parent, group, session.
    set -- ${line##*) }
    [ "$1" = Z ] && continue
    if [ "$by" = session ]; then
        [ "$pid" = "$value" ] || [ "$4" = "$value" ] || continue
    else
        case "
$(tr '\0' '\n' 2>/dev/null <"$process/environ")
" in
        *"
$value
"*) ;;
        *) continue ;;
        esac
    fi
    members="$members $pid" parents="$parents $2 "
done
for pid in $members; do
    case $signal$parents in
    TERM*" $pid "*) ;;
    *) kill -s "$signal" "$pid" 2>/dev/null ;;
    esac
done
[ -z "$members" ]
"#;

/// The command line that signals them.
pub(super) fn command(signal: &str, which: &Which) -> Vec<String> {
    let (by, value) = match which {
        Which::Session(session) => ("session", session.as_str()),
        Which::Environment(entry) => ("environment", entry.as_str()),
    };
    ["sh", "-c", SCRIPT, "sh", signal, by, value]
        .map(ToOwned::to_owned)
        .into()
}
