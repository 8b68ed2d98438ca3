//! Moves memory that is in full use to huge pages, beside the work of the shards.
//!
//! With hundreds of megabytes of data most look-ups miss the processor's cache of addresses, and a huge page makes such
//! a miss shorter. Given with the first touch, though, it has to be cleared while a shard waits, and much of it may
//! never be used. So memory is touched in small pages first, and a thread collapses each range of which every page
//! is in use:
//!
//! ```text
//!   every second, if there is more or less resident than before:
//!     /proc/self/maps ─► ranges of 2 MiB ─► /proc/self/pagemap: all pages there? ─► collapse, pause, go on
//! ```
//!
//! Who touches a range while it is being collapsed waits for that, half a millisecond. Most of the time goes into
//! getting the huge page, above all where a host has to find the memory for it; therefore the thread takes and returns
//! one of its own just before, so that the collapse finds it at hand.
//!
//! The call itself is in [`collapse`].

mod collapse;

use std::collections::BTreeSet;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use procfs::ProcResult;
use procfs::process::{MMPermissions, MMapPath, MemoryMap, MemoryPageFlags, PageInfo, PageMap, Process};

use self::collapse::{HUGE_PAGE_BYTES, Refused, collapse};

/// How often the thread looks whether there is something to do.
const LOOK: Duration = Duration::from_secs(1);
/// Rest after each collapse: 100 MB a second, for which the thread works 1 to 5 ms at a time.
const PAUSE: Duration = Duration::from_millis(20);
/// Ranges that are looked at before the thread rests: some milliseconds.
const RANGES_AT_ONCE: usize = 256;

