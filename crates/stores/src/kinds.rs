//! Every kind of store behind what the operator says of its containers: in `[stores.<name>]`, by variables, and by
//! labels. A kind need not know where its settings come from.

use std::sync::Arc;

use stillpoint_core::manifest::Mode;
use stillpoint_core::names::{Project, StoreKind, StoreName};
use stillpoint_core::stores::{Kind, Neighbours, Recognition, Store, StoreError};
use stillpoint_core::workload::Workload;

use crate::settings::{Configured, Setting};

/// How a kind of store is made for one store's settings.
pub(crate) type Make = fn(Setting) -> Arc<dyn Kind>;

/// A kind whose stores are told what the operator says of them.
struct Told {
    make: Make,
    plain: Arc<dyn Kind>,
    configured: Configured,
    /// The platform that the configuration speaks of; none: the only one there is.
    platform: Option<Project>,
}

/// The kind that `make` makes; each of its stores is given its own settings.
pub(crate) fn told(make: Make, configured: &Configured, platform: Option<&Project>) -> Arc<dyn Kind> {
    Arc::new(Told {
        make,
        plain: make(Setting::none()),
        configured: configured.clone(),
        platform: platform.cloned(),
    })
}

impl Told {
    fn setting(&self, store: Option<&StoreName>, workload: &Workload) -> Setting {
        Setting::of(&self.configured, store, workload)
    }

    /// Whether the configuration speaks of this workload's platform.
    fn is_meant(&self, workload: &Workload) -> bool {
        let platform = self.platform.as_ref();
        platform.is_none_or(|platform| workload.address.project == *platform)
    }
}

impl Kind for Told {
    fn kind(&self) -> StoreKind {
        self.plain.kind()
    }

    fn recognises(&self, workload: &Workload) -> Recognition {
        let meant = self.is_meant(workload);
        let kind = meant.then(|| self.setting(None, workload).kind()).flatten();
        match kind {
            Some(kind) if kind == self.kind().as_str() => Recognition::Store,
            Some(_) => Recognition::No,
            None => self.plain.recognises(workload),
        }
    }

    fn data_files(&self) -> &'static [&'static str] {
        self.plain.data_files()
    }

    fn follows(&self, workload: &Workload) -> bool {
        self.plain.follows(workload)
    }

    fn name(&self, workload: &Workload) -> Result<Option<StoreName>, StoreError> {
        let container = &workload.container;
        let unfit = |wrong| StoreError::Unfit(format!("{container}: {wrong}"));
        self.setting(None, workload).name().map_err(unfit)
    }

    fn mode(&self, name: &StoreName, workload: &Workload) -> Result<Option<Mode>, StoreError> {
        self.setting(Some(name), workload)
            .mode()
            .map_err(|wrong| StoreError::Unfit(format!("{name}: {wrong}: set it in [stores.{name}], or by its label")))
    }

    fn store(
        &self,
        name: StoreName,
        workload: &Workload,
        neighbours: Neighbours<'_>,
    ) -> Result<Arc<dyn Store>, StoreError> {
        let setting = self.setting(Some(&name), workload);
        (self.make)(setting).store(name, workload, neighbours)
    }
}

#[cfg(test)]
mod tests {
    use stillpoint_core::workload::CommandLine;

    use super::*;
    use crate::registry;
    use crate::settings::USER;
    use crate::settings::tests::{configured, container};

    /// A kind that tells what its store is given.
    struct Telling(Setting);

    impl Kind for Telling {
        fn kind(&self) -> StoreKind {
            StoreKind::new("telling")
        }

        fn recognises(&self, _workload: &Workload) -> Recognition {
            Recognition::Store
        }

        fn store(
            &self,
            _name: StoreName,
            _workload: &Workload,
            neighbours: Neighbours<'_>,
        ) -> Result<Arc<dyn Store>, StoreError> {
            let user = self.0.text(&USER);
            let beside = neighbours.called("beside").map(|workload| &*workload.container);
            let said = [user.as_deref(), beside].into_iter().flatten();
            Err(StoreError::Unfit(said.collect::<Vec<_>>().join(" beside ")))
        }
    }

