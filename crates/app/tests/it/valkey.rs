//! Valkey by the program, on its real engine: what is put in comes back, whatever the server's options;
//! what must not be trusted is refused; nothing of ours is left.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use anyhow::{Context, Result};
use serde_json::Value;
use stillpoint_testkit::product::Product;
use stillpoint_testkit::testbed::{Shape, Status, Testbed};

use crate::common::{PROGRAM, is_back, standing, until};
use crate::page::commands;

const SERVICE: &str = "cache";

/// What the server is started with in most tests. Its digest is what the data are compared by.
const USUAL: [&str; 8] = [
    "--requirepass",
    PASSWORD,
    "--appendonly",
    "yes",
    "--enable-debug-command",
    "local",
    "--save",
    "3600 1",
];

const PASSWORD: &str = "s3 cret";

/// A server of its own options, beside a client that has nothing to do.
struct Cache<'a> {
    testbed: &'a Testbed,
    product: &'a Product,
    id: String,
    password: &'a str,
}

/// Runs a test on a platform with one server that was started with these options.
fn on_cache(name: &str, command: &[&str], test: impl FnOnce(&Cache) -> Result<()>) -> Result<()> {
    on_cache_with(name, &[], command, test)
}

/// The same, with options of its container.
fn on_cache_with(
    name: &str,
    options: &[&str],
    command: &[&str],
    test: impl FnOnce(&Cache) -> Result<()>,
) -> Result<()> {
    let folder = tempfile::tempdir()?;
    Testbed::for_test(name, Shape::Mini)?.examined(|testbed| {
        testbed.guest("app", "IDLE", &[], &["term"])?;
        let id = testbed.guest(
            SERVICE,
            "VALKEY",
            &[&["--restart=unless-stopped"], options].concat(),
            command,
        )?;
        let product = Product::of(PROGRAM, folder.path(), testbed);
        let password = command
            .iter()
            .position(|word| *word == "--requirepass")
            .map(|at| command[at + 1]);
        let cache = Cache {
            testbed,
            product: &product,
            id,
            password: password.unwrap_or_default(),
        };
        cache.await_answer()?;
        test(&cache)
    })
}

