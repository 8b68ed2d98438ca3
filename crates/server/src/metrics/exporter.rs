//! Collects all values when somebody scrapes, and renders them.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::Request;
use actix::{Handler, Message};
use hashbrown::HashMap;
use mayfly_command::{CommandId, MAYFLY_VERSION, REDIS_VERSION, Table, imbalance};
use mayfly_engine::{TallySnapshot, ThreadCounters};
use metrics::{Key, Label, Level, Metadata, Recorder, with_local_recorder};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusRecorder};
use metrics_process::Collector;
use tokio::sync::Mutex;

use super::histogram::Histogram;
use super::sample::HORIZONS;
use super::{METRICS, Metric, ShardSample, Source};
use crate::host::ServerHost;
use crate::inbox::ShardPeer;
use crate::shard::{Measure, ShardActor};

/// How long a scrape waits for a shard; one that does not answer keeps its last values.
const MEASURE_TIMEOUT: Duration = Duration::from_millis(500);

/// Renders metrics; one scrape at a time.
pub struct Exporter {
    host: Arc<ServerHost>,
    shards: Vec<ShardPeer>,
    state: Mutex<State>,
}

struct State {
    recorder: PrometheusRecorder,
    process: Collector,
    samples: Vec<ShardSample>,
    /// One a histogram of [`METRICS`], in its order.
    histograms: Vec<Histogram>,
    tallies: HashMap<(usize, usize), TallySnapshot>,
}

impl Exporter {
    /// An exporter of everything that `host` and `shards` count.
    pub fn new(host: Arc<ServerHost>, shards: Vec<ShardPeer>) -> Self {
        let recorder = PrometheusBuilder::new().build_recorder();
        for Metric { name, help, source } in METRICS {
            let (name, help) = ((*name).into(), (*help).into());
            match source.kind() {
                "counter" => recorder.describe_counter(name, None, help),
                "gauge" => recorder.describe_gauge(name, None, help),
                _ => {}
            }
        }
        let process = Collector::default();
        with_local_recorder(&recorder, || process.describe());
        let histograms = METRICS.iter().filter_map(|Metric { name, help, source }| match source {
            Source::ShardLag => Some(Histogram::new(name, help, "shard", super::LAG_SECONDS)),
            Source::ThreadHistogram(_, _, bounds) => Some(Histogram::new(name, help, "shard", bounds)),
            Source::CommandSeconds(bounds) => Some(Histogram::new(name, help, "command", bounds)),
            Source::DiskHistogram(_, _, bounds) => Some(Histogram::new(name, help, "", bounds)),
            _ => None,
        });
        let state = State {
            samples: vec![ShardSample::default(); shards.len()],
            histograms: histograms.collect(),
            tallies: HashMap::new(),
            process,
            recorder,
        };
        Exporter { host, shards, state: Mutex::new(state) }
    }

    /// The server that it exports.
    pub fn host(&self) -> &ServerHost {
        &self.host
    }

    /// What each shard says of itself; `None` of one that does not answer in time.
    pub async fn ask<M, R>(&self, question: fn() -> M) -> Vec<Option<R>>
    where
        M: Message<Result = Option<R>> + Send + 'static,
        R: Send + 'static,
        ShardActor: Handler<M>,
    {
        // All are asked before the first is waited for.
        let asked: Vec<_> = self.shards.iter().map(|shard| shard.address.send(question())).collect();
        let mut answers = Vec::new();
        for (shard, first) in self.shards.iter().zip(asked) {
            let answer = tokio::time::timeout(MEASURE_TIMEOUT, answer_of(shard, first, question)).await;
            answers.push(answer.ok().flatten());
        }
        answers
    }

    /// Collects and renders everything, in Prometheus' text format.
    pub async fn render(&self) -> String {
        let mut state = self.state.lock().await;
        let answers = self.ask(|| Measure).await;
        for (sample, answer) in state.samples.iter_mut().zip(answers) {
            match answer {
                Some(answer) => *sample = answer,
                None => sample.lags.clear(),
            }
        }
        state.collect(&self.host);
        let mut text = state.recorder.handle().render();
        for histogram in &state.histograms {
            histogram.render(&mut text);
        }
        text
    }
}

/// Waits for what a shard says of itself. While its keyspace is away with a step over several shards it is asked again:
/// the keyspace is on its way home.
async fn answer_of<M, R>(shard: &ShardPeer, first: Request<ShardActor, M>, again: fn() -> M) -> Option<R>
where
    M: Message<Result = Option<R>> + Send + 'static,
    R: Send + 'static,
    ShardActor: Handler<M>,
{
    let mut answer = first.await.ok()?;
    while answer.is_none() {
        tokio::time::sleep(Duration::from_millis(1)).await;
        answer = shard.address.send(again()).await.ok()?;
    }
    answer
}

impl State {
    fn collect(&mut self, host: &ServerHost) {
        with_local_recorder(&self.recorder, || self.process.collect());
        let mut histogram = 0;
        for (position, metric) in METRICS.iter().enumerate() {
            self.collect_one(position, metric, histogram, host);
            histogram += usize::from(metric.source.kind() == "histogram");
        }
    }

