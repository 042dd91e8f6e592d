//! The arms of a comparison.

use crate::{questions, run, step, trainer};
use ssft_train::Method;

#[test]
fn accumulation_equals_one_large_batch() {
    for method in Method::ALL {
        let mut large = trainer(method, 4, 1);
        let mut small = trainer(method, 1, 4);
        let (a, b) = (run(&mut large, 3), run(&mut small, 3));
        for (a, b) in a.iter().zip(&b) {
            assert!(
                (a - b).abs() < 1e-5,
                "{method:?}: {a} against {b}: sums of the same terms in another order"
            );
        }
    }
}

#[test]
fn every_arm_learns_and_tags_as_it_should() {
    for method in Method::ALL {
        let mut trainer = trainer(method, 2, 1);
        let losses = run(&mut trainer, 20);
        assert!(losses[19] < losses[0] - 0.3, "{method:?}: {losses:?}");
        let report = step(&mut trainer, &questions());
        for matched in &report.matches {
            let question =
                questions().into_iter().find(|question| question.id == matched.id).expect("known id");
            let mut forks = matched.forks.clone();
            assert_eq!(forks.len(), method.traces(question.traces.len()));
            forks.sort_unstable();
            forks.dedup();
            match method {
                Method::Sft | Method::SftMixed => assert_eq!(forks, [1]),
                Method::Ssft | Method::SsftRandom => {
                    assert_eq!(forks.len(), matched.forks.len(), "injective")
                }
            }
        }
    }
}
