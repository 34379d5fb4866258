# fakelog.tcl -- the log of the fake broker: what it keeps of what is produced, and the sequence
# numbers of idempotent producers, by the rules of Apache Kafka.

namespace eval fake {
    variable producers 1000     ;# the last id that a producer got
    variable values             ;# topic,partition -> the payloads, in order
    variable recent             ;# topic,partition,producer -> {epoch {first last offset} ...}, five at most
}

# write topic partition batch -- append a batch of records (version 2, not compressed): an error code, the
# offset and the number of records.
proc fake::write {topic partition batch} {
    variable offsets
    variable values
    variable recent
    binary scan $batch @43WSII producer epoch first count
    set place $topic,$partition
    set offset [incr offsets($place) 0]
    if {$producer >= 0} {
        set key $place,$producer
        if {![info exists recent($key)] || $epoch > [lindex $recent($key) 0]} {
            # A new producer or epoch begins at 0.
            if {$first != 0} {return [list 45 -1 $count]}
            set recent($key) [list $epoch]
        } elseif {$epoch < [lindex $recent($key) 0]} {
            return [list 47 -1 $count]
        }
        set known [lrange $recent($key) 1 end]
        set last [expr {$first + $count - 1}]
        foreach row $known {
            # One of the last five again: its answer was lost.
            if {[lindex $row 0] == $first && [lindex $row 1] == $last} {return [list 0 [lindex $row 2] $count]}
        }
        if {[llength $known] && $first != [lindex $known end 1] + 1} {
            return [list [expr {$last <= [lindex $known end 1] ? 46 : 45}] -1 $count]
        }
        lappend known [list $first $last $offset]
        set recent($key) [list $epoch {*}[lrange $known end-4 end]]
    }
    incr offsets($place) $count
    lappend values($place) {*}[records [string range $batch 61 end] $count]
    return [list 0 $offset $count]
}

# records bytes count -- the payloads.
proc fake::records {bytes count} {
    set at 0
    set out {}
    for {set i 0} {$i < $count} {incr i} {
        set end [expr {[varint] + $at}]
        incr at
        varint
        varint
        incr at [expr {max(0, [varint])}]
        set size [varint]
        lappend out [string range $bytes $at [expr {$at + $size - 1}]]
        set at $end
    }
    return $out
}

# varint -- the next number in the caller's `bytes` from its `at` on.
proc fake::varint {} {
    upvar 1 bytes bytes at at
    set shift 0
    set value 0
    while 1 {
        binary scan $bytes @${at}cu byte
        incr at
        set value [expr {$value | ($byte & 127) << $shift}]
        if {$byte < 128} {return [expr {$value >> 1 ^ -($value & 1)}]}
        incr shift 7
    }
}

# takeValues topic partition -- the payloads since the last call, and forget them and what was logged.
proc fake::takeValues {topic partition} {
    variable values
    variable log {}
    set out [expr {[info exists values($topic,$partition)] ? $values($topic,$partition) : {}}]
    set values($topic,$partition) {}
    return $out
}
