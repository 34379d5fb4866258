# partition.tcl -- kafka::PartitionClient: one partition as a log, without a group.
#
#     tclsh partition.tcl -brokers kafka1:9092 -topic my_topic
#
# Records are produced and fetched by offset, then read as a stream, and produced in batches.

package require kafka::partition

# What the command line doesn't say.
array set option [list -brokers 127.0.0.1 -topic my.test -partition 0]
if {[info exists env(KAFKA_BOOTSTRAP)]} {set option(-brokers) $env(KAFKA_BOOTSTRAP)}
array set option $argv

# The topic is there already; `$controller create_topic NAME PARTITIONS REPLICATION` would make it.
set controller [kafka::ControllerClient new -brokers $option(-brokers)]
puts "[llength [dict get [$controller list_topics] $option(-topic)]] partition(s)"

set client [kafka::PartitionClient new -brokers $option(-brokers) -topic $option(-topic) \
    -partition $option(-partition) -unknown_topic retry]

set offsets [$client produce [list \
    [dict create payload "hello kafka" headers {foo bar} timestamp [clock milliseconds]]]]
puts "produced at [join $offsets]"

lassign [$client fetch_records [lindex $offsets 0] -min_bytes 1 -max_bytes 1000000 -max_wait 1000] \
    records high_watermark
foreach record $records {
    puts "[dict get $record offset]: [dict get $record payload] ([dict get $record headers])"
}
puts "the next offset is $high_watermark"

# A stream, in a coroutine: `next` lets others run until there is a record.
set stream [kafka::StreamConsumer new $client -from [lindex $offsets 0]]
coroutine reader apply {{stream} {
    for {set i 0} {$i < 3} {incr i} {
        puts "stream: [dict get [$stream next] payload]"
    }
    set ::done 1
}} $stream

# What is pushed within the linger goes as one batch.
set batches [kafka::BatchProducer new $client -linger 20]
set futures [lmap text {one two} {$batches produce [dict create payload $text]}]
puts "batch: [lmap future $futures {$future value 10000}]"

if {![info exists done]} {vwait done}
foreach object [list $stream $batches $client $controller] {$object destroy}
