//! Builds the stub with `rustc` alone and leaves it where `stub.rs` embeds it from and where packages pick it up.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

fn main() {
    let architecture = env::var("CARGO_CFG_TARGET_ARCH").unwrap();
    let out = PathBuf::from(env::var("OUT_DIR").unwrap());
    let sources = Path::new(&env::var("CARGO_MANIFEST_DIR").unwrap()).join("../stub/src");
    println!("cargo::rerun-if-changed={}", sources.display());
    println!("cargo::rerun-if-changed=src/wire.rs");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=NEARFAR_STUB_LINKER");

    let stub = out.join("nearfar-stub");
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let mut command = Command::new(&rustc);
    command
        .arg(sources.join("main.rs"))
        .args(["--crate-name", "nearfar_stub", "--edition", "2021", "-D", "warnings"])
        .args(["--target", &format!("{architecture}-unknown-linux-gnu")])
        .args(["-C", "opt-level=3", "-C", "panic=abort", "-C", "overflow-checks=off", "-C", "debug-assertions=off"])
        .args(["-C", "relocation-model=static", "-C", "strip=symbols"])
        .arg(format!("--remap-path-prefix={}=stub", sources.display()))
        .args(linker(&rustc))
        .arg("-o")
        .arg(&stub)
        .env_remove("RUSTFLAGS");
    let output = command.output().unwrap_or_else(|error| panic!("could not run {rustc}: {error}"));
    assert!(output.status.success(), "could not build the stub:\n{}", String::from_utf8_lossy(&output.stderr));

    // `<target>/nearfar-stub/<architecture>/nearfar-stub`, for the platform packages: OUT_DIR is
    // `<target>/<profile>/build/<crate>/out`.
    let target = out.ancestors().nth(4).expect("OUT_DIR lies in the target folder");
    let shelf = target.join("nearfar-stub").join(&architecture);
    fs::create_dir_all(&shelf).unwrap();
    fs::copy(&stub, shelf.join("nearfar-stub")).unwrap();
}

/// Returns the options for the linker: the LLD that `NEARFAR_STUB_LINKER` names, else the one of the toolchain, else the C compiler
/// that cargo links everything with. `scripts/slice.mjs` names one, so that each machine makes the same stub.
fn linker(rustc: &str) -> Vec<String> {
    let named = env::var("NEARFAR_STUB_LINKER").ok();
    let options: &[&str] = match &named.or_else(|| rust_lld(rustc)) {
        Some(lld) => &["-C", &format!("linker={lld}"), "-C", "linker-flavor=ld.lld", "-C", "link-arg=-static"],
        None => &["-C", "link-args=-nostartfiles -nostdlib -static -no-pie"],
    };
    options.iter().map(|option| option.to_string()).collect()
}

/// Returns the path of the toolchain's rust-lld. A toolchain of a distribution may come without it.
fn rust_lld(rustc: &str) -> Option<String> {
    let sysroot = Command::new(rustc).args(["--print", "sysroot"]).output().expect("rustc prints its sysroot");
    let sysroot = String::from_utf8(sysroot.stdout).expect("the sysroot is UTF-8");
    let lld = format!("{}/lib/rustlib/{}/bin/rust-lld", sysroot.trim(), env::var("HOST").unwrap());
    Path::new(&lld).exists().then_some(lld)
}
