# load.tcl -- producers and readers of one topic, each a process of its own, and what they say: sourced after
# helper.tcl by cluster.test. A ledger (tests/checking.tcl) counts; here is who runs, how far each has
# come, and how long it took.

source [file join $helper::root tests checking.tcl]
source [file join [file dirname [info script]] load_programs.tcl]

namespace eval load {
    # Until what was produced after a fault has been read by every group. It allows for the faults
    # known (partitions that give nothing for up to 180 s until the next rebalance); a client that
    # takes longer has stopped for good.
    variable patience 240000
    variable partitions 4
    variable rate [env KAFKA_TEST_RATE 100]     ;# messages a second of each producer
    variable groups {classic consumer worker stream}
    variable ending {}          ;# processes that were told to stop
}

# start -- new topics and groups, and all processes at work on them.
proc load::start {} {
    variable partitions
    variable rate
    variable groups
    variable process
    variable group
    variable heard
    variable from
    variable to
    variable ledger
    variable marks 0            ;# how many were made
    variable marked             ;# number -> {partition offset}
    variable aborted            ;# {source number} -> 1
    variable refused {}         ;# what was not delivered
    variable unknown {}         ;# sources whose last messages have no known fate
    variable thrown {}          ;# what calls threw: time, process, code, text
    variable claimed {}         ;# what members said is committed: reader, topic, partition, offset
    variable id                 ;# of the producer with transactions
    variable longest            ;# reader -> ms from the log to the reader, at the most
    variable asked 0
    variable places {}
    variable ending {}
    variable writer
    foreach name {process heard marked aborted longest group} {array unset $name}
    array set heard {errors 0 rebalances 0 last,idempotent {} last,transactional {}}
    set ledger [checking::Ledger new [concat $groups exactly]]
    foreach name [concat $groups exactly] {
        set group($name) [unique $name]
        set longest($name) 0
        array unset ::load::read,$name
    }
    set from [makeReplicated from]
    set to [makeReplicated to]
    set bootstrap [env KAFKA_BOOTSTRAP]
    set id [unique id]
    set classic {session.timeout.ms 6000 heartbeat.interval.ms 500}
    set strategy [nodes::pick {range roundrobin cooperative-sticky}]
    set settings [list {*}$classic partition.assignment.strategy $strategy]
    foreach {name program words} [list \
        idempotent idempotent [list $from $partitions i $rate] \
        transactional transactional [list $from $partitions t $rate $id] \
        classic-1 member [list $from $group(classic) [nodes::pick {callback list body}] $settings] \
        classic-2 member [list $from $group(classic) list $settings] \
        consumer-1 member [list $from $group(consumer) [nodes::pick {callback list body}] {group.protocol consumer}] \
        consumer-2 member [list $from $group(consumer) callback {group.protocol consumer}] \
        worker worker [list $from $group(worker) [nodes::pick [list $classic {group.protocol consumer}]]] \
        stream stream [list $from $partitions] \
        exactly exactly [list $from $to $group(exactly) [unique id] \
            [nodes::pick [list $classic {group.protocol consumer}]]] \
    ] {
        set process($name) [childStart [set ::programs::$program] $bootstrap {*}$words]
    }
    set writer [producer enable.idempotence true]
    pass
}

# makeReplicated stem -- a topic on all nodes, whose messages have the time at which they were stored.
proc load::makeReplicated {stem} {
    variable partitions
    set topic [unique $stem]
    lappend ::broker::topics $topic
    $nodes::admin create_topic $topic -partitions $partitions -replication 3 \
        -config {message.timestamp.type LogAppendTime min.insync.replicas 2}
    nodes::whole
    return $topic
}

# ---------------------------------------------------------------- what they say

proc load::take {} {
    variable process
    variable ending
    foreach {name h} [array get process] {
        if {[llength $::helper::child($h,lines)]} {
            set lines $::helper::child($h,lines)
            set ::helper::child($h,lines) {}
            foreach line $lines {Said $name $line}
        } elseif {$::helper::child($h,eof) && $name ni $ending} {
            unset process($name)
            error "$name ended: [childWait $h]"
        }
    }
    return 1
}

proc load::Said {name line} {
    variable ledger
    variable heard
    variable aborted
    variable refused
    variable unknown
    variable thrown
    variable claimed
    variable longest
    set reader [lindex [split $name -] 0]
    set rest [lassign $line what source]
    switch $what {
        h {
            set rest [lassign $rest late]
            if {$late > $longest($reader)} {set longest($reader) $late}
            foreach {source number} $rest {
                $ledger handled $reader $source $number
                if {$source eq "mark"} {set ::load::read,${reader}($number) 1}
            }
        }
        q {
            set heard(made,$source) $rest
            $ledger queued $source $rest
        }
        a {
            foreach number $rest {$ledger report $source $number 1}
            set heard(last,$name) [list $source [lindex $rest end]]
        }
        f {
            lappend refused $source {*}$rest
            foreach number $rest {$ledger report $source $number 0}
        }
        b {
            foreach number $rest {
                set aborted([list $source $number]) 1
                $ledger report $source $number 0
            }
        }
        u {
            lappend unknown $source
            $ledger ended $source
        }
        c {lappend claimed [list $reader $source {*}$rest]}
        t {if {$source > $longest(exactly)} {set longest(exactly) $source}}
        e {incr heard(errors)}
        s {set heard(state,$name) [list [clock milliseconds] {*}[lrange $line 1 end]]}
        @ {
            incr heard(rebalances)
            set heard(rebalanced,$name) [list [clock milliseconds] {*}[lrange $line 1 end]]
        }
        x {
            incr heard(thrown,$name,$source)
            lappend thrown [list [clock milliseconds] $name {*}$line]
        }
        default {error "$name said: $line"}
    }
}

