//! librdkafka's statistics as Tcl values.

use serde_json::Value;

use crate::tcl::Obj;

/// A JSON text as nested dicts and lists; text that is no JSON comes back as it is.
pub fn to_obj(json: &str) -> Obj {
    match serde_json::from_str::<Value>(json) {
        Ok(v) => value(&v),
        Err(_) => Obj::text(json),
    }
}

fn value(v: &Value) -> Obj {
    match v {
        Value::Null => Obj::empty(),
        Value::Bool(b) => Obj::boolean(*b),
        Value::Number(n) => n.as_i64().map_or_else(|| Obj::text(&n.to_string()), Obj::int),
        Value::String(s) => Obj::text(s),
        Value::Array(items) => Obj::list(&items.iter().map(value).collect::<Vec<_>>()),
        Value::Object(map) => {
            let words: Vec<Obj> = map.iter().flat_map(|(k, v)| [Obj::text(k), value(v)]).collect();
            Obj::list(&words)
        }
    }
}

/// librdkafka's statistics with the names in them escaped: it writes them as they are, and a quote or a
/// backslash in client.id, or in a reason that a broker gave, makes its text none that JSON readers take.
/// `name` and `client_id` are the client's.
pub fn escape_names(json: &str, name: &str, client_id: &str) -> String {
    let plain = |text: &str| !text.contains(['"', '\\']);
    if plain(name) && plain(client_id) && serde_json::from_str::<Value>(json).is_ok() {
        return json.to_owned();
    }
    let mut out = String::with_capacity(json.len() + 16);
    let head = format!("{{ \"name\": \"{name}\", \"client_id\": \"{client_id}\", ");
    let mut rest = match json.strip_prefix(&head) {
        Some(rest) => {
            out +=
                &format!("{{ \"name\": {}, \"client_id\": {}, ", quoted(name), quoted(client_id));
            rest
        }
        None => json,
    };
    // Whether what comes next is a key.
    let mut key = true;
    while let Some(at) = rest.find(['"', '{', ',', ':']) {
        let (before, from) = rest.split_at(at);
        out += before;
        rest = &from[1..];
        match from.as_bytes()[0] {
            b'"' => {
                let end = end_of_string(rest, key);
                out += &quoted(&rest[..end]);
                rest = rest.get(end + 1..).unwrap_or("");
            }
            c => {
                key = c != b':';
                out.push(c.into());
            }
        }
    }
    out + rest
}

/// Where a string ends that may have quotes within: a key before a colon, a value before the next key or
/// the object's end. Keys that follow a string value are librdkafka's own words.
fn end_of_string(text: &str, key: bool) -> usize {
    let own_word = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let is_number = |text: &str| {
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '-').unwrap_or(text.len());
        end > 0 && text[end..].trim_start().starts_with([',', '}'])
    };
    let ends = |at: usize| {
        let after = text[at + 1..].trim_start();
        if key {
            let value = after.strip_prefix(':').map(str::trim_start);
            return value.is_some_and(|v| v.starts_with(['{', '"', '[', 't', 'f']) || is_number(v));
        }
        let Some(next) = after.strip_prefix(',') else { return after.starts_with('}') };
        let next = next.trim_start().strip_prefix('"').and_then(|n| n.split_once("\":"));
        next.is_some_and(|(word, _)| !word.is_empty() && own_word(word))
    };
    let mut quotes = text.match_indices('"').map(|(at, _)| at);
    quotes.clone().find(|at| ends(*at)).or(quotes.next_back()).unwrap_or(text.len())
}

fn quoted(text: &str) -> String {
    Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As librdkafka writes them, without what is not needed here.
    fn statistics(name: &str, topic: &str, reason: &str) -> String {
        format!(
            "{{ \"name\": \"{name}#producer-1\", \"client_id\": \"{name}\", \"type\": \"producer\", \
             \"ts\":12, \"brokers\":{{ \"b\"c:1/1\": {{ \"name\":\"b\"c:1/1\", \"nodeid\":1, \
             \"nodename\":\"b\"c:1\", \"source\":\"learned\", \"toppars\":{{ \"{topic}-0\": {{ \
             \"topic\":\"{topic}\", \"partition\":0}} }} }} }}, \"topics\":{{ \"{topic}\": {{ \
             \"topic\":\"{topic}\", \"age\":1, \"partitions\":{{ \"-1\": {{ \"partition\":-1, \
             \"fetch_state\":\"none\", \"desired\":false }}}} }} }}, \"cgrp\": {{ \"state\": \"up\", \
             \"rebalance_reason\": \"{reason}\", \"assignment_size\": 0 }}, \"tx\":2 }}"
        )
    }

    #[test]
    fn names_with_anything_in_them() {
        for name in ["rdkafka", "a\"b", "a\\x", "\"", "\\", "a\", \"type\": \"b", "é\u{1}\n{,:}"] {
            for other in ["plain", "a \"quoted\", \"word\"", "C:\\new", "{a}"] {
                let text = statistics(name, other, other);
                let out = escape_names(&text, &format!("{name}#producer-1"), name);
                let Ok(value) = serde_json::from_str::<Value>(&out) else { panic!("{out}") };
                assert_eq!(value["client_id"], name);
                assert_eq!(value["topics"][other]["topic"], other);
                assert_eq!(value["cgrp"]["rebalance_reason"], other);
                assert_eq!(value["tx"], 2);
            }
        }
        let plain = r#"{ "name": "n", "client_id": "n", "a": {"Fetch": 1, "Unknown-62?": 0, "b_2": "c" }, "d":[] }"#;
        assert_eq!(escape_names(plain, "n", "n"), plain);
    }

    #[test]
    fn what_is_no_statistics_stays() {
        for text in ["", "{}", "none", "{ \"a\": 1 }"] {
            assert_eq!(escape_names(text, "n", "n"), text);
        }
        assert_eq!(escape_names("\"open", "n", "n"), "\"open\"");
    }
}
