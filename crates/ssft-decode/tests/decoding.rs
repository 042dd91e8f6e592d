//! Cached, forked, batched decoding gives the tokens of decoding each prompt alone without a cache.

use burn::tensor::Device;
use ssft_data::pack::{PackedTrees, Tree};
use ssft_decode::fork::Stop;
use ssft_decode::sample::greedy;
use ssft_decode::{Continuation, Finish, decode_forks};
use ssft_model::{Decoder, DecoderConfig, config::Preset};

fn model() -> Decoder {
    let shape = DecoderConfig {
        hidden_size: 32,
        intermediate_size: 48,
        num_hidden_layers: 2,
        num_attention_heads: 4,
        num_key_value_heads: 2,
        head_dim: 8,
        ..DecoderConfig::preset(Preset::Tiny, 60)
    };
    Decoder::init(&shape, 11, &Device::flex())
}

/// The plainest decoder: the whole row again for every token.
fn without_cache(model: &Decoder, prompt: &[u32], lead: &[u32], stop: Stop) -> Continuation {
    let mut row = [prompt, lead].concat();
    let start = row.len();
    let mut logprob = 0.0;
    while row.len() - start < stop.max_tokens {
        let hidden = model.forward(&PackedTrees::new(&[Tree { prompt: row.clone(), branches: vec![] }]));
        let last = hidden.narrow(0, row.len() - 1, 1);
        let choice = pollster::block_on(greedy(last, model.head())).expect("a choice")[0];
        logprob += f64::from(choice.logprob);
        if choice.token == stop.eos {
            return Continuation { tokens: row[start..].to_vec(), finish: Finish::Eos, logprob };
        }
        row.push(choice.token);
    }
    Continuation { tokens: row[start..].to_vec(), finish: Finish::Length, logprob }
}

#[test]
fn forks_of_a_batch_equal_rows_alone() {
    let model = model();
    let prompts = [vec![1, 2, 3, 4, 5, 6], vec![7], vec![3, 9, 27]];
    let leads: Vec<Vec<u32>> = (50..56).map(|fork| vec![fork, 8]).collect();
    // An end that this model does say: the most frequent token of an endless decode.
    let endless = without_cache(&model, &prompts[0], &leads[0], Stop { eos: 59, max_tokens: 12 });
    let stop = Stop { eos: *endless.tokens.last().expect("tokens"), max_tokens: 12 };
    let ours = pollster::block_on(decode_forks(&model, &prompts, &leads, stop)).expect("decodes");
    let mut ends = 0;
    for (question, prompt) in prompts.iter().enumerate() {
        for (fork, lead) in leads.iter().enumerate() {
            let expected = without_cache(&model, prompt, lead, stop);
            let found = &ours[question][fork];
            assert_eq!(
                (&found.tokens, found.finish),
                (&expected.tokens, expected.finish),
                "question {question} fork {fork}"
            );
            assert!(
                (found.logprob - expected.logprob).abs() < 1e-4,
                "{} against {}",
                found.logprob,
                expected.logprob
            );
            ends += usize::from(found.finish == Finish::Eos);
        }
    }
    assert!(ends > 0, "some fork has to end for this test to see an end");
}
