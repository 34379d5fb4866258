//! Names that differ little.

/// How many characters have to be inserted, left out, replaced or swapped with the next.
pub fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut next = vec![i];
        for j in 1..=b.len() {
            let mut cost = (row[j] + 1)
                .min(next[j - 1] + 1)
                .min(row[j - 1] + usize::from(a[i - 1] != b[j - 1]));
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                cost = cost.min(before[j - 2] + 1);
            }
            next.push(cost);
        }
        before = std::mem::replace(&mut row, next);
    }
    row[b.len()]
}

/// The name that differs least from `word`, if it differs by a third of its characters at most.
pub fn nearest<'a>(word: &str, names: &'a [String]) -> Option<&'a str> {
    let most = word.chars().count().min(24) / 3;
    names
        .iter()
        .map(|name| (distance(word, name), name.as_str()))
        .filter(|(d, _)| *d <= most)
        .min_by_key(|(d, _)| *d)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (a, b, want) in [
            ("", "", 0),
            ("abc", "abc", 0),
            ("abc", "", 3),
            ("abc", "abd", 1),
            ("abc", "acb", 1),
            ("abc", "xabc", 1),
            ("client.id", "cleint.di", 2),
        ] {
            assert_eq!(distance(a, b), want, "{a} {b}");
            assert_eq!(distance(b, a), want, "{b} {a}");
        }
    }

    #[test]
    fn the_nearest() {
        let names = ["poll", "send", "send_batch", "flush"].map(str::to_owned);
        assert_eq!(nearest("fluhs", &names), Some("flush"));
        assert_eq!(nearest("sendbatch", &names), Some("send_batch"));
        assert_eq!(nearest("pul", &names), None);
        assert_eq!(nearest("", &names), None);
    }
}
