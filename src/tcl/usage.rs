//! Signatures: the text of a table row, read once, decides arity, options and error messages.
//!
//! Words: `name` is required, `?name?` optional, `?-name value?` an option, `?-name?` a flag,
//! `?name ...?` repeated, `name ...` repeated at least once. Options stand where the
//! signature has them; `--` ends them. An optional word right before options is there when the
//! number of words that are left is odd (every option then has its value), as in
//! `produce partition payload ?key? ?-option value ...?`.

use super::error::Error;
use super::obj::Obj;

/// The most positional words and the most options that a signature may have.
const MAX_WORDS: usize = 6;
const MAX_OPTIONS: usize = 12;

#[derive(Debug, PartialEq, Eq)]
struct Opt {
    name: &'static str,
    value: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Part {
    Word {
        optional: bool,
    },
    /// An optional word that is data.
    Data,
    Options,
    Rest {
        min: usize,
    },
}

/// A signature, read.
#[derive(Debug)]
pub struct Usage {
    pub text: &'static str,
    parts: Vec<Part>,
    options: Vec<Opt>,
    /// How many words are required, if they all stand first and nothing else is.
    lead: Option<usize>,
}

/// The words of one call, sorted by a [`Usage`].
pub struct Args<'a> {
    usage: &'a Usage,
    words: [Option<&'a Obj>; MAX_WORDS],
    options: Option<[Option<&'a Obj>; MAX_OPTIONS]>,
    /// Where options stand, given or not.
    options_at: usize,
    pub rest: &'a [Obj],
}

impl Usage {
    /// Reads a signature. A signature is program text: a bad one fails the table's test.
    pub fn parse(text: &'static str) -> Result<Usage, String> {
        let mut parts = Vec::new();
        let mut options: Vec<Opt> = Vec::new();
        let mut tokens = tokens(text)?.into_iter().peekable();
        while let Some(token) = tokens.next() {
            match token {
                Token::Optional("--") => {}
                Token::Optional(inner) if inner.starts_with('-') => {
                    let mut words = inner.split(' ');
                    let name = words.next().unwrap_or(inner);
                    options.push(Opt { name, value: words.next().is_some() });
                    match parts.last() {
                        Some(Part::Options) => {}
                        _ if parts.contains(&Part::Options) => {
                            return Err(format!("options in two places: {text}"))
                        }
                        _ => parts.push(Part::Options),
                    }
                }
                Token::Optional(inner) if inner.ends_with("...") => {
                    parts.push(Part::Rest { min: 0 });
                }
                // A key is data: any word may be one.
                Token::Optional("key") => parts.push(Part::Data),
                Token::Optional(_) => parts.push(Part::Word { optional: true }),
                Token::Word(_) => {
                    if matches!(tokens.peek(), Some(Token::Word("..."))) {
                        tokens.next();
                        parts.push(Part::Rest { min: 1 });
                    } else {
                        parts.push(Part::Word { optional: false });
                    }
                }
            }
        }
        let words = parts.iter().filter(|p| matches!(p, Part::Word { .. } | Part::Data)).count();
        if words > MAX_WORDS || options.len() > MAX_OPTIONS {
            return Err(format!("too many words or options: {text}"));
        }
        let required = |p: &&Part| matches!(p, Part::Word { optional: false });
        let lead = parts.iter().take_while(required).count();
        let rest =
            |p: &Part| !matches!(p, Part::Word { optional: true } | Part::Data | Part::Options);
        let lead = (!parts[lead..].iter().any(rest)).then_some(lead);
        Ok(Usage { text, parts, options, lead })
    }

    /// Sorts the words of a call, or says what they should have been; `command` is what stands
    /// before them.
    pub fn sort<'a>(
        &'a self,
        command: &dyn Fn() -> String,
        words: &'a [Obj],
    ) -> Result<Args<'a>, Error> {
        let wrong = || {
            let mut text = command();
            if !self.text.is_empty() {
                text.push(' ');
                text.push_str(self.text);
            }
            Error::WrongArgs(text)
        };
        let mut args =
            Args { usage: self, words: [None; MAX_WORDS], options: None, options_at: 0, rest: &[] };
        if self.lead == Some(words.len()) {
            // Just what is required: nothing to sort. Options would stand at the end.
            for (slot, word) in args.words.iter_mut().zip(words) {
                *slot = Some(word);
            }
            args.options_at = words.len();
            return Ok(args);
        }
        let mut at = 0;
        let mut word = 0;
        for (i, part) in self.parts.iter().enumerate() {
            let later = &self.parts[i + 1..];
            let needed = later
                .iter()
                .map(|p| match p {
                    Part::Word { optional: false } => 1,
                    Part::Rest { min } => *min,
                    _ => 0,
                })
                .sum::<usize>();
            let spare = words.len().saturating_sub(at + needed);
            match part {
                Part::Word { optional: false } => {
                    args.words[word] = Some(words.get(at).ok_or_else(wrong)?);
                    at += 1;
                    word += 1;
                }
                Part::Word { optional: true } | Part::Data => {
                    let data = matches!(part, Part::Data);
                    let take = match later.first() {
                        Some(Part::Options)
                            if spare == 1 && !data && self.is_option(&words[at]) =>
                        {
                            return Err(wrong());
                        }
                        Some(Part::Options) if self.options.iter().all(|o| o.value) => {
                            spare % 2 == 1
                        }
                        Some(Part::Options) => spare > 0 && !self.is_option(&words[at]),
                        _ => spare > 0,
                    };
                    if take {
                        args.words[word] = Some(&words[at]);
                        at += 1;
                    }
                    word += 1;
                }
                Part::Options => {
                    let open = later.is_empty();
                    args.options_at = at;
                    at = self.sort_options(
                        words,
                        at,
                        words.len() - needed.min(words.len()),
                        open,
                        &mut args,
                        &wrong,
                    )?;
                }
                Part::Rest { min } => {
                    let end = words.len() - (needed).min(words.len());
                    args.rest = words.get(at..end).unwrap_or(&[]);
                    if args.rest.len() < *min {
                        return Err(wrong());
                    }
                    at = end;
                }
            }
        }
        if at == words.len() {
            Ok(args)
        } else {
            Err(wrong())
        }
    }

