# member.tcl -- a subscriber of this process, and what it must do: as a member of a group by one of the three
# protocols, by `assign`, or as a kafka::Consumer.

source [file join [file dirname [file normalize [info script]]] world.tcl]

namespace eval ::model {
    # What passes by itself, and may come of a call while brokers are away, or a group is in motion.
    variable passing {
        RD_KAFKA_RESP_ERR__TIMED_OUT RD_KAFKA_RESP_ERR__TRANSPORT RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN
        RD_KAFKA_RESP_ERR__WAIT_COORD RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE RD_KAFKA_RESP_ERR_NOT_COORDINATOR
        RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS
        RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION
        RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE RD_KAFKA_RESP_ERR__LEADER_NOT_AVAILABLE
    }
    variable moving {
        RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION
        RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID RD_KAFKA_RESP_ERR_STALE_MEMBER_EPOCH
        RD_KAFKA_RESP_ERR_FENCED_MEMBER_EPOCH RD_KAFKA_RESP_ERR__STATE RD_KAFKA_RESP_ERR__ASSIGNMENT_LOST
        RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION RD_KAFKA_RESP_ERR__ILLEGAL_GENERATION
        RD_KAFKA_RESP_ERR__NO_OFFSET
    }
    variable gone {
        RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC
        RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_ID
        RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE
    }
}

# excused code options -- whether an error of a call may be, after what was done.
proc ::model::excused {options} {
    variable passing
    variable moving
    variable gone
    set errorcode [dict get $options -errorcode]
    if {[lindex $errorcode 0] ne "KAFKA"} {return 0}
    # The classes' codes have the plain one somewhere behind.
    set codes [lsearch -all -inline -glob $errorcode RD_KAFKA_RESP_ERR_*]
    if {[lsearch $errorcode PARTIAL] >= 0} {
        foreach {- code} [regexp -all -inline {code (RD_KAFKA_RESP_ERR_\w+)} $errorcode] {lappend codes $code}
    }
    if {![llength $codes]} {return 0}
    foreach code $codes {
        set ok [expr {$code eq "RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED" && [dict get $::model::options idle]}]
        # A broker answers nothing behind a member's joining until all have joined; the other one, in this thread, can't
        # while the call waits.
        if {$code eq "RD_KAFKA_RESP_ERR__TIMED_OUT" && "group" in $::model::world::troubles && [llength [all]] > 1} {set ok 1}
        foreach {trouble list} [list away [list {*}$passing {*}$moving] group $moving remade $gone idle $moving] {
            if {$trouble in $::model::world::troubles && $code in $list} {set ok 1}
        }
        if {!$ok} {return 0}
    }
    return 1
}

# closing options -- the same of an error of a close. Where another member of the group lives in this thread, that one
# may have to answer the group before this one can leave.
proc ::model::closing {options} {
    if {[excused $options]} {return 1}
    expr {[llength [all]] && "RD_KAFKA_RESP_ERR__TIMED_OUT" in [dict get $options -errorcode]}
}

