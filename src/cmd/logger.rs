//! Where a handle's log lines go: chosen by its master, fixed when the handle is made.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use log::Log;

use super::faults::{without_advice, Faults};
use crate::error::hint;
use crate::rdk::{self, ErrorCode, Hooks, LogLine};
use crate::tcl::event::Source;
use crate::tcl::Prefix;

/// A callback's backlog: past this, lines are dropped, and their number is said.
const BACKLOG: usize = 10_000;

/// A master's choice.
#[derive(Clone, Default)]
pub enum Choice {
    #[default]
    Stderr,
    Syslog,
    None,
    Callback(Prefix),
}

/// Where librdkafka's threads put a line. Send data only.
#[derive(Copy, Clone)]
pub enum Sink {
    Stderr,
    Syslog,
    None,
    Queue,
}

impl Choice {
    pub fn sink(&self) -> Sink {
        match self {
            Choice::Stderr => Sink::Stderr,
            Choice::Syslog => Sink::Syslog,
            Choice::None => Sink::None,
            Choice::Callback(_) => Sink::Queue,
        }
    }
}

#[derive(Default)]
struct Backlog {
    lines: VecDeque<LogLine>,
    dropped: usize,
}

/// The logger of one client.
pub struct Logger {
    sink: Sink,
    /// What failed last at each broker.
    pub faults: Faults,
    backlog: Mutex<Backlog>,
    source: OnceLock<Arc<Source>>,
    some: AtomicBool,
    closed: AtomicBool,
}

impl Logger {
    pub fn new(sink: Sink) -> Logger {
        Logger {
            sink,
            faults: Faults::default(),
            backlog: Mutex::default(),
            source: OnceLock::new(),
            some: AtomicBool::new(false),
            closed: AtomicBool::new(false),
        }
    }

    /// The client is finished: what librdkafka's threads say while they end (connections lost, say,
    /// of a cluster that is deleted right after) is nobody's concern.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    pub fn sink(&self) -> Sink {
        self.sink
    }

    /// Lines that come before this wake nobody; they are there at the first turn.
    pub fn set_source(&self, source: Arc<Source>) {
        let _ = self.source.set(source);
    }

    /// Whether people read the lines: they get them once. A callback gets them all.
    fn has_readers(&self) -> bool {
        matches!(self.sink, Sink::Stderr | Sink::Syslog)
    }

    /// Writes a line of our own.
    pub fn say(&self, level: i32, facility: &str, name: &str, message: String) {
        self.log(LogLine { level, facility: facility.into(), message, name: name.into() });
    }

    /// The next line for the callback; after a drop, one that says how many lines were lost.
    pub fn next(&self) -> Option<LogLine> {
        if !self.some.load(Ordering::Acquire) {
            return None;
        }
        let mut backlog = self.backlog.lock().unwrap_or_else(PoisonError::into_inner);
        let line = backlog.lines.pop_front();
        if line.is_none() {
            self.some.store(false, Ordering::Release);
            let dropped = std::mem::take(&mut backlog.dropped);
            if dropped > 0 {
                return Some(LogLine {
                    level: 4,
                    facility: "LOGDROP".into(),
                    message: format!("{dropped} log lines were dropped: the callback's backlog of {BACKLOG} lines was full"),
                    name: String::new(),
                });
            }
        }
        line
    }
}

impl Hooks for Logger {
    fn log(&self, line: LogLine) {
        if self.closed.load(Ordering::Acquire) {
            return;
        }
        let mut line = line;
        if line.facility == "FAIL" {
            if let Some(noted) = self.faults.note_line(&line.message) {
                if noted.again && self.has_readers() {
                    return;
                }
                // A connection that the broker closes for being idle (level 6) is no fault.
                if noted.away {
                    line.message = without_advice(&line.message);
                } else if let Some(hint) =
                    hint(ErrorCode::FAIL, &noted.why).filter(|_| line.level <= 4)
                {
                    line.message = format!("{}; {hint}", line.message);
                }
            }
        }
        // The FAIL line between the two that librdkafka has for an unanswered hello says it.
        if line.facility == "REQTMOUT" && self.has_readers() && self.faults.is_hello(&line.message)
        {
            return;
        }
        // Each answer to a produce to a partition that has no leader for now.
        if line.facility == "METADATAUPDATE"
            && self.has_readers()
            && self.faults.said(line.message.clone())
        {
            return;
        }
        // One master makes producers and consumers: a property of the other kind is no mistake.
        if line.facility == "CONFWARN" && line.message.contains("will be ignored by this") {
            return;
        }
        // Said when the handle is made: its brokers may come by add_brokers. If none do, NOANSWER says it.
        if line.facility == "CONFWARN" && line.message.contains("No `bootstrap.servers` configured")
        {
            return;
        }
        match self.sink {
            Sink::None => {}
            Sink::Stderr => {
                let LogLine { level, facility, message, name } = line;
                rdk::to_stderr(format!("%{level}|{facility}|{name}| {message}"));
            }
            Sink::Syslog => syslog(&line),
            Sink::Queue => {
                let mut backlog = self.backlog.lock().unwrap_or_else(PoisonError::into_inner);
                if backlog.lines.len() < BACKLOG {
                    backlog.lines.push_back(line);
                } else {
                    backlog.dropped += 1;
                }
                drop(backlog);
                self.some.store(true, Ordering::Release);
                if let Some(source) = self.source.get() {
                    source.wake();
                }
            }
        }
    }
}

/// The process's connection to the system log, made at the first line.
fn syslog(line: &LogLine) {
    static SYSLOG: OnceLock<Option<syslog::BasicLogger>> = OnceLock::new();
    let logger = SYSLOG.get_or_init(|| {
        let formatter = syslog::Formatter3164 {
            facility: syslog::Facility::LOG_USER,
            hostname: None,
            process: "kafka".into(),
            pid: std::process::id(),
        };
        syslog::unix(formatter).ok().map(syslog::BasicLogger::new)
    });
    let Some(logger) = logger else { return };
    let level = match line.level {
        0..=3 => log::Level::Error,
        4 => log::Level::Warn,
        5 | 6 => log::Level::Info,
        _ => log::Level::Debug,
    };
    let LogLine { facility, message, name, .. } = line;
    logger.log(
        &log::Record::builder()
            .level(level)
            .args(format_args!("{facility}: {name}: {message}"))
            .build(),
    );
}
