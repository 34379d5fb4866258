# worker_group.tcl -- kafka::Worker: its topics, and the partitions that its group gives and takes.

oo::define ::kafka::Worker {
    method Subscribe {} {
        if {$State ne "running"} return
        if {[catch {$Sub subscribe {*}[lmap topic $Topics {list $topic}]} message options]} {
            my SubscribeFailed $message $options
        }
    }

    # Once more after a delay, so often; then the worker fails.
    method SubscribeFailed {message options} {
        if {[incr Attempts] > [dict get $Options -subscribe_retries]} {
            my Fail $message $options
            return
        }
        my Later subscribe [dict get $Options -subscribe_retry_delay] Look $message $options
    }

    # Look message options -- librdkafka tells of a missing topic once; whether it is there now has to
    # be asked for.
    method Look {message options} {
        if {$State ne "running"} return
        if {[catch {
            $Sub metadata -command [list ::apply $::kafka::easy::told ::kafka::worker::Told [self namespace]::my Looked $message $options]
        } problem problemOptions]} {
            my SubscribeFailed $problem $problemOptions
        }
    }

    method Looked {message options answer} {
        if {$State ne "running"} return
        set missing {}
        if {[dict exists $answer result]} {
            set known [dict get $answer result topics]
            foreach topic $Topics {
                if {![string match ^* $topic] && ![dict exists $known $topic]} {lappend missing $topic}
            }
            if {![llength $missing]} {
                my Subscribe
                return
            }
        }
        my SubscribeFailed $message $options
    }

    method Rebalanced {event} {
        set partitions [dict get $event partitions]
        if {[dict get $event event] eq "assign"} {
            set Attempts 0
            set tps [lmap tp $partitions {lrange $tp 0 1}]
            foreach tp $tps {my Own $tp}
            my Begin $tps
            return
        }
        if {[dict get $event event] eq "revoke"} {
            # Nobody else may begin before what is behind the last commit.
            set tps [my Uncommitted]
            if {[llength $tps]} {catch {$Sub commit {*}$tps}}
        }
        foreach tp $partitions {my Disown [lrange $tp 0 1]}
    }

    # Begin tps -- where a group begins that has committed nothing: commit it. A worker that is killed
    # before its first commit then doesn't skip what came meanwhile, and auto.offset.reset is left for
    # offsets that are gone.
    method Begin {tps} {
        set latest [expr {[dict get $Options -start] eq "latest"}]
        if {!$latest && [dict get $Options -offset_reset_policy] in {{} earliest}} return
        if {![llength $tps]} return
        try {
            set begin {}
            foreach tp [$Sub committed {*}$tps] {
                if {[lindex $tp 2] ni {invalid {}}} continue
                lassign $tp topic partition
                lassign [$Sub watermarks $topic $partition] low high
                lappend begin [list $topic $partition [expr {$latest ? $high : $low}]]
            }
            if {[llength $begin]} {$Sub commit {*}$begin}
        } on error {message options} {
            # Out of a rebalance there is no way but on: auto.offset.reset decides then.
            if {[dict get $Options -offset_reset_policy] eq "error"} {
                my Later fail 0 Fail $message $options
            }
        }
    }

    method Own {tp} {
        set Generation($tp) [incr Last]
        set Queue($tp) {}
        set Order($tp) {}
        set Acked($tp) {}
        set Given($tp) ""
        set Target($tp) ""
        set Confirmed($tp) ""
        set Paused($tp) 0
        set lane [my Lane $tp]
        if {![info exists Lanes($lane)] || $tp ni $Lanes($lane)} {lappend Lanes($lane) $tp}
    }

    method Disown {tp} {
        foreach table {Generation Queue Since Order Acked Given Target Confirmed Paused} {
            unset -nocomplain ${table}($tp)
        }
        set lane [my Lane $tp]
        if {[info exists Lanes($lane)]} {
            set Lanes($lane) [lsearch -all -inline -not -exact $Lanes($lane) $tp]
        }
    }

    method Current {tp generation} {
        expr {[info exists Generation($tp)] && $Generation($tp) == $generation}
    }

    method Erred {event} {
        lassign [::kafka::errors::OfReport $event] message errorcode
        set options [dict create -code 1 -level 0 -errorcode $errorcode -errorinfo $message]
        switch -- [dict get $event code] {
            RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART -
            RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED -
            RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED {
                my SubscribeFailed $message $options
            }
            RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET - RD_KAFKA_RESP_ERR__FATAL {
                my Fail $message $options
            }
        }
        # The others librdkafka deals with, and says in its log.
    }
}
