# machine.tcl -- runs random calls in this interpreter and looks at what comes of them.
#
#     random::run seed steps bootstrap
#
# Every step is said on stdout before it is made, so that who watches knows what a crash or a
# hang was about. An error without one of the errorCodes that the package promises, a panic that
# was caught, and objects that live on after their end are faults: they end the process.

package require Tcl 8.6-
package require kafka
source [file join [file dirname [file normalize [info script]]] words.tcl]

namespace eval ::random {
    variable label 0        ;# of this thread
    variable step 0
    variable tick 0
    variable bodies 0
    variable budget 0       ;# how many more calls the callbacks of this step may make
    variable depth 0        ;# of callbacks within callbacks
    variable coroutines 0
    variable children 0
    variable scalar 1       ;# no array
    variable codes          ;# how often each outcome was seen
    array set codes {}
}

# ---------------------------------------------------------------- what is said

# say words -- one line of plain ASCII, short enough to be written at once.
proc ::random::say {args} {
    variable label
    variable step
    set out ""
    foreach c [split [string range [join $args] 0 600] {}] {
        scan $c %c code
        append out [expr {$code >= 32 && $code < 127 ? $c : [format \\u%04x $code]}]
    }
    puts "$label $step [string range $out 0 2000]"
}

proc ::random::fault {what} {
    say @@fault $what
    flush stdout
    exit 3
}

# judge what code options -- a call has ended: only certain errors may come of it.
proc ::random::judge {words code result options} {
    variable codes
    if {$code != 1} {
        incr codes(code$code)
        return
    }
    set errorcode [dict get $options -errorcode]
    incr codes([lrange $errorcode 0 1])
    # What Tcl says of a script that is none has no errorCode: a word too many may make one of any word.
    if {$errorcode eq "NONE" && [string match consume_batch [lindex $words 1]]
            && [regexp {^(missing |extra characters after )} $result]} return
    # A file that is not there, of config -file, is the system's to tell of.
    if {[lindex $errorcode 0] ni {KAFKA TCL POSIX} || [string match "*panick*" $result]} {
        fault [list $words gave $result errorcode $errorcode]
    }
}

