# oo.tcl -- package kafka::oo: kafka::Producer, kafka::Consumer and kafka::Future.

package require Tcl 8.6-
package require kafka::common

::kafka::common::Parts errors serde future client producer consumer

::kafka::easy::Guard
package provide kafka::oo [package require kafka]
