//! The configuration as a whole: which layer wins, what is refused and in which words, and that no
//! secret is ever shown.

use std::collections::BTreeMap;
use std::path::Path;

use secrecy::ExposeSecret;
use stillpoint_core::operations::Operations;
use stillpoint_stores::settings::every_key;
use stillpoint_testkit::fakes::Container;
use tempfile::TempDir;

mod access;

use super::{Config, Repository, Surroundings, keys};
use crate::failure::Failure;
use crate::options::Options;

/// Everything that a configuration is read from, made up.
struct World {
    folder: TempDir,
    options: Options,
    environment: BTreeMap<String, String>,
}

impl World {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            options: Options::default(),
            environment: BTreeMap::from([("HOME".to_owned(), "/home/op".to_owned())]),
        }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn write(&self, name: &str, text: &str) -> String {
        std::fs::write(self.folder.path().join(name), text).unwrap();
        self.path(name)
    }

    fn toml(self, text: &str) -> Self {
        self.write("stillpoint.toml", text);
        self
    }

    /// The key of a bucket, in the environment.
    fn with_key(self) -> Self {
        self.env("BACKUP_S3_ACCESS_KEY_ID", "id")
            .env("BACKUP_S3_SECRET_ACCESS_KEY", "key")
    }

    fn env_file(mut self, text: &str) -> Self {
        self.options.env_file = Some(self.write(".env", text));
        self
    }

    fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.insert(name.to_owned(), value.into());
        self
    }

    fn surroundings(&self) -> Surroundings {
        let environment = self.environment.iter();
        Surroundings {
            environment: environment.map(|(name, value)| (name.into(), value.into())).collect(),
            files: vec![self.path("stillpoint.toml").into(), self.path("etc.toml").into()],
            root: false,
        }
    }

    fn read(&self) -> Result<Config, Failure> {
        Config::read(&self.options, &self.surroundings())
    }

    /// What is read of it where it cannot be read as a whole.
    fn salvaged(&self) -> Config {
        let broken = self.read().unwrap_err();
        Config::salvaged(&self.options, &self.surroundings(), broken).unwrap()
    }

    fn config(&self) -> Config {
        self.read().unwrap()
    }

    /// What is said of it, without the folder's own name.
    fn refusal(&self) -> String {
        self.refused().0
    }

    /// The same, and what is to be done.
    fn refused(&self) -> (String, String) {
        match self.read().unwrap_err() {
            Failure::Usage { what, hint } => (self.plain(&what), hint),
            other => panic!("not a matter of usage: {other:?}"),
        }
    }

    fn plain(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.folder.path().display()), "")
    }

    /// Value and origin of a variable, as shown.
    fn shown(&self, variable: &str) -> (String, String) {
        let rows = self.config().rows(None);
        let row = rows.into_iter().find(|row| row.variable == variable).unwrap();
        (
            row.value.unwrap_or_default(),
            self.plain(&row.origin.unwrap_or_default()),
        )
    }
}

/// One key of each owner: its variable, its line in the file, four values from the lowest layer up.
const KEYS: [(&str, &str, &str, [&str; 3]); 7] = [
    ("STILLPOINT_PLATFORM", "[platform]", "name", ["low", "mid", "high"]),
    (
        "DOCKER_HOST",
        "[engine]",
        "docker_host",
        ["unix:///1", "unix:///2", "unix:///3"],
    ),
    ("STILLPOINT_REPOSITORY", "[repository]", "directory", ["/1", "/2", "/3"]),
    ("BACKUP_S3_BUCKET", "[repository.s3]", "bucket", ["one", "two", "three"]),
    ("BACKUP_RETENTION_DAYS", "[retention]", "days", ["1", "2", "3"]),
    ("BACKUP_VERIFY_DAILY_BYTES", "[verify]", "daily_bytes", ["1", "2", "3"]),
    (
        "STILLPOINT_POSTGRES_MAIN_USER",
        "[stores.postgres-main]",
        "user",
        ["a", "b", "c"],
    ),
];