# await what condition -- take what they say until the condition holds; else say who lags behind.
proc load::await {what condition} {
    variable patience
    try {
        waitFor -timeout $patience "\[load::take\] && \[$condition\]"
    } trap {TEST TIMEOUT} {} {
        return -code error -errorcode {TEST TIMEOUT} "$what: not within [slow $patience] ms; [state]"
    }
}

# ---------------------------------------------------------------- how far they are

# mark -- a message into each partition; returns their numbers.
proc load::mark {} {
    variable writer
    variable from
    variable partitions
    variable marks
    variable ledger
    set numbers {}
    for {set i 0} {$i < $partitions} {incr i} {
        lappend numbers $marks
        $writer send $from "mark $marks" -partition $i -command [list load::Marked $marks]
        $ledger queued mark [incr marks]
    }
    return $numbers
}

proc load::Marked {number report} {
    variable ledger
    variable refused
    variable marked
    if {[dict exists $report error]} {
        lappend refused mark $number [dict get $report code]
        $ledger report mark $number 0
    } else {
        set marked($number) [list [dict get $report partition] [dict get $report offset]]
        $ledger report mark $number 1
    }
}

# all names array -- whether the array has all these.
proc load::all {names array} {
    upvar 0 $array there
    foreach name $names {
        if {![info exists there($name)]} {return 0}
    }
    return 1
}

# copied numbers -- whether the group that copies has committed that it has read these marks. It does so
# within its transactions, so the group itself is asked.
proc load::copied {numbers} {
    variable marked
    variable group
    variable from
    variable asked
    if {[clock milliseconds] - $asked < 300} {return 0}
    set asked [clock milliseconds]
    # Its coordinator may be on its way to another node.
    variable places
    try {
        set places [$nodes::admin list_group_offsets $group(exactly) -timeout 2000]
    } trap KAFKA {places} {return 0}
    foreach place $places {
        if {[lindex $place 0] eq $from} {set next([lindex $place 1]) [lindex $place 2]}
    }
    foreach number $numbers {
        lassign $marked($number) partition offset
        if {![info exists next($partition)] || $next($partition) eq "invalid"
                || $next($partition) <= $offset} {return 0}
    }
    return 1
}

# pass ?-producers b? -- what is produced from now on is acknowledged, and all groups read it; returns how
# many ms that took.
proc load::pass {{producing 1}} {
    variable groups
    variable heard
    set began [clock milliseconds]
    set before [dict create idempotent $heard(last,idempotent) transactional $heard(last,transactional)]
    set numbers [mark]
    await "the marks are acknowledged" [list load::all $numbers ::load::marked]
    if {$producing} {
        foreach name {idempotent transactional} {
            await "$name goes on" [list load::newer $name [dict get $before $name]]
        }
    }
    foreach name $groups {await "$name reads on" [list load::all $numbers ::load::read,$name]}
    await "exactly copies on" [list load::copied $numbers]
    return [expr {[clock milliseconds] - $began}]
}

proc load::newer {name before} {
    variable heard
    expr {$heard(last,$name) ne $before}
}

# state -- how far each is, for a failure's message.
proc load::state {} {
    variable groups
    variable marks
    variable heard
    variable thrown
    set words {}
    foreach name $groups {
        set missing {}
        for {set n 0} {$n < $marks} {incr n} {
            if {![info exists ::load::read,${name}($n)]} {lappend missing $n}
        }
        lappend words "$name has not read the marks \[$missing\]"
    }
    lappend words "last acknowledged: $heard(last,idempotent), $heard(last,transactional)"
    lappend words "marks: [array get ::load::marked]" "exactly has committed: $::load::places"
    lappend words "now: [clock milliseconds]" "states: [array get heard state,*]" \
        "rebalances: [array get heard rebalanced,*]"
    lappend words "last thrown: [join [lrange $thrown end-5 end] { | }]"
    return [join $words {; }]
}

# ---------------------------------------------------------------- the end

# produced -- the producers end, having delivered all; last marks are read by everybody.
proc load::produced {} {
    End idempotent transactional
    pass 0
}

# consumed -- the readers end in order.
proc load::consumed {} {
    variable process
    End {*}[array names process]
}

# End name ... -- tell them to stop, and wait for their end while the others are heard.
proc load::End {args} {
    variable process
    variable ending
    set ending $args
    foreach name $args {childSend $process($name) stop}
    foreach name $args {
        set h $process($name)
        await "$name ends" [list set ::helper::child($h,eof)]
    }
    set ending {}
    foreach name $args {
        set h $process($name)
        unset process($name)
        set result [childWait $h]
        foreach line [split [dict get $result stdout] \n] {if {$line ne ""} {Said $name $line}}
        # A producer that was given up had an open transaction: what it held is made again.
        set said [lsearch -all -inline -not -regexp [split [dict get $result stderr] \n] [expr {
            $name in {exactly transactional} ? {^kafka: \d+ message\(s\) .* could not be delivered before the end} : {^$}
        }]]
        if {[dict get $result status] ne "0" || [string trim $said] ne ""} {
            error "$name ended with [dict get $result status]: [dict get $result stderr]"
        }
    }
}

# kill -- whatever still runs; the topics go too, as each costs all nodes work.
proc load::kill {} {
    variable process
    variable from
    variable to
    foreach {name h} [array get process] {catch {childKill $h}}
    array unset process
    foreach topic {from to} {
        if {[info exists $topic]} {
            $nodes::admin delete_topic [set $topic]
            unset $topic
        }
    }
    variable ledger
    if {[info exists ledger]} {
        $ledger destroy
        unset ledger
    }
}
