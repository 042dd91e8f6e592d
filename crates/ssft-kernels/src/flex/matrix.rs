//! Matrix products on slices: the one place that calls `gemm`.

use super::parallel::*;
use gemm::Parallelism;
use std::marker::PhantomData;

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

/// A block of a matrix that is kept row by row, for one core to write.
#[derive(Debug)]
struct Block<'a> {
    start: *mut f32,
    /// Of the whole matrix.
    columns: usize,
    /// Row and column of the matrix that it starts with.
    first: [usize; 2],
    dims: [usize; 2],
    matrix: PhantomData<&'a mut [f32]>,
}

// SAFETY: a block is a `&mut` to its own numbers, which no other block reaches.
#[allow(unsafe_code)]
unsafe impl Send for Block<'_> {}

impl Block<'_> {
    /// Cuts the matrix of `dims` at `start` into blocks of at most `size`.
    ///
    /// # Safety
    /// The matrix has to be there, and nobody else's, as long as its blocks are. It has to have been written before it
    /// is added to.
    #[allow(unsafe_code)]
    unsafe fn cut(start: *mut f32, dims: [usize; 2], size: [usize; 2]) -> Vec<Self> {
        let [rows, columns] = dims;
        let block = |row: usize, column: usize| Self {
            // SAFETY: `row` and `column` are within the matrix.
            start: unsafe { start.add(row * columns + column) },
            columns,
            first: [row, column],
            dims: [size[0].min(rows - row), size[1].min(columns - column)],
            matrix: PhantomData,
        };
        let across = |row| (0..columns).step_by(size[1]).map(move |column| block(row, column));
        (0..rows).step_by(size[0]).flat_map(across).collect()
    }

    /// Writes its part of `lhs rhs`, or adds it if `accumulate`, on the caller's thread.
    fn multiply(self, lhs: Matrix<'_>, rhs: Matrix<'_>, accumulate: bool) {
        let lhs = lhs.some_rows(self.first[0], self.dims[0]);
        let rhs = rhs.transpose().some_rows(self.first[1], self.dims[1]).transpose();
        assert!(lhs.reach() <= lhs.data.len() && rhs.reach() <= rhs.data.len(), "a view beyond its data");
        assert_eq!(lhs.dims[1], rhs.dims[0], "product of {:?} and {:?}", lhs.dims, rhs.dims);
        // SAFETY: `reach` bounds every element read; what is written is the block, which is read only if added to.
        #[allow(unsafe_code)]
        unsafe {
            gemm::gemm(
                lhs.dims[0],
                rhs.dims[1],
                lhs.dims[1],
                self.start,
                1,
                self.columns as isize,
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
}

/// `out = lhs rhs`, or `out += lhs rhs` if `accumulate`, on the caller's thread.
///
/// # Shapes
/// `lhs [m, k]`, `rhs [k, n]`, `out [m, n]` row by row.
///
/// # Panics
/// If the shapes do not fit, or one is empty.
pub fn multiply(out: &mut [f32], lhs: Matrix<'_>, rhs: Matrix<'_>, accumulate: bool) {
    let dims = dims_of_product(lhs, rhs);
    assert_eq!(out.len(), dims[0] * dims[1], "a product of {dims:?} into {} numbers", out.len());
    let whole = Block { start: out.as_mut_ptr(), columns: dims[1], first: [0, 0], dims, matrix: PhantomData };
    whole.multiply(lhs, rhs, accumulate);
}

/// `out += lhs rhs`, blocks of at most `size` on all cores.
///
/// # Panics
/// As [`multiply`].
pub fn add_product(out: &mut [f32], lhs: Matrix<'_>, rhs: Matrix<'_>, size: [usize; 2]) {
    let dims = dims_of_product(lhs, rhs);
    assert_eq!(out.len(), dims[0] * dims[1], "a product of {dims:?} onto {} numbers", out.len());
    // SAFETY: `out` is borrowed alone.
    #[allow(unsafe_code)]
    let blocks = unsafe { Block::cut(out.as_mut_ptr(), dims, size) };
    blocks.into_par_iter().for_each(|block| block.multiply(lhs, rhs, true));
}

/// `lhs rhs` row by row, blocks of at most `size` on all cores. What is not there yet need not be set to 0 first.
///
/// # Panics
/// As [`multiply`].
pub fn product(lhs: Matrix<'_>, rhs: Matrix<'_>, size: [usize; 2]) -> Vec<f32> {
    let dims = dims_of_product(lhs, rhs);
    let mut out = Vec::with_capacity(dims[0] * dims[1]);
    // SAFETY: there is room for the matrix, and `out` is ours alone.
    #[allow(unsafe_code)]
    let blocks = unsafe { Block::cut(out.as_mut_ptr(), dims, size) };
    blocks.into_par_iter().for_each(|block| block.multiply(lhs, rhs, false));
    // SAFETY: the blocks are the whole matrix, and each has been written.
    #[allow(unsafe_code)]
    unsafe {
        out.set_len(dims[0] * dims[1]);
    }
    out
}

fn dims_of_product(lhs: Matrix<'_>, rhs: Matrix<'_>) -> [usize; 2] {
    let ([rows, depth], [rhs_depth, columns]) = (lhs.dims, rhs.dims);
    assert!(rows > 0 && columns > 0 && depth > 0, "an empty product: {:?} and {:?}", lhs.dims, rhs.dims);
    assert_eq!(depth, rhs_depth, "product of {:?} and {:?}", lhs.dims, rhs.dims);
    [rows, columns]
}
