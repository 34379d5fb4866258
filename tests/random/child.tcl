# child.tcl -- the process that runs random calls: tclsh child.tcl seed steps threads
#
# With threads (0: none) each has the seed of its own that follows, and its share of the steps;
# they share one cluster. Made by watch.tcl, and by hand to see a fault again.

set ::auto_path [linsert $::auto_path 0 [file join [file dirname [file dirname [file dirname \
    [file normalize [info script]]]]] build]]
source [file join [file dirname [file normalize [info script]]] machine.tcl]
lassign $argv seed steps threads

# The cluster is a process of its own: its assertions (librdkafka's embedded cluster has some that
# clients can trip) are no faults of the package. What the calls do to it goes down a pipe.
set cluster [open |[list [info nameofexecutable] [file join [file dirname [file normalize [info script]]] \
    cluster.tcl] {*}$::random::topics 2>/dev/null] r+]
fconfigure $cluster -buffering line
set bootstrap [gets $cluster]
fileevent $cluster readable {
    if {[gets $cluster line] < 0 && [eof $cluster]} {fileevent $cluster readable {}}
}
proc $::random::cluster {args} {
    # Whether the words were right is seen with the clusters in this process.
    if {![catch {puts $::cluster [string map {\n { }} $args]}]} {catch {flush $::cluster}}
    return
}

if {!$threads} {
    random::run $seed $steps $bootstrap
} else {
    package require Thread
    for {set i 1} {$i <= $threads} {incr i} {
        set id [thread::create]
        thread::send $id [list set ::auto_path $::auto_path]
        thread::send $id [list source [file join [file dirname [file normalize [info script]]] machine.tcl]]
        # A thread that has ended by an error says so here.
        thread::send -async $id [list random::thread [expr {$seed * 1000 + $i}] \
            [expr {$steps / $threads}] $bootstrap $i] ended($i)
        lappend ids $id
    }
    for {set i 1} {$i <= $threads} {incr i} {
        while {![info exists ended($i)]} {vwait ended($i)}
        if {$ended($i) ne ""} {random::fault "thread $i ended with an error: $ended($i)"}
    }
    foreach id $ids {thread::release -wait $id}
}

# Nothing may live on: clients that were deleted end in the background.
set ::random::deadline [expr {[clock milliseconds] + 30000}]
while {[dict get [::kafka::internal live] clients]} {
    if {[clock milliseconds] > $::random::deadline} {random::fault "left: [::kafka::internal live]"}
    random::serve 20
}
catch {close $cluster}
while {[dict get [::kafka::internal live] mocks]} {
    if {[clock milliseconds] > $::random::deadline} {random::fault "left: [::kafka::internal live]"}
    random::serve 20
}
puts @@end