oo::class create ::model::Member {
    variable name kind s log group places auto topics settings
    variable fault          ;# what the callback is to do wrong: how many messages from now, and what then

    # kind: range cooperative consumer assign class
    constructor {theName theKind theLog theGroup groupId options} {
        set name $theName
        set kind $theKind
        set log $theLog
        set group $theGroup
        set auto [dict get $options auto]
        set fault {}
        set places [::model::Places new $log $name]
        set conf [list group.id $groupId enable.auto.commit $auto auto.commit.interval.ms 50]
        if {$kind eq "consumer"} {
            lappend conf group.protocol consumer
        } else {
            lappend conf session.timeout.ms 1500 heartbeat.interval.ms 100
            if {[dict get $options idle]} {lappend conf max.poll.interval.ms 1500}
            lappend conf partition.assignment.strategy [expr {
                $kind eq "cooperative" ? "cooperative-sticky" : "range"}]
        }
        set settings $conf
        my Make
        $s rebalance_callback [list [self] rebalanced]
    }
    destructor {
        if {[info exists s] && [namespace which -command $s] ne ""} {$s delete}
        if {[info exists places]} {$places destroy}
    }

    method Make {} {
        set master [::model::world::master {*}$settings]
        set s [$master subscriber #auto]
        $master delete
    }

    method places {} {return $places}
    method name {} {return $name}
    method handle {} {return $s}

    # rebalanced event -- told by the subscriber.
    method rebalanced {event} {
        set tps [lmap tp [dict get $event partitions] {lrange $tp 0 1}]
        ::model::note $name [dict get $event event] [lsort -dictionary $tps]
        if {[dict get $event event] eq "assign"} {
            # What members in other processes have said so far was before this.
            ::model::mates::hear
            foreach tp $tps {
                if {[$places has $tp]} {
                    ::model::fault $name has $tp already, and is assigned it
                }
                $places begin $tp {*}[$group interval $tp]
            }
        } else {
            foreach tp $tps {
                if {![$places has $tp]} {
                    ::model::fault $name does not have $tp, and it is taken away
                    continue
                }
                $places end $tp
            }
        }
    }

    # Try word ... -- make a call on the subscriber. Gives 1 when it succeeded; an error that is not excused is a
    # fault. The result is in `result`.
    method Try {args} {
        upvar 1 result result
        ::model::attempt $name result {*}$args
    }

    # ---------------------------------------------------------------- the group

    method subscribe {list} {
        set topics $list
        if {$kind eq "assign"} return
        ::model::world::trouble group
        my Try $s subscribe {*}$list
    }
    method unsubscribe {} {
        set topics {}
        if {$kind eq "assign"} return
        ::model::world::trouble group
        my Try $s unsubscribe
    }
    method topics {} {return $topics}

    # close how -- leave: close, delete, or by an empty interpreter's end.
    method close {how} {
        ::model::world::trouble group
        my Leave $how
        # Its last commit may be of all that it was given.
        my destroy
    }

    method Leave {how} {
        if {[catch {$s {*}$how} result options] && ![::model::closing $options]} {
            ::model::fault $name $how: $result [dict get $options -errorcode]
        }
    }

    # ---------------------------------------------------------------- reading

    # got topic partition offset text -- a message was given.
    method got {topic partition offset text} {
        set tp [list $topic $partition]
        $places gave $tp $offset $text
        # Where it was sought back, what is stored is less than what is committed, and a revoke commits it all the same.
        if {$auto} {$group maybe $tp [expr {$offset + 1}]}
    }
    method Message {message} {
        if {[dict exists $message error]} {
            my Error $message
            return
        }
        my got [dict get $message topic] [dict get $message partition] [dict get $message offset] \
            [dict get $message payload]
    }
    method Error {message} {
        ::model::note $name reads [dict get $message code] [dict get $message message]
        set code [dict get $message code]
        if {$code eq "RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED" && [dict get $::model::options idle]} return
        if {"remade" in $::model::world::troubles && $code in $::model::gone} return
        ::model::fault $name reads $message
    }

    # read form n ms -- up to about n messages, or so long.
    method read {form n ms} {
        switch $form {
            consume {
                for {set i 0} {$i < $n} {incr i} {
                    if {![my Try $s consume $ms] || $result eq ""} return
                    my Message $result
                }
            }
            list {
                if {![my Try $s consume_list $ms $n]} return
                foreach message $result {my Message $message}
            }
            fields {
                if {![my Try $s consume_list $ms $n -fields {topic partition offset payload}]} return
                foreach {t p o text} $result {my got $t $p $o $text}
            }
            batch {
                my Try $s consume_batch $ms $n [my varname row] [list [self] row]
            }
            break {
                set fault [list [expr {$n / 2}] break]
                my Try $s consume_batch $ms $n [my varname row] [list [self] row]
            }
            event {
                $s callback [list [self] arrived]
                ::model::serve $ms
                $s callback {}
            }
            stop {
                # The callback fails at a message: it goes back to that one.
                set fault [list [expr {$n / 3}] error]
                $s on_error stop
                $s callback [list [self] arrived]
                ::model::serve $ms
                if {[info commands $s] ne ""} {
                    $s callback {}
                    $s on_error continue
                }
                set fault {}
            }
        }
    }
    method row {} {
        my variable row
        my Message [array get row]
        if {[my Due] eq "break"} {
            set fault {}
            return -code break
        }
    }
    method arrived {message} {
        if {[my Due] eq "error" && ![dict exists $message error]} {
            set fault {}
            set tp [list [dict get $message topic] [dict get $message partition]]
            # Whether it is the next has to be right all the same.
            $places gave $tp [dict get $message offset] [dict get $message payload]
            $group upTo $tp [dict get $message offset]
            $places seek $tp [dict get $message offset] [dict get $message offset]
            ::model::note $name fails at $tp [dict get $message offset]
            return -code error -errorcode {MODEL EXPECTED} "as it should"
        }
        my Message $message
    }
    # Due -- what the script is to do now.
    method Due {} {
        if {![llength $fault]} return
        lassign $fault left what
        if {$left > 0} {
            lset fault 0 [expr {$left - 1}]
            return
        }
        return $what
    }

    # ---------------------------------------------------------------- steering

    # Nth i -- one of its partitions; empty when it has none.
    method Nth {i} {
        set tps [$places tps]
        if {![llength $tps]} return
        lindex $tps [expr {$i % [llength $tps]}]
    }

    method pause {i} {
        if {[set tp [my Nth $i]] eq ""} return
        if {[my Try $s pause $tp]} {$places pause $tp}
        return $tp
    }
    method resume {i} {
        set paused [$places paused]
        if {![llength $paused]} return
        set tp [lindex $paused [expr {$i % [llength $paused]}]]
        if {[my Try $s resume $tp]} {$places resume $tp}
        return $tp
    }

    # seek i where -- beginning, end, stored, or a percentage of the partition.
    method seek {i where} {
        if {[set tp [my Nth $i]] eq ""} return
        set offset [my Where $tp $where]
        set isOpen [expr {$offset eq "end"}]
        switch $offset {
            beginning {set interval [list [$log low $tp] [$log low $tp]]}
            end       {set interval [list [$log end $tp] [$log end $tp]]}
            stored    {set interval [$group interval $tp]}
            default   {set interval [list $offset $offset]}
        }
        # What counted before may still be committed.
        if {[$places given $tp] != 0} {$group upTo $tp [$places hi $tp]}
        if {[my Try $s seek [list {*}$tp $offset]]} {
            if {[$places has $tp]} {$places seek $tp {*}$interval $isOpen}
        } elseif {[$places has $tp]} {
            foreach place $interval {$places widen $tp [expr {max(0, $place)}] $isOpen}
        }
        return "$tp $offset"
    }
    method Where {tp where} {
        if {![string is integer $where]} {return $where}
        expr {[$log low $tp] + ([$log end $tp] - [$log low $tp]) * $where / 100}
    }

    # ---------------------------------------------------------------- committing

    # commit how i -- as the word says.
    method commit {how i} {
        if {$how in {place message store} && [set tp [my Nth $i]] eq ""} return
        if {$how in {place message store} && ![$places exact $tp]} return
        switch $how {
            bare    {return [my Bare [my Try $s commit]]}
            command {
                # Events are served meanwhile, so partitions may come and go.
                my Tangle
                unset -nocomplain ::model::answer
                $s commit -command {set ::model::answer}
                set timer [after 20000 {set ::model::answer timeout}]
                vwait ::model::answer
                after cancel $timer
                if {$::model::answer eq "timeout"} {::model::fault $name commit -command has no answer}
                if {[dict exists $::model::answer error]
                        && ![::model::excused [list -errorcode [dict get $::model::answer errorcode]]]} {
                    ::model::fault $name commit -command: $::model::answer
                }
            }
            async   {
                my Tangle
                my Try $s commit -async
            }
            place   {
                set place [$places lo $tp]
                if {[my Try $s commit [list {*}$tp $place]]} {
                    $group sure $tp $place
                } else {
                    $group maybe $tp $place
                }
                # What counted before stays stored, and the next commit of what counts goes on from there to that.
                $group upTo $tp [$places most $tp]
                return "$tp $place"
            }
            store   {
                set place [$places lo $tp]
                my Try $s store [list {*}$tp $place]
                $group maybe $tp $place
                return "$tp $place"
            }
        }
    }
    # Tangle -- a commit of what counts is under way: nobody will say which.
    method Tangle {} {
        foreach tp [$places tps] {
            if {[$places given $tp] != 0} {
                $group maybe $tp [$places lo $tp]
                $group upTo $tp [$places hi $tp]
            }
        }
    }
    method Bare {done} {
        foreach tp [$places tps] {
            if {[$places given $tp] == 1 && $done && ![$places remade $tp]} {
                $group onTo $tp [$places lo $tp]
            } elseif {[$places given $tp] != 0} {
                $group maybe $tp [$places lo $tp]
                $group upTo $tp [$places hi $tp]
            }
        }
    }

    # ---------------------------------------------------------------- by assign

    # assign how i where -- all anew, one more, or one less; where it begins is as with seek, or nothing.
    method assign {how i where} {
        if {$kind ne "assign"} return
        set all [$log tps $topics]
        switch $how {
            anew {
                # All but one, so that there is one to add.
                set out [lindex $all [expr {$i % [llength $all]}]]
                set tps [lmap tp $all {if {$tp eq $out} continue; set tp}]
            }
            all  {set tps $all}
            none {set tps {}}
            more {
                set tps [lmap tp $all {if {[$places has $tp]} continue; set tp}]
                if {![llength $tps]} return
                set tps [list [lindex $tps [expr {$i % [llength $tps]}]]]
            }
            less {
                if {[set tp [my Nth $i]] eq ""} return
                my Try $s incremental_unassign $tp
                $places end $tp
                return $tp
            }
        }
        set words {}
        foreach tp $tps {
            set offset [expr {$where eq "" ? "" : [my Where $tp $where]}]
            lappend words [list {*}$tp {*}$offset]
        }
        if {$how eq "more"} {
            my Try $s incremental_assign {*}$words
        } else {
            my Try $s assign {*}$words
            foreach tp [$places tps] {$places end $tp}
        }
        foreach word $words {
            set tp [lrange $word 0 1]
            set offset [lindex $word 2]
            switch $offset {
                beginning {set interval {0 0}}
                end       {set interval [list [$log end $tp] [$log end $tp] 1]}
                stored - {} {set interval [$group interval $tp]}
                default   {set interval [list $offset $offset]}
            }
            $places begin $tp {*}$interval
        }
        return $words
    }

    # ---------------------------------------------------------------- callbacks, and what it says of itself

    # callbacks which on -- set one, or remove it.
    method callbacks {which on} {
        if {$which eq "statistics"} {
            my Try $s statistics_callback [expr {$on ? "list" : ""}]
        } else {
            my Try $s ${which}_callback [expr {$on ? "list" : ""}]
        }
    }

    # check -- in a quiet moment: assignment, paused, position, committed and lag are what the model says. Gives 0 when
    # it was not quiet.
    method check {} {
        set tps [$places tps]
        my Is assignment [lsort -dictionary [lmap tp [$s assignment] {lrange $tp 0 1}]] $tps
        my Is paused [lsort -dictionary [lmap tp [$s paused] {lrange $tp 0 1}]] [$places paused]
        if {![llength $tps]} {return 1}
        foreach answer [$s position {*}$tps] {
            set tp [lrange $answer 0 1]
            set offset [lindex $answer 2]
            if {$offset eq "invalid"} {
                if {[$places given $tp] == 1} {
                    ::model::fault $name position of $tp: invalid, and it was given messages up to [$places lo $tp]
                }
            } else {
                my Within position $tp $offset [$places lo $tp] [$log past $tp [$places hi $tp]]
            }
        }
        foreach answer [::model::world::Again $s lag {*}$tps] {
            set tp [lrange $answer 0 1]
            my Within lag $tp [lindex $answer 2] \
                [expr {max(0, [$log end $tp] - [$log past $tp [$places hi $tp]])}] [expr {[$log end $tp] - [$places lo $tp]}]
        }
        my Committed $tps
        # A member that joins only now moves the group once more.
        set done [my Try ::model::world::Again $s commit]
        my Bare $done
        if {$done} {my Committed $tps}
        return $done
    }
    method Committed {tps} {
        foreach answer [::model::world::Again $s committed {*}$tps] {
            set tp [lrange $answer 0 1]
            lassign [$group interval $tp] from to
            set offset [lindex $answer 2]
            if {$offset eq "invalid"} {set offset -1}
            my Within committed $tp $offset $from [expr {$to < 0 ? $to : [$log past $tp $to]}]
        }
    }
    method Within {what tp value from to} {
        if {$value < $from || $value > $to} {
            ::model::fault $name $what of $tp: $value, expected [expr {$from == $to ? $from : "$from to $to"}]
        }
    }
    method Is {what value expected} {
        if {$value ne $expected} {::model::fault $name $what: $value, expected $expected}
    }
}
