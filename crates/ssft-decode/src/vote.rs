//! Majority vote over answers.

/// The answer given most often, with its votes. Ties go to the answer reached first; texts without an answer do not vote.
pub fn majority<'a>(answers: impl IntoIterator<Item = Option<&'a str>>) -> Option<(&'a str, usize)> {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for answer in answers.into_iter().flatten() {
        match counts.iter_mut().find(|(known, _)| *known == answer) {
            Some((_, count)) => *count += 1,
            None => counts.push((answer, 1)),
        }
    }
    // Of equal maxima `max_by_key` keeps the last, so the walk goes backwards.
    counts.into_iter().rev().max_by_key(|&(_, count)| count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn votes_by_hand() {
        let vote = |answers: &[Option<&'static str>]| majority(answers.iter().copied());
        assert_eq!(vote(&[Some("1"), Some("2"), Some("2")]), Some(("2", 2)));
        assert_eq!(
            vote(&[Some("2"), Some("1"), Some("1"), Some("2")]),
            Some(("2", 2)),
            "a tie goes to the first reached"
        );
        assert_eq!(vote(&[None, None, Some("7")]), Some(("7", 1)), "silence does not vote");
        assert_eq!(vote(&[None, None]), None);
        assert_eq!(vote(&[]), None);
    }
}