#[test]
fn each_layer_beats_the_next() {
    for (variable, table, key, [in_file, in_env_file, in_environment]) in KEYS {
        let literal = if in_file.parse::<u64>().is_ok() {
            in_file.to_owned()
        } else {
            format!("\"{in_file}\"")
        };
        let world = World::new().toml(&format!("# said\n{table}\n{key} = {literal}\n"));
        let world = if table == "[repository.s3]" {
            world.with_key()
        } else {
            world
        };
        assert_eq!(world.shown(variable), (in_file.into(), "stillpoint.toml line 3".into()));
        let world = world.env_file(&format!("{variable}={in_env_file}\n"));
        assert_eq!(
            world.shown(variable),
            (in_env_file.into(), format!(".env ({variable})"))
        );
        let world = world.env(variable, in_environment);
        assert_eq!(
            world.shown(variable),
            (in_environment.into(), format!("environment {variable}"))
        );
        let world = world.env(variable, "");
        assert_eq!(world.shown(variable).0, in_env_file, "an empty variable is unset");
    }
}

#[test]
fn a_flag_beats_everything() {
    let mut world = World::new()
        .env("STILLPOINT_PLATFORM", "x")
        .env("STILLPOINT_REPOSITORY", "/x")
        .env("STILLPOINT_STATE_DIR", "/x")
        .env("DOCKER_HOST", "unix:///x");
    world.options.platform = Some("flag".into());
    world.options.repository = Some("/flag".into());
    world.options.state_dir = Some("/flag".into());
    world.options.docker_host = Some("unix:///flag".into());
    let config = world.config();
    assert_eq!(config.project().unwrap().as_str(), "flag");
    assert_eq!(config.platform.docker_host, "unix:///flag");
    assert_eq!(config.platform.state_dir, Path::new("/flag"));
    assert!(matches!(config.repository(), Repository::Local(directory) if directory == Path::new("/flag")));
    assert_eq!(world.shown("STILLPOINT_PLATFORM"), ("flag".into(), "--platform".into()));
}

#[test]
fn what_nobody_sets_has_its_documented_default() {
    let world = World::new();
    let config = world.config();
    assert_eq!((config.retention.days, config.retention.minimum), (7, 3));
    assert_eq!(config.lease.as_secs(), 120);
    assert_eq!(config.verify.daily_bytes, 0);
    assert_eq!(config.platform.docker_host, "unix:///var/run/docker.sock");
    assert_eq!(
        config.platform.state_dir,
        Path::new("/home/op/.local/state/stillpoint/state")
    );
    let directory = "/home/op/.local/share/stillpoint/repository";
    assert!(matches!(config.repository(), Repository::Local(local) if local == Path::new(directory)));
    assert_eq!(
        world.shown("STILLPOINT_REPOSITORY"),
        (directory.into(), "default".into())
    );
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
}

#[test]
fn a_bucket_is_read_whole() {
    let world = World::new().env("BACKUP_S3_ENDPOINT", "http://seaweedfs-s3:8333").toml(
        "[repository]\nlease_seconds = 30\n[repository.s3]\nregion = 'eu'\nprefix = 'a/b/'\npath_style = false\n\
         access_key_id = 'id'\nsecret_access_key = 'key'\nca_file = '/ca.pem'\nconditional_writes = false\npart_mib = 16\n\
         [platform]\nkeep = ['a-', 'b-']\n",
    );
    let config = world.config();
    let Repository::S3 { settings, prefix } = config.repository() else {
        panic!("not in S3: {:?}", config.repository());
    };
    assert_eq!(settings.endpoint.as_deref(), Some("http://seaweedfs-s3:8333"));
    assert_eq!((settings.region.as_str(), settings.bucket.as_str()), ("eu", "backups"));
    assert_eq!(prefix.as_deref(), Some("a/b"));
    assert_eq!(settings.secret_access_key.unwrap().expose_secret(), "key");
    assert_eq!(settings.ca_file.as_deref(), Some(Path::new("/ca.pem")));
    assert!(!settings.path_style && settings.create_bucket && !settings.conditional_writes);
    assert_eq!(settings.part, 16 << 20);
    assert_eq!(config.lease.as_secs(), 30);
    assert_eq!(config.platform.keep, ["a-", "b-"]);
    let listed = World::new().env("STILLPOINT_KEEP", "c-, d-").config();
    assert_eq!(listed.platform.keep, ["c-", "d-"]);
}