    fn sort_options<'a>(
        &'a self,
        words: &'a [Obj],
        mut at: usize,
        end: usize,
        open: bool,
        args: &mut Args<'a>,
        wrong: &dyn Fn() -> Error,
    ) -> Result<usize, Error> {
        while at < end {
            let raw = words[at].raw();
            if raw == b"--" {
                return Ok(at + 1);
            }
            let Some(i) = self.options.iter().position(|o| o.name.as_bytes() == raw) else {
                // Where only options may stand, or a word looks like one, it is a wrong one. A list of several
                // elements does not: a topic may be called -x.
                if open || raw.starts_with(b"-") && !raw.contains(&b' ') {
                    let names = self.options.iter().map(|o| o.name);
                    return Err(Error::bad_word("option", &words[at].str(), names));
                }
                return Ok(at);
            };
            let slots = args.options.get_or_insert([None; MAX_OPTIONS]);
            if self.options[i].value {
                at += 1;
                if at >= end {
                    return Err(wrong());
                }
            }
            slots[i] = Some(&words[at]);
            at += 1;
        }
        Ok(at)
    }

    fn is_option(&self, word: &Obj) -> bool {
        self.options.iter().any(|o| o.name.as_bytes() == word.raw())
    }

    /// The names of the options, for the manual's and the tests' tables.
    pub fn option_names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.options.iter().map(|o| o.name)
    }

    /// The fewest and the most words that the signature takes (none: without limit).
    pub fn arity(&self) -> (usize, Option<usize>) {
        let mut min = 0;
        let mut max = Some(0);
        for part in &self.parts {
            match part {
                Part::Data => max = max.map(|m| m + 1),
                Part::Word { optional } => {
                    min += usize::from(!optional);
                    max = max.map(|m| m + 1);
                }
                Part::Options => {
                    let n: usize = self.options.iter().map(|o| 1 + usize::from(o.value)).sum();
                    max = max.map(|m| m + n);
                }
                Part::Rest { min: least } => {
                    min += least;
                    max = None;
                }
            }
        }
        (min, max)
    }
}

