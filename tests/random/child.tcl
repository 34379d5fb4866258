# child.tcl -- the process that runs random calls: tclsh child.tcl seed steps threads
#
# With threads (0: none) each has the seed of its own that follows, and its share of the steps;
# they share one cluster. Made by watch.tcl, and by hand to see a fault again.

set ::auto_path [linsert $::auto_path 0 [file join [file dirname [file dirname [file dirname \
    [file normalize [info script]]]]] build]]
source [file join [file dirname [file normalize [info script]]] machine.tcl]
lassign $argv seed steps threads

::kafka::kafka mock $::random::cluster -brokers 1
$::random::cluster rebalance_delay 0
foreach topic $::random::topics {$::random::cluster create_topic $topic -partitions 2}

if {!$threads} {
    random::run $seed $steps [$::random::cluster bootstrap]
} else {
    package require Thread
    for {set i 1} {$i <= $threads} {incr i} {
        set id [thread::create]
        thread::send $id [list set ::auto_path $::auto_path]
        thread::send $id [list source [file join [file dirname [file normalize [info script]]] machine.tcl]]
        # A thread that has ended by an error says so here.
        thread::send -async $id [list catch [list random::run [expr {$seed * 1000 + $i}] \
            [expr {$steps / $threads}] [$::random::cluster bootstrap] $i]] ended($i)
        lappend ids $id
    }
    for {set i 1} {$i <= $threads} {incr i} {
        while {![info exists ended($i)]} {vwait ended($i)}
        if {$ended($i)} {random::fault "thread $i ended with an error"}
    }
    foreach id $ids {thread::release -wait $id}
}

# Nothing may live on: clients that were deleted end in the background.
set end [expr {[clock milliseconds] + 30000}]
while {[dict get [::kafka::internal live] clients]} {
    if {[clock milliseconds] > $end} {random::fault "left: [::kafka::internal live]"}
    random::serve 20
}
$::random::cluster delete
while {[dict get [::kafka::internal live] mocks]} {
    if {[clock milliseconds] > $end} {random::fault "left: [::kafka::internal live]"}
    random::serve 20
}
puts @@end