#[test]
fn the_higher_layer_chooses_the_repository_and_the_same_layer_cannot() {
    let in_file = || World::new().toml("[repository]\ndirectory = '/in-file'\n");
    let remote = in_file().env("BACKUP_S3_ENDPOINT", "https://s3.example.org");
    let remote = remote.with_key().config();
    assert!(matches!(remote.repository(), Repository::S3 { prefix: None, .. }));

    let mut local = in_file().env("BACKUP_S3_ENDPOINT", "https://s3.example.org");
    local.options.repository = Some("/flag".into());
    let config = local.config();
    assert!(matches!(config.repository(), Repository::Local(directory) if directory == Path::new("/flag")));
    assert_eq!(
        config.warnings,
        ["BACKUP_S3_ENDPOINT (environment) is passed over: --repository says that the backups go to a directory"]
    );

    let both = World::new()
        .env("STILLPOINT_REPOSITORY", "/x")
        .env("BACKUP_S3_ENDPOINT", "https://s3.example.org");
    assert_eq!(
        both.refusal(),
        "STILLPOINT_REPOSITORY (environment) asks for a local repository, BACKUP_S3_ENDPOINT (environment) for one in S3"
    );
}

#[test]
fn a_bucket_that_is_half_configured_is_told() {
    let alone = World::new().env("BACKUP_S3_BUCKET", "b").config();
    assert!(matches!(alone.repository(), Repository::Local(_)));
    assert!(alone.warnings[0].starts_with("BACKUP_S3_BUCKET (environment) is set, but neither BACKUP_S3_ENDPOINT"));
    let schemeless = World::new().with_key().env("BACKUP_S3_ENDPOINT", "s3:8333");
    assert_eq!(
        schemeless.refusal(),
        "BACKUP_S3_ENDPOINT (environment): `s3:8333` begins with neither http:// nor https://"
    );
}

/// Never a directory instead: its backups would be elsewhere than their operator believes.
#[test]
fn a_bucket_without_its_key_is_refused_and_what_is_missing_is_named() {
    let id = "`access_key_id` (BACKUP_S3_ACCESS_KEY_ID)";
    let secret = "`secret_access_key` (BACKUP_S3_SECRET_ACCESS_KEY)";
    let no_endpoint = ", nor is `endpoint` (BACKUP_S3_ENDPOINT), without which the server is Amazon's";
    let is = |world: World, decisive: &str, missing: &str| {
        let (what, hint) = world.refused();
        assert_eq!(
            what,
            format!("{decisive} makes the repository one in S3, but {missing}")
        );
        assert_eq!(
            hint,
            "set what is missing; where the backups are to go to a directory, remove [repository.s3] and BACKUP_S3_*"
        );
    };
    let file = |text: &str| World::new().toml(text);
    let all = format!("{id} and {secret} are not set{no_endpoint}");
    let table = "stillpoint.toml:3: [repository.s3]";
    is(file("\n\n[repository.s3]\nbucket = 'b'\n"), table, &all);
    is(file("\n\n[repository.s3]\n"), table, &all);
    is(
        file("\n\n[repository.s3]\nendpoint = ''\naccess_key_id = ''\n"),
        table,
        &all,
    );
    let alone = file("[repository.s3]\nendpoint = 'http://s3'\n");
    let keyless = format!("{id} and {secret} are not set");
    is(alone, "stillpoint.toml:2: repository.s3.endpoint", &keyless);
    let half = World::new().env("BACKUP_S3_ACCESS_KEY_ID", "id");
    let lacks_secret = format!("{secret} is not set{no_endpoint}");
    is(half, "BACKUP_S3_ACCESS_KEY_ID (environment)", &lacks_secret);
    let half = World::new().env("BACKUP_S3_SECRET_ACCESS_KEY", "key");
    let lacks_id = format!("{id} is not set{no_endpoint}");
    is(half, "BACKUP_S3_SECRET_ACCESS_KEY (environment)", &lacks_id);

    let completed = file("[repository.s3]\nbucket = 'b'\n").with_key().config();
    assert!(matches!(completed.repository(), Repository::S3 { .. }));
}

