//! Loops that use the widest vectors of the processor.

/// Numbers that a loop handles at a time, and partial sums of a sum.
pub const LANES: usize = 16;

/// Compiles a function three times, for all x86-64 processors, for AVX2 and for AVX-512, and calls the widest that the
/// processor supports. No operation is fused or reordered, so that all three return the same bits.
macro_rules! wide {
    ($(#[$doc:meta])* $vis:vis fn $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)? $body:block) => {
        $(#[$doc])*
        $vis fn $name($($argument: $type),*) $(-> $result)? {
            #[inline(always)]
            fn plain($($argument: $type),*) $(-> $result)? $body
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl")]
                fn wider($($argument: $type),*) $(-> $result)? {
                    plain($($argument),*)
                }
                #[target_feature(enable = "avx2")]
                fn wide($($argument: $type),*) $(-> $result)? {
                    plain($($argument),*)
                }
                let has_avx512 = std::arch::is_x86_feature_detected!("avx512f")
                    && std::arch::is_x86_feature_detected!("avx512dq")
                    && std::arch::is_x86_feature_detected!("avx512bw")
                    && std::arch::is_x86_feature_detected!("avx512vl");
                if has_avx512 {
                    // SAFETY: the processor supports these features.
                    #[allow(unsafe_code)]
                    return unsafe { wider($($argument),*) };
                }
                if std::arch::is_x86_feature_detected!("avx2") {
                    // SAFETY: the processor supports these features.
                    #[allow(unsafe_code)]
                    return unsafe { wide($($argument),*) };
                }
            }
            plain($($argument),*)
        }
    };
}
pub(super) use wide;

/// Sum of `of(a, b)` over two slices of the same length, as [`LANES`] partial sums.
#[inline(always)]
pub fn sum_over(a: &[f32], b: &[f32], of: impl Fn(f32, f32) -> f32) -> f32 {
    let ((blocks, rest), (b_blocks, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut lanes = [0.0f32; LANES];
    for (a, b) in blocks.iter().zip(b_blocks) {
        for lane in 0..LANES {
            lanes[lane] += of(a[lane], b[lane]);
        }
    }
    for ((lane, &a), &b) in lanes.iter_mut().zip(rest).zip(b_rest) {
        *lane += of(a, b);
    }
    lanes.iter().sum()
}
