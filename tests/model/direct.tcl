# direct.tcl -- partitions that the script starts: of consumer topics, by calls and callbacks, or into a queue.


oo::class create ::model::Direct {
    variable name kind handle objects queue log places
    variable callback       ;# tp -> 1: started with a callback

    # kind: topic queue
    constructor {theName theKind theLog} {
        set name $theName
        set kind $theKind
        set log $theLog
        set places [::model::Places new $log $name]
        array set callback {}
        set master [::model::world::master enable.auto.commit false]
        $master topic_config auto.offset.reset earliest
        set handle [$master consumer_creator #auto]
        $master delete
        foreach topic $::model::world::topics {dict set objects $topic [$handle new_topic #auto $topic]}
        if {$kind eq "queue"} {set queue [$handle create_queue #auto]}
    }
    destructor {
        if {[info exists handle] && [namespace which -command $handle] ne ""} {$handle delete}
        if {[info exists places]} {$places destroy}
    }
    method places {} {return $places}
    method name {} {return $name}
    method topics {} {return {}}
    method close {how} {
        if {$how ni {close delete}} {set how close}
        my Try $handle $how
        my destroy
    }
    method subscribe {list} {}

    method Try {args} {
        upvar 1 result result
        ::model::attempt $name result {*}$args
    }
    method Message {message} {
        if {[dict exists $message error]} {
            ::model::note $name reads [dict get $message code] [dict get $message message]
            if {"remade" ni $::model::world::troubles || [dict get $message code] ni $::model::gone} {
                ::model::fault $name reads $message
            }
            return
        }
        $places gave [list [dict get $message topic] [dict get $message partition]] \
            [dict get $message offset] [dict get $message payload]
    }
    method row {} {
        my variable row
        my Message [array get row]
    }
    method arrived {message} {my Message $message}

    # Where tp where -- the offset, and the interval of the places that it may be.
    method Where {tp where} {
        switch $where {
            beginning - stored {return [list beginning [$log low $tp] [$log low $tp] 0]}
            end {return [list end [$log end $tp] [$log end $tp] 1]}
        }
        set offset [expr {[$log low $tp] + ([$log end $tp] - [$log low $tp]) * $where / 100}]
        list $offset $offset $offset 0
    }
    method Nth {i} {
        set tps [$places tps]
        if {![llength $tps]} return
        lindex $tps [expr {$i % [llength $tps]}]
    }

    # start i where callback -- one that is not started.
    method start {i where byCallback} {
        set tps [lmap tp [$log tps $::model::world::topics] {if {[$places has $tp]} continue; set tp}]
        if {![llength $tps]} return
        set tp [lindex $tps [expr {$i % [llength $tps]}]]
        lassign [my Where $tp $where] offset from to isOpen
        lassign $tp topic p
        set object [dict get $objects $topic]
        # What it begins with may come before the call returns.
        $places begin $tp $from $to $isOpen
        if {$kind eq "queue"} {
            set done [my Try $object start_queue $p $offset $queue]
        } elseif {$byCallback} {
            set done [my Try $object start $p $offset [list [self] arrived]]
        } else {
            set done [my Try $object start $p $offset]
        }
        if {!$done} {
            $places end $tp
            return
        }
        set callback($tp) $byCallback
        return "$tp $offset"
    }
    method halt {i} {
        if {[set tp [my Nth $i]] eq ""} return
        lassign $tp topic p
        my Try [dict get $objects $topic] stop $p -timeout 20000
        $places end $tp
        return $tp
    }
    method seek {i where} {
        if {[set tp [my Nth $i]] eq ""} return
        lassign $tp topic p
        lassign [my Where $tp $where] offset from to isOpen
        if {[my Try [dict get $objects $topic] seek $p $offset]} {
            $places seek $tp $from $to $isOpen
        } else {
            $places widen $tp $from $isOpen
        }
        return "$tp $offset"
    }
    method pause {i} {
        if {[set tp [my Nth $i]] eq ""} return
        lassign $tp topic p
        if {[my Try [dict get $objects $topic] pause $p]} {$places pause $tp}
        return $tp
    }
    method resume {i} {
        set paused [$places paused]
        if {![llength $paused]} return
        set tp [lindex $paused [expr {$i % [llength $paused]}]]
        lassign $tp topic p
        if {[my Try [dict get $objects $topic] resume $p]} {$places resume $tp}
        return $tp
    }
    method callbacks {which on} {
        if {$which eq "commit"} return
        my Try $handle ${which}_callback [expr {$on ? "list" : ""}]
    }

    # read form n ms -- of the queue, or of each partition that has no callback.
    method read {form n ms} {
        if {$kind eq "queue"} {
            my From $form $n $ms $queue {}
            return
        }
        foreach tp [$places tps] {
            if {$callback($tp)} continue
            lassign $tp topic p
            my From $form $n $ms [dict get $objects $topic] $p
        }
        ::model::serve 5
    }
    method From {form n ms object p} {
        my variable row
        switch $form {
            consume {
                for {set i 0} {$i < $n} {incr i} {
                    if {![my Try $object consume {*}$p $ms [my varname row]] || !$result} return
                    my row
                }
            }
            list {
                if {[my Try $object consume_list {*}$p $ms $n]} {
                    foreach message $result {my Message $message}
                }
            }
            fields {
                if {[my Try $object consume_list {*}$p $ms $n -fields {topic partition offset payload}]} {
                    foreach {t q o text} $result {$places gave [list $t $q] $o $text}
                }
            }
            batch {my Try $object consume_batch {*}$p $ms $n [my varname row] [list [self] row]}
            break {my Try $object consume_batch {*}$p $ms $n [my varname row] "[list [self] row]; break"}
            default {my Try $object consume_callback {*}$p $ms [list [self] arrived]}
        }
    }

    # check -- which are started; that all was given has been seen.
    method check {} {
        set started {}
        dict for {topic object} $objects {
            foreach p [$object started] {lappend started [list $topic $p]}
        }
        if {[lsort -dictionary $started] ne [$places tps]} {
            ::model::fault $name started: $started, expected [$places tps]
        }
        return 1
    }
}
