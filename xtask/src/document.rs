//! Documents with parts that a command writes.

/// `text` with the part between the marks replaced by `new`; `None` if a mark is missing.
pub fn between(text: &str, [start, end]: [&str; 2], new: &str) -> Option<String> {
    let (head, rest) = text.split_once(start)?;
    let (_, tail) = rest.split_once(end)?;
    Some(format!("{head}{start}\n\n{}\n\n{end}{tail}", new.trim()))
}

#[cfg(test)]
mod tests {
    use super::between;

    #[test]
    fn only_the_text_between_the_marks_is_replaced() {
        assert_eq!(
            between("a <1>old<2> b", ["<1>", "<2>"], "new\n").as_deref(),
            Some("a <1>\n\nnew\n\n<2> b")
        );
        assert_eq!(between("a <2>old<1> b", ["<1>", "<2>"], "new"), None);
    }
}