impl Cache<'_> {
    fn exec(&self, command: &[&str]) -> Result<String> {
        let all: Vec<&str> = ["exec", &self.id].into_iter().chain(command.iter().copied()).collect();
        self.testbed.docker(&all)
    }

    /// Asks the server through its stock client; an error if it answers with one.
    fn cli(&self, words: &[&str]) -> Result<String> {
        let client = ["valkey-cli", "-e", "--no-auth-warning"];
        let login: &[&str] = if self.password.is_empty() {
            &[]
        } else {
            &["-a", self.password]
        };
        self.exec(&[&client, login, words].concat())
    }

    fn await_answer(&self) -> Result<()> {
        until("the server answers", || {
            Ok(self.cli(&["PING"]).is_ok_and(|said| said.trim() == "PONG"))
        })
    }

    /// Several databases, names that are no names, every type, expiries far away, functions.
    fn fill(&self, marker: &str) -> Result<()> {
        let script = "local far = 4102444800000
            for _, name in ipairs({'plain', 'with \"quotes\" and \\'', 'line\\nbreak', '', '\\255\\0\\1', 'Grüße ✓', 'a:{b}:*?[c]'}) do
              redis.call('SET', name, ARGV[1] .. name)
              redis.call('SET', 'ttl' .. name, name, 'PXAT', far + 7)
            end
            for i = 1, 500 do
              redis.call('HSET', 'hash', 'f' .. i, string.rep(redis.sha1hex(i), 5))
              redis.call('ZADD', 'scores', i / 7, i)
              redis.call('RPUSH', 'list', i)
              redis.call('SADD', 'set', i)
              redis.call('XADD', 'stream', '1760000000000-' .. i, 'n', i)
            end
            redis.call('XGROUP', 'CREATE', 'stream', 'group', '0')
            redis.call('XREADGROUP', 'GROUP', 'group', 'one', 'COUNT', 5, 'STREAMS', 'stream', '>')";
        for database in ["0", "3", "15"] {
            self.cli(&["-n", database, "EVAL", script, "0", marker])?;
        }
        let library = "#!lua name=mine\nredis.register_function('twice', function(keys, args) return 2 * args[1] end)";
        self.cli(&["FUNCTION", "LOAD", "REPLACE", library]).map(drop)
    }

    /// The stock server's own digest of all databases, and what it leaves out.
    fn truth(&self) -> Result<Vec<String>> {
        Ok(vec![
            self.cli(&["DEBUG", "DIGEST"])?,
            self.cli(&["FUNCTION", "LIST", "WITHCODE"])?,
            self.cli(&["-n", "3", "XINFO", "GROUPS", "stream"]).unwrap_or_default(),
            self.cli(&["-n", "3", "PEXPIRETIME", "ttlplain"])?,
        ])
    }

    /// Empties the server and leaves something else under an old name.
    fn wreck(&self) -> Result<()> {
        self.cli(&["FUNCTION", "FLUSH"])?;
        self.cli(&["FLUSHALL"])?;
        self.cli(&["SET", "plain", "wrecked"]).map(drop)
    }

    /// Settings of the server that a run could have changed.
    fn settings(&self) -> Result<String> {
        let names = [
            "save",
            "appendonly",
            "dir",
            "dbfilename",
            "aof-use-rdb-preamble",
            "stop-writes-on-bgsave-error",
        ];
        let asked: Result<Vec<String>> = names.iter().map(|name| self.cli(&["CONFIG", "GET", name])).collect();
        Ok(asked?.concat())
    }

    /// The server's files with owner and mode, without the numbers in the names of append-only files.
    fn files(&self) -> Result<String> {
        let listed = self.exec(&[
            "sh",
            "-c",
            "cd /data && stat -c '%n %U:%G %a' dump.rdb appendonlydir appendonlydir/*",
        ])?;
        let plain = listed
            .lines()
            .map(|line| line.split(' ').map(without_digits).collect::<Vec<_>>().join(" "));
        let mut lines: Vec<String> = plain.collect();
        lines.dedup();
        Ok(lines.join("\n"))
    }

    /// Nothing of ours lies in the server's folder, no container of ours is left, its settings are as before.
    fn is_clean(&self, settings: &str) -> Result<()> {
        let names = self.exec(&["ls", "-a", "/data"])?;
        assert!(
            !names.contains("sp_") && !names.contains("temp-"),
            "left behind:\n{names}"
        );
        let siblings = self.testbed.siblings()?;
        assert!(siblings.is_empty(), "left: {siblings:?}");
        assert_eq!(self.settings()?, settings);
        let ours = self.cli(&["CLIENT", "LIST"])?;
        assert!(!ours.contains("name=stillpoint"), "still connected:\n{ours}");
        Ok(())
    }

    fn restore(&self, backup: &str) -> Result<stillpoint_testkit::product::Ran> {
        self.product
            .run(&["restore", backup, "--confirm", backup, "--discard-old"])
    }

    /// How long a save takes for each key, in microseconds.
    fn save_slowly(&self, delay: &str) -> Result<()> {
        self.cli(&["CONFIG", "SET", "rdb-key-save-delay", delay]).map(drop)
    }

    fn persistence(&self) -> Result<String> {
        self.cli(&["INFO", "persistence"])
    }

    /// When a container was started.
    fn began(&self, container: &str) -> Result<String> {
        self.testbed
            .docker(&["inspect", "--format", "{{.State.StartedAt}}", container])
    }

    /// A backup ends before it has stopped anything.
    fn refused(&self, why: &str) -> Result<()> {
        let client = format!("{}-app-1", self.testbed.project());
        let began = (self.began(&client)?, self.began(&self.id)?);
        self.product.run(&["backup"])?.must_end_with(12)?.must_say(why)?;
        assert_eq!((self.began(&client)?, self.began(&self.id)?), began, "{why}");
        Ok(())
    }

    /// Puts a `cat` before the stock one that waits with the dump until [`Cache::let_go`].
    fn hold_dumps(&self) -> Result<()> {
        let held = "case $# in 0) touch /tmp/half-way; until [ -e /tmp/go ]; do sleep 0.1; done ;; esac\nexec /usr/bin/cat \"$@\"";
        let script = format!("printf '%s\\n' '#!/bin/sh' '{held}' >/usr/local/bin/cat && chmod 755 /usr/local/bin/cat");
        self.exec(&["sh", "-c", &script]).map(drop)
    }

    fn half_way(&self) -> Result<()> {
        until("the dump is being opened", || {
            Ok(self.exec(&["rm", "/tmp/half-way"]).is_ok())
        })
    }

    fn let_go(&self) -> Result<()> {
        self.exec(&["touch", "/tmp/go"]).map(drop)
    }
}

fn is_running(cache: &Cache, service: &str) -> Result<()> {
    let all = cache.testbed.containers()?;
    let runs = all
        .iter()
        .any(|one| one.service == service && one.status == Status::Running);
    assert!(runs, "{service} does not run");
    Ok(())
}

fn without_digits(word: &str) -> String {
    if word.contains(".aof") {
        word.replace(|char: char| char.is_ascii_digit(), "#")
    } else {
        word.to_owned()
    }
}

fn manifest(cache: &Cache, backup: &str) -> Result<Value> {
    let path = cache.product.repository.join(backup).join("manifest.json");
    Ok(serde_json::from_slice(&fs::read(path)?)?)
}

/// Changes a backup's manifest as somebody would who knows how.
fn falsify(cache: &Cache, backup: &str, change: impl FnOnce(&mut Value)) -> Result<()> {
    let mut changed = manifest(cache, backup)?;
    change(&mut changed["stores"][0]);
    let path = cache.product.repository.join(backup).join("manifest.json");
    Ok(fs::write(path, serde_json::to_vec(&changed)?)?)
}

#[test]
fn everything_comes_back_as_often_as_it_is_restored() -> Result<()> {
    on_cache("vkwhole", &USUAL, |cache| {
        cache.fill("first")?;
        cache.cli(&["BGSAVE"])?;
        let (truth, settings, before) = (cache.truth()?, cache.settings()?, standing(cache.testbed)?);
        let backup = cache.product.backup()?;
        is_back(cache.testbed, &before)?;
        cache.is_clean(&settings)?;
        assert_eq!(cache.truth()?, truth);
        let files = cache.files()?;
        cache.product.run(&["verify", &backup])?.must_end_with(0)?;
        for round in ["once", "twice"] {
            cache.wreck()?;
            cache.restore(&backup)?.must_end_with(0)?;
            is_back(cache.testbed, &before)?;
            assert_eq!(cache.truth()?, truth, "{round}");
            assert_eq!(cache.files()?, files, "{round}");
            cache.is_clean(&settings)?;
        }
        // New writes and a start later all of it is still there: the append-only files are the server's again.
        cache.cli(&["SET", "afterwards", "kept"])?;
        cache.testbed.docker(&["restart", &cache.id])?;
        cache.await_answer()?;
        assert_eq!(cache.cli(&["GET", "afterwards"])?.trim(), "kept");
        cache.cli(&["DEL", "afterwards"])?;
        assert_eq!(cache.truth()?, truth);
        Ok(())
    })
}

#[test]
fn a_manifest_tells_version_format_and_counts() -> Result<()> {
    on_cache("vkfacts", &USUAL, |cache| {
        cache.fill("x")?;
        let backup = cache.product.backup()?;
        let store = &manifest(cache, &backup)?["stores"][0];
        assert_eq!(store["artifacts"][0]["name"], "cache.rdb");
        assert_eq!(store["artifacts"][0]["content"], "rdb");
        let dump = fs::read(cache.product.repository.join(&backup).join("cache.rdb"))?;
        assert_eq!(
            store["facts"]["rdb_magic"].as_str().map(str::as_bytes),
            Some(&dump[..9])
        );
        assert_eq!(store["facts"]["valkey_version"], store["version"]);
        let count = |name: &str| store["inventory"][name]["count"].as_u64();
        for database in [0, 3, 15] {
            assert_eq!(count(&format!("db {database}: keys without expiry")), Some(12));
            assert_eq!(count(&format!("db {database}: keys with expiry")), Some(7));
        }
        assert_eq!(count("functions"), Some(1));
        Ok(())
    })
}

/// What `redis-check-rdb` 7 says of a dump of Valkey 8.
const STALE_TOOL: &str = "#!/bin/sh\necho \"[offset 9] Can't handle RDB format version 11\"\nexit 1\n";

/// The tool that checks dumps is older than its server: it is left out, and told once a run.
#[test]
fn without_append_only_files_a_password_and_a_tool_that_knows_the_format() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let tool = folder.path().join("valkey-check-rdb");
    fs::write(&tool, STALE_TOOL)?;
    fs::set_permissions(&tool, fs::Permissions::from_mode(0o755))?;
    let tool = format!("--volume={}:/usr/local/bin/valkey-check-rdb:ro", tool.display());
    on_cache_with(
        "vkplain",
        &[&tool],
        &["--enable-debug-command", "local", "--save", "3600 1"],
        |cache| {
            let empty = cache.product.backup()?;
            cache.fill("second")?;
            let (truth, settings, before) = (cache.truth()?, cache.settings()?, standing(cache.testbed)?);
            let backed = cache.product.run(&["backup"])?.must_end_with(0)?;
            assert_eq!(
                backed.err.matches("is older than its server").count(),
                1,
                "{}",
                backed.err
            );
            let full = cache.product.backups()?.pop().context("no backup")?;
            cache
                .product
                .run(&["verify", &full])?
                .must_end_with(0)?
                .must_say("is older than its server")?;
            cache.restore(&empty)?.must_end_with(0)?;
            assert_eq!(cache.cli(&["INFO", "keyspace"])?.trim(), "# Keyspace");
            cache.restore(&full)?.must_end_with(0)?;
            assert_eq!(cache.truth()?, truth);
            is_back(cache.testbed, &before)?;
            cache.is_clean(&settings)?;
            assert!(
                cache.exec(&["ls", "/data/appendonlydir"]).is_err(),
                "append-only files came from nowhere"
            );
            Ok(())
        },
    )
}

