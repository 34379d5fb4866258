# scale.tcl ?-messages n? ?-handles n? ?-topics n? ?-threads n? ?-seconds n? -- what grows with
# the load: memory, idle CPU and waking of many handles, large messages, many interpreters;
# and how it behaves: the start, timers under load, waking when idle, slow callbacks.
# Each part runs in a process of its own; the figures are in BASELINE.md.

package require kafka

set here [file dirname [file normalize [info script]]]
array set want {-messages 10000000 -handles 200 -topics 2000 -threads 64 -seconds 10}
foreach {name value} $argv {
    if {![info exists want($name)] || ![string is integer -strict $value]} {
        puts stderr "usage: scale.tcl ?[join [lsort [array names want]] " n? ?"] n?"
        exit 2
    }
    set want($name) $value
}

# A part of the script in a process of its own, beside an embedded cluster in another one.
proc part {name args} {
    set host [open |[list [info nameofexecutable] [file join $::here host.tcl]] r+]
    fconfigure $host -buffering line
    gets $host bootstrap
    set topics {}
    foreach {topic partitions} [lindex $args 0] {
        puts $host [list create $topic $partitions]
        gets $host
    }
    puts [exec -ignorestderr [info nameofexecutable] [file join $::here scale-part.tcl] \
        $name $bootstrap {*}[lrange $args 1 end] 2>@stderr]
    close $host
}

if {$want(-messages)} {part stream {big 8} $want(-messages)}
foreach backoff {10 100} {
    set topics {}
    for {set i 0} {$i < $want(-handles)} {incr i} {
        lappend topics idle$i [expr {max(1, $want(-topics) / $want(-handles))}]
    }
    part idle $topics $want(-handles) $backoff $want(-seconds)
}
part large {large 1}
part timer {full 8} 1000000
part quiet {quiet 1} $want(-seconds)
part slow {full 8} $want(-seconds)
part start {}
if {![catch {package require Thread}]} {
    part threads {threads 4} $want(-threads)
} else {
    puts "threads: not run, for want of the Thread package"
}
