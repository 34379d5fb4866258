# child.tcl -- the process that runs sequences: tclsh child.tcl kind seed count ?brokers?
#
# The seeds are seed, seed + 1 and so on. Each is said before it is run, so that who watches knows what a crash or a
# hang was about. The first fault ends it.

if {[info exists ::env(KAFKA_TEST_BUILD)]} {
    set ::auto_path [linsert $::auto_path 0 $::env(KAFKA_TEST_BUILD)]
} else {
    set ::auto_path [linsert $::auto_path 0 [file join [file dirname [file dirname [file dirname \
        [file normalize [info script]]]]] build]]
}
source [file join [file dirname [file normalize [info script]]] sequence.tcl]
fconfigure stdout -buffering line
lassign $argv kind seed count brokers
model::world::open $brokers
for {set i 0} {$i < $count} {incr i} {
    puts "@@seed [expr {$seed + $i}]"
    set began [clock milliseconds]
    set wrong [model::run [expr {$seed + $i}] $kind]
    if {$wrong ne ""} {
        puts "@@fault"
        puts $wrong
        flush stdout
        exit 3
    }
    puts "@@well [expr {[clock milliseconds] - $began}]"
}
puts "@@end"
exit
