# worker.tcl -- package kafka::worker: kafka::Worker calls a handler for messages, in order within
# each partition, and commits what was handled.
#
# Messages come by the subscriber's callback and wait in a queue for each partition. A *lane* works on
# the queues of one partition (or of one partition number of all topics): it is a coroutine while
# there is work, so that a handler may yield while other lanes go on. Whatever a lane waits for it
# waits for by number (Await, Wake): a handler may leave stray resumptions behind.
#
# A partition that was taken away and given back is another one: every piece of work carries the
# generation that its messages came under, and nothing is counted for an older one.

package require Tcl 8.6-
package require kafka::common
package require kafka::oo

namespace eval ::kafka::worker {
    # What threads were asked for: number -> object.
    variable asked; array set asked {}
    variable last 0

    # What a handler's thread needs; ack is for asynchronous acknowledgement there.
    variable threadScript {
        namespace eval ::kafka::worker {}
        proc ::kafka::worker::Run {main object id handler argument} {
            set ::kafka::worker::main $main
            set ::kafka::worker::object $object
            set code [catch {uplevel #0 [list {*}$handler $argument]} result options]
            thread::send -async $main [list ::kafka::worker::Returned $id $code $result $options]
        }
        proc ::kafka::worker::ack {message} {
            thread::send -async $::kafka::worker::main \
                [list ::kafka::worker::Acked $::kafka::worker::object $message]
        }
    }
}

# Returned number code result options -- a handler in a thread has ended.
proc ::kafka::worker::Returned {id code result options} {
    variable asked
    if {![info exists asked($id)]} return
    set object $asked($id)
    unset asked($id)
    $object Wake $id [list $code $result $options]
}

# Acked object message -- an acknowledgement from a thread.
proc ::kafka::worker::Acked {object message} {
    if {[info object isa object $object]} {$object ack $message}
}

# Told object method ?arg ...? -- an answer, which may come after the object's end.
proc ::kafka::worker::Told {object method args} {
    if {[info object isa object $object]} {$object $method {*}$args}
}

# Failed text ?errorcode? -- an answer of Invoke that stands for an error.
proc ::kafka::worker::Failed {text {errorcode {KAFKA HANDLER}}} {
    list 1 $text [dict create -code 1 -level 0 -errorcode $errorcode -errorinfo $text]
}

oo::class create ::kafka::Worker {
    variable Options Topics State Sub Dead DeadTopic Generation Queue Since Order Acked Target \
        Confirmed Paused Lanes Busy Coroutines Woken Last Committing CommitTimer Timers Threads \
        LaneThread Running Attempts Reason Closing

    constructor {args} {
        set Options [::kafka::common::Options [list {*}$::kafka::common::clientOptions \
            {*}$::kafka::common::securityOptions \
            -topics ! list -group ! name -handler ! command \
            -mode message {one message batch} -ack sync {one sync async} \
            -start latest {one earliest latest} \
            -offset_reset_policy {} {one {} earliest latest error} \
            -allocation topic_partition {one partition topic_partition} \
            -batch_size 100 {int 1} -max_wait 1000 {int 0} -max_outstanding 1000 {int 1} \
            -retries 5 {int 0} -backoff 1000 {int 0} -max_backoff 60000 {int 0} \
            -dead_letter {} any -commit_interval 0 {int 0} \
            -subscribe_retries 5 {int 0} -subscribe_retry_delay 5000 {int 0} \
            -threads 0 {int 0} -thread_init {} any -on_stop {} prefix \
        ] $args]
        set Topics [dict get $Options -topics]
        if {![llength $Topics]} {
            ::kafka::common::Bad {expected at least one topic for -topics but got ""}
        }
        foreach option {-group.id -enable.auto.commit -enable.auto.offset.store -auto.offset.reset} {
            if {[dict exists $Options -conf [string range $option 1 end]]} {
                ::kafka::common::Bad "the worker sees to [string range $option 1 end] itself:\
                    leave it out of -conf"
            }
        }
        if {[dict get $Options -threads] > 0} {package require Thread}
        set State stopped
        set Last 0
        my Clear
        # A client that can't be made is told now, not at the start.
        [::kafka::common::Master $Options] delete
    }

    destructor {
        # Refused by the constructor, there is nothing yet.
        if {![info exists State]} return
        if {[info exists Sub] && ![::kafka::common::Gone $Sub]} {
            catch {
                set tps [my Uncommitted]
                if {[llength $tps]} {$Sub commit -async {*}$tps}
            }
            # Nobody is here any more for what its end has to tell.
            catch {$Sub callback {}}
            catch {$Sub rebalance_callback {}}
            $Sub delete
        }
        my Release
    }

    # start -- join the group; handlers are called from the event loop.
    method start {} {
        if {$State in {running stopping}} {
            ::kafka::common::Refuse STATE "not allowed in the present state" "the worker is $State"
        }
        my Clear
        set reset [dict get $Options -offset_reset_policy]
        if {$reset eq ""} {set reset [dict get $Options -start]}
        set defaults [list group.id [dict get $Options -group]]
        set forced [list enable.auto.commit false enable.auto.offset.store false \
            auto.offset.reset $reset]
        set options $Options
        dict set options -conf [dict merge [dict get $Options -conf] $defaults $forced]
        set Sub [::kafka::common::Handle [::kafka::common::Master $options] subscriber]
        set Attempts 0
        set State running
        set Reason {}
        $Sub rebalance_callback [list [self namespace]::my Rebalanced]
        $Sub callback [list [self namespace]::my Arrived]
        my StartThreads
        my Subscribe
        return
    }

    # stop ?timeout? -- let running handlers end, commit, leave the group. Within a handler it returns
    # at once, and the end comes after the handler's.
    method stop {{timeout 10000}} {
        ::kafka::common::Check timeout ms $timeout
        if {$State ne "running"} return
        set State stopping
        catch {$Sub callback {}}
        if {$Running == 0} {
            my Finish
            return
        }
        if {[info coroutine] ne ""} return
        set timer ""
        if {$timeout >= 0} {set timer [after $timeout [list [self namespace]::my Finish]]}
        set name [self namespace]::State
        while {[info exists $name] && $State eq "stopping"} {vwait $name}
        after cancel $timer
        return
    }

    # state -- stopped, running, stopping or failed
    method state {} {return $State}

    # ack message ?message ...? -- with -ack async: these are processed. Gives how many counted; those
    # of a partition that has been taken away don't.
    method ack {args} {
        set count 0
        foreach message $args {
            set tp [list [dict get $message topic] [dict get $message partition]]
            set offset [dict get $message offset]
            if {![info exists Order($tp)] || $offset ni $Order($tp)
                    || [dict exists $Acked($tp) $offset]} continue
            dict set Acked($tp) $offset 1
            incr count
            my Advance $tp
        }
        return $count
    }

    # outstanding ?topic partition? -- how many messages have come and are not processed
    method outstanding {args} {
        if {[llength $args]} {
            if {![info exists Order($args)]} {return 0}
            return [llength $Order($args)]
        }
        set count 0
        foreach tp [array names Order] {incr count [llength $Order($tp)]}
        return $count
    }

    # subscribe_to_topics topics -- in addition; gives those that are new
    method subscribe_to_topics {topics} {
        ::kafka::common::Check topics list $topics
        set new {}
        foreach topic $topics {
            if {$topic ni $Topics && $topic ni $new} {lappend new $topic}
        }
        if {[llength $new]} {
            lappend Topics {*}$new
            if {$State eq "running"} {
                set Attempts 0
                my Subscribe
            }
        }
        return $new
    }
    method list_subscribed_topics {} {return $Topics}

    # handle -- the plain subscriber; an error while the worker is stopped
    method handle {} {
        if {![info exists Sub]} {
            ::kafka::common::Refuse STATE "not allowed in the present state" "the worker is $State"
        }
        return $Sub
    }

    # ------------------------------------------------------------ subscribing

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
            $Sub metadata -command [list ::kafka::worker::Told [self] Looked $message $options]
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
        set Target($tp) ""
        set Confirmed($tp) ""
        set Paused($tp) 0
        set lane [my Lane $tp]
        if {![info exists Lanes($lane)] || $tp ni $Lanes($lane)} {lappend Lanes($lane) $tp}
    }

    method Disown {tp} {
        foreach table {Generation Queue Since Order Acked Target Confirmed Paused} {
            unset -nocomplain ${table}($tp)
        }
        set lane [my Lane $tp]
        if {[info exists Lanes($lane)]} {
            set Lanes($lane) [lsearch -all -inline -not -exact $Lanes($lane) $tp]
        }
    }

    method Lane {tp} {
        if {[dict get $Options -allocation] eq "partition"} {return [lindex $tp 1]}
        return $tp
    }

    method Current {tp generation} {
        expr {[info exists Generation($tp)] && $Generation($tp) == $generation}
    }

    # ------------------------------------------------------------ messages

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

    # ------------------------------------------------------------ lanes

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

    # ------------------------------------------------------------ handling

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
            set me [self]
            set code [catch {uplevel #0 [list {*}[dict get $Options -handler] $argument]} \
                result options]
            # It may have destroyed the worker: the lane ends, by a return from Work.
            if {![info object isa object $me]} {return -level 3}
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

    method Handled {tp generation messages result} {
        if {[dict get $Options -ack] eq "async"} return
        if {![my Current $tp $generation]} return
        if {$result eq "ok"} {
            my Count $tp $generation $messages
            return
        }
        # Sync: what was handled is the front of what is outstanding.
        set Order($tp) [lrange $Order($tp) [llength $messages] end]
        if {[lindex $result 0] eq "commit"} {
            set Target($tp) [expr {[lindex $result 1] + 1}]
            my CommitSoon
        }
        my Room $tp
    }

    # Count tp generation messages -- they are processed.
    method Count {tp generation messages} {
        if {![my Current $tp $generation]} return
        foreach message $messages {dict set Acked($tp) [dict get $message offset] 1}
        my Advance $tp
    }

    # Advance tp -- only the front that is acknowledged without a gap is committed.
    method Advance {tp} {
        set front 0
        foreach offset $Order($tp) {
            if {![dict exists $Acked($tp) $offset]} break
            dict unset Acked($tp) $offset
            set Target($tp) [expr {$offset + 1}]
            incr front
        }
        if {!$front} return
        set Order($tp) [lrange $Order($tp) $front end]
        my CommitSoon
        my Room $tp
    }

    # Room tp -- read again when half of what may be outstanding is processed.
    method Room {tp} {
        if {$Paused($tp) && [llength $Order($tp)] <= [my Bound] / 2} {
            set Paused($tp) 0
            # Its partition may just have gone.
            catch {$Sub resume $tp}
        }
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
            if {[dict exists $message key]} {lappend words -key [dict get $message key]}
            if {[dict exists $message tombstone]} {lappend words -tombstone 1}
            ::kafka::await $Dead send [dict get $Options -dead_letter] \
                [dict get $message payload] {*}$words
        }
    }

    # ------------------------------------------------------------ committing

    # Uncommitted -- {topic partition offset} of what is processed and not known to be committed.
    method Uncommitted {} {
        set tps {}
        foreach tp [array names Target] {
            if {$Target($tp) ne $Confirmed($tp)} {lappend tps [list {*}$tp $Target($tp)]}
        }
        return $tps
    }

    # One request at a time; what comes meanwhile goes with the next.
    method CommitSoon {} {
        if {$Committing || $CommitTimer ne ""} return
        set CommitTimer [after [dict get $Options -commit_interval] \
            [list [self namespace]::my CommitNow]]
    }

    method CommitNow {} {
        set CommitTimer ""
        set tps [my Uncommitted]
        if {![llength $tps] || ![info exists Sub]} return
        set Committing 1
        if {[catch {
            $Sub commit -command [list ::kafka::worker::Told [self] Answered $tps] {*}$tps
        } message options]} {
            my Answered $tps [list error $message]
        }
    }

    method Answered {tps answer} {
        set Committing 0
        if {[dict exists $answer error]} {
            # While the group changes hands, say. A partition that stays is tried again.
            if {$State eq "running" && $CommitTimer eq ""} {
                set CommitTimer [after 200 [list [self namespace]::my CommitNow]]
            }
            return
        }
        foreach tp $tps {
            set offset [lindex $tp 2]
            set tp [lrange $tp 0 1]
            if {[info exists Confirmed($tp)]} {set Confirmed($tp) $offset}
        }
        if {[llength [my Uncommitted]]} {my CommitSoon}
    }

    # CommitLast -- commit what is processed, for there is no later. The answer to a commit that is on
    # its way comes first: the older one must not be the last. What a broker refuses for the moment
    # is tried again.
    method CommitLast {} {
        after cancel $CommitTimer
        set CommitTimer ""
        set deadline [::kafka::common::Deadline 5000]
        while {$Committing && [::kafka::common::Left $deadline]} {
            $Sub poll 100
        }
        # The answer may have asked for another.
        after cancel $CommitTimer
        set CommitTimer ""
        while {[llength [set tps [my Uncommitted]]]} {
            if {![catch {$Sub commit {*}$tps} message options]} return
            if {![::kafka::common::Left $deadline]} {
                ::kafka::common::Background $message $options
                return
            }
            # Serves the group, which may be what the broker waits for.
            $Sub poll 100
        }
    }

    # ------------------------------------------------------------ threads

    method StartThreads {} {
        for {set i 0} {$i < [dict get $Options -threads]} {incr i} {
            set thread [thread::create -joinable thread::wait]
            lappend Threads $thread
            thread::send $thread [list set ::auto_path $::auto_path]
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
        set ::kafka::worker::asked($id) [self]
        thread::send -async [lindex $Threads $LaneThread($lane)] [list ::kafka::worker::Run \
            [thread::id] [self] $id [dict get $Options -handler] $argument]
        my Await $id
    }

    # ------------------------------------------------------------ the end

    # Ended -- a handler has ended, or there is none: the end, if it waits for that.
    method Ended {} {
        if {$State eq "stopping" && $Running == 0} {my Later finish 0 Finish}
    }

    # Fail message options -- stop without committing more than was processed, and say why.
    method Fail {message options} {
        if {$State ni {running stopping}} return
        set Reason [list $message $options]
        set State stopping
        catch {$Sub callback {}}
        my Later finish 0 Finish
    }

    method Finish {} {
        if {$State ne "stopping"} return
        if {[info exists Sub] && ![::kafka::common::Gone $Sub]} {
            my CommitLast
            catch {$Sub rebalance_callback {}}
            if {[catch {$Sub close}]} {catch {$Sub delete}}
        }
        unset -nocomplain Sub
        my Release
        set reason $Reason
        my Clear
        if {$reason eq ""} {
            set State stopped
            set about {state stopped}
        } else {
            set State failed
            lassign $reason message options
            set errorcode NONE
            if {[dict exists $options -errorcode]} {set errorcode [dict get $options -errorcode]}
            set about [list state failed error $message errorcode $errorcode]
        }
        if {[dict get $Options -on_stop] ne ""} {
            uplevel #0 [list {*}[dict get $Options -on_stop] $about]
        } elseif {$reason ne ""} {
            ::kafka::common::Background $message $options
        }
        return
    }

    # Later key ms method ?arg ...? -- call a method of this object from the event loop.
    method Later {key ms args} {
        if {[info exists Timers($key)]} {after cancel $Timers($key)}
        set Timers($key) [after $ms [list [self namespace]::my {*}$args]]
    }

    # Release -- lanes, timers, threads and the dead letters' producer.
    method Release {} {
        foreach key [array names Timers] {after cancel $Timers($key)}
        array unset Timers
        after cancel $CommitTimer
        foreach lane [array names Coroutines] {
            # The one that we run in ends by itself.
            if {$Coroutines($lane) eq [info coroutine]} continue
            catch {rename $Coroutines($lane) {}}
        }
        foreach {id object} [array get ::kafka::worker::asked] {
            if {$object eq [self]} {unset ::kafka::worker::asked($id)}
        }
        foreach thread $Threads {catch {thread::release $thread}}
        set Threads {}
        if {[info exists Dead]} {
            if {![::kafka::common::Gone $Dead]} {$Dead delete}
            unset Dead
        }
    }

    # Called from outside, but not for scripts.
    export Wake Answered Looked

    method Clear {} {
        foreach table {Generation Queue Since Order Acked Target Confirmed Paused Lanes Busy
                Coroutines Woken Timers LaneThread} {
            unset -nocomplain $table
            array set $table {}
        }
        set Committing 0
        set CommitTimer ""
        set Threads {}
        set Running 0
        set Attempts 0
        set Reason {}
    }
}

package provide kafka::worker [package present kafka]
