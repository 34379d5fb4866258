# worker_lanes.tcl -- kafka::Worker: messages wait in queues, and lanes work on them.

oo::define ::kafka::Worker {
    method Arrived {message} {
        if {[dict exists $message error]} {
            my Erred $message
            return
        }
        set tp [list [dict get $message topic] [dict get $message partition]]
        if {![info exists Queue($tp)]} {my Own $tp}
        if {![llength $Queue($tp)]} {set Since($tp) [clock milliseconds]}
        lappend Queue($tp) $message
        lappend Order($tp) [dict get $message offset]
        set Given($tp) [expr {[dict get $message offset] + 1}]
        if {!$Paused($tp) && [llength $Order($tp)] >= [my Bound]} {
            set Paused($tp) 1
            $Sub pause $tp
        }
        my Kick [my Lane $tp]
    }

    # How many messages of a partition may be outstanding: a batch has to fit.
    method Bound {} {
        expr {max([dict get $Options -max_outstanding], [dict get $Options -mode] eq "batch"
            ? [dict get $Options -batch_size] : 1)}
    }

    method Lane {tp} {
        if {[dict get $Options -allocation] eq "partition"} {return [lindex $tp 1]}
        return $tp
    }

    # Kick lane -- have it work when the loop next turns, unless it does.
    method Kick {lane} {
        if {[info exists Busy($lane)]} return
        set Busy($lane) 1
        set Timers(lane,$lane) [after 0 [list [self namespace]::my Begun $lane]]
    }

    method Begun {lane} {
        unset -nocomplain Timers(lane,$lane)
        set name [self namespace]::lane[incr Last]
        set Coroutines($lane) $name
        # Its own errors are errors of this class: to the background error handler.
        coroutine $name [self namespace]::my Work $lane
    }

    method Work {lane} {
        while {$State eq "running" && [llength [set task [my Next $lane]]]} {
            incr Running
            my Task {*}$task
            incr Running -1
            # Other lanes, timers and sockets have their turn.
            my Await [my Soon 0]
        }
        unset -nocomplain Busy($lane)
        unset -nocomplain Coroutines($lane)
        if {$State eq "stopping"} {
            my Ended
        } elseif {[my Waits $lane] ne ""} {
            my Ripen $lane
        }
    }

    # Next lane -- {tp generation messages} to work on; partitions take turns.
    method Next {lane} {
        if {![info exists Lanes($lane)]} return
        set batch [expr {[dict get $Options -mode] eq "batch"}]
        foreach tp $Lanes($lane) {
            set count [llength $Queue($tp)]
            if {!$count} continue
            set take 1
            if {$batch} {
                set size [dict get $Options -batch_size]
                set age [expr {[clock milliseconds] - $Since($tp)}]
                if {$count < $size && $age < [dict get $Options -max_wait]} continue
                set take [expr {min($count, $size)}]
            }
            set messages [lrange $Queue($tp) 0 $take-1]
            set Queue($tp) [lrange $Queue($tp) $take end]
            if {[llength $Queue($tp)]} {set Since($tp) [clock milliseconds]}
            set Lanes($lane) [list {*}[lsearch -all -inline -not -exact $Lanes($lane) $tp] $tp]
            return [list $tp $Generation($tp) $messages]
        }
        return
    }

    # Waits lane -- the ms until the lane's next batch is old enough; empty when nothing waits.
    method Waits {lane} {
        set least ""
        if {![info exists Lanes($lane)]} return
        foreach tp $Lanes($lane) {
            if {![llength $Queue($tp)]} continue
            set left [expr {max(0, $Since($tp) + [dict get $Options -max_wait] - [clock milliseconds])}]
            if {[dict get $Options -mode] eq "message"
                    || [llength $Queue($tp)] >= [dict get $Options -batch_size]} {set left 0}
            if {$least eq "" || $left < $least} {set least $left}
        }
        return $least
    }

    # Ripen lane -- wait for its next batch.
    method Ripen {lane} {
        if {[info exists Timers(ripe,$lane)]} {after cancel $Timers(ripe,$lane)}
        set Timers(ripe,$lane) [after [my Waits $lane] [list [self namespace]::my Kick $lane]]
    }

    # Soon ms -- a number to Await that is woken after ms.
    method Soon {ms} {
        set id [incr Last]
        set Timers(soon,$id) [after $ms [list [self namespace]::my Wake $id {}]]
        return $id
    }

    # Await number -- yield until it is woken; gives what Wake was given.
    method Await {id} {
        set Woken($id,by) [info coroutine]
        while {![info exists Woken($id)]} {yield}
        set value $Woken($id)
        unset Woken($id) Woken($id,by)
        unset -nocomplain Timers(soon,$id)
        return $value
    }

    method Wake {id value} {
        if {![info exists Woken($id,by)]} return
        set Woken($id) $value
        $Woken($id,by)
    }
}
