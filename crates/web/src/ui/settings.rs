//! Settings: what counts now and where it comes from. Nothing is set here: the configuration is a file and an environment.

use askama::Template;
use axum::extract::State;

use super::frame::{Frame, Page, shown};
use crate::App;
use crate::auth::Role;
use crate::routes::Routes;
use crate::wire::{Service, Setting};

pub(super) fn routes(routes: Routes) -> Routes {
    routes.get("/settings", Role::Viewer, settings)
}

#[derive(Template)]
#[template(path = "settings.html")]
struct Settings<'a> {
    frame: &'a Frame,
    service: Service,
    groups: Vec<Group>,
}

/// The settings of one owner.
struct Group {
    name: String,
    settings: Vec<Setting>,
}

impl Setting {
    /// Whether somebody has set it.
    fn is_set(&self) -> bool {
        self.value.is_some() && self.origin.as_deref() != Some("default")
    }

    /// What counts if nobody has, without the marks of the documentation.
    fn default_words(&self) -> String {
        self.default.as_deref().unwrap_or("none").replace('`', "")
    }

    fn about_words(&self) -> String {
        self.about.as_deref().unwrap_or_default().replace('`', "")
    }
}

async fn settings(State(app): State<App>, frame: Frame) -> Page {
    Ok(shown(&Settings {
        service: app.platform.service(),
        groups: grouped(app.platform.settings()),
        frame: &frame,
    }))
}

/// By the first word of their keys, in the order in which they come; what has no key in the file comes last.
fn grouped(settings: Vec<Setting>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut others = Vec::new();
    for setting in settings {
        let Some((name, _)) = setting.key.split_once('.') else {
            others.push(setting);
            continue;
        };
        let name = name.to_owned();
        match groups.iter_mut().find(|group| group.name == name) {
            Some(group) => group.settings.push(setting),
            None => groups.push(Group {
                name,
                settings: vec![setting],
            }),
        }
    }
    if !others.is_empty() {
        groups.push(Group {
            name: "others".to_owned(),
            settings: others,
        });
    }
    groups
}
