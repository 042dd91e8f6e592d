//! The grammar common to all traces: `steps " #### " answer`.

/// Separator of steps and answer.
pub(super) const ANSWER_MARK: &str = "####";

/// Splits a trace at its last answer mark into steps and claimed answer, both trimmed. No answer without a mark.
pub(super) fn split_answer(trace: &str) -> (&str, Option<&str>) {
    match trace.rsplit_once(ANSWER_MARK) {
        Some((steps, claim)) => (steps.trim(), Some(claim.trim())),
        None => (trace.trim(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_mark_counts() {
        assert_eq!(split_answer("1+2=3 #### 3"), ("1+2=3", Some("3")));
        assert_eq!(split_answer("1 #### 2 ####  3 \n"), ("1 #### 2", Some("3")));
        assert_eq!(split_answer("1+2=3;"), ("1+2=3;", None));
        assert_eq!(split_answer("####"), ("", Some("")));
    }
}