    #[test]
    fn every_kind_is_made_with_the_settings_and_the_neighbours_of_its_container() {
        let kind = told(|setting| Arc::new(Telling(setting)), &configured(&[]), None);
        let mut other = container(&[], &[]);
        "acme-meta-1".clone_into(&mut other.container);
        other.aliases.push("beside".to_owned());
        let said = |labels: &[(&str, &str)], neighbours: &[Workload]| {
            let db = container(labels, &[]);
            let store = kind.store(StoreName::new("db"), &db, Neighbours::of(neighbours));
            store.err().map(|error| error.to_string())
        };
        let labelled = [("stillpoint.user", "one")];
        assert_eq!(said(&labelled, &[other]).as_deref(), Some("one beside acme-meta-1"));
        assert_eq!(said(&labelled, &[]).as_deref(), Some("one"));
        assert_eq!(said(&[("stillpoint.user", "two")], &[]).as_deref(), Some("two"));
        assert_eq!(said(&[], &[]).as_deref(), Some(""));
    }

    /// The kind that the container `db` of the platform `acme` is taken for.
    fn taken(
        above: &[(&'static str, &'static str)],
        workload: &Workload,
        platform: Option<&Project>,
    ) -> Option<String> {
        let kinds = registry(&configured(above), platform);
        let kind = kinds
            .iter()
            .find(|kind| kind.recognises(workload) == Recognition::Store)?;
        Some(kind.kind().to_string())
    }

    #[test]
    fn every_kind_declares_what_it_can_be_told() {
        let kinds = registry(&configured(&[]), None);
        let kinds: Vec<String> = kinds.iter().map(|kind| kind.kind().to_string()).collect();
        let declared: Vec<&str> = crate::DECLARED.iter().map(|declared| declared.kind).collect();
        assert_eq!(kinds, declared);
    }

    #[test]
    fn the_configuration_says_what_a_container_is() {
        let mut server = container(&[], &["PGDATA=/data", "POSTGRES_PASSWORD=x"]);
        server.command = CommandLine::new(["postgres".to_owned()]);
        assert_eq!(taken(&[], &server, None).as_deref(), Some("postgres"));
        let none = [("STILLPOINT_DB_KIND", "none")];
        assert_eq!(taken(&none, &server, None), None);
        let by_container = [("STILLPOINT_ACME_DB_1_KIND", "valkey")];
        assert_eq!(taken(&by_container, &server, None).as_deref(), Some("valkey"));
        let labelled = container(&[("stillpoint.kind", "nats")], &[]);
        assert_eq!(taken(&[], &labelled, None).as_deref(), Some("nats"));
        assert_eq!(taken(&by_container, &labelled, None).as_deref(), Some("valkey"));
    }

    #[test]
    fn the_configuration_of_one_platform_says_nothing_of_another() {
        let plain = container(&[], &[]);
        let kind = [("STILLPOINT_DB_KIND", "valkey")];
        let acme = Project::new("acme");
        assert_eq!(taken(&kind, &plain, Some(&acme)).as_deref(), Some("valkey"));
        assert_eq!(taken(&kind, &plain, Some(&Project::new("shop"))), None);
    }

    #[test]
    fn a_store_is_called_as_the_operator_says() {
        let named = |above: &[(&'static str, &'static str)], labels: &[(&str, &str)]| {
            let kinds = registry(&configured(above), None);
            let name = kinds[0].name(&container(labels, &[]));
            name.map(|name| name.map(|name| name.to_string()))
                .map_err(|error| error.to_string())
        };
        assert_eq!(named(&[], &[]), Ok(None));
        let main = Ok(Some("postgres-main".to_owned()));
        assert_eq!(named(&[("STILLPOINT_DB_NAME", "postgres-main")], &[]), main);
        assert_eq!(named(&[], &[("stillpoint.name", "postgres-main")]), main);
        assert!(named(&[], &[("stillpoint.name", "../x")]).is_err());
    }
}
