# checking.tcl -- what was lost and what came twice. The tests of faults, the soak and the suite for
# a real broker share it; it needs nothing but Tcl.
#
# Every message says who made it and its number there, from 0 on: "source number ?padding?". A ledger
# is told what was queued, what the delivery reports said, what stands in the cluster's log, and what
# each group has handled, in any order, and keeps only what isn't settled yet: it can run for
# days.
#
#     set ledger [checking::Ledger new {group ...}]
#     $ledger report a 0 1                  ;# message 0 of source a is acknowledged
#     $ledger stored a 0 t/2 17             ;# it is in partition t/2 at offset 17
#     $ledger handled group a 0             ;# the group has processed it
#     $ledger verdict                       ;# the counts, below

package require Tcl 8.6-

namespace eval checking {}

# payload source number ?size? -- the payload with that id, padded to so many characters.
proc checking::payload {source number {size 0}} {
    set id "$source $number"
    if {[string length $id] < $size} {
        append id " " [string repeat . [expr {$size - [string length $id] - 1}]]
    }
    return $id
}

# What is known of a message that isn't settled is a list: `report` (-1 none, 1 acknowledged, 0
# failed), how often it is in the log, and for each group how often it was handled.
oo::class create checking::Ledger {
    variable groups place fresh queued front message ended count last odd

    constructor {groupNames} {
        set groups $groupNames
        set fresh {-1 0}
        set i 1
        foreach group $groups {
            set place($group) [incr i]
            lappend fresh 0
        }
        array set queued {}
        array set message {}
        array set last {}
        set odd {}
        foreach name {acknowledged failed stored duplicated reportedTwice gaps reread} {set count($name) 0}
        foreach group $groups {
            set count(handled,$group) 0
            set count(repeated,$group) 0
        }
    }

    # queued source n -- it has made the messages 0 to n - 1.
    method queued {source n} {
        my Source $source
        if {$n > $queued($source)} {set queued($source) $n}
    }

    # ended source -- it is gone: what it never reported has no known fate.
    method ended {source} {
        my Source $source
        set ended($source) 1
        my Advance $source
    }

    # report source number acknowledged -- a delivery report.
    method report {source number acknowledged} {
        set known [my Known $source $number]
        if {$known eq "" || [lindex $known 0] >= 0} {
            incr count(reportedTwice)
            my Odd "$source $number reported twice"
            return
        }
        incr count([expr {$acknowledged ? "acknowledged" : "failed"}])
        my Keep $source $number [lset known 0 $acknowledged]
    }

    # delivered source number -- as good as acknowledged, if there was no report yet: its producer has
    # ended, and said nothing of a loss.
    method delivered {source number} {
        set known [my Known $source $number]
        if {$known ne "" && [lindex $known 0] < 0} {my report $source $number 1}
    }

    # stored source number partition offset -- a reader of the whole log, which reads each partition in
    # order, has found it there.
    method stored {source number partition offset} {
        if {[info exists last($partition)]} {
            if {$offset <= $last($partition)} {
                incr count(reread)
                my Odd "offset $offset of $partition read again after $last($partition)"
                return
            }
            incr count(gaps) [expr {$offset - $last($partition) - 1}]
        }
        set last($partition) $offset
        set known [my Known $source $number]
        incr count(stored)
        if {$known eq "" || [lindex $known 1] > 0} {
            incr count(duplicated)
            incr count(duplicated,$source)
            my Odd "$source $number twice in the log, again at $offset of $partition"
            if {$known eq ""} return
        }
        my Keep $source $number [lset known 1 [expr {[lindex $known 1] + 1}]]
    }

    # handled group source number -- one of the group has processed it.
    method handled {group source number} {
        set known [my Known $source $number]
        incr count(handled,$group)
        if {$known eq "" || [lindex $known $place($group)] > 0} {
            incr count(repeated,$group)
            if {$known eq ""} return
        }
        my Keep $source $number [lset known $place($group) [expr {[lindex $known $place($group)] + 1}]]
    }

    # behind ?source? -- how many messages are queued and not settled.
    method behind {{wanted ""}} {
        set behind 0
        foreach source [expr {$wanted eq "" ? [array names queued] : [list $wanted]}] {
            my Source $source
            incr behind [expr {$queued($source) - $front($source)}]
        }
        return $behind
    }

    # front source -- the first number that isn't settled.
    method front {source} {
        my Source $source
        return $front($source)
    }

    # awaits source -- what the first unsettled message waits for: its number, and words out of `report`,
    # `log` and the groups.
    method awaits {source} {
        my Source $source
        set known [my Known $source $front($source)]
        set words {}
        if {[lindex $known 0] < 0} {lappend words report}
        if {[lindex $known 1] == 0} {lappend words log}
        foreach group $groups {
            if {[lindex $known $place($group)] == 0} {lappend words $group}
        }
        return [list $front($source) {*}$words]
    }

    # missing -- those acknowledged and not found in the log yet: `source number`.
    method missing {} {
        set ids {}
        foreach {id known} [array get message] {
            if {[lindex $known 0] == 1 && [lindex $known 1] == 0} {lappend ids $id}
        }
        return $ids
    }

    # settled ?source ...? -- whether all that were acknowledged are in the log, and all that are there
    # were handled by every group; and all of sources that go on are reported.
    method settled {args} {
        foreach source [expr {[llength $args] ? $args : [array names queued]}] {
            my Source $source
            if {$front($source) < $queued($source)} {return 0}
        }
        foreach {id known} [array get message] {
            lassign $id source
            if {([llength $args] == 0 || $source in $args) && [my Wanting $known]} {return 0}
        }
        return 1
    }

    # verdict -- a dict: `queued acknowledged failed unreported stored lost duplicated reportedTwice
    # gaps reread`, `groups` (of each `handled skipped repeated`), `duplicates` (by source), and
    # `odd`, the first of what is not as it should be, in words.
    method verdict {} {
        set lost 0
        set unreported 0
        set total 0
        set first $odd
        foreach group $groups {set skipped($group) 0}
        foreach source [array names queued] {
            incr total $queued($source)
            # What nobody has heard of has no record.
            for {set n $front($source)} {$n < $queued($source)} {incr n} {
                if {![info exists message([list $source $n])]} {incr unreported}
            }
        }
        foreach {id known} [array get message] {
            lassign $known report stored
            if {$report < 0} {incr unreported}
            if {$report == 1 && !$stored} {
                incr lost
                if {[llength $first] < 40} {lappend first "$id acknowledged and not in the log"}
            }
            if {!$stored} continue
            foreach group $groups {
                if {[lindex $known $place($group)] == 0} {
                    incr skipped($group)
                    if {[llength $first] < 40} {lappend first "$id not handled by $group"}
                }
            }
        }
        set by {}
        foreach group $groups {
            lappend by $group [dict create handled $count(handled,$group) skipped $skipped($group) \
                repeated $count(repeated,$group)]
        }
        set duplicates {}
        foreach source [lsort [array names queued]] {
            if {[info exists count(duplicated,$source)]} {lappend duplicates $source $count(duplicated,$source)}
        }
        return [dict create queued $total acknowledged $count(acknowledged) failed $count(failed) \
            unreported $unreported stored $count(stored) lost $lost duplicated $count(duplicated) \
            reportedTwice $count(reportedTwice) gaps $count(gaps) reread $count(reread) groups $by \
            duplicates $duplicates odd $first]
    }

    # kept -- how many messages the ledger remembers.
    method kept {} {array size message}

    method Source {source} {
        if {[info exists queued($source)]} return
        set queued($source) 0
        set front($source) 0
        set ended($source) 0
    }

    # What is known of a message; empty when it is settled.
    method Known {source number} {
        my Source $source
        if {$number >= $queued($source)} {set queued($source) [expr {$number + 1}]}
        set id [list $source $number]
        if {[info exists message($id)]} {return $message($id)}
        if {$number < $front($source)} {return ""}
        return $fresh
    }

    method Keep {source number known} {
        set message([list $source $number]) $known
        # Of a source that was killed the log may have one that was not heard of, and not those before it.
        if {$number == $front($source) || ($ended($source) && $number > $front($source))} {
            my Advance $source
        } elseif {$number < $front($source)} {
            # One that was passed, as it need not be in the log, and is there all the same.
            my Forget [list $source $number]
        }
    }

    # Passes all messages that may be passed.
    method Advance {source} {
        while {$front($source) < $queued($source)} {
            set id [list $source $front($source)]
            if {[info exists message($id)]} {
                if {([lindex $message($id) 0] < 0 && !$ended($source)) || [my Wanting $message($id)]} return
                my Forget $id
            } elseif {$ended($source)} {
                # Its fate is open for ever: remembered, should it be in the log.
                set message($id) $fresh
            } else {
                return
            }
            incr front($source)
        }
    }

    # Whether something has still to happen: acknowledged, it has to be in the log; if it is there, every
    # group has to handle it.
    method Wanting {known} {
        if {[lindex $known 1] == 0} {return [expr {[lindex $known 0] == 1}]}
        expr {0 in [lrange $known 2 end]}
    }

    # What is in the log and handled needs no memory: whatever comes of it is one too many.
    method Forget {id} {
        if {[lindex $message($id) 1] > 0 && ![my Wanting $message($id)] && [lindex $message($id) 0] >= 0} {
            unset message($id)
        }
    }

    method Odd {text} {
        if {[llength $odd] < 20} {lappend odd $text}
    }
}

