# real.tcl -- the same tests on a real Apache Kafka; helper.tcl sources it.
#
#     KAFKA_TEST_REAL=1 KAFKA_BOOTSTRAP=host:port,... KAFKA_NODES=1 tclsh tests/NAME.test
#     scripts/broker run make test-real
#
# With these set, `newCluster` gives that broker instead of an embedded cluster, and `newTopic` makes
# the topic there. KAFKA_NODES says how many brokers it has (1 if not set). tests/real.files
# lists the files that run so. They name topics, groups and transactional ids by `newTopic`
# and `uniqueName` only, as the broker keeps what the last run left, and others use it beside them.
#
# A test that can't run there names a constraint for it, which is listed below with its reason:
#
#     faults      it has the embedded cluster fail, wait, or tell its requests
#     mock        what it shows is the embedded cluster's own
#     real        what it shows an embedded cluster can't do
#     nodes2      it needs two brokers, or three: nodes3
#     fault_...   it is right, and shows a fault of the package that is known and not mended yet

namespace eval helper {
    namespace export groupState
    variable real [expr {[info exists ::env(KAFKA_TEST_REAL)] && $::env(KAFKA_TEST_REAL) eq "1"}]
    variable nodes [expr {[info exists ::env(KAFKA_NODES)] && $::env(KAFKA_NODES) ne "" ? $::env(KAFKA_NODES) : 1}]
    variable broker [expr {[info exists ::env(KAFKA_BOOTSTRAP)] ? $::env(KAFKA_BOOTSTRAP) : ""}]
    variable administrator ""   ;# the pipe to the process that makes topics
    # What the line about skipped tests says of a constraint.
    variable reasons {
        faults "the embedded cluster's own ways to fail and to tell its requests"
        mock "the embedded cluster, which it is about"
        real "a real broker (make test-real)"
        nodes2 "a second broker"
        nodes3 "three brokers"
    }
    # Faults of the package that only Apache Kafka shows, and where they are described. Who mends
    # one removes its line here, and its constraint from the tests.
    variable knownFaults {
        fault_consumer_commit "KIP-848: on a busy broker what was committed in a revoke comes twice, or close takes 5 s"
    }
}

if {$helper::real && $helper::broker eq ""} {
    puts stderr "KAFKA_TEST_REAL is 1, but KAFKA_BOOTSTRAP names no broker"
    exit 2
}

::tcltest::testConstraint faults [expr {!$helper::real}]
::tcltest::testConstraint mock [expr {!$helper::real}]
::tcltest::testConstraint real $helper::real
::tcltest::testConstraint nodes2 [expr {!$helper::real || $helper::nodes >= 2}]
::tcltest::testConstraint nodes3 [expr {!$helper::real || $helper::nodes >= 3}]
foreach {helper::fault helper::text} $helper::knownFaults {
    ::tcltest::testConstraint $helper::fault [expr {!$helper::real}]
    dict set helper::reasons $helper::fault "a fault that is known: $helper::text"
}
# Seen with three nodes only.
if {$helper::nodes < 3} {::tcltest::testConstraint fault_consumer_commit 1}
unset -nocomplain helper::fault helper::text

# What makes and deletes topics is a process of its own, so that what tests count of objects,
# threads and connections is theirs alone. It answers a Tcl command a line by a list of code and result,
# and when its input ends, also because the test program died, it deletes the run's topics.
set helper::administratorScript {
    lassign $argv bootstrap run
    set master [::kafka::kafka create #auto]
    $master logger none
    $master config bootstrap.servers $bootstrap
    set admin [$master admin #auto]
    set asker [$master producer_creator #auto]
    # One for each broker, to ask whether that one knows a topic: while it asks for metadata only, a
    # client has no connection but its first.
    foreach address [split $bootstrap ,] {
        $master config bootstrap.servers $address
        lappend witnesses [$master producer_creator #auto]
    }

    # until script -- again until it succeeds and gives a true value; the last error after 30 s.
    proc until {script} {
        set end [expr {[clock milliseconds] + 30000}]
        while {[catch {uplevel #0 $script} result] || !$result} {
            if {[clock milliseconds] > $end} {error "timed out: $script: $result"}
            after 10
        }
    }

    # There when it can be written to and read from by any client: every broker knows it, and every
    # partition has a leader that knows it.
    proc make {topic args} {
        # Tests write messages of long ago: a broker deletes them when their retention is over.
        $::admin create_topic $topic -config {retention.ms -1} {*}$args
        until [list there $topic]
    }
    proc there {topic} {
        foreach witness [list {*}$::witnesses $::asker] {
            set found [dict get [$witness metadata -topic $topic] topics $topic]
            if {[dict exists $found error]} {error [dict get $found error]}
            dict for {partition place} [dict get $found partitions] {
                if {[dict get $place leader] < 0} {return 0}
            }
        }
        foreach partition [dict keys [dict get $found partitions]] {
            $::asker watermarks $topic $partition
        }
        return 1
    }

    proc groupState {group} {
        set found [dict get [$::admin describe_groups $group] $group]
        return [list [dict get $found state] [llength [dict get $found members]]]
    }

    # On a fresh broker the first group has to wait until the coordinators' topic is made.
    proc begin {} {
        if {"__consumer_offsets" in [$::admin list_topics]} return
        until {
            $::admin list_group_offsets kafka-tcl-test-first
            expr 1
        }
    }

    while {[gets stdin line] >= 0} {
        puts [list [catch $line result] $result]
    }
    set ours [lsearch -all -inline [$admin list_topics] *-$run-*]
    if {[llength $ours]} {catch {$admin delete_topic {*}$ours}}
    exit
}

# Administer word ... -- have it done, and return the result.
proc helper::Administer {args} {
    variable administrator
    variable administratorScript
    variable broker
    variable run
    if {$administrator eq ""} {
        close [file tempfile file]
        set channel [open $file w]
        puts $channel "set ::auto_path [list $::auto_path]"
        puts $channel "package require kafka\nfconfigure stdout -buffering line"
        puts $channel $administratorScript
        close $channel
        set administrator [open |[list [info nameofexecutable] $file $broker $run 2>@stderr] r+]
        fconfigure $administrator -buffering line
        Administer begin
        file delete $file
    }
    puts $administrator $args
    if {[gets $administrator answer] < 0} {error "the process that makes topics has ended"}
    lassign $answer code result
    if {$code} {error $result}
    return $result
}

# groupState group -- what a real broker says of it: its state, and how many members it has.
proc helper::groupState {group} {Administer groupState $group}

# EndAdministrator -- the run's topics are deleted, and their process is gone.
proc helper::EndAdministrator {} {
    variable administrator
    if {$administrator eq ""} return
    set channel $administrator
    set administrator ""
    close $channel write
    read $channel
    close $channel
}

# What `cluster` names on a real broker: it tells where it is, and makes topics.
proc helper::Broker {subcommand args} {
    variable broker
    switch -- $subcommand {
        bootstrap {return $broker}
        create_topic {
            # One replica: these tests are about clients, and a small machine is slow enough.
            Administer make [lindex $args 0] {*}[dict merge {-partitions 4 -replication 1} [lrange $args 1 end]]
        }
        delete {}
        default {
            error "a real broker has no \"$subcommand\": the test needs the constraint faults"
        }
    }
    return
}
