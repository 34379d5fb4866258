//! librdkafka's mock cluster: brokers in this process, on real sockets of 127.0.0.1.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{mpsc, Arc, Mutex};
use std::thread;

use libc::{c_char, c_int};

use super::errno::{Error, ErrorCode, Result};
use super::fork::Birth;
use super::ptr::{cstring, string, ErrBuf};
use super::{api, raw, reaper};

mod cluster;
mod configs;
mod describe;
mod group;
mod groups;
mod members;
mod offsets;
mod requests;
mod sequence;
mod serve;
mod sys;
mod topic;
mod topics;
mod wire;

static LIVE: AtomicUsize = AtomicUsize::new(0);

/// librdkafka counts the delay of a group's first rebalance in microseconds, in 32 bits.
pub const MOST_DELAY_MS: i32 = i32::MAX / 1000;

/// What the end of a cluster is waited for.
const MOMENT: std::time::Duration = std::time::Duration::from_secs(1);

/// How many mock clusters exist: created and not yet destroyed to the end.
pub fn live_mocks() -> usize {
    LIVE.load(Ordering::SeqCst)
}

/// A request that a mock broker received.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Request {
    /// Which request (see [`api_name`](super::api_name)).
    pub api: i16,
    /// The broker's id.
    pub broker: i32,
    /// When, in microseconds of librdkafka's monotonic clock.
    pub timestamp_us: i64,
}

/// A mock cluster, with a client of its own that does nothing but carry it.
///
/// Dropping it returns at once. The end takes milliseconds (it joins the cluster's
/// thread, which serves the stop like any other command), but that thread may be busy
/// with a full socket, and the client's threads are joined too, so a thread of its own
/// does it, as for clients.
pub struct Mock {
    cluster: NonNull<raw::rd_kafka_mock_cluster_t>,
    rk: NonNull<raw::rd_kafka_t>,
    birth: Birth,
}

// SAFETY: commands go to the cluster's thread by queue or take its lock.
unsafe impl Send for Mock {}
// SAFETY: as above.
unsafe impl Sync for Mock {}

/// The mock's client has nothing to say to anybody; without this it would say it on stderr.
unsafe extern "C" fn silent(
    _: *const raw::rd_kafka_t,
    _: c_int,
    _: *const c_char,
    _: *const c_char,
) {
}

/// What librdkafka opens for a cluster of so many brokers, with room to spare.
const FILES_PER_BROKER: usize = 4;
const FILES: usize = 16;
const MAX_BROKERS: i32 = 64;

/// The brokers', the dummy broker's and the client's own.
const THREADS: usize = 4;

/// The system lacks something, as `error` says.
fn lack(what: &str, error: std::io::Error) -> Error {
    Error::with_detail(ErrorCode::CRIT_SYS_RESOURCE, format!("{what}: {error}"))
}

/// Is there room for so many more open files and threads, and can so many brokers listen? librdkafka's mock ends the
/// process when it can't open a broker's socket or start its thread.
fn check_room(brokers: usize) -> Result<()> {
    let count = FILES + FILES_PER_BROKER * brokers;
    let files: std::io::Result<Vec<File>> = (0..count).map(|_| File::open("/dev/null")).collect();
    files.map_err(|error| lack("not enough open files for a mock cluster", error))?;
    let listen = |_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let listeners: std::io::Result<Vec<TcpListener>> = (0..brokers).map(listen).collect();
    listeners.map_err(|error| lack("the brokers of a mock cluster can't listen", error))?;
    let (all_run, wait) = mpsc::channel::<()>();
    let wait = Arc::new(Mutex::new(wait));
    // They end when `all_run` is dropped: until then all of them are there at once.
    let start = |_| {
        let wait = Arc::clone(&wait);
        thread::Builder::new().spawn(move || drop(wait.lock().map(|wait| wait.recv())))
    };
    let threads: std::io::Result<Vec<_>> = (0..THREADS).map(start).collect();
    drop(all_run);
    for thread in threads.map_err(|error| lack("not enough threads for a mock cluster", error))? {
        // It has nothing to tell, and does not panic.
        let _ = thread.join();
    }
    Ok(())
}

