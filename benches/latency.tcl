# latency.tcl ?-quick? -- the benchmark of latency: from the call that produces a message, in another
# process, to the callback that gets it, and to the callback that gets the delivery report. linger.ms 0, a message
# every 3 ms, so that each finds the way empty. And what one costs whose delivery is waited for, with linger.ms
# as it is by default, beside linger.ms 0.
#
# Ours and the floor's (the same librdkafka without Tcl) take turns, round after round, with the
# same sender. With KAFKA_BOOTSTRAP the broker is that one. The embedded cluster
# wakes no fetch that waits for a message, so there both wait 2 ms at most: figures to compare with
# each other, not with a broker's.

package require kafka

set here [file dirname [file normalize [info script]]]
set root [file dirname $here]
set tclsh [info nameofexecutable]
set floor [file join $root [expr {[info exists env(CARGO_TARGET_DIR)] ? $env(CARGO_TARGET_DIR) : "target"}] \
    release examples floor]
set quick [expr {"-quick" in $argv}]
set rounds [expr {$quick ? 3 : 5}]
set count [expr {$quick ? 500 : 1000}]
set size 100

source [file join $here cluster.tcl]

# title, the program's kind, its row, what it is compared with
set rows {
    {"produce to librdkafka's poll"        floor latency-read        {}}
    {"produce to a topic's callback"       ours  topic-callback      latency-read}
    {"produce to a subscriber's callback"  ours  subscriber-callback latency-read}
    {"produce to subscriber consume"       ours  subscriber-consume  latency-read}
    {"delivery report, librdkafka"         floor latency-send        {}}
    {"delivery report callback"            ours  report              latency-send}
    {"send -wait, linger.ms 0"             ours  wait-0              {}}
    {"send -wait"                          ours  wait                wait-0}
    {"value of a future, linger.ms 0"      ours  value-0             {}}
    {"value of a future"                   ours  value               value-0}
}

proc words {kind row topic} {
    set arguments [list $row $::bootstrap $topic 1 $::count $::size]
    if {$kind eq "floor"} {return [list $::floor {*}$arguments]}
    list $::tclsh [file join $::here latency-row.tcl] {*}$arguments
}

# A topic with one message, which tells a reader that it reads.
proc begun {} {
    set topic [newTopic 1]
    set m [::kafka::kafka create #auto]
    $m config bootstrap.servers $::bootstrap
    set p [$m producer_creator #auto]
    $p send $topic first -partition 0 -block 30000
    if {[$p flush 30000]} {error "topic $topic took no message"}
    $p delete
    $m delete
    return $topic
}

proc measure {kind row} {
    set topic [begun]
    if {$row in {latency-send report wait-0 wait value-0 value}} {
        return [exec -ignorestderr {*}[words $kind $row $topic] 2>@stderr]
    }
    set reader [open |[list {*}[words $kind $row $topic] 2>@stderr] r]
    if {[gets $reader] ne "ready"} {error "the reader of $row did not begin"}
    exec {*}[words floor latency-send $topic]
    set said [gets $reader]
    close $reader
    return $said
}

if {$host ne ""} {set env(BENCH_FETCH_WAIT) 2}
for {set round 0} {$round < $rounds} {incr round} {
    foreach line $rows {
        lassign $line title kind row
        lassign [measure $kind $row] p50 p99
        lappend mid($row) $p50
        lappend tail($row) $p99
    }
}

puts ""
puts "Latency, $size bytes, a message every 3 ms, $count messages, $rounds rounds: milliseconds, medians of the rounds\
    [expr {$host eq {} ? {} : {(embedded cluster, which wakes no waiting fetch: fetch.wait.max.ms 2)}}]"
puts [format "%-40s %8s %8s %14s" "" p50 p99 "of the other"]
foreach line $rows {
    lassign $line title kind row under
    set ratio ""
    if {$under ne ""} {
        set ratio [format "%.2f / %.2f" [expr {1.0 * [median $mid($row)] / [median $mid($under)]}] \
            [expr {1.0 * [median $tail($row)] / [median $tail($under)]}]]
    }
    puts [format "%-40s %8.2f %8.2f %14s" $title [expr {[median $mid($row)] / 1000.0}] \
        [expr {[median $tail($row)] / 1000.0}] $ratio]
}
if {$host ne ""} {close $host}