    fn collect_one(&mut self, position: usize, metric: &Metric, histogram: usize, host: &ServerHost) {
        let name = metric.name;
        match metric.source {
            Source::ShardGauge(value) => {
                for (shard, sample) in self.samples.iter().enumerate() {
                    self.gauge(name, vec![shard_label(shard)], value(sample));
                }
            }
            Source::ShardForecast(value) => {
                for (shard, sample) in self.samples.iter().enumerate() {
                    for ((within, _), forecast) in HORIZONS.iter().zip(&sample.forecasts) {
                        let labels = vec![shard_label(shard), Label::new("within", *within)];
                        self.gauge(name, labels, value(forecast));
                    }
                }
            }
            Source::ShardCounter(value, extra) => {
                for (shard, sample) in self.samples.iter().enumerate() {
                    let extra = extra.map(|(name, value)| Label::new(name, value));
                    self.counter(
                        name,
                        [shard_label(shard)].into_iter().chain(extra).collect(),
                        value(sample),
                    );
                }
            }
            Source::Imbalance => {
                let of = |value: fn(&ShardSample) -> u64| {
                    imbalance(self.samples.iter().map(|sample| value(sample) as f64))
                };
                for (what, ratio) in [
                    ("keys", of(|sample| sample.gauges.keys)),
                    ("bytes", of(|sample| sample.gauges.used_bytes)),
                    ("calls", host.samples.calls_imbalance()),
                ] {
                    self.gauge(name, vec![Label::new("of", what)], ratio);
                }
            }
            Source::ShardLag => {
                let histogram = &mut self.histograms[histogram];
                for (shard, sample) in self.samples.iter().enumerate() {
                    let shard = shard.to_string();
                    histogram.ensure(&shard);
                    for (lag, count) in &sample.lags {
                        histogram.add(&shard, *lag as f64 / 1_000.0, *count);
                    }
                }
            }
            Source::ThreadGauge(value) => {
                for (shard, thread) in host.counters.iter().enumerate() {
                    self.gauge(name, vec![shard_label(shard)], value(thread));
                }
            }
            Source::ThreadCounter(value) => {
                for (shard, thread) in host.counters.iter().enumerate() {
                    self.counter(name, vec![shard_label(shard)], value(thread));
                }
            }
            Source::ThreadHistogram(tally, unit, _) => {
                for (shard, thread) in host.counters.iter().enumerate() {
                    let series = shard.to_string();
                    self.histograms[histogram].ensure(&series);
                    let key = (position, shard);
                    self.add_tally(key, tally(thread).snapshot(), unit, histogram, &series);
                }
            }
            Source::CommandCounter(value) => self.each_called_command(host, |state, id, label| {
                let total = host.total(|thread| value(thread.command(id)));
                state.counter(name, vec![Label::new("command", label)], total);
            }),
            Source::CommandSeconds(_) => self.each_called_command(host, |state, id, label| {
                for (shard, thread) in host.counters.iter().enumerate() {
                    let snapshot = thread.command(id).nanos.snapshot();
                    // Positions of commands lie behind those of metrics.
                    let key = (METRICS.len() + id.index(), shard);
                    state.add_tally(key, snapshot, super::NANO, histogram, label);
                }
            }),
            Source::DiskGauge(value) => {
                self.gauge(name, Vec::new(), host.queue.as_deref().map_or(0.0, value));
            }
            Source::DiskCounter(value) => {
                self.counter(name, Vec::new(), host.queue.as_deref().map_or(0, value));
            }
            Source::DiskHistogram(tally, unit, _) => {
                self.histograms[histogram].ensure("");
                if let Some(queue) = &host.queue {
                    let snapshot = tally(&queue.measures).snapshot();
                    self.add_tally((position, 0), snapshot, unit, histogram, "");
                }
            }
            Source::ProcessGauge(value) => self.gauge(name, Vec::new(), value(host)),
            Source::ProcessGauges(label, values) => {
                for (series, value) in values(host) {
                    self.gauge(name, vec![Label::new(label, series)], value);
                }
            }
            Source::ProcessCounter(value) => self.counter(name, Vec::new(), value(host)),
            Source::BuildInfo => {
                let labels =
                    vec![Label::new("version", MAYFLY_VERSION), Label::new("redis_version", REDIS_VERSION)];
                self.gauge(name, labels, 1.0);
            }
        }
    }

    fn each_called_command(
        &mut self,
        host: &ServerHost,
        mut each: impl FnMut(&mut Self, CommandId, &'static str),
    ) {
        let called = |thread: &Arc<ThreadCounters>, id| thread.command(id).calls.get() > 0;
        for command in Table::get().all() {
            if host.counters.iter().any(|thread| called(thread, command.id)) {
                each(self, command.id, command.full_name());
            }
        }
    }

    fn add_tally(
        &mut self,
        key: (usize, usize),
        snapshot: TallySnapshot,
        unit: f64,
        histogram: usize,
        series: &str,
    ) {
        let earlier = self.tallies.insert(key, snapshot).unwrap_or_default();
        for (mean, count) in snapshot.since(&earlier) {
            self.histograms[histogram].add(series, mean * unit, count);
        }
    }

    fn gauge(&self, name: &'static str, labels: Vec<Label>, value: f64) {
        self.recorder.register_gauge(&Key::from_parts(name, labels), &METADATA).set(value);
    }

    fn counter(&self, name: &'static str, labels: Vec<Label>, value: u64) {
        self.recorder.register_counter(&Key::from_parts(name, labels), &METADATA).absolute(value);
    }
}

static METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, Some(module_path!()));

fn shard_label(shard: usize) -> Label {
    Label::new("shard", shard.to_string())
}
