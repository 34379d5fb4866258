# groups.tcl -- members of an embedded cluster's groups that come and go at random, from a seed.
#
#     source groups.tcl, with arguments: this file, seed, seconds
#
# Four threads make members of three groups, classic and of the consumer protocol, with random strategies, static or
# not, which read, subscribe anew, leave, or are deleted. Meanwhile this thread takes brokers away, moves coordinators,
# lets requests fail, makes and deletes topics and groups, and sends what members could say by hand: with the ids of
# members that are there, in any order, and closing its connections anywhere. It ends with the line `alive`.

lassign $argv - seed seconds
package require kafka
package require Thread
source [file join [file dirname [info script]] .. asking.tcl]

expr {srand($seed)}
set picking {proc pick {args} {lindex $args [expr {int(rand() * [llength $args])}]}}
eval $picking

::kafka::kafka mock cluster -brokers 2
cluster rebalance_delay 100
foreach t {t0 t1 t2} {cluster create_topic $t -partitions 6}
set bootstrap [cluster bootstrap]
set deadline [expr {[clock milliseconds] + $seconds * 1000}]

# ---------------------------------------------------------------- the threads with members

set member {
    package require kafka

    proc join {bootstrap} {
        set options {}
        if {rand() < 0.6} {
            lappend options session.timeout.ms [pick 1000 2000 6000] heartbeat.interval.ms [pick 100 500] \
                partition.assignment.strategy \
                [pick range roundrobin cooperative-sticky range,roundrobin roundrobin,range]
        } else {
            lappend options group.protocol consumer
        }
        if {rand() < 0.4} {lappend options group.instance.id [pick i1 i2 i3]}
        set master [::kafka::kafka create #auto]
        $master logger none
        $master config bootstrap.servers $bootstrap group.id [pick g0 g1 g2] reconnect.backoff.ms 20 \
            reconnect.backoff.max.ms 100 topic.metadata.refresh.interval.ms 300 {*}$options
        set s [$master subscriber #auto]
        $s subscribe {*}[pick t0 {t0 t1} {t1 t2} ^t.* t2]
        return [list $master $s]
    }

    # run seed bootstrap deadline -- how many members there were.
    proc run {seed bootstrap deadline} {
        expr {srand($seed)}
        set live {}
        set made 0
        while {[clock milliseconds] < $deadline} {
            if {[llength $live] < 4} {
                lappend live [join $bootstrap]
                incr made
            }
            set i [expr {int(rand() * [llength $live])}]
            lassign [lindex $live $i] master s
            set gone 0
            # What is away now, or moves, is no fault of this.
            switch [pick read read read read delete close unsubscribe subscribe commit] {
                read {catch {$s consume_list 10 [pick 5 50]}}
                unsubscribe {catch {$s unsubscribe}}
                subscribe {catch {$s subscribe [pick t0 t1 t2]}}
                commit {catch {$s commit -async}}
                close {catch {$s close 200}; set gone 1}
                delete {set gone 1}
            }
            if {$gone} {
                catch {$s delete}
                catch {$master delete}
                set live [lreplace $live $i $i]
            }
        }
        return $made
    }
}
for {set i 0} {$i < 4} {incr i} {
    set id [thread::create]
    thread::send $id [list set ::auto_path $auto_path]
    thread::send $id $picking$member
    thread::send -async $id [list run [expr {$seed * 10 + $i}] $bootstrap $deadline] made($i)
}

# ---------------------------------------------------------------- what a member could say

# The members that are there, as the last answer named them.
set ids {x y {}}
proc named {answer} {
    set ::ids {x y {}}
    if {![dict exists $answer result]} return
    dict for {group about} [dict get $answer result] {
        if {![dict exists $about members]} continue
        foreach m [dict get $about members] {lappend ::ids [dict get $m member_id]}
    }
}

proc said {} {
    set group [pick g0 g1 g2]
    set id [pick {*}$::ids]
    switch [pick join join sync sync leave heartbeat modern] {
        join {
            set protocols [pick [list [text range][bytes x]] [list [text roundrobin][bytes x] [text range][bytes y]] \
                [list [text cooperative-sticky][bytes z]]]
            framed 11 5 [text $group][int 32 [pick 1000 6000]][int 32 1000][text $id][pick [int 16 -1] \
                [text i1] [text i2]][text [pick consumer consumer connect]][array_of {*}$protocols]
        }
        sync {
            set assigned [pick {} [list [text $id][bytes q]] [list [text x][bytes q] [text y][bytes r]]]
            framed 14 3 [text $group][int 32 [pick 1 2 3 4 5 6 7 8]][text $id][int 16 -1][array_of {*}$assigned]
        }
        leave {framed 13 2 [text $group][text $id]}
        heartbeat {framed 12 3 [text $group][int 32 [pick 1 2 3 4 5]][text $id][int 16 -1]}
        modern {
            framed 68 1 [compact $group][compact [pick m1 m2 $id]][int 32 [pick 0 0 1 2 3 4 -1 -2 -3]][pick \
                [varint 0] [compact i1]][varint 0][int 32 [pick -1 1000 -4]][pick [varint 0] [varint 1] \
                [compact_array [compact t0] [compact t1]]][pick [varint 0] [compact ""] [compact t.*]][varint \
                0][pick [varint 0] [compact_array [int 64 1][int 64 2][compact_array [int 32 0]][varint 0]]][varint 0] 1
        }
    }
}

set channels {}
proc say {} {
    global channels
    if {[llength $channels] < 6} {
        # A broker that is down takes nobody.
        catch {lappend channels [connected [lindex [split [pick {*}[split $::bootstrap ,]] :] end]]}
        return
    }
    set i [expr {int(rand() * [llength $channels])}]
    set channel [lindex $channels $i]
    if {[catch {puts -nonewline $channel [said]; flush $channel; read $channel}] || [eof $channel] || rand() < 0.1} {
        catch {close $channel}
        set channels [lreplace $channels $i $i]
    }
}

# ---------------------------------------------------------------- what happens to the cluster

::kafka::kafka create master
master logger none
master config bootstrap.servers $bootstrap reconnect.backoff.ms 20 reconnect.backoff.max.ms 100
master admin admin
proc ignore {args} {}
set later {-timeout 300 -command ignore}

proc happen {} {
    set topic [pick t0 t1 t2]
    set group [pick g0 g1 g2]
    switch [pick fail down up coordinator topic topic admin error delay] {
        fail {
            cluster fail [pick JoinGroup SyncGroup LeaveGroup Heartbeat ConsumerGroupHeartbeat Fetch OffsetCommit \
                FindCoordinator OffsetFetch] [pick _TRANSPORT REBALANCE_IN_PROGRESS UNKNOWN_MEMBER_ID NOT_COORDINATOR \
                FENCED_MEMBER_EPOCH NOT_LEADER_FOR_PARTITION ILLEGAL_GENERATION FENCED_INSTANCE_ID] [pick 1 2 3]
        }
        down {cluster broker_down [pick 1 2]}
        up {
            cluster broker_up 1
            cluster broker_up 2
        }
        coordinator {cluster coordinator group $group [pick 1 2]}
        topic {
            switch [pick 0 1 1 2] {
                0 {admin delete_topic {*}$::later $topic}
                1 {catch {cluster create_topic $topic -partitions [pick 1 3 7]}}
                2 {admin create_partitions $topic [pick 8 9 10] {*}$::later}
            }
        }
        admin {
            switch [pick 0 1 2 3] {
                0 {admin describe_groups -timeout 300 -command named g0 g1 g2}
                1 {admin list_groups {*}$::later}
                2 {admin delete_groups {*}$::later $group}
                3 {admin alter_group_offsets $group {*}$::later {t0 0 0}}
            }
        }
        error {cluster topic_error $topic [pick NO_ERROR NO_ERROR NO_ERROR LEADER_NOT_AVAILABLE]}
        delay {cluster rebalance_delay [pick 0 100 1000]}
    }
}

while {[clock milliseconds] < $deadline} {
    update
    if {rand() < 0.5} say else happen
    after [pick 0 1 5]
}
foreach b {1 2} {cluster broker_up $b}
cluster clear_errors
while {[array size made] < 4} {vwait made}
cluster create_topic after
foreach {i n} [array get made] {incr total $n}
puts "$total members"
puts alive
exit 0
