//! Arguments of a filter or a function: in order or by name, as in Python.

use super::bounds::float_of;
use minijinja::value::{Kwargs, Rest, ValueOrKwargs, from_args};
use minijinja::{Error, ErrorKind, Value};
use std::collections::VecDeque;

/// The arguments of one call, without the subject of a filter.
pub(super) struct Arguments {
    called: &'static str,
    listed: VecDeque<Value>,
    named: Kwargs,
}

impl Arguments {
    /// The subject of the filter called `filter`, and its arguments.
    pub(super) fn of(filter: &'static str, all: Rest<ValueOrKwargs>) -> Result<(Value, Self), Error> {
        let mut arguments = Self::of_function(filter, all)?;
        let subject = arguments.listed.pop_front().ok_or_else(|| arguments.refused("there is no value"))?;
        Ok((subject, arguments))
    }

    /// The arguments of the function called `called`.
    pub(super) fn of_function(called: &'static str, all: Rest<ValueOrKwargs>) -> Result<Self, Error> {
        let all = all.into_values();
        let (listed, named): (&[Value], Kwargs) = from_args(&all)?;
        Ok(Self { called, listed: listed.to_vec().into(), named })
    }

    /// The next argument, called `name`. An explicit `none` does not select the default, as in Python.
    pub(super) fn next(&mut self, name: &str) -> Result<Option<Value>, Error> {
        match (self.listed.pop_front(), self.named.has(name)) {
            (Some(_), true) => Err(self.refused(&format!("{name} is given twice"))),
            (None, true) => self.named.get::<Value>(name).map(Some),
            (listed, false) => Ok(listed),
        }
    }

    /// The next argument as a condition; false if it is not given.
    pub(super) fn is_set(&mut self, name: &str) -> Result<bool, Error> {
        Ok(self.next(name)?.is_some_and(|value| value.is_true()))
    }

    /// Refuses arguments that were not read.
    pub(super) fn end(self) -> Result<(), Error> {
        match self.listed.is_empty() {
            true => self.named.assert_all_used(),
            false => Err(self.refused("too many arguments")),
        }
    }

    /// The error `reason`, with the name of what is called.
    pub(super) fn refused(&self, reason: &str) -> Error {
        refuse(format!("{}: {reason}", self.called))
    }
}

/// An integer. Python takes booleans for integers, but no floats.
pub(super) fn integer(name: &str, value: &Value) -> Result<i64, Error> {
    let integer = i64::try_from(value.clone()).ok().filter(|_| float_of(value).is_none());
    integer.ok_or_else(|| refuse(format!("{name} must be an integer")))
}

/// An integer as a count: 0 if it is negative, and at most the largest `usize`, which has 32 bits in a browser.
pub(super) fn count(integer: i64) -> usize {
    usize::try_from(integer.max(0)).unwrap_or(usize::MAX)
}

pub(super) fn refuse(reason: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, reason.into())
}
