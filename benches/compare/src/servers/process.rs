//! What the kernel says about a process.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::time::{ClockId, clock_getcpuclockid};
use nix::unistd::Pid;

/// Counts the processor time of all threads of a process, also of those that have ended.
///
/// It is the kernel's clock of the process, in nanoseconds. What a running thread has used since the last tick of
/// its processor is not in it yet; read it when the server sleeps.
#[derive(Clone, Copy)]
pub struct ProcessorClock(ClockId);

impl ProcessorClock {
    /// The clock of a process.
    pub fn of(process: u32) -> Result<Self> {
        let process = Pid::from_raw(i32::try_from(process)?);
        Ok(ProcessorClock(clock_getcpuclockid(process).context("the process has no clock")?))
    }

    /// What the process has used since its start.
    pub fn read(self) -> Result<Duration> {
        Ok(self.0.now()?.into())
    }
}

/// Bytes of memory that a process holds, `VmRSS`.
pub fn resident_bytes(process: u32) -> Result<u64> {
    bytes_in("VmRSS:", &status(process)?)
}

/// The most that a process has held so far, `VmHWM`.
pub fn resident_bytes_max(process: u32) -> Result<u64> {
    bytes_in("VmHWM:", &status(process)?)
}

/// Bytes of memory that a process and its children hold together, what they share counted once: the sum of their `Pss`.
///
/// The kernel walks all pages for it, which takes processor time and holds the process up where it asks for memory.
pub fn shared_out_bytes(process: u32) -> Result<u64> {
    let children = std::fs::read_to_string(format!("/proc/{process}/task/{process}/children"))?;
    let mut bytes = pss(process)?;
    for child in children.split_whitespace() {
        // It may have ended meanwhile.
        bytes += pss(child.parse()?).unwrap_or(0);
    }
    Ok(bytes)
}

fn pss(process: u32) -> Result<u64> {
    bytes_in("Pss:", &std::fs::read_to_string(format!("/proc/{process}/smaps_rollup"))?)
}

fn status(process: u32) -> Result<String> {
    Ok(std::fs::read_to_string(format!("/proc/{process}/status"))?)
}

fn bytes_in(name: &str, status: &str) -> Result<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let line = line.with_context(|| format!("no {name} in the status"))?;
    let kibibytes = line.trim().strip_suffix(" kB").with_context(|| format!("{name} is {line:?}"))?;
    Ok(kibibytes.trim().parse::<u64>()? * 1024)
}

/// Lets this process and the servers that it starts open as many files as this user may, at least so many
/// connections.
pub fn allow_connections(needed: usize) -> Result<()> {
    const OTHER_FILES: u64 = 500;
    let needed = needed as u64 + OTHER_FILES;
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    ensure!(most >= needed, "this needs {needed} open files, the limit is {most}; raise it by ulimit -Hn");
    setrlimit(Resource::RLIMIT_NOFILE, most, most)?;
    Ok(())
}

/// Keeps this thread, and with it the load, on one processor.
pub fn stay_on(processor: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(processor)?;
    sched_setaffinity(Pid::from_raw(0), &set).with_context(|| format!("there is no processor {processor}"))
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;

    use nix::time::{ClockId, clock_gettime};

    use super::{ProcessorClock, bytes_in, resident_bytes, resident_bytes_max, shared_out_bytes};

    #[test]
    fn processor_time_of_all_threads_counts_also_when_they_have_ended() {
        let clock = ProcessorClock::of(std::process::id()).unwrap();
        let before = clock.read().unwrap();
        let used = std::thread::spawn(|| {
            assert!(black_box((0..3_000_000_u64).fold(0, |sum, number| sum ^ black_box(number))) < u64::MAX);
            clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap()
        });
        let used = used.join().unwrap().into();
        assert!(clock.read().unwrap() - before >= used, "a thread alone used {used:?}");
    }

    #[test]
    fn resident_memory_is_read_in_bytes() {
        let status = "VmPeak:\t 9 kB\nVmRSS:\t    5120 kB\nThreads:\t2\n";
        assert_eq!(bytes_in("VmRSS:", status).unwrap(), 5120 * 1024);
        assert!(bytes_in("VmRSS:", "VmPeak: 9 kB").is_err());
        let held = vec![1_u8; 32 << 20];
        let own = std::process::id();
        for bytes in [resident_bytes(own), resident_bytes_max(own), shared_out_bytes(own)] {
            assert!(bytes.unwrap() > 32 << 20, "{}", held.len());
        }
    }
}
