# worker_handling.tcl -- kafka::Worker: the handler's calls, here or in threads, again when they fail,
# and where a message goes that keeps failing.

namespace eval ::kafka::worker {
    # What threads were asked for: number -> the object's `my`.
    variable asked; array set asked {}
    ::kafka::easy::State last 0

    # What a handler's thread needs; ack is for asynchronous acknowledgement there.
    variable threadScript {
        namespace eval ::kafka::worker {}
        proc ::kafka::worker::Run {main told object id handler argument} {
            set ::kafka::worker::main $main
            set ::kafka::worker::told $told
            set ::kafka::worker::object $object
            set code [catch {uplevel #0 [list {*}$handler $argument]} result options]
            thread::send -async $main \
                [list ::apply $told ::kafka::worker::Returned $id $code $result $options]
        }
        proc ::kafka::worker::ack {message} {
            thread::send -async $::kafka::worker::main [list ::apply $::kafka::worker::told \
                ::kafka::worker::Told $::kafka::worker::object ack $message]
        }
    }
}

# Returned number code result options -- a handler in a thread has ended.
proc ::kafka::worker::Returned {id code result options} {
    variable asked
    if {![info exists asked($id)]} return
    set my $asked($id)
    unset asked($id)
    $my Wake $id [list $code $result $options]
}

# Failed text ?errorcode? -- an answer of Invoke that stands for an error.
proc ::kafka::worker::Failed {text {errorcode {KAFKA HANDLER}}} {
    list 1 $text [dict create -code 1 -level 0 -errorcode $errorcode -errorinfo $text]
}

oo::define ::kafka::Worker {
    # Task tp generation messages -- handle one message or batch to its end.
    method Task {tp generation messages} {
        set attempt 0
        while 1 {
            if {![my Current $tp $generation]} return
            set answer [my Invoke $tp $messages]
            if {[lindex $answer 0] == 0} {
                my Handled $tp $generation $messages [lindex $answer 1]
                return
            }
            # It will not be there the next time either.
            if {[my Missing $answer]} {
                my Fail {*}[lrange $answer 1 end]
                return
            }
            incr attempt
            if {$attempt > [dict get $Options -retries]} break
            set delay [expr {min([dict get $Options -max_backoff],
                [dict get $Options -backoff] * (1 << min($attempt - 1, 20)))}]
            my Await [my Soon $delay]
            # Not committed, so it is repeated by whoever comes next.
            if {$State ne "running"} return
        }
        if {![my Current $tp $generation]} return
        lassign $answer - text options
        if {[dict get $Options -dead_letter] eq ""} {
            my Fail $text $options
            return
        }
        if {[catch {my Bury $messages $text $options $attempt} message problem]} {
            my Fail $message $problem
            return
        }
        my Count $tp $generation $messages
    }

    # Invoke tp messages -- call the handler: {0 result}, or {1 text options}.
    method Invoke {tp messages} {
        set argument [expr {[dict get $Options -mode] eq "batch" ? $messages : [lindex $messages 0]}]
        if {[llength $Threads]} {
            set answer [my InThread [my Lane $tp] $argument]
        } else {
            set code [catch {uplevel #0 [list {*}[dict get $Options -handler] $argument]} \
                result options]
            # It may have destroyed the worker: the lane ends, by a return from Work.
            if {[namespace which -command [namespace current]::my] eq ""} {return -level 3}
            set answer [list $code $result $options]
        }
        lassign $answer code result options
        if {$code == 1} {
            return [list 1 $result $options]
        }
        if {$result eq "ok"} {return {0 ok}}
        if {[dict get $Options -ack] eq "sync"} {
            if {$result eq "no_commit"} {return {0 no_commit}}
            if {[string is list $result] && [llength $result] == 2 && [lindex $result 0] eq "commit"} {
                set offset [lindex $result 1]
                set last [dict get [lindex $messages end] offset]
                if {[string is entier -strict $offset] && $offset >= 0 && $offset <= $last} {
                    return [list 0 $result]
                }
                return [::kafka::worker::Failed "the handler returned \"$result\":\
                    the offset must be an integer from 0 to $last, the last one's"]
            }
            set words "ok, no_commit, or {commit offset}"
        } else {
            set words "ok; acknowledge with ack"
        }
        ::kafka::worker::Failed "the handler returned \"$result\": must be $words"
    }

    # Missing answer -- whether the handler failed for want of its own command.
    method Missing {answer} {
        lassign $answer - - options
        if {![dict exists $options -errorcode]} {return 0}
        set command [lindex [dict get $Options -handler] 0]
        expr {[dict get $options -errorcode] eq [list TCL LOOKUP COMMAND $command]
            && [uplevel #0 [list ::tcl::namespace::which -command $command]] eq ""}
    }

    # Bury messages text options attempts -- to the dead letter topic, with headers that say where
    # from and why; returns when they are delivered.
    method Bury {messages text options attempts} {
        if {![info exists Dead]} {
            set Dead [::kafka::common::Handle [::kafka::common::Master $Options] producer]
        }
        set errorcode NONE
        if {[dict exists $options -errorcode]} {set errorcode [dict get $options -errorcode]}
        foreach message $messages {
            set headers {}
            if {[dict exists $message headers]} {set headers [dict get $message headers]}
            foreach {name value} [list topic [dict get $message topic] \
                    partition [dict get $message partition] offset [dict get $message offset] \
                    group [dict get $Options -group] error $text errorcode $errorcode \
                    attempts $attempts] {
                lappend headers dead_letter.$name [encoding convertto utf-8 $value]
            }
            set words [list -headers $headers]
            if {[dict exists $message null_headers]} {
                lappend words -null_headers [dict get $message null_headers]
            }
            if {[dict exists $message key]} {lappend words -key [dict get $message key]}
            if {[dict exists $message tombstone]} {lappend words -tombstone 1}
            ::kafka::await $Dead send [dict get $Options -dead_letter] \
                [dict get $message payload] {*}$words
        }
    }

    # ------------------------------------------------------------ threads

    method StartThreads {} {
        for {set i 0} {$i < [dict get $Options -threads]} {incr i} {
            set thread [thread::create -joinable thread::wait]
            lappend Threads $thread
            # A relative entry may not lead to this package any more.
            thread::send $thread [list set ::auto_path [list {*}$::auto_path $::kafka::easy::folder]]
            thread::send $thread $::kafka::worker::threadScript
            if {[catch {thread::send $thread [dict get $Options -thread_init]} message]} {
                my Release
                $Sub delete
                unset Sub
                set State stopped
                return -code error -errorcode {KAFKA HANDLER} "-thread_init failed: $message"
            }
        }
    }

    # InThread lane argument -- a lane has always the same thread.
    method InThread {lane argument} {
        if {![info exists LaneThread($lane)]} {
            set LaneThread($lane) [expr {[array size LaneThread] % [llength $Threads]}]
        }
        set id [incr ::kafka::worker::last]
        # Its own space of numbers, beside those of Soon.
        set id thread$id
        set ::kafka::worker::asked($id) [self namespace]::my
        thread::send -async [lindex $Threads $LaneThread($lane)] [list ::kafka::worker::Run \
            [thread::id] $::kafka::easy::told [self namespace]::my $id [dict get $Options -handler] $argument]
        my Await $id
    }
}
