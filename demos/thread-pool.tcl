# thread-pool.tcl -- messages are read here and worked on by a pool of threads.
#
#     tclsh thread-pool.tcl -brokers kafka1:9092 -topic my.test -group my-group -threads 4
#
# For work that takes long and would keep the event loop waiting. A batch is committed when
# all of it is done: a program that is killed sees the batch again. Order is kept between
# batches, not within one; kafka::Worker with -threads keeps it for each partition.

package require kafka
package require Thread

# What the command line doesn't say.
array set option [list -brokers 127.0.0.1 -topic my.test -group thread-pool-demo -threads 4 -count 0]
if {[info exists env(KAFKA_BOOTSTRAP)]} {set option(-brokers) $env(KAFKA_BOOTSTRAP)}
array set option $argv

# The threads need no package: they get bytes and give bytes.
set pool [tpool::create -minworkers $option(-threads) -maxworkers $option(-threads) -initcmd {
    # Something that takes its time: the sum that CRC-32 is, bit by bit.
    proc work {payload} {
        set sum 0xffffffff
        binary scan $payload cu* bytes
        foreach byte $bytes {
            set sum [expr {$sum ^ $byte}]
            for {set i 0} {$i < 8} {incr i} {
                set sum [expr {$sum & 1 ? ($sum >> 1) ^ 0xedb88320 : $sum >> 1}]
            }
        }
        format %08x [expr {$sum ^ 0xffffffff}]
    }
}]

::kafka::kafka create master
master config bootstrap.servers $option(-brokers) group.id $option(-group) \
    auto.offset.reset earliest enable.auto.commit false
master subscriber subscriber
subscriber subscribe $option(-topic)

# done job -- wait until it is; the event loop turns meanwhile.
proc done {job} {
    if {$job ni [tpool::wait $::pool $job]} {error "job $job is lost"}
    tpool::get $::pool $job
}

set seen 0
while {$option(-count) == 0 || $seen < $option(-count)} {
    # Wait up to 1000 ms for messages, and take up to 500.
    set batch [subscriber consume_list 1000 500]
    set jobs [lmap message $batch {
        if {[dict exists $message error]} {
            puts stderr "kafka: [dict get $message message]"
            continue
        }
        list $message [tpool::post $pool [list work [dict get $message payload]]]
    }]
    if {![llength $jobs]} continue
    foreach pair $jobs {
        lassign $pair message job
        puts "[dict get $message partition]/[dict get $message offset]: [done $job]"
        incr seen
    }
    # What was given and is not given back counts as processed: the whole batch.
    subscriber commit
}
subscriber close
tpool::release $pool
exit 0
