# index-writer.tcl -- an object that writes a topic and, now and then, the offset of
# what it just wrote to an index topic.
#
#     tclsh index-writer.tcl -brokers kafka1:9092 -topic flights -ms 300000 < lines
#
# TOPIC.index gets messages with the key of a message and its offset as payload: from
# there a reader finds the place for a time without reading everything.

package require kafka
package require TclOO

oo::class create IndexWriter {
    variable master producer out index timer ms

    constructor {brokers topic sampleMS} {
        set ms $sampleMS
        set timer ""
        set master [::kafka::kafka create #auto]
        $master config bootstrap.servers $brokers
        # No reports but those that `sample` asks for, and of failures.
        $master delivery_report callback [namespace code {my Delivered}]
        $master delivery_report every 0
        set producer [$master producer_creator #auto]
        set out [$producer new_topic #auto $topic]
        set index [$producer new_topic #auto $topic.index]
        my Sample
    }

    destructor {
        after cancel $timer
        # Waits until all is delivered, the index too.
        $producer close
        $master delete
    }

    method produce {payload key} {
        $out produce 0 $payload $key
    }

    # The next delivery is reported, and again in a while.
    method Sample {} {
        $master delivery_report sample
        set timer [after $ms [namespace code {my Sample}]]
    }

    method Delivered {report} {
        if {[dict exists $report error]} {
            puts stderr "lost: [dict get $report error]"
            return
        }
        # What is written to the index is no reason for another entry.
        if {[string match *.index [dict get $report topic]]} return
        $index produce 0 [dict get $report offset] [dict get $report key]
        puts "index: [dict get $report key] is at [dict get $report offset]"
    }

    method flush {} {$producer flush 10000}
}

# What the command line doesn't say.
array set option [list -brokers 127.0.0.1 -topic my.test -count 0 -ms 300000]
if {[info exists env(KAFKA_BOOTSTRAP)]} {set option(-brokers) $env(KAFKA_BOOTSTRAP)}
array set option $argv

set writer [IndexWriter new $option(-brokers) $option(-topic) $option(-ms)]
set sent 0
while {[gets stdin line] >= 0} {
    $writer produce $line [clock seconds]-[incr sent]
    if {$sent == $option(-count)} break
}
$writer flush
$writer destroy
exit 0
