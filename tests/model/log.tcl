# log.tcl -- what the model knows: the log of each partition, from where a reader goes on, and what a group
# has committed.
#
# A partition is `topic partition`. A place is an offset from which reading goes on. Where the model cannot know one
# exactly (a member committed by itself, a call came to no answer), it is an interval, which the next message
# makes exact again.

package require Tcl 8.6-

namespace eval ::model {
    variable faults {}      ;# what was not as it should be, in words, in this sequence
    variable lines {}       ;# the steps of this sequence, and what happened meanwhile
}

# fault word ... -- something is wrong. The sequence ends after the step that it happened in.
proc ::model::fault {args} {
    variable faults
    note FAULT {*}$args
    lappend faults [join $args]
    return
}

# note word ... -- for who reads a failed sequence: what happened during a step.
proc ::model::note {args} {
    variable lines
    lappend lines "    # [clock format [expr {[clock milliseconds] / 1000}] -format %H:%M:%S].[format %03d [expr {
        [clock milliseconds] % 1000}]] [string range [join $args] 0 300]"
}

# attempt name resultVar word ... -- make a call of that reader. Gives 1 when it succeeded; an error that is not
# excused is a fault.
proc ::model::attempt {name var args} {
    upvar 1 $var result
    if {![catch {{*}$args} result options]} {return 1}
    note $name [lrange $args 1 end]: $result
    if {![excused $options]} {fault $name [lrange $args 1 end]: $result [dict get $options -errorcode]}
    return 0
}

# ---------------------------------------------------------------- the log

oo::class create ::model::Log {
    variable partitions offsets payload low end generation

    # make topic n -- there is a topic with n partitions, all empty; it may have been there before.
    method make {topic n} {
        set generation($topic) [expr {[info exists generation($topic)] ? $generation($topic) + 1 : 0}]
        array unset payload [list $topic *]
        set partitions($topic) 0
        my grow $topic $n
    }
    # grow topic n -- it has n partitions now.
    method grow {topic n} {
        for {set p $partitions($topic)} {$p < $n} {incr p} {
            set offsets([list $topic $p]) {}
            set low([list $topic $p]) 0
            set end([list $topic $p]) 0
        }
        set partitions($topic) $n
    }
    method tps {topics} {
        set tps {}
        foreach topic $topics {
            for {set p 0} {$p < $partitions($topic)} {incr p} {lappend tps [list $topic $p]}
        }
        return $tps
    }
    method partitions {topic} {return $partitions($topic)}
    method generation {topic} {return $generation($topic)}

    # put tp offset text visible -- a message was written there; one that was aborted is not visible.
    method put {tp offset text visible} {
        if {$offset < $end($tp)} {
            ::model::fault the log of $tp ends at $end($tp), and a message was written at $offset
        }
        if {$visible} {
            lappend offsets($tp) $offset
            set payload([list {*}$tp $offset]) $text
        }
        set end($tp) [expr {$offset + 1}]
    }
    # mark tp -- the mark of a transaction's end follows.
    method mark {tp} {incr end($tp)}
    # trim tp offset -- the messages before it are deleted.
    method trim {tp offset} {set low($tp) [expr {max($low($tp), $offset)}]}

    method low {tp} {return $low($tp)}
    method end {tp} {return $end($tp)}

    # written tp place -- the first message at that place or later, deleted or not; else the end.
    method written {tp place} {
        set at [lsearch -integer -sorted -bisect $offsets($tp) [expr {$place - 1}]]
        if {$at + 1 >= [llength $offsets($tp)]} {return $end($tp)}
        lindex $offsets($tp) $at+1
    }
    # first tp place -- the first one that is still there.
    method first {tp place} {my written $tp [expr {max($place, $low($tp))}]}
    # past tp place -- where a place may stand that has passed over what is no message.
    method past {tp place} {expr {max($place, [my first $tp $place])}}
    # text tp offset -- the payload of the message there; empty when there is none.
    method text {tp offset} {
        set key [list {*}$tp $offset]
        if {[info exists payload($key)]} {return $payload($key)}
        return ""
    }
}

# ---------------------------------------------------------------- places

