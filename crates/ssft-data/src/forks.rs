//! Global forking tokens `<think1>` .. `<thinkN>`: names, fixed text around them, coverage graph, `forks.json`.
//!
//! In memory forks are counted from 0 (row i of a cost matrix is fork i); in text, settings and files from 1
//! (`<think1>`, `"index": 1`).

use crate::error::DataError;
use serde::{Deserialize, Serialize};

/// The name of fork `index` (from 0): `<think1>` for fork 0.
pub fn fork_name(index: usize) -> String {
    format!("<think{}>", index + 1)
}

/// The index (from 0) of the fork called `name`; `None` if `name` is not the canonical name of a fork.
pub(crate) fn fork_index(name: &str) -> Option<usize> {
    let number: usize = name.strip_prefix("<think")?.strip_suffix('>')?.parse().ok()?;
    let index = number.checked_sub(1)?;
    // `<think01>` and `<think+1>` parse too, but are not canonical.
    (fork_name(index) == name).then_some(index)
}

/// Fixed text around the forking token, the same for all forks.
///
/// ```text
/// prompt  before | <think i>  after  trace
/// ```
///
/// `before` is encoded as the end of the prompt, with template markers recognized. `after` is encoded as ordinary text
/// behind the forking token of each branch; it is not a target of the loss.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForkLead {
    /// Template text between the generation prompt and the forking token.
    pub before: String,
    /// Plain text between the forking token and the trace.
    pub after: String,
}

impl ForkLead {
    /// No text on either side.
    pub fn bare() -> Self {
        Self::default()
    }

    /// The chat form of arXiv 2510.05132: `<|im_start|><think{i}>\n`.
    pub fn chat() -> Self {
        Self { before: "<|im_start|>".to_owned(), after: "\n".to_owned() }
    }
}

/// Number of matches between each fork and each trace source in the last epoch; input of the coverage rule of
/// arXiv 2510.05132.
///
/// ```
/// use ssft_data::forks::{CoverageGraph, ForkLead, ForkTable};
///
/// let mut coverage = CoverageGraph::new(2);
/// coverage.record(0, "lsb");
/// coverage.record(1, "lsb");
/// coverage.record(1, "msb");
/// assert_eq!(coverage.counts, [[1, 0], [1, 1]]);
/// assert_eq!(coverage.chosen_fork(), Some(1)); // matched with two sources
///
/// let table = ForkTable::new(&[259, 260], ForkLead::bare(), coverage);
/// assert_eq!(table.chosen_fork, Some(2)); // forks.json counts from 1
/// assert_eq!(ForkTable::from_json("forks.json", table.to_json().as_bytes())?, table);
/// # Ok::<(), ssft_data::error::DataError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CoverageGraph {
    /// Source names, in order of first occurrence.
    pub sources: Vec<String>,
    /// `[forks][sources]`: number of matches.
    pub counts: Vec<Vec<u64>>,
}

impl CoverageGraph {
    /// A graph of `forks` forks without matches.
    pub fn new(forks: usize) -> Self {
        Self { sources: Vec::new(), counts: vec![Vec::new(); forks] }
    }

    /// Adds one match of `fork` (from 0) with a trace of `source`.
    ///
    /// # Panics
    /// If the graph has no such fork.
    pub fn record(&mut self, fork: usize, source: &str) {
        assert!(fork < self.counts.len(), "fork {fork} of {}", self.counts.len());
        let column = self.column(source);
        self.counts[fork][column] += 1;
    }

    /// The column of `source`; a new column of zeros if it is a new source.
    fn column(&mut self, source: &str) -> usize {
        if let Some(column) = self.sources.iter().position(|known| known == source) {
            return column;
        }
        self.sources.push(source.to_owned());
        self.counts.iter_mut().for_each(|row| row.push(0));
        self.sources.len() - 1
    }

    /// The forks (from 0) that training used. Only fork 0 if it has all matches, since some methods put `<think1>` in
    /// front of every trace; otherwise all forks, including those without a match in the last epoch.
    pub fn trained_forks(&self) -> Vec<usize> {
        let matched = |fork: &usize| self.counts[*fork].iter().any(|&count| count > 0);
        let forks = 0..self.counts.len();
        match forks.clone().filter(matched).collect::<Vec<_>>()[..] {
            [0] => vec![0],
            _ => forks.collect(),
        }
    }

