//! Memory and processor time of a process, as the kernel counts them.

use std::time::Duration;

use crate::Outcome;

/// Resident memory in KiB. Source: proc(5), `VmRSS`.
pub(super) fn resident(pid: u32) -> Outcome<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// Processor time used so far by all threads. Source: proc(5), `schedstat` of each task, nanoseconds on the processor.
pub(super) fn processor_time(pid: u32) -> Outcome<Duration> {
    let mut total = 0_u64;
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread may end between the listing and the reading.
        if let Ok(text) = std::fs::read_to_string(task?.path().join("schedstat")) {
            total += text.split(' ').next().unwrap_or("0").parse::<u64>()?;
        }
    }
    Ok(Duration::from_nanos(total))
}
