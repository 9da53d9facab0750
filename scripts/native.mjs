// Builds the addon for this machine, and puts it into packages/core/native with its types and the stub. `--dev` builds faster.
// `scripts/slice.mjs` builds what is published, for each platform.
import { copyFileSync, mkdirSync, readdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { root, run } from "./run.mjs";

const core = join(root, "packages/core");
// A running program may have the old addon mapped. A rename leaves its bytes alone, and a copy would overwrite them.
const staging = join(root, "target/addon");
mkdirSync(staging, { recursive: true });
const options = [
	...(process.argv.includes("--dev") ? [] : ["--release"]),
	...["--platform", "--no-js", "--manifest-path", "../../crates/node/Cargo.toml"],
	...["--output-dir", staging, "--dts", "binding.d.ts"],
];
mkdirSync(join(core, "native"), { recursive: true });
run("napi", ["build", ...options], { cwd: core, stdio: "inherit" });
for (const file of readdirSync(staging)) renameSync(join(staging, file), join(core, "native", file));

// `napi build` always names a target, so cargo builds one folder below its target folder.
const [, triple, arch] = run("rustc", ["-vV"]).match(/^host: ((\w+?)-.*)$/m);
const { target_directory } = JSON.parse(run("cargo", ["metadata", "--no-deps", "--format-version=1"]));
const stub = join(target_directory, triple, "nearfar-stub", arch, "nearfar-stub");
copyFileSync(stub, join(core, "native/nearfar-stub"));
