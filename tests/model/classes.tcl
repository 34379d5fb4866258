# classes.tcl -- the classes that read: kafka::Consumer, kafka::Worker, kafka::json::Consumer and
# kafka::StreamConsumer.

package require kafka::oo
package require kafka::worker
package require kafka::partition

# ---------------------------------------------------------------- kafka::Consumer

# As a member by range, but all that the class has is done by the class.
oo::class create ::model::ClassMember {
    superclass ::model::Member
    variable consumer name s places log group settings

    method Make {} {
        set consumer [::kafka::Consumer new -conf [dict merge [::model::world::conf] $settings] -logger none]
        set s [$consumer handle]
    }
    destructor {
        if {[info exists consumer] && [info object isa object $consumer]} {$consumer destroy}
        next
    }
    method read {form n ms} {
        if {$form in {event stop}} {return [next $form $n $ms]}
        for {set i 0} {$i < $n} {incr i} {
            if {![my Try $consumer poll $ms] || $result eq ""} return
            my got [kafka::message topic $result] [kafka::message partition $result] \
                [kafka::message offset $result] [kafka::message value $result]
        }
    }
    method Leave {how} {
        if {[catch {$consumer [string map {delete destroy} $how]} result options] && ![::model::closing $options]} {
            ::model::fault $name $how: $result [dict get $options -errorcode]
        }
    }
    # Try word ... -- what is called on the subscriber elsewhere has the class's form here.
    method Try {args} {
        upvar 1 result result
        if {[lindex $args 0] eq $s} {
            set args [lassign $args - subcommand]
            switch $subcommand {
                subscribe             {set args [list $consumer subscribe $args]}
                unsubscribe           {set args [list $consumer unsubscribe]}
                pause - resume - seek {set args [list $consumer $subcommand $args]}
                commit                {
                    if {![llength $args]} {
                        set args [list $consumer commit]
                    } elseif {$args eq "-async"} {
                        # A future that nobody looks at would tell its failure in the background.
                        set args [list [self] asynchronous]
                    } else {
                        set args [list $consumer commit -offsets $args]
                    }
                }
                default               {set args [list $s $subcommand {*}$args]}
            }
        }
        if {![catch {{*}$args} result options]} {return 1}
        ::model::note $name [lrange $args 1 end]: $result
        if {![::model::excused $options]} {
            ::model::fault $name [lrange $args 1 end]: $result [dict get $options -errorcode]
        }
        return 0
    }
    method asynchronous {} {
        [$consumer commit -async 1] then [list ::model::Committed $name]
    }
    method check {} {
        set expected {}
        foreach tp [$s position] {
            lassign $tp topic p offset
            lappend expected [list $topic $p] [expr {$offset eq "invalid" ? "" : $offset}]
        }
        if {[set found [$consumer positions]] ne $expected} {
            ::model::fault $name positions: $found, and $expected by its subscriber
        }
        next
    }
}
proc ::model::Committed {name answer} {
    if {[dict exists $answer error] && ![excused [list -errorcode [dict get $answer errorcode]]]} {
        fault $name commit -async: $answer
    }
}

# ---------------------------------------------------------------- what reads on by itself

# A group whose members commit what was handled by themselves. What one is given may come again, but nothing is
# passed over: the model knows for each partition up to where the group has been given all.
oo::class create ::model::Covered {
    variable log upTo
    constructor {theLog} {
        set log $theLog
        array set upTo {}
    }
    method gave {name tp offset text} {
        if {![info exists upTo($tp)]} {set upTo($tp) 0}
        if {[lindex $text 1] ne [$log generation [lindex $tp 0]]} return
        if {[$log text $tp $offset] ne $text} {
            ::model::fault $name was given $tp at $offset as \"$text\", where the log has \
                "\"[$log text $tp $offset]\""
        }
        set expected [$log first $tp $upTo($tp)]
        if {$offset > $expected} {
            ::model::fault $name was given $tp at $offset, and nobody $expected
        }
        set upTo($tp) [expr {max($upTo($tp), $offset + 1)}]
    }
    method upTo {tp} {
        if {![info exists upTo($tp)]} {return 0}
        return $upTo($tp)
    }
    method again {tp} {set upTo($tp) 0}
    # behind -- of each partition of the topics that has not been given whole: {tp where}.
    method behind {topics} {
        set behind {}
        foreach tp [$log tps $topics] {
            set at [$log first $tp [my upTo $tp]]
            if {$at < [$log end $tp]} {lappend behind $tp "$at of [$log end $tp]"}
        }
        return $behind
    }
}

