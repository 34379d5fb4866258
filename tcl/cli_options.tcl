# cli_options.tcl -- part of kafka::cli: the subcommands' options, in one table for the parser
# and the help; a test holds the completion and the manual against it.

namespace eval ::kafka::cli {
    # name argument help; no argument: a flag. One dash or two is the same.
    variable common {
        -b BROKERS  {brokers, host:port with commas between}
        -X NAME=VALUE {set one of librdkafka's properties; "dump" lists them all}
        -F FILE     {read properties from a file; "none" reads no file}
        -m SECONDS  {how long to wait for the cluster's answer}
        -d CONTEXTS {have librdkafka say what it does, on stderr}
        -q {}       {no progress and no warnings}
        -v {}       {say more on stderr}
        -h {}       {this text (also --help)}
    }
    # name -> words, summary, options; a * after an option's name: it may be given often.
    variable commands {
        produce {{?FILE ...?} {send the lines of stdin, or files} {
            -t TOPIC     {the topic}
            -p PARTITION {the partition; -1 (the default): the key decides}
            -D DELIM     {what ends a message: text, \n (the default), \t, \r, \xNN}
            -K DELIM     {what ends a key, before its message}
            -k KEY       {the key of messages that have none of their own}
            -H* NAME=VALUE {a header of every message; may be given often}
            -J {}        {the lines are JSON as "consume -J" writes them}
            -Z {}        {send empty messages and keys as null (tombstones); needs -K}
            -z CODEC     {compression: gzip, snappy, lz4, zstd or none}
            -T {}        {write what is sent to stdout, too}
            -c COUNT     {end after so many messages}
            -l {}        {send files line by line, not each as one message}
        }}
        consume {{?TOPIC ...?} {read messages of a topic, or of topics as a member of a group} {
            -t TOPIC     {the topic}
            -p* PARTITION {only these partitions (2 or 0,2); may be given often}
            -G GROUP     {read the topics that follow as a member of this group}
            -o* OFFSET   {where to begin: beginning, end, stored, N, -N (from the end), @MS or s@MS (a time); e@MS: the time to end at}
            -e {}        {end at the end of the partitions}
            -c COUNT     {end after so many messages}
            -f FORMAT    {%t %p %o topic, partition, offset; %k %s key, payload; %K %S their lengths; %R length as 4 bytes; %T time; %h headers}
            -J {}        {a line of JSON for each message}
            -D DELIM     {what to write after a message (\n)}
            -K DELIM     {write keys as well, with this behind}
            -Z {}        {write NULL for keys and payloads that are empty or null}
            -u {}        {write each message out at once}
        }}
        list {{?TOPIC ...?} {show brokers, topics and partitions} {
            -t* TOPIC    {only this topic}
            -J {}        {as JSON}
        }}
        describe {{topic|broker|group|cluster ?NAME ...?} {show partitions, members and settings} {
            -a {}        {all settings, not only those that somebody set}
            -J {}        {as JSON}
        }}
        lag {{GROUP ...} {show how far groups are behind} {
            -t* TOPIC    {only this topic}
            -J {}        {as JSON, a line for each partition}
        }}
        groups {{} {list the groups} {
            -s* STATE    {only those that are empty, stable, ...}
            -J {}        {as JSON, a line for each group}
        }}
        reset-offsets {{GROUP TOPIC ...} {set where a group goes on reading} {
            -o OFFSET    {beginning, end, N or @MS (a time)}
            -s N         {so many messages on; -N: back}
            -p* PARTITION {only these partitions (2 or 0,2)}
            -dry-run {}  {show what would change, change nothing}
            -J {}        {as JSON, a line for each partition}
        }}
        create {{TOPIC ...} {make topics} {
            -p PARTITIONS {how many partitions (the cluster's default)}
            -r REPLICAS  {how many replicas (the cluster's default)}
            -c* NAME=VALUE {a setting of the topic; may be given often}
            -ensure {}   {a topic that exists is fine, if it is as wanted}
            -dry-run {}  {have the cluster check it, make nothing}
        }}
        delete {{?TOPIC ...?} {delete topics, or groups} {
            -G* GROUP    {delete this group; may be given often}
        }}
        config {{get|set|unset topic|broker|group NAME ?KEY ...? | ?KEY=VALUE ...?} {show and change settings} {
            -a {}        {get: all settings, not only those that somebody set}
            -dry-run {}  {set, unset: have the cluster check it, change nothing}
            -J {}        {get: as JSON}
        }}
        bench {{?produce|consume?} {measure throughput: write messages and read them back} {
            -t TOPIC     {the topic}
            -c COUNT     {how many messages (100000)}
            -s BYTES     {the size of each (100)}
            -z CODEC     {compression}
            -mock {}     {on an embedded cluster; needs neither -b nor -t}
            -J {}        {as JSON}
        }}
        mock {{} {run an embedded cluster, and print its brokers} {
            -n BROKERS   {how many brokers (1)}
            -t* TOPIC:PARTITIONS {make this topic; may be given often}
            -r REPLICAS  {how many replicas topics have (1)}
            -no-stdin {} {run until killed; otherwise also until the end of stdin}
        }}
    }
}

# Rows command -- {name argument help repeated} of all its options; mock needs no brokers.
proc ::kafka::cli::Rows {command} {
    variable commands
    variable common
    set rows {}
    foreach {name argument help} [lindex [dict get $commands $command] 2] {
        lappend rows [list [string trimright $name *] $argument $help [string match *\\* $name]]
    }
    foreach {name argument help} $common {
        if {$command eq "mock" && $name in {-b -X -F -m -d}} {continue}
        lappend rows [list $name $argument $help [expr {$name in {-X -F}}]]
    }
    return $rows
}

# Parse command words -- its options, a dict in which repeated ones are lists, and its words.
proc ::kafka::cli::Parse {command words} {
    foreach row [Rows $command] {
        dict set known [lindex $row 0] $row
    }
    set options {}
    set rest {}
    while {[llength $words]} {
        set words [lassign $words word]
        if {$word eq "--"} {
            lappend rest {*}$words
            break
        }
        if {$word eq "-" || [string index $word 0] ne "-"} {
            lappend rest $word
            continue
        }
        # -name or --name, or letters: -c5, -eq, -eqc 5.
        set long -[string trimleft $word -]
        if {$long eq "-help"} {set long -h}
        if {![dict exists $known $long]} {
            if {[string match --* $word]} {Usage [Unknown $word $known]}
            set long [string range $word 0 1]
            set more [string range $word 2 end]
            if {![dict exists $known $long]} {Usage [Unknown $long $known]}
            if {[lindex [dict get $known $long] 1] eq ""} {
                set words [linsert $words 0 -$more]
            } else {
                set words [linsert $words 0 $more]
            }
        }
        lassign [dict get $known $long] - argument - repeated
        set value 1
        if {$argument ne ""} {
            if {![llength $words]} {Usage "option $long wants $argument after it"}
            set words [lassign $words value]
        }
        if {$repeated} {
            dict lappend options $long $value
        } else {
            dict set options $long $value
        }
    }
    return [list $options $rest]
}

# Unknown word known -- the error; a word that is long may be a secret and is not repeated.
proc ::kafka::cli::Unknown {word known} {
    if {![regexp {^--?[a-z-]{1,16}$} $word] && [string length $word] > 2} {
        return "unknown option"
    }
    return "unknown option $word: must be [::kafka::common::Or [lsort [dict keys $known]]][
        ::kafka::common::Near -[string trimleft $word -] [dict keys $known]]"
}

# Help ?command? -- the text.
proc ::kafka::cli::Help {{command ""}} {
    variable commands
    if {$command eq ""} {
        set text "Usage: kafkat COMMAND ?OPTION ...? ?WORD ...?\n\n"
        dict for {name row} $commands {
            append text [format "  %-14s %s\n" $name [lindex $row 1]]
        }
        append text "\n\"kafkat COMMAND --help\" tells a command's options, \"man kafkat\" tells more.\n"
        append text "\"kafkat --version\" tells the version.\n\n"
        append text "Brokers come from -b, -X bootstrap.servers=..., a file (-F FILE, \$KAFKAT_CONFIG or\n"
        append text "~/.config/kafkat.conf) or \$KAFKA_BOOTSTRAP.\n"
        return $text
    }
    if {![dict exists $commands $command]} {
        Usage "unknown command: must be [::kafka::common::Or [dict keys $commands]][
            ::kafka::common::Near $command [dict keys $commands]]"
    }
    lassign [dict get $commands $command] words summary
    set text [string trimright "Usage: kafkat $command ?OPTION ...? $words"]\n
    append text "[string totitle $summary 0 0].\n\n"
    foreach row [Rows $command] {
        lassign $row name argument help
        append text [Wrapped [format "  %-18s " "$name $argument"] $help]
    }
    append text "\nExit status: 0 fine, 1 something failed, 2 the command line is wrong.\n"
    return $text
}

# Wrapped head text -- lines of at most 79 characters, with an indent as wide as the head.
proc ::kafka::cli::Wrapped {head text} {
    set indent [string repeat " " [string length $head]]
    set line $head
    set out ""
    foreach word [split $text] {
        if {[string length $line] + [string length $word] > 78 && [string trim $line] ne ""
                && $line ne $head} {
            append out [string trimright $line] \n
            set line $indent
        }
        append line $word " "
    }
    return $out[string trimright $line]\n
}

# Opt options name ?default? -- an option's value.
proc ::kafka::cli::Opt {options name {default ""}} {
    if {[dict exists $options $name]} {return [dict get $options $name]}
    return $default
}

# Number options name low default -- an option that is a number of at least so much.
proc ::kafka::cli::Number {options name low {default ""}} {
    if {![dict exists $options $name]} {return $default}
    set value [dict get $options $name]
    if {![regexp {^-?\d{1,18}$} $value] || [scan $value %lld] < $low} {
        Usage "$name wants a number of at least $low"
    }
    return [scan $value %lld]
}

# Partitions options -- the numbers of -p, which may be lists with commas.
proc ::kafka::cli::Partitions {options} {
    set numbers {}
    foreach word [split [join [Opt $options -p] ,] ,] {
        if {![regexp {^\d{1,9}$} $word]} {Usage "-p wants partitions, such as 2 or 0,2"}
        lappend numbers [scan $word %d]
    }
    return [lsort -integer -unique $numbers]
}

# Pairs options name -- a dict of an option that is NAME=VALUE, given often.
proc ::kafka::cli::Pairs {options name} {
    set pairs {}
    foreach word [Opt $options $name] {
        # The word is not repeated: it may be a secret.
        if {![regexp {^([^=]+)=(.*)$} $word - key value]} {Usage "$name wants NAME=VALUE"}
        dict set pairs [string trim $key] $value
    }
    return $pairs
}

# Bytes word -- a word of the command line as the bytes that the shell gave.
proc ::kafka::cli::Bytes {word} {
    if {[package vsatisfies [package provide Tcl] 9]} {
        return [encoding convertto -profile tcl8 [encoding system] $word]
    }
    return [encoding convertto [encoding system] $word]
}

# Delimiter word -- with \n, \r, \t and \xNN in it replaced, as bytes.
proc ::kafka::cli::Delimiter {word} {
    set out ""
    foreach {- plain escape} [regexp -all -inline {([^\\]+)|(\\x[0-9A-Fa-f]{1,2}|\\?.)} [Bytes $word]] {
        append out $plain
        switch -glob -- $escape {
            \\\\n {append out \n}
            \\\\r {append out \r}
            \\\\t {append out \t}
            \\\\x?* {append out [format %c [scan [string range $escape 2 end] %x]]}
            default {append out $escape}
        }
    }
    return $out
}
