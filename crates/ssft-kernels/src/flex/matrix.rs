//! Matrix products on slices: the one place that calls `gemm`.

use gemm::Parallelism;
use std::marker::PhantomData;
use std::ops::Range;

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

    /// Some columns.
    ///
    /// # Panics
    /// If there are fewer.
    pub fn some_columns(self, columns: Range<usize>) -> Self {
        self.transpose().some_rows(columns.start, columns.len()).transpose()
    }

    /// The number of elements that the strides may reach.
    fn reach(&self) -> usize {
        self.dims.iter().zip(self.strides).map(|(&size, stride)| (size - 1) * stride).sum::<usize>() + 1
    }
}

/// A block of a matrix that is kept row by row, for one core to write.
#[derive(Debug)]
pub struct Block<'a> {
    start: *mut f32,
    /// Of the whole matrix.
    columns: usize,
    first: [usize; 2],
    dims: [usize; 2],
    matrix: PhantomData<&'a mut [f32]>,
}

// SAFETY: a block is a `&mut` to its own numbers, which no other block reaches.
#[allow(unsafe_code)]
unsafe impl Send for Block<'_> {}

impl<'a> Block<'a> {
    /// The whole matrix.
    pub fn whole(data: &'a mut [f32], columns: usize) -> Self {
        let rows = data.len() / columns;
        Self { start: data.as_mut_ptr(), columns, first: [0, 0], dims: [rows, columns], matrix: PhantomData }
    }

    /// Cuts a matrix of `columns` columns into blocks of `size`, smaller ones at its ends.
    pub fn cut(data: &'a mut [f32], columns: usize, size: [usize; 2]) -> Vec<Self> {
        let [rows, _] = Block::whole(data, columns).dims;
        let start = data.as_mut_ptr();
        let block = |row: usize, column: usize| Self {
            // SAFETY: `row` and `column` are within the matrix.
            #[allow(unsafe_code)]
            start: unsafe { start.add(row * columns + column) },
            columns,
            first: [row, column],
            dims: [size[0].min(rows - row), size[1].min(columns - column)],
            matrix: PhantomData,
        };
        let across = |row| (0..columns).step_by(size[1]).map(move |column| block(row, column));
        (0..rows).step_by(size[0]).flat_map(across).collect()
    }

    /// Rows of the matrix that the block is of.
    pub fn rows(&self) -> Range<usize> {
        self.first[0]..self.first[0] + self.dims[0]
    }

    /// Columns of the matrix that the block is of.
    pub fn columns(&self) -> Range<usize> {
        self.first[1]..self.first[1] + self.dims[1]
    }

    /// Becomes `lhs rhs`, or has it added if `accumulate`, on the caller's thread.
    ///
    /// # Shapes
    /// `lhs [m, k]`, `rhs [k, n]`, the block `[m, n]`.
    ///
    /// # Panics
    /// If the shapes do not fit, or one is empty.
    pub fn multiply(self, lhs: Matrix<'_>, rhs: Matrix<'_>, accumulate: bool) {
        let ([m, depth], [rhs_depth, n]) = (lhs.dims, rhs.dims);
        assert!(m > 0 && n > 0 && depth > 0, "an empty product: [{m}, {depth}] and [{rhs_depth}, {n}]");
        assert_eq!(depth, rhs_depth, "product of [{m}, {depth}] and [{rhs_depth}, {n}]");
        assert_eq!(self.dims, [m, n], "product of [{m}, {depth}] and [{rhs_depth}, {n}]");
        assert!(lhs.reach() <= lhs.data.len() && rhs.reach() <= rhs.data.len(), "a view beyond its data");
        // SAFETY: `reach` bounds every element read; what is written is the block, borrowed alone.
        #[allow(unsafe_code)]
        unsafe {
            gemm::gemm(
                m,
                n,
                depth,
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
/// As [`Block::multiply`].
pub fn multiply(out: &mut [f32], lhs: Matrix<'_>, rhs: Matrix<'_>, accumulate: bool) {
    let columns = rhs.dims[1];
    assert_eq!(out.len(), lhs.dims[0] * columns, "product of {:?} and {:?}", lhs.dims, rhs.dims);
    Block::whole(out, columns).multiply(lhs, rhs, accumulate);
}
