# producer.tcl -- a producer of a soak: argv is kind, bootstrap, topic, source, size and messages a second.
#
# It says "q n" when it has queued n messages, and "r number ok number ok ..." for the reports that
# came; a line ends with a dot, for the process may be killed while it writes one. It reads "go n":
# how many it may queue; "stop": deliver all, and end; "exit": end at once, wherever it is.

lassign $argv kind bootstrap topic source size rate

set settings [dict get {
    plain {}
    batches {compression.codec lz4 linger.ms 20}
    idempotent {enable.idempotence true}
    transactional {max.in.flight.requests.per.connection 1 transaction.timeout.ms 60000}
} $kind]

set m [kafka::kafka create #auto]
$m config bootstrap.servers $bootstrap linger.ms 5 reconnect.backoff.ms 50 reconnect.backoff.max.ms 500 \
    retry.backoff.ms 50 {*}$settings
if {$kind eq "transactional"} {$m config transactional.id soak-$source}
$m logger none
$m delivery_report callback reported

set queued 0
set limit 0
set said 0
set reports {}
set stopping 0
set started [clock milliseconds]
fconfigure stdout -buffering full

proc reported {r} {
    lappend ::reports [lindex [dict get $r payload] 1] [expr {![dict exists $r error]}]
}

proc say {} {
    if {$::queued > $::said} {puts "q [set ::said $::queued] ."}
    if {[llength $::reports]} {
        puts "r $::reports ."
        set ::reports {}
    }
    flush stdout
}

# allowed -- how many may be queued now.
proc allowed {} {
    if {$::stopping} {return 0}
    set due [expr {($::rate * ([clock milliseconds] - $::started)) / 1000}]
    # What a fault has kept from being made isn't made up for all at once.
    if {$due > $::queued + $::rate} {
        set ::started [expr {[clock milliseconds] - 1000 * $::queued / $::rate}]
    }
    expr {max(0, min($due, $::limit) - $::queued)}
}

proc payload {number} {
    set id "$::source $number"
    return "$id [string repeat . [expr {$::size - [string length $id] - 1}]]"
}

# put ?count? -- queue as many as are allowed.
proc put {{count 200}} {
    set n [expr {min($count, [allowed])}]
    try {
        if {$::kind eq "batches"} {
            for {set i 0} {$i < $n} {incr i 20} {
                set batch {}
                for {set k $::queued} {$k < $::queued + 20} {incr k} {lappend batch [list [payload $k] $k]}
                $::p send_batch $::topic $batch -partition [expr {$::queued / 20 % 4}] -command reported
                incr ::queued 20
            }
        } else {
            for {set i 0} {$i < $n} {incr i} {
                $::t produce [expr {$::queued % 4}] [payload $::queued]
                incr ::queued
            }
        }
    } trap {KAFKA RD_KAFKA_RESP_ERR__QUEUE_FULL} {} {}
    return $n
}

proc work {} {
    after 10 work
    put
    say
}

# ---------------------------------------------------------------- transactions

proc flags {options} {lindex [dict get $options -errorcode] end}

# again call ... -- calls until the error is none that passes.
proc again {args} {
    while 1 {
        try {
            return [kafka::await {*}$args]
        } trap KAFKA {message options} {
            if {"retriable" ni [flags $options]} {return -options $options $message}
        }
        pause 100
    }
}

proc pause {ms} {
    after $ms [info coroutine]
    yield
}

proc connect {} {
    set ::p [$::m producer_creator #auto]
    set ::t [$::p new_topic #auto $::topic]
    again $::p init_transactions
}

# All in transactions of up to 100 messages or 200 ms.
proc transact {} {
    connect
    while {!$::stopping || [$::p output_queue_length]} {
        try {
            $::p begin_transaction
            set n 0
            for {set i 0} {$i < 20 && $n < 100} {incr i} {
                incr n [put [expr {100 - $n}]]
                pause 10
            }
            again $::p commit_transaction
        } trap KAFKA {message options} {
            if {"fatal" in [flags $options]} {
                $::p delete
                connect
            } else {
                again $::p abort_transaction
            }
        }
    }
    finish
}

# ---------------------------------------------------------------- the end

proc finish {} {
    while {[$::p flush 1000]} {say}
    say
    exit
}

proc command {} {
    if {[gets stdin line] < 0} {
        if {[eof stdin]} exit
        return
    }
    switch [lindex $line 0] {
        go {set ::limit [lindex $line 1]}
        stop {
            set ::stopping 1
            if {$::kind ne "transactional"} finish
        }
        exit {
            say
            exit
        }
    }
}

fconfigure stdin -blocking 0
fileevent stdin readable command
if {$kind eq "transactional"} {
    proc work {} {
        after 10 work
        say
    }
    coroutine transacting transact
} else {
    set p [$m producer_creator #auto]
    set t [$p new_topic #auto $topic]
}
work
vwait forever
