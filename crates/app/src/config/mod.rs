//! The configuration: flag, then environment (`X`, or the file that `X_FILE` names), then the file
//! of `--env-file`, then `stillpoint.toml`, then the default. Read once, before anything else is
//! done; whatever is wrong with it ends the program before it has touched anything.
//!
//! Each owner has a file here with its keys and its own small type. What labels of a store's container
//! set comes below `stillpoint.toml`: the store is given it with its container, here it is only shown.

mod access;
mod diagnostics;
mod doctor;
mod effect;
mod env_file;
mod file;
mod history;
mod key;
mod labels;
mod maintenance;
mod notices;
mod origin;
mod platform;
mod repository;
mod retention;
mod s3;
mod salvage;
mod schedule;
mod settings;
mod show;
mod similar;
mod standstill;
mod stores;
mod surroundings;
mod template;
#[cfg(test)]
mod tests;
mod variables;
mod verify;

use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use secrecy::{ExposeSecret, SecretString};
use stillpoint_core::engine::plan::Plan;
use stillpoint_core::engine::site::StandstillRules;
use stillpoint_core::maintenance::Rules;
use stillpoint_core::names::Project;
use stillpoint_core::ports::history::HistoryLimits;
use stillpoint_core::retention::Policy;
use stillpoint_core::schedule::Window;
use stillpoint_core::stores::{Kind, Recognition};
use stillpoint_core::workload::Workload;

pub(crate) use self::access::Access;
pub(crate) use self::diagnostics::{Diagnostics, Format, OURS};
pub(crate) use self::notices::Notices;
pub(crate) use self::origin::Origin;
pub(crate) use self::repository::Repository;
pub(crate) use self::schedule::Planned;
pub(crate) use self::show::Row;
pub(crate) use self::template::Template;

use self::key::{Fallback, Key, Shape};
use self::platform::Platform;
use self::repository::Choice;
use self::settings::{Found, HINT, Layer, Settings, refused};
use self::surroundings::Surroundings;
use self::variables::{Place, Variables};
use self::verify::Verify;
use crate::display::form::Form;
use crate::failure::Failure;
use crate::options::Options;

/// Which file is read; it cannot say so itself.
const CONFIG: Key = Key {
    path: "",
    variable: "STILLPOINT_CONFIG",
    flag: Some("--config"),
    shape: Shape::Path,
    fallback: Fallback::Words("`./stillpoint.toml`, else `/etc/stillpoint/stillpoint.toml`, if there"),
    about: "The configuration file. It must exist if it is named.",
};

/// Every key of every owner.
fn keys() -> Vec<&'static Key> {
    let owners: [&'static [Key]; 14] = [
        &platform::KEYS,
        &repository::KEYS,
        &s3::KEYS,
        &standstill::KEYS,
        &retention::KEYS,
        &verify::KEYS,
        &maintenance::KEYS,
        &schedule::KEYS,
        &access::KEYS,
        &notices::KEYS,
        &history::KEYS,
        &doctor::KEYS,
        &diagnostics::KEYS,
        &[CONFIG],
    ];
    owners.into_iter().flatten().collect()
}

/// The configuration, each owner's part its own type.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// The platform and its engine.
    pub(crate) platform: Platform,
    /// How long a silent writer keeps others away from the repository.
    pub(crate) lease: Duration,
    /// How backups keep clients away.
    pub(crate) standstill: StandstillRules,
    /// How long backups stay.
    pub(crate) retention: Policy,
    /// What is verified without being asked for.
    pub(crate) verify: Verify,
    /// How Dagster's databases are kept lean.
    pub(crate) maintenance: Rules,
    /// What the service begins by itself.
    pub(crate) schedules: Vec<Planned>,
    /// When others are at work that it does not begin.
    pub(crate) foreign_windows: Vec<Window>,
    /// How long what is at work may go on when the service ends.
    pub(crate) grace: Duration,
    /// How the service is asked over the network.
    pub(crate) access: Access,
    /// Who is told what.
    pub(crate) notices: Notices,
    /// The zone in which schedules count and times are told.
    pub(crate) zone: TimeZone,
    /// How long it is known which runs there were.
    pub(crate) history: HistoryLimits,
    /// What a doctor is not to tell.
    pub(crate) accepted: Vec<String>,
    /// What is told beside what everybody sees.
    pub(crate) diagnostics: Diagnostics,
    /// Print JSON.
    pub(crate) json: bool,
    /// Tell warnings and errors alone of what runs do.
    pub(crate) quiet: bool,
    /// What looks like a mistake and stops nothing.
    pub(crate) warnings: Vec<String>,
    choice: Choice,
    settings: Settings,
    arguments: Vec<OsString>,
}

