# monitor.tcl -- a window with a cluster's topics, how far a group is behind, and rates.
#
#     wish monitor.tcl                               an embedded cluster with some traffic
#     wish monitor.tcl -brokers kafka1:9092 -groups billing
#     wish monitor.tcl -file client.properties       whatever the cluster wants: TLS, SASL ...
#
# Nothing here waits: every question to the cluster is asked with kafka::await, in a
# coroutine, and the window lives on meanwhile, however slow the brokers are. It only
# looks: it joins no group and commits nothing.

package require kafka
if {[catch {package require Tk} message]} {
    puts stderr "monitor.tcl needs Tk and a display ($message). On Debian: apt-get install tk"
    exit 1
}

# What the command line doesn't say.
array set option [list -brokers {} -file {} -groups {} -interval 1000]
if {[info exists env(KAFKA_BOOTSTRAP)]} {set option(-brokers) $env(KAFKA_BOOTSTRAP)}
array set option $argv

foreach part {load chart window} {
    source [file join [file dirname [file normalize [info script]]] monitor $part.tcl]
}

namespace eval monitor {
    variable groups {}      ;# those to choose from
    variable group ""       ;# the one that is shown
    variable history {}     ;# what was seen in the last seconds, the oldest first
    variable window 5000    ;# ms over which rates are taken; groups commit now and then
    variable last           ;# client -> its statistics of the time before
    variable traffic        ;# client -> {sent received rtt} of the last interval
    array set last {}
    array set traffic {}
}

# ---------------------------------------------------------------- what the cluster says

# watch -- the coroutine: look at the cluster again and again.
proc monitor::watch {} {
    while 1 {
        set begun [clock milliseconds]
        try {
            look
            window::status "asked in [expr {[clock milliseconds] - $begun}] ms"
        } trap KAFKA {message} {
            # What was seen before stays on the screen.
            window::problem $message
        }
        after $::option(-interval) [info coroutine]
        yield
    }
}

# look -- ask for everything once, and show it.
proc monitor::look {} {
    variable group
    set metadata [kafka::await client metadata -timeout 10000]
    set places {}
    dict for {topic about} [dict get $metadata topics] {
        # The cluster's own topics are not what one wants to see.
        if {[string match __* $topic]} continue
        dict for {partition place} [dict get $about partitions] {
            # Without a leader nobody can say how long it is.
            if {[dict get $place leader] >= 0} {lappend places [list $topic $partition]}
        }
    }
    findGroups
    set asked $group
    set first [offsets earliest $places]
    set end [offsets latest $places]
    set committed {}
    # (Without places the answer would have those of all topics.)
    if {$asked ne "" && [llength $places]} {
        foreach place [kafka::await admin list_group_offsets $asked -timeout 10000 -- {*}$places] {
            lassign $place topic partition offset
            if {$offset ne "invalid"} {dict set committed [list $topic $partition] $offset}
        }
    }
    set seen [dict create ms [clock milliseconds] group $asked end $end committed $committed]
    window::show $metadata $first $seen [rates $seen]
}

# offsets spec places -- {topic partition} -> offset, of those whose leader answers.
proc monitor::offsets {spec places} {
    if {![llength $places]} {return}
    set words [lmap place $places {list {*}$place $spec}]
    try {
        set answer [kafka::await admin list_offsets -timeout 10000 -- {*}$words]
    } trap {KAFKA PARTIAL} {- options} {
        # A topic may have gone since we heard of it.
        set answer [dict get [lindex [dict get $options -errorcode] 4] ok]
    }
    dict map {place about} $answer {dict get $about offset}
}

# findGroups -- the groups to choose from: those that were given, or all there are.
proc monitor::findGroups {} {
    variable groups
    variable group
    set found $::option(-groups)
    if {![llength $found]} {
        set found [lsort [lmap about [kafka::await admin list_groups -timeout 10000] {
            dict get $about group
        }]]
    }
    if {$found ne $groups} {
        set groups $found
        if {$group ni $groups} {set group [lindex $groups 0]}
        window::offerGroups $groups
    }
}

