# watch.tcl -- what a soak looks at: counts and memory over time, as rows of a table, and whether memory
# grows.

namespace eval watch {
    variable began 0
    variable last               ;# of the row before: time and messages
    variable rows {}            ;# dicts: seconds messages rate faults lost duplicated repeated behind rss
    # Acknowledged and not found in the log yet at the row before. What is still missing at the next is
    # shown as unseen: the reader of the log is behind, or, if it is so in the end, it is lost.
    variable missing {}
    variable lost 0
    # Those that live from the beginning to the end.
    variable steady {member-1 member-4 plain-1 batches}
    variable columns {time messages per_s faults rebal unseen dup repeated behind}
}

# rss pid -- the resident kilobytes of a process; 0 when it is gone.
proc watch::rss {pid} {
    if {[catch {open /proc/$pid/status} channel]} {return 0}
    set text [read $channel]
    close $channel
    if {[regexp {VmRSS:\s+(\d+) kB} $text - kb]} {return $kb}
    return 0
}

proc watch::begin {} {
    variable began [clock milliseconds]
    variable last [list $began 0]
    variable columns
    variable steady
    puts [format "%6s %9s %6s %6s %6s %6s %4s %8s %7s   RSS, MB: %s" {*}$columns \
        "soak cluster log [join $steady { }]"]
}

# counts -- both ledgers together: messages acknowledged failed duplicated wrongly repeated behind.
proc watch::counts {} {
    set sum {queued 0 acknowledged 0 failed 0 stored 0 duplicated 0 reportedTwice 0 reread 0 lost 0 unreported 0}
    set groups {}
    set wrongly 0
    foreach ledger [list $::ledger $::single] {
        set v [$ledger verdict]
        foreach name [dict keys $sum] {dict incr sum $name [dict get $v $name]}
        dict for {source n} [dict get $v duplicates] {
            if {![string match plain-* $source] && ![string match batches.* $source]} {incr wrongly $n}
        }
        lappend groups {*}[dict get $v groups]
    }
    set repeated 0
    set skipped 0
    set handled 0
    dict for {group counts} $groups {
        incr repeated [dict get $counts repeated]
        incr skipped [dict get $counts skipped]
        incr handled [dict get $counts handled]
    }
    dict set sum wrongly $wrongly
    dict set sum repeated $repeated
    dict set sum skipped $skipped
    dict set sum handled $handled
    return $sum
}

# row -- one more.
proc watch::row {} {
    variable began
    variable last
    variable rows
    variable missing
    variable lost
    variable steady
    set now [clock milliseconds]
    set counts [counts]
    # What was missing a row ago and is missing still.
    set still [concat [$::ledger missing] [$::single missing]]
    set lost 0
    foreach id $still {
        if {[dict exists $missing $id]} {incr lost}
    }
    set missing {}
    foreach id $still {dict set missing $id 1}
    lassign $last then messages
    set queued [dict get $counts queued]
    set rate [expr {round(1000.0 * ($queued - $messages) / max(1, $now - $then))}]
    set last [list $now $queued]
    set memory [list soak [rss [pid]] cluster [rss [childPid $load::cluster]] log [rss [childPid $load::log]]]
    foreach role $steady {
        if {[dict exists $load::running $role]} {
            lappend memory $role [rss [childPid [dict get $load::running $role handle]]]
        }
    }
    set seconds [expr {($now - $began) / 1000}]
    lappend rows [dict create seconds $seconds messages $queued rate $rate faults [faults::count] lost $lost \
        duplicated [dict get $counts wrongly] memory $memory]
    puts [format "%6s %9d %6d %6d %6d %6d %4d %8d %7d   %s" [clockface $seconds] $queued $rate [faults::count] \
        $load::rebalances $lost [dict get $counts wrongly] [dict get $counts repeated] \
        [expr {[$::ledger behind] + [$::single behind]}] \
        [join [lmap {name kb} $memory {format %.1f [expr {$kb / 1024.0}]}]]]
    flush stdout
}

proc watch::clockface {seconds} {format %d:%02d [expr {$seconds / 60}] [expr {$seconds % 60}]}

# grows name -- whether that process's memory grew steadily: leaving the first third out, in which caches
# and pools fill, each third of the rest has more than the one before, by 5% or 2 MB at least in all.
proc watch::grows {name} {
    variable rows
    set values [lmap row $rows {
        if {![dict exists $row memory $name]} continue
        dict get $row memory $name
    }]
    set values [lrange $values [expr {[llength $values] / 3}] end]
    set third [expr {[llength $values] / 3}]
    if {$third < 2} {return 0}
    set means [lmap from [list 0 $third [expr {2 * $third}]] {
        expr {[::tcl::mathop::+ {*}[lrange $values $from [expr {$from + $third - 1}]]] / double($third)}
    }]
    lassign $means a b c
    expr {$a < $b && $b < $c && $c - $a > max(2048, 0.05 * $a)}
}

# growing -- the clients whose memory grows steadily. The embedded cluster is no client, but it has bounds too
# and is shown.
proc watch::growing {} {
    variable steady
    lmap name [list soak log {*}$steady] {
        if {![grows $name]} continue
        set name
    }
}
