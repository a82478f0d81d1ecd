//! What a process costs, as the kernel counts it (`/proc`, so Linux only).

use std::{collections::BTreeSet, fs, ops::Sub};

/// Clock ticks a second: what Linux reports to user space on every machine it runs on.
const TICKS: u64 = 100;

/// One process, or one with all its descendants.
#[derive(Debug)]
pub struct Meter {
    pid: u32,
    family: bool,
}

/// What it has cost so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cost {
    /// CPU time, in microseconds.
    pub cpu_micros: u64,
    /// Resident memory now, in bytes; of one process only.
    pub resident: Option<u64>,
    /// The most it ever was.
    pub resident_peak: Option<u64>,
}

/// CPU time is the difference; memory is that of the later one.
impl Sub for Cost {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self { cpu_micros: self.cpu_micros.saturating_sub(before.cpu_micros), ..self }
    }
}

impl Meter {
    /// One process.
    pub fn of_process(pid: u32) -> Self {
        Self { pid, family: false }
    }

    /// A process and its descendants.
    pub fn of_family(pid: u32) -> Self {
        Self { pid, family: true }
    }

    /// Reads the counters; a process that is gone counts nothing.
    pub fn read(&self) -> Cost {
        if self.family {
            let cpu_micros =
                family(self.pid).into_iter().filter_map(stat).map(|stat| stat.cpu_micros()).sum();
            return Cost { cpu_micros, resident: None, resident_peak: None };
        }
        Cost {
            cpu_micros: stat(self.pid).map_or(0, |stat| stat.cpu_micros()),
            resident: status(self.pid, "VmRSS:"),
            resident_peak: status(self.pid, "VmHWM:"),
        }
    }
}

struct Stat {
    parent: u32,
    ticks: u64,
}

impl Stat {
    fn cpu_micros(&self) -> u64 {
        self.ticks * (1_000_000 / TICKS)
    }
}

/// The fields after the command, which stands in parentheses and may hold anything.
fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    // State is the first here and the third in proc(5): utime 14, stime 15, and of waited-for children 16 and 17.
    let children = number(13)? + number(14)?;
    Some(Stat { parent: u32::try_from(number(1)?).ok()?, ticks: number(11)? + number(12)? + children })
}

fn status(pid: u32, name: &str) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
}

fn family(pid: u32) -> BTreeSet<u32> {
    let everyone: Vec<u32> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    let parents: Vec<(u32, u32)> =
        everyone.into_iter().filter_map(|pid| Some((pid, stat(pid)?.parent))).collect();
    let mut members = BTreeSet::from([pid]);
    loop {
        let more: Vec<u32> = parents
            .iter()
            .filter(|(child, parent)| members.contains(parent) && !members.contains(child))
            .map(|(child, _)| *child)
            .collect();
        if more.is_empty() {
            return members;
        }
        members.extend(more);
    }
}
