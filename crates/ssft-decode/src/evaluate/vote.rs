//! Majority vote over answers.

/// Result of a vote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vote<'a> {
    /// The most frequent answer.
    pub answer: &'a str,
    /// Number of votes for it.
    pub votes: usize,
    /// Index of the first voter with this answer.
    pub first: usize,
}

/// The majority of `answers`; `None` entries do not vote, ties go to the answer that occurs first. `None` without votes.
pub fn majority<'a>(answers: impl IntoIterator<Item = Option<&'a str>>) -> Option<Vote<'a>> {
    let mut counts: Vec<Vote> = Vec::new();
    for (at, answer) in answers.into_iter().enumerate() {
        let Some(answer) = answer else { continue };
        match counts.iter_mut().find(|known| known.answer == answer) {
            Some(known) => known.votes += 1,
            None => counts.push(Vote { answer, votes: 1, first: at }),
        }
    }
    // `max_by_key` returns the last of equal maxima; the reversed order makes that the first answer.
    counts.into_iter().rev().max_by_key(|vote| vote.votes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn votes_by_hand() {
        let vote = |answers: &[Option<&'static str>]| {
            majority(answers.iter().copied()).map(|vote| (vote.answer, vote.votes, vote.first))
        };
        assert_eq!(vote(&[Some("1"), Some("2"), Some("2")]), Some(("2", 2, 1)));
        assert_eq!(
            vote(&[Some("2"), Some("1"), Some("1"), Some("2")]),
            Some(("2", 2, 0)),
            "a tie goes to the first reached"
        );
        assert_eq!(vote(&[None, None, Some("7")]), Some(("7", 1, 2)), "silence does not vote");
        assert_eq!(vote(&[None, None]), None);
        assert_eq!(vote(&[]), None);
    }
}
