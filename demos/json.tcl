# json.tcl -- kafka::json: messages with JSON payloads and a history.
#
#     tclsh json.tcl -brokers kafka1:9092 -topic input-topic -output output-topic
#
# A batch goes to a topic, is read, and goes on to another. What arrives there knows where it has been.

package require kafka::json

# What the command line doesn't say.
array set option [list -brokers 127.0.0.1 -topic my.test -output my.output -group json-demo -count 2]
if {[info exists env(KAFKA_BOOTSTRAP)]} {set option(-brokers) $env(KAFKA_BOOTSTRAP)}
array set option $argv

kafka::json::Producer create first -svc first-service -brokers $option(-brokers)
kafka::json::Producer create second -svc second-service -brokers $option(-brokers)
first produce_batch $option(-topic) {
    {id some_id  payload {data {my message} urgent false}}
    {id other_id payload {data {another message} size 2.50}}
}

proc consumer {name topic} {
    kafka::json::Consumer create $name -svc second-service -brokers $::option(-brokers) \
        -topics $topic -group $::option(-group) -timeout 500 -conf {auto.offset.reset earliest}
}

set seen 0
proc process_messages {messages} {
    foreach message $messages {
        puts "[dict get $message id]: [dict get $message payload data]"
        incr ::seen
    }
    # A consumed message can be produced as it is.
    second produce_batch $::option(-output) $messages
    if {$::seen >= $::option(-count)} {return -code break}
}
consumer input $option(-topic)
input process process_messages

proc show {messages} {
    foreach message $messages {
        set ref [dict get $message refs]
        set path {}
        while {[dict get $ref hist] ne "null"} {
            lappend path [dict get $ref hist svc]
            if {![llength [dict get $ref hist refs]]} break
            set ref [lindex [dict get $ref hist refs] 0]
        }
        puts "[kafka::json::encode [dict get $message payload] [dict get $message types]]\
            by way of [join [lreverse $path] {, }]"
        incr ::shown
    }
    if {$::shown >= $::option(-count)} {return -code break}
}
set shown 0
set option(-group) $option(-group)-output
consumer output $option(-output)
output process show

input close
output close
first close
second close