/// What a server has in memory alone is backed up without its stop; a restore, which stops it, wants it saved.
#[test]
fn what_is_in_memory_alone_is_backed_up_and_not_lost_by_a_restore() -> Result<()> {
    on_cache(
        "vkmemory",
        &["--enable-debug-command", "local", "--save", ""],
        |cache| {
            cache.fill("first")?;
            let (truth, before, began) = (cache.truth()?, standing(cache.testbed)?, cache.began(&cache.id)?);
            let backup = cache.product.backup()?;
            assert_eq!(cache.began(&cache.id)?, began, "the server was stopped");
            assert_eq!(cache.truth()?, truth);
            cache.wreck()?;
            cache.fill("since then")?;
            let since = cache.truth()?;
            let restore = ["restore", &backup, "--confirm", &backup];
            cache
                .product
                .run(&restore)?
                .must_end_with(13)?
                .must_say("in memory alone")?;
            assert_eq!(cache.began(&cache.id)?, began, "the server was stopped");
            cache.cli(&["SAVE"])?;
            cache.product.run(&restore)?.must_end_with(0)?;
            assert_eq!(cache.truth()?, truth);
            let project = cache.testbed.project();
            cache
                .product
                .run(&["restore", "undo", "--confirm", project])?
                .must_end_with(0)?;
            cache.await_answer()?;
            assert_eq!(cache.truth()?, since, "undone");
            is_back(cache.testbed, &before)
        },
    )
}

