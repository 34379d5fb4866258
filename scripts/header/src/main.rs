//! Writes include/kafkatcl.h from the exports of src/lib.rs.
//!
//!     cargo run --manifest-path scripts/header/Cargo.toml [-- --check]
//!
//! With --check it only compares, and fails when the file is out of date.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use cbindgen::{Builder, Language};

const HEADER: &str = "\
/* kafkatcl.h -- link the kafka package into a program of its own.
 *
 * Written by cbindgen from src/lib.rs: run `make doc` to write it anew.
 *
 *     Tcl_StaticLibrary(interp, \"Kafka\", Kafka_Init, Kafka_SafeInit);
 *     Kafka_Init(interp);
 *
 * `pkg-config --static --libs kafkatcl` has what to link with. The commands written in Tcl
 * (kafka::brokers and its relatives, the classes) are in the package's folder tcl/: evaluate
 * tcl/kafka.tcl after Kafka_Init to have them.
 */";

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    match run(&root, std::env::args().any(|a| a == "--check")) {
        Ok(done) => {
            println!("include/kafkatcl.h {done}");
            ExitCode::SUCCESS
        }
        Err(e) => {
            eprintln!("include/kafkatcl.h: {e}");
            ExitCode::FAILURE
        }
    }
}

fn run(root: &Path, check: bool) -> Result<&'static str, Box<dyn Error>> {
    let manifest = fs::read_to_string(root.join("Cargo.toml"))?;
    let version = manifest.lines().find_map(|l| l.strip_prefix("version = \"")?.strip_suffix('"'));
    let version = version.ok_or("no version in Cargo.toml")?;

    // cbindgen follows modules, and what they declare is nobody's business. So it gets a copy of the
    // file that has none.
    let exports = fs::read_to_string(root.join("src/lib.rs"))?;
    let exports: String =
        exports.lines().filter(|l| !l.starts_with("pub mod ")).flat_map(|l| [l, "\n"]).collect();
    let copy = std::env::temp_dir().join(format!("kafka-header-{}.rs", std::process::id()));
    fs::write(&copy, exports)?;
    let bindings = Builder::new()
        .with_src(&copy)
        .with_language(Language::C)
        .with_cpp_compat(true)
        .with_no_includes()
        .with_header(HEADER)
        .with_include_guard("KAFKATCL_H")
        .with_after_include(format!("#include <tcl.h>\n\n#define KAFKATCL_VERSION \"{version}\""))
        .generate();
    fs::remove_file(&copy)?;
    let mut text = Vec::new();
    bindings?.write(&mut text);

    let file = root.join("include/kafkatcl.h");
    if !check {
        fs::write(&file, text)?;
        return Ok("is written");
    }
    if fs::read(&file)? != text {
        return Err("out of date: run `make doc` and commit it".into());
    }
    Ok("is up to date")
}