# A kafka::Worker, whose handler fails now and then.
oo::class create ::model::WorkerMember {
    variable name worker covered topics failing options

    constructor {theName theCovered theGroup theOptions list} {
        set name $theName
        set covered $theCovered
        set topics $list
        set failing -1
        set options $theOptions
        set conf [list {*}[::model::world::conf] session.timeout.ms 1500 heartbeat.interval.ms 100]
        set worker [::kafka::Worker new -conf $conf -logger none -topics $topics \
            -group $theGroup -handler [list [self] handle] -start earliest -backoff 10 -max_backoff 50 \
            -retries 3 -subscribe_retry_delay 100 -subscribe_retries 50 -max_outstanding 5 \
            {*}[expr {[dict get $options auto] ? {-mode batch -batch_size 4 -max_wait 20} : {}}] \
            -on_stop [list [self] stopped]]
        $worker start
    }
    destructor {
        if {[info exists worker] && [info object isa object $worker]} {$worker destroy}
    }
    method name {} {return $name}
    method topics {} {return $topics}
    method handle {what} {
        if {$failing == 0} {
            set failing -1
            error "as it should"
        }
        if {$failing > 0} {incr failing -1}
        foreach message [expr {[dict get $options auto] ? $what : [list $what]}] {
            $covered gave $name [list [dict get $message topic] [dict get $message partition]] \
                [dict get $message offset] [dict get $message payload]
        }
        return ok
    }
    method stopped {how} {
        if {[dict get $how state] ne "stopped"} {::model::fault $name stopped: $how}
    }
    method fail {n} {set failing $n}
    method read {form n ms} {::model::serve $ms}
    method close {how} {
        if {[catch {$worker stop} message info] && ![::model::closing $info]} {
            ::model::fault $name stop: $message [dict get $info -errorcode]
        }
        my destroy
    }
    method check {} {
        if {[$worker state] ne "running"} {::model::fault $name state: [$worker state]}
        return 1
    }
}

# A kafka::json::Consumer, which reads when it is told to.
oo::class create ::model::JsonMember {
    variable name consumer covered topics failing

    constructor {theName theCovered theGroup theOptions list} {
        set name $theName
        set covered $theCovered
        set topics $list
        set failing -1
        set conf [list {*}[::model::world::conf] session.timeout.ms 1500 heartbeat.interval.ms 100 \
            auto.offset.reset earliest]
        set consumer [::kafka::json::Consumer new -svc model -conf $conf \
            -logger none -topics $topics -group $theGroup -batch_size 5 -timeout 20 -log {apply {entry {}}}]
    }
    destructor {
        if {[info exists consumer] && [info object isa object $consumer]} {$consumer destroy}
    }
    method name {} {return $name}
    method topics {} {return $topics}
    method handle {messages} {
        if {$failing == 0} {
            set failing -1
            error "as it should" {} {MODEL EXPECTED}
        }
        if {$failing > 0} {incr failing -1}
        foreach message $messages {
            set text [dict get $message payload]
            set ref [dict get $message refs]
            $covered gave $name [list [dict get $ref topic] [dict get $ref partition]] [dict get $ref offset] $text
        }
    }
    method fail {n} {set failing $n}
    method read {form n ms} {
        # It ends after a batch, or when there is none for a while.
        set timer [after $ms [list $consumer stop]]
        if {[catch {$consumer process [list [self] handle] -batches 1} message info]} {
            if {[lindex [dict get $info -errorcode] 0] ne "MODEL" && ![::model::excused $info]} {
                ::model::fault $name process: $message [dict get $info -errorcode]
            }
        }
        after cancel $timer
    }
    method close {how} {
        if {[catch {$consumer close} message info] && ![::model::closing $info]} {
            ::model::fault $name close: $message [dict get $info -errorcode]
        }
        my destroy
    }
    method check {} {return 1}
}