#[test]
fn a_save_of_somebody_else_is_waited_out_and_never_taken_for_ours() -> Result<()> {
    on_cache("vksave", &USUAL, |cache| {
        cache.fill("x")?;
        let before = standing(cache.testbed)?;
        // It takes seconds: it still runs when ours would begin.
        cache.save_slowly("50000")?;
        cache.cli(&["BGSAVE"])?;
        let mut running = cache.product.start(&["backup", "--json"])?;
        running.until("the pin", |said| said["event"] == "step_began" && said["step"] == "pin")?;
        assert!(
            cache.persistence()?.contains("rdb_bgsave_in_progress:1"),
            "it ended too early"
        );
        cache.save_slowly("0")?;
        running.end()?.must_end_with(0)?;
        let saves = cache.persistence()?;
        assert!(saves.contains("rdb_saves:2"), "{saves}");
        is_back(cache.testbed, &before)
    })
}

/// The fork is the point in time, and clients need not wait for its end.
#[test]
fn clients_run_and_write_while_the_fork_writes_its_dump() -> Result<()> {
    on_cache("vkfork", &USUAL, |cache| {
        cache.fill("first")?;
        let (truth, before) = (cache.truth()?, standing(cache.testbed)?);
        cache.save_slowly("100000")?;
        let mut running = cache.product.start(&["backup", "--json"])?;
        running.until("the start", |said| {
            said["event"] == "step_ended" && said["step"] == "start"
        })?;
        is_running(cache, "app")?;
        cache.cli(&["SET", "plain", "second"])?;
        cache.cli(&["-n", "15", "DEL", "hash"])?;
        cache.cli(&["-n", "3", "SET", "new", "second"])?;
        let saves = cache.persistence()?;
        assert!(
            saves.contains("rdb_bgsave_in_progress:1"),
            "the fork has ended: {saves}"
        );
        cache.save_slowly("0")?;
        // As soon as ours has ended, others save what there is now.
        until("another save", || Ok(cache.cli(&["SAVE"]).is_ok()))?;
        running.end()?.must_end_with(0)?;
        is_back(cache.testbed, &before)?;
        let backup = cache.product.backups()?.pop().context("no backup")?;
        cache.restore(&backup)?.must_end_with(0)?;
        assert_eq!(cache.truth()?, truth);
        is_back(cache.testbed, &before)
    })
}