#[test]
fn the_table_of_a_bucket_speaks_for_s3_whatever_it_holds() {
    let table = || World::new().toml("[repository.s3]\nbucket = 'b'\n");
    let above = table().env("STILLPOINT_REPOSITORY", "/above").config();
    assert!(matches!(above.repository(), Repository::Local(directory) if directory == Path::new("/above")));
    assert!(
        above.warnings[0].ends_with(
            "stillpoint.toml:1: [repository.s3] is passed over: STILLPOINT_REPOSITORY (environment) says \
             that the backups go to a directory"
        ),
        "{:?}",
        above.warnings
    );
    let both = World::new().toml("[repository]\ndirectory = '/x'\n[repository.s3]\n");
    assert_eq!(
        both.refusal(),
        "stillpoint.toml:2: repository.directory asks for a local repository, stillpoint.toml:3: [repository.s3] for \
         one in S3"
    );
}

#[test]
fn what_is_wrong_in_the_file_is_told_with_its_line() {
    for (text, refusal) in [
        (
            "\n[retension]\n",
            "stillpoint.toml:2: unknown key `retension`; did you mean `retention`?",
        ),
        (
            "[retention]\ndaysx = 1",
            "stillpoint.toml:2: unknown key `daysx`; did you mean `days`?",
        ),
        (
            "[repository.s3]\nbuckte = 1",
            "stillpoint.toml:2: unknown key `buckte`; did you mean `bucket`?",
        ),
        (
            "[repository.s3]\nsecret_acess_key_file = 'x'",
            "stillpoint.toml:2: unknown key `secret_acess_key_file`; did you mean `secret_access_key_file`?",
        ),
        (
            "[repository.s3]\nbucket_file = 'x'",
            "stillpoint.toml:2: unknown key `bucket_file`",
        ),
        (
            "[stores.a]\nuser_file = 'x'",
            "stillpoint.toml:2: unknown key `user_file`",
        ),
        ("colour = 1", "stillpoint.toml:1: unknown key `colour`"),
        (
            "\n[stores.a]\npasword = 'x'",
            "stillpoint.toml:3: unknown key `pasword`; did you mean `password`?",
        ),
        (
            "[stores.a]\nuser = 1",
            "stillpoint.toml:2: stores.a.user: a string is wanted, not integer",
        ),
        (
            "[retention]\ndays = 'seven'",
            "stillpoint.toml:2: retention.days: a whole number is wanted, not string",
        ),
        (
            "[retention]\ndays = -1",
            "stillpoint.toml:2: retention.days: a whole number from 0 is wanted",
        ),
        (
            "retention = 7",
            "stillpoint.toml:1: `retention` is a table, not integer",
        ),
        (
            "[platform]\nkeep = [1]",
            "stillpoint.toml:2: platform.keep: every entry of the list must be a string",
        ),
        (
            "[repository]\nlease_seconds = 9",
            "stillpoint.toml:2: repository.lease_seconds: 9 seconds is too little: 10 is the least",
        ),
        (
            "[retention]\ndays = 99999999999",
            "stillpoint.toml:2: retention.days: 99999999999 is too large",
        ),
    ] {
        assert_eq!(World::new().toml(text).refusal(), refusal, "{text}");
    }
    let broken = World::new().toml("[retention]\ndays = = 1\n").refusal();
    assert!(broken.starts_with("stillpoint.toml:2: "), "{broken}");
}

#[test]
fn a_wrong_value_names_its_origin() {
    let world = World::new().env("BACKUP_RETENTION_DAYS", "seven");
    assert_eq!(
        world.refusal(),
        "BACKUP_RETENTION_DAYS (environment): `seven` is not a whole number"
    );
    let world = World::new().env_file("BACKUP_MINIMUM_KEEP=x\n");
    assert_eq!(world.refusal(), "BACKUP_MINIMUM_KEEP (.env): `x` is not a whole number");
    let world = World::new().with_key().env("BACKUP_S3_PATH_STYLE", "yes");
    assert_eq!(
        world.refusal(),
        "BACKUP_S3_PATH_STYLE (environment): `yes` is neither `true` nor `false`"
    );
}

