# client.tcl -- kafka::Client: what kafka::Producer and kafka::Consumer have in common.

package require Tcl 8.6-
package require kafka::common

::kafka::common::Class ::kafka::Client {
    variable Handle Admin

    # handle -- the plain command beneath, for what the class doesn't offer.
    method handle {} {return $Handle}

    # conf ?key? -- the configuration in force.
    method conf {args} {my Call "" plain client_config {*}$args}

    # cluster_metadata ?topic? ?timeout?
    method cluster_metadata {{topic ""} {timeout 5000}} {
        set words [list metadata -timeout $timeout]
        if {$topic ne ""} {lappend words -topic $topic}
        my Call "" await {*}$words
    }
    method cluster_id {{timeout 5000}} {my Call "" await cluster_id -timeout $timeout}
    method controller_id {{timeout 5000}} {my Call "" await controller_id -timeout $timeout}

    # create_topic topic ?-partitions n? ?-replication n? ?-config dict? ?-timeout ms?
    # ?-validate_only b? -- gives the topic
    method create_topic {topic args} {
        my Admin create_topic $topic {*}$args
        return $topic
    }
    # delete_topic topic ?-timeout ms? -- gives the topic
    method delete_topic {topic args} {
        my Admin delete_topic {*}$args -- $topic
        return $topic
    }
    # create_partitions topic total ?option value ...?
    method create_partitions {topic total args} {
        my Admin create_partitions $topic $total {*}$args
        return $topic
    }
    # describe_config topic|broker|group name
    method describe_config {type name args} {my Admin describe_configs $type {*}$args -- $name}
    # alter_config topic|broker|group name dict -- set these, leave the others
    method alter_config {type name config args} {
        my Admin alter_configs $type $name -set $config {*}$args
    }
    # group_info ?group? -- dict group -> `state members ...`, of one group or all
    method group_info {{group ""}} {
        if {$group ne ""} {
            return [my Admin describe_groups -- $group]
        }
        set names [lmap found [my Admin list_groups] {dict get $found group}]
        ::kafka::common::Stays
        if {![llength $names]} {return {}}
        my Admin describe_groups -- {*}$names
    }

    # ------------------------------------------------------------ inside

    # Call kind await|plain subcommand ?arg ...? -- a call of the plain command.
    method Call {kind how args} {
        my Alive
        ::kafka::errors::Call $kind $how [list $Handle {*}$args]
    }

    # Admin subcommand ?arg ...? -- over the connection of this client.
    method Admin {args} {
        my Alive
        if {![info exists Admin]} {
            set Admin [::kafka::common::Absolute [$Handle admin #auto]]
        }
        ::kafka::errors::Call "" await [list $Admin {*}$args]
    }

    method Alive {} {
        if {![info exists Handle] || [::kafka::common::Gone $Handle]} {
            ::kafka::common::Refuse CLOSED "the client is closed" ""
        }
    }
}