# rates seen -- {topic partition} -> {written read}, messages a second since the oldest
# look that we remember.
proc monitor::rates {seen} {
    variable history
    variable window
    lappend history $seen
    while {[dict get $seen ms] - [dict get [lindex $history 0] ms] > $window} {
        set history [lrange $history 1 end]
    }
    set old [lindex $history 0]
    set seconds [expr {max(1, [dict get $seen ms] - [dict get $old ms]) / 1000.0}]
    set same [expr {[dict get $seen group] eq [dict get $old group]}]
    set rates {}
    dict for {place end} [dict get $seen end] {
        set written 0
        set read 0
        if {[dict exists $old end $place]} {
            set written [expr {($end - [dict get $old end $place]) / $seconds}]
        }
        if {$same && [dict exists $seen committed $place] && [dict exists $old committed $place]} {
            set read [expr {([dict get $seen committed $place]
                - [dict get $old committed $place]) / $seconds}]
        }
        dict set rates $place [list [expr {max(0, $written)}] [expr {max(0, $read)}]]
    }
    return $rates
}

# ---------------------------------------------------------------- what librdkafka says

# statistics stats -- of each client of this process, once a second: what went over its
# connections since the last time.
proc monitor::statistics {stats} {
    variable last
    variable traffic
    set client [dict get $stats name]
    if {[info exists last($client)]} {
        # `ts` is in microseconds.
        set seconds [expr {([dict get $stats ts] - [dict get $last($client) ts]) / 1e6}]
        lassign [lmap key {tx_bytes rx_bytes} {
            expr {([dict get $stats $key] - [dict get $last($client) $key]) / $seconds / 1024}
        }] sent received
        set trips [lmap {- broker} [dict get $stats brokers] {
            if {![dict get $broker rtt cnt]} continue
            expr {[dict get $broker rtt avg] / 1000.0}
        }]
        set traffic($client) [list $sent $received [expr {[llength $trips]
            ? [tcl::mathop::+ {*}$trips] / [llength $trips] : 0}]]
    }
    set last($client) $stats
    # Each of our clients reports once in an interval; the monitor's own sets the beat.
    if {$client eq [client name] && [info exists traffic($client)]} {
        set sent 0
        set received 0
        foreach {- one} [array get traffic] {
            set sent [expr {$sent + [lindex $one 0]}]
            set received [expr {$received + [lindex $one 1]}]
        }
        window::traffic $sent $received [lindex $traffic($client) 2]
    }
}

# ---------------------------------------------------------------- beginning and end

proc monitor::start {} {
    variable groups
    if {$::option(-brokers) eq "" && $::option(-file) eq ""} {
        set ::option(-brokers) [load::start monitor::statistics]
        set ::option(-groups) $load::groups
        set what "embedded cluster with sample traffic"
    } else {
        set what $::option(-brokers)
    }
    ::kafka::kafka create ::monitor::master
    master config statistics.interval.ms 1000
    if {$::option(-brokers) ne ""} {master config bootstrap.servers $::option(-brokers)}
    if {$::option(-file) ne ""} {
        master config -file $::option(-file)
        if {$::option(-brokers) eq ""} {set what [master config bootstrap.servers]}
    }
    # Errors belong into the window, and log lines would say them again.
    master logger none
    master statistics_callback -dict monitor::statistics
    master error_callback {apply {{error} {window::problem [dict get $error message]}}}

    window::build $what
    try {
        master producer_creator ::monitor::client
        client admin ::monitor::admin
    } trap KAFKA {message} {
        # A property that does not fit: nothing can be asked.
        window::problem $message
        return
    }
    coroutine watching watch
}

monitor::start
tkwait window .
load::stop
exit 0
