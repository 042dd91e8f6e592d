//! Writes rows as a Parquet file, as the `datasets` library does: optional cells, lists of three levels.

use parquet::basic::{Compression, ConvertedType, LogicalType, Repetition, Type as Physical};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{Type, TypePtr};
use serde_json::Value;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// Writes `rows` with the columns of the first, `group` rows a group.
pub(super) fn write(path: &Path, rows: &[Value], group: usize, compression: Compression) {
    let columns: Vec<String> = rows[0].as_object().unwrap().keys().cloned().collect();
    let cells = |name: &String| rows.iter().map(|row| row[name].clone()).collect::<Vec<_>>();
    let fields = columns.iter().map(|name| field(name, &cells(name))).collect();
    let schema = Arc::new(Type::group_type_builder("schema").with_fields(fields).build().unwrap());
    let properties = Arc::new(WriterProperties::builder().set_compression(compression).build());
    let mut writer = SerializedFileWriter::new(File::create(path).unwrap(), schema, properties).unwrap();
    for rows in rows.chunks(group) {
        let mut group = writer.next_row_group().unwrap();
        for name in &columns {
            let all = cells(name);
            let cells = rows.iter().map(|row| &row[name]).collect::<Vec<_>>();
            leaves(&mut group, &all, &cells);
        }
        group.close().unwrap();
    }
    writer.close().unwrap();
}

/// The type of the first cell that is not null.
fn sample(cells: &[Value]) -> Value {
    cells.iter().find(|cell| !cell.is_null()).cloned().unwrap_or_else(|| Value::String(String::new()))
}

fn items(cells: &[Value]) -> Vec<Value> {
    cells.iter().filter_map(Value::as_array).flatten().cloned().collect()
}

fn field(name: &str, cells: &[Value]) -> TypePtr {
    let group = || Type::group_type_builder(name).with_repetition(Repetition::OPTIONAL);
    let built = match sample(cells) {
        Value::Array(_) => {
            let list = Type::group_type_builder("list")
                .with_repetition(Repetition::REPEATED)
                .with_fields(vec![field("element", &items(cells))]);
            let list = Arc::new(list.build().unwrap());
            let group = group().with_logical_type(Some(LogicalType::List));
            group.with_converted_type(ConvertedType::LIST).with_fields(vec![list]).build()
        }
        Value::Object(parts) => {
            let part =
                |name: &String| field(name, &cells.iter().map(|cell| cell[name].clone()).collect::<Vec<_>>());
            group().with_fields(parts.keys().map(part).collect()).build()
        }
        Value::Bool(_) => leaf(name, Physical::BOOLEAN, ConvertedType::NONE),
        Value::Number(_) => leaf(name, Physical::INT64, ConvertedType::NONE),
        _ => leaf(name, Physical::BYTE_ARRAY, ConvertedType::UTF8),
    };
    Arc::new(built.unwrap())
}

fn leaf(name: &str, physical: Physical, converted: ConvertedType) -> parquet::errors::Result<Type> {
    let builder = Type::primitive_type_builder(name, physical).with_repetition(Repetition::OPTIONAL);
    builder.with_converted_type(converted).build()
}

/// One leaf of the schema, ready to be written: each value, or nothing, with its levels.
type Leaf = Vec<(Value, i16, i16)>;

/// Writes the leaves of one column.
fn leaves(group: &mut SerializedRowGroupWriter<'_, File>, all: &[Value], cells: &[&Value]) {
    let mut found = Vec::new();
    let rows: Leaf = cells.iter().map(|cell| ((*cell).clone(), 0, 0)).collect();
    descend(&sample(all), all, rows, 0, 0, &mut found);
    for (kind, leaf, full) in found {
        match kind {
            Value::Bool(_) => put::<BoolType>(group, &leaf, full, |value| value.as_bool().unwrap()),
            Value::Number(_) => put::<Int64Type>(group, &leaf, full, |value| value.as_i64().unwrap()),
            _ => put::<ByteArrayType>(group, &leaf, full, |value| ByteArray::from(value.as_str().unwrap())),
        }
    }
}

/// Shreds cells; `definition` and `repetition` are the levels of a present cell.
fn descend(
    kind: &Value,
    all: &[Value],
    cells: Leaf,
    definition: i16,
    repetition: i16,
    found: &mut Vec<(Value, Leaf, i16)>,
) {
    let there = definition + 1;
    let level = |value: &Value, old: i16| if value.is_null() { old } else { there };
    match kind {
        Value::Array(_) => {
            let inner = items(all);
            let mut flat = Leaf::new();
            for (value, old, repeated) in cells {
                match value.as_array() {
                    Some(values) if !values.is_empty() => {
                        let again = |at: usize| if at == 0 { repeated } else { repetition + 1 };
                        let item = |(at, value): (usize, &Value)| (value.clone(), there + 1, again(at));
                        flat.extend(values.iter().enumerate().map(item));
                    }
                    _ => flat.push((Value::Null, level(&value, old), repeated)),
                }
            }
            descend(&sample(&inner), &inner, flat, there + 1, repetition + 1, found);
        }
        Value::Object(parts) => {
            for name in parts.keys() {
                let part = |(value, old, repeated): &(Value, i16, i16)| {
                    (value.get(name).cloned().unwrap_or_default(), level(value, *old), *repeated)
                };
                let all: Vec<Value> = all.iter().map(|cell| cell[name].clone()).collect();
                descend(&sample(&all), &all, cells.iter().map(part).collect(), there, repetition, found);
            }
        }
        _ => {
            let leaf = cells.into_iter().map(|(value, old, repeated)| {
                let level = level(&value, old);
                (value, level, repeated)
            });
            found.push((kind.clone(), leaf.collect(), there));
        }
    }
}

fn put<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, File>,
    leaf: &Leaf,
    full: i16,
    convert: impl Fn(&Value) -> T::T,
) {
    let values: Vec<T::T> = leaf.iter().filter(|cell| cell.1 == full).map(|cell| convert(&cell.0)).collect();
    let definitions: Vec<i16> = leaf.iter().map(|cell| cell.1).collect();
    let repetitions: Vec<i16> = leaf.iter().map(|cell| cell.2).collect();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<T>().write_batch(&values, Some(&definitions), Some(&repetitions)).unwrap();
    column.close().unwrap();
}