/// `FLUSHALL` ends a fork of the server: what it wrote by then is no dump.
#[test]
fn a_fork_that_is_ended_makes_no_backup() -> Result<()> {
    on_cache("vkended", &USUAL, |cache| {
        cache.fill("first")?;
        let (settings, before) = (cache.settings()?, standing(cache.testbed)?);
        for deed in ["FLUSHALL", "kill"] {
            cache.wreck()?;
            cache.fill("again")?;
            cache.save_slowly("100000")?;
            let mut running = cache.product.start(&["backup", "--json"])?;
            running.until("the start", |said| {
                said["event"] == "step_ended" && said["step"] == "start"
            })?;
            if deed == "kill" {
                let kill = "set -- /data/temp-*.rdb; pid=${1#/data/temp-}; kill -9 \"${pid%.rdb}\"";
                cache.exec(&["sh", "-c", kill])?;
            } else {
                cache.cli(&[deed])?;
            }
            let ran = running.end()?.must_end_with(1).context(deed)?;
            if deed == "kill" {
                ran.must_print("the server could not save")?;
            }
            cache.save_slowly("0")?;
            assert_eq!(cache.product.backups()?, Vec::<String>::new(), "{deed}");
            is_back(cache.testbed, &before).context(deed)?;
            until("a save", || Ok(cache.cli(&["SAVE"]).is_ok()))?;
            cache.is_clean(&settings).context(deed)?;
        }
        cache.product.backup().map(drop)
    })
}

#[test]
fn saves_of_others_between_the_fork_and_the_drain_change_nothing() -> Result<()> {
    let options = [&USUAL[..], &["--enable-protected-configs", "local"]].concat();
    on_cache("vkothers", &options, |cache| {
        cache.fill("first")?;
        let (truth, settings, before) = (cache.truth()?, cache.settings()?, standing(cache.testbed)?);
        cache.hold_dumps()?;
        let running = cache.product.start(&["backup"])?;
        cache.half_way()?;
        cache.wreck()?;
        cache.cli(&["SAVE"])?;
        cache.cli(&["CONFIG", "SET", "dbfilename", "other.rdb"])?;
        cache.cli(&["SAVE"])?;
        cache.cli(&["CONFIG", "SET", "dir", "/tmp"])?;
        cache.cli(&["SET", "plain", "elsewhere"])?;
        cache.cli(&["SAVE"])?;
        cache.cli(&["CONFIG", "SET", "dir", "/data", "dbfilename", "dump.rdb"])?;
        cache.exec(&["rm", "/data/dump.rdb", "/data/other.rdb", "/tmp/other.rdb"])?;
        cache.let_go()?;
        running.end()?.must_end_with(0)?;
        is_back(cache.testbed, &before)?;
        let backup = cache.product.backups()?.pop().context("no backup")?;
        cache.restore(&backup)?.must_end_with(0)?;
        assert_eq!(cache.truth()?, truth);
        cache.is_clean(&settings)
    })
}

/// A client of the platform that never rests, and a server that saves as often as it can.
#[test]
fn a_busy_server_that_always_saves_is_backed_up_as_it_was_in_the_pin() -> Result<()> {
    on_cache("vkbusy", &["--save", "1 1"], |cache| {
        // Each of its lives begins with a mark.
        let write = "valkey-cli RPUSH log began && valkey-cli RPUSH log:copy began && exec valkey-cli -r -1 EVAL \
             'local n = redis.call(\"INCR\", \"n\"); redis.call(\"RPUSH\", \"log\", n); redis.call(\"RPUSH\", \"log:copy\", n)' 0";
        let network = format!("--network=container:{}", cache.id);
        let options = ["--init", "--restart=unless-stopped", "--entrypoint=sh", &network];
        cache.testbed.guest("writer", "VALKEY", &options, &["-c", write])?;
        let second_life = || -> Result<String> {
            let place = cache.cli(&["LPOS", "log", "began", "RANK", "2"])?;
            Ok(place.trim().to_owned())
        };
        until("the writer writes", || Ok(cache.cli(&["GET", "n"])?.trim().len() > 3))?;
        let before = standing(cache.testbed)?;
        cache.product.run(&["backup"])?.must_end_with(0)?;
        is_back(cache.testbed, &before)?;
        until("the writer writes again", || Ok(!second_life()?.is_empty()))?;
        let pinned = second_life()?;
        let backup = cache.product.backups()?.pop().context("no backup")?;
        cache.restore(&backup)?.must_end_with(0)?;
        until("the writer writes again", || Ok(!second_life()?.is_empty()))?;
        assert_eq!(
            second_life()?,
            pinned,
            "writes that were in the pin, and those that came back"
        );
        let copy = cache.cli(&["LPOS", "log:copy", "began", "RANK", "2"])?;
        assert_eq!(copy.trim(), pinned);
        Ok(())
    })
}