#[test]
fn unknown_variables_are_warned_of_and_others_are_not() {
    let world = World::new()
        .env("BACKUP_RETENTION_DAY", "1")
        .env("DAGSTER_DBB", "1")
        .env("STILLPOINT_KIP", "1")
        .env("DAGSTER_DB", "1")
        .env("DAGSTER_HOME", "1")
        .env("STILLPOINT_TESTBED_OWNER", "1")
        .env("STILLPOINT_CASE", "1")
        .env("STILLPOINT_POSTGRES_MAIN_PASSWORD", "1")
        .env("BACKUP_S3_CA_FILE_FILE", "")
        .env("PATH", "/bin")
        .env_file("BACKUP_WHATEVER_ELSE=p$x\nOTHERS=$x\n");
    let refused = world.refusal();
    assert!(
        refused.starts_with("BACKUP_WHATEVER_ELSE (.env): it has a `$`"),
        "{refused}"
    );
    let world = world.env_file("BACKUP_WHATEVER_ELSE=1\nOTHERS=$x\n");
    let warnings = world.config().warnings;
    assert_eq!(
        warnings.iter().map(|warning| world.plain(warning)).collect::<Vec<_>>(),
        [
            "BACKUP_RETENTION_DAY (environment) is unknown and does nothing; did you mean `BACKUP_RETENTION_DAYS`?",
            "DAGSTER_DBB (environment) is unknown and does nothing; did you mean `DAGSTER_DB`?",
            "STILLPOINT_KIP (environment) is unknown and does nothing; did you mean `STILLPOINT_KEEP`?",
            "BACKUP_WHATEVER_ELSE (.env) is unknown and does nothing",
        ]
    );
}

#[test]
fn a_value_may_stand_in_a_file_of_its_own() {
    let world = World::new()
        .env("BACKUP_S3_ENDPOINT", "http://s3")
        .env("BACKUP_S3_ACCESS_KEY_ID", "id");
    let secret = world.write("secret", "from file\n");
    let world = world.env("BACKUP_S3_SECRET_ACCESS_KEY_FILE", &secret);
    let Repository::S3 { settings, .. } = world.config().repository() else {
        panic!("not in S3");
    };
    assert_eq!(settings.secret_access_key.unwrap().expose_secret(), "from file");
    let origin = "environment BACKUP_S3_SECRET_ACCESS_KEY_FILE";
    assert_eq!(
        world.shown("BACKUP_S3_SECRET_ACCESS_KEY"),
        ("(set)".into(), origin.into())
    );

    let both = world.env("BACKUP_S3_SECRET_ACCESS_KEY", "x");
    assert_eq!(
        both.refusal(),
        "BACKUP_S3_SECRET_ACCESS_KEY (environment): BACKUP_S3_SECRET_ACCESS_KEY_FILE is set, too, and only one of them can hold"
    );
    let gone = World::new().env("STILLPOINT_DB_PASSWORD_FILE", "/nowhere/secret");
    let refusal = gone.refusal();
    assert!(
        refusal.starts_with("STILLPOINT_DB_PASSWORD_FILE (environment): /nowhere/secret cannot be read: No such file"),
        "{refusal}"
    );
}

#[test]
fn a_secret_of_the_file_may_stand_in_a_file_of_its_own() {
    let text = "[repository.s3]\naccess_key_id = 'id'\nsecret_access_key_file = 'secret'\n";
    let world = World::new().toml(text);
    world.write("secret", "from file\n");
    let Repository::S3 { settings, .. } = world.config().repository() else {
        panic!("not in S3");
    };
    assert_eq!(settings.secret_access_key.unwrap().expose_secret(), "from file");
    assert_eq!(
        world.shown("BACKUP_S3_SECRET_ACCESS_KEY"),
        ("(set)".into(), "stillpoint.toml line 3".into())
    );
    let above = world.env("BACKUP_S3_SECRET_ACCESS_KEY", "above");
    assert_eq!(
        above.shown("BACKUP_S3_SECRET_ACCESS_KEY").1,
        "environment BACKUP_S3_SECRET_ACCESS_KEY"
    );

    let both = World::new().toml(&format!("{text}secret_access_key = 'x'\n"));
    both.write("secret", "from file\n");
    assert_eq!(
        both.refusal(),
        "stillpoint.toml:3: repository.s3.secret_access_key_file: stillpoint.toml line 4 sets the same, and only one \
         of them can hold"
    );
    let refusal = World::new().toml(text).refusal();
    assert!(
        refusal.starts_with("stillpoint.toml:3: repository.s3.secret_access_key_file: secret cannot be read: No such"),
        "{refusal}"
    );
    let empty = World::new().toml(text);
    empty.write("secret", "\n");
    assert_eq!(
        empty.refusal(),
        "stillpoint.toml:3: repository.s3.secret_access_key_file: secret is empty"
    );
}

