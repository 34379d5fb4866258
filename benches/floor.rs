//! The floor of the benchmarks: the same work with the same librdkafka, without Tcl.
//!
//!     floor ROW BOOTSTRAP TOPIC PARTITIONS COUNT SIZE
//!
//! prints the microseconds of CPU of the calling thread and of wall time that one message took; the
//! rows of latency.rs print latencies.
//! It calls librdkafka's functions as a C program would: nothing of the package is in between.

use std::ffi::{c_char, CStr, CString};
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rdkafka::bindings as rd;

mod latency;

/// What everything prefetched takes; the measured part then waits for nothing.
const PREFETCH: Duration = Duration::from_millis(1500);

fn text(s: &str) -> CString {
    CString::new(s).expect("no NUL in an argument")
}

/// CPU time of this thread in microseconds.
fn cpu() -> f64 {
    let mut t = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel fills the struct.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut t) };
    t.tv_sec as f64 * 1e6 + t.tv_nsec as f64 / 1e3
}

/// Makes a client.
fn client(kind: rd::rd_kafka_type_t, pairs: &[(&str, &str)]) -> *mut rd::rd_kafka_t {
    let mut why = [0 as c_char; 512];
    // SAFETY: the strings live through the calls; the buffer is as long as said.
    unsafe {
        let conf = rd::rd_kafka_conf_new();
        for (key, value) in pairs {
            let (k, v) = (text(key), text(value));
            let done =
                rd::rd_kafka_conf_set(conf, k.as_ptr(), v.as_ptr(), why.as_mut_ptr(), why.len());
            assert!(done == rd::rd_kafka_conf_res_t::RD_KAFKA_CONF_OK, "{key}: {}", said(&why));
        }
        if kind == rd::rd_kafka_type_t::RD_KAFKA_PRODUCER {
            let latency = std::env::args().nth(1).is_some_and(|row| row == "latency-send");
            let report = if latency { latency::report } else { report };
            rd::rd_kafka_conf_set_dr_msg_cb(conf, Some(report));
        }
        let rk = rd::rd_kafka_new(kind, conf, why.as_mut_ptr(), why.len());
        assert!(!rk.is_null(), "{}", said(&why));
        rk
    }
}

fn said(why: &[c_char]) -> String {
    // SAFETY: librdkafka ends what it writes with NUL.
    unsafe { CStr::from_ptr(why.as_ptr()) }.to_string_lossy().into_owned()
}

/// Counts the reports: the least that a delivery report callback does.
static REPORTED: AtomicUsize = AtomicUsize::new(0);

unsafe extern "C" fn report(
    _: *mut rd::rd_kafka_t,
    m: *const rd::rd_kafka_message_t,
    _: *mut std::ffi::c_void,
) {
    // SAFETY: the message is valid through the call.
    let good = unsafe { (*m).err } == rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR;
    REPORTED.fetch_add(usize::from(good), Ordering::Relaxed);
}

struct Args {
    row: String,
    bootstrap: String,
    topic: String,
    partitions: i32,
    count: usize,
    size: usize,
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [row, bootstrap, topic, partitions, count, size] = &words[..] else {
        eprintln!("usage: floor row bootstrap topic partitions count size");
        std::process::exit(2);
    };
    let number = |s: &String| s.parse::<usize>().expect("a number");
    let args = Args {
        row: row.clone(),
        bootstrap: bootstrap.clone(),
        topic: topic.clone(),
        partitions: number(partitions) as i32,
        count: number(count),
        size: number(size),
    };
    let (cpu, wall) = match args.row.as_str() {
        "latency-send" => return latency::send(&args),
        "latency-read" => return latency::read(&args),
        "batch" | "poll" => consume(&args),
        _ => produce(&args),
    };
    let count = args.count as f64;
    println!("{} {}", cpu / count, wall.as_secs_f64() * 1e6 / count);
}

