"""peer.py ROW BOOTSTRAP TOPIC PARTITIONS COUNT SIZE -- one row of the benchmark with
confluent-kafka, the Python client over librdkafka: prints the microseconds of CPU of this
thread and of wall time that one message took, as row.tcl does. See run.tcl."""

import sys
import time

from confluent_kafka import Consumer, Producer, TopicPartition

row, bootstrap, topic = sys.argv[1:4]
partitions, count, size = map(int, sys.argv[4:7])


def consumer():
    c = Consumer({
        "bootstrap.servers": bootstrap, "group.id": "bench", "enable.auto.commit": False,
        "auto.offset.reset": "earliest", "queued.min.messages": 10000000,
        "queued.max.messages.kbytes": 2000000,
    })
    c.assign([TopicPartition(topic, p, 0) for p in range(partitions)])
    # Everything is prefetched before the clock starts; a first message shows that it goes.
    time.sleep(1.5)
    return c


def producer():
    return Producer({
        "bootstrap.servers": bootstrap, "compression.codec": "lz4", "linger.ms": 50,
        "queue.buffering.max.messages": 10000000, "queue.buffering.max.kbytes": 2000000,
    })


def measured(work):
    wall, cpu = time.perf_counter(), time.thread_time()
    work()
    cpu, wall = time.thread_time() - cpu, time.perf_counter() - wall
    print(cpu * 1e6 / count, wall * 1e6 / count)


def poll():
    c = consumer()

    def work():
        n = 0
        while n < count:
            m = c.poll(1.0)
            if m is not None and m.error() is None and m.value() is not None:
                n += 1

    measured(work)
    c.close()


def batch():
    c = consumer()

    def work():
        n = 0
        while n < count:
            for m in c.consume(1000, 1.0):
                if m.error() is None and m.value() is not None:
                    n += 1

    measured(work)
    c.close()


def produce():
    p = producer()
    payload = b"x" * size

    def work():
        for i in range(count):
            p.produce(topic, payload, partition=i % partitions)

    measured(work)
    p.flush(60)


def reports():
    p = producer()
    payload = b"x" * size
    seen = 0

    def reported(error, message):
        nonlocal seen
        seen += error is None

    def work():
        for i in range(count):
            p.produce(topic, payload, partition=i % partitions, on_delivery=reported)
            if i % 1000 == 0:
                p.poll(0)
        while seen < count:
            p.poll(1.0)

    measured(work)


{"poll": poll, "batch": batch, "produce": produce, "reports": reports}[row]()
