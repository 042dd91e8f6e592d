//! A thousand strings that tokenizers stumble over.

use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// How many there are.
const COUNT: usize = 1000;

/// Strings on which tokenizers differ first. All of them are text: nothing here may become a special token.
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

/// What the others are made of: words and pieces of words, numbers, white space of every kind, marks that combine, scripts
/// without blanks, emoji in several parts, markers, and what looks like a token's spelling inside of a vocabulary.
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

/// The strings, the same at every call.
pub fn texts() -> Vec<String> {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let mut texts: Vec<String> = BY_HAND.iter().map(|&text| text.to_owned()).collect();
    while texts.len() < COUNT {
        let pieces = rng.random_range(1..12);
        let text = match texts.len() % 5 {
            // Any characters at all.
            0 => (0..pieces).filter_map(|_| char::from_u32(rng.random_range(0..0x11_0000))).collect(),
            // Any of the first 600, where most rules are.
            1 => (0..3 * pieces).filter_map(|_| char::from_u32(rng.random_range(0..600))).collect(),
            _ => (0..pieces).filter_map(|_| PIECES.choose(&mut rng).copied()).collect(),
        };
        texts.push(text);
    }
    texts
}