    /// The fork (from 0) matched with the most sources; ties go to the larger number of matches, then to the lower
    /// index. `None` without matches.
    pub fn chosen_fork(&self) -> Option<usize> {
        let rank = |row: &Vec<u64>| (row.iter().filter(|&&n| n > 0).count(), row.iter().sum::<u64>());
        let ranks = self.counts.iter().map(rank).enumerate();
        // `max_by_key` returns the last of equal maxima; the reversed order makes that the lowest index.
        let (fork, (joined, _)) = ranks.rev().max_by_key(|&(_, rank)| rank)?;
        (joined > 0).then_some(fork)
    }
}

/// One forking token, an entry of `forks.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fork {
    /// Position, counted from 1.
    pub index: usize,
    /// The token's name.
    pub token: String,
    /// The token's id.
    pub id: u32,
}

/// The content of `forks.json` in a model directory.
///
/// ```json
/// {"forks":[{"index":1,"token":"<think1>","id":259}],"lead":{"before":"","after":""},
///  "coverage":{"sources":["lsb"],"counts":[[3]]},"chosen_fork":1}
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForkTable {
    /// The forking tokens in order.
    pub forks: Vec<Fork>,
    /// The fixed text around the forking token in training.
    #[serde(default)]
    pub lead: ForkLead,
    /// The coverage graph of the last epoch; without sources if the model was not trained with forks.
    #[serde(default)]
    pub coverage: CoverageGraph,
    /// The fork (from 1) for a single answer, as [`CoverageGraph::chosen_fork`] determines it.
    pub chosen_fork: Option<usize>,
}

const REMEDY: &str = "use the forks.json that was written together with model.safetensors";

impl ForkTable {
    /// The table of the forks with token ids `ids`, in order; the chosen fork is that of `coverage`.
    pub fn new(ids: &[u32], lead: ForkLead, coverage: CoverageGraph) -> Self {
        let fork = |(index, &id): (usize, &u32)| Fork { index: index + 1, token: fork_name(index), id };
        let chosen_fork = coverage.chosen_fork().map(|fork| fork + 1);
        Self { forks: ids.iter().enumerate().map(fork).collect(), lead, coverage, chosen_fork }
    }

    /// Parses the content of `forks.json`; `name` is the file name in errors.
    ///
    /// # Errors
    /// [`DataError::ModelFile`] if the content is not JSON of this shape, the forks are out of order, the counts are not
    /// `[forks][sources]`, or the chosen fork does not exist.
    pub fn from_json(name: &str, json: &[u8]) -> Result<Self, DataError> {
        let fail = |reason: String| DataError::ModelFile { file: name.to_owned(), reason, remedy: REMEDY };
        let table: Self =
            serde_json::from_slice(json).map_err(|error| fail(crate::words::one_line(&error.to_string())))?;
        match table.inconsistency() {
            Some(reason) => Err(fail(reason)),
            None => Ok(table),
        }
    }