/// Blocks all signals for this thread, and so for those that it starts meanwhile, until it is dropped. A signal that has
/// a handler would end librdkafka's thread of the cluster, which takes an interrupted poll for the end.
struct Unsignalled(libc::sigset_t);

impl Unsignalled {
    fn new() -> Unsignalled {
        // SAFETY: both sets are initialised by the calls that they are handed to.
        unsafe {
            let (mut all, mut before) = (std::mem::zeroed(), std::mem::zeroed());
            libc::sigfillset(&mut all);
            libc::pthread_sigmask(libc::SIG_SETMASK, &all, &mut before);
            Unsignalled(before)
        }
    }
}

impl Drop for Unsignalled {
    fn drop(&mut self) {
        // SAFETY: the set is what the thread had before.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.0, std::ptr::null_mut()) };
    }
}

impl Mock {
    /// A cluster of `brokers` brokers, 1 to 64, with ids from 1 on
    /// (`rd_kafka_mock_cluster_new`). Topics made by producing have 4 partitions, and up
    /// to 3 replicas: librdkafka has no call to change that. Requests are tracked.
    /// Errors: `INVALID_ARG`, `CRIT_SYS_RESOURCE`.
    pub fn new(brokers: i32) -> Result<Mock> {
        if !(1..=MAX_BROKERS).contains(&brokers) {
            return Err(Error::with_detail(
                ErrorCode::INVALID_ARG,
                format!("a mock cluster has 1 to {MAX_BROKERS} brokers, not {brokers}"),
            ));
        }
        check_room(brokers as usize)?;
        let _unsignalled = Unsignalled::new();
        let mut text = ErrBuf::new();
        // SAFETY: the configuration is ours until `rd_kafka_new` succeeds, the client
        // until the mock is dropped; the callback stays in memory.
        let (rk, cluster) = unsafe {
            let conf = raw::rd_kafka_conf_new();
            raw::rd_kafka_conf_set_log_cb(conf, Some(silent));
            let rk = raw::rd_kafka_new(
                raw::rd_kafka_type_t::RD_KAFKA_PRODUCER,
                conf,
                text.as_mut_ptr(),
                text.len(),
            );
            let Some(rk) = NonNull::new(rk) else {
                raw::rd_kafka_conf_destroy(conf);
                return Err(Error::with_detail(ErrorCode::FAIL, text.text()));
            };
            let cluster = raw::rd_kafka_mock_cluster_new(rk.as_ptr(), brokers);
            let Some(cluster) = NonNull::new(cluster) else {
                raw::rd_kafka_destroy_flags(rk.as_ptr(), 0);
                return Err(Error::with_detail(
                    ErrorCode::FAIL,
                    "the mock cluster could not be made",
                ));
            };
            serve::install(cluster.as_ptr());
            raw::rd_kafka_mock_start_request_tracking(cluster.as_ptr());
            (rk, cluster)
        };
        LIVE.fetch_add(1, Ordering::SeqCst);
        Ok(Mock { cluster, rk, birth: Birth::here() })
    }

    fn as_ptr(&self) -> *mut raw::rd_kafka_mock_cluster_t {
        self.cluster.as_ptr()
    }

    /// Whether this process is a forked child of the one that made it.
    pub fn forked(&self) -> bool {
        self.birth.forked()
    }

    /// `host:port,...` (`rd_kafka_mock_cluster_bootstraps`).
    pub fn bootstrap(&self) -> String {
        // SAFETY: the cluster is valid; the string lives as long and never changes.
        unsafe { string(raw::rd_kafka_mock_cluster_bootstraps(self.as_ptr())) }
    }

    /// Makes a topic (`rd_kafka_mock_topic_create`). Errors: `TOPIC_ALREADY_EXISTS`,
    /// `INVALID_PARTITIONS`, `INVALID_REPLICATION_FACTOR`.
    pub fn create_topic(&self, name: &str, partitions: i32, replication: i32) -> Result<()> {
        // librdkafka checks neither.
        if !(1..=100_000).contains(&partitions) {
            return Err(Error::new(ErrorCode::INVALID_PARTITIONS));
        }
        if !(1..=MAX_BROKERS).contains(&replication) {
            return Err(Error::new(ErrorCode::INVALID_REPLICATION_FACTOR));
        }
        let name = cstring(name, "topic")?;
        // SAFETY: cluster and name are valid; the name is copied.
        ErrorCode(unsafe {
            raw::rd_kafka_mock_topic_create(self.as_ptr(), name.as_ptr(), partitions, replication)
        })
        .ok()
    }

