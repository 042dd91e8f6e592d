//! The command line: arguments to a resolved config to calls.
