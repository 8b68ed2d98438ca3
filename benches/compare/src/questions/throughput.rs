//! Throughput, server CPU and latency, in short slices in random order.
//!
//! ```text
//!   processes 1:  round 1:  Mayfly 2 │ Redis │ echo │ Mayfly 1 │ …     ratios of this round: neighbours in time
//!                 round 2:  Redis │ Mayfly 1 │ …
//!   processes 2:  all servers anew, their data written again
//! ```
//!
//! Latency is from the sending of a pipeline to each of its replies, as the client saw it.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args;
use fastrand::Rng;
use hdrhistogram::Histogram;
use serde_json::Value;

use super::Common;
use super::comparison::{self, Samples};
use crate::cases::{Case, Way, fill_keys, fill_sessions};
use crate::load::{Keys, Load, latencies};
use crate::servers::process::allow_connections;
use crate::servers::{Recipe, Server};
use crate::statistics::Rounds;

/// Flags of the comparison.
#[derive(Args, Clone)]
pub struct Options {
    /// Cases to run.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "ping,set-and-ttl,hset,hget,hmget,hgetall,hincrby,expire"
    )]
    pub cases: Vec<Case>,
    /// Depths of the pipelines.
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "1,16,64")]
    pub pipelines: Vec<usize>,
    /// Connections to each server.
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub connections: usize,
    /// Numbers of connections that are tried as well, without pipelines, with the first three cases.
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "1,1000")]
    pub other_connections: Vec<usize>,
    /// Number of keys of each kind.
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    pub keys: u64,
    /// Fresh processes of every server, one after the other.
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub processes: usize,
    /// Length of one slice in ms.
    #[arg(long, value_name = "MS", default_value_t = 20)]
    pub slice: u64,
    /// How long every server is active for one row of the table, in seconds.
    #[arg(long, value_name = "S", default_value_t = 8.0)]
    pub active: f64,
    /// What other questions ask for in another manner.
    #[arg(skip)]
    pub manner: Manner,
}

/// How slices are measured where the question is another.
#[derive(Clone, Copy)]
pub struct Manner {
    /// Only keys of [`Case::SetAndTtl`] are written, and every program is asked in the first of its ways.
    pub is_set_and_ttl_only: bool,
    /// Slices before the first that counts, in every process.
    pub warm_up_rounds: usize,
    /// From the last reply to the reading of the server's CPU: what a thread has used counts once it sleeps.
    pub settle: Duration,
}

impl Default for Manner {
    fn default() -> Self {
        Manner { is_set_and_ttl_only: false, warm_up_rounds: 3, settle: Duration::from_micros(300) }
    }
}

impl Options {
    /// A few slices of everything.
    pub fn quick(self) -> Self {
        Options {
            connections: 10,
            other_connections: vec![1, 30],
            keys: 1_000,
            processes: 2,
            slice: 2,
            active: 0.008,
            ..self
        }
    }

    /// Slices of each process at each point.
    pub fn rounds_per_process(&self) -> usize {
        let slices = self.active * 1e3 / self.slice as f64;
        (slices / self.processes as f64).ceil().max(1.0) as usize
    }

    fn points(&self) -> Vec<Point> {
        let mut points = Vec::new();
        for &case in &self.cases {
            points.extend(self.pipelines.iter().map(|&pipeline| Point {
                case,
                pipeline,
                connections: self.connections,
            }));
        }
        for &connections in &self.other_connections {
            let few = self.cases.iter().filter(|case| CASES_OF_OTHER_CONNECTIONS.contains(case));
            points.extend(few.map(|&case| Point { case, pipeline: 1, connections }));
        }
        points
    }
}

/// At other numbers of connections the kernel is the cost, so few cases say all.
const CASES_OF_OTHER_CONNECTIONS: [Case; 4] = [Case::Ping, Case::SetAndTtl, Case::Hset, Case::Hget];

/// One row of the table for every server.
#[derive(Clone, Copy, Debug)]
pub struct Point {
    /// What is asked for.
    pub case: Case,
    /// How much at once.
    pub pipeline: usize,
    /// By how many.
    pub connections: usize,
}

/// Runs the comparison and prints its table.
pub fn run(common: &Common, options: &Options, random: &mut Rng) -> Result<Value> {
    let options = if common.quick { options.clone().quick() } else { options.clone() };
    let mut recipes = common.lineup.servers()?;
    recipes.push(common.lineup.echo()?);
    let measured = measure(&recipes, &options, random)?;
    println!(
        "{} random keys of each kind; slices of {} ms, {} rounds with each of {} fresh processes of every server;\n\
         [95 % interval, bootstrap over processes and rounds]",
        options.keys,
        options.slice,
        options.rounds_per_process(),
        options.processes
    );
    Ok(comparison::report(&measured, random.u64(..)))
}