    /// Disconnects everybody from a broker and refuses connections. Leaders stay.
    pub fn broker_down(&self, id: i32) -> Result<()> {
        self.change_broker(id, false)
    }

    /// Lets a broker accept connections again. Errors: `CRIT_SYS_RESOURCE` if another has its port now.
    pub fn broker_up(&self, id: i32) -> Result<()> {
        self.change_broker(id, true)
    }

    fn change_broker(&self, id: i32, up: bool) -> Result<()> {
        // SAFETY: the cluster is valid.
        match unsafe { sys::mock_broker_change(self.as_ptr(), id, up.into()) } {
            0 => Ok(()),
            -1 => Err(Error::new(ErrorCode::BROKER_NOT_AVAILABLE)),
            errno => {
                let error = std::io::Error::from_raw_os_error(errno);
                Err(lack(&format!("broker {id} can't listen on its port"), error))
            }
        }
    }

    /// Delays a broker's (-1: all brokers') answers by `ms` milliseconds
    /// (`rd_kafka_mock_broker_set_rtt`).
    pub fn rtt(&self, id: i32, ms: i32) -> Result<()> {
        // SAFETY: the cluster is valid.
        ErrorCode(unsafe { raw::rd_kafka_mock_broker_set_rtt(self.as_ptr(), id, ms) }).ok()
    }

    /// Makes a broker the partition's leader, -1 none, making the topic if need be
    /// (`rd_kafka_mock_partition_set_leader`).
    pub fn leader(&self, topic: &str, partition: i32, broker: i32) -> Result<()> {
        let topic = cstring(topic, "topic")?;
        // SAFETY: cluster and name are valid; the name is copied.
        ErrorCode(unsafe {
            raw::rd_kafka_mock_partition_set_leader(
                self.as_ptr(),
                topic.as_ptr(),
                partition,
                broker,
            )
        })
        .ok()
    }

    /// The next requests of this kind get these errors, in order; `TRANSPORT`
    /// disconnects (`rd_kafka_mock_push_request_errors_array`).
    pub fn push_errors(&self, api: i16, errors: &[ErrorCode]) {
        let codes: Vec<c_int> = errors.iter().map(|code| code.0).collect();
        // SAFETY: the cluster is valid; the array has as many codes as said, and is copied.
        unsafe {
            raw::rd_kafka_mock_push_request_errors_array(
                self.as_ptr(),
                api,
                codes.len(),
                codes.as_ptr(),
            )
        }
    }

    /// Takes back such errors of one kind of request, or of all
    /// (`rd_kafka_mock_clear_request_errors`).
    pub fn clear_errors(&self, api: Option<i16>) {
        let keys = match api {
            Some(key) => key..=key,
            None => 0..=api::api_names().len() as i16,
        };
        for key in keys {
            // SAFETY: the cluster is valid.
            unsafe { raw::rd_kafka_mock_clear_request_errors(self.as_ptr(), key) }
        }
    }

    /// Has brokers no longer offer a request, as if they were older than it, to clients that connect from
    /// now on (`rd_kafka_mock_set_apiversion`).
    pub fn withhold(&self, api: i16) -> Result<()> {
        // SAFETY: the cluster is valid.
        ErrorCode(unsafe { sys::mock_withhold(self.as_ptr(), api) }).ok()
    }

    /// What metadata answers say about a topic, `NO_ERROR` to end that, making the topic
    /// if need be (`rd_kafka_mock_topic_set_error`).
    pub fn topic_error(&self, topic: &str, error: ErrorCode) -> Result<()> {
        let topic = cstring(topic, "topic")?;
        // SAFETY: cluster and name are valid; the name is copied.
        unsafe { raw::rd_kafka_mock_topic_set_error(self.as_ptr(), topic.as_ptr(), error.0) };
        Ok(())
    }

