//! The mark of client writes: how often each command that can write was called. The server counts
//! calls from scripts and transactions one by one; expiry, saves and whatever is asked here are no
//! calls of such commands (manual: INFO, section `commandstats`; COMMAND, flag `write`).

use std::collections::{BTreeMap, BTreeSet};

use redis::Value;
use stillpoint_core::stores::StoreError;

use super::access::server;
use super::info::{Info, part};
use super::session::{NAME, Session, items, text};

/// Calls by command.
pub(super) type Calls = BTreeMap<String, u64>;

/// Calls of every command that can write, since the server's start or the last `CONFIG RESETSTAT`.
pub(super) async fn calls(session: &Session) -> Result<Calls, StoreError> {
    let commands = session.ask(&["COMMAND"]).await;
    let writing = writing(&commands.map_err(|trouble| server("asking for the server's commands", trouble))?);
    Ok(counted(&Info::ask(session, Some("commandstats")).await?, &writing))
}

fn counted(statistics: &Info, writing: &BTreeSet<String>) -> Calls {
    let all = statistics.below("cmdstat_");
    let writes = all.filter(|(command, _)| writing.contains(*command));
    writes
        .map(|(command, field)| (command.to_owned(), part(field, "calls")))
        .collect()
}

/// The names of commands that can write, with those below others (`xgroup|create`).
fn writing(commands: &Value) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for command in items(commands) {
        let fields = items(command);
        let flags = fields.get(2).map_or(&[][..], items);
        if flags.iter().any(|flag| text(flag) == "write") {
            names.extend(fields.first().map(text));
        }
        if let Some(below) = fields.get(9) {
            names.extend(writing(below));
        }
    }
    names
}

/// What was called between two marks, in words. Counters never go back by themselves.
pub(super) fn moved(before: &Calls, after: &Calls) -> Vec<String> {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let count = |calls: &Calls, name: &String| calls.get(name).copied().unwrap_or(0);
    let told = names.into_iter().filter_map(|name| {
        let (was, is) = (count(before, name), count(after, name));
        let spoken = name.to_uppercase().replace('|', " ");
        match is.checked_sub(was) {
            Some(0) => None,
            Some(1) => Some(format!("1 call of {spoken}")),
            Some(more) => Some(format!("{more} calls of {spoken}")),
            None => Some(format!(
                "the counter of {spoken} was set back (CONFIG RESETSTAT, or a restart)"
            )),
        }
    });
    told.collect()
}

/// Who is connected, from the answer to `CLIENT LIST`, without our own connections.
pub(super) fn connected_clients(list: &str) -> Vec<String> {
    let fields = list.lines().map(|line| {
        let fields = line.split(' ').filter_map(|field| field.split_once('='));
        fields.collect::<BTreeMap<&str, &str>>()
    });
    let others = fields.filter(|client| client.get("name").is_some_and(|name| *name != NAME));
    let told = others.map(|client| {
        let field = |name: &str| client.get(name).copied().unwrap_or("?");
        let said = field("cmd").to_uppercase().replace('|', " ");
        format!(
            "{} user {}, idle {} s, last {said}",
            field("addr"),
            field("user"),
            field("idle")
        )
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.into())
    }

    fn command(name: &str, flags: &[&str], below: Vec<Value>) -> Value {
        let flags = flags
            .iter()
            .map(|flag| Value::SimpleString((*flag).to_owned()))
            .collect();
        let mut fields = vec![text(name), Value::Int(-1), Value::Array(flags)];
        fields.extend(vec![Value::Int(0); 6]);
        fields.push(Value::Array(below));
        Value::Array(fields)
    }

    fn marks(statistics: &str) -> Calls {
        let group = command(
            "xgroup",
            &[],
            vec![command("xgroup|create", &["write", "denyoom"], Vec::new())],
        );
        let commands = vec![
            command("set", &["write"], Vec::new()),
            command("get", &["readonly"], Vec::new()),
            command("bgsave", &["admin"], Vec::new()),
            group,
        ];
        counted(&Info::parse(statistics), &writing(&Value::Array(commands)))
    }

    #[test]
    fn only_writes_move_the_mark() {
        let before = marks("cmdstat_set:calls=3,usec=9\r\ncmdstat_get:calls=1,usec=1\r\n");
        let quiet =
            marks("cmdstat_set:calls=3,usec=9\r\ncmdstat_get:calls=8,usec=1\r\ncmdstat_bgsave:calls=1,usec=1\r\n");
        assert_eq!(moved(&before, &quiet), Vec::<String>::new());
        let wrote = marks("cmdstat_set:calls=5,usec=9\r\ncmdstat_xgroup|create:calls=1,usec=1\r\n");
        assert_eq!(moved(&before, &wrote), ["2 calls of SET", "1 call of XGROUP CREATE"]);
    }

    #[test]
    fn counters_that_were_set_back_show() {
        let before = marks("cmdstat_set:calls=3,usec=9\r\n");
        let said = moved(&before, &marks(""));
        assert!(said[0].contains("CONFIG RESETSTAT"), "{said:?}");
    }

    #[test]
    fn visitors_are_all_but_us() {
        let list = "id=3 addr=10.1.2.3:5555 laddr=10.1.2.4:6379 name= age=9 idle=3 db=0 cmd=set user=app resp=2\n\
            id=4 addr=10.1.2.9:1 name=stillpoint age=0 idle=0 cmd=client|list user=default resp=2\n";
        assert_eq!(connected_clients(list), ["10.1.2.3:5555 user app, idle 3 s, last SET"]);
    }
}
