//! The four strategies: the correct trace of each for a question.

use super::question::{Operator, Question};
use super::step::STEP_END;
use crate::claim::ANSWER_MARK;

/// A strategy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Approach {
    /// `lsb`: columns of digits from right to left, with carries.
    LeastFirst,
    /// `msb`: places from left to right, added to a running total.
    MostFirst,
    /// `place`: the operands by places, then the sum of the partial results.
    ByPlace,
    /// `round`: an operand rounded up, then the compensation.
    Rounding,
}

/// Names, indexed by [`Approach::index`].
pub(super) const NAMES: [&str; 4] = ["lsb", "msb", "place", "round"];

impl Approach {
    /// All strategies, in the order of [`NAMES`].
    pub(super) const ALL: [Self; 4] = [Self::LeastFirst, Self::MostFirst, Self::ByPlace, Self::Rounding];

    /// Index into [`NAMES`].
    pub(super) fn index(self) -> usize {
        self as usize
    }

    /// Name of the strategy.
    pub(super) fn name(self) -> &'static str {
        NAMES[self.index()]
    }

    /// The correct trace for `question`: steps, answer mark, answer.
    pub(super) fn trace(self, question: &Question) -> String {
        let steps = match self {
            Self::LeastFirst => least_first(question),
            Self::MostFirst => most_first(question),
            Self::ByPlace => by_place(question),
            Self::Rounding => rounding(question),
        };
        let steps = steps.join(STEP_END.encode_utf8(&mut [0; 4]));
        format!("{steps} {ANSWER_MARK} {}", question.answer())
    }
}

/// The operands at one decimal place, as place values: 40 and 80 in 347+285, 40 and 6 in 47*6.
struct Column {
    unit: u64,
    left: u64,
    right: u64,
}

/// The columns of a question, highest place first. Each column of a product has the whole right operand.
fn columns(question: &Question) -> Vec<Column> {
    let (left, right) = (u64::from(question.left), u64::from(question.right));
    let widest = match question.operator {
        Operator::Add => left.max(right),
        Operator::Multiply => left,
    };
    let column = |unit| Column {
        unit,
        left: place_value(left, unit),
        right: match question.operator {
            Operator::Add => place_value(right, unit),
            Operator::Multiply => right,
        },
    };
    units(widest).map(column).collect()
}

/// Units of the places of a number, highest first: 100, 10, 1 for 347.
fn units(number: u64) -> impl Iterator<Item = u64> {
    let highest = number.checked_ilog10().unwrap_or(0);
    (0..=highest).rev().map(|exponent| 10_u64.pow(exponent))
}

fn place_value(number: u64, unit: u64) -> u64 {
    number / unit % 10 * unit
}

fn least_first(question: &Question) -> Vec<String> {
    let (operator, mut carry) = (question.operator, 0);
    let column_step = |column: &Column| {
        let left = column.left / column.unit;
        let right = match operator {
            Operator::Add => column.right / column.unit,
            Operator::Multiply => column.right,
        };
        let carried = if carry == 0 { String::new() } else { format!("+{carry}") };
        let result = operator.apply(left, right) + carry;
        carry = result / 10;
        format!("{left}{}{right}{carried}={result}", operator.symbol())
    };
    columns(question).iter().rev().map(column_step).collect()
}

fn most_first(question: &Question) -> Vec<String> {
    let (operator, mut total) = (question.operator, None);
    let place_step = |Column { left, right, .. }: &Column| {
        let so_far = total.map_or(String::new(), |total| format!("{total}+"));
        let sum = total.unwrap_or(0) + operator.apply(*left, *right);
        total = Some(sum);
        format!("{so_far}{left}{}{right}={sum}", operator.symbol())
    };
    columns(question).iter().map(place_step).collect()
}

fn by_place(question: &Question) -> Vec<String> {
    let by_places = |number: u32| {
        let number = u64::from(number);
        bare_sum(units(number).map(|unit| place_value(number, unit)))
    };
    let partial = |column: &Column| question.operator.apply(column.left, column.right);
    let mut steps = vec![by_places(question.left)];
    // The second factor of a product has one digit.
    if question.operator == Operator::Add {
        steps.push(by_places(question.right));
    }
    steps.push(bare_sum(columns(question).iter().map(partial)));
    steps
}

fn bare_sum(terms: impl Iterator<Item = u64>) -> String {
    terms.map(|term| term.to_string()).collect::<Vec<_>>().join("+")
}

fn rounding(question: &Question) -> Vec<String> {
    let (left, right) = (u64::from(question.left), u64::from(question.right));
    let total = question.answer();
    match question.operator {
        Operator::Add => {
            let (round, gap) = round_up(right);
            let rounded = left + round;
            vec![format!("{right}={round}-{gap}"), format!("{left}+{round}-{gap}={rounded}-{gap}={total}")]
        }
        Operator::Multiply => {
            let (round, gap) = round_up(left);
            let (rounded, excess) = (round * right, gap * right);
            vec![
                format!("{left}={round}-{gap}"),
                format!("{round}*{right}-{gap}*{right}={rounded}-{excess}={total}"),
            ]
        }
    }
}

/// The next multiple of the highest place (300 for 285 and for 300), and the difference to it.
fn round_up(number: u64) -> (u64, u64) {
    let unit = units(number).next().unwrap_or(1);
    let round = number.next_multiple_of(unit);
    (round, round - number)
}