impl Config {
    /// Reads everything. Fails, without having done anything, on whatever cannot be understood.
    pub(crate) fn load(options: &Options) -> Result<Self, Failure> {
        Self::read(options, &Surroundings::of_process())
    }

    /// What of it can be read, for the verbs that bring a platform back: where its engine is, where our state is, and
    /// which platform. Everything else has its default, and where the backups are is unknown. Fails with what made
    /// the whole unreadable where not even that can be told.
    pub(crate) fn salvage(options: &Options, broken: Failure) -> Result<Self, Failure> {
        Self::salvaged(options, &Surroundings::of_process(), broken)
    }

    fn salvaged(options: &Options, surroundings: &Surroundings, broken: Failure) -> Result<Self, Failure> {
        let why = broken.what();
        let warnings = vec![format!(
            "the configuration cannot be read, so only engine, state directory and platform are taken from it: {why}"
        )];
        let choice = Choice {
            repository: Repository::Unknown(why),
            origin: Origin::Default,
            warning: None,
        };
        let settings = salvage::layers(options, surroundings);
        Self::of(options, surroundings, settings, choice, warnings).map_err(|_| broken)
    }

    fn read(options: &Options, surroundings: &Surroundings) -> Result<Self, Failure> {
        let keys = keys();
        let (settings, warnings) = layers(options, surroundings, &keys)?;
        stores::check(&settings)?;
        let choice = repository::choose(&settings, surroundings)?;
        Self::of(options, surroundings, settings, choice, warnings)
    }

    fn of(
        options: &Options,
        surroundings: &Surroundings,
        mut settings: Settings,
        choice: Choice,
        mut warnings: Vec<String>,
    ) -> Result<Self, Failure> {
        settings.push(defaults(&settings, surroundings, &choice, &keys())?);
        warnings.extend(choice.warning.clone());
        let verify = verify::read(&settings)?;
        let maintenance = maintenance::read(&settings)?;
        let (zone, about_zone) = schedule::zone(&settings, surroundings)?;
        warnings.extend(about_zone);
        let schedules = schedule::read(&settings, &zone, verify, maintenance)?;
        let (notices, about_notices) = notices::read(&settings, &zone)?;
        warnings.extend(about_notices);
        Ok(Self {
            platform: platform::read(&settings),
            lease: repository::lease(&settings)?,
            standstill: standstill::read(&settings)?,
            retention: retention::read(&settings)?,
            verify,
            maintenance,
            schedules,
            foreign_windows: schedule::foreign_windows(&settings)?,
            grace: schedule::grace(&settings)?,
            access: access::read(&settings)?,
            notices,
            zone,
            history: history::read(&settings)?,
            accepted: doctor::read(&settings)?,
            diagnostics: diagnostics::read(&settings)?,
            json: options.json,
            quiet: options.quiet,
            warnings,
            choice,
            settings,
            arguments: options.arguments(),
        })
    }

    /// How runs are shown.
    pub(crate) fn form(&self) -> Form {
        match (self.json, self.quiet) {
            (true, _) => Form::Json,
            (false, true) => Form::Quiet,
            (false, false) => Form::Usual,
        }
    }

    /// The platform that was asked for.
    pub(crate) fn project(&self) -> Option<Project> {
        self.platform.name.clone()
    }

    /// Where the backups go.
    pub(crate) fn repository(&self) -> Repository {
        self.choice.repository.clone()
    }

    /// Which value decided where the backups go.
    pub(crate) fn chosen_by(&self) -> &Origin {
        &self.choice.origin
    }

    /// The kinds of store that are known, told what is configured for them.
    pub(crate) fn kinds(&self) -> Vec<Arc<dyn Kind>> {
        stillpoint_stores::registry(&stores::configured(&self.settings), self.project().as_ref())
    }

    /// The flags of this run, for a process that does the same elsewhere.
    pub(crate) fn arguments(&self) -> &[OsString] {
        &self.arguments
    }

    /// Every value, as it may be shown; with the labels of the platform's containers, if they are known.
    pub(crate) fn rows(&self, plan: Option<&Plan>) -> Vec<Row> {
        let mut settings = self.settings.clone();
        let labels = plan.map(|plan| labels::layer(plan, &settings));
        settings.push(labels.unwrap_or_default());
        show::rows(&settings, &keys())
    }

    /// What is set for stores and looks like a mistake; fails where a store would not heed it.
    pub(crate) fn look_at_stores(&self, plan: &Plan) -> Result<Vec<String>, Failure> {
        let kinds = self.kinds();
        let kind_of = |workload: &Workload| {
            let kind = kinds.iter().find(|kind| match kind.recognises(workload) {
                Recognition::Store => true,
                Recognition::Ask(_) => plan.is_store(workload),
                Recognition::No => false,
            });
            Some(kind?.kind())
        };
        effect::check(&self.settings, plan, &kind_of)
    }
}

