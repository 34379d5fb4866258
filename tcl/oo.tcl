# oo.tcl -- package kafka::oo: kafka::Producer, kafka::Consumer and kafka::Future.

package require Tcl 8.6-
package require kafka::common

apply {{dir} {
    foreach file {errors serde future client producer consumer} {
        uplevel #0 [list source -encoding utf-8 [file join $dir $file.tcl]]
    }
}} [file dirname [file normalize [info script]]]

package provide kafka::oo [package present kafka]