/// Clients are stopped only for a server that can save.
#[test]
fn a_server_that_cannot_save_is_told_before_anything_is_stopped() -> Result<()> {
    on_cache("vkcannot", &USUAL, |cache| {
        cache.fill("x")?;
        cache.exec(&["sh", "-c", "chown root:root /data && chmod 755 /data"])?;
        cache.refused("its user may not write to it")?;
        assert!(cache.persistence()?.contains("rdb_last_bgsave_status:ok"));
        cache.cli(&["BGSAVE"])?;
        until("the save has failed", || {
            Ok(cache.persistence()?.contains("rdb_last_bgsave_status:err"))
        })?;
        cache.exec(&["chown", "valkey:valkey", "/data"])?;
        cache.refused("its last save failed")?;
        cache.cli(&["SAVE"])?;
        cache.product.backup()?;
        // The group of the folder is one of the server's.
        cache.exec(&["sh", "-c", "chown root:valkey /data && chmod 775 /data"])?;
        cache.product.backup().map(drop)
    })
}

#[test]
fn folders_that_are_mounted_read_only_or_too_small_are_told_before_anything_is_stopped() -> Result<()> {
    let small = ["--tmpfs=/small:size=256k,mode=1777"];
    for (name, options, command, why) in [
        (
            "vkreadonly",
            &["--read-only"][..],
            &["--dir", "/var/tmp"][..],
            "is mounted read-only",
        ),
        (
            "vksmall",
            &small,
            &["--dir", "/small"],
            "cannot save beside its last dump",
        ),
    ] {
        on_cache_with(
            name,
            options,
            &[command, &["--enable-debug-command", "local"]].concat(),
            |cache| {
                cache.cli(&["DEBUG", "POPULATE", "100000", "key", "64"])?;
                cache.refused(why)
            },
        )?;
    }
    Ok(())
}

#[test]
fn reading_saving_and_expiry_inside_the_standstill_are_no_writes() -> Result<()> {
    on_cache("vkreader", &USUAL, |cache| {
        cache.fill("x")?;
        cache.cli(&["SET", "passing", "by", "PX", "1"])?;
        let pins = |said: &Value| said["event"] == "step_began" && said["step"] == "pin";
        let ran = cache.product.interfered_at(&[], "the pin", pins, |_| {
            for reading in [
                &["GET", "plain"][..],
                &["GET", "passing"],
                &["SAVE"],
                &["CONFIG", "GET", "*"],
            ] {
                cache.cli(reading)?;
            }
            Ok(())
        })?;
        ran.must_end_with(0).map(drop)
    })
}