#[test]
fn relative_paths_of_the_file_begin_at_its_folder_and_no_others() {
    let mut world = World::new();
    std::fs::create_dir(world.folder.path().join("etc")).unwrap();
    world.write("etc/password", "beside\n");
    let text = "[engine]\nstate_dir = 'state'\ndocker_host = 'unix:///x'\n[repository]\ndirectory = '../backups'\n\
                [stores.a]\npassword_file = 'password'\n";
    world.options.config = Some(world.write("etc/named.toml", text));
    let config = world.config();
    let etc = world.folder.path().join("etc");
    assert_eq!(config.platform.state_dir, etc.join("state"));
    assert_eq!(config.platform.docker_host, "unix:///x");
    assert!(matches!(config.repository(), Repository::Local(directory) if directory == etc.join("../backups")));
    assert!(
        super::stores::configured(&config.settings)("STILLPOINT_A_PASSWORD")
            .is_some_and(|found| found.expose_secret() == "beside")
    );

    let in_bucket = World::new()
        .toml("[repository.s3]\nca_file = 'ca.pem'\nprefix = 'a/b'\n")
        .with_key();
    let Repository::S3 { settings, prefix } = in_bucket.config().repository() else {
        panic!("not in S3");
    };
    assert_eq!(settings.ca_file, Some(in_bucket.folder.path().join("ca.pem")));
    assert_eq!(prefix.as_deref(), Some("a/b"));

    let mut elsewhere = World::new().env("STILLPOINT_STATE_DIR", "state");
    elsewhere.options.repository = Some("backups".into());
    let config = elsewhere.config();
    assert_eq!(config.platform.state_dir, Path::new("state"));
    assert!(matches!(config.repository(), Repository::Local(directory) if directory == Path::new("backups")));
}

#[test]
fn stores_find_their_settings_through_the_layers() {
    let world = World::new();
    let secret = world.write("secret", "in a file\n");
    let world = world
        .toml(&format!(
            "[stores.postgres-main]\nuser = 'u'\npassword_file = '{secret}'\n[stores.b]\npassword = 'p'\n"
        ))
        .env_file("STILLPOINT_B_PASSWORD=above\n");
    let setting = super::stores::configured(&world.config().settings);
    let of = |name: &str| setting(name).map(|secret| secret.expose_secret().to_owned());
    assert_eq!(of("STILLPOINT_POSTGRES_MAIN_USER").as_deref(), Some("u"));
    assert_eq!(of("STILLPOINT_POSTGRES_MAIN_PASSWORD").as_deref(), Some("in a file"));
    assert_eq!(of("STILLPOINT_B_PASSWORD").as_deref(), Some("above"));
    assert_eq!(of("STILLPOINT_B_USER"), None);
    let twice = World::new().toml("[stores.b]\npassword = 'p'\npassword_file = '/x'\n");
    assert!(twice.refusal().contains("only one of them can hold"));
}

#[tokio::test(start_paused = true)]
async fn a_label_is_below_the_file_and_shown_with_its_container() {
    let labels = [
        ("stillpoint.user", "of-label"),
        ("stillpoint.password", "correct horse"),
    ];
    let store = Container::store("db", &[]);
    let store = labels
        .iter()
        .fold(store, |store, (label, value)| store.labelled(label, value));
    let site = stillpoint_testkit::World::of([store]);
    let plan = site.operations().plan(None).await.unwrap();
    let shown = |world: &World, variable: &str| {
        let rows = world.config().rows(Some(&plan)).into_iter();
        let row = rows.filter(|row| row.variable == variable).collect::<Vec<_>>();
        let [row] = &row[..] else { panic!("{variable}: {row:?}") };
        (
            row.value.clone().unwrap_or_default(),
            world.plain(row.origin.as_deref().unwrap_or_default()),
        )
    };
    let user = "STILLPOINT_DB_USER";
    let origin = |label: &str| format!("label stillpoint.{label} of container acme-db-1");
    assert_eq!(shown(&World::new(), user), ("of-label".into(), origin("user")));
    assert_eq!(
        shown(&World::new(), "STILLPOINT_DB_PASSWORD"),
        ("(set)".into(), origin("password"))
    );
    let in_file = World::new().toml("[stores.db]\nuser = 'of-file'\n");
    assert_eq!(
        shown(&in_file, user),
        ("of-file".into(), "stillpoint.toml line 2".into())
    );
}