/// All layers above the defaults, and the warnings about them.
fn layers(options: &Options, surroundings: &Surroundings, keys: &[&Key]) -> Result<(Settings, Vec<String>), Failure> {
    let mut settings = Settings::default();
    settings.push(flags(options, keys));
    let environment = environment(surroundings, keys)?;
    settings.push(variables::layer(Place::Environment, &environment, keys)?);
    let mut warnings = variables::unknown(Place::Environment, &environment, keys);
    if let Some(name) = &options.env_file {
        let variables = env_file(name, keys)?;
        settings.push(variables::layer(Place::File(name), &variables, keys)?);
        warnings.extend(variables::unknown(Place::File(name), &variables, keys));
    }
    if let Some((path, text)) = config_file(&settings, surroundings)? {
        let in_file: Vec<&Key> = keys.iter().copied().filter(|key| !key.path.is_empty()).collect();
        settings.push_file(file::read(&path, &text, &in_file)?);
    }
    Ok((settings, warnings))
}

fn flags(options: &Options, keys: &[&Key]) -> Layer {
    let mut layer = Layer::new();
    for (flag, value) in options.named() {
        let key = keys.iter().find(|key| key.flag == Some(flag));
        if let (Some(key), Some(text)) = (key, value.filter(|value| !value.is_empty())) {
            let found = Found {
                text: SecretString::from(text),
                origin: Origin::Flag(flag),
            };
            layer.insert(key.variable.to_owned(), found);
        }
    }
    layer
}

fn environment(surroundings: &Surroundings, keys: &[&Key]) -> Result<Variables, Failure> {
    let mut variables = Variables::new();
    for (name, value) in &surroundings.environment {
        let Some(name) = name.to_str().filter(|name| variables::is_ours(name, keys)) else {
            continue;
        };
        let value = value
            .to_str()
            .ok_or_else(|| refused(&Place::Environment.origin(name), "its value is not UTF-8"))?;
        variables.insert(name.to_owned(), SecretString::from(value));
    }
    Ok(variables)
}

fn env_file(name: &str, keys: &[&Key]) -> Result<Variables, Failure> {
    let text = std::fs::read_to_string(name)
        .map_err(|error| Failure::usage(format!("--env-file: {name} cannot be read: {error}"), HINT))?;
    let lines = env_file::parse(&text).into_iter();
    let ours = lines.filter(|(variable, _)| variables::is_ours(variable, keys));
    ours.map(|line| Ok((line.0.clone(), SecretString::from(env_file::accepted(name, line)?))))
        .collect()
}

/// The file that is named, or the first that is there.
fn config_file(settings: &Settings, surroundings: &Surroundings) -> Result<Option<(PathBuf, String)>, Failure> {
    if let Some(found) = settings.found(CONFIG.variable) {
        let path = PathBuf::from(found.text.expose_secret());
        let text = std::fs::read_to_string(&path)
            .map_err(|error| refused(&found.origin, format!("{} cannot be read: {error}", path.display())))?;
        return Ok(Some((path, text)));
    }
    for path in &surroundings.files {
        if let Some(text) = readable(path)? {
            return Ok(Some((path.clone(), text)));
        }
    }
    Ok(None)
}

fn readable(path: &Path) -> Result<Option<String>, Failure> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::usage(
            format!("{} cannot be read: {error}", path.display()),
            "let this user read it, or name another with --config FILE",
        )),
    }
}

fn defaults(
    settings: &Settings,
    surroundings: &Surroundings,
    choice: &Choice,
    keys: &[&Key],
) -> Result<Layer, Failure> {
    let mut layer = Layer::new();
    let mut set = |key: &Key, text: String| {
        let found = Found {
            text: SecretString::from(text),
            origin: Origin::Default,
        };
        layer.insert(key.variable.to_owned(), found);
    };
    for key in keys {
        if let Fallback::Value(value) = key.fallback {
            set(key, value.to_owned());
        }
    }
    if settings.found(platform::STATE_DIR.variable).is_none() {
        let state = surroundings.home("XDG_STATE_HOME", ".local/state", "state", &platform::STATE_DIR)?;
        set(&platform::STATE_DIR, state.display().to_string());
    }
    if let (Repository::Local(directory), Origin::Default) = (&choice.repository, &choice.origin) {
        set(&repository::DIRECTORY, directory.display().to_string());
    }
    Ok(layer)
}
