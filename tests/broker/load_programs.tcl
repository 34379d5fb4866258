# load_programs.tcl -- the programs that load.tcl runs as processes of their own: producers and readers as
# a user would write them. Reads in a loop have no error callback, and end the process by what they throw. Each says on stdout what it does, a line at a time:
#
#     q SOURCE N                       it has made the messages 0 to N - 1 of that source
#     a SOURCE N ...                   these were acknowledged (their transaction was committed)
#     f SOURCE N ...                   these were not delivered
#     b SOURCE N ...                   these were in transactions that were aborted
#     u SOURCE                         what has no word yet has no known fate; another source follows
#     h PARTITION MS SOURCE N ...      these were read, MS after they came to the log at the most
#     c TOPIC PARTITION OFFSET         the group has committed that, says the member at its end
#     @ EVENT N ...                    a rebalance, and the partitions' numbers
#     e CODE                           what the error callback heard
#     x CODE TEXT                      what a call threw
#     s TEXT                           what it is about to do, for the message of a failure
#
# The line "stop" has it end in order.

namespace eval programs {}

# What all of them begin with.
set programs::common {
    proc master {args} {
        set m [bare {*}$args]
        $m error_callback {apply {e {puts "e [dict get $e code]"}}}
        return $m
    }
    # bare ?key value ...? -- without an error callback, as most scripts are.
    proc bare {args} {
        set m [kafka::kafka create #auto]
        $m logger none
        $m config bootstrap.servers $::bootstrap {*}$args
        return $m
    }
    proc flags {options} {lindex [dict get $options -errorcode] end}
    proc thrown {message options} {
        puts "x [lindex [dict get $options -errorcode] 1] [string map {\n { }} $message]"
    }
    # took partition timestamp payload -- what has been read counts from here on.
    proc took {partition timestamp payload} {
        puts "h $partition [expr {[clock milliseconds] - $timestamp}] $payload"
    }
    # tookList {payload partition timestamp ...} -- likewise, a line for each partition.
    proc tookList {rows} {
        set now [clock milliseconds]
        set ids {}
        set late {}
        foreach {payload partition timestamp} $rows {
            dict lappend ids $partition {*}$payload
            if {![dict exists $late $partition] || $now - $timestamp > [dict get $late $partition]} {
                dict set late $partition [expr {$now - $timestamp}]
            }
        }
        dict for {partition list} $ids {puts "h $partition [dict get $late $partition] $list"}
    }
    # In a loop that never sees the event loop: whether "stop" has come, or the test has gone.
    proc toStop {} {
        if {[gets stdin line] >= 0} {return 1}
        if {[eof stdin]} exit
        return 0
    }
    proc onStop {script} {
        fileevent stdin readable [list apply {script {
            if {[gets stdin] >= 0} {
                uplevel #0 $script
            } elseif {[eof stdin]} exit
        }} $script]
    }
    fconfigure stdin -blocking 0
}

# What both producers share: messages as time goes by.
set programs::producing {
    set made 0
    set began [clock milliseconds]
    # due -- how many messages are to be made now.
    proc due {} {
        set due [expr {$::rate * ([clock milliseconds] - $::began) / 1000}]
        # What an outage has kept from being made is not made up for all at once.
        if {$due > $::made + $::rate} {
            set ::began [expr {[clock milliseconds] - 1000 * $::made / $::rate}]
            set due $::made
        }
        expr {$due - $::made}
    }
}

# bootstrap topic partitions source rate
set programs::idempotent $programs::common$programs::producing
append programs::idempotent {
    lassign $argv bootstrap topic partitions source rate
    set m [master enable.idempotence true linger.ms 5]
    $m delivery_report callback reported
    set p [$m producer_creator #auto]
    set acknowledged {}
    set failed {}
    proc reported {r} {
        lappend [expr {[dict exists $r error] ? "::failed" : "::acknowledged"}] [lindex [dict get $r payload] 1]
    }
    proc say {} {
        puts "q $::source $::made"
        if {[llength $::acknowledged]} {puts "a $::source $::acknowledged"}
        if {[llength $::failed]} {puts "f $::source $::failed"}
        set ::acknowledged {}
        set ::failed {}
    }
    proc work {} {
        set ::timer [after 20 work]
        for {set n [due]} {$n > 0} {incr n -1} {
            $::p send $::topic "$::source $::made" -partition [expr {$::made % $::partitions}]
            incr ::made
        }
        say
    }
    onStop {
        after cancel $timer
        while {[$p flush 1000]} say
        say
        exit
    }
    work
    vwait forever
}

# bootstrap topic partitions source rate id; the source gets a number, which goes up with each producer.
set programs::transactional $programs::common$programs::producing
append programs::transactional {
    lassign $argv bootstrap topic partitions stem rate id
    set m [master transactional.id $id transaction.timeout.ms 20000]
    set stopping 0
    set lives 0

    proc pause {ms} {
        after $ms [info coroutine]
        yield
    }
    # Calls until the error is none that passes.
    proc again {args} {
        while 1 {
            try {
                return [kafka::await {*}$args]
            } trap KAFKA {message options} {
                thrown $message $options
                if {"retriable" ni [flags $options]} {return -options $options $message}
            }
            pause 100
        }
    }
    proc connect {} {
        set ::source $::stem.[incr ::lives]
        set ::made 0
        set ::began [clock milliseconds]
        set ::p [$::m producer_creator #auto]
        again $::p init_transactions
    }
    # A transaction is a tenth of a second's messages.
    proc transact {} {
        connect
        while {!$::stopping} {
            pause 100
            set first $::made
            set ending 0
            try {
                $::p begin_transaction
                for {set n [due]} {$n > 0} {incr n -1} {
                    $::p send $::topic "$::source $::made" -partition [expr {$::made % $::partitions}]
                    incr ::made
                }
                puts "q $::source $::made"
                set ending 1
                again $::p commit_transaction
                said a $first
            } trap KAFKA {message options} {
                thrown $message $options
                puts "q $::source $::made"
                if {"fatal" ni [flags $options]} {
                    try {
                        again $::p abort_transaction
                        said b $first
                        continue
                    } trap KAFKA {message options} {thrown $message $options}
                }
                # A new producer aborts what was not about to be committed.
                if {!$ending} {said b $first}
                puts "u $::source"
                $::p delete
                connect
            }
        }
        exit
    }
    proc said {what first} {
        if {$first == $::made} return
        set line "$what $::source"
        for {set n $first} {$n < $::made} {incr n} {append line " $n"}
        puts $line
    }
    onStop {set stopping 1}
    coroutine transacting transact
    vwait forever
}

# bootstrap topic group how settings; how is callback, list or body.
set programs::member $programs::common
append programs::member {
    lassign $argv bootstrap topic group how settings
    set s [[[expr {$how eq "callback" ? "master" : "bare"}] group.id $group auto.offset.reset earliest \
        auto.commit.interval.ms 500 {*}$settings] subscriber #auto]
    $s rebalance_callback {apply {e {
        puts "@ [dict get $e event] [lmap tp [dict get $e partitions] {lindex $tp 1}]"
    }}}
    # settle -- commit what was read, and tell it.
    proc settle {} {
        set tps [$::s assignment]
        # What was handed out last is not stored before the next call; a commit names it itself.
        set places [lsearch -all -inline -not -index 2 [$::s position {*}$tps] invalid]
        if {[llength $places]} {$::s commit {*}$places}
        if {[llength $tps]} {
            set found [$::s committed {*}$tps]
            foreach place $found {puts "c $place"}
        }
    }
    proc leave {} {
        # The other member leaves, too: while the group rebalances a commit may be refused.
        set end [expr {[clock milliseconds] + 60000}]
        while {[catch settle message]} {
            if {[clock milliseconds] > $end} {
                puts stderr "can't commit before the end: $message"
                exit 1
            }
            after 100 {set ::again 1}
            vwait ::again
        }
        # A member of the consumer protocol may miss the end of its close while the group rebalances
        # (fault_consumer_commit in tests/real.tcl): it is told, and the process's end leaves the group.
        if {[catch {$::s close} message options]} {
            puts "x [lindex [dict get $options -errorcode] 1] in close"
        }
        exit
    }
    switch $how {
        callback {
            $s callback {apply {m {
                if {[dict exists $m error]} {
                    puts "x [dict get $m code] by the callback"
                } else {
                    took [dict get $m partition] [dict get $m timestamp] [dict get $m payload]
                }
            }}}
            $s subscribe $topic
            onStop leave
            vwait forever
        }
        body {
            $s subscribe $topic
            while {![toStop]} {
                $s consume_batch 200 200 m {
                    if {[info exists m(error)]} {error "$m(code) $m(message)"}
                    took $m(partition) $m(timestamp) $m(payload)
                }
            }
            leave
        }
        list {
            $s subscribe $topic
            while {![toStop]} {
                tookList [$s consume_list 200 500 -fields {payload partition timestamp}]
            }
            leave
        }
    }
}

# bootstrap topic group settings -- two workers of one group.
set programs::worker $programs::common
append programs::worker {
    package require kafka::worker
    lassign $argv bootstrap topic group settings
    proc one {m} {
        took [dict get $m partition] [dict get $m timestamp] [dict get $m payload]
        return ok
    }
    proc several {messages} {
        foreach m $messages {one $m}
        return ok
    }
    proc ended {about} {
        if {[dict get $about state] ne "stopped"} {puts "x WORKER $about"}
    }
    kafka::Worker create first -brokers $bootstrap -topics [list $topic] -group $group -handler one \
        -start earliest -on_stop ended -conf $settings -logger none
    kafka::Worker create second -brokers $bootstrap -topics [list $topic] -group $group -handler several \
        -start earliest -on_stop ended -conf $settings -logger none -mode batch -batch_size 50 -max_wait 100
    first start
    second start
    onStop {
        first stop
        second stop
        exit
    }
    vwait forever
}

# bootstrap topic partitions -- a stream for each partition, by a command or by `next`.
set programs::stream $programs::common
append programs::stream {
    package require kafka::partition
    lassign $argv bootstrap topic partitions
    proc got {partition record} {
        if {[dict exists $record error]} {
            puts "x [dict get $record code] by the stream"
            return
        }
        took $partition [dict get $record timestamp] [dict get $record payload]
    }
    proc follow {stream partition} {
        while {![$stream ended]} {
            try {
                set record [$stream next]
                if {$record ne ""} {got $partition $record}
            } trap KAFKA {message options} {thrown $message $options}
        }
        puts "x ENDED the stream of partition $partition"
    }
    for {set i 0} {$i < $partitions} {incr i} {
        set client [kafka::PartitionClient new -brokers $bootstrap -topic $topic -partition $i -logger none]
        if {$i % 2} {
            kafka::StreamConsumer new $client -command [list got $i]
        } else {
            coroutine following$i follow [kafka::StreamConsumer new $client] $i
        }
    }
    onStop exit
    vwait forever
}

# bootstrap from to group id settings -- as README's program for "exactly once".
set programs::exactly $programs::common
append programs::exactly {
    lassign $argv bootstrap from to group id settings
    set s [[master group.id $group enable.auto.commit false auto.offset.reset earliest {*}$settings] subscriber #auto]
    set writing [master transactional.id $id transaction.timeout.ms 10000]

    proc again {args} {
        while 1 {
            try {
                return [{*}$args]
            } trap KAFKA {message options} {
                thrown "[lindex $args 1]: $message" $options
                if {"retriable" ni [flags $options]} {return -options $options $message}
            }
            after 100
        }
    }
    proc connect {} {
        puts "s connect"
        set ::p [$::writing producer_creator #auto]
        again $::p init_transactions
    }
    proc renew {} {
        puts "s delete"
        $::p delete
        # While its id's transaction is being ended, a new producer is made in vain.
        while {[catch connect message options]} {
            thrown $message $options
            $::p delete
            after 100
        }
    }
    # Reads again from what is committed, of the partitions that are still here.
    proc rewind {} {
        while {[llength [$::s assignment]]} {
            puts "s rewind [$::s assignment]"
            try {
                $::s seek {*}[lmap place [again $::s committed {*}[$::s assignment]] {
                    lassign $place topic partition offset
                    list $topic $partition [expr {$offset eq "invalid" ? "beginning" : $offset}]
                }]
                return
            } trap KAFKA {message options} {thrown $message $options}
            after 100
        }
    }
    connect
    $s rebalance_callback {apply {e {
        puts "@ [dict get $e event] [lmap tp [dict get $e partitions] {lindex $tp 1}]"
    }}}
    $s subscribe $from
    set last [clock milliseconds]
    while {![toStop]} {
        set rows [$s consume_list 200 2000 -fields {payload partition timestamp}]
        if {![llength $rows]} {
            set last [clock milliseconds]
            continue
        }
        try {
            $p begin_transaction
            foreach {payload partition timestamp} $rows {$p send $to "> $payload" -partition $partition}
            puts "s send_offsets_to_transaction"
            again $p send_offsets_to_transaction $s
            puts "s commit_transaction"
            again $p commit_transaction
            # How long it has been since nothing was to be done, or something was.
            set now [clock milliseconds]
            puts "t [expr {$now - $last}]"
            set last $now
            puts "s read"
        } trap KAFKA {message options} {
            thrown $message $options
            if {"fatal" in [flags $options]} {
                renew
            } else {
                try {
                    again $p abort_transaction
                } trap KAFKA {message options} {
                    thrown $message $options
                    renew
                }
            }
            rewind
            puts "s read again"
        }
    }
    $s close
    exit
}
