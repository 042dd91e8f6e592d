//! Matrix products on slices. No other file calls `gemm`.

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
    /// All of `data` as a row-major matrix.
    ///
    /// # Panics
    /// If the length of `data` is no multiple of `columns`.
    pub fn rows(data: &'a [f32], columns: usize) -> Self {
        assert_eq!(data.len() % columns, 0, "{} numbers in rows of {columns}", data.len());
        Self { data, dims: [data.len() / columns, columns], strides: [columns, 1] }
    }

    /// Rows and columns.
    pub fn dims(self) -> [usize; 2] {
        self.dims
    }

    /// The transposed view.
    pub fn transpose(self) -> Self {
        let ([rows, columns], [down, right]) = (self.dims, self.strides);
        Self { data: self.data, dims: [columns, rows], strides: [right, down] }
    }

    /// `count` rows from `first` on.
    ///
    /// # Panics
    /// If there are fewer rows.
    pub fn some_rows(self, first: usize, count: usize) -> Self {
        let [rows, columns] = self.dims;
        assert!(first + count <= rows, "rows {first}..{} of {rows}", first + count);
        Self { data: &self.data[first * self.strides[0]..], dims: [count, columns], ..self }
    }

    /// Length that `data` needs for the last element of the view.
    fn reach(&self) -> usize {
        self.dims.iter().zip(self.strides).map(|(&size, stride)| (size - 1) * stride).sum::<usize>() + 1
    }
}

/// How a product is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    /// It replaces the previous content, which is not read.
    Overwrite,
    /// It is added to the previous content.
    Add,
}

/// A block of a row-major matrix, which one thread writes.
#[derive(Debug)]
struct Block<'a> {
    start: *mut f32,
    /// Columns of the whole matrix.
    columns: usize,
    /// Row and column at which the block starts.
    first: [usize; 2],
    dims: [usize; 2],
    matrix: PhantomData<&'a mut [f32]>,
}

// SAFETY: a block is an exclusive reference to its own numbers; blocks do not overlap.
#[allow(unsafe_code)]
unsafe impl Send for Block<'_> {}

impl Block<'_> {
    /// Cuts the matrix of `dims` at `start` into blocks of at most `size`.
    ///
    /// # Safety
    /// The matrix has to be allocated, and borrowed exclusively, for the life of the blocks. It has to be initialised if a
    /// product is added to it.
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

    /// Computes this block of `lhs rhs` on the calling thread.
    fn multiply(self, lhs: Matrix<'_>, rhs: Matrix<'_>, store: Store) {
        let lhs = lhs.some_rows(self.first[0], self.dims[0]);
        let rhs = rhs.transpose().some_rows(self.first[1], self.dims[1]).transpose();
        assert!(lhs.reach() <= lhs.data.len() && rhs.reach() <= rhs.data.len(), "a view beyond its data");
        assert_eq!(lhs.dims[1], rhs.dims[0], "product of {:?} and {:?}", lhs.dims, rhs.dims);
        // SAFETY: `reach` bounds all reads of the operands. Writes stay in the block, which is read only by `Store::Add`.
        #[allow(unsafe_code)]
        unsafe {
            gemm::gemm(
                lhs.dims[0],
                rhs.dims[1],
                lhs.dims[1],
                self.start,
                1,
                self.columns as isize,
                store == Store::Add,
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

/// `out = lhs rhs` or `out += lhs rhs`, on the calling thread.
///
/// # Shapes
/// `lhs [m, k]`, `rhs [k, n]`, `out [m, n]` row-major.
///
/// # Panics
/// If the shapes do not match, or one is empty.
pub fn multiply(out: &mut [f32], lhs: Matrix<'_>, rhs: Matrix<'_>, store: Store) {
    let dims = dims_of_product(lhs, rhs);
    assert_eq!(out.len(), dims[0] * dims[1], "a product of {dims:?} into {} numbers", out.len());
    let whole = Block { start: out.as_mut_ptr(), columns: dims[1], first: [0, 0], dims, matrix: PhantomData };
    whole.multiply(lhs, rhs, store);
}

/// `out += lhs rhs` on all cores, in blocks of at most `size`.
///
/// # Panics
/// As [`multiply`].
pub fn add_product(out: &mut [f32], lhs: Matrix<'_>, rhs: Matrix<'_>, size: [usize; 2]) {
    let dims = dims_of_product(lhs, rhs);
    assert_eq!(out.len(), dims[0] * dims[1], "a product of {dims:?} onto {} numbers", out.len());
    // SAFETY: `out` is initialised and borrowed exclusively.
    #[allow(unsafe_code)]
    let blocks = unsafe { Block::cut(out.as_mut_ptr(), dims, size) };
    blocks.into_par_iter().for_each(|block| block.multiply(lhs, rhs, Store::Add));
}

/// `lhs rhs`, row-major, on all cores, in blocks of at most `size`. The result is not zeroed first.
///
/// # Panics
/// As [`multiply`].
pub fn product(lhs: Matrix<'_>, rhs: Matrix<'_>, size: [usize; 2]) -> Vec<f32> {
    let dims = dims_of_product(lhs, rhs);
    let mut out = Vec::with_capacity(dims[0] * dims[1]);
    // SAFETY: `out` has the capacity of the matrix, and no other reference to it exists.
    #[allow(unsafe_code)]
    let blocks = unsafe { Block::cut(out.as_mut_ptr(), dims, size) };
    blocks.into_par_iter().for_each(|block| block.multiply(lhs, rhs, Store::Overwrite));
    // SAFETY: the blocks cover the matrix, and each was written.
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