impl<'a> Args<'a> {
    /// A positional word that the signature has as required.
    #[inline]
    pub fn at(&self, i: usize) -> Result<&'a Obj, Error> {
        self.words[i].ok_or_else(|| Error::WrongArgs(self.usage.text.to_owned()))
    }

    /// A positional word, if it was given.
    #[inline]
    pub fn get(&self, i: usize) -> Option<&'a Obj> {
        self.words[i]
    }

    /// An option's value (a flag's own word), if it was given.
    #[inline]
    pub fn opt(&self, name: &str) -> Option<&'a Obj> {
        let slots = self.options.as_ref()?;
        let i = self.usage.options.iter().position(|o| o.name == name)?;
        slots[i]
    }

    /// The place among the words where an option may be put that was not given; none when the
    /// signature has no such option.
    pub fn place_for(&self, name: &str) -> Option<usize> {
        self.usage.option_names().any(|o| o == name).then_some(self.options_at)
    }

    /// Whether any option was given.
    #[inline]
    pub fn has_options(&self) -> bool {
        self.options.is_some()
    }

    /// How many positional words the call has, and repeated ones.
    pub fn count(&self) -> usize {
        self.words.iter().flatten().count() + self.rest.len()
    }

    /// A time in milliseconds: -1 waits without limit, other negative values are refused.
    pub fn time(word: &Obj, what: &str) -> Result<i32, Error> {
        let v = word.get_int(what)?;
        match i32::try_from(v) {
            Ok(ms) if ms >= -1 => Ok(ms),
            _ => Err(Error::argument(what, "milliseconds (-1 waits without limit)", &word.str())),
        }
    }
}

enum Token {
    Word(&'static str),
    Optional(&'static str),
}

fn tokens(text: &'static str) -> Result<Vec<Token>, String> {
    let mut out = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('?') {
            let end = inner.find('?').ok_or_else(|| format!("unbalanced ? in {text}"))?;
            out.push(Token::Optional(&inner[..end]));
            rest = inner[end + 1..].trim_start();
        } else {
            let end = rest.find(' ').unwrap_or(rest.len());
            out.push(Token::Word(&rest[..end]));
            rest = rest[end..].trim_start();
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn arity_comes_from_the_signature() {
        let arity = |s| Usage::parse(s).map(|u| u.arity());
        assert_eq!(arity(""), Ok((0, Some(0))));
        assert_eq!(arity("partition payload ?key? ?-key k? ?-timestamp ms?"), Ok((2, Some(7))));
        assert_eq!(arity("?-cached? ?-timeout ms? topic partition"), Ok((2, Some(5))));
        assert_eq!(arity("?tp ...?"), Ok((0, None)));
        assert_eq!(arity("tp ..."), Ok((1, None)));
        assert!(arity("?-a? x ?-b?").is_err());
        assert!(arity("?x").is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_read_as_a_signature_or_refused(
            parts in vec("[a-d?. -]{0,4}|\\?-[a-d]\\?|\\?-[a-d] v\\?|\\?[a-d]\\?|[a-d]|\\?tp \\.\\.\\.\\?|tp \\.\\.\\.", 0..8),
        ) {
            let text: &'static str = Box::leak(parts.join(" ").into_boxed_str());
            if let Ok(usage) = Usage::parse(text) {
                let (min, max) = usage.arity();
                prop_assert!(max.is_none_or(|max| min <= max), "arity of {:?}", text);
                prop_assert!(usage.option_names().all(|name| name.starts_with('-')));
                prop_assert_eq!(usage.text, text);
            }
        }
    }
}
