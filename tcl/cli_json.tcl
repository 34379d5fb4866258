# cli_json.tcl -- part of kafka::cli: JSON in bytes, written and read.
#
# Payloads need not be UTF-8. As kcat does, strings are written byte by byte and read so: what
# is no UTF-8 gives a line that is no proper JSON but loses nothing.

namespace eval ::kafka::cli {
    # Each byte that has to be escaped.
    variable escapes {}
    for {set i 0} {$i < 32} {incr i} {
        lappend escapes [format %c $i] [format {\u%04X} $i]
    }
    set escapes [dict merge $escapes [dict create \b \\b \f \\f \n \\n \r \\r \t \\t \" \\\" \\ \\\\]]
    unset i
}

# JsonString bytes -- a string.
proc ::kafka::cli::JsonString {bytes} {
    variable escapes
    return "\"[string map $escapes $bytes]\""
}

# JsonText text -- a string of text.
proc ::kafka::cli::JsonText {text} {
    JsonString [Utf8 $text]
}

# JsonList items -- an array of what is JSON already.
proc ::kafka::cli::JsonList {items} {
    return "\[[join $items ,]\]"
}

# JsonObject ?key json ...? -- an object of what is JSON already; pairs without a value are left out.
proc ::kafka::cli::JsonObject {args} {
    set pairs {}
    foreach {key json} $args {
        if {$json ne ""} {lappend pairs [JsonText $key]:$json}
    }
    return "{[join $pairs ,]}"
}

# JsonDict dict ?key kind ...? -- an object of a dict's keys in this order, as far as it has them; the
# kind is text, number, bool or list (of numbers).
proc ::kafka::cli::JsonDict {dict args} {
    JsonObject {*}[JsonFields $dict {*}$args]
}

# JsonFields dict ?key kind ...? -- likewise, the words for JsonObject.
proc ::kafka::cli::JsonFields {dict args} {
    set words {}
    foreach {key kind} $args {
        if {![dict exists $dict $key]} {continue}
        set value [dict get $dict $key]
        switch -- $kind {
            text {set value [JsonText $value]}
            bool {set value [expr {$value ? "true" : "false"}]}
            list {set value [JsonList $value]}
            number {
                if {![string is entier -strict $value]} {set value [JsonText $value]}
            }
        }
        lappend words $key $value
    }
    return $words
}

# ---------------------------------------------------------------- reading

# JsonRead line -- a line's object: key -> {kind value}; the kind is string (bytes), number, word
# (true, false, null), list (of such pairs) or object. Throws what is wrong.
proc ::kafka::cli::JsonRead {line} {
    set tokens [regexp -all -inline -- {"(?:[^"\\]|\\.)*"|[]\[{}:,]|[^]\[{}:,\s"]+|"} $line]
    set at 0
    lassign [JsonValue tokens at] kind value
    if {$kind ne "object"} {JsonBad "it is no object"}
    if {$at < [llength $tokens]} {JsonBad "something follows the object"}
    return $value
}

proc ::kafka::cli::JsonBad {what} {
    return -code error -errorcode {KAFKAT JSON} $what
}

# JsonValue tokensVar atVar -- the value that begins at a token: {kind value}.
proc ::kafka::cli::JsonValue {tokensVar atVar} {
    upvar 1 $tokensVar tokens $atVar at
    set token [lindex $tokens $at]
    incr at
    switch -glob -- $token {
        "\"?*" {return [list string [JsonUnescape [string range $token 1 end-1]]]}
        "\{" {
            set object {}
            while {1} {
                if {[lindex $tokens $at] eq "\}" && $object eq {}} break
                lassign [JsonValue tokens at] kind key
                if {$kind ne "string" || [lindex $tokens $at] ne ":"} {JsonBad "a name is missing"}
                incr at
                dict set object $key [JsonValue tokens at]
                if {[lindex $tokens $at] ne ","} break
                incr at
            }
            if {[lindex $tokens $at] ne "\}"} {JsonBad "it has no , or end where one is due"}
            incr at
            return [list object $object]
        }
        "\\\[" {
            set list {}
            while {1} {
                if {[lindex $tokens $at] eq "\]" && $list eq {}} break
                lappend list [JsonValue tokens at]
                if {[lindex $tokens $at] ne ","} break
                incr at
            }
            if {[lindex $tokens $at] ne "\]"} {JsonBad "it has no , or end where one is due"}
            incr at
            return [list list $list]
        }
        true - false - null {return [list word $token]}
        "\"" {JsonBad "a string does not end"}
        "" {JsonBad "it ends too early"}
    }
    if {![regexp {^-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?$} $token]} {
        JsonBad "a value is none"
    }
    return [list number $token]
}

# JsonUnescape bytes -- a string's inside as the bytes that it stands for.
proc ::kafka::cli::JsonUnescape {bytes} {
    if {[string first \\ $bytes] < 0} {return $bytes}
    set out ""
    set high 0
    foreach {- plain escape} [regexp -all -inline {([^\\]+)|\\(u[0-9A-Fa-f]{4}|.)} $bytes] {
        append out $plain
        if {$escape eq ""} {continue}
        if {[string length $escape] == 1} {
            set i [string first $escape "\"\\/bfnrt"]
            if {$i < 0} {JsonBad "a string has an escape that is none"}
            append out [string index "\"\\/\b\f\n\r\t" $i]
            continue
        }
        set code [scan [string range $escape 1 end] %x]
        if {$code >= 0xD800 && $code < 0xDC00} {
            set high $code
            continue
        }
        if {$high && $code >= 0xDC00 && $code < 0xE000} {
            set code [expr {0x10000 + (($high - 0xD800) << 10) + $code - 0xDC00}]
        }
        set high 0
        append out [JsonUtf8 $code]
    }
    return $out
}

# JsonUtf8 code -- a character's bytes; by hand, for Tcl 8.6 has no characters above U+FFFF and
# none has a lone surrogate.
proc ::kafka::cli::JsonUtf8 {code} {
    if {$code < 0x80} {return [format %c $code]}
    if {$code < 0x800} {
        return [format %c%c [expr {0xC0 | $code >> 6}] [expr {0x80 | $code & 0x3F}]]
    }
    if {$code < 0x10000} {
        return [format %c%c%c [expr {0xE0 | $code >> 12}] [expr {0x80 | $code >> 6 & 0x3F}] \
            [expr {0x80 | $code & 0x3F}]]
    }
    return [format %c%c%c%c [expr {0xF0 | $code >> 18}] [expr {0x80 | $code >> 12 & 0x3F}] \
        [expr {0x80 | $code >> 6 & 0x3F}] [expr {0x80 | $code & 0x3F}]]
}
