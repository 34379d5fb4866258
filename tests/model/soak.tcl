# soak.tcl -- very many sequences: tclsh soak.tcl ?sequences? ?seed? ?kind ...?
#
# 3000 sequences, from a seed that the clock gives, of every kind (steps.tcl), in six processes at once, on embedded
# clusters; with KAFKA_TEST_REAL=1 on the broker that KAFKA_BOOTSTRAP names. With KAFKA_MODEL_KILL=1 as well, that
# cluster's nodes are killed with kill -9 and started again, by one process then. What is wrong comes with its seed
# and its steps: 1 sequence of that seed and kind shows it again.

source [file join [file dirname [file normalize [info script]]] steps.tcl]
source [file join [file dirname [file normalize [info script]]] watch.tcl]

set kinds [lassign $argv sequences seed]
if {$sequences eq ""} {set sequences 3000}
if {$seed eq ""} {set seed [expr {[clock seconds] % 1000000}]}
if {![llength $kinds]} {set kinds $::model::kinds}
set brokers ""
if {[info exists ::env(KAFKA_TEST_REAL)] && $::env(KAFKA_TEST_REAL) eq "1"} {set brokers $::env(KAFKA_BOOTSTRAP)}
set jobs [expr {$brokers ne "" && [info exists ::env(KAFKA_MODEL_KILL)] ? 1 : 6}]
puts "seed $seed, $sequences sequences of $kinds"
set each [expr {20 * [llength $kinds]}]
set done 0
set faults 0
while {$done < $sequences} {
    set n [expr {min($each, $sequences - $done)}]
    lassign [model::watch::run $brokers $jobs {*}[model::watch::parts $seed $n $kinds]] wrong well
    foreach text $wrong {puts "$text\n"}
    incr faults [llength $wrong]
    incr done $n
    incr seed 20
    puts "[clock format [clock seconds] -format %H:%M:%S]: $done sequences, $faults faults"
}
exit [expr {$faults > 0}]
