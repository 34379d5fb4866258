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
#
# Here is what scripts call, and the end; the files worker_*.tcl have the rest of the class, by subject.

package require Tcl 8.6-
package require kafka::common
package require kafka::oo

namespace eval ::kafka::worker {}

# Told my method ?arg ...? -- an answer, which may come after the object's end. Objects are known here by
# their command `my`: a script may rename them.
proc ::kafka::worker::Told {my method args} {
    if {[namespace which -command $my] ne ""} {$my $method {*}$args}
}

::kafka::common::Class ::kafka::Worker {
    variable Options Topics State Sub Dead Generation Queue Since Order Acked Given Target \
        Confirmed Paused Lanes Busy Coroutines Woken Last Committing CommitTimer Timers Threads \
        LaneThread Running Finishing Attempts Reason

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
        if {[dict get $Options -threads] > 0 && [catch {package require Thread} reason options]} {
            return -code error -errorcode [dict get $options -errorcode] \
                "-threads needs the package Thread: $reason"
        }
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
            # Refused while it is closed, by a stop that waits: then it goes by itself.
            catch {$Sub delete}
        }
        my Release
        # A stop that waits finds it ended.
        set State stopped
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
        my Later pass 2000 PassOn
        return
    }

    # stop ?timeout? -- let running handlers end, commit, leave the group. Within a handler it returns
    # at once, and the end comes after the handler's. Of a worker that is stopping it waits for the end.
    method stop {{timeout 10000}} {
        ::kafka::common::Check timeout ms $timeout
        if {$State eq "running"} {
            set State stopping
            catch {$Sub callback {}}
            if {$Running == 0} {
                my Finish
                return
            }
        }
        # Called by a signal's handler in the midst of the end, that end comes after the handler's.
        if {$State ne "stopping" || $Finishing} return
        # Of a handler it would be its own end that it waits for.
        set coroutine [info coroutine]
        if {$coroutine ne "" && $coroutine in [lmap {- lane} [array get Coroutines] {set lane}]} return
        set timer ""
        if {$timeout >= 0} {set timer [after $timeout [list [self namespace]::my Finish]]}
        set name [self namespace]::State
        while {[info exists $name] && $State eq "stopping"} {
            if {$coroutine eq ""} {
                vwait $name
            } else {
                set next [after 20 [list ::apply $::kafka::easy::resume $coroutine]]
                yield
                after cancel $next
            }
        }
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
        if {$State ne "stopping" || $Finishing} return
        set Finishing 1
        if {[info exists Sub] && ![::kafka::common::Gone $Sub]} {
            my CommitLast
            if {[::kafka::common::Over]} return
            catch {$Sub rebalance_callback {}}
            if {[catch {$Sub close}]} {catch {$Sub delete}}
            # A signal's handler may have destroyed the worker in these waits, which has seen to the rest.
            if {[::kafka::common::Over]} return
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
        foreach {id my} [array get ::kafka::worker::asked] {
            if {$my eq "[self namespace]::my"} {unset ::kafka::worker::asked($id)}
        }
        foreach thread $Threads {catch {thread::release $thread}}
        set Threads {}
        if {[info exists Dead]} {
            if {![::kafka::common::Gone $Dead]} {$Dead delete}
            unset Dead
        }
    }

    method Clear {} {
        foreach table {Generation Queue Since Order Acked Given Target Confirmed Paused Lanes Busy
                Coroutines Woken Timers LaneThread} {
            unset -nocomplain $table
            array set $table {}
        }
        set Committing 0
        set CommitTimer ""
        set Threads {}
        set Running 0
        set Finishing 0
        set Attempts 0
        set Reason {}
    }
}

::kafka::common::Parts worker_group worker_lanes worker_handling worker_commits

::kafka::easy::Guard
package provide kafka::worker [package require kafka]
