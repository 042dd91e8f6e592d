use crate::tasks::countdown::level::Level;
use crate::tasks::countdown::strategies::Approach;
use crate::tasks::held_out::HeldOutAnswers;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

#[test]
#[ignore]
fn measure() {
    for difficulty in 1..=4 {
        let level = Level::of(difficulty).expect("level");
        let candidates = level.candidates();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let begin = std::time::Instant::now();
        let tries = candidates.len().min(1_000_000);
        let mut found = 0;
        let mut hist = [[0usize; 13]; 4];
        let (mut sum, mut max) = ([0usize; 4], [0usize; 4]);
        let mut all_first = 0;
        let mut same_answer = 0;
        for at in 0..tries {
            let q = candidates.question(if tries == candidates.len() {
                at
            } else {
                rng.random_range(0..candidates.len())
            });
            let Some(s) = level.solve(&q) else { continue };
            found += 1;
            if found % 4001 == 7 {
                println!("{q}");
                for s in &s {
                    println!("    {}", s.trace);
                }
            }
            for k in 0..4 {
                hist[k][s[k].groups] += 1;
                sum[k] += s[k].trace.len();
                max[k] = max[k].max(s[k].trace.len());
            }
            all_first += usize::from([0, 1, 3].iter().all(|k| s[*k].groups == 1));
            let mut c: Vec<_> =
                s.iter().map(|s| super::super::canonical::Canonical::new(&s.answer).text).collect();
            c.sort();
            c.dedup();
            same_answer += c.len();
        }
        println!(
            "level {difficulty}: {found} of {tries} ({} candidates) in {:?}; all first {all_first}; answers per q {:.2}",
            candidates.len(),
            begin.elapsed(),
            same_answer as f64 / found as f64
        );
        for k in 0..4 {
            println!(
                "   {} mean {:.1} max {} groups {:?}",
                Approach::ALL[k].name(),
                sum[k] as f64 / found as f64,
                max[k],
                &hist[k][1..]
            );
        }
    }
    let _ = HeldOutAnswers::draw(1, &mut ChaCha8Rng::seed_from_u64(1));
}
