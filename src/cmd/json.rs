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