# ---------------------------------------------------------------- kafka::StreamConsumer

# Streams of partitions, each with its client.
oo::class create ::model::Streams {
    variable name log places stream client

    constructor {theName theLog} {
        set name $theName
        set log $theLog
        set places [::model::Places new $log $name]
        array set stream {}
    }
    destructor {
        foreach tp [array names stream] {my End $tp}
        if {[info exists places]} {$places destroy}
    }
    method places {} {return $places}
    method name {} {return $name}
    method topics {} {return {}}
    method close {how} {my destroy}
    method End {tp} {
        if {[info object isa object $stream($tp)]} {$stream($tp) destroy}
        $client($tp) destroy
        unset stream($tp) client($tp)
        $places end $tp
    }

    # start i where command -- a stream from earliest, latest or an offset, with -command or not.
    method start {i where byCommand} {
        set tps [lmap tp [$log tps $::model::world::topics] {if {[$places has $tp]} continue; set tp}]
        if {![llength $tps]} return
        set tp [lindex $tps [expr {$i % [llength $tps]}]]
        lassign $tp topic p
        switch $where {
            beginning - stored {set words [list earliest [$log low $tp] 0]}
            end {set words [list latest [$log end $tp] 1]}
            default {
                set offset [expr {[$log low $tp] + ([$log end $tp] - [$log low $tp]) * $where / 100}]
                set words [list $offset $offset 0]
            }
        }
        lassign $words from place isOpen
        set conf [::model::world::conf]
        set client($tp) [::kafka::PartitionClient new -logger none -conf $conf \
            -topic $topic -partition $p]
        set command [expr {$byCommand ? [list -command [list [self] arrived $tp]] : {}}]
        $places begin $tp $place $place $isOpen
        if {[catch {::kafka::StreamConsumer new $client($tp) -from $from {*}$command} made info]} {
            if {![::model::excused $info]} {::model::fault $name start: $made [dict get $info -errorcode]}
            $client($tp) destroy
            unset client($tp)
            $places end $tp
            return "not started"
        }
        set stream($tp) $made
        return "$tp $from"
    }
    method halt {i} {
        set tps [$places tps]
        if {![llength $tps]} return
        set tp [lindex $tps [expr {$i % [llength $tps]}]]
        my End $tp
        return $tp
    }
    method arrived {tp record} {
        if {[dict exists $record error]} {
            ::model::note $name $tp: [dict get $record code]
            if {![$stream($tp) ended]} {::model::fault $name reads $record}
            return
        }
        $places gave $tp [dict get $record offset] [dict get $record payload]
    }
    method read {form n ms} {
        foreach tp [$places tps] {
            if {[catch {$stream($tp) next 0} record info]} {
                # Those with -command have no next; others throw what they end by.
                if {[lindex [dict get $info -errorcode] 1] eq "STATE"} continue
                if {![$stream($tp) ended]} {::model::fault $name next: $record [dict get $info -errorcode]}
                continue
            }
            while {$record ne ""} {
                my arrived $tp $record
                if {[catch {$stream($tp) next 0} record]} break
            }
        }
        ::model::serve $ms
        # One that began at an offset ends when that is no longer there.
        foreach tp [$places tps] {
            if {![$stream($tp) ended]} continue
            ::model::note $name $tp has ended
            if {[$places lo $tp] >= [$log low $tp]} {
                ::model::fault $name $tp has ended at [$places lo $tp], and the log begins at [$log low $tp]
            }
            my End $tp
        }
    }
    method check {} {return 1}
}