/// The thread that moves memory to huge pages; it ends with this.
#[derive(Debug)]
pub struct HugePages {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl HugePages {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system cannot start one.
    pub fn start() -> io::Result<Self> {
        let (stop, stopped) = channel();
        let run = move || {
            if let Err(error) = run(&stopped) {
                tracing::warn!(%error, "memory stays in small pages");
            }
        };
        let thread = std::thread::Builder::new().name("huge-pages".to_owned()).spawn(run)?;
        Ok(HugePages { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for HugePages {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic has ended the process already.
            let _ = thread.join();
        }
    }
}

fn run(stopped: &Receiver<()>) -> ProcResult<()> {
    let process = Process::myself()?;
    let mut collapsed = BTreeSet::new();
    let mut resident_before = 0;
    while rest(stopped, LOOK) {
        let resident = process.statm()?.resident * procfs::page_size();
        if resident.abs_diff(resident_before) < HUGE_PAGE_BYTES {
            continue;
        }
        if !look(&process, &mut collapsed, stopped)? {
            return Ok(());
        }
        resident_before = resident;
    }
    Ok(())
}

/// Waits; false if the thread is to end.
fn rest(stopped: &Receiver<()>, time: Duration) -> bool {
    stopped.recv_timeout(time) == Err(RecvTimeoutError::Timeout)
}

/// Collapses what can be; false if the thread is to end. `collapsed` are the ranges for which that has been done.
fn look(process: &Process, collapsed: &mut BTreeSet<u64>, stopped: &Receiver<()>) -> ProcResult<bool> {
    let mut pages = process.pagemap()?;
    let maps = process.maps()?;
    let ranges = maps.iter().filter(|map| is_data(map)).flat_map(|map| ranges(map.address));
    for (range, looked_at) in ranges.zip(1..) {
        if !is_full(&mut pages, range)? {
            // Given back in part; what comes in its place is small pages.
            collapsed.remove(&range);
        } else if !collapsed.contains(&range) {
            match collapse(range) {
                Ok(()) => {
                    collapsed.insert(range);
                }
                Err(Refused::NotNow) => {}
                Err(Refused::Never(error)) => {
                    tracing::warn!(%error, "the system cannot collapse memory: it stays in small pages");
                    return Ok(false);
                }
            }
            if !rest(stopped, PAUSE) {
                return Ok(false);
            }
        }
        if looked_at % RANGES_AT_ONCE == 0 && !rest(stopped, PAUSE) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether a mapping is memory that the allocator can have.
fn is_data(map: &MemoryMap) -> bool {
    let is_anonymous = matches!(map.pathname, MMapPath::Anonymous | MMapPath::Heap | MMapPath::Other(_));
    is_anonymous && map.perms.contains(MMPermissions::WRITE | MMPermissions::PRIVATE)
}

/// The aligned ranges of a huge page's size within a mapping.
fn ranges((start, end): (u64, u64)) -> impl Iterator<Item = u64> {
    let first = start.next_multiple_of(HUGE_PAGE_BYTES);
    (first..end).step_by(HUGE_PAGE_BYTES as usize).filter(move |range| range + HUGE_PAGE_BYTES <= end)
}

/// Whether every page of a range is in memory.
fn is_full(pages: &mut PageMap, range: u64) -> ProcResult<bool> {
    let first = (range / procfs::page_size()) as usize;
    let count = (HUGE_PAGE_BYTES / procfs::page_size()) as usize;
    let is_there = |page: &PageInfo| matches!(page, PageInfo::MemoryPage(flags) if flags.contains(MemoryPageFlags::PRESENT));
    Ok(pages.get_range_info(first..first + count)?.iter().all(is_there))
}

#[cfg(test)]
mod tests {
    use memmap2::MmapMut;

    use super::*;

    /// Memory in which exactly this many ranges are full, and one is not.
    fn memory(full: u64) -> (MmapMut, Vec<u64>) {
        let bytes = (full + 2) * HUGE_PAGE_BYTES;
        let mut memory = MmapMut::map_anon(bytes as usize).unwrap();
        let start = memory.as_ptr().addr() as u64;
        let ranges: Vec<u64> = ranges((start, start + bytes)).take(full as usize + 1).collect();
        let first = (ranges[0] - start) as usize;
        memory[first..first + (full * HUGE_PAGE_BYTES) as usize].fill(7);
        memory[first + (full * HUGE_PAGE_BYTES) as usize] = 7;
        (memory, ranges)
    }

    #[test]
    fn a_range_is_full_when_all_of_its_pages_were_touched() {
        let (_memory, ranges) = memory(2);
        let mut pages = Process::myself().unwrap().pagemap().unwrap();
        let full: Vec<bool> = ranges.iter().map(|&range| is_full(&mut pages, range).unwrap()).collect();
        assert_eq!(full, [true, true, false]);
    }

    #[test]
    fn a_look_collapses_what_is_full_and_nothing_else() {
        let (_memory, ranges) = memory(2);
        let (process, (_stop, stopped)) = (Process::myself().unwrap(), channel());
        let mut collapsed = BTreeSet::new();
        let is_done = |collapsed: &BTreeSet<u64>| ranges[..2].iter().all(|range| collapsed.contains(range));
        // It can be that no huge page is free at the moment, but not for ever.
        for _ in 0..100 {
            if is_done(&collapsed) || !look(&process, &mut collapsed, &stopped).unwrap() {
                break;
            }
        }
        assert_eq!(is_done(&collapsed), kernel_can_collapse());
        assert!(!collapsed.contains(&ranges[2]), "a range that is not full stays");
    }

    fn kernel_can_collapse() -> bool {
        procfs::KernelVersion::current().unwrap() >= procfs::KernelVersion::new(6, 1, 0)
    }

    #[test]
    fn ranges_are_aligned_and_whole() {
        let huge = HUGE_PAGE_BYTES;
        assert_eq!(ranges((huge - 1, 3 * huge)).collect::<Vec<_>>(), [huge, 2 * huge]);
        assert_eq!(ranges((huge, 3 * huge - 1)).collect::<Vec<_>>(), [huge]);
        assert_eq!(ranges((huge + 1, 2 * huge)).count(), 0);
    }

    #[test]
    fn a_collapsed_range_is_one_huge_page_with_the_same_content() {
        let (memory, ranges) = memory(2);
        let before = memory.to_vec();
        // It can be that no huge page is free at the moment, but not for ever.
        let result =
            (0..100).map(|_| collapse(ranges[0])).find(|result| !matches!(result, Err(Refused::NotNow)));
        if let Some(Err(Refused::Never(error))) = result {
            assert!(!kernel_can_collapse(), "{error}");
        } else {
            assert!(result.is_some(), "refused a hundred times");
            let maps = Process::myself().unwrap().smaps().unwrap();
            let map = maps.iter().find(|map| (map.address.0..map.address.1).contains(&ranges[0])).unwrap();
            assert!(map.extension.map["AnonHugePages"] >= HUGE_PAGE_BYTES, "{map:?}");
        }
        assert!(memory[..] == before[..]);
    }
}
