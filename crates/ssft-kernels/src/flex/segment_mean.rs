//! The segment mean on the CPU.

/// Mean of each run of `values`, given as `[start, length]`.
pub fn segment_mean(values: &[f32], segments: &[[u32; 2]]) -> Vec<f32> {
    let mean = |&[start, length]: &[u32; 2]| {
        let run = &values[start as usize..][..length as usize];
        (run.iter().map(|&value| f64::from(value)).sum::<f64>() / f64::from(length)) as f32
    };
    segments.iter().map(mean).collect()
}
