# cluster.tcl -- what run.tcl and latency.tcl source: the cluster (::bootstrap; ::host, the pipe to its process, if it
# is embedded), its topics, and the middle of figures. Wants ::tclsh and ::here.

set host ""
if {[info exists env(KAFKA_BOOTSTRAP)] && $env(KAFKA_BOOTSTRAP) ne ""} {
    set bootstrap $env(KAFKA_BOOTSTRAP)
} else {
    set host [open |[list $tclsh [file join $here host.tcl]] r+]
    fconfigure $host -buffering line
    gets $host bootstrap
}
puts "cluster: [expr {$host eq {} ? $bootstrap : "embedded, one broker"}]"

# A topic that nothing else uses, with this many partitions.
proc newTopic {partitions} {
    set topic bench-[clock milliseconds]-[incr ::topics]
    if {$::host ne ""} {
        puts $::host [list create $topic $partitions]
        gets $::host
    }
    return $topic
}

proc median {list} {
    lindex [lsort -real $list] [expr {[llength $list] / 2}]
}
