# helper.tcl -- what every test file of the extended suite sources first.
#
#     source [file join [file dirname [info script]] helper.tcl]
#     test subject-1.1 {what it shows} -constraints plaintext -body {...} -result ...
#     done
#
# The broker is named by environment variables (see README.md here). Each listener
# that is given is a constraint: plaintext, sasl, ssl, sasl_ssl. A test without its
# listener is skipped, never passed. On top of the main suite's helper there are:

source [file join [file dirname [file dirname [file normalize [info script]]]] helper.tcl]
package require kafka

namespace eval broker {
    variable run [format %x%x [pid] [clock seconds]]
    variable count 0
    variable topics {}
    variable listener
    array set listener {
        plaintext KAFKA_BOOTSTRAP       sasl KAFKA_SASL_BOOTSTRAP
        ssl       KAFKA_SSL_BOOTSTRAP   sasl_ssl KAFKA_SASL_SSL_BOOTSTRAP
    }
    namespace export given env security master producer consumer subscriber makeTopic \
        unique readAll deliver client
}

# env name ?default? -- an environment variable.
proc broker::env {name {default ""}} {
    if {[info exists ::env($name)] && $::env($name) ne ""} {return $::env($name)}
    return $default
}

# given name ... -- whether all these environment variables are set.
proc broker::given {args} {
    foreach name $args {
        if {[env $name] eq ""} {return 0}
    }
    return 1
}

# security listener ?mechanism? -- the configuration that the listener wants.
proc broker::security {listener {mechanism ""}} {
    set conf [list bootstrap.servers [env $broker::listener($listener)]]
    if {$listener eq "plaintext"} {return $conf}
    lappend conf security.protocol [dict get {
        sasl sasl_plaintext ssl ssl sasl_ssl sasl_ssl
    } $listener]
    if {$listener in {ssl sasl_ssl}} {
        lappend conf ssl.ca.location [env KAFKA_CA]
        if {[given KAFKA_CERT KAFKA_KEY]} {
            lappend conf ssl.certificate.location [env KAFKA_CERT] ssl.key.location [env KAFKA_KEY]
        }
    }
    if {$listener in {sasl sasl_ssl}} {
        if {$mechanism eq ""} {set mechanism [lindex [mechanisms] 0]}
        lappend conf sasl.mechanism $mechanism sasl.username [env KAFKA_USER] \
            sasl.password [env KAFKA_PASSWORD]
    }
    return $conf
}

# mechanisms -- those that the broker's SASL listeners have.
proc broker::mechanisms {} {
    env KAFKA_MECHANISMS {PLAIN SCRAM-SHA-256 SCRAM-SHA-512}
}

