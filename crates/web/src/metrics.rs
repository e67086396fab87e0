//! What Prometheus is told, as text: moments instead of ages, units in names, and no id of a backup or a run as a label. The
//! names are a promise: alert rules and dashboards hang on them (`ops/`).

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;

use jiff::Timestamp;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use stillpoint_core::ports::notices::ChannelNote;

/// The type of what [`text`] returns.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What is known now. What is not known is left out: an absent number is no zero.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    /// The program's version.
    pub version: String,
    /// The jobs: those that come by themselves, and those that have ever run.
    pub jobs: BTreeMap<String, Job>,
    /// So many runs of a job ended in a state since the service began.
    pub runs: BTreeMap<(String, String), u64>,
    /// The last backup kept clients down for so many seconds.
    pub clients_down: Option<f64>,
    /// So many containers that ran before a run do not run.
    pub not_recovered: Option<u64>,
    /// The stores, as the backups name them.
    pub stores: BTreeMap<String, Store>,
    /// So many backups are in this state.
    pub backups: BTreeMap<String, u64>,
    /// When the newest complete backup began.
    pub newest_backup: Option<Timestamp>,
    /// Whether the repository answers.
    pub repository_up: Option<bool>,
    /// So many runs wait.
    pub queue_length: Option<u64>,
    /// What became of notices, by channel.
    pub channels: Vec<ChannelNote>,
}

/// A job.
#[derive(Clone, Debug, Default)]
pub struct Job {
    /// When the last run ended that succeeded.
    pub last_success: Option<Timestamp>,
    /// When the last run ended.
    pub last_run: Option<Timestamp>,
    /// How long that took, in seconds.
    pub last_duration: Option<f64>,
    /// How far apart its times are, in seconds.
    pub expected_interval: Option<f64>,
    /// When it comes next by itself.
    pub next_run: Option<Timestamp>,
    /// Whether it comes by itself.
    pub enabled: Option<bool>,
    /// Whether a run of it is at work.
    pub in_progress: Option<bool>,
}

/// A store.
#[derive(Clone, Debug)]
pub struct Store {
    /// When the newest backup began that holds it.
    pub last_success: Timestamp,
    /// So large it is there.
    pub bytes: u64,
}