# try words -- make a call, and judge it.
proc ::random::try {words} {
    judge $words [catch {uplevel #0 $words} result options] $result $options
}

proc ::random::background {message options} {
    judge background [dict get $options -code] $message $options
}

# ---------------------------------------------------------------- callbacks

# called what ... -- every callback. What it calls has been drawn with the rest.
proc ::random::called {what args} {
    variable budget
    variable depth
    if {[incr budget -1] < 0 || $depth > 3} {return 0}
    incr depth
    ::try {
        switch $what {
            noop   {return [lindex $args 0]}
            throw  {throw {TCL RANDOM} callback}
            flow   {return -code [lindex $args 0] flow}
            nested {serve [lindex $args 0]}
            call   {try [lindex $args 0]}
        }
    } finally {incr depth -1}
    return 0
}

# serve ms -- the event loop, for so long.
proc ::random::serve {ms} {
    after $ms {incr ::random::tick}
    vwait ::random::tick
}

# ---------------------------------------------------------------- objects

# there name -- whether there is such a command. `info commands` would take the name for a pattern,
# and some objects here are called x\\ or [exit]: they were left alive.
proc ::random::there {name} {
    expr {[namespace which -command $name] ne ""}
}

# exist type name -- make sure that there is one. A master whose settings were spoiled, so that it
# makes no handles, is made anew next time.
proc ::random::exist {type name} {
    if {$type eq "kafka"} return
    # A call may have given the name to an object of another type.
    set kind [expr {[string match topic_* $type] ? "topic" : $type}]
    if {$name eq $::random::cluster} return
    if {[there $name] && $name ni [::kafka::kafka names $kind]} {
        try [list rename $name {}]
    }
    try [list ::random::ensure $type $name]
    if {$type in {master mock} || [there $name]} return
    foreach master [::kafka::kafka names master] {
        if {[there $master]} {try [list $master delete]}
    }
    try [list ::random::ensure $type $name]
}

# ensure type name -- an object of that name, if there is none. Its settings have nothing wait long.
proc ::random::ensure {type name} {
    variable bootstrap
    if {$type eq "kafka" || [there $name]} return
    switch $type {
        master {
            ::kafka::kafka create $name
            $name logger none
            $name config bootstrap.servers $bootstrap group.id g[string index $name end] \
                message.timeout.ms 400 fetch.wait.max.ms 10 session.timeout.ms 2000 \
                heartbeat.interval.ms 100 reconnect.backoff.ms 10 reconnect.backoff.max.ms 50 socket.timeout.ms 1000
            if {$name eq "::m2"} {$name config transactional.id tx-[pid]-$::random::label transaction.timeout.ms 1000}
        }
        mock {
            # A thread has no command of the cluster that it uses.
            if {$name eq $::random::cluster} return
            ::kafka::kafka mock $name -brokers 1
        }
        admin - subscriber {
            ensureMaster ::m0
            ::m0 $type $name
        }
        producer {
            set master [string map {p m} $name]
            ensureMaster $master
            $master producer_creator $name
            $name linger_on_close 10
        }
        consumer {
            ensureMaster ::m1
            ::m1 consumer_creator $name
        }
        topic_producer {
            set producer ::p[string index $name end]
            ensure producer $producer
            $producer new_topic $name t[string index $name end]
        }
        topic_consumer {
            ensure consumer ::c0
            ::c0 new_topic $name t[string index $name end]
        }
        queue {
            ensure consumer ::c0
            ::c0 create_queue $name
        }
    }
}

proc ::random::ensureMaster {name} {ensure master $name}

# heal -- the cluster is well again, and what accumulates goes.
proc ::random::heal {} {
    variable slots
    if {[there $::random::cluster]} {
        catch {$::random::cluster broker_up 1}
        catch {$::random::cluster rtt 1 0}
        catch {$::random::cluster clear_errors}
        catch {$::random::cluster rebalance_delay 0}
        foreach t {t0 t1 t2 t3} {
            catch {$::random::cluster topic_error $t 0}
            catch {$::random::cluster leader $t 0 1}
            catch {$::random::cluster leader $t 1 1}
        }
    }
    set keep [list $::random::cluster {*}[concat {*}[dict values $slots]]]
    foreach object [::kafka::kafka names] {
        if {$object ni $keep && [there $object]} {try [list $object delete]}
    }
    foreach command [info commands ::random::co*] {rename $command {}}
}

# ---------------------------------------------------------------- steps

# next -- the kind of the next step and its words.
proc ::random::next {} {
    set kind [weighted {call 800 event 90 rename 25 coroutine 40 child 4 namespace 8 after 20 master 13}]
    switch $kind {
        call      {return [list call {*}[call]]}
        event     {return [list event [pick {0 0 1 2 5 20}]]}
        rename    {return [list rename [anySlot] [pick {{} {} back}]]}
        coroutine {return [list coroutine {*}[call] [draw 3]]}
        child     {return [list child [draw 5] [draw 3]]}
        namespace {return [list namespace [slot master] [pick {producer_creator consumer_creator subscriber admin}]]}
        after     {return [list after [draw 20] [lindex [call 1] 1]]}
        master    {return [list master [slot master] [lrange [call] 1 end]]}
    }
}

proc ::random::do {kind args} {
    switch $kind {
        call {
            lassign $args type words
            exist $type [lindex $words 0]
            try $words
        }
        event {serve [lindex $args 0]}
        rename {
            lassign $args name to
            if {![there $name]} return
            if {$to eq ""} {
                rename $name {}
            } else {
                rename $name ::random::aside
                serve 0
                # A callback may have ended it, or taken its name.
                if {[there ::random::aside]} {
                    if {[there $name]} {
                        rename ::random::aside {}
                    } else {
                        rename ::random::aside $name
                    }
                }
            }
        }
        coroutine {
            lassign $args type words how
            exist $type [lindex $words 0]
            coroutine ::random::co[incr ::random::coroutines] ::random::inside $words $how
            # A stray resumption of an old one.
            if {$how == 2} {
                set old ::random::co[expr {$::random::coroutines - 1}]
                if {[there $old]} {try [list $old stray]}
            }
        }
        child {childInterp {*}$args}
        namespace {
            lassign $args master what
            try [list ::random::ensure master $master]
            namespace eval ::random::ns {}
            try [list $master $what ::random::ns::object]
            serve 0
            namespace delete ::random::ns
        }
        after {
            lassign $args ms words
            after $ms [list ::random::try $words]
        }
        master {
            # A master that is set up otherwise than others.
            lassign $args master words
            try [list ::random::ensure master $master]
            try [list $master config {*}[lindex $words 0]]
        }
    }
}

# inside words how -- in a coroutine: with kafka::await, or with a body that may yield.
proc ::random::inside {words how} {
    if {$how} {set words [linsert $words 0 ::kafka::await]}
    try $words
}

# childInterp what end -- an interpreter of its own, with objects in it, and its end.
proc ::random::childInterp {what end} {
    variable bootstrap
    variable children
    set child ::random::child[incr children]
    interp create $child
    $child eval [list set ::auto_path $::auto_path]
    $child eval {proc bgerror args {}}
    $child bgerror list
    judge child [catch {
        $child eval {package require kafka}
        $child eval [list set b $bootstrap]
        $child eval {
            ::kafka::kafka create m
            m logger none
            m config bootstrap.servers $b group.id child message.timeout.ms 300
        }
        $child eval [lindex {
            {}
            {m producer_creator p; p new_topic t t0; t produce 0 x; p send t1 y -command list}
            {m subscriber s; s callback {list}; s subscribe t0 t1}
            {m consumer_creator c; c new_topic t t0; t start 0 beginning list; c create_queue q}
            {m producer_creator p; m admin a; a list_topics -command list; p metadata -command list}
        } $what]
        if {$what == 2 && $end == 2} {
            # It ends in its own callback.
            $child alias end interp delete $child
            $child eval {s callback end}
        }
    } result options] $result $options
    if {$end == 1} {serve 3}
    if {$end == 2} {serve 10}
    if {[interp exists $child]} {interp delete $child}
}

# ---------------------------------------------------------------- a run

# run seed steps bootstrap ?label?
proc ::random::run {seed steps server {name 0}} {
    variable bootstrap $server
    variable label $name
    variable step 0
    variable budget
    variable codes
    interp bgerror {} ::random::background
    fconfigure stdout -buffering line -translation lf
    tables
    seed $seed
    while {$step < $steps} {
        incr step
        set budget 20
        set next [next]
        say {*}$next
        do {*}$next
        if {$step % 100 == 0} {heal}
    }
    say the end
    finish
    say @@done [lsort -stride 2 -integer -decreasing -index 1 [array get codes]]
}

# thread seed steps bootstrap label -- a run in a thread of its own: the error that ended it, if one did.
proc ::random::thread {args} {
    if {![catch {run {*}$args} message options]} return
    return [dict get $options -errorinfo]
}

# finish -- every object of this interpreter goes.
proc ::random::finish {} {
    variable budget -1000000
    heal
    foreach timer [after info] {after cancel $timer}
    foreach object [::kafka::kafka names] {
        if {$object ne $::random::cluster && [there $object]} {try [list $object delete]}
    }
    serve 0
}