    /// The content of `forks.json`.
    pub fn to_json(&self) -> String {
        // Serialization cannot fail: all keys are strings, all values strings and integers.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// The forks (from 0) that training used (see [`CoverageGraph::trained_forks`]); all forks without a coverage graph.
    pub fn trained_forks(&self) -> Vec<usize> {
        match self.coverage.counts.is_empty() {
            true => (0..self.forks.len()).collect(),
            false => self.coverage.trained_forks(),
        }
    }

    /// The first contradiction between the parts of the table.
    fn inconsistency(&self) -> Option<String> {
        let forks = self.forks.len();
        let named = |(row, fork): (usize, &Fork)| fork.index == row + 1 && fork.token == fork_name(row);
        if !self.forks.iter().enumerate().all(named) {
            return Some("the forks are not <think1>, <think2> .. in order".to_owned());
        }
        let CoverageGraph { sources, counts } = &self.coverage;
        let shaped = counts.len() == forks && counts.iter().all(|row| row.len() == sources.len());
        if !shaped && !counts.is_empty() {
            return Some(format!("the coverage counts are not {forks} rows of {}", sources.len()));
        }
        let chosen = self.chosen_fork.filter(|chosen| !(1..=forks).contains(chosen))?;
        Some(format!("chosen_fork is {chosen}, but the forks are 1 to {forks}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_count_from_one() {
        assert_eq!(fork_name(0), "<think1>");
        assert_eq!(fork_name(11), "<think12>");
        let cases = [("<think1>", Some(0)), ("<think12>", Some(11)), ("<think>", None), ("<think0>", None)];
        for (name, index) in cases {
            assert_eq!(fork_index(name), index, "{name}");
        }
        for name in
            ["<think01>", "<think+1>", "<think1", "think1>", "<think-1>", "<think99999999999999999999>"]
        {
            assert_eq!(fork_index(name), None, "{name}");
        }
    }

    /// Graph from `(fork, source, matches)`.
    fn graph(forks: usize, matches: &[(usize, &str, usize)]) -> CoverageGraph {
        let mut graph = CoverageGraph::new(forks);
        for &(fork, source, times) in matches {
            (0..times).for_each(|_| graph.record(fork, source));
        }
        graph
    }

    #[test]
    fn counts_by_hand() {
        let graph = graph(3, &[(1, "lsb", 2), (0, "msb", 1), (1, "msb", 1)]);
        assert_eq!(graph.sources, ["lsb", "msb"]);
        assert_eq!(graph.counts, [vec![0, 1], vec![2, 1], vec![0, 0]]);
    }

    #[test]
    fn trained_forks_by_hand() {
        assert_eq!(graph(3, &[]).trained_forks(), [0, 1, 2]);
        assert_eq!(graph(3, &[(0, "a", 1), (0, "b", 4)]).trained_forks(), [0]);
        assert_eq!(graph(3, &[(2, "a", 1), (0, "b", 4)]).trained_forks(), [0, 1, 2]);
        let unknown = ForkTable::new(&[7, 8], ForkLead::bare(), CoverageGraph::default());
        assert_eq!(unknown.trained_forks(), [0, 1]);
    }

    #[test]
    fn chosen_fork_by_hand() {
        // Nothing recorded.
        assert_eq!(graph(4, &[]).chosen_fork(), None);
        assert_eq!(graph(0, &[]).chosen_fork(), None);
        // Fork 2 is joined to two sources with 2 matches; 9 matches with one source do not outweigh that.
        assert_eq!(graph(3, &[(0, "a", 9), (2, "a", 1), (2, "b", 1)]).chosen_fork(), Some(2));
        // Two sources each: 5 matches beat 4.
        assert_eq!(graph(3, &[(0, "a", 3), (0, "b", 1), (1, "a", 1), (1, "b", 4)]).chosen_fork(), Some(1));
        // Two sources and 3 matches each: the lower index.
        let tie = [(2, "a", 2), (2, "b", 1), (1, "b", 2), (1, "c", 1)];
        assert_eq!(graph(3, &tie).chosen_fork(), Some(1));
        // The only fork with a match is not the first.
        assert_eq!(graph(3, &[(2, "", 1)]).chosen_fork(), Some(2));
    }

    #[test]
    #[should_panic(expected = "fork 2 of 2")]
    fn unknown_fork_is_a_bug() {
        CoverageGraph::new(2).record(2, "a");
    }

    #[test]
    fn table_is_the_documented_json() {
        let table = ForkTable::new(&[259, 260], ForkLead::chat(), graph(2, &[(1, "lsb", 3)]));
        let json: serde_json::Value = serde_json::from_str(&table.to_json()).unwrap();
        let expected = serde_json::json!({
            "forks": [{"index":1,"token":"<think1>","id":259},{"index":2,"token":"<think2>","id":260}],
            "lead": {"before": "<|im_start|>", "after": "\n"},
            "coverage": {"sources":["lsb"],"counts":[[0],[3]]},
            "chosen_fork": 2,
        });
        assert_eq!(json, expected);
        assert_eq!(ForkTable::from_json("forks.json", table.to_json().as_bytes()).unwrap(), table);
    }

    #[test]
    fn broken_tables_say_so() {
        let fork = r#"{"index":1,"token":"<think1>","id":259}"#;
        let cases = [
            ("{".to_owned(), "EOF while parsing an object at line 1 column 1"),
            (
                r#"{"forks":[{"index":2,"token":"<think2>","id":259}],"chosen_fork":null}"#.to_owned(),
                "the forks are not <think1>, <think2> .. in order",
            ),
            (
                format!(
                    r#"{{"forks":[{fork}],"coverage":{{"sources":["a"],"counts":[[]]}},"chosen_fork":1}}"#
                ),
                "the coverage counts are not 1 rows of 1",
            ),
            (
                format!(r#"{{"forks":[{fork}],"chosen_fork":2}}"#),
                "chosen_fork is 2, but the forks are 1 to 1",
            ),
        ];
        for (json, reason) in cases {
            let message = ForkTable::from_json("m/forks.json", json.as_bytes()).unwrap_err().to_string();
            assert_eq!(message, format!("m/forks.json: {reason}; {REMEDY}"));
        }
        // The graph may be absent: a model that was given forks but not trained yet.
        let untrained = format!(r#"{{"forks":[{fork}],"chosen_fork":null}}"#);
        assert!(ForkTable::from_json("forks.json", untrained.as_bytes()).is_ok());
    }
}
