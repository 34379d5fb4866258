# controller_client.tcl -- kafka::ControllerClient: makes, deletes and lists topics.

package require Tcl 8.6-

::kafka::common::Class ::kafka::ControllerClient {
    variable Handle Admin

    constructor {args} {
        set options [::kafka::common::Options $::kafka::common::clientOptions $args]
        set Handle [::kafka::common::Handle [::kafka::common::Master $options] producer]
    }
    destructor {
        if {[info exists Handle] && ![::kafka::common::Gone $Handle]} {$Handle delete}
    }

    # create_topic name partitions replication ?timeout?
    method create_topic {name {partitions 1} {replication 1} {timeout 30000}} {
        ::kafka::common::Check name name $name
        ::kafka::common::Check partitions {int 1} $partitions
        ::kafka::common::Check replication {int 1} $replication
        my Ask create_topic $name -partitions $partitions -replication $replication -timeout $timeout
        return
    }
    # delete_topic name ?timeout?
    method delete_topic {name {timeout 30000}} {
        ::kafka::common::Check name name $name
        my Ask delete_topic -timeout $timeout -- $name
        return
    }
    # list_topics -- dict name -> partitions
    method list_topics {} {
        if {[info coroutine] ne ""} {
            set metadata [::kafka::await $Handle metadata]
        } else {
            set metadata [$Handle metadata]
        }
        set topics {}
        dict for {name about} [dict get $metadata topics] {
            dict set topics $name [lsort -integer [dict keys [dict get $about partitions]]]
        }
        return $topics
    }
    # partition_client topic partition ?option value ...? is kafka::PartitionClient new.
    method Ask {args} {
        if {![info exists Admin]} {set Admin [::kafka::common::Absolute [$Handle admin #auto]]}
        if {[info coroutine] ne ""} {return [::kafka::await $Admin {*}$args]}
        $Admin {*}$args
    }
}
