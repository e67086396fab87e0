//! Who we are to the server and how we reach it: found on its container's command line and in its
//! environment, overridden by our own. Every connection of this store is opened here.

use secrecy::SecretString;
use stillpoint_core::engine::limits::{LOOK_EVERY, STORE_READY};
use stillpoint_core::names::StoreName;
use stillpoint_core::ports::{EngineError, Overdue};
use stillpoint_core::stores::{Cx, StoreError};
use stillpoint_core::workload::Workload;

use super::ValkeyStore;
use super::info::Info;
use super::options::option;
use super::session::{Login, Session, Trouble};
use crate::Setting;
use crate::settings::{self, PASSWORD, USER};
use crate::toolbox::{Secret, guarded};

pub(super) const PORT: u16 = 6379;

/// The user that a server has before anybody makes one.
const DEFAULT_USER: &str = "default";

/// What the container and our environment say about the login.
#[derive(Clone)]
pub(super) struct Access {
    user: Option<String>,
    password: Secret,
    pub(super) port: u16,
    /// The variable that overrides the password.
    variable: String,
}

impl Access {
    pub(super) fn of(store: &StoreName, workload: &Workload, setting: &Setting) -> Result<Self, StoreError> {
        let own = |names: [&str; 2]| {
            names
                .into_iter()
                .find_map(|name| workload.environment.get(name).cloned())
        };
        let on_command_line = option(workload, "--requirepass").map(SecretString::from);
        let password = Secret::known(setting.secret(&PASSWORD))
            .or_else(|| Secret::in_file(setting.in_file(&PASSWORD)))
            .or_else(|| Secret::known(on_command_line))
            .or_else(|| Secret::known(own(["VALKEY_PASSWORD", "REDIS_PASSWORD"])))
            .or_else(|| Secret::in_file(own(["VALKEY_PASSWORD_FILE", "REDIS_PASSWORD_FILE"])))
            .unwrap_or(Secret::None);
        let port = setting.number(&settings::PORT, option(workload, "--port"));
        let port = port.map_err(|wrong| StoreError::Unfit(format!("{store}: {wrong}")))?;
        Ok(Self {
            user: setting.text(&USER),
            password,
            port: port.unwrap_or(PORT),
            variable: setting.variable(&PASSWORD),
        })
    }

    fn user(&self) -> &str {
        self.user.as_deref().unwrap_or(DEFAULT_USER)
    }
}

impl ValkeyStore {
    /// Connects to the server.
    pub(super) async fn open(&self, cx: &Cx) -> Result<Session, StoreError> {
        self.try_open(cx).await?.map_err(|trouble| self.login_failed(trouble))
    }

    async fn try_open(&self, cx: &Cx) -> Result<Result<Session, Trouble>, StoreError> {
        let login = Login {
            user: self.access.user.clone(),
            password: self.access.password.read(cx, &self.workload).await?,
        };
        Ok(Session::open(cx, &self.workload, self.access.port, &login).await)
    }

    /// Waits until the server serves its data: after a start it may load for as long as it is large.
    /// It is waited for as long as it gets on.
    pub(super) async fn wait_until_ready(&self, cx: &Cx) -> Result<(), StoreError> {
        let mut progress = 0;
        let mut sign_of_life = cx.clock.elapsed();
        loop {
            match self.look(cx).await? {
                Look::Ready => return Ok(()),
                Look::Loading(bytes) if bytes != progress => {
                    progress = bytes;
                    sign_of_life = cx.clock.elapsed();
                }
                Look::Loading(_) | Look::Silent => {}
            }
            if cx.clock.elapsed().saturating_sub(sign_of_life) > STORE_READY {
                let what = format!("{} serving its data", self.name);
                return Err(Overdue {
                    what,
                    limit: STORE_READY,
                }
                .into());
            }
            guarded(cx, "waiting", cx.clock.sleep(LOOK_EVERY)).await?;
        }
    }

    async fn look(&self, cx: &Cx) -> Result<Look, StoreError> {
        let session = match self.open(cx).await {
            Ok(session) => session,
            Err(StoreError::Silent { .. } | StoreError::Engine(EngineError::Refused { .. })) => {
                return Ok(Look::Silent);
            }
            Err(error) => return Err(error),
        };
        match session.ask(&["PING"]).await {
            Ok(_) => Ok(Look::Ready),
            Err(Trouble::Loading) => match Info::ask(&session, Some("persistence")).await {
                Ok(info) => Ok(Look::Loading(info.number("loading_loaded_bytes"))),
                Err(_) => Ok(Look::Silent),
            },
            Err(Trouble::Broken(_) | Trouble::Overdue(_)) => Ok(Look::Silent),
            Err(trouble) => Err(self.login_failed(trouble)),
        }
    }

    pub(super) fn login_failed(&self, trouble: Trouble) -> StoreError {
        let store = self.name.clone();
        match trouble {
            Trouble::Refused(cause) => {
                let (user, variable) = (self.access.user().to_owned(), &self.access.variable);
                StoreError::Credential {
                    remedy: if cause.starts_with("NOPERM") {
                        format!("let `{user}` do what docs/stores/valkey.md lists, or name another user")
                    } else {
                        format!("set {variable} (or {variable}_FILE) to the password of `{user}`")
                    },
                    store,
                    user,
                    cause,
                }
            }
            Trouble::Engine(EngineError::Refused { message: cause, .. }) | Trouble::Broken(cause) => {
                StoreError::Silent {
                    store,
                    cause: cause.into(),
                }
            }
            Trouble::Overdue(overdue) => StoreError::Silent {
                store,
                cause: overdue.into(),
            },
            trouble @ Trouble::Loading => StoreError::Silent {
                store,
                cause: trouble.into(),
            },
            trouble => server("logging in", trouble),
        }
    }
}

/// What a look at a server that was started shows.
enum Look {
    /// It serves its data.
    Ready,
    /// It has read so many bytes of its data.
    Loading(u64),
    /// It does not answer yet.
    Silent,
}

/// An error of the server, with what it was asked.
pub(super) fn server(doing: impl Into<String>, trouble: Trouble) -> StoreError {
    match trouble {
        Trouble::Engine(error) => StoreError::Engine(error),
        Trouble::Overdue(overdue) => StoreError::Overdue(overdue),
        trouble => StoreError::Server {
            doing: doing.into(),
            cause: trouble.into(),
        },
    }
}
