//! A thousand texts that tokenizers may encode differently.

use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Number of texts.
const COUNT: usize = 1000;

/// Texts chosen by hand. None of them may be encoded to a special token.
const BY_HAND: &[&str] = &[
    "",
    " ",
    "   \n\n \t\r\n",
    "12+35=47 and 1000000",
    "Don't, WE'LL; it's",
    "  two  blanks  ",
    "é e\u{301} ß İ ǅ ﬁ ½ Ａ",
    "日本語。한국어 ไทย नमस्ते עברית العربية",
    "👩\u{200d}👩\u{200d}👧 🇩🇪 \u{fe0f}",
    "\u{0}\u{1}\u{7f}\u{ad}\u{feff}\u{fffd}\u{10ffff}",
    "\u{a0}\u{2028}\u{3000}\u{85}.",
    "<think1><think1 <think2>\n</think> <think99>",
    "a<|im_start|>user<|im_end|>\n<|endoftext|></s><s><unk>",
    "▁▁x ĠĊ <0x0A>",
    "snake_case camelCase x=[1,2];//\u{2014}…",
];

/// Pieces of the random texts: words and parts of words, numbers, white space, combining marks, scripts without blanks, emoji of
/// several characters, special tokens, and spellings of tokens in vocabularies.
const PIECES: &[&str] = &[
    "the",
    "The",
    "THE",
    "answer",
    "Don't",
    "'ll",
    "'S",
    "’s",
    "a",
    "é",
    "e\u{301}",
    "ñ",
    "Straße",
    "İstanbul",
    "ﬁn",
    "Å",
    "1",
    "12",
    "123",
    "1234567890",
    "3.14",
    "1,000",
    "½",
    "²",
    "Ⅷ",
    "٣",
    "१२",
    "+",
    "=",
    "!=",
    "->",
    "...",
    "…",
    "—",
    "/*",
    "\\n",
    "\"",
    "'",
    "`",
    "{",
    "}}",
    "</",
    ">",
    "#",
    "$\\frac{1}{2}$",
    "@",
    "_",
    "__x__",
    "&amp;",
    "%20",
    " ",
    "  ",
    "   ",
    "\t",
    "\n",
    "\n\n",
    "\r\n",
    "\r",
    "\u{a0}",
    "\u{2003}",
    "\u{3000}",
    "\u{200b}",
    "\u{85}",
    "\u{c}",
    "日本語",
    "中文。",
    "한국어",
    "ไทย",
    "नमस्ते",
    "עברית",
    "العربية",
    "Ελλάδα",
    "Привет",
    "\u{202e}",
    "👍",
    "👍🏽",
    "👩\u{200d}👩\u{200d}👧",
    "🇩🇪",
    "❤\u{fe0f}",
    "\u{0}",
    "\u{1}",
    "\u{7f}",
    "\u{ad}",
    "\u{feff}",
    "\u{fffd}",
    "\u{10ffff}",
    "\u{e000}",
    "𝒳",
    "𐍈",
    "<think1>",
    "<think",
    "<think2> ",
    "<think99>",
    "</think>",
    "<|im_start|>",
    "<|im_end|>",
    "<|endoftext|>",
    "<s>",
    "</s>",
    "<unk>",
    "<|",
    "|>",
    "▁",
    "Ġ",
    "Ċ",
    "<0x0A>",
    "##ing",
];

/// The texts, the same at every call.
pub fn texts() -> Vec<String> {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let mut texts: Vec<String> = BY_HAND.iter().map(|&text| text.to_owned()).collect();
    while texts.len() < COUNT {
        let pieces = rng.random_range(1..12);
        let text = match texts.len() % 5 {
            // Characters of all of Unicode.
            0 => (0..pieces).filter_map(|_| char::from_u32(rng.random_range(0..0x11_0000))).collect(),
            // Characters of the first 600, which most rules of tokenizers are about.
            1 => (0..3 * pieces).filter_map(|_| char::from_u32(rng.random_range(0..600))).collect(),
            _ => (0..pieces).filter_map(|_| PIECES.choose(&mut rng).copied()).collect(),
        };
        texts.push(text);
    }
    texts
}