/// Labels with their values.
type Labels = Vec<(&'static str, String)>;

type Gauges = Family<Labels, Gauge<f64, AtomicU64>>;

/// A number of a job, where it is known.
type OfJob = fn(&Job) -> Option<f64>;

type Counters = Family<Labels, Counter>;

/// Numbers on their way into text.
struct Book(Registry);

impl Book {
    fn gauges(&mut self, name: &str, help: &str, values: impl IntoIterator<Item = (Labels, f64)>) {
        let family = Gauges::default();
        let mut is_empty = true;
        for (labels, value) in values {
            family.get_or_create(&labels).set(value);
            is_empty = false;
        }
        if !is_empty {
            self.0.register(name, help, family);
        }
    }

    fn gauge(&mut self, name: &str, help: &str, value: Option<f64>) {
        self.gauges(name, help, value.map(|value| (Labels::new(), value)));
    }

    fn counters(&mut self, name: &str, help: &str, values: impl IntoIterator<Item = (Labels, u64)>) {
        let family = Counters::default();
        let mut is_empty = true;
        for (labels, value) in values {
            family.get_or_create(&labels).inc_by(value);
            is_empty = false;
        }
        if !is_empty {
            self.0.register(name, help, family);
        }
    }
}

/// All of it, as Prometheus reads it.
pub fn text(metrics: &Metrics) -> String {
    let mut book = Book(Registry::default());
    let build = vec![("version", metrics.version.clone())];
    book.gauges("stillpoint_build_info", "The version of Stillpoint", [(build, 1.0)]);
    jobs(&mut book, metrics);
    platform(&mut book, metrics);
    repository(&mut book, metrics);
    let told = metrics.channels.iter().flat_map(|channel| {
        let labels = |result: &str| vec![("channel", channel.channel.clone()), ("result", result.to_owned())];
        [
            (labels("delivered"), channel.delivered),
            (labels("failed"), channel.failed),
        ]
    });
    book.counters(
        "stillpoint_notifications",
        "Attempts to tell a channel or a heartbeat",
        told,
    );
    let mut text = String::new();
    // Writing into a string cannot fail.
    let _ = encode(&mut text, &book.0);
    text
}

fn jobs(book: &mut Book, metrics: &Metrics) {
    let of = |value: OfJob| {
        let jobs = metrics.jobs.iter();
        jobs.filter_map(move |(job, known)| Some((vec![("job", job.clone())], value(known)?)))
    };
    let gauges: [(&str, &str, OfJob); 7] = [
        (
            "stillpoint_job_last_success_timestamp_seconds",
            "When the last run ended that succeeded",
            |job| job.last_success.map(seconds),
        ),
        (
            "stillpoint_job_last_run_timestamp_seconds",
            "When the last run ended, however",
            |job| job.last_run.map(seconds),
        ),
        (
            "stillpoint_job_last_duration_seconds",
            "How long the last run took",
            |job| job.last_duration,
        ),
        (
            "stillpoint_job_expected_interval_seconds",
            "How far apart the times of its schedule are",
            |job| job.expected_interval,
        ),
        (
            "stillpoint_job_next_run_timestamp_seconds",
            "When it comes next by itself",
            |job| job.next_run.map(seconds),
        ),
        (
            "stillpoint_job_enabled",
            "1: it comes by itself; 0: its schedule is switched off",
            |job| job.enabled.map(number),
        ),
        ("stillpoint_run_in_progress", "1: a run of it is at work", |job| {
            job.in_progress.map(number)
        }),
    ];
    for (name, help, value) in gauges {
        book.gauges(name, help, of(value));
    }
    let ended = metrics.runs.iter().map(|((job, status), count)| {
        let labels = vec![("job", job.clone()), ("status", status.clone())];
        (labels, *count)
    });
    book.counters("stillpoint_job_runs", "Runs that ended since the service began", ended);
}

fn platform(book: &mut Book, metrics: &Metrics) {
    book.gauge(
        "stillpoint_clients_down_seconds",
        "How long the last backup kept clients down",
        metrics.clients_down,
    );
    book.gauge(
        "stillpoint_containers_not_recovered",
        "Containers that ran before a run and do not run since",
        metrics.not_recovered.map(float),
    );
    book.gauge(
        "stillpoint_queue_length",
        "Runs that wait",
        metrics.queue_length.map(float),
    );
}

fn repository(book: &mut Book, metrics: &Metrics) {
    let of = |value: fn(&Store) -> f64| {
        let stores = metrics.stores.iter();
        stores.map(move |(name, store)| (vec![("store", name.clone())], value(store)))
    };
    book.gauges(
        "stillpoint_store_last_success_timestamp_seconds",
        "When the newest complete backup began that holds the store",
        of(|store| seconds(store.last_success)),
    );
    book.gauges(
        "stillpoint_store_backup_bytes",
        "How large the store is in that backup",
        of(|store| float(store.bytes)),
    );
    let counted = metrics.backups.iter();
    book.gauges(
        "stillpoint_backups",
        "Backups in the repository",
        counted.map(|(state, count)| (vec![("state", state.clone())], float(*count))),
    );
    book.gauge(
        "stillpoint_newest_backup_timestamp_seconds",
        "When the newest complete backup began",
        metrics.newest_backup.map(seconds),
    );
    book.gauge(
        "stillpoint_repository_up",
        "1: the repository answers",
        metrics.repository_up.map(number),
    );
    let verified = metrics.jobs.get("verify_job").and_then(|job| job.last_success);
    book.gauge(
        "stillpoint_verify_last_success_timestamp_seconds",
        "When the last verification ended that found no damage",
        verified.map(seconds),
    );
}

fn seconds(at: Timestamp) -> f64 {
    at.as_duration().as_secs_f64()
}

fn number(is: bool) -> f64 {
    f64::from(u8::from(is))
}

#[expect(clippy::cast_precision_loss, reason = "what Prometheus keeps is a double")]
fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::constant(second, 0)
    }

    fn full() -> Metrics {
        let job = Job {
            last_success: Some(at(1_771_286_400)),
            last_run: Some(at(1_771_286_400)),
            last_duration: Some(306.5),
            expected_interval: Some(86_400.0),
            next_run: Some(at(1_771_372_800)),
            enabled: Some(true),
            in_progress: Some(false),
        };
        let jobs = ["backup_job", "verify_job"].map(|name| (name.to_owned(), job.clone()));
        let store = Store {
            last_success: at(1_771_286_400),
            bytes: 5 << 30,
        };
        Metrics {
            version: "0.1.0".to_owned(),
            jobs: jobs.into(),
            runs: [(("backup_job".to_owned(), "SUCCESS".to_owned()), 3)].into(),
            clients_down: Some(7.25),
            not_recovered: Some(0),
            stores: [("postgres-main".to_owned(), store)].into(),
            backups: [("complete".to_owned(), 7)].into(),
            newest_backup: Some(at(1_771_286_400)),
            repository_up: Some(true),
            queue_length: Some(0),
            channels: vec![ChannelNote {
                channel: "ntfy:ntfy.sh".to_owned(),
                delivered: 2,
                failed: 1,
                ..ChannelNote::default()
            }],
        }
    }

    #[test]
    fn every_name_is_told_with_its_labels_and_its_unit() {
        let text = text(&full());
        for line in [
            "stillpoint_job_last_success_timestamp_seconds{job=\"backup_job\"} 1771286400.0",
            "stillpoint_job_last_run_timestamp_seconds{job=\"backup_job\"} 1771286400.0",
            "stillpoint_job_last_duration_seconds{job=\"backup_job\"} 306.5",
            "stillpoint_job_expected_interval_seconds{job=\"backup_job\"} 86400.0",
            "stillpoint_job_next_run_timestamp_seconds{job=\"backup_job\"} 1771372800.0",
            "stillpoint_job_enabled{job=\"backup_job\"} 1.0",
            "stillpoint_job_runs_total{job=\"backup_job\",status=\"SUCCESS\"} 3",
            "stillpoint_run_in_progress{job=\"backup_job\"} 0.0",
            "stillpoint_clients_down_seconds 7.25",
            "stillpoint_containers_not_recovered 0.0",
            "stillpoint_store_last_success_timestamp_seconds{store=\"postgres-main\"} 1771286400.0",
            "stillpoint_store_backup_bytes{store=\"postgres-main\"} 5368709120.0",
            "stillpoint_backups{state=\"complete\"} 7.0",
            "stillpoint_newest_backup_timestamp_seconds 1771286400.0",
            "stillpoint_repository_up 1.0",
            "stillpoint_verify_last_success_timestamp_seconds 1771286400.0",
            "stillpoint_queue_length 0.0",
            "stillpoint_notifications_total{channel=\"ntfy:ntfy.sh\",result=\"delivered\"} 2",
            "stillpoint_notifications_total{channel=\"ntfy:ntfy.sh\",result=\"failed\"} 1",
            "stillpoint_build_info{version=\"0.1.0\"} 1.0",
        ] {
            assert!(text.lines().any(|told| told == line), "{line} is not in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"), "{text}");
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let text = text(&Metrics::default());
        let told: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(told, ["stillpoint_build_info{version=\"\"} 1.0"]);
    }

    /// The documentation is what operators write their rules by.
    #[test]
    fn the_documentation_lists_every_name() {
        let page = include_str!("../../../docs/operating/metrics.md");
        let text = text(&full());
        let names = text.lines().filter(|line| !line.starts_with('#'));
        for name in names.filter_map(|line| line.split(['{', ' ']).next()) {
            assert!(
                page.contains(&format!("`{name}`")),
                "docs/operating/metrics.md lacks {name}"
            );
        }
    }

    /// The names of metrics in a text.
    fn names(text: &str) -> std::collections::BTreeSet<String> {
        let words = text.split(|c: char| !(c.is_ascii_lowercase() || c == '_'));
        let words = words.filter(|word| word.starts_with("stillpoint_") && word.len() > "stillpoint_".len());
        words.map(str::to_owned).collect()
    }

    #[test]
    fn what_alerts_dashboard_and_documentation_name_is_told() {
        let documented = names(include_str!("../../../docs/operating/metrics.md"));
        assert!(documented.len() >= 19, "{documented:?}");
        let told = names(&text(&full()));
        let missing: Vec<&String> = documented.difference(&told).collect();
        assert!(missing.is_empty(), "documented, and not told: {missing:?}");
        for (file, text) in [
            ("alerts", include_str!("../../../ops/prometheus/alerts.yaml")),
            ("dashboard", include_str!("../../../ops/grafana/stillpoint.json")),
        ] {
            let named = names(text);
            assert!(named.len() >= 7, "{file}: {named:?}");
            let unknown: Vec<&String> = named.difference(&documented).collect();
            assert!(unknown.is_empty(), "{file} names what is not documented: {unknown:?}");
        }
    }
}