#[test]
fn the_file_is_the_one_that_is_named_or_the_first_that_is_there() {
    let world = World::new();
    world.write("etc.toml", "[retention]\ndays = 1\n");
    assert_eq!(world.config().retention.days, 1);
    let world = world.toml("[retention]\ndays = 2\n");
    assert_eq!(world.config().retention.days, 2);
    let named = world.write("named.toml", "[retention]\ndays = 3\n");
    let mut world = world.env("STILLPOINT_CONFIG", named);
    assert_eq!(world.config().retention.days, 3);
    world.options.config = Some(world.path("gone.toml"));
    let refusal = world.refusal();
    assert!(refusal.starts_with("--config: gone.toml cannot be read"), "{refusal}");
}

#[test]
fn no_secret_is_ever_shown() {
    const SECRET: &str = "correct horse";
    let file = format!(
        "[repository.s3]\naccess_key_id = '{SECRET}'\nsecret_access_key = '{SECRET}'\n[stores.a]\npassword = '{SECRET}'\n"
    );
    let world = World::new().toml(&file).env("STILLPOINT_B_PASSWORD", SECRET);
    let config = world.config();
    let rows = serde_json::to_string(&config.rows(None)).unwrap();
    assert_eq!(rows.matches("(set)").count(), 4, "{rows}");
    for shown in [rows, format!("{config:?}")] {
        assert!(!shown.contains(SECRET), "{shown}");
    }
    for wrong in [
        World::new().toml(&format!("[stores.a]\npassword = ['{SECRET}']")),
        World::new().toml(&format!("[stores.a]\npassword = '{SECRET}\n")),
        World::new().toml(&format!("[stores.a]\npassword = {SECRET}\n")),
        World::new().env_file(&format!("STILLPOINT_A_PASSWORD=\"{SECRET}$x\"\n")),
        World::new()
            .with_key()
            .env("BACKUP_S3_ENDPOINT", format!("http://user:{SECRET}@s3")),
        World::new().env("BACKUP_S3_ACCESS_KEY_ID", SECRET),
    ] {
        let failure = format!("{:?}", wrong.read().unwrap_err());
        assert!(!failure.contains(SECRET), "{failure}");
    }
}

#[test]
fn a_child_gets_the_same_flags() {
    let options = Options {
        platform: Some("p".into()),
        config: Some("c.toml".into()),
        env_file: Some(".env".into()),
        verbose: 2,
        ..Options::default()
    };
    let expected = [
        "--platform",
        "p",
        "--config",
        "c.toml",
        "--env-file",
        ".env",
        "-v",
        "-v",
    ];
    assert_eq!(options.arguments(), expected.map(std::ffi::OsString::from));
}

