# worker_commits.tcl -- kafka::Worker: what counts as processed, and its commits.

oo::define ::kafka::Worker {
    method Handled {tp generation messages result} {
        if {[dict get $Options -ack] eq "async"} return
        if {![my Current $tp $generation]} return
        if {$result eq "ok"} {
            my Count $tp $generation $messages
            return
        }
        # Sync: what was handled is the front of what is outstanding.
        set Order($tp) [lrange $Order($tp) [llength $messages] end]
        if {[lindex $result 0] eq "commit"} {
            set Target($tp) [expr {[lindex $result 1] + 1}]
            my CommitSoon
        }
        my Room $tp
    }

    # Count tp generation messages -- they are processed.
    method Count {tp generation messages} {
        if {![my Current $tp $generation]} return
        foreach message $messages {dict set Acked($tp) [dict get $message offset] 1}
        my Advance $tp
    }

    # Advance tp -- only the front that is acknowledged without a gap is committed.
    method Advance {tp} {
        set front 0
        foreach offset $Order($tp) {
            if {![dict exists $Acked($tp) $offset]} break
            dict unset Acked($tp) $offset
            set Target($tp) [expr {$offset + 1}]
            incr front
        }
        if {!$front} return
        set Order($tp) [lrange $Order($tp) $front end]
        my CommitSoon
        my Room $tp
    }

    # Room tp -- read again when half of what may be outstanding is processed.
    method Room {tp} {
        if {$Paused($tp) && [llength $Order($tp)] <= [my Bound] / 2} {
            set Paused($tp) 0
            # Its partition may just have gone.
            catch {$Sub resume $tp}
        }
    }

    # Pass -- where all that has come of a partition is to be committed, offsets that are no messages
    # (the marks of transactions, say) are passed over as well.
    method Pass {} {
        foreach tp [$Sub position] {
            lassign $tp topic partition offset
            set tp [list $topic $partition]
            # A place before what is processed is none to go back to.
            if {![info exists Target($tp)] || $offset eq "invalid" || [llength $Order($tp)]
                    || $Target($tp) ne $Given($tp) || ($Target($tp) ne "" && $offset < $Target($tp))} continue
            set Given($tp) $offset
            set Target($tp) $offset
        }
    }

    # PassOn -- no message comes with them, so that somebody has to look.
    method PassOn {} {
        if {$State ne "running"} return
        my Pass
        if {[llength [my Uncommitted]]} {my CommitSoon}
        my Later pass 2000 PassOn
    }

    # Uncommitted -- {topic partition offset} of what is processed and not known to be committed.
    method Uncommitted {} {
        my Pass
        set tps {}
        foreach tp [array names Target] {
            if {$Target($tp) ne $Confirmed($tp)} {lappend tps [list {*}$tp $Target($tp)]}
        }
        return $tps
    }

    # One request at a time; what comes meanwhile goes with the next.
    method CommitSoon {} {
        if {$Committing || $CommitTimer ne ""} return
        set CommitTimer [after [dict get $Options -commit_interval] \
            [list [self namespace]::my CommitNow]]
    }

    method CommitNow {} {
        set CommitTimer ""
        set tps [my Uncommitted]
        if {![llength $tps] || ![info exists Sub]} return
        set Committing 1
        if {[catch {
            $Sub commit -command [list ::apply $::kafka::easy::told ::kafka::worker::Told [self namespace]::my Answered $tps] {*}$tps
        } message options]} {
            my Answered $tps [list error $message]
        }
    }

    method Answered {tps answer} {
        set Committing 0
        if {[dict exists $answer error]} {
            # While the group changes hands, say. A partition that stays is tried again.
            if {$State eq "running" && $CommitTimer eq ""} {
                set CommitTimer [after 200 [list [self namespace]::my CommitNow]]
            }
            return
        }
        foreach tp $tps {
            set offset [lindex $tp 2]
            set tp [lrange $tp 0 1]
            if {[info exists Confirmed($tp)]} {set Confirmed($tp) $offset}
        }
        if {[llength [my Uncommitted]]} {my CommitSoon}
    }

    # CommitLast -- commit what is processed, for there is no later. The answer to a commit that is on
    # its way comes first: the older one must not be the last. What a broker refuses for the moment
    # is tried again.
    method CommitLast {} {
        after cancel $CommitTimer
        set CommitTimer ""
        set deadline [::kafka::common::Deadline 5000]
        while {$Committing && [::kafka::common::Left $deadline]} {
            $Sub poll 100
        }
        # The answer may have asked for another.
        after cancel $CommitTimer
        set CommitTimer ""
        while {[llength [set tps [my Uncommitted]]]} {
            if {![catch {$Sub commit {*}$tps} message options]} return
            if {![::kafka::common::Left $deadline]} {
                ::kafka::common::Background $message $options
                return
            }
            # Serves the group, which may be what the broker waits for.
            $Sub poll 100
        }
    }
}