/// A file of users, the default one switched off: what an operator who takes care has.
#[test]
fn a_user_of_an_acl_file_is_given_by_settings() -> Result<()> {
    let start = "printf '%s\\n' 'user default off' 'user boss on >own ~* &* +@all' \
        'user weak on >weak ~* +@read +info +client +command +config +time' >/data/users.acl; \
        exec docker-entrypoint.sh valkey-server --protected-mode no --aclfile /data/users.acl --enable-debug-command local";
    let folder = tempfile::tempdir()?;
    Testbed::for_test("vkacl", Shape::Mini)?.examined(|testbed| {
        let options = ["--entrypoint=sh", "--restart=unless-stopped"];
        let id = testbed.guest(SERVICE, "VALKEY", &options, &["-c", start])?;
        let product = Product::of(PROGRAM, folder.path(), testbed).with("STILLPOINT_CACHE_USER", "boss");
        let boss = ["valkey-cli", "-e", "--no-auth-warning", "--user", "boss", "-a", "own"];
        let cli = |words: &[&str]| testbed.docker(&[&["exec", &id][..], &boss, words].concat());
        until("the server answers", || Ok(cli(&["PING"]).is_ok()))?;
        product
            .run(&["backup"])?
            .must_end_with(12)?
            .must_say("cache refused user")?;
        let weak = product
            .clone()
            .with("STILLPOINT_CACHE_USER", "weak")
            .with("STILLPOINT_CACHE_PASSWORD", "weak");
        weak.run(&["backup"])?
            .must_end_with(12)?
            .must_say("cache refused user `weak`: NOPERM")?
            .must_say("help: let `weak` do")?;
        let product = product.with("STILLPOINT_CACHE_PASSWORD", "own");
        cli(&["SET", "a", "b"])?;
        let backup = product.backup()?;
        cli(&["SET", "a", "changed"])?;
        product
            .run(&["restore", &backup, "--confirm", &backup])?
            .must_end_with(0)?;
        until("the server answers", || Ok(cli(&["PING"]).is_ok()))?;
        assert_eq!(cli(&["GET", "a"])?.trim(), "b");
        let users = testbed.docker(&["exec", &id, "cat", "/data/users.acl"])?;
        assert!(users.contains("user boss"), "the file of users was touched:\n{users}");
        Ok(())
    })
}

#[test]
fn a_dump_with_a_flipped_bit_replaces_nothing_even_if_its_hash_is_right() -> Result<()> {
    on_cache("vkflip", &USUAL, |cache| {
        cache.fill("x")?;
        let (settings, before) = (cache.settings()?, standing(cache.testbed)?);
        let backup = cache.product.backup()?;
        let dump = cache.product.repository.join(&backup).join("cache.rdb");
        let mut bytes = fs::read(&dump)?;
        let middle = bytes.len() / 2;
        bytes[middle] ^= 4;
        fs::write(&dump, &bytes)?;
        let hash = std::process::Command::new("sha256sum").arg(&dump).output()?;
        let hash = String::from_utf8(hash.stdout)?[..64].to_owned();
        falsify(cache, &backup, |store| store["artifacts"][0]["sha256"] = hash.into())?;

        cache
            .product
            .run(&["verify", &backup])?
            .must_end_with(15)?
            .must_say("CRC64")?;
        cache.cli(&["SET", "plain", "newer"])?;
        let truth = cache.truth()?;
        cache.restore(&backup)?.must_end_with(14)?.must_say("CRC64")?;
        let project = cache.testbed.project();
        let undo = ["restore", "undo", "--confirm", project];
        cache.product.run(&undo)?.must_end_with(0)?;
        cache.await_answer()?;
        is_back(cache.testbed, &before)?;
        assert_eq!(cache.truth()?, truth, "undone");
        cache.restore(&backup)?.must_end_with(14)?;
        cache.product.run(&["containers", "start"])?.must_end_with(0)?;
        cache.await_answer()?;
        is_back(cache.testbed, &before)?;
        assert_eq!(cache.truth()?, truth, "the damaged dump has changed the data");
        cache.is_clean(&settings)?;
        Ok(())
    })
}

#[test]
fn a_restore_that_is_killed_anywhere_is_finished_by_the_next() -> Result<()> {
    on_cache("vkkill", &USUAL, |cache| {
        cache.fill("first")?;
        let (truth, settings, before) = (cache.truth()?, cache.settings()?, standing(cache.testbed)?);
        let backup = cache.product.backup()?;
        let arguments = ["restore", &backup, "--confirm", &backup, "--discard-old", "--json"];
        // From the comparison to the start of the clients it is not far: there one may run before the kill arrives.
        for (event, step, is_down) in [
            ("step_ended", "stop", true),
            ("step_began", "load", true),
            ("step_ended", "load", false),
            ("step_ended", "compare", false),
        ] {
            cache.wreck()?;
            let mut running = cache.product.start(&arguments)?;
            running.until(&format!("{event} {step}"), |said| {
                said["event"] == event && said["step"] == step
            })?;
            running.kill_all()?;
            let context = || format!("killed at {event} {step}");
            cache.product.run(&["containers", "recover"]).with_context(context)?;
            for container in cache.testbed.containers()? {
                if container.service == "app" && is_down {
                    assert_eq!(container.status, Status::Exited, "{}: a client runs", context());
                }
            }
            cache.restore(&backup)?.must_end_with(0).with_context(context)?;
            assert_eq!(cache.truth()?, truth, "{}", context());
            is_back(cache.testbed, &before).with_context(context)?;
            cache.is_clean(&settings).with_context(context)?;
        }
        Ok(())
    })
}