# ---------------------------------------------------------------- judging

# sound verdict ?-twice sources? ?-unreported b? -- empty if nothing is lost, skipped, reported twice or
# twice in the log, else what is wrong. -twice: glob patterns of sources that may have duplicates in the log
# (those without idempotence); -unreported 1: reports may be missing (a producer was killed).
proc checking::sound {verdict args} {
    set options [dict merge {-twice {} -unreported 0} $args]
    set wrong {}
    foreach name {lost reportedTwice reread} {
        if {[dict get $verdict $name]} {lappend wrong "[dict get $verdict $name] $name"}
    }
    if {[dict get $verdict unreported] && ![dict get $options -unreported]} {
        lappend wrong "[dict get $verdict unreported] unreported"
    }
    dict for {source n} [dict get $verdict duplicates] {
        set allowed 0
        foreach pattern [dict get $options -twice] {
            if {[string match $pattern $source]} {set allowed 1}
        }
        if {!$allowed} {lappend wrong "$n of $source duplicated"}
    }
    dict for {group counts} [dict get $verdict groups] {
        if {[dict get $counts skipped]} {lappend wrong "[dict get $counts skipped] skipped by $group"}
    }
    if {[llength $wrong]} {return "[join $wrong {, }]: [join [dict get $verdict odd] {; }]"}
    return ""
}
