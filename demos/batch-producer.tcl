# batch-producer.tcl -- kafka::BatchProducer: many small things, few records.
#
#     tclsh batch-producer.tcl -brokers kafka1:9092 -topic my.test -partition 0 -lines 3 < lines
#
# An aggregator of our own puts up to so many lines of standard input into one record.
# Each line has a future of its own, which tells where it is.

package require kafka::partition

# What the command line doesn't say.
array set option [list -brokers 127.0.0.1 -topic my.test -partition 0 -lines 3]
if {[info exists env(KAFKA_BOOTSTRAP)]} {set option(-brokers) $env(KAFKA_BOOTSTRAP)}
array set option $argv

oo::class create Lines {
    variable most lines

    constructor {number} {
        set most $number
        set lines {}
    }

    # 0 when there is no room; the tag is the line's place in the record.
    method push {line} {
        if {[llength $lines] == $most} {return 0}
        lappend lines $line
        return [list 1 [expr {[llength $lines] - 1}]]
    }

    # The records of a batch (here it is one), and begin anew.
    method flush {} {
        set record [dict create payload [join $lines \n]]
        set lines {}
        return [list [list $record]]
    }

    # What the future of a line gives.
    method status {context offsets tag} {
        return [list [lindex $offsets 0] $tag]
    }
}

set client [kafka::PartitionClient new -brokers $option(-brokers) -topic $option(-topic) \
    -partition $option(-partition) -unknown_topic retry]
set aggregator [Lines new $option(-lines)]
set producer [kafka::BatchProducer new $client -linger 50 -aggregator $aggregator]

set futures {}
while {[gets stdin line] >= 0} {
    if {$line eq ""} continue
    lappend futures $line [$producer produce $line]
}
# The last batch isn't full; it would go by itself when it is 50 ms old.
$producer flush
foreach {line future} $futures {
    lassign [$future value 10000] offset place
    puts "$line: line $place of the record at $offset"
}
foreach object [list $producer $aggregator $client] {$object destroy}
exit 0
