# cli_metadata.tcl -- part of kafka::cli: kafkat list.

proc ::kafka::cli::Do.list {options words} {
    set topics [concat [Opt $options -t] $words]
    set master [Master $options]
    set client [$master producer_creator ::kafka::cli::producer]
    if {![llength $topics]} {lappend topics ""}
    # All is asked for before anything is written.
    Reach $client $options
    set controller -1
    catch {set controller [$client controller_id -timeout [Wait $options 5]]}
    set all [lmap topic $topics {
        set metadata [Metadata $client $options $topic]
        # The first answers come from a broker whose id is not known yet.
        for {set i 0} {$i < 20 && [dict get $metadata broker_id] < 0} {incr i} {
            after 10
            set metadata [Metadata $client $options $topic]
        }
        set metadata
    }]
    set failed {}
    foreach topic $topics metadata $all {
        if {[dict exists $options -J]} {
            Put [ListJson $metadata $topic $controller]\n
        } else {
            ListText $metadata $topic $controller
        }
        if {$topic ne "" && [dict exists $metadata topics $topic error]} {
            lappend failed "topic $topic: [ErrorText [dict get $metadata topics $topic]]"
        }
    }
    $client delete
    if {[llength $failed]} {Fail [join $failed "; "]}
}

# Broker metadata id -- host:port of a broker.
proc ::kafka::cli::Broker {metadata id} {
    foreach broker [dict get $metadata brokers] {
        if {[dict get $broker id] == $id} {
            return [dict get $broker host]:[dict get $broker port]
        }
    }
    return
}

# ListText metadata topic controller -- laid out as kcat does it.
proc ::kafka::cli::ListText {metadata topic controller} {
    set from [dict get $metadata broker_id]
    Say "Metadata for [expr {$topic eq {} ? "all topics" : $topic}] (from broker $from:\
        [Broker $metadata $from]/$from):\n"
    Say " [llength [dict get $metadata brokers]] brokers:\n"
    foreach broker [dict get $metadata brokers] {
        set id [dict get $broker id]
        Say "  broker $id at [dict get $broker host]:[dict get $broker port][expr {
            $id == $controller ? " (controller)" : ""}]\n"
    }
    Say " [dict size [dict get $metadata topics]] topics:\n"
    dict for {name description} [dict get $metadata topics] {
        set partitions [dict get $description partitions]
        set error ""
        if {[dict exists $description error]} {set error " [ErrorText $description]"}
        Say "  topic \"$name\" with [dict size $partitions] partitions:$error\n"
        dict for {partition place} $partitions {
            set error ""
            if {[dict exists $place error]} {set error ", [ErrorText $place]"}
            Say "    partition $partition, leader [dict get $place leader],\
                replicas: [join [dict get $place replicas] ,], isrs: [join [dict get $place isr] ,]$error\n"
        }
    }
}

# ListJson metadata topic controller -- likewise.
proc ::kafka::cli::ListJson {metadata topic controller} {
    set from [dict get $metadata broker_id]
    set brokers [lmap broker [dict get $metadata brokers] {
        JsonObject id [dict get $broker id] \
            name [JsonText [dict get $broker host]:[dict get $broker port]]
    }]
    set topics {}
    dict for {name description} [dict get $metadata topics] {
        set partitions {}
        dict for {partition place} [dict get $description partitions] {
            lappend partitions [JsonObject partition $partition \
                error [JsonError $place] leader [dict get $place leader] \
                replicas [JsonIds [dict get $place replicas]] isrs [JsonIds [dict get $place isr]]]
        }
        lappend topics [JsonObject topic [JsonText $name] error [JsonError $description] \
            partitions [JsonList $partitions]]
    }
    return [JsonObject \
        originating_broker [JsonObject id $from name [JsonText [Broker $metadata $from]/$from]] \
        query [JsonObject topic [JsonText [expr {$topic eq "" ? "*" : $topic}]]] \
        controllerid $controller brokers [JsonList $brokers] topics [JsonList $topics]]
}

proc ::kafka::cli::JsonIds {ids} {
    JsonList [lmap id $ids {JsonObject id $id}]
}

proc ::kafka::cli::JsonError {dict} {
    if {[dict exists $dict error]} {return [JsonText [ErrorText $dict]]}
}
