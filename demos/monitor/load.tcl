# load.tcl -- a cluster of our own, with traffic that is worth a look: producers whose
# pace rises and falls, a group that keeps up, and one that now and then does not.

namespace eval load {
    variable groups {archive boards}
    # topic -> partitions, messages a second at most
    variable topics {flights {4 120} positions {6 400} weather {2 40}}
    variable airlines {AFR AAL BAW DAL DLH JAL KLM QFA SWA SWR UAL}
    variable callback ""
    variable begun 0
    variable owed           ;# topic -> messages that are due, also parts of one
    variable timers {}
    array set owed {}
}

# start callback -- begin; gives the brokers. The callback gets librdkafka's statistics.
proc load::start {prefix} {
    variable topics
    variable callback $prefix
    variable begun [clock milliseconds]
    ::kafka::kafka mock ::load::cluster -brokers 3
    cluster rebalance_delay 0
    dict for {topic size} $topics {
        cluster create_topic $topic -partitions [lindex $size 0]
    }
    Master producing linger.ms 20
    producing producer_creator ::load::producer
    Every 50 load::produce
    foreach {group most} {boards 40 archive 19} {
        Master $group group.id $group auto.offset.reset earliest auto.commit.interval.ms 500 \
            fetch.wait.max.ms 100
        $group subscriber ::load::${group}Reader
        ${group}Reader subscribe {*}[dict keys $topics]
        Every 50 [list load::consume ::load::${group}Reader $most]
    }
    return [cluster bootstrap]
}

proc load::Master {name args} {
    variable callback
    ::kafka::kafka create ::load::$name
    $name config bootstrap.servers [cluster bootstrap] statistics.interval.ms 1000 {*}$args
    $name logger none
    $name statistics_callback -dict $callback
    # The monitor itself shows errors of the cluster.
    $name error_callback {apply {{error} {}}}
}

# Every ms script -- evaluate it again and again.
proc load::Every {ms script} {
    variable timers
    dict set timers $script [after $ms [list load::Every $ms $script]]
    uplevel #0 $script
}

# pace topic -- messages a second, now: each topic has its own slow wave.
proc load::pace {topic} {
    variable topics
    variable begun
    lassign [dict get $topics $topic] partitions most
    set seconds [expr {([clock milliseconds] - $begun) / 1000.0}]
    expr {$most * (0.65 + 0.35 * sin($seconds / (3 + $partitions)))}
}

proc load::produce {} {
    variable topics
    variable airlines
    variable owed
    foreach topic [dict keys $topics] {
        set owed($topic) [expr {[info exists owed($topic)] ? $owed($topic) + [pace $topic] / 20 : 0}]
        set messages {}
        for {} {$owed($topic) >= 1} {set owed($topic) [expr {$owed($topic) - 1}]} {
            set airline [lindex $airlines [expr {int(rand() * [llength $airlines])}]]
            set flight $airline[expr {int(rand() * 900) + 100}]
            lappend messages [list [format {{"flight": "%s", "lat": %.4f, "lon": %.4f, "alt": %d}} $flight \
                [expr {rand() * 130 - 65}] [expr {rand() * 360 - 180}] [expr {int(rand() * 38000)}]] $flight]
        }
        if {[llength $messages]} {producer send_batch $topic $messages}
    }
}

# consume reader most -- take what is there, up to so many; a reader whose most is less
# than what comes falls behind, until the wave is low.
proc load::consume {reader most} {
    # Wait 0 ms, and take up to most.
    foreach message [$reader consume_list 0 $most] {
        # Here a program would do its work.
    }
}

proc load::stop {} {
    variable timers
    dict for {script timer} $timers {after cancel $timer}
    if {[info commands ::load::cluster] eq ""} return
    # The cluster goes last: until then what is queued can be delivered and committed.
    foreach client {producer boardsReader archiveReader} {$client close}
    foreach object {boards archive producing cluster} {$object delete}
}
