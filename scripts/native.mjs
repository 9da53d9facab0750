// Builds the addon, and puts it into packages/core/native with its types and the stub. `--dev` builds faster. The script
// passes every other argument to `napi build`, for instance `--target <triple>`.
import { copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";
import { root, run, stop } from "./run.mjs";

const core = join(root, "packages/core");
// A running program may have the old addon mapped. A rename leaves its bytes alone, and a copy would overwrite them.
const staging = join(root, "target/addon");
mkdirSync(staging, { recursive: true });
const args = process.argv.slice(2);
const rest = args.filter((argument) => argument !== "--dev");
const options = [
	...(args.includes("--dev") ? [] : ["--release"]),
	...["--platform", "--no-js", "--manifest-path", "../../crates/node/Cargo.toml"],
	...["--output-dir", staging, "--dts", "binding.d.ts"],
	...rest,
];
mkdirSync(join(core, "native"), { recursive: true });
run("napi", ["build", ...options], { cwd: core, stdio: "inherit" });
for (const file of readdirSync(staging)) renameSync(join(staging, file), join(core, "native", file));

const arches = { x64: "x86_64", arm64: "aarch64" };
const target = rest.includes("--target") ? rest[rest.indexOf("--target") + 1] : undefined;
const arch = target?.split("-")[0] ?? arches[process.arch];
const { target_directory } = JSON.parse(run("cargo", ["metadata", "--no-deps", "--format-version=1"]));
// `napi build` always names a target, so cargo builds one folder below its target folder.
const folders = readdirSync(target_directory).filter((name) => name.startsWith(`${arch}-`));
const [stub] = ["", ...folders]
	.map((folder) => join(target_directory, folder, "nearfar-stub", arch, "nearfar-stub"))
	.filter((file) => existsSync(file))
	.sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs);
if (!stub)
	stop(`no nearfar-stub/${arch}/nearfar-stub in ${target_directory}: the build script of crates/linux writes it`);
copyFileSync(stub, join(core, "native/nearfar-stub"));