# master ?-listener l? ?key value ...? -- a quiet master for a listener (plaintext).
proc broker::master {args} {
    set listener plaintext
    if {[lindex $args 0] eq "-listener"} {set args [lassign $args - listener]}
    set master [::kafka::kafka create #auto]
    $master logger none
    $master config {*}[security $listener] reconnect.backoff.ms 50 reconnect.backoff.max.ms 500 {*}$args
    return $master
}

# producer, consumer, subscriber ?-listener l? ?key value ...? -- a handle of a new
# master; a subscriber has a group of its own unless one is given.
proc broker::producer {args} {[master {*}$args] producer_creator #auto}
proc broker::consumer {args} {[master {*}$args] consumer_creator #auto}
proc broker::subscriber {args} {
    set master [master {*}$args]
    if {[$master config group.id] eq ""} {$master config group.id [unique group]}
    $master subscriber #auto
}

# unique ?stem? -- a name that no other run of the suite uses.
proc broker::unique {{stem name}} {
    variable run
    variable count
    return kafka-tcl-test-$run-$stem-[incr count]
}

# makeTopic ?stem? -- a new topic, which exists and can be asked when this returns, and is
# deleted at the end.
proc broker::makeTopic {{stem topic}} {
    variable topics
    variable maker
    set topic [unique $stem]
    if {![info exists maker] || [info commands $maker] eq ""} {
        set maker [producer]
        $maker admin ::broker::admin
    }
    ::broker::admin create_topic $topic -partitions [env KAFKA_PARTITIONS 4] \
        -replication [env KAFKA_NODES 1]
    lappend topics $topic
    waitFor -timeout 30000 {
        ![catch {::broker::partitionsOf $::broker::maker $topic} count] && $count > 0
    }
    return $topic
}

# partitionsOf handle topic -- how many the topic has, each with a leader; 0 while it is made.
proc broker::partitionsOf {handle topic} {
    set found [dict get [$handle metadata -topic $topic] topics $topic]
    if {[dict exists $found error]} {return 0}
    dict for {partition place} [dict get $found partitions] {
        if {[dict get $place leader] < 0} {return 0}
    }
    # Metadata may name a leader that does not know it yet.
    dict for {partition place} [dict get $found partitions] {$handle watermarks $topic $partition}
    return [dict size [dict get $found partitions]]
}

# tool name ?arg ...? -- run one of Kafka's own programs on the plaintext listener.
proc broker::tool {name args} {
    exec [file join [env KAFKA_HOME] bin $name] --bootstrap-server [env KAFKA_BOOTSTRAP] {*}$args 2>@1
}

# deliver handle topic messages ?partition? -- produce elements {payload ?key? ?-option value ...?}
# and wait; the delivery reports in the order in which they came.
proc broker::deliver {handle topic messages {partition -1}} {
    variable reports
    set t [$handle new_topic #auto $topic]
    set reports {}
    foreach message $messages {
        set rest [lassign $message payload]
        $t produce $partition $payload {*}$rest -command {lappend ::broker::reports} -block 30000
    }
    waitFor -timeout 60000 {[llength $::broker::reports] == [llength $messages]}
    $t delete
    return $reports
}

# readAll topic count ?key value ...? -- count messages of a topic from its beginning, as
# dicts, by partition and offset; fewer only after 30 s.
proc broker::readAll {topic count args} {
    set h [consumer {*}$args]
    set t [$h new_topic #auto $topic]
    set queue [$h create_queue #auto]
    set n [$h info partitions $topic]
    for {set i 0} {$i < $n} {incr i} {$t start_queue $i beginning $queue}
    set got {}
    set end [expr {[clock milliseconds] + 30000}]
    while {[llength $got] < $count && [clock milliseconds] < $end} {
        lappend got {*}[$queue consume_list 500 10000]
    }
    # None too many: what comes within a moment counts too.
    lappend got {*}[$queue consume_list 200 10000]
    $h delete
    lsort -command ::broker::ByPlace $got
}

proc broker::ByPlace {a b} {
    set order [expr {[dict get $a partition] - [dict get $b partition]}]
    expr {$order ? $order : [dict get $a offset] - [dict get $b offset]}
}

# done -- as the main suite's; the topics are deleted.
rename ::helper::done ::helper::mainDone
proc ::helper::done {} {
    if {[llength $::broker::topics]} {
        if {[info commands ::broker::admin] eq ""} {[broker::producer] admin ::broker::admin}
        # A broker that a test has left down keeps them; that is no failure of the file.
        if {[catch {::broker::admin delete_topic -- {*}$::broker::topics} message]} {
            puts "topics are left: $message"
        }
    }
    mainDone
}

testConstraint plaintext [broker::given KAFKA_BOOTSTRAP]
testConstraint sasl [broker::given KAFKA_SASL_BOOTSTRAP KAFKA_USER KAFKA_PASSWORD]
testConstraint ssl [broker::given KAFKA_SSL_BOOTSTRAP KAFKA_CA]
testConstraint sasl_ssl [broker::given KAFKA_SASL_SSL_BOOTSTRAP KAFKA_CA KAFKA_USER KAFKA_PASSWORD]
testConstraint mtls [expr {[testConstraint ssl] && [broker::given KAFKA_CERT KAFKA_KEY]}]
testConstraint mtls_required [expr {[broker::env KAFKA_CLIENT_AUTH] eq "required"}]
testConstraint encrypted_key [expr {[testConstraint mtls] && [broker::given KAFKA_KEY_ENC KAFKA_KEY_PASSWORD]}]
testConstraint acl [expr {[testConstraint sasl] && [broker::given KAFKA_DENIED_TOPIC]}]
testConstraint oauthbearer [expr {"OAUTHBEARER" in [broker::mechanisms]}]
testConstraint no_oauthbearer [expr {"OAUTHBEARER" ni [broker::mechanisms]}]
testConstraint aclgroup [expr {[testConstraint sasl] && [broker::given KAFKA_DENIED_GROUP]}]
testConstraint quota [broker::given KAFKA_QUOTA_CLIENT KAFKA_BOOTSTRAP]
testConstraint autocreate [expr {[broker::env KAFKA_AUTO_CREATE 1]}]
testConstraint authorizer [expr {[broker::env KAFKA_AUTHORIZER 1]}]
testConstraint openssl [expr {[auto_execok openssl] ne ""}]
# As plain, scram_sha_256: what has a hyphen would be an expression.
foreach broker::mechanism {PLAIN SCRAM-SHA-256 SCRAM-SHA-512} {
    testConstraint [string tolower [string map {- _} $broker::mechanism]] \
        [expr {$broker::mechanism in [broker::mechanisms]}]
}
foreach broker::protocol {classic consumer} {
    testConstraint group_$broker::protocol \
        [expr {$broker::protocol in [broker::env KAFKA_GROUP_PROTOCOLS {classic consumer}]}]
}

namespace import broker::*