# Where one reader is in each partition that it has.
oo::class create ::model::Places {
    variable log name lo hi open paused given remade most

    # open: the place is the end of the partition at some moment from then on.
    constructor {theLog theName} {
        set log $theLog
        set name $theName
        array set lo {}
        array set paused {}
        array set remade {}
    }

    # begin tp from to ?open? -- it is assigned, and reading begins in that interval.
    method begin {tp from to {isOpen 0}} {
        set paused($tp) 0
        my seek $tp $from $to $isOpen
    }
    method seek {tp from to {isOpen 0}} {
        set lo($tp) [expr {max(0, $from)}]
        set hi($tp) [expr {max(0, $to)}]
        set open($tp) $isOpen
        set given($tp) 0
    }
    # widen tp place ?open? -- it may as well go on there: nobody has said whether a call succeeded.
    method widen {tp place {isOpen 0}} {
        set lo($tp) [expr {min($lo($tp), $place)}]
        set hi($tp) [expr {max($hi($tp), $place)}]
        set open($tp) [expr {$open($tp) || $isOpen}]
        set given($tp) -1
    }
    method end {tp} {
        foreach what {lo hi open paused given} {unset -nocomplain ${what}($tp)}
    }
    # again tp end -- the log began anew, and ended there before: reading goes on where it was, or at the beginning.
    method again {tp end} {
        set remade($tp) 1
        if {![info exists lo($tp)]} return
        my widen $tp 0
        my widen $tp $end
    }
    # remade tp -- whether that has been.
    method remade {tp} {info exists remade($tp)}
    method pause {tp} {set paused($tp) 1}
    method resume {tp} {set paused($tp) 0}

    method tps {} {lsort -dictionary [array names lo]}
    method has {tp} {info exists lo($tp)}
    method isPaused {tp} {return $paused($tp)}
    method paused {} {lsort -dictionary [lmap tp [array names paused] {
        if {!$paused($tp)} continue
        set tp
    }]}
    method lo {tp} {return $lo($tp)}
    # hi tp -- the last place that it may be.
    method hi {tp} {expr {$open($tp) ? max($hi($tp), [$log end $tp]) : $hi($tp)}}
    # given tp -- 1: the script was given messages of it since it began there; 0: none; -1: that is not known.
    method given {tp} {return $given($tp)}
    method exact {tp} {expr {$lo($tp) == [my hi $tp]}}
    # caught tp -- whether all was given that there is.
    method caught {tp} {
        expr {[my exact $tp] && [$log first $tp $lo($tp)] == [$log end $tp]}
    }

    # gave tp offset text -- the reader was given this message: it has to be the next.
    method gave {tp offset text} {
        if {![info exists lo($tp)]} {
            ::model::fault $name was given $tp at $offset, which it does not have
            return
        }
        if {$paused($tp)} {::model::fault $name was given $tp at $offset, which is paused}
        # One of the topic that was deleted, read before.
        if {[lindex $text 1] ne [$log generation [lindex $tp 0]]} {
            my widen $tp [expr {$offset + 1}]
            return
        }
        set from [$log written $tp $lo($tp)]
        set to [$log first $tp [my hi $tp]]
        if {[$log text $tp $offset] ne $text} {
            ::model::fault $name was given $tp at $offset as \"$text\", where the log has \
                "\"[$log text $tp $offset]\""
        } elseif {$offset < $from || $offset > $to} {
            ::model::fault $name was given $tp at $offset, expected [expr {$from == $to ? $from : "$from to $to"}], \
                as it stood at [expr {$lo($tp) == [my hi $tp] ? $lo($tp) : "$lo($tp) to [my hi $tp]"}]
        }
        set lo($tp) [expr {$offset + 1}]
        set hi($tp) $lo($tp)
        set open($tp) 0
        set given($tp) 1
        set most($tp) [expr {max([my most $tp], $lo($tp))}]
    }
    # most tp -- the place after the last message that it was ever given; -1: none.
    method most {tp} {expr {[info exists most($tp)] ? $most($tp) : -1}}
}

# ---------------------------------------------------------------- groups

# What a group may have committed: an interval for each partition; -1: nothing.
oo::class create ::model::Group {
    variable lo hi remade

    constructor {} {
        array set lo {}
        array set hi {}
    }
    method Known {tp} {
        if {![info exists lo($tp)]} {set lo($tp) [set hi($tp) -1]}
    }
    # sure tp place -- the cluster has said that it is committed.
    method sure {tp place} {
        # What a member stored of the topic before may come after it.
        if {[info exists remade($tp)]} {
            my upTo $tp $place
            return
        }
        set lo($tp) [set hi($tp) $place]
    }
    # onTo tp place -- what counts was committed. That never moves a group back, as far as the member knows where it is.
    method onTo {tp place} {
        my Known $tp
        if {$place >= $hi($tp)} {
            my sure $tp $place
        } else {
            my maybe $tp $place
        }
    }
    # maybe tp place -- it may be.
    method maybe {tp place} {
        my Known $tp
        set lo($tp) [expr {min($lo($tp), $place)}]
        my upTo $tp $place
    }
    # upTo tp place -- it may be committed up to there, if a member commits what it has processed.
    method upTo {tp place} {
        my Known $tp
        set hi($tp) [expr {max($hi($tp), $place)}]
    }
    # again tp end -- the topic was deleted, and so were its offsets; but a member may have committed since.
    method again {tp end} {
        my upTo $tp $end
        set lo($tp) -1
        set remade($tp) 1
    }
    method interval {tp} {
        my Known $tp
        list $lo($tp) $hi($tp)
    }
}
