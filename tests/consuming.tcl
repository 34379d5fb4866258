# consuming.tcl -- what the tests of subscribers share; source it after helper.tcl.

namespace eval consuming {
    variable producer ""
    variable topics
    namespace export newSubscriber put putIds payloads waitAssigned collector \
        liveCounts waitLive
}

# newSubscriber ?key value ...? -- a subscriber with a group of its own, unless
# group.id is among the settings.
proc consuming::newSubscriber {args} {
    # By the protocol of KIP-848 the broker has the say in these.
    set short {session.timeout.ms 2000 heartbeat.interval.ms 100}
    if {"group.protocol" in $args} {set short {}}
    set master [newMaster group.id [uniqueName group] {*}$short {*}$args]
    set subscriber [$master subscriber #auto]
    $master delete
    return $subscriber
}

# Topic -- the producer's object for a topic of the cluster made last.
proc consuming::Topic {topic} {
    variable producer
    variable topics
    if {[info commands $producer] eq "" || $producer eq ""} {
        array unset topics
        # No lingering: tests wait for what they produce.
        set producer [newProducer linger.ms 0]
    }
    if {![info exists topics($topic)]} {set topics($topic) [$producer new_topic #auto $topic]}
    return $topics($topic)
}

# put topic partition payload ... -- produce messages and wait until they are there.
proc consuming::put {topic partition args} {
    variable producer
    set object [Topic $topic]
    foreach payload $args {$object produce $partition $payload}
    if {[$producer flush [slow 60000]] != 0} {error "not everything was delivered to $topic"}
}

# putIds topic partitions first count -- produce the numbers from first on, round
# robin over the partitions, and wait until they are there.
proc consuming::putIds {topic partitions first count} {
    variable producer
    set object [Topic $topic]
    for {set i $first} {$i < $first + $count} {incr i} {
        # On a busy machine this may be quicker than the delivery.
        $object produce [expr {$i % $partitions}] $i -block [slow 30000]
    }
    if {[$producer flush [slow 120000]] != 0} {error "not everything was delivered to $topic"}
}

# payloads subscriber count ?timeout? -- the payloads of the next messages; an error
# dict, or too few in time, is an error.
proc consuming::payloads {subscriber count {timeout 10000}} {
    set out {}
    set end [expr {[clock milliseconds] + [slow $timeout]}]
    while {[llength $out] < $count} {
        set left [expr {max(0, $end - [clock milliseconds])}]
        set message [$subscriber consume $left]
        if {$message eq ""} {error "only [llength $out] of $count messages came: $out"}
        if {[dict exists $message error]} {error $message}
        lappend out [dict get $message payload]
    }
    return $out
}

# waitAssigned count subscriber ... -- serve the event loop until the subscribers have
# as many partitions between them, each at least one.
proc consuming::waitAssigned {count args} {
    waitFor -timeout 20000 {[consuming::Assigned $count $args]}
}

proc consuming::Assigned {count subscribers} {
    set sum 0
    foreach s $subscribers {
        set n [llength [$s assignment]]
        if {!$n} {return 0}
        incr sum $n
    }
    return [expr {$sum == $count}]
}

# collector variable -- a callback prefix that appends payloads to a global list, and
# error dicts to that list's namesake with Errors appended.
proc consuming::collector {name} {
    set ::$name {}
    set ::${name}Errors {}
    return [list consuming::Collect $name]
}

proc consuming::Collect {name message} {
    if {[dict exists $message error]} {
        lappend ::${name}Errors $message
    } else {
        lappend ::$name [dict get $message payload]
    }
}

# liveCounts -- what lives in the process, without mocks.
proc consuming::liveCounts {} {
    dict remove [::kafka::internal live] mocks
}

# waitLive counts -- serve the event loop until no more lives than that.
proc consuming::waitLive {counts {timeout 15000}} {
    waitFor -timeout $timeout {[consuming::NoMore $counts]}
}

proc consuming::NoMore {counts} {
    dict for {name n} [liveCounts] {
        if {$n > [dict get $counts $name]} {return 0}
    }
    return 1
}

namespace import consuming::*
