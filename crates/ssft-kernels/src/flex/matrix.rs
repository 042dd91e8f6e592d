//! Matrix products on slices: the one place that calls `gemm`.

use gemm::Parallelism;

/// A view of a matrix: element (i, j) is `data[i * row_stride + j * column_stride]`.
#[derive(Debug, Clone, Copy)]
pub struct Matrix<'a> {
    data: &'a [f32],
    dims: [usize; 2],
    strides: [usize; 2],
}

impl<'a> Matrix<'a> {
    /// All of `data`, row by row.
    ///
    /// # Panics
    /// If `data` is not whole rows of `columns`.
    pub fn rows(data: &'a [f32], columns: usize) -> Self {
        assert_eq!(data.len() % columns, 0, "{} numbers in rows of {columns}", data.len());
        Self { data, dims: [data.len() / columns, columns], strides: [columns, 1] }
    }

    /// Rows and columns.
    pub fn dims(self) -> [usize; 2] {
        self.dims
    }

    /// The same numbers with rows and columns exchanged.
    pub fn transpose(self) -> Self {
        let ([rows, columns], [down, right]) = (self.dims, self.strides);
        Self { data: self.data, dims: [columns, rows], strides: [right, down] }
    }

    /// `count` rows from `first` on.
    ///
    /// # Panics
    /// If there are fewer.
    pub fn some_rows(self, first: usize, count: usize) -> Self {
        let [rows, columns] = self.dims;
        assert!(first + count <= rows, "rows {first}..{} of {rows}", first + count);
        Self { data: &self.data[first * self.strides[0]..], dims: [count, columns], ..self }
    }

    /// The number of elements that the strides may reach.
    fn reach(&self) -> usize {
        self.dims.iter().zip(self.strides).map(|(&size, stride)| (size - 1) * stride).sum::<usize>() + 1
    }
}

/// `out = lhs rhs`, or `out += lhs rhs` if `accumulate`, on the caller's thread.
///
/// # Shapes
/// `lhs [m, k]`, `rhs [k, n]`, `out [m, n]` row by row.
///
/// # Panics
/// If the shapes do not fit, or one is empty.
pub fn multiply(out: &mut [f32], lhs: Matrix<'_>, rhs: Matrix<'_>, accumulate: bool) {
    let ([m, depth], [rhs_depth, n]) = (lhs.dims, rhs.dims);
    assert!(m > 0 && n > 0 && depth > 0, "an empty product: [{m}, {depth}] and [{rhs_depth}, {n}]");
    assert_eq!(depth, rhs_depth, "product of [{m}, {depth}] and [{rhs_depth}, {n}]");
    assert_eq!(out.len(), m * n, "product of [{m}, {depth}] and [{rhs_depth}, {n}] into {}", out.len());
    assert!(lhs.reach() <= lhs.data.len() && rhs.reach() <= rhs.data.len(), "a view beyond its data");
    // SAFETY: `reach` bounds every element read, `m * n` every element written, and `out` is borrowed alone.
    #[allow(unsafe_code)]
    unsafe {
        gemm::gemm(
            m,
            n,
            depth,
            out.as_mut_ptr(),
            1,
            n as isize,
            accumulate,
            lhs.data.as_ptr(),
            lhs.strides[1] as isize,
            lhs.strides[0] as isize,
            rhs.data.as_ptr(),
            rhs.strides[1] as isize,
            rhs.strides[0] as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}