#[test]
fn the_documentation_lists_every_key() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    let page = std::fs::read_to_string(path).unwrap();
    let rows: Vec<String> = keys()
        .into_iter()
        .map(|key| {
            let code = |text: &str| {
                if text.is_empty() {
                    String::new()
                } else {
                    format!("`{text}`")
                }
            };
            format!(
                "| {} | `{}` | {} | {} | {} | {} |",
                code(key.path),
                key.variable,
                code(key.flag.unwrap_or_default()),
                key.shape.unit(),
                key.fallback.text(),
                key.about
            )
        })
        .collect();
    let of_stores = every_key().into_iter().map(|(key, kinds)| {
        let kinds = if kinds.is_empty() {
            "all".to_owned()
        } else {
            kinds.join(", ")
        };
        format!(
            "| `{}` | `STILLPOINT_<STORE>_{}` | `stillpoint.{}` | {kinds} | {} | {} | {} |",
            key.name,
            key.name.to_uppercase(),
            key.name,
            key.shape.unit(),
            key.fallback,
            key.about
        )
    });
    let rows: Vec<String> = rows.into_iter().chain(of_stores).collect();
    let missing: Vec<&String> = rows.iter().filter(|row| !page.contains(*row)).collect();
    assert!(
        missing.is_empty(),
        "docs/configuration.md lacks or misstates:\n{missing:#?}"
    );
    let secrets = keys().into_iter().filter(|key| key.shape == super::Shape::Secret);
    for in_file in secrets.map(|key| format!("`{}_file`", key.path)) {
        assert!(page.contains(&in_file), "docs/configuration.md lacks {in_file}");
    }
    let listed = page
        .lines()
        .filter(|line| line.starts_with("| `") || line.starts_with("|  |"))
        .count();
    assert_eq!(
        listed,
        rows.len(),
        "docs/configuration.md lists keys that there are not"
    );
}

#[test]
fn the_documentation_s_example_is_accepted() {
    let page = include_str!("../../../../docs/configuration.md");
    let example = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next());
    let keys: Vec<&super::Key> = super::keys().into_iter().filter(|key| !key.path.is_empty()).collect();
    let world = World::new().toml(example.unwrap_or_default());
    world.write("s3-secret", "x");
    let path = world.folder.path().join("stillpoint.toml");
    let read = super::file::read(&path, example.unwrap_or_default(), &keys).unwrap();
    assert!(read.layer.len() > 5);
    assert!(matches!(world.config().repository(), Repository::S3 { .. }));
}

#[test]
fn an_address_is_no_directory() {
    let refused = World::new().env("STILLPOINT_REPOSITORY", "s3://backups/acme").read();
    let Err(Failure::Usage { what, .. }) = refused else {
        panic!("it was taken for a directory")
    };
    assert!(
        what.contains("s3://backups/acme") && what.contains("STILLPOINT_REPOSITORY"),
        "{what}"
    );
    let in_file = World::new().toml("[repository]\ndirectory = 's3://backups/acme'\n");
    let Err(Failure::Usage { what, .. }) = in_file.read() else {
        panic!("it was taken for a directory")
    };
    // Not one below the folder of the file.
    assert!(what.contains("repository.directory: `s3://backups/acme`"), "{what}");
}

#[test]
fn what_brings_a_platform_back_is_read_whatever_is_wrong_with_the_rest() {
    let broken =
        "[platform]\nname = \"hub\"\n[engine]\nstate_dir = \"state\"\n[retention]\ndays = = 3\n[nobody]\nx = 1\n";
    let world = World::new()
        .toml(broken)
        .env("BACKUP_S3_SECRET_ACCESS_KEY_FILE", "/nowhere")
        .env_file("DOCKER_HOST=unix:///engine.sock\nBACKUP_RETENTION_DAYS='never closed\n");
    let salvaged = world.salvaged();
    assert_eq!(salvaged.platform.docker_host, "unix:///engine.sock");
    assert_eq!(salvaged.platform.state_dir, Path::new(&world.path("state")));
    assert_eq!(salvaged.project().map(|name| name.to_string()).as_deref(), Some("hub"));
    assert!(
        matches!(salvaged.repository(), Repository::Unknown(_)),
        "another repository would be swept"
    );
    assert!(
        salvaged.warnings[0].contains("cannot be read"),
        "{:?}",
        salvaged.warnings
    );
}

#[test]
fn what_cannot_be_salvaged_has_its_default() {
    let world = World::new().toml("= nonsense").env("STILLPOINT_STATE_DIR", "/state");
    let salvaged = world.salvaged();
    assert_eq!(salvaged.platform.state_dir, Path::new("/state"));
    assert_eq!(salvaged.platform.docker_host, "unix:///var/run/docker.sock");
    assert_eq!(salvaged.project(), None);
    let by_default = World::new().toml("= nonsense").salvaged();
    assert_eq!(
        by_default.platform.state_dir,
        Path::new("/home/op/.local/state/stillpoint/state")
    );
}