    /// Makes a broker the coordinator of a `group` or `transaction`
    /// (`rd_kafka_mock_coordinator_set`).
    pub fn coordinator(&self, kind: &str, key: &str, broker: i32) -> Result<()> {
        let kind = cstring(kind, "coordinator type")?;
        let key = cstring(key, "coordinator key")?;
        // SAFETY: cluster and strings are valid; the strings are copied.
        ErrorCode(unsafe {
            raw::rd_kafka_mock_coordinator_set(self.as_ptr(), kind.as_ptr(), key.as_ptr(), broker)
        })
        .ok()
    }

    /// How long a new group waits for more members, in milliseconds, at most [`MOST_DELAY_MS`]; 3000 unless
    /// set (`rd_kafka_mock_group_initial_rebalance_delay_ms`).
    pub fn rebalance_delay(&self, ms: i32) {
        let ms = ms.clamp(0, MOST_DELAY_MS);
        // SAFETY: the cluster is valid.
        unsafe { raw::rd_kafka_mock_group_initial_rebalance_delay_ms(self.as_ptr(), ms) }
    }

    /// How long a member by the consumer protocol (KIP-848) may be silent before it is put out of its group, and how
    /// often it is told to send heartbeats, in milliseconds (`group.consumer.session.timeout.ms` and
    /// `group.consumer.heartbeat.interval.ms`); 30000 and 3000 unless set.
    pub fn consumer_timeouts(&self, session: i32, heartbeat: i32) {
        // SAFETY: the cluster is valid.
        unsafe {
            raw::rd_kafka_mock_set_group_consumer_session_timeout_ms(self.as_ptr(), session);
            raw::rd_kafka_mock_set_group_consumer_heartbeat_interval_ms(self.as_ptr(), heartbeat);
        }
    }

    /// The tracked requests in the order they came (`rd_kafka_mock_get_requests`).
    pub fn requests(&self) -> Vec<Request> {
        let mut count = 0;
        // SAFETY: the cluster is valid; the array returned has `count` requests (null
        // for none), is ours, read, and freed once.
        unsafe {
            let rows = raw::rd_kafka_mock_get_requests(self.as_ptr(), &mut count);
            if rows.is_null() {
                return Vec::new();
            }
            let copy = std::slice::from_raw_parts(rows, count)
                .iter()
                .map(|&row| Request {
                    api: raw::rd_kafka_mock_request_api_key(row),
                    broker: raw::rd_kafka_mock_request_id(row),
                    timestamp_us: raw::rd_kafka_mock_request_timestamp(row),
                })
                .collect();
            raw::rd_kafka_mock_request_destroy_array(rows, count);
            copy
        }
    }

    /// Goes on tracking requests (`rd_kafka_mock_start_request_tracking`).
    pub fn start_tracking(&self) {
        // SAFETY: the cluster is valid.
        unsafe { raw::rd_kafka_mock_start_request_tracking(self.as_ptr()) }
    }

    /// Stops it, keeping what was tracked (`rd_kafka_mock_stop_request_tracking`).
    pub fn stop_tracking(&self) {
        // SAFETY: the cluster is valid.
        unsafe { raw::rd_kafka_mock_stop_request_tracking(self.as_ptr()) }
    }

    /// Forgets what was tracked (`rd_kafka_mock_clear_requests`).
    pub fn clear_requests(&self) {
        // SAFETY: the cluster is valid.
        unsafe { raw::rd_kafka_mock_clear_requests(self.as_ptr()) }
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        if self.birth.forked() {
            return;
        }
        let cluster = self.cluster.as_ptr() as usize;
        let rk = self.rk.as_ptr() as usize;
        let (ended, end) = mpsc::channel();
        reaper::run("rdk-mock-destroy", move || {
            // SAFETY: nobody has either any more; the cluster goes before its client.
            unsafe {
                raw::rd_kafka_mock_cluster_destroy(cluster as *mut raw::rd_kafka_mock_cluster_t);
                // Nobody may be waiting any more.
                let _ = ended.send(());
                raw::rd_kafka_destroy_flags(rk as *mut raw::rd_kafka_t, 0);
            }
            LIVE.fetch_sub(1, Ordering::SeqCst);
        });
        // The brokers' thread ends within milliseconds. Waiting for it, with a bound, lets the script
        // rely on it that a deleted cluster takes no more messages.
        let _ = end.recv_timeout(MOMENT);
    }
}