/// `batch`: rd_kafka_consume_batch_queue; `poll`: rd_kafka_consumer_poll.
fn consume(args: &Args) -> (f64, Duration) {
    let rk = client(
        rd::rd_kafka_type_t::RD_KAFKA_CONSUMER,
        &[
            ("bootstrap.servers", &args.bootstrap),
            ("group.id", "floor"),
            ("enable.auto.commit", "false"),
            ("auto.offset.reset", "earliest"),
            ("queued.min.messages", "10000000"),
            ("queued.max.messages.kbytes", "2000000"),
            ("fetch.queue.backoff.ms", "10"),
        ],
    );
    let name = text(&args.topic);
    let mut got = 0;
    // SAFETY: all handles are valid until they are destroyed at the end.
    unsafe {
        rd::rd_kafka_poll_set_consumer(rk);
        let list = rd::rd_kafka_topic_partition_list_new(args.partitions);
        for p in 0..args.partitions {
            let elem = rd::rd_kafka_topic_partition_list_add(list, name.as_ptr(), p);
            (*elem).offset = -2;
        }
        assert!(
            rd::rd_kafka_assign(rk, list) == rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
        );
        rd::rd_kafka_topic_partition_list_destroy(list);
        let queue = rd::rd_kafka_queue_get_consumer(rk);
        std::thread::sleep(PREFETCH);
        let mut messages = vec![ptr::null_mut(); 1000];
        let (start, used) = (Instant::now(), cpu());
        while got < args.count {
            if args.row == "poll" {
                let m = rd::rd_kafka_consumer_poll(rk, 1000);
                assert!(!m.is_null(), "only {got} of {} came", args.count);
                got += usize::from((*m).len == args.size);
                rd::rd_kafka_message_destroy(m);
                continue;
            }
            let room = messages.len().min(args.count - got);
            let n = rd::rd_kafka_consume_batch_queue(queue, 1000, messages.as_mut_ptr(), room);
            assert!(n > 0, "only {got} of {} came", args.count);
            for m in &messages[..n as usize] {
                got += usize::from((**m).len == args.size);
                rd::rd_kafka_message_destroy(*m);
            }
        }
        let spent = (cpu() - used, start.elapsed());
        rd::rd_kafka_queue_destroy(queue);
        rd::rd_kafka_destroy_flags(rk, rd::RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
        spent
    }
}

/// `produce`: rd_kafka_produce; `produce_batch`: 1,000 at a time; `reports`: and a delivery report
/// callback for each.
fn produce(args: &Args) -> (f64, Duration) {
    let rk = client(
        rd::rd_kafka_type_t::RD_KAFKA_PRODUCER,
        &[
            ("bootstrap.servers", &args.bootstrap),
            ("compression.codec", "lz4"),
            ("linger.ms", "50"),
            ("queue.buffering.max.messages", "10000000"),
            ("queue.buffering.max.kbytes", "2000000"),
        ],
    );
    let name = text(&args.topic);
    let payload = vec![b'x'; args.size];
    // SAFETY: all handles are valid until they are destroyed at the end; librdkafka copies the
    // payload.
    unsafe {
        let topic = rd::rd_kafka_topic_new(rk, name.as_ptr(), ptr::null_mut());
        let data = payload.as_ptr() as *mut std::ffi::c_void;
        let (start, used) = (Instant::now(), cpu());
        if args.row == "produce_batch" {
            let mut list: Vec<rd::rd_kafka_message_t> = (0..1000)
                .map(|_| {
                    let mut m: rd::rd_kafka_message_t = std::mem::zeroed();
                    m.payload = data;
                    m.len = args.size;
                    m
                })
                .collect();
            for i in 0..args.count / 1000 {
                let p = i as i32 % args.partitions;
                let copy = rd::RD_KAFKA_MSG_F_COPY;
                let n = rd::rd_kafka_produce_batch(topic, p, copy, list.as_mut_ptr(), 1000);
                assert!(n == 1000, "the queue is full");
            }
        } else {
            for i in 0..args.count {
                let p = i as i32 % args.partitions;
                let copy = rd::RD_KAFKA_MSG_F_COPY;
                let none = ptr::null_mut();
                let done =
                    rd::rd_kafka_produce(topic, p, copy, data, args.size, ptr::null(), 0, none);
                assert!(done == 0, "the queue is full");
                if args.row == "reports" && i % 1000 == 0 {
                    rd::rd_kafka_poll(rk, 0);
                }
            }
        }
        let mut spent = (cpu() - used, start.elapsed());
        let deadline = Instant::now() + Duration::from_secs(60);
        while rd::rd_kafka_outq_len(rk) > 0 && Instant::now() < deadline {
            rd::rd_kafka_poll(rk, 100);
        }
        let reported = REPORTED.load(Ordering::Relaxed);
        assert!(reported >= args.count / 1000 * 1000, "{reported} reports came");
        if args.row == "reports" {
            spent = (cpu() - used, start.elapsed());
        }
        rd::rd_kafka_topic_destroy(topic);
        rd::rd_kafka_destroy(rk);
        spent
    }
}
