//! The floor's rows of latency: `latency-send` and `latency-read`, a producer and a consumer as a C
//! program would have them. Both print the median and the 99th percentile in microseconds.
//!
//! A message begins with the time of its making; sender and reader are on one machine.

use std::io::Write;
use std::ptr;
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rdkafka::bindings as rd;

use super::{client, text, Args};

/// One message every so long: each finds the way empty.
const EVERY: Duration = Duration::from_millis(3);

/// What the delivery reports took.
static REPORTS: Mutex<Vec<u64>> = Mutex::new(Vec::new());

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |t| t.as_micros() as u64)
}

/// How old a message is; none if it doesn't begin with a time.
///
/// # Safety
/// The message is valid.
unsafe fn age(m: *const rd::rd_kafka_message_t) -> Option<u64> {
    // SAFETY: a payload is as long as said, and there if that is not 0.
    let payload = unsafe {
        if (*m).len == 0 {
            return None;
        }
        std::slice::from_raw_parts((*m).payload.cast::<u8>(), (*m).len)
    };
    let digits = std::str::from_utf8(payload.get(..20)?).ok()?;
    Some(now().saturating_sub(digits.parse().ok()?))
}

pub unsafe extern "C" fn report(
    _: *mut rd::rd_kafka_t,
    m: *const rd::rd_kafka_message_t,
    _: *mut std::ffi::c_void,
) {
    // SAFETY: the message is valid through the call.
    if let Some(age) = unsafe { age(m) } {
        REPORTS.lock().expect("one thread").push(age);
    }
}

fn print(mut ages: Vec<u64>) {
    ages.sort_unstable();
    let at = |part: f64| ages[((ages.len() - 1) as f64 * part) as usize];
    println!("{} {}", at(0.5), at(0.99));
}

/// Messages one by one, and what their reports took.
pub fn send(args: &Args) {
    let rk = client(
        rd::rd_kafka_type_t::RD_KAFKA_PRODUCER,
        &[("bootstrap.servers", &args.bootstrap), ("linger.ms", "0")],
    );
    let name = text(&args.topic);
    // SAFETY: all handles are valid until they are destroyed; librdkafka copies the payload.
    unsafe {
        let topic = rd::rd_kafka_topic_new(rk, name.as_ptr(), ptr::null_mut());
        let mut next = Instant::now();
        for sent in 0..args.count {
            let payload = format!("{:020}{}", now(), "x".repeat(args.size - 20));
            let data = payload.as_ptr() as *mut std::ffi::c_void;
            let copy = rd::RD_KAFKA_MSG_F_COPY;
            let none = ptr::null_mut();
            let done =
                rd::rd_kafka_produce(topic, 0, copy, data, payload.len(), ptr::null(), 0, none);
            assert!(done == 0, "the queue is full");
            let deadline = Instant::now() + Duration::from_secs(10);
            while REPORTS.lock().expect("one thread").len() <= sent {
                assert!(Instant::now() < deadline, "a report did not come");
                rd::rd_kafka_poll(rk, 100);
            }
            next += EVERY;
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
        }
        rd::rd_kafka_topic_destroy(topic);
        rd::rd_kafka_destroy(rk);
    }
    let mut ages = std::mem::take(&mut *REPORTS.lock().expect("one thread"));
    // The first ones make connections.
    print(ages.split_off(ages.len() / 20));
}

/// Reads what is sent. Says `ready` at the first message, which is there already.
pub fn read(args: &Args) {
    let wait = std::env::var("BENCH_FETCH_WAIT").unwrap_or_else(|_| "500".to_string());
    let rk = client(
        rd::rd_kafka_type_t::RD_KAFKA_CONSUMER,
        &[
            ("bootstrap.servers", &args.bootstrap),
            ("group.id", "floor"),
            ("enable.auto.commit", "false"),
            ("fetch.wait.max.ms", &wait),
        ],
    );
    let name = text(&args.topic);
    let mut ages = Vec::new();
    // SAFETY: all handles are valid until they are destroyed.
    unsafe {
        rd::rd_kafka_poll_set_consumer(rk);
        let list = rd::rd_kafka_topic_partition_list_new(1);
        (*rd::rd_kafka_topic_partition_list_add(list, name.as_ptr(), 0)).offset = -2;
        let done = rd::rd_kafka_assign(rk, list);
        assert!(done == rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR);
        rd::rd_kafka_topic_partition_list_destroy(list);
        let mut got = 0;
        while got <= args.count {
            let m = rd::rd_kafka_consumer_poll(rk, 20_000);
            assert!(!m.is_null(), "only {got} messages came");
            if (*m).err == rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
                ages.extend(age(m).filter(|_| got > args.count / 20));
                got += 1;
                if got == 1 {
                    println!("ready");
                    std::io::stdout().flush().expect("stdout is open");
                }
            }
            rd::rd_kafka_message_destroy(m);
        }
        rd::rd_kafka_destroy_flags(rk, rd::RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    }
    print(ages);
}
