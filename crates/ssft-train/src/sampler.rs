//! The questions of every step: each epoch is a new random permutation of the data, and steps take it in order.

use rand::seq::SliceRandom;
use ssft_data::random::{Stream, generator};

/// The questions of every step of a run: a function of the seed, the number of questions and the questions per step.
#[derive(Debug, Clone)]
pub struct Sampler {
    questions: usize,
    per_step: usize,
    seed: u64,
    /// Number and permutation of the epoch that was used last.
    epoch: Option<(usize, Vec<usize>)>,
}

impl Sampler {
    /// A sampler of `per_step` out of `questions` questions per step.
    ///
    /// # Panics
    /// If either is 0.
    pub fn new(questions: usize, per_step: usize, seed: u64) -> Self {
        assert!(questions > 0 && per_step > 0, "a sampler needs questions");
        Self { questions, per_step, seed, epoch: None }
    }

    /// Indices of the questions of `step`, counted from 0. If an epoch ends inside a step, the next one begins there.
    pub fn questions(&mut self, step: usize) -> Vec<usize> {
        let (first, questions) = (step * self.per_step, self.questions);
        (first..first + self.per_step)
            .map(|draw| self.permutation(draw / questions)[draw % questions])
            .collect()
    }

    /// Epochs done before `step`, counted from 0: questions drawn so far divided by the number of questions.
    pub fn epoch(&self, step: usize) -> f64 {
        (step * self.per_step) as f64 / self.questions as f64
    }

    fn permutation(&mut self, epoch: usize) -> &[usize] {
        if self.epoch.as_ref().is_none_or(|(cached, _)| *cached != epoch) {
            let mut order: Vec<usize> = (0..self.questions).collect();
            order.shuffle(&mut generator(self.seed, Stream::Shuffle { epoch: epoch as u64 }));
            self.epoch = Some((epoch, order));
        }
        self.epoch.as_ref().map_or(&[], |(_, order)| order)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_epoch_sees_every_question_once_in_another_order() {
        let mut sampler = Sampler::new(7, 3, 5);
        let drawn: Vec<usize> = (0..7).flat_map(|step| sampler.questions(step)).collect();
        for epoch in drawn.chunks(7) {
            let mut sorted = epoch.to_vec();
            sorted.sort_unstable();
            assert_eq!(sorted, [0, 1, 2, 3, 4, 5, 6]);
        }
        assert_ne!(drawn[..7], drawn[7..14]);
    }

    #[test]
    fn a_step_is_the_same_whether_or_not_earlier_ones_were_drawn() {
        let mut walked = Sampler::new(10, 4, 1);
        let all: Vec<_> = (0..20).map(|step| walked.questions(step)).collect();
        for step in [19, 0, 7, 8] {
            assert_eq!(Sampler::new(10, 4, 1).questions(step), all[step]);
        }
        assert_ne!(Sampler::new(10, 4, 2).questions(0), all[0]);
        assert_eq!(walked.epoch(5), 2.0);
    }
}