#[test]
fn what_cannot_be_restored_here_is_refused_before_anything_is_stopped() -> Result<()> {
    on_cache("vkrefuse", &USUAL, |cache| {
        cache.cli(&["-n", "15", "SET", "a", "b"])?;
        let before = standing(cache.testbed)?;
        let backup = cache.product.backup()?;
        let refused = |why: &str, change: &dyn Fn(&mut Value)| -> Result<()> {
            let whole = manifest(cache, &backup)?;
            falsify(cache, &backup, change)?;
            cache.restore(&backup)?.must_end_with(13)?.must_say(why)?;
            assert_eq!(standing(cache.testbed)?, before, "{why}: something was stopped");
            let path = cache.product.repository.join(&backup).join("manifest.json");
            Ok(fs::write(path, serde_json::to_vec(&whole)?)?)
        };
        refused("the server is the older Valkey", &|store| {
            store["facts"]["valkey_version"] = "99.0.0".into();
        })?;
        refused("VALKEY980, which Valkey", &|store| {
            store["facts"]["rdb_magic"] = "VALKEY980".into();
        })?;
        refused("lacks modules of the backup: search", &|store| {
            store["facts"]["modules"] = "search".into();
        })?;
        refused("holds database 77", &|store| {
            store["inventory"]["db 77: keys without expiry"] = serde_json::json!({"count": 1, "exact": true});
        })?;
        // What an earlier restore has set aside may be all that is left of somebody's data.
        let old = cache.exec(&[
            "sh",
            "-c",
            "d=sp_$(printf cache | sha256sum | cut -c1-8); mkdir /data/$d && echo $d",
        ])?;
        cache.restore(&backup)?.must_end_with(13)?.must_say(old.trim())?;
        cache
            .product
            .run(&["backup"])?
            .must_end_with(0)?
            .must_say("is not backed up")?;
        Ok(())
    })
}

#[test]
fn replicas_clusters_and_folders_without_a_volume_are_told_clearly() -> Result<()> {
    for (name, options, code, why) in [
        (
            "vkreplica",
            &["--replicaof", "127.0.0.1", "7000"][..],
            12,
            "it is a replica of 127.0.0.1:7000",
        ),
        (
            "vkcluster",
            &["--cluster-enabled", "yes"],
            12,
            "it is a node of a cluster",
        ),
        ("vknovolume", &["--dir", "/var/tmp"], 0, ""),
    ] {
        on_cache(name, options, |cache| {
            let before = standing(cache.testbed)?;
            let ran = cache.product.run(&["backup"])?.must_end_with(code)?.must_say(why)?;
            assert_eq!(standing(cache.testbed)?, before);
            if code == 0 {
                drop(ran);
                let backup = cache.product.backups()?.pop().context("no backup")?;
                cache
                    .restore(&backup)?
                    .must_end_with(13)?
                    .must_say("lies on no volume")?;
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// The page's commands, in a container of the server's image beside a stopped, empty server.
#[test]
fn by_hand() -> Result<()> {
    on_cache("vkhand", &USUAL, |cache| {
        cache.fill("x")?;
        let truth = cache.truth()?;
        let backup = cache.product.repository.join(cache.product.backup()?);
        let image = stillpoint_testkit::testbed::images()?["IMG_VALKEY"].clone();
        let folder = format!("--volume={}:/backup:ro", backup.display());
        let with_files = [
            "--volumes-from",
            &cache.id,
            &folder,
            "--workdir=/backup",
            "--entrypoint=sh",
        ];
        let settings = ["-e", "STORE=cache", "-e", "DATA=/data", "--user=root", "--network=none"];
        cache.testbed.docker(&["stop", &cache.id])?;
        for block in [vec!["find /data -mindepth 1 -delete"], commands("Valkey and Redis")?].concat() {
            let run = [&["run", "--rm"][..], &with_files, &settings, &[&image, "-euc", block]].concat();
            cache
                .testbed
                .docker(&run)
                .with_context(|| format!("by hand:\n{block}"))?;
        }
        cache.testbed.docker(&["start", &cache.id])?;
        cache.await_answer()?;
        assert_eq!(cache.truth()?, truth);
        cache.testbed.docker(&["restart", &cache.id])?;
        cache.await_answer()?;
        assert_eq!(cache.truth()?, truth, "after another start");
        Ok(())
    })
}
