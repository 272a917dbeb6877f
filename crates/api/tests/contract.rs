//! Names, numbers and types on the wire are what clients out there know: `contract.txt` holds them.

use std::collections::BTreeSet;

use prost::Message;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet};

const CONTRACT: &str = include_str!("contract.txt");
const PACKAGE: &str = ".orchestrator.v1.";

#[test]
fn the_served_contract_is_the_one_written_down() {
    let set = FileDescriptorSet::decode(fleet_api::FILE_DESCRIPTOR_SET).expect("it was just encoded");
    same(&written_down(true), &compiled(&set));
}

#[test]
fn the_earliest_clients_know_it_without_the_additions() {
    let set = protox::compile(["orchestrator_spec.proto"], ["../../tests/compat"]).expect("it compiles");
    same(&written_down(false), &compiled(&set));
}

#[test]
fn additions_take_numbers_above_those_before_them() {
    for line in CONTRACT.lines().filter(|line| !line.starts_with('#')) {
        let fields = line.split_once(": ").map_or("", |(_, fields)| fields);
        let old = fields.split(", ").position(|field| field.starts_with('+'));
        let additions = fields.split(", ").skip(old.unwrap_or(usize::MAX));
        assert!(additions.into_iter().all(|field| field.starts_with('+')), "{line}");
    }
}

fn same(written: &BTreeSet<String>, compiled: &BTreeSet<String>) {
    let missing: Vec<_> = written.difference(compiled).collect();
    let unknown: Vec<_> = compiled.difference(written).collect();
    assert!(
        missing.is_empty() && unknown.is_empty(),
        "missing: {missing:#?}\nnot written down: {unknown:#?}"
    );
}

/// `Message.number type name` for each field, and the like for enums and calls.
fn written_down(additions: bool) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for line in CONTRACT.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (addition, line) = line.strip_prefix('+').map_or((false, line), |line| (true, line));
        let (name, content) = line.split_once(": ").expect("a line has a name and a content");
        if addition && !additions {
            continue;
        }
        if line.starts_with("rpc ") {
            all.insert(line.to_owned());
            continue;
        }
        for field in content.split(", ") {
            match field.strip_prefix('+') {
                Some(field) if additions => all.insert(format!("{name}: {field}")),
                Some(_) => false,
                None => all.insert(format!("{name}: {field}")),
            };
        }
    }
    all
}

fn compiled(set: &FileDescriptorSet) -> BTreeSet<String> {
    let file: &FileDescriptorProto =
        set.file.iter().find(|file| file.package() == "orchestrator.v1").expect("the package is there");
    let mut all = BTreeSet::new();
    for message in &file.message_type {
        for field in &message.field {
            all.insert(format!(
                "{}: {} {} {}",
                message.name(),
                field.number(),
                kind(message, field),
                field.name()
            ));
        }
    }
    for kind in &file.enum_type {
        for value in &kind.value {
            all.insert(format!("enum {}: {} {}", kind.name(), value.number(), value.name()));
        }
    }
    for service in &file.service {
        assert_eq!(service.name(), "OrchestratorService");
        for method in &service.method {
            assert!(!method.client_streaming());
            let stream = if method.server_streaming() { "stream " } else { "" };
            let (input, output) = (short(method.input_type()), short(method.output_type()));
            all.insert(format!("rpc {}: {input} -> {stream}{output}", method.name()));
        }
    }
    all
}

/// A field's type as the table writes it.
fn kind(message: &DescriptorProto, field: &FieldDescriptorProto) -> String {
    if let Some(entry) = message.nested_type.iter().find(|entry| {
        entry.options.as_ref().is_some_and(|options| options.map_entry())
            && field.type_name().ends_with(&format!("{}.{}", message.name(), entry.name()))
    }) {
        return format!("map<{},{}>", kind(entry, &entry.field[0]), kind(entry, &entry.field[1]));
    }
    let name = match field.r#type() {
        Type::String => "string",
        Type::Bytes => "bytes",
        Type::Bool => "bool",
        Type::Int32 => "int32",
        Type::Int64 => "int64",
        Type::Uint64 => "uint64",
        Type::Double => "double",
        Type::Message | Type::Enum => short(field.type_name()),
        other => panic!("{} is a {other:?}, which the contract does not use", field.name()),
    };
    match (field.label(), field.proto3_optional()) {
        (Label::Repeated, _) => format!("*{name}"),
        (_, true) => format!("?{name}"),
        _ => name.to_owned(),
    }
}

fn short(name: &str) -> &str {
    name.strip_prefix(PACKAGE).expect("the contract uses its own types only")
}
