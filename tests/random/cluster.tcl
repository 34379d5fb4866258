# cluster.tcl -- the cluster that random calls are made to: tclsh cluster.tcl topic ...
#
# Says where it is, then does what it reads, a call's words in each line, until its input ends.

set ::auto_path [linsert $::auto_path 0 [file join [file dirname [file dirname [file dirname \
    [file normalize [info script]]]]] build]]
package require kafka
::kafka::kafka mock ::cluster -brokers 1
::cluster rebalance_delay 0
foreach topic $argv {::cluster create_topic $topic -partitions 2}
puts [::cluster bootstrap]
flush stdout
while {[gets stdin line] >= 0} {
    # What is refused is of no interest here.
    catch {::cluster {*}$line}
}