/// All slices of the servers at all points.
pub fn measure(
    recipes: &[Recipe],
    options: &Options,
    random: &mut Rng,
) -> Result<Vec<(Point, Vec<Samples>)>> {
    let points = options.points();
    let most = points.iter().map(|point| point.connections).max().unwrap_or_default();
    // Those of the usual number stay open beside the others.
    allow_connections((options.connections + most) * recipes.len())?;
    let mut measured: Vec<(Point, Vec<Samples>)> = points.iter().map(|&point| (point, Vec::new())).collect();
    let mut order: Vec<usize> = (0..points.len()).collect();
    for process in 1..=options.processes {
        eprintln!("process {process} of {}: writing keys", options.processes);
        let mut field = Field::start(recipes, options)?;
        random.shuffle(&mut order);
        for &index in &order {
            let (point, samples) = &mut measured[index];
            let Point { case, pipeline, connections } = point;
            eprintln!("process {process}: {}, P = {pipeline}, {connections} connections", case.name());
            field.run(*point, options, samples, random)?;
        }
    }
    Ok(measured)
}

/// The servers, side by side, with the data in them.
struct Field {
    servers: Vec<Server>,
    loads: Vec<Load>,
}

/// One server asked in one way.
struct Contender {
    server: usize,
    way: Way,
}

impl Field {
    fn start(recipes: &[Recipe], options: &Options) -> Result<Self> {
        let servers: Vec<Server> = recipes.iter().map(Server::start).collect::<Result<_>>()?;
        let fill = if options.manner.is_set_and_ttl_only { fill_sessions } else { fill_keys };
        servers.iter().try_for_each(|server| fill(server, options.keys))?;
        let loads = Field::connect(&servers, options.connections)?;
        Ok(Field { servers, loads })
    }

    fn connect(servers: &[Server], connections: usize) -> Result<Vec<Load>> {
        servers.iter().map(|server| Load::connect(server.address, connections)).collect()
    }

    fn run(
        &mut self,
        point: Point,
        options: &Options,
        samples: &mut Vec<Samples>,
        random: &mut Rng,
    ) -> Result<()> {
        let mut others = match point.connections == options.connections {
            true => Vec::new(),
            false => Field::connect(&self.servers, point.connections)?,
        };
        let loads = if others.is_empty() { &mut self.loads } else { &mut others };
        let ways_max = if options.manner.is_set_and_ttl_only { 1 } else { usize::MAX };
        let contenders: Vec<Contender> = (self.servers.iter().enumerate())
            .flat_map(|(server, of)| {
                let ways = point.case.ways(of.program).into_iter().take(ways_max);
                ways.map(move |way| Contender { server, way })
            })
            .collect();
        if samples.is_empty() {
            samples.extend(contenders.iter().map(|contender| {
                let server = &self.servers[contender.server];
                Samples::new(server.program, server.threads, server.name.clone(), contender.way.name)
            }));
        }
        samples.iter_mut().for_each(Samples::begin_process);
        let mut order: Vec<usize> = (0..contenders.len()).collect();
        let mut warm_up = latencies();
        for round in 0..options.manner.warm_up_rounds + options.rounds_per_process() {
            random.shuffle(&mut order);
            for &index in &order {
                let Contender { server, way } = &contenders[index];
                let (server, load) = (&self.servers[*server], &mut loads[*server]);
                let samples = &mut samples[index];
                let counts = round >= options.manner.warm_up_rounds;
                let times = if counts { &mut samples.latencies } else { &mut warm_up };
                let keys = Keys::Random(random, options.keys);
                let (rate, cpu) = slice(server, load, way, point.pipeline, keys, options, times)
                    .with_context(|| format!("{}: {} by {}", server.name, point.case.name(), way.name))?;
                if counts {
                    samples.add(rate, cpu);
                }
            }
        }
        Ok(())
    }
}

/// Operations a second and server CPU µs per operation of one slice.
fn slice(
    server: &Server,
    load: &mut Load,
    way: &Way,
    pipeline: usize,
    keys: Keys<'_>,
    options: &Options,
    latencies: &mut Histogram<u64>,
) -> Result<(f64, f64)> {
    let before = server.cpu()?;
    let length = Duration::from_millis(options.slice);
    let work = load.run(&way.operation, pipeline, keys, Some(length), latencies)?;
    std::thread::sleep(options.manner.settle);
    let cpu = server.cpu()? - before;
    ensure!(work.operations > 0, "nothing was answered");
    let operations = work.operations as f64;
    Ok((operations / work.elapsed.as_secs_f64(), cpu.as_secs_f64() * 1e6 / operations))
}

/// The geometric mean over all points of the median rate of each recipe, for which there is one contender a point.
pub fn mean_rates(measured: &[(Point, Vec<Samples>)]) -> Vec<f64> {
    let median = |rounds: &Rounds| crate::statistics::median(&mut rounds.concat());
    let contenders = measured.first().map_or(0, |(_, samples)| samples.len());
    (0..contenders)
        .map(|index| {
            let logarithms = measured.iter().map(|(_, samples)| median(&samples[index].rates).ln());
            (logarithms.sum::<f64>() / measured.len() as f64).exp()
        })
        .collect()
}
