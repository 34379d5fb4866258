# quickstart.tcl -- 100,000 messages to Kafka and back, through Tcl's event loop.
#
#     make demo                                     (an embedded cluster)
#     KAFKA_BOOTSTRAP=kafka1:9092 make demo         (your cluster)
#
# A producer and a subscriber run side by side in this one process. Every message
# has to come back exactly once, and in order within its partition; otherwise the
# exit status is 1. On your own cluster the topic is made by automatic creation,
# under a name that nothing else uses, and stays there.

package require kafka

set total 100000        ;# messages
set slice 1000          ;# messages per turn of the event loop
set deadline 120        ;# seconds until we give up

proc say {text} {
    if {$::terminal} {puts -nonewline "\r\033\[K"}
    puts $text
    flush stdout
}

proc fail {text} {
    say "FAILED: $text"
    exit 1
}

# A callback that throws ends the demo instead of being reported and forgotten.
interp bgerror {} {apply {{message options} {
    fail [dict get $options -errorinfo]
}}}

# Only a terminal's channel has a -mode.
set terminal [expr {![catch {fconfigure stdout -mode}]}]

# ---------------------------------------------------------------- the cluster

# Eight partitions keep each below the 5 MiB at which the embedded cluster trims.
set topic quickstart-[clock milliseconds]-[pid]
if {[info exists env(KAFKA_BOOTSTRAP)] && $env(KAFKA_BOOTSTRAP) ne ""} {
    set bootstrap $env(KAFKA_BOOTSTRAP)
    set mock ""
    say "cluster: $bootstrap"
} else {
    set mock [::kafka::kafka mock #auto -brokers 3]
    $mock rebalance_delay 0
    $mock create_topic $topic -partitions 8
    set bootstrap [$mock bootstrap]
    say "cluster: embedded, three brokers, $bootstrap"
}

# ---------------------------------------------------------------- the objects

# A master holds configuration and callbacks. One would do; with two, neither side
# is told of properties that only the other understands.
set sending [::kafka::kafka create #auto]
$sending config bootstrap.servers $bootstrap
# Retries must neither repeat nor reorder messages.
$sending config enable.idempotence true
$sending delivery_report callback delivered

set reading [::kafka::kafka create #auto]
$reading config bootstrap.servers $bootstrap group.id $topic
# Shorter than the default, so that the first messages come at once.
$reading config fetch.wait.max.ms 20

set producer [$sending producer_creator #auto]
set output [$producer new_topic #auto $topic]
set subscriber [$reading subscriber #auto]

# ---------------------------------------------------------------- producing

set sent 0
set reported 0
set full 0              ;# we stopped at a full queue
set fulls 0

# Message n goes to partition n % partitions and begins with n: what has to come
# next from a partition is then the last one's number + partitions.
proc produceSlice {} {
    global sent total slice partitions output full fulls
    set end [expr {min($sent + $slice, $total)}]
    while {$sent < $end} {
        try {
            $output produce [expr {$sent % $partitions}] \
                "$sent says hello from Tcl [info patchlevel]" key-$sent
        } trap {KAFKA RD_KAFKA_RESP_ERR__QUEUE_FULL} {} {
            # Every message in the queue will be reported: that is when we go on.
            set full 1
            incr fulls
            return
        }
        incr sent
    }
    if {$sent < $total} {
        after 0 produceSlice
    }
}

proc delivered {report} {
    global reported full sentAll
    if {[dict exists $report error]} {
        fail "a message was not delivered: [dict get $report message]"
    }
    if {[incr reported] == $::total} {
        set sentAll [clock microseconds]
        finish
    } elseif {$full} {
        set full 0
        after 0 produceSlice
    }
}

# ---------------------------------------------------------------- consuming

set received 0
set firsts {}
array set next {}       ;# partition -> the number that has to come next

proc receive {message} {
    global received total next partitions firsts firstSeen allSeen
    if {[dict exists $message error]} {
        # Not the end: librdkafka goes on trying. The deadline is the bound.
        say "note: [dict get $message error]: [dict get $message message]"
        return
    }
    set partition [dict get $message partition]
    scan [dict get $message payload] %d number
    if {![info exists next($partition)]} {
        set next($partition) $partition
    }
    if {$number != $next($partition)} {
        fail "partition $partition gave message $number, not $next($partition)"
    }
    incr next($partition) $partitions
    if {[incr received] == 1} {
        set firstSeen [clock microseconds]
    }
    if {$received <= 3} {
        lappend firsts $message
    }
    if {$received == $total} {
        set allSeen [clock microseconds]
        finish
    }
}

# Once all is sent and seen, wait a moment: nothing more may come.
proc finish {} {
    if {$::received >= $::total && $::reported >= $::total} {
        after 200 {set done 1}
    }
}

# ---------------------------------------------------------------- running

proc progress {} {
    puts -nonewline [format "\r\033\[K  produced %d  delivered %d  received %d" \
        $::sent $::reported $::received]
    flush stdout
    after 100 progress
}

proc number {n} {
    set n [expr {round($n)}]
    while {[regsub {^(\d+)(\d{3})} $n {\1,\2} n]} {}
    return $n
}

proc rate {count microseconds} {
    set seconds [expr {max($microseconds, 1) / 1e6}]
    return [format "%s in %.2f s (%s a second)" [number $count] $seconds \
        [number [expr {$count / $seconds}]]]
}

# Asking for a topic is what makes it, where clusters create topics automatically;
# the first answers may still be that there is none.
proc countPartitions {} {
    global partitions producer topic
    if {[catch {$producer info partitions $topic} partitions] || $partitions < 1} {
        after 200 countPartitions
        return
    }
    set ::ready 1
}

after [expr {$deadline * 1000}] {
    fail "not done after $deadline s: $sent produced, $reported delivered, $received received"
}

countPartitions
if {![info exists ready]} {vwait ready}

$subscriber subscribe $topic
$subscriber callback receive

if {$terminal} {progress}
set started [clock microseconds]
produceSlice
vwait done
after cancel progress

set seen 0
foreach {partition following} [array get next] {
    incr seen [expr {($following - $partition) / $partitions}]
}
if {$seen != $total || $received != $total} {
    fail "$received messages came back, [number $total] were sent"
}

say "topic $topic, $partitions partition(s)"
foreach message $firsts {
    say "  partition [dict get $message partition] offset [dict get $message offset]\
        key [dict get $message key]: [dict get $message payload]"
}
say "  ..."
say "produced and delivered [rate $total [expr {$sentAll - $started}]]"
say "received               [rate $total [expr {$allSeen - $firstSeen}]]"
if {$fulls} {say "the queue was full $fulls time(s); the producer waited for reports"}
say "every message came back once, in order within its partition"

$subscriber close
$producer close
if {$mock ne ""} {
    $mock delete
} else {
    say "the topic $topic stays on your cluster"
}
exit 0
